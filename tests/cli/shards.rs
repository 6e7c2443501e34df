//! Sharded runs: recorded apart, and merged to what they would have been in one.

use std::path::Path;

use serde_json::{Value, json};

use crate::project::{GOOD, Project, Said, json, replies, trial};

/// A suite with trials, declared cases of which some are missing, and system checks, one over a part of the sessions.
const DECLARED: &str = r#"
[suite]
name = "declared"
trials = 2
[recorded]
paths = ["../sessions/*.jsonl"]
[gate]
pass_rate = { min = 0.5 }
max_left_out = 100
max_missing_cases = 100
max_error_rate = 0.9
[[session]]
id = "good"
check = "contains"
value = "good"
[[session]]
id = "short"
severity = "warn"
check = "length"
max = 12
[[system]]
id = "turns"
check = "metric"
metric = "turns"
stat = "mean"
max = 9
[[system]]
id = "rate"
check = "pass_rate"
of = "good"
min = 0.1
"#;

fn decl(id: usize) -> String {
    format!("[[case]]\nid = \"c{id}\"\ntags = [\"t{}\"]\n", id % 3)
}

/// Two suites over sessions of every outcome: trials that agree and do not, damage, duplicates, ids that are used
/// twice by different cases and within one, undeclared and missing cases.
pub fn project() -> Project {
    let project = Project::new();
    let cases: String = (0..30).map(decl).collect();
    project.file("suites/declared.toml", format!("{DECLARED}{cases}"));
    let open = "[suite]\nname = \"open\"\n[recorded]\npaths = [\"../sessions/*.jsonl\"]\n[gate]\nmax_left_out = 100\n";
    project.file("suites/open.toml", format!("{open}{GOOD}"));
    let (mut a, mut b) = (String::new(), String::new());
    for i in 0..26 {
        for n in 0..2 {
            let reply = if (i + n) % 5 == 0 { "bad".to_owned() } else { format!("good {}", "x".repeat(i)) };
            a.push_str(&(trial(&format!("c{i}"), n as u32, &reply) + "\n"));
        }
        if i % 8 == 0 {
            a.push_str("{broken\n");
            b.push_str(&(trial(&format!("c{i}"), 0, if i % 5 == 0 { "bad" } else { "good" }) + "\n"));
        }
    }
    // One id for sessions of several cases, before and after the ones that have it by right.
    let named = |id: &str, case: &str, trial: &str, reply: &str| {
        json!({ "id": id, "case": case, "trial": trial, "turns": [{ "user": "q", "reply": reply }] }).to_string() + "\n"
    };
    let first = ["x", "y", "z"].map(|case| named("same", case, "7", &format!("good {case}"))).concat();
    a.insert_str(0, &(first + &named("same", "c1", "1", "good of another id")));
    b.push_str(&named("other", "c1", "1", "a trial that is there already, unless its id was taken"));
    b.push_str(&named("c3-0", "c4", "9", "good, but of another case"));
    project.file("sessions/a.jsonl", a);
    project.file("sessions/b.jsonl", b);
    project
}

/// The deterministic lines of a record.
pub fn events(project: &Project, dir: &str) -> String {
    let record = std::fs::read_to_string(project.path(dir).join("latest/run.jsonl")).expect("a record");
    record.lines().filter(|l| l.starts_with("{\"event\"")).map(|l| format!("{l}\n")).collect()
}

pub fn summary(project: &Project, dir: &str) -> Value {
    let mut summary = json(&project.path(dir).join("latest/summary.json"));
    summary["run"] = Value::Null;
    summary
}

/// The kept sessions with their index.
pub fn kept(project: &Project, dir: &str) -> [Option<Vec<u8>>; 2] {
    ["sessions.jsonl.gz", "sessions.index.jsonl"]
        .map(|name| std::fs::read(project.path(dir).join("latest").join(name)).ok())
}

/// Runs every shard; `more` are further arguments.
pub fn shards(project: &Project, of: u32, more: &[&str]) {
    for index in 1..=of {
        let (shard, out) = (format!("{index}/{of}"), format!("shards/{index}"));
        let args = [&["run", "suites", "--shard", &shard, "--out", &out][..], more].concat();
        let said = project.seatrial(&args).code(0).says(&format!("shard {shard} is recorded"));
        assert!(!said.out.contains("PASSED") && !said.out.contains("FAILED"), "{}", said.out);
    }
}

