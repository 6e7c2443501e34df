//! A record's fields, written one after the other.

use super::MAX_DEPTH;
use crate::formats::telemetry::{LogRecord, Pairs, SpanRecord, Value};
use crate::model::SpanStatus;

pub(super) fn put_span(out: &mut Vec<u8>, span: &SpanRecord<'_>) {
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

pub(super) fn put_log(out: &mut Vec<u8>, log: &LogRecord<'_>) {
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

pub(super) fn put_number(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

/// An absent text is 0, a present one its length plus one.
pub(super) fn put_optional(out: &mut Vec<u8>, text: Option<&str>) {
    put_number(out, text.map_or(0, |t| t.len() as u64 + 1));
    out.extend_from_slice(text.unwrap_or_default().as_bytes());
}

/// A time of 0 is none, as in OTLP.
pub(super) fn put_time(out: &mut Vec<u8>, time: Option<u64>) {
    out.extend_from_slice(&time.unwrap_or(0).to_le_bytes());
}

pub(super) fn put_pairs(out: &mut Vec<u8>, pairs: &Pairs<'_>, depth: usize) {
    put_number(out, pairs.len() as u64);
    for (name, value) in pairs {
        put_text(out, name);
        put_value(out, value, depth);
    }
}

pub(super) fn put_value(out: &mut Vec<u8>, value: &Value<'_>, depth: usize) {
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
