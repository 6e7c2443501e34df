//! What was recorded of an operation beyond its own fields: payloads, and named values.

use std::cell::OnceCell;
use std::fmt;

use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::json::Tape;
use super::json::tape::Node;
use super::{Text, json};

/// What went into or came out of an operation: a text, which may be JSON. JSON is parsed at most once, when a check
/// first asks.
#[derive(Clone, Default)]
pub struct Payload<'a> {
    text: Text<'a>,
    /// The text was a JSON value, not a JSON string, in the recording; it is written back as it was.
    is_json: bool,
    /// In a box: most payloads are never looked into, and every span has two.
    parsed: OnceCell<Box<Parsed>>,
}

/// What was made of the text, as far as somebody asked.
#[derive(Clone, Default)]
struct Parsed {
    value: OnceCell<Option<Value>>,
    tape: OnceCell<Option<Tape>>,
}

impl<'a> Payload<'a> {
    /// A payload that was recorded as a string (which may hold JSON, as OpenAI's `arguments` does).
    pub fn text(text: impl Into<Text<'a>>) -> Self {
        Self { text: text.into(), is_json: false, parsed: OnceCell::new() }
    }

    /// A payload that was recorded as a JSON value; `raw` must be valid JSON. A JSON string becomes its text: written
    /// back, the two could not be told apart.
    pub fn raw_json(raw: impl Into<Text<'a>>) -> Self {
        let raw = raw.into();
        match raw.starts_with('"').then(|| serde_json::from_str::<String>(&raw)) {
            Some(Ok(text)) => Self::text(text),
            _ => Self { text: raw, is_json: true, parsed: OnceCell::new() },
        }
    }

    /// From a raw element of a recording: a JSON string becomes its text, anything else stays JSON.
    pub fn from_raw(raw: &'a RawValue) -> Result<Self, serde_json::Error> {
        if raw.get().starts_with('"') {
            Ok(Self::text(serde_json::from_str::<Text<'a>>(raw.get())?))
        } else {
            Ok(Self::raw_json(raw.get()))
        }
    }

    /// From a JSON value.
    pub fn from_value(value: &Value) -> Self {
        match value {
            Value::String(s) => Self::text(s.clone()),
            v => Self::raw_json(v.to_string()),
        }
    }

    /// The text: the string itself, or the JSON as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text, taken out.
    pub fn into_text(self) -> Text<'a> {
        self.text
    }

    /// JSON `null`: nothing, and the recording says so.
    pub fn null() -> Self {
        Self::raw_json("null")
    }

    /// Whether it is JSON `null`.
    pub fn is_null(&self) -> bool {
        self.is_json && &*self.text == "null"
    }

    /// Whether it was recorded as a JSON value rather than a string.
    pub fn is_json(&self) -> bool {
        self.is_json
    }

    /// The JSON value that the text holds; `None` when it is not valid JSON.
    pub fn json(&self) -> Option<&Value> {
        self.parsed.get_or_init(Box::default).value.get_or_init(|| json::read(&self.text).ok()).as_ref()
    }

    /// The same, for whoever only looks at it: faster, and `None` also where it is nothing for a [`Tape`].
    pub fn light(&self) -> Option<Node<'_>> {
        let tape = self.parsed.get_or_init(Box::default).tape.get_or_init(|| Tape::read(&self.text));
        tape.as_ref().map(|tape| tape.root(&self.text))
    }

    /// The payload as a value: its JSON when it was recorded as JSON, else its string.
    pub fn to_value(&self) -> Value {
        match self.json() {
            Some(v) if self.is_json => v.clone(),
            _ => Value::String(self.text.to_string()),
        }
    }
}

impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.is_json == other.is_json
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_json { f.write_str(&self.text) } else { fmt::Debug::fmt(&self.text, f) }
    }
}

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.is_json {
            let raw: &RawValue = json::read(&self.text).map_err(serde::ser::Error::custom)?;
            raw.serialize(s)
        } else {
            s.serialize_str(&self.text)
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Payload<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> de::Visitor<'de> for V {
            type Value = Payload<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Payload::text(text))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Payload::text(text.to_owned()))
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(Payload::text(text))
            }
            fn visit_borrowed_bytes<E: de::Error>(self, raw: &'de [u8]) -> Result<Self::Value, E> {
                std::str::from_utf8(raw).map(Payload::raw_json).map_err(E::custom)
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
                let raw = <&'de RawValue>::deserialize(d)?;
                Payload::from_raw(raw).map_err(de::Error::custom)
            }
        }
        d.deserialize_newtype_struct(json::AS_IT_IS, V)
    }
}

/// Named values, in recorded order. Names may repeat in a hostile recording; the last one counts.
#[derive(Clone, Default, PartialEq)]
pub struct Attributes<'a>(pub Vec<(Text<'a>, Payload<'a>)>);

impl<'a> Attributes<'a> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Payload<'a>> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// Adds a value.
    pub fn push(&mut self, name: impl Into<Text<'a>>, value: Payload<'a>) {
        self.0.push((name.into(), value));
    }

    /// Adds those values that there are.
    pub fn push_some(&mut self, values: impl IntoIterator<Item = (&'static str, Option<Payload<'a>>)>) {
        self.0.extend(values.into_iter().filter_map(|(name, value)| Some((name.into(), value?))));
    }
}

impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(k, v)| (k, v))).finish()
    }
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(k, v)| (k, v)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Attributes<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Attributes<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of attributes")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut out = Attributes::default();
                while let Some((name, value)) = map.next_entry::<Text<'de>, Payload<'de>>()? {
                    out.push(name, value);
                }
                Ok(out)
            }
        }
        d.deserialize_map(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_string_is_its_text_wherever_it_comes_from() {
        let payload = Payload::raw_json(r#""a \"b\"""#);
        assert_eq!((payload.as_str(), payload.is_json()), ("a \"b\"", false));
        for given in [r#""x""#, "{\"a\": [1]}", "null", "1.50"] {
            let payload = Payload::raw_json(given);
            let written = serde_json::to_string(&payload).unwrap();
            assert_eq!(serde_json::from_str::<Payload<'_>>(&written).unwrap(), payload, "{given}");
        }
    }
}
