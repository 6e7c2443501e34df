//! A row of a platform's export: columns of any type, some of which hold JSON within a text.

use std::borrow::Cow;

use serde::Deserialize;

use super::agentcore::Plain;
use super::telemetry::{Pairs, Value};
use super::wire::iso_ns;
use crate::model::{SpanStatus, Text};

/// The columns of a row that are not taken yet. Of a name that repeats the last value counts.
#[derive(Debug, Default)]
pub(super) struct Row<'a>(Pairs<'a>);

impl<'a> Row<'a> {
    /// The columns of an object; `None` when the value is none.
    pub(super) fn of(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Map(pairs) => Some(Self(pairs)),
            _ => None,
        }
    }

    /// Whether there is such a column, be it empty.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n == name)
    }

    /// Takes the first of the named columns that holds anything.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<Value<'a>> {
        names.iter().find_map(|name| {
            let mut found = None;
            self.0.retain_mut(|(n, value)| {
                let is_it = n == name;
                if is_it {
                    found = Some(std::mem::take(value));
                }
                !is_it
            });
            found.filter(|value| *value != Value::Null)
        })
    }

    /// Takes a text that is not empty, also one that is written as a whole number.
    pub(super) fn text(&mut self, names: &[&str]) -> Option<Text<'a>> {
        match self.take(names)? {
            Value::Text(text) => Some(text).filter(|t| !t.is_empty()),
            Value::Int(number) => Some(number.to_string().into()),
            _ => None,
        }
    }

    /// Takes a time in ISO 8601, as nanoseconds since the epoch. What is there and is none is said in `flaws`.
    pub(super) fn time(&mut self, name: &str, flaws: &mut Vec<String>) -> Option<u64> {
        let value = self.take(&[name])?;
        let time = value.as_str().and_then(iso_ns);
        if time.is_none() {
            let shown: String = value.json().chars().take(40).collect();
            flaws.push(format!("`{name}` is no time in ISO 8601: {shown}"));
        }
        // The epoch stands for a time that was never set.
        time.filter(|t| *t != 0)
    }

    /// Takes the elements of a list; of anything else none.
    pub(super) fn list(&mut self, name: &str) -> Vec<Value<'a>> {
        match self.take(&[name]).map(unfolded) {
            Some(Value::Array(values)) => values,
            _ => Vec::new(),
        }
    }
}

/// The object or list that a text holds as JSON, once or twice encoded; any other value as it is.
pub(super) fn unfolded(mut value: Value<'_>) -> Value<'_> {
    for _ in 0..2 {
        let parsed = match &value {
            Value::Text(Text(Cow::Borrowed(text))) if is_folded(text) => serde_json::from_str::<Plain<'_>>(text).ok(),
            // From a reader nothing is borrowed, so that what is found outlives the text.
            Value::Text(Text(Cow::Owned(text))) if is_folded(text) => {
                Plain::deserialize(&mut serde_json::Deserializer::from_reader(text.as_bytes())).ok()
            }
            _ => None,
        };
        match parsed {
            Some(Plain(found)) => value = found,
            None => break,
        }
    }
    value
}

fn is_folded(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[', '"'])
}

/// How a span ended, by the words that platforms have for it.
pub(super) fn status(word: &str) -> SpanStatus {
    match word.to_ascii_uppercase().as_str() {
        "ERROR" | "ERRORED" | "FAILED" | "FAILURE" => SpanStatus::Error,
        "SUCCESS" | "OK" => SpanStatus::Ok,
        _ => SpanStatus::Unset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &'static str) -> Row<'static> {
        Row::of(serde_json::from_str::<Plain<'_>>(json).unwrap().0).unwrap()
    }

    #[test]
    fn columns_are_taken_once_and_the_last_of_a_name_counts() {
        let mut row = row(r#"{"id":7,"a":"x","a":"y","b":null,"c":""}"#);
        assert_eq!(row.text(&["id"]).unwrap(), "7");
        assert_eq!(row.text(&["b", "a"]).unwrap(), "y");
        assert_eq!((row.text(&["a"]), row.text(&["c"])), (None, None));
    }

    #[test]
    fn a_time_that_is_none_is_said_and_never_made_up() {
        let mut row = row(
            r#"{"a":"2025-06-11T14:01:32.598Z","b":"soon","c":17,"d":"1970-01-01T00:00:00Z","e":null,"f":"9999-01-01T00:00:00Z"}"#,
        );
        let mut flaws = Vec::new();
        assert_eq!(row.time("a", &mut flaws), Some(1_749_650_492_598_000_000));
        assert_eq!((row.time("d", &mut flaws), row.time("e", &mut flaws)), (None, None));
        assert!(flaws.is_empty());
        for name in ["b", "c", "f"] {
            assert_eq!(row.time(name, &mut flaws), None);
        }
        assert_eq!(flaws[0], "`b` is no time in ISO 8601: \"soon\"");
        assert_eq!(flaws.len(), 3);
    }

    #[test]
    fn json_within_texts_is_unfolded_twice_and_other_texts_stay() {
        let inner = Value::Map(vec![("a".into(), Value::Int(1))]);
        assert_eq!(unfolded(Value::Text(r#"{"a":1}"#.into())), inner);
        assert_eq!(unfolded(Value::Text(r#""{\"a\":1}""#.into())), inner);
        for text in ["plain", "{'a': 1}", "{\"a\":"] {
            assert_eq!(unfolded(Value::Text(text.into())), Value::Text(text.into()));
        }
    }
}
