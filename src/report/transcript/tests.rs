//! What a transcript shows, of friendly and of hostile sessions.

use proptest::prelude::*;

use super::*;

const TIMED: &str = r#"{"id":"s-1","case":"cancel","trial":"2","agent":"airline","version":"1.4.2","tags":["refund"],
"start_ns":1700000000000000000,"end_ns":1700000004500000000,"reward":0.5,"turns":[
{"user":"I want to cancel reservation EHGLP3, which I booked yesterday evening for my whole family, please.","start_ns":1700000000000000000,"end_ns":1700000004500000000,"ttft_ns":350000000,"spans":[
{"id":"a","kind":"agent","name":"airline","start_ns":1700000000000000000,"end_ns":1700000004500000000},
{"id":"b","parent":"a","kind":"llm","name":"chat","model":"m","start_ns":1700000000000000000,"end_ns":1700000001000000000,"usage":{"input":1200,"output":34}},
{"id":"c","parent":"a","kind":"tool","name":"get_reservation","start_ns":1700000001000000000,"end_ns":1700000001500000000,"status":"error","status_message":"no such reservation","input":{"id":"EHGLP3"},"output":"Error: not found"},
{"id":"d","parent":"a","kind":"llm","name":"chat","start_ns":1700000001500000000,"end_ns":1700000004500000000,"output":"I could not find it."}],
"reply":"I could not find it."}],
"reference":{"tools":[{"name":"get_reservation","args":{"id":"EHGLP3"}}]}}"#;

fn load(json: &str) -> Session<'_> {
    serde_json::from_str(json).unwrap()
}

