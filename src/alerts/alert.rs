//! An alert as a suite has it: a rule, how long it has to hold, and who is told how.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Rule;
use crate::ledger::Millis;

/// How urgent an alert is, in the words of PagerDuty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    /// To look at when there is time.
    Info,
    /// To look at today.
    #[default]
    Warning,
    /// To look at now.
    Error,
    /// To wake somebody.
    Critical,
}

impl Urgency {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// A time in which nobody is told, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// From when on.
    pub from: Millis,
    /// Until when.
    pub until: Millis,
    /// Why.
    pub reason: String,
    /// Of which group; `None` is of all.
    pub group: Option<String>,
}

/// An alert, resolved.
#[derive(Debug, Clone)]
pub struct Alert {
    /// Its name; unique in the suite.
    pub name: String,
    /// The name of its kind.
    pub kind: &'static str,
    /// How urgent it is.
    pub severity: Urgency,
    /// How long it has to be so.
    pub hold: Duration,
    /// How long it has to be otherwise.
    pub resolve_after: Duration,
    /// How many sessions have to be behind a number.
    pub min_count: u64,
    /// How often it is told again.
    pub repeat: Option<Duration>,
    /// Who is told; `None` is all.
    pub to: Option<Vec<String>>,
    /// What to know of it.
    pub description: String,
    /// Where to read more.
    pub link: String,
    /// When nobody is told.
    pub silences: Vec<Silence>,
    /// What it is about.
    pub rule: Arc<dyn Rule>,
}

impl Alert {
    /// Why nobody is told of a group at a moment; `None` where somebody is.
    pub fn silenced(&self, group: &str, at: Millis) -> Option<&str> {
        let is = |silence: &&Silence| {
            silence.from <= at && at < silence.until && silence.group.as_ref().is_none_or(|of| of == group)
        };
        self.silences.iter().find(is).map(|silence| silence.reason.as_str())
    }
}
