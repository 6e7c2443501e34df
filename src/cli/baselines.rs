//! The earlier runs that suites are compared with: `--baseline`, and reading each before anything is run.

use std::path::{Path, PathBuf};

use super::context::Context;
use crate::eval::event::{BaselineEvent, SuitePlan};
use crate::eval::plan::Planned;
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

    /// Reads the run that the plans name by now.
    pub fn read(&self, suites: &[SuitePlan]) -> Vec<BaselineEvent> {
        let bars = suites.iter().enumerate().filter_map(|(i, s)| Some((i, s, s.gate.baseline.as_ref()?)));
        let event = |(index, suite, bar): (usize, &SuitePlan, &BaselineBar)| BaselineEvent {
            suite: index as u32,
            name: bar.run.clone(),
            found: baseline::read(&bar.path, &suite.name, &[], None),
        };
        bars.map(event).collect()
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

/// Reads every earlier run that a suite is compared with. `own` is the id of the run that compares.
pub fn read(planned: &[Planned<'_>], own: Option<&str>, context: &Context) -> Vec<BaselineEvent> {
    let suites = planned.iter().enumerate();
    let wanted = suites.flat_map(|(index, planned)| planned.baselines().into_iter().map(move |w| (index, planned, w)));
    let event = |(index, planned, wanted): (usize, &Planned<'_>, crate::eval::plan::Wanted)| {
        let path: &Path = &context.cwd.join(&wanted.path);
        let found = baseline::read(path, &planned.plan.name, &wanted.columns, own);
        BaselineEvent { suite: index as u32, name: wanted.name, found }
    };
    wanted.map(event).collect()
}
