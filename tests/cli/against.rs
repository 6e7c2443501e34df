//! System checks against an earlier run: `max_ratio` and `drift`, against the gate's baseline or a run of their own, while
//! running, when shards are merged, and when a record is decided again with another baseline.

use serde_json::{Value, json};

use crate::project::{GOOD, Project, Said, again};

/// Mean tokens at most three times those of the baseline, distributed much alike; errors of tools hardly more often.
const CHECKS: &str = r#"
[[system]]
id = "spend"
check = "metric"
metric = "tokens"
stat = "mean"
max_ratio = 3
against = "baseline"
[[system]]
id = "alike"
check = "drift"
metric = "turns"
max_shift = 0.5
against = "baseline"
[[system]]
id = "errors"
check = "metric"
metric = "tool_error_rate"
max_ratio = 1.5
against = "baseline"
"#;

const GATE: &str = "[gate]\npass_rate = { min = 0.0 }\n";

/// Sixty sessions recorded anew, each with so many tokens and turns, of which so many have a tool that fails.
#[derive(Clone, Copy)]
struct Took {
    tokens: u64,
    turns: usize,
    errors: usize,
}

const USUAL: Took = Took { tokens: 100, turns: 2, errors: 10 };

fn sessions(took: Took) -> String {
    let session = |i: usize| {
        let call =
            json!({ "kind": "tool", "name": "f", "status": if i < took.errors { "error" } else { "ok" }, "input": {} });
        let llm = json!({ "kind": "llm", "name": "chat", "usage": { "input": took.tokens + i as u64, "output": 0 } });
        let first = json!({ "user": "q", "reply": "good", "spans": [llm, call] });
        let turns: Vec<Value> = (0..took.turns)
            .map(|t| if t == 0 { first.clone() } else { json!({ "user": "q", "reply": "good" }) })
            .collect();
        again(&json!({ "id": format!("c{i}"), "agent": "ferry", "version": "2", "turns": turns }).to_string()) + "\n"
    };
    (0..60).map(session).collect()
}

/// A project whose run `main` took the usual; `bar` are more keys of its baseline.
fn project(bar: &str) -> Project {
    let project =
        Project::with(&format!("{GOOD}{CHECKS}{GATE}baseline = {{ run = \"main\", margin = 0.2{bar} }}\n"), &[]);
    project.file("sessions.jsonl", sessions(USUAL));
    // Without a baseline of its own yet, nothing is shown; it ran to its end, and may be one.
    project.run_with(&["--out", "first"]).code(4);
    project.file("main/run.jsonl", std::fs::read(project.path("first/latest/run.jsonl")).expect("a record"));
    project
}

fn run(project: &Project, took: Took) -> Said {
    project.file("sessions.jsonl", sessions(took));
    project.run()
}

#[test]
fn what_is_as_it_was_passes_and_what_is_more_fails_and_says_how_much() {
    let project = project("");
    run(&project, USUAL).code(0);
    run(&project, Took { tokens: 500, ..USUAL }).code(1).says("times the 129.5 of the earlier run, above max_ratio 3");
    assert_eq!(project.check("spend")["fail"], 1);
    run(&project, Took { turns: 5, ..USUAL }).code(1).says("turns is 1 away from the earlier run");
    run(&project, Took { errors: 40, ..USUAL }).code(1).says("4 times the 0.166667 of the earlier run");
}

#[test]
fn a_rate_that_chance_explains_is_inconclusive() {
    let project = project("");
    run(&project, Took { errors: 16, ..USUAL })
        .code(4)
        .says("INCONCLUSIVE")
        .says("would tell: those of the earlier run are too few");
}

#[test]
fn an_earlier_run_that_cannot_be_compared_with_makes_the_checks_errors_also_where_the_gate_skips_it() {
    for bar in ["", ", if_missing = \"skip\""] {
        let project = project(bar);
        let record = std::fs::read_to_string(project.path("main/run.jsonl")).expect("a record");
        let errs = |why: &str| {
            run(&project, USUAL).code(4).says(why);
            for id in ["spend", "alike", "errors"] {
                let check = project.check(id);
                assert_eq!((check["error"].as_u64(), check["pass"].as_u64()), (Some(1), Some(0)), "{id}: {check}");
                assert!(
                    check["value"].is_null() || check["reason"].as_str().is_some_and(|r| r.contains(why)),
                    "{check}"
                );
            }
        };
        std::fs::remove_file(project.path("main/run.jsonl")).expect("removed");
        errs("there is no run at this place");
        project.file("main/run.jsonl", record.replace("\"name\":\"s\"", "\"name\":\"t\""));
        errs("the run holds no suite `s`");
        project.file("main/run.jsonl", &record[..record.len() / 2]);
        errs("did not run to its end");
    }
}

