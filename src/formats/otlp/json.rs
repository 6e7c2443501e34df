//! OTLP/JSON, borrowed from the element's bytes.
//!
//! Unknown keys are ignored, as the protocol asks. Numbers may be texts and texts may be numbers; 64-bit numbers never
//! go through a float.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::formats::telemetry::{Pairs, Side, Value};
use crate::model::{SpanStatus, Text};

/// One request, or one line of a file. Metrics are none of ours: a request of them has neither list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Export<'a> {
    /// `batches` is what Tempo calls it.
    #[serde(borrow, default, alias = "batches", deserialize_with = "list")]
    pub(super) resource_spans: Vec<ResourceSpans<'a>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) resource_logs: Vec<ResourceLogs<'a>>,
    /// Some answers of Tempo wrap it.
    #[serde(borrow, default)]
    pub(super) trace: Option<Box<Export<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceSpans<'a> {
    #[serde(borrow, default)]
    pub(super) resource: Resource<'a>,
    #[serde(borrow, default, alias = "instrumentationLibrarySpans", deserialize_with = "list")]
    pub(super) scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceLogs<'a> {
    #[serde(borrow, default)]
    pub(super) resource: Resource<'a>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) scope_logs: Vec<ScopeLogs<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Resource<'a> {
    #[serde(borrow, default)]
    pub(super) attributes: KeyValues<'a>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Scope<'a> {
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ScopeSpans<'a> {
    #[serde(borrow, default, alias = "instrumentationLibrary")]
    pub(super) scope: Scope<'a>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) spans: Vec<Span<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScopeLogs<'a> {
    #[serde(borrow, default)]
    pub(super) scope: Scope<'a>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) log_records: Vec<Log<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span<'a> {
    #[serde(borrow, default)]
    pub(super) trace_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) span_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) parent_span_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(default)]
    pub(super) kind: SideNumber,
    #[serde(default)]
    pub(super) start_time_unix_nano: Unsigned,
    #[serde(default)]
    pub(super) end_time_unix_nano: Unsigned,
    #[serde(borrow, default)]
    pub(super) attributes: KeyValues<'a>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) events: Vec<Event<'a>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) links: Vec<Link<'a>>,
    #[serde(borrow, default)]
    pub(super) status: Status<'a>,
    #[serde(default)]
    pub(super) dropped_attributes_count: Unsigned,
    #[serde(default)]
    pub(super) dropped_events_count: Unsigned,
    #[serde(default)]
    pub(super) dropped_links_count: Unsigned,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'a> {
    #[serde(default)]
    pub(super) time_unix_nano: Unsigned,
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) attributes: KeyValues<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Link<'a> {
    #[serde(borrow, default)]
    pub(super) trace_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) span_id: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Status<'a> {
    #[serde(default)]
    pub(super) code: Code,
    #[serde(borrow, default)]
    pub(super) message: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Log<'a> {
    #[serde(borrow, default)]
    pub(super) trace_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) span_id: Text<'a>,
    #[serde(default)]
    pub(super) time_unix_nano: Unsigned,
    #[serde(default)]
    pub(super) observed_time_unix_nano: Unsigned,
    #[serde(borrow, default)]
    pub(super) event_name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) body: Option<Any<'a>>,
    #[serde(borrow, default)]
    pub(super) attributes: KeyValues<'a>,
}

/// A list; `null` is an empty one, as in proto3 JSON.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(d).map(Option::unwrap_or_default)
}

/// A 64-bit number that is not negative, written as a number or as a text; `None` when it is neither.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsigned(pub(super) Option<u64>);

impl<'de> Deserialize<'de> for Unsigned {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Unsigned;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a text that holds one")
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Unsigned, E> {
                Ok(Unsigned(Some(v)))
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Unsigned, E> {
                Ok(Unsigned(None))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Unsigned, E> {
                // A writer that rounded the number to a double; what is left of it is still the best there is.
                Ok(Unsigned((v.fract() == 0.0 && (0.0..1.8e19).contains(&v)).then_some(v as u64)))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Unsigned, E> {
                Ok(Unsigned(v.parse().ok()))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Unsigned, E> {
                Ok(Unsigned(None))
            }
        }
        d.deserialize_any(V)
    }
}

/// An enum: a number, or its name with or without the prefix.
struct Enum<'n>(&'n [&'n str]);

impl Visitor<'_> for Enum<'_> {
    type Value = i64;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number or the name of a choice")
    }
    fn visit_u64<E: de::Error>(self, v: u64) -> Result<i64, E> {
        Ok(i64::try_from(v).unwrap_or(0))
    }
    fn visit_i64<E: de::Error>(self, v: i64) -> Result<i64, E> {
        Ok(v)
    }
    fn visit_f64<E: de::Error>(self, v: f64) -> Result<i64, E> {
        Ok(v as i64)
    }
    fn visit_str<E: de::Error>(self, v: &str) -> Result<i64, E> {
        let known = self.0.iter().position(|name| v == *name || v.ends_with(&format!("_{name}")));
        Ok(known.and_then(|n| i64::try_from(n).ok()).or_else(|| v.parse().ok()).unwrap_or(0))
    }
    fn visit_unit<E: de::Error>(self) -> Result<i64, E> {
        Ok(0)
    }
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct SideNumber(pub(super) Side);

impl<'de> Deserialize<'de> for SideNumber {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        const NAMES: &[&str] = &["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
        d.deserialize_any(Enum(NAMES)).map(|n| Self(Side::from_number(n)))
    }
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Code(pub(super) SpanStatus);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let number = d.deserialize_any(Enum(&["UNSET", "OK", "ERROR"]))?;
        Ok(Self(match number {
            1 => SpanStatus::Ok,
            2 => SpanStatus::Error,
            _ => SpanStatus::Unset,
        }))
    }
}

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
    #[serde(borrow, default)]
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
                        "stringValue" => value = map.next_value::<Scalar<'de>>()?.0,
                        "boolValue" => value = map.next_value::<Scalar<'de>>()?.boolean(),
                        "intValue" => value = map.next_value::<Scalar<'de>>()?.int(),
                        "doubleValue" => value = map.next_value::<Scalar<'de>>()?.double(),
                        "bytesValue" => value = map.next_value::<Scalar<'de>>()?.0,
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
    #[serde(borrow, default, deserialize_with = "list")]
    values: Vec<Any<'a>>,
}

#[derive(Deserialize)]
struct Map<'a> {
    #[serde(borrow, default)]
    values: KeyValues<'a>,
}

/// A scalar of any JSON type, before the type that its key names is made of it.
struct Scalar<'a>(Value<'a>);

impl<'a> Scalar<'a> {
    fn boolean(self) -> Value<'a> {
        match self.0 {
            Value::Text(t) if t == "true" => Value::Bool(true),
            Value::Text(t) if t == "false" => Value::Bool(false),
            other => other,
        }
    }

    fn int(self) -> Value<'a> {
        match self.0 {
            Value::Text(t) => t.parse().map_or(Value::Text(t), Value::Int),
            Value::Double(d) if d.fract() == 0.0 && d.abs() <= 9_007_199_254_740_992.0 => Value::Int(d as i64),
            other => other,
        }
    }

    fn double(self) -> Value<'a> {
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