#[test]
fn draws_header_conversation_and_waterfall() {
    insta::assert_snapshot!(session(&load(TIMED), &View::new(72, false)), @r#"
    s-1
    case      cancel, trial 2
    agent     airline 1.4.2
    tags      refund
    time      2023-11-14T22:13:20.000Z, took 4.50s
    size      1 turn, 1 tool call (1 failed)
    tokens    1,200 in, 34 out (of 1 of 2 model calls)
    reward    0.5

    turn 1  4.50s  first token after 350ms
      user   I want to cancel reservation EHGLP3, which I booked yesterday
             evening for my whole family, please.
      tool get_reservation  500ms  error
        -> {"id":"EHGLP3"}
        <- Error: not found
        error: no such reservation
      reply  I could not find it.

      expected of the session
        call get_reservation {"id":"EHGLP3"}

    waterfall  4.50s
    agent airline               4.50s █████████████████████████
      llm chat                  1.00s █████ 1,200+34 tok
      tool get_reservation      500ms      ███ error
      llm chat                  3.00s         █████████████████
    "#);
}

#[test]
fn without_times_there_is_no_waterfall_and_nothing_is_made_up() {
    let text = session(
        &load(r#"{"id":"s","turns":[{"user":"hi","spans":[{"kind":"llm","name":"m"}]}]}"#),
        &View::new(72, false),
    );
    insta::assert_snapshot!(text, @r"
    s
    size      1 turn, 0 tool calls

    turn 1
      user   hi
      no reply recorded
    ");
    let asked = View { waterfall: Some(true), ..View::new(72, false) };
    assert!(session(&load(r#"{"id":"s"}"#), &asked).contains("no waterfall"));
}

/// A trace of two turns, a minute apart: a server around an agent around a model that fails the second time.
const TRACE: &str = r#"{"id":"s","agent":"a","turns":[
{"user":"hi","reply":"hello","spans":[
{"id":"1","kind":"other","name":"POST /chat","start_ns":1000000000,"end_ns":2000000000},
{"id":"2","parent":"1","kind":"agent","name":"invoke_agent a","agent":"a","start_ns":1000000000,"end_ns":2000000000,"input":"[\"hi\"]","output":"hello\n"},
{"id":"4","parent":"2","kind":"tool","name":"f","start_ns":1800000000,"end_ns":1900000000},
{"id":"3","parent":"2","kind":"llm","name":"chat","agent":"a","start_ns":900000000,"end_ns":1500000000,"ttft_ns":400000000,"output":"hello"}]},
{"user":"and?","spans":[
{"id":"5","kind":"other","name":"POST /chat","start_ns":62000000000,"end_ns":63000000000,"status":"error","status_message":"refused"},
{"id":"6","parent":"5","kind":"agent","name":"b","agent":"b","start_ns":62000000000,"end_ns":63000000000,"status":"error","status_message":"refused"},
{"id":"7","parent":"6","kind":"llm","name":"chat","agent":"b","start_ns":62000000000,"end_ns":63000000000,"status":"error","status_message":"refused","input":"[]"}]}]}"#;

#[test]
fn of_a_trace_the_conversation_tells_what_is_news_and_the_waterfall_everything() {
    insta::assert_snapshot!(session(&load(TRACE), &View::new(72, false)), @r"
    s
    agent     a
    size      2 turns, 1 tool call

    turn 1
      user   hi
      tool f  100ms
      reply  hello

    turn 2
      user   and?
      llm chat by b  1.00s  error
        error: refused
      no reply recorded

    waterfall  2.00s, without 1m00s between turns
    POST /chat                  1.00s ████████████████
      agent a                   1.00s ████████████████
        llm chat                600ms ░░░░░░███ clock
        tool f                  100ms             ██
    POST /chat                  1.00s                 ████████████████ error
      agent b                   1.00s                 ████████████████ error
        llm chat                1.00s                 ████████████████ error
    ░ until the first token
    clock: starts before what caused it, and is drawn from that one's start
    ");
}

#[test]
fn without_a_waterfall_the_conversation_says_how_much_it_does_not_tell() {
    let view = View { waterfall: Some(false), ..View::new(72, false) };
    let text = session(&load(TRACE), &view);
    assert_eq!(text.matches("... 2 more operations (--full shows them)").count(), 2, "{text}");
    let full = session(&load(TRACE), &View { full: true, ..view });
    assert!(
        full.contains("other POST /chat") && full.contains("[\"hi\"]") && !full.contains("more operations"),
        "{full}"
    );
}

#[test]
fn a_closing_message_is_shown_and_is_no_turn() {
    let json = r#"{"id":"s","turns":[{"user":"hi","reply":"hello"},{"user":"bye ###STOP###","closing":true}]}"#;
    insta::assert_snapshot!(session(&load(json), &View::new(72, false)), @r"
    s
    size      1 turn and a closing message, 0 tool calls

    turn 1
      user   hi
      reply  hello

    closing message
      user   bye ###STOP###
      the user ended the conversation
    ");
    assert_eq!(row(&load(json)).cells[3], "1");
}

#[test]
fn long_texts_are_elided_with_their_size_unless_asked_for() {
    let long = "é".repeat(5000);
    let json = serde_json::json!({"id": "s", "turns": [{"spans": [{"kind": "tool", "name": "f", "output": long}]}]})
        .to_string();
    let short = session(&load(&json), &View::new(80, false));
    assert!(short.contains("... 9,600 more bytes (--full shows them)"), "{short}");
    let full = session(&load(&json), &View { full: true, ..View::new(80, false) });
    assert_eq!(full.matches('é').count(), 5000);
}

#[test]
fn a_row_says_what_the_recording_says() {
    assert_eq!(row(&load(TIMED)).cells, ["s-1", "cancel", "2", "1", "1", "1", "-", "4.50s", "0.5"]);
    assert_eq!(row(&load(r#"{"id":"a\u001bb\nc"}"#)).cells, [r"a\x1bb\nc", "-", "-", "0", "0", "0", "-", "-", "-"]);
}

#[test]
fn partial_token_counts_say_so() {
    let json =
        r#"{"id":"s","spans":[{"kind":"llm","name":"m","usage":{"input":5,"output":7}},{"kind":"llm","name":"m"}]}"#;
    assert_eq!(facts::tokens(&load(json)).as_deref(), Some("5 in, 7 out (of 1 of 2 model calls)"));
    assert_eq!(facts::tokens(&load(r#"{"id":"s","spans":[{"kind":"llm","name":"m"}]}"#)), None);
}

#[test]
fn colours_are_used_only_when_asked_for() {
    assert!(!session(&load(TIMED), &View::new(80, false)).contains('\x1b'));
    assert!(session(&load(TIMED), &View::new(80, true)).contains('\x1b'));
}

#[test]
fn impossible_times_and_circular_parents_are_drawn_all_the_same() {
    let json = r#"{"id":"s","start_ns":9,"end_ns":3,"spans":[
        {"id":"a","parent":"b","kind":"tool","name":"f","start_ns":18446744073709551615,"end_ns":0},
        {"id":"b","parent":"a","kind":"tool","name":"g","start_ns":0,"end_ns":18446744073709551615},
        {"kind":"tool","name":"h"},{"kind":"tool","name":"i","end_ns":5}]}"#;
    let text = session(&load(json), &View::new(0, false));
    assert!(text.contains("ends before it starts") && text.contains("end<start"), "{text}");
}

#[test]
fn json_that_was_recorded_over_several_lines_is_shown_on_one() {
    let input = "{\n  \"path\": \"a \\\" b\\\\\",\n  \"n\": [1.50,\n 2]\n}";
    assert_eq!(super::on_one_line(input), r#"{"path": "a \" b\\", "n": [1.50, 2]}"#);
    let json = format!(r#"{{"id":"s","turns":[{{"spans":[{{"kind":"tool","name":"f","input":{input}}}]}}]}}"#);
    let text = session(&load(&json), &View::new(100, false));
    assert!(text.contains(r#"    -> {"path": "a \" b\\", "n": [1.50, 2]}"#), "{text}");
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{0,60}", "\\PC{0,30}", any::<String>(), "[\\x00-\\x1f\u{202e}\u{200b}\u{9b}a東]{0,20}"]
}

proptest! {
    #[test]
    fn nothing_in_a_session_reaches_the_terminal_unescaped(texts in prop::collection::vec(words(), 9), width in 0usize..120) {
        let t = |i: usize| texts[i].clone();
        let json = serde_json::json!({"id": t(0), "case": t(1), "agent": t(2), "tags": [t(3)], "instructions": t(4),
            "failure": {"kind": t(1), "message": t(2)},
            "turns": [{"user": t(5), "reply": t(6), "spans": [
                {"kind": "tool", "name": t(7), "agent": t(8), "input": {t(0): t(1)}, "output": t(2), "status": "error",
                 "status_message": t(3), "start_ns": 1, "end_ns": 2}],
                "reference": {"tools": [{"name": t(4), "args": {}}], "facts": [t(5)], "answer": t(6), "state": {t(0): t(7)}}}]}).to_string();
        let session = load(&json);
        for full in [false, true] {
            let text = super::session(&session, &View { full, ..View::new(width, false) });
            for line in text.split('\n') {
                prop_assert_eq!(safe::line(line), line);
            }
        }
    }

    #[test]
    fn wrapping_keeps_every_word_and_the_width(text in "[a-zé東 \n]{0,300}", columns in 10usize..60) {
        let lines = layout::wrapped(&text, columns);
        prop_assert!(lines.iter().all(|l| layout::width(l) <= columns));
        let squeezed = |s: &str| s.split_whitespace().collect::<String>();
        prop_assert_eq!(squeezed(&lines.concat()), squeezed(&text));
    }
}
