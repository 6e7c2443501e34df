//! What the tests of this format share: a sink that keeps everything, and requests of any content in the types of
//! `opentelemetry-proto`, which say what is right.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord as Log, LogsData, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::formats::RecordDecoder;
use crate::formats::telemetry::{Origin, Record, Sink};
use crate::model::Problem;

/// Keeps every record with its origin.
#[derive(Debug, Default)]
pub(in crate::formats) struct Kept<'a> {
    pub(in crate::formats) records: Vec<(Origin<'a>, Record<'a>)>,
    pub(in crate::formats) problems: Vec<Problem>,
    origin: Origin<'a>,
}

impl<'a> Sink<'a> for Kept<'a> {
    fn origin(&mut self, origin: &Origin<'a>) {
        self.origin = origin.clone();
    }

    fn record(&mut self, record: &Record<'a>) {
        self.records.push((self.origin.clone(), record.clone()));
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

impl Kept<'_> {
    /// The problems, as kind and message.
    pub(in crate::formats) fn told(&self) -> Vec<String> {
        self.problems.iter().map(|p| format!("{}: {}", p.kind.name(), p.message)).collect()
    }
}

/// What an element holds; a problem of the whole element is the last one.
pub(in crate::formats) fn kept(element: &[u8]) -> Kept<'_> {
    let mut kept = Kept::default();
    if let Err(problem) = super::Request.records(element, &mut kept) {
        kept.problems.push(problem);
    }
    kept
}

/// An attribute.
pub(in crate::formats) fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A span with ids and times and nothing else.
pub(in crate::formats) fn span(name: &str) -> Span {
    Span {
        trace_id: (1..=16).collect(),
        span_id: (1..=8).collect(),
        name: name.into(),
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_000_000_000_001,
        ..Span::default()
    }
}

/// A request of these spans.
pub(in crate::formats) fn traces(spans: Vec<Span>) -> TracesData {
    let scope = InstrumentationScope { name: "s".into(), version: "1".into(), ..InstrumentationScope::default() };
    let scope = ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() };
    let resource = Resource { attributes: vec![pair("service.name", Any::StringValue("x".into()))], ..<_>::default() };
    let resource = ResourceSpans { resource: Some(resource), scope_spans: vec![scope], ..ResourceSpans::default() };
    TracesData { resource_spans: vec![resource] }
}

fn value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Any::BoolValue),
        any::<i64>().prop_map(Any::IntValue),
        (-1e300..1e300).prop_map(Any::DoubleValue),
        ".{0,20}".prop_map(Any::StringValue),
        vec(any::<u8>(), 0..9).prop_map(Any::BytesValue),
    ]
    .prop_map(|value| AnyValue { value: Some(value) });
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| Any::ArrayValue(ArrayValue { values })),
            vec((".{0,5}", inner), 0..3).prop_map(|pairs| Any::KvlistValue(KeyValueList { values: keyed(pairs) })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn keyed(pairs: Vec<(String, AnyValue)>) -> Vec<KeyValue> {
    pairs.into_iter().map(|(key, value)| KeyValue { key, value: Some(value), ..KeyValue::default() }).collect()
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((".{0,9}", value()), 0..4).prop_map(keyed)
}

/// An id whose last byte is no character, so that it is no name either.
fn id(size: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), size - 1).prop_map(|mut id| {
        id.push(0xff);
        id
    })
}

fn any_span() -> impl Strategy<Value = Span> {
    let event = (any::<u64>(), ".{0,9}", attributes()).prop_map(|(time_unix_nano, name, attributes)| Event {
        time_unix_nano,
        name,
        attributes,
        ..Event::default()
    });
    let link = (id(16), id(8)).prop_map(|(trace_id, span_id)| Link { trace_id, span_id, ..Link::default() });
    let status = prop::option::of((".{0,9}", 0..3).prop_map(|(message, code)| Status { message, code }));
    let ids = (id(16), id(8), prop_oneof![Just(Vec::new()), id(8)]);
    let times = (".{0,9}", 0..6, any::<u64>(), any::<u64>(), 0u32..3);
    (ids, times, attributes(), vec(event, 0..3), vec(link, 0..2), status).prop_map(
        |(
            (trace_id, span_id, parent_span_id),
            (name, kind, start, end, dropped),
            attributes,
            events,
            links,
            status,
        )| {
            Span {
                trace_id,
                span_id,
                parent_span_id,
                name,
                kind,
                start_time_unix_nano: start,
                end_time_unix_nano: end,
                attributes,
                dropped_attributes_count: dropped,
                events,
                dropped_events_count: dropped,
                links,
                status,
                flags: 1,
                trace_state: String::new(),
                dropped_links_count: 0,
            }
        },
    )
}

fn any_log() -> impl Strategy<Value = Log> {
    let ids = (prop_oneof![Just(Vec::new()), id(16)], prop_oneof![Just(Vec::new()), id(8)]);
    (ids, any::<u64>(), 1..20, prop::option::of(value()), attributes(), ".{0,9}").prop_map(
        |((trace_id, span_id), time, severity_number, body, attributes, event_name)| Log {
            trace_id,
            span_id,
            time_unix_nano: time.saturating_sub(1 << 63),
            observed_time_unix_nano: time,
            severity_number,
            body,
            attributes,
            event_name,
            ..Log::default()
        },
    )
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    prop::option::of(attributes().prop_map(|attributes| Resource { attributes, ..Resource::default() }))
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    let scope = (".{0,9}", "[0-9.]{0,5}");
    prop::option::of(scope.prop_map(|(name, version)| InstrumentationScope {
        name,
        version,
        ..InstrumentationScope::default()
    }))
}

/// Spans of any content.
pub(in crate::formats) fn any_traces() -> impl Strategy<Value = TracesData> {
    let scope = (scope(), vec(any_span(), 0..4)).prop_map(|(scope, spans)| ScopeSpans {
        scope,
        spans,
        schema_url: "https://schema".into(),
    });
    let resource = (resource(), vec(scope, 0..3)).prop_map(|(resource, scope_spans)| ResourceSpans {
        resource,
        scope_spans,
        ..ResourceSpans::default()
    });
    vec(resource, 0..3).prop_map(|resource_spans| TracesData { resource_spans })
}

/// Log records of any content.
pub(in crate::formats) fn any_logs() -> impl Strategy<Value = LogsData> {
    let scope = (scope(), vec(any_log(), 0..4)).prop_map(|(scope, log_records)| ScopeLogs {
        scope,
        log_records,
        ..ScopeLogs::default()
    });
    let resource = (resource(), vec(scope, 0..3)).prop_map(|(resource, scope_logs)| ResourceLogs {
        resource,
        scope_logs,
        ..ResourceLogs::default()
    });
    vec(resource, 0..3).prop_map(|resource_logs| LogsData { resource_logs })
}
