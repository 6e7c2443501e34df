//! `seatrial calibrate`: judges held against people, and the threshold that follows.

use std::path::PathBuf;

use serde::Serialize;

use super::context::{Context, Failure};
use super::labels;
use crate::calibrate::{Judged, LabelledVerdict, Wanted, page, patch, text};
use crate::eval::exit;
use crate::model::Level;
use crate::report::safe;
use crate::stats::fixed_sequence::Guarantee;
use crate::suite::load::{self, Env};
use crate::suite::{CheckDef, Suite};

/// Arguments of `seatrial calibrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial calibrate suites/support.toml
  seatrial calibrate suites/support.toml --check goal --html calibration.html
  seatrial calibrate suites/ --labels labels.jsonl > threshold.patch && git apply threshold.patch
  seatrial calibrate suites/ --write

Compares the verdicts of judges with what people said of them, for every check that asks a judge, and recommends the \
lowest `review.below` from which on verdicts can be left to the judge: at most --alpha of those are wrong, except with a \
probability of --delta. It holds for the check, its rubric and its judge as they are now: labels of others are not counted, \
nor are labels that were not drawn at random from all verdicts (`review.audit`, or `always`).

The change of the suite is printed as a patch for `git apply` or `patch -p1` (the report then goes to standard error); with \
--write it is made. Ends 0 when every threshold is shown, whether or not it has to change, 4 when one cannot be shown, 2 \
when there is nothing to calibrate or labels cannot be read, 5 when something could not be written.")]
pub struct Args {
    /// Suites: files, or folders in which every suite is taken.
    #[arg(required = true, value_name = "SUITE")]
    suites: Vec<PathBuf>,
    /// Take labels from exports (`seatrial review export`) instead of the store.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    labels: Vec<PathBuf>,
    /// Only the check with this id.
    #[arg(long, value_name = "ID")]
    check: Option<String>,
    /// The share of verdicts left to the judge that may be wrong.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    alpha: f64,
    /// The probability with which the threshold may be too low all the same.
    #[arg(long, value_name = "CHANCE", default_value_t = 0.05, value_parser = share)]
    delta: f64,
    /// Write a page with diagrams.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Change the suites, instead of printing a patch.
    #[arg(long)]
    write: bool,
    /// Print one machine-readable line instead of the report.
    #[arg(long)]
    pub(super) json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "a share such as 0.05".to_owned())?;
    if value > 0.0 && value < 1.0 { Ok(value) } else { Err("a share above 0 and below 1".to_owned()) }
}

/// The line of `--json`.
#[derive(Serialize)]
struct Line<'r> {
    schema: u32,
    exit_code: u8,
    alpha: f64,
    delta: f64,
    checks: &'r [Judged],
    patch: &'r str,
    written: bool,
}

/// Calibrates.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let suites = suites(args, context)?;
    let wanted = wanted(args, &suites)?;
    let labels = labels(args, &suites, context)?;
    let guarantee = Guarantee { alpha: args.alpha, delta: args.delta };
    let judged: Vec<Judged> = wanted.iter().map(|w| Judged::of(w, &labels, guarantee)).collect();
    let changes = changes(&judged, context)?;
    let patch: String = changes.iter().map(|c| patch::diff(&c.file, &c.before, &c.after)).collect();
    let code = if judged.iter().all(Judged::is_shown) { exit::PASSED } else { exit::NOT_SHOWN };
    if let Some(file) = &args.html {
        let written = std::fs::write(context.cwd.join(file), page::draw(&judged));
        written.map_err(|why| Failure::write(&file.to_string_lossy(), &why))?;
    }
    if args.write {
        for change in &changes {
            let written = std::fs::write(context.cwd.join(&change.file), &change.after);
            written.map_err(|why| Failure::write(&change.file, &why))?;
        }
    }
    if args.json {
        let Guarantee { alpha, delta } = guarantee;
        let line =
            Line { schema: 1, exit_code: code, alpha, delta, checks: &judged, patch: &patch, written: args.write };
        let line = serde_json::to_string(&line).map_err(|why| Failure::write("the calibration", &why.into()))?;
        return context.print(format!("{line}\n").as_bytes(), code);
    }
    let report: String = judged.iter().map(|one| text::draw(one) + "\n").collect();
    if patch.is_empty() || args.write {
        let files = changes.iter().map(|c| format!("changed {}\n", safe::line(&c.file)));
        let done: String = if args.write { files.collect() } else { String::new() };
        return context.print((report + &done).as_bytes(), code);
    }
    context.note(&report);
    context.print(patch.as_bytes(), code)
}

