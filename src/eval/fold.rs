//! All sessions of a suite, added up in ordinal order: counts, cases and their trials, and the columns of system
//! checks. The gate decides from this alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::baseline::Found;
use super::driven::Driven;
use super::event::{SuiteEnd, SuitePlan};
use super::remembered::Remembered;
use super::rollup::{self, Ends};
use super::row::{Row, Said};
pub use super::seen::Admission;
use super::seen::Seen;
use super::spend::Spend;
use crate::checks::system::{Cases, Folded, Open, TrialOutcome, Way};
use crate::model::{LeftOut, Status, Tally};

/// What is known of one check so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckFold {
    /// Its subjects.
    pub subjects: Tally,
    /// Its roll-ups, one a session.
    pub sessions: Tally,
    /// The roll-ups when people decide against the agent over all that waits for them.
    pub worst: Tally,
    /// The roll-ups when they decide for it.
    pub best: Tally,
    /// Sessions whose roll-up depends on what people decide.
    pub open: u64,
    /// It was applied to something: skipped sessions, and sessions that could not be measured as a whole, do not show
    /// that there is anything for it to look at.
    pub exercised: bool,
}

/// All sessions of a suite so far.
pub struct SuiteFold<'p> {
    /// The suite.
    pub plan: &'p SuitePlan,
    /// Declared cases first, in order, then the others by first appearance.
    pub cases: Cases,
    /// By position of the check.
    pub checks: Vec<CheckFold>,
    /// By position of the column.
    pub columns: Vec<Folded>,
    /// Sessions evaluated.
    pub evaluated: u64,
    /// What was left out, by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// What other shards record.
    pub elsewhere: u64,
    /// Every tool that a session called.
    pub tools_seen: BTreeSet<String>,
    /// The earlier runs that the suite is compared with, by the name it has for them.
    pub baselines: BTreeMap<String, Found>,
    /// What the end of the suite's sessions says; `None` while there may be more.
    pub end: Option<SuiteEnd>,
    /// What asking models took, by check.
    pub spent: Vec<Spend>,
    /// What driving its agent took; `None` where nothing was driven.
    pub driven: Option<Driven>,
    /// What a comparison needs of every session; `None` where nothing is compared.
    pub remembered: Option<Remembered>,
    /// What the judge behind a corrected pass rate said by itself, by case; of one with several trials, nothing is kept
    /// but the last.
    pub said: Vec<Option<Said>>,
    /// Which check that judge is behind.
    pub corrects: Option<u32>,
    seen: Seen,
    /// Several sessions are wanted of some case.
    several: bool,
    blocking: Vec<bool>,
    critical: Vec<bool>,
    failed_weight: f64,
    critical_failures: u64,
}

impl<'p> SuiteFold<'p> {
    /// Counts what asking took; a run that was continued says so several times.
    pub fn spend(&mut self, spent: &[Spend]) {
        for more in spent {
            match self.spent.iter_mut().find(|s| s.check == more.check) {
                Some(spend) => spend.plus(more),
                None => self.spent.push(more.clone()),
            }
        }
    }

    /// Counts what driving took; a run that was continued says so several times.
    pub fn drive(&mut self, driven: &Driven) {
        match &mut self.driven {
            Some(all) => all.plus(driven),
            None => self.driven = Some(driven.clone()),
        }
    }

    /// Nothing yet.
    pub fn new(plan: &'p SuitePlan, columns: usize) -> Self {
        let mut fold = Self {
            plan,
            cases: Cases::default(),
            checks: vec![CheckFold::default(); plan.checks.len()],
            columns: vec![Folded::default(); columns],
            spent: Vec::new(),
            driven: None,
            evaluated: 0,
            left_out: BTreeMap::new(),
            elsewhere: 0,
            tools_seen: BTreeSet::new(),
            baselines: BTreeMap::new(),
            end: None,
            remembered: None,
            said: Vec::new(),
            corrects: plan.corrects(),
            seen: Seen::default(),
            several: plan.has_trials(),
            blocking: plan.checks.iter().map(|c| c.severity.blocks()).collect(),
            critical: plan.checks.iter().map(|c| c.severity == crate::model::Severity::Critical).collect(),
            failed_weight: 0.0,
            critical_failures: 0,
        };
        for case in plan.cases.iter().flatten() {
            fold.cases.position(&case.id, &case.tags);
        }
        let means = plan.gate.baseline.iter().flat_map(|bar| &bar.means);
        if plan.gate.baseline.is_some() || plan.checks.iter().any(|c| c.against.is_some()) {
            fold.remember(means.map(|bar| bar.metric.as_str()));
        }
        fold
    }

