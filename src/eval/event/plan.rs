//! What a run set out to do: the part of the suites that a decision and a report must know, in the record's second line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::checks::prices;
use crate::checks::system::Column;
use crate::eval::keep::Keep;
use crate::eval::shard::Shard;
use crate::model::digest::Digest;
use crate::model::{Level, Severity};
use crate::redact::RedactPlan;
use crate::suite::review::Review;
use crate::suite::{About, ExpectedFail, Gate, Question, Require, Subject};

/// What the run set out to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The day, UTC, against which `expected_fail` is judged; only where a case has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// The filter that took suites, cases or checks out; such a run is partial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Which cases of which earlier run are run again; such a run is partial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun: Option<String>,
    /// The part of the run that is recorded here, and what `merge` must know of how; `None` when all of it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardPlan>,
    /// Settings other than the defaults that decide what is read and measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The suites, in order.
    pub suites: Vec<SuitePlan>,
}

/// One shard of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardPlan {
    /// Which one.
    #[serde(flatten)]
    pub shard: Shard,
    /// Which sessions are kept whole.
    pub keep: Keep,
}

impl Plan {
    /// The shard that is recorded here.
    pub fn shard(&self) -> Option<Shard> {
        self.shard.as_ref().map(|s| s.shard)
    }

    /// What part of the suites this is, in words; `None` when it is all of them.
    pub fn partial(&self) -> Option<String> {
        match (&self.filter, &self.rerun, self.shard()) {
            (Some(_), ..) => Some("--filter took something out".to_owned()),
            (_, Some(rerun), _) => Some(format!("only {rerun}")),
            (.., Some(shard)) => Some(format!("shard {shard}")),
            (None, None, None) => None,
        }
    }

    /// Whether parts of the suites were left out, so that the run is no evidence of the whole.
    pub fn is_partial(&self) -> bool {
        self.partial().is_some()
    }
}

/// What a report must know of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuitePlan {
    /// Its name.
    pub name: String,
    /// The file it came from.
    pub path: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Tools known to exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// Who is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Digest of the resolved suite.
    pub digest: Digest,
    /// Digest of every file read for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Digest>,
    /// Sessions wanted per case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<u32>,
    /// The checks, in order; a verdict names them by position.
    pub checks: Vec<CheckPlan>,
    /// The declared cases; `None` when every session is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cases: Option<Vec<CasePlan>>,
    /// What decides.
    pub gate: Gate,
    /// What the cells of a session's `row` are, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnPlan>,
    /// What was taken out of everything that was written; `None` when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redact: Option<RedactPlan>,
}

impl SuitePlan {
    /// Digest of the prices that costs are by; `None` where nothing needs them.
    pub fn prices(&self) -> Option<Digest> {
        self.files.get(prices::FILE).copied()
    }

    /// How many sessions are wanted of a case; of one that is not declared, those that there are.
    pub fn wanted(&self, declared: Option<&CasePlan>) -> u64 {
        let own = declared.and_then(|case| case.trials).or(self.trials);
        own.map_or(u64::from(declared.is_some()), u64::from)
    }

    /// The position of the check whose judge's errors the pass rate is corrected for; `None` where it is not corrected.
    pub fn corrects(&self) -> Option<u32> {
        let id = self.gate.corrects.as_ref()?;
        self.checks.iter().position(|c| c.id == *id).and_then(|at| u32::try_from(at).ok())
    }

    /// Whether several sessions are wanted of some case.
    pub fn has_trials(&self) -> bool {
        let own = self.cases.iter().flatten().filter_map(|case| case.trials);
        own.chain(self.trials).any(|trials| trials > 1)
    }
}

/// What a later run must know of a column, to compare it with its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnPlan {
    /// The column.
    pub column: Column,
    /// The id of the check whose `on` says which sessions count; `None` when all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
}

/// What a report must know of a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckPlan {
    /// Its id.
    pub id: String,
    /// Its level.
    pub level: Level,
    /// Its rule.
    pub check: String,
    /// What a failure does.
    pub severity: Severity,
    /// Absent subjects are excused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What a person reads about it.
    #[serde(default)]
    pub about: About,
    /// How many of a session's subjects must pass.
    #[serde(default)]
    pub require: Require,
    /// The case it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// Tool names that must be seen or known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_names: Vec<String>,
    /// The earlier run that it compares this one with: `baseline` for that of the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// Which of its verdicts go to a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// What that person has to know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
    /// Its parameters, where it is computed from verdicts that people may change later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<serde_json::Value>,
    /// Parameters, rule and files behind it.
    pub digest: Digest,
    /// `file:line` of its table.
    pub location: String,
    /// Taken out by the filter, or not meant for a gate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inactive: bool,
}

/// What a report must know of a declared case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CasePlan {
    /// Its id.
    pub id: String,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How much it counts.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: f64,
    /// Why it is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,
    /// Sessions wanted of it, where that differs from the suite's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<u32>,
    /// It is known to fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_fail: Option<ExpectedFail>,
    /// Taken out by the filter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub filtered: bool,
}

fn one() -> f64 {
    1.0
}

fn is_one(x: &f64) -> bool {
    *x == 1.0
}
