//! The minute of the README: a run that is held, a person who answers, a gate that passes; in the order in which it is
//! written there.

use super::review;
use crate::project::{Project, Said};

/// The commands of the section, without `seatrial`.
fn commands() -> Vec<Vec<String>> {
    let readme = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(readme).expect("the README");
    let section =
        text.split("## People in the loop").nth(1).and_then(|t| t.split("\n## ").next()).expect("the section");
    let block = section.split("```console\n").nth(1).and_then(|t| t.split("```").next()).expect("its commands");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    block.lines().filter_map(|line| line.strip_prefix("$ seatrial ")).map(words).collect()
}

fn run(project: &Project, command: &[String]) -> Said {
    project.seatrial(&command.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A folder whose run waits for two answers, and the commands that come after it.
fn held() -> (Project, Vec<Vec<String>>) {
    let project = Project::new();
    let mut commands = commands();
    assert_eq!(commands.len(), 4, "{commands:?}");
    run(&project, &commands.remove(0)).code(0).says("seatrial review ");
    project.seatrial(&["check", "suites/"]).code(0);
    run(&project, &commands.remove(0)).code(3).says("refuses-well");
    (project, commands)
}

#[test]
#[cfg(unix)]
fn a_newcomer_sees_a_run_that_is_held_answers_and_sees_it_pass() {
    let (project, commands) = held();
    assert_eq!(commands[0], ["review"]);
    let steps = [
        ("refuse politely", "p"),
        ("you agree with the check", "\r"),
        ("refuse politely", "p"),
        ("you agree with the check", "\r"),
        ("nothing waits for you", "q"),
    ];
    let Some(ended) = super::desk::typed(&project, "ann", &steps) else { return };
    assert_eq!(ended["code"], 0, "{}", ended["shown"].as_str().unwrap_or_default());
    run(&project, &commands[1]).code(0);
}

#[test]
fn a_person_who_says_no_makes_it_fail() {
    let (project, commands) = held();
    let listed = review(&project, "ann", &["list", "--json"]).code(0).out;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let items = listed["items"].as_array().expect("items");
    assert_eq!(items.len(), 2);
    run(&project, &commands[1]).code(3);
    review(&project, "ann", &["label", items[0]["item"].as_str().expect("an id"), "fail"]).code(0);
    run(&project, &commands[1]).code(1).says("1 of 3 cases");
}
