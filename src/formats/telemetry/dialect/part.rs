//! What is in a message: parts of OpenTelemetry, OpenAI and Anthropic, which are named by their `type`, and blocks of
//! Bedrock and Gemini, which are named by their key.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::message::{owned_payload, parse_content};
use super::raw::{self, Fields};
use super::{Call, Message, Outcome, Role, is_withheld};
use crate::formats::wire;
use crate::model::{Payload, Text};

/// A call: OpenAI's `{id, function: {name, arguments}}`, or flat, with any of the names in use.
pub(super) fn call(raw: &RawValue) -> Option<Call<'_>> {
    let outer = Fields::of(raw)?;
    let inner = outer.get(&["function"]).and_then(Fields::of);
    let fields = inner.as_ref().unwrap_or(&outer);
    let id = outer.string(&["id", "call_id", "tool_call_id", "toolCallId", "toolUseId"]);
    let args = fields.present(&["arguments", "args", "input", "parameters"]);
    let args = args.map(|raw| raw::arguments(raw::payload(raw)));
    Some(Call {
        id: id.filter(|id| id != "<not specified>"),
        name: fields.string(&["name", "toolName", "tool_name"])?,
        args: args.filter(|a| a.is_json() || !is_withheld(a.as_str())),
    })
}

/// What the parts of a message hold.
#[derive(Default)]
pub(super) struct Found<'a> {
    /// There is a list of parts.
    listed: bool,
    /// A text is missing from its part: it was withheld.
    hidden: bool,
    texts: Vec<Text<'a>>,
    pub(super) calls: Vec<Call<'a>>,
    results: Vec<Outcome<'a>>,
}

impl<'a> Found<'a> {
    pub(super) fn message(mut self, role: Role) -> Message<'a> {
        self.hidden |= self.texts.iter().any(|t| is_withheld(t));
        let mut text = join(self.texts.into_iter().filter(|t| !is_withheld(t)));
        if self.listed && !self.hidden && self.calls.is_empty() && self.results.is_empty() {
            // Parts that hold no text (none at all, or only reasoning) are known to say nothing.
            text = text.or(Some(Text::default()));
        }
        if role == Role::Tool
            && let Some(text) = text.take()
        {
            self.results.push(Outcome { id: None, content: Some(Payload::text(text)), error: false });
        }
        // Anthropic, Bedrock and Gemini hand results over in the user's name.
        let role = if role == Role::User && text.is_none() && !self.results.is_empty() { Role::Tool } else { role };
        Message { role, text, calls: self.calls, results: self.results }
    }

    /// The content of a message: a text, a list of parts, a single part, or an object that wraps one of these
    /// (`{content}`, `{message, finish_reason}`).
    pub(super) fn body(&mut self, raw: &'a RawValue) {
        let wrapped = Fields::of(raw).filter(|f| f.get(&["type"]).is_none());
        let raw = wrapped.and_then(|f| f.get(&["message", "content", "parts"])).unwrap_or(raw);
        if let Some(text) = raw::string(raw) {
            self.encoded(text);
        } else if let Some(items) = raw::list(raw) {
            self.listed = true;
            for item in items {
                self.part(item);
            }
        } else {
            self.part(raw);
        }
    }

    /// A text, which may be a list of blocks that was encoded once more.
    fn encoded(&mut self, text: Text<'a>) {
        if !text.starts_with("[{") {
            self.texts.push(text);
            return;
        }
        let inner = match &text.0 {
            Cow::Borrowed(text) => parse_content(text, Role::Other),
            Cow::Owned(text) => parse_content(text, Role::Other).map(Message::into_owned),
        };
        match inner {
            Some(message) => {
                self.texts.extend(message.text);
                self.calls.extend(message.calls);
                self.results.extend(message.results);
            }
            None => self.texts.push(text),
        }
    }

    /// A tool's message: its content is a result, whatever form it has.
    pub(super) fn tool_message(&mut self, fields: &Fields<'a>, body: Option<&'a RawValue>) {
        if let Some(items) = body.and_then(raw::list) {
            for item in items {
                self.part(item);
            }
        } else if let Some(text) = body.and_then(raw::string) {
            self.encoded(text);
        }
        let is_list = body.is_some_and(|raw| raw.get().starts_with(['[', '"']));
        let content = match join(std::mem::take(&mut self.texts).into_iter()) {
            Some(text) => Some(Payload::text(text)),
            None if is_list && !(self.results.is_empty() && self.calls.is_empty()) => None,
            None => body.map(raw::payload),
        };
        if let Some(content) = content.filter(|c| c.is_json() || !is_withheld(c.as_str())) {
            self.results.push(Outcome { id: None, content: Some(content), error: failed(fields) });
        }
        let id = fields.string(&["tool_call_id", "toolCallId", "id"]);
        if let [only] = &mut self.results[..]
            && only.id.is_none()
        {
            only.id = id;
        }
    }

    /// One part; whether it is of a known shape.
    pub(super) fn part(&mut self, raw: &'a RawValue) -> bool {
        if let Some(text) = raw::string(raw) {
            self.texts.push(text);
            return true;
        }
        let Some(fields) = Fields::of(raw) else { return false };
        match fields.string(&["type"]).as_deref() {
            Some("text" | "input_text" | "output_text" | "refusal" | "summary_text") => {
                let text = fields.get(&["content", "text", "refusal"]).and_then(raw::string);
                self.hidden |= text.is_none();
                self.texts.extend(text);
            }
            Some("tool_call" | "tool_use" | "tool-call" | "function_call" | "function" | "server_tool_use") => {
                self.calls.extend(call(raw));
            }
            Some("tool_call_response" | "tool_result" | "tool-result" | "function_call_output") => {
                self.results.push(outcome(&fields));
            }
            Some("server_tool_call") => self.calls.extend(server_call(&fields)),
            Some(_) => {}
            None => return self.block(&fields),
        }
        true
    }

    /// A part that is named by its key: Bedrock's and Gemini's.
    fn block(&mut self, fields: &Fields<'a>) -> bool {
        if fields.truth(&["thought"]) {
            return true;
        }
        if let Some(call_of) = fields.get(&["toolUse", "function_call", "functionCall"]) {
            self.calls.extend(call(call_of));
        } else if let Some(result) =
            fields.get(&["toolResult", "function_response", "functionResponse"]).and_then(Fields::of)
        {
            self.results.push(outcome(&result));
        } else if let Some(text) = fields.get(&["text", "content"]).and_then(raw::string) {
            self.texts.push(text);
        } else {
            let silent =
                ["reasoningContent", "cachePoint", "image", "document", "video", "guardContent", "inline_data"];
            return fields.present(&silent).is_some();
        }
        true
    }
}

