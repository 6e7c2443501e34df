//! What people decided, laid over what a record holds: a person's answer takes the place of the verdict that it is about,
//! what is rolled up from it is rolled up again, and so is what system checks count of it.
//!
//! Nothing is evaluated: the record says which verdicts went to a person ([`crate::model::Routed`]) and what they count in.
//! An answer about an audit item counts, too: nobody waits for it, but once a person has said what is right the gate must
//! not say otherwise. What the machine said stays beside it as the finding's proposal. Where somebody's fail stands and too
//! few have answered, or they disagree, the finding waits, whoever sent it: what people contest is no pass of the machine's.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::{CheckPlan, SessionEvent, SuitePlan};
use super::rollup;
use crate::checks::system::{columns, words};
use crate::ledger::ItemKey;
use crate::model::digest::Digest;
use crate::model::{Finding, Status, SubjectFinding, Tally, Verdict};
use crate::suite::review::Review;

/// What was decided over one verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Pass or fail; held where somebody's fail stands and it is not decided. Anything else decides nothing.
    pub status: Status,
    /// Who decided, by name; of one that is held, whose fail stands.
    pub by: Vec<String>,
    /// Whether an adjudicator decided, who decides alone.
    pub adjudicated: bool,
    /// Whether that adjudicator decided where nobody had to: reviewers did not differ, or had not all answered.
    pub overrules: bool,
    /// What they said besides; may be empty.
    pub comment: String,
}

impl Ruling {
    /// What it is worth where `wanted` people have to answer: fewer decide nothing, and a fail among them stands until it is
    /// decided.
    fn where_wanted(self, wanted: u32) -> Option<Self> {
        let enough = self.adjudicated || self.by.len() as u64 >= u64::from(wanted);
        match self.status {
            Status::Pass | Status::Fail if enough => Some(self),
            Status::Fail | Status::Held => Some(Self { status: Status::Held, ..self }),
            Status::Pass | Status::Error | Status::Skip => None,
        }
    }
}

/// Says what was decided over a verdict; `None` where nothing was.
pub type Rulings<'r> = &'r dyn Fn(&ItemKey) -> Option<Ruling>;

/// What was laid over a run, or over a suite of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Laid {
    /// Verdicts that a person decided.
    pub decided: u64,
    /// Those of them in which the person says other than the check.
    pub overruled: u64,
    /// Verdicts that an adjudicator decided over the reviewers, who did not differ or had not all answered.
    #[serde(default, skip_serializing_if = "crate::model::is_zero")]
    pub over_reviewers: u64,
    /// Verdicts that still wait for a person.
    pub waiting: u64,
    /// Who decided how many, by name; each of several who agreed counts.
    pub by: BTreeMap<String, u64>,
    /// Checks with verdicts that were decided, by position.
    #[serde(skip)]
    pub checks: BTreeSet<u32>,
}

impl Laid {
    /// In words.
    pub fn told(&self) -> String {
        let by: Vec<String> = self.by.iter().map(|(who, n)| format!("{who} {n}")).collect();
        let overruled = match self.overruled {
            0 => String::new(),
            n => format!(", {n} of them other than the check"),
        };
        let over = match self.over_reviewers {
            0 => String::new(),
            n => format!(", {n} of them by an adjudicator over the reviewers"),
        };
        format!("{} decided by people ({}){overruled}{over}", words::counted(self.decided, "verdict"), by.join(", "))
    }

    /// Adds another.
    pub fn plus(&mut self, other: &Laid) {
        self.decided += other.decided;
        self.overruled += other.overruled;
        self.over_reviewers += other.over_reviewers;
        self.waiting += other.waiting;
        for (who, n) in &other.by {
            *self.by.entry(who.clone()).or_default() += n;
        }
        self.checks.extend(&other.checks);
    }
}

/// The verdicts of a session that went to a person: what decisions over them are keyed by.
pub fn keys<'e>(plan: &'e SuitePlan, event: &'e SessionEvent<'_>) -> impl Iterator<Item = ItemKey> + 'e {
    let verdicts = event.verdicts.iter().filter_map(|v| Some((plan.checks.get(v.check as usize)?, v)));
    verdicts.flat_map(move |(check, verdict)| {
        let routed = verdict.findings.iter().filter(|f| f.routed.is_some());
        routed.map(move |finding| key(plan, check, event.digest, finding))
    })
}

