//! From the findings of a session's subjects to one verdict.
//!
//! A roll-up is pass or fail only when it would be so whichever way its unknown subjects (error, held) fell;
//! otherwise it is `error`, then `held`.

use crate::model::{Finding, Status, SubjectFinding, SubjectRef, Tally, Verdict};
use crate::suite::Require;

/// Findings listed in one verdict beside those that go to a person; the tally counts all of them.
const MAX_LISTED: usize = 50;

/// Longest reason kept, in bytes.
const MAX_REASON: usize = 4096;

/// Collects the findings of one check in one session.
pub struct RollUp {
    tally: Tally,
    scores: f64,
    scored: u64,
    confidence: f64,
    findings: Vec<SubjectFinding>,
    /// Those of them that are there only as long as there is room.
    listed: usize,
}

impl Default for RollUp {
    fn default() -> Self {
        Self { tally: Tally::default(), scores: 0.0, scored: 0, confidence: 1.0, findings: Vec::new(), listed: 0 }
    }
}

impl RollUp {
    /// Adds what the check says of one subject.
    pub fn add(&mut self, subject: SubjectRef, finding: Finding) {
        if !finding.applies {
            return;
        }
        self.tally.add(finding.status);
        // What waits for a person is not measured yet.
        if let Some(score) = finding.score.filter(|_| finding.proposal.is_none()) {
            self.scores += score;
            self.scored += 1;
        }
        self.confidence = self.confidence.min(finding.confidence);
        // A pass that is not certain has something to say for itself, after all that did not pass.
        let (passed, routed) = (finding.status == Status::Pass, finding.routed.is_some());
        if passed && finding.confidence == 1.0 && !routed {
            return;
        }
        if self.listed == MAX_LISTED && !passed && !routed {
            let least = self.findings.iter().rposition(|f| f.status == Status::Pass && f.routed.is_none());
            self.listed -= usize::from(least.map(|at| self.findings.remove(at)).is_some());
        }
        // What a person has to look at is there, however much of it there is.
        if routed || self.listed < MAX_LISTED {
            self.listed += usize::from(!routed);
            self.findings.push(SubjectFinding {
                subject,
                status: finding.status,
                proposal: finding.proposal,
                routed: finding.routed,
                score: finding.score,
                confidence: finding.confidence,
                reason: bounded(finding.reason),
                evidence: finding.evidence,
            });
        }
    }

    /// The verdict; `None` when the session has no subject for the check.
    pub fn verdict(self, check: u32, require: Require) -> Option<Verdict> {
        if self.tally.total() == 0 {
            return None;
        }
        let (status, reason) = decide(&self.tally, require);
        Some(Verdict {
            check,
            status,
            subjects: self.tally,
            score: (self.scored > 0).then(|| self.scores / self.scored as f64),
            confidence: self.confidence,
            reason,
            findings: self.findings,
        })
    }
}

/// The roll-up of a tally, and why when it is not simply that of its subjects.
pub fn decide(tally: &Tally, require: Require) -> (Status, String) {
    let asked = tally.total() - tally.skip;
    if asked == 0 {
        return (Status::Skip, String::new());
    }
    let needed = match require {
        Require::All => asked,
        Require::Any => 1,
        Require::Count(n) => n,
        // Rounded up with a little room, so that 0.9 of 10 needs 9 in spite of binary fractions.
        Require::Share(share) => (share * asked as f64 - 1e-9).ceil().max(0.0) as u64,
    };
    let unknown = tally.error + tally.held;
    let status = if tally.pass >= needed {
        Status::Pass
    } else if tally.pass + unknown < needed {
        Status::Fail
    } else if tally.error > 0 {
        Status::Error
    } else {
        Status::Held
    };
    let reason = match (status, require) {
        (Status::Pass, _) | (_, Require::All) => String::new(),
        _ => format!("{} of {asked} passed, {needed} needed", tally.pass),
    };
    (status, reason)
}