#[test]
fn an_earlier_run_without_the_column_is_an_error_that_says_what_to_do() {
    let project = project("");
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file("suite.toml", suite.replace("metric = \"turns\"", "metric = \"tool_calls\""));
    run(&project, USUAL).code(4).says("did not measure tool_calls: run it again with this suite");
}

#[test]
fn costs_by_other_prices_are_not_compared_and_it_says_what_to_do() {
    const SPEND: &str = "[[system]]\nid = \"spend\"\ncheck = \"metric\"\nmetric = \"cost_usd\"\nstat = \"mean\"\n\
                         max_ratio = 1.1\nagainst = \"baseline\"\n[[system]]\nid = \"alike\"\ncheck = \"drift\"\n\
                         metric = \"cost_usd\"\nmax_shift = 0.5\nagainst = \"baseline\"\n";
    let bar = "baseline = { run = \"main\", margin = 0.2, means = [{ metric = \"cost_usd\", max_rise = \"10%\" }] }\n";
    let project = Project::with(&format!("{GOOD}{SPEND}{GATE}{bar}"), &[]);
    let priced = |usd: f64| {
        let prices = format!("[prices]\n\"m\" = {{ input = {usd}, output = 0.0 }}\n");
        project.file("seatrial.toml", prices);
        let model = "\"name\":\"chat\",\"model\":\"m\"";
        project.file("sessions.jsonl", sessions(USUAL).replace("\"name\":\"chat\"", model));
    };
    let becomes_main = || drop(project.file("main/run.jsonl", project.report("run.jsonl")));
    priced(3.0);
    project.run().code(4);
    becomes_main();
    priced(3.0);
    project.run().code(0);
    // Half the price, and the same tokens: that nothing was saved cannot be seen.
    priced(1.5);
    project.run().code(4).says("its costs are by other prices than those of this run: run it again with these");
    for id in ["spend", "alike"] {
        assert_eq!(project.check(id)["error"], 1, "{id}");
    }
    let rules = project.suite()["rules"].clone();
    let mean = rules.as_array().and_then(|rules| rules.iter().find(|rule| rule.to_string().contains("mean")));
    let mean = mean.unwrap_or_else(|| panic!("no rule of the mean in {rules}"));
    assert_eq!(mean["decision"], "unmeasured", "{mean}");
    assert!(mean["reason"].as_str().is_some_and(|why| why.contains("by other prices")), "{mean}");
    becomes_main();
    priced(1.5);
    project.run().code(0);
}

#[test]
fn another_subject_is_what_a_baseline_is_for_and_is_named() {
    let project = project("");
    project.file("sessions.jsonl", sessions(USUAL).replace("\"version\":\"2\"", "\"version\":\"1\""));
    project.run_with(&["--subject", "ferry@1"]).code(0);
    project.file("main/run.jsonl", project.report("run.jsonl"));
    project.file("sessions.jsonl", sessions(USUAL));
    project.run_with(&["--subject", "ferry@2"]).code(0).says("of ferry@1");
    project.file("sessions.jsonl", sessions(Took { tokens: 900, ..USUAL }));
    project.run_with(&["--subject", "ferry@2"]).code(1).says("above max_ratio 3");
}

#[test]
fn a_run_over_the_same_recordings_is_an_error_of_the_checks_and_one_over_some_of_them_says_so() {
    let project = Project::with(&format!("{GOOD}{}{GATE}", CHECKS.replace("\"baseline\"", "\"main\"")), &[]);
    let old = sessions(USUAL);
    project.file("sessions.jsonl", &old);
    project.run_with(&["--out", "first"]).code(4);
    project.file("main/run.jsonl", std::fs::read(project.path("first/latest/run.jsonl")).expect("a record"));
    project.run().code(4).says("all 60 sessions of this run are its own");
    let some: Vec<&str> = old.lines().take(7).collect();
    let new = sessions(USUAL);
    project.file("sessions.jsonl", some.into_iter().chain(new.lines().skip(7)).collect::<Vec<_>>().join("\n") + "\n");
    project.run().code(0);
    for id in ["spend", "alike", "errors"] {
        let reason = project.check(id)["reason"].as_str().map(str::to_owned).unwrap_or_default();
        assert!(reason.contains("7 of 60 sessions are the very recordings of the earlier run"), "{id}: {reason}");
    }
}

