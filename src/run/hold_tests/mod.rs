//! Whom the gate waits for, against brute force: every way in which people could decide over everything that waits for
//! them, laid over the record and decided one by one, as `seatrial gate` does. What is called final has to be so in all of
//! them, and nobody is waited for who can change nothing.

mod runs;
mod suites;

use proptest::prelude::*;

use self::runs::{Session, Way, ruling, sessions, ways};
use self::suites::{Shape, shape};
use crate::checks::system::SystemFinding;
use crate::eval::baseline::{Baseline, Found};
use crate::eval::calibration;
use crate::eval::event::{SessionEvent, SuiteEnd};
use crate::eval::fold::SuiteFold;
use crate::eval::gate::{Decision, Stopped, SuiteSummary, decide};
use crate::eval::overlay::{self, Laid};
use crate::eval::plan::Planned;
use crate::eval::row::Row;
use crate::run::system;
use crate::suite::Suite;

/// A run, decided as it was recorded and then again.
struct Run<'r> {
    planned: Planned<'r>,
    events: Vec<SessionEvent<'static>>,
    beside: Vec<(String, Found)>,
}

impl<'r> Run<'r> {
    fn of(shape: &Shape, suite: &'r Suite, now: &[Session], then: &[Session]) -> Self {
        let planned = Planned::new(suite, None).unwrap();
        let plan = &planned.plan;
        let judged = shape.correct.is_some();
        let event = |of: &'static str| move |(n, session): (usize, &Session)| session.event(plan, (of, n), judged);
        let mut events: Vec<SessionEvent<'static>> = now.iter().enumerate().map(event("now")).collect();
        if let Some(correct) = &shape.correct {
            let more = |n: u64, fails| vec![Session::certain(fails); n as usize];
            let more = [more(correct.more.0, false), more(correct.more.1, true)].concat();
            events.extend(more.iter().enumerate().map(event("more")));
        }
        let mut before = SuiteFold::new(plan, plan.columns.len());
        then.iter().enumerate().map(event("then")).for_each(|event| before.add(Row::of(&event)));
        let mut beside = vec![("then".to_owned(), Found::Baseline(Baseline::of(&before, "then", &plan.columns)))];
        beside.extend(shape.calibration(suite).map(|c| (calibration::NAME.to_owned(), Found::Labels(c))));
        Self { planned, events, beside }
    }

    fn folded(&self, way: Option<&Way>) -> SuiteFold<'_> {
        let plan = &self.planned.plan;
        let mut fold = SuiteFold::new(plan, plan.columns.len());
        for event in &self.events {
            let mut event = event.clone();
            if let Some(way) = way {
                overlay::lay(plan, &mut event, &|key| ruling(way, key), &mut Laid::default());
            }
            fold.add(Row::of(&event));
        }
        fold.baselines.extend(self.beside.iter().cloned());
        fold.end = Some(SuiteEnd {
            suite: 0,
            files: Vec::new(),
            ignored: Vec::new(),
            put_together: false,
            tools_seen: Vec::new(),
            kept: (0, 0),
        });
        fold
    }

    /// As the run decides.
    fn now(&self) -> (SuiteSummary, Vec<(u32, SystemFinding)>) {
        let fold = self.folded(None);
        let (system, _) = system::decide(&self.planned, &fold);
        (decide(&fold, &system, Some("2029-01-01"), Stopped::No), system)
    }

    /// As `seatrial gate` decides when people have decided.
    fn after(&self, way: &Way, recorded: &[(u32, SystemFinding)]) -> SuiteSummary {
        let fold = self.folded(Some(way));
        let mut system = recorded.to_vec();
        for (check, finding) in system::decide_again(&self.planned.plan, &fold).0 {
            system.iter_mut().filter(|(known, _)| *known == check).for_each(|known| known.1 = finding.clone());
        }
        decide(&fold, &system, Some("2029-01-01"), Stopped::No)
    }
}

