//! What a check compares the window with: a column of an earlier run.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::checks::build::Build;
use crate::stats::samples::{Kept, Samples};

/// The earlier run that a check names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Against {
    /// `against = "baseline"`: the run that the gate is compared with, or `--baseline` names.
    Gate,
    /// A run of the check's own.
    Run {
        /// As it is written in the suite.
        name: String,
        /// Where it is.
        path: PathBuf,
    },
}

impl Against {
    /// The word for the gate's own baseline.
    pub const BASELINE: &'static str = "baseline";

    /// The name of the run; [`Against::BASELINE`] for that of the gate.
    pub fn name(&self) -> &str {
        match self {
            Against::Gate => Self::BASELINE,
            Against::Run { name, .. } => name,
        }
    }

    /// The run that the parameter `against` names; a problem there when it names none.
    pub fn named(name: &str, build: &mut Build<'_>) -> Option<Self> {
        if name.trim().is_empty() {
            build.problem(&["against"], "an empty path", "name a run's folder, or `baseline`".to_owned());
            return None;
        }
        if name == Self::BASELINE {
            return Some(Self::Gate);
        }
        Some(Self::Run { name: name.to_owned(), path: build.files.locate(name.as_ref()) })
    }
}

/// A column of an earlier run, over all its sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// The samples by group.
    pub groups: Vec<PastGroup>,
    /// How many sessions were asked.
    pub sessions: u64,
    /// How many of them could not say.
    #[serde(default, skip_serializing_if = "crate::model::is_zero")]
    pub missing: u64,
}

/// The samples of one group of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastGroup {
    /// One value per `by`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<String>,
    /// Its samples.
    #[serde(flatten)]
    pub samples: Kept,
}

/// The most samples of a group that are embedded one by one; more are summarised, and percentiles of them known to
/// within the error of a sketch. Sums, means and extremes stay exact.
const LIMIT: u64 = 1 << 12;

/// The most samples of a column that are embedded one by one; past it the groups with the most are summarised.
const BUDGET: u64 = 1 << 16;

/// A group with so few samples takes less room than a summary of it.
const FEW: u64 = 1 << 8;

impl Past {
    /// What a later run needs of a column, in bounded room: it is embedded in every record that is compared with it.
    pub fn of(folded: &super::Folded) -> Self {
        let limit = limit(folded.groups.values().filter(|s| s.is_exact()).map(Samples::len));
        let kept = |samples: &Samples| {
            if !samples.is_exact() || samples.len() <= limit {
                return samples.kept();
            }
            let mut summary = samples.clone();
            summary.summarise();
            summary.kept()
        };
        let groups = folded.groups.iter();
        Self {
            groups: groups.map(|(group, s)| PastGroup { group: group.clone(), samples: kept(s) }).collect(),
            sessions: folded.sessions,
            missing: folded.missing,
        }
    }

    /// The samples of a group; `None` when it did not occur.
    pub fn group(&self, group: &[String]) -> Option<Samples> {
        self.groups.iter().find(|g| g.group == group).map(|g| g.samples.samples()).filter(|s| !s.is_empty())
    }
}

/// How many samples a group may have to be embedded one by one, so that all groups together stay within the budget.
fn limit(sizes: impl Iterator<Item = u64> + Clone) -> u64 {
    let mut limit = LIMIT;
    while limit > FEW && sizes.clone().filter(|n| *n <= limit).sum::<u64>() > BUDGET {
        limit /= 2;
    }
    limit
}

#[cfg(test)]
mod tests {
    use super::super::statistic::Stat;
    use super::super::{Cell, Folded, Sample};
    use super::*;
    use crate::stats::sketch;

    /// A column of one group: latencies over four orders of size.
    fn folded(n: u32) -> Folded {
        let mut folded = Folded::default();
        for case in 0..n {
            let value = 1.0 + f64::from(case.wrapping_mul(2_654_435_761) % 1_000_003) / 100.0;
            folded.add(case, Cell::Samples(vec![Sample { group: Vec::new(), values: vec![value] }]));
        }
        folded
    }

    #[test]
    fn few_samples_are_embedded_as_they_are_and_many_in_bounded_room_with_exact_sums() {
        let p95: Stat = serde_json::from_str("\"p95\"").unwrap();
        for (n, exact) in [(4096, true), (4097, false), (65_000, false)] {
            let folded = folded(n);
            let all = &folded.groups[&Vec::new()];
            assert!(all.is_exact());
            let text = serde_json::to_string(&Past::of(&folded)).unwrap();
            assert!(text.len() < 90_000, "{n} samples take {} bytes", text.len());
            let past: Past = serde_json::from_str(&text).unwrap();
            let found = past.group(&[]).unwrap();
            assert_eq!((found.is_exact(), found.len()), (exact, u64::from(n)));
            assert_eq!((found.sum(), found.mean(), found.largest()), (all.sum(), all.mean(), all.largest()));
            let (then, now) = (p95.of(&found).unwrap(), p95.of(all).unwrap());
            assert!((then - now).abs() <= sketch::ERROR * now * (1.0 + 1e-9), "{then} {now}");
        }
    }

    #[test]
    fn many_groups_share_one_budget() {
        assert_eq!(limit([4096; 16].into_iter()), 4096);
        assert_eq!(limit([4096; 17].into_iter()), 2048);
        assert_eq!(limit([200; 1000].into_iter()), FEW);
    }
}
