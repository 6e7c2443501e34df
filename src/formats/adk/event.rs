//! One event on the wire, and what it adds to the transcript.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{malformed, usage};
use crate::formats::transcript::{ToolResult, Transcript};
use crate::formats::wire::iso_ns;
use crate::model::{self, Attributes, Payload, Problem, Session, Span, SpanKind, SpanStatus, Text};

/// The name of the spans for code that the model ran.
const CODE: &str = "code_execution";

/// The wire form of an event.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    author: Text<'a>,
    #[serde(borrow, default)]
    id: Option<Payload<'a>>,
    #[serde(borrow, default, alias = "invocationId")]
    invocation_id: Option<Payload<'a>>,
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
    #[serde(borrow, default)]
    pub(super) timestamp: Option<Payload<'a>>,
    #[serde(default)]
    partial: Option<bool>,
    #[serde(borrow, default, alias = "errorCode")]
    error_code: Option<Payload<'a>>,
    #[serde(borrow, default, alias = "errorMessage")]
    error_message: Option<Payload<'a>>,
    #[serde(borrow, default, alias = "finishReason")]
    finish_reason: Option<Payload<'a>>,
    #[serde(borrow, default, alias = "modelVersion")]
    model_version: Option<Text<'a>>,
    #[serde(borrow, default, alias = "usageMetadata")]
    usage_metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    actions: Option<Attributes<'a>>,
    #[serde(borrow, default, alias = "inputTranscription")]
    input_transcription: Option<Transcription<'a>>,
    #[serde(borrow, default, alias = "outputTranscription")]
    output_transcription: Option<Transcription<'a>>,
    #[serde(borrow, default)]
    branch: Option<Payload<'a>>,
    #[serde(borrow, default)]
    interrupted: Option<Payload<'a>>,
    #[serde(borrow, default, alias = "longRunningToolIds")]
    long_running_tool_ids: Option<Payload<'a>>,
    #[serde(borrow, default, alias = "groundingMetadata")]
    grounding_metadata: Option<Payload<'a>>,
    #[serde(borrow, default, alias = "customMetadata")]
    custom_metadata: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    parts: Option<Vec<Part<'a>>>,
}

/// A part is one of these; the others are `null` or not there.
#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(default)]
    thought: Option<bool>,
    #[serde(borrow, default, alias = "functionCall")]
    function_call: Option<FunctionCall<'a>>,
    #[serde(borrow, default, alias = "functionResponse")]
    function_response: Option<FunctionResponse<'a>>,
    #[serde(borrow, default, alias = "executableCode")]
    executable_code: Option<Code<'a>>,
    #[serde(borrow, default, alias = "codeExecutionResult")]
    code_execution_result: Option<CodeResult<'a>>,
}

#[derive(Deserialize)]
struct FunctionCall<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    args: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct FunctionResponse<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    response: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Code<'a> {
    #[serde(borrow, default)]
    language: Option<Payload<'a>>,
    #[serde(borrow, default)]
    code: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct CodeResult<'a> {
    #[serde(borrow, default)]
    outcome: Option<Payload<'a>>,
    #[serde(borrow, default)]
    output: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Transcription<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(default)]
    finished: Option<bool>,
}

/// What the parts of an event hold, each kind in order.
#[derive(Default)]
struct Parts<'a> {
    texts: Vec<Text<'a>>,
    calls: Vec<FunctionCall<'a>>,
    responses: Vec<FunctionResponse<'a>>,
    codes: Vec<Code<'a>>,
    results: Vec<CodeResult<'a>>,
    /// Thoughts, files and what else is no text to the reader.
    others: usize,
}

/// Reads events into a transcript.
#[derive(Default)]
pub(super) struct Reader<'a> {
    transcript: Transcript<'a>,
    actions: Vec<model::Event<'a>>,
    /// The last event is a part of an answer that was still going on.
    unfinished: bool,
}

