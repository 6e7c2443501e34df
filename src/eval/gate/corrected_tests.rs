//! The corrected pass rate over folds made by hand.

use super::{Decision, RuleOutcome, Stopped, decide};
use crate::eval::baseline::Found;
use crate::eval::calibration::{Calibration, NAME};
use crate::eval::event::SuitePlan;
use crate::eval::fold::SuiteFold;
use crate::eval::row::{Row, Said};
use crate::eval::testing::{add, suite};
use crate::model::Status::{self, Error, Fail, Held, Pass};
use crate::model::digest::Digest;
use crate::stats::confusion::Confusion;
use crate::stats::corrected::{Cases, Method, correct};

const CHECKS: &str = "[[session]]\nid = \"goal\"\ncheck = \"judge\"\nrubric = \"x\"\n\
                      [[session]]\nid = \"exact\"\ncheck = \"contains\"\nvalue = \"y\"\n";
const LABELS: Confusion = Confusion { true_pass: 170, false_pass: 4, false_fail: 6, true_fail: 40 };

fn plan(method: &str, min: f64) -> SuitePlan {
    let toml = format!("{CHECKS}[gate]\nmax_error_rate = 1.0\npass_rate = {{ min = {min}, correct = \"{method}\" }}\n");
    crate::eval::plan::Planned::new(&suite(&toml), None).unwrap().plan
}

/// So many cases each, by what the judge and the other check say.
fn folded<'p>(plan: &'p SuitePlan, parts: &[(u64, Status, Status)], labels: Option<Found>) -> SuiteFold<'p> {
    let mut fold = SuiteFold::new(plan, 0);
    for (part, (n, judge, exact)) in parts.iter().enumerate() {
        (0..*n).for_each(|i| add(&mut fold, &format!("{part}-{i}"), &[*judge, *exact]));
    }
    if let Some(labels) = labels {
        fold.baselines.insert(NAME.to_owned(), labels);
    }
    fold
}

fn known(plan: &SuitePlan) -> Calibration {
    Calibration { check: "goal".to_owned(), digest: plan.checks[0].digest, labels: LABELS, undecided: 0, rate: 0.1 }
}

fn rule(fold: &SuiteFold<'_>) -> RuleOutcome {
    let summary = decide(fold, &[], None, Stopped::Interrupted);
    summary.rules.into_iter().find(|r| r.rule == "pass_rate").unwrap()
}

fn ruled(method: &str, min: f64, parts: &[(u64, Status, Status)]) -> RuleOutcome {
    let plan = plan(method, min);
    rule(&folded(&plan, parts, Some(Found::Labels(known(&plan)))))
}

#[test]
fn the_lower_limit_of_the_corrected_share_is_held_against_the_bar() {
    let parts = [(180, Pass, Pass), (20, Fail, Pass)];
    for (name, method) in [("ppi", Method::Ppi), ("rogan_gladen", Method::RoganGladen)] {
        let expected = correct(method, Cases { all: 200.0, open: 200.0, passed: 180.0 }, LABELS).unwrap();
        let low = expected.lower(0.95).unwrap();
        for (min, decision) in [
            (low - 1e-6, Decision::Passed),
            (low + 1e-6, Decision::Inconclusive),
            (expected.value + 1e-6, Decision::Failed),
        ] {
            let found = ruled(name, min, &parts);
            assert_eq!(found.decision, decision, "{name} {min}: {}", found.reason);
            let settles = found.reason.contains("; 1 more case or ");
            assert_eq!(settles, decision == Decision::Inconclusive, "{}", found.reason);
            let measured = found.measured.unwrap();
            assert_eq!(
                (measured.value, measured.method.as_deref(), measured.confidence),
                (expected.value, Some(name), Some(0.95))
            );
            assert!((measured.interval.unwrap()[0] - low).abs() < 1e-12);
        }
    }
}

#[test]
fn passes_as_the_simulation_counts_over_a_grid_of_rates() {
    for (name, method) in [("ppi", Method::Ppi), ("rogan_gladen", Method::RoganGladen)] {
        for (passed, anyway) in (0..=5).flat_map(|i| [0, 20].map(|anyway| (100 + 15 * i, anyway))) {
            let failed = 200 - passed - anyway;
            let cases = Cases { all: 200.0, open: (passed + failed) as f64, passed: passed as f64 };
            let low = correct(method, cases, LABELS).unwrap().lower(0.95).unwrap();
            for min in [0.4, 0.5, 0.6, 0.7, 0.8] {
                let found = ruled(name, min, &[(passed, Pass, Pass), (failed, Fail, Pass), (anyway, Pass, Fail)]);
                assert_eq!(found.decision == Decision::Passed, low >= min, "{name} {passed} {anyway} {min}");
            }
        }
    }
}

