//! `jaeger`: traces as Jaeger's query service answers and its user interface saves them.
//!
//! What OpenTelemetry says of a span beside its attributes, Jaeger keeps in tags of reserved names; they become again
//! what they were. Times are microseconds, so that anything shorter is lost; lists are texts of JSON.

mod json;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::json::{Answer, Named, Process, Reference, Span};
use super::otlp::json::Unsigned;
use super::peek::{Shape, shape};
use super::telemetry::{EventRecord, Origin, Pairs, Record, Side, Sink, SpanRecord, Value, id};
use super::wire::{parse, parse_part};
use super::{Decode, Format, Head, Layout, RecordDecoder, json_layout};
use crate::model::{LeftOut, Problem, SpanStatus, Text};

/// Traces of Jaeger.
pub struct Jaeger;

/// The key that holds the traces of an answer.
const LISTS: &[&str] = &["data"];

impl Format for Jaeger {
    fn name(&self) -> &'static str {
        "jaeger"
    }

    fn doc(&self) -> &'static str {
        "Traces as Jaeger's query service answers them and its user interface saves them: JSON with `data`, a list of \
         traces, each with its `spans` and `processes`. Times are whole microseconds there. Sessions are put together \
         from all files, as for `otlp`."
    }

    fn sniff(&self, head: &Head<'_>) -> Option<Layout> {
        let shape = shape(head);
        let value = shape.element();
        let traces = value.get("data").filter(|data| matches!(data, Shape::Array(_)));
        let answers = traces.and_then(Shape::first).is_some_and(is_trace);
        (answers || is_trace(value)).then(|| layout(head, &shape))
    }

    fn layout(&self, head: &Head<'_>) -> Layout {
        layout(head, &shape(head))
    }

    fn decoder(&self, _headers: &[Option<Vec<u8>>]) -> Result<Decode, Problem> {
        Ok(Decode::records(Reader))
    }
}

/// Whether a value is a trace of Jaeger.
fn is_trace(value: &Shape) -> bool {
    let names = |span: &Shape| span.has("spanID") || span.has("operationName");
    match value.get("spans") {
        Some(Shape::Array(Some(first))) => names(first),
        Some(Shape::Array(None)) => value.has("traceID"),
        _ => false,
    }
}

/// How an answer lies. It is one object, on one line or on many, of any size: its traces are read one by one.
fn layout(head: &Head<'_>, shape: &Shape) -> Layout {
    let cut = !head.whole && shape.has_array("data");
    match json_layout(head) {
        Layout::Values if cut => Layout::Lists(LISTS),
        Layout::Lines if cut && !head.bytes.contains(&b'\n') => Layout::Lists(LISTS),
        other => other,
    }
}

/// Decodes an answer or a trace.
#[derive(Debug, Clone, Copy)]
struct Reader;

impl RecordDecoder for Reader {
    fn records<'a>(&self, element: &'a [u8], sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
        let answer: Answer<'a> = parse(element)?;
        if answer.data.is_none() && answer.spans.is_none() {
            return Err(Problem::new(LeftOut::Malformed, "no answer of Jaeger: it has neither `data` nor `spans`"));
        }
        let mut parts = Parts { element, sink };
        for raw in answer.data.iter().flatten() {
            if let Some(trace) = parts.read(|| "a trace".to_owned(), raw) {
                parts.spans(trace);
            }
        }
        parts.spans(answer);
        Ok(())
    }
}

/// Reads the parts of an element one by one.
struct Parts<'s, 'a> {
    element: &'a [u8],
    sink: &'s mut dyn Sink<'a>,
}

impl<'a> Parts<'_, 'a> {
    /// A part; a problem of `what` it is, where it cannot be read.
    fn read<T: Deserialize<'a>>(&mut self, what: impl Fn() -> String, raw: &'a RawValue) -> Option<T> {
        let named = |problem: Problem| Problem { message: format!("{}: {}", what(), problem.message), ..problem };
        parse_part(self.element, raw.get()).map_err(|problem| self.sink.problem(named(problem))).ok()
    }

    /// Hands over the spans of a trace. When a process cannot be described, what it made is read all the same.
    fn spans(&mut self, trace: Answer<'a>) {
        let processes: Vec<(Text<'a>, Pairs<'a>)> = trace
            .processes
            .into_iter()
            .map(|(name, raw)| {
                let process = self.read(|| format!("process {:?}", name.as_str()), raw);
                (name, process.map(resource).unwrap_or_default())
            })
            .collect();
        let mut entered: Option<(Text<'a>, Text<'a>, Text<'a>)> = None;
        for raw in trace.spans.into_iter().flatten() {
            let name = || serde_json::from_str::<Named<'a>>(raw.get()).ok().and_then(|n| n.operation_name);
            let what = || name().map_or_else(|| "a span".to_owned(), |name| format!("a span ({:?})", name.as_str()));
            let Some(mut span) = self.read::<Span<'a>>(what, raw) else { continue };
            let tags = Tags::take(&mut span);
            let from = (std::mem::take(&mut span.process_id), tags.scope.clone(), tags.version.clone());
            if entered.as_ref() != Some(&from) {
                let process = processes.binary_search_by(|(name, _)| name.cmp(&from.0));
                let resource = process.map(|at| processes[at].1.clone()).unwrap_or_default();
                self.sink.origin(&Origin { resource, scope: from.1.clone(), version: from.2.clone() });
                entered = Some(from);
            }
            match span_record(span, tags) {
                Ok(record) => self.sink.record(&Record::Span(record)),
                Err(problem) => self.sink.problem(problem),
            }
        }
    }
}

