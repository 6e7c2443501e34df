//! OTLP as protobuf, borrowed from the element's bytes: a request or a file's message of traces or logs. Both have the
//! same numbers, so that only the records tell which it is; metrics have no records.
//!
//! Damage stays where it is: a span that cannot be read is a problem and the next one is read; a string that is not
//! UTF-8 is kept as bytes, and counted.

use std::borrow::Cow;

use super::wire::{Field, Fields};
use super::{log_name, look};
use crate::formats::telemetry::{EventRecord, LogRecord, Origin, Pairs, Record, Side, Sink, SpanRecord, Value, id};
use crate::model::{LeftOut, Problem, SpanStatus, Text};

/// Deepest nesting of values, which is about that of [`crate::sources::ReadOptions::max_depth`] brackets in OTLP/JSON.
const MAX_DEPTH: u32 = 32;

/// What the records of a scope are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Spans,
    Logs,
    Metrics,
}

/// Hands the records of a message to the sink.
pub(super) fn records<'a>(message: &'a [u8], sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
    let mut reader = Reader { sink, signal: None, flaws: Flaws::default(), attributes: Vec::new() };
    for field in Fields::of(message) {
        if let (1, Field::Bytes(resource)) = field? {
            reader.resource(resource);
        }
    }
    Ok(())
}

/// Texts of the record in progress that were not UTF-8.
#[derive(Debug, Default)]
struct Flaws {
    texts: u32,
}

struct Reader<'s, 'a> {
    sink: &'s mut dyn Sink<'a>,
    /// Of the whole message, once a record has told it.
    signal: Option<Signal>,
    flaws: Flaws,
    /// Empty; room for the attributes of the next record.
    attributes: Pairs<'a>,
}

impl<'a> Reader<'_, 'a> {
    /// One `ResourceSpans` or `ResourceLogs`. Its resource may stand behind what it made.
    fn resource(&mut self, bytes: &'a [u8]) {
        let mut origin = Origin::default();
        let described = Fields::of(bytes).flatten().filter(|(number, _)| *number == 1);
        for (_, resource) in described {
            if let Err(problem) = self.resource_attributes(resource.bytes(), &mut origin.resource) {
                self.sink.problem(within("a resource", problem));
            }
        }
        self.flawed("a resource");
        for field in Fields::of(bytes) {
            match field {
                Ok((2, Field::Bytes(scope))) => self.scope(scope, &mut origin),
                Ok(_) => {}
                Err(problem) => self.sink.problem(within("what a resource made", problem)),
            }
        }
    }

    fn resource_attributes(&mut self, bytes: &'a [u8], pairs: &mut Pairs<'a>) -> Result<(), Problem> {
        for field in Fields::of(bytes) {
            if let (1, Field::Bytes(pair)) = field? {
                pairs.push(key_value(pair, MAX_DEPTH, &mut self.flaws)?);
            }
        }
        Ok(())
    }

    /// One `ScopeSpans` or `ScopeLogs`.
    fn scope(&mut self, bytes: &'a [u8], origin: &mut Origin<'a>) {
        (origin.scope, origin.version) = (Text::default(), Text::default());
        let described = Fields::of(bytes).flatten().filter(|(number, _)| *number == 1);
        for (number, field) in described.flat_map(|(_, scope)| Fields::of(scope.bytes()).flatten()) {
            match number {
                1 => origin.scope = text(field.bytes(), &mut self.flaws),
                2 => origin.version = text(field.bytes(), &mut self.flaws),
                _ => {}
            }
        }
        self.flawed("a scope");
        self.sink.origin(origin);
        for field in Fields::of(bytes) {
            match field {
                Ok((2, Field::Bytes(record))) => self.record(record),
                Ok(_) => {}
                Err(problem) => self.sink.problem(within("what a scope made", problem)),
            }
        }
    }

    fn record(&mut self, bytes: &'a [u8]) {
        if self.signal.is_none() {
            self.signal = look::signal(bytes);
        }
        match self.signal {
            Some(Signal::Spans) => self.span(bytes),
            Some(Signal::Logs) => self.log(bytes),
            Some(Signal::Metrics) => {}
            None => {
                let message = "a record that is neither a span nor a log record nor a metric";
                self.sink.problem(Problem::new(LeftOut::Malformed, message));
            }
        }
    }

    fn span(&mut self, bytes: &'a [u8]) {
        let mut span = SpanRecord { attributes: std::mem::take(&mut self.attributes), ..SpanRecord::default() };
        let read = read_span(bytes, &mut span, &mut self.flaws);
        if let Err(problem) = read {
            self.flaws = Flaws::default();
            self.sink.problem(within(&format!("a span ({:?})", span.name.as_str()), problem));
            return;
        }
        if self.flaws.texts > 0 {
            self.flawed(&format!("a span ({:?})", span.name.as_str()));
        }
        let record = Record::Span(span);
        self.sink.record(&record);
        if let Record::Span(span) = record {
            self.keep(span.attributes);
        }
    }

    fn log(&mut self, bytes: &'a [u8]) {
        let mut log = LogRecord { attributes: std::mem::take(&mut self.attributes), ..LogRecord::default() };
        let read = read_log(bytes, &mut log, &mut self.flaws);
        if let Err(problem) = read {
            self.flaws = Flaws::default();
            self.sink.problem(within(&format!("a log record ({:?})", log.name.as_str()), problem));
            return;
        }
        self.flawed("a log record");
        let record = Record::Log(log);
        self.sink.record(&record);
        if let Record::Log(log) = record {
            self.keep(log.attributes);
        }
    }

    /// Keeps the room of attributes that are done with.
    fn keep(&mut self, mut attributes: Pairs<'a>) {
        attributes.clear();
        self.attributes = attributes;
    }

    /// Says that texts of `what` were not UTF-8, if any were.
    fn flawed(&mut self, what: &str) {
        let Flaws { texts } = std::mem::take(&mut self.flaws);
        if texts > 0 {
            let message = format!("{what} with {texts} texts that are not UTF-8; kept as bytes");
            self.sink.problem(Problem::new(LeftOut::Malformed, message));
        }
    }
}

