//! Messages as SDKs write them: OpenTelemetry's parts, OpenAI's and Anthropic's messages, Bedrock's and Gemini's blocks,
//! as JSON in a text (once or twice encoded) or as a structured value.
//!
//! One reader takes all of them, since recorders mix them: a message of OpenTelemetry holds Bedrock's blocks. What a
//! shape does not say stays unsaid, and an unknown part takes nothing else with it.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;

pub(super) use super::part::join;
use super::part::{Found, blocks, call};
use super::raw::{self, Fields};
use super::{Call, Message, Outcome, Role, is_withheld};
use crate::formats::telemetry::Value;
use crate::model::{Payload, Text};

/// A list of messages, or one. `role` is for those that name none. `None` when it is neither: truncated, or withheld.
pub(super) fn messages<'a>(value: &Value<'a>, role: Role) -> Option<Vec<Message<'a>>> {
    match value {
        Value::Text(Text(Cow::Borrowed(text))) => parse(text, role, 1),
        Value::Text(Text(Cow::Owned(text))) => parse(text, role, 1).map(owned),
        Value::Array(_) | Value::Map(_) => parse(&value.json(), role, 1).map(owned),
        _ => None,
    }
}

/// One message of `role` whose content is a list of parts or blocks, or a text that is none of these.
pub(super) fn content<'a>(value: &Value<'a>, role: Role) -> Option<Message<'a>> {
    match value {
        Value::Text(Text(Cow::Borrowed(text))) => {
            parse_content(text, role).or_else(|| said(Text::borrowed(text), role))
        }
        Value::Text(Text(Cow::Owned(text))) => {
            parse_content(text, role).map(Message::into_owned).or_else(|| said(text.clone().into(), role))
        }
        Value::Array(_) | Value::Map(_) => parse_content(&value.json(), role).map(Message::into_owned),
        _ => None,
    }
}

/// What `read` finds in an object.
pub(super) fn object<'a>(
    value: &Value<'a>,
    read: for<'f> fn(&Fields<'f>) -> Option<Vec<Message<'f>>>,
) -> Option<Vec<Message<'a>>> {
    match value {
        Value::Text(Text(Cow::Borrowed(text))) => read(&Fields::parse(text)?),
        Value::Text(Text(Cow::Owned(text))) => read(&Fields::parse(text)?).map(owned),
        Value::Map(_) => read(&Fields::parse(&value.json())?).map(owned),
        _ => None,
    }
}

/// The elements of a JSON list as messages; `None` when it is no list.
pub(super) fn list(raw: &RawValue, role: Role) -> Option<Vec<Message<'_>>> {
    Some(raw::list(raw)?.into_iter().filter_map(|item| element(item, role, 1)).collect())
}

/// One message of `role` with content of any form: a text, parts, or an object that holds them.
pub(super) fn body(raw: &RawValue, role: Role) -> Option<Message<'_>> {
    let mut found = Found::default();
    found.body(raw);
    Some(found.message(role)).filter(|m| m.text.is_some() || !m.calls.is_empty() || !m.results.is_empty())
}

/// A message that is a text and nothing else; `None` when the text stands for what was withheld.
pub(super) fn said(text: Text<'_>, role: Role) -> Option<Message<'_>> {
    let mut message = Message { role, text: None, calls: Vec::new(), results: Vec::new() };
    if is_withheld(&text) {
        return None;
    }
    match role {
        Role::Tool => message.results.push(Outcome { id: None, content: Some(Payload::text(text)), error: false }),
        _ => message.text = Some(text),
    }
    Some(message)
}

/// What messages say, as an output: their text, JSON `null` when it is known that they have none (they only call tools,
/// or their text is empty), `None` when there are none or what they say was withheld.
pub(super) fn output<'a>(messages: Option<&[Message<'a>]>) -> Option<Payload<'a>> {
    let messages = messages?;
    let texts = messages.iter().filter_map(|m| m.text.clone()).filter(|t| !t.is_empty());
    match join(texts) {
        Some(text) => Some(Payload::text(text)),
        None if messages.iter().any(|m| m.text.is_some() || !m.calls.is_empty()) => Some(Payload::null()),
        None => None,
    }
}

