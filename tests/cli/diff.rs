//! Two runs side by side: what newly fails and newly passes, with both sides, and what the test says.

use crate::project::{GOOD, Project, replies, trial};

const TWO: &str = "[gate]\npass_rate = { min = 0.0 }\n";

/// A project with a run of each of two sets of sessions under `a` and `b`.
fn runs(suites: [&str; 2], sessions: [&[String]; 2]) -> Project {
    let project = Project::with(&format!("{}{TWO}", suites[0]), &[]);
    for ((suite, sessions), name) in suites.iter().zip(sessions).zip(["a", "b"]) {
        let head = "[suite]\nname = \"s\"\n[recorded]\npaths = [\"sessions.jsonl\"]\n";
        project.file("suite.toml", format!("{head}{suite}{TWO}"));
        project.file("sessions.jsonl", sessions.join("\n") + "\n");
        assert_ne!(project.run_with(&["--out", name]).code, 2);
    }
    project
}

fn said(replies_of: &[(&str, &str)]) -> Vec<String> {
    replies_of.iter().map(|(id, reply)| replies(id, reply)).collect()
}

fn diff(project: &Project, more: &[&str]) -> crate::project::Said {
    project.seatrial(&[&["diff", "a/latest", "b/latest"], more].concat())
}

fn json(project: &Project) -> serde_json::Value {
    serde_json::from_str(&diff(project, &["--json"]).code(0).out).expect("one line of JSON")
}

#[test]
fn what_newly_fails_and_newly_passes_is_shown_with_both_sides() {
    let before = said(&[("lost", "good"), ("won", "a bad reply"), ("same", "good")]);
    let after = said(&[("lost", "another reply"), ("won", "good"), ("same", "good")]);
    let project = runs([GOOD, GOOD], [&before, &after]);
    let text = diff(&project, &[]).code(0).out;
    // The first two lines name the runs by when they were.
    let (head, body) = text.split_once("\n\n").expect("a head");
    assert!(head.starts_with("before  20") && head.contains("\nafter   20"), "{head}");
    insta::assert_snapshot!("diff_of_two_runs", body);
    let suite = &json(&project)["suites"][0];
    let change = |i: usize| {
        let change = &suite["changes"][i];
        (change["kind"].as_str().expect("a kind").to_owned(), change["case"].as_str().expect("a case").to_owned())
    };
    assert_eq!(change(0), ("newly_fails".to_owned(), "lost".to_owned()));
    assert_eq!(change(1), ("newly_passes".to_owned(), "won".to_owned()));
    assert_eq!(suite["changes"][0]["after"]["session"], "lost");
    assert_eq!(suite["cases"]["paired"], 3);
    assert_eq!(suite["cases"]["p"], 1.0);
}

#[test]
fn the_exit_code_is_asked_for_and_tells_only_what_got_worse() {
    let (good, bad) = (said(&[("a", "good"), ("b", "good")]), said(&[("a", "bad"), ("b", "good")]));
    let worse = runs([GOOD, GOOD], [&good, &bad]);
    diff(&worse, &[]).code(0);
    diff(&worse, &["--exit-code"]).code(1);
    assert!(diff(&worse, &["--exit-code", "--json"]).code(1).out.contains("\"exit_code\":1"));
    diff(&runs([GOOD, GOOD], [&bad, &good]), &["--exit-code"]).code(0);
    diff(&runs([GOOD, GOOD], [&good, &good]), &["--exit-code"]).code(0).says("no verdict changed");
    let gone = runs([GOOD, GOOD], [&good, &good[..1]]);
    diff(&gone, &["--exit-code"]).code(1).says("cases only before b");
}

