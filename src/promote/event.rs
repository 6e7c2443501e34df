//! What entries of the log say: what was done to which promotion.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::moment::Moment;
use crate::model::digest::Digest;
use crate::suite::settings::promote::Rules;

/// Who an entry is by where a rule did it, not a person.
pub const BY_RULE: &str = "rule";

/// The name of a promotion: `p` and the place of its first entry in the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id(pub String);

impl Id {
    /// That of the promotion which an entry at a place begins.
    pub fn at(seq: u64) -> Self {
        Self(format!("p{seq}"))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A version of an agent: what is promoted. It never changes; aliases move.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// The agent.
    pub agent: String,
    /// Its version.
    pub version: String,
}

impl Version {
    /// Reads `AGENT@VERSION`; neither may be empty or hold white space.
    ///
    /// # Errors
    /// How it is to be written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let sound = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control());
        match text.split_once('@') {
            Some((agent, version)) if sound(agent) && sound(version) => {
                Ok(Self { agent: agent.to_owned(), version: version.to_owned() })
            }
            _ => Err("an agent and its version, as in `airline@1.4.2`".to_owned()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.agent, self.version)
    }
}

/// What is asked for, and everything that an approval is bound to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The promotion.
    pub promotion: Id,
    /// What is promoted.
    #[serde(flatten)]
    pub version: Version,
    /// Where to.
    pub target: String,
    /// The digest of what is deployed; none where it was not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Digest>,
    /// The digest of `gate.json`, which holds the digests of suites, data and policies.
    pub gate: Digest,
    /// The digest of the statement in its envelope.
    pub statement: Digest,
    /// The rules of the target that hold for it.
    pub rules: Rules,
    /// What the rules refuse and a person overrides.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Override>,
}

/// That a person overrides the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Moment,
    /// What the rules say against it.
    pub refusals: Vec<String>,
}

/// On which occasion a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// A promotion was approved.
    OnApprove,
    /// One was rolled back.
    OnRollback,
}

impl Occasion {
    /// The key in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnApprove => "on_approve",
            Self::OnRollback => "on_rollback",
        }
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Evidence was recorded, without asking for an approval: on request, or because the rules refuse it.
    Drafted {
        /// What it is.
        #[serde(flatten)]
        submission: Submission,
        /// What the rules say against it.
        refusals: Vec<String>,
    },
    /// An approval is asked for.
    Submitted {
        /// What it is.
        #[serde(flatten)]
        submission: Submission,
    },
    /// A person approves, or the rule that asks for no person does.
    Approved {
        /// Which.
        promotion: Id,
        /// Why, where it was said.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// No person approved: the rules of the target ask for none.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        automatic: bool,
        /// The last one wanted: from now on it is approved.
        granted: bool,
        /// When the approval ends; only where it was granted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Moment>,
    },
    /// A person rejects.
    Rejected {
        /// Which.
        promotion: Id,
        /// Why.
        reason: String,
    },
    /// The version that is live at a target is taken back.
    RolledBack {
        /// Which promotion is taken back.
        promotion: Id,
        /// Which is live again.
        to: Id,
        /// Why.
        reason: String,
        /// The alert that did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alert: Option<String>,
    },
    /// A name that is no target points to an approved version from now on.
    Aliased {
        /// The name.
        alias: String,
        /// The promotion by which the version is approved.
        promotion: Id,
        /// Why, where it was said.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// A hook ran.
    Hooked {
        /// For which promotion.
        promotion: Id,
        /// On which occasion.
        occasion: Occasion,
        /// The entry that occasioned it.
        of: u64,
        /// Whether it did what it should.
        done: bool,
        /// What went wrong, or what it said.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        told: String,
    },
}

impl Event {
    /// The promotion that it is about.
    pub fn promotion(&self) -> &Id {
        match self {
            Self::Drafted { submission, .. } | Self::Submitted { submission } => &submission.promotion,
            Self::Approved { promotion, .. }
            | Self::Rejected { promotion, .. }
            | Self::RolledBack { promotion, .. }
            | Self::Aliased { promotion, .. }
            | Self::Hooked { promotion, .. } => promotion,
        }
    }

    /// The word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Drafted { .. } => "drafted",
            Self::Submitted { .. } => "submitted",
            Self::Approved { automatic: true, .. } => "approved by rule",
            Self::Approved { granted: true, .. } => "approved",
            Self::Approved { .. } => "approval",
            Self::Rejected { .. } => "rejected",
            Self::RolledBack { .. } => "rolled back",
            Self::Aliased { .. } => "aliased",
            Self::Hooked { done: true, .. } => "hook done",
            Self::Hooked { .. } => "hook failed",
        }
    }
}

/// Evidence by its digest: `gate.json` and the statement, as text.
pub type Evidence = BTreeMap<Digest, String>;
