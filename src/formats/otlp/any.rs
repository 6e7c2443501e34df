//! OTLP/JSON's attribute values, borrowed from the element's bytes. What a key says to be one type and is written as
//! another is made that type where nothing is lost, and kept as it is written otherwise.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json::or_default;
use crate::formats::telemetry::{Pairs, Value, id};
use crate::model::Text;

/// How many attributes there is room for at first.
const USUAL: usize = 24;

/// Attributes: a list of key and value.
#[derive(Debug, Default)]
pub(super) struct KeyValues<'a>(pub(super) Pairs<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for KeyValues<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = KeyValues<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of keys and values")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(KeyValues::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(KeyValue { key, value }) = seq.next_element()? {
                    // Most lists have dozens of pairs, or none: growing from few would copy them over and over.
                    if pairs.capacity() == 0 {
                        pairs.reserve(USUAL);
                    }
                    pairs.push((key, value.0));
                }
                Ok(KeyValues(pairs))
            }
        }
        d.deserialize_any(V)
    }
}

#[derive(Deserialize)]
struct KeyValue<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    key: Text<'a>,
    #[serde(borrow, default)]
    value: Any<'a>,
}

/// OTLP's `AnyValue`: an object with one key that names the type; `{}` and `null` are no value.
#[derive(Debug, Default)]
pub(super) struct Any<'a>(pub(super) Value<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Any<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Any<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value such as {\"stringValue\":\"...\"}")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Any::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut value = Value::Null;
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match key.as_str() {
                        "stringValue" => value = map.next_value::<Scalar<'de>>()?.text(),
                        "boolValue" => value = map.next_value::<Scalar<'de>>()?.boolean(),
                        "intValue" => value = map.next_value::<Scalar<'de>>()?.int(),
                        "doubleValue" => value = map.next_value::<Scalar<'de>>()?.double(),
                        "bytesValue" => value = map.next_value::<Scalar<'de>>()?.bytes(),
                        "arrayValue" => {
                            let array: Array<'de> = map.next_value()?;
                            value = Value::Array(array.values.into_iter().map(|v| v.0).collect());
                        }
                        "kvlistValue" => value = Value::Map(map.next_value::<Map<'de>>()?.values.0),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Any(value))
            }
        }
        d.deserialize_any(V)
    }
}

#[derive(Deserialize)]
struct Array<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    values: Vec<Any<'a>>,
}

#[derive(Deserialize)]
struct Map<'a> {
    #[serde(borrow, default)]
    values: KeyValues<'a>,
}

/// A scalar of any JSON type, before the type that its key names is made of it.
pub(in crate::formats) struct Scalar<'a>(pub(in crate::formats) Value<'a>);

impl<'a> Scalar<'a> {
    /// A text; of a number, what was written.
    fn text(self) -> Value<'a> {
        match self.0 {
            other @ (Value::Int(_) | Value::Double(_) | Value::Bool(_)) => Value::Text(other.json().into()),
            other => other,
        }
    }

    /// Bytes from base64; a text that is none stays one.
    pub(in crate::formats) fn bytes(self) -> Value<'a> {
        match self.0 {
            Value::Text(t) => id::base64(&t).map_or(Value::Text(t), |b| Value::Bytes(Cow::Owned(b))),
            other => other,
        }
    }

    pub(in crate::formats) fn boolean(self) -> Value<'a> {
        match self.0 {
            Value::Text(t) if t == "true" => Value::Bool(true),
            Value::Text(t) if t == "false" => Value::Bool(false),
            other => other,
        }
    }

    pub(in crate::formats) fn int(self) -> Value<'a> {
        match self.0 {
            Value::Text(t) => t.parse().map_or(Value::Text(t), Value::Int),
            Value::Double(d) if d.fract() == 0.0 && d.abs() <= 9_007_199_254_740_992.0 => Value::Int(d as i64),
            other => other,
        }
    }

    pub(in crate::formats) fn double(self) -> Value<'a> {
        match self.0 {
            Value::Text(t) => match t.as_str() {
                "Infinity" => Value::Double(f64::INFINITY),
                "-Infinity" => Value::Double(f64::NEG_INFINITY),
                _ => t.parse().map_or(Value::Text(t), Value::Double),
            },
            Value::Int(n) => Value::Double(n as f64),
            other => other,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Scalar<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true or false")
            }
            fn visit_borrowed_str<E: de::Error>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar(Value::Text(Text::borrowed(v))))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Scalar(Value::Text(Text(Cow::Owned(v.to_owned())))))
            }
            fn visit_string<E: de::Error>(self, v: String) -> Result<Self::Value, E> {
                Ok(Scalar(Value::Text(v.into())))
            }
            fn visit_bool<E: de::Error>(self, v: bool) -> Result<Self::Value, E> {
                Ok(Scalar(Value::Bool(v)))
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Self::Value, E> {
                Ok(Scalar(Value::Int(v)))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Self::Value, E> {
                Ok(Scalar(i64::try_from(v).map_or_else(|_| Value::Text(v.to_string().into()), Value::Int)))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Self::Value, E> {
                Ok(Scalar(Value::Double(v)))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Scalar(Value::Null))
            }
        }
        d.deserialize_any(V)
    }
}