fn suites(args: &Args, context: &Context) -> Result<Vec<Suite>, Failure> {
    let vars = |name: &str| std::env::var(name).ok();
    let env = Env {
        kit: &context.kit,
        vars: &vars,
        subject: None,
        redact: &context.redact,
        sessions: None,
        place: crate::suite::RunsIn::Gate,
        every: None,
    };
    match load::load(&args.suites, &env) {
        Ok(loaded) => Ok(loaded.suites),
        Err(problems) => {
            Err(Failure { code: exit::USAGE, message: problems.render(context.color_errors()), told: false })
        }
    }
}

/// The checks that ask judges.
fn wanted(args: &Args, suites: &[Suite]) -> Result<Vec<Wanted>, Failure> {
    let asks = |c: &&CheckDef| c.level != Level::System && !c.asks.is_empty();
    let named = |c: &&CheckDef| args.check.as_ref().is_none_or(|id| c.id == *id);
    let of = |suite: &Suite, check: &CheckDef| Wanted {
        suite: suite.name.clone(),
        check: check.id.clone(),
        digest: check.digest,
        file: check.location.rsplit_once(':').map_or("", |(file, _)| file).to_owned(),
        below: check.review.as_ref().and_then(|routes| routes.review.below),
    };
    let wanted: Vec<Wanted> = suites
        .iter()
        .flat_map(|suite| suite.checks.iter().filter(asks).filter(named).map(move |check| of(suite, check)))
        .collect();
    match (&args.check, wanted.is_empty()) {
        (_, false) => Ok(wanted),
        (Some(id), true) => Err(Failure::usage(format_args!("no check `{id}` of these suites asks a judge"))),
        (None, true) => Err(Failure::usage("no check of these suites asks a judge\nhelp: `seatrial explain judge`")),
    }
}

/// The labels: of the exports that are named, or of the store.
fn labels(args: &Args, suites: &[Suite], context: &Context) -> Result<Vec<LabelledVerdict>, Failure> {
    if !args.labels.is_empty() {
        return labels::of_files(&args.labels, context).map_err(Failure::usage);
    }
    let mut all = Vec::new();
    for suite in suites {
        all.extend(labels::of_store(&suite.name, context)?);
    }
    Ok(all)
}

/// A file that changes.
struct Change {
    file: String,
    before: String,
    after: String,
}

/// What the thresholds change, file by file.
fn changes(judged: &[Judged], context: &Context) -> Result<Vec<Change>, Failure> {
    let mut changes: Vec<Change> = Vec::new();
    for one in judged {
        let Some(below) = one.change() else { continue };
        let at = match changes.iter().position(|c| c.file == one.file) {
            Some(at) => at,
            None => {
                let read = std::fs::read_to_string(context.cwd.join(&one.file));
                let before = read.map_err(|why| Failure::usage(format_args!("{}: {why}", one.file)))?;
                changes.push(Change { file: one.file.clone(), after: before.clone(), before });
                changes.len() - 1
            }
        };
        let changed = patch::set_below(&changes[at].after, &one.check, below);
        changes[at].after = changed.map_err(|why| Failure::usage(format_args!("{}: {why}", one.file)))?;
    }
    Ok(changes)
}
