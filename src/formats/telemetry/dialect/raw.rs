//! JSON inside of attributes, looked at one level at a time and borrowed: whatever shape it has, what can be read is.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::{Payload, Text};

/// The fields of a JSON object, undecoded. A name may repeat; the last one counts.
#[derive(Debug, Default)]
pub(super) struct Fields<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// The fields of `raw`; `None` when it is no object.
    pub(super) fn of(raw: &'a RawValue) -> Option<Self> {
        Self::parse(raw.get())
    }

    /// The fields of a JSON text; `None` when it is no object.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.trim_ascii_start().starts_with('{') { serde_json::from_str(text).ok() } else { None }
    }

    /// The value of the first of `names` that is there and not `null`.
    pub(super) fn get(&self, names: &[&str]) -> Option<&'a RawValue> {
        self.present(names).filter(|raw| raw.get() != "null")
    }

    /// The value of the first of `names` that is there, be it `null`.
    pub(super) fn present(&self, names: &[&str]) -> Option<&'a RawValue> {
        names.iter().find_map(|name| self.0.iter().rev().find(|(n, _)| n == name).map(|(_, raw)| *raw))
    }

    /// The string of the first of `names` that is there; a number counts as its digits. Empty strings are none.
    pub(super) fn string(&self, names: &[&str]) -> Option<Text<'a>> {
        let raw = self.get(names)?;
        match raw.get().as_bytes().first() {
            Some(b'"') => string(raw).filter(|s| !s.is_empty()),
            Some(b'-' | b'0'..=b'9') => Some(Text::borrowed(raw.get())),
            _ => None,
        }
    }

    /// Whether there is one field and no more.
    pub(super) fn is_single(&self) -> bool {
        self.0.len() == 1
    }

    /// Whether one of `names` is there and `true`.
    pub(super) fn truth(&self, names: &[&str]) -> bool {
        self.get(names).is_some_and(|raw| raw.get() == "true")
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        d.deserialize_map(V)
    }
}

/// The elements of a JSON list; `None` when it is no list.
pub(super) fn list(raw: &RawValue) -> Option<Vec<&RawValue>> {
    if raw.get().starts_with('[') { serde_json::from_str(raw.get()).ok() } else { None }
}

/// A JSON string; `None` when it is none. Halves of a surrogate pair, which are no characters, become U+FFFD.
pub(super) fn string(raw: &RawValue) -> Option<Text<'_>> {
    if !raw.get().starts_with('"') {
        return None;
    }
    serde_json::from_str(raw.get()).ok().or_else(|| serde_json::from_str::<Lossy>(raw.get()).ok().map(|s| s.0.into()))
}

/// A value as a payload: a string is its text, anything else stays as it was written.
pub(super) fn payload(raw: &RawValue) -> Payload<'_> {
    match string(raw) {
        Some(text) => Payload::text(text),
        None => Payload::raw_json(raw.get()),
    }
}

/// Arguments of a call: JSON that was encoded twice loses one of the codings.
pub(super) fn arguments(payload: Payload<'_>) -> Payload<'_> {
    if payload.is_json() || !payload.as_str().starts_with('"') {
        return payload;
    }
    match serde_json::from_str::<Cow<'_, str>>(payload.as_str()) {
        Ok(inner) if inner.starts_with(['{', '[']) => Payload::text(inner.into_owned()),
        _ => payload,
    }
}

/// A JSON string that UTF-8 cannot hold.
struct Lossy(String);

impl<'de> Deserialize<'de> for Lossy {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Lossy;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_bytes<E: de::Error>(self, v: &[u8]) -> Result<Self::Value, E> {
                Ok(Lossy(String::from_utf8_lossy(v).into_owned()))
            }
        }
        d.deserialize_bytes(V)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn fields_are_read_whatever_their_types_and_the_last_of_a_name_counts() {
        let fields = Fields::parse(r#" {"a":1,"b":null,"a":"x","c":{"d":[1]},"e":true,"n":7,"s":""}"#).unwrap();
        assert_eq!(fields.string(&["a"]).unwrap(), "x");
        assert_eq!(fields.string(&["n"]).unwrap(), "7");
        assert_eq!(fields.string(&["s"]), None);
        assert!(fields.get(&["b"]).is_none());
        assert!(fields.present(&["b"]).is_some());
        assert_eq!(fields.get(&["z", "c"]).unwrap().get(), r#"{"d":[1]}"#);
        assert!(fields.truth(&["e"]) && !fields.truth(&["n"]));
        assert!(Fields::parse("[]").is_none());
        assert!(Fields::parse(r#"{"a":"#).is_none());
    }

    #[test]
    fn a_string_is_borrowed_and_half_a_surrogate_pair_does_not_lose_the_rest() {
        assert!(matches!(string(raw(r#""plain""#)).unwrap().0, Cow::Borrowed("plain")));
        assert_eq!(string(raw(r#""\ud83d\ude00""#)).unwrap(), "😀");
        assert!(string(raw(r#""a\ud83d b""#)).unwrap().starts_with("a\u{fffd}"));
        assert!(string(raw("7")).is_none());
    }

    #[test]
    fn arguments_that_were_encoded_twice_are_decoded_once() {
        assert_eq!(arguments(payload(raw(r#""\"{\\\"a\\\":1}\"""#))).as_str(), r#"{"a":1}"#);
        assert_eq!(arguments(payload(raw(r#""\"quoted\"""#))).as_str(), r#""quoted""#);
        assert_eq!(arguments(payload(raw(r#""{\"a\":1}""#))).as_str(), r#"{"a":1}"#);
        assert!(arguments(payload(raw(r#"{"a":1}"#))).is_json());
    }
}
