//! Exports of platforms that are wrong in places: each thing is a counted, named problem, and the rest is read.

use serde_json::{Value, json};

use crate::project::{Project, Said};

fn observation(id: &str, more: &Value) -> Value {
    let mut row = json!({
        "id": id, "traceId": "0af7651916cd43dd8448eb211c80319c", "type": "GENERATION", "name": "chat", "level": "DEFAULT",
        "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:00:01Z",
        "input": [{ "role": "user", "content": "q" }], "output": "a", "usageDetails": { "input": 3, "output": 2 },
    });
    for (key, value) in more.as_object().expect("columns") {
        row[key] = value.clone();
    }
    row
}

/// What is imported of observations in one trace.
fn langfuse(observations: &[Value]) -> (Said, Vec<Value>) {
    let export = json!({ "trace": { "id": "0af7651916cd43dd8448eb211c80319c", "sessionId": "s" }, "observations": observations });
    imported(&export.to_string())
}

fn deepeval(spans: &[Value]) -> (Said, Vec<Value>) {
    imported(&json!({ "uuid": "t", "threadId": "s", "llmSpans": spans, "toolSpans": [] }).to_string())
}

fn imported(text: &str) -> (Said, Vec<Value>) {
    let project = Project::new();
    project.file("x.json", text);
    let said = project.seatrial(&["import", "x.json"]);
    let sessions = said.out.lines().map(|l| serde_json::from_str(l).expect("a session")).collect();
    (said, sessions)
}

fn spans(sessions: &[Value]) -> Vec<Value> {
    let turns = sessions.iter().flat_map(|s| s["turns"].as_array().expect("turns").clone());
    turns.flat_map(|t| t["spans"].as_array().cloned().unwrap_or_default()).collect()
}

#[test]
fn one_id_has_one_form_and_one_of_zeros_names_nothing() {
    let (said, sessions) = langfuse(&[
        observation("00F067AA0BA902B7", &json!({ "type": "AGENT" })),
        observation("APBnqgupArg=", &json!({ "parentObservationId": "00f067aa0ba902b7" })),
        observation("0000000000000000", &json!({ "name": "zero" })),
        observation("", &json!({ "name": "none" })),
    ]);
    let said = said.code(4).complains("an observation (\"zero\") whose id or trace id is missing or all zero");
    said.complains("an observation (\"none\") whose id");
    let spans = spans(&sessions);
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[0]["id"], "00f067aa0ba902b7");
    assert_eq!((&spans[1]["id"], &spans[1]["parent"]), (&json!("00f067aa0ba902b8"), &json!("00f067aa0ba902b7")));
}

#[test]
fn numbers_as_texts_are_numbers_and_what_is_no_number_is_absent() {
    let (said, sessions) = langfuse(&[
        observation(
            "a1",
            &json!({ "usageDetails": { "input": "12", "output": "3" }, "costDetails": { "total": "0.5" } }),
        ),
        observation(
            "a2",
            &json!({ "usageDetails": { "input": -1, "output": "many" }, "costDetails": "free", "name": 7 }),
        ),
    ]);
    said.code(0);
    let spans = spans(&sessions);
    assert_eq!(spans[0]["usage"], json!({ "input": 12, "output": 3 }));
    assert_eq!(spans[0]["cost_usd"], json!(0.5));
    assert_eq!((&spans[1]["usage"], &spans[1]["cost_usd"]), (&Value::Null, &Value::Null), "never a zero");
    assert_eq!(spans[1]["name"], "7");
    let (said, sessions) =
        deepeval(&[json!({ "uuid": "a", "name": "m", "inputTokenCount": "5", "outputTokenCount": 2.5,
        "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:00:01Z", "output": "x" })]);
    said.code(0);
    assert_eq!(crate::exports::spans(&sessions)[0]["usage"], json!({ "input": 5 }), "half a token is none");
}

