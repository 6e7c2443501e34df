//! Floor 3: one file per output, all drawn from the run record.
//!
//! [`replay`] reads the record once to fold it (the decision) and once more to hand every session to the [`Sink`]s, so
//! that no report holds a run in memory.

pub mod counts;
pub mod decision;
pub mod diff;
pub mod gathered;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod reasons;
pub mod replay;
pub mod safe;
pub mod terminal;
pub mod transcript;

use std::io;

use serde::{Deserialize, Serialize};

use crate::eval::event::{BaselineEvent, LeftOutEvent, Plan, SessionEvent};
use crate::eval::gate::SuiteSummary;

/// `summary.json`: the contract for scripts. Keys are only ever added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Version of this format.
    pub schema: u32,
    /// The run's id.
    pub run: String,
    /// The seatrial that decided.
    pub seatrial: String,
    /// The exit code.
    pub exit_code: u8,
    /// A filter took part of the suites out.
    pub partial: bool,
    /// Why the run ended before its end; null when it did not.
    #[serde(default)]
    pub stopped: Option<String>,
    /// The suites, in order.
    pub suites: Vec<SuiteSummary>,
}

/// A report that is drawn session by session, in the order of the record.
pub trait Sink {
    /// The sessions of a suite begin.
    fn suite(&mut self, index: usize) -> io::Result<()>;
    /// A session.
    fn session(&mut self, event: &SessionEvent<'_>) -> io::Result<()>;
    /// Something left out.
    fn left_out(&mut self, event: &LeftOutEvent) -> io::Result<()>;
    /// An earlier run that a suite is compared with; they stand before all suites.
    fn baseline(&mut self, _event: &BaselineEvent) -> io::Result<()> {
        Ok(())
    }
    /// The record ends.
    fn end(&mut self) -> io::Result<()>;
}

/// What every report is drawn from, beside the sessions.
#[derive(Clone, Copy)]
pub struct Drawn<'d> {
    /// What the run set out to do.
    pub plan: &'d Plan,
    /// What became of it.
    pub summary: &'d RunSummary,
}
