//! Floor 1: what must not be written is taken out at one boundary, which the types guard.
//!
//! Checks see a session as it was. Whatever writes records, kept sessions, exports and reports takes a [`Redacted`] value,
//! and only the [`Redactor`] makes one: from a value that can be redacted ([`Redact`]), or, for what is drawn from a record,
//! on the word of the caller that every line of it was redacted when it was written ([`Redacted::drawn`]).
//!
//! Beside what rules hide, the secrets that this process filled in ([`crate::net::scrub`]) are always hidden.
//!
//! - `rules`: the rules as they are written and as they are applied; pseudonyms.
//! - `text`: one text without what the rules hide; `search`: what they find in it, through escapes ([`crate::model::json::view`]) and in JSON
//!   (`json`).
//! - `session`: a session, field by field, with the flags that say what was taken out where.
//! - `hidden`: words about a session, which quote and cut what was taken out of it.
//! - `redactors`: the rules of the settings, put together with those of suites.

mod hidden;
mod json;
mod redactors;
mod rules;
mod search;
mod session;
mod text;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Serialize, Serializer};

pub use crate::model::json::view::levels;
pub use redactors::{Redactors, Unknown};
pub use rules::{KEY_VARIABLE, Pseudonym, RedactPlan, RedactTable, RuleProblem, Rules};
pub use session::Seen;

use crate::model::{Evidence, Session};

/// A value that may be written: it has been through the rules.
#[derive(Debug, Clone)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// A value that this room has redacted.
    fn of(value: T) -> Self {
        Self(value)
    }

    /// What is drawn from a record alone, or copied from beside it: every line of it went through the rules when it was
    /// written.
    pub fn drawn(value: T) -> Self {
        Self(value)
    }

    /// The value.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The value, taken out.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// Something made of nothing but the value.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Redacted<U> {
        Redacted(make(self.0))
    }
}

/// A value that says nothing.
impl<T: Default> Default for Redacted<T> {
    fn default() -> Self {
        Self(T::default())
    }
}

impl<T: Serialize> Serialize for Redacted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// What can be written, once the rules have been through it.
pub trait Redact {
    /// Takes out what the rules hide.
    fn redact(&mut self, with: &With<'_>);
}

/// The rules, and the session that the value at hand is about.
pub struct With<'w> {
    rules: &'w Rules,
    seen: Option<&'w Seen<'w>>,
}

impl With<'_> {
    /// Words: what detectors find in them, and what was taken out of the session.
    pub fn words(&self, text: &mut String) {
        // What was hidden for where it stood first: it may hold what a detector would find a part of.
        if let Some(scrubbed) = self.seen.and_then(|seen| seen.words(text)) {
            *text = scrubbed;
        }
        if let Some(found) = text::rewrite(self.rules, text, text::Also::default()) {
            *text = found.text;
        }
    }

    /// A line `key: value` of a comparison: the value is hidden where the key says so.
    pub fn line(&self, line: &mut String) {
        if let Some((key, value)) = line.split_once(": ")
            && self.rules.hides_keys()
            && self.rules.hides_key(key.trim().trim_matches('"'))
            && value != "null"
        {
            *line = format!("{key}: {}", rules::marker(rules::KEY));
        }
        self.words(line);
    }

    /// Words that may be absent.
    pub fn words_of(&self, text: Option<&mut String>) {
        if let Some(text) = text {
            self.words(text);
        }
    }

    /// A name, such as an id: what changes keeps apart from all others, and becomes the same wherever it occurs.
    pub fn name(&self, name: &mut String) {
        *name = self.named(name);
    }

    /// The name as it may be written.
    pub fn named(&self, name: &str) -> String {
        match self.seen.and_then(|seen| seen.name(name)) {
            Some(known) => known.to_owned(),
            None => session::name(self.rules, name),
        }
    }

    /// Evidence: it points at the same place of the session as it may be written.
    pub fn evidence(&self, evidence: &mut Evidence) {
        if let Some(seen) = self.seen {
            seen.evidence(evidence);
        }
        if let Some(pointer) = &mut evidence.pointer {
            *pointer = session::pointer(self.rules, self.seen, pointer);
        }
    }

    /// Words about something that could not be read: where values are hidden for their place, nobody can tell which these
    /// are, and all that is quoted is hidden.
    pub fn quoting(&self, text: &mut String) {
        if self.rules.hides_by_place() {
            let mut parts = text.split('"');
            let mut out = parts.next().unwrap_or_default().to_owned();
            for (i, part) in parts.enumerate() {
                out.push('"');
                out.push_str(if i % 2 == 0 && !part.is_empty() { "[redacted:key]" } else { part });
            }
            *text = out;
        }
        self.words(text);
    }
}

