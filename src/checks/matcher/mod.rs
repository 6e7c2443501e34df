//! Argument matchers: a plain value means equality, a table with one `$` key means what the key says. They nest.
//!
//! [`read`] makes them by hand: an untagged enum would lose positions and messages.

mod read;

use std::fmt;

use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Number, Value};

pub use read::{regex_message, undate};

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

    /// What templates and people see of it: a literal as the value that it is, anything else as it would be written.
    pub fn shown(&self) -> Value {
        match self {
            Self::Equals(value) => value.clone(),
            other => other.to_value(),
        }
    }

    /// The matcher as it would be written in a suite, as JSON.
    pub fn to_value(&self) -> Value {
        let one = |key: &str, value: Value| Value::Object(Map::from_iter([(key.to_owned(), value)]));
        match self {
            // Read back as it stands, a literal with a `$` key in it would be a matcher.
            Self::Equals(value) if has_operator(value) => one("$eq", value.clone()),
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
            // As it is shown, and not copied for it.
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

/// Whether a key in it would be read as a matcher's.
fn has_operator(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(key, value)| key.starts_with('$') || has_operator(value)),
        Value::Array(items) => items.iter().any(has_operator),
        _ => false,
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
mod tests;
