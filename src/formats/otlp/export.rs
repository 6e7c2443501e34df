//! Sessions as OTLP/JSON lines, in the names of OpenTelemetry's GenAI conventions.
//!
//! A turn becomes a trace below one `invoke_agent` span, which carries what the user said and what was replied; a turn
//! that already has such a root keeps it. Ids that are no OpenTelemetry ids are made from the session's id and the
//! span's ordinal, so that the same session is always written alike. What was expected of a session, its state and its
//! ratings have no names in telemetry and are not written.

use std::collections::BTreeMap;
use std::io;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::formats::agentcore::Plain;
use crate::formats::telemetry::dialect::own::{CLOSING, COST, INPUT, KIND, OUTPUT, SCOPE};
use crate::formats::telemetry::{Side, Value, id};
use crate::model::{Attributes, Event, Payload, Session, Span, SpanKind, SpanStatus, Text, Turn};

/// Deepest value that is written as a structure; deeper ones are written as JSON in a text.
const MAX_DEPTH: usize = 24;

/// Writes a session as one line: one request.
pub fn write(session: &Session<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let mut export = Export { session, ids: ids(session), ordinal: 0, spans: Vec::new() };
    if !session.spans.is_empty() {
        let turn = Turn { spans: session.spans.clone(), ..Turn::default() };
        let trace = hash(session, "before", 0, id::TRACE);
        export.trace(&turn, None, trace);
    }
    for (index, turn) in session.turns.iter().enumerate() {
        let own = turn.trace_id.as_ref().filter(|t| is_hex(t, id::TRACE)).map(|t| t.to_ascii_lowercase());
        let trace = own.unwrap_or_else(|| hash(session, "trace", index, id::TRACE));
        export.trace(turn, Some(index), trace);
    }
    let mut resource: Vec<Json> = session.agent.iter().map(|agent| text("service.name", agent)).collect();
    resource.extend(session.version.iter().map(|version| text("service.version", version)));
    let scope = json!({"name": SCOPE, "version": env!("CARGO_PKG_VERSION")});
    let request = json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": scope, "spans": export.spans}],
    }]});
    serde_json::to_writer(&mut *out, &request)?;
    out.write_all(b"\n")
}

/// The span ids of a session: by ordinal, and of each recorded id the first that has it.
struct Ids<'s> {
    by_ordinal: Vec<String>,
    recorded: BTreeMap<&'s str, usize>,
}

fn ids<'s>(session: &'s Session<'_>) -> Ids<'s> {
    let mut recorded = BTreeMap::new();
    let mut by_ordinal = Vec::new();
    for (ordinal, span) in session.spans().enumerate() {
        let first = span.id.as_deref().is_some_and(|id| *recorded.entry(id).or_insert(ordinal) == ordinal);
        let own = span.id.as_ref().filter(|own| first && is_hex(own, id::SPAN)).map(|own| own.to_ascii_lowercase());
        by_ordinal.push(own.unwrap_or_else(|| hash(session, "span", ordinal, id::SPAN)));
    }
    Ids { by_ordinal, recorded }
}

fn is_hex(text: &str, size: usize) -> bool {
    text.len() == 2 * size && text.bytes().all(|b| b.is_ascii_hexdigit()) && text.bytes().any(|b| b != b'0')
}

/// An id that is always the same for the same thing of the same session.
fn hash(session: &Session<'_>, what: &str, ordinal: usize, size: usize) -> String {
    let digest = Sha256::digest(format!("{what}\0{ordinal}\0{}", session.id));
    id::hex(&digest[..size]).map(Text::into_owned).unwrap_or_default().to_string()
}

struct Export<'s, 'a> {
    session: &'s Session<'a>,
    ids: Ids<'s>,
    /// Of the next span.
    ordinal: usize,
    spans: Vec<Json>,
}

