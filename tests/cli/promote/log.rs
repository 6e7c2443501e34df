//! The log, exported: what is changed, taken out, moved or cut off is found.

use super::{VERSION, head, promote, promoting, submit, verify};
use crate::project::Project;

/// An exported log of four entries.
fn exported() -> (Project, Vec<String>, String) {
    let project = promoting("[promote.prod]\n[promote.staging]\napprovals = 0\n");
    promote(&project, &[VERSION, "--to", "staging"]).code(0);
    submit(&project, &[]).code(3);
    promote(&project, &["approve", "p3", "--by", "jan"]).code(0);
    let kept = head(&project);
    promote(&project, &["log", "--export", "evidence"]).code(0).says(&kept);
    let log = std::fs::read_to_string(project.path("evidence/log.jsonl")).expect("a log");
    let lines: Vec<String> = log.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 4);
    (project, lines, kept)
}

#[test]
fn a_log_that_is_whole_is_verified_anywhere() {
    let (project, ..) = exported();
    let kept = head(&project);
    promote(&project, &["verify", "--from", "evidence", "--head", &kept]).code(0).says("4 entries").says("VERIFIED");
    promote(&project, &["verify", "--from", "evidence/log.jsonl"]).code(0).says("shows only by a head");
    verify(&project, &["--from", "evidence"]).code(0);
    promote(&project, &["verify", "--head", &kept]).code(0);
    promote(&project, &["verify", "--from", "nowhere"]).code(5).complains("no exported log");
    promote(&project, &["verify", "--head", "sha256:12"]).code(2).complains("is no head");
}

#[test]
fn what_is_changed_taken_out_moved_or_cut_off_is_found() {
    let (project, lines, kept) = exported();
    let verify = |lines: &[String], words: &str| {
        project.file("evidence/log.jsonl", lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        promote(&project, &["verify", "--from", "evidence", "--head", &kept]).code(1).says("VOID").says(words);
    };
    verify(&lines[..3], "its end was cut off");
    verify(&[lines[0].clone(), lines[2].clone(), lines[1].clone(), lines[3].clone()], "entry 2 of the log");
    verify(&[lines[0].clone(), lines[2].clone(), lines[3].clone()], "one was taken out or moved");
    let edited = lines[3].replace("\"jan\"", "\"eva\"");
    assert_ne!(edited, lines[3]);
    verify(&[lines[0].clone(), lines[1].clone(), lines[2].clone(), edited], "entry 4 of the log: its hash is not");
    verify(&["{".to_owned()], "entry 1 of the log");
    verify(&[], "its end was cut off");
}
