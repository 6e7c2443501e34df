//! JSON on a tape ([`crate::model::json::tape`]), as JSON Schemas are told of it.

use std::borrow::Cow;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, NodeIdentity, Object};
use serde_json::{Number, Value};

use crate::model::json::Tape;
use crate::model::json::tape::{Elements, Kind, Members, Node};

/// Values on tapes.
pub enum Lights {}

impl Json for Lights {
    type Node<'a> = Node<'a>;
    type PreparedKey = String;
    type StringBuffer = Tape;

    // Members stand one behind the other.
    const KEYS_PER_LOOKUP: usize = 2;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(buffer: &mut Tape, string: &str, f: impl FnOnce(Self::Node<'_>) -> T) -> T {
        f(buffer.hold(string))
    }
}

impl<'a> jsonschema::json::Node<'a, Lights> for Node<'a> {
    type Object = Members<'a>;
    type Array = Elements<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Members<'a>> {
        match self.kind() {
            Kind::Object(members) => Some(members),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<Elements<'a>> {
        match self.kind() {
            Kind::Array(elements) => Some(elements),
            _ => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.as_str().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<&'a Number> {
        match self.kind() {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.kind() {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self.kind(), Kind::Null)
    }

    fn json_type(&self) -> JsonType {
        match self.kind() {
            Kind::Null => JsonType::Null,
            Kind::Bool(_) => JsonType::Boolean,
            Kind::Number(_) => JsonType::Number,
            Kind::Text(_) => JsonType::String,
            Kind::Array(_) => JsonType::Array,
            Kind::Object(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (self.kind(), expected) {
            (Kind::Text(text), Value::String(expected)) => text == expected,
            (Kind::Text(_), _) | (_, Value::String(_)) => false,
            _ => (&*self.to_value()).equals_value(expected),
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        // What was read from JSON always is a value.
        Cow::Owned(serde_json::to_value(self).unwrap_or_default())
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(self.address()))
    }
}

impl<'a> Object<'a, Lights> for Members<'a> {
    type Node = Node<'a>;
    type MemberName = &'a str;
    type MembersIter = Self;

    fn len(&self) -> usize {
        ExactSizeIterator::len(self)
    }

    fn get(&self, key: &String) -> Option<Node<'a>> {
        let mut members = *self;
        members.find(|(name, _)| name == key).map(|(_, value)| value)
    }

    fn members(&self) -> Self {
        *self
    }
}

impl<'a> Array<'a, Lights> for Elements<'a> {
    type Node = Node<'a>;
    type ElementsIter = Self;

    fn len(&self) -> usize {
        ExactSizeIterator::len(self)
    }

    fn elements(&self) -> Self {
        *self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn schemas() -> Vec<Value> {
        vec![
            json!({}),
            json!(false),
            json!({"type": ["object", "array", "string"]}),
            json!({"type": "integer", "minimum": 0, "multipleOf": 2}),
            json!({"type": "object", "required": ["a"], "additionalProperties": false,
                "properties": {"a": {"type": ["string", "null"], "minLength": 2}, "b": {"enum": [1, "b", [true], {"a": 1.0}]}}}),
            json!({"propertyNames": {"maxLength": 1}, "minProperties": 1, "patternProperties": {"^b": {"type": "number"}}}),
            json!({"type": "array", "items": {"type": "number", "exclusiveMaximum": 2.5}, "uniqueItems": true, "contains": {"const": 1}}),
            json!({"anyOf": [{"const": "a"}, {"pattern": "[b-z]"}, {"const": {"a": null}}], "not": {"const": ""}}),
            json!({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": ["array", "boolean"], "maxItems": 2, "items": {"$ref": "#/$defs/tree"}}}}),
            json!({"unevaluatedProperties": false, "allOf": [{"properties": {"a": true}}], "dependentRequired": {"a": ["b"]}}),
        ]
    }

    fn texts() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            prop::sample::select(vec!["0", "1", "1.0", "-2", "2.5", "1e2", "9007199254740993", "18446744073709551615"])
                .prop_map(str::to_owned),
            prop::sample::select(vec!["", "a", "b", "bb", "é", "\\u00e9", "\\n\\\"", "ab"])
                .prop_map(|s| format!("\"{s}\"")),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let member = (prop::sample::select(vec!["a", "b", "bc", "\\u0061"]), inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
                prop::collection::vec(member.prop_map(|(name, value)| format!("\"{name}\": {value}")), 0..4)
                    .prop_map(|members| format!("{{{}}}", members.join(" ,"))),
            ]
        })
    }

    proptest! {
        /// Whatever is said of a light value is said of the same value as serde_json has it.
        #[test]
        fn a_light_value_is_valid_exactly_when_the_value_is(text in texts()) {
            let value: Value = serde_json::from_str(&text).unwrap();
            let Some(tape) = Tape::read(&text) else { return Ok(()) };
            let light = tape.root(&text);
            for schema in schemas() {
                let plain = jsonschema::validator_for(&schema).unwrap();
                let mine = jsonschema::options_for::<Lights>().build(&schema).unwrap();
                prop_assert_eq!(mine.is_valid(light), plain.is_valid(&value), "{} {}", schema, text);
            }
        }
    }
}
