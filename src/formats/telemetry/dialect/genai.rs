//! `genai`: OpenTelemetry's conventions for generative AI, in the three generations that are still emitted.
//!
//! The messages are looked for where a generation puts them, the newest first: attributes of the span; an event or log
//! record `gen_ai.client.inference.operation.details`; events or log records per message (`gen_ai.user.message`,
//! `gen_ai.choice`); bodies of `{input, output}`, into which AWS's distribution turns these; the prompt as one text. The
//! first place that can be read counts, so that what was recorded twice is told once.

use super::event::{Details, bodies, is_message, per_message};
use super::facts::{self, Facts, Told};
use super::message::{self, messages, recorded};
use super::{At, Dialect, Message, Reading, Role, by_attributes};
use crate::formats::telemetry::Value;
use crate::model::{Payload, SpanKind};

/// OpenTelemetry's own conventions.
#[derive(Debug)]
pub(super) struct GenAi;

impl Dialect for GenAi {
    fn name(&self) -> &'static str {
        "genai"
    }

    fn doc(&self) -> &'static str {
        "OpenTelemetry's conventions for generative AI, up to the newest: messages in attributes, span events or log records"
    }

    fn speaks(&self, at: &At<'_, '_>) -> bool {
        let by_attribute = at.span.attributes.iter().any(|(name, _)| {
            matches!(
                name.as_str(),
                "gen_ai.operation.name"
                    | "gen_ai.provider.name"
                    | "gen_ai.system"
                    | "gen_ai.request.model"
                    | "gen_ai.response.model"
                    | "gen_ai.tool.name"
            )
        });
        by_attribute || is_told_by_messages(at)
    }

    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a> {
        let facts = Facts::of(at);
        let kind = if is_told_by_messages(at) { SpanKind::Llm } else { by_attributes(&at.span.attributes) };
        read(at, &facts, kind)
    }

    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        asked(at, &Facts::of(at))
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        said(at, &Facts::of(at))
    }

    fn tells(&self, attribute: &str) -> bool {
        facts::tells(attribute)
    }
}

/// Whether nothing is known of a span but the messages that log records tell of it: only models' spans have such records,
/// also where the spans themselves went elsewhere.
fn is_told_by_messages(at: &At<'_, '_>) -> bool {
    at.span.attributes.is_empty() && at.logs.iter().any(|log| is_message(&log.name))
}

/// The reading of a span of `kind`.
pub(super) fn read<'a>(at: &At<'_, 'a>, facts: &Facts<'_, 'a>, kind: SpanKind) -> Reading<'a> {
    let usage = facts.usage();
    let mut reading = Reading {
        kind,
        agent: facts::text(facts.agent),
        model: facts.model(),
        is_total: usage.is_some() && !matches!(kind, SpanKind::Llm | SpanKind::Retrieval),
        usage,
        ttft_ns: facts.ttft_ns(),
        failed: facts.failed(at),
        withheld: at.span.dropped > 0,
        ..Reading::default()
    };
    match kind {
        SpanKind::Tool => {
            reading.name = facts.tool_name(&at.span.name);
            reading.call_id = facts.call_id();
            reading.model = None;
            tool(at, facts, &mut reading);
        }
        SpanKind::Llm | SpanKind::Agent => {
            let said = said(at, facts);
            reading.withheld |= said.is_none() && facts.said.is_some();
            reading.output = message::output(said.as_deref());
            reading.said = said;
        }
        _ => {
            let (query, found) = (Told::arguments(facts.query), Told::new(facts.found.map(Value::payload)));
            reading.withheld |= query.withheld | found.withheld;
            (reading.input, reading.output) = (query.payload, found.payload);
        }
    }
    reading
}

/// What a tool was given and said: its attributes, else the call and the result in its messages.
pub(super) fn tool<'a>(at: &At<'_, 'a>, facts: &Facts<'_, 'a>, reading: &mut Reading<'a>) {
    let (input, output) = (Told::arguments(facts.arguments), Told::result(facts.result));
    reading.withheld |= input.withheld | output.withheld;
    (reading.input, reading.output) = (input.payload, output.payload);
    if facts.arguments.is_none() {
        let calls = asked(at, facts).into_iter().flatten().flat_map(|m| m.calls);
        reading.input = calls.last().and_then(|c| c.args);
    }
    if facts.result.is_none()
        && let Some(result) = said(at, facts).into_iter().flatten().flat_map(|m| m.results).last()
    {
        if result.error && reading.failed.is_none() {
            reading.failed = Some(result.content.clone().map(Payload::into_text).unwrap_or_default());
        }
        reading.output = result.content;
    }
    if let Some(error) = reading.output.as_ref().and_then(facts::error_in) {
        reading.failed = Some(error);
    }
}

