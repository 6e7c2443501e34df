//! What sessions of ADK become, in both spellings, and what is refused.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::model::{SpanKind, SpanStatus};

fn decode(text: &str) -> Result<Session<'_>, Problem> {
    SessionDecoder.decode(text.as_bytes(), 0, "a.session")
}

fn event(author: &str, time: f64, parts: serde_json::Value) -> serde_json::Value {
    json!({"author": author, "invocation_id": "i", "id": "e", "timestamp": time, "content": {"parts": parts, "role": "x"},
        "actions": {"state_delta": {}, "artifact_delta": {}}})
}

fn session(events: &[serde_json::Value]) -> String {
    json!({"id": "s", "app_name": "harbour", "user_id": "u", "state": {"case": "berth", "n": 2, "deep": {"a": 1}},
        "events": events, "last_update_time": 9.5})
    .to_string()
}

/// Name, arguments, result and status of every call.
fn calls(session: &Session<'_>) -> Vec<(String, String, Option<String>, SpanStatus)> {
    let text = |p: &crate::model::Payload<'_>| p.as_str().to_owned();
    let call = |(_, s): (usize, &crate::model::Span<'_>)| {
        (s.name.to_string(), s.input.as_ref().map(text).unwrap_or_default(), s.output.as_ref().map(text), s.status)
    };
    session.tool_calls().map(call).collect()
}

