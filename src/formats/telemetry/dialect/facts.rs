//! What OpenTelemetry's attributes say, gathered in one pass: shared by the dialects that build on them.

use super::message;
use super::raw::Fields;
use super::{At, is_withheld};
use crate::formats::telemetry::Value;
use crate::model::{Payload, SpanStatus, Text, Usage};

/// Values of `gen_ai.*` attributes and a few more. Newer names win over older ones, later values over earlier ones.
#[derive(Debug, Default)]
pub(super) struct Facts<'s, 'a> {
    pub(super) operation: Option<&'s Value<'a>>,
    pub(super) agent: Option<&'s Value<'a>>,
    pub(super) request_model: Option<&'s Value<'a>>,
    pub(super) response_model: Option<&'s Value<'a>>,
    pub(super) tool: Option<&'s Value<'a>>,
    pub(super) call_id: Option<&'s Value<'a>>,
    pub(super) arguments: Option<&'s Value<'a>>,
    pub(super) result: Option<&'s Value<'a>>,
    pub(super) instructions: Option<&'s Value<'a>>,
    pub(super) asked: Option<&'s Value<'a>>,
    pub(super) said: Option<&'s Value<'a>>,
    pub(super) prompt: Option<&'s Value<'a>>,
    pub(super) completion: Option<&'s Value<'a>>,
    pub(super) query: Option<&'s Value<'a>>,
    pub(super) found: Option<&'s Value<'a>>,
    pub(super) first_chunk_s: Option<&'s Value<'a>>,
    pub(super) error: Option<&'s Value<'a>>,
    tokens: Tokens<'s, 'a>,
}

/// Token counts as they were recorded, under newer and older names.
#[derive(Debug, Default)]
struct Tokens<'s, 'a> {
    input: [Option<&'s Value<'a>>; 2],
    output: [Option<&'s Value<'a>>; 2],
    cache_read: [Option<&'s Value<'a>>; 2],
    cache_write: [Option<&'s Value<'a>>; 3],
    reasoning: [Option<&'s Value<'a>>; 2],
}

impl<'s, 'a> Facts<'s, 'a> {
    /// The facts of a span.
    pub(super) fn of(at: &At<'s, 'a>) -> Self {
        let mut facts = Self::default();
        for (name, value) in &at.span.attributes {
            facts.put(name, value);
        }
        facts
    }

    fn put(&mut self, name: &str, value: &'s Value<'a>) {
        if let Some(tokens) = name.strip_prefix("gen_ai.usage.") {
            return self.tokens.put(tokens, value);
        }
        let place = match name {
            "gen_ai.operation.name" => &mut self.operation,
            "gen_ai.agent.name" => &mut self.agent,
            "gen_ai.request.model" => &mut self.request_model,
            "gen_ai.response.model" => &mut self.response_model,
            "gen_ai.tool.name" => &mut self.tool,
            "gen_ai.tool.call.id" => &mut self.call_id,
            "gen_ai.tool.call.arguments" => &mut self.arguments,
            "gen_ai.tool.call.result" => &mut self.result,
            "gen_ai.system_instructions" => &mut self.instructions,
            "gen_ai.input.messages" => &mut self.asked,
            "gen_ai.output.messages" => &mut self.said,
            "gen_ai.prompt" => &mut self.prompt,
            "gen_ai.completion" => &mut self.completion,
            "gen_ai.retrieval.query.text" | "gen_ai.memory.query.text" => &mut self.query,
            "gen_ai.retrieval.documents" | "gen_ai.memory.records" => &mut self.found,
            "gen_ai.response.time_to_first_chunk" => &mut self.first_chunk_s,
            "error.type" => &mut self.error,
            _ => return,
        };
        *place = Some(value);
    }

