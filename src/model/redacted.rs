//! Which fields of a session something was taken out of, before it was written: a check that reads one of them cannot know
//! what it would have said of it.

use std::fmt;

use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::Text;

/// The fields that redaction changed, by JSON pointer into seatrial's own format (`/turns/0/reply`), each with the rules
/// that found something there: names of detectors, `key`, `path`, `session`, `user`, or `env` for a secret of the run.
#[derive(Clone, Default, PartialEq)]
pub struct RedactedFields<'a>(pub Vec<(Text<'a>, Vec<Text<'a>>)>);

impl RedactedFields<'_> {
    /// Whether nothing was taken out of the session.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every field with the rules that found something in it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        self.0.iter().map(|(field, by)| (field.as_str(), by.iter().map(Text::as_str)))
    }
}

impl fmt::Debug for RedactedFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(k, v)| (k, v))).finish()
    }
}

impl Serialize for RedactedFields<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(k, v)| (k, v)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RedactedFields<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = RedactedFields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of JSON pointers and the rules that found something there")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut out = RedactedFields::default();
                while let Some(entry) = map.next_entry::<Text<'de>, Vec<Text<'de>>>()? {
                    out.0.push(entry);
                }
                Ok(out)
            }
        }
        d.deserialize_map(Visitor)
    }
}
