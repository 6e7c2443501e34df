//! What a session contributes to a column: the value of a metric, in each group that the session counts in.
//!
//! [`names`] is what suites can say, [`values`] takes each metric from a session, [`grouping`] says where a value counts.
//! A value that the recording does not hold makes the cell [`Cell::Missing`], never a zero.

mod grouping;
pub mod names;
#[cfg(test)]
mod tests;
mod values;

use grouping::Grouping;
pub use grouping::flow;
pub use names::{GROUPS, METRICS, NONE, Shape, group, shape};

use super::{Cell, Column, Sample, Waiting};
use crate::checks::prices::Prices;
use crate::model::{Session, Tally};

/// What a session contributes to a column.
///
/// `tags` are the case's together with the session's; `verdict` gives the subjects behind the verdict of a check by
/// id, `None` where the check did not apply to the session.
pub fn project(
    column: &Column,
    session: &Session<'_>,
    tags: &[String],
    prices: &Prices,
    verdict: &dyn Fn(&str) -> Option<Tally>,
) -> Cell {
    let by = Grouping { by: &column.by, session, tags };
    if let Some((of, tally)) = values::waiting(column, verdict) {
        return match by.whole(Vec::new()) {
            Ok(samples) => waiting(of, &tally, samples.into_iter().map(|s| s.group).collect()),
            Err(why) => Cell::Missing(why),
        };
    }
    match values::samples(column, session, &by, prices, verdict) {
        Ok(samples) => Cell::Samples(samples),
        Err(why) => Cell::Missing(why),
    }
}

/// The cell of a column over the verdicts of a check, once people have decided over some of them: where it counts is known,
/// what it counts is told anew by the subjects behind the verdict.
pub fn again(cell: &Cell, of: &str, tally: &Tally) -> Cell {
    let groups: Vec<Vec<String>> = match cell {
        Cell::Waiting(waiting) => waiting.groups.clone(),
        Cell::Samples(samples) => samples.iter().map(|s| s.group.clone()).collect(),
        // Why it does not say, no person decides over.
        Cell::Missing(_) | Cell::Unselected => return cell.clone(),
    };
    if tally.held > 0 && tally.error == 0 {
        return waiting(of, tally, groups);
    }
    match values::detected(of, tally) {
        Ok(values) => {
            let sample = |values: &Vec<f64>| {
                groups.iter().map(|g| Sample { group: g.clone(), values: values.clone() }).collect()
            };
            Cell::Samples(values.as_ref().map(sample).unwrap_or_default())
        }
        Err(why) => Cell::Missing(why),
    }
}

/// A cell that waits for people to decide over the verdicts of a check.
fn waiting(of: &str, tally: &Tally, groups: Vec<Vec<String>>) -> Cell {
    let why = format!("{} of the verdicts of `{of}` wait for a person", tally.held);
    Cell::Waiting(Waiting { why, groups, subjects: Some(*tally) })
}

/// The samples of one session, or why it has none.
type Samples = Result<Vec<Sample>, String>;
