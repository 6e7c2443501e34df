//! A rule's documentation, read from the schema of its parameters: the struct's doc comment is what it does, the
//! fields' doc comments are what the parameters mean.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::{generator, tables, tidy};
use crate::checks::build::Rule;
use crate::model::Level;

/// What there is to know about a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleDoc {
    /// What it does: the first paragraph, as one line.
    pub summary: String,
    /// The paragraphs after it, in Markdown.
    pub details: String,
    /// Its own parameters: required ones first, then by name.
    pub params: Vec<ParamDoc>,
}

/// What there is to know about a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamDoc {
    /// The key.
    pub name: String,
    /// Its type in words, such as `list of string`.
    pub kind: String,
    /// Whether it must be given.
    pub required: bool,
    /// Its default as TOML; `None` when it has none.
    pub default: Option<String>,
    /// What it means, as one line.
    pub doc: String,
    /// The values it takes with what each means, where it takes one of a few that are documented.
    pub choices: Vec<(String, String)>,
}

/// Longest chain of references followed when a type is named.
const MAX_DEPTH: usize = 8;

/// Most keys of a table that are named where its type is.
const FEW: usize = 4;

/// The documentation of a rule.
pub fn rule_doc(rule: &Rule) -> RuleDoc {
    struct_doc(rule.schema)
}

/// The documentation of a struct of parameters: of a rule, or of a kind of agent.
pub fn struct_doc(schema: fn(&mut SchemaGenerator) -> Schema) -> RuleDoc {
    let mut generator = generator();
    let mut schema = schema(&mut generator).to_value();
    tidy::tidy(&mut schema);
    let mut definitions = generator.take_definitions(false);
    definitions.values_mut().for_each(tidy::tidy);
    let text = description(&schema).trim();
    let (summary, details) = text.split_once("\n\n").unwrap_or((text, ""));
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let params = properties.map(|p| param_docs(p, &required, &definitions)).unwrap_or_default();
    RuleDoc { summary: one_line(summary), details: details.trim().to_owned(), params }
}

/// The keys that every check has, beside its own parameters.
pub fn common_docs() -> Vec<ParamDoc> {
    let mut properties = tables::common(Some(Level::Span), &[]);
    let check = serde_json::json!({ "type": "string", "description": "The name of the rule." });
    properties.insert("check".to_owned(), check);
    param_docs(&properties, &["id", "check"], &tables::definitions(Value::Null))
}

/// What there is to know about a table of a suite that is no check.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDoc {
    /// How it is written, such as `[gate]`.
    pub name: &'static str,
    /// What it is, as one line.
    pub summary: String,
    /// Its keys: required ones first, then by name.
    pub keys: Vec<ParamDoc>,
}

/// Where each table is in the schema, in the order in which they are explained.
const TABLES: &[(&str, &str)] = &[
    ("[suite]", "/suite"),
    ("[subject]", "/subject"),
    ("[recorded]", "/recorded"),
    ("[agent]", "/agent"),
    ("[[agent.setup]], [[agent.teardown]], [agent.state]", "/agent/properties/state"),
    ("[agent.telemetry]", "/agent/properties/telemetry"),
    ("user = { ... } of [agent] and [[case]]", "/agent/properties/user"),
    ("[[case]]", "/definitions/case"),
    ("[[case.turn]]", "/definitions/case/properties/turn/items"),
    ("[case.reference]", "/definitions/reference"),
    ("on", "/definitions/selector"),
    ("[gate]", "/gate"),
    ("[[gate.group]]", "/gate/properties/group/items"),
    ("baseline", "/gate/properties/baseline"),
    ("[[gate.baseline.means]]", "/gate/properties/baseline/properties/means/items"),
    ("[redact]", "/redact"),
    ("[review]", "/review"),
    ("[watch]", "/watch"),
    ("[watch.quarantine]", "/watch/properties/quarantine"),
    ("[watch.sample]", "/watch/properties/sample"),
    ("keep of [watch.sample]", "/watch/properties/sample/properties/keep"),
    ("[[watch.sample.stratum]]", "/watch/properties/sample/properties/stratum/items"),
    (
        "filters of [[watch.sample.stratum]]",
        "/watch/properties/sample/properties/stratum/items/properties/filters/items",
    ),
    ("[[alert]]", "/alert/items"),
    ("silence of [[alert]]", "/alert/items/properties/silence/items"),
    ("[defaults.CHECK]", "/defaults"),
    ("[fragment]", "/fragment"),
];

