//! Message transcripts: OpenAI chat and Responses, Anthropic, and LangChain in its three spellings.
//!
//! - [`session`]: what surrounds the messages: ids, metadata, instructions.
//! - [`message`]: one message on the wire, whatever wrote it, and what it adds to the transcript.
//! - [`call`]: a tool call in any spelling.
//! - [`responses`]: the items of OpenAI's Responses API that are not messages.
//! - [`usage`]: token counts, which every provider counts its own way.

mod call;
mod message;
mod responses;
mod session;
pub mod usage;

use super::peek::{Shape, shape};
use super::{Decode, Decoder, Format, Head, Layout, json_layout};
use crate::model::{Problem, Session};

/// The `chat` format.
pub struct Chat;

impl Format for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn doc(&self) -> &'static str {
        "Message transcripts: OpenAI chat completions and Responses items, Anthropic messages, LangChain messages \
         (plain, `messages_to_dict`, and serialised constructors). A session is an object with `messages` (or with \
         `input` and `output` items), or a bare array of messages. They lie one session a line, in one array, or one \
         session a file. Beside the messages, `id` (or `session_id`, `conversation_id`, `thread_id`), `case`, `trial`, \
         `agent`, `version`, `user`, `tags`, `system`, `model`, `usage`, `reward`, `rating`, `escalated`, `state`, \
         `initial_state`, `reference`, `start_time` and `end_time` are understood, also within `metadata` where they \
         name something; every other key becomes an attribute of the session. Reasoning is not part of a reply."
    }

    fn sniff(&self, head: &Head<'_>) -> Option<Layout> {
        let shape = shape(head);
        let bare = message_list(&shape);
        let element = shape.element();
        (bare || message_list(element) || looks_like_session(element)).then(|| layout_of(&shape, head))
    }

    fn layout(&self, head: &Head<'_>) -> Layout {
        layout_of(&shape(head), head)
    }

    fn decoder(&self, _headers: &[Option<Vec<u8>>]) -> Result<Decode, Problem> {
        Ok(Decode::sessions(ChatDecoder))
    }
}

/// A bare array of messages is one session and not an array of sessions.
fn layout_of(shape: &Shape, head: &Head<'_>) -> Layout {
    if !message_list(shape) {
        return json_layout(head);
    }
    let text = head.bytes.trim_ascii_start();
    let line = memchr::memchr(b'\n', text).map(|end| &text[..end]);
    let complete = line.is_some_and(|l| serde_json::from_slice::<serde::de::IgnoredAny>(l).is_ok());
    if complete { Layout::Lines } else { Layout::Values }
}

fn message_list(shape: &Shape) -> bool {
    shape.first().is_some_and(looks_like_message)
}

fn looks_like_message(shape: &Shape) -> bool {
    let role = shape.text("role").is_some_and(|r| message::Who::of_role(r).is_some());
    let body = ["content", "tool_calls", "function_call"].iter().any(|k| shape.has(k));
    let kind = shape.text("type").unwrap_or_default();
    let langchain = message::Who::of_type(kind).is_some() && (shape.has("content") || shape.has("data"));
    let constructor = shape.has("lc") && shape.has("kwargs");
    (role && body) || langchain || constructor || responses::is_item(kind)
}

fn looks_like_session(shape: &Shape) -> bool {
    if shape.has("seatrial") || shape.has("traj") || (shape.has("task_id") && shape.has("termination_reason")) {
        return false;
    }
    let list = |key: &str| match shape.get(key) {
        Some(Shape::Array(None)) => true,
        Some(list) => message_list(list),
        None => false,
    };
    let items =
        shape.get("output").is_some_and(|o| o.first().and_then(|i| i.text("type")).is_some_and(responses::is_item));
    list("messages") || items || (shape.text("object") == Some("response") && shape.has_array("output"))
}

struct ChatDecoder;

impl Decoder for ChatDecoder {
    fn decode<'a>(&self, element: &'a [u8], index: u64, source: &str) -> Result<Session<'a>, Problem> {
        session::decode(element, index, source)
    }
}

#[cfg(test)]
mod tests;
