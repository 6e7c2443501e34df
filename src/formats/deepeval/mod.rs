//! `deepeval`: traces as Confident AI's DeepEval writes them, with a list of spans for each kind.
//!
//! A span becomes one with the attributes that DeepEval's own exporter of OpenTelemetry gives to it, so that one dialect
//! reads both.

use super::agentcore::Plain;
use super::peek::{Shape, shape};
use super::row::{Row, status, unfolded};
use super::telemetry::{Origin, Pairs, Record, Sink, SpanRecord, Value, id};
use super::{Decode, Format, Head, Layout, RecordDecoder, json_layout, wire};
use crate::model::{LeftOut, Problem, SpanStatus, Text};

/// Traces of DeepEval.
pub struct DeepEval;

/// The lists of spans, and the type of those that name none.
const LISTS: &[(&str, &str)] = &[
    ("agentSpans", "agent"),
    ("baseSpans", "base"),
    ("llmSpans", "llm"),
    ("toolSpans", "tool"),
    ("retrieverSpans", "retriever"),
];

impl Format for DeepEval {
    fn name(&self) -> &'static str {
        "deepeval"
    }

    fn doc(&self) -> &'static str {
        "Traces of DeepEval as it sends them to Confident AI: `baseSpans`, `agentSpans`, `llmSpans`, `toolSpans` and \
         `retrieverSpans`. Traces of one `threadId` are the turns of a session, wherever they lie; a trace without one is \
         a session of its own. Metrics and test cases in them are not read."
    }

    fn sniff(&self, head: &Head<'_>) -> Option<Layout> {
        let shape = shape(head);
        let value = shape.element();
        let lists = |value: &Shape| LISTS.iter().filter(|(list, _)| value.has_array(list)).count();
        (value.has("uuid") && lists(value) > 0 || lists(value) > 1).then(|| json_layout(head))
    }

    fn layout(&self, head: &Head<'_>) -> Layout {
        json_layout(head)
    }

    fn decoder(&self, _headers: &[Option<Vec<u8>>]) -> Result<Decode, Problem> {
        Ok(Decode::records(Reader))
    }
}

/// Decodes one trace.
#[derive(Debug, Clone, Copy)]
struct Reader;

impl RecordDecoder for Reader {
    fn records<'a>(&self, element: &'a [u8], sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
        let Plain(value) = wire::parse(element)?;
        let found = Row::of(value).filter(|row| LISTS.iter().any(|(list, _)| row.has(list)));
        let Some(mut row) = found else {
            return Err(Problem::new(LeftOut::Malformed, "no trace of DeepEval: it has none of its lists of spans"));
        };
        let lists: Vec<_> = LISTS.iter().map(|(list, kind)| (*list, *kind, row.list(list))).collect();
        let trace = Trace::of(row);
        if lists.iter().all(|(.., spans)| spans.is_empty()) {
            let message = format!("a trace ({}) without spans", trace.id.as_deref().unwrap_or("without an id"));
            sink.problem(Problem::new(LeftOut::Malformed, message));
        }
        sink.origin(&Origin { scope: SCOPE.into(), ..Origin::default() });
        for (list, kind, spans) in lists {
            for span in spans {
                match Row::of(span) {
                    Some(row) => emit(row, kind, &trace, sink),
                    None => {
                        sink.problem(Problem::new(LeftOut::Malformed, format!("`{list}`: a span that is no object")))
                    }
                }
            }
        }
        Ok(())
    }
}

/// The scope under which DeepEval's exporter traces.
const SCOPE: &str = "deepeval";

/// What a trace says that its spans do not.
struct Trace<'a> {
    id: Option<Text<'a>>,
    end_ns: Option<u64>,
    shared: Pairs<'a>,
    root: Pairs<'a>,
}

