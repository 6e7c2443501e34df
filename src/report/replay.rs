//! From a run record back to its summary and, session by session, to reports.

use std::io;
use std::path::Path;

use super::{Drawn, RunSummary, Sink};
use crate::checks::system::SystemFinding;
use crate::eval::event::{Finished, Plan, RunEvent, Started, SuiteEnd, SuitePlan};
use crate::eval::exit;
use crate::eval::fold::SuiteFold;
use crate::eval::gate::{self, Stopped, SuiteSummary};
use crate::eval::row::Row;
use crate::store::baseline;
use crate::store::record::{self, RecordError};

/// A record, folded.
pub struct Replayed {
    /// What the run set out to do.
    pub plan: Plan,
    /// When and where it began.
    pub started: Option<Started>,
    /// When and how it ended; `None` when it was killed.
    pub finished: Option<Finished>,
    /// What became of it.
    pub summary: RunSummary,
    /// The end of each suite's sessions; `None` where the run stopped before it.
    pub ends: Vec<Option<SuiteEnd>>,
}

/// Folds a record again and decides as the run did.
pub fn fold(path: &Path) -> Result<Replayed, RecordError> {
    fold_against(path, None)
}

/// Folds a record again and decides; `instead` names another baseline in the plan of each suite, which is then read.
pub fn fold_against(path: &Path, instead: Option<&dyn Fn(&mut SuitePlan)>) -> Result<Replayed, RecordError> {
    let (mut started, mut finished): (Option<Started>, Option<Finished>) = (None, None);
    let mut plan = record::plan(path)?;
    if let Some(instead) = instead {
        plan.suites.iter_mut().for_each(instead);
    }
    let mut folds: Vec<SuiteFold<'_>> = plan.suites.iter().map(|s| SuiteFold::new(s, 0)).collect();
    let mut system: Vec<Vec<(u32, SystemFinding)>> = vec![Vec::new(); plan.suites.len()];
    let mut stray = None;
    record::read(path, |event| match event {
        // A record may have been edited: what it names must be in its plan.
        event if !is_planned(&plan, &event) => stray = Some("an event names a suite or check that is not in its plan"),
        RunEvent::Started(s) => started = Some(s),
        RunEvent::Finished(f) => finished = Some(f),
        RunEvent::Session(event) => {
            if let Some(fold) = folds.get_mut(event.suite as usize) {
                let row = Row::of(&event);
                fold.admit(&row);
                fold.add(row);
            }
        }
        RunEvent::LeftOut(event) => {
            if let Some(fold) = folds.get_mut(event.suite as usize) {
                fold.leave_out(event.kind);
            }
        }
        RunEvent::Elsewhere(event) => {
            if let Some(fold) = folds.get_mut(event.suite as usize) {
                fold.elsewhere += event.sessions;
            }
        }
        RunEvent::SuiteEnd(end) => {
            if let Some(fold) = folds.get_mut(end.suite as usize) {
                fold.tools_seen.extend(end.tools_seen.iter().cloned());
                fold.end = Some(end);
            }
        }
        RunEvent::System(event) => {
            if let Some(found) = system.get_mut(event.suite as usize) {
                found.push((event.check, event.finding));
            }
        }
        RunEvent::Baseline(event) => {
            if let Some(fold) = folds.get_mut(event.suite as usize) {
                fold.baselines.insert(event.name, event.found);
            }
        }
        RunEvent::Plan(_) | RunEvent::Header(_) => {}
    })?;
    if let Some(why) = stray {
        return Err(RecordError::NotARecord { path: path.to_owned(), why: why.to_owned() });
    }
    let own = started.as_ref().map(|s| s.run.as_str());
    for fold in folds.iter_mut().filter(|_| instead.is_some()) {
        if let Some(bar) = &fold.plan.gate.baseline {
            fold.baselines.insert(bar.run.clone(), baseline::read(&bar.path, &fold.plan.name, &[], own));
        }
    }
    let stopped = finished.as_ref().map_or(Some("killed".to_owned()), |f| f.stopped.clone());
    let ended = match stopped.as_deref() {
        Some(exit::FAIL_FAST) => Stopped::FailFast,
        Some(_) => Stopped::Interrupted,
        None => Stopped::No,
    };
    let as_of = plan.as_of.as_deref();
    let suites: Vec<SuiteSummary> = folds
        .iter()
        .zip(&system)
        .map(|(fold, system)| {
            let ended = if fold.end.is_some() { Stopped::No } else { ended };
            match plan.shard() {
                Some(shard) => gate::defer(fold, shard, ended),
                None => gate::decide(fold, system, as_of, ended),
            }
        })
        .collect();
    let ends = folds.into_iter().map(|fold| fold.end).collect();
    let incomplete = stopped.as_deref().is_some_and(|why| why != exit::FAIL_FAST);
    // Only that a bug was met cannot be seen from the sessions.
    let bug = finished.as_ref().is_some_and(|f| f.exit_code == exit::BUG);
    let code = exit::code(suites.iter().map(|s| s.decision), incomplete, bug);
    let summary = RunSummary {
        schema: 1,
        run: started.as_ref().map_or_else(|| "unknown".to_owned(), |s| s.run.clone()),
        seatrial: env!("CARGO_PKG_VERSION").to_owned(),
        exit_code: code,
        partial: plan.is_partial(),
        stopped,
        suites,
    };
    Ok(Replayed { plan, started, finished, summary, ends })
}

