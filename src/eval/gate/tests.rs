//! Rules that no recording can reach yet (held verdicts), and those that need exact numbers.

use super::*;
use crate::checks::system::Bound;
use crate::eval::event::SuitePlan;
use crate::eval::exit;
use crate::eval::testing::{add, plan};
use crate::model::Status::{self, Error, Fail, Held, Pass, Skip};

const CHECK: &str = "[[session]]\nid = \"a\"\ncheck = \"contains\"\nvalue = \"x\"\n";

fn with_gate(gate: &str) -> SuitePlan {
    plan(&format!("{CHECK}[gate]\n{gate}\n"))
}

/// Decides over cases of one trial each; every check of a trial has the same verdict.
fn decided(plan: &SuitePlan, cases: &[Status]) -> SuiteSummary {
    let trials: Vec<(String, Status)> = cases.iter().enumerate().map(|(i, s)| (format!("c{i}"), *s)).collect();
    decided_trials(plan, &trials.iter().map(|(c, s)| (c.as_str(), *s)).collect::<Vec<_>>())
}

fn decided_trials(plan: &SuitePlan, trials: &[(&str, Status)]) -> SuiteSummary {
    let mut fold = SuiteFold::new(plan, 0);
    for (case, status) in trials {
        add(&mut fold, case, &vec![*status; plan.checks.len()]);
    }
    decide(&fold, &[], None, Stopped::No)
}

fn rule<'s>(summary: &'s SuiteSummary, name: &str) -> &'s RuleOutcome {
    summary.rules.iter().find(|r| r.rule == name).unwrap_or_else(|| panic!("no rule {name}: {:?}", summary.rules))
}

#[test]
fn a_held_case_that_could_tip_the_pass_rate_holds_the_gate_with_exit_3() {
    let plan = with_gate("pass_rate = { min = 0.75 }");
    let summary = decided(&plan, &[Pass, Pass, Held, Fail]);
    assert_eq!(summary.decision, Decision::Held);
    assert_eq!((summary.cases.held, summary.cases.passed, summary.cases.failed), (1, 2, 1));
    assert!(summary.reasons[0].contains("wait for a person"), "{:?}", summary.reasons);
    assert_eq!(exit::code([summary.decision], false, false), 3);
}

#[test]
fn a_gate_that_no_held_case_can_tip_is_final_now() {
    let plan = with_gate("pass_rate = { min = 0.5 }");
    assert_eq!(decided(&plan, &[Pass, Pass, Held, Fail]).decision, Decision::Passed);
    assert_eq!(decided(&plan, &[Pass, Held, Fail, Fail, Fail]).decision, Decision::Failed);
}

#[test]
fn what_only_a_person_could_save_is_not_called_passed_or_failed() {
    assert_eq!(decided(&with_gate(""), &[Pass, Held]).decision, Decision::Held);
    assert_eq!(decided(&with_gate(""), &[Fail, Held]).decision, Decision::Failed);
    // Review does not mend what could not be measured.
    assert_eq!(decided(&with_gate(""), &[Error, Held]).decision, Decision::Unmeasured);
}

#[test]
fn a_held_verdict_of_a_critical_check_holds_the_gate_whatever_the_pass_rate_allows() {
    let toml = format!(
        "{}[gate]\npass_rate = {{ min = 0.0 }}\n",
        CHECK.replace("check =", "severity = \"critical\"\ncheck =")
    );
    let plan = plan(&toml);
    let summary = decided(&plan, &[Pass, Held]);
    assert_eq!(rule(&summary, "critical").decision, Decision::Held);
    assert_eq!(summary.decision, Decision::Held);
    assert_eq!(decided(&plan, &[Pass, Held, Fail]).decision, Decision::Failed);
}

#[test]
fn reliability_takes_held_trials_both_ways() {
    let plan = with_gate("pass_rate = { min = 0.0 }\nreliability = { k = 2, min = 1.0 }");
    let held = decided_trials(&plan, &[("a", Pass), ("a", Held)]);
    assert_eq!(rule(&held, "reliability").decision, Decision::Held);
    let lost = decided_trials(&plan, &[("a", Pass), ("a", Held), ("a", Fail)]);
    assert_eq!(rule(&lost, "reliability").decision, Decision::Failed);
}

