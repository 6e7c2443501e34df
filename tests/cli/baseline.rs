//! A run against an earlier one: what may be a baseline, what decides, and that the record alone decides the same again.

use crate::project::{GOOD, Project, again, replies, trial};

fn lines(sessions: &[String]) -> String {
    sessions.join("\n") + "\n"
}

/// `n` sessions recorded anew, of which those at `bad` do not say `good`.
fn sessions(n: usize, bad: &[usize]) -> String {
    let reply = |i: usize| if bad.contains(&i) { "bad" } else { "good" };
    lines(&(0..n).map(|i| again(&replies(&format!("c{i}"), reply(i)))).collect::<Vec<_>>())
}

const GATE: &str = "[gate]\npass_rate = { min = 0.0 }\n";

/// A project whose run `main` is over 120 cases, three of which fail.
fn project(bar: &str) -> Project {
    let project = Project::with(&format!("{GOOD}{GATE}baseline = {{ run = \"main\"{bar} }}\n"), &[]);
    project.file("sessions.jsonl", sessions(120, &[0, 1, 2]));
    // The run that becomes the baseline has none itself.
    project
        .file("first.toml", format!("[suite]\nname = \"s\"\n[recorded]\npaths = [\"sessions.jsonl\"]\n{GOOD}{GATE}"));
    project.seatrial(&["run", "first.toml", "--out", "first"]).code(0);
    project.file("main/run.jsonl", std::fs::read(project.path("first/latest/run.jsonl")).expect("a record"));
    project.file("sessions.jsonl", sessions(120, &[0, 1, 2]));
    project
}

#[test]
fn a_run_that_is_no_worse_passes_and_says_the_difference_its_limit_and_the_method() {
    let project = project("");
    project.file("sessions.jsonl", sessions(120, &[1, 2, 3]));
    project.run().code(0).says("1 newly fail, 1 newly pass").says("sure that it is at least -0.0").says("tango");
    let suite = project.suite();
    let rule = suite["rules"].as_array().expect("rules").iter().find(|r| r["rule"] == "baseline").expect("the rule");
    assert_eq!(
        (rule["value"].as_f64(), rule["count"].as_u64(), rule["method"].as_str()),
        (Some(0.0), Some(120), Some("tango"))
    );
    assert_eq!(rule["bound"]["min"].as_f64(), Some(-0.05));
    assert!(rule["interval"][0].as_f64().expect("a limit") > -0.05);
    let junit = project.report("junit.xml");
    assert!(junit.contains("classname=\"s.gate\" name=\"baseline\"/>"), "{junit}");
}

#[test]
fn a_run_that_is_worse_fails_although_the_pass_rate_allows_it() {
    let project = project("");
    project.file("sessions.jsonl", sessions(120, &[0, 1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 18]));
    project.run().code(1).says("9 newly fail, 0 newly pass").says("it is worse");
    assert!(project.report("junit.xml").contains("name=\"baseline\"><failure"));
}

#[test]
fn too_few_cases_end_with_4_and_say_how_many_more_it_takes() {
    let project = project(", margin = 0.01");
    project.run().code(4).says("INCONCLUSIVE").says("underpowered").says("more cases like these would settle it");
    assert!(project.report("junit.xml").contains("name=\"baseline\"><error"));
}

#[test]
fn a_baseline_that_is_not_there_leaves_the_suite_unmeasured_unless_it_is_skipped_in_words() {
    for (bar, code) in [("", 4), (", if_missing = \"skip\"", 0)] {
        let project = project(bar);
        std::fs::remove_file(project.path("main/run.jsonl")).expect("removed");
        project.run().code(code).says("baseline `main`").says("there is no run at this place");
        project.file("main/run.jsonl", "{\"broken\n");
        project.run().code(code).says("not a run record");
        // A run without this suite holds no baseline for it.
        let record = std::fs::read_to_string(project.path("first/latest/run.jsonl")).expect("a record");
        project.file("main/run.jsonl", record.replace("\"name\":\"s\"", "\"name\":\"t\""));
        project.run().code(code).says("the run holds no suite `s`");
    }
}

#[test]
fn a_partial_an_interrupted_and_the_same_run_are_refused_even_where_a_missing_one_is_skipped() {
    let project = project(", if_missing = \"skip\"");
    project.seatrial(&["run", "first.toml", "--out", "part", "--filter", "case(c1*)"]).code(0);
    project.file("sessions.jsonl", sessions(120, &[0, 1, 2]));
    project.run_with(&["--baseline", "part/latest"]).code(4).says("it is partial");
    let record = std::fs::read_to_string(project.path("main/run.jsonl")).expect("a record");
    let killed: Vec<&str> = record.lines().filter(|l| !l.starts_with("{\"volatile\":\"finished\"")).collect();
    project.file("main/run.jsonl", killed.join("\n") + "\n");
    project.run().code(4).says("it did not run to its end");
    project.file("main/run.jsonl", &record[..record.len() / 2]);
    project.run().code(4).says("did not run to its end");
    project.run_with(&["--baseline", "first/latest"]).code(0);
    project.seatrial(&["gate", "reports/latest", "--baseline", "reports/latest"]).code(4).says("the same run");
}