impl Export<'_, '_> {
    /// The spans of a turn, or of what came before the first when `index` is `None`.
    fn trace(&mut self, turn: &Turn<'_>, index: Option<usize>, trace: String) {
        let first = self.ordinal;
        let within = |ids: &Ids<'_>, span: &Span<'_>| {
            let parent = *ids.recorded.get(span.parent.as_deref()?)?;
            (first..first + turn.spans.len()).contains(&parent).then_some(parent)
        };
        let mut roots = (0..turn.spans.len()).filter(|at| within(&self.ids, &turn.spans[*at]).is_none());
        let root = match (roots.next(), roots.next()) {
            (Some(at), None) if turn.spans[at].kind == SpanKind::Agent => Some(at),
            _ => None,
        };
        let made = match (root, index) {
            (None, Some(index)) => {
                let own = hash(self.session, "turn", index, id::SPAN);
                let agent = self.session.agent.clone();
                let span = Span {
                    kind: SpanKind::Agent,
                    name: agent.clone().unwrap_or_else(|| "agent".into()),
                    agent,
                    start_ns: turn.start_ns,
                    end_ns: turn.end_ns,
                    ..Span::default()
                };
                let span = self.span(&span, &trace, &own, None, Some((turn, index)));
                self.spans.push(span);
                Some(own)
            }
            _ => None,
        };
        for (at, span) in turn.spans.iter().enumerate() {
            let parent = within(&self.ids, span).map(|p| self.ids.by_ordinal[p].clone()).or_else(|| made.clone());
            let own = self.ids.by_ordinal[self.ordinal].clone();
            let of = index.filter(|_| root == Some(at)).map(|index| (turn, index));
            let span = self.span(span, &trace, &own, parent, of);
            self.spans.push(span);
            self.ordinal += 1;
        }
    }

