//! Means of metrics against a baseline, pair by pair: what passes, fails, and cannot be told, and in which words.

use serde_json::{Value, json};

use crate::project::{GOOD, Project, again};

/// Sessions recorded anew with so many tokens each; `None` where the recording does not say.
fn sessions(tokens: &[Option<u64>]) -> String {
    let session = |(i, tokens): (usize, &Option<u64>)| {
        let usage = tokens.map_or(Value::Null, |n| json!({ "input": n, "output": 0 }));
        let llm = json!({ "kind": "llm", "name": "chat", "usage": usage });
        let turns = json!([{ "user": "q", "reply": "good", "spans": [llm] }]);
        again(&json!({ "id": format!("c{i}"), "rating": 4, "turns": turns }).to_string()) + "\n"
    };
    tokens.iter().enumerate().map(session).collect()
}

/// So many cases of 500 tokens and some, each more by `more` of its position.
fn tokens(n: usize, more: impl Fn(usize) -> i64) -> Vec<Option<u64>> {
    (0..n).map(|i| u64::try_from(500 + 10 * (i as i64 % 7) + more(i)).ok()).collect()
}

/// A project with these bars, whose run `main` is over so many cases.
fn project(n: usize, means: &str) -> Project {
    let gate = format!("[gate]\npass_rate = {{ min = 0.0 }}\n[gate.baseline]\nrun = \"main\"\nmargin = 0.5\n{means}\n");
    let project = Project::with(&format!("{GOOD}{gate}"), &[]);
    project.file("sessions.jsonl", sessions(&tokens(n, |_| 0)));
    project.run_with(&["--out", "first"]).code(4);
    project.file("main/run.jsonl", std::fs::read(project.path("first/latest/run.jsonl")).expect("a record"));
    project
}

fn rule(project: &Project, name: &str) -> Value {
    let suite = project.suite();
    let rules = suite["rules"].as_array().expect("rules");
    rules.iter().find(|r| r["rule"] == name).unwrap_or_else(|| panic!("no rule {name} in {rules:?}")).clone()
}

/// Differences that are 40 on average, give or take.
fn forty(i: usize) -> i64 {
    if i.is_multiple_of(2) { 20 } else { 60 }
}

#[test]
fn a_mean_that_is_shown_to_rise_less_than_allowed_passes_and_says_how_sure_that_is() {
    let project = project(40, "means = [{ metric = \"tokens\", max_rise = 50 }]");
    project.file("sessions.jsonl", sessions(&tokens(40, forty)));
    project.run().code(0).says("mean tokens").says("95% sure that it rises by at most 45.3").says("(paired-t)");
    let rule = rule(&project, "baseline mean tokens");
    assert_eq!((rule["value"].as_f64(), rule["count"].as_u64()), (Some(40.0), Some(40)));
    assert_eq!((rule["bound"]["max"].as_f64(), rule["method"].as_str()), (Some(50.0), Some("paired-t")));
    // 40 +- t(.95, 39) * 20.2548 / sqrt(40), by scipy.
    let limits = [rule["interval"][0].as_f64().expect("a limit"), rule["interval"][1].as_f64().expect("a limit")];
    assert!((limits[0] - 34.604_168).abs() < 1e-4 && (limits[1] - 45.395_832).abs() < 1e-4, "{limits:?}");
    for report in ["summary.md", "index.html", "junit.xml"] {
        let said = project.report(report).replace('\\', "");
        assert!(said.contains(if report == "summary.md" { "mean tokens" } else { "baseline mean tokens" }), "{report}");
    }
}

#[test]
fn a_share_of_the_earlier_mean_is_a_bar_too() {
    let project = project(40, "means = [{ metric = \"tokens\", max_rise = \"9%\" }]");
    project.file("sessions.jsonl", sessions(&tokens(40, forty)));
    project.run().code(0).says("(9%) wanted");
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file("suite.toml", suite.replace("9%", "7%"));
    project.run().code(1).says("(7%) wanted").says("it is worse").says("paired t, Holm over 2");
}

#[test]
fn a_metric_of_which_more_is_better_may_fall_only_so_far() {
    let project = project(40, "means = [{ metric = \"tokens\", max_fall = 50 }]");
    project.file("sessions.jsonl", sessions(&tokens(40, |i| -forty(i))));
    project.run().code(0).says("falls by at most 45.3");
    let bound = rule(&project, "baseline mean tokens");
    assert_eq!((bound["value"].as_f64(), bound["bound"]["min"].as_f64()), (Some(-40.0), Some(-50.0)));
    project.file("sessions.jsonl", sessions(&tokens(40, |i| -3 * forty(i))));
    project.run().code(1).says("it is worse");
    // More is no loss here.
    project.file("sessions.jsonl", sessions(&tokens(40, |i| 9 * forty(i))));
    project.run().code(0);
}

#[test]
fn too_few_cases_are_inconclusive_and_say_how_many_more_it_takes() {
    let project = project(12, "means = [{ metric = \"tokens\", max_rise = 15 }]");
    let noisy = |i: usize| if i.is_multiple_of(2) { -60 } else { 80 };
    project.file("sessions.jsonl", sessions(&tokens(12, noisy)));
    project.run().code(4).says("INCONCLUSIVE").says("more cases like these would settle it");
    assert!(rule(&project, "baseline mean tokens")["more_cases"].as_u64().is_some_and(|n| n > 100));
    // Within the bar and worse at all, but so few: neither a pass nor a failure.
    project.file("sessions.jsonl", sessions(&tokens(12, |i| 10 + forty(i) / 20)));
    project.run().code(4).says("12 cases are few for a mean, 20 are wanted: 8 more cases like these would settle it");
    // Alike as they are, four pairs do not tell of the case in twenty that costs far more.
    let few = self::project(4, "means = [{ metric = \"tokens\", max_rise = 15 }]");
    few.file("sessions.jsonl", sessions(&tokens(4, |_| 0)));
    few.run().code(4).says("4 cases are few for a mean, 20 are wanted: 16 more cases like these would settle it");
}

