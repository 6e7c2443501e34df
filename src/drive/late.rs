//! Spans that arrive after their session was put together: it is put together again with them, as long as its evaluation
//! has not begun, and saved in place of what was saved of it.
//!
//! What that takes, the session as it was driven and the records that arrived, waits packed in a file without a name.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::saved::{Line, Saved};
use super::spent::Spent;
use crate::assemble::SpillError;
use crate::assemble::spill::{Chunk, Packed, Spill};
use crate::formats::seatrial;
use crate::model::Session;
use crate::net::budget::Amount;
use crate::receive::{Collected, Telemetry, TurnTelemetry, join};
use crate::suite::Suite;

/// Bytes that wait in memory before the rest goes to a file.
const ROOM: usize = 8 << 20;

/// What is said of a session of which spans arrived when it was not known any more.
const LATE: &str = "spans arrived so late that they could not be put into the session, and are missing: let the agent export \
                    sooner, or drive fewer sessions in one run";

/// The sessions of a suite as they were driven, with what was told of them.
pub struct Late {
    spill: Spill,
    kept: HashMap<String, Kept>,
}

struct Kept {
    /// Where it stands in the recording.
    at: usize,
    /// The session before anything was put into it.
    session: Chunk,
    turns: Vec<Told>,
    spent: Spent,
}

/// What arrived for a turn.
struct Told {
    records: Vec<Chunk>,
    complete: bool,
    lost: bool,
}

/// A session as it was driven, and what was told of it.
pub struct Unjoined {
    /// The session.
    session: Vec<u8>,
    collected: Collected,
}

/// What came of putting sessions together again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Joined {
    /// How many.
    pub sessions: u64,
    /// What they came to beyond what had been known.
    pub more: Amount,
}

impl Unjoined {
    /// A session before [`join`], with what is put into it.
    ///
    /// # Errors
    /// A payload that claims to be JSON and is not.
    pub fn of(session: &Session<'_>, collected: Collected) -> io::Result<Self> {
        let mut line = Vec::new();
        seatrial::write(session, &mut line)?;
        Ok(Self { session: line, collected })
    }

    /// The session with what was told of it. A turn is begun once, however often it is tried.
    ///
    /// # Errors
    /// It cannot be read back.
    pub fn joined(&self) -> io::Result<Session<'_>> {
        let mut session: Session<'_> = serde_json::from_slice(&self.session).map_err(io::Error::other)?;
        let begun: Vec<Option<usize>> = (0..session.turns.len()).map(Some).collect();
        join(&mut session, &self.collected, &begun);
        Ok(session)
    }
}

impl Late {
    /// Nothing yet; `dir` is for the file.
    pub fn new(dir: &Path) -> Self {
        Self { spill: Spill::new(dir, ROOM), kept: HashMap::new() }
    }

    /// Keeps a session for the case that more of it arrives.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&mut self, at: usize, spent: Spent, Unjoined { session, collected }: &Unjoined) -> io::Result<()> {
        let session = self.pack(session)?;
        let mut turns = Vec::with_capacity(collected.turns.len());
        for turn in &collected.turns {
            turns.push(Told { records: vec![self.pack(&turn.records)?], complete: turn.complete, lost: turn.lost });
        }
        self.kept.insert(spent.id.clone(), Kept { at, session, turns, spent });
        Ok(())
    }

    fn pack(&mut self, bytes: &[u8]) -> io::Result<Chunk> {
        self.spill.keep(Packed::new(bytes)).map_err(io::Error::other)
    }

    /// Puts the sessions together again of which more arrived, and nothing for `quiet`.
    ///
    /// # Errors
    /// Something cannot be read back or written.
    pub fn join(
        &mut self,
        telemetry: &dyn Telemetry,
        quiet: Duration,
        suite: &Suite,
        saved: &mut Saved<'_>,
    ) -> io::Result<Joined> {
        let mut joined = Joined::default();
        for (id, more) in telemetry.again(&|id| self.kept.contains_key(id), quiet) {
            let Some(mut kept) = self.kept.remove(&id) else { continue };
            for (told, more) in kept.turns.iter_mut().zip(&more.turns) {
                told.records.push(self.pack(&more.records)?);
                told.complete = more.complete;
                told.lost |= more.lost;
            }
            let whole = self.whole(&kept).map_err(io::Error::other)?;
            let session = whole.joined()?;
            saved.add(kept.at, &Line::of(&session, &suite.redactor)?)?;
            let spent = Spent::of(&session, &suite.prices);
            joined.more = joined.more.plus(spent.known.minus(kept.spent.known));
            joined.sessions += 1;
            kept.spent = spent;
            self.kept.insert(id, kept);
        }
        Ok(joined)
    }

    /// A session with all that arrived for it.
    fn whole(&mut self, kept: &Kept) -> Result<Unjoined, SpillError> {
        let (mut session, mut part, mut turns) = (Vec::new(), Vec::new(), Vec::new());
        self.spill.read(&kept.session, &mut session)?;
        for told in &kept.turns {
            let mut records = Vec::new();
            for chunk in &told.records {
                self.spill.read(chunk, &mut part)?;
                records.extend_from_slice(&part);
            }
            turns.push(TurnTelemetry { records, complete: told.complete && !told.lost, lost: told.lost });
        }
        Ok(Unjoined { session, collected: Collected { listening: true, turns, ..Collected::default() } })
    }

    /// Marks the sessions of which something arrived that cannot be put into them any more: what is saved is not all. How
    /// many they are, and what is to be said of them.
    ///
    /// # Errors
    /// Something cannot be read back or written.
    pub fn mark(&self, telemetry: &dyn Telemetry, saved: &mut Saved<'_>) -> io::Result<(u64, Option<String>)> {
        let mut places: Vec<usize> =
            self.kept.iter().filter(|(id, _)| telemetry.late(id) > 0).map(|(_, kept)| kept.at).collect();
        places.sort_unstable();
        for at in &places {
            saved.amend(*at, &|session| {
                session.incomplete = true;
                session.notes.push(LATE.into());
            })?;
        }
        let told = (!places.is_empty()).then(|| format!("{} sessions cannot be measured: {LATE}", places.len()));
        Ok((places.len() as u64, told))
    }

    /// How many records arrived of its sessions that are not in them.
    pub fn left(&self, telemetry: &dyn Telemetry) -> u64 {
        self.kept.keys().map(|id| telemetry.late(id)).sum()
    }
}
