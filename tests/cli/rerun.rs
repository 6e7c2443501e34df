//! Running again what did not go well.

use crate::project::{GOOD, Project, replies};

const DECLARED: &str = "[[case]]\nid = \"a\"\n[[case]]\nid = \"b\"\n[[case]]\nid = \"c\"\n[[case]]\nid = \"gone\"\n";

/// Case a passes, b fails, c cannot be measured (it has no turn), and one has no session.
fn project() -> Project {
    let sessions = [replies("a", "good"), replies("b", "bad"), "{\"id\":\"c\",\"turns\":[]}".to_owned()];
    let metric = "[[system]]\nid = \"m\"\ncheck = \"metric\"\nmetric = \"turns\"\nstat = \"mean\"\nmin = 99\n";
    let project = Project::with(&format!("{GOOD}{metric}{DECLARED}"), &sessions.each_ref().map(String::as_str));
    project.run().code(1);
    project
}

fn evaluated(project: &Project) -> Vec<String> {
    let sessions = project.events();
    let id = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        event["case"].as_str().expect("a case").to_owned()
    };
    sessions.lines().filter(|l| l.contains("\"event\":\"session\"")).map(id).collect()
}

#[test]
fn only_cases_that_failed_or_erred_are_run_again_and_the_run_is_partial() {
    let project = project();
    let first = project.summary()["run"].as_str().expect("a run").to_owned();
    let said = project.run_with(&["--rerun", "failed"]).code(1);
    assert!(said.out.contains(&format!("partial: only failed of {first}")), "{}", said.out);
    assert_eq!(evaluated(&project), ["b"]);
    let summary = project.summary();
    assert_eq!(summary["partial"], true);
    assert_eq!(summary["suites"][0]["cases"]["total"], 1);
    assert_eq!(summary["suites"][0]["sessions"]["left_out"]["filtered"], 2);
    assert!(project.events().contains("taken out by --rerun"));
    project.run_with(&["--rerun", &format!("errors:reports/{first}")]).code(4);
    assert_eq!(evaluated(&project), ["c"]);
    assert_eq!(project.suite()["missing"], serde_json::json!(["gone"]));
    project.run_with(&["--rerun", &format!("reports/{first}")]).code(1);
    assert_eq!(evaluated(&project), ["b", "c"]);
}

#[test]
fn what_was_mended_passes_and_then_there_is_nothing_to_run_again() {
    let project = project();
    project.file("sessions.jsonl", [replies("a", "good"), replies("b", "good")].join("\n"));
    project.run_with(&["--rerun", "failed"]).code(0).says("PASSED");
    let runs = || std::fs::read_dir(project.path("reports")).expect("runs").count();
    let before = runs();
    project.run_with(&["--rerun", "failed", "--json"]).code(4).complains("no case failed");
    assert_eq!(runs(), before);
    project.run_with(&["--rerun", "failed:nowhere"]).code(2).complains("there is no run at `nowhere`");
    project.run_with(&["--rerun", "failed", "--resume"]).code(2);
}
