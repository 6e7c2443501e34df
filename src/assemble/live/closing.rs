//! Homes that are looked at while they go on waiting: whoever evaluates a session as soon as it is quiet keeps its records
//! for as long as more of them may come, and then evaluates it anew, as a whole.

use super::held::Held;
use super::{Home, Key, Live, Waiting};
use crate::assemble::spill::SpillError;

/// What a home held when it was looked at.
pub struct Copied {
    /// How many records.
    pub records: u64,
    /// How many of its traces had not ended at their root.
    pub open: usize,
    held: Vec<Held>,
}

impl Copied {
    /// All records, one trace after the other, as [`crate::assemble::build::Builder`] takes them. What is on disk is read
    /// here, while others go on taking records in.
    ///
    /// # Errors
    /// They could not be read back from disk.
    pub fn bring_back(self) -> Result<Vec<u8>, SpillError> {
        let mut out = Vec::new();
        self.held.into_iter().try_for_each(|held| held.bring_back(&mut out))?;
        Ok(out)
    }
}

impl Home {
    pub(super) fn waiting(&self, home: Key) -> Waiting {
        let Self { first, last, since, records, bytes, said, closed, .. } = *self;
        Waiting { home, over: self.open == 0, said, first, last, since, records, bytes, closed }
    }
}

impl Live {
    /// What a home holds; it goes on waiting. `None` where there is no such home.
    pub fn copy(&self, home: Key) -> Option<Copied> {
        let Home { traces, open, records, .. } = self.homes.get(&home)?;
        let held = traces.iter().filter_map(|key| self.traces.get(key)).map(|trace| trace.held.clone()).collect();
        Some(Copied { records: *records, open: *open, held })
    }

    /// Says that those who stand for the bits of `by` have seen the first `records` records of a home. Whether that is
    /// true: more may have come meanwhile. With the next record the home is open again.
    pub fn close(&mut self, home: Key, by: u32, records: u64) -> bool {
        match self.homes.get_mut(&home) {
            Some(home) if home.records == records => {
                home.closed |= by;
                true
            }
            _ => false,
        }
    }
}
