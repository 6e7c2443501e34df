//! What holds of every dialect, whatever a recording says.

use proptest::prelude::*;
use proptest::sample::select;

use super::tests::log;
use super::{At, DIALECTS, Dialect, LogRecord, Origin, SpanRecord};
use crate::formats::telemetry::Value;
use crate::model::{SpanKind, Text};

const NAMES: &[&str] = &[
    "openinference.span.kind",
    "traceloop.span.kind",
    "ai.operationId",
    "input.value",
    "input.mime_type",
    "output.value",
    "output.mime_type",
    "metadata",
    "tool.name",
    "tool.parameters",
    "llm.input_messages.0.message.role",
    "llm.input_messages.0.message.content",
    "llm.input_messages.18446744073709551615.message.contents.7.message_content.text",
    "llm.output_messages.1.message.tool_calls.0.tool_call.function.name",
    "llm.output_messages.1.message.tool_calls.0.tool_call.function.arguments",
    "llm.output_messages.0.message.content",
    "llm.output_messages..message.content",
    "llm.token_count.prompt",
    "llm.token_count.prompt_details.cache_read",
    "llm.cost.total",
    "retrieval.documents.3.document.content",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "gen_ai.prompt.0.content",
    "gen_ai.completion.0.role",
    "gen_ai.completion.0.content",
    "gen_ai.completion.0.tool_calls.0.name",
    "ai.prompt",
    "ai.response.text",
    "ai.response.toolCalls",
    "ai.response.msToFirstChunk",
    "ai.toolCall.args",
    "ai.toolCall.result",
    "ai.usage.inputTokens",
];

const TEXTS: &[&str] = &[
    "AGENT",
    "LLM",
    "TOOL",
    "CHAIN",
    "RETRIEVER",
    "workflow",
    "tool",
    "ai.streamText",
    "ai.generateText.doGenerate",
    "ai.toolCall",
    "application/json",
    "assistant",
    "__REDACTED__",
    "",
    "7",
    "[",
    "\"",
    "{\"messages\": [[\"user\", \"hi\"]]}",
    "{\"messages\": [{\"type\": \"ai\", \"data\": {\"content\": null, \"tool_calls\": [{\"name\": 1}]}}]}",
    "{\"args\": [], \"kwargs\": {\"a\": 1}}",
    "{\"output\": {\"lc\": 1, \"id\": [\"ToolMessage\"], \"kwargs\": {\"status\": \"error\"}}}",
    "[{\"role\": \"tool\", \"content\": [{\"type\": \"tool-result\", \"output\": {\"type\": \"error-text\"}}]}]",
    "[{\"toolName\": \"f\", \"input\": \"{}\"}]",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "\u{202e}\u{0}",
];

fn value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        4 => select(TEXTS).prop_map(|t| Value::Text(t.into())),
        1 => any::<i64>().prop_map(Value::Int),
        1 => any::<f64>().prop_map(Value::Double),
        1 => select(TEXTS).prop_map(|t| Value::Array(vec![Value::Map(vec![("content".into(), Value::Text(t.into()))])])),
        1 => Just(Value::Null),
    ]
}

fn attributes() -> impl Strategy<Value = std::collections::BTreeMap<&'static str, Value<'static>>> {
    proptest::collection::btree_map(select(NAMES), value(), 0..20)
}

const SCOPES: &[&str] =
    &["openinference.instrumentation.langchain", "openinference.instrumentation.openai_agents", "ai", ""];

fn span(attributes: impl Iterator<Item = (&'static str, Value<'static>)>) -> SpanRecord<'static> {
    SpanRecord {
        name: "span".into(),
        attributes: attributes.map(|(k, v)| (k.into(), v)).collect(),
        ..SpanRecord::default()
    }
}

/// All that a dialect says of a span.
fn all(dialect: &dyn Dialect, at: &At<'_, '_>) -> String {
    format!("{:?} {:?} {:?}", dialect.read(at), dialect.asked(at), dialect.said(at))
}

proptest! {
    #[test]
    fn nothing_that_a_recording_says_upsets_a_dialect(given in attributes(), scope in select(SCOPES), body in value()) {
        let span = span(given.into_iter());
        let origin = Origin { scope: Text::borrowed(scope), ..Origin::default() };
        let body = Value::Map(vec![("output".into(), Value::Map(vec![("messages".into(), body)]))]);
        let logs: [LogRecord<'_>; 1] = [log("x", Some(body), &[])];
        for dialect in DIALECTS {
            let at = At { span: &span, origin: &origin, logs: &logs };
            let reading = dialect.read(&at);
            dialect.asked(&at);
            let said = dialect.said(&at);
            if reading.said.is_some() {
                prop_assert_eq!(&reading.said, &said, "{}", dialect.name());
            }
            // A model that is known to have said nothing has no text, or an empty one.
            if reading.kind == SpanKind::Llm && reading.output.as_ref().is_some_and(|o| o.is_null()) {
                let texts = said.iter().flatten().filter_map(|message| message.text.as_ref());
                prop_assert!(texts.clone().all(|text| text.is_empty()), "{}", dialect.name());
            }
        }
    }

    #[test]
    fn the_order_of_attributes_says_nothing(given in attributes(), scope in select(SCOPES)) {
        let origin = Origin { scope: Text::borrowed(scope), ..Origin::default() };
        let (forth, back) = (span(given.clone().into_iter()), span(given.into_iter().rev()));
        for dialect in DIALECTS {
            let of = |span| all(*dialect, &At { span, origin: &origin, logs: &[] });
            prop_assert_eq!(of(&forth), of(&back), "{}", dialect.name());
        }
    }
}
