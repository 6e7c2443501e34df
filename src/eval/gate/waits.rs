//! What waits for people, and what of it could change the decision.

use serde::{Deserialize, Serialize};

use super::cases::Judged;
use super::rules::listed;
use super::{CheckSummary, Decision, RuleOutcome};
use crate::checks::system::words;
use crate::eval::event::CheckPlan;
use crate::eval::fold::{CheckFold, SuiteFold};

/// Cases that are named.
const NAMED: usize = 20;

/// The verdicts that wait for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// How many there are.
    pub verdicts: u64,
    /// The checks whose verdicts could change the decision; none where it is final.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<WaitingCheck>,
    /// The first cases that could go either way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<String>,
    /// How many such cases there are.
    #[serde(default)]
    pub open_cases: u64,
}

/// A check whose verdicts could change the decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingCheck {
    /// Its id.
    pub check: String,
    /// In how many sessions it could go either way.
    pub sessions: u64,
}

impl Waiting {
    /// What waits; `None` where nothing does. Rules that are held say which cases they depend on.
    pub(super) fn of(
        fold: &SuiteFold<'_>,
        (judged, checks): (&[Judged], &[CheckSummary]),
        rules: &mut [RuleOutcome],
    ) -> Option<Self> {
        let verdicts = fold.checks.iter().map(|check| check.subjects.held).sum();
        if verdicts == 0 {
            return None;
        }
        let mut waiting = Self { verdicts, checks: Vec::new(), cases: Vec::new(), open_cases: 0 };
        if rules.iter().map(|rule| rule.decision).max() != Some(Decision::Held) {
            return Some(waiting);
        }
        // Those that never block decide nothing, unless a system check that decides counts them.
        let counted = |id: &str| {
            let by_id = |c: &CheckPlan| {
                c.parameters.as_ref().is_some_and(|p| p.get("of").is_none_or(|of| of.as_str() == Some(id)))
            };
            let decides = |(c, s): (&CheckPlan, &CheckSummary)| {
                c.severity.blocks() && !c.inactive && !s.only_reports() && by_id(c)
            };
            fold.plan.checks.iter().zip(checks).any(decides)
        };
        let open = fold.plan.checks.iter().zip(&fold.checks).filter(|(_, fold)| fold.open > 0);
        let open = open.filter(|(plan, _)| plan.severity.blocks() || counted(&plan.id));
        let check =
            |(plan, fold): (&CheckPlan, &CheckFold)| WaitingCheck { check: plan.id.clone(), sessions: fold.open };
        waiting.checks = open.map(check).collect();
        let cases: Vec<String> = judged.iter().filter(|c| c.is_open()).map(|c| c.of(fold).id().to_owned()).collect();
        waiting.open_cases = cases.len() as u64;
        for rule in rules.iter_mut().filter(|rule| rule.decision == Decision::Held && !cases.is_empty()) {
            rule.reason.push_str(&format!(" ({})", listed(&cases)));
        }
        waiting.cases = cases.into_iter().take(NAMED).collect();
        Some(waiting)
    }

    /// In words.
    pub fn told(&self) -> String {
        let many = self.verdicts != 1;
        let wait = if many { "wait" } else { "waits" };
        let waits = format!("{} {wait} for a person", words::counted(self.verdicts, "verdict"));
        if self.checks.is_empty() {
            let none = if many { "none of them changes" } else { "it does not change" };
            return format!("{waits}; {none} the decision");
        }
        let checks: Vec<String> =
            self.checks.iter().map(|c| format!("{} in {}", c.check, words::counted(c.sessions, "session"))).collect();
        format!("{waits}; the decision depends on {}", checks.join(", "))
    }
}
