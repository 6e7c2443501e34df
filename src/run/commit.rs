//! The one order in which a run is written and folded, whatever the order in which batches are done.

mod continued;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::changed::{Changed, Here};
use super::element::{self, Done, Item, Kept, Room, left_out};
use super::engine::{Early, Job, Outcome, Reached, Sinks};
use crate::checks::system::SystemFinding;
use crate::eval::event::{Elsewhere, LeftOutEvent, Ordinal, SessionEvent, SuiteEnd, SystemEvent};
use crate::eval::facts::Facts;
use crate::eval::fold::{Admission, SuiteFold};
use crate::eval::keep::Keep;
use crate::eval::row::Row;
use crate::eval::shard::Shard;
use crate::model::{LeftOut, Problem, Status, Text, Verdict};
use crate::redact::{Redact, Redacted, Redactor};
use crate::report::live::Written;
use crate::sources::RecordedFile;
use crate::store::{kept, record};

/// What the commit must know of its suite, of what is read and of how it is written.
pub struct Desk<'c> {
    /// Position of the suite in the run.
    pub index: u32,
    /// The files, in ordinal order.
    pub files: &'c [RecordedFile],
    /// Files that were not taken for recordings.
    pub ignored: &'c [String],
    /// What was wrong before any file was opened.
    pub problems: &'c [(String, Problem)],
    /// Which sessions are kept whole.
    pub keep: Keep,
    /// The part that is recorded.
    pub shard: Option<Shard>,
    /// Stop when the gate can no longer pass.
    pub fail_fast: bool,
    /// Set from outside to end orderly.
    pub stop: &'c AtomicBool,
    /// Told how many sessions from how many bytes are done.
    pub progress: &'c (dyn Fn(Reached) + Sync),
    /// The rules that everything written goes through.
    pub redactor: &'c Redactor,
}

impl<'c> Desk<'c> {
    /// That of a suite which is being run.
    pub fn of(job: &'c Job<'c>) -> Self {
        Self {
            index: job.index,
            files: job.files,
            ignored: &job.ignored,
            problems: &job.problems,
            keep: job.keep,
            shard: job.shard,
            // What the other shards hold, nobody knows here.
            fail_fast: job.fail_fast && job.shard.is_none(),
            stop: job.stop,
            progress: job.progress,
            redactor: job.redactor,
        }
    }
}

/// A session as it is kept, and what its line says, where reports are drawn from it at once.
type Whole = (Option<Kept>, Option<element::Written>);

/// Asks every system check; whether one panicked.
pub type AskSystem<'a> = &'a dyn Fn(&SuiteFold<'_>) -> (Vec<(u32, SystemFinding)>, bool);

/// The one order in which everything is written and folded.
pub(super) struct Commit<'c, 'p, 'w> {
    next: u64,
    waiting: BTreeMap<u64, Done>,
    fold: &'c mut SuiteFold<'p>,
    sinks: Sinks<'w>,
    desk: Desk<'c>,
    /// Things that other shards record since the last line.
    gap: u64,
    /// Kept, and how many could have been.
    kept: (u64, u64),
    /// Those of them that passed.
    sample: u64,
    /// Those of them that a person is to look at.
    reviewed: u64,
    bytes: u64,
    /// The lines of a batch on their way to the record; kept for its memory.
    out: Vec<u8>,
    panicked: bool,
    early: Option<Early>,
    /// The recordings are not those of the run that is continued.
    changed: Option<Changed>,
    put_together: bool,
    /// All is read, and sessions are put together; there may be none.
    assembling: bool,
}

impl<'c, 'p, 'w> Commit<'c, 'p, 'w> {
    /// Nothing committed but what was wrong before any file was opened, which comes first.
    pub(super) fn new(desk: Desk<'c>, fold: &'c mut SuiteFold<'p>, sinks: Sinks<'w>) -> Self {
        let mut commit = Self {
            next: 0,
            waiting: BTreeMap::new(),
            fold,
            sinks,
            desk,
            gap: 0,
            kept: (0, 0),
            sample: 0,
            reviewed: 0,
            bytes: 0,
            out: Vec::new(),
            panicked: false,
            early: None,
            changed: None,
            put_together: false,
            assembling: false,
        };
        commit.file_problems();
        commit
    }

    /// Whether a batch may be worked on: no further ahead than `window`. `None` when the run has stopped.
    pub(super) fn admits(&self, seq: u64, window: u64) -> Option<bool> {
        self.early.is_none().then_some(seq < self.next + window)
    }

