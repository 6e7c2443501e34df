//! Evaluate on all cores, commit in one order.
//!
//! Each worker takes the next batch of whole elements from the source (under a lock, with a recycled buffer), decodes
//! and evaluates them, and hands the results to the commit, which takes batches in order through a bounded window.
//! Memory is bounded by bytes: a window of batches, each of a bounded size, whatever the number of sessions.
//!
//! There are two rounds: over the files, in which telemetry is only taken in; and over the sessions that were put together
//! from it.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::apart::{self, Crew};
use super::commit::{Commit, Desk};
use super::element::Room;
use super::past::{Known, Past};
use super::{element, system};
use crate::assemble::SpillError;
use crate::assemble::build::Builder;
use crate::assemble::intake::{Draft, Intake, Options};
use crate::checks::asking::Edge;
use crate::checks::system::SystemFinding;
use crate::eval::fold::SuiteFold;
pub use crate::eval::keep::Keep;
use crate::eval::plan::Planned;
use crate::eval::shard::Shard;
use crate::formats::Decode;
use crate::model::Problem;
use crate::redact::Redactor;
use crate::report::live::Live;
use crate::sources::assembled::Assembled;
use crate::sources::reader::Reader;
use crate::sources::{Batch, RecordedFile};
use crate::store::kept::Keeper;

/// What the engine is given for one suite.
pub struct Job<'j> {
    /// The suite and its plan.
    pub planned: &'j Planned<'j>,
    /// Position of the suite in the run.
    pub index: u32,
    /// The files, in ordinal order.
    pub files: &'j [RecordedFile],
    /// Files that were not taken for recordings.
    pub ignored: Vec<String>,
    /// What was wrong before any file was opened, with the name of what it concerns.
    pub problems: Vec<(String, Problem)>,
    /// Nanoseconds since the Unix epoch, for `max_age`.
    pub now_ns: u64,
    /// Threads.
    pub jobs: usize,
    /// Stop when the gate can no longer pass.
    pub fail_fast: bool,
    /// Which sessions are kept whole.
    pub keep: Keep,
    /// The part of the sessions that is recorded; all of them when there is none.
    pub shard: Option<Shard>,
    /// Sessions that are recorded already, where a run is continued.
    pub known: Option<&'j Known>,
    /// Set from outside to end orderly.
    pub stop: &'j AtomicBool,
    /// Told how far the work has come.
    pub progress: &'j (dyn Fn(Reached) + Sync),
    /// The rules that everything written goes through.
    pub redactor: &'j Redactor,
    /// Reports are drawn while it runs.
    pub live: bool,
    /// How telemetry is put together.
    pub assemble: &'j Options,
    /// Answers what checks ask for.
    pub edge: &'j dyn Edge,
    /// Only what checks ask of models is of interest: nothing is written, and nothing counted.
    pub collecting: bool,
    /// Judges sessions elsewhere; here where there is none.
    pub crew: Option<&'j dyn Crew>,
    /// Why nobody judges these sessions any more: every verdict is then an error that says so.
    pub given_up: Option<&'j str>,
}

/// How far the work on a suite has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Sessions that are done.
    pub sessions: u64,
    /// Bytes of the recordings that are read, decompressed.
    pub bytes: u64,
    /// All is read, and sessions are put together from telemetry.
    pub assembling: bool,
}

/// Where the engine writes.
pub struct Sinks<'w> {
    /// The record.
    pub record: &'w mut (dyn Write + Send),
    /// Kept sessions.
    pub kept: &'w mut dyn Keeper,
    /// What the record holds already, where a run is continued.
    pub past: Option<&'w mut Past>,
    /// Reports that are drawn from what is written, as it is written.
    pub live: Option<&'w mut Live>,
}

/// How a suite's sessions ended.
pub struct Outcome {
    /// Why the engine stopped before the end of the sessions.
    pub stopped: Option<Early>,
    /// What the system checks found; none when it stopped.
    pub system: Vec<(u32, SystemFinding)>,
    /// A check or decoder panicked.
    pub panicked: bool,
}

/// Why the engine stopped early.
#[derive(Debug, thiserror::Error)]
pub enum Early {
    /// Told to.
    #[error("interrupted")]
    Interrupted,
    /// The gate can no longer pass.
    #[error("{}", crate::eval::exit::FAIL_FAST)]
    FailFast,
    /// What may be spent is spent.
    #[error("capped: {0}")]
    Capped(String),
    /// The record or the kept sessions could not be written.
    #[error("the record could not be written: {0}")]
    Write(io::Error),
    /// Those who judge elsewhere cannot go on.
    #[error("{0}")]
    Crew(String),
    /// Telemetry that waits for the rest of its session could not be kept.
    #[error(transparent)]
    Spill(SpillError),
    /// What is read differs from what the run that is continued has recorded; nothing was written.
    #[error("{0}")]
    Differs(String),
}

