//! Checks over all sessions of a window: they see compact rows of declared columns and the outcomes of cases.

pub mod budget;
pub mod cases;
pub mod columns;
mod compare;
mod decided;
pub mod drift;
pub mod folded;
pub mod metric;
pub mod pass_rate;
pub mod past;
pub mod reliability;
pub(crate) mod statistic;
#[cfg(test)]
mod testing;
pub mod top_failures;
mod trials;
mod way;
pub(crate) mod words;

use serde::{Deserialize, Serialize};

pub use cases::{Case, Cases};
pub use folded::Folded;
pub use way::{End, Open, Prospect, Way};

use crate::model::{Status, Tally};

/// A column: one number (or several) per session, grouped. What it is called in suites and how it is taken from a
/// session is `columns.rs`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Column {
    /// The metric's name, such as `tokens`; `attr:NAME` for a numeric session attribute.
    pub metric: String,
    /// The check that the metric is about, for `detection_rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What to group by, such as `agent`; empty for no groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// What one session contributes to a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// The session does not say; why.
    Missing(String),
    /// It depends on verdicts that wait for a person.
    Waiting(Waiting),
    /// The check's `on` does not select it: it is not asked.
    Unselected,
    /// Its samples, by group. None at all is a legitimate nothing (no tool was called).
    Samples(Vec<Sample>),
}

/// A cell that depends on verdicts that wait for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which.
    pub why: String,
    /// The groups in which its values will count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Vec<String>>,
    /// The subjects behind the verdict; `None` in records that do not say, where it may be anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Tally>,
}

/// Values of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// One value per `by`; `(none)` where the session has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<String>,
    /// The values; for a ratio, numerator and denominator.
    pub values: Vec<f64>,
}

/// How one trial went.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrialOutcome {
    /// All blocking checks together.
    pub status: Status,
    /// Each check that applied.
    pub checks: Way,
}

/// What a system check sees.
pub struct Window<'w> {
    /// The columns it declared.
    pub columns: Vec<&'w Folded>,
    /// The cases, in order of first appearance (declared ones first).
    pub cases: &'w Cases,
    /// The position of a check in the suite.
    pub check_index: &'w dyn Fn(&str) -> Option<u32>,
    /// What else it may ask for.
    pub around: &'w dyn Around,
}

/// What a system check may ask for beside its columns.
pub trait Around {
    /// The id of the check at a position of the suite.
    fn check_id(&self, index: u32) -> Option<&str>;
    /// A column of the earlier run that the check is compared with.
    ///
    /// # Errors
    /// Why it is not there.
    fn past(&self, column: &Column) -> Result<&past::Past, String>;
}

/// A bound that a number must keep.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Bound {
    /// At least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// At most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// At most so many times the number of the earlier run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ratio: Option<f64>,
}

/// What a system check says of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupFinding {
    /// One value per `by`.
    pub group: Vec<String>,
    /// Its verdict.
    pub status: Status,
    /// The number measured; `None` when it was not.
    pub value: Option<f64>,
    /// The 95% interval of the number, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Why the interval may cover less often than in 95%; `None` when nothing speaks against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// How many samples are behind it.
    pub count: u64,
    /// Whether it may well keep the bound, and the data do not tell: an error that more of them would settle.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inconclusive: bool,
    /// Why, when it did not pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What a system check says of a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SystemFinding {
    /// The verdict; a check without a bound passes when it could be measured.
    pub status: Status,
    /// The number measured over all groups; `None` when it was not.
    pub value: Option<f64>,
    /// The 95% interval of the number, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Why the interval may cover less often than in 95%; `None` when nothing speaks against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// The method of the intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// How many samples are behind it.
    pub count: u64,
    /// Whether it may well keep the bound, and the data do not tell: an error that more of them would settle.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inconclusive: bool,
    /// By group, when `by` is given, in order of the group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupFinding>,
    /// The bound; `None` when the check only reports, so that one that is not known is no `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// Why, when it did not pass; what was measured, when it only reports.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Nothing in the window was a subject of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unexercised: bool,
}

impl SystemFinding {
    /// Could not be measured; why.
    pub fn error(reason: impl Into<String>) -> Self {
        Self {
            status: Status::Error,
            value: None,
            interval: None,
            doubt: None,
            method: None,
            count: 0,
            inconclusive: false,
            groups: Vec::new(),
            bound: None,
            reason: reason.into(),
            unexercised: false,
        }
    }
}
