//! What is expected of a case, and what templates read of it, to be expected of another: without it the same checks would
//! ask less, or nothing. It stands in the suite, in its file of cases, or in both.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item as Entry, Value};

use crate::suite::case_files;

/// The keys of a case that say it.
const EXPECTED: [&str; 3] = ["turn", "reference", "vars"];

/// What is expected of a case, by the keys of `[[case]]`, and what is to be known of it, in words.
pub(super) fn of(document: &DocumentMut, suite: &Path, case: &str) -> (Vec<(&'static str, Value)>, Option<String>) {
    let (mut found, mut known, mut note) = (Vec::new(), false, None);
    if let Some(name) = document.get("suite").and_then(|suite| suite.get("cases")).and_then(Entry::as_str) {
        match in_file(suite, name, case) {
            Ok(of_file) => {
                known |= of_file.is_some();
                found = of_file.unwrap_or_default();
            }
            Err(why) => {
                note = Some(format!("what {name} expects of `{case}` is not copied ({why}): add it to the new case"));
            }
        }
    }
    let cases = document.get("case").and_then(Entry::as_array_of_tables).into_iter().flat_map(ArrayOfTables::iter);
    if let Some(own) = cases.into_iter().find(|own| own.get("id").and_then(Entry::as_str) == Some(case)) {
        known = true;
        // As values: a table that was read keeps its place in the file, which is within the other case.
        for (key, entry) in EXPECTED.into_iter().filter_map(|key| Some((key, own.get(key)?.clone()))) {
            match entry.into_value() {
                Ok(value) => lay_over(&mut found, key, value),
                Err(_) => note = Some(format!("`{key}` of the case `{case}` is no value: add it to the new case")),
            }
        }
        if own.contains_key("user") {
            found.retain(|(key, _)| *key != "turn" || own.contains_key("turn"));
        }
    }
    if !known && note.is_none() {
        note = Some(format!(
            "the suite has no case `{case}`; what another file expects of it (`reference`, `vars`) is not copied: add it \
             to the new case"
        ));
    }
    (found, note)
}

/// As the suite's own tables are laid over those of its file: by keys, of `reference` and `vars` by theirs.
fn lay_over(found: &mut Vec<(&'static str, Value)>, key: &'static str, value: Value) {
    match found.iter_mut().find(|(known, _)| *known == key) {
        None => found.push((key, value)),
        Some((_, under)) => match (under.as_inline_table_mut(), value) {
            (Some(under), Value::InlineTable(over)) => over.into_iter().for_each(|(key, value)| {
                under.insert(key, value);
            }),
            (_, value) => *under = value,
        },
    }
}

/// What a file of cases says; `None` where it has no such case.
fn in_file(suite: &Path, name: &str, case: &str) -> Result<Option<Vec<(&'static str, Value)>>, String> {
    let path = suite.parent().unwrap_or(Path::new(".")).join(name);
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let Some(found) = case_files::expected(name, &text, case)? else { return Ok(None) };
    let each = EXPECTED.into_iter().filter_map(|key| Some((key, found.get(key)?)));
    each.map(|(key, value)| Ok((key, toml(value)?))).collect::<Result<_, _>>().map(Some)
}

/// A value as TOML writes it.
fn toml(value: &Json) -> Result<Value, String> {
    Ok(match value {
        Json::Null => return Err("TOML has no null".to_owned()),
        Json::Bool(is) => (*is).into(),
        Json::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => n.into(),
            (None, Some(x)) if !n.is_u64() => x.into(),
            _ => return Err(format!("{n} is too large for TOML")),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(all) => all.iter().map(toml).collect::<Result<Array, _>>()?.into(),
        Json::Object(all) => {
            let all = all.iter().map(|(key, value)| Ok((key, toml(value)?)));
            all.collect::<Result<InlineTable, String>>()?.into()
        }
    })
}
