//! Shards: which cases of a run are recorded here, and which elsewhere.
//!
//! A case belongs to the shard that a stable hash of its id names (XXH3, 64 bits, modulo the number of shards), so that
//! all trials of a case meet in one shard, on every machine and in every version. What belongs to no case (a file that
//! cannot be read, an element that is damaged) is recorded by the first shard.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// One of several parts of a run, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shard {
    /// Which one, from 1.
    pub index: u32,
    /// Of how many.
    pub of: u32,
}

/// The most shards of a run.
pub const MOST: u32 = 10_000;

impl Shard {
    /// Whether a case belongs to this shard.
    pub fn holds(self, case: &str) -> bool {
        xxh3_64(case.as_bytes()) % u64::from(self.of.max(1)) == u64::from(self.index) - 1
    }

    /// Whether what belongs to no case belongs to this shard.
    pub fn holds_the_rest(self) -> bool {
        self.index == 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (index, of) = text.split_once('/').unwrap_or_default();
        match (index.trim().parse(), of.trim().parse()) {
            (Ok(index), Ok(of)) if (1..=of).contains(&index) && of <= MOST => Ok(Self { index, of }),
            _ => Err(format!("a shard is I/N, as in `2/8`: I from 1 to N, N at most {MOST}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_written_as_it_is_read() {
        for text in ["1/1", "2/8", "8/8"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for wrong in ["", "1", "/", "0/2", "3/2", "-1/2", "1/0", "1/99999", "a/b", "1/2/3"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_shard_of_a_case_does_not_change_between_versions() {
        let of = |case: &str| (1..=8).find(|&index| Shard { index, of: 8 }.holds(case));
        assert_eq!(["", "a", "airline-1", "airline-2"].map(of), [Some(3), Some(8), Some(7), Some(5)]);
    }

    proptest::proptest! {
        #[test]
        fn every_case_has_exactly_one_shard(case in ".{0,30}", of in 1u32..40) {
            let holders = (1..=of).filter(|&index| Shard { index, of }.holds(&case)).count();
            proptest::prop_assert_eq!(holders, 1);
        }
    }
}
