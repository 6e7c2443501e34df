//! An observation as a span, under the names that Langfuse's SDK has for its columns.

use super::scores::Score;
use crate::formats::row::{Row, status, unfolded};
use crate::formats::telemetry::{Origin, Pairs, Record, Sink, SpanRecord, Value, find, id};
use crate::model::{LeftOut, Problem, Text};

/// What a trace says that its observations do not.
#[derive(Debug, Default)]
pub(super) struct Trace<'a> {
    /// Its id.
    pub(super) id: Option<Text<'a>>,
    /// For every observation.
    shared: Pairs<'a>,
    /// For those without a parent.
    root: Pairs<'a>,
    /// For the observation of that id.
    scores: Vec<(Text<'a>, Pairs<'a>)>,
}

impl<'a> Trace<'a> {
    /// The facts of a trace, or of an export that wraps one.
    pub(super) fn of(mut row: Row<'a>) -> Self {
        if let Some(inner) = row.take(&["trace"]).map(unfolded).and_then(Row::of) {
            row = inner;
        }
        let mut trace = Self { id: row.text(&["id"]), ..Self::default() };
        let columns = [
            ("langfuse.session.id", row.text(&["sessionId"])),
            ("langfuse.user.id", row.text(&["userId"])),
            ("langfuse.trace.name", row.text(&["name"])),
            ("langfuse.release", row.text(&["release"])),
            ("langfuse.version", row.text(&["version"])),
        ];
        for (name, value) in columns {
            trace.shared.extend(value.map(|v| (name.into(), Value::Text(v))));
        }
        let tags = row.list("tags");
        if !tags.is_empty() {
            trace.shared.push(("langfuse.trace.tags".into(), Value::Array(tags)));
        }
        if let Some(Value::Map(metadata)) = row.take(&["metadata"]).map(unfolded) {
            let own = metadata.into_iter().filter(|(name, _)| !CARRIED.contains(&name.as_str()));
            trace.shared.extend(own.map(|(name, value)| (format!("langfuse.trace.metadata.{name}").into(), value)));
        }
        for (name, column) in [("langfuse.trace.input", "input"), ("langfuse.trace.output", "output")] {
            trace.root.extend(row.take(&[column]).map(|value| (name.into(), value)));
        }
        for mut score in row.take(&["scores"]).map(Score::all).unwrap_or_default() {
            match score.of.take() {
                None => score.put("langfuse.trace.score", &mut trace.root),
                Some(of) => {
                    let mut own = Pairs::new();
                    score.put(SCORE, &mut own);
                    trace.scores.push((of, own));
                }
            }
        }
        trace
    }
}

/// What the attributes of an observation's scores begin with.
const SCORE: &str = "langfuse.observation.score";

/// Parts of the metadata in which Langfuse keeps what a span of OpenTelemetry carried.
const CARRIED: [&str; 3] = ["attributes", "resourceAttributes", "scope"];

/// Columns of an observation, and the SDK's attributes for them.
const COLUMNS: &[(&str, &str)] = &[
    ("type", "langfuse.observation.type"),
    ("input", "langfuse.observation.input"),
    ("output", "langfuse.observation.output"),
    ("model", "langfuse.observation.model.name"),
    ("modelParameters", "langfuse.observation.model.parameters"),
    ("usageDetails", "langfuse.observation.usage_details"),
    ("costDetails", "langfuse.observation.cost_details"),
    ("level", "langfuse.observation.level"),
    ("completionStartTime", "langfuse.observation.completion_start_time"),
    ("promptName", "langfuse.observation.prompt.name"),
    ("promptVersion", "langfuse.observation.prompt.version"),
    ("version", "langfuse.version"),
];

