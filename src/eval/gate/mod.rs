//! The decision over a suite, from its fold: every rule says pass, fail or why it could not be shown, in words with
//! the numbers; the suite's decision is the worst of them.
//!
//! [`cases`] judges the cases, [`rules`] holds one function per rule; [`rates`] are numbers over the cases, [`corrected`]
//! one of them without the errors of a judge, [`baseline`]
//! compares them with an earlier run; [`measured`] is the number behind a rule, [`summary`] what scripts read of it all.

mod baseline;
mod cases;
mod corrected;
#[cfg(test)]
mod corrected_tests;
mod measured;
mod prospects;
mod rates;
mod rules;
mod summary;
#[cfg(test)]
mod tests;
mod waits;

use serde::{Deserialize, Serialize};

use super::fold::SuiteFold;
use super::shard::Shard;
use crate::checks::system::{SystemFinding, words};
pub use measured::Measured;
pub use summary::{CaseCounts, CheckSummary, SessionCounts, SuiteSummary};
pub use waits::{Waiting, WaitingCheck};

/// A suite's decision, also that of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The agent meets the suite.
    Passed,
    /// Recorded, to be decided by `merge` together with the other shards.
    Deferred,
    /// The decision depends on verdicts that wait for a person.
    Held,
    /// The agent may meet the suite; there are too few cases to say.
    Inconclusive,
    /// Something could not be measured that had to be.
    Unmeasured,
    /// The agent does not meet the suite.
    Failed,
}

impl Decision {
    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Decision::Passed => "passed",
            Decision::Deferred => "deferred",
            Decision::Held => "held",
            Decision::Inconclusive => "inconclusive",
            Decision::Unmeasured => "unmeasured",
            Decision::Failed => "failed",
        }
    }
}

/// One rule of the gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleOutcome {
    /// Its name, unique in the suite.
    pub rule: String,
    /// What it says.
    pub decision: Decision,
    /// Why, with the numbers.
    pub reason: String,
    /// The number behind it; `None` where it is about none, or none could be measured.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

impl RuleOutcome {
    /// Whether statistics or a comparison are behind it, which is worth saying also where it passed.
    pub fn is_of_statistics(&self) -> bool {
        self.measured.as_ref().is_some_and(|m| m.interval.is_some()) || self.rule.starts_with("baseline")
    }

    /// With the number behind it.
    #[must_use]
    fn with(mut self, measured: Measured) -> Self {
        self.measured = Some(measured);
        self
    }
}

/// What stopped a run before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It did not stop early.
    No,
    /// The gate could no longer pass.
    FailFast,
    /// Interrupted, or the record could not be written.
    Interrupted,
}

/// What is known of one shard of a suite: its counts, and that `merge` decides. `fold.end` must be there unless the run
/// was stopped.
pub fn defer(fold: &SuiteFold<'_>, shard: Shard, stopped: Stopped) -> SuiteSummary {
    // Not all sessions were read here: which cases are missing and which tools exist, only the whole run knows.
    let mut summary = decide(fold, &[], None, Stopped::Interrupted);
    if stopped == Stopped::No {
        let reason = format!(
            "shard {shard}: {} recorded here, {} by other shards; `seatrial merge` decides",
            words::counted(fold.read(), "session"),
            fold.elsewhere
        );
        summary.decision = Decision::Deferred;
        summary.reasons = vec![reason.clone()];
        summary.rules =
            vec![RuleOutcome { rule: "deferred".to_owned(), decision: Decision::Deferred, reason, measured: None }];
    }
    summary
}

/// Decides over a suite. `fold.end` must be there unless the run was stopped. `as_of` is the day for `expected_fail`.
pub fn decide(
    fold: &SuiteFold<'_>,
    system: &[(u32, SystemFinding)],
    as_of: Option<&str>,
    stopped: Stopped,
) -> SuiteSummary {
    let plan = fold.plan;
    let cases = cases::judge(fold, as_of, stopped == Stopped::No);
    let mut checks: Vec<CheckSummary> = (0..plan.checks.len()).map(|i| summary::summarise(fold, i, system)).collect();
    let mut rules = rules::all(fold, &cases, &mut checks, system, stopped);
    let waiting = Waiting::of(fold, (&cases.judged, &checks), &mut rules);

    let decision = rules.iter().map(|r| r.decision).max().unwrap_or(Decision::Unmeasured);
    let mut worst_first: Vec<&RuleOutcome> = rules.iter().filter(|r| r.decision != Decision::Passed).collect();
    worst_first.sort_by_key(|r| std::cmp::Reverse(r.decision));
    SuiteSummary {
        name: plan.name.clone(),
        decision,
        reasons: worst_first.iter().map(|r| r.reason.clone()).collect(),
        sessions: SessionCounts {
            read: fold.read(),
            evaluated: fold.evaluated,
            left_out: fold.left_out.clone(),
            elsewhere: fold.elsewhere,
        },
        cases: cases.counts,
        checks,
        cost_usd: {
            let asked = fold.spent.iter().map(|s| s.cost_usd.0);
            asked.chain(fold.driven.iter().map(|d| d.cost_usd.0)).fold(0, i64::saturating_add) as f64 / 1e9
        },
        unpriced: fold.spent.iter().map(|s| s.unpriced).sum(),
        driven: fold.driven.clone(),
        rules,
        waiting,
        flaky: cases.flaky,
        surprises: cases.surprises,
        missing: cases.missing,
    }
}