fn rule(summary: &SuiteSummary, name: &str) -> Option<Decision> {
    summary.rules.iter().find(|r| r.rule == name).map(|r| r.decision)
}

/// Whether a rule could not say: more cases, or cases that could be measured, would be needed.
fn is_open(decision: Decision) -> bool {
    matches!(decision, Decision::Unmeasured | Decision::Inconclusive)
}

/// Whether the gate may wait for people although it need not: of a case that is expected to fail it is not gone through what
/// comparisons and reliability come to with and without it; of a rate held to more than one bound not every way, where
/// there are more than 256; and rules are decided one by one, so that it is not seen where two can never pass together.
fn may_wait(shape: &Shape, rule: Option<&str>, ways: usize) -> bool {
    let system = |name: &str| name.starts_with("system ");
    let compares = |name: &str| name.starts_with("baseline") || name.starts_with("reliability");
    (shape.excused && rule.is_none_or(compares))
        || (ways > 256 && rule.is_none_or(system))
        || (shape.wants_failures() && rule.is_none())
}

/// Everything that breaks the law in a run; `None` where there are too many ways.
fn broken(shape: &Shape, now: &[Session], then: &[Session]) -> Option<Vec<String>> {
    let suite = shape.suite();
    let run = Run::of(shape, &suite, now, then);
    let ways = ways(&run.planned.plan, &run.events)?;
    let (now, recorded) = run.now();
    let all: Vec<SuiteSummary> = ways.iter().map(|way| run.after(way, &recorded)).collect();
    let mut wrong = Vec::new();
    let decisions: Vec<Decision> = all.iter().map(|summary| summary.decision).collect();
    let differ = |of: &[Decision]| of.iter().any(|d| *d != of[0]);
    let kept = match now.decision {
        Decision::Passed | Decision::Failed => decisions.iter().all(|d| *d == now.decision),
        // Nobody could turn it into a pass.
        Decision::Unmeasured | Decision::Inconclusive => !decisions.contains(&Decision::Passed),
        Decision::Held => differ(&decisions) || may_wait(shape, None, ways.len()),
        Decision::Deferred => false,
    };
    if !kept || decisions.contains(&Decision::Held) {
        wrong.push(format!("{:?}, {decisions:?}: {:?}", now.decision, now.rules));
    }
    for named in &now.rules {
        // One that is gone once people have decided has nothing against it.
        let of_ways = all.iter().map(|way| rule(way, &named.rule).unwrap_or(Decision::Passed));
        let of_ways: Vec<Decision> = of_ways.collect();
        let kept = match named.decision {
            Decision::Held => differ(&of_ways) || may_wait(shape, Some(&named.rule), ways.len()),
            // Which of the two it is may depend on them; that it is no pass does not.
            Decision::Unmeasured | Decision::Inconclusive => of_ways.iter().all(|d| is_open(*d)),
            decision => of_ways.iter().all(|d| *d == decision),
        };
        if !kept {
            wrong.push(format!("{named:?}: {of_ways:?}"));
        }
    }
    let fresh = all.iter().flat_map(|way| &way.rules).filter(|r| rule(&now, &r.rule).is_none());
    wrong.extend(fresh.filter(|r| r.decision != Decision::Passed).map(|r| format!("out of nowhere: {r:?}")));
    Some(wrong)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_global_rejects: 4000, ..ProptestConfig::default() })]

    /// What the gate says, and every rule of it, is so however people decide; and it waits for nobody who cannot change what
    /// it says.
    #[test]
    fn what_is_final_is_so_however_people_decide_and_nobody_else_is_waited_for(
        shape in shape(), now in sessions(6, true), then in sessions(6, false),
    ) {
        let Some(wrong) = broken(&shape, &now, &then) else { return Err(TestCaseError::reject("too many ways")) };
        prop_assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), shape.toml());
    }
}
