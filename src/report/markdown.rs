//! `summary.md`: the decision with its reasons and what did not pass, for the summary of a step in CI.

use std::io::{self, Write};

use super::counts::not_passed;
use super::gathered::Gathered;
use super::{Drawn, safe};
use crate::eval::gate::{CheckSummary, Decision, SuiteSummary};
use crate::model::Status;

/// Longest message, in characters.
const MAX_MESSAGE: usize = 300;

/// The longest reason of a decision, in characters: what would settle it stands at its end.
const MAX_REASON: usize = 2000;
/// Most checks of a run that are told with their sessions: a step's summary may not exceed a mebibyte.
const MAX_CHECKS: usize = 100;
/// Most names in a list.
const MAX_NAMES: usize = 20;

/// Writes the summary of a run.
pub fn write(drawn: Drawn<'_>, gathered: &Gathered, out: &mut dyn Write) -> io::Result<()> {
    let summary = drawn.summary;
    let passed = summary.suites.iter().filter(|s| s.decision == Decision::Passed).count();
    let outcome = match drawn.plan.shard() {
        Some(shard) => format!("shard {shard} is recorded, `seatrial merge` decides"),
        None => format!("{passed} of {} suites passed", summary.suites.len()),
    };
    writeln!(out, "## seatrial: {outcome} (exit code {})\n", summary.exit_code)?;
    if let Some(why) = &summary.stopped {
        writeln!(out, "Stopped early: {}\n", text(why))?;
    }
    if drawn.plan.filter.is_some() {
        writeln!(out, "Partial: `--filter` took something out.\n")?;
    }
    if let Some(laid) = &summary.labels {
        writeln!(out, "{}.\n", text(&laid.told()))?;
    }
    if summary.suites.is_empty() {
        writeln!(out, "Nothing was run.\n")?;
    }
    let mut order: Vec<usize> = (0..summary.suites.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(summary.suites[*i].decision));
    let mut room = MAX_CHECKS;
    for index in order {
        suite(drawn, index, gathered, &mut room, out)?;
    }
    Ok(())
}

fn suite(drawn: Drawn<'_>, index: usize, gathered: &Gathered, room: &mut usize, out: &mut dyn Write) -> io::Result<()> {
    let suite = &drawn.summary.suites[index];
    let word = suite.decision.name().to_uppercase();
    writeln!(out, "### {word}: {}\n", text(&suite.name))?;
    for reason in &suite.reasons {
        writeln!(out, "- {}", within(reason, MAX_REASON))?;
    }
    for rule in suite.rules.iter().filter(|r| r.decision == Decision::Passed && r.is_of_statistics()) {
        writeln!(out, "- {}: {}", Decision::Passed.name(), within(&rule.reason, MAX_REASON))?;
    }
    writeln!(out, "\n{}\n", counts(suite))?;
    if let Some(waiting) = &suite.waiting {
        writeln!(out, "{}.\n", text(&waiting.told()))?;
    }
    for (label, names) in [
        ("Flaky (their trials disagree)", &suite.flaky),
        ("Passed although expected to fail", &suite.surprises),
        ("Without a recording", &suite.missing),
    ] {
        if !names.is_empty() {
            writeln!(out, "{label}: {}\n", list(names))?;
        }
    }
    let plan = drawn.plan.suites.get(index);
    let inactive = |i: usize| plan.and_then(|p| p.checks.get(i)).is_some_and(|c| c.inactive);
    let unhappy: Vec<(usize, &CheckSummary)> =
        suite.checks.iter().enumerate().filter(|(i, c)| !inactive(*i) && !is_well(c)).collect();
    if !unhappy.is_empty() {
        writeln!(out, "| check | level | severity | passed | failed | error | held | skipped |")?;
        writeln!(out, "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |")?;
    }
    for (_, check) in unhappy.iter().take(*room) {
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            text(&check.id),
            check.level.name(),
            check.severity.name(),
            check.pass,
            check.fail,
            check.error,
            check.held,
            check.skip
        )?;
    }
    writeln!(out)?;
    let seen = gathered.suite(index);
    for (position, check) in unhappy.iter().take(*room) {
        let examples = seen.and_then(|s| s.examples.get(&(*position as u32))).map(Vec::as_slice).unwrap_or_default();
        let whole = check.invalid.iter().chain(Some(&check.reason).filter(|r| !r.is_empty()));
        let mut lines: Vec<String> = whole.map(|reason| text(reason)).collect();
        lines.extend(examples.iter().map(|e| format!("{} {}: {}", status(e.status), text(&e.title), text(&e.message))));
        if lines.is_empty() {
            continue;
        }
        writeln!(out, "**{}**\n", text(&check.id))?;
        for line in lines {
            writeln!(out, "- {line}")?;
        }
        writeln!(out)?;
    }
    if unhappy.len() > *room {
        let (more, whole) = (unhappy.len() - *room, gathered.whole());
        writeln!(out, "{more} more checks did not pass; `{whole}` has them all.\n")?;
    }
    *room = room.saturating_sub(unhappy.len());
    let Some(seen) = seen else { return Ok(()) };
    for example in &seen.whole {
        writeln!(out, "- not measured as a whole: {}: {}", text(&example.title), text(&example.message))?;
    }
    if seen.whole_more > 0 {
        writeln!(out, "- and {} more sessions", seen.whole_more)?;
    }
    for event in &seen.left_out {
        writeln!(out, "- left out ({}): {}: {}", event.kind.name(), text(&event.file), text(&event.message))?;
    }
    if seen.left_out_more > 0 {
        writeln!(out, "- and {} more left out", seen.left_out_more)?;
    }
    writeln!(out)
}

