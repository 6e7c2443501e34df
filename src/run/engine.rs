//! Evaluate on all cores, commit in one order.
//!
//! Each worker takes the next batch of whole elements from the source (under a lock, with a recycled buffer), decodes
//! and evaluates them, and hands the results to the commit, which takes batches in order through a bounded window.
//! Memory is bounded by bytes: a window of batches, each of a bounded size, whatever the number of sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::checks::system::{Column, SystemFinding, Window, columns};
use crate::eval::bind::{self, Bound};
use crate::eval::evaluate;
use crate::eval::event::{LeftOutEvent, Ordinal, SessionEvent, SuiteEnd, SystemEvent};
use crate::eval::fold::{Admission, SuiteFold};
use crate::eval::plan::Planned;
use crate::eval::row::Row;
use crate::formats;
use crate::model::{LeftOut, Level, Problem, Redactor, Session, Status, Text, Verdict, digest};
use crate::sources::reader::Reader;
use crate::sources::{Batch, Element, RecordedFile};
use crate::store::record;

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

/// One element of a batch, done.
enum Item {
    Session { row: Box<Row>, line: Range<usize>, kept: Option<Vec<u8>> },
    LeftOut { kind: LeftOut, line: Range<usize> },
}

/// A batch, done.
#[derive(Default)]
struct Done {
    items: Vec<Item>,
    lines: Vec<u8>,
    tools: Vec<String>,
    panicked: bool,
    file: u32,
    /// Bytes of the recording behind it.
    bytes: u64,
}

/// Runs one suite over its recordings: every session evaluated, every event written, every row folded.
pub fn run(job: &Job<'_>, reader: Reader, fold: &mut SuiteFold<'_>, sinks: Sinks<'_>) -> Outcome {
    let source = Mutex::new((reader, Vec::<Vec<u8>>::new()));
    let window = 2 * job.jobs as u64 + 2;
    let commit = Mutex::new(Commit {
        next: 0,
        waiting: BTreeMap::new(),
        fold,
        sinks,
        job,
        kept: (0, 0),
        bytes: 0,
        out: Vec::new(),
        panicked: false,
        early: None,
    });
    lock(&commit).file_problems();
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
                while batch.seq >= commit.next + window && commit.early.is_none() {
                    commit = moved.wait(commit).unwrap_or_else(PoisonError::into_inner);
                }
                if commit.early.is_some() {
                    break;
                }
                job.keep.limit.saturating_sub(commit.kept.0)
            };
            let done = process(job, &batch, &mut tools, room);
            let Batch { seq, buffer, .. } = batch;
            lock(&source).1.push(buffer);
            lock(&commit).take(seq, done);
            moved.notify_all();
        }
        moved.notify_all();
    };
    match rayon::ThreadPoolBuilder::new().num_threads(job.jobs).stack_size(8 << 20).build() {
        Ok(pool) => drop(pool.broadcast(worker)),
        Err(why) => lock(&commit).early = Some(Early::Write(io::Error::other(why))),
    }
    let commit = commit.into_inner().unwrap_or_else(PoisonError::into_inner);
    commit.finish()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one order in which everything is written and folded.
struct Commit<'c, 'p, 'w> {
    next: u64,
    waiting: BTreeMap<u64, Done>,
    fold: &'c mut SuiteFold<'p>,
    sinks: Sinks<'w>,
    job: &'c Job<'c>,
    /// Kept, and how many could have been.
    kept: (u64, u64),
    bytes: u64,
    /// The lines of a batch on their way to the record; kept for its memory.
    out: Vec<u8>,
    panicked: bool,
    early: Option<Early>,
}