/// The messages, unless they hold nothing at all: then their content was not recorded.
pub(super) fn recorded(messages: Vec<Message<'_>>) -> Option<Vec<Message<'_>>> {
    let holds = |m: &Message<'_>| m.text.is_some() || !m.calls.is_empty() || !m.results.is_empty();
    messages.iter().any(holds).then_some(messages)
}

/// Calls in a list of them.
pub(super) fn calls<'a>(value: &Value<'a>) -> Vec<Call<'a>> {
    fn parse(text: &str) -> Option<Vec<Call<'_>>> {
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        Some(raw::list(raw)?.into_iter().filter_map(call).collect())
    }
    let detached = |text: &str| parse(text).map(|calls| calls.into_iter().map(Call::into_owned).collect());
    match value {
        Value::Text(Text(Cow::Borrowed(text))) => parse(text),
        Value::Text(Text(Cow::Owned(text))) => detached(text),
        Value::Array(_) => detached(&value.json()),
        _ => None,
    }
    .unwrap_or_default()
}

/// What a tool said, from a value that may be blocks: a list of text blocks is their text, a single JSON block its JSON.
pub(super) fn result<'a>(value: &Value<'a>) -> Option<Payload<'a>> {
    let payload = match value {
        Value::Null => return None,
        Value::Text(text) if text.starts_with('[') => match blocks(text) {
            Some(found) => found,
            None => Payload::text(text.clone()),
        },
        Value::Array(_) => {
            let json = value.json();
            blocks(&json).unwrap_or_else(|| Payload::raw_json(json))
        }
        other => other.payload(),
    };
    (payload.is_json() || !is_withheld(payload.as_str())).then_some(payload)
}

impl Call<'_> {
    fn into_owned(self) -> Call<'static> {
        let (id, args) = (self.id.map(Text::into_owned), self.args.map(owned_payload));
        Call { id, name: self.name.into_owned(), args }
    }
}

impl Message<'_> {
    /// The same message, detached from the buffer it was decoded from.
    pub(super) fn into_owned(self) -> Message<'static> {
        let text = |t: Option<Text<'_>>| t.map(Text::into_owned);
        let payload = |p: Option<Payload<'_>>| p.map(owned_payload);
        let outcome = |o: Outcome<'_>| Outcome { id: text(o.id), content: payload(o.content), error: o.error };
        Message {
            role: self.role,
            text: text(self.text),
            calls: self.calls.into_iter().map(Call::into_owned).collect(),
            results: self.results.into_iter().map(outcome).collect(),
        }
    }
}

fn owned(messages: Vec<Message<'_>>) -> Vec<Message<'static>> {
    messages.into_iter().map(Message::into_owned).collect()
}

pub(super) fn owned_payload(payload: Payload<'_>) -> Payload<'static> {
    let is_json = payload.is_json();
    let text = payload.into_text().into_owned();
    if is_json { Payload::raw_json(text) } else { Payload::text(text) }
}

/// Messages in a JSON text; `again` is how many more times a string is taken for JSON.
fn parse(text: &str, role: Role, again: u8) -> Option<Vec<Message<'_>>> {
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    match raw.get().as_bytes().first()? {
        b'[' => Some(raw::list(raw)?.into_iter().filter_map(|item| element(item, role, again)).collect()),
        b'{' => {
            let fields = Fields::of(raw)?;
            match fields.get(&["messages"]).and_then(raw::list) {
                Some(items) => Some(items.into_iter().filter_map(|item| element(item, role, again)).collect()),
                None => Some(vec![message(&fields, role)]),
            }
        }
        b'"' if again > 0 => {
            let inner = raw::string(raw)?;
            parse(&inner, role, again - 1).map(owned)
        }
        _ => None,
    }
}

/// An element of a list of messages: an object, or a string that is a text or holds an object.
pub(super) fn element(raw: &RawValue, role: Role, again: u8) -> Option<Message<'_>> {
    if let Some(fields) = Fields::of(raw) {
        return Some(message(&fields, role));
    }
    let text = raw::string(raw)?;
    match Fields::parse(&text) {
        Some(fields) if again > 0 && fields.get(&["role", "parts", "content", "message"]).is_some() => {
            Some(message(&fields, role).into_owned())
        }
        _ => said(text, role),
    }
}

/// Content in a JSON text; `None` when it is not made of parts, so that it is a text that happens to be JSON.
pub(super) fn parse_content(text: &str, role: Role) -> Option<Message<'_>> {
    if !text.starts_with(['[', '{', '"']) {
        return None;
    }
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    let mut found = Found::default();
    match raw::list(raw) {
        Some(items) if !items.is_empty() => {
            for item in items {
                if !found.part(item) {
                    return None;
                }
            }
        }
        _ if raw.get().starts_with('{') => {
            let fields = Fields::of(raw)?;
            let known = ["role", "content", "parts", "message", "tool_calls"];
            return fields.present(&known).is_some().then(|| message(&fields, role));
        }
        _ => return None,
    }
    Some(found.message(role))
}

