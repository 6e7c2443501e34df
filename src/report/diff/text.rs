//! Two runs side by side for people: the test in words first, then what changed, each with both sides.

use std::io::{self, Write};

use super::{CONFIDENCE, Change, CheckDiff, Diff, Kind, RunName, Side, SuiteDiff, Test};
use crate::checks::system::words;
use crate::report::safe;
use crate::report::terminal::{BAD, BOLD, DIM, GOOD, UNSURE, shell};

/// Changes shown of each kind, unless all are wanted.
const SHOWN: usize = 20;

/// Above this a difference is what chance alone shows often enough.
const SIGNIFICANT: f64 = 1.0 - CONFIDENCE;

/// Writes the comparison; `all` shows every change.
pub fn write(diff: &Diff, all: bool, out: &mut dyn Write) -> io::Result<()> {
    for (label, run) in [("before", &diff.before), ("after", &diff.after)] {
        writeln!(out, "{DIM}{label:<7}{DIM:#} {}{}", safe::terminal(&run.run), caution(run))?;
    }
    for suite in &diff.suites {
        writeln!(out, "\n{BOLD}{}{BOLD:#}", safe::terminal(&suite.name))?;
        self::suite(suite, all, out)?;
    }
    for (label, names) in [("before", &diff.suites_gone), ("after", &diff.suites_new)] {
        if !names.is_empty() {
            writeln!(out, "\n{UNSURE}only {label}{UNSURE:#} {}", listed(names))?;
        }
    }
    Ok(())
}

fn caution(run: &RunName) -> String {
    let partial = if run.partial { " (partial)" } else { "" };
    let stopped = run.stopped.as_ref().map(|why| format!(" (ended early: {})", safe::terminal(why)));
    format!("{partial}{}", stopped.unwrap_or_default())
}

fn listed(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    safe::terminal(&words::listed(&names)).into_owned()
}

fn suite(suite: &SuiteDiff, all: bool, out: &mut dyn Write) -> io::Result<()> {
    match &suite.cases {
        Some(test) => writeln!(out, "  {}", in_words(test))?,
        None => {
            writeln!(out, "  {UNSURE}no case was measured in both runs by a blocking check that is the same{UNSURE:#}")?
        }
    }
    for (label, names) in [
        ("cases only before", &suite.cases_gone),
        ("cases only after", &suite.cases_new),
        ("checks changed, not compared", &suite.checks_changed),
        ("checks only before", &suite.checks_gone),
        ("checks only after", &suite.checks_new),
    ] {
        if !names.is_empty() {
            writeln!(out, "  {UNSURE}{label}{UNSURE:#} {}", listed(names))?;
        }
    }
    if !suite.flaky.is_empty() {
        let name = |f: &super::Flaky| match (f.before, f.after) {
            (true, true) => f.case.clone(),
            (true, false) => format!("{} (before)", f.case),
            _ => format!("{} (after)", f.case),
        };
        writeln!(out, "  {UNSURE}flaky{UNSURE:#} {}", listed(&suite.flaky.iter().map(name).collect::<Vec<_>>()))?;
    }
    for check in suite.checks.iter().filter(|c| c.test.newly_fail + c.test.newly_pass > 0) {
        self::check(check, out)?;
    }
    for kind in [Kind::NewlyFails, Kind::NoLongerMeasured, Kind::NewlyPasses, Kind::NewlyMeasured] {
        let changes: Vec<&Change> = suite.changes.iter().filter(|c| c.kind == kind).collect();
        let shown = if all { changes.len() } else { SHOWN };
        for change in changes.iter().take(shown) {
            self::change(change, out)?;
        }
        if changes.len() > shown {
            writeln!(out, "    {DIM}and {} more; --verbose shows them, --json has them{DIM:#}", changes.len() - shown)?;
        }
    }
    if suite.changes.is_empty() && suite.cases.is_some() {
        writeln!(out, "  no verdict changed")?;
    }
    Ok(())
}

/// What the pairs of a suite show.
fn in_words(test: &Test) -> String {
    let Test { paired, passed_before, passed_after, newly_fail, newly_pass, difference, interval, p } = *test;
    let share = |n: u64| n as f64 / paired as f64;
    let mut text = format!(
        "{} in both: {passed_before} passed before ({:.4}), {passed_after} pass now ({:.4}); {newly_fail} newly fail, {newly_pass} newly pass",
        words::counted(paired, "case"),
        share(passed_before),
        share(passed_after),
    );
    if let Some([low, high]) = interval {
        text.push_str(&format!(
            "\n  difference {difference:+.4}, between {low:+.4} and {high:+.4} in about {:.0}% (tango)",
            CONFIDENCE * 100.0
        ));
    }
    let shows = match (newly_fail + newly_pass, p <= SIGNIFICANT) {
        (0, _) => "nothing changed".to_owned(),
        (_, true) if difference < 0.0 => format!("worse than chance explains (exact McNemar p = {})", probability(p)),
        (_, true) => format!("better than chance explains (exact McNemar p = {})", probability(p)),
        (_, false) => format!("no more than chance may explain (exact McNemar p = {})", probability(p)),
    };
    text.push_str(&format!("; {shows}"));
    text
}

fn probability(p: f64) -> String {
    if p < 0.0001 { format!("{p:.1e}") } else { format!("{p:.4}") }
}

fn check(check: &CheckDiff, out: &mut dyn Write) -> io::Result<()> {
    let test = &check.test;
    let style = if test.newly_fail > 0 { BAD } else { GOOD };
    writeln!(
        out,
        "  {style}{}{style:#} ({}): {} newly fail, {} newly pass of {}; p = {}, adjusted for all checks {}",
        safe::terminal(&check.check),
        check.level.name(),
        test.newly_fail,
        test.newly_pass,
        words::counted(test.paired, "case"),
        probability(test.p),
        probability(check.p_adjusted)
    )
}

fn change(change: &Change, out: &mut dyn Write) -> io::Result<()> {
    let (word, style) = match change.kind {
        Kind::NewlyFails => ("newly fails", BAD),
        Kind::NoLongerMeasured => ("no longer measured", UNSURE),
        Kind::NewlyPasses => ("newly passes", GOOD),
        Kind::NewlyMeasured => ("newly measured", DIM),
    };
    let severity = if change.severity.blocks() { String::new() } else { format!(", {}", change.severity.name()) };
    let flaky = if change.flaky { ", flaky" } else { "" };
    writeln!(
        out,
        "  {style}{word}{style:#} {} ({}{severity}{flaky}) case {}",
        safe::terminal(&change.check),
        change.level.name(),
        safe::terminal(&change.case)
    )?;
    side("before", &change.before, out)?;
    side("after", &change.after, out)
}

fn side(label: &str, side: &Side, out: &mut dyn Write) -> io::Result<()> {
    let trials =
        if side.trials > 1 { format!(" ({} of {} trials passed)", side.passed, side.trials) } else { String::new() };
    let evidence = side.evidence.as_ref();
    let message = evidence.map(|e| e.message.as_str()).filter(|m| !m.is_empty());
    let message = message.map(|m| format!(": {m}")).unwrap_or_default();
    writeln!(
        out,
        "    {label:<6} {}{trials}{}",
        side.status.name(),
        safe::terminal(&message).replace('\n', "\n           ")
    )?;
    if let Some((file, session)) = evidence.and_then(|e| Some((e.file.as_ref()?, &e.session))) {
        writeln!(out, "           {DIM}seatrial show {} {}{DIM:#}", shell(file), shell(session))?;
    }
    Ok(())
}
