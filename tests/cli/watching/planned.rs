//! What `seatrial check` says of watching, and what it refuses.

use serde_json::Value;

use crate::project::Project;

const SUITE: &str = r#"
[[turn]]
id = "says"
check = "contains"
value = "ok"

[[session]]
id = "calls"
check = "trajectory"
mode = "in_order"

[[session]]
id = "only-here"
check = "turns"
max = 9
runs_in = ["watch"]

[watch]
idle = "5m"
end = ["session.end"]
over = "1h"

[watch.sample]
rate = 0.1
floor = 20
max_usd_per_day = 2.5
keep = { errors = true, slow_ms = 60000 }

[[watch.sample.stratum]]
name = "vip"
rate = 1.0
on = { user = "vip*" }

[[alert]]
name = "bad"
kind = "threshold"
of = "only-here"
max = 0.05
by = "agent"
for = "10m"
severity = "critical"
to = ["ops"]
"#;

#[test]
fn check_says_what_is_watched_and_who_is_told_of_what() {
    let project = Project::with(SUITE, &["{}"]);
    project.file("seatrial.toml", "[notify.ops]\nkind = \"slack\"\nurl = \"https://example.org/hook\"\n");
    let said = project.seatrial(&["check", "suite.toml"]).code(0);
    for line in [
        "  watch       a session is over at `session.end`, when it is quiet for 5m, and cut off after 1d, 100000 records or 64 MiB",
        "  windows     5m each, settled 20m after their end; by agent, version, model, tool, flow, 50 groups each; system checks \
         look over 1h",
        "  sampled     all of `vip` (at least 20 a window); 10% of (rest) (at least 20 a window); and whatever ended in an error, \
         or took longer than 60000 ms; at most 2.5 USD for models a day",
        "  skipped     where nothing is expected: calls (reference.tools)",
        "  alert       bad (threshold, critical): how often `only-here` fails above 0.05 over 5m by agent for 10m; from 20 \
         sessions on; told: ops",
    ] {
        assert!(said.out.lines().any(|l| l == line), "{line}\n{}", said.out);
    }
}

#[test]
fn check_has_the_same_for_programs() {
    let quarantine = "[watch.quarantine]\nchecks = [\"says\"]\ntags = [\"high-risk\"]\nto = []\n";
    let project = Project::with(&format!("{SUITE}{quarantine}"), &["{}"]);
    project.file("seatrial.toml", "[notify.ops]\nkind = \"slack\"\nurl = \"https://example.org/hook\"\n");
    let said = project.seatrial(&["check", "suite.toml", "--json"]).code(0);
    let line: Value = serde_json::from_str(&said.out).expect("one line");
    assert_eq!(line["suites"][0]["name"], "s");
    insta::assert_snapshot!(serde_json::to_string_pretty(&line["suites"][0]["watch"]).expect("JSON"));
    let quarantined = "  quarantine  a session in which says fails, or a check tagged `high-risk` fails: for adjudicators alone; told: nobody";
    project.seatrial(&["check", "suite.toml"]).code(0).says(quarantined);
    // A suite that says nothing of watching has no plan of it.
    let project = Project::with(super::SUITE, &["{}"]);
    let said = project.seatrial(&["check", "suite.toml", "--json"]).code(0);
    let line: Value = serde_json::from_str(&said.out).expect("one line");
    assert!(line["suites"][0].get("watch").is_none(), "{line}");
}

#[test]
fn what_is_wrong_with_watching_is_told_to_programs_too() {
    let project = Project::with(SUITE, &["{}"]);
    let said = project.seatrial(&["check", "suite.toml", "--json"]).code(2);
    let line: Value = serde_json::from_str(&said.out).expect("one line");
    assert!(line["problems"].to_string().contains("nobody is called `ops`"), "{line}");
}

#[test]
fn an_alert_that_nobody_would_be_told_of_is_refused() {
    let project = Project::with(SUITE, &["{}"]);
    project.seatrial(&["check", "suite.toml"]).code(2).complains("nobody is called `ops`");
    project.file("seatrial.toml", "[notify.opps]\nkind = \"slack\"\nurl = \"https://example.org/hook\"\n");
    project.seatrial(&["check", "suite.toml"]).code(2).complains("did you mean `opps`?");
}

#[test]
fn a_window_that_suites_may_not_have_nobody_else_may_either() {
    let project = Project::with(super::SUITE, &["{}"]);
    let watch = |window: &str| project.seatrial(&["watch", "suite.toml", "--window", window]);
    watch("7m").code(2).complains("divides a day");
    watch("10ms").code(2).complains("divides a day");
    // And what alerts ask for has to fit to it.
    let alert = "[[alert]]\nname = \"a\"\nkind = \"threshold\"\nof = \"says\"\nmax = 0.5\nover = \"5m\"\n";
    let project = Project::with(&format!("{}{alert}", super::SUITE), &["{}"]);
    let said = project.seatrial(&["watch", "suite.toml", "--window", "2m"]).code(2);
    assert!(said.err.contains("not a whole number of windows, which are 2m long"), "{}", said.err);
}
