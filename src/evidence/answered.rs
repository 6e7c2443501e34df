//! An answer of a model with what it took, and where it came from.

use serde::{Deserialize, Serialize};

use crate::checks::asking::{Reply, Said};
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
