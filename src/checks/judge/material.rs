//! What a judge is shown of a session: the conversation, the calls, and what was expected, as plain text.
//!
//! Everything in it was written by others: the user, the agent, its tools. It stands between two lines that hold a
//! digest of the material itself, so that nothing inside can name the line that ends it.

use std::fmt::Write as _;

use crate::checks::asking::Subject;
use crate::checks::expect::Expected;
use crate::model::{Evidence, Field, Payload, Session, Span, SpanKind, SpanStatus, Turn};

/// What a model may take for the end of a line.
const ENDS: [char; 7] = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];

/// The material about a subject, and where each text of it lies in the session.
pub struct Material<'s> {
    text: String,
    places: Vec<(&'s str, Evidence)>,
}

impl<'s> Material<'s> {
    /// The material about a subject: a session whole; a turn with what was said before it; a span with the turn's
    /// request.
    pub fn of(subject: &Subject<'s>) -> Self {
        let session = subject.scene().session;
        let mut material = Self { text: String::new(), places: Vec::new() };
        if let Some(instructions) = &session.instructions {
            material.section("Instructions of the agent");
            material.quoted(instructions);
        }
        match subject {
            Subject::Session(_) => {
                material.spans("Before the first message", &session.spans, 0);
                for (index, turn) in session.turns.iter().enumerate() {
                    material.turn(session, index, turn);
                }
                material.expected(subject.scene().expected);
            }
            Subject::Turn(turn) => {
                material.before(session, turn.index);
                material.turn(session, turn.index, turn.turn);
                if let Some(expected) = subject.scene().turn_expected.get(turn.index).and_then(Option::as_ref) {
                    material.expected(expected);
                }
            }
            Subject::Span(span) => {
                if let Some(turn) = span.turn.and_then(|index| session.turns.get(index)) {
                    material.said("User", turn.user.as_deref(), None);
                }
                material.section("The operation to judge");
                material.span(span.ordinal, span.span);
            }
        }
        material
    }

    /// The text between its two lines.
    pub fn enclosed(&self) -> String {
        let digest = blake3::hash(self.text.as_bytes()).to_hex();
        let mark = &digest.as_str()[..24];
        format!("<<<MATERIAL {mark}\n{}MATERIAL {mark}>>>", self.text)
    }

    /// The number of bytes of the text.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Where a quote occurs, word for word; quotes may differ in white space. `None` when it occurs nowhere.
    pub fn find(&self, quote: &str) -> Option<Option<Evidence>> {
        let quote = quote.trim();
        if quote.is_empty() {
            return None;
        }
        let placed = self.places.iter().find_map(|(text, place)| {
            let at = text.find(quote)?;
            Some(place.clone().within(at..at + quote.len()))
        });
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        match placed {
            Some(place) => Some(Some(place)),
            None => squeezed(&self.text).contains(&squeezed(quote)).then_some(None),
        }
    }

    fn section(&mut self, title: &str) {
        let _ = writeln!(self.text, "## {title}");
    }

    /// A text of many lines, each marked, so that none looks like a heading.
    fn quoted(&mut self, text: &str) {
        if text.is_empty() {
            self.text.push_str("| (empty)\n");
        }
        for line in text.strip_suffix('\n').unwrap_or(text).split(ENDS) {
            let _ = writeln!(self.text, "| {line}");
        }
    }

    fn said(&mut self, who: &str, text: Option<&'s str>, place: Option<Evidence>) {
        self.section(who);
        match text {
            Some(text) => {
                self.quoted(text);
                self.places.extend(place.map(|place| (text, place)));
            }
            None => self.text.push_str("(not recorded)\n"),
        }
    }

    /// What was said before a turn.
    fn before(&mut self, session: &'s Session<'s>, index: usize) {
        for (before, turn) in session.turns.iter().enumerate().take(index) {
            self.said(&format!("Earlier, user (turn {})", before + 1), turn.user.as_deref(), None);
            self.said(&format!("Earlier, agent (turn {})", before + 1), turn.reply.as_deref(), None);
        }
    }

    fn turn(&mut self, session: &'s Session<'s>, index: usize, turn: &'s Turn<'s>) {
        let number = index + 1;
        self.said(&format!("User (turn {number})"), turn.user.as_deref(), Some(Evidence::turn(index, Field::User)));
        self.spans(&format!("Operations (turn {number})"), &turn.spans, session.first_span_of_turn(index));
        if !turn.closing {
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
        let _ = writeln!(self.text, "- {} `{}`", span.kind.name(), span.name.as_str().replace('\n', " "));
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
                self.places.push((payload.as_str(), place));
            }
        }
    }

    /// What was expected, as far as words can say it.
    fn expected(&mut self, expected: &Expected<'_>) {
        if let Some(answer) = expected.answer.as_deref() {
            self.section("Expected answer");
            self.quoted(answer);
        }
    }
}
