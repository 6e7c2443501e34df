//! From the record of an earlier run to the [`Baseline`] of a suite: what is not there, cannot be read or must not be
//! one is said, and never taken for a run without failures.

use std::path::Path;

use super::record;
use crate::eval::baseline::{Baseline, Found};
use crate::eval::event::{ColumnPlan, Finished, Plan, RunEvent};
use crate::eval::fold::SuiteFold;
use crate::eval::row::Row;

/// Reads what a suite needs of a run. `path` is the run's folder or its record, `wanted` are the columns that are kept,
/// `own` is the id of the run that is compared with it, which cannot be its own baseline.
pub fn read(path: &Path, suite: &str, wanted: &[ColumnPlan], own: Option<&str>) -> Found {
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
    of_suite(&path, &plan, index, wanted, own)
}

/// Reads a suite of a run by its position in the plan.
pub fn of_suite(path: &Path, plan: &Plan, index: usize, wanted: &[ColumnPlan], own: Option<&str>) -> Found {
    let Some(suite) = plan.suites.get(index) else {
        return Found::Missing("the run holds no such suite".to_owned());
    };
    let mut fold = SuiteFold::new(suite, suite.columns.len());
    let (mut run, mut finished): (Option<String>, Option<Finished>) = (None, None);
    let mut stray = false;
    let is_own = |event_suite: u32| event_suite as usize == index;
    let cut = record::read(path, |event| match event {
        RunEvent::Started(started) => run = Some(started.run),
        RunEvent::Finished(end) => finished = Some(end),
        RunEvent::Session(event) if is_own(event.suite) => {
            stray |= event.verdicts.iter().any(|v| v.check as usize >= suite.checks.len());
            let row = Row::of(&event);
            fold.admit(&row);
            fold.add(row);
        }
        RunEvent::LeftOut(event) if is_own(event.suite) => fold.leave_out(event.kind),
        RunEvent::SuiteEnd(end) if is_own(end.suite) => fold.end = Some(end),
        _ => {}
    });
    let cut = match cut {
        Ok(cut) => cut,
        Err(why) => return Found::Missing(told(&why, path)),
    };
    let (Some(run), false) = (run, stray) else {
        return Found::Missing("its record does not hold together: it was edited".to_owned());
    };
    if own == Some(&*run) {
        return Found::Refused("it is the same run".to_owned());
    }
    let stopped = match &finished {
        Some(end) => end.stopped.clone(),
        None => Some("it was killed".to_owned()),
    };
    match stopped {
        Some(why) => Found::Refused(format!("it did not run to its end: {why}")),
        None if cut || fold.end.is_none() => Found::Refused("it did not run to its end".to_owned()),
        None => Found::Baseline(Baseline::of(&fold, &run, wanted)),
    }
}

/// Why a run must not be a baseline, as far as its plan tells.
fn refused(plan: &Plan) -> Option<String> {
    let why = match (&plan.filter, &plan.rerun, plan.shard()) {
        (Some(_), ..) => "it is partial: --filter took something out of it".to_owned(),
        (_, Some(rerun), _) => format!("it is partial: only some cases were run again ({rerun})"),
        (.., Some(shard)) => format!("it is shard {shard} of a run; `seatrial merge` makes a whole run of the shards"),
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
