//! From the record of an earlier run to the [`Baseline`] of a suite: what is not there, cannot be read or must not be
//! one is said, and never taken for a run without failures.

use std::path::Path;

use super::record;
use crate::eval::baseline::{Baseline, Found, Wanted};
use crate::eval::event::{Finished, Plan, RunEvent, SuitePlan};
use crate::eval::fold::SuiteFold;
use crate::eval::overlay::{self, Laid, Rulings};
use crate::eval::row::Row;

/// Reads what a suite needs of a run. `path` is the run's folder or its record, `wanted` is what is kept beside the
/// outcomes, `own` is the id of the run that is compared with it, which cannot be its own baseline. What people decided over
/// its verdicts since is laid over it.
pub fn read(path: &Path, suite: &str, wanted: &Wanted, own: Option<&str>, rulings: Rulings<'_>) -> Found {
    let path = record::locate(path);
    if !path.exists() {
        return Found::Missing("there is no run at this place".to_owned());
    }
    let plan = match record::plan(&path) {
        Ok(plan) => plan,
        Err(why) => return Found::Missing(told(&why, &path)),
    };
    if let Some(why) = refused(&plan) {
        return Found::Refused(why);
    }
    let Some(index) = plan.suites.iter().position(|s| s.name == suite) else {
        return Found::Missing(format!("the run holds no suite `{suite}`"));
    };
    of_suite(&path, &plan, index, wanted, (own, rulings))
}

/// Reads a suite of a run by its position in the plan.
fn of_suite(
    path: &Path,
    plan: &Plan,
    index: usize,
    wanted: &Wanted,
    (own, rulings): (Option<&str>, Rulings<'_>),
) -> Found {
    let whole = match whole(path, plan, Some(index), wanted, rulings) {
        Ok(whole) => whole,
        Err(why) => return Found::Missing(why),
    };
    match (whole.stopped, whole.suites.into_iter().next()) {
        _ if own == Some(&*whole.run) => Found::Refused("it is the same run".to_owned()),
        (Some(why), _) => Found::Refused(format!("it did not run to its end: {why}")),
        (None, Some((true, baseline))) => Found::Baseline(baseline),
        _ => Found::Refused("it did not run to its end".to_owned()),
    }
}

/// What the record of a run holds, whether or not it may be a baseline.
pub struct Whole {
    /// The run's id.
    pub run: String,
    /// Why it ended before its end.
    pub stopped: Option<String>,
    /// Whether each suite ran to its end, and what is left of it for a comparison.
    pub suites: Vec<(bool, Baseline)>,
}

/// Reads a record for comparisons: all suites, or `only` the one at a position. `Err` says why it cannot be read.
pub fn whole(
    path: &Path,
    plan: &Plan,
    only: Option<usize>,
    wanted: &Wanted,
    rulings: Rulings<'_>,
) -> Result<Whole, String> {
    let columns = |suite: &SuitePlan| if wanted.columns.is_empty() { 0 } else { suite.columns.len() };
    let mut folds: Vec<SuiteFold<'_>> = plan.suites.iter().map(|s| SuiteFold::new(s, columns(s))).collect();
    folds.iter_mut().for_each(|fold| fold.remember(wanted.means.iter().map(String::as_str)));
    let (mut run, mut finished): (Option<String>, Option<Finished>) = (None, None);
    let mut stray = false;
    let is_wanted = |suite: u32| only.is_none_or(|only| only == suite as usize);
    let cut = record::read(path, |event| match event {
        RunEvent::Started(started) => run = Some(started.run),
        RunEvent::Finished(end) => finished = Some(end),
        RunEvent::Session(mut event) if is_wanted(event.suite) => match folds.get_mut(event.suite as usize) {
            Some(fold) if event.verdicts.iter().all(|v| (v.check as usize) < fold.plan.checks.len()) => {
                overlay::lay(fold.plan, &mut event, rulings, &mut Laid::default());
                fold.add(Row::of(&event));
            }
            _ => stray = true,
        },
        RunEvent::SuiteEnd(end) => match folds.get_mut(end.suite as usize) {
            Some(fold) => fold.end = Some(end),
            None => stray = true,
        },
        _ => {}
    });
    let cut = cut.map_err(|why| told(&why, path))?;
    let (Some(run), false) = (run, stray) else {
        return Err("its record does not hold together: it was edited".to_owned());
    };
    let stopped = match finished {
        Some(end) => end.stopped,
        None if cut => Some("killed while it wrote".to_owned()),
        None => Some("killed".to_owned()),
    };
    let folds = folds.iter().enumerate().filter(|(i, _)| only.is_none_or(|only| only == *i));
    let suites = folds.map(|(_, fold)| (fold.end.is_some(), Baseline::of(fold, &run, &wanted.columns))).collect();
    Ok(Whole { run, stopped, suites })
}

/// Why a run must not be a baseline, as far as its plan tells.
fn refused(plan: &Plan) -> Option<String> {
    let why = match (&plan.filter, &plan.rerun, plan.shard()) {
        (Some(_), ..) => "it is partial: --filter took something out of it".to_owned(),
        (_, Some(rerun), _) => format!("it is partial: only some cases were run again ({rerun})"),
        (.., Some(shard)) => format!("it is shard {shard} of a run; name the one that `seatrial merge` wrote"),
        (None, None, None) => return None,
    };
    Some(why)
}

/// Why a record cannot be read. Where it is stands beside it already, and may hold what must not be recorded.
fn told(why: &record::RecordError, path: &Path) -> String {
    let why = why.to_string();
    let place = path.display().to_string();
    why.strip_prefix(&place).map_or_else(|| why.clone(), |rest| format!("run.jsonl{rest}"))
}