/// The tables of a suite, beside its checks.
pub fn table_docs() -> Vec<TableDoc> {
    let definitions = tables::definitions(serde_json::json!({ "description": "Checks of this case only." }));
    let mut all = tables::top();
    all.insert("definitions".to_owned(), Value::Object(definitions.clone()));
    all.insert("agent".to_owned(), super::agent::common());
    all.insert("alert".to_owned(), super::watch::common());
    let all = Value::Object(all);
    let none = Map::new();
    let doc = |&(name, pointer): &(&'static str, &str)| {
        let schema = all.pointer(pointer)?;
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required = schema.get("required").and_then(Value::as_array);
        let required: Vec<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
        let mut keys = param_docs(properties, &required, &definitions);
        let mut summary = one_line(description(schema));
        // In an editor it is said of each key, in a list once.
        if keys.iter().any(|k| k.doc.ends_with(tables::GLOB)) {
            keys.iter_mut().for_each(|k| k.doc = k.doc.replace(tables::GLOB, ""));
            summary.push_str(tables::GLOB);
        }
        Some(TableDoc { name, summary, keys })
    };
    TABLES.iter().filter_map(doc).collect()
}

fn param_docs(properties: &Map<String, Value>, required: &[&str], definitions: &Map<String, Value>) -> Vec<ParamDoc> {
    let param = |(name, schema): (&String, &Value)| ParamDoc {
        name: name.clone(),
        kind: kind(schema, definitions, 0),
        required: required.contains(&name.as_str()),
        default: schema.get("default").map(toml_text),
        doc: one_line(description(schema)),
        choices: choices(schema, definitions, 0),
    };
    let mut params: Vec<ParamDoc> = properties.iter().map(param).collect();
    params.sort_by(|a, b| b.required.cmp(&a.required).then_with(|| a.name.cmp(&b.name)));
    params
}

fn description(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// What a schema refers to: itself, or the definition behind its reference.
fn target<'s>(schema: &'s Value, definitions: &'s Map<String, Value>) -> Option<&'s Value> {
    let inner = match schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([only]) => only,
        _ => schema,
    };
    match inner.get("$ref").and_then(Value::as_str) {
        Some(reference) => definitions.get(reference.rsplit('/').next()?),
        None => Some(inner),
    }
}

/// The documented values of an enumeration.
fn choices(schema: &Value, definitions: &Map<String, Value>, depth: usize) -> Vec<(String, String)> {
    let Some(schema) = target(schema, definitions).filter(|_| depth < MAX_DEPTH) else { return Vec::new() };
    let options = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array);
    let choice = |option: &Value| match option.get("const") {
        Some(value) => vec![(toml_text(value), one_line(description(option)))],
        None => choices(option, definitions, depth + 1),
    };
    let all = options.into_iter().flatten().flat_map(choice);
    all.filter(|(_, doc)| !doc.is_empty()).collect()
}

/// A paragraph as one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value as it is written in a suite; tables and lists on one line.
fn toml_text(value: &Value) -> String {
    match value {
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(k, v)| format!("{k} = {}", toml_text(v))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(toml_text).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// The type of a parameter in words.
fn kind(schema: &Value, definitions: &Map<String, Value>, depth: usize) -> String {
    let Some(object) = schema.as_object().filter(|_| depth < MAX_DEPTH) else { return "any value".to_owned() };
    let list = |key: &str| object.get(key).and_then(Value::as_array);
    if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
        return match target(schema, definitions) {
            Some(_) if reference.ends_with("/Matcher") => "matcher".to_owned(),
            Some(definition) => kind(definition, definitions, depth + 1),
            None => "any value".to_owned(),
        };
    }
    if let Some(value) = object.get("const") {
        return toml_text(value);
    }
    if let Some(values) = list("enum") {
        return values.iter().map(toml_text).collect::<Vec<_>>().join(" or ");
    }
    if let Some(options) = list("anyOf").or_else(|| list("oneOf")) {
        let mut kinds: Vec<String> = Vec::new();
        for option in options {
            let kind = kind(option, definitions, depth + 1);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        return kinds.join(" or ");
    }
    if let Some([only]) = list("allOf").map(Vec::as_slice) {
        return kind(only, definitions, depth + 1);
    }
    match object.get("type") {
        Some(Value::String(name)) if name == "array" => {
            let items = object.get("items").map_or_else(|| "any value".to_owned(), |i| kind(i, definitions, depth + 1));
            // "list of a or list of b" would read as a choice of two lists.
            if items.contains(" or list of ") { format!("list of ({items})") } else { format!("list of {items}") }
        }
        Some(Value::String(name)) => match object.get("properties").and_then(Value::as_object) {
            Some(keys) if keys.len() <= FEW => {
                format!("{{ {} }}", keys.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
            _ => type_name(name).to_owned(),
        },
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(type_name).collect::<Vec<_>>().join(" or ")
        }
        _ => "any value".to_owned(),
    }
}

fn type_name(name: &str) -> &str {
    match name {
        "boolean" => "true or false",
        "object" => "table",
        "array" => "list",
        other => other,
    }
}