#[test]
fn a_check_that_only_skipped_sessions_met_is_unexercised() {
    let plan = plan(&format!("{CHECK}[gate]\nmax_skip_rate = 1.0\n"));
    let summary = decided(&plan, &[Skip, Skip]);
    assert!(!summary.checks[0].exercised);
    assert_eq!(summary.decision, Decision::Unmeasured);
}

#[test]
fn an_error_of_a_recorded_trial_does_not_hide_behind_a_missing_one() {
    let toml = format!(
        "{CHECK}[[case]]\nid = \"a\"\n[[case]]\nid = \"b\"\n[gate]\npass_rate = {{ min = 0.0 }}\nmax_missing_cases = 2\n"
    );
    let mut plan = plan(&toml);
    plan.trials = Some(2);
    let errs = decided_trials(&plan, &[("a", Error), ("b", Pass), ("b", Pass)]);
    assert_eq!(rule(&errs, "missing_cases").decision, Decision::Passed);
    assert_eq!(rule(&errs, "error_rate").decision, Decision::Unmeasured);
    let missing = decided_trials(&plan, &[("a", Pass), ("b", Pass), ("b", Pass)]);
    assert_eq!(missing.decision, Decision::Passed);
    assert_eq!(missing.missing, ["a"]);
}

#[test]
fn any_number_of_trials_may_be_wanted() {
    let mut plan = plan(&format!("{CHECK}[[case]]\nid = \"a\"\n"));
    plan.trials = Some(u32::MAX);
    let summary = decided_trials(&plan, &[("a", Pass)]);
    assert_eq!((summary.decision, summary.cases.missing), (Decision::Unmeasured, 1));
}

#[test]
fn light_cases_count_like_heavy_ones() {
    let weighted = |weight: &str, gate: &str| {
        let case = |id: &str| format!("[[case]]\nid = \"{id}\"\nweight = {weight}\n");
        plan(&format!("{CHECK}{}{}[gate]\n{gate}\n", case("a"), case("b")))
    };
    for weight in ["1e-12", "1.0", "1e15"] {
        for (min, decision) in [("1.0", Decision::Failed), ("0.51", Decision::Failed), ("0.5", Decision::Passed)] {
            let plan = weighted(weight, &format!("pass_rate = {{ min = {min} }}"));
            let summary = decided_trials(&plan, &[("a", Pass), ("b", Fail)]);
            assert_eq!(summary.decision, decision, "weight {weight}, min {min}");
        }
    }
}

#[test]
fn a_run_that_is_cut_short_says_nothing_of_tools_it_may_not_have_seen() {
    let plan = plan("[[session]]\nid = \"a\"\ncheck = \"calls\"\ntool = \"look\"\n");
    let mut fold = SuiteFold::new(&plan, 0);
    add(&mut fold, "c", &[Fail]);
    let named = |summary: SuiteSummary| summary.rules.iter().any(|r| r.rule.starts_with("tool names"));
    assert!(named(decide(&fold, &[], None, Stopped::No)));
    assert!(!named(decide(&fold, &[], None, Stopped::FailFast)));
}

#[test]
fn a_name_that_can_never_match_is_the_checks_own_error_and_leaves_the_counts_true() {
    let plan =
        plan("[[session]]\nid = \"a\"\ncheck = \"calls\"\ntool = \"cancel_resrvation\"\nmax = 0\noptional = true\n");
    let mut fold = SuiteFold::new(&plan, 0);
    fold.tools_seen.extend(["book_reservation".to_owned(), "cancel_reservation".to_owned()]);
    for status in [Fail, Fail, Pass] {
        add(&mut fold, "c", &[status]);
    }
    let summary = decide(&fold, &[], None, Stopped::No);
    let check = &summary.checks[0];
    assert_eq!((check.pass, check.fail, check.error, check.sessions.total()), (1, 2, 0, 3));
    let why = check.invalid.as_deref().unwrap();
    assert!(why.contains("`cancel_resrvation` (did you mean `cancel_reservation`?)"), "{why}");
    assert!(why.contains("`tools = [...]` in [suite]"), "{why}");
    assert_eq!(rule(&summary, "tool names of a").decision, Decision::Unmeasured);
}

