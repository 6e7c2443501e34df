//! What a drain does at its end: nothing more is expected, so windows are settled, and whoever is told of them is told.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::outside::backend;
use crate::project::{Project, Said};

const SUITE: &str = r#"
[[turn]]
id = "says"
check = "contains"
value = "ok"

[[system]]
id = "most-are-well"
check = "pass_rate"
of = "says"
min = 0.9

[watch]
every = "1m"

[[alert]]
name = "says-no"
kind = "threshold"
of = "says"
max = 0.5
min_count = 1
"#;

const MINUTE: i64 = 60_000;

/// A project whose alerts are told to a backend that refuses the first so many, and when the running minute began.
fn project(refuse: usize) -> (Project, Receiver<Value>, i64) {
    let project = Project::with(SUITE, &["{}"]);
    let (url, told) = backend(refuse);
    project.file("seatrial.toml", format!("[notify.ops]\nkind = \"slack\"\nurl = \"{url}/told\"\n"));
    let now = jiff::Timestamp::now().as_millisecond();
    (project, told, now.div_euclid(MINUTE) * MINUTE)
}

/// A session that ended within the minute that begins then.
fn session(id: &str, minute: i64, reply: &str) -> String {
    let nanos = |ms: i64| ms * 1_000_000;
    let turns = json!([{ "user": "hi", "reply": reply }]);
    let (start, end) = (nanos(minute), nanos(minute + 1_000));
    json!({ "seatrial": 1, "id": id, "start_ns": start, "end_ns": end, "turns": turns }).to_string() + "\n"
}

fn drain(project: &Project) -> Said {
    project.seatrial(&["watch", "suite.toml", "--listen", "off", "--grpc", "off", "--from", "there", "--drain"]).code(0)
}

/// What the system check said, in order: the window's end, how often it had been asked about it, its status, of how many.
fn asked(project: &Project) -> Vec<(i64, u64, String, u64)> {
    let lines = std::fs::read_to_string(project.path("watch/system.jsonl")).expect("a file");
    let asked = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let status = line["checks"]["most-are-well"]["status"].as_str().expect("a status").to_owned();
        let corrected = line["corrected"].as_u64().unwrap_or(0);
        (line["to"].as_i64().expect("a time"), corrected, status, line["sessions"].as_u64().expect("a number"))
    };
    lines.lines().map(asked).collect()
}

/// What was told by now, as text; a drain has ended, so nothing more of it comes.
fn texts(told: &Receiver<Value>, n: usize) -> Vec<String> {
    let mut texts: Vec<String> =
        (0..n).map(|_| told.recv_timeout(Duration::from_secs(60)).expect("a notice")["text"].to_string()).collect();
    texts.sort();
    assert!(told.try_recv().is_err(), "and no more: {texts:?}");
    texts
}

#[test]
fn windows_that_have_ended_are_settled_in_the_order_of_time_and_one_that_goes_on_stays_open() {
    let (project, told, now) = project(0);
    // Sessions of a window are expected for twenty minutes, and nobody waits for them here.
    let sessions = [
        session("going-on", now + 4 * MINUTE, "no"),
        session("well", now - 8 * MINUTE, "ok"),
        session("worse", now - 10 * MINUTE, "no"),
        session("bad", now - 9 * MINUTE, "no"),
    ];
    project.file("there/sessions.jsonl", sessions.concat());
    drain(&project);
    let ends = [
        (now - 9 * MINUTE, 0, "fail".to_owned(), 1),
        (now - 8 * MINUTE, 0, "fail".to_owned(), 1),
        (now - 7 * MINUTE, 0, "pass".to_owned(), 1),
    ];
    assert_eq!(asked(&project), ends);
    // It fired at the first, still did at the second, which nobody is told, and was over at the third.
    let texts = texts(&told, 2);
    assert!(texts[0].contains("says-no fires") && texts[1].contains("says-no resolves"), "{texts:?}");
    let alerts: Value =
        serde_json::from_slice(&std::fs::read(project.path("watch/alerts.json")).expect("a file")).expect("JSON");
    assert_eq!((&alerts["seen"]["s"], &alerts["standing"]), (&json!(now - 7 * MINUTE), &json!([])));
    // Once more changes nothing, and nobody is told again.
    drain(&project);
    assert_eq!(asked(&project), ends);
    assert!(told.try_recv().is_err());
}

#[test]
fn what_a_later_drain_finds_corrects_a_window_and_no_alert_is_judged_again() {
    let (project, told, now) = project(0);
    project.file("there/1.jsonl", session("a", now - 10 * MINUTE, "ok") + &session("b", now - 8 * MINUTE, "ok"));
    drain(&project);
    let first = asked(&project);
    assert_eq!(first.iter().map(|(to, ..)| *to).collect::<Vec<_>>(), [now - 9 * MINUTE, now - 7 * MINUTE]);
    // One more of a window that was settled, one of a window that had none, and one of a window after them.
    let late = [
        session("late", now - 10 * MINUTE, "no"),
        session("alone", now - 9 * MINUTE, "no"),
        session("new", now - 6 * MINUTE, "no"),
    ];
    project.file("there/2.jsonl", late.concat());
    drain(&project);
    let fail = || "fail".to_owned();
    let ends = [(now - 9 * MINUTE, 1, fail(), 2), (now - 8 * MINUTE, 1, fail(), 1), (now - 5 * MINUTE, 0, fail(), 1)];
    assert_eq!(asked(&project)[first.len()..], ends);
    let texts = texts(&told, 1);
    assert!(texts[0].contains("says-no fires"), "{texts:?}");
}

#[test]
fn whoever_cannot_be_told_before_it_ends_is_told_by_the_next_process() {
    let (project, told, now) = project(1);
    project.file("there/sessions.jsonl", session("a", now - 10 * MINUTE, "no"));
    let said = drain(&project);
    assert!(said.err.contains("not everybody was told of all alerts (ops: "), "{}", said.err);
    assert!(said.err.contains("the next process tells them"), "{}", said.err);
    let began = Instant::now();
    while told.try_recv().is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "nobody is told");
        assert!(!drain(&project).err.contains("not everybody"));
    }
}