/// The messages that went in.
pub(super) fn asked<'a>(at: &At<'_, 'a>, facts: &Facts<'_, 'a>) -> Option<Vec<Message<'a>>> {
    let details = Details::of(at);
    let given = facts.asked.and_then(|v| messages(v, Role::User));
    let given = given.or_else(|| details.asked.and_then(|v| messages(v, Role::User)));
    if let Some(mut given) = given {
        let instructions = facts.instructions.or(details.instructions).and_then(instructions);
        if !given.iter().any(|m| m.role == Role::System) {
            given.splice(0..0, instructions);
        }
        return recorded(given);
    }
    let events = per_message(at, |name| name != "gen_ai.choice");
    if !events.is_empty() {
        return recorded(events);
    }
    let whole =
        || facts.prompt.and_then(|v| messages(v, Role::User).or_else(|| Some(vec![message::content(v, Role::User)?])));
    bodies(at, "input").or_else(whole).and_then(recorded)
}

/// The messages that came out.
pub(super) fn said<'a>(at: &At<'_, 'a>, facts: &Facts<'_, 'a>) -> Option<Vec<Message<'a>>> {
    let read = |value: &Value<'a>| messages(value, Role::Assistant).and_then(recorded);
    if let Some(said) = facts.said.and_then(read).or_else(|| Details::of(at).said.and_then(read)) {
        return Some(said);
    }
    let choices = per_message(at, |name| name == "gen_ai.choice");
    if !choices.is_empty() {
        return recorded(choices);
    }
    let whole = || {
        let value = facts.completion?;
        messages(value, Role::Assistant).or_else(|| Some(vec![message::content(value, Role::Assistant)?]))
    };
    bodies(at, "output").or_else(whole).and_then(recorded)
}

