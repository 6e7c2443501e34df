//! Gates as suites have them: whole decisions over cases that went so, by the way that a run takes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use seatrial::checks::build::Kit;
use seatrial::eval::event::SuitePlan;
use seatrial::eval::fold::SuiteFold;
use seatrial::eval::gate::{self, Decision, RuleOutcome, Stopped, SuiteSummary};
use seatrial::eval::plan::Planned;
use seatrial::eval::row::Row;
use seatrial::model::digest::Digest;
use seatrial::model::{Status, Tally};
use seatrial::suite::load::{self, Env};

/// The gate of a suite with one check. What it decided over the same counts of cases before it need not decide again: the
/// order of cases makes no difference.
pub struct Gate {
    plan: SuitePlan,
    known: RefCell<BTreeMap<Vec<u64>, SuiteSummary>>,
}

impl Gate {
    /// From the keys of `[gate]`.
    pub fn new(keys: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("suite.toml");
        let check = "[[session]]\nid = \"good\"\ncheck = \"contains\"\nvalue = \"x\"\n";
        let text = format!("[suite]\nname = \"s\"\n[recorded]\npaths = [\"x.jsonl\"]\n{check}[gate]\n{keys}\n");
        std::fs::write(&path, text).expect("a file");
        let kit = Arc::new(Kit::default());
        let env = Env {
            kit: &kit,
            vars: &|_| None,
            subject: None,
            redact: &Default::default(),
            sessions: None,
            place: seatrial::suite::RunsIn::Gate,
            every: None,
        };
        let loaded = load::load(&[path], &env).map_err(|problems| problems.render(false)).expect("a suite");
        let plan = Planned::new(&loaded.suites[0], None).expect("a plan").plan;
        Self { plan, known: RefCell::default() }
    }

    /// Whether it lets cases pass: `cases[i]` of them passed `i` of their trials, of which each has as many as there are
    /// counts above none.
    pub fn passes(&self, cases: &[u64]) -> bool {
        self.decided(cases).decision == Decision::Passed
    }

    /// A rule of it, over such cases.
    pub fn rule(&self, name: &str, cases: &[u64]) -> RuleOutcome {
        self.decided(cases).rules.into_iter().find(|rule| rule.rule == name).expect("a rule")
    }

    fn decided(&self, cases: &[u64]) -> SuiteSummary {
        let decide = || gate::decide(&self.fold(cases), &[], None, Stopped::No);
        self.known.borrow_mut().entry(cases.to_vec()).or_insert_with(decide).clone()
    }

    fn fold(&self, cases: &[u64]) -> SuiteFold<'_> {
        let (mut fold, trials) = (SuiteFold::new(&self.plan, 0), cases.len() - 1);
        for (passed, n) in cases.iter().enumerate() {
            for case in 0..*n {
                let name = format!("{passed}-{case}");
                (0..trials).for_each(|trial| fold.add(row(&name, fold.evaluated, trial < passed)));
            }
        }
        fold
    }
}

/// One trial of a case.
fn row(case: &str, n: u64, passed: bool) -> Row {
    let status = if passed { Status::Pass } else { Status::Fail };
    let mut subjects = Tally::default();
    subjects.add(status);
    Row {
        at: (0, n),
        id: n.to_string().into(),
        case: case.into(),
        trial: None,
        tags: Vec::new(),
        digest: Digest::of(&n.to_le_bytes()),
        error: false,
        verdicts: vec![(0, status, subjects)],
        said: Vec::new(),
        cells: Vec::new(),
    }
}
