//! `adk`: the spans of Google's Agent Development Kit.
//!
//! `call_llm` holds a model's request and response as Gemini writes them. Newer versions have a `generate_content` span
//! below it with the same usage (and instrumentations of other providers put theirs there), so its own counts as a
//! total. An `{}` stands for content that is not recorded, but also for an empty object: it is taken for the latter only
//! beside content that is recorded.

use std::borrow::Cow;

use super::facts::{self, Facts, Told};
use super::genai;
use super::message;
use super::raw::Fields;
use super::{At, Dialect, Message, Reading, Role, by_attributes};
use crate::formats::telemetry::{Value, find};
use crate::model::{Payload, SpanKind, Text, Usage};

/// Google's Agent Development Kit.
#[derive(Debug)]
pub(super) struct Adk;

const SCOPE: &str = "gcp.vertex.agent";
const REQUEST: &str = "gcp.vertex.agent.llm_request";
const RESPONSE: &str = "gcp.vertex.agent.llm_response";
const ARGUMENTS: &str = "gcp.vertex.agent.tool_call_args";
const RESULT: &str = "gcp.vertex.agent.tool_response";

impl Dialect for Adk {
    fn name(&self) -> &'static str {
        "adk"
    }

    fn doc(&self) -> &'static str {
        "Google's Agent Development Kit: gcp.vertex.agent.* attributes with Gemini's requests and responses"
    }

    fn speaks(&self, at: &At<'_, '_>) -> bool {
        at.origin.scope == SCOPE || find(&at.span.attributes, RESPONSE).is_some()
    }

    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a> {
        let facts = Facts::of(at);
        let kind = kind(at, &facts);
        let mut reading = genai::read(at, &facts, kind);
        // Gemini's response comes before what the conventions say.
        reading.said = None;
        reading.session = facts::text(find(&at.span.attributes, "gcp.vertex.agent.session_id"));
        match kind {
            SpanKind::Tool => tool(at, &mut reading),
            SpanKind::Llm => model(at, &mut reading),
            SpanKind::Agent => reading.agent = reading.agent.or_else(|| agent(&at.span.name)),
            _ => {}
        }
        reading
    }

    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        let request = content(at, REQUEST).and_then(|v| message::object(v, asked));
        request.or_else(|| genai::asked(at, &Facts::of(at)))
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        let response = content(at, RESPONSE).and_then(|v| message::object(v, said));
        response.or_else(|| genai::said(at, &Facts::of(at)))
    }

    fn tells(&self, attribute: &str) -> bool {
        facts::tells(attribute) || matches!(attribute, REQUEST | RESPONSE | ARGUMENTS | RESULT)
    }
}

/// The kind; older versions name an agent only in `agent_run [name]`, and a span for merged results is no call.
fn kind(at: &At<'_, '_>, facts: &Facts<'_, '_>) -> SpanKind {
    match by_attributes(&at.span.attributes) {
        SpanKind::Tool if facts.tool.and_then(Value::as_str) == Some("(merged tools)") => SpanKind::Other,
        SpanKind::Other if agent(&at.span.name).is_some() => SpanKind::Agent,
        SpanKind::Other if facts.tool.is_some() && at.span.name.starts_with("execute_tool ") => SpanKind::Tool,
        kind => kind,
    }
}

/// The agent in `agent_run [name]`.
fn agent<'a>(span_name: &str) -> Option<Text<'a>> {
    let name = span_name.strip_prefix("agent_run [")?.strip_suffix(']')?;
    Some(name.to_owned().into())
}

/// What an attribute holds, unless it says that it holds nothing.
fn content<'s, 'a>(at: &At<'s, 'a>, name: &str) -> Option<&'s Value<'a>> {
    find(&at.span.attributes, name).filter(|v| !is_blank(v))
}

fn is_blank(value: &Value<'_>) -> bool {
    match value {
        Value::Text(text) => matches!(text.trim_ascii(), "" | "{}" | "<not specified>"),
        Value::Map(pairs) => pairs.is_empty(),
        _ => false,
    }
}

