//! seatrial's own format: JSON lines, one session a line, the serde form of [`Session`]. It loses nothing that the
//! model holds, and it is what `import` writes and what one writes by hand.

use std::io;

use serde::{Deserialize, Serialize};

use super::peek::{Shape, shape};
use super::{Decode, Decoder, Format, Head, Layout, json_layout, wire};
use crate::model::json::{self, Texts};
use crate::model::{LeftOut, Problem, Session};

/// The version of the format that this build writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// Keys that a session can have; a file without a version is recognised by having no other.
const KEYS: &[&str] = &[
    "seatrial",
    "id",
    "case",
    "trial",
    "agent",
    "version",
    "user",
    "tags",
    "instructions",
    "start_ns",
    "end_ns",
    "spans",
    "turns",
    "reference",
    "initial_state",
    "state",
    "reward",
    "rating",
    "escalated",
    "events",
    "failure",
    "incomplete",
    "notes",
    "attributes",
    "redacted",
];

/// The `seatrial` format.
pub struct Seatrial;

impl Format for Seatrial {
    fn name(&self) -> &'static str {
        "seatrial"
    }

    fn doc(&self) -> &'static str {
        "seatrial's own JSON lines: one session a line with its `turns` and their `spans`, lossless. `seatrial import` \
         writes it from any other format; lines written by hand may leave out the version (`\"seatrial\": 1`). Only a \
         session's `id` and a span's `kind` and `name` are required; an unknown key is a mistake. A session has `id`, \
         `case` and `trial` (texts or whole numbers), `agent`, `version`, `user`, `tags`, `instructions`, `turns`, `spans` (outside of \
         turns), `reference`, `initial_state` and `state` (JSON), `reward` and `rating` (numbers), `escalated` (true or \
         false), `events`, `failure` ({ kind, message }: it broke, and not by the agent's fault), `incomplete`, `notes`, \
         `attributes` and `redacted` (pointers to the fields that redaction changed, each with the rules that did). A turn has `user`, `spans`, `reply`, `reference`, `closing` (no reply was due), `trace_id` \
         and `attributes`. A span has `kind` (agent, llm, tool, retrieval, memory, guardrail or other), `name`, `input`, \
         `output`, `status` (ok, error or unset), `status_message`, `id`, `parent`, `call_id`, `agent`, `model`, `usage` \
         ({ input, output, cache_read, cache_write, reasoning }), `cost_usd`, `events` ({ name, time_ns, attributes }) \
         and `attributes`. Each of the three has `start_ns` and `end_ns`, in nanoseconds since 1970; a turn and a span \
         have `ttft_ns`, how long the first token took. A reference is { tools, answer, facts, state }."
    }

    fn sniff(&self, head: &Head<'_>) -> Option<Layout> {
        let shape = shape(head);
        looks_like_session(shape.element()).then(|| json_layout(head))
    }

    fn layout(&self, head: &Head<'_>) -> Layout {
        json_layout(head)
    }

    fn decoder(&self, _headers: &[Option<Vec<u8>>]) -> Result<Decode, Problem> {
        Ok(Decode::sessions(SessionDecoder))
    }
}

fn looks_like_session(shape: &Shape) -> bool {
    if shape.has("seatrial") {
        return matches!(shape.get("seatrial"), Some(Shape::Other)) || shape.has("turns");
    }
    shape.has("id")
        && (shape.has_array("turns") || shape.has_array("spans"))
        && shape.keys().all(|key| KEYS.contains(&key))
}

struct SessionDecoder;

#[derive(Deserialize)]
struct Versioned {
    seatrial: u64,
}

impl Decoder for SessionDecoder {
    fn decode<'a>(&self, element: &'a [u8], _index: u64, _source: &str) -> Result<Session<'a>, Problem> {
        Self::read_by_us(element, wire::parse(element))
    }

    fn decode_in<'a>(
        &self,
        element: &'a [u8],
        texts: &'a Texts,
        _index: u64,
        _source: &str,
    ) -> Result<Session<'a>, Problem> {
        Self::read_by_us(element, wire::parse_in(element, texts))
    }
}

impl SessionDecoder {
    /// What was parsed, where it is of a version that this one reads.
    fn read_by_us<'a>(element: &[u8], parsed: Result<Session<'a>, Problem>) -> Result<Session<'a>, Problem> {
        // A newer version may hold fields that this one does not know: its version is the better explanation.
        let newer = |v: u64| {
            let message = format!("version {v} of the format, written by a newer seatrial; this one reads {VERSION}");
            Problem::new(LeftOut::Malformed, message)
        };
        match parsed {
            Ok(session) => match session.schema {
                Some(v) if v > VERSION => Err(newer(v.into())),
                Some(0) => Err(Problem::new(LeftOut::Malformed, "version 0 of the format, which there is not")),
                _ => Ok(session),
            },
            Err(problem) => match wire::parse::<Versioned>(element) {
                Ok(v) if v.seatrial > VERSION.into() => Err(newer(v.seatrial)),
                _ => Err(problem),
            },
        }
    }
}

/// Writes a session as one line, with the format's version first.
///
/// # Errors
/// What `out` returns; and `InvalidData` for a payload that claims to be JSON and is not.
pub fn write(session: &Session<'_>, out: &mut impl io::Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'s, 'a> {
        seatrial: u32,
        #[serde(flatten)]
        session: &'s Session<'a>,
    }
    let mut line = match session.schema {
        Some(VERSION) => json::to_vec(session)?,
        None => json::to_vec(&Line { seatrial: VERSION, session })?,
        Some(_) => json::to_vec(&Session { schema: Some(VERSION), ..session.clone() })?,
    };
    // Payloads are written as they were recorded, line breaks between their tokens included. Inside of JSON strings
    // there are none: they are escaped there.
    let mut from = 0;
    while let Some(at) = memchr::memchr2(b'\n', b'\r', &line[from..]) {
        line[from + at] = b' ';
        from += at + 1;
    }
    line.push(b'\n');
    out.write_all(&line)
}

#[cfg(test)]
#[path = "seatrial_tests.rs"]
mod tests;