fn within(what: &str, problem: Problem) -> Problem {
    Problem { message: format!("{what}: {}", problem.message), ..problem }
}

fn read_span<'a>(bytes: &'a [u8], span: &mut SpanRecord<'a>, flaws: &mut Flaws) -> Result<(), Problem> {
    let (mut trace, mut own, mut parent) = (&[][..], &[][..], &[][..]);
    for field in Fields::of(bytes) {
        let (number, field) = field?;
        match number {
            1 => trace = field.bytes(),
            2 => own = field.bytes(),
            4 => parent = field.bytes(),
            5 => span.name = text(field.bytes(), flaws),
            6 => span.side = Side::from_number(i64::try_from(field.number()).unwrap_or(0)),
            7 => span.start_ns = time(field),
            8 => span.end_ns = time(field),
            9 => span.attributes.push(key_value(field.bytes(), MAX_DEPTH, flaws)?),
            10 | 12 | 14 => span.dropped = span.dropped.saturating_add(small(field)),
            11 => span.events.push(event(field.bytes(), flaws)?),
            13 => span.links.extend(link(field.bytes())?),
            15 => status(field.bytes(), span, flaws)?,
            _ => {}
        }
    }
    let named = |what: &str, bytes: &[u8]| {
        let missing = || Problem::new(LeftOut::Malformed, format!("its {what} id is missing or all zero"));
        id::hex(bytes).ok_or_else(missing)
    };
    span.trace = named("trace", trace)?;
    span.id = named("span", own)?;
    span.parent = id::hex(parent);
    Ok(())
}

fn event<'a>(bytes: &'a [u8], flaws: &mut Flaws) -> Result<EventRecord<'a>, Problem> {
    let mut event = EventRecord::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, field) => event.time_ns = time(field),
            (2, field) => event.name = text(field.bytes(), flaws),
            (3, field) => event.attributes.push(key_value(field.bytes(), MAX_DEPTH, flaws)?),
            _ => {}
        }
    }
    Ok(event)
}

/// A link's trace and span; none for one that names nothing.
fn link<'a>(bytes: &[u8]) -> Result<Option<(Text<'a>, Text<'a>)>, Problem> {
    let (mut trace, mut span) = (None, None);
    for field in Fields::of(bytes) {
        match field? {
            (1, field) => trace = id::hex(field.bytes()),
            (2, field) => span = id::hex(field.bytes()),
            _ => {}
        }
    }
    Ok(trace.zip(span))
}

