//! Floor 3: one file per output, all drawn from the run record.
//!
//! Sessions are handed to the [`Sink`]s one by one, so that no report holds a run in memory: by [`live`] while they are
//! written to the record, or by [`replay`] from the record, which it also folds (the decision).

pub mod above;
mod counts;
pub mod decision;
pub mod diff;
pub mod gathered;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod late;
pub mod live;
pub mod markdown;
pub mod reasons;
pub mod replay;
pub mod safe;
mod stage;
pub mod terminal;
pub mod transcript;

use std::io;

use serde::{Deserialize, Serialize};

use crate::eval::event::{BaselineEvent, LeftOutEvent, Plan, SessionEvent, SuiteEnd};
use crate::eval::gate::SuiteSummary;
use crate::eval::overlay::Laid;
use crate::store::against::Against;

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
    /// What people decided over its verdicts, where anything was: the numbers and decisions are with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Laid>,
    /// The suites, in order.
    pub suites: Vec<SuiteSummary>,
}

/// A report that is drawn session by session, in the order of the record. What became of the run is known at its end.
pub trait Sink {
    /// The sessions of a suite begin.
    fn suite(&mut self, index: usize) -> io::Result<()>;
    /// A session, and how it was kept, where it was.
    fn session(&mut self, line: &Line<'_>, kept: Option<&mut Kept<'_>>) -> io::Result<()>;
    /// Something left out.
    fn left_out(&mut self, event: &LeftOutEvent) -> io::Result<()>;
    /// An earlier run that a suite is compared with; they stand before all suites.
    fn baseline(&mut self, _event: &BaselineEvent) -> io::Result<()> {
        Ok(())
    }
    /// The record ends. `ends` are those of the suites' sessions; `None` where the run stopped before one.
    fn end(&mut self, drawn: Drawn<'_>, ends: &[Option<&SuiteEnd>]) -> io::Result<()>;
}

/// A session, as the record has it.
pub struct Line<'l> {
    /// What its line says.
    pub event: &'l SessionEvent<'l>,
    /// The verdicts in it that did not plainly pass, as they stand there, where somebody has them.
    pub details: Option<&'l [u8]>,
}

/// A session that was kept whole.
pub struct Kept<'k> {
    /// It passed, and is part of the sample.
    pub passed: bool,
    /// Length of its packed line.
    pub bytes: u64,
    /// How it differs from what was expected of it.
    pub against: &'k [Against],
    /// Its packed line, for those who want it.
    pub packed: &'k mut dyn FnMut() -> io::Result<Vec<u8>>,
}

/// What every report is drawn from, beside the sessions.
#[derive(Clone, Copy)]
pub struct Drawn<'d> {
    /// What the run set out to do.
    pub plan: &'d Plan,
    /// What became of it.
    pub summary: &'d RunSummary,
}
