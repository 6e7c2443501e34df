//! From a run record back to its summary and, session by session, to reports.

use std::io;
use std::path::Path;

use super::stage::Stage;
use super::{Drawn, Kept, Line, RunSummary, Sink};
use crate::checks::system::SystemFinding;
use crate::eval::event::{BaselineEvent, Finished, Plan, RunEvent, Started, SuiteEnd, SuitePlan};
use crate::eval::exit;
use crate::eval::fold::SuiteFold;
use crate::eval::gate::{self, Stopped, SuiteSummary};
use crate::eval::overlay::{self, Laid, Rulings};
use crate::eval::row::Row;
use crate::store::kept;
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
    /// What people decided, by suite.
    pub laid: Vec<Laid>,
}

/// What is decided with in the place of what the record holds.
pub struct Instead<'i> {
    /// The plan, with other bars in its gates.
    pub plan: Plan,
    /// How many columns of the suite at a position are folded.
    pub columns: &'i dyn Fn(usize) -> usize,
    /// The earlier runs that suites are compared with.
    pub baselines: OtherBaselines<'i>,
    /// System checks that are asked again, once all sessions of the suite are folded; whether one panicked.
    pub ask: AskAgain<'i>,
    /// What people decided, which is laid over the sessions; `None` lays nothing.
    pub rulings: Option<Rulings<'i>>,
    /// System checks that are computed from verdicts that people decided over, asked again in the same way.
    pub revise: Revise<'i>,
}

