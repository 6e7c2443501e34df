//! Messages outside of a span's attributes: in its events, in the log records that name it, and in the bodies into which
//! AWS's distribution turns these.

use super::facts;
use super::message::{self, messages};
use super::{At, Message, Role};
use crate::formats::telemetry::{EventRecord, Pairs, Value, find};

/// The event that holds all that a model was asked and said.
pub(super) const DETAILS: &str = "gen_ai.client.inference.operation.details";

/// What the events and log records of all of an inference's details say; of a value that is there several times, the
/// first one that a span's own events hold, else the first of the logs.
#[derive(Default)]
pub(super) struct Details<'s, 'a> {
    pub(super) instructions: Option<&'s Value<'a>>,
    pub(super) asked: Option<&'s Value<'a>>,
    pub(super) said: Option<&'s Value<'a>>,
}

impl<'s, 'a> Details<'s, 'a> {
    /// What the events and log records of a span say.
    pub(super) fn of(at: &At<'s, 'a>) -> Self {
        let mut details = Self::default();
        for event in at.span.events.iter().filter(|e| e.name == DETAILS) {
            details.put(&event.attributes);
        }
        for log in at.logs.iter().filter(|l| l.name == DETAILS) {
            details.put(&log.attributes);
            if let Some(Value::Map(body)) = &log.body {
                details.put(body);
            }
        }
        details
    }

    fn put(&mut self, pairs: &'s Pairs<'a>) {
        for (name, value) in pairs {
            let place = match name.as_str() {
                "gen_ai.system_instructions" => &mut self.instructions,
                "gen_ai.input.messages" => &mut self.asked,
                "gen_ai.output.messages" => &mut self.said,
                _ => continue,
            };
            place.get_or_insert(value);
        }
    }
}

/// The role of an event that is a message.
fn role(event: &str) -> Option<Role> {
    Some(match event {
        "gen_ai.system.message" => Role::System,
        "gen_ai.user.message" => Role::User,
        "gen_ai.assistant.message" | "gen_ai.choice" => Role::Assistant,
        "gen_ai.tool.message" => Role::Tool,
        _ => return None,
    })
}

/// Whether an event or log record of this name is a message.
pub(super) fn is_message(event: &str) -> bool {
    role(event).is_some()
}

/// Messages with an event each, of the span; where it has none, of the logs, by time.
pub(super) fn per_message<'a>(at: &At<'_, 'a>, wanted: impl Fn(&str) -> bool) -> Vec<Message<'a>> {
    let named = |name: &str| role(name).filter(|_| wanted(name));
    let events: Vec<_> = at.span.events.iter().filter_map(|e| event(e, named(&e.name)?)).collect();
    if !events.is_empty() {
        return events;
    }
    let of_log = |body: &Value<'a>, role| match body {
        Value::Map(_) => messages(body, role).and_then(|m| m.into_iter().next()),
        text => message::content(text, role),
    };
    let logs = at.logs.iter().filter_map(|l| Some((l.time_ns, of_log(l.body.as_ref()?, named(&l.name)?)?)));
    let mut logs: Vec<_> = logs.collect();
    if logs.iter().all(|(time, _)| time.is_some()) {
        logs.sort_by_key(|(time, _)| *time);
    }
    let mut messages: Vec<Message<'a>> = Vec::with_capacity(logs.len());
    for (_, message) in logs {
        match messages.last_mut().and_then(|last| same_result(last, &message)) {
            // Bedrock's instrumentation says a result twice: in the user's name and in the tool's.
            Some(error) => *error |= message.results.iter().any(|r| r.error),
            None => messages.push(message),
        }
    }
    messages
}

/// The error flag of `last`'s result, when `next` has nothing but a result of the same call.
fn same_result<'m>(last: &'m mut Message<'_>, next: &Message<'_>) -> Option<&'m mut bool> {
    let ([one], [other]) = (&mut last.results[..], &next.results[..]) else { return None };
    let alone = next.role == Role::Tool && next.calls.is_empty() && next.text.is_none();
    (alone && one.id.is_some() && one.id == other.id).then_some(&mut one.error)
}