/// Leaves a run of such sessions in `out`, and its record at `out/run.jsonl`.
fn leave(project: &Project, out: &str, took: Took) {
    project.file("sessions.jsonl", sessions(took));
    project.run_with(&["--out", &format!("runs-{out}")]);
    let record = std::fs::read(project.path(&format!("runs-{out}/latest/run.jsonl"))).expect("a record");
    project.file(&format!("{out}/run.jsonl"), record);
}

#[test]
fn another_baseline_takes_the_place_of_the_suites_own_for_its_checks_too() {
    let project = project("");
    leave(&project, "cheap", Took { tokens: 10, ..USUAL });
    leave(&project, "dear", Took { tokens: 500, ..USUAL });
    project.file("sessions.jsonl", sessions(Took { tokens: 200, ..USUAL }));
    project.run().code(0);
    project.run_with(&["--baseline", "cheap"]).code(1).says("above max_ratio 3");
    project.run_with(&["--baseline", "dear"]).code(0);
    project.run_with(&["--baseline", "nowhere"]).code(4).says("there is no run");
}

#[test]
fn gate_asks_the_checks_again_when_another_baseline_is_named_and_says_what_a_run_would() {
    let project = project("");
    leave(&project, "cheap", Took { tokens: 10, ..USUAL });
    leave(&project, "dear", Took { tokens: 500, ..USUAL });
    project.file("sessions.jsonl", sessions(Took { tokens: 200, ..USUAL }));
    for (baseline, code) in [("cheap", 1), ("dear", 0), ("nowhere", 4)] {
        project.run_with(&["--baseline", baseline, "--out", "told"]).code(code);
        project.run().code(0);
        let said = project.seatrial(&["gate", "reports/latest", "--baseline", baseline, "--json"]).code(code);
        let decided: Value = serde_json::from_str(&said.out).expect("JSON");
        let told = crate::project::json(&project.path("told/latest/summary.json"));
        assert_eq!(decided["suites"], told["suites"], "{baseline}");
    }
    // Without another baseline nothing but the record is needed.
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file("suite.toml", suite.replace("max_ratio = 3", "max_ratio = 4"));
    project.seatrial(&["gate", "reports/latest"]).code(0);
    project.seatrial(&["gate", "reports/latest", "--baseline", "dear"]).code(2).complains("are not those of the run");
    std::fs::remove_file(project.path("suite.toml")).expect("removed");
    project.seatrial(&["gate", "reports/latest"]).code(0);
    project.seatrial(&["gate", "reports/latest", "--baseline", "dear"]).code(2).complains("is not at `suite.toml`");
}

#[test]
fn merge_with_another_baseline_decides_as_an_unsharded_run_with_it() {
    let own = "[[system]]\nid = \"own\"\ncheck = \"metric\"\nmetric = \"tokens\"\nstat = \"p50\"\nmax_ratio = 9\nagainst = \"main\"\n";
    let project = project("");
    leave(&project, "cheap", Took { tokens: 10, ..USUAL });
    leave(&project, "dear", Took { tokens: 500, ..USUAL });
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file("suite.toml", suite.replace("[gate]", &format!("{own}[gate]")));
    project.file("sessions.jsonl", sessions(Took { tokens: 200, ..USUAL }));
    for shard in ["1/2", "2/2"] {
        project.run_with(&["--shard", shard, "--out", "shards"]).code(0);
    }
    let events = |run: &str| -> Vec<String> {
        let record = std::fs::read_to_string(project.path(run).join("run.jsonl")).expect("a record");
        record.lines().filter(|l| l.starts_with("{\"event\"")).map(str::to_owned).collect()
    };
    for (baseline, code) in [("cheap", 1), ("dear", 0)] {
        project.run_with(&["--baseline", baseline, "--out", "whole"]).code(code);
        project.seatrial(&["merge", "shards", "--baseline", baseline]).code(code);
        assert_eq!(events("reports/latest"), events("whole/latest"), "{baseline}");
        assert_eq!(project.check("own")["pass"], 1, "its own earlier run is still there");
    }
}