/// The rules of redaction in force, and with them the secrets of this process, which are hidden whatever the rules say;
/// without any of both, everything passes as it is.
#[derive(Debug, Clone, Default)]
pub struct Redactor(Arc<Rules>);

impl Redactor {
    /// Applies rules.
    pub fn new(rules: Rules) -> Self {
        Self(Arc::new(rules))
    }

    /// Whether anything is to be hidden: by a rule, or because it was filled in from the environment by now.
    pub fn is_on(&self) -> bool {
        self.0.is_on()
    }

    fn rules(&self) -> Option<&Rules> {
        self.is_on().then_some(&*self.0)
    }

    /// What stands for a value whose key the rules hide; `None` where they do not.
    pub fn hidden_by_key(&self, key: &str) -> Option<String> {
        let hides = self.rules().is_some_and(|rules| rules.hides_keys() && rules.hides_key(key));
        hides.then(|| rules::marker(rules::KEY))
    }

    /// Whether models that are asked about a session see no more of it than may be written.
    pub fn hides_from_models(&self) -> bool {
        self.0.plan.rules.judge
    }

    /// What the record says of the rules.
    pub fn plan(&self) -> Option<RedactPlan> {
        (!self.0.plan.rules.is_empty()).then(|| self.0.plan.clone())
    }

    /// Takes out of a session what the rules hide; `None` where there are no rules.
    pub fn session<'a>(&self, session: &Session<'a>) -> Option<Seen<'a>> {
        self.rules().map(|rules| session::redact(rules, session))
    }

    /// The session as it may be written.
    pub fn written<'s, 'a>(&self, session: &'s Session<'a>) -> Redacted<Cow<'s, Session<'a>>> {
        match self.session(session) {
            Some(seen) => seen.session.map(Cow::Owned),
            None => Redacted(Cow::Borrowed(session)),
        }
    }

    /// Lets a value through the rules.
    pub fn pass<'v, T: Redact + Clone>(&self, value: &'v T) -> Redacted<Cow<'v, T>> {
        self.pass_of(value, None)
    }

    /// Lets a value through the rules that is about a session.
    pub fn pass_of<'v, T: Redact + Clone>(&self, value: &'v T, seen: Option<&Seen<'_>>) -> Redacted<Cow<'v, T>> {
        let Some(rules) = self.rules() else { return Redacted(Cow::Borrowed(value)) };
        let mut value = value.clone();
        value.redact(&With { rules, seen });
        Redacted(Cow::Owned(value))
    }

    /// As [`Redactor::pass_of`], of a value that nobody needs as it was.
    pub fn take_of<T: Redact>(&self, mut value: T, seen: Option<&Seen<'_>>) -> Redacted<T> {
        if let Some(rules) = self.rules() {
            value.redact(&With { rules, seen });
        }
        Redacted(value)
    }

    /// A name as it may be written.
    pub fn name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        self.name_of(name, None)
    }

    /// A name as it may be written where a session has it.
    pub fn name_of<'n>(&self, name: &'n str, seen: Option<&Seen<'_>>) -> Cow<'n, str> {
        match self.rules() {
            None => Cow::Borrowed(name),
            Some(rules) => Cow::Owned(With { rules, seen }.named(name)),
        }
    }
}

impl Redact for String {
    /// A text is words.
    fn redact(&mut self, with: &With<'_>) {
        with.words(self);
    }
}

impl<T: Redact> Redact for Vec<T> {
    fn redact(&mut self, with: &With<'_>) {
        self.iter_mut().for_each(|value| value.redact(with));
    }
}

#[cfg(test)]
mod tests;
