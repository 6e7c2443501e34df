//! What could not be read or used, counted by reason and named by place.

use serde::{Deserialize, Serialize};

/// Why a recorded thing was left out of the evaluation. The names are keys of `summary.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// The file or element ends before it is complete.
    Truncated,
    /// The bytes are not what the format says (not JSON, not UTF-8, wrong shape).
    Malformed,
    /// No format recognises the file.
    UnknownFormat,
    /// One element is larger than the limit.
    TooLarge,
    /// Nested deeper than the limit.
    TooDeep,
    /// A compressed file that expands beyond the limit.
    Bomb,
    /// The file could not be opened or read.
    Unreadable,
    /// The file has no content.
    Empty,
    /// The same session was already read.
    Duplicate,
    /// The session's case is not one of the declared ones.
    UnknownCase,
    /// Older than `max_age`, or of unknown age (no time, or one in the future) where an age is asked for.
    Stale,
    /// Telemetry that names neither a trace nor a session.
    Unassigned,
    /// Taken out by `--filter`. Never counts against the gate.
    Filtered,
}

impl LeftOut {
    /// The key in records and summaries.
    pub const fn name(self) -> &'static str {
        match self {
            LeftOut::Truncated => "truncated",
            LeftOut::Malformed => "malformed",
            LeftOut::UnknownFormat => "unknown_format",
            LeftOut::TooLarge => "too_large",
            LeftOut::TooDeep => "too_deep",
            LeftOut::Bomb => "bomb",
            LeftOut::Unreadable => "unreadable",
            LeftOut::Empty => "empty",
            LeftOut::Duplicate => "duplicate",
            LeftOut::UnknownCase => "unknown_case",
            LeftOut::Stale => "stale",
            LeftOut::Unassigned => "unassigned",
            LeftOut::Filtered => "filtered",
        }
    }
}

/// One thing that was left out, with where it was and what was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The kind, which is also how it is counted.
    pub kind: LeftOut,
    /// What was wrong, in plain words, without the place.
    pub message: String,
    /// Byte offset in the (decompressed) file, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The line, from 1, where every line is an element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl Problem {
    /// A problem without a known offset.
    pub fn new(kind: LeftOut, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), offset: None, line: None }
    }

    /// Adds the byte offset.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }
}
