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

#[cfg(test)]
mod tests {
    use super::Admission::{Conflict, Counts, Duplicate};
    use super::*;

    /// A session of a case, with what it says and the number of its trial.
    fn row(id: &str, said: &str, trial: Option<&str>) -> Row {
        Row {
            at: (0, 0),
            id: id.into(),
            case: "c".into(),
            trial: trial.map(Into::into),
            tags: Vec::new(),
            digest: Digest::of(said.as_bytes()),
            error: false,
            verdicts: Vec::new(),
            said: Vec::new(),
            cells: Vec::new(),
        }
    }

    fn admitted(seen: &mut Seen, row: &Row, case: usize, several: bool) -> Admission {
        seen.admit(row, case, several).unwrap()
    }

    #[test]
    fn the_same_session_counts_once_whatever_its_case() {
        let mut seen = Seen::default();
        assert_eq!(admitted(&mut seen, &row("a", "x", None), 0, false), Counts);
        assert_eq!(admitted(&mut seen, &row("a", "x", None), 0, false), Duplicate);
        assert_eq!(admitted(&mut seen, &row("a", "x", None), 1, true), Duplicate);
    }

    #[test]
    fn an_id_with_other_content_contradicts_unless_these_are_trials_of_one_case() {
        let contradicts = |admission: Admission| matches!(admission, Conflict(why) if why.contains("already used"));
        let mut seen = Seen::default();
        assert_eq!(admitted(&mut seen, &row("a", "1", None), 0, false), Counts);
        assert!(contradicts(admitted(&mut seen, &row("a", "2", None), 0, false)));
        // With trial numbers, or where several sessions are wanted of a case, it is one more of them,
        assert_eq!(admitted(&mut seen, &row("a", "3", Some("1")), 0, false), Counts);
        assert_eq!(admitted(&mut seen, &row("a", "4", None), 0, true), Counts);
        // but not of another case.
        assert!(contradicts(admitted(&mut seen, &row("a", "5", None), 1, true)));
        assert!(contradicts(admitted(&mut seen, &row("a", "6", Some("9")), 1, true)));
    }

    #[test]
    fn a_trial_of_a_case_is_recorded_once_whatever_its_id() {
        let mut seen = Seen::default();
        assert_eq!(admitted(&mut seen, &row("a", "1", Some("0")), 0, true), Counts);
        let again = admitted(&mut seen, &row("b", "2", Some("0")), 0, true);
        assert!(matches!(again, Conflict(why) if why.contains("trial `0`")));
        assert_eq!(admitted(&mut seen, &row("c", "3", Some("0")), 1, true), Counts);
    }
}
