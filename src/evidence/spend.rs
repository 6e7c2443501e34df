//! What asking took, check by check.

use serde::{Deserialize, Serialize};

use super::answered::{Answered, Source};
use crate::model::NanoUsd;
use crate::redact::{Redact, With};

/// What the questions of one check took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unpriced: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Spend {
    /// Counts an answer.
    pub fn add(&mut self, answered: &Answered, source: Source) {
        if source != Source::Asked {
            self.kept += 1;
            return;
        }
        self.asked += 1;
        let usage = answered.usage.unwrap_or_default();
        self.tokens_in += usage.input.unwrap_or(0);
        self.tokens_out += usage.output.unwrap_or(0);
        match answered.cost {
            Some(cost) => self.cost_usd = NanoUsd(self.cost_usd.0.saturating_add(cost.0)),
            None => self.unpriced += 1,
        }
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
