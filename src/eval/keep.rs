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
