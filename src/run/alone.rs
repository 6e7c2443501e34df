//! One session by itself, judged exactly as within a run: who watches production has no files and no end.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::element::{self, Done, Item, Room};
use super::engine::Job;
use crate::eval::evaluate;
use crate::eval::event::Ordinal;
use crate::model::{LeftOut, Problem, Session};
use crate::redact::Redacted;
use crate::report::live::Written;
use crate::store::kept::Entry;

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
