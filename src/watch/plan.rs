//! The suites as they are watched: what of them applies to sessions that nobody planned, and when such a session is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::closing::Closing;
use super::window::Shape;
use crate::alerts::reach;
use crate::model::Level;
use crate::suite::Suite;
use crate::suite::watch::watched;

/// A suite that production is held against.
pub struct Watching {
    /// The suite, without what only applies to runs.
    pub suite: Suite,
    /// When a session is over.
    pub closing: Closing,
    /// The bit of those suites for which a session is over at the same time.
    pub bit: u32,
}

/// All suites that production is held against.
pub struct Plan {
    /// Each, in the order in which they were named.
    pub suites: Vec<Watching>,
}

/// Suites cannot be watched together.
#[derive(Debug, thiserror::Error)]
pub enum Unplanned {
    /// Two have the same name.
    #[error("two suites are called `{0}`: what is kept of them could not be told apart")]
    Twice(String),
    /// More ways of telling that a session is over than there are bits.
    #[error("{0} suites differ in when a session is over (`[watch]`); at most 32 may")]
    Closings(usize),
    /// They name the session by different attributes.
    #[error("suites name the session by different attributes (`{0}` and `{1}`): watch them apart")]
    Attributes(String, String),
}

impl Plan {
    /// The suites, each as its `[watch]` says.
    ///
    /// # Errors
    /// They cannot be watched together.
    pub fn new(suites: Vec<Suite>) -> Result<Self, Unplanned> {
        let mut closings: Vec<Closing> = Vec::new();
        let mut planned: Vec<Watching> = Vec::new();
        for suite in suites {
            let closing = Closing::of(&suite.watch);
            if planned.iter().any(|other| other.suite.name == suite.name) {
                return Err(Unplanned::Twice(suite.name));
            }
            let at = closings.iter().position(|known| *known == closing).unwrap_or_else(|| {
                closings.push(closing.clone());
                closings.len() - 1
            });
            let bit = u32::try_from(at).ok().and_then(|at| 1u32.checked_shl(at)).unwrap_or(0);
            planned.push(Watching { suite: watched(suite), closing, bit });
        }
        if closings.len() > 32 {
            return Err(Unplanned::Closings(closings.len()));
        }
        let plan = Self { suites: planned };
        let mut attributes = plan.suites.iter().filter_map(|watching| watching.suite.recorded.session.as_ref());
        if let Some(first) = attributes.next()
            && let Some(other) = attributes.find(|other| *other != first)
        {
            return Err(Unplanned::Attributes(first.clone(), other.clone()));
        }
        Ok(plan)
    }

    /// The same in place of another plan: suites for which sessions are over at the same time as before keep their bit, and
    /// no other has it, so that what is noted of sessions that go on still says whom they are over for.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        let mut bits: Vec<(Closing, u32)> = before.suites.iter().map(|w| (w.closing.clone(), w.bit)).collect();
        for watching in &mut self.suites {
            let known = bits.iter().find(|(closing, _)| *closing == watching.closing).map(|(_, bit)| *bit);
            let taken = bits.iter().fold(0, |all, (_, bit)| all | bit);
            let free = || (0..32).map(|n| 1_u32 << n).find(|bit| taken & bit == 0);
            watching.bit = known.or_else(free).unwrap_or(watching.bit);
            bits.push((watching.closing.clone(), watching.bit));
        }
        self
    }

    /// The bits of all suites.
    pub fn all(&self) -> u32 {
        self.suites.iter().fold(0, |all, watching| all | watching.bit)
    }

    /// The attribute of spans that names their session, where a suite says so.
    pub fn session_attribute(&self) -> Option<&String> {
        self.suites.iter().find_map(|watching| watching.suite.recorded.session.as_ref())
    }

    /// By what records say that their session has ended, for any suite.
    pub fn ends(&self) -> Arc<[String]> {
        let mut ends: Vec<String> = self.suites.iter().flat_map(|w| w.closing.ends.iter().cloned()).collect();
        ends.sort_unstable();
        ends.dedup();
        ends.into()
    }

    /// How windows are made, by suite.
    pub fn shapes(&self) -> BTreeMap<String, Shape> {
        let millis = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let shape = |watching: &Watching| {
            let watch = &watching.suite.watch;
            let (every, lag) = (millis(watch.every).max(1), millis(watch.late));
            let back = millis(reach::back(&watch.alerts, watch.every));
            Shape::new(every, lag, back, reach::wants(&watch.alerts, watch.every), watch.max_groups)
        };
        self.suites.iter().map(|watching| (watching.suite.name.clone(), shape(watching))).collect()
    }

    /// The longest that any suite waits for a session to be quiet.
    pub fn longest_idle(&self) -> std::time::Duration {
        self.suites.iter().map(|watching| watching.closing.idle).max().unwrap_or_default()
    }
}

impl Watching {
    /// Whether it has checks over all sessions together.
    pub fn has_systems(&self) -> bool {
        self.suite.checks.iter().any(|check| check.level == Level::System)
    }

    /// Whether a session is of an agent that the suite does not judge. One that does not say its agent may be.
    pub fn is_of_another(&self, agent: Option<&str>) -> bool {
        self.suite.subject.as_ref().is_some_and(|subject| agent.is_some_and(|agent| agent != subject.agent))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::watch::testing::SUITE;

    fn plan(suites: &[(&str, u64)]) -> Plan {
        let suite = |(name, idle): &(&str, u64)| {
            let mut suite = crate::eval::testing::suite(SUITE);
            suite.name = (*name).to_owned();
            suite.watch.idle = Duration::from_secs(*idle);
            suite
        };
        Plan::new(suites.iter().map(suite).collect()).unwrap()
    }

    #[test]
    fn what_is_noted_of_sessions_means_the_same_when_suites_are_read_again() {
        let bits = |plan: &Plan| plan.suites.iter().map(|w| w.bit).collect::<Vec<_>>();
        let before = plan(&[("a", 900), ("b", 60)]);
        assert_eq!(bits(&before), [1, 2]);
        let after = plan(&[("b", 60), ("c", 300), ("d", 900)]).after(&before);
        assert_eq!(bits(&after), [2, 4, 1]);
    }
}
