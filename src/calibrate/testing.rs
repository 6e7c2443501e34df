//! Labelled verdicts for tests.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::labelled::{Answered, LabelledVerdict};
use crate::model::digest::Digest;

/// A verdict that was always sent, at a time that is its number.
pub fn verdict(i: u64, says: bool, confidence: f64, answered: Answered) -> LabelledVerdict {
    LabelledVerdict {
        item: format!("item{i}"),
        suite: "s".to_owned(),
        check: "c".to_owned(),
        check_digest: Digest::of(b"now"),
        judge: Some("default".to_owned()),
        judge_version: Some("v1".to_owned()),
        says,
        confidence,
        inclusion: 1.0,
        drawn_at: Some(1.0),
        answered,
        people: BTreeMap::new(),
        at: i.cast_signed(),
    }
}

/// A line of an export with some keys replaced.
pub fn line(i: u64, keys: Value) -> String {
    let mut line = json!({
        "schema": 1, "item": format!("item{i}"), "suite": "s", "check": "c", "check_digest": Digest::of(b"now"),
        "session": Digest::of(&i.to_le_bytes()), "session_id": format!("session-{i}"), "case": format!("case-{i}"),
        "trial": null, "subject": "session", "level": "session", "severity": "block", "tags": [], "run": "r",
        "why": [{ "why": "always" }], "inclusion": 1.0, "holds": true, "proposal": "pass", "score": null,
        "confidence": 0.9, "judge": "default", "judge_version": "v1", "reviewers": 1,
        "created": "2026-11-01T00:00:00Z", "status": "pending", "decision": null, "decided_by": null,
        "resolved": null, "labels": [],
    });
    if let (Some(line), Some(keys)) = (line.as_object_mut(), keys.as_object()) {
        line.extend(keys.clone());
    }
    line.to_string()
}
