//! What a comparison of two runs needs of every session beside its verdicts: which session it was, and its value of each
//! metric whose means are compared.

use serde::{Deserialize, Serialize};

use super::event::SuitePlan;
use super::prints::{self, Prints};
use super::row::Row;
use crate::checks::system::{Cell, Column};
use crate::stats::sum;

/// The column behind the mean of a metric.
pub fn column(metric: &str) -> Column {
    Column { metric: metric.to_owned(), of: None, by: Vec::new() }
}

/// The mean of a metric over one case: over its trials, of each over its turns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CaseMean {
    /// So much.
    Value(f64),
    /// It has none.
    Without(Without),
}

/// Why a case has no mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Without {
    /// A trial does not say, or is not there.
    Missing,
    /// There was nothing to measure, such as no turn.
    Nothing,
}

/// All sessions so far.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// The metrics whose means are compared, with the positions of their columns.
    metrics: Vec<(String, usize)>,
    /// The case and the print of every session, in ordinal order.
    sessions: Vec<(u32, u64)>,
    /// By metric, the case and the mean of every session.
    values: Vec<Vec<(u32, CaseMean)>>,
}

/// What is remembered of one case.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OfCase {
    /// Its sessions, in ordinal order.
    pub sessions: Prints,
    /// Its mean of each metric.
    pub means: Vec<CaseMean>,
}

impl Remembered {
    /// Nothing yet, of a run with this plan. A metric that the run does not measure is not remembered.
    pub fn of<'m>(plan: &SuitePlan, metrics: impl Iterator<Item = &'m str>) -> Self {
        let position = |metric: &str| {
            let wanted = column(metric);
            plan.columns.iter().position(|c| c.on.is_none() && c.column == wanted)
        };
        let metrics: Vec<_> = metrics.filter_map(|metric| Some((metric.to_owned(), position(metric)?))).collect();
        Self { values: vec![Vec::new(); metrics.len()], metrics, sessions: Vec::new() }
    }

    /// The metrics whose means are known, in the order of [`OfCase::means`].
    pub fn metrics(&self) -> impl Iterator<Item = &str> {
        self.metrics.iter().map(|(metric, _)| metric.as_str())
    }

    /// The prints of all sessions.
    pub fn prints(&self) -> impl Iterator<Item = u64> {
        self.sessions.iter().map(|(_, print)| *print)
    }

    /// Adds a session of the case at a position.
    pub fn add(&mut self, case: usize, row: &Row) {
        let case = u32::try_from(case).unwrap_or(u32::MAX);
        self.sessions.push((case, prints::of(&row.digest)));
        for ((_, column), values) in self.metrics.iter().zip(&mut self.values) {
            let value = match row.cells.get(*column) {
                Some(Cell::Samples(samples)) if samples.is_empty() => CaseMean::Without(Without::Nothing),
                Some(Cell::Samples(samples)) => {
                    mean(samples.iter().filter_map(|s| s.values.first().copied()).collect())
                }
                Some(Cell::Missing(_) | Cell::Waiting(_) | Cell::Unselected) | None => {
                    CaseMean::Without(Without::Missing)
                }
            };
            values.push((case, value));
        }
    }

    /// What is known of each of so many cases.
    pub fn cases(&self, n: usize) -> Vec<OfCase> {
        let mut cases = vec![OfCase::default(); n];
        for (case, print) in &self.sessions {
            if let Some(of) = cases.get_mut(*case as usize) {
                of.sessions.0.push(*print);
            }
        }
        for values in &self.values {
            let mut by_case: Vec<Vec<CaseMean>> = vec![Vec::new(); n];
            for (case, value) in values {
                if let Some(trials) = by_case.get_mut(*case as usize) {
                    trials.push(*value);
                }
            }
            for (of, trials) in cases.iter_mut().zip(by_case) {
                of.means.push(over_trials(&trials));
            }
        }
        cases
    }
}

/// A case by its trials: all of them must be known. One with nothing to measure says nothing either way.
fn over_trials(trials: &[CaseMean]) -> CaseMean {
    if trials.is_empty() || trials.contains(&CaseMean::Without(Without::Missing)) {
        return CaseMean::Without(Without::Missing);
    }
    let values: Vec<f64> = trials
        .iter()
        .filter_map(|trial| match trial {
            CaseMean::Value(value) => Some(*value),
            CaseMean::Without(_) => None,
        })
        .collect();
    if values.is_empty() { CaseMean::Without(Without::Nothing) } else { mean(values) }
}

/// The mean of values that are there; what no float holds could not be measured.
fn mean(values: Vec<f64>) -> CaseMean {
    sum::mean(&values).filter(|m| m.is_finite()).map_or(CaseMean::Without(Without::Missing), CaseMean::Value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use CaseMean::{Value, Without as No};

    #[test]
    fn a_case_is_the_mean_of_its_trials_and_one_that_does_not_say_leaves_it_unknown() {
        assert_eq!(over_trials(&[Value(1.0), Value(2.0)]), Value(1.5));
        assert_eq!(over_trials(&[Value(1.0), No(Without::Nothing)]), Value(1.0));
        assert_eq!(over_trials(&[Value(1.0), No(Without::Missing)]), No(Without::Missing));
        assert_eq!(over_trials(&[No(Without::Nothing)]), No(Without::Nothing));
        assert_eq!(over_trials(&[]), No(Without::Missing));
        assert_eq!(mean(vec![f64::MAX, f64::MAX]), No(Without::Missing));
    }

    #[test]
    fn a_mean_comes_back_from_a_record_to_the_last_bit() {
        let means = vec![Value(0.1 + 0.2), Value(3.0), No(Without::Missing), No(Without::Nothing)];
        let text = serde_json::to_string(&means).unwrap();
        assert_eq!(text, r#"[0.30000000000000004,3.0,"missing","nothing"]"#);
        assert_eq!(serde_json::from_str::<Vec<CaseMean>>(&text).unwrap(), means);
    }
}
