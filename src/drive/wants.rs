//! Which sessions are wanted of a suite.

use crate::eval::plan::Planned;

/// A session that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Want {
    /// The position of the case in the suite.
    pub case: usize,
    /// The trial, from 1.
    pub trial: u32,
}

/// The sessions that a run wants of a suite, in the order in which they stand in its recording: case by case as they are
/// declared, trial by trial. What the suite skips and what is no part of the run is not wanted.
pub fn of(planned: &Planned<'_>) -> Vec<Want> {
    let suite = planned.suite;
    let cases = suite.cases.iter().flat_map(|cases| cases.list.iter().enumerate());
    let filtered =
        |index: usize| planned.plan.cases.as_ref().and_then(|cases| cases.get(index)).is_some_and(|case| case.filtered);
    let wanted = cases.filter(|(index, case)| case.skip.is_none() && !filtered(*index));
    wanted
        .flat_map(|(index, case)| {
            let trials = case.trials.or(suite.trials).unwrap_or(1);
            (1..=trials).map(move |trial| Want { case: index, trial })
        })
        .collect()
}
