//! Two runs side by side: what newly fails and what newly passes, case by case and check by check, with the evidence of
//! both, and whether chance alone explains the difference.
//!
//! Only checks that are the same in both runs (by digest) are compared; the others are named.

mod evidence;
pub mod text;

use std::path::Path;

use serde::Serialize;

use crate::eval::baseline::{Baseline, PastCase, Wanted};
use crate::eval::compare::{self, Pair, SameCheck};
use crate::eval::event::Plan;
use crate::eval::overlay::Rulings;
use crate::model::{Level, Severity, Status};
use crate::stats::{mcnemar, multiple, tango};
use crate::store::{baseline, record};
use evidence::Evidence;

/// How sure the intervals are.
pub const CONFIDENCE: f64 = 0.95;

/// Two runs compared. The line of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// Version of this format.
    pub schema: u32,
    /// The exit code.
    pub exit_code: u8,
    /// The earlier run.
    pub before: RunName,
    /// The later run.
    pub after: RunName,
    /// Suites of both runs.
    pub suites: Vec<SuiteDiff>,
    /// Suites of the earlier run only.
    pub suites_gone: Vec<String>,
    /// Suites of the later run only.
    pub suites_new: Vec<String>,
}

/// Which run, and what to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunName {
    /// Its id.
    pub run: String,
    /// A filter took part of it out.
    pub partial: bool,
    /// Why it ended before its end.
    pub stopped: Option<String>,
}

/// A suite in two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SuiteDiff {
    /// Its name.
    pub name: String,
    /// The cases by all blocking checks that are the same in both; `None` where no case was measured in both.
    pub cases: Option<Test>,
    /// Every check that is the same in both and has a case that was measured in both.
    pub checks: Vec<CheckDiff>,
    /// What changed, worst first.
    pub changes: Vec<Change>,
    /// Cases of the earlier run only.
    pub cases_gone: Vec<String>,
    /// Cases of the later run only.
    pub cases_new: Vec<String>,
    /// Cases whose trials disagree in either run.
    pub flaky: Vec<Flaky>,
    /// Checks with the same id that are not the same any more: not compared.
    pub checks_changed: Vec<String>,
    /// Checks of the earlier run only.
    pub checks_gone: Vec<String>,
    /// Checks of the later run only.
    pub checks_new: Vec<String>,
}

/// A case whose trials disagree, and in which run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flaky {
    /// The case.
    pub case: String,
    /// In the earlier run.
    pub before: bool,
    /// In the later run.
    pub after: bool,
}

/// Pairs of pass and fail, and what they show.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Test {
    /// Cases measured in both runs.
    pub paired: u64,
    /// Of them, passed in the earlier run.
    pub passed_before: u64,
    /// Of them, passed in the later run.
    pub passed_after: u64,
    /// Passed, and fail now.
    pub newly_fail: u64,
    /// Failed, and pass now.
    pub newly_pass: u64,
    /// The difference of the shares that pass, later less earlier.
    pub difference: f64,
    /// Its interval at about 95%, by Tango's score method: to look at.
    pub interval: Option<[f64; 2]>,
    /// The two-sided p-value of the exact McNemar test.
    pub p: f64,
}

/// A check in two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckDiff {
    /// Its id.
    pub check: String,
    /// Its level.
    pub level: Level,
    /// What a failure does.
    pub severity: Severity,
    /// Its cases.
    pub test: Test,
    /// The p-value among those of all checks of the suite (Benjamini and Hochberg).
    pub p_adjusted: f64,
}

/// What a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It passed and fails.
    NewlyFails,
    /// It was measured and is not any more, or it waits for a person.
    NoLongerMeasured,
    /// It failed and passes.
    NewlyPasses,
    /// It was not measured, and passes or fails now.
    NewlyMeasured,
}

/// A case and a check whose verdicts differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What it is.
    pub kind: Kind,
    /// The case.
    pub case: String,
    /// The check.
    pub check: String,
    /// Its level.
    pub level: Level,
    /// What a failure does.
    pub severity: Severity,
    /// Then.
    pub before: Side,
    /// Now.
    pub after: Side,
    /// Trials disagree in one of the runs, so that the change may be chance.
    pub flaky: bool,
}

/// One side of a change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// The verdict over the trials that are compared.
    pub status: Status,
    /// Trials that passed.
    pub passed: u64,
    /// Trials.
    pub trials: u64,
    /// The first trial with that verdict: what it said and where it is.
    #[serde(flatten)]
    pub evidence: Option<Evidence>,
}

