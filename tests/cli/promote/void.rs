//! Any changed byte of what an approval is bound to voids it, and is named.

use super::{VERSION, promote, promoting, session, submit, verify};
use crate::project::Project;

/// An approved version, with the digest of its artifact.
fn approved() -> Project {
    let project = promoting("");
    project.file("image.tar", "the image");
    submit(&project, &["--artifact", "image.tar"]).code(3);
    promote(&project, &["approve", "p1", "--by", "jan"]).code(0);
    verify(&project, &["--artifact", "image.tar"]).code(0);
    project
}

/// Changes a file, which voids the approval in these words; as it was, it holds again.
#[track_caller]
fn voids(project: &Project, file: &str, change: impl Fn(&str) -> String, words: &str) {
    let path = project.path(file).canonicalize().expect("a file");
    let before = std::fs::read_to_string(&path).expect("text");
    let changed = change(&before);
    assert_ne!(changed, before);
    std::fs::write(&path, changed).expect("written");
    verify(project, &["--artifact", "image.tar"]).code(1).says("VOID").says(words).says("NOT VERIFIED");
    std::fs::write(&path, before).expect("written");
    verify(project, &["--artifact", "image.tar"]).code(0);
}

#[test]
fn artifact_suite_data_record_and_rules_are_each_named() {
    let project = approved();
    voids(&project, "image.tar", |text| format!("{text}."), "artifact: it was sha256:");
    voids(&project, "suite.toml", |text| text.replace("value = \"good\"", "value = \"goo\""), "suite `s`");
    voids(&project, "suite.toml", |text| format!("{text}[gate]\npass_rate = {{ min = 0.5 }}\n"), "suite `s`");
    voids(
        &project,
        "suite.toml",
        |text| text.replace("check = \"contains\"", "check = \"no-such\""),
        "cannot be read any more",
    );
    voids(&project, "sessions.jsonl", |text| text.replacen("hello", "hullo", 1), "recording sessions.jsonl");
    voids(&project, "reports/latest/run.jsonl", |text| text.replacen("good", "goof", 1), "record reports/");
    voids(&project, "seatrial.toml", |text| format!("{text}approvals = 0\n"), "`approvals` changed since");
}

#[test]
fn what_is_not_at_hand_is_not_shown_and_never_taken_for_the_same() {
    let project = approved();
    verify(&project, &[]).code(4).says("artifact").says("give it by --artifact").says("NOT SHOWN");
    std::fs::remove_file(project.path("sessions.jsonl")).expect("removed");
    verify(&project, &["--artifact", "image.tar"]).code(4).says("recording sessions.jsonl").says("it is not there");
    verify(&project, &["--artifact", "image.tar", "--allow-absent"]).code(0).says("not there");
    promote(&project, &["verify", "airline@9", "--to", "prod"]).code(1).says("nobody ever submitted it");
    project.file("other.tar", "another image");
    verify(&project, &["--artifact", "other.tar", "--allow-absent"]).code(1);
}

#[test]
fn what_changed_since_it_was_submitted_is_not_approved() {
    let project = promoting("");
    submit(&project, &[]).code(3);
    project.file("seatrial.toml", "[promote.prod]\nmax_age = \"1w\"\n");
    promote(&project, &["approve", "p1", "--by", "jan"])
        .code(1)
        .complains("submit it again")
        .complains("`max_age` changed since");
    project.file("seatrial.toml", "[promote.prod]\n");
    project.file("sessions.jsonl", session("z", "1.4", "good"));
    promote(&project, &["approve", "p1", "--by", "jan"]).code(1).complains("recording sessions.jsonl");
}

#[test]
fn a_policy_file_of_a_suite_is_bound_too() {
    let project = promoting("");
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    let check = "[[span]]\nid = \"shape\"\ncheck = \"schema\"\nschema_file = \"shape.json\"\noptional = true\n";
    project.file("shape.json", "{\"type\":\"object\"}");
    project.file("suite.toml", format!("{suite}{check}"));
    super::run(&project, VERSION).code(0);
    submit(&project, &[]).code(3);
    promote(&project, &["approve", "p1", "--by", "jan"]).code(0);
    project.file("shape.json", "{\"type\": \"object\"}");
    verify(&project, &[]).code(1).says("file shape.json");
}
