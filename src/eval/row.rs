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
    pub said: Vec<(u32, Said)>,
    /// Its cells, in the order of the suite's columns.
    pub cells: Vec<Cell>,
}

/// What a check says by itself of a session, and what people have to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// What it says.
    pub status: Status,
    /// Whether a person is to decide.
    pub waits: bool,
    /// Whether a person decided that it fails.
    pub failed: bool,
}

impl Said {
    /// A verdict that nobody has decided.
    pub fn alone(status: Status) -> Self {
        Self { status, waits: status == Status::Held, failed: false }
    }
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
fn said(verdict: &Verdict) -> Option<Said> {
    let [finding] = &verdict.findings[..] else { return None };
    let status = finding.proposal.filter(|_| finding.subject == SubjectRef::Session)?;
    Some(Said { status, waits: finding.status == Status::Held, failed: finding.status == Status::Fail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Routed, SubjectFinding, Tally, Why};

    /// What is said of a verdict whose check says pass, as it stands by now.
    fn now(status: Status, why: Vec<Why>) -> Option<Said> {
        let finding = SubjectFinding {
            subject: SubjectRef::Session,
            status,
            proposal: Some(Status::Pass),
            routed: Some(Box::new(Routed::held(why))),
            score: None,
            confidence: 0.5,
            reason: String::new(),
            evidence: Vec::new(),
        };
        said(&Verdict {
            check: 0,
            status,
            subjects: Tally::default(),
            score: None,
            confidence: 0.5,
            reason: String::new(),
            findings: vec![finding],
        })
    }

    #[test]
    fn what_a_check_says_by_itself_stays_beside_what_people_decide() {
        let passes = Said::alone(Status::Pass);
        assert_eq!(now(Status::Held, vec![Why::Below { threshold: 0.8 }]), Some(Said { waits: true, ..passes }));
        assert_eq!(now(Status::Pass, vec![Why::Always]), Some(passes));
        assert_eq!(now(Status::Fail, vec![Why::Always]), Some(Said { failed: true, ..passes }));
    }
}
