//! Hand-made spans for the tests of dialects, and what is read of them as text.

use std::fmt::Write;

use proptest::prelude::*;

use super::{At, Dialect, Message};
use crate::formats::telemetry::codec;
use crate::formats::telemetry::{EventRecord, LogRecord, Origin, Pairs, Record, SpanRecord, Value};
use crate::model::{SpanKind, Text};

type Given = [(&'static str, Value<'static>)];

pub(super) fn text(text: &'static str) -> Value<'static> {
    Value::Text(text.into())
}

pub(super) fn attributes(given: &Given) -> Pairs<'static> {
    given.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()
}

pub(super) fn map(given: &Given) -> Value<'static> {
    Value::Map(attributes(given))
}

pub(super) fn span_of(name: &'static str, given: &Given) -> SpanRecord<'static> {
    SpanRecord { name: name.into(), attributes: attributes(given), ..SpanRecord::default() }
}

pub(super) fn log(name: &'static str, body: Option<Value<'static>>, given: &Given) -> LogRecord<'static> {
    LogRecord { name: name.into(), body, attributes: attributes(given), ..LogRecord::default() }
}

/// Messages in short, one a line: role, text, calls and results.
pub(super) fn short(messages: &[Message<'_>]) -> String {
    let mut out = String::new();
    for m in messages {
        let _ = write!(out, "{:?}", m.role);
        if let Some(text) = &m.text {
            let _ = write!(out, " {text:?}");
        }
        for c in &m.calls {
            let _ = write!(out, " {}={}({:?})", c.id.as_deref().unwrap_or("-"), c.name, c.args);
        }
        for r in &m.results {
            let error = if r.error { "!" } else { "" };
            let _ = write!(out, " {}->{error}{:?}", r.id.as_deref().unwrap_or("-"), r.content);
        }
        out.push('\n');
    }
    out
}

/// All that a dialect reads of a span; messages only of models and agents.
pub(super) fn read_all(dialect: &dyn Dialect, span: &SpanRecord<'static>, logs: &[LogRecord<'static>]) -> String {
    let origin = Origin::default();
    shown(dialect, &At { span, origin: &origin, logs })
}

pub(super) fn shown(dialect: &dyn Dialect, at: &At<'_, '_>) -> String {
    let reading = dialect.read(at);
    let mut out = format!("{:?}", reading.kind);
    let texts = [
        ("name", &reading.name),
        ("agent", &reading.agent),
        ("model", &reading.model),
        ("call", &reading.call_id),
        ("session", &reading.session),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            let _ = write!(out, " {name}={value}");
        }
    }
    if let Some(usage) = reading.usage {
        let shown = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
        let _ = write!(out, " usage={}/{}", shown(usage.input), shown(usage.output));
        for (name, n) in [("read", usage.cache_read), ("write", usage.cache_write), ("reasoning", usage.reasoning)] {
            if let Some(n) = n {
                let _ = write!(out, " {name}={n}");
            }
        }
    }
    let flags = [(reading.is_total, " total"), (reading.withheld, " withheld")];
    out.extend(flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name));
    for (name, number) in [("cost", reading.cost.map(|c| c.0 as u64)), ("ttft", reading.ttft_ns)] {
        if let Some(number) = number {
            let _ = write!(out, " {name}={number}");
        }
    }
    if let Some(failed) = &reading.failed {
        let _ = write!(out, " failed={failed:?}");
    }
    for (name, payload) in [("input", &reading.input), ("output", &reading.output)] {
        if let Some(payload) = payload {
            let _ = write!(out, "\n{name}: {payload:?}");
        }
    }
    if matches!(reading.kind, SpanKind::Llm | SpanKind::Agent) {
        for (name, messages) in [("asked", dialect.asked(at)), ("said", dialect.said(at))] {
            for line in short(&messages.unwrap_or_default()).lines() {
                let _ = write!(out, "\n{name}: {line}");
            }
        }
    }
    out
}

