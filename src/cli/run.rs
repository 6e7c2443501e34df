//! `seatrial run`: evaluate suites and decide. Its arguments, and what must be right before anything is run.

pub(super) mod asking;
mod driver;
mod execute;
pub(super) mod fleet;
mod folder;
mod interrupt;
mod live;
mod output;
mod reports;
mod rerun;
mod resume;
mod watch;

use execute::Execution;
pub(super) use folder::{below_root, display};
pub(super) use interrupt::stop_on_interrupt;
pub(super) use output::{Ended, Output, Shown};
pub(super) use reports::{Copies, write as write_reports};
use rerun::Rerun;

use std::collections::HashSet;
use std::path::PathBuf;

use super::context::{Context, Failure};
use super::{baselines, flags, load};
use crate::eval::exit;
use crate::eval::plan::Planned;
use crate::eval::shard::Shard;
use crate::report::github;
use crate::sources::discover::Discovery;
use crate::store;
use crate::suite::Suite;

/// Arguments of `seatrial run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial run suites/
  seatrial run suites/airline.toml --sessions recordings/*.jsonl --subject airline@1.4.2
  seatrial run suites/ --filter 'tag(refund) and not level(system)'
  seatrial run suites/ --baseline reports/main
  seatrial run suites/ --live
  seatrial run suites/ --recorded
  seatrial run suites/ --json --junit junit.xml
  seatrial run suites/ --shard 2/8
  seatrial run suites/ --resume
  seatrial run suites/ --rerun failed
  seatrial run suites/ --evidence reports/latest
  seatrial run suites/ --on nats://queue:4222
  seatrial run suites/ --watch

Exit codes: 0 passed, 1 failed, 2 usage, 3 held, 4 not shown, 5 incomplete, 70 bug (seatrial explain exit-codes).")]
pub struct Args {
    #[command(flatten)]
    pub(super) load: load::Args,
    #[command(flatten)]
    from: live::Args,
    #[command(flatten)]
    baseline: baselines::Args,
    #[command(flatten)]
    asking: asking::Args,
    /// Print one machine-readable line instead of the report.
    #[arg(long)]
    pub(super) json: bool,
    /// List checks that passed, too.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    format: Format,
    /// Record only the cases of this shard, as in 2/8, and leave the decision to `seatrial merge`.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Continue a run that was killed or interrupted: the newest that has not ended, or RUN. What is recorded is not
    /// evaluated again.
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "RUN")]
    resume: Option<Option<PathBuf>>,
    /// Only the cases that did not go well in an earlier run: `failed` or `errors` of the newest, a RUN (both), or
    /// `failed:RUN`. System checks are left out, and the run is partial.
    #[arg(long, value_name = "WHICH", conflicts_with_all = ["shard", "resume"])]
    rerun: Option<Rerun>,
    /// Run again whenever a suite, a recording or anything else that is read changes.
    #[arg(long, conflicts_with_all = ["shard", "resume"])]
    watch: bool,
    #[command(flatten)]
    fleet: fleet::Args,
    #[command(flatten)]
    settings: flags::Args,
}

impl Args {
    /// The settings among the flags.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        self.settings.settings()
    }

    /// Requires that what only one machine can do is not asked of workers.
    fn alone(&self) -> Result<(), Failure> {
        let given =
            [("--shard", self.shard.is_some()), ("--resume", self.resume.is_some()), ("--rerun", self.rerun.is_some())];
        let given: Vec<&str> = given.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag).collect();
        if self.fleet.on.is_none() || given.is_empty() {
            return Ok(());
        }
        Err(Failure::usage(format_args!(
            "{} cannot be used with --on: the workers share a whole run",
            given.join(", ")
        )))
    }
}

/// Runs suites, once or whenever something changes.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    if args.watch { watch::watch(args, context) } else { once(args, context, &mut |_| ()) }
}

/// Runs suites; `seen` is told which before any of them is run.
fn once(args: &Args, context: &Context, seen: &mut dyn FnMut(&[Suite])) -> Result<u8, Failure> {
    let filter = args.load.filter()?;
    let mut suites = match args.load.suites(context) {
        Ok(suites) => suites,
        Err(problems) => return usage(args, context, &problems),
    };
    let unsettled = live::choose(&args.from, &args.load, &mut suites, context);
    if !unsettled.is_empty() {
        return usage(args, context, &unsettled);
    }
    seen(&suites);
    let rerun = args.rerun.as_ref().map(|r| r.select(context)).transpose()?;
    let none = HashSet::new();
    let planned = suites.iter().filter_map(|suite| {
        let only = rerun.as_ref().map(|r| r.cases.get(&suite.name).unwrap_or(&none));
        Planned::of_cases(suite, filter.as_ref(), only)
    });
    let mut planned: Vec<Planned<'_>> = planned.collect();
    planned.iter_mut().for_each(|p| args.baseline.apply(&mut p.plan, context));
    for planned in planned.iter_mut().filter(|planned| planned.wants_earlier()) {
        let run = planned.plan.gate.baseline.as_ref().map(|bar| context.cwd.join(&bar.path));
        planned.earlier = run.map(|run| store::earlier::read(&run, &planned.plan.name));
    }
    let mut found: Vec<Discovery> = planned.iter().map(|p| args.load.recordings(p.suite, context)).collect();
    let unmatched = load::unmatched(&args.load, context, &planned, &found);
    if !unmatched.is_empty() {
        return usage(args, context, &unmatched);
    }
    args.alone()?;
    let stop = interrupt::stop_on_interrupt()?;
    let mut execution =
        Execution::begin(args, context, filter.as_ref(), rerun.as_ref().map(|r| r.told.clone()), &planned, stop)?;
    execution.drive(&mut found, stop)?;
    execution.finish(found, stop)
}

/// What is printed for whom.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub(super) struct Format {
    /// What follows the report: with `github`, annotations of a workflow that point at the suite's file and line.
    #[arg(long, value_name = "FOR", value_parser = ["text", "github"], default_value = "text", conflicts_with = "json")]
    format: String,
}

impl Format {
    /// Whether annotations are asked for.
    pub(super) fn is_github(&self) -> bool {
        self.format == "github"
    }
}

fn usage(args: &Args, context: &Context, problems: &crate::suite::problems::Problems) -> Result<u8, Failure> {
    let message = problems.render(context.color_errors());
    if args.json {
        let line = serde_json::json!({ "schema": 1, "exit_code": exit::USAGE, "problems": problems.lines() });
        context.print(format!("{line}\n").as_bytes(), exit::USAGE)?;
    }
    if args.format.is_github() {
        let (mut text, prefix) = (Vec::new(), below_root(&context.cwd));
        for line in problems.lines() {
            let help = line.help.map(|help| format!("\nhelp: {help}")).unwrap_or_default();
            // Writing into memory does not fail.
            let _ = github::problem(line.file, line.line, &format!("{}{help}", line.message), &prefix, &mut text);
        }
        context.print(&text, exit::USAGE)?;
    }
    Err(Failure { code: exit::USAGE, message, told: args.json })
}