#[test]
fn a_session_has_turns_calls_replies_and_what_surrounds_them() {
    let text = session(&[
        event("user", 1741218414.968405, json!([{"text": "Is berth 4 free?"}])),
        event(
            "desk",
            1741218415.5,
            json!([{"text": "Let me look."},
            {"function_call": {"id": "c1", "name": "berth", "args": {"n": 4}}}]),
        ),
        event(
            "desk",
            1741218416.0,
            json!([{"function_response": {"id": "c1", "name": "berth", "response": {"free": true}}}]),
        ),
        event("pilot", 1741218417.0, json!([{"thought": true, "text": "hm"}, {"text": "It is"}, {"text": "free."}])),
        event("user", 1741218420.0, json!([{"text": "Thanks"}])),
    ]);
    let s = decode(&text).unwrap();
    assert_eq!((s.id.as_str(), s.agent.as_deref(), s.user.as_deref()), ("s", Some("harbour"), Some("u")));
    assert_eq!(s.start_ns, Some(1_741_218_414_968_405_000), "not through a float");
    assert_eq!((s.end_ns, s.turns[0].end_ns), (None, None), "when an answer was complete is not recorded");
    assert_eq!(s.turns.len(), 2);
    assert_eq!(s.turns[0].user.as_deref(), Some("Is berth 4 free?"));
    assert_eq!(s.turns[0].reply.as_deref(), Some("It is\nfree."));
    assert_eq!(s.turns[1].reply, None);
    assert_eq!(calls(&s), [("berth".into(), r#"{"n":4}"#.into(), Some(r#"{"free":true}"#.into()), SpanStatus::Ok)]);
    let agents: Vec<_> = s.spans().map(|s| (s.kind, s.agent.as_deref().unwrap())).collect();
    assert_eq!(agents, [(SpanKind::Llm, "desk"), (SpanKind::Tool, "desk"), (SpanKind::Llm, "pilot")]);
    assert_eq!(s.state.as_ref().unwrap().json().unwrap()["deep"]["a"], 1);
    let attributes: Vec<_> = s.attributes.0.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(attributes, [("last_update_time", "9.5"), ("state.case", "berth"), ("state.n", "2")]);
    assert!(s.events.is_empty() && s.failure.is_none() && !s.incomplete);
}

#[test]
fn camel_case_is_the_same_session() {
    let snake = r#"{"id":"s","app_name":"h","user_id":"u","state":{},"events":[
        {"author":"user","invocation_id":"i","content":{"parts":[{"text":"q"}]},"timestamp":1.5},
        {"author":"a","invocation_id":"i","model_version":"m","finish_reason":"STOP","custom_metadata":{"k":1},
         "usage_metadata":{"prompt_token_count":7,"candidates_token_count":2,"total_token_count":9},
         "content":{"parts":[{"function_call":{"name":"f","args":{"a_b":1}}},{"executable_code":{"code":"1+1","language":"PYTHON"}},
         {"code_execution_result":{"outcome":"OUTCOME_OK","output":"2"}}]},"actions":{"state_delta":{"x_y":1}}},
        {"author":"a","content":{"parts":[{"function_response":{"name":"f","response":{"error":"no"}}}]}}]}"#;
    let camel = [
        "app_name",
        "user_id",
        "invocation_id",
        "model_version",
        "finish_reason",
        "custom_metadata",
        "usage_metadata",
        "prompt_token_count",
        "candidates_token_count",
        "total_token_count",
        "function_call",
        "executable_code",
        "code_execution_result",
        "function_response",
        "state_delta",
    ]
    .iter()
    .fold(snake.to_owned(), |text, key| {
        let mut parts = key.split('_');
        let first = parts.next().unwrap().to_owned();
        let rest = parts.map(|p| p[..1].to_uppercase() + &p[1..]);
        text.replace(&format!("\"{key}\""), &format!("\"{}\"", first + &rest.collect::<String>()))
    });
    assert!(camel.contains("\"usageMetadata\"") && camel.contains("\"a_b\""), "{camel}");
    let (one, two) = (decode(snake).unwrap(), decode(&camel).unwrap());
    assert_eq!(crate::model::digest::session(&one), crate::model::digest::session(&two));
    let model = one.spans().next().unwrap();
    assert_eq!(model.usage.unwrap().output, Some(2));
    assert_eq!((model.model.as_deref(), model.status), (Some("m"), SpanStatus::Ok));
    assert!(model.output.as_ref().unwrap().is_null(), "it only called");
    assert_eq!(calls(&one).len(), 1, "code that the model ran is no tool call");
    assert_eq!(one.spans().filter(|s| s.kind == SpanKind::Other && s.output.is_some()).count(), 1);
    assert_eq!(one.events[0].name, "state_delta");
    assert_eq!(one.events[0].attributes.get("value").unwrap().as_str(), r#"{"x_y":1}"#);
}

#[test]
fn calls_without_ids_are_paired_by_name_and_order() {
    let text = session(&[
        event("user", 1.0, json!([{"text": "q"}])),
        event(
            "a",
            2.0,
            json!([{"function_call": {"id": null, "name": "f", "args": {"n": 1}}},
            {"function_call": {"name": "g"}}, {"function_call": {"name": "f", "args": {"n": 2}}}]),
        ),
        event(
            "a",
            3.0,
            json!([{"function_response": {"name": "g", "response": {"r": "g"}}},
            {"function_response": {"name": "f", "response": {"r": 1}}}, {"function_response": {"name": "f", "response": {"r": 2}}}]),
        ),
    ]);
    let found: Vec<_> = calls(&decode(&text).unwrap()).into_iter().map(|c| (c.0, c.1, c.2.unwrap())).collect();
    let expected = [("f", r#"{"n":1}"#, r#"{"r":1}"#), ("g", "{}", r#"{"r":"g"}"#), ("f", r#"{"n":2}"#, r#"{"r":2}"#)];
    assert_eq!(found, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
}

#[test]
fn a_response_that_says_error_is_a_tool_error() {
    let status = |response: serde_json::Value| {
        let text = session(&[
            event("user", 1.0, json!([{"text": "q"}])),
            event("a", 2.0, json!([{"function_call": {"name": "f"}}])),
            event("a", 3.0, json!([{"function_response": {"name": "f", "response": response}}])),
        ]);
        calls(&decode(&text).unwrap())[0].3
    };
    for response in
        [json!({"error": "x"}), json!({"error": {"code": 4}}), json!({"status": "error"}), json!({"isError": true})]
    {
        assert_eq!(status(response.clone()), SpanStatus::Error, "{response}");
    }
    for response in [
        json!({"error": null}),
        json!({"error": ""}),
        json!({"status": "ok"}),
        json!({"isError": false}),
        json!("error"),
    ] {
        assert_eq!(status(response.clone()), SpanStatus::Ok, "{response}");
    }
}

#[test]
fn an_error_of_the_model_is_one_and_says_why() {
    let mut failed = event("a", 2.0, json!(null));
    failed["error_code"] = "MALFORMED_FUNCTION_CALL".into();
    failed["error_message"] = "no such tool".into();
    let text = session(&[event("user", 1.0, json!([{"text": "q"}])), failed]);
    let s = decode(&text).unwrap();
    let span = s.spans().next().unwrap();
    assert_eq!((span.status, span.status_message.as_deref()), (SpanStatus::Error, Some("no such tool")));
    assert_eq!(span.attributes.get("error_code").unwrap().as_str(), "MALFORMED_FUNCTION_CALL");
    assert_eq!(s.turns[0].reply, None);
}

#[test]
fn what_is_no_request_starts_no_turn() {
    let mut delta = event("user", 2.0, json!(null));
    delta["actions"] = json!({"state_delta": {"a": 1}, "escalate": false, "transfer_to_agent": null});
    let text = session(&[
        event("user", 1.0, json!([{"text": "book"}])),
        event("a", 2.0, json!([{"function_call": {"id": "1", "name": "ask"}}])),
        delta,
        event("user", 3.0, json!([{"function_response": {"id": "1", "name": "ask", "response": {"ok": true}}}])),
        event("user", 4.0, json!([{"inline_data": {"data": "AA==", "mime_type": "image/png"}}])),
    ]);
    let s = decode(&text).unwrap();
    assert_eq!(s.turns.len(), 2);
    assert_eq!(calls(&s)[0].2.as_deref(), Some(r#"{"ok":true}"#));
    assert_eq!((s.turns[1].user.as_deref(), s.turns[1].attributes.get("attachments").unwrap().as_str()), (None, "1"));
    assert_eq!(s.events.len(), 1);
}

#[test]
fn pieces_of_a_stream_are_not_read_twice_and_a_cut_stream_is_incomplete() {
    let mut piece = event("a", 2.0, json!([{"text": "It"}]));
    piece["partial"] = true.into();
    let (user, whole) = (event("user", 1.0, json!([{"text": "q"}])), event("a", 3.0, json!([{"text": "It is."}])));
    let text = session(&[user.clone(), piece.clone(), whole]);
    let s = decode(&text).unwrap();
    assert_eq!((s.spans().count(), s.incomplete), (1, false));
    let text = session(&[user, piece]);
    assert!(decode(&text).unwrap().incomplete);
}

#[test]
fn speech_is_read_once_it_is_complete() {
    let said =
        |author: &str, key: &str, done: bool| json!({"author": author, key: {"text": "hello", "finished": done}});
    let text = session(&[
        said("user", "inputTranscription", false),
        said("user", "inputTranscription", true),
        said("a", "output_transcription", true),
    ]);
    let s = decode(&text).unwrap();
    assert_eq!(s.turns.len(), 1);
    assert_eq!((s.turns[0].user.as_deref(), s.turns[0].reply.as_deref()), (Some("hello"), Some("hello")));
}

#[test]
fn a_session_without_events_says_nothing_about_the_agent() {
    let text = session(&[]);
    assert_eq!(decode(&text).unwrap().failure.unwrap().kind, "no_transcript");
    assert!(decode(r#"{"id":"s","app_name":"a","user_id":"u"}"#).unwrap_err().message.contains("without `events`"));
    assert_eq!(decode(r#"{"events":[{"author":"a","content":{"parts":[{"text":"x"}]}}]}"#).unwrap().id, "a");
    let nameless = r#"{"events":[{"author":"a","content":{"parts":[{"function_call":{"args":{}}}]}}]}"#;
    assert_eq!(decode(nameless).unwrap_err().message, "a function call without a name");
}

const EVAL_SETS: [&str; 4] = [
    r#"{"eval_set_id":"x","name":"x","eval_cases":[{"eval_id":"a","conversation":[]}]}"#,
    r#"{"evalSetId":"x","evalCases":[]}"#,
    r#"[{"query":"q","expected_tool_use":[],"reference":"a"}]"#,
    "[\n{\"name\":\"n\",\"data\":[{\"query\":\"q\",\"expected_tool_use\":[]}]}]",
];

#[test]
fn an_eval_set_is_refused_with_the_word_that_helps() {
    for text in EVAL_SETS {
        let head = Head { path: Path::new("x.evalset.json"), bytes: text.as_bytes(), whole: true };
        assert_eq!((Adk.sniff(&head), Adk.layout(&head)), (Some(Layout::Values), Layout::Values), "{text}");
        let problem = decode(text).unwrap_err();
        assert!(problem.message.contains("`cases = \"FILE\"`"), "{problem:?}");
    }
}

#[test]
fn files_are_recognised_by_their_events_or_by_what_comes_before_a_long_state() {
    let sniff = |text: &str, whole| Adk.sniff(&Head { path: Path::new("x"), bytes: text.as_bytes(), whole });
    let line = session(&[event("user", 1.0, json!([{"text": "q"}]))]);
    assert_eq!(sniff(&line, true), Some(Layout::Lines));
    assert_eq!(sniff(&format!("[{line},{line}]"), true), Some(Layout::Array));
    assert_eq!(
        sniff("{\n \"id\": \"s\",\n \"appName\": \"a\",\n \"userId\": \"u\",\n \"state\": {\"long", false),
        Some(Layout::Values)
    );
    for other in
        [r#"{"events":[{"name":"x"}]}"#, r#"{"events":[]}"#, r#"[{"query":"q","reference":"a"}]"#, r#"{"criteria":{}}"#]
    {
        assert_eq!(sniff(other, true), None, "{other}");
    }
}

#[test]
fn times_are_seconds_or_iso_and_what_does_not_fit_is_no_time() {
    use crate::model::Payload;
    let of = |json: &'static str| event::seconds_ns(&Payload::from_raw(serde_json::from_str(json).unwrap()).unwrap());
    assert_eq!(of("1734292270.899412"), Some(1_734_292_270_899_412_000));
    assert_eq!(of("0"), Some(0));
    assert_eq!(of("1.1234567891234"), Some(1_123_456_789));
    assert_eq!(of("\"1970-01-01T00:00:01Z\""), Some(1_000_000_000));
    for none in ["-1.5", "1e9", "1734292270899412000000", "true", "null", "\"soon\"", "99999999999.9"] {
        assert_eq!(of(none), None, "{none}");
    }
}

#[test]
fn a_result_of_adk_eval_is_the_session_within_and_its_case() {
    let line = session(&[event("user", 1.0, json!([{"text": "q"}])), event("a", 2.0, json!([{"text": "r"}]))]);
    let result = format!(
        r#"{{"eval_set_id":"x","eval_id":"berth","final_eval_status":1,"session_id":"s","user_id":"u",
        "eval_metric_result_per_invocation":[{{"actual_invocation":{{}}}}],"session_details":{line}}}"#
    );
    let s = decode(&result).unwrap();
    assert_eq!((s.id.as_str(), s.case.as_deref(), s.agent.as_deref()), ("s", Some("berth"), Some("harbour")));
    assert_eq!((s.turns.len(), s.turns[0].reply.as_deref()), (1, Some("r")));
    assert_eq!(s.attributes.get("final_eval_status").unwrap().as_str(), "1");
    assert!(s.attributes.get("eval_metric_result_per_invocation").is_none());
    let lost = r#"{"eval_id":"berth","session_id":"s","session_details":null}"#;
    let s = decode(lost).unwrap();
    assert_eq!(
        (s.id.as_str(), s.case.as_deref(), s.failure.unwrap().kind.as_str()),
        ("s", Some("berth"), "no_transcript")
    );
    for key in ["eval_case_results", "evalCaseResults"] {
        let file = format!("{{\n\"eval_set_result_id\":\"r\",\"{key}\":[{result}]}}");
        let head = Head { path: Path::new("r.evalset_result.json"), bytes: file.as_bytes(), whole: true };
        assert_eq!(Adk.sniff(&head), Some(Layout::Envelope { stream: key, headers: &[] }));
    }
    let nested = format!("{}{}", r#"{"session_details":"#.repeat(100_000), "}".repeat(100_000));
    assert_eq!(decode(&nested).unwrap_err().kind, LeftOut::TooDeep);
}
