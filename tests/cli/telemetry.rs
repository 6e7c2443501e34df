//! Sessions put together from telemetry that lies scattered over files, as users see them.

use std::io::Write;

use serde_json::{Value, json};

use crate::project::{Project, replies};

/// A request with one agent span that says what was asked and answered, and names its session there where `place` says.
fn request(trace: u32, span: u32, place: (&str, &str), time: u32, answer: &str) -> String {
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let message = |role: &str, text: &str| json!([{ "role": role, "parts": [{ "type": "text", "content": text }] }]);
    let mut attributes = vec![
        text("gen_ai.operation.name", "invoke_agent"),
        text("gen_ai.agent.name", "desk"),
        text("gen_ai.input.messages", &message("user", "hello").to_string()),
        text("gen_ai.output.messages", &message("assistant", answer).to_string()),
    ];
    if !place.0.is_empty() {
        attributes.push(text(place.0, place.1));
    }
    let span = json!({
        "traceId": format!("{trace:032x}"), "spanId": format!("{span:016x}"), "name": "invoke_agent desk",
        "startTimeUnixNano": format!("{}000000000", 1_700_000_000 + time),
        "endTimeUnixNano": format!("{}500000000", 1_700_000_000 + time), "attributes": attributes,
    });
    json!({ "resourceSpans": [{ "scopeSpans": [{ "scope": { "name": "s" }, "spans": [span] }] }] }).to_string()
}

/// Two sessions of two turns, each turn a trace, in the wrong order over two files; and a file of sessions beside.
fn scattered() -> Project {
    let project = Project::with(
        "[recorded]\npaths = [\"*.jsonl*\"]\n[[session]]\nid = \"two\"\ncheck = \"turns\"\nmin = 1\n",
        &[&replies("plain", "good")],
    );
    let a = ("session.id", "a");
    let b = ("gen_ai.conversation.id", "b");
    project.file("1.jsonl", [request(4, 4, b, 9, "b two"), request(1, 1, a, 1, "a one")].join("\n"));
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let rest = [request(2, 2, a, 3, "a two"), request(3, 3, b, 2, "b one"), request(2, 2, a, 3, "a two")];
    gz.write_all(rest.join("\n").as_bytes()).expect("memory");
    project.file("2.jsonl.gz", gz.finish().expect("memory"));
    project
}

fn imported(project: &Project, args: &[&str]) -> Vec<(String, Vec<String>)> {
    let out = project.seatrial(&[&["import"], args].concat()).code(0).out;
    let session = |line: &str| {
        let session: Value = serde_json::from_str(line).expect("a session");
        let turns = session["turns"].as_array().cloned().unwrap_or_default();
        let reply = |turn: &Value| turn["reply"].as_str().unwrap_or("none").to_owned();
        (session["id"].as_str().expect("an id").to_owned(), turns.iter().map(reply).collect())
    };
    out.lines().map(session).collect()
}

#[test]
fn a_session_scattered_over_files_is_one_with_its_turns_in_order() {
    let project = scattered();
    let sessions = imported(&project, &["1.jsonl", "2.jsonl.gz", "sessions.jsonl"]);
    let turns = |name: &str| vec![format!("{name} one"), format!("{name} two")];
    let expected = [("plain".into(), vec!["good".into()]), ("b".into(), turns("b")), ("a".into(), turns("a"))];
    assert_eq!(sessions, expected, "sessions first, then what was put together, by its first record");
    project.seatrial(&["show", "2.jsonl.gz", "a"]).code(0).says("a two");
}

#[test]
fn a_run_says_the_same_for_any_number_of_threads() {
    let project = scattered();
    let events = |jobs: &str| {
        project.run_with(&["--jobs", jobs]).code(0);
        assert_eq!(project.suite()["sessions"]["evaluated"], 3);
        project.events()
    };
    let one = events("1");
    assert_eq!([events("2"), events("3")], [one.clone(), one]);
}

