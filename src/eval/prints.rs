//! Which sessions a run was over: the first 64 bits of each session's digest, so that a later run over the same
//! recordings can be told from one over new ones.
//!
//! Two different sessions with one print would be taken for the same, which takes a pair out of a comparison; it never
//! makes one.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::baseline::Baseline;
use super::fold::SuiteFold;
use crate::model::digest::Digest;

/// The print of a session.
pub fn of(digest: &Digest) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest.bytes[..8]);
    u64::from_be_bytes(first)
}

/// The prints of several sessions; 16 hexadecimal digits each in a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prints(pub Vec<u64>);

impl Prints {
    /// Whether there is none, as in what versions before them recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Prints {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0.iter().map(|print| format!("{print:016x}")).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Prints {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(d)?;
        let wrong = || de::Error::custom("prints of sessions are 16 hexadecimal digits each");
        let parse = |digits: &[u8]| {
            let digits = std::str::from_utf8(digits).ok().filter(|_| digits.len() == 16)?;
            u64::from_str_radix(digits, 16).ok()
        };
        text.as_bytes().chunks(16).map(|digits| parse(digits).ok_or_else(wrong)).collect::<Result<_, _>>().map(Prints)
    }
}

/// How many sessions of a run are those of an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// Sessions that both runs are over.
    pub same: u64,
    /// Sessions of the later run.
    pub all: u64,
}

impl Overlap {
    /// Why nothing can be compared, where a run is over nothing but the recordings of the other: what went into both is
    /// the same, so that no change of the agent could show.
    pub fn is_itself(self) -> Option<String> {
        (self.all > 0 && self.same == self.all).then(|| {
            format!(
                "{} of this run {} its own: nothing was recorded since, and a run that is compared with itself shows \
                 nothing; record the agent again",
                if self.all == 1 { "the one session".to_owned() } else { format!("all {} sessions", self.all) },
                if self.all == 1 { "is" } else { "are" }
            )
        })
    }

    /// What is said where some of them are.
    pub fn note(self) -> Option<String> {
        let are = if self.same == 1 { "is" } else { "are" };
        (self.same > 0)
            .then(|| format!("{} of {} sessions {are} the very recordings of the earlier run", self.same, self.all))
    }
}

/// The prints of all sessions of an earlier run.
pub fn known(baseline: &Baseline) -> HashSet<u64> {
    baseline.cases.iter().flat_map(|case| case.sessions.0.iter().copied()).collect()
}

/// How much of a run is an earlier one.
pub fn overlap(fold: &SuiteFold<'_>, baseline: &Baseline) -> Overlap {
    let (known, mut overlap) = (known(baseline), Overlap { same: 0, all: 0 });
    for print in fold.remembered.iter().flat_map(|r| r.prints()) {
        overlap.all += 1;
        overlap.same += u64::from(known.contains(&print));
    }
    overlap
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_come_back_from_a_record_and_others_do_not() {
        let prints = Prints(vec![0, 1, u64::MAX]);
        let text = serde_json::to_string(&prints).unwrap();
        assert_eq!(text, "\"00000000000000000000000000000001ffffffffffffffff\"");
        assert_eq!(serde_json::from_str::<Prints>(&text).unwrap(), prints);
        for wrong in ["\"0\"", "\"000000000000000g\"", "\"+000000000000001\u{e9}\"", "1"] {
            assert!(serde_json::from_str::<Prints>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_run_is_itself_only_when_every_session_is_the_same() {
        assert!(Overlap { same: 3, all: 3 }.is_itself().unwrap().contains("all 3 sessions"));
        assert_eq!(Overlap { same: 2, all: 3 }.is_itself(), None);
        assert_eq!(Overlap { same: 0, all: 0 }.is_itself(), None);
    }
}
