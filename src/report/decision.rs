//! The decision over a run in words: every rule of each gate, what it says and why, the gravest first.

use std::io::{self, Write};

use super::terminal::{DIM, decision_style, labels, total};
use super::{Drawn, safe};

/// Writes the decision.
pub fn write(drawn: Drawn<'_>, out: &mut dyn Write) -> io::Result<()> {
    for (plan, suite) in drawn.plan.suites.iter().zip(&drawn.summary.suites) {
        let style = decision_style(suite.decision);
        let word = suite.decision.name().to_uppercase();
        writeln!(out, "{style}{word}{style:#} {} ({})", safe::terminal(&plan.name), safe::terminal(&plan.path))?;
        let mut rules: Vec<_> = suite.rules.iter().collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.decision));
        let width = rules.iter().map(|r| r.decision.name().len()).max().unwrap_or(0);
        for rule in rules {
            let (style, word) = (decision_style(rule.decision), rule.decision.name());
            let name = safe::terminal(&rule.rule);
            // Most reasons begin with the name of their rule.
            let reason =
                rule.reason.strip_prefix(&*rule.rule).map_or(&*rule.reason, |rest| rest.trim_start_matches([':', ' ']));
            writeln!(out, "  {style}{word:<width$}{style:#}  {name}: {}", safe::terminal(reason))?;
        }
        if let Some(waiting) = &suite.waiting {
            writeln!(out, "  {DIM}review{DIM:#} {}", safe::terminal(&waiting.told()))?;
        }
        writeln!(out)?;
    }
    labels(drawn, out)?;
    total(drawn, out)
}