proptest::proptest! {
    /// The gate with held cases is decided exactly when both extremes of review would decide it alike.
    #[test]
    fn held_cases_are_decided_as_both_extremes_of_review_would(
        statuses in proptest::collection::vec(0usize..3, 1..9), min in 0u32..=10,
    ) {
        let plan = with_gate(&format!("pass_rate = {{ min = {} }}", f64::from(min) / 10.0));
        let cases: Vec<Status> = statuses.iter().map(|s| [Pass, Fail, Held][*s]).collect();
        let as_if = |held: Status| {
            let cases: Vec<Status> = cases.iter().map(|s| if *s == Held { held } else { *s }).collect();
            decided(&plan, &cases).decision
        };
        let (low, high) = (as_if(Fail), as_if(Pass));
        let expected = if low == high { low } else { Decision::Held };
        proptest::prop_assert_eq!(decided(&plan, &cases).decision, expected);
    }
}

#[test]
fn what_only_a_check_without_a_bound_counts_is_not_what_the_decision_depends_on() {
    let check = |id: &str, severity: &str| {
        format!("[[session]]\nid = \"{id}\"\nseverity = \"{severity}\"\ncheck = \"contains\"\nvalue = \"x\"\n")
    };
    for (bound, counts) in [(None, false), (Some(Bound { min: Some(0.5), ..Bound::default() }), true)] {
        let reliability = "[[system]]\nid = \"r\"\ncheck = \"reliability\"\nof = \"w\"\nk = 1\n";
        let plan = plan(&(check("a", "block") + &check("w", "warn") + reliability));
        let mut fold = SuiteFold::new(&plan, 0);
        add(&mut fold, "c", &[Held, Held]);
        let found = SystemFinding { status: Held, bound, ..SystemFinding::error("it waits") };
        let waiting = decide(&fold, &[(2, found)], None, Stopped::No).waiting.unwrap();
        let named: Vec<&str> = waiting.checks.iter().map(|c| c.check.as_str()).collect();
        assert_eq!(named, if counts { vec!["a", "w"] } else { vec!["a"] }, "{bound:?}");
    }
}

/// `passed` cases that pass and `failed` that fail.
fn share(passed: usize, failed: usize) -> Vec<Status> {
    [vec![Pass; passed], vec![Fail; failed]].concat()
}

#[test]
fn with_confidence_the_lower_limit_must_reach_the_bar() {
    let plan = with_gate("pass_rate = { min = 0.9, confidence = 0.95 }");
    // Clopper-Pearson, one-sided at 95%: 49 of 50 .9087, 48 of 50 .8786.
    let sure = decided(&plan, &share(49, 1));
    assert_eq!(sure.decision, Decision::Passed);
    let measured = rule(&sure, "pass_rate").measured.clone().unwrap();
    assert_eq!((measured.value, measured.count, measured.confidence), (0.98, 50, Some(0.95)));
    assert!((measured.interval.unwrap()[0] - 0.9086).abs() < 1e-3, "{measured:?}");
    assert_eq!(measured.method.as_deref(), Some("clopper-pearson"));
    let unsure = decided(&plan, &share(48, 2));
    assert_eq!(unsure.decision, Decision::Inconclusive);
    let more = rule(&unsure, "pass_rate").measured.clone().unwrap().more_cases.unwrap();
    assert!(unsure.reasons[0].contains(&format!("{more} more cases like these would settle it")), "{unsure:?}");
    // And so they would.
    let n = 50 + more as usize;
    let failed = (n as f64 * 0.04).floor() as usize;
    assert_eq!(decided(&plan, &share(n - failed, failed)).decision, Decision::Passed);
    assert_eq!(decided(&plan, &share(44, 6)).decision, Decision::Failed);
}

#[test]
fn a_failed_rate_says_how_many_more_cases_would_have_to_pass_and_that_would_be_enough() {
    for bar in ["min = 0.8", "min = 0.7, confidence = 0.95"] {
        let plan = with_gate(&format!("pass_rate = {{ {bar} }}"));
        let failed = decided(&plan, &share(12, 18));
        assert_eq!(failed.decision, Decision::Failed);
        let lacking = (1..=18).find(|more| decided(&plan, &share(12 + more, 18 - more)).decision == Decision::Passed);
        let said = format!("; {} more of them would have to pass", lacking.unwrap());
        assert!(failed.reasons[0].contains(&said), "{said}: {:?}", failed.reasons);
    }
    let few = decided(&with_gate("pass_rate = { min = 0.9, confidence = 0.95 }"), &share(4, 2));
    assert!(few.reasons[0].contains("not be enough if all of them passed"), "{:?}", few.reasons);
    let all = decided(&with_gate("pass_rate = { min = 1.0 }"), &share(9, 1));
    assert!(all.reasons[0].ends_with("at least 1 wanted"), "{:?}", all.reasons);
}

