//! Which session every trace belongs to, as far as its records have arrived.
//!
//! Ids are kept as 128-bit hashes, so that millions of traces stay small. The hashes have fixed seeds, so that the same
//! input is put together in the same order every time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::session_id::{self, Rank};
use crate::formats::telemetry::codec::{Place, Stored, decode_origin};

/// How many parts the records are split into once they no longer fit in memory.
pub(super) const PARTITIONS: usize = 256;

/// A trace or a session, by the hash of its id. A trace and a session of the same id are two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u64; 2]);

impl Key {
    /// The trace of this id.
    pub fn trace(id: &str) -> Self {
        Self::new(id, 0)
    }

    /// The session of this id.
    pub fn session(id: &str) -> Self {
        Self::new(id, 1)
    }

    fn new(id: &str, seed: u64) -> Self {
        let hash = xxh3_128_with_seed(id.as_bytes(), seed);
        Self([(hash >> 64) as u64, hash as u64])
    }

    /// As bytes, and back.
    pub fn to_bytes(self) -> [u8; 16] {
        let [high, low] = self.0;
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }

    /// See [`Key::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let hash = u128::from_le_bytes(bytes);
        Self([(hash >> 64) as u64, hash as u64])
    }

    /// The part in which everything of this home waits.
    pub(super) fn partition(self) -> usize {
        self.0[0] as usize % PARTITIONS
    }
}

/// Where a record wants to go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) place: Place,
    pub(super) trace: Option<Key>,
    /// The session that it names itself.
    pub(super) named: Option<(Rank, Key)>,
}

impl Route {
    /// The home of a record whose trace may be of the session `known`: that, else its trace, else the session it names.
    fn home(&self, known: Option<Key>) -> Option<Key> {
        known.or(self.trace).or(self.named.map(|(_, session)| session))
    }
}

#[derive(Debug, Clone, Copy)]
struct Trace {
    /// The best session that its records named, and where the first of them stood.
    session: Option<(Rank, Place, Key)>,
    /// Whether records of it were put into a partition.
    placed: bool,
}

/// Traces and their sessions.
pub(super) struct Index {
    traces: HashMap<Key, Trace>,
    /// Partitions that hold records whose home has changed since.
    dirty: Vec<bool>,
    /// The place of the session's id that the user named.
    attribute: Option<String>,
}

impl Index {
    pub(super) fn new(attribute: Option<String>) -> Self {
        Self { traces: HashMap::new(), dirty: vec![false; PARTITIONS], attribute }
    }

    /// Learns from a record. What is known in the end does not depend on the order of records.
    pub(super) fn learn(&mut self, route: &Route) {
        let Some(trace) = route.trace else { return };
        let told = route.named.map(|(rank, session)| (rank, route.place, session));
        match self.traces.entry(trace) {
            Entry::Vacant(entry) => {
                entry.insert(Trace { session: told, placed: false });
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                let better = match (&told, &known.session) {
                    (Some(new), Some(old)) => (new.0, new.1) < (old.0, old.1),
                    (new, _) => new.is_some(),
                };
                if better {
                    let home = |t: &Trace| t.session.map_or(trace, |(.., session)| session).partition();
                    let old = home(known);
                    known.session = told;
                    self.dirty[old] |= known.placed && old != home(known);
                }
            }
        }
    }

    /// The home of a record as far as is known: the session of its trace, else its trace, else the session it names.
    /// Notes that it was put there.
    pub(super) fn place(&mut self, route: &Route) -> Option<Key> {
        let known = route.trace.and_then(|trace| self.traces.get_mut(&trace));
        route.home(known.and_then(|known| {
            known.placed = true;
            known.session.map(|(.., session)| session)
        }))
    }

    /// As [`Index::place`], without a note.
    pub(super) fn heads_for(&self, route: &Route) -> Option<Key> {
        let known = route.trace.and_then(|trace| self.traces.get(&trace));
        route.home(known.and_then(|known| known.session.map(|(.., session)| session)))
    }

    /// As [`Index::heads_for`], of a record that is read back.
    pub(super) fn home(&self, stored: &Stored<'_>) -> Option<Key> {
        if stored.trace.is_empty() {
            return self.named(stored);
        }
        let trace = Key::trace(stored.trace);
        Some(self.traces.get(&trace)?.session.map_or(trace, |(.., session)| session))
    }

    fn named(&self, stored: &Stored<'_>) -> Option<Key> {
        self.id(stored).map(|id| Key::session(&id))
    }

    /// The session's id that a record names itself.
    fn id(&self, stored: &Stored<'_>) -> Option<String> {
        let (record, origin) = (stored.decode()?, decode_origin(stored.origin)?);
        session_id::told(record.attributes(), &origin, self.attribute.as_deref()).map(|(_, id)| id.to_string())
    }

    /// The id of the home of a record, when this record tells it.
    pub(super) fn name(&self, home: Key, stored: &Stored<'_>) -> Option<String> {
        if home == Key::trace(stored.trace) {
            return Some(stored.trace.to_owned());
        }
        self.id(stored).filter(|id| home == Key::session(id))
    }

    /// The partitions that hold records of another one.
    pub(super) fn dirty(&self) -> impl Iterator<Item = usize> + use<> {
        let dirty: Vec<usize> = (0..PARTITIONS).filter(|p| self.dirty[*p]).collect();
        dirty.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(position: u32, trace: &str, named: Option<(Rank, &str)>) -> Route {
        Route {
            place: Place { file: 0, element: 0, position },
            trace: Some(Key::trace(trace)),
            named: named.map(|(rank, id)| (rank, Key::session(id))),
        }
    }

    fn session(index: &Index, trace: &str) -> Option<Key> {
        index.traces[&Key::trace(trace)].session.map(|s| s.2)
    }

    #[test]
    fn a_trace_belongs_to_the_best_session_and_the_first_among_equals_in_any_order() {
        let routes = [
            route(0, "t", None),
            route(1, "t", Some((2, "b"))),
            route(2, "t", Some((1, "x"))),
            route(3, "t", Some((1, "y"))),
        ];
        for first in 0..4 {
            for step in [1, 3] {
                let mut index = Index::new(None);
                (0..4).for_each(|i| index.learn(&routes[(first + i * step) % 4]));
                assert_eq!(session(&index, "t"), Some(Key::session("x")));
            }
        }
    }

    #[test]
    fn a_trace_and_a_session_of_one_id_are_two_things() {
        assert_ne!(Key::trace("a"), Key::session("a"));
    }

    #[test]
    fn a_partition_is_dirty_only_when_something_in_it_moves() {
        let (mut index, old) = (Index::new(None), Key::trace("t").partition());
        index.learn(&route(0, "t", None));
        index.learn(&route(1, "t", Some((3, "s"))));
        assert_eq!(index.dirty().count(), 0, "nothing lies there yet");
        index.traces.get_mut(&Key::trace("t")).unwrap().placed = true;
        index.learn(&route(2, "t", Some((1, "better"))));
        assert_eq!(index.dirty().collect::<Vec<_>>(), [Key::session("s").partition()]);
        assert_ne!(old, Key::session("s").partition());
    }
}
