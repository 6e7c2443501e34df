//! How large a schema and entities become when Cedar follows their names, counted before it does.
//!
//! Cedar writes every common type out where it is named, and every ancestor into each of its descendants. A text of a few
//! lines may so become types that no memory holds (forty of them, each of which names the one before twice), or nested
//! deeper than any stack; a chain of parents becomes as many pairs as the square of its length. Names that go round in a
//! circle are Cedar's to refuse.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::depth::MAX as MAX_DEPTH;

/// Most types of a schema, with every name written out.
const MAX_TYPES: u64 = 100_000;
/// Most pairs of a thing and one of its ancestors.
const MAX_ANCESTORS: usize = 1_000_000;

/// Something that would become too large: what it is called, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge {
    pub name: String,
    pub message: String,
}

/// Whether a schema, in its JSON form, becomes too large.
pub(super) fn schema(json: &Value) -> Result<(), TooLarge> {
    let mut types = BTreeMap::new();
    let mut parents = BTreeMap::new();
    for (namespace, content) in json.as_object().into_iter().flatten() {
        let declared = |key: &str| content[key].as_object().into_iter().flatten();
        for (name, common) in declared("commonTypes") {
            types.insert(within(namespace, name), Type::of(namespace, &[common]));
        }
        for (name, entity) in declared("entityTypes") {
            let own = within(namespace, name);
            types.insert(format!("entity {own}"), Type::of(namespace, &[&entity["shape"], &entity["tags"]]));
            let above = list(&entity["memberOfTypes"]).filter_map(Value::as_str);
            parents.insert(own, above.map(|name| within(namespace, name)).collect());
        }
        for (name, action) in declared("actions") {
            let context = &action["appliesTo"]["context"];
            types.insert(format!("action {name}"), Type::of(namespace, &[context]));
            let above = list(&action["memberOf"]).filter_map(|group| group["id"].as_str());
            parents.insert(format!("action {name}"), above.map(|name| format!("action {name}")).collect());
        }
    }
    written_out(&types)?;
    ancestors(&parents)
}

