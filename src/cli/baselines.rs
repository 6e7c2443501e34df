//! The earlier runs that suites are compared with: `--baseline`, and reading each before anything is run.

use std::borrow::Cow;
use std::path::PathBuf;

use super::context::{Context, Failure};
use super::decisions;
use super::labels;
use crate::eval::baseline::{Found, Wanted};
use crate::eval::calibration;
use crate::eval::event::{BaselineEvent, SuitePlan};
use crate::eval::plan::{EarlierRun, Planned};
use crate::redact::{Redacted, Redactor};
use crate::report::safe;
use crate::store::baseline;
use crate::suite::BaselineBar;

/// The run that `--baseline` names.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Compare with this run, its folder or its run.jsonl, in the place of the suites' own `baseline`; suites without one
    /// are held to its usual margin.
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<PathBuf>,
}

impl Args {
    /// Whether a run is named.
    pub fn is_given(&self) -> bool {
        self.baseline.is_some()
    }

    /// The run that is named, as it is.
    pub fn path(&self) -> Option<&PathBuf> {
        self.baseline.as_ref()
    }

    /// Puts the named run in the place of a suite's own.
    pub fn apply(&self, plan: &mut SuitePlan, context: &Context) {
        let Some(run) = &self.baseline else { return };
        let (name, path) = (run.display().to_string().replace('\\', "/"), context.cwd.join(run));
        plan.gate.baseline = Some(match &plan.gate.baseline {
            Some(bar) => bar.against(&name, path),
            None => BaselineBar::named(&name, path),
        });
    }
}

/// Reads every earlier run that a suite is compared with, and the labels that its gate is corrected by. `own` is the id of the run that compares.
pub fn read(planned: &[Planned<'_>], own: Option<&str>, context: &Context) -> Vec<Redacted<BaselineEvent>> {
    let suites = planned.iter().enumerate();
    let labels = suites.clone().filter_map(|(index, p)| labels::event(index, p, context));
    let runs = suites.flat_map(|(index, p)| p.baselines().into_iter().map(move |run| (index, p, run)));
    let runs = runs.map(|(index, p, run)| event(index, &p.plan.name, run, own, (context, &p.suite.redactor)));
    runs.chain(labels).collect()
}

/// The rules of redaction of the suites of a recorded run, which earlier runs are read by.
pub fn redactors(suites: &[SuitePlan], context: &Context) -> Result<Vec<Redactor>, Failure> {
    suites.iter().map(|suite| context.redactor(&suite.redact)).collect()
}

/// Reads the run that the gates of a recorded run name by now, and keeps what was recorded of the runs that system checks
/// name themselves. `planned` are the suites whose system checks are asked again; `redactors` are those of the suites
/// ([`redactors`]).
pub fn read_again(
    suites: &[SuitePlan],
    planned: &[Option<Planned<'_>>],
    recorded: &[BaselineEvent],
    own: Option<&str>,
    (context, redactors): (&Context, &[Redactor]),
) -> Vec<Redacted<BaselineEvent>> {
    // What people said is as it was when the run began.
    let labels = recorded.iter().filter(|e| e.name == calibration::NAME).cloned();
    let mut events: Vec<Redacted<BaselineEvent>> = labels.map(Redacted::drawn).collect();
    // Named as the cases of the record are.
    for (index, (suite, redactor)) in suites.iter().zip(redactors).enumerate() {
        let Some(bar) = &suite.gate.baseline else { continue };
        let kept = |name: &str| recorded.iter().find(|e| e.suite as usize == index && e.name == name).cloned();
        let runs = match planned.get(index).and_then(Option::as_ref) {
            Some(planned) => planned.baselines(),
            None => vec![EarlierRun { name: bar.run.clone(), path: bar.path.clone(), wanted: Wanted::of_gate(bar) }],
        };
        events.extend(runs.into_iter().map(|run| match kept(&run.name).filter(|_| run.name != bar.run) {
            Some(recorded) => Redacted::drawn(recorded.only(&run.wanted)),
            None => event(index, &suite.name, run, own, (context, redactor)),
        }));
    }
    events
}

fn event(
    index: usize,
    suite: &str,
    run: EarlierRun,
    own: Option<&str>,
    (context, redactor): (&Context, &Redactor),
) -> Redacted<BaselineEvent> {
    let path = context.cwd.join(&run.path);
    let found = match decisions::Args::default().earlier(&path, context) {
        Ok(decided) => baseline::read(&path, suite, &run.wanted, own, &|key| decided.of(key)),
        // What is recorded once is never asked again: without people's word it would be another baseline, for good. Also
        // where one that is missing is skipped. Why it cannot be read is not for the record: it may name a place.
        Err(why) => {
            context.note(&safe::terminal(&format!("seatrial: baseline `{}`: {}\n", run.name, why.message.trim_end())));
            Found::Refused("what people decided over its verdicts could not be read".to_owned())
        }
    };
    redactor.pass(&BaselineEvent { suite: index as u32, name: run.name, found }).map(Cow::into_owned)
}
