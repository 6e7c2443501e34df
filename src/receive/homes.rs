//! What waits in an inbox, as whoever watches production looks at it: homes are looked at when they are quiet, stay for as
//! long as more of them may come, and are let go of then.
//!
//! Nothing is written when a home is looked at: after the end of the process its requests are still in the spool, it is
//! looked at again, and who keeps what came of it sees that it is the same. That it was let go of is written: what is left
//! of its requests then is not taken for all of it.

use super::answer::Refusal;
use super::inbox::{Inbox, State};
use super::spool::{Encoding, Spool, SpoolError};
use crate::assemble::live::{Copied, Key, Waiting};

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Homes that nobody has closed.
    pub open: u64,
    /// Homes that were closed, and stay for what may come late.
    pub closed: u64,
    /// Bytes of records in memory, about.
    pub memory: u64,
    /// Bytes of the spool.
    pub spool: u64,
    /// Bytes that the spool may have.
    pub spool_limit: u64,
}

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Untaken {
    /// Nothing can be done with it, however often it comes.
    #[error("{0}")]
    Unusable(String),
    /// There is no room for it now.
    #[error("{0}")]
    Later(String),
}

impl Inbox {
    /// Takes a request of telemetry that was read elsewhere, in the form in which exporters send it. When this returns, it
    /// is in the spool.
    ///
    /// # Errors
    /// It is of no use, or has to be taken later.
    pub fn put(&self, request: &[u8]) -> Result<(), Untaken> {
        let is_json = request.first().is_some_and(|b| *b >= b' ');
        let encoding = if is_json { Encoding::Json } else { Encoding::Protobuf };
        match self.take(encoding, request) {
            Ok(_) => Ok(()),
            Err(Refusal::Malformed(why) | Refusal::Unsupported(why) | Refusal::TooLarge(why)) => {
                Err(Untaken::Unusable(why))
            }
            Err(Refusal::Timeout(why) | Refusal::Busy(why, _) | Refusal::Disk(why, _)) => Err(Untaken::Later(why)),
        }
    }

    /// The homes that `which` says something of, with that: at most `most`, those that began first before others.
    pub fn homes<T>(&self, most: usize, which: &dyn Fn(&Waiting) -> Option<T>) -> Vec<(Waiting, T)> {
        let mut found: Vec<(Waiting, T)> =
            self.lock().live.waiting().filter_map(|waiting| Some((waiting, which(&waiting)?))).collect();
        found.sort_by_key(|(w, _)| (w.since, w.first, w.home));
        found.truncate(most);
        found
    }

    /// How often a home was let go of before.
    pub fn let_go_before(&self, home: Key) -> u32 {
        self.lock().live.times(home)
    }

    /// What a home holds; it goes on waiting.
    pub fn copy(&self, home: Key) -> Option<Copied> {
        self.lock().live.copy(home)
    }

    /// See [`crate::assemble::live::Live::close`].
    pub fn close_home(&self, home: Key, by: u32, records: u64) -> bool {
        self.lock().live.close(home, by, records)
    }

    /// Lets go of homes: what comes of them later stands alone. The spool remembers that.
    ///
    /// # Errors
    /// The spool cannot be written; those that could be noted are let go of.
    pub fn let_go(&self, homes: &[Key]) -> Result<(), SpoolError> {
        let mut state = self.lock();
        let State { live, spool, .. } = &mut *state;
        for home in homes {
            if let Some(spool) = spool {
                let here = spool.here();
                spool.mark(*home, here, 0)?;
            }
            live.remove(*home);
        }
        let oldest = live.waiting().map(|w| w.since).min();
        if let Some(spool) = spool {
            let oldest = oldest.unwrap_or_else(|| spool.segment());
            spool.release(oldest);
        }
        Ok(())
    }

    /// How much waits. `all` are the bits of all who close homes.
    pub fn standing(&self, all: u32) -> Standing {
        let limit = self.spool_limit();
        let state = self.lock();
        let (mut open, mut closed) = (0, 0);
        for waiting in state.live.waiting() {
            *if waiting.closed & all == all { &mut closed } else { &mut open } += 1;
        }
        let spool = state.spool.as_ref().map(Spool::bytes).unwrap_or_default();
        Standing { open, closed, memory: state.live.bytes() as u64, spool, spool_limit: limit }
    }
}
