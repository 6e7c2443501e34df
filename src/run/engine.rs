//! Evaluate on all cores, commit in one order.
//!
//! Each worker takes the next batch of whole elements from the source (under a lock, with a recycled buffer), decodes
//! and evaluates them, and hands the results to the commit, which takes batches in order through a bounded window.
//! Memory is bounded by bytes: a window of batches, each of a bounded size, whatever the number of sessions.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::commit::Commit;
use super::element;
use crate::checks::system::SystemFinding;
use crate::eval::fold::SuiteFold;
use crate::eval::plan::Planned;
use crate::model::{Problem, Redactor};
use crate::sources::reader::Reader;
use crate::sources::{Batch, RecordedFile};

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
    /// Set from outside to end orderly.
    pub stop: &'j AtomicBool,
    /// Told how many sessions from how many bytes are done.
    pub progress: &'j (dyn Fn(u64, u64) + Sync),
    /// The rules that everything written goes through.
    pub redactor: &'j Redactor,
}

/// Which sessions are kept whole beside the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Those that did not pass.
    pub failed: bool,
    /// Those that passed.
    pub passed: bool,
    /// At most this many in all.
    pub limit: u64,
}

/// Where the engine writes.
pub struct Sinks<'w> {
    /// The record.
    pub record: &'w mut (dyn Write + Send),
    /// Kept sessions, in seatrial's own format.
    pub kept: &'w mut (dyn Write + Send),
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
#[derive(Debug)]
pub enum Early {
    /// Told to.
    Interrupted,
    /// The gate can no longer pass.
    FailFast,
    /// The record or the kept sessions could not be written.
    Write(io::Error),
}

/// Runs one suite over its recordings: every session evaluated, every event written, every row folded.
pub fn run(job: &Job<'_>, reader: Reader, fold: &mut SuiteFold<'_>, sinks: Sinks<'_>) -> Outcome {
    let source = Mutex::new((reader, Vec::<Vec<u8>>::new()));
    let window = 2 * job.jobs as u64 + 2;
    let commit = Mutex::new(Commit::new(job, fold, sinks));
    let moved = Condvar::new();
    let worker = |_: rayon::BroadcastContext<'_>| {
        let mut tools = BTreeSet::new();
        loop {
            let batch = {
                let mut source = lock(&source);
                if job.stop.load(Ordering::Relaxed) {
                    break;
                }
                let buffer = source.1.pop().unwrap_or_default();
                match source.0.next(buffer) {
                    Some(batch) => batch,
                    None => break,
                }
            };
            let room = {
                let mut commit = lock(&commit);
                loop {
                    match commit.admits(batch.seq, window) {
                        Some(true) => break Some(commit.room()),
                        Some(false) => commit = moved.wait(commit).unwrap_or_else(PoisonError::into_inner),
                        None => break None,
                    }
                }
            };
            let Some(room) = room else { break };
            let done = element::process(job, &batch, &mut tools, room);
            let Batch { seq, buffer, .. } = batch;
            lock(&source).1.push(buffer);
            lock(&commit).take(seq, done);
            moved.notify_all();
        }
        moved.notify_all();
    };
    match rayon::ThreadPoolBuilder::new().num_threads(job.jobs).stack_size(8 << 20).build() {
        Ok(pool) => drop(pool.broadcast(worker)),
        Err(why) => lock(&commit).stop(Early::Write(io::Error::other(why))),
    }
    let commit = commit.into_inner().unwrap_or_else(PoisonError::into_inner);
    commit.finish()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