/// What a decision over a finding is keyed by.
pub fn key(plan: &SuitePlan, check: &CheckPlan, session: Digest, finding: &SubjectFinding) -> ItemKey {
    ItemKey {
        suite: plan.name.clone(),
        check: check.id.clone(),
        check_digest: check.digest,
        session,
        subject: finding.subject,
        case_digest: finding.routed.as_ref().and_then(|routed| routed.case_digest),
    }
}

/// Lays what was decided over a session's verdicts, and counts it.
pub fn lay(plan: &SuitePlan, event: &mut SessionEvent<'_>, rulings: Rulings<'_>, laid: &mut Laid) {
    let session = event.digest;
    let mut changed: Vec<u32> = Vec::new();
    for verdict in &mut event.verdicts {
        let Some(check) = plan.checks.get(verdict.check as usize) else { continue };
        let wanted = check.review.as_ref().map_or(1, Review::reviewers);
        let ruling = |finding: &SubjectFinding| rulings(&key(plan, check, session, finding))?.where_wanted(wanted);
        if decide(verdict, &ruling, laid) {
            let (status, reason) = rollup::decide(&verdict.subjects, check.require);
            (verdict.status, verdict.reason) = (status, reason);
            changed.push(verdict.check);
        }
    }
    laid.checks.extend(&changed);
    for (column, cell) in plan.columns.iter().zip(&mut event.row) {
        let Some(of) = column.column.of.as_deref() else { continue };
        let position = plan.checks.iter().position(|c| c.id == of);
        let verdict = event.verdicts.iter().find(|v| Some(v.check as usize) == position && changed.contains(&v.check));
        if let Some(verdict) = verdict {
            *cell = columns::again(cell, of, &verdict.subjects);
        }
    }
}

/// Puts what was decided in the place of the findings of one verdict; whether anything was.
fn decide(verdict: &mut Verdict, ruling: &dyn Fn(&SubjectFinding) -> Option<Ruling>, laid: &mut Laid) -> bool {
    let measured = verdict.subjects.pass + verdict.subjects.fail;
    // The sum of what was measured; `None` as soon as a part of it has no score.
    let mut scores = if measured == 0 { Some(0.0) } else { verdict.score.map(|mean| mean * measured as f64) };
    let mut scored = measured;
    let mut any = false;
    for finding in &mut verdict.findings {
        let ruling = finding.routed.as_ref().and_then(|_| ruling(finding));
        let Some(ruling) = ruling.filter(|_| !matches!(finding.status, Status::Error | Status::Skip)) else {
            laid.waiting += u64::from(finding.status == Status::Held);
            continue;
        };
        if ruling.status == Status::Held {
            laid.waiting += 1;
            if finding.status != Status::Held {
                any = true;
                take(&mut verdict.subjects, finding.status);
                verdict.subjects.add(Status::Held);
                scores = without(scores, finding.score);
                scored = scored.saturating_sub(1);
                finding.reason = rollup::bounded(contested(&ruling, finding.status, &finding.reason));
                finding.proposal = Some(finding.status);
                finding.status = Status::Held;
            }
            continue;
        }
        any = true;
        let machine = finding.proposal.unwrap_or(finding.status);
        laid.decided += 1;
        laid.overruled += u64::from(machine != ruling.status);
        laid.over_reviewers += u64::from(ruling.overrules);
        for who in &ruling.by {
            *laid.by.entry(who.clone()).or_default() += 1;
        }
        let score = if ruling.status == Status::Pass { 1.0 } else { 0.0 };
        match finding.status {
            Status::Held => scored += 1,
            _ => scores = without(scores, finding.score),
        }
        take(&mut verdict.subjects, finding.status);
        scores = scores.map(|sum| sum + score);
        verdict.subjects.add(ruling.status);
        finding.reason = rollup::bounded(told(&ruling, machine, &finding.reason));
        finding.proposal = Some(machine);
        finding.status = ruling.status;
        finding.score = Some(score);
        finding.confidence = Finding::pass().confidence;
    }
    if any {
        verdict.score = scores.filter(|_| scored > 0).map(|sum| (sum / scored as f64).clamp(0.0, 1.0));
        verdict.confidence = verdict.findings.iter().map(|f| f.confidence).fold(1.0, f64::min);
    }
    any
}

/// A sum without one of its parts; `None` where either is not known.
fn without(sum: Option<f64>, part: Option<f64>) -> Option<f64> {
    sum.zip(part).map(|(sum, part)| sum - part)
}

