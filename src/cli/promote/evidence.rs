//! Taking the evidence of runs: their records, with what people decided over them, held against what is at hand.

use std::path::{Path, PathBuf};

use super::super::context::{Context, Failure};
use super::super::decisions::{self, Decided};
use super::super::gate::locate;
use super::at_hand::{Here, differences};
use super::data;
use super::desk::Desk;
use crate::eval::exit;
use crate::eval::overlay::Laid;
use crate::model::digest::Digest;
use crate::promote::event::Version;
use crate::promote::gate::{self, Labels, Refusal, Run};
use crate::promote::moment::Moment;
use crate::promote::record::{self, Overlaid, TakeError, Taken};
use crate::promote::verify::AtHand;
use crate::store::db::{Page, RunFilter};
use crate::suite::settings::promote::Rules;

/// That there is no evidence, and why: all of it.
pub fn no_evidence(refusals: &[Refusal]) -> Failure {
    let reasons: Vec<&str> = refusals.iter().map(|refusal| refusal.reason.as_str()).collect();
    let s = if reasons.len() == 1 { "" } else { "s" };
    Failure::new(
        exit::NOT_SHOWN,
        format_args!(
            "this is no evidence ({} reason{s}); nothing was recorded\n  {}",
            reasons.len(),
            reasons.join("\n  ")
        ),
    )
}

/// The evidence of all runs; everything that is wrong with any of them is told at once.
pub fn take_all(named: &[PathBuf], desk: &Desk<'_>) -> Result<Vec<Run>, Failure> {
    let context = desk.context;
    let latest = context.settings.out.value.join("latest");
    let named = if named.is_empty() { std::slice::from_ref(&latest) } else { named };
    let (mut runs, mut faults) = (Vec::new(), Vec::new());
    for run in named {
        match take(run, desk) {
            Ok(taken) => {
                hold(&taken, context, &mut faults)?;
                runs.push(taken.run);
            }
            Err(Taking::NoEvidence(found)) => faults.extend(found),
            Err(Taking::Failed(failure)) => return Err(failure),
        }
    }
    if faults.is_empty() { Ok(runs) } else { Err(no_evidence(&faults)) }
}

/// What the store knows better: of each suite that the rules ask for, the newest whole run of the version that ended after
/// the one which is shown.
pub fn later(runs: &[Run], version: &Version, rules: &Rules, desk: &Desk<'_>) -> Result<Vec<Refusal>, Failure> {
    let mut found = Vec::new();
    for (run, suite) in gate::asked(runs, rules) {
        let filter = RunFilter {
            suite: Some(suite.name.clone()),
            agent: Some(version.agent.clone()),
            version: Some(version.version.clone()),
            since: None,
        };
        let stored = desk.wait(desk.store().runs(&filter, Page::ALL)).map_err(|why| Failure::store(&why))?;
        // Of one that did not come to its end there is no digest, and it shows nothing.
        let whole = stored.into_iter().filter(|one| one.run.partial.is_none() && one.run.record_digest.is_some());
        let ended = whole.filter_map(|one| Some((Moment(one.run.finished?), one)));
        let newest =
            ended.filter(|(end, one)| *end > run.finished && one.run.id != run.run).max_by_key(|(end, _)| *end);
        let Some((end, newest)) = newest else { continue };
        let decision = newest.suites.iter().find(|s| s.name == suite.name).map_or("unknown", |s| s.decision.as_str());
        found.push(gate::again(run, suite, &newest.run.id, end, decision));
    }
    Ok(found)
}

/// Why the evidence of a run was not taken.
enum Taking {
    NoEvidence(Vec<Refusal>),
    Failed(Failure),
}

fn take(run: &Path, desk: &Desk<'_>) -> Result<Taken, Taking> {
    let context = desk.context;
    let path = locate(run, context).map_err(Taking::Failed)?;
    // `latest` will be another run tomorrow.
    let path = path
        .parent()
        .and_then(|dir| dir.canonicalize().ok())
        .map_or(path.clone(), |dir| path.file_name().map_or(path.clone(), |name| dir.join(name)));
    let cwd = context.cwd.canonicalize().unwrap_or_else(|_| context.cwd.clone());
    let shown = path.strip_prefix(&cwd).unwrap_or(&path).to_string_lossy().replace('\\', "/");
    let known = |id: &str| {
        let run = desk.wait(desk.store().kept_run(id)).map_err(|why| why.to_string())?;
        Ok(run.and_then(|run| run.run.record_digest))
    };
    let overlay = |path: &Path| overlay(context, path);
    let here = Here { context, store: true };
    let recorded = |name: &str| here.file(Path::new(name));
    match record::take(&path, &shown, &known, &overlay, &recorded) {
        Ok(taken) => Ok(taken),
        Err(TakeError::NoEvidence(faults)) => Err(Taking::NoEvidence(faults)),
        Err(why @ TakeError::Record(_)) => Err(Taking::Failed(Failure::usage(why))),
        Err(why) => Err(Taking::Failed(Failure::new(exit::NOT_SHOWN, why))),
    }
}

/// Holds what is at hand against the record: the suites, and the recordings.
fn hold(taken: &Taken, context: &Context, faults: &mut Vec<Refusal>) -> Result<(), Failure> {
    let here = Here { context, store: true };
    for (suite, sessions) in taken.run.suites.iter().zip(&taken.sessions) {
        let name = format!("suite `{}` ({})", suite.name, suite.path);
        match here.load(suite) {
            Err(why) => faults.push(Refusal::fast(format!("{name} cannot be read any more: {why}"))),
            Ok(None) => faults.push(Refusal::fast(format!("{name} is not there; promote where the run was made"))),
            Ok(Some(is)) => {
                let differs = differences(suite, &is);
                if differs.is_empty() {
                    let differs = data::differs(&taken.run, suite, &is, sessions, context)?;
                    faults.extend(differs.map(Refusal::fast));
                } else {
                    faults.push(Refusal::fast(format!("{name} is not what was run: {}", differs.join("; "))));
                }
            }
        }
    }
    Ok(())
}

/// The record decided with what people decided over it; `None` where they decided nothing.
fn overlay(context: &Context, path: &Path) -> Result<Option<Overlaid>, String> {
    let decided = decisions::decided(path, context).map_err(|failure| failure.message.trim().to_owned())?;
    Ok(decided.map(|Decided { replayed, said }| {
        // What is contested, or answered by too few, decides nothing; and that it is so is in the digest.
        let of_suite = |(said, laid): (Option<Digest>, &Laid)| {
            said.map(|digest| Labels { applied: laid.decided, by: laid.by.clone(), digest })
        };
        let labels = said.into_iter().zip(&replayed.laid).map(of_suite).collect();
        Overlaid { replayed, labels }
    }))
}
