//! `agentcore`: spans and runtime logs of Amazon Bedrock AgentCore as CloudWatch holds them, one document each, with
//! plain attributes and enums by name. The envelopes are those of CloudWatch's own exports and queries, of the
//! evaluation API, and of the span lists that Strands' tools write.

mod document;
mod recover;

use serde::Deserialize;

pub(super) use self::document::Plain;
use self::document::{Document, Documents, Event, Message};
use super::otlp::{json::Unsigned, log_name};
use super::peek::{Shape, shape};
use super::telemetry::{EventRecord, LogRecord, Origin, Record, Sink, SpanRecord, Value, find, id};
use super::{Decode, Format, Head, Layout, RecordDecoder, json_layout, wire};
use crate::model::{LeftOut, Problem, Text};

/// Documents of AgentCore.
pub struct AgentCore;

/// How often a message may be within a message.
const MAX_WRAPPED: usize = 4;
/// The keys of envelopes that hold lists of documents and nothing that these need.
const LISTS: &[&str] = &["events", "logEvents", "results", "sessionSpans"];

impl Format for AgentCore {
    fn name(&self) -> &'static str {
        "agentcore"
    }

    fn doc(&self) -> &'static str {
        "Amazon Bedrock AgentCore: documents of the log group `aws/spans` and of an agent's runtime logs, as JSON lines, \
         as an array, or in what CloudWatch's exports and queries put around them. Sessions are put together from all \
         files."
    }

    fn sniff(&self, head: &Head<'_>) -> Option<Layout> {
        let shape = shape(head);
        let value = shape.element();
        let nested = ["events", "logEvents", "results", "sessionSpans", "spans"];
        let listed = || nested.iter().filter_map(|key| value.get(key)).any(|list| row(list.element()));
        let asked = || value.get("evaluationInput").is_some_and(|input| input.has_array("sessionSpans"));
        (row(value) || listed() || asked()).then(|| layout(head, &shape))
    }

    fn layout(&self, head: &Head<'_>) -> Layout {
        layout(head, &shape(head))
    }

    fn decoder(&self, _headers: &[Option<Vec<u8>>]) -> Result<Decode, Problem> {
        Ok(Decode::records(Reader))
    }
}

/// Whether a value is a document or wraps one.
fn row(value: &Shape) -> bool {
    let wrapped = ["raw_otel_json", "message", "@message"].iter().find_map(|key| value.get(key));
    let cells = || value.element().text("field").is_some();
    let message = || ["message", "@message"].iter().find_map(|key| value.text(key)).is_some_and(inner);
    document(value) || wrapped.is_some_and(document) || message() || cells()
}

/// Whether a value is a span or log record with plain attributes.
fn document(value: &Shape) -> bool {
    let times = ["startTimeUnixNano", "timeUnixNano", "observedTimeUnixNano"];
    let plain = !value.has_array("attributes");
    let camel = value.has("traceId") || value.has("resource");
    let snake = value.has("trace_id") && value.has("start_time") && value.has("attributes");
    plain && (camel && times.iter().any(|key| value.has(key)) || snake)
}

/// Whether a text is the beginning of a document.
fn inner(text: &str) -> bool {
    text.trim_start().starts_with('{')
        && ["\"resource\"", "\"traceId\"", "\"scope\""].iter().any(|key| text.contains(key))
}

fn layout(head: &Head<'_>, shape: &Shape) -> Layout {
    match json_layout(head) {
        Layout::Values if !head.whole && LISTS.iter().any(|key| shape.has_array(key)) && !document(shape) => {
            Layout::Lists(LISTS)
        }
        other => other,
    }
}

/// Decodes documents.
#[derive(Debug, Clone, Copy)]
struct Reader;

impl RecordDecoder for Reader {
    fn records<'a>(&self, element: &'a [u8], sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
        match wire::parse::<Documents<'a>>(element) {
            Ok(documents) => emit(documents, None, MAX_WRAPPED, sink),
            Err(problem) => return recover::records(element, problem, sink),
        }
        Ok(())
    }
}

/// Hands over the records of documents; `session` is what an envelope says of all of them. Recursion is bounded by the
/// depth of the JSON and by `wraps`.
fn emit<'a>(documents: Documents<'a>, session: Option<&Text<'a>>, wraps: usize, sink: &mut dyn Sink<'a>) {
    match documents {
        Documents::Many(all) => all.into_iter().for_each(|one| emit(one, session, wraps, sink)),
        Documents::One(document) => one(*document, session, wraps, sink),
    }
}

fn one<'a>(mut document: Document<'a>, session: Option<&Text<'a>>, wraps: usize, sink: &mut dyn Sink<'a>) {
    if document.start_time_unix_nano.is_some() || document.end_time_unix_nano.is_some() || document.kind.is_some() {
        return span(document, session, sink);
    }
    let told = document.time_unix_nano.is_some() || document.observed_time_unix_nano.is_some();
    if told || document.body.is_some() {
        return log(document, session, sink);
    }
    let own = document.session.take();
    let session = own.as_ref().or(session);
    let lists = [document.raw, document.results, document.evaluation_input, document.session_spans, document.spans];
    let mut wrapped = !document.events.is_empty();
    for documents in lists.into_iter().flatten() {
        wrapped = true;
        emit(documents, session, wraps, sink);
    }
    // Of a row of cells only one is the document.
    let cell = document.field.map(|field| document.value.filter(|_| field == "@message").unwrap_or(Message::Other));
    let messages = document.events.into_iter().map(|e| e.message.unwrap_or(Message::Other));
    for message in messages.chain(document.message).chain(cell) {
        wrapped = true;
        if let Message::Text(text) = message {
            unwrap(text, session, wraps, sink);
        }
    }
    if !wrapped {
        let message = "a document that is neither a span nor a log record";
        sink.problem(Problem::new(LeftOut::Malformed, message));
    }
}