/// A message that is an object; one that wraps another (`{index, finish_reason, message}`) is the other.
fn message<'a>(outer: &Fields<'a>, role: Role) -> Message<'a> {
    let inner = outer.get(&["message"]);
    let wrapped = inner.and_then(Fields::of);
    let fields = wrapped.as_ref().unwrap_or(outer);
    let role = fields.string(&["role"]).map_or(role, |name| Role::named(&name));
    let body = fields.present(&["parts", "content"]).or(if wrapped.is_none() { inner } else { None });
    let mut found = Found::default();
    if role == Role::Tool {
        found.tool_message(fields, body);
    } else if let Some(body) = body {
        found.body(body);
    }
    for fields in [Some(fields), wrapped.as_ref().map(|_| outer)].into_iter().flatten() {
        let calls = fields.get(&["tool_calls", "toolCalls"]).and_then(raw::list).unwrap_or_default();
        let seen: HashSet<_> = found.calls.iter().filter_map(|c| c.id.clone()).collect();
        let calls = calls.into_iter().filter_map(call);
        found.calls.extend(calls.filter(|c| c.id.as_ref().is_none_or(|id| !seen.contains(id))));
        if found.calls.is_empty() {
            found.calls.extend(fields.get(&["function_call"]).and_then(call));
        }
    }
    found.message(role)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::dialect::tests::{map, short, text};

    fn read(json: &'static str) -> String {
        short(&messages(&text(json), Role::Other).unwrap())
    }

    #[test]
    fn parts_of_opentelemetry() {
        let json = r#"[{"role":"system","parts":[{"type":"text","content":"Be brief."}]},
          {"role":"user","parts":[{"content":"a","type":"text"},{"type":"blob","modality":"image","content":"AA=="},{"type":"text","content":"b"}]},
          {"role":"assistant","parts":[{"type":"reasoning","content":"hm"},{"type":"tool_call","name":"f","id":"c1","arguments":{"a": 1}}],"finish_reason":"tool_use"},
          {"role":"user","parts":[{"type":"tool_call_response","id":"c1","response":[{"text":"{\"ok\":1}"}]}]},
          {"role":"tool","parts":[{"type":"tool_call_response","id":"c2","name":"g","result":"62°F"}]},
          {"role":"tool","parts":[{"type":"tool_call_response","id":"c3","response":null}]}]"#;
        insta::assert_snapshot!(read(json), @r#"
        System "Be brief."
        User "a\nb"
        Assistant c1=f(Some({"a": 1}))
        Tool c1->Some("{\"ok\":1}")
        Tool c2->Some("62°F")
        Tool c3->Some(null)
        "#);
    }

    #[test]
    fn messages_of_openai_and_what_wraps_them() {
        let json = r#"[{"role":"developer","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"a"}]},
          {"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[
            {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":7,"function":{"name":"g"}}]}},
          {"role":"tool","tool_call_id":"c1","content":"{\"ok\":1}"},{"role":"tool","id":"c2","content":{"ok":2}},
          {"finish_reason":"stop","message":{"content":"Done."},"role":"assistant"}]"#;
        insta::assert_snapshot!(read(json), @r#"
        System "Be brief."
        User "a"
        Assistant c1=f(Some("{\"a\": 1}")) 7=g(None)
        Tool c1->Some("{\"ok\":1}")
        Tool c2->Some({"ok":2})
        Other "Done."
        "#);
    }

    #[test]
    fn blocks_of_bedrock_and_gemini() {
        let json = r#"[{"role":"user","content":[{"text":"hi"}]},
          {"role":"assistant","content":[{"text":"I look."},{"reasoningContent":{"reasoningText":{"text":"hm"}}},{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1}}}],
           "tool_calls":[{"type":"function","id":"t1","function":{"name":"f","arguments":{"a":1}}}]},
          {"role":"user","content":[{"toolResult":{"toolUseId":"t1","status":"error","content":[{"text":"no"}]}}]},
          {"role":"model","parts":[{"text":"hm","thought":true},{"function_call":{"id":"g1","args":{"x":2},"name":"g"}}]},
          {"role":"user","parts":[{"functionResponse":{"id":"g1","name":"g","response":{"result":"3"}}}]}]"#;
        insta::assert_snapshot!(read(json), @r#"
        User "hi"
        Assistant "I look." t1=f(Some({"a":1}))
        Tool t1->!Some("no")
        Assistant g1=g(Some({"x":2}))
        Tool g1->Some({"result":"3"})
        "#);
    }

    #[test]
    fn one_more_level_of_encoding_is_undone() {
        let once = r#"[{"role":"user","parts":[{"type":"text","content":"a"}]}]"#;
        let twice = serde_json::to_string(once).unwrap();
        assert_eq!(messages(&Value::Text(twice.into()), Role::Other), messages(&text(once), Role::Other));
        let thrice = serde_json::to_string(&serde_json::to_string(once).unwrap()).unwrap();
        assert_eq!(messages(&Value::Text(serde_json::to_string(&thrice).unwrap().into()), Role::Other), None);
        let strings = Value::Array(vec![text(r#"{"role":"user","content":"a"}"#), text("plain")]);
        assert_eq!(short(&messages(&strings, Role::Assistant).unwrap()), "User \"a\"\nAssistant \"plain\"\n");
        assert_eq!(read(r#"[{"role":"user","content":{"content":"[{\"text\": \"Hello\"}]"}}]"#), "User \"Hello\"\n");
    }

    #[test]
    fn structured_values_are_read_as_their_json_is() {
        let call = map(&[
            ("type", text("tool_call")),
            ("name", text("f")),
            ("id", text("c")),
            ("arguments", map(&[("n", Value::Double(24.5))])),
        ]);
        let value = Value::Array(vec![map(&[("role", text("assistant")), ("parts", Value::Array(vec![call]))])]);
        assert_eq!(short(&messages(&value, Role::Other).unwrap()), "Assistant c=f(Some({\"n\":24.5}))\n");
    }

    #[test]
    fn a_text_that_is_no_list_of_parts_stays_a_text_to_the_letter() {
        let plain = |t: &'static str| content(&text(t), Role::Assistant).unwrap().text.unwrap().to_string();
        for exact in ["Done.\n", "[{\"a\": 1}]", "[1, 2]", "[]", "{\"text\": \"x\"}", "\"quoted\"", "[{\"text\": \"cut"]
        {
            assert_eq!(plain(exact), exact);
        }
        assert_eq!(plain(r#"[{"text": "a"}, {"text": "b\n"}]"#), "a\nb\n");
    }

    #[test]
    fn what_is_cut_off_or_withheld_is_not_read() {
        assert_eq!(messages(&text(r#"[{"role":"user","parts":[{"ty"#), Role::Other), None);
        assert_eq!(messages(&text("__REDACTED__"), Role::Other), None);
        assert_eq!(content(&text("<elided>"), Role::User), None);
        assert_eq!(read(r#"[{"role":"user","content":"__REDACTED__"}]"#), "User\n");
        assert_eq!(read(r#"[{"role":"tool","id":"c","content":"__REDACTED__"}]"#), "Tool\n");
        let silent = messages(&text(r#"[{"role":"assistant","content":"__REDACTED__"}]"#), Role::Other).unwrap();
        assert_eq!(output(Some(&silent)), None);
    }

    #[test]
    fn any_shape_is_read_without_a_panic() {
        for odd in [
            "[]",
            "[null,1,\"a\",[],{}]",
            r#"[{"role":5,"parts":"x","content":7,"tool_calls":{}}]"#,
            r#"{"message":[]}"#,
        ] {
            messages(&text(odd), Role::User).unwrap();
        }
        let deep = format!("[{{\"role\":\"user\",\"content\":{}1{}}}]", "[".repeat(5000), "]".repeat(5000));
        messages(&Value::Text(deep.into()), Role::User);
    }

    #[test]
    fn a_tool_result_of_blocks_is_what_the_blocks_hold() {
        let read = |v: Value<'static>| result(&v).map(|p| format!("{} {}", p.is_json(), p.as_str()));
        assert_eq!(read(text(r#"[{"text": "a"}]"#)).unwrap(), "false a");
        assert_eq!(read(text(r#"[{"json": {"a": 1}}]"#)).unwrap(), "true {\"a\": 1}");
        assert_eq!(read(text("[1, 2]")).unwrap(), "false [1, 2]");
        assert_eq!(read(Value::Array(vec![Value::Int(1)])).unwrap(), "true [1]");
        assert_eq!(read(text("<not serializable>")), None);
    }

    #[test]
    fn an_output_is_the_text_and_null_where_only_tools_are_called() {
        let said = |json| output(messages(&text(json), Role::Other).as_deref());
        assert_eq!(said(r#"[{"role":"assistant","content":"a"}]"#), Some(Payload::text("a")));
        assert_eq!(said(r#"[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]"#), Some(Payload::null()));
        assert_eq!(said(r#"[{"role":"assistant","content":""}]"#), Some(Payload::null()));
        assert_eq!(said(r#"[{"role":"assistant","parts":[]}]"#), Some(Payload::null()));
        assert_eq!(said(r#"[{"role":"assistant","parts":[{"type":"text"}]}]"#), None);
        assert_eq!(said(r#"[{"role":"assistant"}]"#), None);
        assert_eq!(said("[]"), None);
    }
}
