//! `langfuse`: traces as Langfuse exports them, with their observations: `{trace, observations}`, the API's trace with
//! `observations` in it, or observations alone.
//!
//! An observation becomes a span with the attributes that Langfuse's own SDK gives to it, so that one dialect reads both
//! this and what that SDK sends as OTLP.

mod observation;
mod scores;

use self::observation::Trace;
use super::agentcore::Plain;
use super::peek::{Shape, shape};
use super::row::{Row, unfolded};
use super::telemetry::{Sink, Value};
use super::{Decode, Format, Head, Layout, RecordDecoder, json_layout, wire};
use crate::model::{LeftOut, Problem};

/// Exports of Langfuse.
pub struct Langfuse;

/// The key of the list of observations.
const OBSERVATIONS: &str = "observations";
/// What the observations of one trace share: the trace, or its own columns where it is not wrapped.
const HEADERS: &[&str] = &[
    "trace",
    "id",
    "name",
    "sessionId",
    "userId",
    "tags",
    "metadata",
    "input",
    "output",
    "release",
    "version",
    "scores",
];

impl Format for Langfuse {
    fn name(&self) -> &'static str {
        "langfuse"
    }

    fn doc(&self) -> &'static str {
        "Traces of Langfuse with their observations: `{trace, observations}`, the API's trace, or observations one a line \
         or as an array. Sessions are put together from all files by `sessionId`, else by the trace. Prompts and replies \
         are read from `input` and `output`, in whichever form the framework wrote them. Scores of a trace become \
         attributes of its root observation, `langfuse.trace.score.NAME`, those of an observation its own, \
         `langfuse.observation.score.NAME`, each with its comment beside it (`NAME.comment`); which of them is the user's \
         rating the export does not say."
    }

    fn sniff(&self, head: &Head<'_>) -> Option<Layout> {
        let shape = shape(head);
        let value = shape.element();
        let listed = || value.get(OBSERVATIONS).and_then(Shape::first).is_some_and(is_observation);
        // A trace may be longer than the head.
        let trace = |t: &Shape| t.has("id") && (t.has("projectId") || t.has("sessionId") || t.has("timestamp"));
        let wrapped = || value.get("trace").is_some_and(trace) && !value.has("spans");
        let empty = || trace(value) && value.get(OBSERVATIONS) == Some(&Shape::Array(None));
        (listed() || wrapped() || empty() || is_observation(value)).then(|| layout(head, value))
    }

    fn layout(&self, head: &Head<'_>) -> Layout {
        layout(head, shape(head).element())
    }

    fn decoder(&self, headers: &[Option<Vec<u8>>]) -> Result<Decode, Problem> {
        let mut columns = Vec::new();
        for (name, raw) in HEADERS.iter().zip(headers) {
            let Some(raw) = raw else { continue };
            let value: Plain<'_> = wire::parse(raw)?;
            columns.push(((*name).into(), observation::detached(value.0)));
        }
        let trace = Row::of(Value::Map(columns)).map(Trace::of);
        Ok(Decode::records(Reader(trace.unwrap_or_default())))
    }
}

/// Whether a value is an observation.
fn is_observation(value: &Shape) -> bool {
    let placed = value.has("traceId") && value.has("type") && value.has("startTime");
    placed && ["parentObservationId", "level", "usageDetails", "modelParameters"].iter().any(|key| value.has(key))
}

/// How the file lies. One trace over many lines may be of any size, so that its observations are read one by one.
fn layout(head: &Head<'_>, value: &Shape) -> Layout {
    let is_trace = value.has_array(OBSERVATIONS) || value.has("trace");
    match json_layout(head) {
        Layout::Values if !head.whole && is_trace => Layout::Envelope { stream: OBSERVATIONS, headers: HEADERS },
        other => other,
    }
}

/// Decodes a trace, or an observation of the trace that it knows.
struct Reader(Trace<'static>);

impl RecordDecoder for Reader {
    fn records<'a>(&self, element: &'a [u8], sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
        let Plain(value) = wire::parse(element)?;
        let Some(mut row) = Row::of(value) else {
            return Err(Problem::new(LeftOut::Malformed, "neither a trace with observations nor an observation"));
        };
        if row.has("startTime") || row.has("traceId") {
            observation::emit(row, &self.0, sink);
            return Ok(());
        }
        if !row.has(OBSERVATIONS) {
            return Err(Problem::new(LeftOut::Malformed, "neither a trace with observations nor an observation"));
        }
        let observations = row.list(OBSERVATIONS);
        let trace = Trace::of(row);
        if observations.is_empty() {
            let message = format!("a trace ({}) without observations", trace.id.as_deref().unwrap_or("without an id"));
            sink.problem(Problem::new(LeftOut::Malformed, message));
        }
        for value in observations {
            match Row::of(unfolded(value)) {
                Some(row) => observation::emit(row, &trace, sink),
                None => sink.problem(Problem::new(
                    LeftOut::Malformed,
                    "an observation that is no object: the trace was exported without them",
                )),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
