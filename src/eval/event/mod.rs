//! What happens in a run, as the record keeps it: one event a line, from which every report can be drawn again.
//!
//! A line with an `event` key is deterministic: the same suites over the same recordings give the same bytes, for any
//! number of threads. A line with a `volatile` key says when, where and how long.

mod plan;

use serde::{Deserialize, Serialize};

use super::baseline::{Found, Wanted};
use super::driven::DrivenEvent;
use super::facts::Facts;
use super::spend::SpendEvent;
use crate::checks::system::{Cell, SystemFinding};
use crate::model::digest::Digest;
use crate::model::{LeftOut, Text, Verdict};

pub use plan::{CasePlan, CheckPlan, ColumnPlan, Plan, ShardPlan, SuitePlan};

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