impl Commit<'_, '_, '_> {
    /// What was wrong before any file was opened comes first.
    fn file_problems(&mut self) {
        let mut lines = Vec::new();
        for (name, problem) in &self.job.problems {
            self.fold.leave_out(problem.kind);
            let event = left_out(self.job, (u32::MAX, 0), name.clone(), None, problem.clone());
            if let Err(why) = record::event(&mut lines, "left_out", &self.job.redactor.pass(&event)) {
                self.early = Some(Early::Write(why));
            }
        }
        self.write(&lines);
    }

    fn take(&mut self, seq: u64, done: Done) {
        self.waiting.insert(seq, done);
        while self.early.is_none()
            && let Some(done) = self.waiting.remove(&self.next)
        {
            self.next += 1;
            self.commit(done);
        }
    }

    fn commit(&mut self, done: Done) {
        self.panicked |= done.panicked;
        self.fold.tools_seen.extend(done.tools);
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        for item in done.items {
            match item {
                Item::LeftOut { kind, line } => {
                    self.fold.leave_out(kind);
                    out.extend_from_slice(&done.lines[line]);
                }
                Item::Session { row, line, kept } => self.session(*row, &done.lines[line], kept, &mut out, done.file),
            }
            if self.job.fail_fast && self.early.is_none() && self.fold.is_lost() {
                self.early = Some(Early::FailFast);
                break;
            }
        }
        self.write(&out);
        self.out = out;
        self.bytes += done.bytes;
        (self.job.progress)(self.fold.read(), self.bytes);
    }

    fn session(&mut self, row: Row, line: &[u8], kept: Option<Vec<u8>>, out: &mut Vec<u8>, file: u32) {
        match self.fold.admit(&row) {
            Admission::Counts => {
                out.extend_from_slice(line);
                if let Some(bytes) = kept {
                    self.keep(&bytes);
                }
                self.fold.add(row);
            }
            Admission::Duplicate => {
                let problem = Problem::new(LeftOut::Duplicate, "the same session was already read");
                self.fold.leave_out(problem.kind);
                let name = self.job.files.get(file as usize).map(|f| f.name.clone()).unwrap_or_default();
                let event = left_out(self.job, row.at, name, Some(row.id.to_string()), problem);
                self.put(out, "left_out", &event);
            }
            Admission::Conflict(reason) => {
                let row = self.conflict(row, reason, out);
                self.fold.add(row);
            }
        }
    }

    /// A session that contradicts another is an error of its case.
    fn conflict(&mut self, row: Row, reason: String, out: &mut Vec<u8>) -> Row {
        let verdicts = row.verdicts.iter().map(|(check, ..)| errored(*check, &reason)).collect();
        let event = SessionEvent {
            suite: self.job.index,
            at: row.at,
            id: Text::from(&*row.id),
            case: Text::from(&*row.case),
            trial: row.trial.as_deref().map(Text::from),
            tags: row.tags.clone(),
            digest: row.digest,
            error: Some(reason),
            verdicts,
            row: row.cells.clone(),
        };
        self.put(out, "session", &event);
        Row::of(&event)
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.kept.1 += 1;
        if self.kept.0 < self.job.keep.limit && !bytes.is_empty() {
            self.kept.0 += 1;
            if let Err(why) = self.sinks.kept.write_all(bytes) {
                self.early.get_or_insert(Early::Write(why));
            }
        }
    }

    fn put<T: serde::Serialize>(&mut self, out: &mut Vec<u8>, name: &str, event: &T) {
        if let Err(why) = record::event(out, name, &self.job.redactor.pass(event)) {
            self.early.get_or_insert(Early::Write(why));
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Err(why) = self.sinks.record.write_all(bytes) {
            self.early = Some(Early::Write(why));
        }
    }

    fn finish(mut self) -> Outcome {
        if self.early.is_none() && self.job.stop.load(Ordering::Relaxed) {
            self.early = Some(Early::Interrupted);
        }
        let mut system = Vec::new();
        if self.early.is_none() {
            let end = SuiteEnd {
                suite: self.job.index,
                files: self.job.files.iter().map(|f| f.name.clone()).collect(),
                ignored: self.job.ignored.clone(),
                tools_seen: self.fold.tools_seen.iter().cloned().collect(),
                kept: self.kept,
            };
            let mut out = Vec::new();
            self.put(&mut out, "suite_end", &end);
            self.fold.end = Some(end);
            system = decide_system(self.job.planned, self.fold);
            for (check, finding) in &system {
                let event = SystemEvent { suite: self.job.index, check: *check, finding: finding.clone() };
                self.put(&mut out, "system", &event);
            }
            self.write(&out);
        }
        Outcome { stopped: self.early, system, panicked: self.panicked }
    }
}

