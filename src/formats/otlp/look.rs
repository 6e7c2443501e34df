//! What bytes look like: whether they are OTLP in protobuf, how its messages are framed, and what a record is.
//!
//! Protobuf says nothing of itself, so that only the shape tells: which field numbers and types occur where.

use super::protobuf::Signal;
use super::wire::{Field, Fields};
use crate::formats::Prefix;
use crate::formats::telemetry::id;

/// How the messages in a file's head are framed; `None` when they are not OTLP in protobuf.
pub(super) fn framing(head: &[u8]) -> Option<Prefix> {
    if shaped(head, Level::Request, false) == Shaped::Well {
        return Some(Prefix::None);
    }
    let framed = |body: &[u8], len: u64| {
        let part = usize::try_from(len).ok().and_then(|l| body.get(..l));
        len > 0 && shaped(part.unwrap_or(body), Level::Request, part.is_some()) == Shaped::Well
    };
    let fixed = head.split_first_chunk::<4>().map(|(len, body)| (u64::from(u32::from_be_bytes(*len)), body));
    let mut rest = head;
    let varint = prost::encoding::decode_varint(&mut rest).ok().map(|len| (len, rest));
    let both = [(Prefix::Fixed32, fixed), (Prefix::Varint, varint)];
    let likely = both.into_iter().filter_map(|(prefix, at)| {
        let (len, body) = at?;
        framed(body, len).then_some((len, prefix))
    });
    // The bytes of one kind of length, read as another, are a far larger one.
    likely.min_by_key(|(len, _)| *len).map(|(_, prefix)| prefix)
}

/// The messages that a request is made of, as far down as they are the same for all signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Request,
    /// `ResourceSpans`, `ResourceLogs`, `ResourceMetrics`.
    PerResource,
    Resource,
    /// `ScopeSpans`, `ScopeLogs`, `ScopeMetrics`.
    PerScope,
    Scope,
    Record,
    KeyValue,
    /// A string or a message that is not looked into.
    Leaf,
}

impl Level {
    /// What the field of this number holds; `None` when it may not be there.
    fn field(self, number: u32, field: &Field<'_>) -> Option<Self> {
        let bytes = matches!(field, Field::Bytes(_));
        let level = match (self, number) {
            (Self::Request, 1) => Self::PerResource,
            (Self::PerResource, 1) => Self::Resource,
            (Self::PerResource, 2) => Self::PerScope,
            (Self::Resource, 2) | (Self::Scope, 4) | (Self::KeyValue, 3) if !bytes => return Some(Self::Leaf),
            (Self::Resource, 1) | (Self::Scope, 3) => Self::KeyValue,
            (Self::PerScope, 1) => Self::Scope,
            (Self::PerScope, 2) => Self::Record,
            (Self::PerResource | Self::PerScope | Self::Resource, 3) | (Self::Scope | Self::KeyValue, 1 | 2) => {
                Self::Leaf
            }
            (Self::Record, 1..=20) => return Some(Self::Leaf),
            _ => return None,
        };
        bytes.then_some(level)
    }
}

/// What a look at bytes finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shaped {
    /// Not of the shape.
    Ill,
    /// Too short to tell.
    Empty,
    /// Of the shape.
    Well,
}

/// Whether a message has the shape of its level. One that is not `whole` may end anywhere.
fn shaped(bytes: &[u8], level: Level, whole: bool) -> Shaped {
    let mut found = Shaped::Empty;
    let mut fields = Fields::of(bytes);
    loop {
        let before = fields.left();
        let at = &bytes[bytes.len() - before..];
        let (number, field, whole_field) = match fields.next() {
            None => return found,
            Some(Ok((number, field))) => (number, field, true),
            Some(Err(_)) if whole => return Shaped::Ill,
            // What is cut off is looked at as far as it goes.
            Some(Err(_)) => match cut(at) {
                Some((number, part)) => (number, Field::Bytes(part), false),
                None if at.len() < 20 => return found,
                None => return Shaped::Ill,
            },
        };
        let Some(below) = level.field(number, &field) else { return Shaped::Ill };
        let inner = match (below, field) {
            (Level::Leaf, _) => Shaped::Well,
            (_, Field::Bytes(part)) => shaped(part, below, whole_field),
            _ => return Shaped::Ill,
        };
        match inner {
            Shaped::Ill => return Shaped::Ill,
            // One field that is all there proves more than any number that are not.
            Shaped::Well if whole_field || below != Level::Leaf => found = Shaped::Well,
            _ => {}
        }
        if !whole_field {
            return found;
        }
    }
}

/// The number and the beginning of a field of bytes that is cut off.
fn cut(mut bytes: &[u8]) -> Option<(u32, &[u8])> {
    use prost::encoding::{WireType, decode_key, decode_varint};
    let (number, wire_type) = decode_key(&mut bytes).ok()?;
    let len = decode_varint(&mut bytes).ok()?;
    (wire_type == WireType::LengthDelimited && len > bytes.len() as u64).then_some((number, bytes))
}

/// What a record is, by the fields that only one kind has; `None` when it has none of them.
pub(super) fn signal(record: &[u8]) -> Option<Signal> {
    let (mut first, mut second, mut inner) = (None, None, false);
    for (number, field) in Fields::of(record).flatten() {
        match (number, field) {
            (7 | 8, Field::Fixed64(_)) | (6, Field::Varint(_)) | (16, Field::Fixed32(_)) => return Some(Signal::Spans),
            (1 | 11, Field::Fixed64(_)) | (2 | 7, Field::Varint(_)) | (6, Field::Bytes(_)) | (8, Field::Fixed32(_)) => {
                return Some(Signal::Logs);
            }
            (7, Field::Bytes(_)) => return Some(Signal::Metrics),
            (1, Field::Bytes(bytes)) => first = Some(bytes),
            (2, Field::Bytes(bytes)) => second = Some(bytes),
            (5 | 9, Field::Bytes(_)) => inner = true,
            _ => {}
        }
    }
    // No time, no kind, no severity: what is left are the ids of a span against the name of a metric.
    let name = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(|b| (b' '..=b'~').contains(b));
    match (first, second) {
        (Some(first), _) if name(first) => Some(Signal::Metrics),
        (Some(first), second) if first.len() == id::TRACE || second.is_some_and(|s| s.len() == id::SPAN) => {
            Some(Signal::Spans)
        }
        (None, Some(second)) if second.len() == id::SPAN => Some(Signal::Spans),
        (None, None) if inner => Some(Signal::Logs),
        _ => None,
    }
}

#[cfg(test)]
#[path = "look_tests.rs"]
mod tests;
