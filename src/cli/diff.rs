//! `seatrial diff`: what newly fails and newly passes between two runs.

use std::path::PathBuf;

use super::context::{Context, Failure};
use super::decisions;
use super::gate::locate;
use crate::eval::exit;
use crate::redact::Redacted;
use crate::report::diff;

/// Arguments of `seatrial diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial diff reports/main reports/latest
  seatrial diff reports/main reports/latest --exit-code
  seatrial diff reports/main reports/latest --labels labels.jsonl
  seatrial diff reports/main reports/latest --json

Cases are paired by id, checks by what they ask (their digest): a check that changed is named and not compared. Ends 0 \
whatever it finds; with --exit-code 1 when something that passed before does not pass any more: a blocking check newly \
fails or is no longer measured, a case or suite is gone. What people decided is laid over both runs, from the store or from \
an export by --labels. Ends 2 when a run cannot be read, and 2 or 5 \
when the store cannot that knows what people decided over it.")]
pub struct Args {
    /// The earlier run: its folder or its run.jsonl.
    before: PathBuf,
    /// The later run.
    after: PathBuf,
    /// End 1 when something that passed does not pass any more.
    #[arg(long)]
    exit_code: bool,
    /// Print one machine-readable line instead of the report.
    #[arg(long)]
    pub(super) json: bool,
    /// Show every change, not only the first of each kind.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    labels: decisions::Args,
}

/// Compares.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let (before, after) = (locate(&args.before, context)?, locate(&args.after, context)?);
    let (then, now) = (args.labels.earlier(&before, context)?, args.labels.earlier(&after, context)?);
    let mut diff = diff::runs(&before, &after, &|key| then.of(key).or_else(|| now.of(key))).map_err(Failure::usage)?;
    diff.exit_code = if args.exit_code && diff.is_worse() { exit::FAILED } else { exit::PASSED };
    let mut text = Vec::new();
    let written = if args.json {
        serde_json::to_writer(&mut text, &Redacted::drawn(&diff)).map(|()| text.push(b'\n')).map_err(Into::into)
    } else {
        diff::text::write(&diff, args.verbose, &mut text)
    };
    written.map_err(|why: std::io::Error| Failure::write("the comparison", &why))?;
    context.print(&text, diff.exit_code)
}
