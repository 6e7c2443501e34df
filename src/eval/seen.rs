//! What was read before: the same session twice, an id used for two sessions, a trial recorded twice.
//!
//! Ids are kept as 64-bit hashes, so that a run of a million sessions stays small. Two ids with one hash would make an
//! error of a session that is none; they never make a pass.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::row::Row;
use crate::model::digest::Digest;

/// Whether a row counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It does.
    Counts,
    /// The same session was already read.
    Duplicate,
    /// It contradicts one that was already read; why.
    Conflict(String),
}

/// Every session read so far.
#[derive(Default)]
pub struct Seen {
    digests: HashSet<[u8; 16]>,
    /// Session id to the case and trial it was last read for.
    ids: HashMap<u64, (u32, u32)>,
    /// Case and named trial.
    trials: HashSet<u64>,
}

impl Seen {
    /// Whether a row counts, and notes it. `case` is the position of its case; `several` says that the suite wants
    /// several sessions of a case, which then may share an id without trial numbers.
    pub fn admit(&mut self, row: &Row, case: usize, several: bool) -> Admission {
        if !self.digests.insert(short(&row.digest)) {
            return Admission::Duplicate;
        }
        let this = (case as u32, hash(&row.trial) as u32);
        if let Some(&(other_case, other_trial)) = self.ids.get(&hash(&row.id)) {
            let apart = if row.trial.is_some() { this.1 != other_trial } else { several };
            if other_case != this.0 || !apart {
                return Admission::Conflict(format!(
                    "the session id `{}` was already used by another session with different content; \
                     trials of one case need different trial numbers",
                    row.id
                ));
            }
        }
        self.ids.insert(hash(&row.id), this);
        match &row.trial {
            Some(trial) if !self.trials.insert(hash(&(case, trial))) => Admission::Conflict(format!(
                "trial `{trial}` of case `{}` was already read from another session",
                row.case
            )),
            _ => Admission::Counts,
        }
    }
}

fn short(digest: &Digest) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&digest.bytes[..16]);
    short
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