#[test]
fn a_case_that_another_check_fails_is_failed_whatever_the_judge_says() {
    let found = ruled("ppi", 0.5, &[(150, Pass, Pass), (10, Fail, Pass), (40, Pass, Fail)]);
    let expected = correct(Method::Ppi, Cases { all: 200.0, open: 160.0, passed: 150.0 }, LABELS).unwrap();
    assert_eq!(found.measured.unwrap().value, expected.value);
}

/// 180 cases that the judge passes and 20 that it fails, and one more of which people have something to say.
fn with_one_more(method: &str, min: f64, verdict: Status, said: Said) -> RuleOutcome {
    let plan = plan(method, min);
    let mut fold = folded(&plan, &[(180, Pass, Pass), (20, Fail, Pass)], Some(Found::Labels(known(&plan))));
    let row = Row {
        at: (0, fold.evaluated),
        id: "more".into(),
        case: "more".into(),
        trial: None,
        tags: Vec::new(),
        digest: Digest::of(b"more"),
        error: false,
        verdicts: vec![(0, verdict, Default::default()), (1, Pass, Default::default())],
        said: vec![(0, said)],
        cells: Vec::new(),
    };
    fold.add(row);
    rule(&fold)
}

/// With so many more that the judge passes, that it fails, and that are failed anyway.
fn value(method: Method, more: (f64, f64, f64)) -> f64 {
    let (passed, failed, anyway) = (180.0 + more.0, 20.0 + more.1, more.2);
    let cases = Cases { all: passed + failed + anyway, open: passed + failed, passed };
    correct(method, cases, LABELS).unwrap().value
}

#[test]
fn a_verdict_that_a_person_passes_counts_as_the_judge_says_it() {
    for (said, more) in [(Pass, (1.0, 0.0, 0.0)), (Fail, (0.0, 1.0, 0.0))] {
        let found = with_one_more("ppi", 0.5, Pass, Said::alone(said));
        assert_eq!((found.decision, found.measured.unwrap().value), (Decision::Passed, value(Method::Ppi, more)));
    }
}

#[test]
fn a_case_that_a_person_fails_is_failed_and_never_makes_the_sum_larger() {
    for (name, method) in [("ppi", Method::Ppi), ("rogan_gladen", Method::RoganGladen)] {
        for says in [Pass, Fail] {
            let judged = with_one_more(name, 0.5, Pass, Said::alone(says)).measured.unwrap().value;
            let failed = with_one_more(name, 0.5, Fail, Said { failed: true, ..Said::alone(says) });
            let least = match (says, method) {
                (Fail, Method::RoganGladen) => value(method, (0.0, 1.0, 0.0)),
                _ => value(method, (0.0, 0.0, 1.0)),
            };
            let found = failed.measured.unwrap().value;
            assert_eq!((failed.decision, found), (Decision::Passed, least), "{name} {says:?}");
            assert!(found <= judged, "{name} {says:?}: {found} {judged}");
        }
    }
}

#[test]
fn a_verdict_that_a_person_may_fail_holds_what_depends_on_it() {
    let asked = Said { waits: true, ..Said::alone(Pass) };
    let (worst, best) = (value(Method::Ppi, (0.0, 0.0, 1.0)), value(Method::Ppi, (1.0, 0.0, 0.0)));
    assert_eq!(with_one_more("ppi", 0.5, Held, asked).decision, Decision::Passed);
    assert_eq!(with_one_more("ppi", 0.99, Held, asked).decision, Decision::Failed);
    let between = with_one_more("ppi", (worst + best) / 2.0, Held, asked);
    assert_eq!(between.decision, Decision::Held, "{}", between.reason);
    assert!(between.reason.contains("wait for a person"), "{}", between.reason);
    // Once decided it is settled, either way.
    let failed = Said { failed: true, ..Said::alone(Pass) };
    assert_eq!(with_one_more("ppi", (worst + best) / 2.0, Fail, failed).decision, Decision::Failed);
    assert_ne!(with_one_more("ppi", (worst + best) / 2.0, Pass, Said::alone(Pass)).decision, Decision::Held);
}

