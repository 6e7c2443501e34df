//! Every metric from a session, what is missing, and where values count.

use super::*;
use crate::checks::memory;
use crate::checks::system::Waiting;
use serde_json::json;

fn cell(metric: &str, by: &[&str], session: serde_json::Value) -> Cell {
    let column = Column { metric: metric.into(), of: Some("c".into()), by: by.iter().map(|b| (*b).into()).collect() };
    let text = session.to_string();
    let session: Session<'_> = serde_json::from_str(&text).unwrap();
    let tags: Vec<String> = session.tags.iter().map(ToString::to_string).collect();
    project(&column, &session, &tags, &Prices::default(), &|id| {
        (id == "c").then_some(Tally { pass: 3, fail: 1, ..Tally::default() })
    })
}

/// The samples as `group,group=values`.
fn samples(metric: &str, by: &[&str], session: serde_json::Value) -> Vec<String> {
    match cell(metric, by, session) {
        Cell::Samples(samples) => samples.iter().map(|s| format!("{}={:?}", s.group.join(","), s.values)).collect(),
        other => panic!("{other:?}"),
    }
}

fn missing(metric: &str, session: serde_json::Value) -> String {
    match cell(metric, &[], session) {
        Cell::Missing(why) => why,
        other => panic!("{metric}: {other:?}"),
    }
}

fn full() -> serde_json::Value {
    json!({"id": "s", "agent": "a", "user": "u", "tags": ["x", "y"], "rating": 4, "escalated": true,
        "attributes": {"n": 2.5, "text": "3", "first_contact_resolution": false},
        "turns": [
            {"ttft_ns": 5_000_000, "start_ns": 0, "end_ns": 30_000_000, "spans": [
                {"kind": "llm", "name": "chat", "model": "m1", "usage": {"input": 10, "output": 2}, "cost_usd": 0.1},
                {"kind": "tool", "name": "f", "status": "ok"}, {"kind": "tool", "name": "f", "status": "error"}]},
            {"ttft_ns": 7_500_000, "start_ns": 40_000_000, "spans": [
                {"kind": "llm", "name": "chat", "model": "m2", "usage": {"input": 20, "output": 3}, "cost_usd": 0.2, "end_ns": 60_000_000},
                {"kind": "tool", "name": "g", "status": "ok"}]}]})
}

#[test]
fn each_metric_is_taken_from_the_session() {
    let expected = [
        ("ttft_ms", vec!["=[5.0]", "=[7.5]"]),
        ("turn_ms", vec!["=[30.0]", "=[20.0]"]),
        ("session_ms", vec!["=[60.0]"]),
        ("tokens_in", vec!["=[30.0]"]),
        ("tokens_out", vec!["=[5.0]"]),
        ("tokens", vec!["=[35.0]"]),
        ("cost_usd", vec!["=[0.3]"]),
        ("tool_calls", vec!["=[3.0]"]),
        ("tool_errors", vec!["=[1.0]"]),
        ("turns", vec!["=[2.0]"]),
        ("memory_reads", vec!["=[1.0]"]),
        ("memory_writes", vec!["=[2.0]"]),
        ("csat", vec!["=[4.0]"]),
        ("tool_error_rate", vec!["=[1.0, 3.0]"]),
        ("escalation_rate", vec!["=[1.0, 1.0]"]),
        ("first_contact_resolution", vec!["=[0.0, 1.0]"]),
        ("detection_rate", vec!["=[1.0, 4.0]"]),
    ];
    assert_eq!(expected.len(), METRICS.len());
    let mut session = full();
    session["turns"][0]["spans"][0]["start_ns"] = json!(0);
    let memory = |name: &str| json!({"kind": "memory", "name": name});
    session["spans"] = json!([memory("search_memory"), memory("create_memory"), memory("delete_memory")]);
    for (metric, values) in expected {
        assert_eq!(samples(metric, &[], session.clone()), values, "{metric}");
    }
    assert_eq!(samples("attr:n", &[], full()), ["=[2.5]"]);
}

#[test]
fn what_is_not_recorded_is_missing_and_never_zero() {
    let bare =
        json!({"id": "s", "turns": [{"spans": [{"kind": "llm", "name": "chat"}, {"kind": "tool", "name": "f"}]}]});
    for metric in METRICS.iter().map(|m| m.name).filter(|m| !["tool_calls", "turns", "detection_rate"].contains(m)) {
        assert!(!missing(metric, bare.clone()).is_empty(), "{metric}");
    }
    assert_eq!(missing("tokens", json!({"id": "s", "turns": [{}]})), "no model call is recorded");
    assert_eq!(missing("attr:text", full()), "the attribute `text` is not a number");
    assert_eq!(missing("attr:gone", full()), "the session has no attribute `gone`");
}

