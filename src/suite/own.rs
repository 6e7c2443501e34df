//! A rule's own parameters: which they are, and whether those that are written have the right types.

use std::path::Path;
use std::sync::Arc;

use schemars::SchemaGenerator;
use serde_json::Value;
use toml::de::DeTable;

use super::raw::{Missing, Pos, Sink, collect, drop_entry};
use super::rendering::{Found, templates_of};
use crate::checks::build::{Build, Files, Kit, Rule};
use crate::model::Level;

/// A table without its templated entries.
pub(super) fn without<'t>(table: &DeTable<'t>, found: &[Found]) -> DeTable<'t> {
    let mut literal = table.clone();
    for template in found {
        drop_entry(&mut literal, &template.pos);
    }
    literal
}

/// Checks the types of what is literal in part of a rule's table, without minding what is absent.
pub(super) fn type_check(rule: &Rule, table: &DeTable<'_>, whole: &Pos, sink: &mut Sink<'_>) {
    struct NoFiles;
    impl Files for NoFiles {
        fn read(&self, path: &Path) -> Result<Arc<[u8]>, String> {
            Err(format!("`{}` is read once the table is whole", path.display()))
        }
    }
    let literal = without(table, &templates_of(rule, table));
    let kit = Kit::default();
    collect(&literal, whole, Missing::Tolerated, sink, |part| {
        // What the rule has to say about half a table is not of interest, only what serde has to say about types.
        let level = rule.levels.first().copied().unwrap_or(Level::Session);
        let mut build = Build { level, files: &NoFiles, kit: &kit, problems: Vec::new() };
        (rule.from_toml)(part, &mut build).map(|_| ())
    });
}

/// The names of a rule's own parameters, in the order of its documentation.
pub fn own_keys(rule: &Rule) -> Vec<String> {
    keys_of_schema(&(rule.schema)(&mut SchemaGenerator::default()))
}

/// The names of the keys that a table with this schema has.
pub fn keys_of_schema(schema: &schemars::Schema) -> Vec<String> {
    let mut out = Vec::new();
    add_properties(schema.as_value(), &mut out, 0);
    out
}

fn add_properties(schema: &Value, out: &mut Vec<String>, depth: usize) {
    // Flattened enums put their properties below `oneOf` and the like.
    if depth > 4 {
        return;
    }
    for (name, _) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if !out.contains(name) {
            out.push(name.clone());
        }
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for part in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
            add_properties(part, out, depth + 1);
        }
    }
}
