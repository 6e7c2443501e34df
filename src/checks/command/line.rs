//! The line of JSON that tells a program what to judge.

use serde::Serialize;

use crate::checks::asking::Subject;
use crate::model::{Session, Span, Text, Turn};

#[derive(Serialize)]
struct Line<'s> {
    level: &'static str,
    case: minijinja::Value,
    session: Told<'s>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<&'s Turn<'s>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<&'s Span<'s>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_index: Option<usize>,
}

/// As much of the session as the level sees.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'s> {
    Whole(&'s Session<'s>),
    Head {
        id: &'s Text<'s>,
        #[serde(skip_serializing_if = "Option::is_none")]
        agent: Option<&'s Text<'s>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<&'s Text<'s>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<&'s Text<'s>>,
        tags: &'s [Text<'s>],
    },
}

/// The line about a subject, without its end; `Err` says why it cannot be written.
pub(super) fn of(subject: &Subject<'_>) -> Result<String, String> {
    let scene = subject.scene();
    let session = scene.session;
    let head = || Told::Head {
        id: &session.id,
        agent: session.agent.as_ref(),
        version: session.version.as_ref(),
        user: session.user.as_ref(),
        tags: &session.tags,
    };
    let mut line = Line {
        level: subject.level().name(),
        case: scene.context().get_attr("case").unwrap_or_default(),
        session: head(),
        turn: None,
        turn_index: None,
        span: None,
        span_index: None,
    };
    match subject {
        Subject::Session(_) => line.session = Told::Whole(session),
        Subject::Turn(turn) => (line.turn, line.turn_index) = (Some(turn.turn), Some(turn.index)),
        Subject::Span(span) => {
            (line.span, line.span_index) = (Some(span.span), Some(span.ordinal));
            line.turn_index = span.turn;
        }
    }
    serde_json::to_string(&line).map_err(|why| format!("the subject cannot be written as JSON: {why}"))
}