#[test]
fn fifty_of_fifty_do_not_show_95_of_100() {
    let plan = with_gate("pass_rate = { min = 0.95, confidence = 0.95 }");
    assert_eq!(decided(&plan, &share(50, 0)).decision, Decision::Inconclusive);
    assert_eq!(decided(&plan, &share(58, 0)).decision, Decision::Inconclusive);
    assert_eq!(decided(&plan, &share(59, 0)).decision, Decision::Passed);
}

#[test]
fn trials_of_a_case_are_not_independent_cases() {
    let plan = with_gate("pass_rate = { min = 0.9, confidence = 0.95 }");
    // 40 sessions that pass, of 10 cases: .9 needs 29 cases that all pass.
    let names: Vec<String> = (0..40).map(|i| format!("c{}", i / 4)).collect();
    let trials: Vec<(&str, Status)> = names.iter().map(|c| (c.as_str(), Pass)).collect();
    let summary = decided_trials(&plan, &trials);
    assert_eq!(summary.decision, Decision::Inconclusive);
    assert_eq!(rule(&summary, "pass_rate").measured.as_ref().unwrap().count, 10);
}

#[test]
fn reliability_with_confidence_counts_cases_too() {
    let plan = with_gate("pass_rate = { min = 0.0 }\nreliability = { k = 2, min = 0.6, confidence = 0.95 }");
    let over = |cases: usize| {
        let names: Vec<String> = (0..4 * cases).map(|i| format!("c{}", i / 4)).collect();
        let status = |i: usize| if i.is_multiple_of(8) { Fail } else { Pass };
        let trials: Vec<(&str, Status)> = names.iter().enumerate().map(|(i, c)| (c.as_str(), status(i))).collect();
        rule(&decided_trials(&plan, &trials), "reliability").clone()
    };
    // Every other case has 3 of 4: pass^2 is 1/2 there, 0.75 over all.
    let (few, many) = (over(8), over(80));
    assert_eq!((few.decision, many.decision), (Decision::Inconclusive, Decision::Passed));
    assert_eq!(few.measured.unwrap().value, 0.75);
}

#[test]
fn cases_that_wait_for_a_person_hold_a_statistical_gate_that_they_could_tip() {
    let plan = with_gate("pass_rate = { min = 0.9, confidence = 0.95 }");
    let with = |passed, failed, other: Status, n| {
        let cases = [share(passed, failed), vec![other; n]].concat();
        decided(&plan, &cases).decision
    };
    assert_eq!(with(48, 1, Held, 1), Decision::Held);
    assert_eq!(with(48, 1, Error, 1), Decision::Unmeasured);
    // Even in favour of the agent they would not settle it.
    assert_eq!(with(18, 0, Held, 1), Decision::Inconclusive);
    assert_eq!(with(99, 0, Held, 1), Decision::Passed);
}

proptest::proptest! {
    /// One more case that passes never makes it worse, and one that turns from fail to pass neither.
    #[test]
    fn more_passes_never_turn_a_pass_into_anything_else(passed in 0usize..80, failed in 0usize..8, min in 50u32..99) {
        let plan = with_gate(&format!("pass_rate = {{ min = 0.{min}, confidence = 0.95 }}"));
        let of = |passed, failed| decided(&plan, &share(passed, failed)).decision;
        proptest::prop_assume!(passed + failed > 0);
        if of(passed, failed) == Decision::Passed {
            proptest::prop_assert_eq!(of(passed + 1, failed), Decision::Passed);
            if failed > 0 {
                proptest::prop_assert_eq!(of(passed + 1, failed - 1), Decision::Passed);
            }
        }
        // A pass with confidence is a pass without.
        let point = with_gate(&format!("pass_rate = {{ min = 0.{min} }}"));
        if of(passed, failed) == Decision::Passed {
            proptest::prop_assert_eq!(decided(&point, &share(passed, failed)).decision, Decision::Passed);
        }
    }
}
