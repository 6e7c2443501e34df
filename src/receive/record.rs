//! Writes the sessions of whatever agents send, each as it is complete: when every one of its traces has ended at its
//! root and nothing more has arrived for a while, when nothing at all has arrived for longer, or at the end.
//!
//! What arrives for a session after that is not lost: it becomes a session of its own, which says which one it goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::inbox::{Inbox, Limits, Recovered, State};
use super::spool::{Left, Spool, SpoolError, Spot};
use crate::assemble::SpillError;
use crate::assemble::build::Builder;
use crate::assemble::live::{Key, Taken, Waiting};
use crate::formats::{Decoder, seatrial};
use crate::model::{Payload, Session, Text};
use crate::redact::Redactor;

/// The attribute of a session that goes on another: the id of that.
pub const CONTINUES: &str = "seatrial.continues";

/// When a session is complete.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Nothing arrived for so long, and every trace has ended at its root.
    pub idle: Duration,
    /// Nothing arrived for so long, whatever has ended.
    pub open: Duration,
}

/// What was written so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Sessions.
    pub sessions: u64,
    /// Those of them in which a trace had not ended at its root.
    pub open: u64,
    /// Those of them that go on a session that was written before.
    pub continued: u64,
    /// Homes of which no session could be made: log records without any span.
    pub left_out: u64,
}

/// Why recording cannot go on. What was acknowledged and not yet written stays in the spool.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Another process records there.
    #[error("another process is recording into `{}`", .0.display())]
    Busy(PathBuf),
    /// The file of sessions.
    #[error("`{}` could not be written: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        why: io::Error,
    },
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Records that waited on disk.
    #[error(transparent)]
    Spill(#[from] SpillError),
}

/// Writes sessions.
pub struct Recorder {
    inbox: Arc<Inbox>,
    path: PathBuf,
    file: File,
    /// Bytes of the file.
    length: u64,
    redactor: Redactor,
    builder: Builder,
    patience: Patience,
    written: Written,
}