/// Runs one suite over its recordings: every session evaluated, every event written, every row folded.
pub fn run(job: &Job<'_>, mut reader: Reader, fold: &mut SuiteFold<'_>, sinks: Sinks<'_>) -> Outcome {
    let commit = Mutex::new(Commit::new(Desk::of(job), fold, sinks));
    match rayon::ThreadPoolBuilder::new().num_threads(job.jobs).stack_size(8 << 20).build() {
        Ok(pool) => {
            let intake = Intake::new(job.assemble.clone());
            round(job, &pool, &commit, &intake, &mut |buffer| Ok(reader.next(buffer)));
            if let Err(why) = assembled(job, &pool, &commit, intake, &reader) {
                lock(&commit).stop(Early::Spill(why));
            }
        }
        Err(why) => lock(&commit).stop(Early::Write(io::Error::other(why))),
    }
    let commit = commit.into_inner().unwrap_or_else(PoisonError::into_inner);
    commit.finish(&|fold| system::decide(job.planned, fold))
}

/// The second round: over the sessions that were put together.
fn assembled(
    job: &Job<'_>,
    pool: &rayon::ThreadPool,
    commit: &Mutex<Commit<'_, '_, '_>>,
    intake: Intake,
    reader: &Reader,
) -> Result<(), SpillError> {
    let stopped = || job.stop.load(Ordering::Relaxed);
    if stopped() || lock(commit).is_stopped() {
        return Ok(());
    }
    if !intake.is_empty() {
        lock(commit).assembles();
    }
    let builder = Builder { session_attribute: job.assemble.session_attribute.clone() };
    let mut assembled = Assembled::new(intake, builder, reader, &stopped)?;
    // Nothing is telemetry any more.
    let nothing = Intake::new(job.assemble.clone());
    let mut next = |buffer| {
        let batch = assembled.next(buffer)?;
        if batch.is_some() {
            lock(commit).put_together();
        }
        Ok(batch)
    };
    round(job, pool, commit, &nothing, &mut next);
    Ok(())
}

/// Hands out batches, given the buffer of one that is done with.
type NextBatch<'n> = &'n mut (dyn FnMut(Vec<u8>) -> Result<Option<Batch>, SpillError> + Send);

/// Works on everything that a source has, on all threads.
fn round(
    job: &Job<'_>,
    pool: &rayon::ThreadPool,
    commit: &Mutex<Commit<'_, '_, '_>>,
    intake: &Intake,
    next: NextBatch<'_>,
) {
    let source = Mutex::new((next, Vec::<Vec<u8>>::new()));
    let window = 2 * job.jobs as u64 + 2;
    let moved = Condvar::new();
    let worker = |_: rayon::BroadcastContext<'_>| {
        let (mut hands, mut draft) = (element::Hands::default(), Draft::default());
        let mut work = || -> Result<(), SpillError> {
            loop {
                let batch = {
                    let mut source = lock(&source);
                    if job.stop.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    let buffer = source.1.pop().unwrap_or_default();
                    match (source.0)(buffer)? {
                        Some(batch) => batch,
                        None => return Ok(()),
                    }
                };
                let Some(room) = admitted(commit, &moved, batch.seq, window) else { return Ok(()) };
                let batch = batch.whole();
                let done = match &batch.decoder {
                    Some(Decode::Records(decoder)) => element::take_in(job, &batch, &**decoder, intake, &mut draft)?,
                    _ => match job.crew {
                        None => element::process(job, &batch, &mut hands, room),
                        Some(crew) => match apart::process(job, &batch, crew, room) {
                            Ok(done) => done,
                            Err(early) => {
                                lock(commit).stop(early);
                                return Ok(());
                            }
                        },
                    },
                };
                let Batch { seq, buffer, .. } = batch;
                lock(&source).1.push(buffer);
                lock(commit).take(seq, done);
                moved.notify_all();
            }
        };
        if let Err(why) = work() {
            lock(commit).stop(Early::Spill(why));
        }
        moved.notify_all();
    };
    pool.broadcast(worker);
}

/// Waits until a batch may be worked on; how many more sessions may be kept then. `None` when the run has stopped.
fn admitted(commit: &Mutex<Commit<'_, '_, '_>>, moved: &Condvar, seq: u64, window: u64) -> Option<Room> {
    let mut commit = lock(commit);
    loop {
        match commit.admits(seq, window) {
            Some(true) => return Some(commit.room()),
            Some(false) => commit = moved.wait(commit).unwrap_or_else(PoisonError::into_inner),
            None => return None,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod telemetry_tests;
#[cfg(test)]
mod tests;
