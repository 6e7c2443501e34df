//! What a check reads of a session, so that one from which something was taken out is judged only where nothing is
//! missing.
//!
//! A check that does not say what it reads is taken to read everything: then it is an error on any session that redaction
//! changed, never a pass and never a fail.

use std::ops::BitOr;

use crate::model::{Evidence, Field, Finding, Session, Status, SubjectRef};

/// Parts of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts(u32);

impl Parts {
    /// Times, counts, costs, scores: what redaction never changes.
    pub const NONE: Self = Self(0);
    /// The name of an operation.
    pub const NAME: Self = Self(1);
    /// What went in.
    pub const INPUT: Self = Self(1 << 1);
    /// What came out.
    pub const OUTPUT: Self = Self(1 << 2);
    /// The model.
    pub const MODEL: Self = Self(1 << 3);
    /// The agent.
    pub const AGENT: Self = Self(1 << 4);
    /// Attributes.
    pub const ATTRIBUTES: Self = Self(1 << 5);
    /// What the user said.
    pub const USER_TEXT: Self = Self(1 << 6);
    /// What the agent replied, in every turn looked at.
    pub const REPLIES: Self = Self(1 << 7);
    /// The session's final reply.
    pub const FINAL_REPLY: Self = Self(1 << 8);
    /// The world before and after.
    pub const STATE: Self = Self(1 << 9);
    /// What was expected.
    pub const REFERENCE: Self = Self(1 << 10);
    /// The user's name.
    pub const USER: Self = Self(1 << 11);
    /// The names of the session and of its case.
    pub const CASE: Self = Self(1 << 12);
    /// The tags.
    pub const TAGS: Self = Self(1 << 13);
    /// Anything else.
    pub const REST: Self = Self(1 << 14);
    /// Everything, also outside of the subject.
    pub const ALL: Self = Self(u32::MAX);

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Parts {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a check reads.
#[derive(Debug, Clone)]
pub struct Reads {
    /// Of its subject; names of the session, its user and case whatever the subject.
    pub parts: Parts,
    /// The detectors that it applies, and the verdict that is certain once one of them finds something: markers count.
    pub detects: Option<(Vec<String>, Status)>,
}

impl Reads {
    /// These parts, and applies no detector.
    pub const fn only(parts: Parts) -> Self {
        Self { parts, detects: None }
    }

    /// Everything: what a check reads that does not say.
    pub const fn all() -> Self {
        Self::only(Parts::ALL)
    }
}

/// A field that something was taken out of.
struct Flag<'s> {
    /// Its JSON pointer.
    field: &'s str,
    /// The rules that found something there.
    by: Vec<&'s str>,
    part: Parts,
    /// The span and the turn that it belongs to.
    span: Option<usize>,
    turn: Option<usize>,
}

impl Flag<'_> {
    /// Whether a check of `subject` reads it.
    fn concerns(&self, session: &Session<'_>, subject: SubjectRef, parts: Parts) -> bool {
        if parts == Parts::ALL {
            return true;
        }
        // A session's final reply is that of one of its turns.
        let is_final = || session.turns.iter().rposition(|t| t.reply.is_some()) == self.turn;
        let read = parts.has(self.part) || self.part == Parts::REPLIES && parts.has(Parts::FINAL_REPLY) && is_final();
        let everywhere = self.span.is_none() && self.turn.is_none();
        let within = match subject {
            SubjectRef::Span(ordinal) => everywhere || self.span == Some(ordinal as usize),
            SubjectRef::Turn(index) => everywhere || self.turn == Some(index as usize),
            SubjectRef::Session => true,
        };
        read && within
    }

    fn evidence(&self) -> Evidence {
        let field = match self.part {
            Parts::INPUT => Field::Input,
            Parts::OUTPUT => Field::Output,
            Parts::USER_TEXT => Field::User,
            Parts::REPLIES => Field::Reply,
            Parts::STATE => Field::State,
            Parts::ATTRIBUTES => Field::Attributes,
            _ => Field::Whole,
        };
        match (self.span, self.turn) {
            (Some(ordinal), _) => Evidence::span(ordinal, field),
            (None, Some(index)) => Evidence::turn(index, field),
            (None, None) => Evidence::session(field),
        }
    }
}

/// The flagged fields of a session.
fn flags<'s>(session: &'s Session<'_>) -> impl Iterator<Item = Flag<'s>> {
    session.redacted.iter().map(|(field, by)| {
        let steps: Vec<&str> = field.split('/').skip(1).collect();
        let index = |i: usize| steps.get(i).and_then(|n| n.parse::<usize>().ok());
        let (rest, span, turn) = match steps[..] {
            ["spans", _, ..] => (&steps[2..], index(1), None),
            ["turns", _, "spans", _, ..] => {
                let first = index(1).map(|turn| session.first_span_of_turn(turn));
                (&steps[4..], first.zip(index(3)).map(|(first, k)| first + k), index(1))
            }
            ["turns", _, ..] => (&steps[2..], None, index(1)),
            _ => (&steps[..], None, None),
        };
        Flag { field, by: by.collect(), part: part(rest, span.is_some(), turn.is_some()), span, turn }
    })
}