fn status<'a>(bytes: &'a [u8], span: &mut SpanRecord<'a>, flaws: &mut Flaws) -> Result<(), Problem> {
    for field in Fields::of(bytes) {
        match field? {
            (2, field) => span.status_message = Some(text(field.bytes(), flaws)).filter(|m| !m.is_empty()),
            (3, field) => {
                span.status = match field.number() {
                    1 => SpanStatus::Ok,
                    2 => SpanStatus::Error,
                    _ => SpanStatus::Unset,
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_log<'a>(bytes: &'a [u8], log: &mut LogRecord<'a>, flaws: &mut Flaws) -> Result<(), Problem> {
    let (mut happened, mut observed) = (None, None);
    for field in Fields::of(bytes) {
        let (number, field) = field?;
        match number {
            1 => happened = time(field),
            5 => log.body = Some(value(field.bytes(), MAX_DEPTH, flaws)?),
            6 => log.attributes.push(key_value(field.bytes(), MAX_DEPTH, flaws)?),
            9 => log.trace = id::hex(field.bytes()),
            10 => log.span = id::hex(field.bytes()),
            11 => observed = time(field),
            12 => log.name = text(field.bytes(), flaws),
            _ => {}
        }
    }
    log.time_ns = happened.or(observed);
    log_name(log);
    Ok(())
}

fn time(field: Field<'_>) -> Option<u64> {
    Some(field.number()).filter(|t| *t != 0)
}

fn small(field: Field<'_>) -> u32 {
    u32::try_from(field.number()).unwrap_or(u32::MAX)
}

/// A text that must be one; what is not UTF-8 is replaced and counted.
fn text<'a>(bytes: &'a [u8], flaws: &mut Flaws) -> Text<'a> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Text::borrowed(text),
        Err(_) => {
            flaws.texts += 1;
            Text(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
        }
    }
}

fn key_value<'a>(bytes: &'a [u8], depth: u32, flaws: &mut Flaws) -> Result<(Text<'a>, Value<'a>), Problem> {
    let (mut key, mut found) = (Text::default(), Value::Null);
    for field in Fields::of(bytes) {
        match field? {
            (1, field) => key = text(field.bytes(), flaws),
            (2, field) => found = value(field.bytes(), depth, flaws)?,
            _ => {}
        }
    }
    Ok((key, found))
}

fn value<'a>(bytes: &'a [u8], depth: u32, flaws: &mut Flaws) -> Result<Value<'a>, Problem> {
    let Some(below) = depth.checked_sub(1) else {
        return Err(Problem::new(LeftOut::TooDeep, format!("values nested deeper than {MAX_DEPTH} levels")));
    };
    let mut found = Value::Null;
    for field in Fields::of(bytes) {
        let (number, field) = field?;
        found = match number {
            1 => match std::str::from_utf8(field.bytes()) {
                Ok(text) => Value::Text(Text::borrowed(text)),
                Err(_) => {
                    flaws.texts += 1;
                    Value::Bytes(Cow::Borrowed(field.bytes()))
                }
            },
            2 => Value::Bool(field.number() != 0),
            // The number's bits are those of a signed one.
            3 => Value::Int(field.number().cast_signed()),
            4 => Value::Double(f64::from_bits(field.number())),
            5 => Value::Array(array(field.bytes(), below, flaws)?),
            6 => Value::Map(map(field.bytes(), below, flaws)?),
            7 => Value::Bytes(Cow::Borrowed(field.bytes())),
            _ => continue,
        };
    }
    Ok(found)
}

fn array<'a>(bytes: &'a [u8], depth: u32, flaws: &mut Flaws) -> Result<Vec<Value<'a>>, Problem> {
    let mut values = Vec::new();
    for field in Fields::of(bytes) {
        if let (1, Field::Bytes(bytes)) = field? {
            values.push(value(bytes, depth, flaws)?);
        }
    }
    Ok(values)
}

fn map<'a>(bytes: &'a [u8], depth: u32, flaws: &mut Flaws) -> Result<Pairs<'a>, Problem> {
    let mut pairs = Vec::new();
    for field in Fields::of(bytes) {
        if let (1, Field::Bytes(bytes)) = field? {
            pairs.push(key_value(bytes, depth, flaws)?);
        }
    }
    Ok(pairs)
}

#[cfg(test)]
#[path = "protobuf_tests.rs"]
mod tests;