fn tool<'a>(at: &At<'_, 'a>, reading: &mut Reading<'a>) {
    let (given, got) = (find(&at.span.attributes, ARGUMENTS), find(&at.span.attributes, RESULT));
    if given.is_none() && got.is_none() {
        return;
    }
    if [given, got].into_iter().flatten().all(is_blank) {
        reading.withheld = true;
        return;
    }
    let (input, output) = (Told::arguments(given), Told::result(got));
    reading.withheld |= input.withheld | output.withheld;
    (reading.input, reading.output) = (input.payload, output.payload);
    if let Some(error) = reading.output.as_ref().and_then(|o| facts::error_in(o).or_else(|| error(o))) {
        reading.failed = Some(error);
    }
}

/// The error that ADK answers with in a failed tool's stead: `{error: text}`.
fn error<'a>(result: &Payload<'a>) -> Option<Text<'a>> {
    Fields::parse(result.as_str())?.string(&["error"]).map(Text::into_owned)
}

fn model<'a>(at: &At<'_, 'a>, reading: &mut Reading<'a>) {
    let Some(response) = find(&at.span.attributes, RESPONSE) else { return };
    let said = if is_blank(response) { None } else { message::object(response, said) };
    if let Some(said) = &said {
        reading.output = message::output(Some(said));
    }
    let (usage, error) = rest(response);
    reading.withheld |= said.is_none() && error.is_none();
    reading.failed = reading.failed.take().or(error);
    reading.usage = reading.usage.or(usage);
    reading.is_total = reading.usage.is_some();
}

/// The messages of a request: its instructions, then its contents.
fn asked<'a>(request: &Fields<'a>) -> Option<Vec<Message<'a>>> {
    let config = request.get(&["config"]).and_then(Fields::of);
    let instructions = config.and_then(|c| c.get(&["system_instruction", "systemInstruction"]));
    let instructions = instructions.and_then(|raw| message::body(raw, Role::System));
    let contents = message::list(request.get(&["contents"])?, Role::User)?;
    message::recorded(instructions.into_iter().chain(contents).collect())
}

/// The message of a response.
fn said<'a>(response: &Fields<'a>) -> Option<Vec<Message<'a>>> {
    message::recorded(vec![message::body(response.get(&["content"])?, Role::Assistant)?])
}

