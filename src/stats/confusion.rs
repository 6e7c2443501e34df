//! What a judge says against what people say: the four counts, and the two rates that a judge is described by.
//!
//! The two rates are of the judge alone and hold whatever share of sessions is good; the share of verdicts that are
//! right does not.

use serde::{Deserialize, Serialize};

use super::agreement::Table;
use super::interval::Interval;
use super::proportion::clopper_pearson;

/// How often a judge and people said what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Confusion {
    /// Both pass.
    pub true_pass: u64,
    /// The judge passes what people fail: what a gate must fear.
    pub false_pass: u64,
    /// The judge fails what people pass.
    pub false_fail: u64,
    /// Both fail.
    pub true_fail: u64,
}

/// A rate with what it was counted from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many are so.
    pub hits: u64,
    /// Out of how many; never 0.
    pub of: u64,
}

impl Rate {
    /// Its value, from 0 to 1.
    pub fn value(&self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    /// The exact interval of Clopper and Pearson; `None` for no such confidence.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        clopper_pearson(self.hits, self.of, confidence)
    }
}

impl Confusion {
    /// Counts one verdict: whether the judge passes it, and whether people do.
    pub fn add(&mut self, judge: bool, people: bool) {
        *match (judge, people) {
            (true, true) => &mut self.true_pass,
            (true, false) => &mut self.false_pass,
            (false, true) => &mut self.false_fail,
            (false, false) => &mut self.true_fail,
        } += 1;
    }

    /// How many verdicts were counted.
    pub const fn total(&self) -> u64 {
        self.true_pass + self.false_pass + self.false_fail + self.true_fail
    }

    /// How often the judge says what people say; `None` without a label.
    pub fn agreement(&self) -> Option<Rate> {
        rate(self.true_pass + self.true_fail, self.total())
    }

    /// The share of what people pass that the judge passes, too (q1); `None` when people passed nothing.
    pub fn sensitivity(&self) -> Option<Rate> {
        rate(self.true_pass, self.true_pass + self.false_fail)
    }

    /// The share of what people fail that the judge fails, too (q0); `None` when people failed nothing.
    pub fn specificity(&self) -> Option<Rate> {
        rate(self.true_fail, self.true_fail + self.false_pass)
    }

    /// The counts as a table of the judge's pass and fail against people's; `None` without a label.
    pub fn table(&self) -> Option<Table> {
        Table::new(vec![vec![self.true_pass, self.false_pass], vec![self.false_fail, self.true_fail]])
    }
}

fn rate(hits: u64, of: u64) -> Option<Rate> {
    (of > 0).then_some(Rate { hits, of })
}

impl FromIterator<(bool, bool)> for Confusion {
    fn from_iter<I: IntoIterator<Item = (bool, bool)>>(pairs: I) -> Self {
        let mut all = Self::default();
        pairs.into_iter().for_each(|(judge, people)| all.add(judge, people));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::agreement::Weights;

    #[test]
    fn counts_and_rates_are_those_of_the_four_cells() {
        let pairs = [(true, true), (true, true), (true, false), (false, true), (false, false), (false, false)];
        let found: Confusion = pairs.into_iter().collect();
        assert_eq!(found, Confusion { true_pass: 2, false_pass: 1, false_fail: 1, true_fail: 2 });
        assert_eq!(found.sensitivity(), Some(Rate { hits: 2, of: 3 }));
        assert_eq!(found.specificity(), Some(Rate { hits: 2, of: 3 }));
        assert_eq!(found.agreement(), Some(Rate { hits: 4, of: 6 }));
        assert!((found.table().unwrap().kappa(Weights::Alike).unwrap().value - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_rate_of_nothing_is_nothing() {
        let none = Confusion::default();
        assert_eq!((none.agreement(), none.sensitivity(), none.specificity(), none.table()), (None, None, None, None));
        let passed = Confusion { true_pass: 8, ..none };
        assert_eq!((passed.specificity(), passed.sensitivity().map(|r| r.value())), (None, Some(1.0)));
    }

    #[test]
    fn intervals_are_exact() {
        let limits = Rate { hits: 8, of: 10 }.interval(0.95).unwrap();
        assert!((limits.low - 0.443_905).abs() < 1e-6 && (limits.high - 0.974_789).abs() < 1e-6);
    }
}
