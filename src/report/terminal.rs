//! The summary in the terminal: what failed comes first, each with its reason and where to look.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::{AnsiColor, Effects, Style};

use super::counts::not_passed;
use super::gathered::{EXAMPLES, Example, Gathered};
use super::{Drawn, safe};
use crate::checks::system::words;
use crate::eval::event::{SuiteEnd, SuitePlan};
use crate::eval::gate::{CheckSummary, Decision, SuiteSummary};
use crate::model::{Level, Status};
use crate::store::driven;

/// Longest message that stays on one line, in characters.
const WIDE: usize = 80;

/// Draws a run for people.
pub struct Terminal<'d> {
    drawn: Drawn<'d>,
    ends: Vec<Option<&'d SuiteEnd>>,
    gathered: &'d Gathered,
    verbose: bool,
    /// Where the run's files are, as the user would name it.
    folder: Option<String>,
}

pub(super) const BAD: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
pub(super) const GOOD: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
pub(super) const UNSURE: Style = AnsiColor::Yellow.on_default().effects(Effects::BOLD);
pub(super) const DIM: Style = Style::new().effects(Effects::DIMMED);
pub(super) const BOLD: Style = Style::new().effects(Effects::BOLD);

impl<'d> Terminal<'d> {
    /// A report of a run. `ends` holds the end of each suite's sessions, which names the files; `gathered` what is shown
    /// of the sessions; `verbose` lists checks that passed, too.
    pub fn new(drawn: Drawn<'d>, ends: Vec<Option<&'d SuiteEnd>>, gathered: &'d Gathered, verbose: bool) -> Self {
        Self { drawn, ends, gathered, verbose, folder: None }
    }