#[test]
fn a_time_that_is_none_is_named_and_the_span_has_no_duration() {
    let times = [("x", json!("soon")), ("y", json!(1_700_000_000)), ("z", json!("99999-01-01T00:00:00Z"))];
    for (id, time) in times {
        let (said, sessions) = langfuse(&[observation(id, &json!({ "startTime": time }))]);
        said.code(4).complains(&format!("observation `{id}`: `startTime` is no time in ISO 8601"));
        assert_eq!(spans(&sessions)[0].get("start_ns"), None);
    }
    let (said, sessions) = langfuse(&[observation("e", &json!({ "startTime": "1970-01-01T00:00:00Z" }))]);
    said.code(0);
    assert_eq!(spans(&sessions)[0].get("start_ns"), None, "a time that was never set");
    let (said, _) =
        deepeval(&[json!({ "uuid": "a", "name": "m", "startTime": 9_007_199_254_740_993u64, "endTime": true })]);
    let said = said.code(4).complains("span `a`: `startTime` is no time in ISO 8601: 9007199254740993");
    said.complains("span `a`: `endTime` is no time in ISO 8601: true");
}

#[test]
fn a_span_that_is_its_own_ancestor_and_thousands_without_a_root_are_read() {
    let own = observation("a1", &json!({ "parentObservationId": "a1" }));
    let (said, sessions) = langfuse(&[own]);
    said.code(0);
    assert!(sessions[0]["notes"][0].as_str().expect("a note").contains("their own ancestors"), "{sessions:?}");
    let cycle = [
        observation("a1", &json!({ "parentObservationId": "a2" })),
        observation("a2", &json!({ "parentObservationId": "a1" })),
    ];
    langfuse(&cycle).0.code(0);
    let dangling: Vec<Value> = (0..10_000)
        .map(|i| {
            json!({ "uuid": format!("n{i}"), "name": "m", "parentUuid": "nowhere", "output": "x",
            "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:00:01Z" })
        })
        .collect();
    let (said, sessions) = deepeval(&dangling);
    said.code(0);
    assert_eq!(spans(&sessions).len(), 10_000);
}

#[test]
fn one_span_beyond_the_limit_is_left_out_by_name_and_its_neighbours_are_read() {
    let project = Project::new();
    project.file("seatrial.toml", "max_session_bytes = \"64KiB\"\n");
    let large = observation("big", &json!({ "input": "x".repeat(200 << 10) }));
    let small = observation("small", &json!({}));
    project.file("x.jsonl", format!("{small}\n{large}\n"));
    let said = project.seatrial(&["import", "x.jsonl"]).code(4).says("\"small\"");
    said.complains("too_large");
    // Over many lines the observations are read one by one.
    let text = format!(
        "{{\n\"trace\": {{\"id\": \"t\", \"projectId\": \"p\"}},\n\"observations\": [\n{small},\n{large}\n]\n}}\n"
    );
    project.file("y.json", text);
    let said = project.seatrial(&["import", "y.json"]).code(4).says("\"small\"");
    said.complains("too_large");
}

#[test]
fn cut_off_or_repeated_or_nested_without_end_it_is_a_problem_and_never_a_pass() {
    let whole = json!({ "uuid": "t", "llmSpans": [{ "uuid": "a", "name": "m" }] }).to_string();
    imported(&whole[..whole.len() - 4]).0.code(4).complains("truncated");
    let deep =
        format!(r#"{{"uuid":"t","llmSpans":[{{"uuid":"a","input":{}{}}}]}}"#, "[".repeat(5000), "]".repeat(5000));
    imported(&deep).0.code(4).complains("too_deep");
    let twice = r#"{"uuid":"t","llmSpans":[{"uuid":"a","name":"x","name":"m","output":"one","output":"two",
        "startTime":"2026-01-01T00:00:00Z","endTime":"2026-01-01T00:00:01Z"}]}"#;
    let (said, sessions) = imported(twice);
    said.code(0);
    assert_eq!((&spans(&sessions)[0]["name"], &spans(&sessions)[0]["output"]), (&json!("m"), &json!("two")));
    imported(r#"{"trace":{"id":"t","projectId":"p"},"observations":[]}"#)
        .0
        .code(4)
        .complains("a trace (t) without observations");
    imported(r#"{"trace":{"id":"t","projectId":"p"},"observations":["a","b"]}"#).0.code(4).complains("without them");
    let bytes = [&b"{\"uuid\":\"t\",\"llmSpans\":[{\"uuid\":\""[..], &[0xff, 0xfe], b"\"}]}"].concat();
    let project = Project::new();
    project.file("x.json", bytes);
    project.seatrial(&["import", "x.json"]).code(4).complains("malformed");
}
