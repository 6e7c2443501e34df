//! A JSON value that borrows what it can from its text, for whoever only looks at it once: a schema, to which nearly all
//! values conform, or a reason that shows it. To build one with a hash table and a copy of every text takes several times
//! as long.

use std::borrow::Cow;
use std::fmt;
use std::slice;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::model::{Text, json};

/// The most members of an object: they are looked for one by one.
const MAX_MEMBERS: usize = 32;

/// A JSON value.
pub enum Light<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Text<'a>),
    Array(Vec<Light<'a>>),
    /// Each name once.
    Object(Vec<(Text<'a>, Light<'a>)>),
}

impl<'a> Light<'a> {
    /// The value of a text; `None` where it is not valid JSON, or nothing for this.
    pub fn read(text: &'a str) -> Option<Self> {
        json::read(text).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Light<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Light<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Light::Null)
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Light::Bool(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Light::Number(value.into()))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Light::Number(value.into()))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
                Number::from_f64(value).map(Light::Number).ok_or_else(|| E::custom("not a number"))
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Light::Text(Text::borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Light::Text(text.to_owned().into()))
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(Light::Text(text.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Light::Array(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(Text<'de>, Light<'de>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, Light<'de>>()? {
                    // Of several of one name the last one counts, in the place of the first.
                    match members.iter().position(|(known, _)| *known == name) {
                        Some(at) => members[at].1 = value,
                        None if members.len() == MAX_MEMBERS => return Err(de::Error::custom("too many members")),
                        None => members.push((name, value)),
                    }
                }
                Ok(Light::Object(members))
            }
        }
        d.deserialize_any(V)
    }
}

impl Serialize for Light<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Light::Null => s.serialize_unit(),
            Light::Bool(value) => s.serialize_bool(*value),
            Light::Number(number) => number.serialize(s),
            Light::Text(text) => s.serialize_str(text),
            Light::Array(items) => items.serialize(s),
            Light::Object(members) => s.collect_map(members.iter().map(|(name, value)| (name, value))),
        }
    }
}

/// As JSON without white space, like `serde_json::Value`.
impl fmt::Display for Light<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// Light values, as `jsonschema` is told of them.
pub enum Lights {}

impl Json for Lights {
    type Node<'a> = &'a Light<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    // Members stand one behind the other.
    const KEYS_PER_LOOKUP: usize = 2;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Self::Node<'_>) -> T) -> T {
        f(&Light::Text(Text::borrowed(string)))
    }
}

impl<'a> Node<'a, Lights> for &'a Light<'a> {
    type Object = &'a [(Text<'a>, Light<'a>)];
    type Array = &'a [Light<'a>];
    type Number = &'a Number;

    fn as_object(&self) -> Option<Self::Object> {
        match self {
            Light::Object(members) => Some(members),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<Self::Array> {
        match self {
            Light::Array(items) => Some(items),
            _ => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self {
            Light::Text(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<&'a Number> {
        match self {
            Light::Number(number) => Some(number),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self {
            Light::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Light::Null)
    }

    fn json_type(&self) -> JsonType {
        match self {
            Light::Null => JsonType::Null,
            Light::Bool(_) => JsonType::Boolean,
            Light::Number(_) => JsonType::Number,
            Light::Text(_) => JsonType::String,
            Light::Array(_) => JsonType::Array,
            Light::Object(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (self, expected) {
            (Light::Text(text), Value::String(expected)) => text == expected.as_str(),
            (Light::Text(_), _) | (_, Value::String(_)) => false,
            _ => (&*self.to_value()).equals_value(expected),
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        // What was read from JSON always is a value.
        Cow::Owned(serde_json::to_value(self).unwrap_or_default())
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref::<Light<'_>>(self) as usize))
    }
}

/// The members of an object, one by one.
pub struct Members<'a>(slice::Iter<'a, (Text<'a>, Light<'a>)>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Light<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name.as_str(), value))
    }
}

impl<'a> Object<'a, Lights> for &'a [(Text<'a>, Light<'a>)] {
    type Node = &'a Light<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        <[_]>::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Light<'a>> {
        self.iter().find(|(name, _)| name == key.as_str()).map(|(_, value)| value)
    }

    fn members(&self) -> Members<'a> {
        Members(self.iter())
    }
}

impl<'a> Array<'a, Lights> for &'a [Light<'a>] {
    type Node = &'a Light<'a>;
    type ElementsIter = slice::Iter<'a, Light<'a>>;

    fn len(&self) -> usize {
        <[_]>::len(self)
    }

    fn elements(&self) -> Self::ElementsIter {
        self.iter()
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
            let light = Light::read(&text).unwrap();
            prop_assert_eq!(light.to_string(), value.to_string());
            for schema in schemas() {
                let plain = jsonschema::validator_for(&schema).unwrap();
                let mine = jsonschema::options_for::<Lights>().build(&schema).unwrap();
                prop_assert_eq!(mine.is_valid(&light), plain.is_valid(&value), "{} {}", schema, text);
            }
        }
    }

    #[test]
    fn of_several_members_of_one_name_the_last_counts_and_many_are_left_to_others() {
        let light = Light::read(r#"{"a":1,"b":2,"a":3}"#).unwrap();
        assert_eq!(light.to_string(), r#"{"a":3,"b":2}"#);
        let object = |n: usize| (0..n).map(|n| format!("\"{n}\":{n}")).collect::<Vec<_>>().join(",");
        assert!(Light::read(&format!("{{{}}}", object(MAX_MEMBERS))).is_some());
        assert!(Light::read(&format!("[{{{}}}]", object(MAX_MEMBERS + 1))).is_none());
        assert!(Light::read("[1").is_none() && Light::read("1e999").is_none());
    }
}
