//! From a suite's TOML or a record's JSON to a matcher.

use std::collections::HashSet;
use std::fmt;

use regex::Regex;
use serde::{Deserialize, de};
use serde_json::{Map, Value};

use super::Matcher;

/// The key under which the `toml` crate hands a date to a deserialiser.
const TOML_DATETIME: &str = "$__toml_private_datetime";

/// The `$` keys, for messages.
const OPERATORS: &[&str] =
    &["$eq", "$matches", "$approx", "$one_of", "$any", "$absent", "$contains", "$partial", "$not", "$gte", "$lte"];

/// A value taken literally, whatever its keys.
struct Literal(Value);

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(LiteralVisitor).map(Self)
    }
}

/// Replaces the `toml` crate's form of dates by their text.
pub fn undate(value: Value) -> Value {
    match value {
        Value::Object(map) => match map.get(TOML_DATETIME) {
            Some(text) if map.len() == 1 => text.clone(),
            _ => map.into_iter().map(|(k, v)| (k, undate(v))).collect::<Map<_, _>>().into(),
        },
        Value::Array(items) => items.into_iter().map(undate).collect::<Vec<_>>().into(),
        other => other,
    }
}

struct LiteralVisitor;

impl<'de> de::Visitor<'de> for LiteralVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Literal(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == TOML_DATETIME {
                return map.next_value();
            }
            if fields.contains_key(&key) {
                return Err(twice(&key));
            }
            fields.insert(key, map.next_value::<Literal>()?.0);
        }
        Ok(fields.into())
    }
}

/// JSON may say a key twice; what it then expects is anybody's guess, and the two may even disagree.
fn twice<E: de::Error>(key: &str) -> E {
    E::custom(format!("the key `{key}` stands twice in one table"))
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
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !keys.insert(key.clone()) {
                return Err(twice(&key));
            }
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

fn is_literal(matcher: &Matcher) -> bool {
    matches!(matcher, Matcher::Equals(_))
}

/// The value that a matcher takes to the letter, where it does.
fn literal(matcher: Matcher) -> Option<Value> {
    match matcher {
        Matcher::Equals(value) => Some(value),
        _ => None,
    }
}

fn simplify_array(items: Vec<Matcher>) -> Matcher {
    if items.iter().all(is_literal) {
        Matcher::Equals(items.into_iter().filter_map(literal).collect::<Vec<_>>().into())
    } else {
        Matcher::Array(items)
    }
}

fn simplify_object(fields: Vec<(String, Matcher)>) -> Matcher {
    if fields.iter().all(|(_, m)| is_literal(m)) {
        let values = fields.into_iter().filter_map(|(key, m)| Some((key, literal(m)?)));
        Matcher::Equals(values.collect::<Map<_, _>>().into())
    } else {
        Matcher::Object(fields)
    }
}
