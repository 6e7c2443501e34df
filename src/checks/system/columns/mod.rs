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
pub use names::{GROUPS, METRICS, NONE, Shape, group, shape};

use super::{Cell, Column, Sample};
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
    if let Some(why) = values::waiting(column, verdict) {
        return Cell::Waiting(why);
    }
    match values::samples(column, session, &by, prices, verdict) {
        Ok(samples) => Cell::Samples(samples),
        Err(why) => Cell::Missing(why),
    }
}

/// The samples of one session, or why it has none.
type Samples = Result<Vec<Sample>, String>;