/// System checks of a suite that are computed from verdicts, asked again; whether one panicked.
pub type Revise<'i> = &'i dyn Fn(&SuitePlan, &SuiteFold<'_>) -> (Vec<(u32, SystemFinding)>, bool);

impl<'i> Instead<'i> {
    /// Nothing else than what the record holds.
    pub fn nothing(plan: Plan) -> Self {
        Self {
            plan,
            columns: &|_| 0,
            baselines: &|recorded, _| recorded.to_vec(),
            ask: &|_, _| (Vec::new(), false),
            rulings: None,
            revise: &|_, _| (Vec::new(), false),
        }
    }
}

/// The earlier runs, given those that were recorded and the run's own id.
pub type OtherBaselines<'i> = &'i dyn Fn(&[BaselineEvent], Option<&str>) -> Vec<BaselineEvent>;

/// System checks of the suite at a position, asked again; whether one panicked.
pub type AskAgain<'i> = &'i dyn Fn(usize, &SuiteFold<'_>) -> (Vec<(u32, SystemFinding)>, bool);

/// Folds a record again and decides as the run did.
pub fn fold(path: &Path) -> Result<Replayed, RecordError> {
    fold_instead(path, Instead::nothing(record::plan(path)?))
}

/// Folds a record again and decides with something else in the place of what it holds.
pub fn fold_instead(path: &Path, instead: Instead<'_>) -> Result<Replayed, RecordError> {
    let plan = instead.plan;
    let (mut started, mut finished): (Option<Started>, Option<Finished>) = (None, None);
    // What people decided may change what is counted in any of the columns.
    let columns =
        |i: usize, s: &SuitePlan| if instead.rulings.is_some() { s.columns.len() } else { (instead.columns)(i) };
    let folds = plan.suites.iter().enumerate().map(|(i, s)| SuiteFold::new(s, columns(i, s)));
    let mut laid = vec![Laid::default(); plan.suites.len()];
    let mut folds: Vec<SuiteFold<'_>> = folds.collect();
    let mut baselines: Vec<BaselineEvent> = Vec::new();
    let mut system: Vec<Vec<(u32, SystemFinding)>> = vec![Vec::new(); plan.suites.len()];
    let mut stray = None;
    record::read(path, |event| match event {
        // A record may have been edited: what it names must be in its plan.
        event if !is_planned(&plan, &event) => stray = Some("an event names a suite or check that is not in its plan"),
        RunEvent::Started(s) => started = Some(s),
        RunEvent::Finished(f) => finished = Some(f),
        RunEvent::Session(mut event) => {
            let suite = event.suite as usize;
            if let (Some(rulings), Some(plan), Some(laid)) =
                (instead.rulings, plan.suites.get(suite), laid.get_mut(suite))
            {
                overlay::lay(plan, &mut event, rulings, laid);
            }
            if let Some(fold) = folds.get_mut(event.suite as usize) {
                fold.add(Row::of(&event));
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
        RunEvent::Driven(event) => {
            if let Some(fold) = folds.get_mut(event.suite as usize) {
                fold.drive(&event.driven);
            }
        }
        RunEvent::Spend(event) => {
            if let Some(fold) = folds.get_mut(event.suite as usize) {
                fold.spend(&event.checks);
            }
        }
        RunEvent::System(event) => {
            if let Some(found) = system.get_mut(event.suite as usize) {
                found.push((event.check, event.finding));
            }
        }
        RunEvent::Baseline(event) => baselines.push(*event),
        RunEvent::Plan(_) | RunEvent::Header(_) => {}
    })?;
    if let Some(why) = stray {
        return Err(RecordError::NotARecord { path: path.to_owned(), why: why.to_owned() });
    }
    let own = started.as_ref().map(|s| s.run.as_str());
    for event in (instead.baselines)(&baselines, own) {
        if let Some(fold) = folds.get_mut(event.suite as usize) {
            fold.baselines.insert(event.name, event.found);
        }
    }
    drop(baselines);
    let mut bug = false;
    for (index, (fold, system)) in folds.iter().zip(&mut system).enumerate().filter(|(_, (f, _))| f.end.is_some()) {
        let (mut again, mut panicked) = (instead.ask)(index, fold);
        if !laid[index].checks.is_empty() {
            let (revised, bug) = (instead.revise)(&plan.suites[index], fold);
            again.extend(revised);
            panicked |= bug;
        }
        bug |= panicked;
        for (check, finding) in again {
            match system.iter_mut().find(|(known, _)| *known == check) {
                Some(known) => known.1 = finding,
                None => system.push((check, finding)),
            }
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
    bug |= finished.as_ref().is_some_and(|f| f.exit_code == exit::BUG);
    let code = exit::code(suites.iter().map(|s| s.decision), incomplete, bug);
    let all = laid.iter().fold(Laid::default(), |mut all, laid| {
        all.plus(laid);
        all
    });
    let summary = RunSummary {
        labels: (all.decided > 0).then_some(all),
        schema: 1,
        run: started.as_ref().map_or_else(|| "unknown".to_owned(), |s| s.run.clone()),
        seatrial: env!("CARGO_PKG_VERSION").to_owned(),
        exit_code: code,
        partial: plan.is_partial(),
        stopped,
        suites,
    };
    Ok(Replayed { plan, started, finished, summary, ends, laid })
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
        RunEvent::Driven(e) => suite(e.suite).is_some(),
        RunEvent::Spend(e) => suite(e.suite).is_some(),
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

/// Hands every session of a record to the sinks, with what was kept of it.
pub fn draw(
    path: &Path,
    mut kept: Option<kept::Reader>,
    drawn: Drawn<'_>,
    ends: &[Option<&SuiteEnd>],
    rulings: Option<Rulings<'_>>,
    sinks: &mut [&mut dyn Sink],
) -> Result<(), DrawError> {
    let mut stage = Stage::new(sinks);
    let lay = |event| match (event, rulings) {
        (RunEvent::Session(mut event), Some(rulings)) => {
            if let Some(plan) = drawn.plan.suites.get(event.suite as usize) {
                overlay::lay(plan, &mut event, rulings, &mut Laid::default());
            }
            RunEvent::Session(event)
        }
        (event, _) => event,
    };
    record::read(path, |event| match lay(event) {
        event if !is_planned(drawn.plan, &event) => {}
        RunEvent::Session(event) => match kept.as_mut().map(|kept| Ok((kept.find(event.suite, event.at)?, kept))) {
            None | Some(Ok((None, _))) => stage.session(&Line { event: &event, details: None }, None),
            Some(Ok((Some(place), kept))) => {
                let packed = &mut || kept.packed(&place);
                let (passed, bytes, against) = (place.passed, place.bytes.1, &*place.against);
                let line = Line { event: &event, details: None };
                stage.session(&line, Some(&mut Kept { passed, bytes, against, packed }));
            }
            Some(Err(why)) => stage.fail(why),
        },
        RunEvent::LeftOut(event) => stage.left_out(&event),
        RunEvent::Baseline(event) => stage.each(|sink| sink.baseline(&event)),
        _ => {}
    })?;
    stage.end(drawn.plan.suites.len())?;
    Ok(sinks.iter_mut().try_for_each(|sink| sink.end(drawn, ends))?)
}
