//! Windows of time, each of the same length and one after the other, by suite and group: sessions belong to the one in
//! which they ended.
//!
//! A window is open while sessions of it may still be going on; then it is settled, and shrinks to what is shown of it.
//! What comes later all the same makes it stale: it is added up anew from the rows, once, however much came.

mod fold;
mod past;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

pub use fold::{Check, Fold, Measure, QUANTILES, Rate};
pub use past::Part;

use self::past::Past;
use super::row::Body;
use crate::alerts;
use crate::alerts::reach::Want;
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
    /// How long they are kept as a whole, in milliseconds.
    pub keep: Millis,
    /// How far back rules look, in milliseconds: of what is older than `keep`, what they ask for is kept.
    pub back: Millis,
    /// What rules ask for.
    pub wants: Vec<Want>,
    /// Groups of each kind that a settled window tells apart; the largest of them.
    pub groups: usize,
}

/// So many windows are kept as a whole, at most: two days of those that are five minutes long.
const SHOWN: Millis = 576;

impl Shape {
    /// How windows are made that are `every` long and settled `lag` later, with rules that look `back` so far.
    pub fn new(every: Millis, lag: Millis, back: Millis, wants: Vec<Want>, groups: usize) -> Self {
        let keep = every.saturating_mul(SHOWN).min(48 * HOUR).max(every.saturating_mul(2).saturating_add(lag));
        // What is looked at last is the end of a window that is settled a turn later.
        let back = back.saturating_add(lag).saturating_add(every.saturating_mul(2));
        Self { every, lag, keep, back, wants, groups }
    }

    /// How long anything of a window is kept.
    pub fn known(&self) -> Millis {
        self.keep.max(self.back)
    }
}

const HOUR: Millis = 3_600_000;

impl Default for Shape {
    fn default() -> Self {
        Self::new(HOUR / 12, HOUR / 3, 0, Vec::new(), 50)
    }
}

/// Groups of each kind that an open window tells apart.
const OPEN_GROUPS: usize = 1_000;

/// One window of one suite.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// All its sessions.
    pub total: Fold,
    /// The same by group, by what sessions are divided by; nothing of a window that is no longer shown.
    pub groups: BTreeMap<String, BTreeMap<String, Fold>>,
    /// How often it was added up anew after it had been settled.
    pub corrected: u32,
    /// Groups that are in [`OTHER`].
    pub gathered: u64,
    settled: bool,
    /// What rules look back at, once it is no longer shown.
    past: Option<Past>,
}

/// The name of a group.
type Group<'w> = &'w str;

