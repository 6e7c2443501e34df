//! `langfuse`: what Langfuse's SDK writes of an observation, and what Langfuse exports of any SDK's: type, input, output,
//! model, usage and cost as `langfuse.observation.*`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::platform::{self, Columns};
use super::tokens::Tokens;
use super::{At, Dialect, Message, Reading, by_attributes, facts};
use crate::formats::telemetry::Value;
use crate::formats::wire::iso_ns;
use crate::model::{NanoUsd, Usage};

/// Langfuse.
#[derive(Debug)]
pub(super) struct Langfuse;

const OBSERVATION: &str = "langfuse.observation.";

impl Dialect for Langfuse {
    fn name(&self) -> &'static str {
        "langfuse"
    }

    fn doc(&self) -> &'static str {
        "Langfuse's observations, from its SDK or its exports: `langfuse.observation.type`, `.input`, `.output`, \
         `.usage_details`; what another SDK wrote beneath is read in its own dialect"
    }

    fn speaks(&self, at: &At<'_, '_>) -> bool {
        // The type alone, or what somebody noted, is put on spans of any SDK, and tells nothing of what went in or out.
        let column =
            |name: &str| name.strip_prefix(OBSERVATION).is_some_and(|c| c != "type" && !c.starts_with("metadata"));
        at.span.attributes.iter().any(|(name, _)| column(name))
    }

    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a> {
        columns(at).read(at)
    }

    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        columns(at).asked(at)
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        columns(at).said(at)
    }

    fn tells(&self, attribute: &str) -> bool {
        let own = attribute.strip_prefix(OBSERVATION);
        own.is_some_and(|own| matches!(own, "input" | "output" | "usage_details" | "cost_details"))
            || matches!(attribute, "langfuse.trace.input" | "langfuse.trace.output")
            || platform::tells(attribute)
    }
}

fn columns<'s, 'a>(at: &At<'s, 'a>) -> Columns<'s, 'a> {
    let mut columns = Columns { kind: by_attributes(&at.span.attributes), ..Columns::default() };
    let (mut is_error, mut message, mut by_name) = (false, None, false);
    let mut first_token = None;
    for (name, value) in &at.span.attributes {
        let Some(own) = name.strip_prefix(OBSERVATION) else {
            match name.as_str() {
                "langfuse.trace.input" => columns.asked = present(value),
                "langfuse.trace.output" => columns.said = present(value),
                "gen_ai.response.time_to_first_chunk" => {
                    columns.ttft_ns = value.number().and_then(|s| facts::nanoseconds(s, 1e9));
                }
                _ => {}
            }
            continue;
        };
        match own {
            "type" => by_name = value.as_str().is_some_and(|t| t.eq_ignore_ascii_case("agent")),
            "input" => columns.input = present(value),
            "output" => columns.output = present(value),
            "model.name" => columns.model = value.text(),
            "usage_details" => columns.usage = usage(value),
            "cost_details" => columns.cost = cost(value),
            "completion_start_time" => first_token = time(value),
            "level" => is_error = value.as_str() == Some("ERROR"),
            "status_message" => message = value.text(),
            _ => {}
        }
    }
    if by_name {
        columns.agent = Some(at.span.name.clone());
    }
    if is_error {
        columns.failed = Some(message.or_else(|| at.span.status_message.clone()).unwrap_or_default());
    }
    // Both have the same clock; the other place has had two units.
    let ttft = first_token.zip(at.span.start_ns).and_then(|(first, start)| first.checked_sub(start));
    columns.ttft_ns = ttft.or(columns.ttft_ns);
    columns
}

fn present<'s, 'a>(value: &'s Value<'a>) -> Option<&'s Value<'a>> {
    (*value != Value::Null).then_some(value)
}

/// The numbers of an object, which may be written as texts.
fn numbers(value: &Value<'_>) -> Option<BTreeMap<String, f64>> {
    let text = match value {
        Value::Text(text) => text.clone(),
        Value::Map(_) => value.json().into(),
        _ => return None,
    };
    let parsed: BTreeMap<String, Json> = serde_json::from_str(&text).ok()?;
    let number = |value: &Json| value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|n| *n >= 0.0);
    Some(parsed.iter().filter_map(|(name, value)| Some((name.clone(), number(value)?))).collect())
}

/// Tokens by kind. Langfuse wants the kinds to exclude each other; where the total says that they do not, it counts.
fn usage(value: &Value<'_>) -> Option<Usage> {
    let numbers = numbers(value)?;
    let count = |names: &[&str]| {
        let found = names.iter().find_map(|name| numbers.get(*name).copied());
        // Up to 2^53 a double is exact.
        found.filter(|n| n.fract() == 0.0 && *n <= 9_007_199_254_740_992.0).map(|n| n as u64)
    };
    let mut tokens = Tokens {
        input: count(&["input", "input_tokens", "prompt_tokens", "promptTokens"]),
        output: count(&["output", "output_tokens", "completion_tokens", "completionTokens"]),
        cache_read: count(&[
            "input_cache_read",
            "input_cached_tokens",
            "cache_read_input_tokens",
            "input_cached",
            "prompt_details.cache_read",
            "prompt_tokens_details.cached_tokens",
        ]),
        cache_write: count(&["input_cache_creation", "cache_creation_input_tokens", "prompt_details.cache_write"]),
        reasoning: count(&[
            "output_reasoning",
            "output_reasoning_tokens",
            "completion_details.reasoning",
            "completion_tokens_details.reasoning_tokens",
        ]),
        input_excludes_cache: false,
    };
    let sum = |parts: &[Option<u64>]| parts.iter().flatten().try_fold(0u64, |sum, n| sum.checked_add(*n));
    let total = count(&["total", "total_tokens", "totalTokens"]);
    if total.is_some() && total != sum(&[tokens.input, tokens.output]) {
        let apart = [tokens.input, tokens.output, tokens.cache_read, tokens.cache_write];
        let apart_too = [&apart[..], &[tokens.reasoning]].concat();
        tokens.input_excludes_cache = total == sum(&apart) || total == sum(&apart_too);
        if total == sum(&apart_too) && total != sum(&apart) {
            tokens.output = sum(&[tokens.output, tokens.reasoning]);
        }
    }
    tokens.usage()
}

