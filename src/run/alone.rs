//! One session by itself, judged exactly as within a run: who watches production has no files and no end.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::apart::{Crew, Portion, Said};
use super::element::{self, Done, Item, Room};
use super::engine::{Early, Job};
use crate::eval::evaluate;
use crate::eval::event::{Ordinal, SessionEvent};
use crate::formats;
use crate::model::{LeftOut, Problem, Session, digest};
use crate::redact::Redacted;
use crate::report::live::Written;
use crate::sources::recipe::Recipe;
use crate::store::kept::Entry;
use crate::store::record;

/// What came of a session.
pub struct Judged {
    /// What a record would say of it; `None` while only questions to models are collected.
    pub written: Option<Redacted<Written>>,
    /// The session as it may be written, where it is one to keep.
    pub kept: Option<Redacted<Entry>>,
    /// A check panicked; its verdict is an error.
    pub panicked: bool,
}

/// Judges a session. The job has no files; its `live` is set.
///
/// # Errors
/// Why the session is left out.
pub fn judge(job: &Job<'_>, session: &Session<'_>, at: Ordinal) -> Result<Judged, Problem> {
    let (mut done, mut tools, mut mine) = (Done::default(), BTreeSet::new(), true);
    let room = Room { all: 1, passed: 0 };
    let judged =
        catch_unwind(AssertUnwindSafe(|| element::whole(job, session, at, &mut tools, room, &mut mine, &mut done)));
    match judged {
        Ok(Ok(())) => {}
        Ok(Err((_, problem))) => return Err(problem),
        Err(_) => {
            let why = format!("a bug in seatrial: judging it panicked: {}", evaluate::last_panic());
            return Err(Problem::new(LeftOut::Malformed, why));
        }
    }
    let panicked = done.panicked;
    match done.items.pop() {
        Some(Item::Session { event, kept, .. }) => {
            Ok(Judged { written: event.map(|event| *event), kept: kept.map(|kept| *kept), panicked })
        }
        _ => Ok(Judged { written: None, kept: None, panicked }),
    }
}

/// The same, judged by those who do so elsewhere: the session goes there in seatrial's own format. One that would not be
/// the same there is judged here.
///
/// # Errors
/// Nobody judged it. The inner error says why the session is left out.
pub fn judge_apart(
    job: &Job<'_>,
    session: &Session<'_>,
    at: Ordinal,
    crew: &dyn Crew,
) -> Result<Result<Judged, Problem>, Early> {
    let mut bytes = Vec::new();
    if formats::seatrial::write(session, &mut bytes).is_err() {
        return Ok(judge(job, session, at));
    }
    let recipe = Recipe::Format { name: "seatrial".to_owned(), headers: Vec::new() };
    let portion = Portion {
        recipe: &recipe,
        stem: "",
        file: at.0,
        now_ns: job.now_ns,
        room: Room { all: 1, passed: 0 },
        elements: vec![(at.1, bytes.trim_ascii_end())],
        given_up: None,
    };
    let mut answer = crew.judge(&portion)?;
    let panicked = answer.panicked;
    let (line, kept) = match answer.said.pop() {
        Some(Said::Session { line, kept }) => (line, kept),
        Some(Said::LeftOut { problem, .. }) => return Ok(Err(problem)),
        None => return Err(Early::Crew("a bug in seatrial: a worker did not answer for a session".to_owned())),
    };
    let unreadable = |why| Early::Crew(format!("a bug in seatrial: a worker answered with a line that is none: {why}"));
    let event: SessionEvent<'_> = serde_json::from_slice(&line).map_err(unreadable)?;
    if event.digest != digest::session(session) {
        return Ok(judge(job, session, at));
    }
    let details = record::details(&event).map_err(Early::Write)?;
    // Both went through the rules where they were made.
    let written = Redacted::drawn(Written { event: event.into_owned(), details });
    Ok(Ok(Judged { written: Some(written), kept: kept.map(Redacted::drawn), panicked }))
}
