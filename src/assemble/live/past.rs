//! Which homes were taken before, so that what comes later is known for what it is. Bounded: the oldest are forgotten.

use std::collections::{HashMap, VecDeque};

use super::Told;
use crate::assemble::index::Key;

/// Traces, and homes, that are remembered.
const MOST: usize = 100_000;

/// What was taken.
#[derive(Default)]
pub(super) struct Past {
    /// What was told of the session of each trace.
    traces: Bounded<Option<Told>>,
    /// How many times each home was taken.
    homes: Bounded<u32>,
}

impl Past {
    pub(super) fn trace(&mut self, trace: Key, told: Option<Told>) {
        self.traces.insert(trace, told);
    }

    pub(super) fn home(&mut self, home: Key) {
        let times = self.times(home);
        self.homes.insert(home, times + 1);
    }

    /// The best that is known of a trace's session from what was taken of it before.
    pub(super) fn told(&self, trace: Key) -> Option<Told> {
        self.traces.map.get(&trace).copied().flatten()
    }

    /// How many times a home was taken.
    pub(super) fn times(&self, home: Key) -> u32 {
        self.homes.map.get(&home).copied().unwrap_or_default()
    }
}

struct Bounded<T> {
    map: HashMap<Key, T>,
    order: VecDeque<Key>,
}

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self { map: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Bounded<T> {
    fn insert(&mut self, key: Key, value: T) {
        if self.map.insert(key, value).is_none() {
            self.order.push_back(key);
            if self.order.len() > MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.map.remove(&oldest);
            }
        }
    }
}