/// Whether everything that an event names is in the plan.
fn is_planned(plan: &Plan, event: &RunEvent<'_>) -> bool {
    let suite = |index: u32| plan.suites.get(index as usize);
    match event {
        RunEvent::Session(e) => {
            suite(e.suite).is_some_and(|s| e.verdicts.iter().all(|v| (v.check as usize) < s.checks.len()))
        }
        RunEvent::System(e) => suite(e.suite).is_some_and(|s| (e.check as usize) < s.checks.len()),
        RunEvent::LeftOut(e) => suite(e.suite).is_some(),
        RunEvent::Elsewhere(e) => suite(e.suite).is_some(),
        RunEvent::SuiteEnd(e) => suite(e.suite).is_some(),
        RunEvent::Baseline(e) => suite(e.suite).is_some(),
        RunEvent::Header(_) | RunEvent::Started(_) | RunEvent::Plan(_) | RunEvent::Finished(_) => true,
    }
}

/// Why reports could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// The record could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A report could not be written.
    #[error("a report could not be written: {0}")]
    Write(#[from] io::Error),
}

/// Hands every session of a record to the sinks.
pub fn draw(path: &Path, drawn: Drawn<'_>, sinks: &mut [&mut dyn Sink]) -> Result<(), DrawError> {
    let mut stage = Stage { sinks, suites: 0, failed: None };
    record::read(path, |event| match event {
        event if !is_planned(drawn.plan, &event) => {}
        RunEvent::Session(event) => {
            stage.up_to(event.suite as usize);
            stage.each(|sink| sink.session(&event));
        }
        RunEvent::LeftOut(event) => {
            stage.up_to(event.suite as usize);
            stage.each(|sink| sink.left_out(&event));
        }
        RunEvent::Baseline(event) => stage.each(|sink| sink.baseline(&event)),
        _ => {}
    })?;
    if let Some(last) = drawn.plan.suites.len().checked_sub(1) {
        stage.up_to(last);
    }
    stage.each(|sink| sink.end());
    stage.failed.map_or(Ok(()), |why| Err(why.into()))
}

/// The sinks, how many suites they have been told of, and the first thing that one of them could not write.
struct Stage<'s, 'k> {
    sinks: &'s mut [&'k mut dyn Sink],
    suites: usize,
    failed: Option<io::Error>,
}

impl Stage<'_, '_> {
    fn each(&mut self, mut tell: impl FnMut(&mut dyn Sink) -> io::Result<()>) {
        for sink in self.sinks.iter_mut() {
            if self.failed.is_none() {
                self.failed = tell(&mut **sink).err();
            }
        }
    }

    /// Tells of every suite up to `suite`: those without a session have a place in every report, too.
    fn up_to(&mut self, suite: usize) {
        while self.suites <= suite {
            let next = self.suites;
            self.each(|sink| sink.suite(next));
            self.suites += 1;
        }
    }
}