#[test]
fn what_is_no_longer_measured_is_no_pass() {
    let paid = "[[session]]\nid = \"paid\"\ncheck = \"reward\"\n";
    let before =
        [r#"{"seatrial":1,"id":"a","reward":1.0}"#.to_owned(), r#"{"seatrial":1,"id":"b","reward":1.0}"#.to_owned()];
    let after = [before[0].clone(), r#"{"seatrial":1,"id":"b"}"#.to_owned()];
    let project = runs([paid, paid], [&before, &after]);
    diff(&project, &["--exit-code"]).code(1).says("no longer measured paid");
    // It counts in no rate.
    assert_eq!(json(&project)["suites"][0]["cases"]["paired"], 1);
}

#[test]
fn a_check_that_changed_is_named_and_not_compared() {
    let sessions = said(&[("a", "good")]);
    let strict = GOOD.replace("value = \"good\"", "value = \"very good\"");
    let kind = "[[session]]\nid = \"kind\"\ncheck = \"contains\"\nvalue = \"good\"\n";
    let project = runs([&format!("{GOOD}{kind}"), &format!("{strict}{kind}")], [&sessions, &sessions]);
    diff(&project, &[]).code(0).says("checks changed, not compared good").says("no verdict changed");
    let new = runs([GOOD, &format!("{GOOD}{kind}")], [&sessions, &sessions]);
    diff(&new, &[]).code(0).says("checks only after kind");
}

#[test]
fn flaky_cases_are_named_and_trials_are_counted() {
    let trials = |last: &str| [trial("c", 0, "good"), trial("c", 1, last)];
    let project = runs([GOOD, GOOD], [&trials("good"), &trials("bad")]);
    diff(&project, &[])
        .code(0)
        .says("flaky c (after)")
        .says("1 of 2 trials passed")
        .says("newly fails good (session, flaky)");
}

#[test]
fn many_cases_are_told_from_chance() {
    let of = |bad: usize| {
        let reply = |i: usize| if i < bad { "bad" } else { "good" };
        (0..100).map(|i| replies(&format!("c{i}"), reply(i))).collect::<Vec<_>>()
    };
    let project = runs([GOOD, GOOD], [&of(0), &of(30)]);
    let text = diff(&project, &[]).code(0).says("worse than chance explains").says("and 10 more");
    assert_eq!(text.out.matches("newly fails").count(), 20);
    assert_eq!(diff(&project, &["--verbose"]).code(0).out.matches("newly fails").count(), 30);
    diff(&runs([GOOD, GOOD], [&of(0), &of(3)]), &[]).code(0).says("no more than chance may explain");
}

#[test]
fn a_run_that_cannot_be_read_is_a_usage_error_and_a_partial_one_is_said_to_be() {
    let sessions = said(&[("a", "good"), ("b", "good")]);
    let project = runs([GOOD, GOOD], [&sessions, &sessions]);
    project.seatrial(&["diff", "a/latest", "nowhere"]).code(2).complains("there is no run at `nowhere`");
    project.seatrial(&["diff", "sessions.jsonl", "a/latest"]).code(2).complains("not a run record");
    project.run_with(&["--out", "b", "--filter", "case(a)"]).code(0);
    diff(&project, &[]).code(0).says("partial");
}

#[test]
fn what_an_agent_said_cannot_move_the_cursor() {
    let before = said(&[("a\u{1b}[2Jx", "good")]);
    let after = said(&[("a\u{1b}[2Jx", "\u{1b}[31mbad")]);
    let project = runs([GOOD, GOOD], [&before, &after]);
    assert!(!diff(&project, &["--color", "always"]).code(0).says("newly fails").out.contains("\u{1b}[2J"));
}

#[test]
fn what_people_decided_is_laid_over_both_runs_from_the_store_or_from_an_export() {
    let reviewed = format!("{GOOD}review = {{ always = true }}\n");
    let project = runs([&reviewed, &reviewed], [&said(&[("a", "good")]), &said(&[("a", "good too")])]);
    let listed = project.seatrial(&["review", "list", "--json"]).code(0).out;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    for item in listed["items"].as_array().expect("items") {
        let shown = project.seatrial(&["review", "show", item["item"].as_str().expect("a name")]).code(0).out;
        let answer = if shown.contains("good too") { "fail" } else { "pass" };
        project.seatrial(&["review", "label", item["item"].as_str().expect("a name"), answer, "--as", "ann"]).code(0);
    }
    let newly = |more: &[&str]| {
        let mut command = project.command(&[&["diff", "a/latest", "b/latest", "--exit-code"], more].concat());
        command.env("SEATRIAL_STORE", if more.is_empty() { ".seatrial/seatrial.db" } else { "off" });
        crate::project::Said::of(command).code
    };
    project.seatrial(&["review", "export", "--out", "labels.jsonl"]).code(0);
    assert_eq!(newly(&[]), 1);
    assert_eq!(newly(&["--labels", "labels.jsonl"]), 1);
    assert_eq!(newly(&["--no-labels"]), 0);
    assert_eq!(newly(&["--labels", "nowhere.jsonl"]), 2);
}
