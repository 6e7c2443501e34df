//! `seatrial gate`: decide again, from the record of a run alone.

use std::path::{Path, PathBuf};

use super::context::{Context, Failure};
use super::{again, baselines};
use crate::checks::system::past::Against;
use crate::eval::event::{CheckPlan, Plan, SuitePlan};
use crate::redact::Redacted;
use crate::report::replay::{self, Instead, Replayed};
use crate::report::{Drawn, decision, json, safe};
use crate::run::system;
use crate::store::record;
use crate::suite::filter::Filter;

/// Arguments of `seatrial gate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial gate reports/latest
  seatrial gate reports/latest --baseline reports/main
  seatrial gate reports/latest --json

Evaluates no session and writes nothing: it decides from what the record holds, the baseline that was read for the run
included, and says every rule of each gate. With --baseline, system checks that are compared with it (`against =
\"baseline\"`) are asked again; the files of their suites must lie where they lay for the run. Ends with the exit code of
a run that decides so.")]
pub struct Args {
    /// The run: its folder or its run.jsonl.
    run: PathBuf,
    #[command(flatten)]
    baseline: baselines::Args,
    /// Print one machine-readable line instead of the decision.
    #[arg(long)]
    pub(super) json: bool,
}

/// Decides.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let path = locate(&args.run, context)?;
    let plan = record::plan(&path).map_err(Failure::usage)?;
    if let Some(shard) = plan.shard() {
        return Err(Failure::usage(format_args!(
            "this is shard {shard} of a run, which decides nothing by itself\nhelp: `seatrial merge` puts the shards together"
        )));
    }
    let replayed = match args.baseline.is_given() {
        true => against_another(args, context, &path, plan)?,
        false => replay::fold(&path).map_err(Failure::usage)?,
    };
    let mut text = Vec::new();
    let written = if args.json {
        json::line(&Redacted::drawn(&replayed.summary), &mut text)
    } else {
        decision::write(Drawn { plan: &replayed.plan, summary: &replayed.summary }, &mut text)
    };
    written.map_err(|why| Failure::write("the decision", &why))?;
    context.print(&text, replayed.summary.exit_code)
}

/// Decides as if the run had been compared with the one that is named.
fn against_another(args: &Args, context: &Context, path: &Path, mut plan: Plan) -> Result<Replayed, Failure> {
    plan.suites.iter_mut().for_each(|suite| args.baseline.apply(suite, context));
    let filter = plan.filter.as_deref().map(Filter::parse).transpose().map_err(Failure::usage)?;
    let suites = again::suites(&plan, &has_compared_checks, "decide where the run was made", context)?;
    let mut planned = again::planned(&plan, &suites, filter.as_ref(), &has_compared_checks, "the run")?;
    planned.iter_mut().flatten().for_each(|p| args.baseline.apply(&mut p.plan, context));
    let named = plan.suites.clone();
    let instead = Instead {
        plan,
        columns: &|suite| planned.get(suite).and_then(Option::as_ref).map_or(0, |p| p.columns.len()),
        baselines: &|recorded, own| {
            let read = baselines::read_again(&named, &planned, recorded, own, context);
            read.into_iter().map(Redacted::into_inner).collect()
        },
        ask: &|suite, fold| {
            let Some(planned) = planned.get(suite).and_then(Option::as_ref) else { return (Vec::new(), false) };
            let (mut found, panicked) = system::decide(planned, fold);
            found.retain(|(check, _)| planned.plan.checks.get(*check as usize).is_some_and(is_compared));
            (found, panicked)
        },
    };
    replay::fold_instead(path, instead).map_err(Failure::usage)
}

/// Whether a check is compared with the baseline of the gate.
fn is_compared(check: &CheckPlan) -> bool {
    !check.inactive && check.against.as_deref() == Some(Against::BASELINE)
}

fn has_compared_checks(suite: &SuitePlan) -> bool {
    suite.checks.iter().any(is_compared)
}

/// The record of a run that the user names.
pub(super) fn locate(run: &Path, context: &Context) -> Result<PathBuf, Failure> {
    let path = record::locate(&context.cwd.join(run));
    if path.exists() {
        return Ok(path);
    }
    let latest = format!("{}/latest", context.settings.out.value.display());
    Err(Failure::usage(format_args!(
        "there is no run at `{}`\nhelp: `seatrial run` writes one; the newest is `{latest}`",
        safe::line(&run.display().to_string())
    )))
}