fn counts(suite: &SuiteSummary) -> String {
    let left: u64 = suite.sessions.left_out.values().sum();
    let cases = &suite.cases;
    let mut parts = vec![format!("{} of {} passed", cases.passed, cases.total)];
    parts.extend(not_passed(cases).map(|(n, what)| format!("{n} {what}")));
    if cases.flaky > 0 {
        parts.push(format!("{} flaky", cases.flaky));
    }
    format!(
        "Sessions: {} read, {} evaluated, {left} left out. Cases: {}.",
        suite.sessions.read,
        suite.sessions.evaluated,
        parts.join(", ")
    ) + &suite.spent().map(|all| format!(" Models: {}.", all.told())).unwrap_or_default()
        + &suite.driven.as_ref().map(|all| format!(" Driving: {}.", all.told())).unwrap_or_default()
}

/// Whether there is nothing to say of a check.
fn is_well(check: &CheckSummary) -> bool {
    let tally = &check.sessions;
    let happened = tally.fail + tally.error + tally.held > 0 || check.invalid.is_some();
    !happened && (check.exercised || check.optional)
}

fn status(status: Status) -> &'static str {
    status.name()
}

fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(MAX_NAMES).map(|n| text(n)).collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// A text of anybody's as Markdown that shows it and does nothing else: no markup, links, mentions, images or HTML, and
/// on one line.
fn text(text: &str) -> String {
    within(text, MAX_MESSAGE)
}

/// The same, of at most so many characters.
fn within(text: &str, most: usize) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.char_indices().nth(most).map(|(at, _)| at);
    let shown = safe::line(end.map_or(line.as_str(), |at| &line[..at]));
    let mut out = String::with_capacity(shown.len() + 16);
    for c in shown.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Mentions, and addresses that become links by themselves.
            '@' => out.push_str("&#64;"),
            ':' => out.push_str("&#58;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '|' | '~' | '#' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    let out = out.replace("www.", "www&#46;").replace("WWW.", "WWW&#46;");
    if end.is_some() { format!("{out} ...") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_said_is_shown_and_does_nothing() {
        assert_eq!(text("<img src=x> & **bold**"), "&lt;img src=x&gt; &amp; \\*\\*bold\\*\\*");
        assert_eq!(text("[a](https://x.y) @someone |\n# b"), "\\[a\\](https&#58;//x.y) &#64;someone \\| \\# b");
        assert_eq!(text("see www.example.org"), "see www&#46;example.org");
        assert_eq!(text("\u{202e}a\u{1b}[2J"), "\\\\u{202e}a\\\\x1b\\[2J");
        assert_eq!(text(&"x".repeat(400)), format!("{} ...", "x".repeat(MAX_MESSAGE)));
    }
}
