//! Sessions that Google's Agent Development Kit recorded: `.session.json` files, what its API server answers, and the
//! results of `adk eval`.
//!
//! - [`session`]: what surrounds the events: ids, state, all that is kept as attributes.
//! - [`event`]: one event on the wire, and what it adds to the transcript.
//! - [`usage`]: token counts, which Gemini and other models behind it count differently.
//!
//! Eval sets are no recordings; they are read as cases (`suite/case_files/adk.rs`), and refused here with those words.

mod event;
mod session;
mod usage;

use super::peek::{Shape, shape};
use super::{Decode, Decoder, Format, Head, Layout, json_layout};
use crate::model::{LeftOut, Problem, Session};

/// The `adk` format.
pub struct Adk;

impl Format for Adk {
    fn name(&self) -> &'static str {
        "adk"
    }

    fn doc(&self) -> &'static str {
        "Sessions of Google's Agent Development Kit, as `adk run --save_session` and its API server write them \
         (snake_case or camelCase), one a file, one a line, or in one array, and those in the `.evalset_result.json` of \
         `adk eval`, where `eval_id` is the case. A turn starts at each event of the author \
         `user` that is not only function responses. Every other event with a text or a call is a call of a model; \
         its author is the span's agent, the app's name the session's. Calls and responses are paired by id, without \
         ids by name and order. A response with an `error`, `status = \"error\"` or `isError` is a tool error. \
         Thoughts are no reply, and code that the model ran is a span of kind `other`, not a tool call. \
         Single values of the session's state are attributes too, so that `[recorded] case = \"state.NAME\"` can name \
         the case. Events say when they were made, which for a model is before its answer in some versions and after \
         it in others: sessions and turns have a start, and no durations. An eval set is no recording: it is read by \
         `cases` in [suite]."
    }

    fn sniff(&self, head: &Head<'_>) -> Option<Layout> {
        let shape = shape(head);
        if is_eval_set(&shape) {
            return Some(Layout::Values);
        }
        let results = ["eval_case_results", "evalCaseResults"].into_iter().find(|key| shape.has_array(key));
        if let Some(stream) = results {
            return Some(Layout::Envelope { stream, headers: &[] });
        }
        looks_like_session(shape.element()).then(|| json_layout(head))
    }

    fn layout(&self, head: &Head<'_>) -> Layout {
        self.sniff(head).unwrap_or_else(|| json_layout(head))
    }

    fn decoder(&self, _headers: &[Option<Vec<u8>>]) -> Result<Decode, Problem> {
        Ok(Decode::sessions(SessionDecoder))
    }
}

fn looks_like_session(shape: &Shape) -> bool {
    let either = |snake: &str, camel: &str| shape.has(snake) || shape.has(camel);
    let event = shape.get("events").and_then(Shape::first);
    let events = event.is_some_and(|e| e.has("author") && (e.has("content") || e.has("actions")));
    // The state comes first, and the head may end within it.
    let owned = either("app_name", "appName") && either("user_id", "userId");
    events || (owned && (shape.has_array("events") || shape.has("state")))
}

/// Whether a file is an eval set: as it is written now, or one of the two older lists.
fn is_eval_set(shape: &Shape) -> bool {
    let turn = |s: &Shape| s.has("query") && s.has("expected_tool_use");
    let item = shape.first();
    shape.has_array("eval_cases")
        || shape.has_array("evalCases")
        || item.is_some_and(|i| turn(i) || (i.has("name") && i.get("data").and_then(Shape::first).is_some_and(turn)))
}

/// What is wrong with an eval set as a recording. An agent's session made of it would be one in which it did nothing.
fn eval_set() -> Problem {
    let message = "an eval set says what is expected and records no agent; read it with `cases = \"FILE\"` in [suite]";
    Problem::new(LeftOut::Malformed, message)
}

fn malformed(message: impl Into<String>) -> Problem {
    Problem::new(LeftOut::Malformed, message)
}

struct SessionDecoder;

impl Decoder for SessionDecoder {
    fn decode<'a>(&self, element: &'a [u8], index: u64, source: &str) -> Result<Session<'a>, Problem> {
        session::decode(element, index, source)
    }
}

#[cfg(test)]
mod tests;
