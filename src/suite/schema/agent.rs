//! The schema of `[agent]`: the keys that every agent has, derived from the struct that reads them, and those of each
//! kind, closed by kind.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::tidy;
use crate::agents::{KINDS, Kind};
use crate::suite::agent::{AgentTable, UserTable};

/// What `[agent]` is.
const ABOUT: &str = "The live agent that the cases are driven against. Each kind has keys of its own, beside these: \
                     `seatrial explain agent`. With recordings in the suite too, a run says --recorded or --live.";

/// A simulated user: [`UserTable`], with `goal` from here or from `[agent]`.
pub(super) fn user() -> Value {
    let mut generator = SchemaSettings::draft07().with(|s| s.inline_subschemas = true).into_generator();
    let mut schema = UserTable::json_schema(&mut generator).to_value();
    tidy::tidy(&mut schema);
    schema
}

/// The keys that every kind has.
fn every() -> Map<String, Value> {
    let mut generator = SchemaSettings::draft07().with(|s| s.inline_subschemas = true).into_generator();
    let mut schema = AgentTable::json_schema(&mut generator).to_value();
    tidy::tidy(&mut schema);
    let mut keys = match schema.get_mut("properties").map(Value::take) {
        Some(Value::Object(keys)) => keys,
        _ => Map::new(),
    };
    let names: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
    if let Some(kind) = keys.get_mut("kind").and_then(Value::as_object_mut).filter(|_| !names.is_empty()) {
        kind.insert("enum".to_owned(), json!(names));
    }
    keys
}

/// The table without what is particular to a kind, for documentation.
pub(super) fn common() -> Value {
    json!({ "type": "object", "description": ABOUT, "properties": every(), "required": ["kind"] })
}

/// The table, closed by kind.
pub(super) fn table(generator: &mut SchemaGenerator) -> Value {
    let common = every();
    let variants: Vec<Value> = KINDS.iter().map(|kind| variant(kind, &common, generator)).collect();
    let mut table = json!({ "type": "object", "description": ABOUT, "required": ["kind"] });
    if !variants.is_empty() {
        table["anyOf"] = variants.into();
    }
    table
}

fn variant(kind: &Kind, common: &Map<String, Value>, generator: &mut SchemaGenerator) -> Value {
    let mut own = (kind.schema)(generator).to_value();
    tidy::tidy(&mut own);
    let description = own.get("description").cloned().unwrap_or_default();
    let mut properties = common.clone();
    properties.insert("kind".to_owned(), json!({ "const": kind.name, "description": description }));
    if let Some(Value::Object(keys)) = own.get_mut("properties").map(Value::take) {
        properties.extend(keys);
    }
    let mut required = vec![json!("kind")];
    required.extend(own.get("required").and_then(Value::as_array).into_iter().flatten().cloned());
    json!({
        "title": kind.name, "type": "object", "properties": properties, "required": required,
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_has_a_key_that_every_agent_has() {
        let common = every();
        for kind in KINDS {
            let own = crate::suite::own::keys_of_schema(&(kind.schema)(&mut SchemaGenerator::default()));
            let taken: Vec<_> = own.iter().filter(|key| common.contains_key(*key)).collect();
            assert!(taken.is_empty(), "{}: {taken:?}", kind.name);
        }
    }

    #[test]
    fn the_example_of_every_kind_is_one_that_the_schema_allows() {
        for kind in KINDS {
            let schema = crate::suite::schema::suite_schema();
            let validator = jsonschema::validator_for(&schema).unwrap();
            let suite: Value = toml::from_str(&format!("[suite]\nname = \"s\"\n{}", kind.example)).unwrap();
            let errors: Vec<String> = validator.iter_errors(&suite).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", kind.name);
        }
    }
}
