//! What a run over such a suite records, and every way in which people may decide over what waits in it.

use proptest::prelude::*;

use super::suites::{CASES, CHECKS};
use crate::checks::system::{Cell, Sample, columns};
use crate::eval::event::{SessionEvent, SuitePlan};
use crate::eval::overlay::Ruling;
use crate::eval::rollup::RollUp;
use crate::ledger::ItemKey;
use crate::model::digest::Digest;
use crate::model::{Finding, Status, SubjectRef, Tally, Verdict, Why};

/// Most ways of deciding that are gone through for one run.
const MOST_WAYS: u64 = 512;

/// A session: its case, whether it could not be measured as a whole, and its subjects by check.
#[derive(Debug, Clone)]
pub struct Session {
    case: usize,
    error: bool,
    subjects: Vec<Tally>,
    turns: u32,
}

/// Sessions of a few cases, some of which nobody recorded. Most of what they say is good, else nothing hangs on the rest.
pub fn sessions(most: usize, held: bool) -> impl Strategy<Value = Vec<Session>> {
    let seldom = |odds: usize| prop::sample::select([vec![0u64; odds - 1], vec![1]].concat());
    let held = prop::sample::select(if held { vec![0u64, 0, 0, 0, 1, 2] } else { vec![0] });
    let tally = (0u64..3, seldom(9), seldom(9), held, seldom(9)).prop_map(|(pass, fail, error, held, skip)| Tally {
        pass,
        fail,
        error,
        held,
        skip,
    });
    let session = (0..CASES, prop::bool::weighted(0.03), prop::collection::vec(tally, CHECKS), 1u32..4)
        .prop_map(|(case, error, subjects, turns)| Session { case, error, subjects, turns });
    prop::collection::vec(session, 1..most)
}

impl Session {
    /// One that passes, or that its first check fails.
    pub fn certain(fails: bool) -> Self {
        let one = |fail: bool| Tally { pass: u64::from(!fail), fail: u64::from(fail), ..Tally::default() };
        Self { case: 0, error: false, subjects: (0..CHECKS).map(|i| one(fails && i == 0)).collect(), turns: 2 }
    }

    /// Its event, the `n`th of a run `of`. `judged`: its first check is one of the session as a whole.
    pub fn event(&self, plan: &SuitePlan, (of, n): (&str, usize), judged: bool) -> SessionEvent<'static> {
        let tags = if self.case.is_multiple_of(2) { vec!["even".to_owned()] } else { Vec::new() };
        let verdicts: Vec<Verdict> = if self.error { Vec::new() } else { self.verdicts(plan, judged) };
        let row = plan.columns.iter().map(|column| match column.column.of.as_deref() {
            _ if self.error => Cell::Missing("it could not be read".to_owned()),
            None => Cell::Samples(vec![Sample { group: Vec::new(), values: vec![f64::from(self.turns)] }]),
            Some(of) => {
                let check = plan.checks.iter().position(|c| c.id == of);
                let verdict = verdicts.iter().find(|v| Some(v.check as usize) == check);
                let group = if column.column.by.is_empty() {
                    Vec::new()
                } else {
                    vec![tags.first().cloned().unwrap_or_else(|| columns::NONE.to_owned())]
                };
                let counted = Cell::Samples(vec![Sample { group, values: Vec::new() }]);
                match verdict {
                    Some(verdict) => columns::again(&counted, of, &verdict.subjects),
                    None => Cell::Samples(Vec::new()),
                }
            }
        });
        let case = if of != "more" { format!("c{}", self.case) } else { format!("more-{n}") };
        SessionEvent {
            suite: 0,
            at: (0, n as u64),
            id: format!("{of}-{n}").into(),
            case: case.into(),
            trial: None,
            digest: Digest::of(format!("{of} {n}").as_bytes()),
            error: self.error.then(|| "it could not be read".to_owned()),
            facts: Default::default(),
            row: row.collect(),
            tags,
            verdicts,
        }
    }

    fn verdicts(&self, plan: &SuitePlan, judged: bool) -> Vec<Verdict> {
        let verdict = |(check, tally): (usize, &Tally)| {
            let mut rolled = RollUp::default();
            let session = judged && check == 0;
            let subjects = findings(tally).into_iter().take(if session { 1 } else { usize::MAX });
            for (turn, finding) in (0..).zip(subjects) {
                rolled.add(if session { SubjectRef::Session } else { SubjectRef::Turn(turn) }, finding);
            }
            rolled.verdict(check as u32, plan.checks[check].require)
        };
        self.subjects.iter().enumerate().filter_map(verdict).collect()
    }
}

/// What a check says of its subjects, those that wait first: of these every other one would pass.
fn findings(tally: &Tally) -> Vec<Finding> {
    let skipped = || Finding { status: Status::Skip, ..Finding::pass() };
    let held = |n: u64| {
        let mut finding = if n % 2 == tally.pass % 2 { Finding::pass() } else { Finding::fail("no") };
        finding.hold(vec![Why::Always]);
        finding
    };
    let mut all: Vec<Finding> = (0..tally.held).map(held).collect();
    all.extend((0..tally.error).map(|_| Finding::error("it does not say")));
    all.extend((0..tally.fail).map(|_| Finding::fail("no")));
    all.extend((0..tally.pass).map(|_| Finding::pass()));
    all.extend((0..tally.skip).map(|_| skipped()));
    all
}

/// What people decide over every verdict that waits, by what it is keyed by.
pub type Way = Vec<((Digest, String, SubjectRef), Status)>;

/// Every way in which people could decide; `None` where there are too many. Subjects of one verdict count alike, so that
/// how many of them pass is all that matters.
pub fn ways(plan: &SuitePlan, events: &[SessionEvent<'_>]) -> Option<Vec<Way>> {
    let verdicts = events.iter().flat_map(|event| event.verdicts.iter().map(|v| (event.digest, v)));
    let waiting: Vec<(Digest, &Verdict)> = verdicts.filter(|(_, v)| v.subjects.held > 0).collect();
    let each = |n: u64, (_, v): &(Digest, &Verdict)| n.checked_mul(v.subjects.held + 1);
    let count = waiting.iter().try_fold(1, each).filter(|n| *n <= MOST_WAYS)?;
    let way = |mut n: u64| {
        let mut way = Way::new();
        for (digest, verdict) in &waiting {
            let held = || verdict.findings.iter().filter(|f| f.status == Status::Held);
            let pass = n % (verdict.subjects.held + 1);
            n /= verdict.subjects.held + 1;
            for (i, finding) in (0..).zip(held()) {
                let status = if i < pass { Status::Pass } else { Status::Fail };
                let check = plan.checks[verdict.check as usize].id.clone();
                way.push(((*digest, check, finding.subject), status));
            }
        }
        way
    };
    Some((0..count).map(way).collect())
}

/// What was decided over a verdict.
pub fn ruling(way: &Way, key: &ItemKey) -> Option<Ruling> {
    let is = |(session, check, subject): &(Digest, String, SubjectRef)| {
        (*session, check, *subject) == (key.session, &key.check, key.subject)
    };
    let status = way.iter().find(|(of, _)| is(of))?.1;
    Some(Ruling { status, by: vec!["ann".to_owned()], adjudicated: false, overrules: false, comment: String::new() })
}
