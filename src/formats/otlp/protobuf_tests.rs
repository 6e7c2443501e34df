//! Protobuf against the generated types of `opentelemetry-proto` and against OTLP/JSON; damage and what is left of it.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, MetricsData, ResourceMetrics, ScopeMetrics, Sum, metric::Data as Kind,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;

use super::super::testing::{any_logs, any_traces, kept, pair, span, traces};
use crate::formats::telemetry::{Record, Value};

/// The names of the spans that are read.
fn names(bytes: &[u8]) -> Vec<String> {
    let name = |r: &Record<'_>| match r {
        Record::Span(s) => s.name.to_string(),
        Record::Log(l) => l.name.to_string(),
    };
    kept(bytes).records.iter().map(|(_, r)| name(r)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn protobuf_and_json_of_one_request_are_the_same_records(traces in any_traces(), logs in any_logs()) {
        let both = [
            (traces.encode_to_vec(), serde_json::to_vec(&traces).unwrap()),
            (logs.encode_to_vec(), serde_json::to_vec(&logs).unwrap()),
        ];
        for (protobuf, json) in both {
            let (protobuf, json) = (kept(&protobuf), kept(&json));
            prop_assert_eq!(protobuf.told(), [""; 0]);
            prop_assert_eq!(json.told(), [""; 0]);
            prop_assert_eq!(protobuf.records, json.records);
        }
    }

    #[test]
    fn damage_never_panics_and_never_makes_more_records(
        traces in any_traces(), at in any::<prop::sample::Index>(), byte in any::<u8>(), end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = traces.encode_to_vec();
        prop_assume!(!bytes.is_empty());
        bytes[0] = 0x0a;
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let cut = &bytes[..end.index(bytes.len() + 1)];
        let kept = kept(cut);
        prop_assert!(kept.records.len() <= cut.len());
    }
}

#[test]
fn a_resource_and_a_scope_may_stand_behind_their_spans() {
    let mut request = traces(vec![span("a")]).resource_spans.remove(0);
    let (mut scope, resource) = (request.scope_spans.remove(0), request.resource.take());
    let named = scope.scope.take();
    // The fields of one message may be written in any order, and two messages one after the other are one.
    let mut inner = scope.encode_to_vec();
    scope.spans.clear();
    scope.scope = named;
    inner.extend(scope.encode_to_vec());
    let mut outer = vec![0x12, inner.len() as u8];
    outer.extend(inner);
    request.resource = resource;
    outer.extend(request.encode_to_vec());
    let mut bytes = vec![0x0a];
    prost::encoding::encode_varint(outer.len() as u64, &mut bytes);
    bytes.extend(outer);
    let kept = kept(&bytes);
    assert_eq!(kept.told(), [""; 0]);
    let [(origin, _)] = &kept.records[..] else { panic!("{kept:?}") };
    assert_eq!((origin.scope.as_str(), origin.resource.len()), ("s", 1));
}

#[test]
fn metrics_have_no_records_and_are_no_problem() {
    // As long as a trace id, and its description as a span id.
    let names = [("http.server.size", "in bytes"), ("m", "")];
    let metrics = names.map(|(name, description)| Metric {
        name: name.into(),
        description: description.into(),
        data: Some(Kind::Sum(Sum::default())),
        ..Metric::default()
    });
    let scope = ScopeMetrics { metrics: metrics.into(), ..ScopeMetrics::default() };
    let resource = ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() };
    let bytes = MetricsData { resource_metrics: vec![resource] }.encode_to_vec();
    let kept = kept(&bytes);
    assert!(kept.records.is_empty() && kept.problems.is_empty(), "{kept:?}");
}

#[test]
fn a_text_that_is_not_utf8_is_kept_as_bytes_and_counted() {
    let mut broken = span("b");
    broken.attributes = vec![pair("k", Any::StringValue("XYZ".into())), pair("n", Any::IntValue(-1))];
    let mut bytes = traces(vec![span("a"), broken, span("c")]).encode_to_vec();
    let at = bytes.windows(3).position(|w| w == b"XYZ").unwrap();
    bytes[at + 1] = 0xff;
    let kept = kept(&bytes);
    assert_eq!(kept.told(), ["malformed: a span (\"b\") with 1 texts that are not UTF-8; kept as bytes"]);
    let Record::Span(b) = &kept.records[1].1 else { panic!() };
    assert_eq!(b.attributes[0].1, Value::Bytes((&[b'X', 0xff, b'Z'][..]).into()));
    assert_eq!((kept.records.len(), &b.attributes[1].1), (3, &Value::Int(-1)));
}

#[test]
fn a_damaged_span_is_left_out_and_its_neighbours_are_read() {
    let mut bytes = traces(vec![span("a"), span("bbbb"), span("c")]).encode_to_vec();
    let at = bytes.windows(4).position(|w| w == b"bbbb").unwrap();
    // The length of its name goes beyond the span.
    bytes[at - 1] = 100;
    let told = kept(&bytes).told();
    assert!(told.len() == 1 && told[0].starts_with("truncated: a span (\"\"): field 5 has 100 bytes"), "{told:?}");
    assert_eq!(names(&bytes), ["a", "c"]);
}

#[test]
fn a_span_without_an_id_is_a_problem() {
    let zero = |trace: &[u8], id: &[u8]| Span { trace_id: trace.into(), span_id: id.into(), ..span("z") };
    let spans = vec![zero(&[0; 16], &[1; 8]), zero(&[1; 16], &[0; 8]), zero(&[], &[1; 8]), span("a")];
    let bytes = traces(spans).encode_to_vec();
    let kept = kept(&bytes);
    let id = |which: &str| format!("malformed: a span (\"z\"): its {which} id is missing or all zero");
    assert_eq!(kept.told(), [id("trace"), id("span"), id("trace")]);
    assert_eq!(names(&bytes), ["a"]);
}

#[test]
fn values_nested_too_deep_leave_out_their_span() {
    let with = |name: &str, levels: usize| {
        // By hand, because the generated types recurse.
        let wrap = |tag: u8, inner: Vec<u8>| {
            let mut out = vec![tag];
            prost::encoding::encode_varint(inner.len() as u64, &mut out);
            out.extend(inner);
            out
        };
        let value = (0..levels).fold(vec![0x18, 1], |v, _| wrap(0x2a, wrap(0x0a, v)));
        let mut bytes = span(name).encode_to_vec();
        bytes.extend(wrap(0x4a, wrap(0x12, value)));
        wrap(0x12, bytes)
    };
    let spans = [with("ok", 31), with("deep", 32), with("deeper", 20_000), with("a", 0)].concat();
    let mut scope = vec![0x12];
    prost::encoding::encode_varint(spans.len() as u64, &mut scope);
    scope.extend(spans);
    let mut bytes = vec![0x0a];
    prost::encoding::encode_varint(scope.len() as u64, &mut bytes);
    bytes.extend(scope);
    let told = kept(&bytes).told();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|t| t.starts_with("too_deep: a span (\"deep")), "{told:?}");
    assert_eq!(names(&bytes), ["ok", "a"]);
}

#[test]
fn a_record_of_no_kind_is_a_problem() {
    // ResourceX { ScopeX { 2: { 1: "" } } }
    let bytes = [0x0a, 6, 0x12, 4, 0x12, 2, 0x0a, 0];
    assert_eq!(kept(&bytes).told(), ["malformed: a record that is neither a span nor a log record nor a metric"]);
}
