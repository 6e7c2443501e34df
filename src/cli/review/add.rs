//! `seatrial review add`: the verdicts of a run that go to people, into the queue.

use std::path::PathBuf;

use crate::cli::context::{Context, Failure};
use crate::cli::run::display;
use crate::cli::{gate, left};
use crate::eval::exit;
use crate::report::{replay, safe};
use crate::review::stored;
use crate::store::record;

/// Arguments of `seatrial review add`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial review add reports/latest

`seatrial run` does this itself where a suite has `review`. To do it again, after the store could not be reached or the run \
was killed, adds what is not there yet and nothing twice. The run itself is stored, too; a record that was edited since its
run ended is refused, and a run that the store first learns of here is evidence for `seatrial promote` by --override only:
nobody can tell whether its record was edited before.")]
pub struct Args {
    /// The run: its folder or its run.jsonl.
    run: PathBuf,
}

/// Puts the verdicts of a run that wait for people into the queue.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let path = gate::locate(&args.run, context)?;
    let plan = record::plan(&path).map_err(Failure::usage)?;
    if let Some(shard) = plan.shard() {
        return Err(Failure::usage(format_args!(
            "this is shard {shard} of a run\nhelp: `seatrial merge` puts the shards together, and the verdicts into the queue"
        )));
    }
    let (opened, now) = (context.needed_store()?, left::now());
    let replayed = replay::fold(&path).map_err(Failure::usage)?;
    if replayed.finished.is_none() {
        context.note("seatrial: the run has not ended: what it has recorded so far is added\n");
    }
    let known = opened.wait(opened.store().kept_run(&replayed.summary.run))?.and_then(|run| run.run.record_digest);
    let is = stored::digest(&path).map_err(Failure::usage)?;
    if known.is_some_and(|known| known != is) {
        return Err(Failure::usage(format_args!(
            "the record is not what run {} left: it was edited, and nothing of it was added\nhelp: run it again",
            safe::line(&replayed.summary.run)
        )));
    }
    left::keep(&path, &replayed, false, (context, &opened), now)?;
    let queued = left::enqueue(&path, &[], context, &opened, now)?;
    let place = display(path.parent().unwrap_or(&path), &context.cwd);
    context.print(format!("{}\n", safe::line(&queued.told(&place))).as_bytes(), exit::PASSED)
}
