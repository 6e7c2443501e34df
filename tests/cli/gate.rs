//! The gate: each of its rules has a test that would catch its breach.

use crate::project::{GOOD, Project, replies, trial};

fn lines(sessions: &[String]) -> Vec<&str> {
    sessions.iter().map(String::as_str).collect()
}

/// `good` cases that pass and `bad` ones that fail.
fn mixed(good: usize, bad: usize) -> Vec<String> {
    let good = (0..good).map(|i| replies(&format!("g{i}"), "good"));
    good.chain((0..bad).map(|i| replies(&format!("b{i}"), "bad"))).collect()
}

#[test]
fn every_case_must_pass_by_default() {
    Project::with(GOOD, &lines(&mixed(9, 1))).run().code(1).says("pass_rate 0.9000 (9 of 10 cases)");
}

#[test]
fn the_pass_rate_is_a_bound_on_cases() {
    let with = |min: &str| format!("{GOOD}[gate]\npass_rate = {{ min = {min} }}\n");
    Project::with(&with("0.9"), &lines(&mixed(9, 1))).run().code(0);
    Project::with(&with("0.91"), &lines(&mixed(9, 1))).run().code(1);
}

#[test]
fn a_case_passes_when_all_its_trials_pass_and_is_flaky_when_they_disagree() {
    let sessions = [trial("a", 0, "good"), trial("a", 1, "bad"), trial("b", 0, "good"), trial("b", 1, "good")];
    let project = Project::with(&format!("{GOOD}[gate]\npass_rate = {{ min = 0.5 }}\n"), &lines(&sessions));
    project.run().code(0).says("flaky");
    let suite = project.suite();
    assert_eq!((suite["cases"]["total"].as_i64(), suite["cases"]["passed"].as_i64()), (Some(2), Some(1)));
    assert_eq!(suite["flaky"], serde_json::json!(["a"]));
    Project::with(GOOD, &lines(&sessions)).run().code(1);
}

#[test]
fn a_trial_passes_when_all_its_blocking_checks_pass() {
    let second = "[[session]]\nid = \"kind\"\ncheck = \"contains\"\nvalue = \"kind\"\n";
    Project::with(&format!("{GOOD}{second}"), &[&replies("a", "good")]).run().code(1);
    let warns = second.replace("check =", "severity = \"warn\"\ncheck =");
    Project::with(&format!("{GOOD}{warns}"), &[&replies("a", "good")]).run().code(0).says("kind");
    let informs = second.replace("check =", "severity = \"info\"\ncheck =");
    Project::with(&format!("{GOOD}{informs}"), &[&replies("a", "good")]).run().code(0);
}

#[test]
fn a_critical_check_fails_the_gate_whatever_the_pass_rate_allows() {
    let suite =
        format!("{}[gate]\npass_rate = {{ min = 0.0 }}\n", GOOD.replace("check =", "severity = \"critical\"\ncheck ="));
    Project::with(&suite, &lines(&mixed(99, 1))).run().code(1).says("critical checks failed");
    Project::with(&format!("{GOOD}[gate]\npass_rate = {{ min = 0.0 }}\n"), &lines(&mixed(9, 1))).run().code(0);
}

#[test]
fn tolerated_errors_count_as_not_passed_never_as_absent() {
    let suite = |min: &str, errors: &str| {
        format!(
            "[[session]]\nid = \"paid\"\ncheck = \"reward\"\n[gate]\npass_rate = {{ min = {min} }}\nmax_error_rate = {errors}\n"
        )
    };
    let sessions = [
        r#"{"seatrial":1,"id":"a","reward":1.0}"#,
        r#"{"seatrial":1,"id":"b","reward":1.0}"#,
        r#"{"seatrial":1,"id":"c"}"#,
    ];
    Project::with(&suite("0.7", "0.5"), &sessions).run().code(1).says("2 of 3 cases");
    Project::with(&suite("0.6", "0.5"), &sessions).run().code(0);
    Project::with(&suite("0.7", "0.0"), &sessions).run().code(4);
}

