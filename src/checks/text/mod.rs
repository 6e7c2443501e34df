//! Checks of a text, wherever it comes from: a span's input or output, a turn's reply, a session's replies.
//!
//! A text rule judges a `&str` and knows nothing of where it lies; the adapter here picks the text that `of` names,
//! says what is missing when it was not recorded, and makes evidence point into the right field.

pub mod contains;
pub mod diff;
pub mod equals;
mod escapes;
pub mod json;
pub mod length;
pub mod matches;
pub mod needles;
pub mod not_contains;
pub mod not_matches;
pub mod semantic;
pub mod similar;

use std::borrow::Cow;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asking::Subject;
use super::build::Build;
use super::subject::{SessionSubject, SpanSubject, TurnSubject};
use super::withheld::{Parts, Reads};
use super::{Compiled, SessionCheck, SpanCheck, TextCheck, TurnCheck};
use crate::model::{Evidence, Field, Finding, Level, Session, Status, Text};

/// The levels that text rules work at.
pub const LEVELS: &[Level] = &[Level::Span, Level::Turn, Level::Session];

/// Which text is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// Span level: what went in, such as a tool call's arguments. JSON is looked at as it was written; `contains`, `matches`
    /// and their opposites look at it with its escapes resolved, too.
    Input,
    /// Span level, the default there: what came out, such as a tool's result. JSON as above.
    Output,
    /// Turn level: what the user said. Session level: all that the user said, one message a line.
    User,
    /// The default at turn and session level: the agent's reply in the turn, or the session's final reply.
    Reply,
    /// Session level: all replies of the session, one a line. A turn without a reply adds nothing.
    Replies,
}

impl Of {
    const fn name(self) -> &'static str {
        match self {
            Of::Input => "input",
            Of::Output => "output",
            Of::User => "user",
            Of::Reply => "reply",
            Of::Replies => "replies",
        }
    }

    /// The part of a session that it is.
    const fn part(self) -> Parts {
        match self {
            Of::Input => Parts::INPUT,
            Of::Output => Parts::OUTPUT,
            Of::User => Parts::USER_TEXT,
            Of::Reply | Of::Replies => Parts::REPLIES,
        }
    }

    /// What there is to choose from at a level, the default first.
    const fn choices(level: Level) -> &'static [Of] {
        match level {
            Level::Span => &[Of::Output, Of::Input],
            Level::Turn => &[Of::Reply, Of::User],
            _ => &[Of::Reply, Of::Replies, Of::User],
        }
    }
}

/// What `of` names at the level, or a problem there.
pub fn chosen(build: &mut Build<'_>, of: Option<Of>) -> Option<Of> {
    let choices = Of::choices(build.level);
    let of = of.unwrap_or(choices[0]);
    if !choices.contains(&of) {
        let names: Vec<String> = choices.iter().map(|c| format!("`{}`", c.name())).collect();
        let message = format!("a {} has no `{}`", build.level.name(), of.name());
        build.problem(&["of"], message, format!("at this level `of` is {}", names.join(" or ")));
        return None;
    }
    Some(of)
}

/// Puts a text check to work at the level it was declared at.
pub fn compile(build: &mut Build<'_>, of: Option<Of>, check: impl TextCheck + 'static) -> Option<Compiled> {
    let check = OnText { of: chosen(build, of)?, check };
    Some(match build.level {
        Level::Span => Compiled::Span(Box::new(check)),
        Level::Turn => Compiled::Turn(Box::new(check)),
        _ => Compiled::Session(Box::new(check)),
    })
}

struct OnText<T> {
    of: Of,
    check: T,
}

impl<T: TextCheck> SpanCheck for OnText<T> {
    fn reads(&self) -> Reads {
        Reads { parts: self.of.part(), detects: self.check.detects() }
    }

    fn check(&self, subject: &SpanSubject<'_>) -> Finding {
        let span = subject.span;
        let payload = if self.of == Of::Input { &span.input } else { &span.output };
        on(self.of, &Subject::Span(*subject), |text| {
            let written = self.check.check(text);
            match payload {
                Some(payload) if text.contains('\\') => escapes::resolved(&self.check, payload, written),
                _ => written,
            }
        })
    }
}

impl<T: TextCheck> TurnCheck for OnText<T> {
    fn reads(&self) -> Reads {
        Reads { parts: self.of.part(), detects: self.check.detects() }
    }

    fn check(&self, subject: &TurnSubject<'_>) -> Finding {
        on(self.of, &Subject::Turn(*subject), |text| self.check.check(text))
    }
}

impl<T: TextCheck> SessionCheck for OnText<T> {
    fn reads(&self) -> Reads {
        Reads {
            parts: if self.of == Of::Reply { Parts::FINAL_REPLY } else { self.of.part() },
            detects: self.check.detects(),
        }
    }

