//! `confident`: what DeepEval's exporter writes for Confident AI, and what its own traces hold: type, input, output, model
//! and tokens as `confident.*`.

use serde_json::value::RawValue;

use super::platform::{self, Columns};
use super::raw::{self, Fields};
use super::tokens::Tokens;
use super::{At, Dialect, Message, Reading, by_attributes, message};
use crate::formats::telemetry::{Value, find};
use crate::formats::wire::iso_ns;
use crate::model::{NanoUsd, Payload, SpanKind, Text};

/// Confident AI.
#[derive(Debug)]
pub(super) struct Confident;

impl Dialect for Confident {
    fn name(&self) -> &'static str {
        "confident"
    }

    fn doc(&self) -> &'static str {
        "DeepEval's spans, from its exporter or its traces: `confident.span.type`, `.input`, `.output`, `confident.llm.*`; \
         what another SDK wrote beneath is read in its own dialect"
    }

    fn speaks(&self, at: &At<'_, '_>) -> bool {
        let own = |name: &str| name.starts_with("confident.span.") || name.starts_with("confident.llm.");
        at.span.attributes.iter().any(|(name, _)| own(name))
    }

    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a> {
        let mut reading = columns(at).read(at);
        reading.user = reading.user.or_else(|| find(&at.span.attributes, "confident.trace.user_id")?.text());
        if reading.kind == SpanKind::Tool {
            reading.output = reading.output.take().map(said);
        }
        reading
    }

    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        columns(at).asked(at)
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        columns(at).said(at)
    }

    fn tells(&self, attribute: &str) -> bool {
        matches!(
            attribute,
            "confident.span.input"
                | "confident.span.output"
                | "confident.span.tools_called"
                | "confident.trace.input"
                | "confident.trace.output"
                | "confident.llm.input_token_count"
                | "confident.llm.output_token_count"
                | "confident.llm.token_intervals"
        ) || platform::tells(attribute)
    }
}

fn columns<'s, 'a>(at: &At<'s, 'a>) -> Columns<'s, 'a> {
    let mut columns = Columns { kind: by_attributes(&at.span.attributes), ..Columns::default() };
    let (mut tokens, mut tools, mut intervals, mut first) = (Tokens::default(), None, None, None);
    let (mut per_input, mut per_output) = (None, None);
    for (name, value) in &at.span.attributes {
        let Some(own) = name.strip_prefix("confident.") else { continue };
        let there = (*value != Value::Null).then_some(value);
        match own {
            "span.input" => columns.input = there,
            "span.output" => columns.output = there,
            "trace.input" => columns.asked = there,
            "trace.output" => columns.said = there,
            "span.tools_called" => tools = there,
            "agent.name" => columns.agent = value.text(),
            "llm.model" => columns.model = value.text(),
            "llm.input_token_count" => tokens.input = value.count(),
            "llm.output_token_count" => tokens.output = value.count(),
            "llm.cost_per_input_token" => per_input = value.number(),
            "llm.cost_per_output_token" => per_output = value.number(),
            "llm.token_intervals" => intervals = there,
            // Mastra's name for the time of the first token.
            "span.metadata.completionStartTime" => first = value.as_str().and_then(iso_ns),
            _ => {}
        }
    }
    if columns.kind == SpanKind::Agent && columns.agent.is_none() {
        // Mastra's spans are named `agent run: 'NAME'`.
        let name = &at.span.name;
        let quoted = name.strip_prefix("agent run: '").and_then(|n| n.strip_suffix('\''));
        columns.agent = Some(quoted.map_or_else(|| name.clone(), |n| n.to_owned().into()));
    }
    columns.usage = tokens.usage();
    columns.cost = cost(tokens, per_input, per_output);
    let first = intervals.and_then(earliest).or(first);
    columns.ttft_ns = first.zip(at.span.start_ns).and_then(|(first, start)| first.checked_sub(start));
    if columns.kind == SpanKind::Tool {
        let called = || tools.and_then(|tools| called(tools, &at.span.name));
        columns.arguments = called().or_else(|| arguments(columns.input?));
    }
    columns
}

/// The cost, where the prices of both kinds of tokens are recorded.
fn cost(tokens: Tokens, per_input: Option<f64>, per_output: Option<f64>) -> Option<NanoUsd> {
    let (input, output) = (tokens.input? as f64 * per_input?, tokens.output? as f64 * per_output?);
    NanoUsd::from_usd(input + output).filter(|cost| cost.0 >= 0)
}

/// When the first token came: tokens are listed by the time at which they did.
fn earliest(intervals: &Value<'_>) -> Option<u64> {
    let Value::Map(tokens) = intervals else { return None };
    tokens.iter().filter_map(|(time, _)| iso_ns(time)).min()
}

/// The arguments of the only call that is told of a tool's span.
fn called<'a>(tools: &Value<'a>, name: &Text<'_>) -> Option<Payload<'a>> {
    let Value::Array(calls) = tools else { return None };
    let [Value::Map(call)] = &calls[..] else { return None };
    let of_it = find(call, "name").and_then(Value::as_str) == Some(name);
    find(call, "inputParameters").filter(|p| of_it && matches!(p, Value::Map(_))).map(Value::payload)
}

/// LlamaIndex logs how its function was called: `{kwargs: {...}}` and `{ev: {tool_name, tool_kwargs}}`.
fn arguments<'a>(input: &Value<'a>) -> Option<Payload<'a>> {
    let Value::Map(input) = input else { return None };
    if let [(name, arguments @ Value::Map(_))] = &input[..]
        && name == "kwargs"
    {
        return Some(arguments.payload());
    }
    let Some(Value::Map(event)) = find(input, "ev") else { return None };
    find(event, "tool_kwargs").map(Value::payload)
}

/// What a tool of LlamaIndex said, from the object that tells of the call.
fn said(output: Payload<'_>) -> Payload<'_> {
    fn read(text: &str) -> Option<Payload<'_>> {
        let outer = Fields::parse(text)?;
        let inner = outer.get(&["tool_output"]).and_then(Fields::of);
        let fields = inner.as_ref().unwrap_or(&outer);
        fields.present(&["raw_input"])?;
        let blocks: Vec<&RawValue> = fields.get(&["blocks"]).and_then(raw::list)?;
        let text = |raw: &&'_ RawValue| Fields::of(raw)?.string(&["text"]).map(Text::into_owned);
        let texts: Option<Vec<Text<'_>>> = blocks.iter().map(text).collect();
        message::join(texts?.into_iter()).map(Payload::text)
    }
    let found = read(output.as_str()).map(message::owned_payload);
    found.unwrap_or(output)
}