impl<'a> Reader<'a> {
    /// Adds an event.
    pub(super) fn add(&mut self, mut event: Event<'a>) -> Result<(), Problem> {
        // The pieces of a stream are repeated by the whole that follows them.
        self.unfinished = event.partial == Some(true);
        if self.unfinished {
            return Ok(());
        }
        self.act(&mut event);
        let parts = split(event.content.take());
        if event.author == "user" { self.user(event, parts) } else { self.agent(event, parts) }
    }

    /// Puts turns, spans and events into the session.
    pub(super) fn finish(self, session: &mut Session<'a>) {
        session.events = self.actions;
        session.incomplete = self.unfinished;
        self.transcript.finish_whole(session, None);
    }

    /// A user's event is a turn unless it holds nothing but responses (of a tool that ran long, or asked the user), or
    /// nothing at all (a change of the state).
    fn user(&mut self, event: Event<'a>, parts: Parts<'a>) -> Result<(), Problem> {
        let text = join(parts.texts).or_else(|| spoken(event.input_transcription));
        for response in parts.responses {
            self.respond(response);
        }
        if text.is_some() || parts.others > 0 {
            let start_ns = event.timestamp.as_ref().and_then(seconds_ns);
            let turn = self.transcript.user(text);
            turn.start_ns = start_ns;
            if parts.others > 0 {
                turn.attributes.push("attachments", Payload::raw_json(parts.others.to_string()));
            }
            if let Some(id) = event.invocation_id {
                turn.attributes.push("invocation_id", id);
            }
        }
        Ok(())
    }

    /// An event with an answer, a call, an error or a usage is a call of the model.
    fn agent(&mut self, mut event: Event<'a>, parts: Parts<'a>) -> Result<(), Problem> {
        let text = join(parts.texts).or_else(|| spoken(event.output_transcription.take()));
        let called = !parts.calls.is_empty() || !parts.codes.is_empty();
        let answered = text.is_some() || called || (parts.others > 0 && parts.results.is_empty());
        if answered || event.error_code.is_some() || event.usage_metadata.is_some() {
            let span = model_span(&mut event);
            self.transcript.assistant(span, text, called);
        }
        for call in parts.calls {
            let name = call.name.filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| malformed("a function call without a name"))?;
            let span = Span {
                kind: SpanKind::Tool,
                name,
                agent: Some(event.author.clone()),
                call_id: call.id,
                // Without arguments, the function is called with none.
                input: Some(call.args.unwrap_or(Payload::raw_json("{}"))),
                ..Span::default()
            };
            self.transcript.call(span);
        }
        for response in parts.responses {
            self.respond(response);
        }
        for code in parts.codes {
            self.run(code, &event.author);
        }
        for result in parts.results {
            self.ran(result);
        }
        Ok(())
    }

    fn respond(&mut self, response: FunctionResponse<'a>) {
        let FunctionResponse { id, name, response } = response;
        let error = response.as_ref().is_some_and(is_error);
        self.transcript.result(ToolResult { id, name, kind: SpanKind::Tool, output: response, error, end_ns: None });
    }

    fn run(&mut self, code: Code<'a>, author: &Text<'a>) {
        let agent = Some(author.clone());
        let mut span = Span { name: CODE.into(), agent, input: code.code, ..Span::default() };
        if let Some(language) = code.language {
            span.attributes.push("language", language);
        }
        self.transcript.call(span);
    }

    fn ran(&mut self, result: CodeResult<'a>) {
        let outcome = result.outcome.as_ref().map(Payload::as_str);
        let error = outcome.is_some_and(|o| o != "OUTCOME_OK" && o != "OUTCOME_UNSPECIFIED");
        self.transcript.result(ToolResult {
            id: None,
            name: Some(CODE.into()),
            kind: SpanKind::Other,
            output: result.output,
            error,
            end_ns: None,
        });
    }

    /// What an event does beside what it says: changes of the state, transfers to another agent.
    fn act(&mut self, event: &mut Event<'a>) {
        let time_ns = event.timestamp.as_ref().and_then(seconds_ns);
        for (name, value) in event.actions.take().unwrap_or_default().0 {
            let nothing = value.is_json() && matches!(value.as_str(), "null" | "false" | "{}" | "[]");
            if nothing {
                continue;
            }
            let mut attributes = Attributes::default();
            attributes.push("author", Payload::text(event.author.clone()));
            attributes.push("value", value);
            self.actions.push(model::Event { name: snake(name), time_ns, attributes });
        }
    }
}

