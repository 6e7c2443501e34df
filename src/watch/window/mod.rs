//! Windows of time, each of the same length and one after the other, by suite and group: sessions belong to the one in
//! which they ended.
//!
//! A window is open while sessions of it may still be going on; then it is settled, and shrinks to what is shown of it.
//! What comes later all the same makes it stale: it is added up anew from the rows, once, however much came.

mod fold;

use std::collections::{BTreeMap, BTreeSet};

pub use fold::{Check, Fold, Measure, QUANTILES, Rate};

use super::row::Body;
use crate::ledger::Millis;

/// The group in which those of a window are that have too few sessions to be told apart.
pub const OTHER: &str = "(other)";

/// How windows are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// How long each is, in milliseconds.
    pub every: Millis,
    /// How long after its end sessions of it are still expected, in milliseconds.
    pub lag: Millis,
    /// How long they are kept, in milliseconds.
    pub keep: Millis,
    /// Groups of each kind that a settled window tells apart; the largest of them.
    pub groups: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { every: 5 * 60_000, lag: 20 * 60_000, keep: 48 * 3_600_000, groups: 50 }
    }
}

/// Groups of each kind that an open window tells apart.
const OPEN_GROUPS: usize = 1_000;

/// One window of one suite.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// All its sessions.
    pub total: Fold,
    /// The same by group, by what sessions are divided by.
    pub groups: BTreeMap<String, BTreeMap<String, Fold>>,
    /// How often it was added up anew after it had been settled.
    pub corrected: u32,
    /// Groups that are in [`OTHER`].
    pub gathered: u64,
    settled: bool,
}

impl Window {
    /// Adds a session: one that was evaluated counts by how many it stands for, another one by why it was not.
    pub fn add(&mut self, inclusion: f64, reason: Option<&str>, body: &Body) {
        if let Some(reason) = reason {
            *self.total.unevaluated.entry(reason.to_owned()).or_default() += 1;
            return;
        }
        let weight = 1.0 / inclusion.clamp(1e-9, 1.0);
        self.total.add(weight, body, body.values.iter());
        for (by, names) in &body.groups {
            let folds = self.groups.entry(by.clone()).or_default();
            for name in names {
                let known = folds.contains_key(name) || folds.len() < OPEN_GROUPS;
                let fold = folds.entry(if known { name.clone() } else { OTHER.to_owned() }).or_default();
                self.gathered += u64::from(!known);
                // A number that is told apart by operations counts where they are, and nowhere else.
                let own = |metric: &String| {
                    let split = body.split.get(metric).filter(|_| is_split(metric, by));
                    split.map(|split| split.get(name))
                };
                let values = body.values.iter().filter_map(|(metric, whole)| match own(metric) {
                    None => Some((metric, whole)),
                    Some(own) => own.map(|values| (metric, values)),
                });
                fold.add(weight, body, values);
            }
        }
    }

    /// Whether nothing more of it is expected.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    fn settle(&mut self, most: usize) {
        self.total.settle();
        for folds in self.groups.values_mut() {
            if folds.len() > most {
                let mut names: Vec<(u64, String)> = folds.iter().map(|(name, f)| (f.sessions, name.clone())).collect();
                names.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
                let mut other = folds.remove(OTHER).unwrap_or_default();
                for (_, name) in names.iter().filter(|(_, name)| name != OTHER).skip(most) {
                    if let Some(fold) = folds.remove(name) {
                        other.merge(&fold);
                        self.gathered += 1;
                    }
                }
                folds.insert(OTHER.to_owned(), other);
            }
            folds.values_mut().for_each(Fold::settle);
        }
        self.settled = true;
    }
}

/// Whether a metric is told apart by what sessions are divided by here.
fn is_split(metric: &str, by: &str) -> bool {
    match by {
        "model" => matches!(metric, "tokens" | "cost_usd"),
        "tool" => matches!(metric, "tool_calls" | "tool_errors" | "tool_error_rate"),
        _ => false,
    }
}

/// A window's name: the suite, and when it begins.
pub type Name = (String, Millis);

