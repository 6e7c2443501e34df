//! Digests of suites and checks: what was evaluated is what is claimed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Case, CheckDef, Require, Suite};
use crate::checks::build::Rule;
use crate::model::Level;
use crate::model::digest::{Builder, Digest};
use crate::redact::RedactTable;

/// The digest of a resolved suite: what is written in it and every file read for it. What a run replaces (`--subject`,
/// `--sessions`) and environment values are no part of it.
pub(super) fn suite(suite: &Suite, redact: &RedactTable) -> Digest {
    let case = |c: &Case| {
        let mut case = json!({
            "vars": c.vars,
            "skip": c.skip,
            "expected_fail": c.expected_fail,
            "weight": c.weight,
        });
        // A key that came later: suites without it keep the digest that they had.
        if let Some(trials) = c.trials {
            case["trials"] = json!(trials);
        }
        if let Some(user) = &c.simulated {
            case["simulated"] = json!(user);
        }
        case
    };
    let check = |c: &CheckDef| {
        let mut check = json!({
            "id": c.id,
            "digest": c.digest,
            "severity": c.severity,
            "optional": c.optional,
            "tags": c.tags,
            "case": c.case,
        });
        // Who looks at its verdicts is no part of what it says, but of what the suite asks for.
        if let Some(routes) = &c.review {
            check["review"] = json!(routes.review);
        }
        check
    };
    let mut tree = json!({
        "name": suite.name,
        "tags": suite.tags,
        "tools": suite.tools,
        "recorded": {
            "paths": suite.recorded.written,
            "format": suite.recorded.format,
            "case": suite.recorded.case,
            "trial": suite.recorded.trial,
            "max_age": suite.recorded.max_age.map(|d| d.as_millis().to_string()),
        },
        "trials": suite.trials,
        "cases": suite.cases.as_ref().map(|c| c.list.iter().map(case).collect::<Vec<_>>()),
        "checks": suite.checks.iter().map(check).collect::<Vec<_>>(),
        "gate": serde_json::to_value(&suite.gate).unwrap_or(Value::Null),
    });
    // A key that came later: suites without it keep the digest that they had.
    if let Some(session) = &suite.recorded.session {
        tree["recorded"]["session"] = json!(session);
    }
    if let Some(live) = &suite.live {
        tree["agent"] = live.written.clone();
    }
    if !redact.is_empty() {
        tree["redact"] = json!(redact);
    }
    let mut builder = Builder::new("seatrial suite 1");
    builder.part("tree", canonical(&tree).as_bytes());
    for (name, digest) in &suite.files {
        builder.part(name, &digest.bytes);
    }
    builder.finish()
}

/// JSON with keys in order, so that the order in which they are written does not matter.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(k, _)| *k);
            let parts = keys.iter().map(|(k, v)| format!("{}:{}", Value::from(k.as_str()), canonical(v)));
            format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// The digest of a check: what it does, to what, and every file behind it.
pub(super) fn check(
    rule: &Rule,
    level: Level,
    parameters: &Value,
    on: &Value,
    require: Require,
    case: Option<&str>,
    files: &BTreeMap<String, Digest>,
) -> Digest {
    let mut builder = Builder::new("seatrial check 1");
    builder.part("rule", rule.name.as_bytes());
    builder.part("level", level.name().as_bytes());
    builder.part("parameters", canonical(parameters).as_bytes());
    builder.part("on", canonical(on).as_bytes());
    builder.part("require", format!("{require:?}").as_bytes());
    builder.part("case", case.unwrap_or_default().as_bytes());
    for (name, digest) in files {
        builder.part(name, &digest.bytes);
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_does_not_depend_on_the_order_of_keys() {
        let value = json!({"b": [1, {"d": 1, "c": "x\""}], "a": null});
        assert_eq!(canonical(&value), r#"{"a":null,"b":[1,{"c":"x\"","d":1}]}"#);
    }
}
