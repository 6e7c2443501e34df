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
    let mut recorded = json!({
        "paths": suite.recorded.written,
        "format": suite.recorded.format,
        "case": suite.recorded.case,
        "trial": suite.recorded.trial,
        "max_age": suite.recorded.max_age.map(|d| d.as_millis().to_string()),
    });
    // A key that came later, as `agent` and `redact` are: suites without it keep the digest that they had.
    if let Some(session) = &suite.recorded.session {
        recorded["session"] = json!(session);
    }
    let mut tree = BTreeMap::from([
        ("name", text(&json!(suite.name))),
        ("tags", text(&json!(suite.tags))),
        ("tools", text(&json!(suite.tools))),
        ("recorded", text(&recorded)),
        ("trials", text(&json!(suite.trials))),
        ("cases", suite.cases.as_ref().map_or_else(|| text(&Value::Null), |c| list(c.list.iter().map(case)))),
        ("checks", list(suite.checks.iter().map(check))),
        ("gate", text(&serde_json::to_value(&suite.gate).unwrap_or(Value::Null))),
    ]);
    if let Some(live) = &suite.live {
        tree.insert("agent", text(&live.written));
    }
    if !redact.is_empty() {
        tree.insert("redact", text(&json!(redact)));
    }
    let mut whole = String::new();
    object(tree.iter().map(|(key, written)| (*key, written)), &mut whole, |written, out| out.push_str(written));
    let mut builder = Builder::new("seatrial suite 1");
    builder.part("tree", whole.as_bytes());
    for (name, digest) in &suite.files {
        builder.part(name, &digest.bytes);
    }
    builder.finish()
}

/// JSON with keys in order, so that the order in which they are written does not matter.
fn text(value: &Value) -> String {
    let mut out = String::new();
    canonical(value, &mut out);
    out
}

/// The same of many values, of which there is only one at a time: a suite may have thousands of cases.
fn list(values: impl Iterator<Item = Value>) -> String {
    let mut out = String::new();
    array(values, &mut out, |value, out| canonical(&value, out));
    out
}

fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.as_str(), value)).collect();
            entries.sort_by_key(|(key, _)| *key);
            object(entries.into_iter(), out, canonical);
        }
        Value::Array(items) => array(items.iter(), out, canonical),
        other => out.push_str(&other.to_string()),
    }
}

fn object<'k, T>(entries: impl Iterator<Item = (&'k str, T)>, out: &mut String, write: impl Fn(T, &mut String)) {
    out.push('{');
    for (at, (key, value)) in entries.enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&Value::from(key).to_string());
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

fn array<T>(items: impl Iterator<Item = T>, out: &mut String, write: impl Fn(T, &mut String)) {
    out.push('[');
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
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
    builder.part("parameters", text(parameters).as_bytes());
    builder.part("on", text(on).as_bytes());
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
        assert_eq!(text(&value), r#"{"a":null,"b":[1,{"c":"x\"","d":1}]}"#);
    }
}
