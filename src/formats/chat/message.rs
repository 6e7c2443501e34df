//! One message on the wire, in any of the spellings, and what it adds to the transcript.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::call::{AdditionalKwargs, Call};
use super::{responses, usage};
use crate::formats::transcript::{At, ToolResult, Transcript};
use crate::formats::wire::{Content, Id, Part, flatten, iso_ns, unknown_role};
use crate::model::{LeftOut, Payload, Problem, Span, SpanKind, Text};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The user.
    User,
    /// The agent's model.
    Agent,
    /// A tool, answering a call.
    Tool,
    /// The system instructions.
    System,
}

impl Who {
    /// By `role`.
    pub(super) fn of_role(role: &str) -> Option<Self> {
        match role {
            "user" | "human" => Some(Who::User),
            "assistant" | "ai" | "model" => Some(Who::Agent),
            "tool" | "function" => Some(Who::Tool),
            "system" | "developer" => Some(Who::System),
            _ => None,
        }
    }

    /// By LangChain's `type`, or its class name.
    pub(super) fn of_type(kind: &str) -> Option<Self> {
        match kind {
            "human" | "HumanMessage" | "HumanMessageChunk" => Some(Who::User),
            "ai" | "AIMessage" | "AIMessageChunk" => Some(Who::Agent),
            "tool" | "function" | "ToolMessage" | "ToolMessageChunk" | "FunctionMessage" => Some(Who::Tool),
            "system" | "SystemMessage" | "SystemMessageChunk" => Some(Who::System),
            _ => None,
        }
    }
}

/// The wire form of a message or item; every key is optional, because every spelling has others.
#[derive(Deserialize, Default)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub(super) role: Option<Text<'a>>,
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) content: Content<'a>,
    #[serde(borrow, default)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) id: Option<Payload<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow, default)]
    invalid_tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow, default)]
    function_call: Option<Call<'a>>,
    #[serde(borrow, default)]
    additional_kwargs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_call_id: Option<Id<'a>>,
    #[serde(borrow, default)]
    pub(super) status: Option<Text<'a>>,
    #[serde(default)]
    is_error: Option<bool>,
    #[serde(borrow, default)]
    refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage_metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response_metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    model: Option<Text<'a>>,
    #[serde(borrow, default, alias = "stop_reason")]
    finish_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) timestamp: Option<Payload<'a>>,

    // Wrappers around a message: LangChain's and those of logs.
    #[serde(borrow, default)]
    lc: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    kwargs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,

    // Items of the Responses API.
    #[serde(borrow, default)]
    pub(super) call_id: Option<Id<'a>>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<Payload<'a>>,
    #[serde(borrow, default)]
    pub(super) input: Option<Payload<'a>>,
    #[serde(borrow, default)]
    pub(super) action: Option<Payload<'a>>,
    #[serde(borrow, default)]
    pub(super) queries: Option<Payload<'a>>,
    #[serde(borrow, default)]
    pub(super) code: Option<Payload<'a>>,
    #[serde(borrow, default)]
    pub(super) output: Option<Payload<'a>>,
    #[serde(borrow, default)]
    pub(super) outputs: Option<Payload<'a>>,
    #[serde(borrow, default)]
    pub(super) results: Option<Payload<'a>>,
    #[serde(borrow, default)]
    pub(super) error: Option<Payload<'a>>,
}

#[derive(Deserialize, Default)]
struct ResponseMetadata<'a> {
    #[serde(borrow, default)]
    model_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    model: Option<Text<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    token_usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

/// Reads messages into a transcript.
#[derive(Default)]
pub(super) struct Reader<'a> {
    /// Turns and spans so far.
    pub(super) transcript: Transcript<'a>,
    /// The system instructions, where a message carries them.
    pub(super) instructions: Option<Text<'a>>,
    /// The model, where messages do not say.
    pub(super) model: Option<Text<'a>>,
    /// The model call that the items of a Responses output belong to, until something goes in again.
    pub(super) run: Option<At>,
}