/// A message in the attributes of an event.
fn event<'a>(event: &EventRecord<'a>, role: Role) -> Option<Message<'a>> {
    // Azure's SDK has the whole body in one attribute.
    if let Some(body) = find(&event.attributes, "gen_ai.event.content") {
        return messages(body, role)?.into_iter().next();
    }
    let place = if event.name == "gen_ai.choice" { "message" } else { "content" };
    let content = find(&event.attributes, place).and_then(|v| message::content(v, role));
    let mut message = content.unwrap_or(Message { role, text: None, calls: Vec::new(), results: Vec::new() });
    if message.calls.is_empty()
        && let Some(calls) = find(&event.attributes, "tool_calls")
    {
        message.calls = message::calls(calls);
    }
    if let [only] = &mut message.results[..]
        && only.id.is_none()
    {
        only.id = facts::text(find(&event.attributes, "id"));
    }
    Some(message)
}

/// Messages in bodies of `{input: {messages}, output: {messages}}`. Their contents are attributes of the events that they
/// were made of: with `message` the answer, with `content` any other. The assistant's earlier messages are put to the
/// output, where they do not belong; their place among the input is lost, so that they are left out.
pub(super) fn bodies<'a>(at: &At<'_, 'a>, side: &str) -> Option<Vec<Message<'a>>> {
    let role = if side == "input" { Role::User } else { Role::Assistant };
    let list = at.logs.iter().find_map(|log| {
        let Some(Value::Map(body)) = &log.body else { return None };
        let Some(Value::Map(side)) = find(body, side) else { return None };
        let Some(Value::Array(list)) = find(side, "messages") else { return None };
        Some(list)
    })?;
    let mut found = Vec::with_capacity(list.len());
    for item in list {
        let Value::Map(item) = item else { continue };
        let Some(content) = find(item, "content") else { continue };
        let named = find(item, "role").and_then(Value::as_str).map(Role::named).filter(|r| *r != Role::Other);
        found.extend(of_body(content, named.unwrap_or(role)));
    }
    let (made_of_events, answers) = (found.iter().any(|(p, _)| *p != Place::Plain), side == "output");
    let kept = found.into_iter().filter(|(place, _)| !answers || !made_of_events || *place == Place::Message);
    Some(kept.map(|(_, message)| message).collect())
}

/// Where the content of a message in a body stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In itself.
    Plain,
    /// In an event's `content`.
    Content,
    /// In an event's `message`.
    Message,
}

