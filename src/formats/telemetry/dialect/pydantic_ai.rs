//! `pydantic_ai`: Pydantic AI, in all versions of its instrumentation.
//!
//! The first has the messages as a list of events in an attribute (`events`, `all_messages_events`), later ones as
//! OpenTelemetry's messages (`pydantic_ai.all_messages` for an agent's whole run). Tools had `tool_arguments` and
//! `tool_response` before OpenTelemetry's names. A structured answer is a call of a tool `final_result` that nobody
//! runs; it is told as what the model says.

use super::facts::{self, Facts, Told};
use super::genai;
use super::message::{self, messages};
use super::{At, Dialect, Message, Reading, Role, by_attributes};
use crate::formats::telemetry::{Value, find};
use crate::model::{NanoUsd, Payload, SpanKind, Usage};

/// Pydantic AI.
#[derive(Debug)]
pub(super) struct PydanticAi;

/// The scope of its spans.
pub(super) const SCOPE: &str = "pydantic-ai";

impl Dialect for PydanticAi {
    fn name(&self) -> &'static str {
        "pydantic_ai"
    }

    fn doc(&self) -> &'static str {
        "Pydantic AI: OpenTelemetry's messages, or lists of events in older versions; costs where it knows the price"
    }

    fn speaks(&self, at: &At<'_, '_>) -> bool {
        at.origin.scope == SCOPE
    }

    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a> {
        let facts = Facts::of(at);
        let kind = kind(at, &facts);
        let mut reading = genai::read(at, &facts, kind);
        reading.said = None;
        let value = |name| find(&at.span.attributes, name);
        match kind {
            SpanKind::Tool => tool(at, &facts, &mut reading),
            SpanKind::Llm => {
                let said = self.said(at);
                reading.withheld |= said.is_none() && value("events").is_some();
                reading.output = message::output(said.as_deref());
                reading.said = said;
                reading.cost = value("operation.cost").and_then(Value::number).and_then(NanoUsd::from_usd);
            }
            SpanKind::Agent => {
                reading.agent = reading.agent.or_else(|| facts::text(value("agent_name")));
                reading.model = reading.model.or_else(|| facts::text(value("model_name")));
                let result = Told::new(value("final_result").map(Value::payload));
                reading.withheld |= result.withheld;
                reading.output = result.payload.or_else(|| message::output(self.said(at).as_deref()));
                reading.usage = reading.usage.or_else(|| aggregated(at));
                reading.is_total = reading.usage.is_some();
            }
            _ => {}
        }
        reading
    }

    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        if let Some((mut run, end)) = run(at) {
            run.truncate(end);
            return message::recorded(run);
        }
        let events = find(&at.span.attributes, "events").and_then(|v| messages(v, Role::User));
        let Some(mut events) = events else { return genai::asked(at, &Facts::of(at)).map(answers) };
        // The answer is the last of them.
        events.pop();
        message::recorded(answers(events))
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        if let Some((mut run, end)) = run(at) {
            return message::recorded(run.split_off(end));
        }
        let events = find(&at.span.attributes, "events").and_then(|v| messages(v, Role::Assistant));
        let Some(mut events) = events else { return genai::said(at, &Facts::of(at)).map(answers) };
        message::recorded(answers(events.pop().into_iter().collect()))
    }

    fn tells(&self, attribute: &str) -> bool {
        facts::tells(attribute)
            || matches!(
                attribute,
                "events"
                    | "all_messages_events"
                    | "pydantic_ai.all_messages"
                    | "final_result"
                    | "tool_arguments"
                    | "tool_response"
                    | "operation.cost"
                    | "agent_name"
            )
    }
}

/// The kind; older versions name no operation for agents and tools.
fn kind(at: &At<'_, '_>, facts: &Facts<'_, '_>) -> SpanKind {
    match by_attributes(&at.span.attributes) {
        SpanKind::Other if facts.tool.is_some() => SpanKind::Tool,
        SpanKind::Other if find(&at.span.attributes, "agent_name").is_some() => SpanKind::Agent,
        kind => kind,
    }
}