impl<'a> Reader<'a> {
    /// Adds a message.
    pub(super) fn add(&mut self, message: Message<'a>) -> Result<(), Problem> {
        let message = unwrap(message)?;
        let who = message.role.as_deref().and_then(Who::of_role);
        let who = who.or_else(|| message.kind.as_deref().and_then(Who::of_type));
        match (who, message.kind.as_deref()) {
            (Some(Who::User), _) => self.user(message),
            (Some(Who::Agent), _) => self.agent(message)?,
            (Some(Who::Tool), _) => self.tool(message),
            (Some(Who::System), _) => {
                self.run = None;
                let text = message.content.text();
                self.instructions = self.instructions.take().or(text);
            }
            (None, Some(kind)) if message.role.is_none() && kind != "message" => responses::add(self, message)?,
            _ => return Err(unknown_role(message.role.as_deref().unwrap_or(""))),
        }
        Ok(())
    }

    /// A user message is a turn unless it holds nothing but results.
    fn user(&mut self, message: Message<'a>) {
        self.run = None;
        let time_ns = time(message.timestamp.as_ref());
        let mut content = message.content;
        let mut results = 0;
        if let Content::Parts(parts) = &mut content {
            for part in take_parts(parts, "tool_result") {
                results += 1;
                self.part_result(part, time_ns);
            }
        }
        let text = content.text();
        if results == 0 || text.is_some() {
            self.transcript.user(text).start_ns = time_ns;
        }
    }

    fn part_result(&mut self, part: Part<'a>, end_ns: Option<u64>) {
        self.transcript.result(ToolResult {
            id: part.tool_use_id.map(|i| i.0),
            name: None,
            kind: SpanKind::Tool,
            output: part.content.map(flatten),
            error: part.is_error == Some(true),
            end_ns,
        });
    }

    fn agent(&mut self, mut message: Message<'a>) -> Result<(), Problem> {
        let time_ns = time(message.timestamp.as_ref());
        let (mut calls, mut results) = (Vec::new(), Vec::new());
        if let Content::Parts(parts) = &mut message.content {
            calls = take_parts(parts, "tool_use");
            results = take_parts(parts, "tool_result");
        }
        let item = message.kind.as_deref() == Some("message") && message.usage.is_none() && calls.is_empty();
        let calls = message.calls(calls)?;
        let span = self.model_span(&message, time_ns);
        let text = message.content.text().or(message.refusal);
        if item {
            self.run_text(span, text);
        } else {
            self.run = None;
            self.transcript.assistant(span, text, !calls.is_empty());
        }
        for call in calls {
            self.transcript.call(Span { start_ns: time_ns, ..call });
        }
        // Results of tools that the provider ran stand in the same message.
        for part in results {
            self.part_result(part, time_ns);
        }
        if let Some(turn) = self.transcript.turn() {
            turn.end_ns = time_ns.or(turn.end_ns);
        }
        Ok(())
    }

    /// The text of a Responses message item: of the model call that is going on, or of a new one.
    fn run_text(&mut self, span: Span<'a>, text: Option<Text<'a>>) {
        let going_on = self.run.filter(|at| self.transcript.at(*at).is_some_and(|s| s.output.is_none()));
        let Some(at) = going_on else {
            self.run = Some(self.transcript.assistant(span, text, false));
            return;
        };
        let Some(text) = text else { return };
        if let Some(turn) = self.transcript.turn() {
            turn.reply = Some(text.clone());
        }
        if let Some(span) = self.transcript.at(at) {
            span.output = Some(Payload::text(text));
        }
    }

