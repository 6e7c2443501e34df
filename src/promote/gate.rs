//! `gate.json`: everything that a promotion rests on. The decision of each suite with its statistics, as it was decided
//! again from the record, and the digests of what it was decided over.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::Version;
use super::moment::{Moment, words};
use super::statement::Tests;
use crate::eval::exit;
use crate::eval::gate::{Decision, SuiteSummary};
use crate::model::digest::Digest;
use crate::redact::RedactPlan;
use crate::suite::Subject;
use crate::suite::settings::promote::Rules;

/// The version of the form.
pub const SCHEMA: u32 = 1;

/// `gate.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The version of its form.
    pub schema: u32,
    /// The seatrial that decided.
    pub seatrial: String,
    /// What is promoted.
    #[serde(flatten)]
    pub version: Version,
    /// Where to.
    pub target: String,
    /// The digest of what is deployed; null where it was not given.
    pub artifact: Option<Digest>,
    /// What came of it.
    pub result: Outcome,
    /// The rules of the target.
    pub rules: Rules,
    /// What the rules say against it; nothing where they are met.
    pub refusals: Vec<Refusal>,
    /// The runs.
    pub runs: Vec<Run>,
}

/// The result of an in-toto test result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// Every rule is met.
    Passed,
    /// Every rule is met; a check did not pass everywhere, which the gate tolerates.
    Warned,
    /// A rule is not met.
    Failed,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub run: String,
    /// The record, as it was named.
    pub path: String,
    /// The digest of the record's bytes.
    pub record: Digest,
    /// Whether the store has this digest from the end of the run itself: else nothing shows that the record was not edited.
    #[serde(default)]
    pub attested: bool,
    /// When it ended.
    pub finished: Moment,
    /// What was other than usual in how recordings were read and measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Its suites.
    pub suites: Vec<SuiteEvidence>,
}

/// One suite of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuiteEvidence {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: String,
    /// Who was judged.
    pub subject: Option<Subject>,
    /// The digest of the resolved suite with every file that was read for it.
    pub digest: Digest,
    /// The digests of those files: schemas, policies, cases, fragments.
    pub files: BTreeMap<String, Digest>,
    /// The digest of each check: parameters, code version, files, configuration of its judges.
    pub checks: BTreeMap<String, Digest>,
    /// The gate that decided.
    pub gate: crate::suite::Gate,
    /// The digest of its canonical JSON.
    pub policy: Digest,
    /// What was taken out of what is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redact: Option<RedactPlan>,
    /// What was judged.
    pub data: Data,
    /// The decisions of people that were laid over the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// The decision, with its statistics.
    pub summary: SuiteSummary,
}

/// The sessions of a suite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// How many.
    pub sessions: u64,
    /// SHA-256 over the digests of the sessions, sorted, one a line.
    pub digest: Digest,
    /// The recorded files with the digests of their bytes; null where they were not all at hand (standard input): their
    /// sessions are bound by `digest` alone.
    pub files: BTreeMap<String, Option<Digest>>,
}

/// Decisions of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// How many verdicts they decided.
    pub applied: u64,
    /// Who decided how many, by name.
    pub by: BTreeMap<String, u64>,
    /// SHA-256 over them, and over those that are not decided although somebody's fail stands (`held`): verdict, decision and
    /// names, sorted, one a line.
    pub digest: Digest,
}

impl Data {
    /// The digest of sessions, in whatever order they come.
    pub fn digest(sessions: &mut [Digest]) -> Digest {
        sessions.sort_unstable();
        let lines: String = sessions.iter().map(|session| format!("{session}\n")).collect();
        Digest::of(lines.as_bytes())
    }
}

/// What stands against a promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What it is about.
    pub kind: Kind,
    /// In words.
    pub reason: String,
    /// Whether a person may override it.
    #[serde(rename = "override")]
    pub can_be_overridden: bool,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It waits for reviews.
    Held,
    /// Nothing shows that it is as it has to be.
    NotShown,
    /// It was shown that it is not.
    Failed,
}

impl Refusal {
    /// One that nobody can override: without it there is no evidence.
    pub fn fast(reason: impl Into<String>) -> Self {
        Self { kind: Kind::NotShown, reason: reason.into(), can_be_overridden: false }
    }

    /// One that a person may override.
    pub fn soft(kind: Kind, reason: String) -> Self {
        Self { kind, reason, can_be_overridden: true }
    }
}

/// The exit code of what stands against a promotion: as that of a run.
pub fn code(refusals: &[Refusal]) -> u8 {
    match refusals.iter().map(|r| r.kind).max() {
        None => exit::PASSED,
        Some(Kind::Held) => exit::HELD,
        Some(Kind::NotShown) => exit::NOT_SHOWN,
        Some(Kind::Failed) => exit::FAILED,
    }
}

