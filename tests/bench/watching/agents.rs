//! What agents export: sessions of four turns of five spans, as SDKs by the conventions of OpenTelemetry write them.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

/// Turns of a session.
pub const TURNS: u64 = 4;
/// Spans of a turn.
pub const SPANS: u64 = 5;
/// The attribute by which the last span says that its session has ended.
pub const END: &str = "session.ended";

/// Six deterministic checks, on spans, turns and sessions.
pub const SUITE: &str = r#"[suite]
name  = "bench"
tools = ["find_order", "refund_order", "transfer"]

[recorded]
paths = ["none.jsonl"]

[[span]]
id     = "args"
on     = { kind = "tool" }
check  = "schema"
schema = { type = "object", required = ["order_id"], properties.order_id = { type = "string", pattern = "^A[0-9]+$" } }

[[span]]
id     = "forbidden"
on     = { kind = "llm" }
check  = "not_contains"
values = ["as an AI language model", "lorem ipsum", "password", "social security", "BEGIN PRIVATE KEY"]

[[turn]]
id    = "brief"
check = "length"
max   = 2000

[[session]]
id    = "closing"
check = "matches"
value = '\b([Oo]rder|[Rr]efund(?:ed)?|[Tt]ransfer(?:red)?)\b'

[[session]]
id    = "few-calls"
check = "calls"
tool  = "*"
max   = 12

[[session]]
id    = "no-loop"
check = "loop"
max_repeats = 3
"#;

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: String) -> KeyValue {
    pair(key, Any::StringValue(value))
}

fn said(role: &str, words: &str) -> String {
    serde_json::json!([{ "role": role, "parts": [{ "type": "text", "content": words }] }]).to_string()
}

/// One span of a turn of a session, which ended at `millis`.
fn span(session: u64, turn: u64, place: u64, millis: u64) -> Span {
    let trace = session * TURNS + turn + 1;
    let id = trace * SPANS + place + 1;
    let operation = ["invoke_agent", "chat", "execute_tool", "execute_tool", "chat"][place as usize];
    let order = (session * 7 + turn) % 90_000 + 10_000;
    let mut attributes = vec![
        text("gen_ai.operation.name", operation.to_owned()),
        text("gen_ai.conversation.id", format!("session-{session}")),
        text("gen_ai.agent.name", "support".to_owned()),
    ];
    let asked = said("user", &format!("Where is order A{order}, and can it still be changed before it is sent?"));
    let replied =
        said("assistant", &format!("Order A{order} is on its way and arrives within {} days.", order % 9 + 1));
    match operation {
        "execute_tool" => {
            attributes.push(text("gen_ai.tool.name", ["find_order", "transfer"][(place % 2) as usize].to_owned()));
            attributes.push(text("gen_ai.tool.call.arguments", format!("{{\"order_id\":\"A{order}\"}}")));
            attributes.push(text("gen_ai.tool.call.result", format!("{{\"status\":\"sent\",\"days\":{}}}", order % 9)));
        }
        "chat" => {
            attributes.push(text("gen_ai.request.model", "a-model".to_owned()));
            attributes.push(pair("gen_ai.usage.input_tokens", Any::IntValue(200 + (order % 100) as i64)));
            attributes.push(pair("gen_ai.usage.output_tokens", Any::IntValue(40)));
            attributes.push(text("gen_ai.input.messages", asked));
            attributes.push(text("gen_ai.output.messages", replied));
        }
        _ => {
            attributes.push(text("gen_ai.input.messages", asked));
            attributes.push(text("gen_ai.output.messages", replied));
            if turn + 1 == TURNS {
                attributes.push(pair(END, Any::BoolValue(true)));
            }
        }
    }
    let (from, to) = if place == 0 { (900, 0) } else { (900 - place * 150, 780 - place * 150) };
    Span {
        trace_id: u128::from(trace).to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: if place == 0 { Vec::new() } else { (trace * SPANS + 1).to_be_bytes().to_vec() },
        name: format!("{operation} support"),
        start_time_unix_nano: (millis - from) * 1_000_000,
        end_time_unix_nano: (millis - to) * 1_000_000,
        attributes,
        ..Span::default()
    }
}

/// A request with one turn of each of some sessions, whose spans `places` names.
pub fn request(
    sessions: std::ops::Range<u64>,
    turn: u64,
    places: std::ops::Range<u64>,
    millis: impl Fn(u64) -> u64,
) -> Vec<u8> {
    let spans = sessions.flat_map(|session| {
        let millis = millis(session);
        places.clone().map(move |place| span(session, turn, place, millis))
    });
    encoded(spans.collect())
}

/// A request with calls of tools of one session, each with a name of its own and an answer of so many bytes. The last of
/// ten thousand says that the session has ended.
pub fn tool_calls(
    session: &str,
    calls: std::ops::Range<u64>,
    millis: u64,
    name: impl Fn(u64) -> String,
    answer: usize,
) -> Vec<u8> {
    let trace = u128::from(session.bytes().fold(7_u64, |n, byte| n.wrapping_mul(31).wrapping_add(byte.into())));
    let spans = calls.map(|call| {
        let mut attributes = vec![
            text("gen_ai.operation.name", "execute_tool".to_owned()),
            text("gen_ai.conversation.id", session.to_owned()),
            text("gen_ai.agent.name", "support".to_owned()),
            text("gen_ai.tool.name", name(call)),
            text("gen_ai.tool.call.arguments", "{\"order_id\":\"A1\"}".to_owned()),
            text("gen_ai.tool.call.result", "x".repeat(answer)),
        ];
        if call % 10_000 == 9_999 {
            attributes.push(pair(END, Any::BoolValue(true)));
        }
        Span {
            trace_id: trace.to_be_bytes().to_vec(),
            span_id: (call + 1).to_be_bytes().to_vec(),
            name: "execute_tool".to_owned(),
            start_time_unix_nano: (millis - 10) * 1_000_000,
            end_time_unix_nano: millis * 1_000_000,
            attributes,
            ..Span::default()
        }
    });
    encoded(spans.collect())
}

fn encoded(spans: Vec<Span>) -> Vec<u8> {
    let scope = ScopeSpans { spans, ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
}