/// Requires that what was merged in `merged` is what was run in `whole`.
#[track_caller]
pub fn same(project: &Project, merged: &str, whole: &str) {
    let (a, b) = (events(project, merged), events(project, whole));
    for (a, b) in a.lines().zip(b.lines()) {
        assert_eq!(a, b);
    }
    assert_eq!(a.len(), b.len());
    assert_eq!(summary(project, merged), summary(project, whole));
    let junit = |dir: &str| std::fs::read_to_string(project.path(dir).join("latest/junit.xml")).expect("a report");
    assert_eq!(junit(merged), junit(whole));
    assert_eq!(kept(project, merged), kept(project, whole));
}

#[test]
fn merged_shards_are_to_the_byte_what_an_unsharded_run_is() {
    let project = project();
    for (of, more) in [
        (1, &[][..]),
        (3, &[]),
        (8, &["--keep-limit", "3"]),
        (16, &["--keep", "all"]),
        (4, &["--filter", "not case(c7)", "--jobs", "3"]),
    ] {
        let _ = std::fs::remove_dir_all(project.path("shards"));
        let whole = project.seatrial(&[&["run", "suites", "--out", "whole"][..], more].concat()).code(1);
        shards(&project, of, more);
        let names: Vec<String> = (1..=of).rev().map(|i| format!("shards/{i}")).collect();
        let args: Vec<&str> =
            ["merge", "--out", "merged"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let merged = project.seatrial(&args).code(1);
        same(&project, "merged", "whole");
        let decisions = |said: &Said| said.out.replace("merged/", "").replace("whole/", "");
        let lines = |said: &Said| decisions(said).lines().filter(|l| !l.starts_with("reports in")).count();
        assert_eq!(lines(&merged), lines(&whole));
    }
    let record = events(&project, "whole");
    for wanted in ["duplicate", "malformed", "unknown_case", "was already used by another session"] {
        assert!(record.contains(wanted), "the test has no {wanted}");
    }
    assert!(summary(&project, "whole")["suites"][0]["missing"].as_array().is_some_and(|m| !m.is_empty()));
}

#[test]
fn shards_of_telemetry_are_merged_too() {
    let project = Project::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let trace = root.join("fixtures/telemetry");
    let mut args = vec!["run".to_owned(), "suite.toml".to_owned()];
    project.file(
        "suite.toml",
        format!(
            "[suite]\nname = \"t\"\n[recorded]\npaths = [{:?}]\n[gate]\nmax_left_out = 100\n{GOOD}",
            trace.join("**/*").display().to_string()
        ),
    );
    let run = |more: &[&str]| {
        args.extend(more.iter().map(|m| (*m).to_owned()));
        let all: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = project.seatrial(&all);
        args.truncate(2);
        said
    };
    let mut run = run;
    let code = run(&["--out", "whole"]).code;
    for index in ["1/3", "2/3", "3/3"] {
        run(&["--out", "shards", "--shard", index]).code(0);
    }
    assert!(summary(&project, "whole")["suites"][0]["sessions"]["evaluated"].as_u64().is_some_and(|n| n > 5));
    project.seatrial(&["merge", "shards", "--out", "merged"]).code(code);
    same(&project, "merged", "whole");
}

#[test]
fn a_shard_records_and_defers_also_when_it_is_empty() {
    let project = Project::with(GOOD, &[&replies("a", "bad")]);
    let mut empty = 0;
    for shard in ["1/2", "2/2"] {
        let said = project.run_with(&["--shard", shard, "--junit", "copy.xml", "--fail-fast"]).code(0);
        said.complains(&format!("will hold shard {shard} only")).complains("fail_fast has no effect");
        let suite = project.suite();
        assert_eq!(
            (suite["decision"].as_str(), project.summary()["partial"].as_bool()),
            (Some("deferred"), Some(true))
        );
        let xml = project.report("junit.xml");
        assert!(!xml.contains("<failure") && !xml.contains("<error"), "{xml}");
        let html = project.report("index.html");
        assert!(html.contains(">deferred</span></h1>") && html.contains(&format!("partial: shard {shard}")));
        let read = suite["sessions"]["read"].as_u64().expect("a count");
        assert_eq!(read + suite["sessions"]["elsewhere"].as_u64().unwrap_or(0), 1);
        empty += u32::from(read == 0);
        let again = project.seatrial(&["report", "reports/latest"]).code(0);
        assert!(again.out.contains("DEFERRED"), "{}", again.out);
    }
    assert_eq!(empty, 1);
    project.seatrial(&["merge", "reports", "--out", "merged"]).code(1).says("FAILED");
    for wrong in ["0/2", "3/2", "2", "x/y"] {
        project.run_with(&["--shard", wrong]).code(2).complains("I/N");
    }
}

#[test]
fn merge_lists_everything_that_keeps_the_shards_from_being_one_run() {
    let project = Project::with(GOOD, &[&replies("a", "good"), &replies("b", "good")]);
    let shard = |shard: &str, out: &str| project.run_with(&["--shard", shard, "--out", out]).code(0);
    shard("1/3", "1");
    shard("2/3", "2");
    project.seatrial(&["merge", "1", "2"]).code(2).complains("shard 3 of 3 is missing");
    project.seatrial(&["merge", "1", "2", "1"]).code(2).complains("shard 1 is there 2 times").complains("shard 3");
    project.run_with(&["--out", "whole"]).code(0);
    project.seatrial(&["merge", "whole"]).code(2).complains("is a whole run");
    project.seatrial(&["merge", "gone"]).code(2).complains("there is no run at `gone`");
    // Another suite, and another recording.
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file(
        "suite.toml",
        suite.replace("value = \"good\"", "value = \"better\"") + "[gate]\npass_rate = { min = 0.5 }\n",
    );
    shard("3/3", "3");
    let said = project.seatrial(&["merge", "1", "2", "3", "--json"]).code(2);
    let said = said.complains("check good differ").complains("the gate differs");
    assert_eq!(serde_json::from_str::<Value>(&said.out).expect("JSON")["exit_code"], 2);
    project.file("suite.toml", suite);
    project.file("sessions.jsonl", [replies("a", "good"), replies("b", "good"), replies("c", "good")].join("\n"));
    std::fs::remove_dir_all(project.path("3")).expect("removed");
    shard("3/3", "3");
    project.seatrial(&["merge", "1", "2", "3"]).code(2).complains("different recordings");
    assert!(!project.path("reports").exists(), "nothing is written before everything is verified");
    // A shard that was killed.
    project.file("sessions.jsonl", [replies("a", "good"), replies("b", "good")].join("\n") + "\n");
    std::fs::remove_dir_all(project.path("3")).expect("removed");
    shard("3/3", "3");
    let record = std::fs::read_to_string(project.path("3/latest/run.jsonl")).expect("a record");
    project.file("killed/run.jsonl", &record[..record.len() - 9]);
    project.seatrial(&["merge", "1", "2", "killed"]).code(2).complains("shard 3/3").complains("killed");
    project.seatrial(&["merge", "1", "2", "3"]).code(0);
}

#[test]
fn merge_asks_system_checks_of_the_suites_and_refuses_changed_ones() {
    let metric = "[[system]]\nid = \"m\"\ncheck = \"metric\"\nmetric = \"turns\"\nstat = \"mean\"\nmax = 9\n";
    let project = Project::with(&format!("{GOOD}{metric}"), &[&replies("a", "good"), &replies("b", "good")]);
    for shard in ["1/2", "2/2"] {
        project.run_with(&["--shard", shard, "--out", "shards"]).code(0);
    }
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file("suite.toml", suite.replace("max = 9", "max = 8"));
    project.seatrial(&["merge", "shards"]).code(2).complains("system checks of suite `s` are not those");
    std::fs::remove_file(project.path("suite.toml")).expect("removed");
    project.seatrial(&["merge", "shards"]).code(2).complains("has system checks and is not at");
    project.file("suite.toml", suite);
    project.seatrial(&["merge", "shards"]).code(0);
    assert_eq!(project.check("m")["value"], 1.0);
}
