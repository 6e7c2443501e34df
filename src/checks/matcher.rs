//! Argument matchers: a plain value means equality, a table with one `$` key means what the key says. They nest.
//!
//! Deserialisation is written by hand: an untagged enum would lose positions and messages.

use std::fmt;

use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, de};
use serde_json::{Map, Number, Value};

use crate::model::json;

/// What a JSON value is compared with.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// Equal; numbers compare as numbers (1 equals 1.0, never "1", never true).
    Equals(Value),
    /// An object with exactly these keys, each value matching.
    Object(Vec<(String, Matcher)>),
    /// An array of exactly these elements, each matching.
    Array(Vec<Matcher>),
    /// `$matches`: a string in which the regular expression is found.
    Matches(Regex),
    /// `$approx`: a number no further than `tol` away.
    Approx {
        /// The number expected.
        value: f64,
        /// The largest distance allowed.
        tol: f64,
    },
    /// `$one_of`: any of these matches.
    OneOf(Vec<Matcher>),
    /// `$any`: present, whatever it is.
    Any,
    /// `$absent`: not there at all.
    Absent,
    /// `$contains`: a string that contains the string, or an array with an element that matches.
    Contains(Box<Matcher>),
    /// `$partial`: every key given is present and matches, recursively; others are free.
    Partial(Box<Matcher>),
    /// `$not`: present and does not match.
    Not(Box<Matcher>),
    /// `$gte`: a number at least as large.
    Gte(Number),
    /// `$lte`: a number at most as large.
    Lte(Number),
}

/// How the arguments of a call are compared with those of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ArgsMode {
    /// Equal.
    #[default]
    Exact,
    /// Every key of the reference is present and matches, recursively.
    Partial,
    /// Every key of the reference is present and equal, at the top level only; more keys are allowed.
    Superset,
    /// The agent's arguments are contained in the reference's; an empty argument object passes.
    Subset,
    /// Not compared.
    Ignore,
}

impl Matcher {
    /// Whether a value matches; `None` is a value that is not there.
    pub fn matches(&self, actual: Option<&Value>) -> bool {
        let Some(actual) = actual else { return matches!(self, Self::Absent) };
        match self {
            Self::Equals(expected) => json::equal(expected, actual),
            Self::Object(expected) => actual.as_object().is_some_and(|object| {
                expected.iter().all(|(key, m)| m.matches(object.get(key)))
                    && object.keys().all(|key| expected.iter().any(|(k, _)| k == key))
            }),
            Self::Array(expected) => actual.as_array().is_some_and(|array| {
                array.len() == expected.len() && expected.iter().zip(array).all(|(m, v)| m.matches(Some(v)))
            }),
            Self::Matches(regex) => actual.as_str().is_some_and(|s| regex.is_match(s)),
            Self::Approx { value, tol } => actual.as_f64().is_some_and(|a| (a - value).abs() <= *tol),
            Self::OneOf(options) => options.iter().any(|m| m.matches(Some(actual))),
            Self::Any => true,
            Self::Absent => false,
            Self::Contains(inner) => match actual {
                Value::String(s) => inner.as_plain_str().is_some_and(|part| s.contains(part)),
                Value::Array(items) => items.iter().any(|v| inner.matches(Some(v))),
                _ => false,
            },
            Self::Partial(inner) => inner.matches_partly(actual),
            Self::Not(inner) => !inner.matches(Some(actual)),
            Self::Gte(bound) => number(actual).is_some_and(|n| json::compare(n, bound).is_some_and(|o| o.is_ge())),
            Self::Lte(bound) => number(actual).is_some_and(|n| json::compare(n, bound).is_some_and(|o| o.is_le())),
        }
    }

    /// Whether a call's arguments match under an args mode.
    pub fn matches_args(&self, actual: &Value, mode: ArgsMode) -> bool {
        match mode {
            ArgsMode::Ignore => true,
            ArgsMode::Partial => self.matches_partly(actual),
            ArgsMode::Exact => self.matches(Some(actual)),
            ArgsMode::Superset | ArgsMode::Subset => match (actual.as_object(), self.arguments()) {
                (Some(object), Some(wanted)) if mode == ArgsMode::Superset => {
                    wanted.iter().all(|(key, m)| m.matches(object.get(*key)))
                }
                (Some(object), Some(wanted)) => {
                    object.iter().all(|(key, value)| wanted.iter().any(|(k, m)| k == key && m.matches(Some(value))))
                }
                _ => self.matches(Some(actual)),
            },
        }
    }