/// What else a response says: its usage, with output that includes reasoning, and its error.
fn rest<'a>(response: &Value<'_>) -> (Option<Usage>, Option<Text<'a>>) {
    let json = response.as_str().map_or_else(|| response.json().into(), Cow::Borrowed);
    let Some(fields) = Fields::parse(&json) else { return (None, None) };
    let error = fields.string(&["error_message", "errorMessage", "error_code", "errorCode"]).map(Text::into_owned);
    let Some(counts) = fields.get(&["usage_metadata", "usageMetadata"]).and_then(Fields::of) else {
        return (None, error);
    };
    let count = |names: &[&str]| counts.string(names)?.parse::<u64>().ok();
    let reasoning = count(&["thoughts_token_count", "thoughtsTokenCount"]);
    let answer = count(&["candidates_token_count", "candidatesTokenCount"]);
    let usage = Usage {
        input: count(&["prompt_token_count", "promptTokenCount"]),
        output: answer.and_then(|n| n.checked_add(reasoning.unwrap_or(0))),
        cache_read: count(&["cached_content_token_count", "cachedContentTokenCount"]),
        cache_write: None,
        reasoning,
    };
    ((usage != Usage::default()).then_some(usage), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::dialect::tests::{read_all, span_of, text};

    const ASKED: &str = r#"{"model": "gemini", "config": {"system_instruction": "Be exact.", "tools": []}, "contents": [
        {"parts": [{"text": "What is 15 * 37?"}], "role": "user"},
        {"parts": [{"function_call": {"id": "u1", "args": {"expression": "15 * 37"}, "name": "calculator"}, "thought_signature": "x"}], "role": "model"},
        {"parts": [{"function_response": {"id": "u1", "name": "calculator", "response": {"result": "555"}}}], "role": "user"}]}"#;

    fn call_llm(response: &'static str) -> String {
        let given = [
            ("gen_ai.system", text("gcp.vertex.agent")),
            ("gen_ai.request.model", text("gemini")),
            ("gcp.vertex.agent.session_id", text("s1")),
            (REQUEST, text(ASKED)),
            (RESPONSE, text(response)),
        ];
        read_all(&Adk, &span_of("call_llm", &given), &[])
    }

    #[test]
    fn a_model_call_has_geminis_messages_and_its_usage_is_a_total() {
        let response = r#"{"model_version":"gemini","content":{"parts":[{"text":"It is 555."}],"role":"model"},"finish_reason":"STOP",
            "usage_metadata":{"candidates_token_count":13,"prompt_token_count":222,"thoughts_token_count":20,"total_token_count":255}}"#;
        insta::assert_snapshot!(call_llm(response), @r#"
        Llm model=gemini session=s1 usage=222/33 reasoning=20 total
        output: "It is 555."
        asked: System "Be exact."
        asked: User "What is 15 * 37?"
        asked: Assistant u1=calculator(Some({"expression": "15 * 37"}))
        asked: Tool u1->Some({"result": "555"})
        said: Assistant "It is 555."
        "#);
    }

    #[test]
    fn a_response_that_is_hidden_or_an_error_is_no_answer() {
        assert!(call_llm("{}").starts_with("Llm model=gemini session=s1 withheld\nasked: System"));
        let error = call_llm(r#"{"error_code":"429","error_message":"too many requests"}"#);
        assert!(error.starts_with("Llm model=gemini session=s1 failed=\"too many requests\"\nasked:"), "{error}");
    }

    #[test]
    fn the_span_below_has_usage_of_its_own_and_no_messages() {
        let given = [
            ("gen_ai.operation.name", text("generate_content")),
            ("gen_ai.request.model", text("gemini")),
            ("gen_ai.usage.input_tokens", Value::Int(157)),
        ];
        insta::assert_snapshot!(read_all(&Adk, &span_of("generate_content gemini", &given), &[]), @"Llm model=gemini usage=157/-");
    }

    fn tool(name: &'static str, given: &'static str, got: &'static str) -> String {
        let given = [
            ("gen_ai.operation.name", text("execute_tool")),
            ("gen_ai.tool.name", text(name)),
            ("gen_ai.tool.call.id", text("<not specified>")),
            (REQUEST, text("{}")),
            (RESPONSE, text("{}")),
            (ARGUMENTS, text(given)),
            (RESULT, text(got)),
        ];
        read_all(&Adk, &span_of("execute_tool x", &given), &[])
    }

    #[test]
    fn an_empty_object_beside_content_is_empty_and_alone_it_is_withheld() {
        insta::assert_snapshot!(tool("f", "{}", r#"{"result": "555"}"#), @r#"
        Tool name=f
        input: "{}"
        output: "{\"result\": \"555\"}"
        "#);
        insta::assert_snapshot!(tool("f", "{}", "{}"), @"Tool name=f withheld");
        insta::assert_snapshot!(tool("f", r#"{"a": 1}"#, "{}"), @r#"
        Tool name=f
        input: "{\"a\": 1}"
        output: "{}"
        "#);
    }

    #[test]
    fn a_tools_error_is_in_its_response() {
        insta::assert_snapshot!(tool("f", "{}", r#"{"error": "no such order"}"#), @r#"
        Tool name=f failed="no such order"
        input: "{}"
        output: "{\"error\": \"no such order\"}"
        "#);
        assert!(tool("f", "{}", r#"{"content": [], "isError": true}"#).contains("failed="));
        assert!(!tool("f", "{}", r#"{"error": null, "content": [], "isError": false}"#).contains("failed="));
        assert!(tool("(merged tools)", "{}", "{}").starts_with("Other"));
    }

    #[test]
    fn an_agent_of_an_older_version_is_named_by_its_span() {
        insta::assert_snapshot!(read_all(&Adk, &span_of("agent_run [hello_agent]", &[]), &[]), @"Agent agent=hello_agent");
        insta::assert_snapshot!(read_all(&Adk, &span_of("invocation", &[]), &[]), @"Other");
    }
}