/// Compares two runs, by their records and what people decided over them. `Err` says which could not be read and why.
pub fn runs(before: &Path, after: &Path, rulings: Rulings<'_>) -> Result<Diff, String> {
    let (past, present) = (Record::read(before, rulings)?, Record::read(after, rulings)?);
    let mut diff = Diff {
        schema: 1,
        exit_code: 0,
        before: past.name(),
        after: present.name(),
        suites: Vec::new(),
        suites_gone: past.only(&present),
        suites_new: present.only(&past),
    };
    let (mut then, mut now) = (evidence::Wanted::default(), evidence::Wanted::default());
    for (a, plan) in past.plan.suites.iter().enumerate() {
        let Some(b) = present.plan.suites.iter().position(|s| s.name == plan.name) else { continue };
        let suites = [(a, &past.whole.suites[a].1), (b, &present.whole.suites[b].1)];
        diff.suites.push(Suites { past: &past.plan, present: &present.plan, suites }.diff(&mut then, &mut now));
    }
    let told = |path: &Path, record: &Record, wanted| {
        evidence::collect(path, &record.plan, wanted, rulings).map_err(|why| why.to_string())
    };
    let (then, now) = (told(before, &past, then)?, told(after, &present, now)?);
    for (suite, changes) in diff.suites.iter_mut().enumerate() {
        for (i, change) in changes.changes.iter_mut().enumerate() {
            change.before.evidence = then.get(&(suite, i)).cloned();
            change.after.evidence = now.get(&(suite, i)).cloned();
        }
    }
    Ok(diff)
}

impl Diff {
    /// Whether anything that passed does not pass any more: newly fails, is not measured, or is gone.
    pub fn is_worse(&self) -> bool {
        let lost = |c: &Change| {
            c.kind == Kind::NewlyFails || (c.kind == Kind::NoLongerMeasured && c.before.status == Status::Pass)
        };
        !self.suites_gone.is_empty()
            || self
                .suites
                .iter()
                .any(|s| !s.cases_gone.is_empty() || s.changes.iter().any(|c| c.severity.blocks() && lost(c)))
    }
}

/// A run that was read.
struct Record {
    plan: Plan,
    whole: baseline::Whole,
}

impl Record {
    fn read(path: &Path, rulings: Rulings<'_>) -> Result<Self, String> {
        let plan = record::plan(path).map_err(|why| why.to_string())?;
        let whole = baseline::whole(path, &plan, None, &Wanted::default(), rulings)
            .map_err(|why| format!("{}: {why}", path.display()))?;
        Ok(Self { plan, whole })
    }

    fn name(&self) -> RunName {
        let Self { plan, whole } = self;
        RunName { run: whole.run.clone(), partial: plan.filter.is_some(), stopped: whole.stopped.clone() }
    }

    /// Suites that the other run does not have.
    fn only(&self, other: &Self) -> Vec<String> {
        let has = |name: &str| other.plan.suites.iter().any(|s| s.name == name);
        self.plan.suites.iter().filter(|s| !has(&s.name)).map(|s| s.name.clone()).collect()
    }
}