/// What may become of a roll-up of which some subjects wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// When people decide against the agent.
    pub worst: Status,
    /// When they decide for it.
    pub best: Status,
    /// Whether it may be an error, by what they decide.
    pub may_err: bool,
}

impl Ends {
    /// Those of a verdict that was rolled up from a tally.
    pub fn of(status: Status, tally: &Tally, require: Require) -> Self {
        if tally.held == 0 {
            return Self { worst: status, best: status, may_err: status == Status::Error };
        }
        let with = |pass: u64, fail: u64| {
            decide(&Tally { pass: tally.pass + pass, fail: tally.fail + fail, held: 0, ..*tally }, require).0
        };
        let (worst, best) = (with(0, tally.held), with(tally.held, 0));
        // From fail to pass it goes over error, where anything could not be measured: each subject moves it by one.
        let errs = worst == Status::Error || best == Status::Error || (worst == Status::Fail && best == Status::Pass);
        Self { worst, best, may_err: tally.error > 0 && errs }
    }
}

/// All blocking checks of a trial, or all trials of a case, together: it passes when all of them do.
pub fn all(statuses: impl IntoIterator<Item = Status>) -> Status {
    let mut tally = Tally::default();
    for status in statuses {
        tally.add(status);
    }
    if tally.fail > 0 {
        Status::Fail
    } else if tally.error > 0 {
        Status::Error
    } else if tally.held > 0 {
        Status::Held
    } else if tally.pass > 0 {
        Status::Pass
    } else {
        Status::Skip
    }
}

