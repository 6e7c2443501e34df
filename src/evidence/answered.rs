//! An answer of a model with what it took, and where it came from.

use serde::{Deserialize, Serialize};

use crate::checks::asking::{Reply, Said};
use crate::eval::spend::Spend;
use crate::model::{NanoUsd, Usage};
use crate::redact::{Redact, With};

/// An answer with what it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// What came back.
    pub reply: Reply,
    /// Tokens, as the endpoint counts them; `None` where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it cost; `None` where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "cost_usd")]
    pub cost: Option<NanoUsd>,
}

impl Answered {
    /// Counts it in what a check took.
    pub fn count(&self, source: Source, spend: &mut Spend) {
        if source != Source::Asked {
            spend.kept += 1;
            return;
        }
        spend.asked += 1;
        let usage = self.usage.unwrap_or_default();
        spend.tokens_in += usage.input.unwrap_or(0);
        spend.tokens_out += usage.output.unwrap_or(0);
        match self.cost {
            Some(cost) => spend.cost_usd.0 = spend.cost_usd.0.saturating_add(cost.0),
            None => spend.unpriced += 1,
        }
    }
}

impl Redact for Answered {
    fn redact(&mut self, with: &With<'_>) {
        match &mut self.reply {
            Reply::Line(text) | Reply::Said(Said { text, .. }) => with.words(text),
            Reply::Vector(_) => {}
        }
    }
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The model was asked in this run.
    Asked,
    /// An earlier run asked, and kept it.
    Cache,
    /// The evidence of another run, or of this one before it was continued.
    Evidence,
}
