//! What is no evidence: nothing of it is recorded.

use super::{VERSION, promote, promoting, run, session, submit};
use crate::project::Project;

/// Refused as no evidence, in these words, and nothing was written.
#[track_caller]
fn no_evidence(project: &Project, words: &str) {
    submit(project, &[]).code(4).complains(words).complains("nothing was recorded");
    promote(project, &["list"]).code(0).says("no promotion");
}

fn record(project: &Project) -> std::path::PathBuf {
    project.path("reports/latest/run.jsonl").canonicalize().expect("a record")
}

fn edit(project: &Project, from: &str, to: &str) {
    let path = record(project);
    let text = std::fs::read_to_string(&path).expect("a record");
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).expect("written");
}

#[test]
fn a_part_of_a_run_is_no_evidence_of_the_whole() {
    let project = promoting("");
    project.run_with(&["--subject", VERSION, "--filter", "case(a)"]).code(0);
    no_evidence(&project, "it is partial (--filter took something out)");
    project.run_with(&["--subject", VERSION, "--shard", "1/2"]).code(0);
    no_evidence(&project, "it is partial (shard 1/2)");
}

#[test]
fn sessions_of_another_version_or_of_nobody_are_none() {
    let project = promoting("");
    run(&project, "airline@1.4").code(0);
    promote(&project, &["airline@2.0", "--to", "prod"])
        .code(4)
        .complains("judged airline@1.4, and is no evidence of airline@2.0");
    project.run().code(0);
    no_evidence(&project, "does not say whose sessions it judged");
}

#[test]
fn a_record_that_was_edited_is_none() {
    let project = promoting("");
    project.file("sessions.jsonl", session("a", "1.4", "bad") + "\n");
    run(&project, VERSION).code(1);
    edit(&project, "\"status\":\"fail\"", "\"status\":\"pass\"");
    no_evidence(&project, "edited");
    // Not even when the store is told of it anew.
    std::fs::remove_file(record(&project).with_file_name("summary.json")).expect("removed");
    project.seatrial(&["review", "add", "reports/latest"]).code(2).complains("was edited, and nothing of it was added");
    no_evidence(&project, "the record is not what run");
    // Nor is a summary believed that says something else.
    run(&project, VERSION).code(1);
    let summary = record(&project).with_file_name("summary.json");
    let text = std::fs::read_to_string(&summary).expect("a summary");
    std::fs::write(&summary, text.replace("\"decision\": \"failed\"", "\"decision\": \"passed\"")).expect("written");
    submit(&project, &[]).code(1).says("DRAFT  p1").says("suite `s` is failed");
}

#[test]
fn a_run_that_the_store_did_not_see_end_is_taken_by_an_override_alone() {
    let project = promoting("override = true\n");
    project.run_with(&["--subject", VERSION, "--store", "off"]).code(0);
    submit(&project, &[]).code(4).says("DRAFT  p1").says("the store did not see run");
    // Who adds it later did not see its end, either.
    project.seatrial(&["review", "add", "reports/latest"]).code(0);
    submit(&project, &[]).code(4).says("the store did not see run");
    submit(&project, &["--override", "ran offline", "--until", "1h"]).code(3).says("PENDING").says("overridden");
}

#[test]
fn a_run_that_was_followed_by_another_of_the_version_is_not_picked() {
    let project = promoting("override = true\n");
    let good = record(&project).parent().expect("a folder").display().to_string();
    project.file("elsewhere.jsonl", session("a", "1.4", "bad") + "\n");
    project.run_with(&["--subject", VERSION, "--sessions", "elsewhere.jsonl"]).code(1);
    let bad = record(&project).parent().expect("a folder").display().to_string();
    submit(&project, &["--run", &good]).code(4).says("DRAFT  p1").says("suite `s` was run again").says("is failed");
    submit(&project, &["--run", &good, &bad]).code(1).says("suite `s` is failed");
    // Of another version, or of a part, there may be as many as there are.
    project.run_with(&["--subject", VERSION]).code(0);
    let last_whole = record(&project).parent().expect("a folder").display().to_string();
    project.run_with(&["--subject", VERSION, "--filter", "case(a)"]).code(0);
    project.run_with(&["--subject", "airline@1.5", "--sessions", "elsewhere.jsonl"]).code(4);
    submit(&project, &["--run", &last_whole]).code(3).says("PENDING");
    // Nor is it approved when the version has failed in between.
    project.run_with(&["--subject", VERSION, "--sessions", "elsewhere.jsonl"]).code(1);
    promote(&project, &["approve", "p1", "--by", "jan"]).code(4).complains("suite `s` was run again");
}

#[test]
fn a_run_that_did_not_end_is_none() {
    let project = promoting("");
    let path = record(&project);
    let text = std::fs::read_to_string(&path).expect("a record");
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(&path, lines[..lines.len() - 1].join("\n") + "\n").expect("written");
    no_evidence(&project, "the run did not end (killed)");
}

#[test]
fn a_suite_or_recordings_that_are_not_what_was_run_are_none() {
    let project = promoting("");
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file("suite.toml", suite.replace("value = \"good\"", "value = \"goo\""));
    no_evidence(&project, "check good");
    std::fs::remove_file(project.path("suite.toml")).expect("removed");
    no_evidence(&project, "is not there; promote where the run was made");
    project.file("suite.toml", &suite);
    let sessions = std::fs::read_to_string(project.path("sessions.jsonl")).expect("sessions");
    project.file("sessions.jsonl", sessions.replacen("good", "good enough", 1));
    no_evidence(&project, "1 of the 2 sessions that were judged are not in the recordings any more");
    project.file("sessions.jsonl", format!("{sessions}{}\n", session("c", "1.4", "bad")));
    no_evidence(&project, "the recordings hold 3 sessions, and the run met 2");
    project.file("sessions.jsonl", &sessions);
    submit(&project, &[]).code(3);
}

#[test]
fn recordings_that_are_not_at_hand_are_bound_by_their_sessions() {
    let project = promoting("");
    std::fs::remove_file(project.path("sessions.jsonl")).expect("removed");
    submit(&project, &[]).code(3).says("its recordings were not at hand");
}

#[test]
fn a_suite_that_must_have_passed_and_was_not_run_is_missing() {
    let project = promoting("suites = [\"s\", \"safety\"]\nartifact = true\n");
    submit(&project, &[]).code(4).complains("no run is of the suite `safety`").complains("give it by --artifact");
    let artifact = format!("sha256:{}", "0".repeat(64));
    submit(&project, &["--artifact", &artifact]).code(4).says("DRAFT  p1").says("no run is of the suite `safety`");
    submit(&project, &["--artifact", "sha256:12"]).code(2).complains("is no SHA-256 digest");
    submit(&project, &["--artifact", "nowhere.tar"]).code(2).complains("nowhere.tar");
    submit(&project, &["--run", "nowhere"]).code(2).complains("there is no run at `nowhere`");
}

#[test]
fn everything_that_is_wrong_with_any_run_is_said_at_once() {
    let project = promoting("");
    run(&project, VERSION).code(0);
    let first = record(&project).parent().expect("a folder").display().to_string();
    let text = std::fs::read_to_string(format!("{first}/run.jsonl")).expect("a record");
    let cut = text.trim_end().rsplit_once('\n').expect("lines").0;
    std::fs::write(format!("{first}/run.jsonl"), format!("{cut}\n")).expect("written");
    project.run_with(&["--subject", VERSION, "--filter", "case(a)"]).code(0);
    submit(&project, &["--run", &first, "reports/latest"]).code(4).complains("did not end").complains("it is partial");
}
