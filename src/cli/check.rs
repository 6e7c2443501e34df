//! `seatrial check`: validate suites and show the plan and where every setting came from, without running anything.

mod plan;
mod watching;

use std::io::{self, Write};

use serde::Serialize;

use self::plan::Plan;
use super::context::{Context, Failure};
use super::{flags, load};
use crate::drive::wants;
use crate::eval::event::{CheckPlan, SuitePlan};
use crate::eval::exit;
use crate::eval::plan::Planned;
use crate::model::Level;
use crate::report::safe;
use crate::suite::means::Worse;
use crate::suite::problems::Problems;
use crate::suite::{Gate, Limit, Require, Suite};

/// Arguments of `seatrial check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial check suites/
  seatrial check suites/ --profile ci --json

With --json, `suites` has the plan of each: its checks, cases and gate as the record of a run has them, and where the suite is \
watched `watch`, with the names of the lines that are printed otherwise: `over` (when a session is over), `windows`, `sampled`, \
`skipped`, `quarantine` and `alerts`. Keys end in `_ms` where they are milliseconds; null is no limit, and in `to` everybody. \
What is wrong is in `problems`, each with file, line, column and help.

Ends 0 when every suite is valid, 2 otherwise.")]
pub struct Args {
    #[command(flatten)]
    load: load::Args,
    /// Print one machine-readable line: the plan, or every problem.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    settings: flags::Args,
}

impl Args {
    /// The settings among the flags.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        self.settings.settings()
    }
}

/// Validates and prints.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let filter = args.load.filter()?;
    let suites = match args.load.suites(context) {
        Ok(suites) => suites,
        Err(problems) => return Err(refused(&problems, args, context)?),
    };
    let planned: Vec<Planned<'_>> = suites.iter().filter_map(|s| Planned::new(s, filter.as_ref())).collect();
    // What holds in a run may not where production is watched.
    let watched = match suites.iter().any(|suite| suite.watch.declared) {
        true => match args.load.watched(context) {
            Ok(watched) => watched,
            Err(problems) => return Err(refused(&problems, args, context)?),
        },
        false => Vec::new(),
    };
    let watched = |suite: &str| watched.iter().find(|watched| watched.name == suite && watched.watch.declared);
    let mut text = Vec::new();
    if args.json {
        let plans = planned.iter().map(|p| Shown { plan: &p.plan, watch: watched(&p.suite.name).map(Plan::of) });
        let plans: Vec<Shown<'_>> = plans.collect();
        let line = serde_json::json!({ "schema": 1, "exit_code": exit::PASSED, "suites": plans });
        text = format!("{line}\n").into_bytes();
    } else {
        // Writing into memory does not fail.
        let _ = print(&planned, &watched, args, context, &mut text);
    }
    context.print(&text, exit::PASSED)
}

/// A suite in JSON.
#[derive(Serialize)]
struct Shown<'p> {
    #[serde(flatten)]
    plan: &'p SuitePlan,
    #[serde(skip_serializing_if = "Option::is_none")]
    watch: Option<Plan<'p>>,
}

/// Everything that is wrong with the suites.
fn refused(problems: &Problems, args: &Args, context: &Context) -> Result<Failure, Failure> {
    if args.json {
        let line = serde_json::json!({ "schema": 1, "exit_code": exit::USAGE, "problems": problems.lines() });
        context.print(format!("{line}\n").as_bytes(), exit::USAGE)?;
    }
    Ok(Failure { code: exit::USAGE, message: problems.render(context.color_errors()), told: args.json })
}

fn print<'s>(
    planned: &[Planned<'_>],
    watched: &dyn Fn(&str) -> Option<&'s Suite>,
    args: &Args,
    context: &Context,
    out: &mut dyn Write,
) -> io::Result<()> {
    for planned in planned {
        suite(planned, args, context, out)?;
        if let Some(watched) = watched(&planned.suite.name) {
            watching::print(watched, out)?;
        }
        writeln!(out)?;
    }
    writeln!(out, "settings")?;
    context.settings.write_table(out)?;
    let n = planned.len();
    writeln!(out, "\n{n} {} valid", if n == 1 { "suite is" } else { "suites are" })
}