/// The attributes of the resource: the process's tags and the name of its service.
fn resource(process: Process<'_>) -> Pairs<'_> {
    let mut pairs = json::pairs(process.tags);
    if !process.service_name.is_empty() {
        pairs.push(("service.name".into(), Value::Text(process.service_name)));
    }
    pairs
}

/// The tags of a span, those of reserved names apart.
#[derive(Default)]
struct Tags<'a> {
    attributes: Pairs<'a>,
    scope: Text<'a>,
    version: Text<'a>,
    side: Side,
    status: SpanStatus,
    status_message: Option<Text<'a>>,
    dropped: u64,
}

impl<'a> Tags<'a> {
    fn take(span: &mut Span<'a>) -> Self {
        let mut tags = Self::default();
        let mut failed = false;
        for (name, value) in json::pairs(std::mem::take(&mut span.tags)) {
            let text = || value.text().unwrap_or_default();
            match name.as_str() {
                "otel.scope.name" | "otel.library.name" => tags.scope = text(),
                "otel.scope.version" | "otel.library.version" => tags.version = text(),
                "span.kind" => tags.side = side(&text()),
                "otel.status_code" => tags.status = status(&text()),
                "otel.status_description" => tags.status_message = value.text().filter(|m| !m.is_empty()),
                "otel.dropped_attributes_count" | "otel.dropped_events_count" | "otel.dropped_links_count" => {
                    tags.dropped = tags.dropped.saturating_add(value.count().unwrap_or(0));
                }
                "error" if matches!(value, Value::Bool(_)) => failed = value == Value::Bool(true),
                // The code says the same in OpenTelemetry's words, and says more.
                "error" if matches!(value.as_str(), Some("true" | "false")) => failed = value.as_str() == Some("true"),
                _ => tags.attributes.push((name, value)),
            }
        }
        if failed && tags.status == SpanStatus::Unset {
            tags.status = SpanStatus::Error;
        }
        tags
    }
}

/// OpenTracing's and OpenTelemetry's names of a span's side.
fn side(name: &str) -> Side {
    match name {
        "internal" => Side::Internal,
        "server" => Side::Server,
        "client" => Side::Client,
        "producer" => Side::Producer,
        "consumer" => Side::Consumer,
        _ => Side::Unspecified,
    }
}

fn status(code: &str) -> SpanStatus {
    match code {
        "OK" => SpanStatus::Ok,
        "ERROR" => SpanStatus::Error,
        _ => SpanStatus::Unset,
    }
}

fn span_record<'a>(span: Span<'a>, tags: Tags<'a>) -> Result<SpanRecord<'a>, Problem> {
    let named = |what: &str, text: &Text<'a>, size| {
        padded(text, size).ok_or_else(|| {
            let message = format!("a span ({:?}) whose {what} id is missing or all zero", span.operation_name.as_str());
            Problem::new(LeftOut::Malformed, message)
        })
    };
    let trace = named("trace", &span.trace_id, id::TRACE)?;
    let own = named("span", &span.span_id, id::SPAN)?;
    let start_ns = nanoseconds(span.start_time).filter(|t| *t != 0);
    let end_ns = start_ns.zip(nanoseconds(span.duration)).and_then(|(start, length)| start.checked_add(length));
    let references = span.references.iter().filter_map(|r| {
        let Reference { kind, trace_id, span_id } = r;
        Some((kind.as_str(), padded(trace_id, id::TRACE)?, padded(span_id, id::SPAN)?))
    });
    let mut links: Vec<_> = references.collect();
    // As Jaeger itself has it: what it is a child of, else what it follows from, within its trace.
    let parent = ["CHILD_OF", "FOLLOWS_FROM"]
        .iter()
        .find_map(|kind| links.iter().position(|(k, of, _)| k == kind && *of == trace))
        .map(|at| links.remove(at).2)
        .or_else(|| padded(&span.parent_span_id, id::SPAN));
    let events = span.logs.into_iter().map(|log| event(json::pairs(log.fields), log.timestamp)).collect();
    Ok(SpanRecord {
        trace,
        id: own,
        parent,
        name: span.operation_name,
        side: tags.side,
        start_ns,
        end_ns,
        status: tags.status,
        status_message: tags.status_message,
        attributes: tags.attributes,
        events,
        links: links.into_iter().map(|(_, trace, span)| (trace, span)).collect(),
        dropped: u32::try_from(tags.dropped).unwrap_or(u32::MAX),
    })
}

/// An event, named by its field `event`, or by OpenTracing's `message`.
fn event<'a>(mut fields: Pairs<'a>, timestamp: Unsigned) -> EventRecord<'a> {
    let at = ["event", "message"].iter().find_map(|name| {
        fields.iter().position(|(key, value)| key == *name && value.as_str().is_some_and(|text| !text.is_empty()))
    });
    let name = at.and_then(|at| fields.remove(at).1.text()).unwrap_or_default();
    EventRecord { name, time_ns: nanoseconds(timestamp).filter(|t| *t != 0), attributes: fields }
}

/// An id in its one form. Jaeger may leave out zeros at its beginning, and knows traces of 64 bits.
fn padded<'a>(text: &Text<'a>, size: usize) -> Option<Text<'a>> {
    let is_short = !text.is_empty() && text.len() < 2 * size && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_short {
        return id::normal(text, size);
    }
    id::normal(&format!("{:0>width$}", text.as_str(), width = 2 * size).into(), size).map(Text::into_owned)
}

/// Microseconds as nanoseconds; `None` for what is no such number, or too large for one.
fn nanoseconds(microseconds: Unsigned) -> Option<u64> {
    microseconds.0?.checked_mul(1_000)
}

#[cfg(test)]
mod tests;
