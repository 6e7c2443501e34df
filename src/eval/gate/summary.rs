//! What `summary.json` says of one suite, and how the fold of a check becomes its line there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Decision, RuleOutcome, Waiting};
use crate::checks::system::{Bound, GroupFinding, SystemFinding};
use crate::eval::driven::Driven;
use crate::eval::fold::SuiteFold;
use crate::eval::spend::Spend;
use crate::model::{LeftOut, Level, Severity, Tally};

/// What was read, and what became of it. The parts add up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCounts {
    /// Sessions and files that were met.
    pub read: u64,
    /// Sessions evaluated.
    pub evaluated: u64,
    /// The others, by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// What other shards record; nothing of it is in `read`.
    #[serde(default, skip_serializing_if = "crate::model::is_zero")]
    pub elsewhere: u64,
}

/// How the cases went. `passed`, `failed`, `error`, `held`, `skipped`, `idle` and `expected_fail`
/// add up to `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CaseCounts {
    /// Cases of the run.
    pub total: u64,
    /// All trials passed.
    pub passed: u64,
    /// A trial failed.
    pub failed: u64,
    /// Could not be measured, missing ones among them.
    pub error: u64,
    /// Waits for a person.
    pub held: u64,
    /// Skipped by the suite.
    pub skipped: u64,
    /// No blocking check applied to any of its sessions.
    #[serde(default)]
    pub idle: u64,
    /// Trials disagree.
    pub flaky: u64,
    /// Failed, as the suite expects for now.
    pub expected_fail: u64,
    /// Passed although the suite expects a failure.
    pub surprises: u64,
    /// Declared, without a session or with fewer trials than wanted.
    pub missing: u64,
}

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckSummary {
    /// Its id.
    pub id: String,
    /// Its level.
    pub level: Level,
    /// Its rule.
    pub check: String,
    /// What a failure does.
    pub severity: Severity,
    /// Whether anything in the run was a subject of it.
    pub exercised: bool,
    /// Absent subjects are excused.
    pub optional: bool,
    /// Subjects that passed.
    pub pass: u64,
    /// Subjects that failed.
    pub fail: u64,
    /// Subjects that could not be measured.
    pub error: u64,
    /// Subjects that wait for a person.
    pub held: u64,
    /// Subjects skipped by the suite.
    pub skip: u64,
    /// The roll-ups, one a session (one in all for a system check): a check that `require`s only some of a session's
    /// subjects passes there although others failed.
    #[serde(default)]
    pub sessions: Tally,
    /// pass / (pass + fail), or the number a system check measured; null where nothing was measured.
    pub value: Option<f64>,
    /// The 95% interval of the value; null where there is none.
    pub interval: Option<[f64; 2]>,
    /// Why the interval may cover less often than in 95%; `None` when nothing speaks against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// Method of the interval.
    pub method: Option<String>,
    /// The bound of a system check.
    pub bound: Option<Bound>,
    /// A system check's groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupFinding>,
    /// Why a system check did not pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What asking models took; none where nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spend>,
    /// Why the check itself is an error, whatever became of its subjects, which are counted all the same: it names
    /// something that can never match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
}

impl CheckSummary {
    /// Whether it decides nothing whatever it finds: a system check without a bound. One that is itself an error is none.
    pub fn only_reports(&self) -> bool {
        self.level == Level::System && self.bound.is_none() && self.invalid.is_none()
    }
}

/// A suite of `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuiteSummary {
    /// Its name.
    pub name: String,
    /// The decision.
    pub decision: Decision,
    /// Every rule that did not pass, in words.
    pub reasons: Vec<String>,
    /// Sessions.
    pub sessions: SessionCounts,
    /// Cases.
    pub cases: CaseCounts,
    /// Checks, in order.
    pub checks: Vec<CheckSummary>,
    /// Money this run itself spent (judges, live agents), in US dollars; a run over recordings spends none.
    pub cost_usd: f64,
    /// Answers of models of which nobody knows what they cost: then it was more than that.
    #[serde(default, skip_serializing_if = "crate::model::is_zero")]
    pub unpriced: u64,
    /// What driving the live agent took; none where sessions were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driven: Option<Driven>,
    /// Every rule of the gate.
    pub rules: Vec<RuleOutcome>,
    /// What waits for people; none where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Cases whose trials disagree.
    pub flaky: Vec<String>,
    /// Cases that passed although the suite expects a failure.
    pub surprises: Vec<String>,
    /// Declared cases without a session, or with fewer trials than wanted.
    pub missing: Vec<String>,
}

impl SuiteSummary {
    /// What asking models took in all; `None` where nobody was to be asked.
    pub fn spent(&self) -> Option<Spend> {
        Spend::all(self.checks.iter().filter_map(|check| check.spent.clone()))
    }
}

/// The line of one check.
pub(super) fn summarise(fold: &SuiteFold<'_>, index: usize, system: &[(u32, SystemFinding)]) -> CheckSummary {
    let plan = &fold.plan.checks[index];
    let tally = fold.checks[index].subjects;
    let mut summary = CheckSummary {
        id: plan.id.clone(),
        level: plan.level,
        check: plan.check.clone(),
        severity: plan.severity,
        exercised: fold.checks[index].exercised,
        optional: plan.optional,
        pass: tally.pass,
        fail: tally.fail,
        error: tally.error,
        held: tally.held,
        skip: tally.skip,
        sessions: fold.checks[index].sessions,
        value: tally.rate(),
        interval: None,
        doubt: None,
        method: None,
        bound: None,
        groups: Vec::new(),
        reason: String::new(),
        spent: fold.spent.iter().find(|s| s.check as usize == index).cloned(),
        invalid: None,
    };
    if let Some((_, finding)) = system.iter().find(|(check, _)| *check as usize == index) {
        let mut tally = Tally::default();
        if !finding.unexercised {
            tally.add(finding.status);
        }
        summary.exercised = !finding.unexercised;
        summary.sessions = tally;
        (summary.pass, summary.fail, summary.error, summary.held) = (tally.pass, tally.fail, tally.error, tally.held);
        summary.value = finding.value;
        summary.interval = finding.interval;
        summary.doubt.clone_from(&finding.doubt);
        summary.method = finding.method.clone().filter(|_| finding.value.is_some());
        summary.bound = finding.bound;
        summary.groups.clone_from(&finding.groups);
        summary.reason.clone_from(&finding.reason);
    }
    summary
}