/// The records of a message; none when it is a plain line of a log.
fn unwrap<'a>(message: Text<'a>, session: Option<&Text<'a>>, wraps: usize, sink: &mut dyn Sink<'a>) {
    if !message.trim_start().starts_with(['{', '[']) {
        return;
    }
    let Some(wraps) = wraps.checked_sub(1) else {
        let message = format!("messages within messages, more than {MAX_WRAPPED} of them");
        return sink.problem(Problem::new(LeftOut::TooDeep, message));
    };
    // What had to be unescaped is gone when this returns, so that its texts are copied.
    let documents: Result<Documents<'a>, _> = match &message.0 {
        std::borrow::Cow::Borrowed(text) => serde_json::from_str(text),
        std::borrow::Cow::Owned(text) => {
            Documents::deserialize(&mut serde_json::Deserializer::from_reader(text.as_bytes()))
        }
    };
    match documents {
        Ok(documents) => emit(documents, session, wraps, sink),
        // A line may begin with a bracket and be no JSON.
        Err(_) if !inner(&message) => {}
        Err(error) => {
            let kind = if error.is_eof() { LeftOut::Truncated } else { LeftOut::Malformed };
            sink.problem(Problem::new(kind, format!("the document in a message: {error}")));
        }
    }
}

fn enter<'a>(document: &mut Document<'a>, session: Option<&Text<'a>>, sink: &mut dyn Sink<'a>) {
    let mut resource = document.resource.take().unwrap_or_default().attributes.pairs();
    if let Some(session) = document.session.as_ref().or(session)
        && find(&resource, "session.id").is_none()
    {
        resource.push(("session.id".into(), Value::Text(session.clone())));
    }
    let scope = std::mem::take(&mut document.scope);
    sink.origin(&Origin { resource, scope: scope.name, version: scope.version });
}

fn span<'a>(mut document: Document<'a>, session: Option<&Text<'a>>, sink: &mut dyn Sink<'a>) {
    let ids = (id::normal(&document.trace_id, id::TRACE), id::normal(&document.span_id, id::SPAN));
    let (Some(trace), Some(own)) = ids else {
        let message = format!("a span ({:?}) whose trace or span id is missing or all zero", document.name.as_str());
        return sink.problem(Problem::new(LeftOut::Malformed, message));
    };
    enter(&mut document, session, sink);
    let (logs, events): (Vec<Event<'a>>, _) = document.events.into_iter().partition(|event| event.body.is_some());
    let link = |l: &document::Link<'a>| Some((id::normal(&l.trace_id, id::TRACE)?, id::normal(&l.span_id, id::SPAN)?));
    let dropped = [document.dropped_attributes_count, document.dropped_events_count].into_iter().filter_map(|d| d.0);
    let end = time(document.end_time_unix_nano);
    let record = Record::Span(SpanRecord {
        parent: id::normal(&document.parent_span_id, id::SPAN),
        name: document.name,
        side: document.kind.map(|k| k.0).unwrap_or_default(),
        start_ns: time(document.start_time_unix_nano),
        end_ns: end,
        status: document.status.status,
        status_message: document.status.message,
        attributes: document.attributes.pairs(),
        events: events
            .into_iter()
            .map(|e| EventRecord {
                name: e.name,
                time_ns: time(Some(e.time_unix_nano)),
                attributes: e.attributes.pairs(),
            })
            .collect(),
        links: document.links.iter().filter_map(link).collect(),
        dropped: u32::try_from(dropped.fold(0u64, u64::saturating_add)).unwrap_or(u32::MAX),
        trace: trace.clone(),
        id: own.clone(),
    });
    sink.record(&record);
    for event in logs {
        sink.record(&Record::Log(LogRecord {
            trace: Some(trace.clone()),
            span: Some(own.clone()),
            time_ns: time(Some(event.time_unix_nano)).or(end),
            name: event.name,
            body: event.body.map(|b| b.0),
            attributes: event.attributes.pairs(),
        }));
    }
}

fn log<'a>(mut document: Document<'a>, session: Option<&Text<'a>>, sink: &mut dyn Sink<'a>) {
    enter(&mut document, session, sink);
    let mut record = LogRecord {
        trace: id::normal(&document.trace_id, id::TRACE),
        span: id::normal(&document.span_id, id::SPAN),
        time_ns: time(document.time_unix_nano).or(time(document.observed_time_unix_nano)),
        name: document.event_name.unwrap_or_default(),
        body: document.body.map(|b| b.0),
        attributes: document.attributes.pairs(),
    };
    log_name(&mut record);
    sink.record(&Record::Log(record));
}

/// A time that is there and not 0.
fn time(written: Option<Unsigned>) -> Option<u64> {
    written?.0.filter(|t| *t != 0)
}

#[cfg(test)]
mod tests;
