//! Reports that are drawn while the run goes on, by a thread of their own, from exactly what is written to its record: so
//! nobody has to read the record again when it ends.
//!
//! What is drawn is the same as [`super::replay`] draws from the record. Only what the gate forgives is not known before
//! its decision; where it forgives anything, JUnit has to be drawn again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::gathered::Gathered;
use super::html::Html;
use super::junit::JUnit;
use super::late::Late;
use super::replay::DrawError;
use super::stage::Stage;
use super::{Drawn, Kept, Line, RunSummary, Sink};
use crate::eval::event::{BaselineEvent, LeftOutEvent, Plan, SessionEvent, SuiteEnd};
use crate::redact::Redacted;
use crate::store::kept::Entry;
use crate::suite::settings::Reports;

/// Batches that may wait to be drawn; it bounds the memory.
const WAITING: usize = 4;

/// A session that was written to the record.
#[derive(Debug)]
pub struct Written {
    /// What its line says.
    pub event: SessionEvent<'static>,
    /// The verdicts in it that did not plainly pass, as they stand there.
    pub details: Vec<u8>,
}

/// Something that was written to the record.
enum Piece {
    Session(Box<Redacted<Written>>, Option<Box<Redacted<Entry>>>),
    LeftOut(Redacted<LeftOutEvent>),
}

/// What the drawing thread is told.
enum Told {
    Pieces(Vec<Piece>),
    End(Box<RunSummary>, Vec<Option<SuiteEnd>>),
}

/// What was drawn.
pub struct Done {
    /// What short reports show.
    pub gathered: Gathered,
    /// The gate forgives something: `junit.xml` was not written.
    pub forgiven: bool,
}

/// A drawing in progress.
pub struct Live {
    pieces: Vec<Piece>,
    /// `None` once it has ended.
    sender: Option<SyncSender<Told>>,
    thread: Option<JoinHandle<Result<Option<Done>, DrawError>>>,
}

impl Live {
    /// Begins those of `junit.xml` and `index.html` that are wanted of a run in its folder; they are there when it ends.
    pub fn begin(dir: &Path, reports: Reports, plan: &Plan, baselines: &[BaselineEvent]) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let (dir, plan, baselines) = (dir.to_owned(), Arc::new(plan.clone()), baselines.to_vec());
        let thread = std::thread::spawn(move || draw(&dir, reports, &plan, &baselines, &receiver));
        Self { pieces: Vec::new(), sender: Some(sender), thread: Some(thread) }
    }

    /// A session that was written to the record, and how it was kept.
    pub fn session(&mut self, event: Box<Redacted<Written>>, kept: Option<Box<Redacted<Entry>>>) {
        self.pieces.push(Piece::Session(event, kept));
    }

    /// Something that was written to be left out.
    pub fn left_out(&mut self, event: Redacted<LeftOutEvent>) {
        self.pieces.push(Piece::LeftOut(event));
    }

    /// Hands over what came since the last time.
    pub fn flush(&mut self) {
        let pieces = std::mem::take(&mut self.pieces);
        self.tell(Told::Pieces(pieces));
    }

    fn tell(&mut self, told: Told) {
        if let Some(sender) = &self.sender {
            // A thread that is gone could not write; it says so when it is asked for what it has drawn.
            let _ = sender.send(told);
        }
    }

    /// The run is over: writes the files.
    ///
    /// # Errors
    /// The first thing that could not be written.
    pub fn end(mut self, summary: &RunSummary, ends: &[Option<&SuiteEnd>]) -> Result<Option<Done>, DrawError> {
        self.flush();
        self.tell(Told::End(Box::new(summary.clone()), ends.iter().map(|end| end.cloned()).collect()));
        self.sender = None;
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(None),
            Some(Ok(done)) => done,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // A drawing that is given up leaves no thread behind.
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Draws what it is told; nothing when it is not told of the end.
fn draw(
    dir: &Path,
    reports: Reports,
    plan: &Plan,
    baselines: &[BaselineEvent],
    receiver: &Receiver<Told>,
) -> Result<Option<Done>, DrawError> {
    let mut junit = JUnit::new(plan, None, Late::new(dir.join(JUNIT)));
    let mut page = Html::new(plan.suites.len(), Late::new(dir.join(PAGE)))?;
    let mut gathered = Gathered::default();
    let mut sinks: Vec<&mut dyn Sink> = vec![&mut gathered];
    if reports.junit {
        sinks.push(&mut junit);
    }
    if reports.html {
        sinks.push(&mut page);
    }
    let mut stage = Stage::new(&mut sinks);
    baselines.iter().for_each(|event| stage.each(|sink| sink.baseline(event)));
    let mut over = None;
    for told in receiver {
        match told {
            Told::Pieces(pieces) => pieces.iter().for_each(|piece| show(&mut stage, piece)),
            Told::End(summary, ends) => over = Some((summary, ends)),
        }
    }
    stage.end(plan.suites.len())?;
    let Some((summary, ends)) = over else { return Ok(None) };
    let (drawn, ends) = (Drawn { plan, summary: &summary }, ends.iter().map(Option::as_ref).collect::<Vec<_>>());
    let forgiven = reports.junit && junit.is_forgiven(&summary);
    if reports.junit && !forgiven {
        junit.end(drawn, &ends)?;
    }
    if reports.html {
        page.end(drawn, &ends)?;
    }
    gathered.end(drawn, &ends)?;
    Ok(Some(Done { gathered, forgiven }))
}

fn show(stage: &mut Stage<'_, '_>, piece: &Piece) {
    match piece {
        Piece::LeftOut(event) => stage.left_out(event.get()),
        Piece::Session(written, None) => stage.session(&line(written), None),
        Piece::Session(written, Some(kept)) => {
            let Entry { packed, passed, against, .. } = kept.get();
            let take = &mut || Ok(packed.clone());
            let kept = &mut Kept { passed: *passed, bytes: packed.len() as u64, against, packed: take };
            stage.session(&line(written), Some(kept));
        }
    }
}

fn line(written: &Redacted<Written>) -> Line<'_> {
    let Written { event, details } = written.get();
    Line { event, details: Some(details) }
}

/// The files of a run's folder that are drawn session by session.
pub const JUNIT: &str = "junit.xml";
/// The page.
pub const PAGE: &str = "index.html";

/// Where they lie.
pub fn files(dir: &Path) -> [PathBuf; 2] {
    [dir.join(JUNIT), dir.join(PAGE)]
}
