//! Floor 1: from bytes to sessions, one file per trace format.
//!
//! A format's file knows how to recognise its files ([`Format::sniff`]), how elements lie in them ([`Layout`]) and how
//! to decode one element. Opening files, decompression and finding element boundaries are `sources/`.

pub mod adk;
pub mod agentcore;
pub mod chat;
pub mod deepeval;
pub mod jaeger;
pub mod langfuse;
pub mod otlp;
mod peek;
mod place;
mod row;
pub mod seatrial;
pub mod tau2_bench;
pub mod tau_bench;
pub mod telemetry;
mod transcript;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::IgnoredAny;

use self::telemetry::Sink;
use crate::model::json::Texts;
use crate::model::{LeftOut, Problem, Session};

/// Every format, in the order in which they are tried. Adding one is a file and a line here.
pub static FORMATS: &[&dyn Format] = &[
    &seatrial::Seatrial,
    &otlp::Otlp,
    &agentcore::AgentCore,
    &jaeger::Jaeger,
    &langfuse::Langfuse,
    &deepeval::DeepEval,
    &tau_bench::TauBench,
    &tau2_bench::Tau2Bench,
    &adk::Adk,
    &chat::Chat,
];

/// The format called `name`.
pub fn format(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|f| f.name() == name)
}

/// The first bytes of a file, from which its format is guessed.
pub struct Head<'h> {
    /// Where it was found; `-` for standard input.
    pub path: &'h Path,
    /// Up to 64 KiB from the start, decompressed.
    pub bytes: &'h [u8],
    /// Whether that is the whole file.
    pub whole: bool,
}

/// How the elements (sessions) of a file lie in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One JSON value a line; a damaged line is skipped at its end.
    Lines,
    /// One top-level JSON array of elements.
    Array,
    /// One JSON value is one session, possibly over many lines; several may follow each other.
    Values,
    /// A top-level object, one of whose keys holds an array of elements and others what they share.
    Envelope {
        /// The key of the array.
        stream: &'static str,
        /// Keys whose values every element needs; read before the first element, wherever they stand.
        headers: &'static [&'static str],
    },
    /// A top-level object, some of whose keys hold arrays of elements.
    Lists(&'static [&'static str]),
    /// Binary messages, as protobuf makes them, one after the other.
    Messages {
        /// What stands before each.
        prefix: Prefix,
        /// The byte that every message begins with. Where another stands, the length before it was wrong.
        tag: u8,
    },
}

/// How the length of a binary message is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// The file is one message; each of its top-level fields, with its tag and length, is a message of its own and an
    /// element.
    None,
    /// Four bytes, the most significant first, before each message.
    Fixed32,
    /// A number of variable length before each message.
    Varint,
}

/// A trace format.
pub trait Format: Sync {
    /// The name for `format = "..."`.
    fn name(&self) -> &'static str;
    /// What it reads, in a sentence or two of Markdown.
    fn doc(&self) -> &'static str;
    /// How the file lies, when its head looks like this format; `None` when it does not.
    fn sniff(&self, head: &Head<'_>) -> Option<Layout>;
    /// How a file lies that the user says is of this format, whatever it looks like.
    fn layout(&self, head: &Head<'_>) -> Layout;
    /// Another file whose headers the elements of this one need (tau2-bench keeps tasks in `results.json`).
    fn companion(&self, _path: &Path) -> Option<PathBuf> {
        None
    }
    /// A decoder for a file. `headers` holds the raw JSON of the keys that its [`Layout::Envelope`] (or its
    /// companion's) asked for, in that order; `None` for a key that is not there.
    fn decoder(&self, headers: &[Option<Vec<u8>>]) -> Result<Decode, Problem>;
}

/// How the elements of a file are decoded.
#[derive(Clone)]
pub enum Decode {
    /// Every element is a session.
    Sessions(Arc<dyn Decoder>),
    /// Every element holds records of telemetry, whose sessions lie scattered over the elements and files.
    Records(Arc<dyn RecordDecoder>),
}

impl Decode {
    /// Elements that are sessions.
    pub fn sessions(decoder: impl Decoder + 'static) -> Self {
        Self::Sessions(Arc::new(decoder))
    }

    /// Elements that hold records.
    pub fn records(decoder: impl RecordDecoder + 'static) -> Self {
        Self::Records(Arc::new(decoder))
    }

    /// Decodes an element that is a session; a problem where elements are none. The arguments are those of
    /// [`Decoder::decode`].
    pub fn decode<'a>(&self, element: &'a [u8], index: u64, source: &str) -> Result<Session<'a>, Problem> {
        self.decoder()?.decode(element, index, source)
    }

    /// As [`Decode::decode`]; see [`Decoder::decode_in`].
    pub fn decode_in<'a>(
        &self,
        element: &'a [u8],
        texts: &'a Texts,
        index: u64,
        source: &str,
    ) -> Result<Session<'a>, Problem> {
        self.decoder()?.decode_in(element, texts, index, source)
    }

    fn decoder(&self) -> Result<&dyn Decoder, Problem> {
        match self {
            Self::Sessions(decoder) => Ok(&**decoder),
            Self::Records(_) => {
                let message = "spans and log records, which are no session before they are put together";
                Err(Problem::new(LeftOut::Malformed, message))
            }
        }
    }
}

/// Decodes the elements of one file. Pure; used by several threads at once.
pub trait Decoder: Send + Sync {
    /// Decodes one element. `index` is its position in the file, from 0, for sessions that carry no id; `source` is the
    /// file's name without folders and extensions, for the same purpose.
    fn decode<'a>(&self, element: &'a [u8], index: u64, source: &str) -> Result<Session<'a>, Problem>;

    /// The same, with a place for the texts that do not stand in the element as they are. A format that is read much uses
    /// it.
    fn decode_in<'a>(
        &self,
        element: &'a [u8],
        _texts: &'a Texts,
        index: u64,
        source: &str,
    ) -> Result<Session<'a>, Problem> {
        self.decode(element, index, source)
    }
}

/// Decodes the elements of one file of telemetry, whose sessions lie scattered over them. Pure; used by several threads
/// at once.
pub trait RecordDecoder: Send + Sync {
    /// Hands every record of an element to the sink. `Err` says why the rest of the element could not be used; what was
    /// handed over before is.
    fn records<'a>(&self, element: &'a [u8], sink: &mut dyn Sink<'a>) -> Result<(), Problem>;
}

/// The JSON layout that a head suggests: an array, JSON lines, or one value after another.
pub fn json_layout(head: &Head<'_>) -> Layout {
    let text = head.bytes.trim_ascii_start();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    if text.first() == Some(&b'[') {
        return Layout::Array;
    }
    // A first line that is a complete value makes JSON lines; one that is cut off by the head is taken for a line too
    // when it holds no newline at all.
    let end = memchr::memchr(b'\n', text);
    let line = end.map_or(text, |e| &text[..e]).trim_ascii_end();
    let complete = serde_json::from_slice::<IgnoredAny>(line).is_ok();
    if complete || (end.is_none() && !head.whole) {
        return Layout::Lines;
    }
    // A first line that cannot be the beginning of a longer value is a damaged line, and the next may be a good one.
    let first = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>().next();
    let damaged = matches!(first, Some(Err(e)) if !e.is_eof());
    if damaged { Layout::Lines } else { Layout::Values }
}

#[cfg(test)]
mod tests;
