//! A run that is interrupted while it drives: it ends orderly, what was driven stays, and nothing is left running.

#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::project::Project;

/// Answers `fast` at once and anything else never, with a child of its own; says who it is.
const AGENT: &str = "#!/bin/sh\n\
    while read -r line; do\n\
      case \"$line\" in\n\
        *fast*) printf '{\"reply\": \"hello\", \"calls\": []}\\n' ;;\n\
        *) sleep 600 & echo \"$! $$\" > pids.new; mv pids.new pids; wait ;;\n\
      esac\n\
    done\n";

const SUITE: &str = "[suite]\nname = \"s\"\n[agent]\nkind = \"command\"\nrun = [\"sh\", \"agent.sh\"]\nconcurrency = 1\n\
    [[session]]\nid = \"polite\"\ncheck = \"contains\"\nvalue = \"hello\"\n\
    [[case]]\nid = \"a\"\nuser = \"fast\"\n[[case]]\nid = \"b\"\nuser = \"slow\"\n[[case]]\nid = \"c\"\nuser = \"fast\"\n";

/// Waits until something is so, and not for ever.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs; one that has ended and waits to be asked for does not.
fn runs(pid: &str) -> bool {
    let said = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().expect("ps");
    let state = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

#[test]
fn an_interrupt_ends_it_orderly_keeps_what_was_driven_and_leaves_no_process() {
    let project = Project::new();
    project.file("agent.sh", AGENT);
    project.file("suite.toml", SUITE);
    let mut command = project.command(&["run", "suite.toml"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let pids = project.path("pids");
    until("the agent is asked", || Path::new(&pids).exists());
    let pids = std::fs::read_to_string(pids).expect("two ids");
    assert!(pids.split_whitespace().all(runs), "{pids}");
    let sent = Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let output = run.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("stopped early: interrupted"), "{said}");
    for pid in pids.split_whitespace() {
        until("the agent's processes are gone", || !runs(pid));
    }
    let saved = |project: &Project| project.report("sessions/s.jsonl").lines().count();
    assert_eq!(saved(&project), 1);
    // It goes on with what is missing.
    project.file("agent.sh", AGENT.replace("*fast*", "*"));
    let said = project.run_with(&["--resume"]).code(0);
    assert!(said.err.contains("1 sessions are saved and need not be driven again"), "{}", said.err);
    assert_eq!((saved(&project), project.suite()["driven"]["sessions"].as_u64()), (3, Some(3)));
}
