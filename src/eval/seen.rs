//! What was read before: the same session twice, an id used for two sessions, a trial recorded twice.

use std::io;

use super::keys::{Keys, key};
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
    /// Apart from the others: they are as good as no two sessions have the same, whatever ids somebody makes up.
    digests: Keys,
    /// Session ids; with the case that the id was first read for; case and named trial.
    names: Keys,
}

/// What a name is.
#[derive(Hash)]
enum Name<'n> {
    Id(&'n str),
    OfCase(&'n str, usize),
    Trial(usize, &'n str),
}

impl Seen {
    /// Whether a row counts, and notes it. `case` is the position of its case; `several` says that the suite wants
    /// several sessions of a case, which then may share an id without trial numbers.
    ///
    /// # Errors
    /// What was read before could not be kept, or not be read back.
    pub fn admit(&mut self, row: &Row, case: usize, several: bool) -> io::Result<Admission> {
        if !self.digests.insert(short(&row.digest))? {
            return Ok(Admission::Duplicate);
        }
        let used = || {
            Admission::Conflict(format!(
                "the session id `{}` was already used by another session with different content; \
                 trials of one case need different trial numbers",
                row.id
            ))
        };
        let (id, of_case) = (key(&Name::Id(&row.id)), key(&Name::OfCase(&row.id, case)));
        let new = self.names.insert(id)?;
        if new {
            self.names.insert(of_case)?;
        } else if !self.names.contains(of_case)? || (row.trial.is_none() && !several) {
            return Ok(used());
        }
        match &row.trial {
            Some(trial) if !self.names.insert(key(&Name::Trial(case, trial)))? => Ok(if new {
                Admission::Conflict(format!(
                    "trial `{trial}` of case `{}` was already read from another session",
                    row.case
                ))
            } else {
                used()
            }),
            _ => Ok(Admission::Counts),
        }
    }
}

fn short(digest: &Digest) -> u128 {
    digest.bytes.iter().take(16).fold(0, |all, byte| all << 8 | u128::from(*byte))
}