fn tool<'a>(at: &At<'_, 'a>, facts: &Facts<'_, 'a>, reading: &mut Reading<'a>) {
    let old = |name, now: Option<&Value<'a>>| if now.is_some() { None } else { find(&at.span.attributes, name) };
    if let Some(given) = old("tool_arguments", facts.arguments) {
        let input = Told::arguments(Some(given));
        reading.withheld |= input.withheld;
        reading.input = input.payload;
    }
    if let Some(got) = old("tool_response", facts.result) {
        let output = Told::result(Some(got));
        reading.withheld |= output.withheld;
        reading.output = output.payload;
    }
}

/// An agent's own total, under names that keep others from adding it up.
fn aggregated(at: &At<'_, '_>) -> Option<Usage> {
    let count = |name: &str| {
        let own = |n: &str| n.strip_prefix("gen_ai.aggregated_usage.") == Some(name);
        at.span.attributes.iter().rev().find(|(n, _)| own(n)).and_then(|(_, v)| v.count())
    };
    let usage = Usage {
        input: count("input_tokens"),
        output: count("output_tokens"),
        cache_read: count("cache_read.input_tokens").or_else(|| count("details.cache_read_tokens")),
        cache_write: count("cache_creation.input_tokens").or_else(|| count("details.cache_write_tokens")),
        reasoning: count("details.reasoning_tokens"),
    };
    (usage != Usage::default()).then_some(usage)
}

/// The messages of an agent's run, and where its answer begins: at the last message, when the model speaks there.
fn run<'a>(at: &At<'_, 'a>) -> Option<(Vec<Message<'a>>, usize)> {
    let all = ["pydantic_ai.all_messages", "all_messages_events"];
    let value = all.iter().find_map(|name| find(&at.span.attributes, name))?;
    let mut all = answers(messages(value, Role::User)?);
    // What follows a structured answer is only the note that it was taken.
    while all.last().is_some_and(|m| m.role == Role::Tool) && all.len() > 1 && is_answer(&all[all.len() - 2]) {
        all.pop();
    }
    let answered = all.last().is_some_and(|m| m.role == Role::Assistant);
    let end = all.len() - usize::from(answered);
    Some((all, end))
}

fn is_answer(message: &Message<'_>) -> bool {
    message.role == Role::Assistant && message.calls.is_empty()
}

