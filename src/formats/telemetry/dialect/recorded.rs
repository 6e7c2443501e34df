//! Values that hold a payload as JSON in a text: arguments and results of tools, what went into a span and came out.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::raw::Fields;
use super::{is_withheld, raw};
use crate::formats::telemetry::{EventRecord, SpanRecord, Value};
use crate::model::{Payload, Text};

/// What an attribute holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Recorded<'a> {
    /// This.
    This(Payload<'a>),
    /// It stands for something else, or was cut off.
    Withheld,
}

impl<'a> Recorded<'a> {
    /// The payload; what was withheld is marked as such.
    pub(super) fn known(self, withheld: &mut bool) -> Option<Payload<'a>> {
        match self {
            Self::This(payload) => Some(payload),
            Self::Withheld => {
                *withheld = true;
                None
            }
        }
    }
}

/// A text as it was recorded, or a structured value as JSON.
pub(super) fn as_is<'a>(value: &Value<'a>) -> Recorded<'a> {
    if value.as_str().is_some_and(is_withheld) { Recorded::Withheld } else { Recorded::This(value.payload()) }
}

/// A text that is declared to be JSON: a JSON string is its text, and JSON that does not end was cut off.
pub(super) fn declared_json<'a>(value: &Value<'a>) -> Recorded<'a> {
    let Value::Text(text) = value else { return as_is(value) };
    if is_withheld(text) {
        return Recorded::Withheld;
    }
    if text.starts_with('"') {
        let inner = match &text.0 {
            Cow::Borrowed(text) => serde_json::from_str::<Text<'a>>(text),
            Cow::Owned(text) => serde_json::from_str::<String>(text).map(Text::from),
        };
        return inner.map_or(Recorded::Withheld, |t| {
            if is_withheld(&t) { Recorded::Withheld } else { Recorded::This(Payload::text(t)) }
        });
    }
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Recorded::This(Payload::raw_json(text.clone())),
        Err(_) => Recorded::Withheld,
    }
}

/// A text that may be JSON: one that begins like it has to end like it, any other is itself.
pub(super) fn maybe_json<'a>(value: &Value<'a>) -> Recorded<'a> {
    match value.as_str() {
        Some(text) if text.starts_with(['{', '[', '"']) => declared_json(value),
        _ => as_is(value),
    }
}

/// A member of an object in JSON, as a payload.
pub(super) fn member<'a>(text: &Text<'a>, names: &[&str]) -> Option<Payload<'a>> {
    fn of<'x>(text: &'x str, names: &[&str]) -> Option<Payload<'x>> {
        Fields::parse(text)?.present(names).map(raw::payload)
    }
    match &text.0 {
        Cow::Borrowed(text) => of(text, names),
        Cow::Owned(text) => {
            let found = of(text, names)?;
            let is_json = found.is_json();
            let text = found.into_text().into_owned();
            Some(if is_json { Payload::raw_json(text) } else { Payload::text(text) })
        }
    }
}

/// Time from the span's start to its first event that `is_chunk`, nanoseconds; `None` unless both times are recorded
/// and in order.
pub(super) fn first_chunk(span: &SpanRecord<'_>, is_chunk: impl Fn(&EventRecord<'_>) -> bool) -> Option<u64> {
    let first = span.events.iter().filter(|e| is_chunk(e)).filter_map(|e| e.time_ns).min()?;
    first.checked_sub(span.start_ns?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> Value<'static> {
        Value::Text(text.into())
    }

    #[test]
    fn json_that_does_not_end_was_cut_off() {
        assert_eq!(declared_json(&text(r#"{"a": 1}"#)), Recorded::This(Payload::raw_json(r#"{"a": 1}"#)));
        assert_eq!(declared_json(&text(r#""a\nb""#)), Recorded::This(Payload::text("a\nb")));
        assert_eq!(declared_json(&text("294.0")), Recorded::This(Payload::raw_json("294.0")));
        for cut in [r#"{"a": "#, r#""a"#, "", "A1001", "__REDACTED__", r#""__REDACTED__""#] {
            assert_eq!(declared_json(&text(cut)), Recorded::Withheld, "{cut}");
        }
        assert_eq!(maybe_json(&text("A1001")), Recorded::This(Payload::text("A1001")));
        assert_eq!(maybe_json(&text("[1, 2")), Recorded::Withheld);
        assert_eq!(declared_json(&Value::Int(7)), Recorded::This(Payload::raw_json("7")));
    }

    #[test]
    fn the_first_chunk_is_the_earliest_and_a_clock_that_runs_backwards_says_nothing() {
        let event = |time_ns| EventRecord { name: "chunk".into(), time_ns, ..EventRecord::default() };
        let events = vec![event(None), event(Some(9)), event(Some(7))];
        let span = SpanRecord { start_ns: Some(5), events, ..SpanRecord::default() };
        assert_eq!(first_chunk(&span, |e| e.name == "chunk"), Some(2));
        assert_eq!(first_chunk(&span, |e| e.name == "other"), None);
        assert_eq!(first_chunk(&SpanRecord { start_ns: Some(8), ..span.clone() }, |_| true), None);
        assert_eq!(first_chunk(&SpanRecord { start_ns: None, ..span }, |_| true), None);
    }
}
