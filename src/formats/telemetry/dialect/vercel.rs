//! `vercel`: the spans that the Vercel AI SDK makes itself, `ai.*`.
//!
//! Agents are `ai.generateText`, `ai.streamText` and their relatives for objects: one call of the SDK with all its steps.
//! Their tokens sum up the steps (`.doGenerate`, `.doStream`), which are the model calls.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::raw::{self, Fields};
use super::recorded::{self, Recorded};
use super::tokens::{self, Tokens};
use super::{At, Call, Dialect, Message, Outcome, Reading, Role, by_attributes, is_withheld, message};
use crate::formats::telemetry::{Value, find};
use crate::model::{Payload, SpanKind, Text};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Vercel;

impl Dialect for Vercel {
    fn name(&self) -> &'static str {
        "vercel"
    }

    fn doc(&self) -> &'static str {
        "The Vercel AI SDK's own spans: `ai.generateText`, `ai.streamText.doStream`, `ai.toolCall`."
    }

    fn speaks(&self, at: &At<'_, '_>) -> bool {
        find(&at.span.attributes, "ai.operationId").is_some()
    }

    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a> {
        let facts = Facts::of(at);
        let mut reading = Reading {
            kind: facts.kind,
            usage: facts.tokens.usage(),
            model: facts.response_model.or(facts.request_model).and_then(Value::text),
            session: facts.session.and_then(Value::text),
            user: facts.user.and_then(Value::text),
            ttft_ns: facts.ms_to_first_chunk.and_then(Value::number).and_then(nanoseconds),
            ..Reading::default()
        };
        match facts.kind {
            SpanKind::Tool => facts.tool(&mut reading),
            SpanKind::Llm | SpanKind::Agent => facts.answer(&mut reading),
            _ => {
                let input = facts.value.map(recorded::as_is);
                reading.input = input.and_then(|r| r.known(&mut reading.withheld));
            }
        }
        if facts.kind == SpanKind::Agent {
            reading.agent = facts.function.and_then(Value::text);
        }
        reading.is_total = reading.usage.is_some() && !facts.is_step;
        reading
    }

    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        let facts = Facts::of(at);
        match &facts.prompt?.text()?.0 {
            Cow::Borrowed(text) => prompt(text),
            Cow::Owned(text) => Some(prompt(text)?.into_iter().map(Message::into_owned).collect()),
        }
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        Facts::of(at).said(&mut false).map(|m| vec![m])
    }

    fn tells(&self, attribute: &str) -> bool {
        matches!(
            attribute,
            "ai.prompt"
                | "ai.prompt.messages"
                | "ai.response.text"
                | "ai.response.object"
                | "ai.response.toolCalls"
                | "ai.result.text"
                | "ai.result.object"
                | "ai.result.toolCalls"
                | "ai.toolCall.args"
                | "ai.toolCall.result"
        )
    }
}

/// Milliseconds as whole nanoseconds; `None` for a time before the start, and for one of more than a year.
fn nanoseconds(ms: f64) -> Option<u64> {
    // Below 2^53 a double holds whole nanoseconds exactly.
    (0.0..9e9).contains(&ms).then(|| (ms * 1e6).round() as u64)
}

/// What the attributes say, gathered in one pass.
#[derive(Default)]
struct Facts<'s, 'a> {
    kind: SpanKind,
    /// It is a model call, and not the sum of several.
    is_step: bool,
    prompt: Option<&'s Value<'a>>,
    value: Option<&'s Value<'a>>,
    text: Option<&'s Value<'a>>,
    object: Option<&'s Value<'a>>,
    calls: Option<&'s Value<'a>>,
    finish: Option<&'s Value<'a>>,
    tool: Option<&'s Value<'a>>,
    call_id: Option<&'s Value<'a>>,
    args: Option<&'s Value<'a>>,
    result: Option<&'s Value<'a>>,
    function: Option<&'s Value<'a>>,
    request_model: Option<&'s Value<'a>>,
    response_model: Option<&'s Value<'a>>,
    ms_to_first_chunk: Option<&'s Value<'a>>,
    session: Option<&'s Value<'a>>,
    user: Option<&'s Value<'a>>,
    tokens: Tokens,
}

