//! What the fold needs of a session: small, owned, and the same whether it comes from a run or from a record.

use super::event::{Ordinal, SessionEvent};
use crate::checks::system::Cell;
use crate::model::digest::Digest;
use crate::model::{Status, SubjectRef, Tally, Verdict};

/// A session, as the fold sees it.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where it stood.
    pub at: Ordinal,
    /// The session's id.
    pub id: Box<str>,
    /// Its case.
    pub case: Box<str>,
    /// Which trial, as the recording says.
    pub trial: Option<Box<str>>,
    /// Tags of a case that is not declared.
    pub tags: Vec<String>,
    /// The session's digest.
    pub digest: Digest,
    /// It could not be measured as a whole.
    pub error: bool,
    /// Position, verdict and subjects of every check that applied.
    pub verdicts: Vec<(u32, Status, Tally)>,
    /// What a check says by itself of the session as a whole, where its verdict is for people to decide.
    pub said: Vec<(u32, Status)>,
    /// Its cells, in the order of the suite's columns.
    pub cells: Vec<Cell>,
}

impl Row {
    /// The row of an event.
    pub fn of(event: &SessionEvent<'_>) -> Self {
        Self {
            at: event.at,
            id: event.id.as_str().into(),
            case: event.case.as_str().into(),
            trial: event.trial.as_ref().map(|t| t.as_str().into()),
            tags: event.tags.clone(),
            digest: event.digest,
            error: event.error.is_some(),
            verdicts: event.verdicts.iter().map(|v| (v.check, v.status, v.subjects)).collect(),
            said: event.verdicts.iter().filter_map(|v| Some((v.check, said(v)?))).collect(),
            cells: event.row.clone(),
        }
    }
}

/// What the check of a verdict says by itself; `None` where that is the verdict.
fn said(verdict: &Verdict) -> Option<Status> {
    match &verdict.findings[..] {
        [finding] if finding.subject == SubjectRef::Session => finding.proposal,
        _ => None,
    }
}
