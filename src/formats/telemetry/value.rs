//! Attribute values: OTLP's `AnyValue`, borrowed.

use std::borrow::Cow;
use std::fmt::Write;

use crate::model::{Payload, Text};

/// Named values in recorded order. A name may repeat; the last one counts.
pub type Pairs<'a> = Vec<(Text<'a>, Value<'a>)>;

/// The value of `name`.
pub fn find<'p, 'a>(pairs: &'p Pairs<'a>, name: &str) -> Option<&'p Value<'a>> {
    pairs.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v)
}

/// A value of any type.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Value<'a> {
    /// No value.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number; may be NaN or infinite.
    Double(f64),
    /// A text, which may hold JSON.
    Text(Text<'a>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// A list.
    Array(Vec<Value<'a>>),
    /// An object.
    Map(Pairs<'a>),
}

impl<'a> Value<'a> {
    /// The text, when it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(t) => Some(t),
            _ => None,
        }
    }

    /// The text, without a copy of what is borrowed.
    pub fn text(&self) -> Option<Text<'a>> {
        match self {
            Self::Text(t) => Some(t.clone()),
            _ => None,
        }
    }

    /// A whole number that is not negative; also one written as a text or as a double without a fraction.
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Int(n) => u64::try_from(*n).ok(),
            // Up to 2^53 a double is exact.
            Self::Double(d) if d.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(d) => Some(*d as u64),
            Self::Text(t) => t.parse().ok(),
            _ => None,
        }
    }

    /// A finite number; also one written as a text.
    pub fn number(&self) -> Option<f64> {
        let number = match self {
            Self::Int(n) => *n as f64,
            Self::Double(d) => *d,
            Self::Text(t) => t.parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }

    /// The value as a payload: a text stays a text (which may hold JSON), everything else becomes JSON.
    pub fn payload(&self) -> Payload<'a> {
        match self {
            Self::Text(t) => Payload::text(t.clone()),
            other => Payload::raw_json(other.json()),
        }
    }

    /// The value as JSON. Numbers that JSON cannot hold become texts (`"NaN"`), bytes become hex.
    pub fn json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Self::Int(n) => {
                let _ = write!(out, "{n}");
            }
            Self::Double(d) => match serde_json::Number::from_f64(*d) {
                Some(n) => {
                    let _ = write!(out, "{n}");
                }
                None => quote(&d.to_string(), out),
            },
            Self::Text(t) => quote(t, out),
            Self::Bytes(bytes) => {
                out.push('"');
                for byte in bytes.iter() {
                    let _ = write!(out, "{byte:02x}");
                }
                out.push('"');
            }
            Self::Array(values) => {
                out.push('[');
                for (i, value) in values.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    value.write_json(out);
                }
                out.push(']');
            }
            Self::Map(pairs) => {
                out.push('{');
                for (i, (name, value)) in pairs.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    quote(name, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }
}

/// Adds `text` as a JSON string.
fn quote(text: &str, out: &mut String) {
    // A string always is JSON; `Value` writes it the same way.
    let _ = write!(out, "{}", serde_json::Value::from(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_becomes_json() {
        let value = Value::Map(vec![
            ("a\"".into(), Value::Array(vec![Value::Int(-1), Value::Double(1.5), Value::Bool(true), Value::Null])),
            ("b".into(), Value::Text("x\n\u{1}é".into())),
            ("c".into(), Value::Double(f64::NAN)),
            ("d".into(), Value::Bytes(Cow::Borrowed(&[1, 255]))),
        ]);
        let json = value.json();
        assert_eq!(json, r#"{"a\"":[-1,1.5,true,null],"b":"x\n\u0001é","c":"NaN","d":"01ff"}"#);
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
        assert!(value.payload().is_json());
        assert!(!Value::Text("{}".into()).payload().is_json());
    }

    #[test]
    fn counts_are_never_made_up() {
        assert_eq!(Value::Int(7).count(), Some(7));
        assert_eq!(Value::Text("7".into()).count(), Some(7));
        assert_eq!(Value::Double(7.0).count(), Some(7));
        for none in [Value::Int(-1), Value::Double(7.5), Value::Double(1e300), Value::Text("".into()), Value::Null] {
            assert_eq!(none.count(), None, "{none:?}");
        }
        assert_eq!(Value::Text("NaN".into()).number(), None);
    }

    #[test]
    fn the_last_of_repeated_names_counts() {
        let pairs = vec![("a".into(), Value::Int(1)), ("a".into(), Value::Int(2))];
        assert_eq!(find(&pairs, "a"), Some(&Value::Int(2)));
    }
}
