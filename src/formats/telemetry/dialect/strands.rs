//! `strands`: the Strands Agents SDK, by default (events per message, Bedrock's blocks) and with the newest conventions.
//!
//! All its spans are internal and have their messages in events. On a tool's span `gen_ai.tool.message` is what went in
//! and `gen_ai.choice` what came out. An agent's usage sums up the agent's whole life, earlier turns included. A tool's
//! failure is in `gen_ai.tool.status`. Times to the first token are milliseconds.

use super::facts::{self, Facts, Told};
use super::genai;
use super::message;
use super::{At, Dialect, Message, Reading, Role, by_attributes};
use crate::formats::telemetry::{EventRecord, Value, find};
use crate::model::{Payload, SpanKind, Text, Usage};

/// The Strands Agents SDK.
#[derive(Debug)]
pub(super) struct Strands;

const SCOPE: &str = "strands.telemetry.tracer";

impl Dialect for Strands {
    fn name(&self) -> &'static str {
        "strands"
    }

    fn doc(&self) -> &'static str {
        "Strands Agents: messages in span events, as Bedrock blocks or as OpenTelemetry's messages"
    }

    fn speaks(&self, at: &At<'_, '_>) -> bool {
        let by = |name| find(&at.span.attributes, name).and_then(Value::as_str) == Some("strands-agents");
        at.origin.scope == SCOPE || by("gen_ai.system") || by("gen_ai.provider.name")
    }

    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a> {
        let facts = Facts::of(at);
        let kind = kind(at, &facts);
        let mut reading = genai::read(at, &facts, kind);
        if kind == SpanKind::Agent {
            reading.said = self.said(at);
            reading.output = message::output(reading.said.as_deref());
        }
        if kind == SpanKind::Tool {
            tool(at, &facts, &mut reading);
        }
        let number = |name| find(&at.span.attributes, name).and_then(Value::number);
        reading.ttft_ns = number("gen_ai.server.time_to_first_token").and_then(|ms| facts::nanoseconds(ms, 1e6));
        let total = find(&at.span.attributes, "gen_ai.usage.total_tokens").and_then(Value::count);
        reading.usage = reading.usage.map(|usage| inclusive(usage, total));
        reading
    }

    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        genai::asked(at, &Facts::of(at))
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        let facts = Facts::of(at);
        // An agent's answer is a text as it is, even one that looks like blocks.
        let choice = at.span.events.iter().find(|e| e.name == "gen_ai.choice");
        if kind(at, &facts) == SpanKind::Agent
            && let Some(text) = choice.and_then(|e| find(&e.attributes, "message")).and_then(Value::text)
        {
            return message::said(text, Role::Assistant).map(|m| vec![m]);
        }
        genai::said(at, &facts)
    }

    fn tells(&self, attribute: &str) -> bool {
        facts::tells(attribute) || attribute == "gen_ai.server.time_to_first_token"
    }
}

/// Swarms and graphs are agents made of agents.
fn kind(at: &At<'_, '_>, facts: &Facts<'_, '_>) -> SpanKind {
    match facts.operation.and_then(Value::as_str) {
        Some("invoke_swarm" | "invoke_graph") => SpanKind::Agent,
        _ => by_attributes(&at.span.attributes),
    }
}

fn tool<'a>(at: &At<'_, 'a>, facts: &Facts<'_, 'a>, reading: &mut Reading<'a>) {
    let event = |name: &str| at.span.events.iter().find(|e| e.name == name);
    let value = |event: Option<&'_ EventRecord<'a>>, name| event.and_then(|e| find(&e.attributes, name)).cloned();
    if facts.arguments.is_none()
        && let Some(content) = value(event("gen_ai.tool.message"), "content")
    {
        let input = Told::arguments(Some(&content));
        reading.withheld |= input.withheld;
        reading.input = input.payload;
    }
    if facts.result.is_none()
        && let Some(said) = value(event("gen_ai.choice"), "message")
    {
        let output = Told::result(Some(&said));
        reading.withheld |= output.withheld;
        reading.output = output.payload;
    }
    moved(at, facts, reading);
    if find(&at.span.attributes, "gen_ai.tool.status").and_then(Value::as_str) == Some("error") {
        let said = reading.output.clone().map(Payload::into_text);
        reading.failed = Some(said.unwrap_or(Text::borrowed("error")));
    }
}

/// A tool's input and output in the body of a log record, where AWS's distribution moves the events to.
fn moved<'a>(at: &At<'_, 'a>, facts: &Facts<'_, 'a>, reading: &mut Reading<'a>) {
    if !at.span.events.is_empty() || reading.withheld {
        return;
    }
    if facts.arguments.is_none() && reading.input.is_none() {
        let given = genai::asked(at, facts).into_iter().flatten().flat_map(|m| m.results).next();
        reading.input = given.and_then(|r| r.content);
    }
    if facts.result.is_none() && reading.output.is_none() {
        reading.output = message::output(genai::said(at, facts).as_deref());
    }
}