/// Structured answers as texts.
pub(super) fn answers(mut messages: Vec<Message<'_>>) -> Vec<Message<'_>> {
    for message in &mut messages {
        let (answers, calls): (Vec<_>, Vec<_>) =
            std::mem::take(&mut message.calls).into_iter().partition(|c| c.name == "final_result");
        message.calls = calls;
        let texts = answers.into_iter().filter_map(|c| c.args).map(Payload::into_text);
        message.text = message::join(message.text.take().into_iter().filter(|t| !t.is_empty()).chain(texts));
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::dialect::tests::{read_all, span_of, text};

    #[test]
    fn a_model_call_has_messages_and_a_cost() {
        let given = [
            ("gen_ai.operation.name", text("chat")),
            ("gen_ai.response.model", text("claude")),
            ("gen_ai.agent.name", text("agent")),
            (
                "gen_ai.input.messages",
                text(
                    r#"[{"role":"system","parts":[{"type":"text","content":"Help."}]},{"role":"user","parts":[{"type":"text","content":"Weather?"}]}]"#,
                ),
            ),
            (
                "gen_ai.output.messages",
                text(
                    r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"t1","name":"get_weather","arguments":{"city":"Seattle"}}],"finish_reason":"tool_call"}]"#,
                ),
            ),
            ("gen_ai.usage.input_tokens", Value::Int(588)),
            ("operation.cost", Value::Double(0.002_814_9)),
        ];
        insta::assert_snapshot!(read_all(&PydanticAi, &span_of("chat claude", &given), &[]), @r#"
        Llm agent=agent model=claude usage=588/- cost=2814900
        output: null
        asked: System "Help."
        asked: User "Weather?"
        said: Assistant t1=get_weather(Some({"city":"Seattle"}))
        "#);
    }

    #[test]
    fn an_agents_run_has_an_answer_and_a_total() {
        let all = r#"[{"role":"user","parts":[{"type":"text","content":"Weather?"}]},
            {"role":"assistant","parts":[{"type":"tool_call","id":"t1","name":"get_weather","arguments":{"city":"Seattle"}}]},
            {"role":"user","parts":[{"type":"tool_call_response","id":"t1","name":"get_weather","result":"62°F"}]},
            {"role":"assistant","parts":[{"type":"text","content":"It is 62°F."}],"finish_reason":"stop"}]"#;
        let given = [
            ("gen_ai.operation.name", text("invoke_agent")),
            ("agent_name", text("agent")),
            ("model_name", text("claude")),
            ("final_result", text("It is 62°F.")),
            ("gen_ai.aggregated_usage.input_tokens", Value::Int(1251)),
            ("gen_ai.aggregated_usage.output_tokens", Value::Int(78)),
            ("pydantic_ai.all_messages", text(all)),
        ];
        insta::assert_snapshot!(read_all(&PydanticAi, &span_of("invoke_agent agent", &given), &[]), @r#"
        Agent agent=agent model=claude usage=1251/78 total
        output: "It is 62°F."
        asked: User "Weather?"
        asked: Assistant t1=get_weather(Some({"city":"Seattle"}))
        asked: Tool t1->Some("62°F")
        said: Assistant "It is 62°F."
        "#);
    }

    #[test]
    fn a_structured_answer_is_no_call() {
        let all = r#"[{"role":"user","parts":[{"type":"text","content":"Rate it."}]},
            {"role":"assistant","parts":[{"type":"tool_call","id":"t1","name":"final_result","arguments":{"quality":"good"}}]},
            {"role":"user","parts":[{"type":"tool_call_response","id":"t1","name":"final_result","result":"Final result processed."}]}]"#;
        let given = [("agent_name", text("judge")), ("pydantic_ai.all_messages", text(all))];
        insta::assert_snapshot!(read_all(&PydanticAi, &span_of("judge run", &given), &[]), @r#"
        Agent agent=judge
        output: "{\"quality\":\"good\"}"
        asked: User "Rate it."
        said: Assistant "{\"quality\":\"good\"}"
        "#);
    }

    #[test]
    fn the_first_version_has_events_in_an_attribute() {
        let events = r#"[{"content": "Help.", "role": "system", "gen_ai.message.index": 0, "event.name": "gen_ai.system.message"},
            {"content": "Hi", "role": "user", "event.name": "gen_ai.user.message"},
            {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "event.name": "gen_ai.choice"}]"#;
        let given = [("gen_ai.operation.name", text("chat")), ("events", text(events))];
        insta::assert_snapshot!(read_all(&PydanticAi, &span_of("chat gpt-4o", &given), &[]), @r#"
        Llm
        output: "Hello."
        asked: System "Help."
        asked: User "Hi"
        said: Assistant "Hello."
        "#);
    }

    #[test]
    fn a_tool_of_older_and_newer_versions() {
        let old = [
            ("gen_ai.tool.name", text("get_pun")),
            ("gen_ai.tool.call.id", text("c1")),
            ("tool_arguments", text(r#"{"topic":"mugs"}"#)),
            ("tool_response", text("A pun.")),
        ];
        let new = [
            ("gen_ai.operation.name", text("execute_tool")),
            ("gen_ai.tool.name", text("get_pun")),
            ("gen_ai.tool.call.id", text("c1")),
            ("gen_ai.tool.call.arguments", text(r#"{"topic":"mugs"}"#)),
            ("gen_ai.tool.call.result", text("A pun.")),
        ];
        let read = |given| read_all(&PydanticAi, &span_of("running tool: get_pun", given), &[]);
        assert_eq!(read(&old[..]), read(&new[..]));
        insta::assert_snapshot!(read(&old[..]), @r#"
        Tool name=get_pun call=c1
        input: "{\"topic\":\"mugs\"}"
        output: "A pun."
        "#);
    }

    #[test]
    fn content_that_was_left_out_is_not_an_empty_answer() {
        let given = [
            ("gen_ai.operation.name", text("chat")),
            ("gen_ai.output.messages", text(r#"[{"role":"assistant","parts":[{"type":"text"}]}]"#)),
        ];
        insta::assert_snapshot!(read_all(&PydanticAi, &span_of("chat x", &given), &[]), @"Llm withheld");
    }
}