/// The whole cost in US dollars.
fn cost(value: &Value<'_>) -> Option<NanoUsd> {
    let numbers = numbers(value)?;
    let parts = || {
        let parts: Vec<f64> = numbers.values().copied().collect();
        (!parts.is_empty()).then(|| parts.iter().sum())
    };
    numbers.get("total").copied().or_else(parts).and_then(NanoUsd::from_usd)
}

/// A time in ISO 8601, which the SDK encodes as JSON once more, or in nanoseconds.
fn time(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Text(text) => iso_ns(text.trim_matches('"')).or_else(|| text.parse().ok()),
        other => other.count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::dialect::tests::{read_all, span_of, text};

    #[test]
    fn a_generation_of_the_sdk() {
        let mut span = span_of(
            "answer",
            &[
                ("langfuse.observation.type", text("generation")),
                ("langfuse.observation.input", text(r#"[{"role":"user","content":"Hi"}]"#)),
                ("langfuse.observation.output", text(r#"{"role":"assistant","content":"Hello."}"#)),
                ("langfuse.observation.model.name", text("gpt-4o")),
                ("langfuse.observation.usage_details", text(r#"{"input": 12, "output": "3", "total": 15}"#)),
                ("langfuse.observation.cost_details", text(r#"{"input": 0.001, "total": 0.002}"#)),
                ("langfuse.observation.completion_start_time", text(r#""2026-08-26T10:00:00.488Z""#)),
            ],
        );
        span.start_ns = iso_ns("2026-08-26T10:00:00Z");
        insta::assert_snapshot!(read_all(&Langfuse, &span, &[]), @r#"
        Llm model=gpt-4o usage=12/3 cost=2000000 ttft=488000000
        input: [{"role":"user","content":"Hi"}]
        output: "Hello."
        asked: User "Hi"
        said: Assistant "Hello."
        "#);
    }

    #[test]
    fn tokens_that_exclude_each_other_are_put_together() {
        let read = |json: &'static str| usage(&text(json)).unwrap();
        let apart = read(r#"{"input":4,"input_cache_read":100,"output":7,"output_reasoning":20,"total":131}"#);
        assert_eq!((apart.input, apart.output, apart.reasoning), (Some(104), Some(27), Some(20)));
        let within = read(r#"{"input":190,"prompt_details.cache_read":64,"output":164,"total":354}"#);
        assert_eq!((within.input, within.cache_read), (Some(190), Some(64)));
        assert_eq!(read(r#"{"input":1195,"total":1195}"#).output, None, "not counted is not none");
        for none in ["{}", "[]", "x", r#"{"input":-1}"#, r#"{"input":1.5}"#] {
            assert_eq!(usage(&text(none)), None, "{none}");
        }
    }

    #[test]
    fn a_run_without_a_type_for_it_is_an_agent_and_a_tools_message_a_tool() {
        let root = span_of(
            "LangGraph",
            &[
                ("langfuse.observation.type", text("SPAN")),
                ("langfuse.observation.input", text(r#"{"messages":[{"content":"Hi","type":"human"}]}"#)),
                (
                    "langfuse.observation.output",
                    text(r#"{"messages":[{"content":"Hi","type":"human"},{"content":"Hello.","type":"ai"}]}"#),
                ),
            ],
        );
        insta::assert_snapshot!(read_all(&Langfuse, &root, &[]), @r#"
        Agent
        input: {"messages":[{"content":"Hi","type":"human"}]}
        output: "Hello."
        asked: User "Hi"
        said: Assistant "Hello."
        "#);
        let mut tool = span_of(
            "Web-Search",
            &[
                ("langfuse.observation.type", text("SPAN")),
                ("langfuse.observation.input", text("{'query': 'example'}")),
                (
                    "langfuse.observation.output",
                    text(r#"{"content": "no", "type": "tool", "tool_call_id": "c", "status": "error"}"#),
                ),
            ],
        );
        tool.parent = Some("p".into());
        insta::assert_snapshot!(read_all(&Langfuse, &tool, &[]), @r#"
        Tool call=c failed="no"
        input: "{'query': 'example'}"
        output: "no"
        "#);
    }

    #[test]
    fn what_is_not_in_the_columns_is_absent() {
        let mut span = span_of("x", &[("langfuse.observation.type", text("GENERATION"))]);
        span.parent = Some("p".into());
        insta::assert_snapshot!(read_all(&Langfuse, &span, &[]), @"Llm");
        let level = [("langfuse.observation.type", text("TOOL")), ("langfuse.observation.level", text("ERROR"))];
        insta::assert_snapshot!(read_all(&Langfuse, &span_of("x", &level), &[]), @r#"
        Tool failed=""
        "#);
    }
}
