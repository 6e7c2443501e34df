//! Why a verdict is what it is, as one text: for every report that has a line for it, not a page.

use crate::model::{SubjectFinding, SubjectRef, Verdict};

/// The reasons of a verdict with the places they point at.
pub fn message(verdict: &Verdict) -> String {
    let mut parts = Vec::new();
    if !verdict.reason.is_empty() {
        parts.push(verdict.reason.clone());
    }
    parts.extend(verdict.findings.iter().take(5).map(finding_text));
    let unseen = verdict.findings.len().saturating_sub(5);
    if unseen > 0 {
        parts.push(format!("and {unseen} more"));
    }
    parts.join("; ")
}

fn finding_text(finding: &SubjectFinding) -> String {
    let place = match finding.subject {
        SubjectRef::Span(i) => format!("span {i}: "),
        SubjectRef::Turn(i) => format!("turn {}: ", i + 1),
        SubjectRef::Session => String::new(),
    };
    format!("{place}{}", finding.reason)
}
