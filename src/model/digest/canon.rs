//! The canonical form of a session, and its digest.
//!
//! It covers the session's fields, before any redaction, with the spans sorted by id where they have one, so that two
//! encodings of one recording agree. It does not cover where the session was read from.

use std::cell::RefCell;

use super::{Algorithm, Digest};
use crate::model::{Attributes, Event, Payload, Reference, Session, Span, Text, Turn};

/// The version of the canonical form; part of every session digest.
const CANON: &[u8] = b"seatrial session 4";

/// The longest text whose digest is remembered, in bytes.
const SHARED: usize = 1 << 20;

/// The digest of a text that the next session most likely has, too: an agent's instructions, which are often the longest
/// part of a recording. The last one of each thread is remembered.
fn of_shared(text: &str) -> [u8; 32] {
    thread_local! {
        static LAST: RefCell<Option<(String, [u8; 32])>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| match last {
        Some((known, digest)) if known == text => *digest,
        _ => {
            let digest = *blake3::hash(text.as_bytes()).as_bytes();
            if text.len() <= SHARED {
                *last = Some((text.to_owned(), digest));
            }
            digest
        }
    })
}

/// The digest of a session's canonical fields.
pub fn session(s: &Session<'_>) -> Digest {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        let mut c = Canon { hash: None, before: 0, buffer };
        c.session(s);
        let bytes = *c.finish().as_bytes();
        if buffer.capacity() > 16 * AT_ONCE {
            *buffer = Vec::new();
        }
        Digest { algorithm: Algorithm::Blake3, bytes }
    })
}

/// How many bytes are hashed at once: many blocks side by side are several times as fast as one after the other.
const AT_ONCE: usize = 64 << 10;

/// Bytes of a chunk, which is what BLAKE3 hashes apart from the others.
const CHUNK: usize = 1 << 10;

/// Bytes of the chunks that are hashed side by side where the processor has the widest registers.
const WIDEST: usize = 16 * CHUNK;

/// How long so many bytes are with what fills them up. BLAKE3 hashes sixteen chunks at once in about the time that one
/// takes, and what does not come to sixteen as eight, four, two and one after each other: of fifteen the rounds take three
/// times as long as of sixteen. A power of two is one round, on narrower processors too.
fn rounded(bytes: usize) -> usize {
    if bytes <= CHUNK {
        bytes
    } else if bytes <= WIDEST {
        bytes.next_power_of_two()
    } else {
        bytes.next_multiple_of(WIDEST)
    }
}

thread_local! {
    /// Kept for its memory.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Feeds the fields of a session into a hash, each with its name and length.
struct Canon<'b> {
    /// Of what came before the buffer; most sessions fit into it, and are hashed in one go.
    hash: Option<blake3::Hasher>,
    /// How many bytes that was.
    before: usize,
    /// What is not yet hashed.
    buffer: &'b mut Vec<u8>,
}