    fn check(&self, subject: &SessionSubject<'_>) -> Finding {
        on(self.of, &Subject::Session(*subject), |text| self.check.check(text))
    }
}

/// Judges the text of a subject that `of` names; the finding where there is none. Evidence of `check` is relative to the
/// text, and points into the session afterwards.
pub fn on(of: Of, subject: &Subject<'_>, check: impl FnOnce(&str) -> Finding) -> Finding {
    match subject {
        Subject::Span(subject) => on_span(of, subject, check),
        Subject::Turn(subject) => on_turn(of, subject, check),
        Subject::Session(subject) => on_session(of, subject, check),
    }
}

fn on_span(of: Of, subject: &SpanSubject<'_>, check: impl FnOnce(&str) -> Finding) -> Finding {
    let span = subject.span;
    let (payload, field) = match of {
        Of::Input => (&span.input, Field::Input),
        _ => (&span.output, Field::Output),
    };
    let Some(payload) = payload else {
        return Finding::error(format!("the recording holds no {} of `{}`", of.name(), span.name));
    };
    if payload.is_null() {
        // A model that only called tools said nothing, and a tool may return nothing: there is no text to judge.
        return Finding::not_applicable("the span has no text");
    }
    placed(check(payload.as_str()), |e| Evidence::span(subject.ordinal, field).with_place_of(e))
}

fn on_turn(of: Of, subject: &TurnSubject<'_>, check: impl FnOnce(&str) -> Finding) -> Finding {
    let (text, field) = part(of, &subject.turn.user, &subject.turn.reply);
    let Some(text) = text else {
        let number = subject.index + 1;
        return Finding::error(match of {
            Of::User => format!("the recording holds no user message in turn {number}"),
            _ => format!("the recording holds no reply in turn {number}"),
        });
    };
    placed(check(text), |e| Evidence::turn(subject.index, field).with_place_of(e))
}

fn on_session(of: Of, subject: &SessionSubject<'_>, check: impl FnOnce(&str) -> Finding) -> Finding {
    let joined = Joined::new(subject.scene.session, of);
    let (Some(text), false) = (joined.text(), joined.parts.is_empty()) else {
        return Finding::error(match of {
            Of::User => "the recording holds no user message",
            _ => "the recording holds no reply",
        });
    };
    joined.place(check(&text))
}

fn part<'s>(of: Of, user: &'s Option<Text<'_>>, reply: &'s Option<Text<'_>>) -> (Option<&'s str>, Field) {
    match of {
        Of::User => (user.as_deref(), Field::User),
        _ => (reply.as_deref(), Field::Reply),
    }
}

fn placed(mut finding: Finding, place: impl Fn(Evidence) -> Evidence) -> Finding {
    finding.evidence = finding.evidence.into_iter().map(&place).collect();
    // A finding that points nowhere within the text still points at the text.
    if finding.evidence.is_empty() && finding.status != Status::Pass {
        finding.evidence.push(place(Evidence::session(Field::Whole)));
    }
    finding
}

trait WithPlace {
    /// Keeps this place and takes range and pointer of `inner`.
    fn with_place_of(self, inner: Evidence) -> Self;
}

impl WithPlace for Evidence {
    fn with_place_of(self, inner: Evidence) -> Self {
        Self { range: inner.range, pointer: inner.pointer, ..self }
    }
}

/// Texts of several turns, one a line.
struct Joined<'s> {
    field: Field,
    /// Index of the turn and its text.
    parts: Vec<(usize, &'s str)>,
}

impl<'s> Joined<'s> {
    fn new(session: &'s Session<'_>, of: Of) -> Self {
        let field = if of == Of::User { Field::User } else { Field::Reply };
        let texts = session.turns.iter().enumerate().filter_map(|(i, t)| Some((i, part(of, &t.user, &t.reply).0?)));
        let parts = if of == Of::Reply { texts.last().into_iter().collect() } else { texts.collect() };
        Self { field, parts }
    }

    fn text(&self) -> Option<Cow<'s, str>> {
        match self.parts.as_slice() {
            [] => None,
            [(_, only)] => Some(Cow::Borrowed(only)),
            many => Some(Cow::Owned(many.iter().map(|(_, t)| *t).collect::<Vec<_>>().join("\n"))),
        }
    }

    /// Evidence in the joined text, as evidence in the turns it lies in.
    fn place(&self, mut finding: Finding) -> Finding {
        let place = |e: Evidence| match e.range {
            Some((start, end)) => self.split(start as usize..end as usize),
            None => self
                .parts
                .last()
                .map(|(turn, _)| Evidence::turn(*turn, self.field).with_place_of(e))
                .into_iter()
                .collect(),
        };
        finding.evidence = finding.evidence.into_iter().flat_map(place).collect();
        if finding.evidence.is_empty() && finding.status != Status::Pass {
            finding.evidence.extend(self.parts.last().map(|(turn, _)| Evidence::turn(*turn, self.field)));
        }
        finding
    }

    fn split(&self, range: Range<usize>) -> Vec<Evidence> {
        let mut offset = 0;
        let mut found = Vec::new();
        for (turn, text) in &self.parts {
            let end = offset + text.len();
            if range.start <= end && range.end >= offset {
                let start = range.start.saturating_sub(offset);
                let within = start..(range.end - offset).min(text.len());
                if !within.is_empty() || range.is_empty() {
                    found.push(Evidence::turn(*turn, self.field).within(within));
                }
            }
            offset = end + 1;
        }
        found
    }
}

