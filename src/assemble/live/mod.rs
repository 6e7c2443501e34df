//! Records that go on arriving, by the session they belong to, until somebody takes that session.
//!
//! A *home* is a session, or a trace that no session is known for. A trace moves to the session that the best of its
//! records names, as it does when files are read ([`super::session_id`]); a trace that was pinned to a session stays
//! there, and those that link to it follow. A home is *over* when every one of its traces has ended at its root. How long
//! it then has to be quiet is for the caller to say.

mod closing;
mod draft;
mod held;
mod past;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

pub use self::closing::Copied;
pub use self::draft::Draft;
use self::draft::{Mark, Root, SpanKey, span_key};
use self::held::{Held, Shelf};
use self::past::Past;
pub use super::index::Key;
use super::index::Route;
use super::run::Spot;
use super::session_id::Rank;
use super::spill::SpillError;
use crate::formats::telemetry::codec::Place;

/// Everything that waits.
pub struct Live {
    traces: HashMap<Key, Trace>,
    homes: HashMap<Key, Home>,
    past: Past,
    shelf: Shelf,
    /// Bytes of records in memory, about.
    bytes: usize,
    /// As many of them may be there before they go to disk.
    budget: usize,
}

/// The best session that the records of a trace named, and where the first of them stood.
type Told = (Rank, Place, Key);

struct Trace {
    held: Held,
    session: Option<Told>,
    /// Where it is counted.
    home: Key,
    /// The span, elsewhere, that its root is a child of.
    parent: Option<SpanKey>,
    /// The pinned trace that it links to.
    follows: Option<Key>,
    /// Whether its root arrived, and has ended.
    ended: bool,
    /// How many records wait.
    records: u64,
    /// How many were handed out before.
    handed: u64,
    /// Bytes of all its records, as they came.
    bytes: u64,
    /// The earliest start of its spans.
    start_ns: Option<u64>,
}

struct Home {
    traces: Vec<Key>,
    /// How many of them have not ended.
    open: usize,
    /// When the first record arrived.
    first: Instant,
    /// When the last record arrived.
    last: Instant,
    /// What the caller said when the first record arrived.
    since: u64,
    /// Records in its traces, and their bytes.
    records: u64,
    bytes: u64,
    /// A record said that the session has ended.
    said: bool,
    /// By whom it was closed since its last record, one bit each ([`Live::close`]).
    closed: u32,
}

/// A home that was taken.
#[derive(Default)]
pub struct Taken {
    /// Its traces, in the order in which they came there.
    pub traces: Vec<TakenTrace>,
}

/// A trace that was taken.
pub struct TakenTrace {
    /// The hash of its id.
    pub key: Key,
    /// The pinned trace that it links to.
    pub follows: Option<Key>,
    /// Whether its root arrived, and has ended.
    pub ended: bool,
    /// How many records there are.
    pub records: u64,
    /// How many were handed out before ([`Live::hand_out`]).
    pub handed: u64,
    /// The earliest start of its spans.
    pub start_ns: Option<u64>,
    held: Held,
}

/// What is known of a home that waits.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// Which it is.
    pub home: Key,
    /// Whether every trace has ended at its root.
    pub over: bool,
    /// Whether a record said that the session has ended ([`Draft::ends`]).
    pub said: bool,
    /// When its first record arrived.
    pub first: Instant,
    /// When its last record arrived.
    pub last: Instant,
    /// What the caller said when its first record arrived.
    pub since: u64,
    /// How many records it has.
    pub records: u64,
    /// Bytes of them, as they came.
    pub bytes: u64,
    /// By whom it was closed since its last record, one bit each.
    pub closed: u32,
}

/// A trace that links to a pinned one is told where it belongs by nothing less.
const BY_LINK: Rank = Rank::MAX;

impl Live {
    /// Nothing waits. Beyond `budget` bytes, records go to files in `dir`.
    pub fn new(dir: PathBuf, budget: usize) -> Self {
        let (traces, homes, past) = (HashMap::new(), HashMap::new(), Past::default());
        Self { traces, homes, past, shelf: Shelf::new(dir), bytes: 0, budget }
    }

    /// Says that a trace belongs to a session, whatever its records name, and which span its root is a child of.
    pub fn pin(&mut self, trace: &str, parent: &str, session: &str, now: Instant, since: u64) {
        let (key, session) = (Key::trace(trace), Key::session(session));
        // Nothing is told earlier than this.
        self.enter(key, Some((0, Place::default(), session)), now, since);
        if let Some(trace) = self.traces.get_mut(&key) {
            trace.parent = Some(span_key(parent));
        }
    }