fn part(steps: &[&str], span: bool, turn: bool) -> Parts {
    match steps.first().copied().unwrap_or_default() {
        "name" if span => Parts::NAME,
        "input" if span => Parts::INPUT,
        "output" if span => Parts::OUTPUT,
        "model" if span => Parts::MODEL,
        "agent" => Parts::AGENT,
        "attributes" => Parts::ATTRIBUTES,
        "user" if turn => Parts::USER_TEXT,
        "reply" if turn => Parts::REPLIES,
        "reference" => Parts::REFERENCE,
        "state" | "initial_state" => Parts::STATE,
        "user" => Parts::USER,
        "id" | "case" if !span && !turn => Parts::CASE,
        "tags" => Parts::TAGS,
        _ => Parts::REST,
    }
}

/// Why nobody can tell what these parts of a subject were, where something was taken out of one of them.
pub fn unknown(session: &Session<'_>, subject: SubjectRef, parts: Parts) -> Option<String> {
    if session.redacted.is_empty() || parts == Parts::NONE {
        return None;
    }
    flags(session).find(|flag| flag.concerns(session, subject, parts)).map(|flag| why(&flag))
}

fn why(flag: &Flag<'_>) -> String {
    format!(
        "`{}` was redacted ({}) when the session was written, and the check reads it: judge the session where it was \
         recorded, or take the field out of [redact]",
        flag.field,
        flag.by.join(", ")
    )
}

/// What may be said of a subject: the check's finding, unless it read something that was taken out. A detector that finds
/// its marker found what was there.
pub fn measured(
    session: &Session<'_>,
    subject: SubjectRef,
    reads: impl FnOnce() -> Reads,
    finding: Finding,
) -> Finding {
    if session.redacted.is_empty() {
        return finding;
    }
    let Reads { parts, detects } = reads();
    let mut read = flags(session).filter(|flag| flag.concerns(session, subject, parts)).peekable();
    let Some(first) = read.peek() else { return finding };
    let error = Finding::error(why(first)).with(first.evidence());
    let certain = detects.is_some_and(|(names, certain)| {
        finding.status == certain && read.any(|flag| flag.by.iter().any(|by| names.iter().any(|name| name == by)))
    });
    if certain { finding } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = r#"{"id":"s","spans":[{"kind":"tool","name":"f","input":"[redacted:email]"}],"turns":[
        {"reply":"[redacted:email]","spans":[{"kind":"tool","name":"g","output":"x"}]},{"reply":"bye"}],
        "redacted":{"/spans/0/input":["email"],"/turns/0/reply":["email","key"],"/turns/0/spans/0/output":["key"],"/user":["user"]}}"#;

    fn read(subject: SubjectRef, parts: Parts) -> bool {
        unknown(&serde_json::from_str(SESSION).unwrap(), subject, parts).is_some()
    }

    #[test]
    fn a_field_concerns_those_who_read_it_in_their_subject() {
        use SubjectRef::{Session, Span, Turn};
        for (subject, parts, expected) in [
            (Span(0), Parts::INPUT, true),
            (Span(0), Parts::OUTPUT, false),
            (Span(1), Parts::INPUT, false),
            (Span(1), Parts::OUTPUT, true),
            (Span(1), Parts::USER, true),
            (Span(1), Parts::ALL, true),
            (Turn(0), Parts::REPLIES, true),
            (Turn(1), Parts::REPLIES, false),
            (Turn(0), Parts::OUTPUT | Parts::NAME, true),
            (Session, Parts::REPLIES, true),
            (Session, Parts::FINAL_REPLY, false),
            (Session, Parts::NONE, false),
        ] {
            assert_eq!(read(subject, parts), expected, "{subject:?} {parts:?}");
        }
    }

    #[test]
    fn only_a_detectors_own_marker_is_certain() {
        let session: Session<'_> = serde_json::from_str(SESSION).unwrap();
        let said = |names: &[&str], finding: Finding| {
            let names = names.iter().map(|n| (*n).to_owned()).collect();
            let reads = || Reads { parts: Parts::REPLIES, detects: Some((names, Status::Fail)) };
            measured(&session, SubjectRef::Turn(0), reads, finding).status
        };
        assert_eq!(said(&["email"], Finding::fail("found")), Status::Fail);
        assert_eq!(said(&["email"], Finding::pass()), Status::Error);
        assert_eq!(said(&["iban"], Finding::fail("found")), Status::Error);
    }

    #[test]
    fn nothing_is_unknown_of_a_session_as_it_was_recorded() {
        let session: Session<'_> = serde_json::from_str(r#"{"id":"s"}"#).unwrap();
        assert_eq!(unknown(&session, SubjectRef::Session, Parts::ALL), None);
    }
}
