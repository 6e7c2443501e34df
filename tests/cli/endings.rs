//! However a run ends, exit code, terminal, `--json`, JUnit, summary and record say the same.

use std::process::Stdio;

use serde_json::Value;

use crate::project::{GOOD, Project, Said, json, replies};

fn junit_is_unhappy(xml: &str) -> bool {
    xml.contains("<failure") || xml.contains("<error")
}

/// The one line that `--json` prints.
#[track_caller]
fn line(said: &Said) -> Value {
    assert_eq!(said.out.lines().count(), 1, "{}", said.out);
    serde_json::from_str(&said.out).expect("JSON")
}

#[test]
fn a_run_of_nothing_is_unhappy_in_junit_too() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.run_with(&["--filter", "suite(other)"]).code(4);
    assert!(junit_is_unhappy(&project.report("junit.xml")));
}

#[cfg(unix)]
#[test]
fn a_junit_copy_that_could_not_be_written_is_told_by_summary_and_record() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    let said = project.run_with(&["--junit", "/dev/full", "--json"]).code(5);
    let line = line(&said);
    assert_eq!(line["exit_code"], 5);
    assert!(line["stopped"].as_str().is_some_and(|s| s.contains("could not be written")), "{line}");
    let run = line["run"].as_str().expect("a run");
    let folder = format!("reports/{run}");
    assert_eq!(json(&project.path(&folder).join("summary.json"))["exit_code"], 5);
    let again = project.seatrial(&["report", &folder]).code(5);
    assert!(again.out.contains("could not be written"), "{}", again.out);
    let xml = std::fs::read_to_string(project.path(&folder).join("junit.xml")).expect("drawn again");
    assert!(junit_is_unhappy(&xml));
}

#[cfg(target_os = "linux")]
#[test]
fn a_record_that_could_not_be_written_to_its_end_is_exit_5_and_can_be_read() {
    let sessions: Vec<String> = (0..3000).map(|i| replies(&format!("s{i}"), "good")).collect();
    let project = Project::with(GOOD, &sessions.iter().map(String::as_str).collect::<Vec<_>>());
    // Room for a part of the record; without the signal, writing fails as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" run suite.toml --out tight --json";
    let mut command = std::process::Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_seatrial")]).current_dir(project.path("")).stdin(Stdio::null());
    let said = Said::of(command).code(5);
    let run = line(&said)["run"].as_str().expect("a run").to_owned();
    let again = project.seatrial(&["report", &format!("tight/{run}"), "--json"]).code(5);
    let read = line(&again)["suites"][0]["sessions"]["evaluated"].as_u64().expect("a count");
    assert!(read > 0 && read < 3000, "{read}");
}

#[test]
fn json_prints_one_line_on_every_code() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.file("taken", "a file where the folder should be");
    for (args, code) in [
        (&["--filter", "bad("][..], 2),
        (&["--jobs", "none"], 2),
        (&["--bogus"], 2),
        (&["--sessions", "gone.jsonl"], 2),
        (&["--out", "taken"], 5),
    ] {
        let said = project.run_with(&[args, &["--json"]].concat()).code(code);
        let line = line(&said);
        assert_eq!(line["exit_code"], code, "{args:?}");
        assert!(line["problems"][0]["message"].is_string(), "{line}");
        assert!(!said.err.is_empty());
    }
    project.file("seatrial.toml", "jobs = [\n");
    for command in ["run", "check"] {
        assert_eq!(line(&project.seatrial(&[command, "suite.toml", "--json"]).code(2))["exit_code"], 2);
    }
    assert_eq!(line(&project.seatrial(&["report", "gone", "--json"]).code(2))["exit_code"], 2);
}

#[test]
fn a_run_that_failed_fast_is_drawn_again_as_it_was() {
    let suite = format!("{GOOD}[[session]]\nid = \"looks\"\ncheck = \"calls\"\ntool = \"look\"\n");
    let session = |i: usize| {
        serde_json::json!({ "id": format!("s{i}"), "turns": [{ "user": "q", "reply": "bad",
            "spans": [{ "kind": "tool", "name": "look", "input": {} }] }] })
        .to_string()
    };
    let sessions: Vec<String> = (0..5).map(session).collect();
    let project = Project::with(&suite, &sessions.iter().map(String::as_str).collect::<Vec<_>>());
    project.run_with(&["--fail-fast"]).code(1);
    let before = (project.report("junit.xml"), project.report("summary.json"));
    project.seatrial(&["report", "reports/latest"]).code(1);
    assert_eq!((project.report("junit.xml"), project.report("summary.json")), before);
}

#[test]
fn many_sessions_of_one_id_have_names_of_their_own_in_good_time() {
    let sessions: Vec<String> = (0..4000).map(|i| replies("same", &format!("good {i}"))).collect();
    let project = Project::with(GOOD, &sessions.iter().map(String::as_str).collect::<Vec<_>>());
    project.run().code(4);
    let xml = project.report("junit.xml");
    let names: std::collections::HashSet<&str> = xml.lines().filter(|l| l.contains("name=\"good [")).collect();
    let (first, last) = ("[same #same]", "[same #same (4000)]");
    assert!(xml.contains(first) && xml.contains(last));
    assert_eq!(names.len(), 4000);
}

