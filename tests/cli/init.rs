//! `seatrial init`: what it writes works, and nothing that is there is touched.

use crate::project::Project;

#[test]
fn what_it_writes_is_sound_and_passes() {
    let project = Project::new();
    project.seatrial(&["init"]).code(0).says("wrote suites/first.toml").says("seatrial run suites/");
    for file in ["seatrial.toml", ".seatrial/suite.schema.json", ".github/workflows/seatrial.yml"] {
        assert!(project.path(file).is_file(), "{file}");
    }
    project.seatrial(&["check", "suites/"]).code(0);
    project.seatrial(&["run", "suites/", "--profile", "ci"]).code(0);
    assert!(project.path("build/junit.xml").is_file(), "the copy that the CI reads");
    let summary = project.summary();
    let checks = summary["suites"][0]["checks"].as_array().expect("checks");
    let levels: Vec<&str> = checks.iter().filter_map(|c| c["level"].as_str()).collect();
    assert_eq!(levels, ["span", "turn", "session", "session", "system"]);
    assert!(checks.iter().all(|c| c["exercised"] == true), "{checks:?}");
}

#[test]
fn the_suite_is_one_that_can_fail() {
    let project = Project::new();
    project.seatrial(&["init"]).code(0);
    let recording = std::fs::read_to_string(project.path("recordings/first.jsonl")).expect("a recording");
    project.file("recordings/first.jsonl", recording.replace("\"id\":17", "\"id\":71"));
    project.seatrial(&["run", "suites/"]).code(1).says("did-what-was-asked");
}

#[test]
fn what_is_there_is_left_as_it_is() {
    let project = Project::new();
    project.file("seatrial.toml", "jobs = 1\n");
    project.seatrial(&["init"]).code(0).says("left  seatrial.toml as it is").says("wrote suites/first.toml");
    assert_eq!(std::fs::read_to_string(project.path("seatrial.toml")).expect("settings"), "jobs = 1\n");
    project.seatrial(&["init"]).code(0).says("left  suites/first.toml as it is");
}

#[test]
fn the_ci_is_the_one_that_is_there_or_is_named() {
    let project = Project::new();
    project.file(".gitlab-ci.yml", "stages: [test]\n");
    project.seatrial(&["init"]).code(0).says("wrote .gitlab/seatrial.yml").says("include:");
    assert!(!project.path(".github").exists());
    project.seatrial(&["init", "evals", "--ci", "none"]).code(0).says("wrote evals/suites/first.toml").says("cd evals");
    assert!(!project.path("evals/.gitlab").exists() && !project.path("evals/.github").exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_never_exit_0() {
    let project = Project::new();
    project.file("taken", "a file");
    project.seatrial(&["init", "taken"]).code(5);
}
