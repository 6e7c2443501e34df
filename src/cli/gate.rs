//! `seatrial gate`: decide again, from the record of a run alone.

use std::path::{Path, PathBuf};

use super::baselines;
use super::context::{Context, Failure};
use crate::model::Redactor;
use crate::report::{Drawn, decision, json, replay, safe};
use crate::store::record;

/// Arguments of `seatrial gate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial gate reports/latest
  seatrial gate reports/latest --baseline reports/main
  seatrial gate reports/latest --json

Evaluates nothing and writes nothing: it decides from what the record holds, the baseline that was read for the run
included, and says every rule of each gate. Ends with the exit code of a run that decides so.")]
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
    let instead = |plan: &mut crate::eval::event::SuitePlan| args.baseline.apply(plan, context);
    let instead: Option<&dyn Fn(&mut _)> = if args.baseline.is_given() { Some(&instead) } else { None };
    if let Some(shard) = record::plan(&path).map_err(Failure::usage)?.shard() {
        return Err(Failure::usage(format_args!(
            "this is shard {shard} of a run, which decides nothing by itself\nhelp: `seatrial merge` puts the shards together"
        )));
    }
    let replayed = replay::fold_against(&path, instead).map_err(Failure::usage)?;
    let mut text = Vec::new();
    let written = if args.json {
        json::line(&Redactor::default().pass(&replayed.summary), &mut text)
    } else {
        decision::write(Drawn { plan: &replayed.plan, summary: &replayed.summary }, &mut text)
    };
    written.map_err(|why| Failure::write("the decision", &why))?;
    context.print(&text, replayed.summary.exit_code)
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
