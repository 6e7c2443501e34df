//! Asking that has no end, as whoever watches production does: an answer is let go of once what came of it is known, the
//! files of evidence have a limited size, and an endpoint that failed is tried again.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::asker::Asker;
use super::journal::Journal;
use super::work::lock;
use crate::eval::spend::Spend;
use crate::model::NanoUsd;

/// How long an endpoint that failed again and again is left alone.
pub const REST: Duration = Duration::from_secs(60);

/// How large a file of evidence may become; one before it is kept beside it.
pub const LARGEST: u64 = 64 << 20;

impl Asker {
    /// Writes the evidence in a folder from now on, as much as there is room for.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_on(&self, dir: &Path) -> io::Result<()> {
        *lock(&self.work.journal) = Some(Journal::open(dir)?.at_most(LARGEST));
        Ok(())
    }

    /// What asking has cost since it began: as far as it is known, and the most that it may have been where it is limited.
    pub fn cost(&self) -> NanoUsd {
        self.work.sources.budget.spent().cost
    }

    /// What was taken for whom (see [`Asker::collector`]) since it was looked at last, all checks together.
    pub fn taken(&self) -> BTreeMap<u32, Spend> {
        let mut taken: BTreeMap<u32, Spend> = BTreeMap::new();
        for ((whom, _), spend) in std::mem::take(&mut *lock(&self.work.spends)) {
            taken.entry(whom).or_default().plus(&spend);
        }
        taken
    }

    /// Forgets what was answered: whoever asks the same again asks anew. Nothing may be under way.
    pub fn forget(&self) {
        self.work.answers.forget();
        self.work.forget();
    }
}
