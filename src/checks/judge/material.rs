//! What a judge is shown of a session: the conversation, the calls, and what was expected, as plain text.
//!
//! Everything in it was written by others: the user, the agent, its tools. It stands between two lines that hold a
//! digest of the material itself, so that nothing inside can name the line that ends it.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::checks::asking::Subject;
use crate::checks::expect::Expected;
use crate::model::{Evidence, Field, Payload, Session, Span, SpanKind, SpanStatus, Turn};

/// What a model may take for the end of a line.
const ENDS: [char; 7] = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];

/// The material about a subject, and where each text of it lies in the session.
pub struct Material<'s> {
    text: String,
    /// Texts with their places; those that findings cannot point at have none.
    places: Vec<(Cow<'s, str>, Option<Evidence>)>,
    shows: Shows,
    /// An expected answer is in it.
    answer: bool,
}

/// How much of a subject is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// All of it.
    All,
    /// What led to the reply that is judged, without it and without what was expected.
    BeforeReply,
}

impl<'s> Material<'s> {
    /// The material about a subject: a session whole; a turn with what was said before it; a span with what led to it.
    pub fn of(subject: &Subject<'s>, shows: Shows) -> Self {
        let scene = subject.scene();
        let session = scene.session;
        let mut material = Self { text: String::new(), places: Vec::new(), shows, answer: false };
        if let Some(instructions) = &session.instructions {
            material.section("Instructions of the agent");
            material.quoted(instructions);
            material.places.push((Cow::Borrowed(instructions), None));
        }
        let last = session.answerable_turns().last().map(|(index, _)| index);
        match subject {
            Subject::Session(_) => {
                material.spans("Before the first message", &session.spans, 0);
                for (index, turn) in session.turns.iter().enumerate() {
                    material.turn(session, index, turn, Some(index) == last);
                    let expected = scene.turn_expected.get(index).and_then(Option::as_ref);
                    material.expected(&format!(" (turn {})", index + 1), expected);
                }
                material.expected("", Some(scene.expected));
            }
            Subject::Turn(turn) => {
                material.before(session, turn.index);
                material.turn(session, turn.index, turn.turn, true);
                let own = scene.turn_expected.get(turn.index).and_then(Option::as_ref);
                // What is expected of the session is expected of its last reply.
                material.expected("", own.or((Some(turn.index) == last).then_some(scene.expected)));
            }
            Subject::Span(span) => {
                if let Some((index, turn)) = span.turn.and_then(|index| Some((index, session.turns.get(index)?))) {
                    material.before(session, index);
                    material.said("User", turn.user.as_deref(), Some(Evidence::turn(index, Field::User)));
                    let first = session.first_span_of_turn(index);
                    let before = turn.spans.get(..span.ordinal.saturating_sub(first)).unwrap_or_default();
                    material.spans("Operations before it", before, first);
                }
                material.section("The operation to judge");
                material.span(span.ordinal, span.span);
            }
        }
        material
    }

    /// The text between its two lines.
    pub fn enclosed(&self) -> String {
        enclosed("MATERIAL", &self.text)
    }

    /// The text itself.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The number of bytes of the text.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether it holds an answer that was expected.
    pub fn has_expected_answer(&self) -> bool {
        self.answer
    }

    /// Where a quote occurs, word for word; quotes may differ in white space. `None` when it occurs nowhere.
    pub fn find(&self, quote: &str) -> Option<Option<Evidence>> {
        let anywhere = || squeezed(&self.text).contains(&squeezed(quote)).then_some(None);
        if quote.trim().is_empty() { None } else { self.find_in(quote, |_| true).or_else(anywhere) }
    }

    /// The same in those texts only whose places are wanted.
    pub fn find_in(&self, quote: &str, wanted: impl Fn(Option<&Evidence>) -> bool) -> Option<Option<Evidence>> {
        let quote = quote.trim();
        if quote.is_empty() {
            return None;
        }
        let places = || self.places.iter().filter(|(_, place)| wanted(place.as_ref()));
        let exactly = places().find_map(|(text, place)| {
            let at = text.find(quote)?;
            Some(place.clone().map(|place| place.within(at..at + quote.len())))
        });
        let quote = squeezed(quote);
        exactly.or_else(|| places().find(|(text, _)| squeezed(text).contains(&quote)).map(|(_, place)| place.clone()))
    }

    fn section(&mut self, title: &str) {
        let _ = writeln!(self.text, "## {title}");
    }

    /// A text of many lines, each marked, so that none looks like a heading.
    fn quoted(&mut self, text: &str) {
        self.text.push_str(&barred(text));
    }

