//! What asking models took, check by check: told by the record, and no part of any decision.

use serde::{Deserialize, Serialize};

use crate::model::NanoUsd;
use crate::redact::{Redact, With};

/// What the questions of one check took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// The check's position in its suite.
    pub check: u32,
    /// Questions that a model was asked.
    pub asked: u64,
    /// Questions that were answered before: by an earlier run, or earlier in this one.
    pub kept: u64,
    /// Questions without an answer.
    pub failed: u64,
    /// Tokens read, as far as they are counted.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
    /// What it cost, as far as it is known.
    pub cost_usd: NanoUsd,
    /// Answers of which nobody knows what they cost; the cost is then more than that.
    #[serde(default, skip_serializing_if = "crate::model::is_zero")]
    pub unpriced: u64,
}

impl Spend {
    /// In words.
    pub fn told(&self) -> String {
        let questions = if self.asked == 1 { "question" } else { "questions" };
        let mut told = format!("{} {questions} asked", self.asked);
        if self.kept > 0 {
            told.push_str(&format!(", {} known before", self.kept));
        }
        if self.failed > 0 {
            told.push_str(&format!(", {} without an answer", self.failed));
        }
        if self.asked > 0 {
            told.push_str(&format!(", {} tokens read and {} written", self.tokens_in, self.tokens_out));
        }
        if self.asked > self.unpriced {
            told.push_str(&format!(", {} USD", self.cost_usd.usd()));
        }
        if self.unpriced > 0 {
            told.push_str(&format!(", the cost of {} unknown", self.unpriced));
        }
        told
    }

    /// What several took; `None` where there is none.
    pub fn all(spends: impl Iterator<Item = Self>) -> Option<Self> {
        spends.reduce(|mut all, more| {
            all.plus(&more);
            all
        })
    }

    /// Adds what another check took.
    pub fn plus(&mut self, other: &Self) {
        self.asked += other.asked;
        self.kept += other.kept;
        self.failed += other.failed;
        self.tokens_in += other.tokens_in;
        self.tokens_out += other.tokens_out;
        self.cost_usd = NanoUsd(self.cost_usd.0.saturating_add(other.cost_usd.0));
        self.unpriced += other.unpriced;
    }
}

/// What the questions of a suite took, as the record says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpendEvent {
    /// Position of the suite in the plan.
    pub suite: u32,
    /// By check.
    pub checks: Vec<Spend>,
}

impl Redact for SpendEvent {
    fn redact(&mut self, _: &With<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_knows_the_cost_of_is_said_and_is_not_free() {
        let mut spend = Spend { asked: 3, unpriced: 1, tokens_in: 30, tokens_out: 3, ..Spend::default() };
        spend.plus(&Spend { kept: 2, failed: 1, cost_usd: NanoUsd(1_500_000), ..Spend::default() });
        assert_eq!(
            spend.told(),
            "3 questions asked, 2 known before, 1 without an answer, 30 tokens read and 3 written, 0.0015 USD, the cost \
             of 1 unknown"
        );
        assert_eq!(Spend { asked: 1, unpriced: 1, ..spend.clone() }.told().matches("USD").count(), 0);
    }
}