impl<'s, 'a> Facts<'s, 'a> {
    fn of(at: &At<'s, 'a>) -> Self {
        let mut facts = Self::default();
        let mut operation = "";
        for (name, value) in &at.span.attributes {
            match name.as_str() {
                "ai.operationId" => operation = value.as_str().unwrap_or_default(),
                "ai.prompt" | "ai.prompt.messages" => facts.prompt = Some(value),
                "ai.value" | "ai.values" => facts.value = Some(value),
                "ai.response.text" | "ai.result.text" => facts.text = Some(value),
                "ai.response.object" | "ai.result.object" => facts.object = Some(value),
                "ai.response.toolCalls" | "ai.result.toolCalls" => facts.calls = Some(value),
                "ai.response.finishReason" | "ai.finishReason" => facts.finish = Some(value),
                "ai.toolCall.name" => facts.tool = Some(value),
                "ai.toolCall.id" => facts.call_id = Some(value),
                "ai.toolCall.args" => facts.args = Some(value),
                "ai.toolCall.result" => facts.result = Some(value),
                "ai.telemetry.functionId" => facts.function = Some(value),
                "ai.telemetry.metadata.sessionId" => facts.session = Some(value),
                "ai.telemetry.metadata.userId" => facts.user = Some(value),
                "ai.model.id" => facts.request_model = Some(value),
                "ai.response.model" => facts.response_model = Some(value),
                "ai.response.msToFirstChunk" => facts.ms_to_first_chunk = Some(value),
                name => facts.count(name, value),
            }
        }
        facts.is_step = operation.rsplit('.').next().is_some_and(|step| step.starts_with("do"));
        facts.kind = match operation {
            "ai.toolCall" => SpanKind::Tool,
            "ai.generateText" | "ai.streamText" | "ai.generateObject" | "ai.streamObject" => SpanKind::Agent,
            _ if operation.ends_with(".doGenerate") || operation.ends_with(".doStream") => SpanKind::Llm,
            _ if operation.ends_with(".doEmbed") || operation.ends_with(".doRerank") => SpanKind::Retrieval,
            // The sum of several embeddings is none itself.
            _ if operation.starts_with("ai.embed") || operation.starts_with("ai.rerank") => SpanKind::Other,
            _ => by_attributes(&at.span.attributes),
        };
        facts
    }

    fn count(&mut self, name: &str, value: &Value<'a>) {
        let tokens = &mut self.tokens;
        let usage = name.strip_prefix("ai.usage.").or_else(|| name.strip_prefix("gen_ai.usage."));
        let slot = match usage {
            Some("inputTokens" | "promptTokens" | "input_tokens" | "prompt_tokens") => &mut tokens.input,
            Some("outputTokens" | "completionTokens" | "output_tokens" | "completion_tokens") => &mut tokens.output,
            Some("cachedInputTokens" | "inputTokenDetails.cacheReadTokens") => &mut tokens.cache_read,
            Some("inputTokenDetails.cacheWriteTokens") => &mut tokens.cache_write,
            Some("reasoningTokens" | "outputTokenDetails.reasoningTokens") => &mut tokens.reasoning,
            // Embeddings have one number only.
            Some("tokens") => &mut tokens.input,
            _ => return,
        };
        tokens::count(slot, value);
    }

    fn tool(&self, reading: &mut Reading<'a>) {
        reading.name = self.tool.and_then(Value::text);
        reading.call_id = self.call_id.and_then(Value::text).filter(|id| !id.is_empty());
        let (args, result) = (self.args.map(recorded::maybe_json), self.result.map(recorded::maybe_json));
        reading.input = args.and_then(|r| r.known(&mut reading.withheld));
        reading.output = result.and_then(|r| r.known(&mut reading.withheld));
        reading.failed = reading.output.as_ref().and_then(recorded::error_in);
    }

    fn answer(&self, reading: &mut Reading<'a>) {
        let prompt = self.prompt.map(recorded::as_is);
        reading.input = prompt.and_then(|r| r.known(&mut reading.withheld));
        reading.output = self.said(&mut reading.withheld).map(|m| m.text.map_or_else(Payload::null, Payload::text));
        if self.finish.and_then(Value::as_str) == Some("error") {
            reading.failed = Some("finish reason: error".into());
        }
    }

