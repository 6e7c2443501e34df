//! `command`: programs of the user's own, started by the real binary.

#![cfg(unix)]

use crate::project::{Project, replies};

/// A shell program that reads lines and runs `body` for each, the line in `$line`.
fn program(body: &str) -> String {
    format!("#!/bin/sh\nwhile read -r line; do\n{body}\ndone\n")
}

fn project(level: &str, script: &str, more: &str) -> Project {
    let check = format!("[[{level}]]\nid = \"own\"\ncheck = \"command\"\nrun = [\"sh\", \"own.sh\"]\n{more}");
    let sessions = [replies("a", "Please wait."), replies("b", "Wait.")];
    let project = Project::with(&check, &[&sessions[0], &sessions[1]]);
    project.file("own.sh", script);
    project
}

const POLITE: &str = r#"case $line in
  *[Pp]lease*) echo '{"status":"pass"}' ;;
  *) echo '{"status":"fail","reason":"it is rude","evidence":[{"field":"reply"}]}' ;;
esac"#;

#[test]
fn decides_by_what_the_program_answers() {
    let project = project("turn", &program(POLITE), "");
    project.run().code(1).says("it is rude");
    let check = project.check("own");
    assert_eq!((&check["pass"], &check["fail"], &check["error"]), (&1.into(), &1.into(), &0.into()));
}

#[test]
fn a_program_that_fails_leaves_the_suite_unmeasured_and_says_why() {
    let dies = "read -r line; echo 'no dictionary' >&2; exit 7\n";
    project("session", dies, "").run().code(4).says("exit status: 7").says("no dictionary");
    let babbles = program("echo 'all is well'");
    project("session", &babbles, "").run().code(4).says("did not answer with a verdict");
    let hangs = program("sleep 60");
    project("session", &hangs, "timeout = \"300ms\"\n").run().code(4).says("no answer within 300 ms");
}

#[test]
fn an_error_for_one_session_leaves_the_others_unharmed() {
    let script = program(r#"case $line in *'"id":"b"'*) exit 1 ;; *) echo '{"status":"pass"}' ;; esac"#);
    let project = project("session", &script, "");
    project.run().code(4);
    let check = project.check("own");
    assert_eq!((&check["pass"], &check["error"]), (&1.into(), &1.into()));
}

#[test]
fn the_programs_file_is_part_of_what_was_evaluated() {
    let project = project("turn", &program(POLITE), "");
    let digest = |project: &Project| {
        project.run().code(1);
        let events = project.events();
        let plan = events.lines().find(|line| line.contains("\"event\":\"plan\"")).expect("the plan").to_owned();
        let plan: serde_json::Value = serde_json::from_str(&plan).expect("JSON");
        plan["suites"][0]["checks"][0]["digest"].clone()
    };
    let before = digest(&project);
    assert_eq!(digest(&project), before);
    project.file("own.sh", program(&format!("{POLITE}\n# stricter")));
    assert_ne!(digest(&project), before);
}

#[test]
fn checking_a_suite_starts_nothing() {
    let project = project("turn", "touch started\n", "");
    project.seatrial(&["check", "suite.toml"]).code(0);
    assert!(!project.path("started").exists());
}

#[test]
fn a_program_beside_the_suite_that_is_absent_is_found_when_the_suite_is_loaded() {
    let check = "[[turn]]\nid = \"own\"\ncheck = \"command\"\nrun = [\"./absent.sh\"]\n";
    let project = Project::with(check, &[&replies("a", "x")]);
    project.run().code(2).complains("cannot read `absent.sh`");
}