    /// A span; `of` is the turn whose root it is.
    fn span(
        &self,
        span: &Span<'_>,
        trace: &str,
        own: &str,
        parent: Option<String>,
        of: Option<(&Turn<'_>, usize)>,
    ) -> Json {
        let mut pairs = vec![text("session.id", &self.session.id)];
        pairs.extend(self.session.user.as_ref().map(|user| text("user.id", user)));
        operation(span, &mut pairs);
        match of {
            Some((turn, index)) => self.turn(span, turn, index, &mut pairs),
            None => content(span, &mut pairs),
        }
        measures(span, of.and_then(|(turn, _)| turn.ttft_ns), &mut pairs);
        let written: Vec<String> = pairs.iter().filter_map(|p| p["key"].as_str().map(str::to_owned)).collect();
        let written: Vec<&str> = written.iter().map(String::as_str).collect();
        pairs.extend(rest(&span.attributes, &written));
        let mut events: Vec<Json> = span.events.iter().map(event).collect();
        if self.spans.is_empty() {
            pairs.extend(rest(&self.session.attributes, &written));
        }
        if of.is_some_and(|(_, index)| index + 1 == self.session.turns.len()) {
            events.extend(self.session.events.iter().map(event));
        }
        let side = if span.kind == SpanKind::Llm { Side::Client } else { Side::Internal };
        let code = match span.status {
            SpanStatus::Unset => 0,
            SpanStatus::Ok => 1,
            SpanStatus::Error => 2,
        };
        let mut status = json!({"code": code});
        if let Some(message) = &span.status_message {
            status["message"] = json!(message);
        }
        json!({
            "traceId": trace, "spanId": own, "parentSpanId": parent.unwrap_or_default(), "name": name(span),
            "kind": side as u8, "startTimeUnixNano": nanos(span.start_ns), "endTimeUnixNano": nanos(span.end_ns),
            "attributes": pairs, "events": events, "status": status,
        })
    }

    /// What the root of a turn says of it.
    fn turn(&self, span: &Span<'_>, turn: &Turn<'_>, index: usize, pairs: &mut Vec<Json>) {
        if index == 0 {
            pairs.extend(self.session.version.as_ref().map(|v| text("gen_ai.agent.version", v)));
            if let Some(instructions) = &self.session.instructions {
                let parts = json!([{"type": "text", "content": instructions}]);
                pairs.push(text("gen_ai.system_instructions", &parts.to_string()));
            }
        }
        pairs.extend(turn.user.as_ref().map(|user| messages("gen_ai.input.messages", "user", user)));
        pairs.extend(turn.closing.then(|| json!({"key": CLOSING, "value": {"boolValue": true}})));
        pairs.extend(typed(INPUT, &span.input));
        match (&turn.reply, &span.output) {
            (Some(reply), Some(output)) if output.as_str() == reply.as_str() => {}
            // What the agent gave back and what the user was told are two things.
            (_, output) => pairs.extend(typed(OUTPUT, output)),
        }
        pairs.extend(turn.reply.as_ref().map(|reply| messages("gen_ai.output.messages", "assistant", reply)));
        pairs.extend(rest(&turn.attributes, &[]));
    }
}

/// The span's name by the conventions.
fn name(span: &Span<'_>) -> String {
    match span.kind {
        SpanKind::Agent => format!("invoke_agent {}", span.name.strip_prefix("invoke_agent ").unwrap_or(&span.name)),
        SpanKind::Tool => format!("execute_tool {}", span.name),
        _ => span.name.to_string(),
    }
}

/// What kind of operation it is, and whose.
fn operation(span: &Span<'_>, pairs: &mut Vec<Json>) {
    let operation = match span.kind {
        SpanKind::Agent => Some("invoke_agent"),
        SpanKind::Llm => Some("chat"),
        SpanKind::Tool => Some("execute_tool"),
        SpanKind::Retrieval => Some("retrieval"),
        SpanKind::Memory if span.name.ends_with("_memory") => Some(span.name.as_str()),
        SpanKind::Memory => Some("search_memory"),
        SpanKind::Guardrail | SpanKind::Other => None,
    };
    pairs.push(text(KIND, span.kind.name()));
    pairs.extend(operation.map(|o| text("gen_ai.operation.name", o)));
    if span.kind == SpanKind::Guardrail {
        // The conventions have no guardrails; this is OpenInference's name.
        pairs.push(text("openinference.span.kind", "GUARDRAIL"));
    }
    let named = (span.kind == SpanKind::Agent).then_some(&span.name);
    pairs.extend(span.agent.as_ref().or(named).map(|agent| text("gen_ai.agent.name", agent)));
    pairs.extend(span.model.as_ref().map(|model| text("gen_ai.response.model", model)));
    if span.kind == SpanKind::Tool {
        pairs.push(text("gen_ai.tool.name", &span.name));
    }
    pairs.extend(span.call_id.as_ref().map(|call| text("gen_ai.tool.call.id", call)));
}

/// What went in and came out.
fn content(span: &Span<'_>, pairs: &mut Vec<Json>) {
    let mut put = |key, payload: &Option<Payload<'_>>| pairs.extend(payload.as_ref().map(|p| text(key, p.as_str())));
    match span.kind {
        SpanKind::Agent | SpanKind::Llm => {
            input_messages(span, pairs);
            output_messages(span, pairs);
        }
        SpanKind::Tool => {
            put("gen_ai.tool.call.arguments", &span.input);
            put("gen_ai.tool.call.result", &span.output);
        }
        SpanKind::Retrieval => {
            put("gen_ai.retrieval.query.text", &span.input);
            put("gen_ai.retrieval.documents", &span.output);
        }
        SpanKind::Memory => {
            put("gen_ai.memory.query.text", &span.input);
            put("gen_ai.memory.records", &span.output);
        }
        SpanKind::Guardrail | SpanKind::Other => {
            pairs.extend(typed(INPUT, &span.input));
            pairs.extend(typed(OUTPUT, &span.output));
        }
    }
}

fn input_messages(span: &Span<'_>, pairs: &mut Vec<Json>) {
    let messages = |input: &Payload<'_>| {
        let all = input.json()?.as_array()?;
        (span.kind == SpanKind::Llm && all.iter().all(|m| m["parts"].is_array())).then(|| input.as_str().to_owned())
    };
    match span.input.as_ref().and_then(messages) {
        Some(messages) => pairs.push(text("gen_ai.input.messages", &messages)),
        // In whatever form it was recorded, it is not for us to say who said what.
        None => pairs.extend(typed(INPUT, &span.input)),
    }
}

fn output_messages(span: &Span<'_>, pairs: &mut Vec<Json>) {
    match &span.output {
        // It is known to have said nothing, which is no message, not even an empty one.
        Some(output) if output.is_null() => pairs.extend(typed(OUTPUT, &span.output)),
        Some(output) => {
            pairs.push(messages("gen_ai.output.messages", "assistant", output.as_str()));
            // Read back, an empty message is the same as none.
            pairs.extend(typed(OUTPUT, &span.output).filter(|_| output.as_str().is_empty()));
        }
        None => {}
    }
}