    /// Position of the suite in the run.
    pub(super) fn suite(&self) -> u32 {
        self.desk.index
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
        let keep = &self.desk.keep;
        Room {
            all: keep.limit.saturating_sub(self.kept.0 - self.reviewed),
            passed: keep.passed.saturating_sub(self.sample),
        }
    }

    /// What was wrong before any file was opened comes first.
    fn file_problems(&mut self) {
        let mut lines = Vec::new();
        for (name, problem) in self.desk.problems {
            if !self.desk.shard.is_none_or(Shard::holds_the_rest) {
                self.elsewhere();
                continue;
            }
            self.fold.leave_out(problem.kind);
            let event = left_out(self.desk.index, (u32::MAX, 0), name.clone(), None, problem.clone());
            self.leave_out(&mut lines, &event);
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
            let here = self.sinks.past.is_some().then(|| Here::of(&item, &done.lines)).flatten();
            if let Some(changed) = &mut self.changed {
                changed.look(here);
                continue;
            }
            if !matches!(item, Item::Elsewhere) {
                self.close_gap(&mut out);
            }
            match item {
                Item::Elsewhere => self.elsewhere(),
                Item::LeftOut { kind, line } => {
                    self.fold.leave_out(kind);
                    self.say(&done.lines[line.clone()], &mut out);
                    self.show_left_out(&done.lines[line]);
                }
                Item::Known { row, kept } => self.known(*row, kept, &mut out, done.file),
                Item::Session { row, line, kept, event } => {
                    self.session(*row, &done.lines[line], (kept, event), &mut out, done.file);
                }
            }
            if let Some(changed) = &mut self.changed {
                changed.look(here);
                continue;
            }
            if self.desk.fail_fast && self.early.is_none() && self.fold.is_lost() {
                self.early = Some(Early::FailFast);
            }
            if self.early.is_some() {
                break;
            }
        }
        self.write(&out);
        self.out = out;
        if let Some(live) = &mut self.sinks.live {
            live.flush();
        }
        self.bytes += done.bytes;
        self.tell();
    }

    /// All is read, and what was telemetry is now put together.
    pub(super) fn assembles(&mut self) {
        self.assembling = true;
        self.tell();
    }

    fn tell(&self) {
        let (sessions, bytes, assembling) = (self.fold.read(), self.bytes, self.assembling);
        (self.desk.progress)(Reached { sessions, bytes, assembling });
    }

    fn session(&mut self, row: Row, line: &[u8], whole: Whole, out: &mut Vec<u8>, file: u32) {
        let admission = match self.fold.admit(&row) {
            Ok(admission) => admission,
            Err(why) => return self.stop(Early::Write(why)),
        };
        match admission {
            // Two sessions of different shards may contradict each other, too: `merge` sees all of them.
            Admission::Conflict(_) if self.desk.shard.is_some() => self.counts(row, line, whole, out),
            Admission::Counts => self.counts(row, line, whole, out),
            Admission::Duplicate => self.duplicate(&row, out, file),
            Admission::Conflict(reason) => {
                let kept = whole.0.and_then(|entry| {
                    // Whether there was room for it was decided by what its own verdicts are.
                    let sampled = is_sampled(&entry);
                    let entry = Box::new(entry.map(|entry| kept::Entry { passed: false, ..entry }));
                    self.keep(row.at, &entry, sampled).then_some(entry)
                });
                let row = self.conflict(row, reason, kept, out);
                self.fold.add(row);
            }
        }
    }

    fn duplicate(&mut self, row: &Row, out: &mut Vec<u8>, file: u32) {
        let problem = Problem::new(LeftOut::Duplicate, "the same session was already read");
        self.fold.leave_out(problem.kind);
        let name = self.desk.files.get(file as usize).map(|f| f.name.clone()).unwrap_or_default();
        let event = left_out(self.desk.index, row.at, name, Some(row.id.to_string()), problem);
        self.leave_out(out, &event);
    }

    fn counts(&mut self, row: Row, line: &[u8], (kept, event): Whole, out: &mut Vec<u8>) {
        self.say(line, out);
        let kept = kept.filter(|_| self.early.is_none() && self.changed.is_none());
        let kept = kept.and_then(|entry| self.keep(row.at, &entry, is_sampled(&entry)).then_some(entry));
        if let (Some(live), Some(event)) = (&mut self.sinks.live, event) {
            live.session(event, kept);
        }
        self.fold.add(row);
    }

    /// Says that something is left out.
    fn leave_out(&mut self, out: &mut Vec<u8>, event: &LeftOutEvent) {
        self.put(out, "left_out", event);
        if let Some(live) = &mut self.sinks.live {
            live.left_out(self.desk.redactor.pass(event).map(Cow::into_owned));
        }
    }