    /// The answer; `None` when neither a text nor calls were recorded, or the text was withheld.
    fn said(&self, withheld: &mut bool) -> Option<Message<'a>> {
        let said = match self.text.or(self.object).map(recorded::as_is) {
            Some(said) => Some(said.known(withheld)?.into_text()),
            None => None,
        };
        let calls = match self.calls.map(recorded::maybe_json) {
            Some(Recorded::Withheld) => {
                *withheld = true;
                None
            }
            Some(Recorded::This(_)) => self.calls.and_then(Value::text).and_then(|t| calls(&t)),
            None => None,
        };
        if said.is_none() && calls.is_none() {
            return None;
        }
        let text = said.filter(|t| !t.is_empty());
        Some(Message { role: Role::Assistant, text, calls: calls.unwrap_or_default(), results: Vec::new() })
    }
}

/// `ai.response.toolCalls`.
fn calls<'a>(text: &Text<'a>) -> Option<Vec<Call<'a>>> {
    fn of(text: &str) -> Option<Message<'_>> {
        let items = raw::list(serde_json::from_str(text).ok()?)?;
        let calls = items.into_iter().filter_map(|item| call(&Fields::of(item)?)).collect();
        Some(Message { role: Role::Assistant, text: None, calls, results: Vec::new() })
    }
    match &text.0 {
        Cow::Borrowed(text) => of(text).map(|m| m.calls),
        Cow::Owned(text) => of(text).map(|m| m.into_owned().calls),
    }
}

/// A call, its input being JSON or JSON in a string.
fn call<'a>(fields: &Fields<'a>) -> Option<Call<'a>> {
    let args = fields.present(&["input", "args"]).map(raw::payload);
    Some(Call {
        id: fields.string(&["toolCallId"]),
        name: fields.string(&["toolName"])?,
        args: args.filter(|a| a.is_json() || !is_withheld(a.as_str())),
    })
}

/// `ai.prompt.messages`, which is a list, and `ai.prompt`, which is `{system, messages}` or `{system, prompt}`.
fn prompt(text: &str) -> Option<Vec<Message<'_>>> {
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    if let Some(items) = raw::list(raw) {
        return Some(items.into_iter().filter_map(one).collect());
    }
    let fields = Fields::of(raw)?;
    let mut messages = Vec::new();
    messages.extend(fields.string(&["system", "instructions"]).and_then(|t| message::said(t, Role::System)));
    let inner = fields.get(&["messages", "prompt"])?;
    match raw::list(inner) {
        Some(items) => messages.extend(items.into_iter().filter_map(one)),
        None => messages.extend(raw::string(inner).and_then(|t| message::said(t, Role::User))),
    }
    Some(messages)
}

/// One message of a prompt: its content is a text or a list of parts.
fn one(raw: &RawValue) -> Option<Message<'_>> {
    let fields = Fields::of(raw)?;
    let role = Role::named(&fields.string(&["role"])?);
    let mut message = Message { role, text: None, calls: Vec::new(), results: Vec::new() };
    let content = fields.get(&["content"])?;
    if let Some(text) = raw::string(content) {
        return message::said(text, role);
    }
    let mut texts = Vec::new();
    for part in raw::list(content)?.into_iter().filter_map(Fields::of) {
        match part.string(&["type"]).as_deref() {
            Some("text") => texts.extend(part.string(&["text"])),
            Some("tool-call") => message.calls.extend(call(&part)),
            Some("tool-result") => message.results.push(outcome(&part)),
            _ => {}
        }
    }
    message.text = message::join(texts.into_iter().filter(|t| !is_withheld(t)));
    Some(message)
}

