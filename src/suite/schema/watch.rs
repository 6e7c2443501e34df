//! The schema of `[watch]` and `[[alert]]`, derived from the structs that read them: the keys that every alert has, and
//! those of each kind, closed by kind.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::tidy;
use crate::alerts::KINDS;
use crate::alerts::kind::Kind;
use crate::suite::watch::WatchTable;
use crate::suite::watch::alert::AlertTable;

/// What `[[alert]]` is.
const ABOUT: &str = "What is told when it is so in production. Each kind has keys of its own, beside these: `seatrial \
                     explain watch`.";

fn inlined<T: JsonSchema>() -> Value {
    let mut generator = SchemaSettings::draft07().with(|s| s.inline_subschemas = true).into_generator();
    let mut schema = T::json_schema(&mut generator).to_value();
    tidy::tidy(&mut schema);
    schema
}

/// `[watch]`.
pub(super) fn watch() -> Value {
    let mut schema = inlined::<WatchTable>();
    if let Some(Value::Object(keys)) = schema.pointer_mut("/properties/sample/properties/stratum/items/properties") {
        let on = json!({
            "allOf": [{ "$ref": "#/definitions/selector" }],
            "description": "Which sessions, as `on` of a check has it. There are no cases.",
        });
        keys.insert("on".to_owned(), on);
    }
    schema
}

/// The keys that every alert has.
fn every() -> Map<String, Value> {
    let mut schema = inlined::<AlertTable>();
    let mut keys = match schema.get_mut("properties").map(Value::take) {
        Some(Value::Object(keys)) => keys,
        _ => Map::new(),
    };
    let names: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
    if let Some(kind) = keys.get_mut("kind").and_then(Value::as_object_mut) {
        kind.insert("enum".to_owned(), json!(names));
    }
    keys
}

/// An alert without what is particular to a kind, for documentation.
pub(super) fn common() -> Value {
    let items = json!({ "type": "object", "description": ABOUT, "properties": every(), "required": ["name", "kind"] });
    json!({ "type": "array", "description": ABOUT, "items": items })
}

/// `[[alert]]`, closed by kind.
pub(super) fn alerts(generator: &mut SchemaGenerator) -> Value {
    let every = every();
    let variants: Vec<Value> = KINDS.iter().map(|kind| variant(kind, &every, generator)).collect();
    super::list_of(variants, ABOUT)
}

fn variant(kind: &Kind, every: &Map<String, Value>, generator: &mut SchemaGenerator) -> Value {
    let mut own = (kind.schema)(generator).to_value();
    tidy::tidy(&mut own);
    let description = own.get("description").cloned().unwrap_or_default();
    let mut properties = every.clone();
    properties.insert("kind".to_owned(), json!({ "const": kind.name, "description": description }));
    if let Some(Value::Object(keys)) = own.get_mut("properties").map(Value::take) {
        properties.extend(keys);
    }
    let mut required = vec![json!("name"), json!("kind")];
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
    fn no_kind_has_a_key_that_every_alert_has() {
        let every = every();
        for kind in KINDS {
            let own = crate::suite::own::keys_of_schema(&(kind.schema)(&mut SchemaGenerator::default()));
            let taken: Vec<_> = own.iter().filter(|key| every.contains_key(*key)).collect();
            assert!(taken.is_empty(), "{}: {taken:?}", kind.name);
        }
    }

    #[test]
    fn the_example_of_every_kind_is_one_that_the_schema_allows() {
        let schema = crate::suite::schema::suite_schema();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for kind in KINDS {
            let suite: Value = toml::from_str(&format!("[suite]\nname = \"s\"\n{}", kind.example)).unwrap();
            let errors: Vec<String> = validator.iter_errors(&suite).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", kind.name);
        }
    }

    #[test]
    fn the_schema_knows_selectors_and_refuses_other_keys() {
        let schema = crate::suite::schema::suite_schema();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let valid = |text: &str| {
            let suite: Value = toml::from_str(&format!("[suite]\nname = \"s\"\n{text}")).unwrap();
            validator.is_valid(&suite)
        };
        let stratum = "[[watch.sample.stratum]]\nname = \"a\"\nrate = 1.0\n";
        assert!(valid(&format!("{stratum}on = {{ user = \"vip*\" }}\n")));
        assert!(!valid(&format!("{stratum}on = {{ usr = \"vip*\" }}\n")));
        assert!(valid("[watch]\nidle = \"5m\"\n[watch.sample]\nrate = 0.1\nkeep = { errors = true }\n"));
        assert!(!valid("[watch]\nidel = \"5m\"\n"));
        assert!(!valid("[[alert]]\nname = \"a\"\nkind = \"threshold\"\nlambda = 1\n"));
    }
}