/// The instructions, as a message of the system.
fn instructions<'a>(value: &Value<'a>) -> Option<Message<'a>> {
    message::content(value, Role::System).filter(|m| m.text.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::dialect::event::DETAILS;
    use crate::formats::telemetry::dialect::tests::{log, map, read_all, span_of, text};

    #[test]
    fn messages_in_attributes_and_again_in_a_log_are_told_once() {
        let asked = r#"[{"role":"system","parts":[{"content":"Be brief.","type":"text"}]},{"role":"user","parts":[{"content":"Hi","type":"text"}]}]"#;
        let said = r#"[{"role":"assistant","parts":[{"arguments":{"order_id":"A1001"},"name":"lookup_order","id":"c1","type":"tool_call"}],"finish_reason":"tool_calls"}]"#;
        let span = span_of(
            "chat gpt-4o-mini",
            &[
                ("gen_ai.operation.name", text("chat")),
                ("gen_ai.request.model", text("gpt-4o-mini")),
                ("gen_ai.provider.name", text("openai")),
                ("gen_ai.response.model", text("gpt-4o-mini-2026-01-01")),
                ("gen_ai.usage.input_tokens", Value::Int(80)),
                ("gen_ai.usage.output_tokens", Value::Int(9)),
                ("gen_ai.response.time_to_first_chunk", Value::Double(0.25)),
                ("gen_ai.input.messages", text(asked)),
                ("gen_ai.output.messages", text(said)),
            ],
        );
        let part = map(&[("type", text("text")), ("content", text("Hi"))]);
        let user = map(&[("role", text("user")), ("parts", Value::Array(vec![part]))]);
        let details = log(DETAILS, None, &[("gen_ai.input.messages", Value::Array(vec![user]))]);
        insta::assert_snapshot!(read_all(&GenAi, &span, &[details]), @r#"
        Llm model=gpt-4o-mini-2026-01-01 usage=80/9 ttft=250000000
        output: null
        asked: System "Be brief."
        asked: User "Hi"
        said: Assistant c1=lookup_order(Some({"order_id":"A1001"}))
        "#);
    }

    #[test]
    fn messages_only_in_the_details_of_a_log() {
        let part = |t| map(&[("type", text("text")), ("content", text(t))]);
        let message =
            |role, t| Value::Array(vec![map(&[("role", text(role)), ("parts", Value::Array(vec![part(t)]))])]);
        let span = span_of("chat m", &[("gen_ai.operation.name", text("chat"))]);
        let details = [
            ("gen_ai.system_instructions", Value::Array(vec![part("Be brief.")])),
            ("gen_ai.input.messages", message("user", "Hi")),
            ("gen_ai.output.messages", message("assistant", "Hello.\n")),
        ];
        insta::assert_snapshot!(read_all(&GenAi, &span, &[log(DETAILS, None, &details)]), @r#"
        Llm
        output: "Hello.\n"
        asked: System "Be brief."
        asked: User "Hi"
        said: Assistant "Hello.\n"
        "#);
    }

    #[test]
    fn tools_with_results_and_with_errors() {
        let tool = |more: &[(&'static str, Value<'static>)]| {
            let mut all = vec![
                ("gen_ai.operation.name", text("execute_tool")),
                ("gen_ai.tool.name", text("issue_refund")),
                ("gen_ai.tool.call.id", text("c1")),
                ("gen_ai.tool.call.arguments", text(r#"{"order_id":"A1003"}"#)),
            ];
            all.extend_from_slice(more);
            read_all(&GenAi, &span_of("execute_tool issue_refund", &all), &[])
        };
        insta::assert_snapshot!(tool(&[("gen_ai.tool.call.result", text(r#"{"ok":true}"#))]), @r#"
        Tool name=issue_refund call=c1
        input: "{\"order_id\":\"A1003\"}"
        output: "{\"ok\":true}"
        "#);
        insta::assert_snapshot!(tool(&[("error.type", text("ToolError"))]), @r#"
        Tool name=issue_refund call=c1 failed="ToolError"
        input: "{\"order_id\":\"A1003\"}"
        "#);
        insta::assert_snapshot!(tool(&[("gen_ai.tool.call.result", text(r#"{"isError":true}"#))]), @r#"
        Tool name=issue_refund call=c1 failed="{\"isError\":true}"
        input: "{\"order_id\":\"A1003\"}"
        output: "{\"isError\":true}"
        "#);
        insta::assert_snapshot!(tool(&[("gen_ai.tool.call.result", text("__REDACTED__"))]), @r#"
        Tool name=issue_refund call=c1 withheld
        input: "{\"order_id\":\"A1003\"}"
        "#);
    }

    #[test]
    fn what_is_not_recorded_or_was_cut_off_is_not_made_up() {
        let span = span_of("chat m", &[("gen_ai.operation.name", text("chat"))]);
        insta::assert_snapshot!(read_all(&GenAi, &span, &[]), @"Llm");
        let cut = span_of(
            "chat m",
            &[("gen_ai.operation.name", text("chat")), ("gen_ai.output.messages", text("[{\"role\""))],
        );
        insta::assert_snapshot!(read_all(&GenAi, &cut, &[]), @"Llm withheld");
        let mut dropped = span.clone();
        dropped.dropped = 1;
        insta::assert_snapshot!(read_all(&GenAi, &dropped, &[]), @"Llm withheld");
    }

    #[test]
    fn a_retrieval_has_a_query_and_documents_and_an_agents_usage_is_a_total() {
        let span = span_of(
            "retrieval kb",
            &[
                ("gen_ai.operation.name", text("retrieval")),
                ("gen_ai.retrieval.query.text", text("opening hours")),
                ("gen_ai.retrieval.documents", text(r#"[{"id":"d1","score":0.9}]"#)),
            ],
        );
        insta::assert_snapshot!(read_all(&GenAi, &span, &[]), @r#"
        Retrieval
        input: "opening hours"
        output: "[{\"id\":\"d1\",\"score\":0.9}]"
        "#);
        let agent = [("gen_ai.operation.name", text("invoke_agent")), ("gen_ai.usage.input_tokens", Value::Int(7))];
        insta::assert_snapshot!(read_all(&GenAi, &span_of("invoke_agent", &agent), &[]), @"Agent usage=7/- total");
    }
}