    /// Takes the records of a draft over, and empties it. `since` is remembered of homes that are new. `touched` is told
    /// the home of each record.
    pub fn take(
        &mut self,
        draft: &mut Draft,
        now: Instant,
        since: u64,
        touched: &mut dyn FnMut(Key),
    ) -> Result<(), SpillError> {
        let run = draft.inner.run();
        for (spot, mark) in run.spots.iter().zip(&draft.marks) {
            let (origin, tail) = run.parts(spot);
            if let Some(home) = self.record(spot, mark, origin, tail, now, since) {
                touched(home);
            }
        }
        draft.clear();
        self.spill()
    }

    /// Takes one record; its home.
    fn record(
        &mut self,
        Spot { route, .. }: &Spot,
        mark: &Mark,
        origin: &[u8],
        tail: &[u8],
        now: Instant,
        since: u64,
    ) -> Option<Key> {
        let Route { place, trace, named } = *route;
        let pinned = |key: &&Key| self.traces.get(key).is_some_and(|t| t.parent.is_some());
        let linked = mark.links.iter().find(pinned).copied();
        let told = named.map(|(rank, session)| (rank, place, session)).or_else(|| {
            let (.., session) = self.traces.get(&linked?)?.session?;
            Some((BY_LINK, place, session))
        });
        // A log record without a trace waits with its session, as if that were its trace.
        let key = trace.or(told.map(|(.., session)| session))?;
        self.enter(key, told, now, since);
        let trace = self.traces.get_mut(&key)?;
        let before = trace.held.in_memory();
        trace.held.push(place, origin, tail);
        self.bytes += trace.held.in_memory() - before;
        let bytes = (origin.len() + tail.len()) as u64;
        trace.records += 1;
        trace.bytes += bytes;
        trace.follows = trace.follows.or(linked);
        trace.start_ns = [trace.start_ns, mark.start_ns].into_iter().flatten().min();
        let ends = match mark.root {
            Some(Root::Entry) => true,
            Some(Root::Below(parent)) => trace.parent == Some(parent),
            None => false,
        };
        let newly = ends && !trace.ended;
        trace.ended |= ends;
        let home = trace.home;
        if let Some(home) = self.homes.get_mut(&home) {
            home.open -= usize::from(newly);
            home.records += 1;
            home.bytes += bytes;
            home.said |= mark.said;
            home.closed = 0;
        }
        Some(home)
    }

    /// Makes sure that a trace is known and at the home that is the best known for it.
    fn enter(&mut self, key: Key, told: Option<Told>, now: Instant, since: u64) {
        let Some(trace) = self.traces.get_mut(&key) else {
            let before = self.past.told(key);
            let told = [told, before].into_iter().flatten().min_by_key(|(rank, place, _)| (*rank, *place));
            let home = told.map_or(key, |(.., session)| session);
            // What waits with its session has no root that could end.
            let ended = home == key && told.is_some();
            let trace = Trace {
                held: Held::default(),
                session: told,
                home,
                parent: None,
                follows: None,
                ended,
                records: 0,
                handed: 0,
                bytes: 0,
                start_ns: None,
            };
            self.traces.insert(key, trace);
            self.arrive(home, key, !ended, (0, 0), now, since);
            return;
        };
        let better = match (&told, &trace.session) {
            (Some(new), Some(old)) => (new.0, new.1) < (old.0, old.1),
            (new, _) => new.is_some(),
        };
        if better {
            trace.session = told;
        }
        let (old, open, size) = (trace.home, !trace.ended, (trace.records, trace.bytes));
        let new = trace.session.map_or(key, |(.., session)| session);
        trace.home = new;
        if new == old {
            if let Some(home) = self.homes.get_mut(&old) {
                home.last = now;
            }
            return;
        }
        let mut since = since;
        if let Some(left) = self.homes.get_mut(&old) {
            since = since.min(left.since);
            left.traces.retain(|t| *t != key);
            left.open -= usize::from(open);
            left.records = left.records.saturating_sub(size.0);
            left.bytes = left.bytes.saturating_sub(size.1);
            if left.traces.is_empty() {
                self.homes.remove(&old);
            }
        }
        self.arrive(new, key, open, size, now, since);
    }

    /// Adds a trace of so many records and bytes to a home.
    fn arrive(&mut self, home: Key, trace: Key, open: bool, size: (u64, u64), now: Instant, since: u64) {
        let home = self.homes.entry(home).or_insert(Home {
            traces: Vec::new(),
            open: 0,
            first: now,
            last: now,
            since,
            records: 0,
            bytes: 0,
            said: false,
            closed: 0,
        });
        home.traces.push(trace);
        home.open += usize::from(open);
        home.records += size.0;
        home.bytes += size.1;
        home.closed = 0;
        home.last = now;
        home.since = home.since.min(since);
    }

