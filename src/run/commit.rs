//! The one order in which a run is written and folded, whatever the order in which batches are done.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use super::element::{Done, Item, Room, left_out};
use super::engine::{Early, Job, Outcome, Sinks};
use crate::checks::system::{SystemFinding, Window};
use crate::eval::evaluate;
use crate::eval::event::{Ordinal, SessionEvent, SuiteEnd, SystemEvent};
use crate::eval::facts::Facts;
use crate::eval::fold::{Admission, SuiteFold};
use crate::eval::plan::{Planned, PlannedColumn};
use crate::eval::row::Row;
use crate::model::{LeftOut, Problem, Status, Text, Verdict};
use crate::store::{kept, record};

/// The one order in which everything is written and folded.
pub(super) struct Commit<'c, 'p, 'w> {
    next: u64,
    waiting: BTreeMap<u64, Done>,
    fold: &'c mut SuiteFold<'p>,
    sinks: Sinks<'w>,
    job: &'c Job<'c>,
    /// Kept, and how many could have been.
    kept: (u64, u64),
    /// Those of them that passed.
    sample: u64,
    bytes: u64,
    /// The lines of a batch on their way to the record; kept for its memory.
    out: Vec<u8>,
    panicked: bool,
    early: Option<Early>,
    put_together: bool,
}

impl<'c, 'p, 'w> Commit<'c, 'p, 'w> {
    /// Nothing committed but what was wrong before any file was opened, which comes first.
    pub(super) fn new(job: &'c Job<'c>, fold: &'c mut SuiteFold<'p>, sinks: Sinks<'w>) -> Self {
        let mut commit = Self {
            next: 0,
            waiting: BTreeMap::new(),
            fold,
            sinks,
            job,
            kept: (0, 0),
            sample: 0,
            bytes: 0,
            out: Vec::new(),
            panicked: false,
            early: None,
            put_together: false,
        };
        commit.file_problems();
        commit
    }

    /// Whether a batch may be worked on: no further ahead than `window`. `None` when the run has stopped.
    pub(super) fn admits(&self, seq: u64, window: u64) -> Option<bool> {
        self.early.is_none().then_some(seq < self.next + window)
    }

    /// Ends the run before its end.
    pub(super) fn stop(&mut self, why: Early) {
        self.early.get_or_insert(why);
    }

    /// What comes from now on was put together from records.
    pub(super) fn put_together(&mut self) {
        self.put_together = true;
    }

    /// Whether the run ends before its end.
    pub(super) fn is_stopped(&self) -> bool {
        self.early.is_some()
    }

    /// How many more sessions may be kept.
    pub(super) fn room(&self) -> Room {
        let keep = &self.job.keep;
        Room { all: keep.limit.saturating_sub(self.kept.0), passed: keep.passed.saturating_sub(self.sample) }
    }

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

    /// Takes a batch that is done, and commits every batch whose turn has come.
    pub(super) fn take(&mut self, seq: u64, done: Done) {
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

    fn session(&mut self, row: Row, line: &[u8], kept: Option<Box<kept::Entry>>, out: &mut Vec<u8>, file: u32) {
        match self.fold.admit(&row) {
            Admission::Counts => {
                out.extend_from_slice(line);
                if let Some(entry) = kept {
                    self.keep(row.at, &entry);
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
                if let Some(mut entry) = kept {
                    entry.passed = false;
                    self.keep(row.at, &entry);
                }
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
            facts: Facts::default(),
            verdicts,
            row: row.cells.clone(),
        };
        self.put(out, "session", &event);
        Row::of(&event)
    }

    fn keep(&mut self, at: Ordinal, entry: &kept::Entry) {
        // Of those that passed a sample is all that is wanted.
        if entry.passed && self.sample >= self.job.keep.passed {
            return;
        }
        self.kept.1 += 1;
        if self.kept.0 < self.job.keep.limit && !entry.packed.is_empty() {
            self.kept.0 += 1;
            self.sample += u64::from(entry.passed);
            if let Err(why) = kept::keep(self.sinks.kept, self.job.index, at, entry, self.job.redactor) {
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

    /// The sessions are over: the end of the suite, and what its system checks say.
    pub(super) fn finish(mut self) -> Outcome {
        if self.early.is_none() && self.job.stop.load(Ordering::Relaxed) {
            self.early = Some(Early::Interrupted);
        }
        let mut system = Vec::new();
        if self.early.is_none() {
            let end = SuiteEnd {
                suite: self.job.index,
                files: self.job.files.iter().map(|f| f.name.clone()).collect(),
                ignored: self.job.ignored.clone(),
                put_together: self.put_together,
                tools_seen: self.fold.tools_seen.iter().cloned().collect(),
                kept: self.kept,
            };
            let mut out = Vec::new();
            self.put(&mut out, "suite_end", &end);
            self.fold.end = Some(end);
            let bug;
            (system, bug) = decide_system(self.job.planned, self.fold);
            self.panicked |= bug;
            for (check, finding) in &system {
                let event = SystemEvent { suite: self.job.index, check: *check, finding: finding.clone() };
                self.put(&mut out, "system", &event);
            }
            self.write(&out);
        }
        Outcome { stopped: self.early, system, panicked: self.panicked }
    }
}

/// Asks every system check; whether one panicked.
fn decide_system(planned: &Planned<'_>, fold: &SuiteFold<'_>) -> (Vec<(u32, SystemFinding)>, bool) {
    let check_index = |id: &str| planned.plan.checks.iter().position(|c| c.id == id).map(|i| i as u32);
    let position = |column: &PlannedColumn| planned.columns.iter().position(|c| c == column);
    let (mut found, mut panicked) = (Vec::new(), false);
    for (index, check) in planned.system_checks() {
        let declared = planned.columns_of(index, check);
        let columns = declared.iter().filter_map(position).filter_map(|i| fold.columns.get(i)).collect();
        let window = Window { columns, cases: &fold.cases, check_index: &check_index };
        let finding = catch_unwind(AssertUnwindSafe(|| check.decide(&window))).unwrap_or_else(|_| {
            panicked = true;
            SystemFinding::error(format!("a bug in seatrial: the check panicked: {}", evaluate::last_panic()))
        });
        found.push((index as u32, finding));
    }
    (found, panicked)
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