    /// Whether every key of an object matcher is present and matches, recursively. Arrays keep their length.
    fn matches_partly(&self, actual: &Value) -> bool {
        match self {
            Self::Equals(expected) => partly_equal(expected, actual),
            Self::Object(expected) => actual.as_object().is_some_and(|object| {
                expected.iter().all(|(key, m)| match object.get(key) {
                    Some(value) => m.matches_partly(value),
                    None => matches!(m, Self::Absent),
                })
            }),
            Self::Array(expected) => actual.as_array().is_some_and(|array| {
                array.len() == expected.len() && expected.iter().zip(array).all(|(m, v)| m.matches_partly(v))
            }),
            other => other.matches(Some(actual)),
        }
    }

    /// The keys of an object matcher and what is expected of each.
    pub fn arguments(&self) -> Option<Vec<(&str, Argument<'_>)>> {
        match self {
            Self::Object(fields) => Some(fields.iter().map(|(k, m)| (k.as_str(), Argument::Matcher(m))).collect()),
            Self::Equals(Value::Object(map)) => {
                Some(map.iter().map(|(k, v)| (k.as_str(), Argument::Plain(v))).collect())
            }
            _ => None,
        }
    }

    /// The string of a plain string matcher.
    pub fn as_plain_str(&self) -> Option<&str> {
        match self {
            Self::Equals(Value::String(s)) => Some(s),
            _ => None,
        }
    }

    /// The matcher as it would be written in a suite, as JSON.
    pub fn to_value(&self) -> Value {
        let one = |key: &str, value: Value| Value::Object(Map::from_iter([(key.to_owned(), value)]));
        match self {
            Self::Equals(value) => value.clone(),
            Self::Object(fields) => fields.iter().map(|(k, m)| (k.clone(), m.to_value())).collect::<Map<_, _>>().into(),
            Self::Array(items) => items.iter().map(Self::to_value).collect::<Vec<_>>().into(),
            Self::Matches(regex) => one("$matches", regex.as_str().into()),
            Self::Approx { value, tol } => serde_json::json!({ "$approx": value, "tol": tol }),
            Self::OneOf(options) => one("$one_of", options.iter().map(Self::to_value).collect::<Vec<_>>().into()),
            Self::Any => one("$any", true.into()),
            Self::Absent => one("$absent", true.into()),
            Self::Contains(inner) => one("$contains", inner.to_value()),
            Self::Partial(inner) => one("$partial", inner.to_value()),
            Self::Not(inner) => one("$not", inner.to_value()),
            Self::Gte(n) => one("$gte", n.clone().into()),
            Self::Lte(n) => one("$lte", n.clone().into()),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(value) => write!(f, "{value}"),
            other => write!(f, "{}", other.to_value()),
        }
    }
}

/// What is expected of one argument of a call.
#[derive(Debug, Clone, Copy)]
pub enum Argument<'m> {
    /// A value of a matcher that is a plain object.
    Plain(&'m Value),
    /// A matcher of its own.
    Matcher(&'m Matcher),
}

impl Argument<'_> {
    fn matches(self, actual: Option<&Value>) -> bool {
        match self {
            Self::Plain(expected) => actual.is_some_and(|a| json::equal(expected, a)),
            Self::Matcher(m) => m.matches(actual),
        }
    }

    /// Whether the argument, `None` when it is not there, is no reason for its call not to match under an args mode.
    pub fn agrees(self, actual: Option<&Value>, mode: ArgsMode) -> bool {
        match (mode, self, actual) {
            (ArgsMode::Ignore, ..) | (ArgsMode::Subset, _, None) => true,
            (ArgsMode::Partial, Self::Plain(expected), Some(actual)) => partly_equal(expected, actual),
            (ArgsMode::Partial, Self::Matcher(m), Some(actual)) => m.matches_partly(actual),
            _ => self.matches(actual),
        }
    }
}

impl fmt::Display for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(value) => write!(f, "{value}"),
            Self::Matcher(m) => write!(f, "{m}"),
        }
    }
}

fn number(value: &Value) -> Option<&Number> {
    match value {
        Value::Number(n) => Some(n),
        _ => None,
    }
}

fn partly_equal(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Object(e), Value::Object(a)) => e.iter().all(|(k, v)| a.get(k).is_some_and(|w| partly_equal(v, w))),
        (Value::Array(e), Value::Array(a)) => e.len() == a.len() && e.iter().zip(a).all(|(e, a)| partly_equal(e, a)),
        _ => json::equal(expected, actual),
    }
}

/// The key under which the `toml` crate hands a date to a deserialiser.
const TOML_DATETIME: &str = "$__toml_private_datetime";