#[test]
fn what_became_of_every_case_of_the_baseline_is_asked_for() {
    let project = project("");
    project.file("sessions.jsonl", sessions(119, &[0, 1, 2]));
    project.run().code(4).says("1 absent now (c119)");
    project.file("sessions.jsonl", sessions(121, &[0, 1, 2]));
    project.run().code(0).says("1 case not in it");
    let allowed = project_with(", max_unpaired = 1");
    allowed.file("sessions.jsonl", sessions(119, &[0, 1, 2]));
    allowed.run().code(0).says("which `max_unpaired` allows");
}

fn project_with(bar: &str) -> Project {
    project(bar)
}

#[test]
fn a_filtered_run_is_compared_over_what_it_looked_at() {
    let project = project("");
    project.run_with(&["--filter", "case(c1*)"]).code(4).says("INCONCLUSIVE").says("partial");
}

#[test]
fn a_changed_check_is_not_compared_and_named() {
    let project = project("");
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    let kind = "[[session]]\nid = \"kind\"\ncheck = \"contains\"\nvalue = \"good\"\n";
    project.file("suite.toml", suite.replace("[gate]", &format!("{kind}[gate]")));
    project.run().code(0).says("without kind (new)");
    project.file("suite.toml", suite.replace("value = \"good\"", "value = \"goo\""));
    project.run().code(4).says("no blocking check of this run is the same");
}

#[test]
fn trials_are_compared_by_case_over_as_many_as_both_have() {
    let project = Project::with(&format!("{GOOD}{GATE}"), &[]);
    let write = |trials: u32| {
        let all = (0..80)
            .flat_map(|c| (0..trials).map(move |t| trial(&format!("c{c}"), t, if t == 3 { "bad" } else { "good" })))
            .map(|session| again(&session));
        project.file("sessions.jsonl", lines(&all.collect::<Vec<_>>()));
    };
    write(1);
    project.run_with(&["--out", "one"]).code(0);
    // All of four trials pass less easily than one: over the first, nothing changed.
    write(4);
    project.run_with(&["--baseline", "one/latest"]).code(0).says("0 newly fail").says("over the first trials only");
}

#[test]
fn the_record_alone_decides_the_same_again() {
    let project = project("");
    project.file("sessions.jsonl", sessions(120, &[0, 1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 18]));
    project.run().code(1);
    let summary = project.report("summary.json");
    std::fs::remove_dir_all(project.path("main")).expect("removed");
    std::fs::remove_file(project.path("sessions.jsonl")).expect("removed");
    project.seatrial(&["gate", "reports/latest"]).code(1).says("9 newly fail").says("it is worse");
    project.seatrial(&["report", "reports/latest"]).code(1);
    assert_eq!(project.report("summary.json"), summary);
}

#[test]
fn the_flag_takes_the_place_of_the_suites_own_baseline_and_is_enough_without_one() {
    let project = project("");
    project.file("sessions.jsonl", sessions(120, &[3, 4, 5, 6, 7, 8, 9]));
    project.run().code(4).says("7 newly fail");
    let worse = project.report("run.jsonl");
    project.file("worse/run.jsonl", worse);
    project.file("sessions.jsonl", sessions(120, &[3, 4, 5, 6, 7, 8, 9]));
    project.run_with(&["--baseline", "worse"]).code(0).says("0 newly fail, 0 newly pass");
    project.seatrial(&["run", "first.toml", "--baseline", "main"]).code(4).says("7 newly fail");
    project.seatrial(&["run", "first.toml", "--baseline", "nowhere"]).code(4).says("there is no run");
}

#[test]
fn the_environment_may_name_the_baseline_and_does_not_enter_the_record() {
    let project = project("");
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    project.file("suite.toml", suite.replace("\"main\"", "\"{{ env.BASE }}\""));
    project.file("secret-place/run.jsonl", std::fs::read(project.path("main/run.jsonl")).expect("a record"));
    let mut command = project.command(&["run", "suite.toml"]);
    command.env("BASE", "secret-place");
    crate::project::Said::of(command).code(0);
    assert!(!project.report("run.jsonl").contains("secret-place"));
    let mut command = project.command(&["run", "suite.toml"]);
    command.env("BASE", "secret-elsewhere");
    crate::project::Said::of(command).code(4);
    assert!(!project.report("run.jsonl").contains("secret-elsewhere"));
}

