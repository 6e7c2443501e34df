//! The suites and what they ask, as they are read when watching begins and whenever they are read again.

use std::path::Path;
use std::sync::Arc;

use super::{Args, STOP, load};
use crate::alerts::kind::words;
use crate::cli::context::{Context, Failure};
use crate::cli::run::asking;
use crate::eval::exit;
use crate::eval::plan::Planned;
use crate::evidence::Outside;
use crate::model::NanoUsd;
use crate::net;
use crate::net::budget::Limits;
use crate::suite::RunsIn;
use crate::suite::watch::Budget;
use crate::watch::admit::Sampling;
use crate::watch::plan::Plan;
use crate::watch::watcher::{Shared, lock};

/// The suites.
///
/// # Errors
/// Everything that is wrong with them.
pub fn plan(args: &Args, context: &Context) -> Result<Plan, Failure> {
    let load = load::Args {
        suites: args.suites.clone(),
        sessions: Vec::new(),
        session_attribute: None,
        filter: None,
        subject: None,
    };
    let mut suites = load.suites_for(context, RunsIn::Watch, args.window).map_err(|problems| Failure {
        code: exit::USAGE,
        message: problems.render(context.color_errors()),
        told: false,
    })?;
    if let Some(attribute) = &args.session_attribute {
        suites.iter_mut().for_each(|suite| suite.recorded.session = Some(attribute.clone()));
    }
    for suite in &mut suites {
        let watch = &mut suite.watch;
        watch.idle = args.idle.unwrap_or(watch.idle);
        watch.max_age = args.max_age.unwrap_or(watch.max_age);
        // Sessions of a window are expected until they have been quiet for long enough.
        watch.late = watch.late.max(watch.idle);
        watch.ends.extend(args.ends.iter().cloned());
    }
    for suite in &suites {
        let watch = &suite.watch;
        let longest = watch.alerts.iter().max_by_key(|alert| alert.rule.back(watch.every));
        if let Some(alert) = longest.filter(|alert| alert.rule.back(watch.every) > args.keep) {
            let (name, suite) = (&alert.name, &suite.name);
            let (back, keep) = (words(alert.rule.back(watch.every)), words(args.keep));
            let why = format_args!("the alert `{name}` of `{suite}` looks back {back}, and `--keep` is {keep}");
            return Err(Failure::usage(why));
        }
    }
    Plan::new(suites).map_err(Failure::usage)
}

/// Whether suites can take the place of those that are watched: what the inbox was made with stays as it is.
///
/// # Errors
/// What needs a new process.
pub fn fits(shared: &Shared, plan: &Plan) -> Result<(), Failure> {
    let now: Arc<Plan> = lock(&shared.plan).clone();
    if now.session_attribute() != plan.session_attribute() || now.ends() != plan.ends() {
        return Err(Failure::usage(
            "by what records name their session, or say that it has ended, is read when watching begins: start it again",
        ));
    }
    Ok(())
}

/// What answers the questions of checks.
///
/// # Errors
/// A model that is named cannot be asked.
pub fn outside(plan: &Plan, context: &Context, state: &Path) -> Result<Outside, Failure> {
    let planned: Vec<Planned<'_>> =
        plan.suites.iter().filter_map(|watching| Planned::new(&watching.suite, None)).collect();
    let limited = plan.suites.iter().any(|watching| watching.suite.watch.sample.usd != Budget::default());
    // Where money is limited it has to be known what an answer costs, or may cost at most.
    let limits = Limits { cost: limited.then_some(NanoUsd(i64::MAX)), tokens: None };
    let prepared =
        asking::prepare(&planned, &asking::Args::lasting(), context, net::budget::Budget::new(limits), &STOP)?;
    let settings = &context.settings;
    if prepared.is_some() && !limited && (settings.max_cost_usd.value.is_some() || settings.max_tokens.value.is_some())
    {
        return Err(Failure::usage(
            "`max_cost_usd` and `max_tokens` are limits of a run, and watching has no end: say `max_usd_per_day` in \
             [watch.sample] of the suites whose checks ask models",
        ));
    }
    let mut outside = Outside::default();
    outside.asker = prepared.map(|prepared| prepared.begin_lasting(state)).transpose()?;
    Ok(outside)
}

/// Who is looked at.
///
/// # Errors
/// What earlier processes spent cannot be read.
pub fn sampling(plan: &Plan, state: &Path) -> Result<Sampling, Failure> {
    Sampling::open(plan, state).map_err(|why| {
        let file = state.join("sampling.json");
        Failure::new(
            exit::INCOMPLETE,
            format_args!("`{}`, which says what was spent, cannot be read: {why}", file.display()),
        )
    })
}