#[test]
fn a_closed_pipe_changes_no_exit_code_and_prints_no_panic() {
    let project = Project::with(GOOD, &[&replies("a", "bad")]);
    project.run().code(1);
    for (args, code) in [
        (&["run", "suite.toml"][..], 1),
        (&["run", "suite.toml", "--json"], 1),
        (&["check", "suite.toml"], 0),
        (&["report", "reports/latest"], 1),
        (&["show", "sessions.jsonl"], 0),
        (&["show", "sessions.jsonl", "a"], 0),
        (&["import", "sessions.jsonl"], 0),
        (&["explain"], 0),
        (&["explain", "trajectory"], 0),
        (&["schema"], 0),
        (&["completions", "bash"], 0),
        (&["--help"], 0),
        (&["run"], 2),
    ] {
        let mut command = project.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("ends");
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!err.contains("bug") && !err.contains("panicked"), "{args:?}: {err}");
    }
}

#[test]
fn one_suite_of_several_that_fails_decides_the_run() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    let other = GOOD.replace("\"good\"\n", "\"better\"\n");
    project.file(
        "other.toml",
        format!(
            "[suite]\nname = \"other\"\n[recorded]\npaths = [\"sessions.jsonl\"]\n{}",
            other.replace("id = \"better\"", "id = \"good\"")
        ),
    );
    let said = project.seatrial(&["run", "."]).code(1).says("1 of 2 suites passed");
    assert!(said.out.find("FAILED other").expect("failed") < said.out.find("PASSED s").expect("passed"));
}

#[test]
fn explain_schema_and_completions_work_whatever_the_settings_say() {
    let project = Project::new();
    project.file("seatrial.toml", "jobs = [\nnonsense");
    for args in [&["explain", "contains"][..], &["explain"], &["schema"], &["completions", "bash"]] {
        let said = project.seatrial(args).code(0);
        assert!(said.err.is_empty() && !said.out.is_empty(), "{args:?}: {}", said.err);
    }
    project.seatrial(&["show", "x.jsonl"]).code(2).complains("seatrial.toml");
}

#[test]
fn a_variable_that_no_setting_reads_is_said_unless_quiet() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    let run = |more: &[&str]| {
        let mut command = project.command(&[&["run", "suite.toml"], more].concat());
        command.env("SEATRIAL_JBOS", "2");
        Said::of(command).code(0)
    };
    run(&[]).complains("SEATRIAL_JBOS").complains("did you mean `SEATRIAL_JOBS`?");
    assert!(!run(&["--quiet"]).err.contains("SEATRIAL_JBOS"));
}

#[test]
fn a_glob_that_is_none_says_why() {
    let suite = format!("[recorded]\npaths = [\"logs/[a.jsonl\"]\n{GOOD}");
    let project = Project::with(&suite, &[]);
    project.run().code(2).complains("is not a glob").complains("logs/[a.jsonl");
    project.seatrial(&["check", "suite.toml"]).code(0).says("is not a glob");
}

#[test]
fn standard_input_is_for_one_suite() {
    let project = Project::with(GOOD, &[]);
    project.file("other.toml", format!("[suite]\nname = \"other\"\n[recorded]\npaths = [\"sessions.jsonl\"]\n{GOOD}"));
    project.seatrial(&["run", ".", "--sessions", "-"]).code(2).complains("can be read only once");
    assert!(!project.path("reports").exists());
}

#[test]
fn a_subject_without_a_name_or_version_is_a_usage_error() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    for subject in ["", "@1", "a@"] {
        project.run_with(&["--subject", subject]).code(2);
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_waits_for_a_pipe_is_ended_by_the_first_interrupt() {
    let project = Project::with(&format!("[recorded]\npaths = [\"pipe\"]\n{GOOD}"), &[]);
    let pipe = project.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let mut command = project.command(&["run", "suite.toml", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("runs");
    // Opened once the run waits at the other end, and kept open: nothing ever comes.
    let writer = std::fs::OpenOptions::new().write(true).open(&pipe).expect("the pipe");
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    let output = child.wait_with_output().expect("ends");
    drop(writer);
    assert_eq!(output.status.code(), Some(5));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(said["stopped"].as_str().is_some_and(|s| s.contains("interrupt")), "{said}");
}

#[test]
fn what_is_wrong_with_a_whole_session_is_said_once() {
    let wrong = r#"{"id":"w","agent":"other","turns":[{"reply":"good"}]}"#;
    let right = r#"{"id":"r","agent":"desk","turns":[{"reply":"good"}]}"#;
    let more = GOOD.replace("\"good\"\ncheck", "\"more\"\ncheck");
    let project = Project::with(&format!("[subject]\nagent = \"desk\"\n{GOOD}{more}"), &[wrong, right]);
    let said = project.run().code(4);
    let why = "the session is of agent `other`, the suite judges `desk`";
    assert_eq!(said.out.matches(why).count(), 1, "{}", said.out);
    said.says("seatrial show sessions.jsonl w");
    // A report of every test on its own says it at every test.
    assert_eq!(project.report("junit.xml").matches("message=\"the session is of agent").count(), 2);
}
