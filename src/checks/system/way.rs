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
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Way {
    now: Vec<(u32, Status)>,
    open: Option<Box<Open>>,
}

/// What becomes of a trial of which something waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Open {
    /// When people decide against the agent: all blocking checks together, and each check.
    pub worst: (Status, Vec<(u32, Status)>),
    /// When they decide for it.
    pub best: (Status, Vec<(u32, Status)>),
    /// Whether it may end as one that could not be measured, by what they decide.
    pub may_err: bool,
    /// The checks of which the same is so.
    pub erring: Vec<u32>,
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

/// What a check says of one trial, now and as people may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prospect {
    /// Now.
    pub now: Status,
    worst: Status,
    best: Status,
    /// Whether it may end as one that could not be measured.
    pub may_err: bool,
}

impl Prospect {
    /// As people may decide. One that waits, of which no more is known, is as they decide.
    pub fn at(self, end: End) -> Status {
        let (status, decided) = match end {
            End::Worst => (self.worst, Status::Fail),
            End::Best => (self.best, Status::Pass),
        };
        if status == Status::Held { decided } else { status }
    }

    /// Whether it could not be measured however they decide.
    pub fn must_err(self) -> bool {
        self.worst == Status::Error && self.best == Status::Error
    }

    /// Whether it is a pass or a fail however they decide.
    pub fn is_measured(self) -> bool {
        !self.may_err && [End::Worst, End::Best].iter().all(|e| matches!(self.at(*e), Status::Pass | Status::Fail))
    }
}

impl TrialOutcome {
    /// What a check says of the trial, or all blocking checks together where none is named; `None` where the check did not
    /// apply.
    pub fn prospect(&self, check: Option<u32>) -> Option<Prospect> {
        let Some(check) = check else {
            let [worst, best] = [End::Worst, End::Best].map(|end| self.at(end));
            return Some(Prospect { now: self.status, worst, best, may_err: self.may_err() });
        };
        let of = |verdicts: &[(u32, Status)]| verdicts.iter().find(|(index, _)| *index == check).map(|(_, s)| *s);
        match of(&self.checks) {
            Some(now) => {
                let [worst, best] = [End::Worst, End::Best].map(|end| of(self.checks.at(end)).unwrap_or(now));
                let may_err = self.checks.open().map_or(now == Status::Error, |open| open.erring.contains(&check));
                Some(Prospect { now, worst, best, may_err })
            }
            // Nothing at all could be said of a trial that is missing or could not be read, so nor of this check.
            None if self.checks.is_empty() && self.status == Status::Error => {
                Some(Prospect { now: Status::Error, worst: Status::Error, best: Status::Error, may_err: true })
            }
            None => None,
        }
    }

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