fn of_body<'a>(content: &Value<'a>, role: Role) -> Option<(Place, Message<'a>)> {
    let Value::Map(event) = content else { return Some((Place::Plain, message::content(content, role)?)) };
    let (place, inner) = match (find(event, "message"), find(event, "content")) {
        (Some(inner), _) => (Place::Message, inner),
        (None, Some(inner)) => (Place::Content, inner),
        (None, None) => return Some((Place::Plain, message::content(content, role)?)),
    };
    let mut message = message::content(inner, role)?;
    if let [only] = &mut message.results[..]
        && only.id.is_none()
    {
        only.id = facts::text(find(event, "id"));
    }
    Some((place, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::LogRecord;
    use crate::formats::telemetry::dialect::genai::GenAi;
    use crate::formats::telemetry::dialect::tests::{attributes, log, map, read_all, span_of, text};

    #[test]
    fn messages_as_log_records_with_bodies() {
        let function = map(&[("name", text("lookup_order")), ("arguments", text(r#"{"order_id": "A1001"}"#))]);
        let call = map(&[("id", text("c1")), ("type", text("function")), ("function", function)]);
        let calls = ("tool_calls", Value::Array(vec![call]));
        let answer = map(&[("role", text("assistant")), calls.clone()]);
        let choice = map(&[("index", Value::Int(0)), ("finish_reason", text("tool_calls")), ("message", answer)]);
        let logs = [
            log("gen_ai.system.message", Some(map(&[("content", text("Be brief."))])), &[]),
            log("gen_ai.user.message", Some(map(&[("content", text("Hi"))])), &[]),
            log("gen_ai.assistant.message", Some(map(&[calls])), &[]),
            log("gen_ai.tool.message", Some(map(&[("content", text("{\"ok\": 1}")), ("id", text("c1"))])), &[]),
            log("gen_ai.choice", Some(choice), &[]),
            log("", Some(text("unrelated")), &[]),
        ];
        let span = span_of("chat m", &[("gen_ai.operation.name", text("chat")), ("gen_ai.system", text("openai"))]);
        insta::assert_snapshot!(read_all(&GenAi, &span, &logs), @r#"
        Llm
        output: null
        asked: System "Be brief."
        asked: User "Hi"
        asked: Assistant c1=lookup_order(Some("{\"order_id\": \"A1001\"}"))
        asked: Tool c1->Some("{\"ok\": 1}")
        said: Assistant c1=lookup_order(Some("{\"order_id\": \"A1001\"}"))
        "#);
    }

    #[test]
    fn messages_as_span_events_and_azures_form_of_them() {
        let mut span = span_of("chat m", &[("gen_ai.operation.name", text("chat"))]);
        span.events = vec![
            EventRecord {
                name: "gen_ai.user.message".into(),
                time_ns: None,
                attributes: attributes(&[("content", text("Hi"))]),
            },
            EventRecord {
                name: "gen_ai.choice".into(),
                time_ns: None,
                attributes: attributes(&[(
                    "gen_ai.event.content",
                    text(r#"{"index":0,"message":{"content":"Hello."}}"#),
                )]),
            },
        ];
        insta::assert_snapshot!(read_all(&GenAi, &span, &[]), @r#"
        Llm
        output: "Hello."
        asked: User "Hi"
        said: Assistant "Hello."
        "#);
    }

    #[test]
    fn bodies_of_input_and_output_are_messages() {
        let message = |role, content| Value::Array(vec![map(&[("content", content), ("role", text(role))])]);
        let answer = map(&[("message", text("Hello!\n")), ("finish_reason", text("end_turn"))]);
        let body = map(&[
            ("output", map(&[("messages", message("assistant", answer))])),
            ("input", map(&[("messages", message("user", map(&[("content", text(r#"[{"text": "Hello"}]"#))])))])),
        ]);
        let span = span_of("invoke_agent A", &[("gen_ai.operation.name", text("invoke_agent"))]);
        insta::assert_snapshot!(read_all(&GenAi, &span, &[log("x", Some(body), &[])]), @r#"
        Agent
        output: "Hello!\n"
        asked: User "Hello"
        said: Assistant "Hello!\n"
        "#);
    }

    #[test]
    fn bodies_keep_the_answer_apart_from_earlier_ones() {
        let message = |role, content| map(&[("content", content), ("role", text(role))]);
        let earlier = message("assistant", map(&[("content", text(r#"[{"text": "Earlier."}]"#))]));
        let answer = message(
            "assistant",
            map(&[("message", text(r#"[{"text": "Now."}]"#)), ("finish_reason", text("end_turn"))]),
        );
        let result = r#"[{"toolResult": {"toolUseId": "c1", "status": "success", "content": [{"text": "ok"}]}}]"#;
        let input = [
            message("user", map(&[("content", text(r#"[{"text": "Hi"}]"#))])),
            message("tool", map(&[("content", text(result))])),
        ];
        let read = |output: &[Value<'static>]| {
            let side = |messages: &[Value<'static>]| map(&[("messages", Value::Array(messages.to_vec()))]);
            let body = map(&[("output", side(output)), ("input", side(&input))]);
            read_all(&GenAi, &span_of("chat", &[("gen_ai.operation.name", text("chat"))]), &[log("x", Some(body), &[])])
        };
        insta::assert_snapshot!(read(&[earlier.clone(), answer]), @r#"
        Llm
        output: "Now."
        asked: User "Hi"
        asked: Tool c1->Some("ok")
        said: Assistant "Now."
        "#);
        insta::assert_snapshot!(read(&[earlier]), @r#"
        Llm
        asked: User "Hi"
        asked: Tool c1->Some("ok")
        "#);
    }

    #[test]
    fn log_records_out_of_order_are_put_in_order_and_a_result_said_twice_counts_once() {
        let result = map(&[
            ("toolUseId", text("c1")),
            ("status", text("error")),
            ("content", Value::Array(vec![map(&[("text", text("no"))])])),
        ]);
        let block = Value::Array(vec![map(&[("toolResult", result)])]);
        let at = |time, name, body| LogRecord { time_ns: Some(time), ..log(name, Some(body), &[]) };
        let logs = [
            at(4, "gen_ai.user.message", map(&[("content", block)])),
            at(
                3,
                "gen_ai.tool.message",
                map(&[("id", text("c1")), ("content", Value::Array(vec![map(&[("text", text("no"))])]))]),
            ),
            at(1, "gen_ai.user.message", map(&[("content", Value::Array(vec![map(&[("text", text("Hi"))])]))])),
        ];
        let span = span_of("chat m", &[("gen_ai.operation.name", text("chat"))]);
        insta::assert_snapshot!(read_all(&GenAi, &span, &logs), @r#"
        Llm
        asked: User "Hi"
        asked: Tool c1->!Some("no")
        "#);
    }
}
