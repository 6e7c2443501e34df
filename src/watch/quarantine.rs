//! Sessions of high risk: their failing verdicts go to people as items whose content is restricted, and the owner is told
//! session by session, at least once and under one key.

use crate::alerts::Urgency;
use crate::alerts::book::{Change, Notice, Turn};
use crate::eval::event::{SessionEvent, SuitePlan};
use crate::ledger::Millis;
use crate::model::digest::Builder;
use crate::model::{Routed, Status, Why};
use crate::suite::watch::quarantine::Quarantine;

/// The name of the alert that a notice of it has, and its kind.
pub const NAME: &str = "quarantine";

/// Sends the failures of an event that put its session under quarantine to people, and says which checks they are of. What a
/// check said stands as it is.
pub fn route(quarantine: &Quarantine, plan: &SuitePlan, event: &mut SessionEvent<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for verdict in &mut event.verdicts {
        let Some(check) = plan.checks.get(verdict.check as usize) else { continue };
        if !quarantine.concerns(&check.id, &check.tags) {
            continue;
        }
        let mut any = false;
        for finding in &mut verdict.findings {
            if finding.proposal.unwrap_or(finding.status) == Status::Fail {
                any = true;
                match &mut finding.routed {
                    Some(routed) => routed.why.push(Why::Quarantine),
                    routed @ None => *routed = Some(Box::new(Routed::held(vec![Why::Quarantine]))),
                }
            }
        }
        if any {
            found.push(check.id.clone());
        }
    }
    found
}

/// What the owner is told of a session: once, however often it is judged.
pub fn notice(
    quarantine: &Quarantine,
    event: &SessionEvent<'_>,
    suite: &str,
    checks: &[String],
    now: Millis,
) -> Notice {
    let mut key = Builder::new("seatrial quarantine 1");
    key.part("suite", suite.as_bytes());
    key.part("session", &event.digest.bytes);
    for check in checks {
        key.part("check", check.as_bytes());
    }
    let key: String = key.finish().bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let change = Change {
        group: event.id.to_string(),
        turn: Turn::Fires,
        since: now,
        text: format!("session {} is under quarantine: {} failed", event.id, checks.join(", ")),
        incident: key.clone(),
    };
    Notice {
        key,
        suite: suite.to_owned(),
        alert: NAME.to_owned(),
        kind: NAME.to_owned(),
        severity: Urgency::Critical,
        description: "A check of high risk failed: the session's content is restricted, and it waits for review."
            .to_owned(),
        link: String::new(),
        to: quarantine.to.clone(),
        at: now,
        changes: vec![change],
    }
}