    /// The same, told where the run's files are.
    pub fn of_folder(self, folder: String) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Writes the report.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut text = Vec::new();
        self.draw(&mut text)?;
        out.write_all(safe::commands(&String::from_utf8_lossy(&text)).as_bytes())
    }

    fn draw(&self, out: &mut dyn Write) -> io::Result<()> {
        let summary = self.drawn.summary;
        let mut order: Vec<usize> = (0..summary.suites.len()).collect();
        // The worst last in a terminal would be what the eye meets; but pipes and CI logs are read from the top.
        order.sort_by_key(|&i| std::cmp::Reverse(summary.suites[i].decision));
        for index in order {
            if let (Some(plan), Some(suite)) = (self.drawn.plan.suites.get(index), summary.suites.get(index)) {
                self.suite(index, plan, suite, out)?;
            }
        }
        self.closing(out)
    }

    fn suite(&self, index: usize, plan: &SuitePlan, suite: &SuiteSummary, out: &mut dyn Write) -> io::Result<()> {
        let style = decision_style(suite.decision);
        let word = suite.decision.name().to_uppercase();
        let name = safe::terminal(&plan.name);
        writeln!(out, "{style}{word}{style:#} {BOLD}{name}{BOLD:#} {DIM}{}{DIM:#}", safe::terminal(&plan.path))?;
        for reason in &suite.reasons {
            writeln!(out, "  {}", safe::terminal(reason))?;
        }
        let mut checks: Vec<(usize, &CheckSummary)> = suite.checks.iter().enumerate().collect();
        checks.sort_by_key(|(_, c)| std::cmp::Reverse(gravity(c)));
        for (position, check) in checks {
            if plan.checks.get(position).is_some_and(|c| c.inactive) {
                continue;
            }
            if gravity(check) > 0 || self.verbose {
                self.check(index, plan, position, check, out)?;
            }
        }
        self.whole_sessions(index, out)?;
        self.left_out(index, suite, out)?;
        self.counts(index, suite, out)
    }

    fn whole_sessions(&self, index: usize, out: &mut dyn Write) -> io::Result<()> {
        let Some(seen) = self.gathered.suite(index).filter(|s| !s.whole.is_empty()) else { return Ok(()) };
        writeln!(out, "  {UNSURE}error{UNSURE:#} whole sessions, under every check that applies to them")?;
        for example in &seen.whole {
            self.example(index, example, out)?;
        }
        if seen.whole_more > 0 {
            writeln!(
                out,
                "        {DIM}and {} more; every one of them is in {}{DIM:#}",
                seen.whole_more,
                self.gathered.files()
            )?;
        }
        Ok(())
    }

    fn check(
        &self,
        suite: usize,
        plan: &SuitePlan,
        position: usize,
        check: &CheckSummary,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let (word, style) = word(check);
        let severity = if check.severity.blocks() && check.severity != crate::model::Severity::Critical {
            String::new()
        } else {
            format!(", {}", check.severity.name())
        };
        let location = plan.checks.get(position).map_or("", |c| c.location.as_str());
        writeln!(
            out,
            "  {style}{word:<5}{style:#} {BOLD}{}{BOLD:#} ({} {}{severity})  {}  {DIM}{}{DIM:#}",
            safe::terminal(&check.id),
            check.level.name(),
            check.check,
            numbers(check),
            safe::terminal(location)
        )?;
        let whole = check.invalid.iter().chain(Some(&check.reason).filter(|r| !r.is_empty()));
        for reason in whole {
            writeln!(out, "        {}", safe::terminal(reason))?;
        }
        for group in check.groups.iter().filter(|g| g.status != Status::Pass).take(EXAMPLES) {
            let name = group.group.join(", ");
            writeln!(out, "        {}: {}", safe::terminal(&name), safe::terminal(&group.reason))?;
        }
        let Some(examples) = self.gathered.suite(suite).and_then(|s| s.examples.get(&(position as u32))) else {
            return Ok(());
        };
        for example in examples {
            self.example(suite, example, out)?;
        }
        let unhappy = check.sessions.fail + check.sessions.error + check.sessions.held;
        let more = unhappy.saturating_sub(examples.len() as u64);
        if more > 0 && examples.len() == EXAMPLES {
            writeln!(out, "        {DIM}and more; every one of them is in {}{DIM:#}", self.gathered.files())?;
        }
        Ok(())
    }

    fn example(&self, suite: usize, example: &Example, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "        {} {}", example.status.name(), safe::terminal(&example.title))?;
        for line in spread(&example.message).lines() {
            writeln!(out, "          {}", safe::terminal(line))?;
        }
        let end = self.ends.get(suite).copied().flatten();
        if let Some(place) = end.and_then(|e| place(e, example.at.0)) {
            let place = self.as_from_here(suite, place);
            writeln!(out, "          {DIM}seatrial show {} {}{DIM:#}", shell(&place), shell(&example.id))?;
        }
        Ok(())
    }

    /// A place as it is named from here: what a live run saved is named within its folder.
    fn as_from_here<'p>(&self, suite: usize, place: &'p str) -> Cow<'p, str> {
        let driven = self.drawn.plan.suites.get(suite).is_some_and(|plan| driven::file_name(&plan.name) == place);
        match &self.folder {
            Some(folder) if driven => format!("{folder}/{place}").into(),
            _ => place.into(),
        }
    }

    fn left_out(&self, index: usize, suite: &SuiteSummary, out: &mut dyn Write) -> io::Result<()> {
        let Some(seen) = self.gathered.suite(index) else { return Ok(()) };
        for event in &seen.left_out {
            let place = match (event.line, event.offset.filter(|o| *o > 0)) {
                (Some(line), _) => format!(" at line {line}"),
                (None, Some(byte)) => format!(" at byte {byte}"),
                (None, None) => String::new(),
            };
            let id = event.id.as_ref().map(|id| format!(" (session {id})")).unwrap_or_default();
            let text = format!("{}{place}{id}: {}", event.file, event.message);
            writeln!(out, "  {UNSURE}left out{UNSURE:#} {}: {}", event.kind.name(), safe::terminal(&text))?;
        }
        if seen.left_out_more > 0 {
            writeln!(out, "  {DIM}and {} more left out; they are in run.jsonl{DIM:#}", seen.left_out_more)?;
        }
        for (label, names) in [("flaky", &suite.flaky), ("passed although expected to fail", &suite.surprises)] {
            if !names.is_empty() {
                let shown = names.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
                let more = if names.len() > 8 { format!(" and {} more", names.len() - 8) } else { String::new() };
                writeln!(out, "  {UNSURE}{label}{UNSURE:#} {}{more}", safe::terminal(&shown))?;
            }
        }
        Ok(())
    }

    fn counts(&self, index: usize, suite: &SuiteSummary, out: &mut dyn Write) -> io::Result<()> {
        let sessions = &suite.sessions;
        let left: u64 = sessions.left_out.values().sum();
        let reasons: Vec<String> = sessions.left_out.iter().map(|(k, n)| format!("{n} {}", k.name())).collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        writeln!(
            out,
            "  {DIM}sessions{DIM:#} {} read, {} evaluated, {left} left out{reasons}",
            sessions.read, sessions.evaluated
        )?;
        let cases = &suite.cases;
        let mut parts = vec![format!("{} passed", cases.passed)];
        parts.extend(not_passed(cases).map(|(n, what)| format!("{n} {what}")));
        let flaky = if cases.flaky > 0 { format!(", {} of them flaky", cases.flaky) } else { String::new() };
        writeln!(out, "  {DIM}cases{DIM:#}    {}: {}{flaky}", cases.total, parts.join(", "))?;
        // Not every case passed and yet the suite did: what allowed it. And whatever statistics or a baseline decided.
        let allowed = suite.decision == Decision::Passed && cases.passed < cases.total;
        for rule in suite.rules.iter().filter(|r| r.decision == Decision::Passed) {
            let name = rule.rule.as_str();
            let sure = rule.is_of_statistics();
            if sure || (allowed && (name.starts_with("pass_rate") || name.starts_with("reliability"))) {
                writeln!(out, "  {DIM}gate{DIM:#}     {}", safe::terminal(&rule.reason))?;
            }
        }
        let exercised = suite.checks.iter().filter(|c| c.exercised).count();
        let unexercised: Vec<&str> =
            suite.checks.iter().filter(|c| !c.exercised && c.optional).map(|c| c.id.as_str()).collect();
        let idle = if unexercised.is_empty() {
            String::new()
        } else {
            format!("; unexercised (optional): {}", unexercised.join(", "))
        };
        writeln!(
            out,
            "  {DIM}checks{DIM:#}   {exercised} of {} exercised{}",
            suite.checks.len(),
            safe::terminal(&idle)
        )?;
        if let Some(waiting) = &suite.waiting {
            writeln!(out, "  {DIM}review{DIM:#}   {}", safe::terminal(&waiting.told()))?;
        }
        for (check, spent) in suite.checks.iter().filter_map(|c| Some((c, c.spent.as_ref()?))) {
            writeln!(out, "  {DIM}models{DIM:#}   {}: {}", safe::terminal(&check.id), spent.told())?;
        }
        if let Some(ignored) = self.ends.get(index).copied().flatten().map(|e| &e.ignored).filter(|i| !i.is_empty()) {
            let n = ignored.len();
            writeln!(
                out,
                "  {DIM}ignored{DIM:#}  {n} {} by name, such as {}",
                if n == 1 { "file that is no recording" } else { "files that are no recordings" },
                safe::terminal(&ignored[0])
            )?;
        }
        writeln!(out)
    }

    fn closing(&self, out: &mut dyn Write) -> io::Result<()> {
        labels(self.drawn, out)?;
        total(self.drawn, out)?;
        if let Some(place) = &self.folder {
            writeln!(out, "{DIM}reports in {}{DIM:#}", safe::terminal(place))?;
        }
        Ok(())
    }
}

