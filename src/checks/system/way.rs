//! A way for a trial to go: the verdict of every check, and, where some of what is behind them waits for a person, what
//! becomes of the trial when the people decide against the agent, and when they decide for it.
//!
//! A verdict only rises with what people decide for the agent, from fail over error to pass, so that whatever they decide lies
//! between the two ends.

use std::ops::Deref;

use super::TrialOutcome;
use crate::model::Status;

/// How people decide over all that waits for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Against the agent: all of it fails.
    Worst,
    /// For the agent: all of it passes.
    Best,
}

/// Each check that applied: its position in the suite and its verdict, by position.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Way {
    now: Vec<(u32, Status)>,
    open: Option<Box<Open>>,
}

/// What becomes of a trial of which something waits for a person.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Open {
    /// When people decide against the agent: all blocking checks together, and each check.
    pub worst: (Status, Vec<(u32, Status)>),
    /// When they decide for it.
    pub best: (Status, Vec<(u32, Status)>),
    /// Whether it may end as one that could not be measured, by what they decide.
    pub may_err: bool,
}

impl Way {
    /// A way with what may become of it; `None` where nothing waits.
    pub fn new(now: Vec<(u32, Status)>, open: Option<Open>) -> Self {
        Self { now, open: open.map(Box::new) }
    }

    /// What may become of it; `None` where nothing waits.
    pub fn open(&self) -> Option<&Open> {
        self.open.as_deref()
    }

    /// Each check, as people may decide.
    pub fn at(&self, end: End) -> &[(u32, Status)] {
        match (&self.open, end) {
            (None, _) => &self.now,
            (Some(open), End::Worst) => &open.worst.1,
            (Some(open), End::Best) => &open.best.1,
        }
    }
}

impl From<Vec<(u32, Status)>> for Way {
    fn from(now: Vec<(u32, Status)>) -> Self {
        Self { now, open: None }
    }
}

impl Deref for Way {
    type Target = [(u32, Status)];

    fn deref(&self) -> &[(u32, Status)] {
        &self.now
    }
}

impl TrialOutcome {
    /// All blocking checks together, as people may decide.
    pub fn at(&self, end: End) -> Status {
        match (self.checks.open(), end) {
            (None, _) => self.status,
            (Some(open), End::Worst) => open.worst.0,
            (Some(open), End::Best) => open.best.0,
        }
    }

    /// Whether it could not be measured, or may end so by what people decide.
    pub fn may_err(&self) -> bool {
        self.checks.open().map_or(self.status == Status::Error, |open| open.may_err)
    }
}
