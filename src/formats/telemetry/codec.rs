//! Records as bytes, while they wait for the rest of their session: compact, self-contained, borrowed when read back.
//!
//! A stored record is its length, where it stood in the input, its origin, then its fields in a fixed order. An origin
//! without bytes is that of the record before, so that thousands of spans of one process do not each repeat it. Lengths
//! and numbers are LEB128. The form never outlives the process, so it has no version.

mod cursor;
mod fields;

use std::ops::Range;

use self::cursor::Cursor;
use self::fields::{put_bytes, put_log, put_pairs, put_span, put_text};
use super::{EventRecord, LogRecord, Origin, Record, Side, SpanRecord};
use crate::model::{SpanStatus, Text};

/// Where a record stood in the input: what arrives later is larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// Index of the file.
    pub file: u32,
    /// Index of the element in the file.
    pub element: u64,
    /// Index of the record in the element.
    pub position: u32,
}

/// A record read back: what it takes to sort it, and the rest undecoded.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// Where it stood in the input.
    pub place: Place,
    /// Its origin, encoded; equal bytes are equal origins.
    pub origin: &'a [u8],
    /// The trace it belongs to; empty when a log record names none.
    pub trace: &'a str,
    /// The span it is or belongs to; empty when a log record names none.
    pub span: &'a str,
    /// Whether it is a span.
    pub is_span: bool,
    /// Everything behind the origin.
    pub tail: &'a [u8],
    rest: &'a [u8],
}

/// Deepest nesting of attribute values that is kept; deeper ones become `null`.
const MAX_DEPTH: usize = 64;

/// Appends an origin in the form that [`encode`] takes.
pub fn encode_origin(origin: &Origin<'_>, out: &mut Vec<u8>) {
    put_text(out, &origin.scope);
    put_text(out, &origin.version);
    put_pairs(out, &origin.resource, 0);
}

/// Reads an origin back; `None` for bytes that are none.
pub fn decode_origin(bytes: &[u8]) -> Option<Origin<'_>> {
    let mut c = Cursor(bytes);
    Some(Origin { scope: c.text()?, version: c.text()?, resource: c.pairs(0)? })
}

/// Appends a record. Without `origin`, it is that of the record before. Returns where in `out` the origin stands, and
/// what is behind it.
pub fn encode(record: &Record<'_>, origin: &[u8], place: Place, out: &mut Vec<u8>) -> (Range<usize>, Range<usize>) {
    let (start, origin) = begin(origin, place, out);
    match record {
        Record::Span(span) => put_span(out, span),
        Record::Log(log) => put_log(out, log),
    }
    end(start, out);
    let tail = origin.end..out.len();
    (origin, tail)
}

/// Appends a record of which the parts are known: the bytes of its origin, which may be left out where it is that of the
/// record before, and those behind it. Returns where in `out` the origin stands.
pub fn put(place: Place, origin: &[u8], tail: &[u8], out: &mut Vec<u8>) -> Range<usize> {
    let (start, origin) = begin(origin, place, out);
    out.extend_from_slice(tail);
    end(start, out);
    origin
}

/// Appends a record's beginning; where it stands, and where its origin does.
fn begin(origin: &[u8], place: Place, out: &mut Vec<u8>) -> (usize, Range<usize>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&place.file.to_le_bytes());
    out.extend_from_slice(&place.element.to_le_bytes());
    out.extend_from_slice(&place.position.to_le_bytes());
    put_bytes(out, origin);
    (start, out.len() - origin.len()..out.len())
}

/// Closes the record that begins at `start`.
fn end(start: usize, out: &mut [u8]) {
    // An element is far smaller than 4 GiB, and so is what it holds; a length that did not fit would end the reading.
    let len = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
}

