//! Runs: what was judged, what was decided, and every verdict behind it. The nouns are here; `write` keeps a run, `read`
//! lists runs and gives them back.

mod read;
mod write;

pub(super) use read::READERS;

use crate::ledger::Millis;
use crate::model::digest::Digest;
use crate::model::{Level, Severity, Status};

/// A run, but for its suites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: String,
    /// The agent that was judged, where the suites name one.
    pub agent: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// When it began.
    pub started: Millis,
    /// When it ended.
    pub finished: Option<Millis>,
    /// How it ended.
    pub exit_code: Option<u8>,
    /// What part of the suites it is, in words; `None` when it is all of them.
    pub partial: Option<String>,
    /// The seatrial that ran it.
    pub seatrial: String,
    /// Where its record is, as it was named.
    pub record: String,
    /// Digest of the record as the run left it; `None` where nobody saw it end.
    pub record_digest: Option<Digest>,
}

/// What was decided of a suite.
#[derive(Debug, Clone, PartialEq)]
pub struct SuiteRow {
    /// Its name.
    pub name: String,
    /// Digest of the resolved suite.
    pub digest: Digest,
    /// The decision, as in `summary.json`.
    pub decision: String,
    /// Why.
    pub reasons: Vec<String>,
    /// Its part of `summary.json`.
    pub summary: Option<String>,
    /// Its checks, in order; verdicts name them by position.
    pub checks: Vec<CheckRow>,
    /// The sessions that were evaluated, with their verdicts.
    pub sessions: Vec<SessionRow>,
}

/// A check of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// Its id.
    pub id: String,
    /// Its digest.
    pub digest: Digest,
    /// Its level.
    pub level: Level,
    /// Its severity.
    pub severity: Severity,
}

/// A session that was evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRow {
    /// Its digest.
    pub digest: Digest,
    /// Its id, as it may be written.
    pub session_id: String,
    /// Its case.
    pub case: String,
    /// Its trial.
    pub trial: Option<String>,
    /// What the checks said.
    pub verdicts: Vec<VerdictRow>,
}

/// What a check said of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictRow {
    /// Position of the check in the suite.
    pub check: u32,
    /// The verdict.
    pub status: Status,
    /// Its score; `None` where nothing was measured.
    pub score: Option<f64>,
    /// How sure the check is.
    pub confidence: f64,
    /// Why; may be empty.
    pub reason: String,
}

/// A run with everything that is kept of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The run.
    pub run: RunRow,
    /// Its suites, in order.
    pub suites: Vec<SuiteRow>,
}

/// A run as it is listed: its suites without checks and sessions.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run.
    pub run: RunRow,
    /// Its suites, in order; `checks` and `sessions` are empty.
    pub suites: Vec<SuiteRow>,
}

/// Which runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this suite.
    pub suite: Option<String>,
    /// Of this agent.
    pub agent: Option<String>,
    /// Of this version.
    pub version: Option<String>,
    /// That began then or later.
    pub since: Option<Millis>,
}