/// Hands an observation over.
pub(super) fn emit<'a, 't: 'a>(mut row: Row<'a>, trace: &Trace<'t>, sink: &mut dyn Sink<'a>) {
    let written = row.text(&["id"]);
    let own = written.as_ref().and_then(|text| id::normal(text, id::SPAN));
    let of = row.text(&["traceId"]).or_else(|| trace.id.clone()).and_then(|text| id::normal(&text, id::TRACE));
    let name = row.text(&["name"]).unwrap_or_default();
    let (Some(own), Some(of)) = (own, of) else {
        let shown: String = name.chars().take(80).collect();
        let message = format!("an observation ({shown:?}) whose id or trace id is missing or all zero");
        return sink.problem(Problem::new(LeftOut::Malformed, message));
    };
    let mut flaws = Vec::new();
    let (start_ns, mut end_ns) = (row.time("startTime", &mut flaws), row.time("endTime", &mut flaws));
    for flaw in flaws {
        sink.problem(Problem::new(LeftOut::Malformed, format!("observation `{own}`: {flaw}")));
    }
    let parent = row.text(&["parentObservationId"]).and_then(|text| id::normal(&text, id::SPAN));
    let status_message = row.text(&["statusMessage"]);

    let mut attributes: Pairs<'a> = Vec::new();
    for (column, attribute) in COLUMNS {
        attributes.extend(row.take(&[column]).map(|value| ((*attribute).into(), value)));
    }
    // An event happens at one time.
    if find(&attributes, "langfuse.observation.type").and_then(Value::as_str) == Some("EVENT") {
        end_ns = end_ns.or(start_ns);
    }
    let level = find(&attributes, "langfuse.observation.level").and_then(Value::as_str);
    let level = level.map(status).unwrap_or_default();
    // Older versions had columns of their own for what is in `usageDetails` and `costDetails` now.
    for (attribute, whole, parts) in [
        ("langfuse.observation.usage_details", &["usage"][..], USAGE),
        ("langfuse.observation.cost_details", &[], COST),
    ] {
        let is_empty = |v: &Value<'_>| matches!(v, Value::Map(pairs) if pairs.is_empty());
        if find(&attributes, attribute).is_none_or(is_empty) {
            attributes.extend(older(&mut row, attribute, whole, parts));
        }
    }
    if let Some(seconds) = row.take(&["timeToFirstToken"]) {
        attributes.push(("gen_ai.response.time_to_first_chunk".into(), seconds));
    }
    let mut origin = Origin::default();
    match row.take(&["metadata"]).map(unfolded) {
        Some(Value::Map(metadata)) => {
            for (name, value) in metadata {
                match (name.as_str(), unfolded(value)) {
                    ("attributes", Value::Map(carried)) => attributes.extend(carried),
                    ("resourceAttributes", Value::Map(resource)) => origin.resource = resource,
                    ("scope", Value::Map(scope)) => {
                        origin.scope = find(&scope, "name").and_then(Value::text).unwrap_or_default();
                        origin.version = find(&scope, "version").and_then(Value::text).unwrap_or_default();
                    }
                    (other, value) => {
                        attributes.push((format!("langfuse.observation.metadata.{other}").into(), value));
                    }
                }
            }
        }
        Some(other) => attributes.push(("langfuse.observation.metadata".into(), other)),
        None => {}
    }
    for score in row.take(&["scores"]).map(Score::all).unwrap_or_default() {
        score.put(SCORE, &mut attributes);
    }
    let scored = trace.scores.iter().filter(|(of, _)| Some(of) == written.as_ref());
    attributes.extend(scored.flat_map(|(_, scores)| scores).cloned());
    attributes.extend(trace.shared.iter().cloned());
    if parent.is_none() {
        attributes.extend(trace.root.iter().cloned());
    }
    sink.origin(&origin);
    sink.record(&Record::Span(SpanRecord {
        trace: of,
        id: own,
        parent,
        name,
        start_ns,
        end_ns,
        status: level,
        status_message,
        attributes,
        ..SpanRecord::default()
    }));
}

/// Older columns of tokens, with their names in `usageDetails`.
const USAGE: &[(&str, &str)] = &[
    ("promptTokens", "input"),
    ("completionTokens", "output"),
    ("totalTokens", "total"),
    ("inputUsage", "input"),
    ("outputUsage", "output"),
    ("totalUsage", "total"),
];
/// Older columns of costs, with their names in `costDetails`.
const COST: &[(&str, &str)] = &[("totalCost", "total"), ("calculatedTotalCost", "total")];

/// An object made of older columns; a zero in them stands for what was not counted.
fn older<'a>(
    row: &mut Row<'a>,
    name: &'static str,
    whole: &[&str],
    parts: &[(&str, &'static str)],
) -> Option<(Text<'a>, Value<'a>)> {
    if let Some(value @ Value::Map(_)) = row.take(whole).map(unfolded) {
        return Some((name.into(), value));
    }
    let counted = |value: &Value<'_>| value.number().is_some_and(|n| n > 0.0);
    let found = parts.iter().filter_map(|(column, part)| Some(((*part).into(), row.take(&[column])?)));
    let found: Pairs<'a> = found.filter(|(_, value)| counted(value)).collect();
    (!found.is_empty()).then(|| (name.into(), Value::Map(found)))
}

/// The same value, detached from the buffer it was decoded from.
pub(super) fn detached(value: Value<'_>) -> Value<'static> {
    let pair = |(name, value): (Text<'_>, Value<'_>)| (name.into_owned(), detached(value));
    match value {
        Value::Null => Value::Null,
        Value::Bool(b) => Value::Bool(b),
        Value::Int(n) => Value::Int(n),
        Value::Double(d) => Value::Double(d),
        Value::Text(text) => Value::Text(text.into_owned()),
        Value::Bytes(bytes) => Value::Bytes(bytes.into_owned().into()),
        Value::Array(values) => Value::Array(values.into_iter().map(detached).collect()),
        Value::Map(pairs) => Value::Map(pairs.into_iter().map(pair).collect()),
    }
}