/// Cuts a reason to a bounded length at a character boundary.
pub fn bounded(mut reason: String) -> String {
    if reason.len() > MAX_REASON {
        let cut = (0..=MAX_REASON).rev().find(|i| reason.is_char_boundary(*i)).unwrap_or(0);
        let more = reason.len() - cut;
        reason.truncate(cut);
        reason.push_str(&format!(" ... ({more} more bytes)"));
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Why;

    fn tally(pass: u64, fail: u64, error: u64, held: u64) -> Tally {
        Tally { pass, fail, error, held, skip: 0 }
    }

    #[test]
    fn all_fails_on_one_failure_whatever_else_is_unknown() {
        assert_eq!(decide(&tally(3, 1, 1, 1), Require::All).0, Status::Fail);
        assert_eq!(decide(&tally(3, 0, 1, 1), Require::All).0, Status::Error);
        assert_eq!(decide(&tally(3, 0, 0, 1), Require::All).0, Status::Held);
        assert_eq!(decide(&tally(3, 0, 0, 0), Require::All).0, Status::Pass);
    }

    #[test]
    fn any_passes_on_one_pass_whatever_else_is_unknown() {
        assert_eq!(decide(&tally(1, 5, 1, 1), Require::Any).0, Status::Pass);
        assert_eq!(decide(&tally(0, 5, 1, 0), Require::Any).0, Status::Error);
        assert_eq!(decide(&tally(0, 5, 0, 1), Require::Any).0, Status::Held);
        assert_eq!(decide(&tally(0, 5, 0, 0), Require::Any).0, Status::Fail);
    }

    #[test]
    fn a_share_is_of_all_subjects_and_nine_of_ten_is_ninety_percent() {
        assert_eq!(decide(&tally(9, 1, 0, 0), Require::Share(0.9)).0, Status::Pass);
        assert_eq!(decide(&tally(8, 2, 0, 0), Require::Share(0.9)).0, Status::Fail);
        assert_eq!(decide(&tally(8, 1, 1, 0), Require::Share(0.9)).0, Status::Error);
        assert_eq!(decide(&tally(8, 2, 0, 0), Require::Share(0.9)).1, "8 of 10 passed, 9 needed");
    }

    #[test]
    fn a_pass_without_certainty_is_listed_as_long_as_there_is_room_for_what_did_not_pass() {
        let mut rolled = RollUp::default();
        let sure = |confidence| Finding { confidence, ..Finding::pass() };
        rolled.add(SubjectRef::Session, sure(1.0));
        for _ in 0..MAX_LISTED {
            rolled.add(SubjectRef::Session, sure(0.8));
        }
        rolled.add(SubjectRef::Session, Finding::fail("no"));
        let findings = rolled.verdict(0, Require::All).unwrap().findings;
        assert_eq!((findings.len(), findings[0].confidence), (MAX_LISTED, 0.8));
        assert_eq!(findings.iter().filter(|f| f.status == Status::Fail).count(), 1);
    }

    #[test]
    fn what_waits_for_a_person_has_no_score_yet() {
        let mut rolled = RollUp::default();
        let mut held = Finding::fail("no");
        held.hold(vec![Why::Below { threshold: 0.9 }]);
        rolled.add(SubjectRef::Session, held);
        rolled.add(SubjectRef::Session, Finding::pass().scored(0.9));
        let verdict = rolled.verdict(0, Require::All).unwrap();
        assert_eq!((verdict.status, verdict.score), (Status::Held, Some(0.9)));
        let held = &verdict.findings[0];
        assert_eq!(
            (held.proposal, held.score, held.reason.as_str()),
            (Some(Status::Fail), Some(0.0), "less sure than 0.9; no")
        );
    }

    #[test]
    fn a_count_is_a_count() {
        assert_eq!(decide(&tally(2, 9, 0, 0), Require::Count(2)).0, Status::Pass);
        assert_eq!(decide(&tally(1, 0, 0, 0), Require::Count(2)).0, Status::Fail);
    }

    proptest::proptest! {
        /// Whatever people decide lies between the two ends, and each end, and an error that may be, is reached.
        #[test]
        fn what_people_decide_lies_between_the_ends(
            pass in 0u64..4, fail in 0u64..4, error in 0u64..3, held in 0u64..6, kind in 0usize..4,
        ) {
            let require = [Require::All, Require::Any, Require::Count(3), Require::Share(0.6)][kind];
            let tally = tally(pass, fail, error, held);
            let ends = Ends::of(decide(&tally, require).0, &tally, require);
            let order = |status: Status| [Status::Fail, Status::Error, Status::Pass].iter().position(|s| *s == status);
            let all: Vec<Status> = (0..=held)
                .map(|k| decide(&Tally { pass: pass + k, fail: fail + held - k, held: 0, ..tally }, require).0)
                .collect();
            proptest::prop_assert_eq!((all[0], all[held as usize]), (ends.worst, ends.best));
            proptest::prop_assert!(all.windows(2).all(|w| order(w[0]) <= order(w[1])), "{:?}", all);
            proptest::prop_assert_eq!(all.contains(&Status::Error), ends.may_err);
        }
    }

    proptest::proptest! {
        /// Whatever the unknown subjects turn out to be, a decided roll-up stands.
        #[test]
        fn a_decided_roll_up_stands_however_the_unknown_subjects_fall(
            pass in 0u64..5, fail in 0u64..5, error in 0u64..4, held in 0u64..4, kind in 0usize..4,
        ) {
            let require = [Require::All, Require::Any, Require::Count(3), Require::Share(0.6)][kind];
            let (status, _) = decide(&tally(pass, fail, error, held), require);
            let unknown = error + held;
            let ends: Vec<Status> = (0..=unknown)
                .filter(|_| pass + fail + unknown > 0)
                .map(|k| decide(&tally(pass + k, fail + unknown - k, 0, 0), require).0)
                .collect();
            if matches!(status, Status::Pass | Status::Fail) {
                proptest::prop_assert!(ends.iter().all(|s| *s == status));
            } else if status != Status::Skip {
                proptest::prop_assert!(ends.contains(&Status::Pass) && ends.contains(&Status::Fail));
            }
        }
    }
}