#[test]
fn a_detection_that_waits_for_a_person_is_not_one_that_could_not_be_measured() {
    let column = Column { metric: "detection_rate".into(), of: Some("c".into()), by: Vec::new() };
    let session: Session<'_> = serde_json::from_str(r#"{"id":"s"}"#).unwrap();
    let cell = |tally: Tally| project(&column, &session, &[], &Prices::default(), &|_| Some(tally));
    let held = Tally { pass: 3, held: 2, ..Tally::default() };
    let why = "2 of the verdicts of `c` wait for a person".to_owned();
    let waiting = cell(held);
    assert_eq!(waiting, Cell::Waiting(Waiting { why, groups: vec![Vec::new()], subjects: Some(held) }));
    let decided = Tally { fail: held.fail + 2, held: 0, ..held };
    assert_eq!(again(&waiting, "c", &decided), cell(decided), "as if it had never waited");
    assert_eq!(again(&cell(decided), "c", &held), waiting);
    let both = cell(Tally { error: 1, ..held });
    assert_eq!(both, Cell::Missing("`c` could not be measured on 1 of its subjects".into()));
}

#[test]
fn one_value_that_is_not_recorded_makes_the_session_missing() {
    let mut session = full();
    session["turns"][1].as_object_mut().unwrap().remove("ttft_ns");
    assert_eq!(missing("ttft_ms", session), "turn 2 has no time to first token");
    let mut session = full();
    session["turns"][0]["spans"][0]["usage"] = json!({"input": 10});
    assert_eq!(missing("tokens", session), "the model call `chat` has no token counts");
}

#[test]
fn memory_operations_are_counted_only_where_a_trace_tells_what_each_does() {
    let trace = |spans: serde_json::Value| json!({"id": "s", "spans": spans});
    let none = trace(json!([{"id": "1", "kind": "llm", "name": "chat"}]));
    assert_eq!(samples("memory_reads", &["tool"], none), ["(none)=[0.0]"]);
    let unknown = trace(json!([{"kind": "memory", "name": "get"}, {"kind": "memory", "name": "memory"}]));
    assert!(missing("memory_reads", unknown.clone()).contains("`memory` reads or writes"));
    assert!(missing("memory_writes", unknown).contains("`memory` reads or writes"));
    let transcript = trace(json!([{"kind": "llm", "name": "chat"}, {"kind": "tool", "name": "search_memory"}]));
    assert_eq!(missing("memory_writes", transcript), memory::UNSEEN);
}

#[test]
fn times_that_run_backwards_are_missing() {
    assert!(!missing("session_ms", json!({"id": "s", "start_ns": 2, "end_ns": 1})).is_empty());
}

#[test]
fn nothing_to_measure_is_no_sample() {
    let idle = json!({"id": "s"});
    for metric in ["ttft_ms", "turn_ms", "tool_error_rate"] {
        assert!(samples(metric, &[], idle.clone()).is_empty(), "{metric}");
    }
    assert_eq!(samples("tool_calls", &[], idle), ["=[0.0]"]);
}

#[test]
fn sums_over_calls_are_split_by_what_the_calls_carry() {
    assert_eq!(samples("tokens", &["model"], full()), ["m1=[12.0]", "m2=[23.0]"]);
    assert_eq!(samples("tool_calls", &["tool"], full()), ["f=[2.0]", "g=[1.0]"]);
    assert_eq!(samples("tool_error_rate", &["tool"], full()), ["f=[1.0, 2.0]", "g=[0.0, 1.0]"]);
    assert_eq!(samples("tool_error_rate", &["agent", "tool"], full()), ["a,f=[1.0, 2.0]", "a,g=[0.0, 1.0]"]);
}

#[test]
fn other_values_count_in_every_group_of_their_session_or_turn() {
    assert_eq!(samples("csat", &["agent"], full()), ["a=[4.0]"]);
    assert_eq!(samples("csat", &["user"], full()), ["u=[4.0]"]);
    assert_eq!(samples("csat", &["tag"], full()), ["x=[4.0]", "y=[4.0]"]);
    assert_eq!(samples("csat", &["flow"], full()), ["f > f > g=[4.0]"]);
    assert_eq!(samples("csat", &["day"], full()), ["1970-01-01=[4.0]"]);
    assert_eq!(samples("csat", &["attr:text"], full()), ["3=[4.0]"]);
    assert_eq!(samples("csat", &["tool", "tag"], full()).len(), 4);
    assert_eq!(samples("ttft_ms", &["model"], full()), ["m1=[5.0]", "m2=[7.5]"]);
}

#[test]
fn a_missing_group_is_a_group_of_its_own() {
    let bare = json!({"id": "s", "rating": 1});
    for by in ["agent", "model", "user", "tool", "flow", "tag", "day", "attr:x"] {
        assert_eq!(samples("csat", &[by], bare.clone()), ["(none)=[1.0]"], "{by}");
    }
}

#[test]
fn a_session_in_countless_groups_is_refused() {
    let tags: Vec<String> = (0..2000).map(|i| i.to_string()).collect();
    assert!(matches!(cell("csat", &["tag"], json!({"id": "s", "rating": 1, "tags": tags})), Cell::Missing(_)));
}

#[test]
fn unknown_names_get_the_nearest_one() {
    let (message, help) = shape("tfft_ms").unwrap_err();
    assert_eq!(message, "unknown metric `tfft_ms`");
    assert!(help.unwrap().starts_with("did you mean `ttft_ms`?"));
    assert!(shape("attr:").is_err() && shape("attr:x").is_ok());
    assert!(group("agents").unwrap_err().1.unwrap().starts_with("did you mean `agent`?"));
    assert!(group("attr:").is_err() && group("attr:x").is_ok());
}
