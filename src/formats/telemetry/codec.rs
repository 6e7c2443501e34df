//! Records as bytes, while they wait for the rest of their session: compact, self-contained, borrowed when read back.
//!
//! A stored record is its length, where it stood in the input, its origin, then its fields in a fixed order. An origin
//! without bytes is that of the record before, so that thousands of spans of one process do not each repeat it. Lengths
//! and numbers are LEB128. The form never outlives the process, so it has no version.

use std::borrow::Cow;
use std::ops::Range;

use super::{EventRecord, LogRecord, Origin, Pairs, Record, Side, SpanRecord, Value};
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

/// Appends a record. Without `origin`, it is that of the record before.
pub fn encode(record: &Record<'_>, origin: &[u8], place: Place, out: &mut Vec<u8>) {
    let start = begin(origin, place, out).0;
    match record {
        Record::Span(span) => put_span(out, span),
        Record::Log(log) => put_log(out, log),
    }
    end(start, out);
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
        let (start, origin) = begin(if with_origin { self.origin } else { &[] }, self.place, out);
        out.extend_from_slice(self.tail);
        end(start, out);
        origin
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

fn put_span(out: &mut Vec<u8>, span: &SpanRecord<'_>) {
    out.push(1);
    put_text(out, &span.trace);
    put_text(out, &span.id);
    put_text(out, span.parent.as_deref().unwrap_or_default());
    put_text(out, &span.name);
    out.push(span.side as u8);
    put_time(out, span.start_ns);
    put_time(out, span.end_ns);
    out.push(match span.status {
        SpanStatus::Unset => 0,
        SpanStatus::Ok => 1,
        SpanStatus::Error => 2,
    });
    put_optional(out, span.status_message.as_deref());
    put_pairs(out, &span.attributes, 0);
    put_number(out, span.events.len() as u64);
    for event in &span.events {
        put_text(out, &event.name);
        put_time(out, event.time_ns);
        put_pairs(out, &event.attributes, 0);
    }
    put_number(out, span.links.len() as u64);
    for (trace, span) in &span.links {
        put_text(out, trace);
        put_text(out, span);
    }
    put_number(out, u64::from(span.dropped));
}

fn put_log(out: &mut Vec<u8>, log: &LogRecord<'_>) {
    out.push(0);
    put_text(out, log.trace.as_deref().unwrap_or_default());
    put_text(out, log.span.as_deref().unwrap_or_default());
    put_time(out, log.time_ns);
    put_text(out, &log.name);
    out.push(u8::from(log.body.is_some()));
    if let Some(body) = &log.body {
        put_value(out, body, 0);
    }
    put_pairs(out, &log.attributes, 0);
}

fn put_number(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

/// An absent text is 0, a present one its length plus one.
fn put_optional(out: &mut Vec<u8>, text: Option<&str>) {
    put_number(out, text.map_or(0, |t| t.len() as u64 + 1));
    out.extend_from_slice(text.unwrap_or_default().as_bytes());
}

/// A time of 0 is none, as in OTLP.
fn put_time(out: &mut Vec<u8>, time: Option<u64>) {
    out.extend_from_slice(&time.unwrap_or(0).to_le_bytes());
}

fn put_pairs(out: &mut Vec<u8>, pairs: &Pairs<'_>, depth: usize) {
    put_number(out, pairs.len() as u64);
    for (name, value) in pairs {
        put_text(out, name);
        put_value(out, value, depth);
    }
}

fn put_value(out: &mut Vec<u8>, value: &Value<'_>, depth: usize) {
    match value {
        Value::Bool(b) => out.extend_from_slice(&[1, u8::from(*b)]),
        Value::Int(n) => {
            out.push(2);
            out.extend_from_slice(&n.to_le_bytes());
        }
        Value::Double(d) => {
            out.push(3);
            out.extend_from_slice(&d.to_bits().to_le_bytes());
        }
        Value::Text(t) => {
            out.push(4);
            put_text(out, t);
        }
        Value::Bytes(b) => {
            out.push(5);
            put_bytes(out, b);
        }
        Value::Array(values) if depth < MAX_DEPTH => {
            out.push(6);
            put_number(out, values.len() as u64);
            for value in values {
                put_value(out, value, depth + 1);
            }
        }
        Value::Map(pairs) if depth < MAX_DEPTH => {
            out.push(7);
            put_pairs(out, pairs, depth + 1);
        }
        Value::Null | Value::Array(_) | Value::Map(_) => out.push(0),
    }
}

/// Reads fields one after the other; `None` at the first that is not there.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }

    fn number(&mut self) -> Option<u64> {
        let (mut n, mut shift) = (0u64, 0u32);
        loop {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(n);
            }
            shift += 7;
        }
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        self.take(len)
    }

    fn str(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    fn text(&mut self) -> Option<Text<'a>> {
        self.str().map(Text::borrowed)
    }

    fn optional(&mut self) -> Option<Option<Text<'a>>> {
        let Some(len) = self.number()?.checked_sub(1) else { return Some(None) };
        let bytes = self.take(usize::try_from(len).ok()?)?;
        std::str::from_utf8(bytes).ok().map(|s| Some(Text::borrowed(s)))
    }

    fn time(&mut self) -> Option<Option<u64>> {
        let time = u64::from_le_bytes(self.array()?);
        Some((time != 0).then_some(time))
    }

    fn pairs(&mut self, depth: usize) -> Option<Pairs<'a>> {
        let count = self.number()?;
        // Every pair takes two bytes at least, so that a made-up count cannot reserve more than there is.
        let mut pairs = Vec::with_capacity(usize::try_from(count).ok()?.min(self.0.len() / 2));
        for _ in 0..count {
            pairs.push((self.text()?, self.value(depth)?));
        }
        Some(pairs)
    }

    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        Some(match self.byte()? {
            0 => Value::Null,
            1 => Value::Bool(self.byte()? == 1),
            2 => Value::Int(i64::from_le_bytes(self.array()?)),
            3 => Value::Double(f64::from_bits(u64::from_le_bytes(self.array()?))),
            4 => Value::Text(self.text()?),
            5 => Value::Bytes(Cow::Borrowed(self.bytes()?)),
            6 if depth < MAX_DEPTH => {
                let count = self.number()?;
                let mut values = Vec::with_capacity(usize::try_from(count).ok()?.min(self.0.len()));
                for _ in 0..count {
                    values.push(self.value(depth + 1)?);
                }
                Value::Array(values)
            }
            7 if depth < MAX_DEPTH => Value::Map(self.pairs(depth + 1)?),
            _ => return None,
        })
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
