//! Traces of Jaeger, good and bad.

use std::path::Path;

use super::*;
use crate::formats::otlp::testing::Kept;
use crate::formats::telemetry::find;

const ANSWER: &str = r#"{"data":[{"traceID":"5b8efff798038103d269b633813fc60c","spans":[
    {"traceID":"5b8efff798038103d269b633813fc60c","spanID":"EEE19B7EC3C1B174","operationName":"invoke_agent","references":[],
     "startTime":1700000000000001,"duration":2500,"tags":[{"key":"otel.scope.name","type":"string","value":"s"},
      {"key":"otel.scope.version","type":"string","value":"1"},{"key":"span.kind","type":"string","value":"server"},
      {"key":"gen_ai.usage.input_tokens","type":"int64","value":12},{"key":"list","type":"string","value":"[\"a\"]"}],
     "logs":[{"timestamp":1700000000000002,"fields":[{"key":"a","type":"bool","value":true},
      {"key":"event","type":"string","value":"exception"}]}],"processID":"p1","warnings":null},
    {"traceID":"5b8efff798038103d269b633813fc60c","spanID":"e19b7ec3c1b174","operationName":"execute_tool f","references":[
      {"refType":"FOLLOWS_FROM","traceID":"1","spanID":"2"},
      {"refType":"CHILD_OF","traceID":"5b8efff798038103d269b633813fc60c","spanID":"eee19b7ec3c1b174"}],
     "startTime":"1700000000000003","duration":0,"tags":[{"key":"error","type":"bool","value":true},
      {"key":"otel.status_code","type":"string","value":"ERROR"},{"key":"otel.status_description","type":"string","value":"m"},
      {"key":"otel.dropped_attributes_count","type":"int64","value":2},{"key":"n","type":"int64","value":"9007199254740993"},
      {"key":"f","type":"float64","value":1.5},{"key":"b","type":"binary","value":"AQ=="}],"logs":[],"processID":"p2"}],
    "processes":{"p1":{"serviceName":"shop","tags":[{"key":"host","type":"string","value":"h"}]},"p2":{"serviceName":"tools"}},
    "warnings":null}],"total":0,"limit":0,"offset":0,"errors":null}"#;

fn kept(text: &str) -> Kept<'_> {
    let mut kept = Kept::default();
    if let Err(problem) = Reader.records(text.as_bytes(), &mut kept) {
        kept.problems.push(problem);
    }
    kept
}

/// The spans of one trace with these spans in it.
fn spans(text: &str) -> Vec<SpanRecord<'_>> {
    let record = |(_, record)| match record {
        Record::Span(span) => span,
        Record::Log(_) => panic!("a log record"),
    };
    kept(text).records.into_iter().map(record).collect()
}

fn lies(text: &str, whole: bool) -> Option<Layout> {
    Jaeger.sniff(&Head { path: Path::new("f.json"), bytes: text.as_bytes(), whole })
}