/// A suite in both runs: its position and what is left of it.
struct Suites<'d> {
    past: &'d Plan,
    present: &'d Plan,
    suites: [(usize, &'d Baseline); 2],
}

impl Suites<'_> {
    fn diff(&self, then: &mut evidence::Wanted, now: &mut evidence::Wanted) -> SuiteDiff {
        let [(a, before), (b, after)] = self.suites;
        let (past, present) = (&self.past.suites[a], &self.present.suites[b]);
        let same = compare::same_checks(before, after);
        let blocking: Vec<SameCheck> = same.iter().copied().filter(|c| after.checks[c.after].blocks).collect();
        let paired = compare::pair(before, after);
        let ids = |cases: &[&PastCase]| cases.iter().map(|c| c.id.clone()).collect::<Vec<_>>();
        let mut found: Vec<(Change, SameCheck)> = Vec::new();
        let mut checks = Vec::new();
        for check in &same {
            let plan = &present.checks[check.after];
            let one = [*check];
            let statuses: Vec<(&Pair<'_>, Status, Status)> =
                paired.pairs.iter().map(|pair| (pair, pair.statuses(&one))).map(|(p, (x, y))| (p, x, y)).collect();
            if let Some(test) = Test::of(statuses.iter().map(|(_, x, y)| (*x, *y))) {
                let (check, level, severity) = (plan.id.clone(), plan.level, plan.severity);
                checks.push(CheckDiff { check, level, severity, test, p_adjusted: 1.0 });
            }
            for (pair, x, y) in statuses {
                if let Some(kind) = kind(x, y) {
                    let change = change(kind, pair, check, plan, (x, y));
                    found.push((change, *check));
                }
            }
        }
        let p: Vec<f64> = checks.iter().map(|c| c.test.p).collect();
        for (check, adjusted) in checks.iter_mut().zip(multiple::benjamini_hochberg(&p).unwrap_or_default()) {
            check.p_adjusted = adjusted;
        }
        found.sort_by_key(|(c, _)| (c.kind, c.severity));
        let suite = then.suites();
        for (i, (change, check)) in found.iter().enumerate() {
            then.add(suite, i, a, &change.case, check.before, change.before.status);
            now.add(suite, i, b, &change.case, check.after, change.after.status);
        }
        then.next_suite();
        now.next_suite();
        let only = |mine: &Baseline, other: &Baseline| -> Vec<String> {
            let has = |id: &str| other.checks.iter().any(|c| c.id == id);
            mine.checks.iter().filter(|c| !has(&c.id)).map(|c| c.id.clone()).collect()
        };
        let is_same = |i: usize| same.iter().any(|c| c.after == i);
        let had = |id: &str| before.checks.iter().any(|c| c.id == id);
        let changed = after.checks.iter().enumerate().filter(|(i, c)| !is_same(*i) && had(&c.id));
        let flaky = |pair: &Pair<'_>| {
            let flaky = Flaky {
                case: pair.after.id.clone(),
                before: compare::is_flaky(pair.before, blocking.iter().map(|c| c.before)),
                after: compare::is_flaky(pair.after, blocking.iter().map(|c| c.after)),
            };
            (flaky.before || flaky.after).then_some(flaky)
        };
        SuiteDiff {
            name: past.name.clone(),
            cases: Test::of(paired.pairs.iter().map(|pair| pair.statuses(&blocking))),
            checks,
            changes: found.into_iter().map(|(change, _)| change).collect(),
            cases_gone: ids(&paired.gone),
            cases_new: ids(&paired.new),
            flaky: paired.pairs.iter().filter_map(flaky).collect(),
            checks_changed: changed.map(|(_, c)| c.id.clone()).collect(),
            checks_gone: only(before, after),
            checks_new: only(after, before),
        }
    }
}

/// What a change of verdict is; `None` for none that matters.
fn kind(before: Status, after: Status) -> Option<Kind> {
    use Status::{Error, Fail, Held, Pass, Skip};
    match (before, after) {
        (Pass, Fail) => Some(Kind::NewlyFails),
        (Fail, Pass) => Some(Kind::NewlyPasses),
        (Pass | Fail, Error | Held | Skip) => Some(Kind::NoLongerMeasured),
        (Error | Held | Skip, Pass | Fail) => Some(Kind::NewlyMeasured),
        _ => None,
    }
}

fn change(
    kind: Kind,
    pair: &Pair<'_>,
    check: &SameCheck,
    plan: &crate::eval::event::CheckPlan,
    (before, after): (Status, Status),
) -> Change {
    let side = |case: &PastCase, check: usize, status: Status| {
        let verdicts: Vec<Status> = case.trials.iter().take(pair.trials()).filter_map(|t| t.verdict(check)).collect();
        let passed = verdicts.iter().filter(|s| **s == Status::Pass).count() as u64;
        Side { status, passed, trials: verdicts.len() as u64, evidence: None }
    };
    Change {
        kind,
        case: pair.after.id.clone(),
        check: plan.id.clone(),
        level: plan.level,
        severity: plan.severity,
        before: side(pair.before, check.before, before),
        after: side(pair.after, check.after, after),
        flaky: compare::is_flaky(pair.before, [check.before].into_iter())
            || compare::is_flaky(pair.after, [check.after].into_iter()),
    }
}

impl Test {
    /// Over the cases that passed or failed in both runs; `None` when there is none.
    fn of(statuses: impl Iterator<Item = (Status, Status)>) -> Option<Self> {
        let (mut n, mut before, mut wins, mut losses) = (0, 0, 0, 0);
        for (x, y) in statuses {
            if !matches!((x, y), (Status::Pass | Status::Fail, Status::Pass | Status::Fail)) {
                continue;
            }
            n += 1;
            before += u64::from(x == Status::Pass);
            wins += u64::from(x == Status::Fail && y == Status::Pass);
            losses += u64::from(x == Status::Pass && y == Status::Fail);
        }
        (n > 0).then(|| Self {
            paired: n,
            passed_before: before,
            passed_after: before + wins - losses,
            newly_fail: losses,
            newly_pass: wins,
            difference: (wins as f64 - losses as f64) / n as f64,
            interval: tango::interval(wins, losses, n, CONFIDENCE).map(|i| i.ends()),
            p: mcnemar::exact(wins, losses),
        })
    }
}