/// Asks every system check.
fn decide_system(planned: &Planned<'_>, fold: &SuiteFold<'_>) -> Vec<(u32, SystemFinding)> {
    let check_index = |id: &str| planned.plan.checks.iter().position(|c| c.id == id).map(|i| i as u32);
    let position = |column: &Column| planned.columns.iter().position(|c| c == column);
    let mut found = Vec::new();
    for (index, check) in planned.system_checks() {
        let declared = check.columns();
        let columns = declared.iter().filter_map(position).filter_map(|i| fold.columns.get(i)).collect();
        let window = Window { columns, cases: &fold.cases, check_index: &check_index };
        let finding = catch_unwind(AssertUnwindSafe(|| check.decide(&window))).unwrap_or_else(|_| SystemFinding {
            status: Status::Error,
            value: None,
            count: 0,
            groups: Vec::new(),
            bound: None,
            reason: format!("a bug in seatrial: the check panicked: {}", evaluate::last_panic()),
            unexercised: false,
        });
        found.push((index as u32, finding));
    }
    found
}

fn left_out(job: &Job<'_>, at: Ordinal, file: String, id: Option<String>, problem: Problem) -> LeftOutEvent {
    LeftOutEvent {
        suite: job.index,
        at,
        file,
        id,
        kind: problem.kind,
        message: problem.message,
        offset: problem.offset,
    }
}

fn errored(check: u32, reason: &str) -> Verdict {
    let mut subjects = crate::model::Tally::default();
    subjects.add(Status::Error);
    Verdict {
        check,
        status: Status::Error,
        subjects,
        score: None,
        confidence: 1.0,
        reason: reason.to_owned(),
        findings: Vec::new(),
    }
}

/// Decodes and evaluates the elements of a batch.
fn process(job: &Job<'_>, batch: &Batch, tools: &mut BTreeSet<String>, room: u64) -> Done {
    // Verdicts take about an eighth of what they judge; growing in steps would copy them over and over.
    let lines = Vec::with_capacity(batch.buffer.len().min(1 << 20) / 4);
    let mut done = Done { lines, file: batch.file, bytes: batch.read, ..Done::default() };
    for element in &batch.elements {
        let start = done.lines.len();
        let at = (batch.file, element.index);
        let result = catch_unwind(AssertUnwindSafe(|| one(job, batch, element, at, tools, room, &mut done)));
        let result = result.unwrap_or_else(|_| {
            done.panicked = true;
            let said = evaluate::last_panic();
            Err((None, Problem::new(LeftOut::Malformed, format!("a bug in seatrial: reading it panicked: {said}"))))
        });
        if let Err((id, mut problem)) = result {
            done.lines.truncate(start);
            problem.offset = problem.offset.or(Some(element.offset));
            let kind = problem.kind;
            let name = job.files.get(batch.file as usize).map(|f| f.name.clone()).unwrap_or_default();
            let event = left_out(job, at, name, id, problem);
            // Writing to memory fails only when a value cannot be JSON, which plain strings and numbers always can.
            let _ = record::event(&mut done.lines, "left_out", &job.redactor.pass(&event));
            done.items.push(Item::LeftOut { kind, line: start..done.lines.len() });
        }
    }
    done
}

type Left = (Option<String>, Problem);