    /// Shows what is left out as its line says it: they are few.
    fn show_left_out(&mut self, line: &[u8]) {
        let Some(live) = &mut self.sinks.live else { return };
        match serde_json::from_slice(line) {
            Ok(event) => live.left_out(Redacted::drawn(event)),
            Err(why) => {
                self.early.get_or_insert(Early::Write(why.into()));
            }
        }
    }

    /// Something that another shard records.
    fn elsewhere(&mut self) {
        self.gap += 1;
        self.fold.elsewhere += 1;
    }

    /// Says how much other shards record between the last line and the next.
    fn close_gap(&mut self, out: &mut Vec<u8>) {
        if self.gap > 0 {
            let event = Elsewhere { suite: self.desk.index, sessions: std::mem::take(&mut self.gap) };
            self.put(out, "elsewhere", &event);
        }
    }

    /// A session that contradicts another is an error of its case.
    fn conflict(&mut self, row: Row, reason: String, kept: Option<Kept>, out: &mut Vec<u8>) -> Row {
        let verdicts = row.verdicts.iter().map(|(check, ..)| errored(*check, &reason)).collect();
        let event = SessionEvent {
            suite: self.desk.index,
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
        if let Some(live) = &mut self.sinks.live {
            let event = self.desk.redactor.pass(&event).map(|event| event.into_owned().into_owned());
            match record::details(event.get()) {
                Ok(details) => live.session(Box::new(event.map(|event| Written { event, details })), kept),
                Err(why) => self.early = Some(Early::Write(why)),
            }
        }
        Row::of(&event)
    }

    /// Keeps a session whole, where there is room; whether there was.
    fn keep(&mut self, at: Ordinal, entry: &Kept, sampled: bool) -> bool {
        // Of those that passed a sample is all that is wanted.
        if sampled && self.sample >= self.desk.keep.passed {
            return false;
        }
        self.kept.1 += 1;
        // What a person is to look at is kept beyond the limit, and takes no room from the others.
        let review = entry.get().review;
        let full = self.kept.0 - self.reviewed >= self.desk.keep.limit;
        if full && !review || entry.get().packed.is_empty() {
            return false;
        }
        self.kept.0 += 1;
        self.reviewed += u64::from(review);
        self.sample += u64::from(sampled);
        if let Err(why) = self.sinks.kept.keep(self.desk.index, at, entry) {
            self.early.get_or_insert(Early::Write(why));
        }
        true
    }

    fn put<T: serde::Serialize + Redact + Clone>(&mut self, out: &mut Vec<u8>, name: &str, event: &T) {
        let mut line = Vec::new();
        match record::event(&mut line, name, &self.desk.redactor.pass(event)) {
            Ok(()) => self.say(&line, out),
            Err(why) => {
                self.early.get_or_insert(Early::Write(why));
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.changed.is_some() {
            return;
        }
        if let Err(why) = self.sinks.record.write_all(bytes) {
            self.early = Some(Early::Write(why));
        }
    }

    /// The sessions are over: the end of the suite, and what its system checks say.
    pub(super) fn finish(mut self, system_checks: AskSystem<'_>) -> Outcome {
        self.tell_changed();
        self.fold.close();
        if self.early.is_none() && self.desk.stop.load(Ordering::Relaxed) {
            self.early = Some(Early::Interrupted);
        }
        let mut system = Vec::new();
        if self.early.is_none() {
            let end = SuiteEnd {
                suite: self.desk.index,
                files: self.desk.files.iter().map(|f| f.name.clone()).collect(),
                ignored: self.desk.ignored.to_vec(),
                put_together: self.put_together,
                tools_seen: self.fold.tools_seen.iter().cloned().collect(),
                kept: self.kept,
            };
            let mut out = Vec::new();
            self.close_gap(&mut out);
            let end = self.desk.redactor.pass(&end).into_inner().into_owned();
            self.put(&mut out, "suite_end", &end);
            self.fold.end = Some(end);
            if self.desk.shard.is_none() {
                let bug;
                (system, bug) = system_checks(self.fold);
                self.panicked |= bug;
                // What is decided from it is what can be decided from the record.
                system = self.desk.redactor.pass(&system).into_inner().into_owned();
            }
            for (check, finding) in &system {
                let event = SystemEvent { suite: self.desk.index, check: *check, finding: finding.clone() };
                self.put(&mut out, "system", &event);
            }
            self.write(&out);
            self.tell_changed();
        }
        Outcome { stopped: self.early, system, panicked: self.panicked }
    }
}

/// Whether it is kept as part of the sample of those that passed.
pub(super) fn is_sampled(entry: &Kept) -> bool {
    entry.get().passed && !entry.get().review
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
