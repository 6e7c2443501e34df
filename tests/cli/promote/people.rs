//! Verdicts that wait for people hold a promotion, too, and their answers are part of the evidence.

use super::{VERSION, line, promote, run, session, submit, verify};
use crate::project::Project;

const HELD: &str = "[[session]]\nid = \"good\"\ncheck = \"contains\"\nvalue = \"good\"\nreview = { always = true }\n";

/// A project with a run of sessions that people have to decide.
fn held(ids: &[&str]) -> Project {
    let sessions: Vec<String> = ids.iter().map(|id| session(id, "1.4", "good")).collect();
    let project = Project::with(HELD, &sessions.iter().map(String::as_str).collect::<Vec<_>>());
    project.file("seatrial.toml", "[promote.prod]\n");
    run(&project, VERSION).code(3);
    project
}

/// The items of the queue.
fn items(project: &Project) -> Vec<String> {
    let listed = project.seatrial(&["review", "list", "--json"]).code(0).out;
    let listed: serde_json::Value = serde_json::from_str(listed.lines().next().expect("a line")).expect("JSON");
    let all = listed["items"].as_array().expect("items");
    all.iter().map(|item| item["item"].as_str().expect("an item").to_owned()).collect()
}

fn pass(project: &Project, item: &str) {
    project.seatrial(&["review", "label", item, "pass", "--as", "eva"]).code(0);
}

#[test]
fn reports_that_were_drawn_while_people_decided_stand_in_nobodys_way() {
    let project = held(&["a", "b"]);
    let items = items(&project);
    pass(&project, &items[0]);
    project.seatrial(&["report", "reports/latest"]).code(3);
    pass(&project, &items[1]);
    // What summary.json says is neither what the run left nor what is decided by now.
    submit(&project, &[]).code(3).says("PENDING  p1").says("2 decided by people");
}

#[test]
fn what_is_held_is_promoted_once_people_have_answered_and_their_answers_are_in_the_evidence() {
    let project = held(&["a"]);
    submit(&project, &[]).code(3).says("DRAFT  p1").says("suite `s` is held");
    pass(&project, &items(&project)[0]);
    submit(&project, &[]).code(3).says("PENDING  p1").says("1 decided by people");
    promote(&project, &["approve", "p1", "--by", "jan"]).code(0);
    verify(&project, &[]).code(0);
    let gate = promote(&project, &["show", "p1", "--gate"]).code(0).out;
    let gate: serde_json::Value = serde_json::from_str(&gate).expect("gate.json");
    let labels = &gate["runs"][0]["suites"][0]["labels"];
    assert_eq!((labels["applied"].as_u64(), labels["by"]["eva"].as_u64()), (Some(1), Some(1)), "{labels}");
    assert_eq!(line(&promote(&project, &["show", "p1", "--json"]).code(0))["status"], "approved");
}

#[test]
fn an_answer_that_is_taken_back_is_approved_by_nobody_and_voids_what_was() {
    let project = held(&["a"]);
    let item = items(&project).remove(0);
    let undo = |project: &Project| project.seatrial(&["review", "undo", &item, "--as", "eva"]).code(0);
    pass(&project, &item);
    submit(&project, &[]).code(3).says("PENDING  p1");
    undo(&project);
    let approve = |project: &Project, id: &str| promote(project, &["approve", id, "--by", "jan"]);
    approve(&project, "p1").code(1).complains("decisions of people over suite `s`").complains("they are others now");
    pass(&project, &item);
    approve(&project, "p1").code(0);
    verify(&project, &[]).code(0).says("same          decisions of people over suite `s`");
    undo(&project);
    verify(&project, &[]).code(1).says("VOID          decisions of people over suite `s`");
}

#[test]
fn what_people_contest_is_held_and_counts_as_no_decision() {
    let project = held(&["a", "b"]);
    let items = items(&project);
    items.iter().for_each(|item| pass(&project, item));
    let label = serde_json::json!({ "item": items[1], "reviewer": "bob", "answer": "fail" });
    project.file("labels.jsonl", label.to_string());
    project.seatrial(&["review", "import", "labels.jsonl"]).code(0);
    let said = submit(&project, &[]).code(3).says("DRAFT  p1").says("suite `s` is held").says("1 decided by people");
    assert!(!said.out.contains("2 decided"), "{}", said.out);
    project.seatrial(&["review", "adjudicate", &items[1], "pass", "--as", "cat"]).code(0);
    submit(&project, &[]).code(3).says("PENDING  p1").says("2 decided by people");
    // What is contested after it was submitted is not what was submitted.
    let undo = ["review", "undo", &items[1], "--as", "cat"];
    project.seatrial(&undo).code(0);
    promote(&project, &["approve", "p1", "--by", "jan"]).code(1).complains("decisions of people over suite `s`");
}