/// All windows that are kept.
#[derive(Debug, Default)]
pub struct Windows {
    /// By suite; one that is not named has windows as they are without a word.
    shapes: BTreeMap<String, Shape>,
    windows: BTreeMap<Name, Window>,
    stale: BTreeSet<Name>,
}

impl Windows {
    /// No windows yet.
    pub fn new(shapes: BTreeMap<String, Shape>) -> Self {
        Self { shapes, ..Self::default() }
    }

    /// How those of a suite are made.
    pub fn shape(&self, suite: &str) -> Shape {
        self.shapes.get(suite).cloned().unwrap_or_default()
    }

    /// When the window of a time begins.
    pub fn start(&self, suite: &str, at: Millis) -> Millis {
        let every = self.shape(suite).every;
        at.div_euclid(every) * every
    }

    /// Adds a session that was not there before.
    pub fn add(&mut self, suite: &str, at: Millis, inclusion: f64, reason: Option<&str>, body: &Body) {
        let name = (suite.to_owned(), self.start(suite, at));
        let window = self.windows.entry(name.clone()).or_default();
        if window.settled {
            self.stale.insert(name);
        } else if !self.stale.contains(&name) {
            window.add(inclusion, reason, body);
        }
    }

    /// Says that a session that was in the window of a time counts there no longer, or counts otherwise.
    pub fn changed(&mut self, suite: &str, at: Millis) {
        let name = (suite.to_owned(), self.start(suite, at));
        if self.windows.contains_key(&name) {
            self.stale.insert(name);
        }
    }

    /// The windows that must be added up anew, and from when to when they are.
    pub fn stale(&self) -> Vec<(Name, (Millis, Millis))> {
        self.stale.iter().map(|name| (name.clone(), (name.1, name.1 + self.shape(&name.0).every))).collect()
    }

    /// Puts a window that was added up anew in place of what was known of it.
    pub fn replace(&mut self, name: Name, mut window: Window) {
        self.stale.remove(&name);
        if let Some(before) = self.windows.get(&name) {
            window.corrected = before.corrected + u32::from(before.settled);
            if before.settled {
                window.settle(self.shapes.get(&name.0).cloned().unwrap_or_default().groups);
            }
        }
        self.windows.insert(name, window);
    }

    /// Settles windows of which nothing more is expected, and forgets those that are kept for long enough. The names of
    /// those that were settled.
    pub fn advance(&mut self, now: Millis) -> Vec<Name> {
        let shapes = &self.shapes;
        let shape = |suite: &str| shapes.get(suite).cloned().unwrap_or_default();
        let due = |name: &Name| {
            let Shape { every, lag, .. } = shape(&name.0);
            name.1.saturating_add(every).saturating_add(lag) <= now
        };
        let mut settled = Vec::new();
        for (name, window) in self.windows.iter_mut().filter(|(name, window)| !window.settled && due(name)) {
            // What is stale is settled when it has been added up.
            if !self.stale.contains(name) {
                window.settle(shape(&name.0).groups);
                settled.push(name.clone());
            }
        }
        self.windows.retain(|name, _| name.1.saturating_add(shape(&name.0).keep) > now);
        let windows = &self.windows;
        self.stale.retain(|name| windows.contains_key(name));
        settled
    }

    /// The windows of a suite, oldest first.
    pub fn of<'w>(&'w self, suite: &'w str) -> impl DoubleEndedIterator<Item = (Millis, &'w Window)> + use<'w> {
        let range = (suite.to_owned(), Millis::MIN)..=(suite.to_owned(), Millis::MAX);
        self.windows.range(range).map(|((_, start), window)| (*start, window))
    }

    /// The settled windows of a suite that begin at or after one moment and before another, oldest first.
    pub fn between(&self, suite: &str, from: Millis, to: Millis) -> impl Iterator<Item = (Millis, &Window)> {
        let range = (suite.to_owned(), from)..(suite.to_owned(), to.max(from));
        let windows = self.windows.range(range).filter(|(_, window)| window.settled);
        windows.map(|((_, start), window)| (*start, window))
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }
}

#[cfg(test)]
mod tests;