impl Window {
    /// Adds a session: one that was evaluated counts by how many it stands for, another one by why it was not.
    pub fn add(&mut self, inclusion: f64, reason: Option<&str>, body: &Body) {
        if let Some(reason) = reason {
            *self.total.unevaluated.entry(reason.to_owned()).or_default() += 1;
            return;
        }
        self.total.add(inclusion, body, body.values.iter());
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
                fold.add(inclusion, body, values);
            }
        }
    }

    /// Whether nothing more of it is expected.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// How many sessions a group has (empty: all of them) and what a measure came to there; `None` where there is no such
    /// group, or it is not kept.
    pub fn read(&self, measure: &alerts::Measure, group: &str) -> Option<(u64, Part<'_>)> {
        let Some(by) = measure.by.as_deref().filter(|_| !group.is_empty()) else {
            return Some((self.total.sessions, past::part(&self.total, measure)));
        };
        if let Some(past) = &self.past {
            return past.read(measure, group);
        }
        let fold = self.groups.get(by)?.get(group)?;
        Some((fold.sessions, past::part(fold, measure)))
    }

    /// The groups of a division.
    pub fn names<'w>(&'w self, by: &str) -> impl Iterator<Item = Group<'w>> + use<'w> {
        let whole = self.groups.get(by).into_iter().flat_map(|folds| folds.keys().map(String::as_str));
        whole.chain(self.past.as_ref().into_iter().flat_map({
            let by = by.to_owned();
            move |past| past.groups(&by)
        }))
    }

    /// Lets go of all but what rules look back at.
    fn fade(&mut self, wants: &[Want]) {
        if self.past.is_none() {
            self.past = Some(Past::of(self, wants));
            self.groups = BTreeMap::new();
        }
    }

    fn settle(&mut self, shape: &Shape) {
        let most = shape.groups;
        let merged = |by: Option<&str>, metric: &str| {
            let is = |want: &&Want| want.measure.by.as_deref() == by && want.measure.metric == metric;
            shape.wants.iter().filter(is).any(|want| want.merged)
        };
        self.total.settle(&|metric| merged(None, metric));
        for (by, folds) in &mut self.groups {
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
            folds.values_mut().for_each(|fold| fold.settle(&|metric| merged(Some(by), metric)));
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
    otherwise: Shape,
    windows: BTreeMap<Name, Window>,
    stale: BTreeSet<Name>,
    /// Until when time has gone on.
    now: Option<Millis>,
    /// When the first session ended that is known of each suite.
    since: BTreeMap<String, Millis>,
    /// Until when the windows of each suite are settled, also those that had no session.
    until: BTreeMap<String, Millis>,
}

impl Windows {
    /// No windows yet.
    pub fn new(shapes: BTreeMap<String, Shape>) -> Self {
        Self { shapes, ..Self::default() }
    }

    /// The same at a moment: what is too old to be kept then is not added.
    pub fn at(shapes: BTreeMap<String, Shape>, now: Millis) -> Self {
        Self { now: Some(now), ..Self::new(shapes) }
    }

    /// How those of a suite are made.
    pub fn shape(&self, suite: &str) -> &Shape {
        self.shapes.get(suite).unwrap_or(&self.otherwise)
    }

    /// When the window of a time begins.
    pub fn start(&self, suite: &str, at: Millis) -> Millis {
        let every = self.shape(suite).every;
        at.div_euclid(every) * every
    }

    /// Adds a session that was not there before.
    pub fn add(&mut self, suite: &str, at: Millis, inclusion: f64, reason: Option<&str>, body: &Body) {
        self.known_since(suite, at);
        let name = (suite.to_owned(), self.start(suite, at));
        if self.now.is_some_and(|now| name.1.saturating_add(self.shape(suite).known()) <= now) {
            return;
        }
        let window = match self.windows.entry(name.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let shape = self.shapes.get(suite).unwrap_or(&self.otherwise);
                let window = place.insert(Window::default());
                // It was settled when it had no session: this corrects it.
                if self.until.get(suite).is_some_and(|until| name.1.saturating_add(shape.every) <= *until) {
                    window.settle(shape);
                }
                window
            }
        };
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

    /// Puts a window that was added up anew in place of what was known of it. Whether it had been settled.
    pub fn replace(&mut self, name: Name, mut window: Window) -> bool {
        self.stale.remove(&name);
        let settled = self.windows.get(&name).is_some_and(Window::is_settled);
        if let Some(before) = self.windows.get(&name) {
            window.corrected = before.corrected + u32::from(before.settled);
            if before.settled {
                window.settle(self.shapes.get(&name.0).unwrap_or(&self.otherwise));
            }
        }
        self.windows.insert(name, window);
        settled
    }

    /// Settles windows of which nothing more is expected, and forgets those that are kept for long enough. The names of
    /// those that were settled.
    pub fn advance(&mut self, now: Millis) -> Vec<Name> {
        self.go_on(now, true)
    }

    /// The same where nothing more comes: windows are settled that have ended, without waiting for what is late.
    pub fn end(&mut self, now: Millis) -> Vec<Name> {
        self.go_on(now, false)
    }

    fn go_on(&mut self, now: Millis, waits: bool) -> Vec<Name> {
        self.now = Some(now);
        let (shapes, otherwise) = (&self.shapes, &self.otherwise);
        let shape = |suite: &str| shapes.get(suite).unwrap_or(otherwise);
        self.windows.retain(|name, _| name.1.saturating_add(shape(&name.0).known()) > now);
        let windows = &self.windows;
        self.stale.retain(|name| windows.contains_key(name));
        let mut settled = Vec::new();
        for (name, window) in &mut self.windows {
            let shape = shape(&name.0);
            // What is stale is settled when it has been added up.
            if self.stale.contains(name) {
                continue;
            }
            let ended = name.1.saturating_add(shape.every);
            let known = self.until.get(&name.0).is_some_and(|until| ended <= *until);
            let lag = if waits && !known { shape.lag } else { 0 };
            if !window.settled && ended.saturating_add(lag) <= now {
                window.settle(shape);
                settled.push(name.clone());
            }
            if window.settled && name.1.saturating_add(shape.keep) <= now {
                window.fade(&shape.wants);
            }
        }
        for (suite, start) in &settled {
            self.settled_until(suite, start.saturating_add(self.shape(suite).every));
        }
        settled
    }

    /// Says that whoever was there before settled the windows of a suite that ended until a moment: what comes now corrects
    /// them.
    pub fn settled_until(&mut self, suite: &str, at: Millis) {
        let until = self.until.entry(suite.to_owned()).or_insert(at);
        *until = at.max(*until);
    }

    /// Says that a session of a suite is known that ended at a moment.
    pub fn known_since(&mut self, suite: &str, at: Millis) {
        match self.since.get_mut(suite) {
            Some(since) => *since = at.min(*since),
            None => drop(self.since.insert(suite.to_owned(), at)),
        }
    }

    /// Since when sessions of a suite are known: what was before nobody can say, not even that it was nothing.
    pub fn since(&self, suite: &str) -> Option<Millis> {
        self.since.get(suite).copied()
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
