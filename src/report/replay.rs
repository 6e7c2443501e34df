//! From a run record back to its summary and, session by session, to reports.

use std::io;
use std::path::Path;

use super::{Drawn, RunSummary, Sink};
use crate::checks::system::SystemFinding;
use crate::eval::event::{Finished, Plan, RunEvent, Started, SuiteEnd};
use crate::eval::exit;
use crate::eval::fold::SuiteFold;
use crate::eval::gate::{self, Stopped, SuiteSummary};
use crate::eval::row::Row;
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
    let (mut started, mut finished): (Option<Started>, Option<Finished>) = (None, None);
    let plan = record::plan(path)?;
    let mut folds: Vec<SuiteFold<'_>> = plan.suites.iter().map(|s| SuiteFold::new(s, 0)).collect();
    let mut system: Vec<Vec<(u32, SystemFinding)>> = vec![Vec::new(); plan.suites.len()];
    record::read(path, |event| match event {
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
        RunEvent::Plan(_) | RunEvent::Header(_) => {}
    })?;
    let stopped = finished.as_ref().map_or(Some("killed".to_owned()), |f| f.stopped.clone());
    let ended = match stopped.as_deref() {
        Some(exit::FAIL_FAST) => Stopped::FailFast,
        Some(_) => Stopped::Interrupted,
        None => Stopped::No,
    };
    let as_of = plan.as_of.as_deref();
    let suites: Vec<SuiteSummary> = folds
        .iter_mut()
        .zip(&system)
        .map(|(fold, system)| {
            let ended = if fold.end.is_some() { Stopped::No } else { ended };
            gate::decide(fold, system, as_of, ended)
        })
        .collect();
    let ends = folds.into_iter().map(|fold| fold.end).collect();
    let code = finished.as_ref().map_or(exit::INCOMPLETE, |f| f.exit_code);
    let summary = RunSummary {
        schema: 1,
        run: started.as_ref().map_or_else(|| "unknown".to_owned(), |s| s.run.clone()),
        seatrial: env!("CARGO_PKG_VERSION").to_owned(),
        exit_code: code,
        partial: plan.filter.is_some(),
        stopped,
        suites,
    };
    Ok(Replayed { plan, started, finished, summary, ends })
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
    let mut failed: Option<io::Error> = None;
    let mut at: Option<usize> = None;
    {
        let mut each = |f: &mut dyn FnMut(&mut dyn Sink) -> io::Result<()>| {
            for sink in sinks.iter_mut() {
                if failed.is_none() {
                    failed = f(&mut **sink).err();
                }
            }
        };
        let mut up_to = |suite: usize, each: &mut dyn FnMut(&mut dyn FnMut(&mut dyn Sink) -> io::Result<()>)| {
            // Suites without a session still have a place in every report.
            while at.is_none_or(|a| a < suite) {
                let next = at.map_or(0, |a| a + 1);
                each(&mut |sink| sink.suite(next));
                at = Some(next);
            }
        };
        record::read(path, |event| match event {
            RunEvent::Session(event) => {
                up_to(event.suite as usize, &mut each);
                each(&mut |sink| sink.session(&event));
            }
            RunEvent::LeftOut(event) => {
                up_to(event.suite as usize, &mut each);
                each(&mut |sink| sink.left_out(&event));
            }
            _ => {}
        })?;
        if let Some(last) = drawn.plan.suites.len().checked_sub(1) {
            up_to(last, &mut each);
        }
        each(&mut |sink| sink.end());
    }
    failed.map_or(Ok(()), |why| Err(why.into()))
}
