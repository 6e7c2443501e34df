//! Documents, and everything that is put around them.

use std::path::Path;

use super::*;
use crate::formats::otlp::testing::Kept;
use crate::model::SpanStatus;

const SPAN: &str = r#"{"resource":{"attributes":{"service.name":"a.DEFAULT"}},"scope":{"name":"strands.telemetry.tracer","version":""},
    "traceId":"691bb6a875f4b80435ad36816864e7c2","spanId":"44349ec6bd7b02e3","parentSpanId":"4faebad135adfdaa","flags":768,
    "name":"chat","kind":"CLIENT","startTimeUnixNano":1763423912171758991,"endTimeUnixNano":1763423917517663228,"durationNano":5,
    "attributes":{"session.id":"s-1","gen_ai.usage.input_tokens":12,"http.ok":true,"ratio":0.5,"list":["a",1]},
    "status":{"code":"ERROR","message":"m"}}"#;
const LOG: &str = r#"{"resource":{"attributes":{}},"scope":{"name":"strands.telemetry.tracer"},"timeUnixNano":0,
    "observedTimeUnixNano":1763423917517199809,"severityNumber":9,"severityText":"","body":{"input":{"messages":[{"role":"user","content":"hi"}]},
    "output":{"messages":[]}},"attributes":{"event.name":"strands.telemetry.tracer","session.id":"s-1"},"flags":1,
    "traceId":"691bb6a875f4b80435ad36816864e7c2","spanId":"44349ec6bd7b02e3"}"#;

fn kept(text: &str) -> Kept<'_> {
    let mut kept = Kept::default();
    if let Err(problem) = Reader.records(text.as_bytes(), &mut kept) {
        kept.problems.push(problem);
    }
    kept
}

/// What a text holds, a word for each record, and its problems.
fn told(text: &str) -> (String, Vec<String>) {
    let kept = kept(text);
    let word = |(_, r): &(Origin<'_>, Record<'_>)| if let Record::Span(_) = r { 's' } else { 'l' };
    (kept.records.iter().map(word).collect(), kept.told())
}

fn claimed(text: &str) -> Option<Layout> {
    AgentCore.sniff(&Head { path: Path::new("f.json"), bytes: text.as_bytes(), whole: true })
}

#[test]
fn a_span_has_plain_attributes_and_enums_by_name() {
    let kept = kept(SPAN);
    let [(origin, Record::Span(span))] = &kept.records[..] else { panic!("{kept:?}") };
    assert_eq!((origin.scope.as_str(), origin.resource.len()), ("strands.telemetry.tracer", 1));
    assert_eq!((span.trace.as_str(), span.id.as_str()), ("691bb6a875f4b80435ad36816864e7c2", "44349ec6bd7b02e3"));
    assert_eq!((span.side as u8, span.status, span.status_message.as_deref()), (3, SpanStatus::Error, Some("m")));
    assert_eq!((span.start_ns, span.end_ns), (Some(1_763_423_912_171_758_991), Some(1_763_423_917_517_663_228)));
    let json = Value::Map(span.attributes.clone()).json();
    assert_eq!(
        json,
        r#"{"session.id":"s-1","gen_ai.usage.input_tokens":12,"http.ok":true,"ratio":0.5,"list":["a",1]}"#
    );
}

