//! Runs, promotions and logs made by hand, for the tests of this room.

use std::collections::BTreeMap;

use serde_json::json;

use super::event::{Event, Id, Submission, Version};
use super::gate::{Data, Gate, Outcome, Run, SCHEMA, SuiteEvidence};
use super::log::{Entry, Sealed};
use super::moment::Moment;
use super::record::policy;
use crate::eval::gate::{Decision, SuiteSummary};
use crate::model::digest::Digest;
use crate::suite::Subject;
use crate::suite::settings::promote::Rules;

/// So many seconds after the beginning.
pub fn at(seconds: i64) -> Moment {
    Moment(1_795_755_600_000 + seconds * 1000)
}

/// The version that is promoted.
pub fn version() -> Version {
    Version { agent: "airline".into(), version: "1.4".into() }
}

/// A summary with one rule and one check.
fn summary(name: &str, decision: Decision) -> SuiteSummary {
    let passed = decision == Decision::Passed;
    serde_json::from_value(json!({
        "name": name, "decision": decision, "reasons": [],
        "sessions": { "read": 1, "evaluated": 1, "left_out": {} },
        "cases": { "total": 1, "passed": u8::from(passed), "failed": u8::from(!passed), "error": 0, "held": 0, "skipped": 0,
                   "idle": 0, "flaky": 0, "expected_fail": 0, "surprises": 0, "missing": 0 },
        "checks": [{ "id": "good", "level": "session", "check": "contains", "severity": "block", "exercised": true,
                     "optional": false, "pass": u8::from(passed), "fail": u8::from(!passed), "error": 0, "held": 0, "skip": 0,
                     "sessions": if passed { json!({ "pass": 1 }) } else { json!({ "fail": 1 }) },
                     "value": 1.0, "interval": [0.025, 1.0], "method": "clopper-pearson", "bound": null }],
        "cost_usd": 0.0,
        "rules": [{ "rule": "pass_rate", "decision": decision, "reason": "", "value": 1.0, "count": 1 }],
        "flaky": [], "surprises": [], "missing": []
    }))
    .unwrap()
}

/// A suite that was decided so.
pub fn suite(name: &str, decision: Decision) -> SuiteEvidence {
    let gate = crate::suite::Gate::default();
    SuiteEvidence {
        name: name.into(),
        path: format!("{name}.toml"),
        subject: Some(Subject { agent: "airline".into(), version: Some("1.4".into()) }),
        digest: Digest::of(name.as_bytes()),
        files: BTreeMap::from([("policy.cedar".into(), Digest::of(b"permit"))]),
        checks: BTreeMap::from([("good".into(), Digest::of(b"good"))]),
        policy: policy(&gate),
        gate,
        redact: None,
        data: Data {
            sessions: 1,
            digest: Digest::of(b"data"),
            files: BTreeMap::from([(format!("{name}.jsonl"), Some(Digest::of(b"session")))]),
        },
        labels: None,
        summary: summary(name, decision),
    }
}

/// A run that ended so many seconds after the beginning.
pub fn run(id: &str, finished: i64, suites: Vec<SuiteEvidence>) -> Run {
    let path = format!("reports/{id}/run.jsonl");
    let record = Digest::of(format!("{id} {finished}").as_bytes());
    Run { run: id.into(), path, record, attested: true, finished: at(finished), settings: BTreeMap::new(), suites }
}

/// Evidence that everything passed.
pub fn gate() -> Gate {
    Gate {
        schema: SCHEMA,
        seatrial: "0.1.0".into(),
        version: version(),
        target: "prod".into(),
        artifact: None,
        result: Outcome::Passed,
        rules: Rules::default(),
        refusals: Vec::new(),
        runs: vec![run("r1", 5, vec![suite("a", Decision::Passed)])],
    }
}

/// What is asked for, by some rules.
pub fn submission(seq: u64, version: &str, rules: Rules) -> Submission {
    Submission {
        promotion: Id::at(seq),
        version: Version { agent: "airline".into(), version: version.into() },
        target: "prod".into(),
        artifact: None,
        gate: Digest::of(version.as_bytes()),
        statement: Digest::of(b"statement"),
        rules,
        overrides: None,
    }
}

/// A log of so many drafts.
pub fn log_of(entries: u64) -> Vec<Sealed> {
    let mut log = Vec::new();
    for seq in 1..=entries {
        let submission = submission(seq, &format!("1.{seq}"), Rules::default());
        let event = Event::Drafted { submission, refusals: vec!["not yet".into()] };
        let entry = Entry::after(&log, at(10 * seq as i64), "maria", event);
        log.push(entry.seal(None).unwrap());
    }
    log
}