/// Decodes and evaluates one element. `Err` says why it is left out.
fn one(
    job: &Job<'_>,
    batch: &Batch,
    element: &Element,
    at: Ordinal,
    tools: &mut BTreeSet<String>,
    room: u64,
    done: &mut Done,
) -> Result<(), Left> {
    let range = element.content.clone().map_err(|p| (None, p))?;
    let Some(decoder) = &batch.decoder else {
        return Err((None, Problem::new(LeftOut::Malformed, "the file could not be used")));
    };
    let session = decoder.decode(&batch.buffer[range], element.index, &batch.stem).map_err(|p| (None, p))?;
    let planned = job.planned;
    let named = |kind, message: String| (Some(session.id.to_string()), Problem::new(kind, message));
    let mut bound = bind::bind(planned.suite, &session).map_err(|(kind, why)| named(kind, why))?;
    if !planned.looks_at(&bound.case_id, &bound.tags, bound.case_index) {
        return Err(named(LeftOut::Filtered, "taken out by --filter".into()));
    }
    stale(job, &session).map_err(|why| named(LeftOut::Stale, why))?;
    for (_, call) in session.tool_calls() {
        if !tools.contains(call.name.as_str()) {
            tools.insert(call.name.to_string());
            done.tools.push(call.name.to_string());
        }
    }
    let active = |check: usize| planned.applies(check, &bound.case_id, &bound.tags);
    let evaluated = evaluate::evaluate(planned.suite, &session, &bound, &active);
    done.panicked |= evaluated.panicked;
    let event = SessionEvent {
        suite: job.index,
        at,
        id: session.id.clone(),
        case: bound.case_id.clone(),
        trial: bound.trial.clone(),
        tags: if bound.case.is_some() { Vec::new() } else { bound.tags.to_vec() },
        digest: digest::session(&session),
        error: bound.error.take(),
        row: cells(planned, &session, &bound, &evaluated.verdicts),
        verdicts: evaluated.verdicts,
    };
    let start = done.lines.len();
    let written = record::event(&mut done.lines, "session", &job.redactor.pass(&event));
    written.map_err(|why| named(LeftOut::Malformed, format!("its verdicts cannot be written as JSON: {why}")))?;
    let kept = kept(job, &session, &event, room);
    done.items.push(Item::Session { row: Box::new(Row::of(&event)), line: start..done.lines.len(), kept });
    Ok(())
}

/// What the session contributes to the columns of system checks.
fn cells(
    planned: &Planned<'_>,
    session: &Session<'_>,
    bound: &Bound<'_>,
    verdicts: &[Verdict],
) -> Vec<crate::checks::system::Cell> {
    let tally = |id: &str| {
        let index = planned.plan.checks.iter().position(|c| c.id == id)?;
        verdicts.iter().find(|v| v.check as usize == index).map(|v| v.subjects)
    };
    planned.columns.iter().map(|column| columns::project(column, session, &bound.tags, &tally)).collect()
}

/// The session in seatrial's own format, when it is one to keep; empty when it would be but there is no room.
fn kept(job: &Job<'_>, session: &Session<'_>, event: &SessionEvent<'_>, room: u64) -> Option<Vec<u8>> {
    let checks = &job.planned.plan.checks;
    let decides = |v: &&Verdict| {
        let check = &checks[v.check as usize];
        check.severity.blocks() && check.level != Level::System
    };
    let passed = event.error.is_none()
        && event.verdicts.iter().filter(decides).all(|v| matches!(v.status, Status::Pass | Status::Skip));
    if !(if passed { job.keep.passed } else { job.keep.failed }) {
        return None;
    }
    let mut bytes = Vec::new();
    if room > 0 && formats::seatrial::write(job.redactor.pass(session).get(), &mut bytes).is_err() {
        bytes.clear();
    }
    Some(bytes)
}

/// Why a session is too old, if so.
fn stale(job: &Job<'_>, session: &Session<'_>) -> Result<(), String> {
    let Some(max_age) = job.planned.suite.recorded.max_age else { return Ok(()) };
    let recorded = session.end_ns.or(session.start_ns).or_else(|| session.spans().filter_map(|s| s.end_ns).max());
    let Some(recorded) = recorded else {
        return Err("the session says no time, and `max_age` asks for one".into());
    };
    let age = job.now_ns.saturating_sub(recorded);
    if u128::from(age) > max_age.as_nanos() {
        return Err(format!(
            "the session is {} hours old, `max_age` allows {}",
            age / 3_600_000_000_000,
            max_age.as_secs() / 3600
        ));
    }
    Ok(())
}
