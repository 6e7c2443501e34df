//! What every check may say, whatever its rule.

use schemars::JsonSchema;
use serde::Deserialize;

use super::gate::RequireKey;
use super::review::Review;
use crate::model::Severity;

/// The keys that every check may have.
pub const COMMON: &[&str] = &[
    "id",
    "check",
    "on",
    "severity",
    "optional",
    "require",
    "tags",
    "description",
    "owner",
    "link",
    "review",
    "runs_in",
    "override",
];

/// The keys that every check may have, as they are written (`on` apart, which is a [`crate::checks::select::Selector`]).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommonKeys {
    /// Its id; unique in the suite, never a template.
    pub id: String,
    /// The rule it applies.
    pub check: String,
    /// What a failure does to the gate: `critical`, `block`, `warn` or `info`.
    #[serde(default)]
    pub severity: Severity,
    /// Absent subjects are excused (never errors).
    #[serde(default)]
    pub optional: bool,
    /// How many of a session's subjects must pass; span and turn level only.
    pub require: Option<RequireKey>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Who owns it.
    #[serde(default)]
    pub owner: String,
    /// Where to read more.
    #[serde(default)]
    pub link: String,
    /// Which of its verdicts go to a person.
    pub review: Option<Review>,
    /// Where it runs: both unless given.
    pub runs_in: Option<Vec<RunsIn>>,
    /// Replaces the inherited check of the same id.
    #[serde(default)]
    pub r#override: bool,
}

/// Where a check runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunsIn {
    /// In `seatrial run`.
    Gate,
    /// In `seatrial watch`.
    Watch,
}

impl RunsIn {
    /// Its name in suites.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Watch => "watch",
        }
    }
}
