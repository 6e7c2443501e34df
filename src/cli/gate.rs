//! `seatrial gate`: decide again, from the record of a run and what people have decided since.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::context::{Context, Failure};
use super::run::stop_on_interrupt;
use super::{again, baselines, decisions};
use crate::checks::system::past::Against;
use crate::eval::event::{CheckPlan, Plan, SuitePlan};
use crate::eval::exit;
use crate::eval::overlay::Rulings;
use crate::ledger::ItemKey;
use crate::redact::Redacted;
use crate::report::replay::{self, Instead, Replayed};
use crate::report::{Drawn, decision, json, safe};
use crate::review::rulings::Decisions;
use crate::run::system;
use crate::store::record;
use crate::suite::filter::Filter;

/// Arguments of `seatrial gate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial gate reports/latest
  seatrial gate reports/latest --baseline reports/main
  seatrial gate reports/latest --wait 30m
  seatrial gate reports/latest --labels labels.jsonl
  seatrial gate reports/latest --json

Evaluates no session and writes nothing: it decides from what the record holds, the baseline that was read for the run \
included, and says every rule of each gate. What people have decided since (`seatrial review`) takes the place of the \
verdicts that it is about, those of the audit sample included; verdicts that are open, skipped or expired stay held. With \
--wait it looks again until the gate is final, and ends with 3 where it is not by then. With --baseline, system checks that are compared with it (`against = \
\"baseline\"`) are asked again; the files of their suites must lie where they lay for the run. Ends with the exit code of \
a run that decides so.")]
pub struct Args {
    /// The run: its folder or its run.jsonl.
    run: PathBuf,
    #[command(flatten)]
    baseline: baselines::Args,
    #[command(flatten)]
    labels: decisions::Args,
    /// Where the gate is held, wait for people until it is final, at most so long, such as `30m`.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<Duration>,
    /// How often to look while waiting, at least 200ms. Default 5s.
    #[arg(long, value_name = "TIME", value_parser = poll, requires = "wait")]
    poll: Option<Duration>,
    /// Print one machine-readable line instead of the decision.
    #[arg(long)]
    pub(super) json: bool,
}

/// How often the store is asked while somebody waits, without another word.
const POLL: &str = "5s";

/// Decides, once or until it is final.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let path = locate(&args.run, context)?;
    let plan = record::plan(&path).map_err(Failure::usage)?;
    if let Some(shard) = plan.shard() {
        return Err(Failure::usage(format_args!(
            "this is shard {shard} of a run, which decides nothing by itself\nhelp: `seatrial merge` puts the shards together"
        )));
    }
    let labels = args.labels.open(&path, &plan, context)?;
    let mut decisions = labels.decisions()?;
    labels.note_outdated(&decisions);
    let mut replayed = decide(args, context, &path, &plan, &decisions)?;
    if let Some(wait) = args.wait {
        let mut waiting = Waiting::begin(wait, args.poll, context)?;
        while replayed.summary.exit_code == exit::HELD && labels.may_change() && waiting.goes_on(&replayed) {
            let now = labels.decisions()?;
            if now != decisions {
                decisions = now;
                replayed = decide(args, context, &path, &plan, &decisions)?;
            }
        }
    }
    let mut text = Vec::new();
    let written = if args.json {
        json::line(&Redacted::drawn(&replayed.summary), &mut text)
    } else {
        decision::write(Drawn { plan: &replayed.plan, summary: &replayed.summary }, &mut text)
    };
    written.map_err(|why| Failure::write("the decision", &why))?;
    context.print(&text, replayed.summary.exit_code)
}

/// Decides with what people decided.
fn decide(
    args: &Args,
    context: &Context,
    path: &Path,
    plan: &Plan,
    decisions: &Decisions,
) -> Result<Replayed, Failure> {
    let of = |key: &ItemKey| decisions.of(key);
    let rulings: Option<Rulings<'_>> = (!decisions.is_empty()).then_some(&of);
    match args.baseline.is_given() {
        true => against_another(args, context, path, plan.clone(), rulings),
        false => {
            let instead = Instead { rulings, revise: &system::decide_again, ..Instead::nothing(plan.clone()) };
            replay::fold_instead(path, instead).map_err(Failure::usage)
        }
    }
}

/// Somebody waits for people.
struct Waiting<'w> {
    until: Instant,
    poll: Duration,
    stop: &'static AtomicBool,
    told: Option<u64>,
    context: &'w Context,
}

impl<'w> Waiting<'w> {
    fn begin(wait: Duration, poll: Option<Duration>, context: &'w Context) -> Result<Self, Failure> {
        let usual = || duration(POLL).map_err(|why| Failure::new(exit::BUG, why));
        let poll = poll.map_or_else(usual, Ok)?;
        Ok(Self { until: Instant::now() + wait, poll, stop: stop_on_interrupt()?, told: None, context })
    }

    /// Waits for a while; whether it is worth looking again. An interrupt and the deadline end it.
    fn goes_on(&mut self, replayed: &Replayed) -> bool {
        let waiting = replayed.summary.suites.iter().filter_map(|s| s.waiting.as_ref()).map(|w| w.verdicts).sum();
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        if self.told != Some(waiting) {
            self.told = Some(waiting);
            let minutes = left.as_secs().div_ceil(60);
            self.context
                .note(&format!("seatrial: {waiting} verdicts wait for a person; waiting up to {minutes} min\n"));
        }
        let wake = Instant::now() + self.poll.min(left);
        while let Some(left) = wake.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.stop.load(Ordering::Relaxed) {
                self.context.note("seatrial: interrupted: what is decided by now is printed\n");
                return false;
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        true
    }
}

/// Reads a duration such as `30m`.
fn duration(text: &str) -> Result<Duration, String> {
    crate::model::duration::parse(text)
}

/// The least time between two looks: the store is for people, too.
const LEAST_POLL: Duration = Duration::from_millis(200);

/// Reads how often to look.
fn poll(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    if every < LEAST_POLL { Err("the least is 200ms".to_owned()) } else { Ok(every) }
}

/// Decides as if the run had been compared with the one that is named.
fn against_another(
    args: &Args,
    context: &Context,
    path: &Path,
    mut plan: Plan,
    rulings: Option<Rulings<'_>>,
) -> Result<Replayed, Failure> {
    plan.suites.iter_mut().for_each(|suite| args.baseline.apply(suite, context));
    let filter = plan.filter.as_deref().map(Filter::parse).transpose().map_err(Failure::usage)?;
    let suites = again::suites(&plan, &has_compared_checks, "decide where the run was made", context)?;
    let mut planned = again::planned(&plan, &suites, filter.as_ref(), &has_compared_checks, "the run")?;
    planned.iter_mut().flatten().for_each(|p| args.baseline.apply(&mut p.plan, context));
    let named = plan.suites.clone();
    let redactors = baselines::redactors(&named, context)?;
    let instead = Instead {
        plan,
        columns: &|suite| planned.get(suite).and_then(Option::as_ref).map_or(0, |p| p.columns.len()),
        baselines: &|recorded, own| {
            let read = baselines::read_again(&named, &planned, recorded, own, (context, &redactors));
            read.into_iter().map(Redacted::into_inner).collect()
        },
        ask: &|suite, fold| {
            let Some(planned) = planned.get(suite).and_then(Option::as_ref) else { return (Vec::new(), false) };
            let (mut found, panicked) = system::decide(planned, fold);
            found.retain(|(check, _)| planned.plan.checks.get(*check as usize).is_some_and(is_compared));
            (found, panicked)
        },
        rulings,
        revise: &system::decide_again,
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
