//! From schemas as `schemars` makes them to schemas as a writer of TOML needs them.

use serde_json::{Map, Value, json};

/// TOML has no null, draft 07 ignores what stands beside a `$ref`, and Rust's number formats mean nothing to an
/// editor.
pub(super) fn tidy(schema: &mut Value) {
    for_each_subschema(schema, &mut tidy);
    let Some(object) = schema.as_object_mut() else { return };
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
    let rust_only = |f: &str| f.starts_with("uint") || f.starts_with("int") || f == "float" || f == "double";
    if object.get("format").and_then(Value::as_str).is_some_and(rust_only) {
        object.remove("format");
    }
    strip_null(object);
    if object.len() > 1
        && let Some(target) = object.remove("$ref")
    {
        object.insert("allOf".to_owned(), json!([{ "$ref": target }]));
    }
}

fn strip_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|t| t != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|v| !v.is_null());
    }
    for key in ["anyOf", "oneOf"] {
        let Some(Value::Array(options)) = object.get_mut(key) else { continue };
        options.retain(|option| option.get("type").and_then(Value::as_str) != Some("null"));
        if let [only] = options.as_slice() {
            let only = only.clone();
            object.remove(key);
            match only {
                // The outer description says what the parameter is for, the inner one what its type is.
                Value::Object(inner) => {
                    for (k, v) in inner {
                        object.entry(k).or_insert(v);
                    }
                }
                other => {
                    object.insert("allOf".to_owned(), json!([other]));
                }
            }
        }
    }
}

/// Wherever a value goes that is not already any string, a string with a template in it may stand instead: one that
/// is a single expression keeps the expression's type.
pub(super) fn allow_templates(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(or_template);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(key).filter(|inner| inner.is_object()) {
            or_template(inner);
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(options)) = object.get_mut(key) {
            options.iter_mut().for_each(allow_templates);
        }
    }
}

fn or_template(schema: &mut Value) {
    allow_templates(schema);
    let Some(object) = schema.as_object_mut() else { return };
    let narrowed = ["enum", "const", "pattern"].iter().any(|key| object.contains_key(*key));
    let typed = ["type", "anyOf", "oneOf", "allOf", "$ref"].iter().any(|key| object.contains_key(*key)) || narrowed;
    let any_string = object.get("type").and_then(Value::as_str) == Some("string") && !narrowed;
    if !typed || any_string {
        return;
    }
    let mut outer = Map::new();
    for key in ["description", "default", "title"] {
        if let Some(value) = object.remove(key) {
            outer.insert(key.to_owned(), value);
        }
    }
    let inner = std::mem::take(object);
    outer.insert("anyOf".to_owned(), json!([inner, { "$ref": "#/definitions/template" }]));
    *object = outer;
}

fn for_each_subschema(schema: &mut Value, f: &mut dyn FnMut(&mut Value)) {
    let Some(object) = schema.as_object_mut() else { return };
    for key in ["properties", "patternProperties", "definitions"] {
        if let Some(Value::Object(inner)) = object.get_mut(key) {
            inner.values_mut().for_each(&mut *f);
        }
    }
    for key in ["items", "additionalProperties", "not"] {
        match object.get_mut(key) {
            Some(Value::Array(list)) => list.iter_mut().for_each(&mut *f),
            Some(inner @ Value::Object(_)) => f(inner),
            _ => {}
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(options)) = object.get_mut(key) {
            options.iter_mut().for_each(&mut *f);
        }
    }
}