/// A text for a reason: quoted, and cut to a bearable length.
pub fn quote(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        None => format!("{text:?}"),
        Some((cut, _)) => format!("{:?}… ({} characters)", &text[..cut], text.chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::contains::Contains;
    use super::not_contains::NotContains;
    use super::*;
    use crate::checks::probe::{build, finding, findings, status};
    use crate::checks::select::Selector;

    const SESSION: &str = r#"{"id":"s","turns":[
        {"user":"hello","reply":"one bad"},{"user":"bye"},{"reply":"two bad"}]}"#;

    #[test]
    fn a_session_is_judged_by_its_final_reply_unless_all_are_asked_for() {
        assert_eq!(status::<Contains>(Level::Session, "value = 'two'", SESSION), Status::Pass);
        assert_eq!(status::<Contains>(Level::Session, "value = 'one'", SESSION), Status::Fail);
        assert_eq!(status::<Contains>(Level::Session, "value = 'one'\nof = 'replies'", SESSION), Status::Pass);
        assert_eq!(status::<Contains>(Level::Session, "value = 'bye'\nof = 'user'", SESSION), Status::Pass);
    }

    #[test]
    fn evidence_points_at_the_turn_concerned() {
        let found = finding::<NotContains>(Level::Session, "value = 'two bad'\nof = 'replies'", SESSION);
        assert_eq!(found.evidence, [Evidence::turn(2, Field::Reply).within(0..7)]);
        let found = finding::<NotContains>(Level::Session, "value = \"bad\\ntwo\"\nof = 'replies'", SESSION);
        let both = [Evidence::turn(0, Field::Reply).within(4..7), Evidence::turn(2, Field::Reply).within(0..3)];
        assert_eq!(found.evidence, both);
        let found = finding::<Contains>(Level::Session, "value = 'zzz'", SESSION);
        assert_eq!(found.evidence, [Evidence::turn(2, Field::Reply)]);
    }

    #[test]
    fn a_text_that_was_not_recorded_is_an_error() {
        let check = build::<NotContains>(Level::Turn, "value = 'x'").unwrap();
        let all = findings(&check, &Selector::default(), SESSION);
        assert_eq!(all.iter().map(|f| f.status).collect::<Vec<_>>(), [Status::Pass, Status::Error, Status::Pass]);
        assert_eq!(all[1].reason, "the recording holds no reply in turn 2");
        for session in [r#"{"id":"s"}"#, r#"{"id":"s","turns":[{"user":"x"}]}"#] {
            assert_eq!(status::<NotContains>(Level::Session, "value = 'x'\nof = 'replies'", session), Status::Error);
            assert_eq!(status::<NotContains>(Level::Session, "value = 'x'", session), Status::Error);
        }
        let span = r#"{"id":"s","spans":[{"kind":"tool","name":"f"}]}"#;
        assert_eq!(
            finding::<NotContains>(Level::Span, "value = 'x'", span).reason,
            "the recording holds no output of `f`"
        );
    }

    #[test]
    fn an_empty_reply_is_a_text() {
        let session = r#"{"id":"s","turns":[{"reply":""}]}"#;
        assert_eq!(status::<NotContains>(Level::Session, "value = 'x'", session), Status::Pass);
        assert_eq!(status::<Contains>(Level::Turn, "value = 'x'", session), Status::Fail);
    }

    #[test]
    fn spans_are_judged_by_their_output_or_input() {
        let span = r#"{"id":"s","spans":[{"kind":"tool","name":"f","input":{"a": "in"},"output":"out"}]}"#;
        assert_eq!(status::<Contains>(Level::Span, "value = 'out'", span), Status::Pass);
        let found = finding::<NotContains>(Level::Span, "value = 'in'\nof = 'input'", span);
        assert_eq!(found.evidence, [Evidence::span(0, Field::Input).within(7..9)]);
    }

    #[test]
    fn a_part_that_the_level_does_not_have_is_a_problem() {
        let problem = build::<Contains>(Level::Span, "value = 'x'\nof = 'reply'").err().unwrap();
        assert_eq!(problem, "of: a span has no `reply` (at this level `of` is `output` or `input`)");
        assert!(build::<Contains>(Level::Turn, "value = 'x'\nof = 'replies'").is_err());
    }
}
