//! How each case went: from its trials to one status, what the plan excuses, and what is missing.

use super::summary::CaseCounts;
use crate::checks::system::{Case, End, TrialOutcome};
use crate::eval::event::CasePlan;
use crate::eval::fold::SuiteFold;
use crate::eval::rollup;
use crate::model::Status;

/// How a case went, with what the plan says of it. There may be millions of them: the rest is with the case.
pub(super) struct Judged {
    /// Its position in the fold.
    pub index: u32,
    /// How many trials are missing; each is an error.
    pub missing: u32,
    pub status: Status,
    /// How it goes when people decide against the agent over all that waits for them.
    pub worst: Status,
    /// How it goes when they decide for it.
    pub best: Status,
    /// Its failure is expected for now, and it fails.
    pub excused: bool,
    /// Its failure is expected for now.
    pub excusable: bool,
    /// Its recorded trials alone, missing ones aside, may turn out as not measured by what people decide.
    pub may_err: bool,
    /// They turn out so whatever people decide.
    pub must_err: bool,
}

impl Judged {
    /// The case.
    pub fn of<'f>(&self, fold: &'f SuiteFold<'_>) -> Case<'f> {
        fold.cases.at(self.index as usize)
    }

    /// How much it counts: what the plan says of it.
    pub fn weight(&self, fold: &SuiteFold<'_>) -> f64 {
        // Declared cases stand first, in the plan's order.
        let declared = fold.plan.cases.as_ref().and_then(|cases| cases.get(self.index as usize));
        declared.map_or(1.0, |case| case.weight)
    }

    /// Whether it depends on what people decide.
    pub fn is_open(&self) -> bool {
        self.worst != self.best
    }

    /// Whether people may decide that it fails as is expected for now, so that it is not counted.
    pub fn may_go(&self) -> bool {
        self.excusable && self.is_open() && self.worst == Status::Fail
    }

    /// Whether it is counted as one that passed, at one end of what people may decide; `None` where it is not counted: it
    /// is skipped, or fails as is expected for now. Errors count as `errors` says.
    pub fn counts(&self, end: End, errors: bool) -> Option<bool> {
        let passes = |status: Status| status == Status::Pass || (errors && status == Status::Error);
        let (worst, best) = (self.worst, self.best);
        if self.status == Status::Skip {
            return None;
        }
        if !self.excusable {
            return Some(passes(if end == End::Worst { worst } else { best }));
        }
        // To be left out is better than to be counted as not passed, and worse than to be counted as passed.
        let ends = [worst, best];
        let may_err = self.may_err || ends.contains(&Status::Error);
        let not_passed = may_err && !errors;
        let (out, passed) = (ends.contains(&Status::Fail), ends.iter().any(|s| passes(*s)) || (errors && may_err));
        match end {
            End::Worst if not_passed => Some(false),
            End::Worst if out => None,
            End::Worst => Some(true),
            End::Best if passed => Some(true),
            End::Best if out => None,
            End::Best => Some(false),
        }
    }
}

/// All cases of the run, judged.
pub(super) struct Cases {
    pub judged: Vec<Judged>,
    pub counts: CaseCounts,
    pub flaky: Vec<String>,
    pub surprises: Vec<String>,
    /// Those with fewer trials than wanted.
    pub missing: Vec<String>,
}

/// Judges every case that is part of the run. `as_of` is the day for `expected_fail`; missing trials are known when
/// `all` sessions were read.
pub(super) fn judge(fold: &SuiteFold<'_>, as_of: Option<&str>, all: bool) -> Cases {
    let plan = fold.plan;
    let mut cases = Cases {
        judged: Vec::with_capacity(fold.cases.len()),
        counts: CaseCounts::default(),
        flaky: Vec::new(),
        surprises: Vec::new(),
        missing: Vec::new(),
    };
    for outcome in fold.cases.iter() {
        let declared = plan.cases.as_ref().and_then(|c| c.get(outcome.index()));
        let skipped = declared.is_some_and(|c| c.skip.is_some());
        // An undeclared case is there because a session of it was read.
        let wanted = plan.wanted(declared);
        let recorded = outcome.trials().count() as u64;
        let missing = if all && !skipped { wanted.saturating_sub(recorded) } else { 0 };
        if declared.is_some_and(|c| c.filtered) || (recorded == 0 && missing == 0 && !skipped) {
            continue;
        }
        let case = one(outcome, missing, declared, as_of);
        let counts = &mut cases.counts;
        counts.total += 1;
        match case.status {
            Status::Fail if case.excused => counts.expected_fail += 1,
            Status::Pass => counts.passed += 1,
            Status::Fail => counts.failed += 1,
            Status::Error => counts.error += 1,
            Status::Held => counts.held += 1,
            Status::Skip if skipped || is_skipped(outcome) => counts.skipped += 1,
            Status::Skip => counts.idle += 1,
        }
        if case.status == Status::Pass && declared.is_some_and(|c| c.expected_fail.is_some()) {
            cases.surprises.push(outcome.id().to_owned());
        }
        if is_flaky(outcome) {
            cases.flaky.push(outcome.id().to_owned());
        }
        if missing > 0 {
            cases.missing.push(outcome.id().to_owned());
        }
        cases.judged.push(case);
    }
    cases.counts.flaky = cases.flaky.len() as u64;
    cases.counts.surprises = cases.surprises.len() as u64;
    cases.counts.missing = cases.missing.len() as u64;
    cases
}

fn one(outcome: Case<'_>, missing: u64, declared: Option<&CasePlan>, as_of: Option<&str>) -> Judged {
    let recorded = rollup::all(outcome.trials().map(|t| t.status));
    let with_missing = |status| if missing > 0 { rollup::all([status, Status::Error]) } else { status };
    let at = |end| rollup::all(outcome.trials().map(|t| t.at(end)));
    let (worst, best) = (at(End::Worst), at(End::Best));
    let status = with_missing(recorded);
    let excused = declared.and_then(|c| c.expected_fail.as_ref()).is_some_and(|x| {
        // ISO dates compare as text. Without a date to compare with, nothing is excused.
        as_of.is_some_and(|today| today <= x.until.as_str())
    });
    Judged {
        index: outcome.index() as u32,
        // Of more trials than that, none would be wanted: what a suite asks for is no more.
        missing: u32::try_from(missing).unwrap_or(u32::MAX),
        status,
        worst: with_missing(worst),
        best: with_missing(best),
        excused: excused && status == Status::Fail,
        excusable: excused,
        // Where any trial may be an error and none has to fail.
        may_err: best != Status::Fail && outcome.trials().any(TrialOutcome::may_err),
        must_err: worst == Status::Error && best == Status::Error,
    }
}

/// Whether the suite skips it: its sessions have skipped verdicts, where one that no check applied to has none.
fn is_skipped(outcome: Case<'_>) -> bool {
    outcome.trials().all(|t| t.checks.iter().any(|(_, s)| *s == Status::Skip))
}

/// Whether trials of the case disagree.
fn is_flaky(outcome: Case<'_>) -> bool {
    let has = |status| outcome.trials().any(|t| t.status == status);
    has(Status::Pass) && has(Status::Fail)
}
