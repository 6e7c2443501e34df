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
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
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

impl Past {
    /// What a later run needs of a column.
    pub fn of(folded: &super::Folded) -> Self {
        let groups = folded.groups.iter();
        Self {
            groups: groups.map(|(group, s)| PastGroup { group: group.clone(), samples: s.kept() }).collect(),
            sessions: folded.sessions,
            missing: folded.missing,
        }
    }

    /// The samples of a group; `None` when it did not occur.
    pub fn group(&self, group: &[String]) -> Option<Samples> {
        self.groups.iter().find(|g| g.group == group).map(|g| g.samples.samples()).filter(|s| !s.is_empty())
    }
}