    /// The model that answered, else the one that was asked.
    pub(super) fn model(&self) -> Option<Text<'a>> {
        text(self.response_model).or_else(|| text(self.request_model))
    }

    /// The tool's name, also from a span's name such as `execute_tool search`.
    pub(super) fn tool_name(&self, span_name: &Text<'a>) -> Option<Text<'a>> {
        let named = || span_name.strip_prefix("execute_tool ").filter(|n| !n.is_empty()).map(|n| n.to_owned().into());
        text(self.tool).or_else(named)
    }

    /// The id of a call, unless it is a placeholder for one.
    pub(super) fn call_id(&self) -> Option<Text<'a>> {
        text(self.call_id).filter(|id| id != "<not specified>")
    }

    /// Tokens; `None` when none are recorded.
    pub(super) fn usage(&self) -> Option<Usage> {
        let tokens = &self.tokens;
        let usage = Usage {
            input: first(&tokens.input),
            output: first(&tokens.output),
            cache_read: first(&tokens.cache_read),
            cache_write: first(&tokens.cache_write),
            reasoning: first(&tokens.reasoning),
        };
        (usage != Usage::default()).then_some(usage)
    }

    /// Time to the first chunk, nanoseconds.
    pub(super) fn ttft_ns(&self) -> Option<u64> {
        nanoseconds(self.first_chunk_s?.number()?, 1e9)
    }

    /// Why the operation failed, where the span's status does not say that it did.
    pub(super) fn failed(&self, at: &At<'_, 'a>) -> Option<Text<'a>> {
        if at.span.status == SpanStatus::Error { None } else { text(self.error) }
    }
}

impl<'s, 'a> Tokens<'s, 'a> {
    fn put(&mut self, name: &str, value: &'s Value<'a>) {
        let place = match name {
            "input_tokens" => &mut self.input[0],
            "prompt_tokens" => &mut self.input[1],
            "output_tokens" => &mut self.output[0],
            "completion_tokens" => &mut self.output[1],
            "cache_read.input_tokens" => &mut self.cache_read[0],
            "cache_read_input_tokens" => &mut self.cache_read[1],
            "cache_write.input_tokens" => &mut self.cache_write[0],
            "cache_creation.input_tokens" => &mut self.cache_write[1],
            "cache_write_input_tokens" | "cache_creation_input_tokens" => &mut self.cache_write[2],
            "reasoning.output_tokens" => &mut self.reasoning[0],
            "reasoning_tokens" | "experimental.reasoning_tokens" => &mut self.reasoning[1],
            _ => return,
        };
        *place = Some(value);
    }
}

fn first(values: &[Option<&Value<'_>>]) -> Option<u64> {
    values.iter().find_map(|v| v.and_then(Value::count))
}

/// Whether an attribute is one that [`Facts`] tells in full. Operation and models are not: what is told of them is less
/// than what they say.
pub(super) fn tells(name: &str) -> bool {
    match name.strip_prefix("gen_ai.") {
        Some(name) => matches!(
            name,
            "tool.name"
                | "tool.call.id"
                | "tool.call.arguments"
                | "tool.call.result"
                | "system_instructions"
                | "input.messages"
                | "output.messages"
                | "prompt"
                | "completion"
                | "agent.name"
                | "retrieval.query.text"
                | "retrieval.documents"
                | "memory.query.text"
                | "memory.records"
                | "response.time_to_first_chunk"
                | "usage.input_tokens"
                | "usage.prompt_tokens"
                | "usage.output_tokens"
                | "usage.completion_tokens"
                | "usage.cache_read.input_tokens"
                | "usage.cache_read_input_tokens"
                | "usage.cache_write.input_tokens"
                | "usage.cache_creation.input_tokens"
                | "usage.cache_write_input_tokens"
                | "usage.cache_creation_input_tokens"
                | "usage.reasoning.output_tokens"
                | "usage.reasoning_tokens"
                | "usage.experimental.reasoning_tokens"
        ),
        None => false,
    }
}

/// A text that is not empty.
pub(super) fn text<'a>(value: Option<&Value<'a>>) -> Option<Text<'a>> {
    value?.text().filter(|t| !t.is_empty())
}

/// An amount of time as nanoseconds, `unit` of them each; `None` for what is no duration.
pub(super) fn nanoseconds(amount: f64, unit: f64) -> Option<u64> {
    let ns = (amount * unit).round();
    (0.0..1e18).contains(&ns).then_some(ns as u64)
}

/// A value that was recorded, and whether it was withheld after all: replaced by a placeholder, or cut off.
pub(super) struct Told<'a> {
    pub(super) payload: Option<Payload<'a>>,
    pub(super) withheld: bool,
}

