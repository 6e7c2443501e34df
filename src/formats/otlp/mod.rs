//! `otlp`: OpenTelemetry's own form of spans and log records, as exporters send it and the collector writes it.

pub(super) mod any;
mod damaged;
mod export;
pub(super) mod json;
mod look;
mod protobuf;
mod recover;
mod request;
#[cfg(test)]
pub(super) mod testing;
mod wire;

pub use self::export::write;
use super::peek::{Shape, shape};
use super::telemetry::{LogRecord, Sink, find};
use super::{Decode, Format, Head, Layout, Prefix, RecordDecoder, json_layout};
use crate::model::Problem;

/// OTLP, in JSON and protobuf.
pub struct Otlp;

/// The keys that hold lists in a request.
const LISTS: &[&str] = &["resourceSpans", "resourceLogs", "batches", "resourceMetrics"];
/// The keys that hold lists in one of the parts that those lists hold.
const PARTS: &[&str] = &["scopeSpans", "scopeLogs", "instrumentationLibrarySpans", "scopeMetrics"];
/// What every message begins with: the first field, which holds what one resource made.
const TAG: u8 = 0x0a;

impl Format for Otlp {
    fn name(&self) -> &'static str {
        "otlp"
    }

    fn doc(&self) -> &'static str {
        "OpenTelemetry spans and log records, as exporters send them, the collector's file exporter writes them and \
         Grafana Tempo answers them (`batches`, ids in base64): JSON (one request, or one a line) and protobuf (one \
         request, or many with a length before each). Sessions are put together from all files. A trace belongs to one session, which is named by the first of these attributes \
         that any of its spans has: the one given as `[recorded] session` or --session-attribute, `session.id`, \
         `gen_ai.conversation.id`, `langfuse.session.id`, `traceloop.association.properties.session_id`, \
         `gcp.vertex.agent.session_id`, `ai.telemetry.metadata.sessionId`, and `session.id` of the resource. A trace \
         that names none is a session of its own."
    }

    fn sniff(&self, head: &Head<'_>) -> Option<Layout> {
        if let Some(prefix) = look::framing(head.bytes) {
            return Some(Layout::Messages { prefix, tag: TAG });
        }
        let shape = shape(head);
        let value = shape.element();
        let has = |value: &Shape, keys: &[&str]| keys.iter().any(|key| value.has_array(key));
        // Tempo's name is anyone's.
        let is_batch = |batch: &Shape| has(batch, PARTS) || batch.has("resource");
        let is_tempo = || value.get("batches").and_then(Shape::first).is_some_and(is_batch);
        let is_request = has(value, &["resourceSpans", "resourceLogs", "resourceMetrics"]) || is_tempo();
        let wraps = || value.get("trace").is_some_and(|trace| has(trace, LISTS));
        (is_request || has(value, PARTS) || wraps()).then(|| json(head, &shape))
    }

    fn layout(&self, head: &Head<'_>) -> Layout {
        match look::framing(head.bytes) {
            Some(prefix) => Layout::Messages { prefix, tag: TAG },
            None if matches!(head.bytes.trim_ascii_start().first(), Some(b'{' | b'[')) => json(head, &shape(head)),
            // Nothing that begins like JSON: what there is of it is told by the first message.
            None if head.bytes.first().is_some_and(|b| b.is_ascii_control()) => {
                Layout::Messages { prefix: Prefix::None, tag: TAG }
            }
            None => json_layout(head),
        }
    }

    fn decoder(&self, _headers: &[Option<Vec<u8>>]) -> Result<Decode, Problem> {
        Ok(Decode::records(Request))
    }
}

/// How JSON lies. One object over many lines may be of any size, so that its lists are read part by part.
fn json(head: &Head<'_>, shape: &Shape) -> Layout {
    match json_layout(head) {
        Layout::Values if !head.whole && LISTS.iter().any(|key| shape.has(key)) => Layout::Lists(LISTS),
        other => other,
    }
}

/// Decodes one request, or one of the parts that it lists.
#[derive(Debug, Clone, Copy)]
pub struct Request;

impl RecordDecoder for Request {
    fn records<'a>(&self, element: &'a [u8], sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
        match element.first() {
            // A message without fields.
            None => Ok(()),
            // The tag of a field; elements of JSON begin with no white space.
            Some(0..b' ') => protobuf::records(element, sink),
            Some(_) => request::records(element, sink),
        }
    }
}

/// Names a log record by its attribute `event.name` when it has no name of its own.
pub(in crate::formats) fn log_name(log: &mut LogRecord<'_>) {
    if log.name.is_empty()
        && let Some(name) = find(&log.attributes, "event.name").and_then(|v| v.text())
    {
        log.name = name;
    }
}

#[cfg(test)]
mod file_tests;
