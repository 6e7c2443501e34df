//! Floor 1: alerts over the windows of a watch. Pure: windows and moments come in, what fires goes out.
//!
//! - [`alert`]: an alert as a suite has it.
//! - [`book`]: what fires, since when, and who has to be told: the state over the windows.
//! - [`channels`]: what a notice is where it goes, by kind.
//! - [`kind`]: the registry's entry of a kind, and how its keys become a [`Rule`].
//! - [`kinds`]: one file per kind.
//! - [`reach`]: how far back rules look, and what has to be kept for it.
//! - [`reading`]: what a rule asks of windows, and what they answer.
//!
//! A rule keeps nothing: at each window's end it judges anew from the windows that are kept, so that what was corrected
//! late is judged as it is now, and a restart changes nothing. A window that could not be measured neither fires nor
//! resolves anything: it is said so.

pub mod alert;
pub mod book;
pub mod channels;
pub mod kind;
pub mod kinds;
pub mod reach;
pub mod reading;

use kind::Kind;

use std::time::Duration;

pub use alert::{Alert, Silence, Urgency};
pub use book::{Book, Change, Notice, Turn};
pub use kind::Setup;
pub use reading::{Measure, Number, Reading, Readings};

use crate::ledger::Millis;

/// Every kind, by name.
pub static KINDS: &[Kind] = &[
    kind::entry::<kinds::budget::Budget>(),
    kind::entry::<kinds::burn_rate::BurnRate>(),
    kind::entry::<kinds::canary::Canary>(),
    kind::entry::<kinds::drift::Drift>(),
    kind::entry::<kinds::evaluation_budget::EvaluationBudget>(),
    kind::entry::<kinds::ratio::Ratio>(),
    kind::entry::<kinds::threshold::Threshold>(),
];

/// What a rule says at a window's end.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// It is so, in words for people.
    Fires(String),
    /// It is not so.
    Quiet(String),
    /// Nobody can say: it changes nothing.
    Unknown(String),
}

/// What an alert is about: one rule over the windows.
pub trait Rule: Send + Sync + std::fmt::Debug {
    /// What it measures.
    fn measure(&self) -> &Measure;

    /// How far back it looks from a window's end.
    fn back(&self, every: Duration) -> Duration;

    /// The longest time whose values it takes as one number; all that it looks back at unless it says so.
    fn at_once(&self, every: Duration) -> Duration {
        self.back(every)
    }

    /// Whether it is about all sessions at once although its measure is divided: it asks for the groups that it
    /// compares itself.
    fn whole(&self) -> bool {
        false
    }

    /// When it fires, in words.
    fn says(&self) -> String;

    /// What it says at a window's end.
    fn judge(&self, ask: &Ask<'_>) -> Judgement;
}

/// What a rule is asked about.
#[derive(Clone, Copy)]
pub struct Ask<'w> {
    /// The end of the newest window, which is over.
    pub at: Millis,
    /// The group; empty for all sessions.
    pub group: &'w str,
    /// How many sessions have to be behind a number for it to count.
    pub least: u64,
    /// The windows.
    pub windows: &'w dyn Readings,
}

impl Ask<'_> {
    /// What a measure came to in the time `over` before `at`.
    fn last(&self, measure: &Measure, over: Duration) -> Reading {
        self.between(measure, self.at.saturating_sub(millis(over)), self.at)
    }

    /// Why a total over the time from a moment on is not known, where it is not: sessions are known since later.
    fn part_known(&self, measure: &Measure, from: Millis) -> Option<String> {
        let since = self.windows.since();
        let total = measure.stat.as_deref() == Some("sum");
        (total && from < since).then(|| {
            let missing = Duration::from_millis(since.saturating_sub(from).unsigned_abs());
            format!("{measure} is a total, and of its time the first {} are not known", kind::words(missing))
        })
    }

    /// What a measure came to in the windows from one moment to another.
    fn between(&self, measure: &Measure, from: Millis, to: Millis) -> Reading {
        self.windows.read(measure, self.group, from, to)
    }
}

/// A duration in milliseconds.
fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// A number as people read it: few digits.
fn few(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return x.to_string();
    }
    let digits = (3 - x.abs().log10().floor() as i32).clamp(0, 9);
    let text = format!("{x:.*}", digits as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod testing;
