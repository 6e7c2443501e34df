//! Floor 2: from TOML to a resolved [`Suite`], with every problem located.
//!
//! One file is one suite. [`load`] reads every file (fragments included) into one space of positions, `raw` parses
//! them with recovery, [`resolve`] assembles each suite from its fragments and itself: its checks in `order`, each
//! compiled by its rule in `check`, its [`cases`] inline and from [`case_files`], its [`gate`]. What is wrong is a
//! [`problems::Problem`] with file, position and help; all of them are reported at once. A [`Suite`] is immutable from
//! then on; what has templates in it ([`crate::checks::jinja`]) is rendered per subject by [`template`].

pub mod agent;
mod baseline;
pub mod case_files;
pub mod cases;
mod check;
pub mod common;
mod confidence;
pub mod correct;
mod declared;
mod defaults;
mod digests;
pub mod files;
pub mod filter;
pub mod gate;
pub mod load;
pub mod means;
mod order;
pub mod own;
mod paths;
pub mod problems;
pub mod question;
mod raw;
pub mod redact;
mod reference;
mod referred;
mod rendering;
pub mod resolve;
pub mod review;
pub mod schema;
pub mod settings;
pub mod template;
#[cfg(test)]
mod tests;
pub mod watch;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use crate::checks::nearest;
pub use baseline::{BaselineBar, IfMissing};
pub use common::RunsIn;
pub use correct::LabelsFile;
pub use question::Question;

use crate::checks::Compiled;
use crate::checks::askable::Asked;
use crate::checks::expect::{Expected, Wanted};
use crate::checks::prices::Prices;
use crate::checks::withheld::Parts;
use crate::model::digest::Digest;
use crate::model::{Level, Severity};
use crate::redact::Redactor;
use crate::stats::corrected::Method;

/// A suite, resolved: nothing in it refers to a file or a name any more.
pub struct Suite {
    /// Its name; unique in a run.
    pub name: String,
    /// The file it came from, as the user would name it.
    pub path: PathBuf,
    /// What it is for.
    pub description: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Tools that are known to exist, whether or not a session calls them.
    pub tools: Vec<String>,
    /// Who is judged; `None` judges whatever the recordings hold.
    pub subject: Option<Subject>,
    /// Where the sessions come from.
    pub recorded: Recorded,
    /// The live agent that its cases can be driven against.
    pub live: Option<agent::Live>,
    /// Sessions wanted per case; `None` takes what there is.
    pub trials: Option<u32>,
    /// The declared cases; `None` when every session is its own case.
    pub cases: Option<Cases>,
    /// Every check in order of declaration, case-level ones after those of the suite.
    pub checks: Vec<CheckDef>,
    /// What decides.
    pub gate: Gate,
    /// Digest of the resolved suite and every file read for it.
    pub digest: Digest,
    /// Digest of each file read for it, by path.
    pub files: BTreeMap<String, Digest>,
    /// What tokens cost.
    pub prices: Arc<Prices>,
    /// What is taken out of everything that is written of its sessions: its own rules and those of the settings.
    pub redactor: Redactor,
    /// How production is watched with it.
    pub watch: watch::Watch,
    /// Production is held against it: where nothing is expected, checks that need to know what is are skipped.
    pub watched: bool,
}

/// Who is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The agent's name.
    pub agent: String,
    /// Its version; a session of another or of no version is then an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl std::fmt::Display for Subject {
    /// As `--subject` takes it: `agent`, or `agent@version`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.agent)?;
        self.version.iter().try_for_each(|version| write!(f, "@{version}"))
    }
}

/// Where recorded sessions come from.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// Files, globs and folders, relative to `base`; empty when the run must name sessions itself. Environment
    /// variables are in place here, so these never enter a record.
    pub paths: Vec<String>,
    /// The paths as they are written in the suite.
    pub written: Vec<String>,
    /// The folder that `paths` are relative to: that of the suite's file, or the working directory (empty) when the run
    /// names the sessions.
    pub base: PathBuf,
    /// The format; `None` guesses it per file.
    pub format: Option<&'static str>,
    /// The attribute of spans that names their session, before the usual ones.
    pub session: Option<String>,
    /// The attribute of the session, or of its spans, that names the case; its absence is then an error.
    pub case: Option<String>,
    /// The attribute of the session, or of its spans, that names the trial; its absence is then an error.
    pub trial: Option<String>,
    /// Older sessions (and those without a time) are left out.
    pub max_age: Option<std::time::Duration>,
}

/// The declared cases of a suite.
#[derive(Debug, Clone, Default)]
pub struct Cases {
    /// In order of declaration.
    pub list: Vec<Case>,
    /// Position by id.
    pub by_id: std::collections::HashMap<String, usize>,
}

/// A thing the agent is asked to do, with what is expected of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its id; unique in the suite.
    pub id: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// What the user says, turn by turn.
    pub script: Vec<agent::Line>,
    /// Who the user is, where a model plays it.
    pub simulated: Option<agent::UserTable>,
    /// Sessions wanted of it, where that differs from the suite's.
    pub trials: Option<u32>,
    /// What is expected of the session.
    pub expected: Arc<Expected<'static>>,
    /// What is expected of each turn, where given.
    pub turn_expected: Vec<Option<Expected<'static>>>,
    /// Why it is not looked at; `None` looks.
    pub skip: Option<String>,
    /// It is known to fail, until a date.
    pub expected_fail: Option<ExpectedFail>,
    /// How much it counts in the pass rate.
    pub weight: f64,
    /// The case as templates see it: everything declared, unknown columns of a cases file included.
    pub vars: serde_json::Value,
}