fn suite(planned: &Planned<'_>, args: &Args, context: &Context, out: &mut dyn Write) -> io::Result<()> {
    let plan = &planned.plan;
    writeln!(out, "{} ({})", safe::terminal(&plan.name), safe::terminal(&plan.path))?;
    if !plan.description.is_empty() {
        writeln!(out, "  {}", safe::terminal(&plan.description))?;
    }
    if let Some(subject) = &plan.subject {
        writeln!(out, "  judges      {}", safe::terminal(&subject.to_string()))?;
    }
    if let Some(live) = &planned.suite.live {
        let (wants, load) = (wants::of(planned), &live.load);
        let n = wants.len();
        let sessions = if n == 1 { "session" } else { "sessions" };
        writeln!(
            out,
            "  agent       {}, {n} {sessions} to drive, {} at once",
            live.kind,
            load.concurrency.min(n.max(1))
        )?;
    }
    let recorded = &planned.suite.recorded;
    if planned.suite.live.is_some() && recorded.paths.is_empty() {
        return rest(planned, out);
    }
    let found = args.load.recordings(planned.suite, context);
    let format = recorded.format.map_or_else(|| "format by content".to_owned(), |f| format!("format {f}"));
    let n = found.files.len();
    writeln!(out, "  recordings  {n} {}, {format}", if n == 1 { "file" } else { "files" })?;
    for pattern in &found.unmatched {
        let why = match found.invalid.iter().find(|(invalid, _)| invalid == pattern) {
            Some((_, why)) => format!("{pattern} is not a glob ({why}); a run would refuse it"),
            None => format!("no file matches {pattern} yet; a run would refuse it"),
        };
        writeln!(out, "              {}", safe::terminal(&why))?;
    }
    rest(planned, out)
}

/// What does not depend on where sessions come from.
fn rest(planned: &Planned<'_>, out: &mut dyn Write) -> io::Result<()> {
    let plan = &planned.plan;
    let trials = plan.trials.map(|t| format!(", {t} trials each")).unwrap_or_default();
    let cases = match &plan.cases {
        Some(cases) => {
            let skipped = cases.iter().filter(|c| c.skip.is_some()).count();
            format!(
                "{} declared{trials}{}",
                cases.len(),
                if skipped > 0 { format!(", {skipped} skipped") } else { String::new() }
            )
        }
        None => format!("as the sessions name them; one that names none is its own case{trials}"),
    };
    writeln!(out, "  cases       {cases}")?;
    writeln!(out, "  gate        {}", gate(&plan.gate))?;
    if plan.checks.iter().all(|c| c.inactive) {
        writeln!(out, "  checks      none, so a run of it measures nothing and does not pass")?;
    }
    for level in Level::ALL {
        for check in plan.checks.iter().filter(|c| c.level == level && !c.inactive) {
            self::check(check, out)?;
        }
    }
    Ok(())
}

fn check(check: &CheckPlan, out: &mut dyn Write) -> io::Result<()> {
    let mut notes = vec![check.severity.name().to_owned()];
    match check.require {
        Require::All => {}
        Require::Any => notes.push("any".to_owned()),
        Require::Count(n) => notes.push(format!("at least {n}")),
        Require::Share(share) => notes.push(format!("at least {share} of its subjects")),
    }
    if check.optional {
        notes.push("optional".to_owned());
    }
    notes.extend(check.case.as_ref().map(|c| format!("only case {c}")));
    writeln!(
        out,
        "  {:<8}    {:<28} {:<14} {:<8}  {}",
        check.level.name(),
        safe::terminal(&check.id),
        check.check,
        safe::terminal(&notes.join(", ")),
        safe::terminal(&check.location)
    )
}

fn gate(gate: &Gate) -> String {
    let limit = |l: Limit| match l {
        Limit::Count(n) => n.to_string(),
        // A share has no more than a few digits; the rest is what binary fractions add.
        Limit::Share(share) => format!("{}%", (share * 1e8).round() / 1e6),
    };
    let sure = |confidence: Option<f64>| {
        confidence.map(|c| format!(" ({}% sure)", (c * 1e6).round() / 1e4)).unwrap_or_default()
    };
    let pass_rate = &gate.pass_rate;
    let corrected = match (pass_rate.correct, &gate.corrects) {
        (Some(method), Some(check)) => {
            format!(", corrected for the judge of {} ({})", safe::terminal(check), method.name())
        }
        _ => String::new(),
    };
    let mut parts = vec![format!("pass_rate at least {}{}{corrected}", pass_rate.min, sure(pass_rate.confidence))];
    if let Some(r) = &gate.reliability {
        let min = r.min.map_or_else(|| "reported".to_owned(), |m| format!("at least {m}"));
        parts.push(format!("pass^{} {min}{}", r.k, sure(r.confidence)));
    }
    if let Some(b) = &gate.baseline {
        parts.push(format!("no worse than {} by {}", safe::terminal(&b.run), b.margin));
        parts.extend(b.means.iter().filter_map(|bar| {
            let (way, amount) = match bar.worse()? {
                Worse::Up(amount) => ("rises", amount),
                Worse::Down(amount) => ("falls", amount),
            };
            Some(format!("mean {} {way} by less than {amount}", safe::terminal(&bar.metric)))
        }));
    }
    for (name, value) in [
        ("left out", gate.max_left_out),
        ("missing", gate.max_missing_cases),
        ("errors", gate.max_error_rate),
        ("skipped", gate.max_skip_rate),
    ] {
        if !matches!(value, Limit::Count(0)) && value != Limit::Share(0.0) {
            parts.push(format!("{name} at most {}", limit(value)));
        }
    }
    parts.extend(gate.groups.iter().map(|g| format!("stricter for tag {}", g.tag)));
    parts.join("; ")
}