impl Recorder {
    /// Writes at the end of the file at `path`; `spool` is the folder of what was not yet written. What an earlier
    /// process had acknowledged waits again, and what it had written without having noted that is cut off.
    pub fn open(
        path: &Path,
        spool: &Path,
        limits: Limits,
        patience: Patience,
        redactor: Redactor,
    ) -> Result<(Self, Recovered), RecordError> {
        let failed = |why| RecordError::File { path: path.to_owned(), why };
        let left = Left::open(spool).map_err(|why| match why.kind() {
            io::ErrorKind::WouldBlock => RecordError::Busy(path.to_owned()),
            _ => SpoolError::Disk { dir: spool.to_owned(), why }.into(),
        })?;
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).map_err(failed)?;
        let mut length = file.metadata().map_err(failed)?.len();
        if let Some(known) = left.written.filter(|known| *known < length) {
            file.set_len(known).map_err(failed)?;
            length = known;
        }
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let builder = Builder { session_attribute: limits.session_attribute.clone() };
        let (inbox, recovered) = Inbox::open(left, length, limits, redactor.clone(), |_, _| ())?;
        let (inbox, path, written) = (Arc::new(inbox), path.to_owned(), Written::default());
        Ok((Self { inbox, path, file, length, redactor, builder, patience, written }, recovered))
    }

    /// Where requests go.
    pub fn inbox(&self) -> Arc<Inbox> {
        self.inbox.clone()
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        self.written
    }

    /// How many records wait.
    pub fn waiting(&self) -> u64 {
        self.inbox.lock().live.records_of(|_| true)
    }

    /// Writes the sessions that are complete; no more than `most`.
    pub fn sweep(&mut self, now: Instant, most: u64) -> Result<(), RecordError> {
        let Patience { idle, open } = self.patience;
        let ripe = |w: &Waiting| {
            let quiet = now.saturating_duration_since(w.last);
            quiet >= if w.over { idle.min(open) } else { open }
        };
        self.write_those(now, &ripe, most)
    }

    /// Writes everything that waits.
    pub fn finish(&mut self) -> Result<(), RecordError> {
        self.write_those(Instant::now(), &|_| true, u64::MAX)
    }

    /// Ends it. The spool goes when nothing waits.
    pub fn close(self) -> Result<Written, RecordError> {
        // Who still holds the inbox lets it go later, with nothing in it.
        if let Ok(inbox) = Arc::try_unwrap(self.inbox) {
            inbox.close()?;
        }
        Ok(self.written)
    }

    fn write_those(&mut self, now: Instant, which: &dyn Fn(&Waiting) -> bool, most: u64) -> Result<(), RecordError> {
        let mut ripe: Vec<Waiting> = self.inbox.lock().live.waiting().filter(|w| which(w)).collect();
        // In the order in which they began, as far as that is known.
        ripe.sort_by_key(|w| (w.since, w.last, w.home));
        let before = self.written.sessions;
        for waiting in ripe {
            if self.written.sessions - before >= most {
                break;
            }
            let fresh = now.saturating_duration_since(waiting.last) < self.patience.open;
            self.write_one(waiting.home, fresh)?;
        }
        let mut state = self.inbox.lock();
        let State { live, spool, .. } = &mut *state;
        let oldest = live.waiting().map(|w| w.since).min();
        if let Some(spool) = spool {
            let oldest = oldest.unwrap_or_else(|| spool.segment());
            spool.release(oldest);
        }
        Ok(())
    }

    /// Writes the session of a home. `fresh` says that more of it might still have come.
    fn write_one(&mut self, home: Key, fresh: bool) -> Result<(), RecordError> {
        let (taken, times, up_to) = self.take(home);
        let open = taken.traces.iter().filter(|trace| !trace.ended).count();
        let records = taken.bring_back()?;
        let Ok(mut session) = self.builder.decode(&records, 0, "") else {
            self.written.left_out += 1;
            return self.mark(home, up_to);
        };
        if times > 1 {
            goes_on(&mut session, times);
        }
        if open > 0 {
            // Its root may be another process's, which sends its spans elsewhere: then nothing is missing.
            session.incomplete |= fresh;
            let traces = if open == 1 { "1 trace whose root span" } else { &format!("{open} traces whose root spans") };
            session.notes.push(format!("{traces} did not arrive").into());
        }
        let mut line = Vec::new();
        let written = self.redactor.written(&session);
        seatrial::write(written.get(), &mut line)
            .and_then(|()| self.file.write_all(&line))
            .map_err(|why| RecordError::File { path: self.path.clone(), why })?;
        self.length += line.len() as u64;
        self.written.sessions += 1;
        self.written.open += u64::from(open > 0);
        self.written.continued += u64::from(times > 1);
        self.mark(home, up_to)
    }

    /// Takes a home out; how many times it now was, and the last frame whose records are in it.
    fn take(&self, home: Key) -> (Taken, u32, Option<Spot>) {
        let mut state = self.inbox.lock();
        let taken = state.live.remove(home);
        (taken, state.live.times(home), state.spool.as_ref().map(Spool::here))
    }

    fn mark(&self, home: Key, up_to: Option<Spot>) -> Result<(), RecordError> {
        let mut state = self.inbox.lock();
        match state.spool.as_mut().zip(up_to) {
            Some((spool, up_to)) => Ok(spool.mark(home, up_to, self.length)?),
            None => Ok(()),
        }
    }
}

/// Says that a session goes on another one.
fn goes_on(session: &mut Session<'_>, times: u32) {
    let first = session.id.to_string();
    session.id = Text::from(format!("{first}#{times}"));
    session.notes.push(format!("goes on session `{first}`, which had been quiet and was written before").into());
    session.attributes.push(CONTINUES, Payload::text(first));
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
