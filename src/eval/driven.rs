//! What driving a live agent took: told by the record, and no part of any decision.

use serde::{Deserialize, Serialize};

use crate::checks::system::words;
use crate::model::NanoUsd;
use crate::redact::{Redact, With};

/// What driving the sessions of a suite came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Driven {
    /// Sessions that were driven.
    pub sessions: u64,
    /// Sessions that were there before.
    pub before: u64,
    /// Sessions that were there, and were driven again because something had been taken out of them.
    pub redacted: u64,
    /// Sessions that say nothing about the agent.
    pub failures: u64,
    /// Turns.
    pub turns: u64,
    /// How often something was tried again.
    pub retries: u64,
    /// How often the agent was busy.
    pub busy: u64,
    /// The most turns in flight at a time.
    pub peak: u64,
    /// What it cost, as far as it is known, with the models that played users.
    pub cost_usd: NanoUsd,
    /// Tokens, likewise.
    pub tokens: u64,
    /// How often models were asked what a user says.
    pub user_asked: u64,
    /// What they cost.
    pub user_cost_usd: NanoUsd,
    /// Their tokens.
    pub user_tokens: u64,
    /// Records of telemetry that arrived when their session was being judged, or not known any more.
    pub late: u64,
    /// Sessions that were put together again because more of their telemetry arrived.
    #[serde(default, skip_serializing_if = "crate::model::is_zero")]
    pub joined: u64,
    /// Records of telemetry that belong to no session of the run.
    pub foreign: u64,
    /// Records of telemetry, and requests, that could not be read.
    pub unreadable: u64,
    /// Requests of telemetry that were refused.
    pub refused: u64,
    /// Sessions of which records arrived too late: they are incomplete.
    pub incomplete: u64,
    /// Teardowns that failed.
    pub undone: u64,
    /// What went wrong beside the sessions, the first of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Seconds.
    pub seconds: f64,
}

impl Driven {
    /// Adds what was driven when the run was continued. What had been there before is what the first part had driven.
    pub fn plus(&mut self, more: &Self) {
        let counts = [
            (&mut self.sessions, more.sessions),
            (&mut self.redacted, more.redacted),
            (&mut self.failures, more.failures),
            (&mut self.turns, more.turns),
            (&mut self.retries, more.retries),
            (&mut self.busy, more.busy),
            (&mut self.tokens, more.tokens),
            (&mut self.user_asked, more.user_asked),
            (&mut self.user_tokens, more.user_tokens),
            (&mut self.late, more.late),
            (&mut self.joined, more.joined),
            (&mut self.foreign, more.foreign),
            (&mut self.unreadable, more.unreadable),
            (&mut self.refused, more.refused),
            (&mut self.incomplete, more.incomplete),
            (&mut self.undone, more.undone),
        ];
        for (count, more) in counts {
            *count = count.saturating_add(more);
        }
        self.warnings.extend(more.warnings.iter().cloned());
        self.peak = self.peak.max(more.peak);
        self.seconds += more.seconds;
        self.cost_usd = NanoUsd(self.cost_usd.0.saturating_add(more.cost_usd.0));
        self.user_cost_usd = NanoUsd(self.user_cost_usd.0.saturating_add(more.user_cost_usd.0));
    }

    /// In words; what there was none of is left out.
    pub fn told(&self) -> String {
        let mut parts = vec![format!("{} driven in {:.1} s", words::counted(self.sessions, "session"), self.seconds)];
        for (n, before, after) in [
            (self.failures, "", " could not be measured"),
            (self.retries, "tried again ", " times"),
            (self.busy, "the agent was busy ", " times"),
            (self.joined, "", " put together again with telemetry that came late"),
            (self.late, "", " records of telemetry came too late"),
            (self.foreign, "", " belong to no session of the run"),
            (self.unreadable, "", " could not be read"),
            (self.incomplete, "", " sessions incomplete for it"),
            (self.undone, "", " teardowns failed"),
            (self.tokens, "", " tokens"),
        ] {
            if n > 0 {
                parts.push(format!("{before}{n}{after}"));
            }
        }
        if self.cost_usd.0 > 0 {
            parts.push(format!("{} USD", self.cost_usd.usd()));
        }
        if self.user_asked > 0 {
            let (times, tokens, usd) = (self.user_asked, self.user_tokens, self.user_cost_usd.usd());
            parts.push(format!("simulated users spoke {times} times for {tokens} tokens and {usd} USD of that"));
        }
        parts.join(", ")
    }
}

/// What driving a suite came to, as the record says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrivenEvent {
    /// Position of the suite in the plan.
    pub suite: u32,
    /// What it came to.
    #[serde(flatten)]
    pub driven: Driven,
}

impl Redact for DrivenEvent {
    fn redact(&mut self, with: &With<'_>) {
        self.driven.warnings.iter_mut().for_each(|warning| with.words(warning));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_was_none_of_is_not_told_and_parts_add_up() {
        let mut driven = Driven { sessions: 2, peak: 3, seconds: 1.0, ..Driven::default() };
        assert_eq!(driven.told(), "2 sessions driven in 1.0 s");
        driven.plus(&Driven { sessions: 1, retries: 4, late: 2, peak: 2, seconds: 0.5, ..Driven::default() });
        assert_eq!(
            (driven.told().as_str(), driven.peak),
            ("3 sessions driven in 1.5 s, tried again 4 times, 2 records of telemetry came too late", 3)
        );
    }
}