    /// Puts records on disk when there are too many in memory, all at once: they were brought in by thousands.
    fn spill(&mut self) -> Result<(), SpillError> {
        if self.bytes <= self.budget {
            return Ok(());
        }
        // In which order makes no difference to what comes back.
        #[expect(clippy::iter_over_hash_type, reason = "nothing that comes out depends on the order")]
        for trace in self.traces.values_mut() {
            self.shelf.pack(&mut trace.held)?;
        }
        self.bytes = 0;
        Ok(())
    }

    /// What waits, in no order.
    pub fn waiting(&self) -> impl Iterator<Item = Waiting> {
        self.homes.iter().map(|(key, home)| home.waiting(*key))
    }

    /// What is known of one home.
    pub fn home(&self, key: Key) -> Option<Waiting> {
        Some(self.homes.get(&key)?.waiting(key))
    }

    /// Whether what was pinned to a home has ended: each of `pinned`, or, where an agent takes no part in the traces it is
    /// given, as many of its own.
    pub fn ended(&self, home: Key, pinned: &[Key]) -> bool {
        let ended = |key: &Key| self.traces.get(key).is_some_and(|t| t.ended);
        if pinned.iter().all(ended) {
            return true;
        }
        let silent = |key: &Key| self.traces.get(key).is_none_or(|t| t.records + t.handed == 0);
        let Some(home) = self.homes.get(&home).filter(|_| pinned.iter().all(silent)) else { return false };
        let own = || home.traces.iter().filter(|key| !pinned.contains(key));
        own().all(ended) && own().count() >= pinned.len()
    }

    /// How many records wait in the homes that `which` says.
    pub fn records_of(&self, which: impl Fn(Key) -> bool) -> u64 {
        self.traces.values().filter(|trace| which(trace.home)).map(|trace| trace.records).sum()
    }

    /// How many traces wait.
    pub fn len(&self) -> usize {
        self.traces.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }

    /// Bytes of records in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many times a home was taken out before. What arrives of it later waits anew.
    pub fn times(&self, home: Key) -> u32 {
        self.past.times(home)
    }

    /// How many records wait in one home.
    pub fn records_in(&self, home: Key) -> u64 {
        let traces = self.homes.get(&home).map(|home| home.traces.as_slice()).unwrap_or_default();
        traces.iter().filter_map(|key| self.traces.get(key)).map(|trace| trace.records).sum()
    }

    /// Takes what waits in a home and leaves the home: what arrives of it later waits there, and is handed out the next
    /// time, with what is known of its traces by then.
    pub fn hand_out(&mut self, home: Key) -> Taken {
        let mut taken = Taken::default();
        let Some(Home { traces, .. }) = self.homes.get(&home) else { return taken };
        for key in traces {
            let Some(trace) = self.traces.get_mut(key) else { continue };
            let held = std::mem::take(&mut trace.held);
            self.bytes = self.bytes.saturating_sub(held.in_memory());
            let records = std::mem::take(&mut trace.records);
            let Trace { handed, ended, start_ns, follows, .. } = *trace;
            trace.handed += records;
            taken.traces.push(TakenTrace { key: *key, follows, ended, records, handed, start_ns, held });
        }
        taken
    }

    /// Takes a home out.
    pub fn remove(&mut self, home: Key) -> Taken {
        let mut taken = Taken::default();
        let Some(Home { traces, .. }) = self.homes.remove(&home) else { return taken };
        self.past.home(home);
        for key in traces {
            if let Some(trace) = self.traces.remove(&key) {
                self.bytes = self.bytes.saturating_sub(trace.held.in_memory());
                let Trace { held, ended, records, handed, start_ns, follows, session, .. } = trace;
                self.past.trace(key, session);
                taken.traces.push(TakenTrace { key, follows, ended, records, handed, start_ns, held });
            }
        }
        taken
    }
}

impl Taken {
    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.traces.iter().map(|t| t.records).sum()
    }

    /// All records, one trace after the other, as [`super::build::Builder`] takes them.
    pub fn bring_back(self) -> Result<Vec<u8>, SpillError> {
        let mut out = Vec::new();
        self.traces.into_iter().try_for_each(|trace| trace.bring_back(&mut out))?;
        Ok(out)
    }
}

impl TakenTrace {
    /// Appends its records to `out`.
    pub fn bring_back(self, out: &mut Vec<u8>) -> Result<(), SpillError> {
        self.held.bring_back(out)
    }
}

#[cfg(test)]
mod tests;