impl Run {
    /// What the runs say against the promotion of a version by some rules; all of it.
    pub fn weigh(
        runs: &[Run],
        version: &Version,
        rules: &Rules,
        artifact: Option<&Digest>,
        now: Moment,
    ) -> Vec<Refusal> {
        let mut found = Vec::new();
        if rules.artifact && artifact.is_none() {
            found.push(Refusal::fast("the rules want the digest of what is deployed; give it by --artifact"));
        }
        for name in rules.suites.iter().filter(|name| !all(runs).any(|(_, s)| s.name == **name)) {
            found.push(Refusal::soft(
                Kind::NotShown,
                format!("no run is of the suite `{name}`, which must have passed"),
            ));
        }
        let (mut any, mut unseen) = (false, BTreeSet::new());
        for (run, suite) in asked(runs, rules) {
            any = true;
            if !run.attested && unseen.insert(&run.run) {
                found.push(unattested(run));
            }
            subject(suite, version, &mut found);
            age(run, suite, rules, now, &mut found);
            decision(run, suite, &mut found);
        }
        if !any && rules.suites.is_empty() {
            found.push(Refusal::fast("the runs hold no suite"));
        }
        found
    }
}

/// Every suite of the runs: of those of one name, that of the run which ended last.
pub fn all(runs: &[Run]) -> impl Iterator<Item = (&Run, &SuiteEvidence)> {
    let every = runs.iter().enumerate().flat_map(|(i, run)| run.suites.iter().map(move |suite| (i, run, suite)));
    every
        .filter(move |(i, run, suite)| {
            !runs.iter().enumerate().any(|(j, other)| {
                j != *i && (other.finished, j) > (run.finished, *i) && other.suites.iter().any(|s| s.name == suite.name)
            })
        })
        .map(|(_, run, suite)| (run, suite))
}

/// Those of them that the rules ask for.
pub fn asked<'r>(runs: &'r [Run], rules: &'r Rules) -> impl Iterator<Item = (&'r Run, &'r SuiteEvidence)> {
    all(runs).filter(|(_, suite)| rules.suites.is_empty() || rules.suites.contains(&suite.name))
}

/// That nobody but the record says what the run left.
fn unattested(run: &Run) -> Refusal {
    Refusal::soft(
        Kind::NotShown,
        format!(
            "the store did not see run {} end: nothing shows that its record was not edited since; run it again with the store",
            run.run
        ),
    )
}

/// That a suite was run again after the run that is shown, and that this is not shown.
pub fn again(run: &Run, suite: &SuiteEvidence, later: &str, ended: Moment, decision: &str) -> Refusal {
    let name = &suite.name;
    Refusal::soft(
        Kind::NotShown,
        format!(
            "suite `{name}` was run again: run {later} is {decision} and ended at {ended}, after run {}; show it, too (--run)",
            run.run
        ),
    )
}

/// The evidence is of the very version.
fn subject(suite: &SuiteEvidence, version: &Version, found: &mut Vec<Refusal>) {
    let said = suite.subject.as_ref();
    if said.is_some_and(|s| s.agent == version.agent && s.version.as_deref() == Some(&version.version)) {
        return;
    }
    let whose = said.map_or_else(|| "does not say whose sessions it judged".to_owned(), |s| format!("judged {s}"));
    found.push(Refusal::fast(format!(
        "suite `{}` {whose}, and is no evidence of {version} (`[subject]`, or `--subject {version}`)",
        suite.name
    )));
}

/// How far clocks may differ before a run lies in the future.
const SKEW_S: u64 = 300;

/// The evidence is neither too old nor from the future.
fn age(run: &Run, suite: &SuiteEvidence, rules: &Rules, now: Moment, found: &mut Vec<Refusal>) {
    if run.finished > now.plus(std::time::Duration::from_secs(SKEW_S)) {
        found.push(Refusal::fast(format!(
            "suite `{}` was run at {}, which is in the future: a clock is wrong",
            suite.name, run.finished
        )));
    }
    let age = now.since(run.finished);
    if let Some(most) = rules.max_age_s.map(std::time::Duration::from_secs).filter(|most| age > *most) {
        found.push(Refusal::soft(
            Kind::NotShown,
            format!(
                "suite `{}` was run at {}, {} ago; evidence may be {} old (`max_age`)",
                suite.name,
                run.finished,
                words(age),
                words(most)
            ),
        ));
    }
}

/// The suite passed.
fn decision(run: &Run, suite: &SuiteEvidence, found: &mut Vec<Refusal>) {
    let kind = match suite.summary.decision {
        Decision::Passed => return,
        Decision::Failed => Kind::Failed,
        Decision::Held => Kind::Held,
        Decision::Deferred | Decision::Inconclusive | Decision::Unmeasured => Kind::NotShown,
    };
    let why = suite.summary.reasons.first().map(|why| format!(": {why}")).unwrap_or_default();
    let reason = format!("suite `{}` is {} (run {}){why}", suite.name, suite.summary.decision.name(), run.run);
    found.push(Refusal::soft(kind, reason));
}

impl Outcome {
    /// What comes of runs against which something stands.
    pub fn of(runs: &[Run], refusals: &[Refusal]) -> Self {
        match Tests::of(runs) {
            _ if !refusals.is_empty() => Self::Failed,
            tests if !tests.warned.is_empty() => Self::Warned,
            _ => Self::Passed,
        }
    }

    /// The word of the predicate.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Warned => "WARNED",
            Self::Failed => "FAILED",
        }
    }
}

impl Gate {
    /// The text of `gate.json`, which is what is digested.
    ///
    /// # Errors
    /// Those of serde_json.
    pub fn text(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
