//! Items of OpenAI's Responses API that are no messages: calls, their outputs, reasoning.

use super::message::{Message, Reader, malformed, time};
use crate::formats::transcript::ToolResult;
use crate::formats::wire::flatten;
use crate::model::{Payload, Problem, Span, SpanKind, SpanStatus, Text};

/// Calls whose output comes back as an item of its own.
const ANSWERED_LATER: &[&str] =
    &["function_call", "custom_tool_call", "local_shell_call", "shell_call", "computer_call", "apply_patch_call"];

/// Calls that the provider runs itself; the result is part of the item.
const ANSWERED_WITHIN: &[&str] =
    &["mcp_call", "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"];

/// Whether `kind` is the type of an item that only the Responses API has.
pub(super) fn is_item(kind: &str) -> bool {
    let output = kind.strip_suffix("_output").is_some_and(|call| ANSWERED_LATER.contains(&call));
    matches!(kind, "message" | "reasoning")
        || ANSWERED_LATER.contains(&kind)
        || ANSWERED_WITHIN.contains(&kind)
        || output
}

/// Adds an item. Items between two inputs come from one model call, which is one span before them.
pub(super) fn add<'a>(reader: &mut Reader<'a>, mut item: Message<'a>) -> Result<(), Problem> {
    let kind = item.kind.clone().unwrap_or_default();
    let end_ns = time(item.timestamp.as_ref());
    match kind.as_str() {
        "reasoning" => begin(reader, &item, end_ns),
        k if ANSWERED_LATER.contains(&k) => {
            begin(reader, &item, end_ns);
            let span = call_span(&mut item, &kind)?;
            reader.transcript.call(span);
        }
        k if ANSWERED_WITHIN.contains(&k) => {
            begin(reader, &item, end_ns);
            let mut span = call_span(&mut item, &kind)?;
            set_result(&mut span, item, end_ns);
            reader.transcript.push(span);
        }
        k if is_item(k) => {
            reader.run = None;
            reader.transcript.result(ToolResult {
                id: id(&item),
                name: item.name,
                kind: SpanKind::Tool,
                output: item.output.map(flatten),
                error: item.status.as_deref() == Some("failed"),
                end_ns,
            });
        }
        // Anything else is kept by name, so that it shows that it was there.
        _ => {
            reader.transcript.push(Span { name: kind, ..Span::default() });
        }
    }
    Ok(())
}

/// Makes sure that a model call is going on.
fn begin<'a>(reader: &mut Reader<'a>, item: &Message<'a>, end_ns: Option<u64>) {
    if reader.run.is_none() {
        let span = reader.model_span(item, end_ns);
        reader.run = Some(reader.transcript.push(span));
    }
}

/// `call_id` pairs a call with its output; `id` is the item's own, and stands in where there is no other.
fn id<'a>(item: &Message<'a>) -> Option<Text<'a>> {
    let own = || item.id.clone().filter(|i| !i.is_json()).map(Payload::into_text);
    item.call_id.clone().map(|i| i.0).or_else(own)
}

/// The span of a call, without its result.
fn call_span<'a>(item: &mut Message<'a>, kind: &str) -> Result<Span<'a>, Problem> {
    let name = match item.name.take() {
        Some(name) => name,
        None if matches!(kind, "function_call" | "custom_tool_call" | "mcp_call") => {
            return Err(malformed(format!("a `{kind}` without a name")));
        }
        None => kind.strip_suffix("_call").unwrap_or(kind).to_owned().into(),
    };
    let mut input = item.arguments.take();
    for other in [&mut item.input, &mut item.action, &mut item.queries, &mut item.code] {
        input = input.or(other.take());
    }
    Ok(Span { kind: SpanKind::Tool, name, call_id: id(item), input, ..Span::default() })
}

/// Sets the result that stands in the call's own item. Without any, the item does not say how the call ended.
fn set_result<'a>(span: &mut Span<'a>, item: Message<'a>, end_ns: Option<u64>) {
    let status = item.status.as_deref();
    let error = item.error.map(flatten);
    span.end_ns = end_ns;
    span.output = error.clone().or(item.output).or(item.results).or(item.outputs).map(flatten);
    if error.is_some() || status == Some("failed") {
        span.status = SpanStatus::Error;
        span.status_message = error.map(Payload::into_text);
    } else if span.output.is_some() || status == Some("completed") {
        span.status = SpanStatus::Ok;
    }
}
