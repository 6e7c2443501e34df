//! What was driven and what was told of it, made one.

use super::*;
use crate::assemble::live::{Draft, Key, Live};
use crate::formats::otlp::Request;
use crate::model::{SpanStatus, Usage};
use crate::receive::telemetry::TurnTelemetry;

/// An agent's turn: a root, a model that says how many tokens it used where `tokens`, a tool where `tool`.
fn heard(tokens: bool, tool: bool) -> TurnTelemetry {
    let attribute = |k: &str, v: &str| format!(r#"{{"key":"{k}","value":{{"stringValue":"{v}"}}}}"#);
    let span = |id: u8, parent: &str, attributes: &[String]| {
        format!(
            r#"{{"traceId":"{:032x}","spanId":"{id:016x}","parentSpanId":"{parent}","name":"x","startTimeUnixNano":"{id}00",
            "endTimeUnixNano":"900","attributes":[{}]}}"#,
            1,
            attributes.join(",")
        )
    };
    let op = |name: &str| attribute("gen_ai.operation.name", name);
    let root = "0000000000000001";
    let mut spans = vec![span(1, "00000000000000ff", &[op("invoke_agent"), attribute("gen_ai.agent.name", "ann")])];
    let mut chat = vec![op("chat")];
    if tokens {
        chat.push(r#"{"key":"gen_ai.usage.input_tokens","value":{"intValue":"7"}}"#.to_owned());
    }
    spans.push(span(2, root, &chat));
    if tool {
        spans.push(span(3, root, &[op("execute_tool"), attribute("gen_ai.tool.name", "look_up")]));
    }
    let text = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","));
    let (mut draft, mut live) = (Draft::default(), Live::new(std::env::temp_dir(), 1 << 20));
    draft.read(&Request, text.as_bytes(), 1, None);
    live.take(&mut draft, std::time::Instant::now(), 0, &mut |_| ()).unwrap();
    let records = live.remove(Key::trace(&format!("{:032x}", 1))).bring_back().unwrap();
    TurnTelemetry { records, complete: true, lost: false }
}

fn driven(turns: usize) -> Session<'static> {
    let reported = |kind, name: &'static str| Span { kind, name: name.into(), ..Span::default() };
    let usage = Usage { input: Some(99), ..Usage::default() };
    let turn = || Turn {
        user: Some("hi".into()),
        reply: Some("done".into()),
        spans: vec![
            Span { usage: Some(usage), ..reported(SpanKind::Llm, "reply") },
            Span { status: SpanStatus::Ok, ..reported(SpanKind::Tool, "reported") },
        ],
        start_ns: Some(1),
        end_ns: Some(5000),
        ttft_ns: Some(33),
        ..Turn::default()
    };
    Session { id: "s".into(), turns: (0..turns).map(|_| turn()).collect(), ..Session::default() }
}

fn joined(session: &mut Session<'_>, turns: Vec<TurnTelemetry>) -> Vec<Vec<String>> {
    let begun: Vec<Option<usize>> = (0..turns.len()).map(Some).collect();
    let collected = Box::leak(Box::new(Collected { listening: true, turns, ..Collected::default() }));
    // The session borrows what was collected, which outlives the test.
    let mut own: Session<'_> = session.clone();
    join(&mut own, collected, &begun);
    let names = own.turns.iter().map(|t| t.spans.iter().map(|s| s.name.to_string()).collect()).collect();
    *session = serde_json::from_str(Box::leak(serde_json::to_string(&own).unwrap().into_boxed_str())).unwrap();
    names
}

#[test]
fn what_was_recorded_takes_the_place_of_what_was_only_reported() {
    let mut session = driven(1);
    let names = joined(&mut session, vec![heard(true, true)]);
    assert_eq!(names, [["x", "x", "look_up"].map(str::to_owned)]);
    let turn = &session.turns[0];
    let from = |name| turn.attributes.get(name).map(|p| p.as_str().to_owned());
    assert_eq!(from(source::CALLS).as_deref(), Some("agent"));
    assert_eq!(from(source::USAGE).as_deref(), Some("agent"));
    assert_eq!((from(source::DURATION).as_deref(), turn.end_ns), (Some("agent"), Some(900)));
    assert_eq!((from(source::TTFT), turn.ttft_ns), (None, Some(33)), "the agent does not tell it: ours stands");
    assert_eq!((turn.user.as_deref(), turn.reply.as_deref()), (Some("hi"), Some("done")));
    assert_eq!(session.agent.as_deref(), Some("ann"));
    assert!(!session.incomplete);
}

#[test]
fn what_the_telemetry_does_not_tell_is_taken_from_the_reply() {
    let mut session = driven(1);
    let names = joined(&mut session, vec![heard(false, false)]);
    assert_eq!(names, [["reply", "reported", "x", "x"].map(str::to_owned)]);
    assert_eq!(session.turns[0].attributes.get(source::USAGE), None);
}

#[test]
fn a_turn_without_spans_beside_one_with_them_leaves_the_session_incomplete() {
    let mut session = driven(2);
    joined(&mut session, vec![heard(true, true), TurnTelemetry::default()]);
    assert!(session.incomplete);
    assert!(session.notes.iter().any(|n| n.starts_with("no span arrived for 1 turn:")), "{:?}", session.notes);
    let mut session = driven(1);
    joined(&mut session, vec![TurnTelemetry { complete: false, ..heard(true, true) }]);
    assert!(session.incomplete);
}

#[test]
fn an_agent_without_telemetry_keeps_what_it_reported_and_is_told_what_to_do() {
    let mut session = driven(1);
    let names = joined(&mut session, vec![TurnTelemetry::default()]);
    assert_eq!(names, [["reply", "reported"].map(str::to_owned)]);
    assert!(!session.incomplete && session.notes[0].contains("traceparent"), "{:?}", session.notes);
}