    /// A model call that has begun and has no text yet.
    pub(super) fn model_span(&self, message: &Message<'a>, time_ns: Option<u64>) -> Span<'a> {
        let meta =
            message.response_metadata.and_then(|raw| serde_json::from_str::<ResponseMetadata<'a>>(raw.get()).ok());
        let meta = meta.unwrap_or_default();
        let usage = [message.usage, message.usage_metadata, meta.token_usage, meta.usage];
        let model = message.model.clone().or(meta.model_name).or(meta.model);
        let mut span = Span {
            kind: SpanKind::Llm,
            name: "chat".into(),
            model: model.or_else(|| self.model.clone()),
            end_ns: time_ns,
            usage: usage.into_iter().flatten().find_map(usage::read),
            ..Span::default()
        };
        if let Some(reason) = message.finish_reason.clone().or(meta.finish_reason).or(meta.stop_reason) {
            span.attributes.push("finish_reason", Payload::text(reason));
        }
        span
    }

    fn tool(&mut self, message: Message<'a>) {
        self.run = None;
        let end_ns = time(message.timestamp.as_ref());
        self.transcript.result(ToolResult {
            id: message.tool_call_id.map(|i| i.0),
            name: message.name,
            kind: SpanKind::Tool,
            output: message.content.text().map(Payload::text),
            error: message.is_error == Some(true) || message.status.as_deref() == Some("error"),
            end_ns,
        });
        if let Some(turn) = self.transcript.turn() {
            turn.end_ns = end_ns.or(turn.end_ns);
        }
    }
}

/// Takes the message out of LangChain's `{type, data}` and `{lc, id, kwargs}`, and of a log's `{type, message}`.
fn unwrap(outer: Message<'_>) -> Result<Message<'_>, Problem> {
    let inner = match (outer.lc, outer.kwargs, outer.data, outer.message) {
        (Some(_), Some(kwargs), _, _) => Some(kwargs),
        (None, _, Some(data), _) if outer.role.is_none() => Some(data),
        (None, _, None, Some(message)) if outer.role.is_none() => Some(message),
        _ => None,
    };
    let Some(raw) = inner.filter(|raw| raw.get().starts_with('{')) else { return Ok(outer) };
    let mut message: Message<'_> = serde_json::from_str(raw.get()).map_err(|e| malformed(format!("a message: {e}")))?;
    if message.role.is_none() && message.kind.is_none() {
        // The class is the last part of a constructor's id; its `type` is then "constructor".
        let class = outer.lc.and(outer.id).and_then(|id| {
            let path: Vec<String> = serde_json::from_str(id.as_str()).ok()?;
            path.into_iter().next_back().map(Text::from)
        });
        message.kind = class.or(outer.kind);
    }
    message.timestamp = message.timestamp.or(outer.timestamp);
    Ok(message)
}

impl<'a> Message<'a> {
    /// The calls of the message, in the first spelling that has any: other spellings repeat the same calls.
    fn calls(&mut self, parts: Vec<Part<'a>>) -> Result<Vec<Span<'a>>, Problem> {
        let mut calls = self.tool_calls.take().unwrap_or_default();
        calls.extend(self.invalid_tool_calls.take().unwrap_or_default());
        if calls.is_empty() {
            calls = parts.into_iter().map(Call::of_part).collect();
        }
        if calls.is_empty() {
            calls.extend(self.function_call.take());
        }
        if let Some(raw) = self.additional_kwargs.filter(|_| calls.is_empty()) {
            let more: AdditionalKwargs<'a> =
                serde_json::from_str(raw.get()).map_err(|e| malformed(format!("`additional_kwargs`: {e}")))?;
            calls = more.tool_calls.unwrap_or_default();
            if calls.is_empty() {
                calls.extend(more.function_call);
            }
        }
        calls.into_iter().map(Call::into_span).collect()
    }
}

/// Takes out the parts whose type ends like this: `tool_use` is also `server_tool_use` and `mcp_tool_use`.
fn take_parts<'a>(parts: &mut Vec<Part<'a>>, ending: &str) -> Vec<Part<'a>> {
    parts.extract_if(.., |p| p.kind.as_deref().is_some_and(|k| k.ends_with(ending))).collect()
}

/// A message's time. Only ISO times: of a bare number nobody knows the unit.
pub(super) fn time(timestamp: Option<&Payload<'_>>) -> Option<u64> {
    timestamp.filter(|t| !t.is_json()).and_then(|t| iso_ns(t.as_str()))
}

pub(super) fn malformed(message: String) -> Problem {
    Problem::new(LeftOut::Malformed, message)
}