impl<'a> Trace<'a> {
    fn of(mut row: Row<'a>) -> Self {
        let id = row.text(&["uuid"]);
        // The spans tell of times that are none; this one only lengthens.
        let end_ns = row.time("endTime", &mut Vec::new());
        let mut shared: Pairs<'a> = Vec::new();
        for (attribute, column) in [
            // The session is named as by everybody else.
            ("session.id", "threadId"),
            ("confident.trace.user_id", "userId"),
            ("confident.trace.name", "name"),
            ("confident.trace.environment", "environment"),
            ("confident.trace.test_case_id", "testCaseId"),
            ("confident.trace.turn_id", "turnId"),
        ] {
            shared.extend(row.text(&[column]).map(|text| (attribute.into(), Value::Text(text))));
        }
        let tags = row.list("tags");
        if !tags.is_empty() {
            shared.push(("confident.trace.tags".into(), Value::Array(tags)));
        }
        shared.extend(metadata(&mut row, "confident.trace.metadata"));
        let mut root: Pairs<'a> = Vec::new();
        for (attribute, column) in [("confident.trace.input", "input"), ("confident.trace.output", "output")] {
            root.extend(row.take(&[column]).map(|value| (attribute.into(), value)));
        }
        Self { id, end_ns, shared, root }
    }
}

/// Columns of a span, and the exporter's attributes for them.
const COLUMNS: &[(&str, &str)] = &[
    ("input", "confident.span.input"),
    ("output", "confident.span.output"),
    ("toolsCalled", "confident.span.tools_called"),
    ("integration", "confident.span.integration"),
    ("model", "confident.llm.model"),
    ("provider", "confident.llm.provider"),
    ("inputTokenCount", "confident.llm.input_token_count"),
    ("outputTokenCount", "confident.llm.output_token_count"),
    ("costPerInputToken", "confident.llm.cost_per_input_token"),
    ("costPerOutputToken", "confident.llm.cost_per_output_token"),
    ("tokenIntervals", "confident.llm.token_intervals"),
    ("retrievalContext", "confident.span.retrieval_context"),
    ("embedder", "confident.retriever.embedder"),
    ("topK", "confident.retriever.top_k"),
    ("description", "confident.tool.description"),
];

fn emit<'a>(mut row: Row<'a>, kind: &'static str, trace: &Trace<'a>, sink: &mut dyn Sink<'a>) {
    let own = row.text(&["uuid"]).and_then(|text| id::normal(&text, id::SPAN));
    let of = row.text(&["traceUuid"]).or_else(|| trace.id.clone()).and_then(|text| id::normal(&text, id::TRACE));
    let name = row.text(&["name"]).unwrap_or_default();
    let (Some(own), Some(of)) = (own, of) else {
        let shown: String = name.chars().take(80).collect();
        let message = format!("a span ({shown:?}) whose uuid, or its trace's, is missing or all zero");
        return sink.problem(Problem::new(LeftOut::Malformed, message));
    };
    let mut flaws = Vec::new();
    let (start_ns, end_ns) = (row.time("startTime", &mut flaws), row.time("endTime", &mut flaws));
    for flaw in flaws {
        sink.problem(Problem::new(LeftOut::Malformed, format!("span `{own}`: {flaw}")));
    }
    let mut end_ns = end_ns;
    let parent = row.text(&["parentUuid"]).and_then(|text| id::normal(&text, id::SPAN));
    let status_message = row.text(&["error"]);
    let told = row.text(&["status"]).map(|word| status(&word)).unwrap_or_default();
    let status = if status_message.is_some() { SpanStatus::Error } else { told };
    let kind = row.text(&["type"]).unwrap_or_else(|| kind.into());
    let mut attributes: Pairs<'a> = vec![("confident.span.type".into(), Value::Text(kind))];
    for (column, attribute) in COLUMNS {
        attributes.extend(row.take(&[column]).map(|value| ((*attribute).into(), value)));
    }
    attributes.extend(metadata(&mut row, "confident.span.metadata"));
    attributes.extend(trace.shared.iter().cloned());
    if parent.is_none() {
        attributes.extend(trace.root.iter().cloned());
    }
    // The span of an agent that runs in the background ends when its handle is there, the trace when all is done.
    if parent.is_none() && end_ns.is_some() {
        end_ns = end_ns.max(trace.end_ns);
    }
    sink.record(&Record::Span(SpanRecord {
        trace: of,
        id: own,
        parent,
        name,
        start_ns,
        end_ns,
        status,
        status_message,
        attributes,
        ..SpanRecord::default()
    }));
}

/// The metadata, an attribute for each of its members.
fn metadata<'a>(row: &mut Row<'a>, prefix: &str) -> Pairs<'a> {
    match row.take(&["metadata"]).map(unfolded) {
        Some(Value::Map(members)) => {
            members.into_iter().map(|(name, value)| (format!("{prefix}.{name}").into(), value)).collect()
        }
        Some(other) => vec![(prefix.to_owned().into(), other)],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
