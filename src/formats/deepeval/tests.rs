//! What test runs of DeepEval become, and what is wrong with others.

use super::*;
use crate::formats::telemetry::find;

#[derive(Default)]
struct Taken {
    spans: Vec<String>,
    problems: Vec<String>,
}

impl<'a> Sink<'a> for Taken {
    fn origin(&mut self, _: &Origin<'a>) {}

    fn record(&mut self, record: &Record<'a>) {
        let Record::Span(span) = record else { return };
        let shown = |name: &str| find(&span.attributes, name).map(Value::json).unwrap_or_default();
        self.spans.push(format!(
            "{} {} {} {} {:?} {} session={} input={}",
            span.trace,
            span.id,
            span.parent.as_deref().unwrap_or("-"),
            span.name,
            span.status,
            shown("confident.span.type"),
            shown("session.id"),
            shown("confident.trace.input")
        ));
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(format!("{}: {}", problem.kind.name(), problem.message));
    }
}

fn taken(element: &str) -> Taken {
    let mut taken = Taken::default();
    if let Err(problem) = Reader.records(element.as_bytes(), &mut taken) {
        taken.problem(problem);
    }
    taken
}

#[test]
fn spans_of_all_lists_belong_to_one_trace() {
    let found = taken(
        r#"{"uuid":"t","threadId":"th","input":"hi","baseSpans":[{"uuid":"b","parentUuid":"a","name":"step","status":"SUCCESS"}],
        "agentSpans":[{"uuid":"a","name":"desk","type":"agent","status":"SUCCESS"}],
        "toolSpans":[{"uuid":"c","parentUuid":"b","name":"f","status":"ERRORED"},{"uuid":"d","parentUuid":"b","name":"g","error":"no"}]}"#,
    );
    insta::assert_snapshot!(found.spans.join("\n"), @r#"
    t a - desk Ok "agent" session="th" input="hi"
    t b a step Ok "base" session="th" input=
    t c b f Error "tool" session="th" input=
    t d b g Error "tool" session="th" input=
    "#);
    assert!(found.problems.is_empty());
}

#[test]
fn what_cannot_be_used_is_told_and_the_rest_is_taken() {
    let found = taken(
        r#"{"uuid":"t","llmSpans":[{"name":"nameless"},7,{"uuid":"0000","name":"zero"},{"uuid":"a","name":"late","startTime":0}]}"#,
    );
    assert_eq!(found.spans.len(), 1);
    insta::assert_snapshot!(found.problems.join("\n"), @r#"
    malformed: a span ("nameless") whose uuid, or its trace's, is missing or all zero
    malformed: `llmSpans`: a span that is no object
    malformed: a span ("zero") whose uuid, or its trace's, is missing or all zero
    malformed: span `a`: `startTime` is no time in ISO 8601: 0
    "#);
    for nothing in [r#"{"uuid":"t","llmSpans":[]}"#, r#"{"uuid":"t"}"#, "[]"] {
        let found = taken(nothing);
        assert!(found.spans.is_empty() && found.problems.len() == 1, "{nothing}");
    }
}