/// A result: `{id, response}` and its relatives.
fn outcome<'a>(fields: &Fields<'a>) -> Outcome<'a> {
    let said = fields.present(&["response", "result", "content", "output"]).map(flat);
    Outcome {
        id: fields.string(&["id", "tool_use_id", "toolUseId", "tool_call_id", "toolCallId", "call_id"]),
        content: said.filter(|c| c.is_json() || !is_withheld(c.as_str())),
        error: failed(fields),
    }
}

/// A call of a tool that the model's provider runs itself: its arguments are nested one deeper.
fn server_call<'a>(fields: &Fields<'a>) -> Option<Call<'a>> {
    let args = fields.present(&["server_tool_call"]).map(raw::payload);
    Some(Call { id: fields.string(&["id"]), name: fields.string(&["name"])?, args })
}

/// Whether a result says of itself that it is an error.
fn failed(fields: &Fields<'_>) -> bool {
    fields.truth(&["is_error", "isError"]) || fields.string(&["status"]).is_some_and(|s| s == "error")
}

/// The content of a list of text blocks or of a single `{json: ...}` block, detached; `None` for any other text.
pub(super) fn blocks(text: &str) -> Option<Payload<'static>> {
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    let items = raw::list(raw)?;
    if let [one] = items[..]
        && let Some(json) = Fields::of(one).and_then(|f| f.present(&["json"]))
    {
        return Some(owned_payload(raw::payload(json)));
    }
    let flat = wire::flatten(Payload::raw_json(text));
    (!flat.is_json()).then(|| owned_payload(flat))
}

/// What a result says, blocks flattened.
fn flat(raw: &RawValue) -> Payload<'_> {
    let blocks = if raw.get().starts_with('[') { blocks(raw.get()) } else { None };
    blocks.unwrap_or_else(|| raw::payload(raw))
}

/// Joins texts by line breaks, without a copy when there is only one.
pub(super) fn join<'a>(mut texts: impl Iterator<Item = Text<'a>>) -> Option<Text<'a>> {
    let first = texts.next()?;
    let Some(second) = texts.next() else { return Some(first) };
    let mut all = first.0.into_owned();
    for text in std::iter::once(second).chain(texts) {
        all.push('\n');
        all.push_str(&text);
    }
    Some(all.into())
}
