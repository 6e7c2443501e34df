//! The same sessions, through a run and through watching: the same verdicts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::process::rows;
use crate::project::Project;

/// A suite of checks of every level, deterministic, without cases.
const CHECKS: &str = r#"
[[span]]
id = "well"
on = { kind = "tool" }
check = "status"
is = "ok"

[[turn]]
id = "short"
check = "length"
max = 40
unit = "chars"

[[session]]
id = "few"
check = "calls"
tool = "search"
max = 1

[[session]]
id = "quick"
check = "duration"
max_ms = 5000
"#;

fn session(n: u32) -> String {
    let status = if n.is_multiple_of(3) { "error" } else { "ok" };
    let call = format!(r#"{{"kind":"tool","name":"search","status":"{status}","input":{{"q":{n}}}}}"#);
    let calls = vec![call; (n % 3) as usize].join(",");
    let reply = "x".repeat((n * 7 % 60) as usize + 1);
    // Every fifth says nothing of its times: how long it took cannot be measured.
    let times =
        if n.is_multiple_of(5) { "" } else { r#""start_ns":1700000000000000000,"end_ns":1700000004000000000,"# };
    format!(r#"{{"seatrial":1,"id":"s{n}",{times}"turns":[{{"user":"hi","reply":"{reply}","spans":[{calls}]}}]}}"#)
}

/// What a run says of each session, by check.
fn of_a_run(project: &Project) -> BTreeMap<(String, String), String> {
    project.run();
    let record = project.report("run.jsonl");
    let lines: Vec<Value> = record.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let plan = lines.iter().find(|line| line["event"] == "plan").expect("a plan");
    let ids: Vec<&str> = plan["suites"][0]["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|c| c["id"].as_str().expect("an id"))
        .collect();
    let mut said = BTreeMap::new();
    for line in lines.iter().filter(|line| line["event"] == "session") {
        for verdict in line["verdicts"].as_array().expect("verdicts") {
            let check = ids[usize::try_from(verdict["check"].as_u64().expect("a number")).expect("small")];
            let status = verdict["status"].as_str().expect("a status").to_owned();
            said.insert((line["id"].as_str().expect("an id").to_owned(), check.to_owned()), status);
        }
    }
    said
}

#[test]
fn watching_everything_says_what_a_run_says() {
    let sessions: Vec<String> = (0..60).map(session).collect();
    let project = Project::with(CHECKS, &sessions.iter().map(String::as_str).collect::<Vec<_>>());
    project.file("there/sessions.jsonl", sessions.join("\n") + "\n");
    let of_a_run = of_a_run(&project);
    let args = ["watch", "suite.toml", "--listen", "off", "--grpc", "off", "--from", "there", "--drain", "--json"];
    let said = project.seatrial(&args).code(0);
    let watched: BTreeMap<(String, String), String> = rows(&project, "s")
        .into_iter()
        .flat_map(|(row, body)| {
            let session = row.watched.session;
            body.checks.into_iter().map(move |(check, said)| ((session.clone(), check), said.status.name().to_owned()))
        })
        .collect();
    assert_eq!(watched, of_a_run);
    for status in ["pass", "fail", "error"] {
        assert!(of_a_run.values().any(|s| s == status), "some {status}");
    }
    let line: Value = serde_json::from_str(said.out.trim()).expect("one line");
    let suite = &line["suites"][0];
    assert_eq!((&line["exit_code"], &suite["sessions"]["evaluated"]), (&Value::from(0), &Value::from(60)));
    let counted = suite["checks"].as_array().expect("checks").iter().find(|c| c["id"] == "quick").expect("it");
    let errors = of_a_run.iter().filter(|((_, check), status)| check == "quick" && *status == "error").count();
    assert_eq!(counted["error"], errors);
    // Once more: everything is known.
    project.seatrial(&args).code(0);
    assert_eq!(rows(&project, "s").len(), 60);
    assert!(rows(&project, "s").iter().all(|(row, _)| row.version == 1));
}

#[test]
fn a_folder_is_read_on_where_it_was_whatever_became_of_its_files() {
    let project = Project::with(CHECKS, &["{}"]);
    let line = |n| session(n) + "\n";
    project.file("there/a.jsonl", line(1) + &line(2));
    let watch = || {
        let args = ["watch", "suite.toml", "--listen", "off", "--grpc", "off", "--from", "there", "--drain", "--json"];
        let line: Value = serde_json::from_str(project.seatrial(&args).code(0).out.trim()).expect("one line");
        let of = |what: &str| line["suites"][0]["sessions"][what].as_u64().expect("a number");
        (of("evaluated"), of("known"))
    };
    assert_eq!(watch(), (2, 0));
    // Rotated and packed, with one line more; and a new file in its place.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, (line(1) + &line(2) + &line(3)).as_bytes()).expect("packed");
    project.file("there/a.jsonl.1.gz", packed.finish().expect("packed"));
    project.file("there/a.jsonl", line(4));
    project.file("there/whole.json", format!("[{},{}]", session(5), session(7)));
    assert_eq!(watch(), (4, 0), "nothing that was read is read again");
    assert_eq!(watch(), (0, 0));
    assert_eq!(rows(&project, "s").len(), 6);
}

#[test]
fn telemetry_in_a_folder_becomes_sessions_whichever_file_it_stands_in() {
    let project = Project::with(super::SUITE, &["{}"]);
    let line = |session: &str, n, reply: &str| String::from_utf8(super::turn(session, n, reply)).expect("text") + "\n";
    project.file("there/a.jsonl", line("one", 1, "ok") + &line("two", 1, "ok"));
    project.file("there/b.jsonl", line("one", 2, "no"));
    project
        .seatrial(&["watch", "suite.toml", "--listen", "off", "--grpc", "off", "--from", "there", "--drain"])
        .code(0);
    let told: Vec<_> =
        rows(&project, "s").iter().map(|(row, body)| (row.watched.session.clone(), body.worst().name())).collect();
    assert_eq!(told.len(), 2);
    assert!(told.contains(&("one".to_owned(), "fail")) && told.contains(&("two".to_owned(), "pass")));
}

/// Checks that cannot do without a reference, of each kind.
const EXPECTING: &str = r#"
[[session]]
id = "calls"
check = "trajectory"
mode = "in_order"

[[session]]
id = "facts"
check = "facts"

[[turn]]
id = "answer"
check = "contains"
value = "{{ case.reference.answer }}"

[[session]]
id = "by-hand"
check = "expr"
expr = "case.reference.tools | length == 1"

[[session]]
id = "polite"
check = "not_contains"
value = "stupid"
"#;

#[test]
fn a_check_that_needs_a_reference_is_skipped_where_there_is_none_and_asked_where_there_is_one() {
    let without = r#"{"seatrial":1,"id":"without","turns":[{"user":"hi","reply":"done","spans":[{"kind":"tool","name":"search"}]}]}"#;
    let with = r#"{"seatrial":1,"id":"with","reference":{"tools":[{"name":"book"}],"answer":"done"},"turns":[{"user":"hi","reply":"done","spans":[{"kind":"tool","name":"search"}]}]}"#;
    let project = Project::with(EXPECTING, &[without, with]);
    project.file("there/sessions.jsonl", format!("{without}\n{with}\n"));
    let args = ["watch", "suite.toml", "--listen", "off", "--grpc", "off", "--from", "there", "--drain", "--json"];
    project.seatrial(&args).code(0);
    let rows = rows(&project, "s");
    let said = |session: &str| {
        let (_, body) = rows.iter().find(|(row, _)| row.watched.session == session).expect("it");
        let said = body.checks.iter().map(|(check, said)| (check.as_str(), said.status.name(), said.reason.as_str()));
        said.map(|(check, status, reason)| (check.to_owned(), status, reason.to_owned())).collect::<Vec<_>>()
    };
    let statuses =
        |session: &str| said(session).into_iter().map(|(check, status, _)| (check, status)).collect::<BTreeMap<_, _>>();
    let expected = |pairs: [(&str, &'static str); 5]| {
        pairs.map(|(check, status)| (check.to_owned(), status)).into_iter().collect::<BTreeMap<_, _>>()
    };
    let skip =
        expected([("answer", "skip"), ("by-hand", "skip"), ("calls", "skip"), ("facts", "skip"), ("polite", "pass")]);
    assert_eq!(statuses("without"), skip);
    let asked =
        expected([("answer", "pass"), ("by-hand", "pass"), ("calls", "fail"), ("facts", "skip"), ("polite", "pass")]);
    assert_eq!(statuses("with"), asked);
    let (_, _, why) = said("without").into_iter().find(|(check, ..)| check == "calls").expect("it");
    assert!(why.contains("`reference.tools`") && why.contains("nothing is expected"), "{why}");
    // A run goes on saying that it could not be measured.
    project.run();
    assert_eq!(of_a_run(&project)[&("without".to_owned(), "calls".to_owned())], "error");
}
