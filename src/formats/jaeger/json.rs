//! An answer of Jaeger, borrowed from the element's bytes. Unknown keys are ignored. What it lists stays as it is written
//! until it is looked at, so that one ill-typed span costs itself and nothing beside it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::formats::agentcore::Plain;
use crate::formats::otlp::any::Scalar;
use crate::formats::otlp::json::{Unsigned, or_default};
use crate::formats::telemetry::{Pairs, Value};
use crate::model::Text;

/// An answer, or one of the traces that it lists.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Answer<'a> {
    /// Of traces.
    #[serde(borrow, default)]
    pub(super) data: Option<Vec<&'a RawValue>>,
    /// Of [`Span`]s.
    #[serde(borrow, default)]
    pub(super) spans: Option<Vec<&'a RawValue>>,
    /// Of [`Process`]es.
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) processes: BTreeMap<Text<'a>, &'a RawValue>,
}

/// What is read of a span that cannot be read, to say which one it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named<'a> {
    #[serde(borrow, default)]
    pub(super) operation_name: Option<Text<'a>>,
}

/// What made spans.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Process<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) service_name: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) tags: Vec<Tag<'a>>,
}

/// A span. Times are microseconds.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span<'a> {
    #[serde(borrow, default, rename = "traceID", deserialize_with = "or_default")]
    pub(super) trace_id: Text<'a>,
    #[serde(borrow, default, rename = "spanID", deserialize_with = "or_default")]
    pub(super) span_id: Text<'a>,
    /// Older versions write the parent here and not among the references.
    #[serde(borrow, default, rename = "parentSpanID", deserialize_with = "or_default")]
    pub(super) parent_span_id: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) operation_name: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) references: Vec<Reference<'a>>,
    #[serde(default)]
    pub(super) start_time: Unsigned,
    #[serde(default)]
    pub(super) duration: Unsigned,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) tags: Vec<Tag<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) logs: Vec<Log<'a>>,
    #[serde(borrow, default, rename = "processID", deserialize_with = "or_default")]
    pub(super) process_id: Text<'a>,
}

/// Another span that a span refers to.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Reference<'a> {
    #[serde(borrow, default, rename = "refType", deserialize_with = "or_default")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, default, rename = "traceID", deserialize_with = "or_default")]
    pub(super) trace_id: Text<'a>,
    #[serde(borrow, default, rename = "spanID", deserialize_with = "or_default")]
    pub(super) span_id: Text<'a>,
}

/// An event.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Log<'a> {
    #[serde(default)]
    pub(super) timestamp: Unsigned,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) fields: Vec<Tag<'a>>,
}

/// A named value: `bool`, `int64`, `float64`, `binary` (base64) or `string`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Tag<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    key: Text<'a>,
    #[serde(borrow, default, rename = "type", deserialize_with = "or_default")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    value: Plain<'a>,
}

impl<'a> Tag<'a> {
    /// Key and value. A value of another type than is said is made that type where nothing is lost.
    fn pair(self) -> (Text<'a>, Value<'a>) {
        let value = Scalar(self.value.0);
        let value = match self.kind.as_str() {
            "bool" => value.boolean(),
            "int64" => value.int(),
            "float64" => value.double(),
            "binary" => value.bytes(),
            _ => value.0,
        };
        (self.key, value)
    }
}

/// Tags as attributes.
pub(super) fn pairs(tags: Vec<Tag<'_>>) -> Pairs<'_> {
    tags.into_iter().map(Tag::pair).collect()
}
