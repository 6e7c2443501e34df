//! OTLP/JSON, borrowed from the element's bytes.
//!
//! Unknown keys are ignored, as the protocol asks. Numbers may be texts and texts may be numbers; 64-bit numbers never
//! go through a float.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, Visitor};

use super::any::{Any, KeyValues};
use crate::formats::telemetry::Side;
use crate::model::{SpanStatus, Text};

/// One request, one line of a file, or one of the parts that a request lists. Metrics are none of ours.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Export<'a> {
    /// `batches` is what Tempo calls it.
    #[serde(borrow, default, alias = "batches")]
    pub(super) resource_spans: Option<Vec<ResourceSpans<'a>>>,
    #[serde(borrow, default)]
    pub(super) resource_logs: Option<Vec<ResourceLogs<'a>>>,
    #[serde(default)]
    resource_metrics: Option<IgnoredAny>,
    /// Some answers of Tempo wrap it.
    #[serde(borrow, default)]
    pub(super) trace: Option<Box<Export<'a>>>,
    /// The parts of one `ResourceSpans`, `ResourceLogs` or `ResourceMetrics`.
    #[serde(borrow, default)]
    pub(super) resource: Option<Resource<'a>>,
    #[serde(borrow, default, alias = "instrumentationLibrarySpans")]
    pub(super) scope_spans: Option<Vec<ScopeSpans<'a>>>,
    #[serde(borrow, default)]
    pub(super) scope_logs: Option<Vec<ScopeLogs<'a>>>,
    #[serde(default)]
    scope_metrics: Option<IgnoredAny>,
}

impl Export<'_> {
    /// Whether it has any key of OTLP.
    pub(super) fn is_any(&self) -> bool {
        let lists = self.resource_spans.is_some() || self.resource_logs.is_some() || self.resource_metrics.is_some();
        let parts = self.scope_spans.is_some() || self.scope_logs.is_some() || self.scope_metrics.is_some();
        lists || parts || self.trace.as_ref().is_some_and(|t| t.is_any()) || self.resource.is_some()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceSpans<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) resource: Resource<'a>,
    #[serde(borrow, default, alias = "instrumentationLibrarySpans", deserialize_with = "or_default")]
    pub(super) scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceLogs<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) resource: Resource<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) scope_logs: Vec<ScopeLogs<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Resource<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) attributes: KeyValues<'a>,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::formats) struct Scope<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(in crate::formats) name: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(in crate::formats) version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ScopeSpans<'a> {
    #[serde(borrow, default, alias = "instrumentationLibrary", deserialize_with = "or_default")]
    pub(super) scope: Scope<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) spans: Vec<Span<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScopeLogs<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) scope: Scope<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) log_records: Vec<Log<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) trace_id: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) span_id: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) parent_span_id: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) name: Text<'a>,
    #[serde(default)]
    pub(super) kind: SideNumber,
    #[serde(default)]
    pub(super) start_time_unix_nano: Unsigned,
    #[serde(default)]
    pub(super) end_time_unix_nano: Unsigned,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) attributes: KeyValues<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) events: Vec<Event<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) links: Vec<Link<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
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
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) name: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) attributes: KeyValues<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Link<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) trace_id: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
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
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) trace_id: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) span_id: Text<'a>,
    #[serde(default)]
    pub(super) time_unix_nano: Unsigned,
    #[serde(default)]
    pub(super) observed_time_unix_nano: Unsigned,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) event_name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) body: Option<Any<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) attributes: KeyValues<'a>,
}

/// A value; `null` is the default, as in proto3 JSON.
pub(in crate::formats) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    d: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(d).map(Option::unwrap_or_default)
}

/// A 64-bit number that is not negative, written as a number or as a text; `None` when it is neither.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats) struct Unsigned(pub(in crate::formats) Option<u64>);

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
pub(in crate::formats) struct SideNumber(pub(in crate::formats) Side);

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
