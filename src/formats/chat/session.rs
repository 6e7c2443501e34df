//! What surrounds the messages of a chat session: ids, metadata, instructions, and all that is kept as attributes.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::message::{Message, Reader, malformed, time};
use super::usage;
use crate::formats::wire::{self, Content};
use crate::model::{Attributes, Payload, Problem, Reference, Session, SpanKind, Text, json};

/// Decodes an element: an object with messages around it, or a bare array of messages.
pub(super) fn decode<'a>(element: &'a [u8], index: u64, source: &str) -> Result<Session<'a>, Problem> {
    let mut session = Session::default();
    let mut reader = Reader::default();
    if element.trim_ascii_start().first() == Some(&b'[') {
        for message in wire::parse::<Vec<Message<'a>>>(element)? {
            reader.add(message)?;
        }
        finish(reader, &mut session);
    } else {
        let mut keys = Keys { own: wire::parse(element)?, meta: Attributes::default() };
        keys.read_metadata()?;
        reader.model = keys.name(&["model"], &[]);
        keys.read_messages(&mut reader)?;
        keys.describe(&mut session)?;
        finish(reader, &mut session);
        set_usage(&mut session, keys.own.get("usage"));
        keys.rest(&mut session);
    }
    if session.id.is_empty() {
        session.id = wire::default_id(source, index).into();
    }
    Ok(session)
}

/// Puts what the messages said into the session.
fn finish<'a>(reader: Reader<'a>, session: &mut Session<'a>) {
    session.instructions = session.instructions.take().or(reader.instructions);
    reader.transcript.finish_whole(session, None);
}

/// Usage of the session as a whole is that of its model call when it has only one; otherwise nobody knows how it
/// divides, and it stays an attribute.
fn set_usage<'a>(session: &mut Session<'a>, usage: Option<&Payload<'a>>) {
    let read = |u: &Payload<'_>| serde_json::from_str::<&RawValue>(u.as_str()).ok().and_then(usage::read);
    let Some(usage) = usage.and_then(read) else { return };
    let spans = session.spans.iter_mut().chain(session.turns.iter_mut().flat_map(|t| &mut t.spans));
    let mut calls = spans.filter(|s| s.kind == SpanKind::Llm);
    if let (Some(only), None) = (calls.next(), calls.next()) {
        only.usage = only.usage.or(Some(usage));
    }
}

/// The keys of a session object that are not yet used.
struct Keys<'a> {
    own: Attributes<'a>,
    /// Those of `metadata`.
    meta: Attributes<'a>,
}

fn take<'a>(from: &mut Attributes<'a>, key: &str) -> Option<Payload<'a>> {
    let found = from.get(key).cloned()?;
    from.0.retain(|(name, _)| name != key);
    Some(found).filter(|v| !is_null(v))
}

fn is_null(value: &Payload<'_>) -> bool {
    value.is_json() && value.as_str() == "null"
}

/// A JSON value as borrowed from the element. What was recorded as JSON always is.
fn raw(value: Payload<'_>) -> Option<&str> {
    match (value.is_json(), value.into_text().0) {
        (true, Cow::Borrowed(text)) => Some(text),
        _ => None,
    }
}

fn parse<'a, T: Deserialize<'a>>(key: &str, value: Payload<'a>) -> Result<T, Problem> {
    let text = raw(value).ok_or_else(|| malformed(format!("`{key}`: unexpected string")))?;
    json::read(text).map_err(|e| malformed(format!("`{key}`: {e}")))
}