/// What people decided, where they did.
pub(super) fn labels(drawn: Drawn<'_>, out: &mut dyn Write) -> io::Result<()> {
    match &drawn.summary.labels {
        Some(laid) => writeln!(out, "{}", safe::terminal(&laid.told())),
        None => Ok(()),
    }
}

/// The last line: how many suites passed, and the exit code.
pub(super) fn total(drawn: Drawn<'_>, out: &mut dyn Write) -> io::Result<()> {
    let summary = drawn.summary;
    if summary.suites.is_empty() {
        writeln!(out, "nothing was run: the filter selects no check of any suite")?;
    }
    let passed = summary.suites.iter().filter(|s| s.decision == Decision::Passed).count();
    let style = if summary.exit_code == 0 { GOOD } else { BAD };
    let why = drawn.plan.partial().filter(|_| drawn.plan.shard().is_none());
    let partial = why.map(|why| format!(" (partial: {})", safe::terminal(&why))).unwrap_or_default();
    let stopped = summary.stopped.as_ref().map(|s| format!(", stopped early: {s}")).unwrap_or_default();
    let outcome = match drawn.plan.shard() {
        Some(shard) => format!("shard {shard} is recorded, `seatrial merge` decides"),
        None => format!("{passed} of {} suites passed", summary.suites.len()),
    };
    writeln!(out, "{style}{outcome}{style:#}{partial}{}; exit code {}", safe::terminal(&stopped), summary.exit_code)
}