/// A payload with its type.
fn typed(key: &str, value: &Option<Payload<'_>>) -> Option<Json> {
    value.as_ref().map(|value| json!({"key": key, "value": payload(value)}))
}

fn messages(key: &str, role: &str, said: &str) -> Json {
    let messages = json!([{"role": role, "parts": [{"type": "text", "content": said}]}]);
    text(key, &messages.to_string())
}

/// Tokens, cost and the time to the first chunk.
fn measures(span: &Span<'_>, ttft: Option<u64>, pairs: &mut Vec<Json>) {
    let usage = span.usage.unwrap_or_default();
    let tokens = [
        ("gen_ai.usage.input_tokens", usage.input),
        ("gen_ai.usage.output_tokens", usage.output),
        ("gen_ai.usage.cache_read.input_tokens", usage.cache_read),
        ("gen_ai.usage.cache_write.input_tokens", usage.cache_write),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning),
    ];
    for (key, count) in tokens {
        pairs.extend(count.map(|n| json!({"key": key, "value": {"intValue": n.to_string()}})));
    }
    // The conventions have no cost; this is OpenInference's name.
    pairs.extend(span.cost_usd.map(|c| json!({"key": COST, "value": {"doubleValue": c.usd()}})));
    if let Some(ttft) = span.ttft_ns.or(ttft) {
        let seconds = ttft as f64 / 1e9;
        pairs.push(json!({"key": "gen_ai.response.time_to_first_chunk", "value": {"doubleValue": seconds}}));
    }
}

fn event(event: &Event<'_>) -> Json {
    json!({"name": event.name, "timeUnixNano": nanos(event.time_ns), "attributes": rest(&event.attributes, &[])})
}

/// A time as OTLP writes it, where 0 is none.
fn nanos(time: Option<u64>) -> String {
    time.unwrap_or(0).to_string()
}

fn text(key: &str, value: &str) -> Json {
    json!({"key": key, "value": {"stringValue": value}})
}

/// Attributes as they are, but those that are written already.
fn rest(attributes: &Attributes<'_>, written: &[&str]) -> Vec<Json> {
    let kept = attributes.0.iter().filter(|(key, _)| !written.contains(&key.as_str()));
    kept.map(|(key, value)| json!({"key": key, "value": payload(value)})).collect()
}

/// A payload as a typed value, with the order of its keys.
fn payload(payload: &Payload<'_>) -> Json {
    let parsed = payload.is_json().then(|| serde_json::from_str::<Plain<'_>>(payload.as_str()).ok()).flatten();
    match parsed {
        Some(Plain(value)) => any(&value, MAX_DEPTH),
        None => json!({"stringValue": payload.as_str()}),
    }
}

fn any(value: &Value<'_>, depth: usize) -> Json {
    let Some(below) = depth.checked_sub(1) else { return json!({"stringValue": value.json()}) };
    match value {
        Value::Null => json!({}),
        Value::Bool(b) => json!({"boolValue": b}),
        Value::Int(n) => json!({"intValue": n.to_string()}),
        Value::Double(d) if d.is_finite() => json!({"doubleValue": d}),
        Value::Double(d) if d.is_nan() => json!({"doubleValue": "NaN"}),
        Value::Double(d) => json!({"doubleValue": if *d > 0.0 { "Infinity" } else { "-Infinity" }}),
        Value::Text(t) => json!({"stringValue": t}),
        Value::Bytes(bytes) => {
            let mut out = String::new();
            id::to_base64(bytes, &mut out);
            json!({"bytesValue": out})
        }
        Value::Array(values) => {
            let values: Vec<Json> = values.iter().map(|v| any(v, below)).collect();
            json!({"arrayValue": {"values": values}})
        }
        Value::Map(pairs) => {
            let pairs: Vec<Json> = pairs.iter().map(|(k, v)| json!({"key": k, "value": any(v, below)})).collect();
            json!({"kvlistValue": {"values": pairs}})
        }
    }
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