/// The `$` keys, for messages.
const OPERATORS: &[&str] =
    &["$eq", "$matches", "$approx", "$one_of", "$any", "$absent", "$contains", "$partial", "$not", "$gte", "$lte"];

/// A value taken literally, whatever its keys.
struct Literal(Value);

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Value::deserialize(d).map(|v| Self(undate(v)))
    }
}

/// Replaces the `toml` crate's form of dates by their text.
fn undate(value: Value) -> Value {
    match value {
        Value::Object(map) => match map.get(TOML_DATETIME) {
            Some(text) if map.len() == 1 => text.clone(),
            _ => map.into_iter().map(|(k, v)| (k, undate(v))).collect::<Map<_, _>>().into(),
        },
        Value::Array(items) => items.into_iter().map(undate).collect::<Vec<_>>().into(),
        other => other,
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(MatcherVisitor)
    }
}

struct MatcherVisitor;

impl<'de> de::Visitor<'de> for MatcherVisitor {
    type Value = Matcher;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, or a matcher such as { \"$matches\" = \"regex\" }")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Matcher, E> {
        Ok(Matcher::Equals(v.into()))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Matcher, E> {
        Ok(Matcher::Equals(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Matcher, E> {
        Ok(Matcher::Equals(v.into()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Matcher, E> {
        Ok(Matcher::Equals(v.into()))
    }

    fn visit_str<E>(self, v: &str) -> Result<Matcher, E> {
        Ok(Matcher::Equals(v.into()))
    }

    fn visit_unit<E>(self) -> Result<Matcher, E> {
        Ok(Matcher::Equals(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Matcher, E> {
        Ok(Matcher::Equals(Value::Null))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Matcher, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Matcher>()? {
            items.push(item);
        }
        Ok(simplify_array(items))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Matcher, A::Error> {
        let mut fields: Vec<(String, Matcher)> = Vec::new();
        let mut operator: Option<(String, Matcher)> = None;
        let mut tol: Option<f64> = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == TOML_DATETIME {
                return Ok(Matcher::Equals(Value::String(map.next_value()?)));
            } else if key.starts_with('$') {
                let matcher = operand(&key, &mut map)?;
                if let Some((first, _)) = &operator {
                    return Err(de::Error::custom(format!(
                        "a matcher has one `$` key; this has `{first}` and `{key}`"
                    )));
                }
                operator = Some((key, matcher));
            } else if key == "tol" && matches!(operator, Some((_, Matcher::Approx { .. }))) {
                tol = Some(map.next_value()?);
            } else {
                fields.push((key, map.next_value()?));
            }
        }
        let Some((key, mut matcher)) = operator else { return Ok(simplify_object(fields)) };
        if let Matcher::Approx { tol: t, .. } = &mut matcher {
            // `tol` may stand before `$approx`, where it could not be told from a plain key.
            if let Some(i) = fields.iter().position(|(k, _)| k == "tol") {
                tol = fields.remove(i).1.to_value().as_f64();
            }
            *t = tol.unwrap_or(1e-9);
        }
        match fields.first() {
            None => Ok(matcher),
            Some((other, _)) => Err(de::Error::custom(format!(
                "`{other}` does not belong beside `{key}`; to match a literal key `{key}`, write {{ \"$eq\" = ... }}"
            ))),
        }
    }
}

fn operand<'de, A: de::MapAccess<'de>>(key: &str, map: &mut A) -> Result<Matcher, A::Error> {
    let boxed = |m: Matcher| Box::new(m);
    Ok(match key {
        "$eq" => Matcher::Equals(map.next_value::<Literal>()?.0),
        "$matches" => {
            let source: String = map.next_value()?;
            Matcher::Matches(Regex::new(&source).map_err(|e| de::Error::custom(regex_message(&e)))?)
        }
        "$approx" => Matcher::Approx { value: map.next_value()?, tol: 0.0 },
        "$one_of" => Matcher::OneOf(map.next_value()?),
        "$any" | "$absent" => {
            if !map.next_value::<bool>()? {
                return Err(de::Error::custom(format!("`{key}` is written `{key} = true`")));
            }
            if key == "$any" { Matcher::Any } else { Matcher::Absent }
        }
        "$contains" => Matcher::Contains(boxed(map.next_value()?)),
        "$partial" => Matcher::Partial(boxed(map.next_value()?)),
        "$not" => Matcher::Not(boxed(map.next_value()?)),
        "$gte" => Matcher::Gte(map.next_value()?),
        "$lte" => Matcher::Lte(map.next_value()?),
        other => return Err(de::Error::unknown_field(other, OPERATORS)),
    })
}

/// A regular expression's error in one line.
pub fn regex_message(error: &regex::Error) -> String {
    let text = error.to_string();
    format!("bad regular expression: {}", text.lines().last().unwrap_or_default().trim_start_matches("error: "))
}

fn simplify_array(items: Vec<Matcher>) -> Matcher {
    if items.iter().all(|m| matches!(m, Matcher::Equals(_))) {
        Matcher::Equals(items.iter().map(Matcher::to_value).collect::<Vec<_>>().into())
    } else {
        Matcher::Array(items)
    }
}

fn simplify_object(fields: Vec<(String, Matcher)>) -> Matcher {
    if fields.iter().all(|(_, m)| matches!(m, Matcher::Equals(_))) {
        Matcher::Equals(fields.iter().map(|(k, m)| (k.clone(), m.to_value())).collect::<Map<_, _>>().into())
    } else {
        Matcher::Object(fields)
    }
}

impl JsonSchema for Matcher {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Matcher".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "A value (equality), or a table with one `$` key: `$eq`, `$matches`, `$approx` (with `tol`), \
                `$one_of`, `$any`, `$absent`, `$contains`, `$partial`, `$not`, `$gte`, `$lte`. They nest."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn m(value: Value) -> Matcher {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_plain_value_means_equality() {
        assert!(m(json!({"a": 1})).matches(Some(&json!({"a": 1.0}))));
        assert!(!m(json!({"a": 1})).matches(Some(&json!({"a": 1, "b": 2}))));
        assert!(!m(json!(1)).matches(Some(&json!("1"))));
        assert!(!m(json!(null)).matches(None));
    }

    #[test]
    fn each_operator_does_what_it_says() {
        let cases = [
            (json!({"$matches": "^A\\d$"}), json!("A1"), json!("B1")),
            (json!({"$approx": 12.5, "tol": 0.01}), json!(12.509), json!(12.52)),
            (json!({"tol": 1, "$approx": 5}), json!(6), json!(7)),
            (json!({"$one_of": [1, {"$matches": "x"}]}), json!("axb"), json!(2)),
            (json!({"$contains": "ell"}), json!("hello"), json!("help")),
            (json!({"$contains": {"$gte": 3}}), json!([1, 3]), json!([1, 2])),
            (json!({"$partial": {"a": {"b": 1}}}), json!({"a": {"b": 1, "c": 2}, "d": 3}), json!({"a": {}})),
            (json!({"$not": 3}), json!(4), json!(3.0)),
            (json!({"$gte": 3}), json!(3), json!(2.99)),
            (json!({"$lte": 3}), json!(3), json!("3")),
            (json!({"$eq": {"$any": true}}), json!({"$any": true}), json!(1)),
            (json!({"a": {"$any": true}}), json!({"a": null}), json!({})),
            (json!({"a": {"$absent": true}, "b": 1}), json!({"b": 1}), json!({"a": 1, "b": 1})),
            (json!([{"$any": true}, 2]), json!([0, 2]), json!([0])),
        ];
        for (matcher, yes, no) in cases {
            let compiled = m(matcher.clone());
            assert!(compiled.matches(Some(&yes)), "{matcher} should match {yes}");
            assert!(!compiled.matches(Some(&no)), "{matcher} should not match {no}");
            assert!(m(compiled.to_value()).matches(Some(&yes)), "{matcher} should survive being written out");
        }
    }

    #[test]
    fn a_malformed_matcher_is_refused() {
        for bad in [
            json!({"$match": "x"}),
            json!({"$matches": "("}),
            json!({"$any": false}),
            json!({"$gte": 1, "$lte": 2}),
            json!({"$matches": "x", "other": 1}),
        ] {
            assert!(serde_json::from_value::<Matcher>(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn args_modes() {
        use ArgsMode::{Exact, Ignore, Partial, Subset, Superset};
        let reference = m(json!({"a": {"x": 1}, "b": 2}));
        let cases = [
            (json!({"a": {"x": 1}, "b": 2}), [true, true, true, true, true]),
            (json!({"a": {"x": 1}, "b": 2, "c": 3}), [false, true, true, false, true]),
            (json!({"a": {"x": 1, "y": 0}, "b": 2}), [false, true, false, false, true]),
            (json!({"b": 2}), [false, false, false, true, true]),
            (json!({}), [false, false, false, true, true]),
            (json!({"b": 3}), [false, false, false, false, true]),
        ];
        for (actual, expected) in cases {
            let got = [Exact, Partial, Superset, Subset, Ignore].map(|mode| reference.matches_args(&actual, mode));
            assert_eq!(got, expected, "{actual}");
        }
    }
}
