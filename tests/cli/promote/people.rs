//! Verdicts that wait for people hold a promotion, too, and their answers are part of the evidence.

use super::{VERSION, line, promote, run, session, submit, verify};
use crate::project::Project;

#[test]
fn what_is_held_is_promoted_once_people_have_answered_and_their_answers_are_in_the_evidence() {
    let check = "[[session]]\nid = \"good\"\ncheck = \"contains\"\nvalue = \"good\"\nreview = { always = true }\n";
    let project = Project::with(check, &[&session("a", "1.4", "good")]);
    project.file("seatrial.toml", "[promote.prod]\n");
    run(&project, VERSION).code(3);
    submit(&project, &[]).code(3).says("DRAFT  p1").says("suite `s` is held");
    let items = project.seatrial(&["review", "list", "--json"]).code(0).out;
    let item: serde_json::Value = serde_json::from_str(items.lines().next().expect("an item")).expect("JSON");
    let id = item["items"][0]["item"].as_str().or(item["item"].as_str()).expect("an item").to_owned();
    project.seatrial(&["review", "label", &id, "pass", "--as", "eva"]).code(0);
    submit(&project, &[]).code(3).says("PENDING  p1").says("1 decided by people");
    promote(&project, &["approve", "p1", "--by", "jan"]).code(0);
    verify(&project, &[]).code(0);
    let gate = promote(&project, &["show", "p1", "--gate"]).code(0).out;
    let gate: serde_json::Value = serde_json::from_str(&gate).expect("gate.json");
    let labels = &gate["runs"][0]["suites"][0]["labels"];
    assert_eq!((labels["applied"].as_u64(), labels["by"]["eva"].as_u64()), (Some(1), Some(1)), "{labels}");
    assert_eq!(line(&promote(&project, &["show", "p1", "--json"]).code(0))["status"], "approved");
}
