//! What exports of Langfuse become, and what is wrong with others.

use super::*;
use crate::formats::telemetry::{Origin, Record, find};
use crate::model::SpanStatus;

/// Records as they come, and problems in words.
#[derive(Default)]
struct Taken {
    scope: String,
    spans: Vec<String>,
    problems: Vec<String>,
}

impl<'a> Sink<'a> for Taken {
    fn origin(&mut self, origin: &Origin<'a>) {
        self.scope = origin.scope.to_string();
    }

    fn record(&mut self, record: &Record<'a>) {
        let Record::Span(span) = record else { return };
        let shown = |name: &str| find(&span.attributes, name).map(Value::json).unwrap_or_default();
        let session = shown("langfuse.session.id");
        let parent = span.parent.as_deref().unwrap_or("-");
        let input = shown("langfuse.trace.input");
        let error = if span.status == SpanStatus::Error { " error" } else { "" };
        self.spans.push(format!(
            "{} {} {parent} {} {:?} {session} {input}{error} [{}]",
            span.trace, span.id, span.name, span.start_ns, self.scope
        ));
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(format!("{}: {}", problem.kind.name(), problem.message));
    }
}

fn taken(element: &str, headers: &[Option<Vec<u8>>]) -> Taken {
    let Decode::Records(reader) = Langfuse.decoder(headers).unwrap() else { panic!("records") };
    let mut taken = Taken::default();
    if let Err(problem) = reader.records(element.as_bytes(), &mut taken) {
        taken.problem(problem);
    }
    taken
}

const A: &str = r#"{"id":"a1","type":"SPAN","name":"root","startTime":"2025-01-01T00:00:00Z","traceId":"t1",
    "metadata":"{\"scope\":{\"name\":\"s\"},\"attributes\":{\"k\":\"v\"}}"}"#;
const B: &str = r#"{"id":"B2","type":"TOOL","name":"f","startTime":"2025-01-01T00:00:01Z","traceId":"t1","parentObservationId":"a1","level":"ERROR"}"#;

#[test]
fn a_trace_is_read_in_every_envelope() {
    let trace = r#""id":"t1","sessionId":"s1","input":"\"hi\"""#;
    let wrapped = taken(&format!(r#"{{"trace":{{{trace}}},"observations":[{B},{A}]}}"#), &[]);
    insta::assert_snapshot!(wrapped.spans.join("\n"), @r#"
    t1 B2 a1 f Some(1735689601000000000) "s1"  error []
    t1 a1 - root Some(1735689600000000000) "s1" "\"hi\"" [s]
    "#);
    assert_eq!(taken(&format!(r#"{{{trace},"observations":[{B},{A}]}}"#), &[]).spans, wrapped.spans);
    // One by one, with the trace read before.
    let headers = [Some(format!("{{{trace}}}").into_bytes())];
    let apart = [taken(B, &headers).spans, taken(A, &headers).spans].concat();
    assert_eq!(apart, wrapped.spans);
    assert!(wrapped.problems.is_empty());
}

#[test]
fn scores_stand_where_they_were_given() {
    let scores = r#"[{"name":"csat","value":4,"source":"API"},{"name":"tone","value":0.5,"observationId":"B2","comment":"curt"}]"#;
    let element = format!(r#"{{"trace":{{"id":"t1","scores":{scores}}},"observations":[{B},{A}]}}"#);
    struct Scores(Vec<String>);
    impl<'a> Sink<'a> for Scores {
        fn origin(&mut self, _: &Origin<'a>) {}
        fn record(&mut self, record: &Record<'a>) {
            let Record::Span(span) = record else { return };
            let scores = span.attributes.iter().filter(|(name, _)| name.contains("score"));
            self.0.extend(scores.map(|(name, value)| format!("{} {name}={}", span.name, value.json())));
        }
        fn problem(&mut self, _: Problem) {}
    }
    let mut scores = Scores(Vec::new());
    let Decode::Records(reader) = Langfuse.decoder(&[]).unwrap() else { panic!("records") };
    reader.records(element.as_bytes(), &mut scores).unwrap();
    insta::assert_snapshot!(scores.0.join("\n"), @r#"
    f langfuse.observation.score.tone.comment="curt"
    f langfuse.observation.score.tone=0.5
    root langfuse.trace.score.csat=4
    "#);
}

#[test]
fn what_cannot_be_used_is_told_and_the_rest_is_taken() {
    let observations = r#"[{"id":"","type":"SPAN","name":"nameless","startTime":"x","traceId":"t1"},"0a1b",
        {"id":"0000000000000000","traceId":"t","name":"zero"},
        {"id":"c3","traceId":"t1","type":"SPAN","name":"late","startTime":"yesterday","endTime":17}]"#;
    let element = format!(r#"{{"trace":{{"id":"t1"}},"observations":{observations}}}"#);
    let found = taken(&element, &[]);
    assert_eq!(found.spans.len(), 1, "{:?}", found.spans);
    insta::assert_snapshot!(found.problems.join("\n"), @r#"
    malformed: an observation ("nameless") whose id or trace id is missing or all zero
    malformed: an observation that is no object: the trace was exported without them
    malformed: an observation ("zero") whose id or trace id is missing or all zero
    malformed: observation `c3`: `startTime` is no time in ISO 8601: "yesterday"
    malformed: observation `c3`: `endTime` is no time in ISO 8601: 17
    "#);
    for nothing in [r#"{"trace":{"id":"t1"},"observations":[]}"#, r#"{"id":"t1"}"#, "[]", "7"] {
        let found = taken(nothing, &[]);
        assert!(found.spans.is_empty() && found.problems.len() == 1, "{nothing}");
    }
}

#[test]
fn files_are_recognised_by_their_observations() {
    let sniff = |text: &str, whole| {
        Langfuse.sniff(&Head { path: std::path::Path::new("x.json"), bytes: text.as_bytes(), whole })
    };
    let export = format!("{{\n\"trace\":{{\"id\":\"t1\",\"projectId\":\"p\"}},\"observations\":[{B}]}}");
    assert_eq!(sniff(&export, true), Some(Layout::Values));
    assert_eq!(sniff(&export, false), Some(Layout::Envelope { stream: OBSERVATIONS, headers: HEADERS }));
    assert_eq!(sniff(&format!("[{B},{B}]"), true), Some(Layout::Array));
    assert_eq!(sniff(&format!("{B}\n{B}\n"), true), Some(Layout::Lines));
    assert_eq!(sniff(r#"{"observations":[{"id":1}]}"#, true), None);
    assert_eq!(sniff(r#"{"trace":{"resourceSpans":[]}}"#, true), None);
}