impl Canon<'_> {
    fn session(&mut self, s: &Session<'_>) {
        let c = self;
        c.raw(CANON);
        c.text(b"id", Some(&s.id));
        c.text(b"case", s.case.as_ref());
        c.text(b"trial", s.trial.as_ref());
        c.text(b"agent", s.agent.as_ref());
        c.text(b"version", s.version.as_ref());
        c.text(b"user", s.user.as_ref());
        for tag in &s.tags {
            c.text(b"tag", Some(tag));
        }
        if let Some(instructions) = &s.instructions {
            c.raw(b"instructions");
            c.raw(&of_shared(instructions));
        }
        c.number(b"start", s.start_ns);
        c.number(b"end", s.end_ns);
        c.spans(&s.spans);
        for turn in &s.turns {
            c.turn(turn);
        }
        c.reference(s.reference.as_ref());
        c.payload(b"initial_state", s.initial_state.as_ref());
        c.payload(b"state", s.state.as_ref());
        c.number(b"reward", s.reward.map(f64::to_bits));
        c.number(b"rating", s.rating.map(f64::to_bits));
        c.number(b"escalated", s.escalated.map(u64::from));
        c.events(&s.events);
        if let Some(failure) = &s.failure {
            c.text(b"failure", Some(&failure.kind));
            c.text(b"message", failure.message.as_ref());
        }
        c.number(b"incomplete", Some(u64::from(s.incomplete)));
        c.attributes(&s.attributes);
        // What something was taken out of is not judged as what was recorded so.
        for (field, by) in s.redacted.iter() {
            c.raw(b"redacted");
            c.sized(field.as_bytes());
            for rule in by {
                c.raw(b"by");
                c.sized(rule.as_bytes());
            }
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes with their length before them.
    fn sized(&mut self, bytes: &[u8]) {
        self.raw(&(bytes.len() as u64).to_le_bytes());
        if bytes.len() < AT_ONCE {
            self.raw(bytes);
            self.drain();
        } else {
            self.empty().update(bytes);
            self.before += bytes.len();
        }
    }

    /// Hashes what is in the buffer; the hash up to there.
    fn empty(&mut self) -> &mut blake3::Hasher {
        let hash = self.hash.get_or_insert_default();
        hash.update(self.buffer);
        self.before += self.buffer.len();
        self.buffer.clear();
        hash
    }

    /// The hash of everything, behind which stand its length and zeros up to [`rounded`].
    fn finish(mut self) -> blake3::Hash {
        let length = self.before + self.buffer.len();
        self.raw(&(length as u64).to_le_bytes());
        let all = length + size_of::<u64>();
        self.buffer.resize(self.buffer.len() + rounded(all) - all, 0);
        match &self.hash {
            None => blake3::hash(self.buffer),
            Some(_) => self.empty().finalize(),
        }
    }

    /// Hashes what has come together, once it is enough.
    fn drain(&mut self) {
        if self.buffer.len() >= AT_ONCE {
            self.empty();
        }
    }

    fn text(&mut self, name: &[u8], value: Option<&Text<'_>>) {
        if let Some(value) = value {
            self.raw(name);
            self.sized(value.as_bytes());
        }
    }

    fn payload(&mut self, name: &[u8], value: Option<&Payload<'_>>) {
        if let Some(value) = value {
            self.raw(name);
            // How JSON was laid out is no part of what it says.
            if !value.is_json() {
                return self.sized(value.as_str().as_bytes());
            }
            self.raw(&[0; 8]);
            let start = self.buffer.len();
            crate::model::json::compact(value.as_str(), self.buffer);
            let len = (self.buffer.len() - start) as u64;
            self.buffer[start - 8..start].copy_from_slice(&len.to_le_bytes());
            self.drain();
        }
    }

    fn number(&mut self, name: &[u8], value: Option<u64>) {
        if let Some(value) = value {
            self.raw(name);
            self.raw(&value.to_le_bytes());
        }
    }

    fn attributes(&mut self, attributes: &Attributes<'_>) {
        let mut sorted: Vec<_> = attributes.0.iter().collect();
        if !sorted.is_sorted_by(|a, b| a.0 <= b.0) {
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
        }
        for (name, value) in sorted {
            self.text(b"attribute", Some(name));
            self.payload(b"value", Some(value));
        }
    }

    fn events(&mut self, events: &[Event<'_>]) {
        for event in events {
            self.text(b"event", Some(&event.name));
            self.number(b"time", event.time_ns);
            self.attributes(&event.attributes);
        }
    }

    fn reference(&mut self, reference: Option<&Reference<'_>>) {
        let Some(r) = reference else { return };
        self.raw(b"reference");
        if let Some(tools) = &r.tools {
            self.number(b"tools", Some(tools.len() as u64));
            for call in tools {
                self.text(b"name", Some(&call.name));
                self.payload(b"args", call.args.as_ref());
            }
        }
        self.text(b"answer", r.answer.as_ref());
        if let Some(facts) = &r.facts {
            self.number(b"facts", Some(facts.len() as u64));
            for fact in facts {
                self.text(b"fact", Some(fact));
            }
        }
        self.payload(b"state", r.state.as_ref());
    }

    fn turn(&mut self, t: &Turn<'_>) {
        self.raw(b"turn");
        self.text(b"user", t.user.as_ref());
        self.spans(&t.spans);
        self.text(b"reply", t.reply.as_ref());
        self.number(b"start", t.start_ns);
        self.number(b"end", t.end_ns);
        self.number(b"ttft", t.ttft_ns);
        self.number(b"closing", t.closing.then_some(1));
        self.text(b"trace", t.trace_id.as_ref());
        self.reference(t.reference.as_ref());
        self.attributes(&t.attributes);
    }

    fn spans(&mut self, spans: &[Span<'_>]) {
        if spans.iter().all(|s| s.id.is_none()) {
            return spans.iter().for_each(|s| self.span(s));
        }
        let mut sorted: Vec<_> = spans.iter().collect();
        sorted.sort_by(|a, b| a.id.cmp(&b.id));
        for span in sorted {
            self.span(span);
        }
    }

    fn span(&mut self, s: &Span<'_>) {
        self.raw(&[b's', s.kind as u8, s.status as u8]);
        self.text(b"id", s.id.as_ref());
        self.text(b"parent", s.parent.as_ref());
        self.text(b"name", Some(&s.name));
        self.text(b"agent", s.agent.as_ref());
        self.text(b"model", s.model.as_ref());
        self.text(b"call", s.call_id.as_ref());
        self.number(b"start", s.start_ns);
        self.number(b"end", s.end_ns);
        self.text(b"message", s.status_message.as_ref());
        self.payload(b"input", s.input.as_ref());
        self.payload(b"output", s.output.as_ref());
        if let Some(u) = &s.usage {
            self.number(b"in", u.input);
            self.number(b"out", u.output);
            self.number(b"read", u.cache_read);
            self.number(b"write", u.cache_write);
            self.number(b"think", u.reasoning);
        }
        self.number(b"cost", s.cost_usd.map(|c| c.0 as u64));
        self.number(b"ttft", s.ttft_ns);
        self.events(&s.events);
        self.attributes(&s.attributes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_much_is_hashed_at_once_makes_no_difference() {
        let of = |reply: &str| {
            let turn = Turn { reply: Some(Text::borrowed(reply)), ..Turn::default() };
            let mut c = Canon { hash: None, before: 0, buffer: &mut Vec::new() };
            let s = Session { turns: vec![turn.clone(), turn], ..Session::default() };
            let whole = session(&s);
            c.session(&s);
            // Piece by piece, also where all of it fits into the buffer.
            let begun = c.buffer.split_off(c.buffer.len() / 2);
            c.empty();
            c.raw(&begun);
            assert_eq!(whole.bytes, *c.finish().as_bytes());
            whole
        };
        let lengths = [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE];
        let digests: std::collections::BTreeSet<_> = lengths.iter().map(|n| of(&"x".repeat(*n))).collect();
        assert_eq!(digests.len(), lengths.len());
    }

    #[test]
    fn what_fills_up_is_one_round_and_never_more_than_as_much_again() {
        for bytes in (1..3 * WIDEST).step_by(7) {
            let rounded = rounded(bytes);
            assert!(rounded >= bytes && rounded < 2 * bytes, "{bytes}");
            assert!(bytes <= CHUNK || rounded.is_multiple_of(WIDEST) || rounded.is_power_of_two(), "{bytes}");
        }
    }

    #[test]
    fn every_field_changes_a_session_digest() {
        let base: Session<'_> = serde_json::from_str(r#"{"id":"s"}"#).unwrap();
        for other in [
            r#"{"id":"t"}"#,
            r#"{"id":"s","case":"c"}"#,
            r#"{"id":"s","instructions":""}"#,
            r#"{"id":"s","instructions":"be kind"}"#,
            r#"{"id":"s","reference":{}}"#,
            r#"{"id":"s","reference":{"tools":[]}}"#,
            r#"{"id":"s","reward":0}"#,
            r#"{"id":"s","turns":[{}]}"#,
            r#"{"id":"s","spans":[{"kind":"tool","name":"f"}]}"#,
            r#"{"id":"s","attributes":{"a":1}}"#,
        ] {
            let other: Session<'_> = serde_json::from_str(other).unwrap();
            assert_ne!(session(&base), session(&other));
        }
    }

    #[test]
    fn what_was_digested_before_makes_no_difference() {
        let of = |instructions: &str| {
            session(&Session { instructions: Some(instructions.to_owned().into()), ..Session::default() })
        };
        let (first, second) = (of("be kind"), of("be terse"));
        assert_ne!(first, second);
        assert_eq!([of("be kind"), of("be kind"), of("be terse")], [first, first, second]);
        assert_eq!(std::thread::scope(|s| s.spawn(|| of("be kind")).join().unwrap()), first);
    }
}
