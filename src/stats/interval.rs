//! An interval, and the words for a confidence.

use serde::{Deserialize, Serialize};

/// A closed interval of values that data allow at some confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// Whether a value lies in it.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The same, as far as a value that has to lie in it.
    pub fn reaching(self, value: f64) -> Self {
        Self { low: self.low.min(value), high: self.high.max(value) }
    }

    /// Its two ends, as `summary.json` has them.
    pub const fn ends(&self) -> [f64; 2] {
        [self.low, self.high]
    }
}

/// The error that both tails of an interval share, 1 - confidence; `None` unless the confidence lies strictly between
/// 0 and 1.
pub(super) fn alpha(confidence: f64) -> Option<f64> {
    (confidence > 0.0 && confidence < 1.0).then_some(1.0 - confidence)
}
