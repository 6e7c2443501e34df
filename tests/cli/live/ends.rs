//! A run that is interrupted while it drives: it ends orderly, what was driven stays, and nothing is left running.

#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::agent::{Agent, Answer, reply};
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
    assert!(said.err.contains("1 session is saved and need not be driven again"), "{}", said.err);
    assert_eq!((saved(&project), project.suite()["driven"]["sessions"].as_u64()), (3, Some(3)));
}

/// Runs until the agent was asked so often, then kills the run as the system does when it is out of memory.
fn killed(project: &Project, agent: &Agent, asked: usize, more: &[&str]) {
    let mut command = project.command(&["run", "suite.toml"]);
    let mut run = command.args(more).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    until("the agent is asked", || agent.asked().len() == asked);
    run.kill().expect("it runs");
    run.wait().expect("it ends");
}

/// A suite of cases `a`, `b` ..., each with what its user says, against an agent each of whose turns takes 15 tokens.
fn spending(agent: &Agent, says: &[&str]) -> Project {
    let project = Project::new();
    let case = |(at, says): (usize, &&str)| format!("[[case]]\nid = \"c{at}\"\nuser = {says}\n");
    let cases: String = says.iter().enumerate().map(case).collect();
    let check = "[[session]]\nid = \"polite\"\ncheck = \"contains\"\nvalue = \"hello\"\n";
    let table = agent.table();
    project.file("suite.toml", format!("[suite]\nname = \"s\"\n{table}concurrency = 2\n{check}{cases}"));
    project
}

#[test]
fn what_sessions_spent_that_a_kill_cut_off_is_spent_for_the_continuation() {
    // The first tells what one comes to; the next two hang.
    let agent = Agent::new(|_, nth| if matches!(nth, 1 | 2) { Answer::Hang } else { reply("hello") });
    let project = spending(&agent, &["\"hello\""; 5]);
    killed(&project, &agent, 3, &["--max-tokens=60"]);
    // One is saved and two were in flight: one more fits.
    project
        .run_with(&["--resume", "--max-tokens=60"])
        .code(5)
        .says("`max_tokens` is 60, 0 USD and 60 tokens are spent");
    assert_eq!(agent.asked().len(), 4);
    project.run_with(&["--resume", "--max-tokens=60"]).code(5);
    assert_eq!(agent.asked().len(), 4);
    let said = project.run_with(&["--resume"]).code(0);
    assert!(said.err.contains("2 sessions are saved and need not be driven again"), "{}", said.err);
    assert_eq!((agent.asked().len(), project.suite()["cases"]["passed"].as_u64()), (7, Some(5)));
}

#[test]
fn a_kill_before_any_session_has_ended_leaves_what_its_turns_said_and_counts_it_as_the_first_that_ends() {
    let agent = Agent::new(|_, nth| if nth == 1 { Answer::Hang } else { reply("hello") });
    let project = spending(&agent, &["[\"hello\", \"hello\"]", "\"hello\"", "\"hello\""]);
    killed(&project, &agent, 2, &["--max-tokens=14"]);
    // Its first turn is known to have taken 15.
    project.run_with(&["--resume", "--max-tokens=14"]).code(5).says("0 USD and 15 tokens are spent");
    assert_eq!(agent.asked().len(), 2);
    // The same case again comes to 30, and so may have the one that was cut off.
    project.run_with(&["--resume", "--max-tokens=60"]).code(5).says("0 USD and 60 tokens are spent");
    assert_eq!(agent.asked().len(), 4);
    project.run_with(&["--resume", "--max-tokens=120"]).code(0);
    assert_eq!(agent.asked().len(), 6);
}