/// Reads records back, one after the other, until the bytes end.
pub fn stored(mut bytes: &[u8]) -> impl Iterator<Item = (Stored<'_>, &[u8])> {
    let mut last: &[u8] = &[];
    std::iter::from_fn(move || {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        let len = u32::from_le_bytes(*len) as usize;
        let (body, after) = rest.split_at_checked(len)?;
        let whole = &bytes[..4 + len];
        bytes = after;
        let stored = head(body, last)?;
        last = stored.origin;
        Some((stored, whole))
    })
}

/// How many records there are.
pub fn count(mut bytes: &[u8]) -> usize {
    let next = || {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        bytes = rest.get(u32::from_le_bytes(*len) as usize..)?;
        Some(())
    };
    std::iter::from_fn(next).count()
}

fn head<'a>(body: &'a [u8], last: &'a [u8]) -> Option<Stored<'a>> {
    let mut c = Cursor(body);
    let place = Place {
        file: u32::from_le_bytes(c.array()?),
        element: u64::from_le_bytes(c.array()?),
        position: u32::from_le_bytes(c.array()?),
    };
    let origin = c.bytes()?;
    Stored::new(place, if origin.is_empty() { last } else { origin }, c.0)
}

impl<'a> Stored<'a> {
    /// What the record says beyond its trace, span and origin, encoded; equal bytes say the same.
    pub fn content(&self) -> &'a [u8] {
        self.rest
    }

    /// A record from its parts: the bytes of its origin, and those behind it.
    pub fn new(place: Place, origin: &'a [u8], tail: &'a [u8]) -> Option<Self> {
        let mut c = Cursor(tail);
        let is_span = c.byte()? == 1;
        let (trace, span) = (c.str()?, c.str()?);
        Some(Stored { place, origin, trace, span, is_span, tail, rest: c.0 })
    }

    /// Appends the record; without its origin where the record before has the same. Returns where in `out` the origin
    /// stands.
    pub fn put(&self, with_origin: bool, out: &mut Vec<u8>) -> Range<usize> {
        put(self.place, if with_origin { self.origin } else { &[] }, self.tail, out)
    }

    /// The whole record; `None` for bytes that are none.
    pub fn decode(&self) -> Option<Record<'a>> {
        let mut c = Cursor(self.rest);
        if self.is_span { self.span(&mut c).map(Record::Span) } else { self.log(&mut c).map(Record::Log) }
    }

    fn span(&self, c: &mut Cursor<'a>) -> Option<SpanRecord<'a>> {
        let parent = c.text()?;
        let name = c.text()?;
        let side = Side::from_number(i64::from(c.byte()?));
        let (start_ns, end_ns) = (c.time()?, c.time()?);
        let status = match c.byte()? {
            1 => SpanStatus::Ok,
            2 => SpanStatus::Error,
            _ => SpanStatus::Unset,
        };
        let status_message = c.optional()?;
        let attributes = c.pairs(0)?;
        let count = c.number()?;
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(EventRecord { name: c.text()?, time_ns: c.time()?, attributes: c.pairs(0)? });
        }
        let count = c.number()?;
        let mut links = Vec::new();
        for _ in 0..count {
            links.push((c.text()?, c.text()?));
        }
        Some(SpanRecord {
            trace: self.trace.into(),
            id: self.span.into(),
            parent: (!parent.is_empty()).then_some(parent),
            name,
            side,
            start_ns,
            end_ns,
            status,
            status_message,
            attributes,
            events,
            links,
            dropped: u32::try_from(c.number()?).ok()?,
        })
    }

    fn log(&self, c: &mut Cursor<'a>) -> Option<LogRecord<'a>> {
        let named = |s: &'a str| (!s.is_empty()).then(|| Text::borrowed(s));
        Some(LogRecord {
            trace: named(self.trace),
            span: named(self.span),
            time_ns: c.time()?,
            name: c.text()?,
            body: if c.byte()? == 1 { Some(c.value(0)?) } else { None },
            attributes: c.pairs(0)?,
        })
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