impl<'a> Keys<'a> {
    fn read_metadata(&mut self) -> Result<(), Problem> {
        let object = |v: &Payload<'_>| v.is_json() && v.as_str().starts_with('{');
        if self.own.get("metadata").is_some_and(object)
            && let Some(metadata) = take(&mut self.own, "metadata")
        {
            self.meta = parse("metadata", metadata)?;
        }
        Ok(())
    }

    /// The first of the keys that holds a string or a number: of the object, else of its metadata.
    fn name(&self, own: &[&str], meta: &[&str]) -> Option<Text<'a>> {
        let scalar = |v: &&Payload<'_>| {
            let number = v.as_str().starts_with(|c: char| c == '-' || c.is_ascii_digit());
            if v.is_json() { number } else { !v.as_str().is_empty() }
        };
        let of = |from: &Attributes<'a>, keys: &[&str]| {
            keys.iter().find_map(|key| from.get(key).filter(scalar).cloned()).map(Payload::into_text)
        };
        of(&self.own, own).or_else(|| of(&self.meta, meta))
    }

    fn read_messages(&mut self, reader: &mut Reader<'a>) -> Result<(), Problem> {
        if let Some(messages) = take(&mut self.own, "messages") {
            for message in parse::<Vec<Message<'a>>>("messages", messages)? {
                reader.add(message)?;
            }
            return Ok(());
        }
        let is_list = |v: &Payload<'_>| v.is_json() && v.as_str().starts_with('[');
        if !self.own.get("output").is_some_and(is_list) && !self.own.get("input").is_some_and(is_list) {
            return Err(malformed("a session without `messages`, and without `input` and `output` items".into()));
        }
        for key in ["input", "output"] {
            match take(&mut self.own, key) {
                Some(list) if is_list(&list) => {
                    for item in parse::<Vec<Message<'a>>>(key, list)? {
                        reader.add(item)?;
                    }
                }
                Some(text) if key == "input" && !text.is_json() => {
                    reader.transcript.user(Some(text.into_text()));
                }
                Some(other) => self.own.push(key, other),
                None => {}
            }
        }
        Ok(())
    }

    /// The fields of a session that have a meaning of their own.
    fn describe(&mut self, session: &mut Session<'a>) -> Result<(), Problem> {
        let ids = ["id", "session_id", "conversation_id", "thread_id"];
        session.id = self.name(&ids, &ids[1..]).unwrap_or_default();
        session.case = self.name(&["case", "case_id"], &["case", "case_id"]);
        session.trial = self.name(&["trial"], &["trial"]);
        session.agent = self.name(&["agent", "agent_name"], &["agent_name"]);
        session.version = self.name(&["version", "agent_version"], &["agent_version"]);
        session.user = self.name(&["user", "user_id"], &["user_id"]);
        for key in ["system", "instructions"] {
            let text = self.own.get(key).and_then(|value| match value.is_json() {
                true => parse::<Content<'a>>(key, value.clone()).ok()?.text(),
                false => Some(value.clone().into_text()),
            });
            if text.is_some() {
                take(&mut self.own, key);
                session.instructions = session.instructions.take().or(text);
            }
        }
        session.start_ns = time(self.own.get("start_time"));
        session.end_ns = time(self.own.get("end_time"));
        let number = |v: Option<&Payload<'a>>| v.filter(|v| v.is_json()).and_then(|v| v.as_str().parse::<f64>().ok());
        session.reward = number(self.own.get("reward"));
        session.rating = number(self.own.get("rating"));
        session.escalated = match self.own.get("escalated").filter(|v| v.is_json()).map(Payload::as_str) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        session.state = take(&mut self.own, "state");
        session.initial_state = take(&mut self.own, "initial_state");
        session.reference = self.reference()?;
        for from in [&mut self.own, &mut self.meta] {
            let list = from.get("tags").and_then(|tags| parse::<Vec<Text<'a>>>("tags", tags.clone()).ok());
            if let Some(tags) = list.filter(|_| session.tags.is_empty()) {
                take(from, "tags");
                session.tags = tags;
            }
        }
        Ok(())
    }

    /// What is expected: our own form, or a text that is the expected answer. Another program's `reference` is none
    /// and stays an attribute; ours with a mistake in it is a problem.
    fn reference(&mut self) -> Result<Option<Reference<'a>>, Problem> {
        let Some(value) = self.own.get("reference").cloned().filter(|v| !is_null(v)) else { return Ok(None) };
        let reference = if value.is_json() {
            let ours = |o: &Attributes<'a>| ["tools", "answer", "facts", "state"].iter().any(|k| o.get(k).is_some());
            if !parse("reference", value.clone()).is_ok_and(|o| ours(&o)) {
                return Ok(None);
            }
            parse("reference", value)?
        } else {
            Reference { answer: Some(value.into_text()), ..Reference::default() }
        };
        take(&mut self.own, "reference");
        Ok(Some(reference))
    }

    /// Keeps everything else, and the names that sessions are looked up by, as attributes; the object's own keys win
    /// over those of its metadata.
    fn rest(self, session: &mut Session<'a>) {
        let own = |name: &Text<'a>| self.own.get(name).is_some();
        let meta = self.meta.0.into_iter().filter(|(name, _)| !own(name)).collect::<Vec<_>>();
        for (name, value) in meta.into_iter().chain(self.own.0) {
            if name != "id" && !is_null(&value) {
                session.attributes.push(name, value);
            }
        }
    }
}
