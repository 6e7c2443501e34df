//! One document of the carrier, borrowed from the element's bytes: a span or a log record with plain attributes, or
//! one of the envelopes in which tools write them.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::formats::otlp::json::{Scope, SideNumber, Unsigned, or_default};
use crate::formats::telemetry::{Pairs, Value, find};
use crate::model::{SpanStatus, Text};

/// One document or a list of them.
#[derive(Debug)]
pub(super) enum Documents<'a> {
    One(Box<Document<'a>>),
    Many(Vec<Documents<'a>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Documents<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Documents<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a document or a list of documents")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(Documents::Many(all))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let document = Document::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Documents::One(Box::new(document)))
            }
        }
        d.deserialize_any(V)
    }
}

/// A document. The second name of a field is that of the Python objects that some tools dump.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    #[serde(borrow, default)]
    pub(super) resource: Option<Resource<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) scope: Scope<'a>,
    #[serde(borrow, default, alias = "trace_id", deserialize_with = "or_default")]
    pub(super) trace_id: Text<'a>,
    #[serde(borrow, default, alias = "span_id", deserialize_with = "or_default")]
    pub(super) span_id: Text<'a>,
    #[serde(borrow, default, alias = "parent_span_id", deserialize_with = "or_default")]
    pub(super) parent_span_id: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) name: Text<'a>,
    #[serde(default)]
    pub(super) kind: Option<SideNumber>,
    #[serde(default, alias = "start_time")]
    pub(super) start_time_unix_nano: Option<Unsigned>,
    #[serde(default, alias = "end_time")]
    pub(super) end_time_unix_nano: Option<Unsigned>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) attributes: Plain<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) status: Ended<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) links: Vec<Link<'a>>,
    /// Of a span; of an answer of CloudWatch Logs, documents in messages.
    #[serde(borrow, default, alias = "span_events", alias = "logEvents", deserialize_with = "or_default")]
    pub(super) events: Vec<Event<'a>>,
    #[serde(default)]
    pub(super) dropped_attributes_count: Unsigned,
    #[serde(default)]
    pub(super) dropped_events_count: Unsigned,

    // Of a log record.
    #[serde(default)]
    pub(super) time_unix_nano: Option<Unsigned>,
    #[serde(default)]
    pub(super) observed_time_unix_nano: Option<Unsigned>,
    #[serde(borrow, default)]
    pub(super) event_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) body: Option<Plain<'a>>,

    // Of an envelope.
    #[serde(borrow, default, alias = "@message")]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow, default, rename = "raw_otel_json")]
    pub(super) raw: Option<Documents<'a>>,
    /// A cell of an answer of CloudWatch Logs Insights.
    #[serde(borrow, default)]
    pub(super) field: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) value: Option<Message<'a>>,
    #[serde(borrow, default)]
    pub(super) results: Option<Documents<'a>>,
    #[serde(borrow, default)]
    pub(super) evaluation_input: Option<Documents<'a>>,
    #[serde(borrow, default)]
    pub(super) session_spans: Option<Documents<'a>>,
    #[serde(borrow, default)]
    pub(super) spans: Option<Documents<'a>>,
    #[serde(borrow, default, rename = "session_id")]
    pub(super) session: Option<Text<'a>>,
}

/// How a span ended: an object, or the name of the code alone. Answers of queries have a status too, which says nothing
/// of a span.
#[derive(Debug, Default)]
pub(super) struct Ended<'a> {
    pub(super) status: SpanStatus,
    pub(super) message: Option<Text<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Ended<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let status = |code: &Value<'_>| match code {
            Value::Text(name) if name.ends_with("ERROR") => SpanStatus::Error,
            Value::Text(name) if name.ends_with("OK") => SpanStatus::Ok,
            Value::Int(2) => SpanStatus::Error,
            Value::Int(1) => SpanStatus::Ok,
            _ => SpanStatus::Unset,
        };
        Ok(match Plain::deserialize(d)?.0 {
            Value::Map(pairs) => Ended {
                status: find(&pairs, "code").map(status).unwrap_or_default(),
                message: find(&pairs, "message").and_then(Value::text).filter(|m| !m.is_empty()),
            },
            code => Ended { status: status(&code), message: None },
        })
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Resource<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) attributes: Plain<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Link<'a> {
    #[serde(borrow, default, alias = "trace_id", deserialize_with = "or_default")]
    pub(super) trace_id: Text<'a>,
    #[serde(borrow, default, alias = "span_id", deserialize_with = "or_default")]
    pub(super) span_id: Text<'a>,
}

/// An event of a span, or of CloudWatch Logs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'a> {
    #[serde(borrow, default, alias = "event_name", deserialize_with = "or_default")]
    pub(super) name: Text<'a>,
    #[serde(default, alias = "time")]
    pub(super) time_unix_nano: Unsigned,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) attributes: Plain<'a>,
    /// What a log record of the span said.
    #[serde(borrow, default)]
    pub(super) body: Option<Plain<'a>>,
    #[serde(borrow, default)]
    pub(super) message: Option<Message<'a>>,
}

/// What a line of a log holds: the text of a document, also where it is written as JSON itself.
#[derive(Debug)]
pub(super) enum Message<'a> {
    Text(Text<'a>),
    /// Anything else.
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Message<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(match Plain::deserialize(d)?.0 {
            Value::Text(text) => Message::Text(text),
            value @ (Value::Map(_) | Value::Array(_)) => Message::Text(value.json().into()),
            _ => Message::Other,
        })
    }
}

/// Any JSON, as a value.
#[derive(Debug, Default)]
pub(in crate::formats) struct Plain<'a>(pub(in crate::formats) Value<'a>);

impl<'a> Plain<'a> {
    /// The attributes, when it is an object.
    pub(super) fn pairs(self) -> Pairs<'a> {
        match self.0 {
            Value::Map(pairs) => pairs,
            _ => Vec::new(),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Plain<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Plain<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON")
            }
            fn visit_borrowed_str<E: de::Error>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Plain(Value::Text(Text::borrowed(v))))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Plain(Value::Text(v.to_owned().into())))
            }
            fn visit_string<E: de::Error>(self, v: String) -> Result<Self::Value, E> {
                Ok(Plain(Value::Text(v.into())))
            }
            fn visit_bool<E: de::Error>(self, v: bool) -> Result<Self::Value, E> {
                Ok(Plain(Value::Bool(v)))
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Self::Value, E> {
                Ok(Plain(Value::Int(v)))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Self::Value, E> {
                Ok(Plain(i64::try_from(v).map_or_else(|_| Value::Text(v.to_string().into()), Value::Int)))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Self::Value, E> {
                Ok(Plain(Value::Double(v)))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Plain(Value::Null))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(Plain(value)) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Plain(Value::Array(values)))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, Plain(value))) = map.next_entry::<Text<'de>, Plain<'de>>()? {
                    pairs.push((name, value));
                }
                Ok(Plain(Value::Map(pairs)))
            }
        }
        d.deserialize_any(V)
    }
}
