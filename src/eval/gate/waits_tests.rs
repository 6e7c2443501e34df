//! Whom the gate waits for, against brute force: every way in which people could decide over everything that waits for them,
//! decided one by one. What the gate calls final has to be so in all of them.

use super::*;
use crate::eval::baseline::{Baseline, Found};
use crate::eval::event::SuitePlan;
use crate::eval::testing::{add, add_subjects, plan};
use crate::model::Status::{Fail, Pass};
use crate::model::Tally;
use proptest::prelude::*;

/// The subjects of every check in one trial of a case.
type Trial = (usize, Vec<Tally>);

/// Most ways of deciding that are gone through for one run.
const MOST_WAYS: u64 = 1024;

fn check(id: &str, more: &str) -> String {
    format!("[[turn]]\nid = \"{id}\"\ncheck = \"contains\"\nvalue = \"x\"\n{more}\n")
}

/// What may differ between suites.
#[derive(Debug, Clone)]
struct Shape {
    require: usize,
    critical: bool,
    pass_rate: u32,
    confidence: bool,
    errors: u32,
    reliability: bool,
    group: bool,
    excused: bool,
    baseline: Option<(u32, u32)>,
}

impl Shape {
    fn plan(&self) -> SuitePlan {
        let require =
            ["", "require = \"any\"", "require = { at_least = 2 }", "require = { at_least = 0.6 }"][self.require];
        let severity = if self.critical { "severity = \"critical\"" } else { "severity = \"warn\"" };
        let mut toml = check("a", require) + &check("b", "") + &check("c", severity);
        for case in 0..CASES {
            let tag = if case % 2 == 0 { "tags = [\"even\"]\n" } else { "" };
            let excused = match case == 0 && self.excused {
                true => "expected_fail = { until = \"2030-01-01\", reason = \"known\" }\n",
                false => "",
            };
            toml.push_str(&format!("[[case]]\nid = \"c{case}\"\n{tag}{excused}"));
        }
        let confidence = if self.confidence { ", confidence = 0.6" } else { "" };
        toml.push_str(&format!(
            "[gate]\nmax_missing_cases = {CASES}\nmax_error_rate = {:.2}\npass_rate = {{ min = {:.2}{confidence} }}\n",
            f64::from(self.errors) / 4.0,
            f64::from(self.pass_rate) / 4.0
        ));
        if self.reliability {
            toml.push_str("reliability = { k = 1, min = 0.6 }\n");
        }
        if let Some((margin, unpaired)) = self.baseline {
            toml.push_str(&format!(
                "baseline = {{ run = \"then\", margin = 0.{margin}, alpha = 0.49, max_unpaired = {unpaired} }}\n"
            ));
        }
        if self.group {
            toml.push_str("[[gate.group]]\ntag = \"even\"\npass_rate = { min = 0.5 }\n");
        }
        plan(&toml)
    }
}

const CASES: usize = 4;

fn shape() -> impl Strategy<Value = Shape> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (0usize..4, flags, 0u32..=4, 0u32..=4, prop::option::of((1u32..9, 0u32..4))).prop_map(
        |(require, (critical, confidence, reliability, group, excused), pass_rate, errors, baseline)| Shape {
            require,
            critical,
            pass_rate,
            confidence,
            errors,
            reliability,
            group,
            excused,
            baseline,
        },
    )
}

fn trials() -> impl Strategy<Value = Vec<Trial>> {
    let tally =
        (0u64..3, 0u64..2, prop::sample::select(vec![0u64, 0, 0, 1]), prop::sample::select(vec![0u64, 0, 0, 1, 2]))
            .prop_map(|(pass, fail, error, held)| Tally { pass, fail: fail * (pass % 2), error, held, skip: 0 });
    let trial = (0..CASES, prop::collection::vec(tally, 3));
    prop::collection::vec(trial, 1..6)
}

fn decided(plan: &SuitePlan, trials: &[Trial]) -> SuiteSummary {
    let mut before = SuiteFold::new(plan, 0);
    for case in 0..CASES {
        let status = if case == 3 { Fail } else { Pass };
        add(&mut before, &format!("c{case}"), &[status, Pass, Pass]);
    }
    let mut fold = SuiteFold::new(plan, 0);
    for (case, subjects) in trials {
        add_subjects(&mut fold, &format!("c{case}"), subjects);
    }
    fold.baselines.insert("then".to_owned(), Found::Baseline(Baseline::of(&before, "then", &[])));
    decide(&fold, &[], Some("2029-01-01"), Stopped::No)
}

/// Every way in which people could decide; `None` where there are too many. Subjects of one verdict count alike, so that
/// how many of them pass is all that matters.
fn ways(trials: &[Trial]) -> Option<Vec<Vec<Trial>>> {
    let held: Vec<u64> = trials.iter().flat_map(|(_, subjects)| subjects.iter().map(|t| t.held)).collect();
    let count = held.iter().try_fold(1u64, |n, held| n.checked_mul(held + 1)).filter(|n| *n <= MOST_WAYS)?;
    let way = |mut n: u64| -> Vec<Trial> {
        let mut decide = |tally: &Tally| {
            let pass = n % (tally.held + 1);
            n /= tally.held + 1;
            Tally { pass: tally.pass + pass, fail: tally.fail + tally.held - pass, held: 0, ..*tally }
        };
        trials.iter().map(|(case, subjects)| (*case, subjects.iter().map(&mut decide).collect())).collect()
    };
    Some((0..count).map(way).collect())
}

fn rule(summary: &SuiteSummary, name: &str) -> Option<Decision> {
    summary.rules.iter().find(|r| r.rule == name).map(|r| r.decision)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_global_rejects: 4000, ..ProptestConfig::default() })]

    /// What the gate says is so however people decide; and it waits for nobody who cannot change what it says.
    #[test]
    fn what_is_final_is_so_however_people_decide(shape in shape(), trials in trials()) {
        let plan = shape.plan();
        let Some(ways) = ways(&trials) else { return Err(TestCaseError::reject("too many ways")) };
        let now = decided(&plan, &trials);
        let all: Vec<SuiteSummary> = ways.iter().map(|way| decided(&plan, way)).collect();
        for way in &all {
            prop_assert!(way.rules.iter().all(|r| r.decision != Decision::Held), "{:?}", way.rules);
        }
        let decisions: Vec<Decision> = all.iter().map(|summary| summary.decision).collect();
        match now.decision {
            Decision::Passed | Decision::Failed => {
                prop_assert!(decisions.iter().all(|d| *d == now.decision), "{:?} {:?} {:?}", now.rules, decisions, plan.gate);
            }
            // Nobody could turn it into a pass.
            Decision::Unmeasured | Decision::Inconclusive => {
                prop_assert!(!decisions.contains(&Decision::Passed), "{:?} {:?} {:?}", now.rules, decisions, plan.gate);
            }
            Decision::Held => {
                let simple = !shape.excused && trials.iter().all(|(_, subjects)| subjects.iter().all(|t| t.error == 0));
                prop_assert!(!simple || decisions.iter().any(|d| *d != decisions[0]), "{:?} {:?}", now.rules, decisions);
            }
            Decision::Deferred => prop_assert!(false),
        }
        for named in &now.rules {
            if matches!(named.decision, Decision::Passed | Decision::Failed) {
                let same = all.iter().all(|way| rule(way, &named.rule).is_none_or(|d| d == named.decision));
                prop_assert!(same, "{}: {:?}", named.rule, named);
            }
        }
    }
}
