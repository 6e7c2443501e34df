//! Why a verdict is what it is, as one text: for every report that has a line for it, not a page.

use std::fmt::Write;

use crate::model::{Status, SubjectRef, Verdict};

/// The reasons of a verdict with the places they point at.
pub fn message(verdict: &Verdict) -> String {
    let mut text = String::new();
    // What passed is told only where nothing else is.
    let other = verdict.findings.iter().filter(|f| f.status != Status::Pass).count();
    let told = || verdict.findings.iter().filter(|f| other == 0 || f.status != Status::Pass);
    // Reasons are long; growing in steps would copy them over and over.
    text.reserve(verdict.reason.len() + told().take(5).map(|f| f.reason.len() + 32).sum::<usize>());
    text.push_str(&verdict.reason);
    for finding in told().take(5) {
        separate(&mut text);
        // Writing into memory does not fail.
        let _ = match finding.subject {
            SubjectRef::Span(i) => write!(text, "span {i}: "),
            SubjectRef::Turn(i) => write!(text, "turn {}: ", i + 1),
            SubjectRef::Session => Ok(()),
        };
        if let Some(proposal) = finding.proposal.filter(|_| finding.status == Status::Held) {
            let _ = write!(text, "proposed: {}; ", proposal.name());
        }
        text.push_str(&finding.reason);
    }
    let unseen = told().count().saturating_sub(5);
    if unseen > 0 {
        separate(&mut text);
        let _ = write!(text, "and {unseen} more");
    }
    text
}

fn separate(text: &mut String) {
    if !text.is_empty() {
        text.push_str("; ");
    }
}