/// The dialect that a span is taken to be in.
fn spoken(scope: &'static str, given: &Given) -> Option<&'static str> {
    let origin = Origin { scope: scope.into(), ..Origin::default() };
    super::dialect(&At { span: &span_of("x", given), origin: &origin, logs: &[] }).map(|d| d.name())
}

#[test]
fn a_span_is_read_in_the_most_particular_dialect_that_it_is_written_in() {
    let chat = [("gen_ai.operation.name", text("chat"))];
    assert_eq!(spoken("strands.telemetry.tracer", &chat), Some("strands"));
    assert_eq!(spoken("x", &[("gen_ai.provider.name", text("strands-agents"))]), Some("strands"));
    assert_eq!(spoken("gcp.vertex.agent", &[]), Some("adk"));
    assert_eq!(spoken("pydantic-ai", &chat), Some("pydantic_ai"));
    let call = [("gen_ai.operation.name", text("execute_tool")), ("mcp.method.name", text("tools/call"))];
    assert_eq!(spoken("x", &call), Some("mcp"));
    assert_eq!(spoken("opentelemetry.instrumentation.openai_v2", &chat), Some("genai"));
    assert_eq!(spoken("opentelemetry.instrumentation.fastapi", &[("http.method", text("POST"))]), None);
}

#[test]
fn no_dialect_keeps_the_messages_twice() {
    for dialect in super::DIALECTS {
        let told = ["gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.call.arguments"];
        assert!(!dialect.doc().is_empty());
        if dialect.tells(told[0]) {
            assert!(told.iter().all(|name| dialect.tells(name)), "{}", dialect.name());
            assert!(!dialect.tells("gen_ai.operation.name") && !dialect.tells("server.address"), "{}", dialect.name());
        }
    }
}

/// Pieces of which messages are made, to be put together in ways that nobody meant.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\\"",
    "null",
    "7",
    "true",
    " ",
    "[{",
    "}]",
    "\"role\":\"user\"",
    "\"role\":\"tool\"",
    "\"parts\":[",
    "\"content\":",
    "\"message\":{",
    "\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]",
    "\"text\":\"a\"",
    "\"toolResult\":{\"toolUseId\":\"c\",\"content\":[{\"text\":\"b\"}]}",
    "\"type\":\"text\"",
    "\"type\":\"tool_call\"",
    "é",
    "{\"role\":\"assistant\",\"content\":\"x\"}",
    "{\"contents\":[",
    "\"\\ud83d\"",
    "__REDACTED__",
    "{}",
    "<not specified>",
];

/// Attributes and events that dialects look at.
const NAMES: &[&str] = &[
    "gen_ai.operation.name",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.name",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.usage.input_tokens",
    "content",
    "message",
    "messages",
    "input",
    "output",
    "id",
    "tool_calls",
    "gen_ai.event.content",
    "gen_ai.user.message",
    "gen_ai.choice",
    "gen_ai.tool.message",
    "gen_ai.client.inference.operation.details",
    "gcp.vertex.agent.llm_request",
    "gcp.vertex.agent.llm_response",
    "gcp.vertex.agent.tool_call_args",
    "gcp.vertex.agent.tool_response",
    "events",
    "pydantic_ai.all_messages",
    "final_result",
    "tool_arguments",
    "tool_response",
    "mcp.method.name",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.tool.status",
    "role",
    "error.type",
    "gen_ai.request.model",
    "agent_name",
];

const OPERATIONS: &[&str] = &["chat", "invoke_agent", "execute_tool", "retrieval"];

fn name() -> impl Strategy<Value = Text<'static>> {
    proptest::sample::select(NAMES).prop_map(Text::borrowed)
}

fn value() -> impl Strategy<Value = Value<'static>> {
    let pieces = proptest::collection::vec(proptest::sample::select(PIECES), 0..9);
    let leaf = prop_oneof![
        4 => pieces.prop_map(|p| Value::Text(p.concat().into())),
        2 => proptest::sample::select(OPERATIONS).prop_map(|o| Value::Text(o.into())),
        1 => any::<i64>().prop_map(Value::Int),
        1 => any::<bool>().prop_map(Value::Bool),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((name(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

fn pairs() -> impl Strategy<Value = Pairs<'static>> {
    proptest::collection::vec((name(), value()), 0..7)
}

fn record() -> impl Strategy<Value = SpanRecord<'static>> {
    let event = (name(), pairs()).prop_map(|(name, attributes)| EventRecord { name, attributes, time_ns: None });
    (name(), pairs(), proptest::collection::vec(event, 0..4)).prop_map(|(id, attributes, events)| SpanRecord {
        trace: "t".into(),
        id,
        attributes,
        events,
        ..SpanRecord::default()
    })
}

proptest! {
    #[test]
    fn any_span_is_read_the_same_after_it_was_stored(span in record(), body in value(), event in name()) {
        let logs = [LogRecord { name: event, body: Some(body), ..LogRecord::default() }];
        let mut bytes = Vec::new();
        codec::encode(&Record::Span(span.clone()), b"", codec::Place::default(), &mut bytes);
        let (stored, _) = codec::stored(&bytes).next().unwrap();
        let Some(Record::Span(again)) = stored.decode() else { panic!("no span") };
        let origin = Origin::default();
        for dialect in super::DIALECTS {
            let first = shown(*dialect, &At { span: &span, origin: &origin, logs: &logs });
            let second = shown(*dialect, &At { span: &again, origin: &origin, logs: &logs });
            prop_assert_eq!(first, second, "{}", dialect.name());
        }
    }
}