/// The call of a model that an event records, without what it said.
fn model_span<'a>(event: &mut Event<'a>) -> Span<'a> {
    let finish = event.finish_reason.as_ref().map(Payload::as_str);
    let mut span = Span {
        kind: SpanKind::Llm,
        name: "generate_content".into(),
        agent: Some(event.author.clone()),
        model: event.model_version.take(),
        usage: event.usage_metadata.and_then(usage::read),
        status: match (&event.error_code, finish) {
            (Some(_), _) => SpanStatus::Error,
            (None, Some("STOP")) => SpanStatus::Ok,
            _ => SpanStatus::Unset,
        },
        ..Span::default()
    };
    if span.status == SpanStatus::Error {
        let message = event.error_message.take().or_else(|| event.error_code.clone());
        span.status_message = message.map(Payload::into_text);
    }
    let attributes = [
        ("event_id", event.id.take()),
        ("invocation_id", event.invocation_id.take()),
        ("timestamp", event.timestamp.take()),
        ("error_code", event.error_code.take()),
        ("error_message", event.error_message.take()),
        ("finish_reason", event.finish_reason.take()),
        ("branch", event.branch.take()),
        ("interrupted", event.interrupted.take()),
        ("long_running_tool_ids", event.long_running_tool_ids.take()),
        ("grounding_metadata", event.grounding_metadata.take()),
        ("custom_metadata", event.custom_metadata.take()),
    ];
    for (name, value) in attributes {
        if let Some(value) = value {
            span.attributes.push(name, value);
        }
    }
    span
}

fn split(content: Option<Content<'_>>) -> Parts<'_> {
    let mut out = Parts::default();
    for part in content.and_then(|c| c.parts).unwrap_or_default() {
        if let Some(call) = part.function_call {
            out.calls.push(call);
        } else if let Some(response) = part.function_response {
            out.responses.push(response);
        } else if let Some(code) = part.executable_code {
            out.codes.push(code);
        } else if let Some(result) = part.code_execution_result {
            out.results.push(result);
        } else {
            match part.text {
                Some(text) if part.thought != Some(true) => out.texts.push(text),
                _ => out.others += 1,
            }
        }
    }
    out
}

/// Texts as one, parts joined by a line break; `None` when there is none.
fn join(texts: Vec<Text<'_>>) -> Option<Text<'_>> {
    match texts.len() {
        0 | 1 => texts.into_iter().next(),
        _ => Some(texts.iter().map(Text::as_str).collect::<Vec<_>>().join("\n").into()),
    }
}

/// What was said, once it is all there.
fn spoken(transcription: Option<Transcription<'_>>) -> Option<Text<'_>> {
    transcription.filter(|t| t.finished != Some(false))?.text
}

/// Whether a function's response says that it failed: by the key that Gemini defines for it, by the status that ADK
/// recommends, or as an MCP tool does.
fn is_error(response: &Payload<'_>) -> bool {
    let Some(Value::Object(map)) = response.json() else { return false };
    let error = match map.get("error") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(_) => true,
    };
    let status = map.get("status").and_then(Value::as_str).is_some_and(|s| s.eq_ignore_ascii_case("error"));
    error || status || map.get("isError") == Some(&Value::Bool(true))
}

/// The snake_case of a key.
fn snake(name: Text<'_>) -> Text<'_> {
    if !name.bytes().any(|b| b.is_ascii_uppercase()) {
        return name;
    }
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out.into()
}

/// Nanoseconds since the epoch of a time: seconds with a fraction, read digit by digit (a float has too few of them),
/// or an ISO 8601 text. `None` when it is not a time that fits.
pub(super) fn seconds_ns(time: &Payload<'_>) -> Option<u64> {
    let text = time.as_str();
    if !time.is_json() {
        return iso_ns(text);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = &fraction[..fraction.len().min(9)];
    let nanos = format!("{digits:0<9}").parse::<u64>().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)
}