/// Takes one of a status out: a pass, a fail, or one that waits.
fn take(subjects: &mut Tally, status: Status) {
    let count = match status {
        Status::Held => &mut subjects.held,
        Status::Pass => &mut subjects.pass,
        _ => &mut subjects.fail,
    };
    *count = count.saturating_sub(1);
}

/// Whose fail stands, and what the check said.
fn contested(ruling: &Ruling, machine: Status, said: &str) -> String {
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    format!("{} says fail, and it is not decided (the check says {}{said})", ruling.by.join(" and "), machine.name())
}

/// Who decided, what they said, and what the check said.
fn told(ruling: &Ruling, machine: Status, said: &str) -> String {
    let comment = if ruling.comment.is_empty() { String::new() } else { format!(": {}", ruling.comment) };
    let check = if machine == ruling.status { "the check agrees" } else { "the check says otherwise" };
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let over = if ruling.overrules { ", over the reviewers" } else { "" };
    format!("decided by {}{over}{comment} ({check}{said})", ruling.by.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::system::{Cell, Waiting};
    use crate::eval::testing;
    use crate::model::{Routed, SubjectRef, Why};

    const SUITE: &str = "[[turn]]\nid = \"a\"\ncheck = \"contains\"\nvalue = \"x\"\nrequire = { at_least = 2 }\n\
                         [[system]]\nid = \"caught\"\ncheck = \"metric\"\nmetric = \"detection_rate\"\nof = \"a\"\nmax = 0.5\n";

    fn finding(turn: u32, status: Status, proposal: Option<Status>, holds: bool) -> SubjectFinding {
        let routed = Routed { holds, ..Routed::held(vec![Why::Always]) };
        SubjectFinding {
            subject: SubjectRef::Turn(turn),
            status,
            proposal,
            routed: Some(Box::new(routed)),
            score: Some(if proposal.unwrap_or(status) == Status::Pass { 0.9 } else { 0.2 }),
            confidence: 0.5,
            reason: "less sure than 0.8; no".to_owned(),
            evidence: Vec::new(),
        }
    }

    /// One session with a certain pass, two turns that wait, and one of the audit sample.
    fn event() -> SessionEvent<'static> {
        let why = "2 of the verdicts of `a` wait for a person".to_owned();
        let subjects = Tally { pass: 2, held: 2, ..Tally::default() };
        SessionEvent {
            suite: 0,
            at: (0, 0),
            id: "s".into(),
            case: "s".into(),
            trial: None,
            tags: Vec::new(),
            digest: Digest::of(b"s"),
            error: None,
            facts: Default::default(),
            verdicts: vec![Verdict {
                check: 0,
                status: Status::Held,
                subjects,
                score: Some(0.95),
                confidence: 0.5,
                reason: String::new(),
                findings: vec![
                    finding(1, Status::Held, Some(Status::Fail), true),
                    finding(2, Status::Held, Some(Status::Pass), true),
                    finding(3, Status::Pass, None, false),
                ],
            }],
            row: vec![Cell::Waiting(Waiting { why, groups: vec![Vec::new()], subjects: Some(subjects) })],
        }
    }

    fn laid_over(rulings: &[(u32, Status)]) -> (SessionEvent<'static>, Laid) {
        laid_over_of(SUITE, rulings)
    }

    fn laid_over_of(suite: &str, rulings: &[(u32, Status)]) -> (SessionEvent<'static>, Laid) {
        let plan = testing::plan(suite);
        let (mut event, mut laid) = (event(), Laid::default());
        assert_eq!(keys(&plan, &event).count(), 3);
        let ruling = |key: &ItemKey| {
            assert_eq!((key.suite.as_str(), key.check.as_str()), ("s", "a"));
            let found = rulings.iter().find(|(turn, _)| key.subject == SubjectRef::Turn(*turn));
            found.map(|(_, status)| Ruling {
                status: *status,
                by: vec!["ann".into()],
                adjudicated: false,
                overrules: false,
                comment: "clear".into(),
            })
        };
        lay(&plan, &mut event, &ruling, &mut laid);
        (event, laid)
    }

    #[test]
    fn what_nobody_decided_waits_on_and_nothing_else_changes() {
        let (event, laid) = laid_over(&[]);
        assert_eq!((event, laid.waiting, laid.decided), (self::event(), 2, 0));
    }

    #[test]
    fn a_decision_takes_the_place_of_the_verdict_and_is_rolled_up_as_the_check_requires() {
        let (event, laid) = laid_over(&[(1, Status::Fail), (2, Status::Fail)]);
        let verdict = &event.verdicts[0];
        assert_eq!((verdict.status, verdict.subjects), (Status::Pass, Tally { pass: 2, fail: 2, ..Tally::default() }));
        assert!((verdict.score.unwrap() - (1.9 + 0.0) / 4.0).abs() < 1e-12, "{:?}", verdict.score);
        let decided = &verdict.findings[0];
        assert_eq!((decided.status, decided.proposal, decided.score), (Status::Fail, Some(Status::Fail), Some(0.0)));
        assert_eq!(decided.confidence, 1.0);
        assert_eq!(decided.reason, "decided by ann: clear (the check agrees: less sure than 0.8; no)");
        assert_eq!((laid.decided, laid.overruled, laid.waiting, laid.by["ann"]), (2, 1, 0, 2));
        assert!(verdict.findings[1].reason.contains("the check says otherwise"));
    }

    #[test]
    fn one_of_the_audit_sample_counts_as_the_person_says_either_way() {
        let (event, laid) = laid_over(&[(3, Status::Fail)]);
        let verdict = &event.verdicts[0];
        assert_eq!(verdict.subjects, Tally { pass: 1, fail: 1, held: 2, ..Tally::default() });
        assert_eq!((verdict.status, laid.overruled, laid.waiting), (Status::Held, 1, 2));
        assert!((verdict.score.unwrap() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn what_system_checks_count_is_counted_again() {
        let (event, _) = laid_over(&[(1, Status::Fail)]);
        assert!(matches!(&event.row[0], Cell::Waiting(w) if w.why.starts_with("1 of the verdicts")), "{:?}", event.row);
        let (event, _) = laid_over(&[(1, Status::Fail), (2, Status::Pass)]);
        let Cell::Samples(samples) = &event.row[0] else { panic!("{:?}", event.row) };
        assert_eq!(samples[0].values, [1.0, 4.0]);
    }

    #[test]
    fn one_of_the_audit_sample_that_people_contest_waits_for_them() {
        let (event, laid) = laid_over(&[(1, Status::Fail), (2, Status::Pass), (3, Status::Held)]);
        let verdict = &event.verdicts[0];
        assert_eq!(verdict.subjects, Tally { pass: 2, fail: 1, held: 1, ..Tally::default() });
        let finding = &verdict.findings[2];
        assert_eq!((finding.status, finding.proposal), (Status::Held, Some(Status::Pass)));
        assert!(finding.reason.starts_with("ann says fail, and it is not decided (the check says pass"), "{finding:?}");
        // The certain pass, and what the two that are decided became.
        assert!((verdict.score.unwrap() - 2.0 / 3.0).abs() < 1e-12, "{:?}", verdict.score);
        assert!(matches!(&event.row[0], Cell::Waiting(_)), "{:?}", event.row);
        assert_eq!((laid.decided, laid.waiting), (2, 1));
    }

    #[test]
    fn fewer_people_than_the_check_wants_decide_nothing_and_a_fail_among_them_waits() {
        let two = SUITE.replacen("require", "review = { always = true, reviewers = 2 }\nrequire", 1);
        let (event, laid) = laid_over_of(&two, &[(1, Status::Pass), (3, Status::Pass)]);
        assert_eq!((event, laid.waiting, laid.decided), (self::event(), 2, 0));
        let (event, laid) = laid_over_of(&two, &[(3, Status::Fail)]);
        assert_eq!(event.verdicts[0].subjects, Tally { pass: 1, held: 3, ..Tally::default() });
        assert_eq!((laid.waiting, laid.decided), (3, 0));
        let alone = |adjudicated| Ruling {
            status: Status::Pass,
            by: vec!["ann".into()],
            adjudicated,
            overrules: false,
            comment: String::new(),
        };
        assert_eq!(alone(true).where_wanted(2), Some(alone(true)), "an adjudicator decides alone");
        assert_eq!(alone(false).where_wanted(2), None);
    }

    #[test]
    fn an_answer_that_decides_nothing_leaves_it_waiting() {
        let (event, laid) = laid_over(&[(1, Status::Held)]);
        assert_eq!((event.verdicts[0].subjects.held, laid.waiting), (2, 2));
    }
}