pub(super) fn decision_style(decision: Decision) -> Style {
    match decision {
        Decision::Passed => GOOD,
        Decision::Failed => BAD,
        Decision::Deferred | Decision::Held | Decision::Inconclusive | Decision::Unmeasured => UNSURE,
    }
}

/// How much a check deserves to be looked at; 0 when all is well.
fn gravity(check: &CheckSummary) -> u8 {
    let blocks = u8::from(check.severity.blocks() && !check.only_reports());
    if check.sessions.fail > 0 {
        4 + blocks * 4
    } else if errs(check) {
        3 + blocks * 4
    } else if check.sessions.held > 0 {
        2 + blocks * 4
    } else {
        u8::from(!check.exercised && !check.optional)
    }
}

fn word(check: &CheckSummary) -> (&'static str, Style) {
    let blocks = check.severity.blocks() && !check.only_reports();
    if check.sessions.fail > 0 {
        ("fail", if blocks { BAD } else { UNSURE })
    } else if errs(check) {
        ("error", if blocks { BAD } else { UNSURE })
    } else if check.sessions.held > 0 {
        ("held", UNSURE)
    } else if !check.exercised {
        ("idle", UNSURE)
    } else {
        ("pass", GOOD)
    }
}

/// Whether it could not be measured somewhere, or is an error itself.
fn errs(check: &CheckSummary) -> bool {
    check.sessions.error > 0 || check.invalid.is_some()
}

fn numbers(check: &CheckSummary) -> String {
    if check.level == Level::System {
        return match (check.value, check.exercised) {
            // Four decimals are for the eye; summary.json has all of them.
            (Some(value), _) => {
                let number = format!("{value:.4}");
                let about = if check.doubt.is_some() { "about " } else { "" };
                let spread = check.interval.map(|ends| format!(" ({about}95% {})", words::range(ends)));
                format!("{}{}", number.trim_end_matches('0').trim_end_matches('.'), spread.unwrap_or_default())
            }
            (None, false) => "applied to nothing".to_owned(),
            (None, true) => "not measured".to_owned(),
        };
    }
    if !check.exercised {
        return "applied to nothing".to_owned();
    }
    let mut parts = vec![format!("{} passed", check.pass)];
    for (n, word) in
        [(check.fail, "failed"), (check.error, "could not be measured"), (check.held, "held"), (check.skip, "skipped")]
    {
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    parts.join(", ")
}

/// A message with what was expected, what happened and where they part on lines of their own. Only the places where
/// lines break depend on it, so a recording that holds these words breaks a line and nothing else.
pub(super) fn spread(message: &str) -> String {
    if message.chars().count() <= WIDE {
        return message.to_owned();
    }
    ["; actual: ", "; first difference: "]
        .iter()
        .fold(message.to_owned(), |text, mark| text.replacen(mark, &format!("\n{}", &mark[2..]), 1))
}

/// A word as a shell would take it.
pub(super) fn shell(word: &str) -> String {
    let word = safe::terminal(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+,=#%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
/// Where a session of a file is to be looked for: in the file, or in its folder when it may lie in several files there.
pub(super) fn place(end: &SuiteEnd, file: u32) -> Option<&str> {
    let folder = |name: &str| name.rfind(['/', '\\']).map(|at| at + 1);
    let file = end.files.get(file as usize)?;
    let inside = folder(file).map(|at| &file[..at]);
    let beside = |other: &&String| folder(other).map(|at| &other[..at]) == inside;
    let scattered = end.put_together && end.files.iter().filter(beside).count() > 1;
    Some(if scattered { inside.unwrap_or(".") } else { file })
}
