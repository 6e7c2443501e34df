//! Which sessions are kept whole beside the record, so that a report can be drawn without the recordings.

use serde::{Deserialize, Serialize};

/// Which sessions are kept whole beside the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// Those that did not pass.
    pub failed: bool,
    /// At most this many of those that passed, in the order of the record.
    pub passed: u64,
    /// At most this many of a suite in all.
    pub limit: u64,
}

/// Why a session is kept whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptFor {
    /// A person is to look at one of its verdicts: whatever else is kept, this is.
    Review {
        /// Whether it passed.
        passed: bool,
    },
    /// It did not pass.
    Failed,
    /// It passed, and is part of the sample.
    Sample,
}

impl KeptFor {
    /// Whether the session passed.
    pub fn passed(self) -> bool {
        matches!(self, Self::Sample | Self::Review { passed: true })
    }
}