#[test]
fn a_failure_that_no_error_could_save_is_a_failure() {
    let suite = "[[session]]\nid = \"paid\"\ncheck = \"reward\"\n";
    Project::with(suite, &[r#"{"seatrial":1,"id":"a","reward":0.0}"#, r#"{"seatrial":1,"id":"c"}"#]).run().code(1);
}

#[test]
fn every_system_check_with_a_bound_blocks_by_itself() {
    let metric = |bound: &str| {
        format!(
            "{GOOD}[[system]]\nid = \"turns\"\ncheck = \"metric\"\nmetric = \"turns\"\nstat = \"mean\"\n{bound}[gate]\npass_rate = {{ min = 0.0 }}\n"
        )
    };
    Project::with(&metric("max = 0\n"), &[&replies("a", "good")]).run().code(1).says("turns");
    Project::with(&metric("max = 1\n"), &[&replies("a", "good")]).run().code(0);
    let reports = Project::with(&metric(""), &[&replies("a", "good")]);
    let said = reports.run_with(&["--verbose"]).code(0).says("turns");
    assert!(!said.out.contains("error "), "{}", said.out);
}

#[test]
fn a_metric_that_could_not_be_measured_leaves_the_suite_unmeasured() {
    let suite = format!(
        "{GOOD}[[system]]\nid = \"lean\"\ncheck = \"metric\"\nmetric = \"tokens\"\nstat = \"mean\"\nmax = 100\n"
    );
    let session = r#"{"id":"a","turns":[{"spans":[{"kind":"llm","name":"chat"}],"reply":"good"}]}"#;
    let project = Project::with(&suite, &[session]);
    project.run().code(4);
    assert_eq!(project.check("lean")["value"], serde_json::Value::Null);
}

#[test]
fn reliability_is_pass_hat_k_over_the_trials_of_each_case() {
    let sessions: Vec<String> = (0..4)
        .map(|t| trial("a", t, "good"))
        .chain((0..4).map(|t| trial("b", t, if t < 2 { "good" } else { "bad" })))
        .collect();
    let suite =
        |min: &str| format!("{GOOD}[gate]\npass_rate = {{ min = 0.0 }}\nreliability = {{ k = 2, min = {min} }}\n");
    // pass^2 of 4/4 is 1, of 2/4 it is C(2,2)/C(4,2) = 1/6; never (2/4)^2.
    Project::with(&suite("0.58"), &lines(&sessions)).run().code(0);
    Project::with(&suite("0.59"), &lines(&sessions)).run().code(1).says("0.5833");
}

#[test]
fn fewer_trials_than_k_are_an_error() {
    let suite = format!("{GOOD}[gate]\nreliability = {{ k = 3, min = 0.5 }}\n");
    Project::with(&suite, &[&trial("a", 0, "good"), &trial("a", 1, "good")]).run().code(4).says("needs 3 trials");
}

#[test]
fn what_has_no_bound_only_reports_also_what_it_could_not_measure() {
    let rates = "check = \"metric\"\nmetric = \"tokens\"\nstat = \"mean\"\n";
    let suite = format!(
        "{GOOD}[gate]\nreliability = {{ k = 3 }}\n[[system]]\nid = \"thrice\"\ncheck = \"reliability\"\nk = 3\n\
         [[system]]\nid = \"spent\"\n{rates}[[system]]\nid = \"rated\"\n{}",
        rates.replace("tokens", "csat").replace("mean", "max")
    );
    let project = Project::with(&suite, &[&trial("a", 0, "good"), &trial("a", 1, "good")]);
    project.run().code(0).says("not measured");
    let found = |id: &str| (project.check(id)["error"].clone(), project.check(id)["value"].clone());
    for id in ["thrice", "spent", "rated"] {
        assert_eq!(found(id), (1.into(), serde_json::Value::Null), "{id}: what was not measured is an error");
    }
    let junit = project.report("junit.xml");
    assert!(junit.contains("failures=\"0\" errors=\"0\"") && junit.contains("tolerated: pass^3"), "{junit}");
}

#[test]
fn fewer_trials_than_wanted_are_missing() {
    let suite = format!("[suite]\nname = \"s\"\ntrials = 2\n{GOOD}");
    Project::with(&suite, &[&trial("a", 0, "good")]).run().code(4).says("fewer than the 2 trials wanted: a");
    Project::with(&suite, &[&trial("a", 0, "good"), &trial("a", 1, "good")]).run().code(0);
}

#[test]
fn a_group_has_a_bar_of_its_own() {
    let suite = |tag: &str| {
        format!(
            "[[case]]\nid = \"a\"\ntags = [\"refund\"]\n[[case]]\nid = \"b\"\n{GOOD}[gate]\npass_rate = {{ min = 0.5 }}\n\
             [[gate.group]]\ntag = \"{tag}\"\npass_rate = {{ min = 1.0 }}\n"
        )
    };
    let good_refund = [replies("a", "good"), replies("b", "bad")];
    let bad_refund = [replies("a", "bad"), replies("b", "good")];
    Project::with(&suite("refund"), &lines(&good_refund)).run().code(0);
    Project::with(&suite("refund"), &lines(&bad_refund)).run().code(1).says("pass_rate of refund");
    Project::with(&suite("refunds"), &lines(&good_refund)).run().code(4).says("no case to measure it on");
}

#[test]
fn an_expected_failure_is_excused_until_its_date_and_a_pass_is_a_surprise() {
    let suite = |until: &str| {
        format!(
            "[[case]]\nid = \"a\"\n[[case]]\nid = \"b\"\nexpected_fail = {{ until = \"{until}\", reason = \"known\" }}\n{GOOD}"
        )
    };
    let fails = [replies("a", "good"), replies("b", "bad")];
    Project::with(&suite("2999-12-31"), &lines(&fails)).run().code(0).says("failed as expected");
    Project::with(&suite("2020-01-01"), &lines(&fails)).run().code(1);
    let passes = [replies("a", "good"), replies("b", "good")];
    let project = Project::with(&suite("2999-12-31"), &lines(&passes));
    project.run().code(0).says("passed although expected to fail");
    assert_eq!(project.suite()["surprises"], serde_json::json!(["b"]));
}

#[test]
fn weights_count_in_the_pass_rate() {
    let suite = |min: &str| {
        format!(
            "[[case]]\nid = \"a\"\nweight = 3.0\n[[case]]\nid = \"b\"\n{GOOD}[gate]\npass_rate = {{ min = {min} }}\n"
        )
    };
    let sessions = [replies("a", "good"), replies("b", "bad")];
    Project::with(&suite("0.75"), &lines(&sessions)).run().code(0);
    Project::with(&suite("0.76"), &lines(&sessions)).run().code(1);
}

#[test]
fn a_filter_leaves_cases_and_suites_out_and_marks_the_run_partial() {
    let sessions = mixed(2, 1);
    let project = Project::with(GOOD, &lines(&sessions));
    project.run_with(&["--filter", "case(g*)"]).code(0).says("partial");
    let summary = project.summary();
    assert_eq!(summary["partial"], true);
    assert_eq!(summary["suites"][0]["sessions"]["left_out"]["filtered"], 1);
    project.run_with(&["--filter", "suite(other)"]).code(4).says("nothing was run");
    project.run_with(&["--filter", "sute(other)"]).code(2).complains("suite");
}

#[test]
fn a_filtered_case_is_not_a_missing_one() {
    let suite = format!("[[case]]\nid = \"a\"\ntags = [\"x\"]\n[[case]]\nid = \"b\"\n{GOOD}");
    let sessions = [replies("a", "good"), replies("b", "bad")];
    Project::with(&suite, &lines(&sessions)).run_with(&["--filter", "tag(x)"]).code(0);
}

#[test]
fn a_filter_by_check_runs_only_that_check() {
    let suite = format!("{GOOD}[[session]]\nid = \"kind\"\ncheck = \"contains\"\nvalue = \"kind\"\n");
    let project = Project::with(&suite, &[&replies("a", "good")]);
    project.run_with(&["--filter", "check(good)"]).code(0);
    project.run_with(&["--filter", "check(kind)"]).code(1);
}

#[test]
fn fail_fast_stops_when_the_gate_can_no_longer_pass() {
    let mut sessions = mixed(0, 1);
    sessions.extend(mixed(3000, 0));
    let project = Project::with(GOOD, &lines(&sessions));
    project.run_with(&["--fail-fast", "--jobs", "1"]).code(1).says("fail-fast");
    assert!(project.suite()["sessions"]["evaluated"].as_u64().expect("a count") < 3001);
    Project::with(&format!("{GOOD}[gate]\npass_rate = {{ min = 0.5 }}\n"), &lines(&sessions))
        .run_with(&["--fail-fast"])
        .code(0);
}

#[test]
fn require_rolls_the_subjects_of_a_session_up() {
    let suite =
        |require: &str| format!("[[turn]]\nid = \"t\"\ncheck = \"contains\"\nvalue = \"yes\"\nrequire = {require}\n");
    let session = r#"{"id":"a","turns":[{"reply":"yes"},{"reply":"yes"},{"reply":"no"}]}"#;
    for (require, code) in [
        ("\"all\"", 1),
        ("\"any\"", 0),
        ("{ at_least = 2 }", 0),
        ("{ at_least = 3 }", 1),
        ("{ at_least = 0.66 }", 0),
        ("{ at_least = 0.7 }", 1),
    ] {
        let project = Project::with(&suite(require), &[session]);
        project.run().code(code);
        let rolled = &project.check("t")["sessions"];
        assert_eq!(rolled["pass"].as_u64(), (code == 0).then_some(1), "{require}: {rolled}");
    }
}

#[test]
fn what_a_skipped_or_broken_session_might_have_had_exercises_no_check() {
    let span = "[[span]]\nid = \"idle\"\non = { kind = \"tool\" }\ncheck = \"status\"\n";
    let cases = "[[case]]\nid = \"a\"\n[[case]]\nid = \"b\"\nskip = \"later\"\n";
    let skips = format!("{cases}{GOOD}{span}[gate]\nmax_skip_rate = 0.5\n");
    let sessions = [replies("a", "good"), replies("b", "good")];
    let project = Project::with(&skips, &lines(&sessions));
    project.run().code(4).says("applied to nothing in the whole run: idle");
    let breaks = format!("{GOOD}{span}[gate]\nmax_error_rate = 0.5\npass_rate = {{ min = 0.5 }}\n");
    let broken = r#"{"id":"b","failure":{"kind":"infrastructure"}}"#;
    Project::with(&breaks, &[&sessions[0], broken]).run().code(4).says("applied to nothing in the whole run: idle");
}

#[test]
fn a_critical_check_that_requires_one_of_several_has_not_failed_when_one_passes() {
    let suite =
        "[[turn]]\nid = \"t\"\ncheck = \"contains\"\nvalue = \"good\"\nseverity = \"critical\"\nrequire = \"any\"\n";
    let session =
        |a: &str| format!(r#"{{"id":"a","turns":[{{"user":"x","reply":"{a}"}},{{"user":"y","reply":"bad"}}]}}"#);
    Project::with(suite, &[&session("good")]).run().code(0);
    Project::with(suite, &[&session("bad")]).run().code(1).says("critical checks failed");
}

#[test]
fn a_suite_of_bounded_system_checks_alone_can_pass_and_one_of_reports_alone_cannot() {
    let metric = "[[system]]\nid = \"m\"\ncheck = \"metric\"\nmetric = \"turns\"\nstat = \"mean\"\n";
    Project::with(&format!("{metric}max = 3\n"), &[&replies("a", "good")]).run().code(0);
    Project::with(&format!("{metric}max = 0\n"), &[&replies("a", "good")]).run().code(1);
    Project::with(metric, &[&replies("a", "good")]).run().code(4).says("no blocking check");
    let asks = format!("{metric}max = 3\n[gate]\npass_rate = {{ min = 0.5 }}\n");
    Project::with(&asks, &[&replies("a", "good")]).run().code(4).says("no case to measure it on");
}

#[test]
fn duplicates_and_filtered_sessions_do_not_thin_what_was_left_out() {
    let good = replies("a", "good");
    let mut sessions = vec![good.as_str(); 20];
    sessions.push("{broken");
    let suite = format!("{GOOD}[gate]\nmax_left_out = 0.1\n");
    Project::with(&suite, &sessions).run().code(4).says("1 of 2 read were left out");
}

#[test]
fn a_declared_case_that_no_blocking_check_applied_to_is_not_shown_and_a_mere_session_does_not_count() {
    let suite = "[[span]]\nid = \"t\"\non = { kind = \"tool\" }\ncheck = \"status\"\n";
    let calls = r#"{"id":"a","turns":[{"reply":"x","spans":[{"kind":"tool","name":"f","status":"ok","input":{}}]}]}"#;
    let sessions = [calls.to_owned(), replies("b", "good")];
    let project = Project::with(suite, &lines(&sessions));
    project.run().code(0).says("1 without a subject of any blocking check");
    let cases = &project.suite()["cases"];
    assert_eq!(
        (cases["passed"].as_u64(), cases["idle"].as_u64(), cases["skipped"].as_u64()),
        (Some(1), Some(1), Some(0))
    );
    let declared = format!("[[case]]\nid = \"a\"\n[[case]]\nid = \"b\"\n{suite}");
    Project::with(&declared, &lines(&sessions)).run().code(4).says("no blocking check applied to 1 of 2 cases");
    Project::with(&format!("{declared}[gate]\nmax_skip_rate = 0.5\n"), &lines(&sessions)).run().code(0);
}

#[test]
fn a_skipped_case_is_skipped_even_when_its_session_is_broken() {
    let suite =
        format!("[[case]]\nid = \"a\"\n[[case]]\nid = \"b\"\nskip = \"later\"\n{GOOD}[gate]\nmax_skip_rate = 0.5\n");
    let broken = r#"{"id":"b","failure":{"kind":"infrastructure"}}"#;
    let project = Project::with(&suite, &[&replies("a", "good"), broken]);
    project.run().code(0);
    assert_eq!(project.suite()["cases"]["skipped"], 1);
}

#[test]
fn a_tool_that_only_filtered_sessions_call_is_no_misspelling() {
    let never = format!("{GOOD}[[session]]\nid = \"never\"\ncheck = \"calls\"\ntool = \"wipe\"\nmax = 0\n");
    let wipes = r#"{"id":"b","turns":[{"reply":"x","spans":[{"kind":"tool","name":"wipe","input":{}}]}]}"#;
    let project = Project::with(&never, &[&replies("a", "good"), wipes]);
    project.run_with(&["--filter", "case(a)"]).code(0);
    Project::with(&never, &[&replies("a", "good")]).run().code(4).says("misspelled");
}

#[test]
fn with_confidence_a_gate_passes_fails_or_is_inconclusive_and_says_what_would_settle_it() {
    let suite = |min: &str| format!("{GOOD}[gate]\npass_rate = {{ min = {min}, confidence = 0.95 }}\n");
    let of = |min: &str, good: usize, bad: usize| Project::with(&suite(min), &lines(&mixed(good, bad)));
    of("0.9", 60, 1).run().code(0).says("95% sure that it is at least 0.92").says("clopper-pearson");
    of("0.9", 50, 11).run().code(1);
    let unsure = of("0.9", 29, 1);
    unsure.run().code(4).says("INCONCLUSIVE").says("more cases like these would settle it");
    let rule = unsure.suite()["rules"].as_array().expect("rules").iter().find(|r| r["rule"] == "pass_rate").cloned();
    let rule = rule.expect("the rule");
    assert!(rule["more_cases"].as_u64().expect("how many") > 0 && rule["interval"][0].as_f64() < Some(0.9), "{rule}");
    assert!(unsure.report("junit.xml").contains("name=\"pass_rate\"><error"));
}

#[test]
fn check_warns_when_the_known_cases_can_never_pass() {
    let cases: String = (0..50).map(|i| format!("[[case]]\nid = \"c{i}\"\n")).collect();
    let suite = |min: &str| format!("{cases}{GOOD}[gate]\npass_rate = {{ min = {min}, confidence = 0.95 }}\n");
    let checked =
        |min: &str| Project::with(&suite(min), &[&replies("c0", "good")]).seatrial(&["check", "suite.toml"]).code(0);
    // 50 of 50 have the lower limit .942.
    checked("0.95").complains("can never pass").complains("59 are needed").says("at least 0.95 (95% sure)");
    assert!(!checked("0.94").err.contains("never"));
    checked("1.0").complains("no number of cases");
}

#[test]
fn confidence_counts_cases_and_refuses_weights() {
    let suite = format!(
        "[[case]]\nid = \"a\"\nweight = 3.0\n[[case]]\nid = \"b\"\n{GOOD}[gate]\npass_rate = {{ min = 0.5, confidence = 0.9 }}\n"
    );
    Project::with(&suite, &[&replies("a", "good")]).run().code(2).complains("different weights");
}