impl<'a> Told<'a> {
    /// What `payload` says.
    pub(super) fn new(payload: Option<Payload<'a>>) -> Self {
        let withheld =
            payload.as_ref().is_some_and(|p| !p.is_json() && (is_withheld(p.as_str()) || is_cut(p.as_str())));
        Self { payload: payload.filter(|_| !withheld), withheld }
    }

    /// A call's arguments.
    pub(super) fn arguments(value: Option<&Value<'a>>) -> Self {
        Self::new(value.filter(|v| **v != Value::Null).map(|v| super::raw::arguments(v.payload())))
    }

    /// A tool's result, blocks flattened.
    pub(super) fn result(value: Option<&Value<'a>>) -> Self {
        let read = Self::new(value.and_then(message::result));
        let withheld = read.withheld || value.and_then(Value::as_str).is_some_and(is_withheld);
        Self { withheld, ..read }
    }
}

/// Whether a text is JSON whose end is missing.
pub(super) fn is_cut(text: &str) -> bool {
    let ends = |open: &str, close: char| text.starts_with(open) && !text.trim_ascii_end().ends_with(close);
    (ends("{\"", '}') || ends("[{", ']'))
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|e| e.is_eof())
}

/// The error that a tool's result says it is: `is_error`, as in MCP.
pub(super) fn error_in<'a>(result: &Payload<'a>) -> Option<Text<'a>> {
    let text = result.as_str();
    let says = text.starts_with('{') && (text.contains("\"isError\"") || text.contains("\"is_error\""));
    (says && Fields::parse(text)?.truth(&["isError", "is_error"])).then(|| result.clone().into_text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::dialect::tests::{map, span_of};

    #[test]
    fn newer_names_of_token_counts_win_and_none_is_made_up() {
        let usage = |pairs: &[(&'static str, Value<'static>)]| {
            let span = span_of("chat", pairs);
            let origin = Default::default();
            Facts::of(&At { span: &span, origin: &origin, logs: &[] }).usage()
        };
        let all = usage(&[
            ("gen_ai.usage.prompt_tokens", Value::Int(1)),
            ("gen_ai.usage.input_tokens", Value::Text("87".into())),
            ("gen_ai.usage.completion_tokens", Value::Int(9)),
            ("gen_ai.usage.cache_read_input_tokens", Value::Int(64)),
            ("gen_ai.usage.cache_creation.input_tokens", Value::Int(0)),
            ("gen_ai.usage.reasoning.output_tokens", Value::Int(3)),
        ]);
        let expected =
            Usage { input: Some(87), output: Some(9), cache_read: Some(64), cache_write: Some(0), reasoning: Some(3) };
        assert_eq!(all, Some(expected));
        assert_eq!(usage(&[("gen_ai.usage.input_tokens", Value::Int(-1))]), None);
        assert_eq!(usage(&[]), None);
    }

    #[test]
    fn json_that_was_cut_off_is_withheld_and_a_text_like_it_is_not() {
        let told = |text: &'static str| Told::new(Some(Payload::text(text)));
        assert!(told(r#"{"order_id": "A10"#).withheld);
        assert!(told(r#"[{"text": "#).withheld);
        assert!(told("__REDACTED__").withheld);
        for kept in [r#"{"a": 1}"#, "{'city': 'X'}", "[note] see below", "{\"a\": 1}\nDone.", ""] {
            let told = told(kept);
            assert_eq!((told.payload.unwrap().as_str(), told.withheld), (kept, false));
        }
    }

    #[test]
    fn a_result_that_says_it_is_an_error_is_one() {
        let result = |text: &'static str| error_in(&Payload::text(text)).is_some();
        assert!(result(r#"{"content":[],"isError":true}"#));
        assert!(!result(r#"{"content":[],"isError":false}"#));
        assert!(!result("the flag \"isError\": true"));
        assert!(error_in(&map(&[("is_error", Value::Bool(true))]).payload()).is_some());
    }

    #[test]
    fn durations_that_are_none_are_not_told() {
        assert_eq!(nanoseconds(0.25, 1e9), Some(250_000_000));
        assert_eq!(nanoseconds(-1.0, 1e9), None);
        assert_eq!(nanoseconds(f64::NAN, 1e9), None);
        assert_eq!(nanoseconds(1e300, 1e9), None);
    }
}
