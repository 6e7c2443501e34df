//! What the tests of this room share: a suite from TOML, and sessions folded by hand.

use std::sync::atomic::{AtomicU64, Ordering};

use super::event::SuitePlan;
use super::fold::SuiteFold;
use super::plan::Planned;
use super::row::Row;
use crate::model::digest::Digest;
use crate::model::{Status, Tally};
use crate::suite::Suite;
use crate::suite::load::{self, Env};

/// A suite named `s` from its other tables.
pub fn suite(toml: &str) -> Suite {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("suite.toml");
    std::fs::write(&path, format!("[suite]\nname = \"s\"\n[recorded]\npaths = [\"x.jsonl\"]\n{toml}")).unwrap();
    let env = Env {
        kit: &std::sync::Arc::new(crate::checks::probe::kit()),
        vars: &|_| None,
        subject: None,
        redact: &Default::default(),
        sessions: None,
        place: crate::suite::RunsIn::Gate,
        every: None,
    };
    let loaded = load::load(&[path], &env).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    loaded.suites.into_iter().next().unwrap()
}

/// The plan of a suite.
pub fn plan(toml: &str) -> SuitePlan {
    Planned::new(&suite(toml), None).unwrap().plan
}

/// How many sessions were recorded: each is one of its own.
static RECORDED: AtomicU64 = AtomicU64::new(0);

/// Adds a session `n` of a case, with the verdict of each check by position.
pub fn add(fold: &mut SuiteFold<'_>, case: &str, verdicts: &[Status]) {
    let verdict = |(check, status): (usize, &Status)| {
        let mut subjects = Tally::default();
        subjects.add(*status);
        (check as u32, *status, subjects)
    };
    let verdicts = verdicts.iter().enumerate().map(verdict).collect();
    let n = fold.evaluated;
    let row = Row {
        at: (0, n),
        id: format!("{case}-{n}").into(),
        case: case.into(),
        trial: None,
        tags: Vec::new(),
        digest: Digest::of(&RECORDED.fetch_add(1, Ordering::Relaxed).to_le_bytes()),
        error: false,
        verdicts,
        said: Vec::new(),
        cells: Vec::new(),
    };
    fold.add(row);
}
