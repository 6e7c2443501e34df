//! The cases of an earlier run that did not go well, to be run again.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::record::{self, RecordError};
use crate::eval::event::{RunEvent, SuitePlan};
use crate::eval::fold::SuiteFold;
use crate::eval::rollup;
use crate::eval::row::Row;
use crate::model::Status;

/// Which cases are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those with a trial that failed.
    Failed,
    /// Those that could not be measured, missing ones among them.
    Errors,
    /// Both.
    Both,
}

/// What was found in a run.
pub struct Unhappy {
    /// The run's id.
    pub run: String,
    /// The cases, by the name of their suite.
    pub cases: BTreeMap<String, HashSet<String>>,
}

/// Looks through a record.
pub fn cases(path: &Path, which: Which) -> Result<Unhappy, RecordError> {
    let plan = record::plan(path)?;
    let mut folds: Vec<SuiteFold<'_>> = plan.suites.iter().map(|s| SuiteFold::new(s, 0)).collect();
    let mut run = String::new();
    record::read(path, |event| match event {
        RunEvent::Started(started) => run = started.run,
        RunEvent::Session(event) => {
            if let Some(fold) = folds.get_mut(event.suite as usize) {
                fold.add(Row::of(&event));
            }
        }
        RunEvent::SuiteEnd(end) => {
            if let Some(fold) = folds.get_mut(end.suite as usize) {
                fold.end = Some(end);
            }
        }
        _ => {}
    })?;
    let cases = folds.iter().map(|fold| (fold.plan.name.clone(), of_suite(fold, fold.plan, which))).collect();
    Ok(Unhappy { run, cases })
}

fn of_suite(fold: &SuiteFold<'_>, plan: &SuitePlan, which: Which) -> HashSet<String> {
    let unhappy = fold.cases.iter().filter(|case| {
        let declared = plan.cases.as_ref().and_then(|cases| cases.get(case.index()));
        if declared.is_some_and(|c| c.filtered || c.skip.is_some()) {
            return false;
        }
        let wanted = plan.wanted(declared);
        let missing = fold.end.is_some() && (case.trials().count() as u64) < wanted;
        let status = rollup::all(case.trials().map(|t| t.status));
        let failed = status == Status::Fail;
        // A trial that failed does not hide another that could not be measured.
        let erred = missing || case.trials().any(|t| t.status == Status::Error);
        match which {
            Which::Failed => failed,
            Which::Errors => erred,
            Which::Both => failed || erred,
        }
    });
    unhappy.map(|case| case.id().to_owned()).collect()
}