    fn said(&mut self, who: &str, text: Option<&'s str>, place: Option<Evidence>) {
        self.section(who);
        match text {
            Some(text) => {
                self.quoted(text);
                self.places.push((Cow::Borrowed(text), place));
            }
            None => self.text.push_str("(not recorded)\n"),
        }
    }

    /// What was said before a turn.
    fn before(&mut self, session: &'s Session<'s>, index: usize) {
        for (before, turn) in session.turns.iter().enumerate().take(index) {
            let number = before + 1;
            let user = Evidence::turn(before, Field::User);
            self.said(&format!("Earlier, user (turn {number})"), turn.user.as_deref(), Some(user));
            self.spans(
                &format!("Earlier, operations (turn {number})"),
                &turn.spans,
                session.first_span_of_turn(before),
            );
            let reply = Evidence::turn(before, Field::Reply);
            self.said(&format!("Earlier, agent (turn {number})"), turn.reply.as_deref(), Some(reply));
        }
    }

    /// A turn; `judged` is one whose reply may have to be left out.
    fn turn(&mut self, session: &'s Session<'s>, index: usize, turn: &'s Turn<'s>, judged: bool) {
        let number = index + 1;
        self.said(&format!("User (turn {number})"), turn.user.as_deref(), Some(Evidence::turn(index, Field::User)));
        self.spans(&format!("Operations (turn {number})"), &turn.spans, session.first_span_of_turn(index));
        let left_out = turn.closing || (judged && self.shows == Shows::BeforeReply);
        if !left_out {
            let place = Evidence::turn(index, Field::Reply);
            self.said(&format!("Agent (turn {number})"), turn.reply.as_deref(), Some(place));
        }
    }

    /// Tool calls, retrievals, memory and guardrails; what models were sent repeats the conversation.
    fn spans(&mut self, title: &str, spans: &'s [Span<'s>], first: usize) {
        let shown = |span: &Span<'_>| !matches!(span.kind, SpanKind::Llm | SpanKind::Agent | SpanKind::Other);
        if spans.iter().any(shown) {
            self.section(title);
        }
        for (offset, span) in spans.iter().enumerate().filter(|(_, span)| shown(span)) {
            self.span(first + offset, span);
        }
    }

    fn span(&mut self, ordinal: usize, span: &'s Span<'s>) {
        let _ = writeln!(self.text, "- {} `{}`", span.kind.name(), span.name.as_str().replace(ENDS, " "));
        self.payload("input", span.input.as_ref(), Evidence::span(ordinal, Field::Input));
        self.payload("output", span.output.as_ref(), Evidence::span(ordinal, Field::Output));
        if span.status == SpanStatus::Error {
            let message = span.status_message.as_deref().unwrap_or("(no message)");
            self.text.push_str("  ended in an error:\n");
            self.quoted(message);
        }
    }

    fn payload(&mut self, what: &str, payload: Option<&'s Payload<'s>>, place: Evidence) {
        match payload {
            None => {
                let _ = writeln!(self.text, "  {what}: (not recorded)");
            }
            Some(payload) => {
                let _ = writeln!(self.text, "  {what}:");
                self.quoted(payload.as_str());
                self.places.push((Cow::Borrowed(payload.as_str()), Some(place)));
            }
        }
    }

    /// What was expected, as far as words can say it.
    fn expected(&mut self, of: &str, expected: Option<&Expected<'_>>) {
        let Some(expected) = expected.filter(|_| self.shows == Shows::All) else { return };
        if let Some(answer) = expected.answer.as_deref() {
            self.section(&format!("Expected answer{of}"));
            self.quoted(answer);
            self.answer = true;
        }
        let facts = expected.facts.as_deref().unwrap_or_default();
        if !facts.is_empty() {
            self.section(&format!("Facts that were expected to be stated{of}"));
        }
        for fact in facts {
            let alternatives: Vec<String> = fact.0.iter().map(ToString::to_string).collect();
            self.quoted(&alternatives.join(" or "));
        }
    }
}

/// A text of others between two lines that name what it is, with a code that it cannot hold: it is made of the text itself.
pub fn enclosed(name: &str, text: &str) -> String {
    let digest = blake3::hash(text.as_bytes()).to_hex();
    let mark = &digest.as_str()[..24];
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("<<<{name} {mark}\n{text}{end}{name} {mark}>>>")
}

/// The lines of a text that others wrote, each behind a bar.
pub fn barred(text: &str) -> String {
    let mut out = String::new();
    if text.is_empty() {
        out.push_str("| (empty)\n");
    }
    for line in text.strip_suffix('\n').unwrap_or(text).split(ENDS) {
        let _ = writeln!(out, "| {line}");
    }
    out
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