#[test]
fn a_shard_is_no_baseline_and_decides_nothing_and_a_merged_run_compares_as_an_unsharded_one() {
    let project = project("");
    project.file("sessions.jsonl", sessions(120, &[0, 1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 18]));
    project.run_with(&["--out", "whole"]).code(1);
    for shard in ["1/2", "2/2"] {
        project.run_with(&["--shard", shard, "--out", &format!("shards-{}", &shard[..1])]).code(0);
    }
    project.seatrial(&["gate", "shards-1/latest"]).code(2).complains("seatrial merge");
    project.run_with(&["--baseline", "shards-1/latest"]).code(4).says("it is shard 1/2");
    project.seatrial(&["merge", "shards-1/latest", "shards-2/latest"]).code(1).says("9 newly fail");
    let events = |run: &str| -> Vec<String> {
        let record = std::fs::read_to_string(project.path(run).join("run.jsonl")).expect("a record");
        record.lines().filter(|l| l.starts_with("{\"event\"")).map(str::to_owned).collect()
    };
    assert_eq!(events("reports/latest"), events("whole/latest"));
    // Against an unsharded run of the same recordings nothing can be shown.
    let args = ["merge", "shards-1/latest", "shards-2/latest", "--baseline", "whole/latest"];
    project.seatrial(&args).code(4).says("all 120 sessions of this run are its own");
    project.run_with(&["--shard", "2/2", "--out", "shards-2", "--baseline", "whole/latest"]).code(0);
    project.seatrial(&["merge", "shards-1/latest", "shards-2/latest"]).code(2).complains("another baseline");
}

#[test]
fn a_run_that_is_continued_is_compared_with_what_it_began_with() {
    let project = project("");
    project.file("sessions.jsonl", sessions(120, &[0, 1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 18]));
    project.run().code(1);
    let (events, record) = (project.events(), project.report("run.jsonl"));
    let cut = record.rfind("\"id\":\"c60\"").expect("a session in the middle");
    project.file("reports/latest/run.jsonl", &record[..cut]);
    std::fs::remove_dir_all(project.path("main")).expect("removed");
    project.run_with(&["--resume"]).code(1).says("9 newly fail");
    assert_eq!(project.events(), events);
}

#[test]
fn a_run_over_the_recordings_of_its_own_baseline_shows_nothing_in_every_report_and_again_from_the_record() {
    let project = project(", if_missing = \"skip\"");
    let old = std::fs::read_to_string(project.path("sessions.jsonl")).expect("sessions");
    project.run_with(&["--out", "same"]).code(0);
    let said = "all 120 sessions of this run are its own: nothing was recorded since";
    let run = |project: &Project| project.run_with(&["--baseline", "same/latest"]);
    run(&project).code(4).says(said).says("UNMEASURED");
    for report in ["summary.json", "summary.md", "junit.xml", "index.html"] {
        // Markdown is escaped.
        assert!(project.report(report).replace("&#58;", ":").contains(said), "{report}");
    }
    project.seatrial(&["gate", "reports/latest"]).code(4).says(said);
    // The order of recordings, and what file they lie in, makes no other recordings of them.
    let mut lines: Vec<&str> = old.lines().collect();
    lines.reverse();
    project.file("sessions.jsonl", lines.join("\n") + "\n");
    run(&project).code(4).says(said);
    // Some of them anew: those alone are compared.
    let fresh: Vec<String> =
        old.lines().enumerate().map(|(i, l)| if i < 100 { again(l) } else { l.to_owned() }).collect();
    project.file("sessions.jsonl", fresh.join("\n") + "\n");
    run(&project).code(0).says("97 of 100 paired cases").says("without 20 cases whose recordings are the same in both");
    let few: Vec<String> = old.lines().enumerate().map(|(i, l)| if i < 9 { again(l) } else { l.to_owned() }).collect();
    project.file("sessions.jsonl", few.join("\n") + "\n");
    run(&project).code(4).says("6 of 9 paired cases").says("INCONCLUSIVE");
}

#[test]
fn report_and_gate_draw_and_decide_a_merged_run_as_it_was() {
    let project = project("");
    project.file("sessions.jsonl", sessions(120, &[0, 1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 18]));
    for shard in ["1/3", "2/3", "3/3"] {
        project.run_with(&["--shard", shard, "--out", "shards"]).code(0);
    }
    let merged = project.seatrial(&["merge", "shards"]).code(1);
    let reports = ["summary.json", "summary.md", "junit.xml", "index.html"];
    let before = reports.map(|name| project.report(name));
    let decided = project.seatrial(&["gate", "reports/latest"]).code(1).says("9 newly fail");
    assert!(merged.out.contains("9 newly fail") && decided.out.contains("FAILED"));
    for name in reports {
        std::fs::remove_file(project.path("reports/latest").join(name)).expect("removed");
    }
    project.seatrial(&["report", "reports/latest"]).code(1);
    for (name, before) in reports.iter().zip(before) {
        assert_eq!(project.report(name), before, "{name}");
    }
    let json = |args: &[&str]| -> serde_json::Value {
        let mut said: serde_json::Value = serde_json::from_str(&project.seatrial(args).code(1).out).expect("JSON");
        said["run"] = serde_json::Value::Null;
        said
    };
    let gate = json(&["gate", "reports/latest", "--json"]);
    project.run_with(&["--out", "whole"]).code(1);
    assert_eq!(gate, json(&["gate", "whole/latest", "--json"]));
    // Another baseline for a merged run: no worse than a run that went as it did.
    project.file("sessions.jsonl", sessions(120, &[0, 1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 18]));
    project.run_with(&["--out", "as-bad"]).code(1);
    project.seatrial(&["gate", "reports/latest", "--baseline", "as-bad/latest"]).code(0).says("0 newly fail");
}