#[test]
fn the_session_may_be_named_by_another_attribute() {
    let project = Project::new();
    let place = |thread: &'static str| ("app.thread", thread);
    let lines = [request(1, 1, place("x"), 1, "one"), request(2, 2, place("x"), 2, "two")];
    project.file("t.jsonl", lines.join("\n"));
    assert_eq!(imported(&project, &["t.jsonl"]).len(), 2, "each trace alone");
    let together = [("x".to_owned(), vec!["one".to_owned(), "two".to_owned()])];
    assert_eq!(imported(&project, &["t.jsonl", "--session-attribute", "app.thread"]), together);
    project.seatrial(&["show", "t.jsonl", "x", "--session-attribute=app.thread"]).code(0).says("two");
    let suite = |recorded: &str| {
        format!(
            "[suite]\nname = \"s\"\n[recorded]\npaths = [\"t.jsonl\"]\n{recorded}[[session]]\nid = \"t\"\ncheck = \"turns\"\nmin = 2\n"
        )
    };
    project.file("suite.toml", suite(""));
    project.run().code(1);
    project.run_with(&["--session-attribute", "app.thread"]).code(0);
    project.file("suite.toml", suite("session = \"app.thread\"\n"));
    project.run().code(0);
}

#[test]
fn logs_that_belong_to_nothing_are_counted_and_what_is_too_large_is_named() {
    let project = Project::new();
    let log = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"started"}},{}]}]}]}"#;
    let large = request(7, 7, ("session.id", "large"), 1, &"x".repeat(3000));
    let small = request(8, 8, ("session.id", "small"), 1, "x");
    project.file("t.jsonl", [log, &large, &small].join("\n"));
    let said = project.seatrial(&["import", "t.jsonl"]).code(4);
    said.complains("t.jsonl: element 4: unassigned: 2 log records name neither a trace nor a session");
    project.file("seatrial.toml", "max_session_bytes = 6000\n");
    let halves = |i| request(7, i, ("session.id", "large"), i, &"x".repeat(4000));
    project.file("t.jsonl", [halves(1), halves(2), small].join("\n"));
    let said = project.seatrial(&["import", "t.jsonl"]).code(4).says("small");
    said.complains("too_large: the records of session `large` take ");
}

/// Without the signal, writing beyond the limit fails as on a full disk.
#[cfg(target_os = "linux")]
#[test]
fn records_that_no_longer_fit_on_the_disk_are_exit_5_and_the_folder_is_named() {
    let project =
        Project::with("[recorded]\npaths = [\"t.jsonl\"]\n[[session]]\nid = \"t\"\ncheck = \"turns\"\nmin = 1\n", &[]);
    // More than may wait in memory, and than a file may take; and nothing that packing makes smaller.
    let mut state = 1u64;
    let mut noise = || {
        let words = (0..1 << 15).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{:016x}", state ^ (state >> 29))
        });
        words.collect::<String>()
    };
    let lines: Vec<String> = (1..=8).map(|i| request(i, i, ("session.id", &format!("s{i}")), i, &noise())).collect();
    project.file("t.jsonl", lines.join("\n"));
    std::fs::create_dir(project.path("spill")).expect("a folder");
    project.file("seatrial.toml", "spill_dir = \"spill\"\nspill_after = \"1MiB\"\n");
    for args in [&["run", "suite.toml", "--out", "out"][..], &["import", "t.jsonl"], &["show", "t.jsonl"]] {
        let script = "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\"";
        let mut command = std::process::Command::new("bash");
        command.args(["-c", script, env!("CARGO_BIN_EXE_seatrial")]).args(args).current_dir(project.path(""));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let said = crate::project::Said::of(command).code(5);
        let all = format!("{}{}", said.out, said.err);
        for words in
            ["/spill`", "could not be kept in", "File too large", "the setting `spill_dir` names another folder"]
        {
            assert!(all.contains(words), "{args:?}: no {words:?} in {all}");
        }
        assert_eq!(std::fs::read_dir(project.path("spill")).expect("the folder").count(), 0);
    }
}
