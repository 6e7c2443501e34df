//! Annotations of a workflow of GitHub: lines that it shows at the suite's file and line.
//!
//! It shows ten errors and ten warnings of a step, so that the decisions come first, then one line for each check.

use std::io::{self, Write};

use super::gathered::Gathered;
use super::{Drawn, safe};
use crate::eval::gate::{CheckSummary, Decision, SuiteSummary};

/// Longest message, in characters.
const MAX_MESSAGE: usize = 1000;

/// Writes the annotations of a run. `prefix` leads from the repository's root to the folder that the suites' paths are
/// relative to, which is what GitHub resolves them against; empty, or with a slash at its end.
pub fn write(drawn: Drawn<'_>, gathered: &Gathered, prefix: &str, out: &mut dyn Write) -> io::Result<()> {
    let summary = drawn.summary;
    let suites = || drawn.plan.suites.iter().zip(&summary.suites).enumerate();
    if let Some(why) = &summary.stopped {
        line(out, "error", None, "seatrial", &format!("stopped early: {why}"))?;
    }
    for (_, (plan, suite)) in suites() {
        let place = (format!("{prefix}{}", plan.path), 1);
        if !matches!(suite.decision, Decision::Passed | Decision::Deferred) {
            let why = suite.reasons.join("; ");
            line(out, "error", Some(&place), &title(suite), &format!("{}: {why}", suite.decision.name()))?;
        }
    }
    for (index, (plan, suite)) in suites() {
        let decided = suite.decision != Decision::Deferred;
        for (position, (planned, check)) in plan.checks.iter().zip(&suite.checks).enumerate() {
            let Some((level, what)) = found(check).filter(|_| decided && !planned.inactive) else { continue };
            let examples = gathered.suite(index).and_then(|s| s.examples.get(&(position as u32)));
            let shown = examples.into_iter().flatten().map(|e| format!("{}: {}", e.title, e.message));
            let reasons = check.invalid.iter().chain(Some(&check.reason).filter(|r| !r.is_empty())).cloned();
            let message = std::iter::once(what).chain(reasons).chain(shown).collect::<Vec<_>>().join("\n");
            let place = located(&planned.location, &plan.path, prefix);
            line(out, level, Some(&place), &format!("{} / {}", title(suite), check.id), &message)?;
        }
    }
    for (_, (plan, suite)) in suites().filter(|(_, (_, suite))| !suite.flaky.is_empty()) {
        let place = (format!("{prefix}{}", plan.path), 1);
        let message = format!("flaky, their trials disagree: {}", suite.flaky.join(", "));
        line(out, "warning", Some(&place), &title(suite), &message)?;
    }
    Ok(())
}

/// An annotation of a suite that could not be read.
pub fn problem(
    file: &str,
    line_number: Option<usize>,
    message: &str,
    prefix: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let place = (format!("{prefix}{file}"), line_number.unwrap_or(1));
    line(out, "error", Some(&place), "seatrial", message)
}

fn title(suite: &SuiteSummary) -> String {
    format!("seatrial: {}", suite.name)
}

/// How a check ended, where there is anything to say of it: what decides is an error, what is only reported a warning.
fn found(check: &CheckSummary) -> Option<(&'static str, String)> {
    let tally = &check.sessions;
    let bad = if check.severity.blocks() { "error" } else { "warning" };
    let of = |n: u64, word: &str| format!("{n} {} {word}", if n == 1 { "session" } else { "sessions" });
    if tally.fail > 0 || tally.error > 0 {
        let parts = [(tally.fail, "failed"), (tally.error, "could not be measured")];
        let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| of(*n, word)).collect();
        return Some((bad, parts.join(", ")));
    }
    if check.invalid.is_some() {
        return Some((bad, "the check itself is an error".to_owned()));
    }
    if tally.held > 0 {
        return Some(("warning", of(tally.held, "held for review")));
    }
    (!check.exercised && !check.optional).then(|| (bad, "unexercised: it was applied to nothing".to_owned()))
}

/// A file and line from `file:line`.
fn located(location: &str, suite: &str, prefix: &str) -> (String, usize) {
    let parts = location.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
    let (file, line) = parts.unwrap_or((suite, 1));
    (format!("{prefix}{file}"), line)
}

fn line(
    out: &mut dyn Write,
    level: &str,
    place: Option<&(String, usize)>,
    title: &str,
    message: &str,
) -> io::Result<()> {
    let place = place.map(|(file, line)| format!("file={},line={line},", property(file))).unwrap_or_default();
    let end = message.char_indices().nth(MAX_MESSAGE).map_or(message.len(), |(at, _)| at);
    writeln!(out, "::{level} {place}title={}::{}", property(title), data(&message[..end]))
}

/// A message: a command ends at the end of its line.
fn data(text: &str) -> String {
    safe::terminal(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property, which a colon or comma would end as well.
fn property(text: &str) -> String {
    safe::line(text).replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_said_ends_an_annotation_or_begins_another() {
        let mut out = Vec::new();
        let hostile = "no\n::error::fake\r\n::add-mask::x 100%";
        line(&mut out, "error", Some(&("a,b:c.toml".to_owned(), 7)), "s: x\n", hostile).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.lines().count(), 1);
        assert!(out.starts_with("::error file=a%2Cb%3Ac.toml,line=7,title=s%3A x\\n::no%0A::error::fake"), "{out}");
        assert!(out.trim_end().ends_with("x 100%25"), "{out}");
    }

    #[test]
    fn a_place_is_a_file_and_a_line() {
        assert_eq!(located("suites/a.toml:12", "s.toml", "x/"), ("x/suites/a.toml".to_owned(), 12));
        assert_eq!(located("odd", "s.toml", ""), ("s.toml".to_owned(), 1));
    }
}
