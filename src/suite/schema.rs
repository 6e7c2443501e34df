//! The JSON Schema of a suite, put together from the rules' own parameter structs, so that editors complete and
//! validate what the loader accepts. Draft 07, which is what TOML language servers understand.
//!
//! - [`docs`]: a rule's documentation, read from the same schema.

mod agent;
pub mod docs;
mod tables;
mod tidy;
mod watch;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::checks::RULES;
use crate::checks::build::Rule;
use crate::checks::matcher::Matcher;
use crate::model::Level;

/// The schema of suites and fragments, with every rule of the registry.
pub fn suite_schema() -> Value {
    schema_of(RULES)
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft07().into_generator()
}

/// The schema of suites that may use `rules`.
fn schema_of<'r>(rules: impl IntoIterator<Item = &'r Rule>) -> Value {
    let mut generator = generator();
    // Referred to by the hand-written tables, whether or not a rule uses it.
    generator.subschema_for::<Matcher>();
    let rules: Vec<(&Rule, Value)> =
        rules.into_iter().map(|rule| (rule, (rule.schema)(&mut generator).to_value())).collect();
    let agent = agent::table(&mut generator);
    let alerts = watch::alerts(&mut generator);
    let mut definitions = generator.take_definitions(false);
    for definition in definitions.values_mut() {
        tidy::tidy(definition);
        tidy::allow_templates(definition);
    }
    let mut checks = Map::new();
    for level in Level::ALL {
        let items = rules.iter().filter(|(rule, _)| rule.levels.contains(&level));
        let variants: Vec<Value> = items.map(|(rule, own)| check(rule, own.clone(), Some(level))).collect();
        let about = format!("Checks of a {}.", tables::subject(level));
        checks.insert(level.name().to_owned(), list_of(variants, &about));
    }
    let in_case = rules.iter().filter(|(rule, _)| rule.levels.iter().any(|l| *l != Level::System));
    let case_checks = in_case.map(|(rule, own)| check(rule, own.clone(), None)).collect();
    definitions.extend(tables::definitions(list_of(case_checks, "Checks for this case only.")));
    document(checks, agent, alerts, definitions)
}

/// An array of any of some tables. Without any, no element is valid: an empty `anyOf` would be no schema at all.
fn list_of(variants: Vec<Value>, description: &str) -> Value {
    let items = if variants.is_empty() { json!(false) } else { json!({ "type": "object", "anyOf": variants }) };
    json!({ "type": "array", "description": description, "items": items })
}

/// One check's table: common keys and the rule's own, merged into one closed object. `level` is the table's; `None`
/// where the table names it.
fn check(rule: &Rule, mut own: Value, level: Option<Level>) -> Value {
    tidy::tidy(&mut own);
    tidy::allow_templates(&mut own);
    let mut object = match own {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    let mut properties = tables::common(level, rule.levels);
    let description = object.get("description").cloned().unwrap_or_default();
    properties.insert("check".to_owned(), json!({ "const": rule.name, "description": description }));
    if let Some(Value::Object(own)) = object.remove("properties") {
        properties.extend(own);
    }
    let mut required = vec![json!("id"), json!("check")];
    if level.is_none() {
        required.push(json!("level"));
    }
    if let Some(Value::Array(own)) = object.remove("required") {
        required.extend(own);
    }
    object.insert("title".to_owned(), json!(rule.name));
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), properties.into());
    object.insert("required".to_owned(), required.into());
    object.insert("additionalProperties".to_owned(), json!(false));
    object.into()
}

/// Suites have `[suite]`, fragments have `[fragment]`; what they share is described once.
fn document(checks: Map<String, Value>, agent: Value, alerts: Value, definitions: Map<String, Value>) -> Value {
    let mut properties = tables::top();
    properties.insert("agent".to_owned(), agent);
    properties.insert("alert".to_owned(), alerts);
    properties.extend(checks);
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "seatrial suite",
        "description": "A suite of checks for an agent's sessions, or a fragment of one.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "oneOf": [
            { "required": ["suite"], "not": { "required": ["fragment"] } },
            { "required": ["fragment"], "not": { "anyOf": [
                { "required": ["suite"] }, { "required": ["subject"] }, { "required": ["recorded"] }, { "required": ["agent"] },
                { "required": ["case"] }, { "required": ["watch"] }, { "required": ["alert"] }
            ] } }
        ],
        "definitions": definitions,
    })
}

#[cfg(test)]
pub(crate) mod tests;
