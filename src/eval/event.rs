//! What happens in a run, as the record keeps it: one event a line, from which every report can be drawn again.
//!
//! A line with an `event` key is deterministic: the same suites over the same recordings give the same bytes, for any
//! number of threads. A line with a `volatile` key says when, where and how long.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::baseline::{Found, Wanted};
use super::driven::DrivenEvent;
use super::facts::Facts;
use super::keep::Keep;
use super::shard::Shard;
use super::spend::SpendEvent;
use crate::checks::system::{Cell, Column, SystemFinding};
use crate::model::digest::Digest;
use crate::model::{LeftOut, Level, Severity, Text, Verdict};
use crate::redact::RedactPlan;
use crate::suite::review::Review;
use crate::suite::{About, ExpectedFail, Gate, Question, Require, Subject};

/// Version of the record's format.
pub const SCHEMA: u32 = 1;

/// First line of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the format it is written in.
    pub schema: u32,
    /// Oldest version of a reader that understands it.
    pub min_reader: u32,
    /// The seatrial that wrote it.
    pub seatrial: String,
}

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

/// Where an element stood: index of the file in the suite's list, position in the file.
pub type Ordinal = (u32, u64);

/// One session, evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionEvent<'e> {
    /// Position of the suite in the plan.
    pub suite: u32,
    /// Where it stood.
    pub at: Ordinal,
    /// The session's id.
    #[serde(borrow)]
    pub id: Text<'e>,
    /// The case it is a trial of.
    #[serde(borrow)]
    pub case: Text<'e>,
    /// Which trial, as the recording says.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Text<'e>>,
    /// Tags of the case, where the case is not declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Digest of the session, before redaction.
    pub digest: Digest,
    /// Why the session as a whole could not be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it took.
    #[serde(default, skip_serializing_if = "Facts::is_empty")]
    pub facts: Facts,
    /// The verdicts of the checks that applied, by position of the check.
    pub verdicts: Vec<Verdict>,
    /// What it contributes to the columns of the suite's system checks, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub row: Vec<Cell>,
}

impl SessionEvent<'_> {
    /// The same event, detached from the line it was read from.
    pub fn into_owned(self) -> SessionEvent<'static> {
        SessionEvent {
            suite: self.suite,
            at: self.at,
            id: self.id.into_owned(),
            case: self.case.into_owned(),
            trial: self.trial.map(Text::into_owned),
            tags: self.tags,
            digest: self.digest,
            error: self.error,
            facts: self.facts,
            verdicts: self.verdicts,
            row: self.row,
        }
    }
}

/// Something that was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOutEvent {
    /// Position of the suite in the plan.
    pub suite: u32,
    /// Where it stood; the position is 0 for a file as a whole.
    pub at: Ordinal,
    /// The file, as a user would name it.
    pub file: String,
    /// The session's id, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why, as counted.
    pub kind: LeftOut,
    /// Why, in words.
    pub message: String,
    /// Byte offset in the (decompressed) file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The line, from 1, in JSON lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// Sessions of other shards that stood between the last event and the next; only in the record of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// Position of the suite in the plan.
    pub suite: u32,
    /// How many things were met that other shards record.
    pub sessions: u64,
}

/// A system check's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SystemEvent {
    /// Position of the suite in the plan.
    pub suite: u32,
    /// Position of the check in the suite.
    pub check: u32,
    /// What it found.
    pub finding: SystemFinding,
}

/// The end of a suite's sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuiteEnd {
    /// Position of the suite in the plan.
    pub suite: u32,
    /// The files read, in order; ordinals refer to them.
    pub files: Vec<String>,
    /// Files beside them that were not taken for recordings, by their extension.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// Some of the sessions were put together from records, which may lie in several of the files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub put_together: bool,
    /// Every tool that a session called.
    pub tools_seen: Vec<String>,
    /// Sessions kept whole beside the record, and how many could have been.
    pub kept: (u64, u64),
}

/// Something outside of the run that a decision needs, as it was found when the run began: an earlier run that a suite is
/// compared with, or what people said of its judge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineEvent {
    /// Position of the suite in the plan.
    pub suite: u32,
    /// The run as the suite names it, which is what its gate and checks look for; [`super::calibration::NAME`] of labels.
    pub name: String,
    /// What was found there.
    pub found: Found,
}

impl BaselineEvent {
    /// The same with only what is wanted of the earlier run.
    #[must_use]
    pub fn only(mut self, wanted: &Wanted) -> Self {
        if let Found::Baseline(baseline) = &mut self.found {
            baseline.keep(wanted);
        }
        self
    }
}

/// When and where the run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The run's id.
    pub run: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// The command line.
    pub args: Vec<String>,
    /// Threads.
    pub jobs: usize,
}

/// When and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// RFC 3339, UTC.
    pub at: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// The exit code.
    pub exit_code: u8,
    /// Why it ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// A line of the record, read back.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEvent<'e> {
    /// The first line.
    Header(Header),
    /// When it began.
    Started(Started),
    /// What it set out to do.
    Plan(Box<Plan>),
    /// A session.
    Session(SessionEvent<'e>),
    /// Something left out.
    LeftOut(LeftOutEvent),
    /// Sessions of other shards.
    Elsewhere(Elsewhere),
    /// The end of a suite's sessions.
    SuiteEnd(SuiteEnd),
    /// A system check.
    System(SystemEvent),
    /// An earlier run that a suite is compared with.
    Baseline(Box<BaselineEvent>),
    /// What asking models took.
    Spend(SpendEvent),
    /// What driving a live agent took.
    Driven(DrivenEvent),
    /// The end.
    Finished(Finished),
}