    /// The sessions are over: what was kept to tell them apart is given up, before the decision needs room of its own.
    pub fn close(&mut self) {
        self.cases.close();
        self.seen = Seen::default();
    }

    /// From here on remembers what a comparison needs of every session, with the means of these metrics.
    pub fn remember<'m>(&mut self, metrics: impl Iterator<Item = &'m str>) {
        self.remembered = Some(Remembered::of(self.plan, metrics));
    }

    /// Whether a row counts, and notes that it was read. Called once per row of what is read, in ordinal order; what a
    /// record holds was admitted before.
    ///
    /// # Errors
    /// What was read before could not be kept, or not be read back.
    pub fn admit(&mut self, row: &Row) -> io::Result<Admission> {
        let case = self.cases.position(&row.case, &row.tags);
        self.seen.admit(row, case, self.several)
    }

    /// Adds a row that counts.
    pub fn add(&mut self, row: Row) {
        self.evaluated += 1;
        let case = self.cases.position(&row.case, &row.tags);
        let waits = row.verdicts.iter().any(|(.., subjects)| subjects.held > 0);
        let mut ends = Vec::with_capacity(if waits { row.verdicts.len() } else { 0 });
        for (check, status, subjects) in &row.verdicts {
            // A record that was tampered with may name checks that the plan does not have.
            let Some((fold, plan)) = self.checks.get_mut(*check as usize).zip(self.plan.checks.get(*check as usize))
            else {
                continue;
            };
            fold.subjects.merge(subjects);
            fold.sessions.add(*status);
            fold.exercised |= !row.error && subjects.total() > subjects.skip;
            let end = Ends::of(*status, subjects, plan.require);
            fold.worst.add(end.worst);
            fold.best.add(end.best);
            fold.open += u64::from(end.worst != end.best);
            if waits {
                ends.push((*check, end));
            }
            if *status == Status::Fail && self.critical[*check as usize] {
                self.critical_failures += 1;
            }
        }
        let blocking = row.verdicts.iter().filter(|v| self.blocking.get(v.0 as usize) == Some(&true)).map(|v| v.1);
        let status = if row.error { Status::Error } else { rollup::all(blocking) };
        let first_failure = || self.cases.at(case).trials().all(|t| t.status != Status::Fail);
        if status == Status::Fail && first_failure() {
            let declared = self.plan.cases.as_ref().and_then(|c| c.get(case));
            if declared.is_none_or(|c| c.expected_fail.is_none()) {
                self.failed_weight += declared.map_or(1.0, |c| c.weight);
            }
        }
        if let Some(corrects) = self.corrects {
            let by_itself = row.said.iter().find(|(check, _)| *check == corrects).map(|(_, said)| *said);
            let verdict = || row.verdicts.iter().find(|v| v.0 == corrects).map(|v| Said::alone(v.1));
            self.said.resize(self.cases.len().max(self.said.len()), None);
            self.said[case] = by_itself.or_else(verdict);
        }
        let open = if row.error { None } else { self.open(&ends) };
        let checks = Way::new(row.verdicts.iter().map(|v| (v.0, v.1)).collect(), open);
        self.cases.add(case, TrialOutcome { status, checks });
        if let Some(remembered) = &mut self.remembered {
            remembered.add(case, &row);
        }
        for (column, cell) in self.columns.iter_mut().zip(row.cells) {
            column.add(u32::try_from(case).unwrap_or(u32::MAX), cell);
        }
    }

    /// Counts something that was left out.
    pub fn leave_out(&mut self, kind: LeftOut) {
        *self.left_out.entry(kind).or_default() += 1;
    }

    /// Everything read: what was evaluated and what was left out.
    pub fn read(&self) -> u64 {
        self.evaluated + self.left_out.values().sum::<u64>()
    }

    /// Whether the gate can no longer pass, whatever is still to come.
    pub fn is_lost(&self) -> bool {
        if self.critical_failures > 0 {
            return true;
        }
        if self.plan.gate.pass_rate.correct.is_some() {
            // What is judged to fail is not what is counted.
            return false;
        }
        let min = self.plan.gate.pass_rate.min;
        let total = self
            .plan
            .cases
            .as_ref()
            .map(|cases| cases.iter().filter(|c| !c.filtered && c.skip.is_none()).map(|c| c.weight).sum::<f64>());
        match total {
            // With room for the rounding of the sums: what is called lost must be.
            Some(total) if min < 1.0 => total - self.failed_weight < min * total * (1.0 - 1e-9),
            _ => min >= 1.0 && self.failed_weight > 0.0,
        }
    }

    /// What may become of a trial with such verdicts; `None` where nothing waits.
    fn open(&self, ends: &[(u32, Ends)]) -> Option<Open> {
        if ends.is_empty() {
            return None;
        }
        let blocking = || ends.iter().filter(|(check, _)| self.blocking.get(*check as usize) == Some(&true));
        let at = |of: fn(&Ends) -> Status| {
            let status = rollup::all(blocking().map(|(_, ends)| of(ends)));
            (status, ends.iter().map(|(check, ends)| (*check, of(ends))).collect())
        };
        let (worst, best) = (at(|ends| ends.worst), at(|ends| ends.best));
        // It is an error where one check is and none fails, which each can avoid only at its best.
        let may_err = best.0 != Status::Fail && blocking().any(|(_, ends)| ends.may_err);
        let erring = ends.iter().filter(|(_, ends)| ends.may_err).map(|(check, _)| *check).collect();
        Some(Open { worst, best, may_err, erring })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::testing::{add, plan};
    use crate::model::Status::{Error, Fail, Held, Pass};

    const TWO: &str = "[[session]]\nid = \"a\"\ncheck = \"contains\"\nvalue = \"x\"\n\
                       [[session]]\nid = \"w\"\nseverity = \"warn\"\ncheck = \"contains\"\nvalue = \"y\"\n";

    fn status(fold: &SuiteFold<'_>) -> crate::model::Status {
        fold.cases.at(0).trials().next().unwrap().status
    }

    #[test]
    fn a_trial_is_as_its_blocking_checks_are_and_held_only_when_nothing_is_worse() {
        let plan = plan(&format!("{TWO}{}", TWO.replace("\"a\"", "\"b\"").replace("\"w\"", "\"v\"")));
        for (blocking, expected) in
            [([Held, Pass], Held), ([Held, Error], Error), ([Held, Fail], Fail), ([Pass, Pass], Pass)]
        {
            let mut fold = SuiteFold::new(&plan, 0);
            add(&mut fold, "c", &[blocking[0], Fail, blocking[1], Held]);
            assert_eq!(status(&fold), expected, "{blocking:?}");
        }
    }

    #[test]
    fn held_and_unmeasured_cases_do_not_lose_the_gate() {
        let plan = plan(TWO);
        let mut fold = SuiteFold::new(&plan, 0);
        for status in [Held, Error, Pass] {
            add(&mut fold, "c", &[status, Fail]);
            assert!(!fold.is_lost());
        }
        add(&mut fold, "d", &[Fail, Pass]);
        assert!(fold.is_lost());
    }

    #[test]
    fn a_verdict_of_a_check_that_the_plan_does_not_have_is_passed_over() {
        let plan = plan(TWO);
        let mut fold = SuiteFold::new(&plan, 0);
        add(&mut fold, "c", &[Pass, Pass, Fail]);
        assert_eq!((fold.evaluated, status(&fold)), (1, Pass));
    }
}
