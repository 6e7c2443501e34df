//! `seatrial promote`: from the evidence to an approval that can be verified, and everything that is refused on the way.

mod ages;
mod examples;
mod hooks;
mod keys;
mod log;
mod people;
mod refused;
mod secrets;
mod states;
mod void;

use serde_json::Value;

use crate::project::{GOOD, Project, Said, replies};

/// The version that is promoted.
pub const VERSION: &str = "airline@1.4";

/// A project with a run that passed, whose targets have these rules (`prod` if nothing else is said).
pub fn promoting(rules: &str) -> Project {
    let project = Project::with(GOOD, &[&session("a", "1.4", "good"), &session("b", "1.4", "good")]);
    let rules = if rules.starts_with("[promote.") { rules.to_owned() } else { format!("[promote.prod]\n{rules}") };
    project.file("seatrial.toml", rules);
    run(&project, VERSION).code(0);
    project
}

/// A session of a version.
pub fn session(id: &str, version: &str, reply: &str) -> String {
    let mut session: Value = serde_json::from_str(&replies(id, reply)).expect("a session");
    session["agent"] = "airline".into();
    session["version"] = version.into();
    session.to_string()
}

/// Runs the suite over the sessions of a version.
pub fn run(project: &Project, version: &str) -> Said {
    project.run_with(&["--subject", version])
}

/// `seatrial promote` with arguments, by Maria.
pub fn promote(project: &Project, args: &[&str]) -> Said {
    let mut command = project.command(&["promote"]);
    command.args(args).env("SEATRIAL_REVIEWER", "maria");
    Said::of(command)
}

/// Submits the version to `prod`.
pub fn submit(project: &Project, more: &[&str]) -> Said {
    promote(project, &[&[VERSION, "--to", "prod"], more].concat())
}

/// Verifies it.
pub fn verify(project: &Project, more: &[&str]) -> Said {
    promote(project, &[&["verify", VERSION, "--to", "prod"], more].concat())
}

/// The machine-readable line.
pub fn line(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {}\n{}", said.out, said.err))
}

/// The head of the log.
pub fn head(project: &Project) -> String {
    promote(project, &["log", "--head"]).code(0).out.trim().to_owned()
}

/// A run of another version of the agent, whose sessions are recorded anew.
pub fn next_version(project: &Project, version: &str) {
    let sessions = ["a", "b"].map(|id| session(id, version, "good")).join("\n") + "\n";
    project.file("sessions.jsonl", sessions);
    run(project, &format!("airline@{version}")).code(0);
}
