//! `seatrial report`: draw a run's reports again, from its record and what people have decided since.

use std::path::PathBuf;

use super::context::{Context, Failure};
use super::decisions;
use super::run::{Copies, Format, below_root, display, write_reports};
use crate::eval::exit;
use crate::eval::overlay::Rulings;
use crate::ledger::ItemKey;
use crate::redact::Redacted;
use crate::report::replay::Instead;
use crate::report::terminal::Terminal;
use crate::report::{Drawn, github, json, replay, safe};
use crate::run::system;
use crate::store::record;
use crate::suite::settings::Reports;

/// Arguments of `seatrial report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial report reports/latest
  seatrial report reports/latest --junit build/junit.xml

Writes junit.xml, index.html, summary.json and summary.md beside the record and prints the report. What people have decided \
since the run takes the place of the verdicts that it is about, as in `seatrial gate`, and the reports say so. Ends with the \
exit code that the run has then.")]
pub struct Args {
    /// The run: its folder or its run.jsonl.
    run: PathBuf,
    #[command(flatten)]
    labels: decisions::Args,
    /// Put a copy of junit.xml there.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Put a copy of index.html there.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print one machine-readable line instead of the report.
    #[arg(long)]
    pub(super) json: bool,
    /// List checks that passed, too.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    format: Format,
}

/// Draws the reports.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let path = record::locate(&context.cwd.join(&args.run));
    if !path.exists() {
        let latest = format!("{}/latest", context.settings.out.value.display());
        return Err(Failure::usage(format_args!(
            "there is no run at `{}`\nhelp: `seatrial run` writes one; the newest is `{latest}`",
            safe::line(&args.run.display().to_string())
        )));
    }
    let plan = record::plan(&path).map_err(Failure::usage)?;
    let labels = args.labels.open(&path, &plan, context)?;
    let decisions = labels.decisions()?;
    labels.note_outdated(&decisions);
    let of = |key: &ItemKey| decisions.of(key);
    let rulings: Option<Rulings<'_>> = (!decisions.is_empty()).then_some(&of);
    let instead = Instead { rulings, revise: &system::decide_again, ..Instead::nothing(plan.clone()) };
    let replayed = replay::fold_instead(&path, instead).map_err(Failure::usage)?;
    let dir = path.parent().unwrap_or(&context.cwd);
    let drawn = Drawn { plan: &replayed.plan, summary: &replayed.summary };
    let ends: Vec<_> = replayed.ends.iter().map(Option::as_ref).collect();
    let copy = |path: &Option<PathBuf>| path.as_ref().map(|p| context.cwd.join(p));
    let copies = Copies { junit: copy(&args.junit), html: copy(&args.html) };
    let gathered = write_reports(dir, Reports::ALL, &copies, drawn, &ends, None, rulings)
        .map_err(|why| Failure::new(exit::INCOMPLETE, why))?;
    let mut text = Vec::new();
    let written = if args.json {
        json::line(&Redacted::drawn(&replayed.summary), &mut text)
    } else {
        Terminal::new(drawn, ends, &gathered, args.verbose).of_folder(display(dir, &context.cwd)).write(&mut text)
    };
    written.map_err(|why| Failure::write("the report", &why))?;
    if args.format.is_github() {
        // Writing into memory does not fail.
        let _ = github::write(drawn, &gathered, &below_root(&context.cwd), &mut text);
    }
    context.print(&text, replayed.summary.exit_code)
}
