//! The verdict that a program answers with.

use serde::Deserialize;

use crate::checks::asking::Subject;
use crate::checks::text::quote;
use crate::model::{Evidence, Finding, Status};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    status: Word,
    score: Option<f64>,
    confidence: Option<f64>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    evidence: Vec<Evidence>,
}

/// What a program may say. That a subject is held or skipped, others decide.
#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Word {
    Pass,
    Fail,
    Error,
}

/// Places that one verdict may point at.
const MOST_PLACES: usize = 50;

/// The finding of an answer; `Err` says why it is none.
pub(super) fn read(answer: &str, subject: &Subject<'_>) -> Result<Finding, String> {
    let said: Said = serde_json::from_str(answer).map_err(|why| format!("{why}: {}", quote(answer)))?;
    for (name, share) in [("score", said.score), ("confidence", said.confidence)] {
        if let Some(share) = share.filter(|share| !(0.0..=1.0).contains(share)) {
            return Err(format!("`{name}` is {share}, and goes from 0 to 1"));
        }
    }
    let mut finding = match said.status {
        Word::Pass => Finding::pass(),
        Word::Fail => Finding::fail(String::new()),
        Word::Error => Finding::error(String::new()),
    };
    if finding.status != Status::Error {
        finding.score = said.score.or(finding.score);
    }
    if let Some(confidence) = said.confidence {
        finding.confidence = confidence;
    }
    finding.reason = match (said.reason, said.status) {
        (reason, Word::Fail | Word::Error) if reason.is_empty() => "the program gave no reason".to_owned(),
        (reason, _) => reason,
    };
    if said.evidence.len() > MOST_PLACES {
        return Err(format!("it points at {} places, and {MOST_PLACES} are the most", said.evidence.len()));
    }
    finding.evidence = said.evidence.into_iter().map(|place| placed(place, subject)).collect::<Result<_, _>>()?;
    Ok(finding)
}

/// A place within the subject where the program names neither span nor turn; one that does not exist is refused.
fn placed(mut place: Evidence, subject: &Subject<'_>) -> Result<Evidence, String> {
    let session = subject.scene().session;
    if place.span.is_none() && place.turn.is_none() {
        match subject {
            Subject::Span(span) => place.span = Some(span.ordinal as u32),
            Subject::Turn(turn) => place.turn = Some(turn.index as u32),
            Subject::Session(_) => {}
        }
    }
    for (what, index, of) in [("span", place.span, session.spans().count()), ("turn", place.turn, session.turns.len())]
    {
        if let Some(index) = index.filter(|index| *index as usize >= of) {
            return Err(format!("it points at {what} {index}, and the session has {of} (from 0)"));
        }
    }
    if place.range.is_some_and(|(from, to)| from > to) {
        return Err("it points at a range that ends before it begins".to_owned());
    }
    Ok(place)
}
