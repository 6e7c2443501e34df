//! How promotions are told: in words, and as one line of JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::promote::event::BY_RULE;
use crate::promote::gate::{Gate, all};
use crate::promote::log;
use crate::promote::moment::Moment;
use crate::promote::state::{Promotion, Status, standing};
use crate::report::safe;

/// A promotion in words, with how it stands.
pub fn promotion(promotion: &Promotion, now: Moment, out: &mut String) {
    let submission = &promotion.submission;
    let word = standing(promotion, now).to_uppercase();
    row(out, &format!("{word}  {}", submission.promotion), &format!("{} to {}", submission.version, submission.target));
    row(out, "submitted", &format!("{} by {}", promotion.at, promotion.by));
    row(out, "artifact", &submission.artifact.map_or("no digest was given".to_owned(), |digest| digest.to_string()));
    for refusal in &promotion.refusals {
        row(out, "against it", refusal);
    }
    if let Some(overrides) = &submission.overrides {
        row(out, "override", &format!("until {}: {}", overrides.until, overrides.reason));
        overrides.refusals.iter().for_each(|refusal| row(out, "  overridden", refusal));
    }
    for said in &promotion.approvals {
        row(out, "approved", &spoken(&said.by, said.at, &said.reason));
    }
    if promotion.status == Status::Pending {
        let approvers = &submission.rules.approvers;
        let who = if approvers.is_empty() { "anybody else".to_owned() } else { approvers.join(", ") };
        let (done, wanted) = (promotion.approvals.len(), promotion.wanted());
        row(
            out,
            "approvals",
            &format!("{done} of {wanted}; {who} may: `seatrial promote approve {}`", submission.promotion),
        );
    }
    let people = promotion.approvals.iter().any(|said| said.by != BY_RULE);
    if people || promotion.against.is_some() || promotion.status == Status::Pending {
        row(out, "", "names are as they were given: nothing shows who it was (`seatrial explain promote`)");
    }
    if let Some(end) = promotion.expires {
        row(out, "expires", &end.to_string());
    }
    if let Some(share) = submission.rules.canary {
        row(out, "canary", &share.to_string());
    }
    if let Some(said) = &promotion.against {
        row(out, promotion.status.name(), &spoken(&said.by, said.at, &said.reason));
    }
}

fn spoken(by: &str, at: Moment, reason: &str) -> String {
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("{at} by {by}{why}")
}

/// The evidence in words.
pub fn evidence(gate: &Gate, out: &mut String) {
    for (run, suite) in all(&gate.runs) {
        let labels = suite.labels.as_ref().filter(|labels| labels.applied > 0);
        let labels = labels.map_or(String::new(), |l| format!(", {} decided by people", l.applied));
        let text = format!(
            "suite {} {} (run {}, {}, {} sessions{labels})",
            suite.name,
            suite.summary.decision.name(),
            run.run,
            run.finished,
            suite.data.sessions
        );
        row(out, "evidence", &text);
        if suite.data.files.values().any(Option::is_none) {
            row(out, "", "its recordings were not at hand: bound by the digests of its sessions alone");
        }
    }
}

/// A line of a table; what others wrote cannot break out of it.
pub fn row(out: &mut String, what: &str, text: &str) {
    let _ = writeln!(out, "{what:<13} {}", safe::line(text));
}

/// The head of a log, which somebody should keep elsewhere.
pub fn head(sealed: &[log::Sealed], out: &mut String) {
    let entries = match sealed.len() {
        1 => "1 entry".to_owned(),
        n => format!("{n} entries"),
    };
    row(out, "log", &format!("{entries}, head {}", log::head(sealed)));
}

/// A promotion as JSON.
pub fn value(promotion: &Promotion, now: Moment) -> Value {
    let submission = &promotion.submission;
    let said = |by: &str, at: Moment, reason: &str| json!({ "by": by, "at": at, "reason": reason });
    json!({
        "promotion": submission.promotion,
        "agent": submission.version.agent,
        "version": submission.version.version,
        "target": submission.target,
        "status": standing(promotion, now),
        "by": promotion.by,
        "at": promotion.at,
        "artifact": submission.artifact,
        "gate": submission.gate,
        "statement": submission.statement,
        "rules": submission.rules,
        "override": submission.overrides,
        "refusals": promotion.refusals,
        "approvals": promotion.approvals.iter().map(|s| said(&s.by, s.at, &s.reason)).collect::<Vec<_>>(),
        "approvals_missing": if promotion.status == Status::Pending { promotion.missing() } else { 0 },
        "against": promotion.against.as_ref().map(|s| said(&s.by, s.at, &s.reason)),
        "expires": promotion.expires,
    })
}

/// One machine-readable line: the exit code, a promotion where there is one, and more.
pub fn line(code: u8, promotion: Option<(&Promotion, Moment)>, more: &Value) -> String {
    let mut line = json!({ "schema": 1, "exit_code": code });
    let parts = [promotion.map(|(promotion, now)| value(promotion, now)), Some(more.clone())];
    for (key, value) in parts.into_iter().flatten().filter_map(|part| part.as_object().cloned()).flatten() {
        line[key] = value;
    }
    format!("{line}\n")
}