/// A tool's result: `output` is `{type, value}` and `type` says whether it is an error; before version 5 it was `result`
/// with `isError`.
fn outcome<'a>(part: &Fields<'a>) -> Outcome<'a> {
    let typed = part.get(&["output"]).and_then(Fields::of);
    let kind = typed.as_ref().and_then(|t| t.string(&["type"]));
    let value = match &typed {
        Some(typed) if kind.is_some() => typed.present(&["value", "reason"]),
        _ => part.present(&["output", "result"]),
    };
    let content = value.map(raw::payload);
    Outcome {
        id: part.string(&["toolCallId"]),
        content: content.filter(|c| c.is_json() || !is_withheld(c.as_str())),
        error: part.truth(&["isError"]) || kind.is_some_and(|k| k.starts_with("error") || k == "execution-denied"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::{Origin, SpanRecord};
    use crate::model::Usage;

    fn span(pairs: &[(&'static str, Value<'static>)]) -> SpanRecord<'static> {
        let attributes = pairs.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
        SpanRecord { attributes, ..SpanRecord::default() }
    }

    fn text(text: &'static str) -> Value<'static> {
        Value::Text(text.into())
    }

    fn with<T>(span: &SpanRecord<'static>, f: impl Fn(&At<'_, 'static>) -> T) -> T {
        let origin = Origin::default();
        let at = At { span, origin: &origin, logs: &[] };
        assert!(Vercel.speaks(&at));
        f(&at)
    }

    fn read(pairs: &[(&'static str, Value<'static>)]) -> Reading<'static> {
        with(&span(pairs), |at| Vercel.read(at))
    }

    #[test]
    fn a_step_is_a_model_call_with_its_first_chunk() {
        let reading = read(&[
            ("ai.operationId", text("ai.streamText.doStream")),
            ("ai.model.id", text("gpt-4o-mini")),
            ("ai.response.model", text("gpt-4o-mini-2026")),
            ("ai.telemetry.metadata.sessionId", text("s")),
            ("ai.telemetry.metadata.userId", text("u")),
            ("ai.response.msToFirstChunk", Value::Double(13.249_019_999_999_973)),
            ("ai.usage.inputTokens", Value::Int(174)),
            ("ai.usage.inputTokenDetails.noCacheTokens", Value::Int(110)),
            ("ai.usage.inputTokenDetails.cacheReadTokens", Value::Int(64)),
            ("ai.usage.outputTokens", Value::Int(13)),
            ("ai.usage.reasoningTokens", Value::Int(0)),
            ("ai.usage.cachedInputTokens", Value::Int(64)),
            ("gen_ai.usage.input_tokens", Value::Int(174)),
            ("ai.response.text", text("")),
            (
                "ai.response.toolCalls",
                text(r#"[{"type":"tool-call","toolCallId":"c","toolName":"refund","input":{"amount":24.5}}]"#),
            ),
        ]);
        assert_eq!((reading.kind, reading.is_total), (SpanKind::Llm, false));
        assert_eq!(reading.ttft_ns, Some(13_249_020));
        assert_eq!(reading.model.as_deref(), Some("gpt-4o-mini-2026"));
        assert_eq!((reading.session.as_deref(), reading.user.as_deref()), (Some("s"), Some("u")));
        assert_eq!(reading.output, Some(Payload::null()));
        let usage =
            Usage { input: Some(174), output: Some(13), cache_read: Some(64), cache_write: None, reasoning: Some(0) };
        assert_eq!(reading.usage, Some(usage));
    }

    #[test]
    fn the_call_around_the_steps_is_the_agent_and_its_tokens_are_a_total() {
        let outer = span(&[
            ("ai.operationId", text("ai.generateText")),
            ("ai.telemetry.functionId", text("support-chat")),
            ("ai.prompt", text(r#"{"system":"Be brief.","messages":[{"role":"user","content":"Hi"}]}"#)),
            ("ai.response.text", text("Refunded.\n")),
            ("ai.usage.promptTokens", Value::Int(521)),
            ("ai.usage.completionTokens", Value::Double(f64::NAN)),
        ]);
        let reading = with(&outer, |at| Vercel.read(at));
        assert_eq!((reading.kind, reading.is_total), (SpanKind::Agent, true));
        assert_eq!(reading.agent.as_deref(), Some("support-chat"));
        assert_eq!(reading.output, Some(Payload::text("Refunded.\n")));
        assert_eq!(reading.usage.map(|u| (u.input, u.output)), Some((Some(521), None)));
        let (asked, said) = with(&outer, |at| (Vercel.asked(at).unwrap(), Vercel.said(at).unwrap()));
        let asked: Vec<_> = asked.iter().map(|m| (m.role, m.text.as_deref())).collect();
        assert_eq!(asked, [(Role::System, Some("Be brief.")), (Role::User, Some("Hi"))]);
        assert_eq!(said[0].text.as_deref(), Some("Refunded.\n"));
        let simple = span(&[("ai.operationId", text("ai.streamText")), ("ai.prompt", text(r#"{"prompt":"Hi"}"#))]);
        assert_eq!(with(&simple, |at| Vercel.asked(at)).unwrap()[0].text.as_deref(), Some("Hi"));
        assert_eq!(with(&simple, |at| Vercel.said(at)), None);
    }

    #[test]
    fn arguments_are_json_or_json_in_a_string() {
        let step = |calls| {
            span(&[("ai.operationId", text("ai.generateText.doGenerate")), ("ai.response.toolCalls", text(calls))])
        };
        let args = |calls| {
            let said = with(&step(calls), |at| Vercel.said(at)).unwrap();
            said[0].calls[0].args.as_ref().unwrap().as_str().to_owned()
        };
        assert_eq!(args(r#"[{"toolCallId":"c","toolName":"f","input":"{\"a\": 1}"}]"#), r#"{"a": 1}"#);
        assert_eq!(args(r#"[{"toolCallId":"c","toolName":"f","args":{"a":1}}]"#), r#"{"a":1}"#);
        let cut = step(r#"[{"toolCallId":"c","#);
        assert_eq!(with(&cut, |at| Vercel.said(at)), None);
        assert!(with(&cut, |at| Vercel.read(at)).withheld);
    }

    #[test]
    fn a_prompt_replays_calls_and_results_with_their_errors() {
        let step = span(&[
            ("ai.operationId", text("ai.generateText.doGenerate")),
            (
                "ai.prompt.messages",
                text(
                    r#"[{"role":"user","content":[{"type":"text","text":"Cancel."}]},
                {"role":"assistant","content":[{"type":"tool-call","toolCallId":"c","toolName":"cancel","input":{"id":"A1"}}]},
                {"role":"tool","content":[{"type":"tool-result","toolCallId":"c","toolName":"cancel",
                  "output":{"type":"error-text","value":"no such tool"}}]},
                {"role":"tool","content":[{"type":"tool-result","toolCallId":"d","output":{"type":"json","value":{"a":1}}}]},
                {"role":"tool","content":[{"type":"tool-result","toolCallId":"e","result":"x","isError":true}]}]"#,
                ),
            ),
        ]);
        let asked = with(&step, |at| Vercel.asked(at)).unwrap();
        assert_eq!(asked[0].text.as_deref(), Some("Cancel."));
        assert_eq!(asked[1].calls[0].args, Some(Payload::raw_json(r#"{"id":"A1"}"#)));
        let outcome = |id: &'static str, content, error| Outcome { id: Some(id.into()), content: Some(content), error };
        assert_eq!(asked[2].results, [outcome("c", Payload::text("no such tool"), true)]);
        assert_eq!(asked[3].results, [outcome("d", Payload::raw_json(r#"{"a":1}"#), false)]);
        assert_eq!(asked[4].results, [outcome("e", Payload::text("x"), true)]);
    }

    #[test]
    fn a_tool_call_has_its_name_id_arguments_and_result() {
        let tool = |args, result| {
            read(&[
                ("ai.operationId", text("ai.toolCall")),
                ("ai.toolCall.name", text("lookup")),
                ("ai.toolCall.id", text("c")),
                ("ai.toolCall.args", text(args)),
                ("ai.toolCall.result", text(result)),
            ])
        };
        let reading = tool(r#"{"id":"A1"}"#, r#""done""#);
        assert_eq!(
            (reading.kind, reading.name.as_deref(), reading.call_id.as_deref()),
            (SpanKind::Tool, Some("lookup"), Some("c"))
        );
        assert_eq!(reading.input, Some(Payload::raw_json(r#"{"id":"A1"}"#)));
        assert_eq!(reading.output, Some(Payload::text("done")));
        let cut = tool(r#"{"id":"#, r#"{"content":[],"isError":true}"#);
        assert_eq!((cut.input, cut.withheld), (None, true));
        assert!(cut.failed.is_some());
    }

    #[test]
    fn embeddings_are_retrieval_and_what_sums_them_up_is_not() {
        let kind = |operation| read(&[("ai.operationId", text(operation)), ("ai.usage.tokens", Value::Int(9))]);
        let inner = kind("ai.embed.doEmbed");
        assert_eq!((inner.kind, inner.is_total, inner.usage.unwrap().input), (SpanKind::Retrieval, false, Some(9)));
        let outer = kind("ai.embedMany");
        assert_eq!((outer.kind, outer.is_total), (SpanKind::Other, true));
    }

    #[test]
    fn times_that_are_none_say_nothing() {
        assert_eq!(nanoseconds(0.5), Some(500_000));
        for none in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(nanoseconds(none), None, "{none}");
        }
    }
}