/// Usage whose input includes what was cached. Bedrock counts cached tokens apart from the input, others within; the
/// total says which it was.
fn inclusive(usage: Usage, total: Option<u64>) -> Usage {
    let cached = usage.cache_read.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0));
    let (Some(input), Some(output), Some(total)) = (usage.input, usage.output, total) else { return usage };
    let apart = input.checked_add(cached).and_then(|sum| sum.checked_add(output));
    if cached > 0 && apart == Some(total) { Usage { input: Some(input + cached), ..usage } } else { usage }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::dialect::tests::{attributes, log, map, read_all, span_of, text};

    type Given = [(&'static str, Value<'static>)];

    fn event(name: &'static str, given: &Given) -> EventRecord<'static> {
        EventRecord { name: name.into(), time_ns: None, attributes: attributes(given) }
    }

    #[test]
    fn a_model_by_default() {
        let mut span = span_of(
            "chat",
            &[
                ("gen_ai.operation.name", text("chat")),
                ("gen_ai.system", text("strands-agents")),
                ("gen_ai.request.model", text("gpt-4o-mini")),
                ("gen_ai.usage.prompt_tokens", Value::Int(179)),
                ("gen_ai.usage.input_tokens", Value::Int(179)),
                ("gen_ai.usage.output_tokens", Value::Int(13)),
                ("gen_ai.usage.total_tokens", Value::Int(192)),
                ("gen_ai.usage.cache_read_input_tokens", Value::Int(64)),
                ("gen_ai.server.time_to_first_token", Value::Int(27)),
            ],
        );
        let call = r#"[{"toolUse": {"toolUseId": "c1", "name": "lookup_order", "input": {"order_id": "A1001"}}}]"#;
        let result =
            r#"[{"toolResult": {"toolUseId": "c1", "status": "success", "content": [{"text": "{\"ok\": 1}"}]}}]"#;
        span.events = vec![
            event("gen_ai.system.message", &[("content", text(r#"[{"text": "Be brief."}]"#))]),
            event("gen_ai.user.message", &[("content", text(r#"[{"text": "Hi"}]"#))]),
            event("gen_ai.assistant.message", &[("content", text(call))]),
            event("gen_ai.tool.message", &[("content", text(result))]),
            event("gen_ai.choice", &[("finish_reason", text("tool_use")), ("message", text(call))]),
        ];
        insta::assert_snapshot!(read_all(&Strands, &span, &[]), @r#"
        Llm model=gpt-4o-mini usage=179/13 read=64 ttft=27000000
        output: null
        asked: System "Be brief."
        asked: User "Hi"
        asked: Assistant c1=lookup_order(Some({"order_id": "A1001"}))
        asked: Tool c1->Some("{\"ok\": 1}")
        said: Assistant c1=lookup_order(Some({"order_id": "A1001"}))
        "#);
    }

    #[test]
    fn a_model_with_the_newest_conventions() {
        let details = "gen_ai.client.inference.operation.details";
        let mut span = span_of(
            "chat",
            &[("gen_ai.operation.name", text("chat")), ("gen_ai.provider.name", text("strands-agents"))],
        );
        span.events = vec![
            event(details, &[("gen_ai.system_instructions", text(r#"[{"type": "text", "content": "Be brief."}]"#))]),
            event(
                details,
                &[(
                    "gen_ai.input.messages",
                    text(r#"[{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]"#),
                )],
            ),
            event(
                details,
                &[(
                    "gen_ai.output.messages",
                    text(
                        r#"[{"role": "assistant", "parts": [{"type": "text", "content": "Hello."}], "finish_reason": "end_turn"}]"#,
                    ),
                )],
            ),
        ];
        insta::assert_snapshot!(read_all(&Strands, &span, &[]), @r#"
        Llm
        output: "Hello."
        asked: System "Be brief."
        asked: User "Hi"
        said: Assistant "Hello."
        "#);
    }

    #[test]
    fn an_agents_answer_is_kept_to_the_letter_and_its_usage_is_a_total() {
        let mut span = span_of(
            "invoke_agent support-agent",
            &[
                ("gen_ai.operation.name", text("invoke_agent")),
                ("gen_ai.agent.name", text("support-agent")),
                ("gen_ai.usage.input_tokens", Value::Int(536)),
                ("gen_ai.usage.output_tokens", Value::Int(39)),
            ],
        );
        span.events = vec![
            event("gen_ai.user.message", &[("content", text(r#"[{"text": "Hi"}]"#))]),
            event(
                "gen_ai.choice",
                &[("message", text("[{\"text\": \"kept\"}]\n")), ("finish_reason", text("end_turn"))],
            ),
        ];
        insta::assert_snapshot!(read_all(&Strands, &span, &[]), @r#"
        Agent agent=support-agent usage=536/39 total
        output: "[{\"text\": \"kept\"}]\n"
        asked: User "Hi"
        said: Assistant "[{\"text\": \"kept\"}]\n"
        "#);
    }

    #[test]
    fn a_tools_choice_is_its_output_and_its_status_tells_of_failure() {
        let mut span = span_of(
            "execute_tool cancel_order",
            &[
                ("gen_ai.operation.name", text("execute_tool")),
                ("gen_ai.tool.name", text("cancel_order")),
                ("gen_ai.tool.call.id", text("c1")),
                ("gen_ai.tool.status", text("error")),
            ],
        );
        span.events = vec![
            event(
                "gen_ai.tool.message",
                &[("role", text("tool")), ("content", text(r#"{"order_id": "A1016"}"#)), ("id", text("c1"))],
            ),
            event(
                "gen_ai.choice",
                &[("message", text(r#"[{"text": "Unknown tool: cancel_order"}]"#)), ("id", text("c1"))],
            ),
        ];
        insta::assert_snapshot!(read_all(&Strands, &span, &[]), @r#"
        Tool name=cancel_order call=c1 failed="Unknown tool: cancel_order"
        input: "{\"order_id\": \"A1016\"}"
        output: "Unknown tool: cancel_order"
        "#);
    }

    #[test]
    fn a_tool_that_failed_with_the_newest_conventions_has_its_result_in_an_event() {
        let details = "gen_ai.client.inference.operation.details";
        let mut span = span_of(
            "execute_tool issue_refund",
            &[
                ("gen_ai.operation.name", text("execute_tool")),
                ("gen_ai.tool.name", text("issue_refund")),
                ("gen_ai.tool.call.arguments", text(r#"{"amount": 59.9}"#)),
                ("gen_ai.tool.status", text("error")),
            ],
        );
        span.events = vec![
            event(
                details,
                &[(
                    "gen_ai.input.messages",
                    text(
                        r#"[{"role": "tool", "parts": [{"type": "tool_call", "name": "issue_refund", "id": "c1", "arguments": {"amount": 59.9}}]}]"#,
                    ),
                )],
            ),
            event(
                details,
                &[(
                    "gen_ai.output.messages",
                    text(
                        r#"[{"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": [{"text": "Error: too much"}]}]}]"#,
                    ),
                )],
            ),
        ];
        insta::assert_snapshot!(read_all(&Strands, &span, &[]), @r#"
        Tool name=issue_refund failed="Error: too much"
        input: "{\"amount\": 59.9}"
        output: "Error: too much"
        "#);
    }

    #[test]
    fn events_that_awss_distribution_moved_to_a_log_are_read_there() {
        let content = map(&[("content", text(r#"[{"text": "Hello"}]"#))]);
        let message = |role, content| {
            map(&[("messages", Value::Array(vec![map(&[("content", content), ("role", text(role))])]))])
        };
        let answer = map(&[("message", text("Hello!\n")), ("finish_reason", text("end_turn"))]);
        let body = map(&[("output", message("assistant", answer)), ("input", message("user", content))]);
        let span = span_of("invoke_agent Strands Agents", &[("gen_ai.operation.name", text("invoke_agent"))]);
        insta::assert_snapshot!(read_all(&Strands, &span, &[log(SCOPE, Some(body), &[])]), @r#"
        Agent
        output: "Hello!\n"
        asked: User "Hello"
        said: Assistant "Hello!\n"
        "#);
    }

    #[test]
    fn a_tools_events_that_were_moved_are_its_input_and_output() {
        let side = |role, content| {
            map(&[("messages", Value::Array(vec![map(&[("content", content), ("role", text(role))])]))])
        };
        let given = map(&[("content", text(r#"{"q": "mug"}"#)), ("role", text("tool")), ("id", text("c1"))]);
        let got = map(&[("message", text(r#"[{"text": "none"}]"#)), ("id", text("c1"))]);
        let body = map(&[("input", side("tool", given)), ("output", side("assistant", got))]);
        let span = span_of("execute_tool search", &[("gen_ai.operation.name", text("execute_tool"))]);
        insta::assert_snapshot!(read_all(&Strands, &span, &[log(SCOPE, Some(body), &[])]), @r#"
        Tool name=search
        input: "{\"q\": \"mug\"}"
        output: "none"
        "#);
    }

    #[test]
    fn cached_tokens_that_are_counted_apart_are_added_to_the_input() {
        let usage =
            Usage { input: Some(10), output: Some(5), cache_read: Some(100), cache_write: Some(1), reasoning: None };
        assert_eq!(inclusive(usage, Some(116)).input, Some(111));
        assert_eq!(inclusive(usage, Some(15)).input, Some(10));
        assert_eq!(inclusive(usage, None).input, Some(10));
    }
}