#[test]
fn a_value_that_is_not_recorded_on_either_side_is_an_error_unless_it_is_allowed_and_never_a_zero() {
    let project = project(40, "means = [{ metric = \"tokens\", max_rise = 50 }]");
    let mut some = tokens(40, |_| 0);
    some[3] = None;
    project.file("sessions.jsonl", sessions(&some));
    project.run().code(4).says("1 of its 40 cases have no tokens in one of the runs (c3)");
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file("suite.toml", suite.replace("margin", "max_unpaired = 1\nmargin"));
    project.run().code(0).says("without 1 that have none in one of the runs (c3)");
    assert_eq!(rule(&project, "baseline mean tokens")["count"], 39);
    // Then, too.
    project.file("main/run.jsonl", project.report("run.jsonl"));
    project.file("suite.toml", suite);
    project.file("sessions.jsonl", sessions(&tokens(40, |_| 0)));
    project.run().code(4).says("in one of the runs (c3)");
}

#[test]
fn a_baseline_that_did_not_measure_it_is_unmeasured_and_another_bar_needs_no_new_one() {
    let project = project(40, "means = [{ metric = \"tokens\", max_rise = 50 }]");
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file("sessions.jsonl", sessions(&tokens(40, |_| 0)));
    project.file("suite.toml", suite.replace("max_rise = 50", "max_rise = 60"));
    project.run().code(0);
    project
        .file("suite.toml", suite.replace("metric = \"tokens\", max_rise = 50", "metric = \"csat\", max_fall = 0.2"));
    project.run().code(4).says("did not measure csat by case; run it again with this suite");
}

#[test]
fn trials_of_a_case_are_one_observation() {
    let project = project(24, "means = [{ metric = \"turns\", max_rise = 2 }]");
    let trials = |more: usize| -> String {
        let of = |c: usize, t: usize| {
            let turns: Vec<Value> =
                (0..1 + (c % 3) + more * (t % 2)).map(|_| json!({ "user": "q", "reply": "good" })).collect();
            let session =
                json!({ "id": format!("c{c}-{t}"), "case": format!("c{c}"), "trial": t.to_string(), "turns": turns });
            again(&session.to_string()) + "\n"
        };
        (0..24).flat_map(|c| (0..4).map(move |t| (c, t))).map(|(c, t)| of(c, t)).collect()
    };
    project.file("sessions.jsonl", trials(0));
    project.run_with(&["--out", "four"]).code(0);
    // Half of the trials take two turns more: one more by case, in each alike.
    project.file("sessions.jsonl", trials(2));
    let said = project.run_with(&["--baseline", "four/latest"]).code(0);
    said.says("mean turns 3 over 24 paired cases, 2 then: +1, 95% sure that it rises by at most 1 (paired-t)");
}

#[test]
fn the_record_alone_and_merged_shards_decide_the_same() {
    let project =
        project(40, "means = [{ metric = \"tokens\", max_rise = 50 }, { metric = \"csat\", max_fall = 0.5 }]");
    project.file("sessions.jsonl", sessions(&tokens(40, forty)));
    project.run_with(&["--out", "whole"]).code(0);
    for shard in ["1/3", "2/3", "3/3"] {
        project.run_with(&["--shard", shard, "--out", "shards"]).code(0);
    }
    project.seatrial(&["merge", "shards"]).code(0);
    let events = |run: &str| -> Vec<String> {
        let record = std::fs::read_to_string(project.path(run).join("run.jsonl")).expect("a record");
        record.lines().filter(|l| l.starts_with("{\"event\"")).map(str::to_owned).collect()
    };
    assert_eq!(events("reports/latest"), events("whole/latest"));
    let summary = project.report("summary.json");
    std::fs::remove_dir_all(project.path("main")).expect("removed");
    std::fs::remove_file(project.path("sessions.jsonl")).expect("removed");
    let said = project.seatrial(&["gate", "reports/latest"]).code(0).says("mean csat 4 over 40 paired cases, 4 then");
    assert!(said.out.contains("mean tokens"), "{}", said.out);
    project.seatrial(&["report", "reports/latest"]).code(0);
    assert_eq!(project.report("summary.json"), summary);
}

#[test]
fn bars_that_can_hold_nothing_are_problems_of_the_suite() {
    let refused = |means: &str, why: &str| {
        let gate = format!("[gate.baseline]\nrun = \"main\"\nmeans = [{means}]\n");
        let project = Project::with(&format!("{GOOD}{gate}"), &[&crate::project::replies("a", "good")]);
        project.run().code(2).complains(why);
    };
    refused("{ metric = \"tokns\", max_rise = 1 }", "did you mean `tokens`?");
    refused("{ metric = \"tool_error_rate\", max_rise = 0.1 }", "ratio of sums");
    refused("{ metric = \"tokens\" }", "a mean needs a bar");
    refused("{ metric = \"tokens\", max_rise = 1, max_fall = 1 }", "one way, not both");
    refused("{ metric = \"tokens\", max_rise = 1 }, { metric = \"tokens\", max_fall = 1 }", "already a bar");
    refused("{ metric = \"tokens\", max_rise = 0 }", "above 0");
    refused("{ metric = \"tokens\", max_rise = \"ten\" }", "10%");
    refused("{ metric = \"tokens\", max_raise = 1 }", "max_raise");
}