/// Whether entities, as they are written in JSON, become too large.
pub(super) fn entities(json: &Value) -> Result<(), TooLarge> {
    let name = |uid: &Value| {
        let uid = uid.get("__entity").unwrap_or(uid);
        match (uid["type"].as_str(), uid["id"].as_str()) {
            (Some(kind), Some(id)) => format!("{kind}::{id:?}"),
            _ => uid.to_string(),
        }
    };
    ancestors(&list(json).map(|entity| (name(&entity["uid"]), list(&entity["parents"]).map(name).collect())).collect())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A name as it is known outside of its namespace.
fn within(namespace: &str, name: &str) -> String {
    if namespace.is_empty() || name.contains("::") { name.to_owned() } else { format!("{namespace}::{name}") }
}

/// A type as it is written.
#[derive(Default)]
struct Type {
    /// Types in it, without those that are named.
    size: u64,
    /// How deep it is nested.
    depth: usize,
    /// What it names, as it would be known in its namespace and outside of all, and how deep within it.
    names: Vec<([String; 2], usize)>,
}

impl Type {
    fn of(namespace: &str, parts: &[&Value]) -> Self {
        let mut found = Self::default();
        parts.iter().for_each(|part| found.add(namespace, part, 0));
        found
    }

    /// Cedar's parser and that of JSON bound how deep one declaration is.
    fn add(&mut self, namespace: &str, value: &Value, at: usize) {
        let Some(kind) = value["type"].as_str() else { return };
        self.depth = self.depth.max(at);
        let name = match kind {
            "String" | "Long" | "Boolean" | "Set" | "Record" | "Entity" | "Extension" => None,
            "EntityOrCommon" => value["name"].as_str(),
            other => Some(other),
        };
        match name {
            Some(name) => self.names.push(([within(namespace, name), name.to_owned()], at)),
            None => self.size += 1,
        }
        self.add(namespace, &value["element"], at + 1);
        for attribute in value["attributes"].as_object().into_iter().flat_map(|all| all.values()) {
            self.add(namespace, attribute, at + 1);
        }
    }
}

/// Writes every name out, from the types that name none upwards: only sizes and depths are kept.
fn written_out(types: &BTreeMap<String, Type>) -> Result<(), TooLarge> {
    let known = |names: &[String; 2]| names.iter().find_map(|name| types.get_key_value(name)).map(|(name, _)| name);
    let mut users: HashMap<&String, Vec<&String>> = HashMap::new();
    let mut waits: HashMap<&String, usize> = HashMap::new();
    for (name, written) in types {
        let named: Vec<&String> = written.names.iter().filter_map(|(names, _)| known(names)).collect();
        waits.insert(name, named.len());
        named.into_iter().for_each(|of| users.entry(of).or_default().push(name));
    }
    let mut ready: Vec<&String> = types.keys().filter(|name| waits.get(name) == Some(&0)).collect();
    let mut whole: HashMap<&String, (u64, usize)> = HashMap::new();
    let mut sum = 0_u64;
    while let Some(name) = ready.pop() {
        let Some(written) = types.get(name) else { continue };
        let (mut size, mut depth) = (written.size, written.depth);
        for (names, at) in &written.names {
            // What is no common type is an entity's name.
            let (more, deep) = known(names).and_then(|name| whole.get(name)).copied().unwrap_or((1, 0));
            (size, depth) = (size.saturating_add(more), depth.max(at + deep));
        }
        sum = sum.saturating_add(size);
        let too_large = |message| Err(TooLarge { name: name.clone(), message });
        if depth > MAX_DEPTH {
            return too_large(format!("it is nested more than {MAX_DEPTH} deep, with the types that it names"));
        }
        if sum > MAX_TYPES {
            return too_large(format!("with the types that it names, there are more than {MAX_TYPES} types"));
        }
        whole.insert(name, (size, depth));
        for user in users.get(name).into_iter().flatten() {
            if let Some(n) = waits.get_mut(user) {
                *n -= 1;
                if *n == 0 {
                    ready.push(user);
                }
            }
        }
    }
    Ok(())
}

/// Counts everything that each is in, directly or not.
fn ancestors(parents: &BTreeMap<String, Vec<String>>) -> Result<(), TooLarge> {
    let mut pairs = 0;
    for name in parents.keys() {
        let (mut seen, mut next) = (HashSet::new(), vec![name]);
        while let Some(one) = next.pop() {
            for parent in parents.get(one).into_iter().flatten().filter(|parent| seen.insert(parent.as_str())) {
                pairs += 1;
                if pairs > MAX_ANCESTORS {
                    let message = format!("there are more than {MAX_ANCESTORS} pairs of a member and what it is in");
                    return Err(TooLarge { name: name.clone(), message });
                }
                next.push(parent);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_written_out_and_found_in_their_namespace_or_outside_of_all() {
        let deep =
            |n: usize| (0..n).fold(json!({ "type": "Long" }), |inner, _| json!({ "type": "Set", "element": inner }));
        let of = |name: &str| {
            json!({
                "": { "commonTypes": { "Deep": deep(60) } },
                "N": { "commonTypes": { "Mine": deep(60), "Use": { "type": "Record", "attributes": {
                    "a": { "type": "Set", "element": { "type": "EntityOrCommon", "name": name } } } } } },
            })
        };
        for name in ["Deep", "Mine", "N::Mine", "Nothing"] {
            assert_eq!(schema(&of(name)), Ok(()), "{name}");
        }
        let mut twice = of("Mine");
        twice["N"]["commonTypes"]["Mine"] = deep(MAX_DEPTH - 1);
        let wrong = schema(&twice).unwrap_err();
        assert_eq!(wrong.name, "N::Use");
        assert!(wrong.message.contains("nested more than"), "{}", wrong.message);
    }

    #[test]
    fn a_circle_of_names_is_left_to_cedar() {
        let circle = json!({ "": { "commonTypes": { "A": { "type": "B" }, "B": { "type": "A" } },
            "entityTypes": { "E": { "memberOfTypes": ["E"] } }, "actions": {} } });
        assert_eq!(schema(&circle), Ok(()));
    }
}
