//! Inputs that are still well-formed: a document in which values have become other values, so that what lies behind the
//! parser is reached.

use serde_json::{Map, Value, json};

use super::mutate::Random;

/// How a target's inputs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// One JSON document.
    Json,
    /// JSON lines.
    Lines,
    /// TOML.
    Toml,
    /// Anything else.
    Bytes,
}

/// A seed with one to four values changed; `None` when it cannot be read as a tree.
pub fn changed(random: &mut Random, seed: &[u8], syntax: Syntax) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(seed).ok()?;
    match syntax {
        Syntax::Json => {
            let mut tree: Value = serde_json::from_str(text).ok()?;
            change_some(random, &mut tree);
            Some(tree.to_string().into_bytes())
        }
        Syntax::Lines => {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let at = random.below(lines.len());
            let line = lines.get_mut(at)?;
            let mut tree: Value = serde_json::from_str(line).ok()?;
            change_some(random, &mut tree);
            *line = tree.to_string();
            Some(lines.join("\n").into_bytes())
        }
        Syntax::Toml => {
            let mut tree: Value =
                toml::from_str::<toml::Table>(text).ok().and_then(|t| serde_json::to_value(t).ok())?;
            change_some(random, &mut tree);
            drop_nulls(&mut tree);
            toml::to_string(&tree).ok().map(String::into_bytes)
        }
        Syntax::Bytes => None,
    }
}

fn change_some(random: &mut Random, tree: &mut Value) {
    for _ in 0..=random.below(4) {
        let wanted = random.below(count(tree));
        // A value from elsewhere in the same tree is what a schema is least prepared for.
        let other = pick(tree, &mut random.below(count(tree))).cloned().unwrap_or(Value::Null);
        change(random, tree, &mut { wanted }, &other);
    }
}

fn count(tree: &Value) -> usize {
    1 + match tree {
        Value::Array(items) => items.iter().map(count).sum::<usize>(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

fn pick<'v>(tree: &'v Value, left: &mut usize) -> Option<&'v Value> {
    if *left == 0 {
        return Some(tree);
    }
    *left -= 1;
    match tree {
        Value::Array(items) => items.iter().find_map(|v| pick(v, left)),
        Value::Object(map) => map.values().find_map(|v| pick(v, left)),
        _ => None,
    }
}

/// Changes the value that is reached after `left` others. Whether it was reached.
fn change(random: &mut Random, tree: &mut Value, left: &mut usize, other: &Value) -> bool {
    if *left == 0 {
        *tree = changed_value(random, std::mem::take(tree), other);
        return true;
    }
    *left -= 1;
    match tree {
        Value::Array(items) => items.iter_mut().any(|v| change(random, v, left, other)),
        Value::Object(map) => map.values_mut().any(|v| change(random, v, left, other)),
        _ => false,
    }
}

fn changed_value(random: &mut Random, value: Value, other: &Value) -> Value {
    match (random.below(10), value) {
        (0 | 1, value @ (Value::Array(_) | Value::Object(_))) => without_or_twice(random, value),
        (2, value) => nested(random, value),
        (3 | 4, _) => other.clone(),
        (5, Value::String(text)) => text_like(random, &text),
        (6, Value::String(text)) => text.parse::<Value>().unwrap_or_else(|_| json!({ "text": text })),
        (6, value) => Value::String(value.to_string()),
        (7, Value::Object(mut map)) => {
            map.insert(random.of_all(KEYS).to_string(), other.clone());
            Value::Object(map)
        }
        _ => odd(random),
    }
}

/// Keys that mean something somewhere.
const KEYS: &[&str] = &[
    "",
    "id",
    "$not",
    "$eq",
    "name",
    "spans",
    "turns",
    "tools",
    "messages",
    "tool_calls",
    "content",
    "role",
    "arguments",
    "reference",
    "state",
    "traceId",
    "stringValue",
    "arrayValue",
    "kvlistValue",
    "parent",
    "usage",
    "check",
    "on",
    "extends",
    "override",
    "require",
    "__proto__",
    "a.b[0]",
];

fn without_or_twice(random: &mut Random, value: Value) -> Value {
    match value {
        Value::Array(mut items) if !items.is_empty() => {
            let at = random.below(items.len());
            if random.below(2) == 0 {
                items.remove(at);
            } else {
                let copy = items[at].clone();
                items.extend(std::iter::repeat_n(copy, [1, 2, 50][random.below(3)]));
            }
            Value::Array(items)
        }
        Value::Object(map) if !map.is_empty() => {
            let at = random.below(map.len());
            Value::Object(
                map.into_iter().enumerate().filter(|(i, _)| *i != at).map(|(_, pair)| pair).collect::<Map<_, _>>(),
            )
        }
        other => other,
    }
}

fn nested(random: &mut Random, value: Value) -> Value {
    let depth = [1, 2, 40, 90][random.below(4)];
    let mut value = value;
    for _ in 0..depth {
        value = if random.below(2) == 0 { json!([value]) } else { json!({ "a": value }) };
    }
    value
}

fn text_like(random: &mut Random, text: &str) -> Value {
    Value::String(match random.below(5) {
        0 => text.repeat([2, 100][random.below(2)]),
        1 => text.chars().rev().collect(),
        2 => format!("{text}\u{2028}\u{202e}\u{1b}[2J\0"),
        3 => text.chars().take(random.below(text.chars().count() + 1)).collect(),
        _ => serde_json::to_string(text).unwrap_or_default(),
    })
}

fn odd(random: &mut Random) -> Value {
    match random.below(14) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(0),
        3 => json!(-1),
        4 => json!(u64::MAX),
        5 => json!(i64::MIN),
        6 => json!(1e308),
        7 => json!(5e-324),
        8 => json!(""),
        9 => json!([]),
        10 => json!({}),
        11 => json!("{{ case.id }}"),
        12 => json!("2026-11-26T20:00:00.000000001Z"),
        _ => json!("*"),
    }
}

/// TOML has no null.
fn drop_nulls(tree: &mut Value) {
    match tree {
        Value::Array(items) => {
            items.retain(|v| !v.is_null());
            items.iter_mut().for_each(drop_nulls);
        }
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}