#[test]
fn a_runtime_log_is_named_by_its_attribute_and_belongs_to_its_span() {
    let kept = kept(LOG);
    let [(_, Record::Log(log))] = &kept.records[..] else { panic!("{kept:?}") };
    assert_eq!((log.name.as_str(), log.span.as_deref()), ("strands.telemetry.tracer", Some("44349ec6bd7b02e3")));
    assert_eq!(log.time_ns, Some(1_763_423_917_517_199_809));
    let body = log.body.as_ref().unwrap().json();
    assert!(body.starts_with(r#"{"input":{"messages":[{"role":"user""#), "{body}");
}

#[test]
fn whatever_is_put_around_documents_is_taken_off() {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let (span, log) = (quoted(SPAN), quoted(LOG));
    let twice = quoted(&format!(r#"{{"message":{span}}}"#));
    for (want, text) in [
        ("s", format!(r#"{{"timestamp":"2025-11-17 23:58:37.517","raw_otel_json":{SPAN}}}"#)),
        ("s", format!(r#"{{"timestamp":1,"message":{span}}}"#)),
        ("s", format!(r#"{{"@timestamp":"t","@message":{SPAN}}}"#)),
        (
            "sl",
            format!(r#"{{"events":[{{"timestamp":1,"message":{span}}},{{"message":{log}}},{{"message":"START"}}]}}"#),
        ),
        (
            "sl",
            format!(
                r#"{{"messageType":"DATA_MESSAGE","logEvents":[{{"id":"1","message":{span}}},{{"message":{log}}}]}}"#
            ),
        ),
        (
            "s",
            format!(
                r#"{{"results":[[{{"field":"@ptr","value":"{{x"}},{{"field":"@message","value":{span}}}]],"status":"Complete"}}"#
            ),
        ),
        ("sl", format!(r#"{{"evaluationInput":{{"sessionSpans":[{SPAN},{LOG}]}}}}"#)),
        ("ls", format!(r#"{{"sessionSpans":[{LOG},{SPAN}]}}"#)),
        ("sl", format!("[{SPAN},{LOG}]")),
        ("s", format!(r#"{{"message":{twice}}}"#)),
    ] {
        assert_eq!(told(&text), (want.to_owned(), vec![]), "{text}");
        if !text.contains("\\\\") {
            assert!(claimed(&text).is_some(), "{text}");
        }
    }
    assert_eq!(claimed(&format!("{}\n{}\n", SPAN.replace('\n', ""), LOG.replace('\n', ""))), Some(Layout::Lines));
    assert_eq!(claimed(&format!("[{SPAN}]")), Some(Layout::Array));
}

#[test]
fn a_span_list_of_the_tools_is_read_with_its_session_and_its_events() {
    let text = r#"{"session_id":"s-9","span_count":1,"spans":[{"trace_id":"6a74fd19607936851cc91fef1506624f","span_id":"9ba74ad8363a1acd",
        "parent_span_id":null,"name":"Bash","start_time":1786051888270252114,"end_time":1786051888526973038,"attributes":{"a":"b"},
        "scope":{"name":"x","version":"1"},"status":{"code":"OK"},
        "span_events":[{"event_name":"e","body":{"input":{}}},{"name":"plain","attributes":{"k":1}}]}]}"#;
    assert!(claimed(text).is_some());
    let kept = kept(text);
    let [(origin, Record::Span(span)), (_, Record::Log(log))] = &kept.records[..] else { panic!("{kept:?}") };
    assert_eq!(find(&origin.resource, "session.id").and_then(Value::as_str), Some("s-9"));
    assert_eq!((span.name.as_str(), span.parent.as_ref(), span.events.len()), ("Bash", None, 1));
    assert_eq!((log.name.as_str(), log.span.as_deref(), log.time_ns), ("e", Some("9ba74ad8363a1acd"), span.end_ns));
}

#[test]
fn what_is_no_document_is_a_problem_and_a_plain_line_is_none() {
    assert_eq!(told(r#"{"message":"INFO: started"}"#), (String::new(), vec![]));
    assert_eq!(told(r#"{"message":"{not json"}"#), (String::new(), vec![]));
    let problem = "malformed: a document that is neither a span nor a log record".to_owned();
    assert_eq!(told(r#"{"a":1}"#), (String::new(), vec![problem]));
    let cut = serde_json::to_string(&SPAN[..300]).unwrap();
    let (records, problems) = told(&format!(r#"{{"message":{cut}}}"#));
    assert!(records.is_empty() && problems[0].starts_with("truncated: the document in a message"), "{problems:?}");
    let zero = SPAN.replace("44349ec6bd7b02e3", "0000000000000000");
    assert_eq!(told(&zero).1.len(), 1);
    let deep = (0..7).fold(SPAN.to_owned(), |t, _| format!(r#"{{"message":{}}}"#, serde_json::to_string(&t).unwrap()));
    assert!(told(&deep).1[0].starts_with("too_deep"));
}

#[test]
fn otlp_and_documents_are_told_apart() {
    assert_eq!(claimed(r#"{"resourceSpans":[{"resource":{}}]}"#), None);
    assert_eq!(claimed(r#"{"traceId":"1","startTimeUnixNano":"1","attributes":[{"key":"a"}]}"#), None);
    assert_eq!(claimed(r#"{"events":[{"name":"a"}]}"#), None);
}