/// A case that is known to fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFail {
    /// The last day on which a failure is excused, `YYYY-MM-DD`.
    pub until: String,
    /// Why.
    pub reason: String,
}

/// One check of a suite.
pub struct CheckDef {
    /// Its id; unique in the suite.
    pub id: String,
    /// Its level.
    pub level: Level,
    /// The name of its rule.
    pub rule: &'static str,
    /// What a failure does to the gate.
    pub severity: Severity,
    /// Absent subjects are excused (never errors).
    pub optional: bool,
    /// Its own tags.
    pub tags: Vec<String>,
    /// What it is for, who owns it, where to read more.
    pub about: About,
    /// Which subjects it is applied to.
    pub on: template::On,
    /// How many of a session's subjects must pass. Span and turn level only.
    pub require: Require,
    /// Which of its verdicts go to a person.
    pub review: Option<review::Routes>,
    /// What a person who decides over its verdicts has to know of it.
    pub question: Option<Question>,
    /// The parameters, of a check over how others went: it can then be asked again from a record alone.
    pub parameters: Option<serde_json::Value>,
    /// The case it belongs to; `None` applies to all.
    pub case: Option<usize>,
    /// Its parameters, compiled.
    pub program: Program,
    /// Tool names that must be seen in a session or listed in `[suite] tools`.
    pub tool_names: Vec<String>,
    /// The models that it asks, by name.
    pub asks: Vec<Asked>,
    /// What of a reference it cannot do without.
    pub wants: Option<Wanted>,
    /// Parameters, rule and files behind it.
    pub digest: Digest,
    /// `file:line` of its table.
    pub location: String,
}

/// What a person reads about a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub link: String,
}

/// A check's parameters, ready to run.
pub enum Program {
    /// Literal parameters, compiled once.
    Fixed(Compiled),
    /// Parameters with templates, compiled per distinct rendering.
    Templated(Box<template::Templated>),
}

impl Program {
    /// What rendering it reads of a session.
    pub fn reads(&self) -> Parts {
        match self {
            Self::Fixed(_) => Parts::NONE,
            Self::Templated(templated) => templated.reads(),
        }
    }
}

/// How many of a session's subjects must pass.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Require {
    /// All of them.
    #[default]
    All,
    /// At least one.
    Any,
    /// At least this many.
    Count(u64),
    /// At least this share, in (0, 1].
    Share(f64),
}

/// A limit that is a count or a share: in a suite, an integer is a count and a float a share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// At most this many.
    Count(u64),
    /// At most this share of the total, in [0, 1].
    Share(f64),
}

impl Limit {
    /// Whether `n` of `total` keeps it.
    pub fn allows(self, n: u64, total: u64) -> bool {
        match self {
            Limit::Count(max) => n <= max,
            Limit::Share(share) => n as f64 <= share * total as f64 + 1e-9,
        }
    }
}

/// What decides over a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The share of cases that must pass.
    pub pass_rate: PassRate,
    /// pass^k over the trials of each case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reliability: Option<Reliability>,
    /// Elements and files that could not be used.
    pub max_left_out: Limit,
    /// Declared cases without a session, or with fewer trials than wanted.
    pub max_missing_cases: Limit,
    /// Cases that could not be measured.
    pub max_error_rate: Limit,
    /// Cases that the suite skips.
    pub max_skip_rate: Limit,
    /// Stricter bars for tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GateGroup>,
    /// The run that this one must not be worse than.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineBar>,
    /// The export with the labels to correct by; `None` reads them from the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelsFile>,
    /// The check whose judge's errors pass rates are corrected for; `None` where none is corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<String>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            pass_rate: PassRate { min: 1.0, confidence: None, correct: None },
            reliability: None,
            max_left_out: Limit::Count(0),
            max_missing_cases: Limit::Count(0),
            max_error_rate: Limit::Share(0.0),
            max_skip_rate: Limit::Share(0.0),
            groups: Vec::new(),
            baseline: None,
            labels: None,
            corrects: None,
        }
    }
}

/// The share of cases that must pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassRate {
    /// At least this share, in [0, 1].
    pub min: f64,
    /// How sure: the one-sided lower bound of the share at this confidence, in [0.5, 1), must reach `min`. Without it the
    /// share itself must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Corrects the share for the errors of the judge, by what people said of its verdicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct: Option<Method>,
}

/// A bar on pass^k.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// How many trials must all pass.
    pub k: u32,
    /// At least this mean over the cases; without it the number is only reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// How sure: the one-sided lower bound of the mean at this confidence, in [0.5, 1), must reach `min`. Without it the
    /// mean itself must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

/// A stricter bar for the cases with a tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateGroup {
    /// The tag. A tag that no case has makes the suite unmeasured.
    pub tag: String,
    /// The share of its cases that must pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass_rate: Option<PassRate>,
    /// pass^k over its cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reliability: Option<Reliability>,
    /// With a baseline: how much lower the share of its passing cases may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}