#[test]
fn what_is_not_known_is_taken_both_ways() {
    let parts = |unknown: Status| [(180, Pass, Pass), (18, Fail, Pass), (2, Pass, unknown)];
    for (min, held, error) in [
        (0.5, Decision::Passed, Decision::Passed),
        (0.99, Decision::Failed, Decision::Failed),
        (0.895, Decision::Held, Decision::Unmeasured),
    ] {
        assert_eq!(ruled("ppi", min, &parts(Held)).decision, held, "{min}");
        assert_eq!(ruled("ppi", min, &parts(Error)).decision, error, "{min}");
    }
    let broken = [(180, Pass, Pass), (18, Fail, Pass), (2, Error, Pass)];
    assert_eq!(ruled("rogan_gladen", 0.5, &broken).decision, Decision::Passed);
    assert_eq!(ruled("rogan_gladen", 0.93, &broken).decision, Decision::Unmeasured);
}

#[test]
fn labels_that_are_not_there_or_of_another_version_measure_nothing() {
    let plan = plan("ppi", 0.5);
    let other = Calibration { digest: Digest::of(b"other"), ..known(&plan) };
    let few = Calibration { labels: Confusion { true_pass: 20, ..Confusion::default() }, undecided: 7, ..known(&plan) };
    let coin = Calibration {
        labels: Confusion { true_pass: 25, false_pass: 25, false_fail: 25, true_fail: 25 },
        ..known(&plan)
    };
    for (labels, why) in [
        (None, "the record does not hold"),
        (Some(Found::Missing("there is no file".to_owned())), "there is no file"),
        (Some(Found::Refused("none was drawn".to_owned())), "none was drawn"),
        (Some(Found::Labels(other)), "another version of goal"),
        (
            Some(Found::Labels(few)),
            "20 verdicts are labelled; 50 are the least to correct by; 7 drawn verdicts are not decided",
        ),
        (Some(Found::Labels(coin)), "does not tell good from bad"),
    ] {
        let found = rule(&folded(&plan, &[(100, Pass, Pass)], labels));
        assert_eq!(found.decision, Decision::Unmeasured);
        assert!(found.reason.contains(why), "{}", found.reason);
    }
}

#[test]
fn several_trials_of_a_case_and_cases_that_were_not_judged_measure_nothing() {
    let plan = plan("ppi", 0.5);
    let mut twice = folded(&plan, &[(100, Pass, Pass)], Some(Found::Labels(known(&plan))));
    add(&mut twice, "0-0", &[Pass, Pass]);
    assert!(rule(&twice).reason.contains("0-0 has 2"), "{}", rule(&twice).reason);
    let mut unseen = folded(&plan, &[(100, Pass, Pass)], Some(Found::Labels(known(&plan))));
    let row = Row {
        at: (0, 100),
        id: "u".into(),
        case: "u".into(),
        trial: None,
        tags: Vec::new(),
        digest: Digest::of(b"u"),
        error: false,
        verdicts: vec![(1, Pass, Default::default())],
        said: Vec::new(),
        cells: Vec::new(),
    };
    unseen.add(row);
    assert!(rule(&unseen).reason.contains("did not judge u"), "{}", rule(&unseen).reason);
}

#[test]
fn a_corrected_gate_is_never_lost_early_by_what_is_judged_to_fail() {
    let plan = plan("ppi", 0.9);
    assert!(!folded(&plan, &[(50, Fail, Pass)], None).is_lost());
}

#[test]
fn a_session_that_could_not_be_read_is_taken_both_ways() {
    for (min, decision) in [(0.5, Decision::Passed), (0.99999, Decision::Failed)] {
        let plan = plan("ppi", min);
        let parts = [(280, Pass, Pass), (20, Fail, Pass)];
        let mut fold = folded(&plan, &parts, Some(Found::Labels(known(&plan))));
        let row = Row {
            at: (9, 0),
            id: "unread".into(),
            case: "unread".into(),
            trial: None,
            tags: Vec::new(),
            digest: Digest::of(b"unread"),
            error: true,
            verdicts: Vec::new(),
            said: Vec::new(),
            cells: Vec::new(),
        };
        fold.add(row);
        let found = rule(&fold);
        assert_eq!(found.decision, decision, "{min}: {}", found.reason);
    }
}