#[test]
fn reserved_tags_become_what_they_were_and_the_others_attributes() {
    let kept = kept(ANSWER);
    assert!(kept.problems.is_empty(), "{:?}", kept.problems);
    let [(shop, Record::Span(agent)), (tools, Record::Span(tool))] = &kept.records[..] else { panic!("{kept:?}") };
    assert_eq!(Value::Map(shop.resource.clone()).json(), r#"{"host":"h","service.name":"shop"}"#);
    assert_eq!((shop.scope.as_str(), shop.version.as_str(), tools.scope.as_str()), ("s", "1", ""));
    assert_eq!(find(&tools.resource, "service.name").and_then(Value::as_str), Some("tools"));
    assert_eq!(Value::Map(agent.attributes.clone()).json(), r#"{"gen_ai.usage.input_tokens":12,"list":"[\"a\"]"}"#);
    assert_eq!((agent.side, agent.status, agent.parent.as_ref()), (Side::Server, SpanStatus::Unset, None));
    assert_eq!((agent.start_ns, agent.end_ns), (Some(1_700_000_000_000_001_000), Some(1_700_000_000_002_501_000)));
    let [event] = &agent.events[..] else { panic!("{agent:?}") };
    assert_eq!((event.name.as_str(), event.time_ns), ("exception", Some(1_700_000_000_000_002_000)));
    assert_eq!(Value::Map(event.attributes.clone()).json(), r#"{"a":true}"#);
    assert_eq!((tool.status, tool.status_message.as_deref(), tool.dropped), (SpanStatus::Error, Some("m"), 2));
    assert_eq!(Value::Map(tool.attributes.clone()).json(), r#"{"n":9007199254740993,"f":1.5,"b":"01"}"#);
    assert_eq!(tool.end_ns, tool.start_ns, "a duration of 0 is one");
}

#[test]
fn ids_have_one_form_and_references_become_the_parent_and_links() {
    let spans = spans(ANSWER);
    assert_eq!((spans[0].id.as_str(), spans[1].id.as_str()), ("eee19b7ec3c1b174", "00e19b7ec3c1b174"));
    assert_eq!(spans[1].parent.as_deref(), Some("eee19b7ec3c1b174"));
    assert_eq!(spans[1].links, [(format!("{:032}", 1).into(), format!("{:016}", 2).into())]);
}

#[test]
fn a_span_without_a_parent_follows_from_one_of_its_trace() {
    let of = |references: &str| {
        let text = format!(r#"{{"spans":[{{"traceID":"a1","spanID":"b1",{references}}}]}}"#);
        spans(&text)[0].parent.as_ref().map(ToString::to_string)
    };
    let b2 = Some(format!("{:0>16}", "b2"));
    assert_eq!(of(r#""references":[{"refType":"FOLLOWS_FROM","traceID":"a1","spanID":"b2"}]"#), b2);
    assert_eq!(of(r#""references":[{"refType":"CHILD_OF","traceID":"a2","spanID":"b2"}]"#), None, "of another trace");
    assert_eq!(of(r#""parentSpanID":"b2""#), b2);
    assert_eq!(of(r#""references":null"#), None);
}

#[test]
fn the_tag_error_is_a_status_where_no_code_says_it() {
    let of = |tags: &str| {
        let text = format!(r#"{{"spans":[{{"traceID":"1","spanID":"2","tags":[{tags}]}}]}}"#);
        let span = spans(&text).remove(0);
        (span.status, span.attributes.len())
    };
    assert_eq!(of(r#"{"key":"error","type":"bool","value":true}"#), (SpanStatus::Error, 0));
    assert_eq!(of(r#"{"key":"error","type":"string","value":"true"}"#), (SpanStatus::Error, 0));
    assert_eq!(of(r#"{"key":"error","type":"bool","value":false}"#), (SpanStatus::Unset, 0));
    assert_eq!(of(r#"{"key":"error","type":"string","value":"timeout"}"#), (SpanStatus::Unset, 1), "no status");
    let both = r#"{"key":"otel.status_code","value":"OK"},{"key":"error","type":"bool","value":true}"#;
    assert_eq!(of(both), (SpanStatus::Ok, 0));
}

#[test]
fn times_that_are_none_are_not_told() {
    let of = |times: &str| {
        let text = format!(r#"{{"spans":[{{"traceID":"1","spanID":"2",{times}}}]}}"#);
        let span = spans(&text).remove(0);
        (span.start_ns, span.end_ns)
    };
    assert_eq!(of(r#""startTime":7,"duration":3"#), (Some(7_000), Some(10_000)));
    assert_eq!(of(r#""startTime":7"#), (Some(7_000), None));
    assert_eq!(of(r#""startTime":0,"duration":3"#), (None, None));
    assert_eq!(of(r#""startTime":7,"duration":-3"#), (Some(7_000), None));
    assert_eq!(of(r#""startTime":18446744073709551615,"duration":3"#), (None, None));
    assert_eq!(of(r#""startTime":1e3,"duration":"x""#), (Some(1_000_000), None));
}

#[test]
fn damaged_spans_are_counted_and_the_others_read() {
    let text = r#"{"spans":[{"traceID":"1","spanID":"0000","operationName":"zero"},{"spanID":"2"},
        {"traceID":"1","spanID":"3","processID":"gone","tags":[{"key":"a","type":"int64","value":{"x":[1]}},{}],"logs":[{}]}]}"#;
    let kept = kept(text);
    assert_eq!(
        kept.told(),
        [
            r#"malformed: a span ("zero") whose span id is missing or all zero"#,
            r#"malformed: a span ("") whose trace id is missing or all zero"#
        ]
    );
    let [(origin, Record::Span(span))] = &kept.records[..] else { panic!("{kept:?}") };
    assert_eq!((origin.resource.len(), span.events.len()), (0, 1));
    assert_eq!(span.attributes[0].1.json(), r#"{"x":[1]}"#);
}

#[test]
fn what_is_ill_typed_is_named_and_takes_nothing_with_it() {
    let good = |id: u32| format!(r#"{{"traceID":"1","spanID":"{id}","processID":"p"}}"#);
    let bad = r#"{"traceID":"1","spanID":9,"operationName":"odd"}"#;
    for (text, spans, what) in [
        (format!(r#"{{"data":[{{"spans":[{},{bad},{}]}}]}}"#, good(1), good(2)), 2, r#"a span ("odd"): `spanID`: "#),
        (format!(r#"{{"spans":[7,{}]}}"#, good(1)), 1, "a span: "),
        (format!(r#"{{"data":[{{"spans":7}},{{"spans":[{}]}}]}}"#, good(1)), 1, "a trace: `spans`: "),
        (format!(r#"{{"spans":[{}],"processes":{{"p":7,"q":{{}}}}}}"#, good(1)), 1, r#"process "p": "#),
    ] {
        let kept = kept(&text);
        assert_eq!(kept.records.len(), spans, "{text}");
        let told = kept.told();
        assert!(told.len() == 1 && told[0].starts_with(&format!("malformed: {what}")), "{text}: {told:?}");
    }
    assert_eq!(kept(r#"{"data":[{"spans":["#).told().len(), 1);
}

#[test]
fn an_answer_without_traces_is_empty_and_anything_else_a_problem() {
    assert!(kept(r#"{"data":[],"total":0,"errors":null}"#).problems.is_empty());
    for text in [r#"{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}"#, r#"{"a":1}"#] {
        assert_eq!(kept(text).told(), ["malformed: no answer of Jaeger: it has neither `data` nor `spans`"], "{text}");
    }
}

#[test]
fn a_large_answer_is_read_trace_by_trace_on_one_line_or_many() {
    let one_line = ANSWER.replace('\n', "");
    assert_eq!(lies(&one_line, true), Some(Layout::Lines));
    assert_eq!(lies(&one_line[..900], false), Some(Layout::Lists(LISTS)));
    assert_eq!(lies(ANSWER, true), Some(Layout::Values));
    assert_eq!(lies(&ANSWER[..900], false), Some(Layout::Lists(LISTS)));
    let trace = &one_line[r#"{"data":["#.len()..];
    assert_eq!(lies(&trace[..900], false), Some(Layout::Lines), "a trace alone has no list");
    assert_eq!(lies(&format!("{one_line}\n{}", &one_line[..900]), false), Some(Layout::Lines));
}
