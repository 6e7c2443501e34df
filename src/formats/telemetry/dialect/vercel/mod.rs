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
        reading.failed = reading.output.as_ref().and_then(super::facts::error_in);
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
mod tests;
