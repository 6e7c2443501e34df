//! Which turn of a live run the spans that arrive belong to: by the trace that was sent with it, by the session that they
//! name, by a link to that trace. What belongs to none is counted, and forgotten.
//!
//! A session that was handed out is remembered: what arrives of it later is handed out again. What arrives of one that had
//! to be forgotten, because very many came after it, is counted.
//!
//! There is no spool. One would be of no use: a live run that ends before its time drives the sessions again that had not
//! ended. Records that wait are in memory, and beyond a budget in files without a name, so that nothing of what an agent
//! said is left on disk, however the process ends.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::inbox::{Inbox, Limits};
use super::telemetry::{Begun, Collected, Counts, Telemetry, TurnTelemetry};
use crate::assemble::live::{Key, Live, Taken, TakenTrace, Waiting};

/// How long what belongs to nobody is kept: a span that names its session may come after those that do not.
const FOREIGN_FOR: Duration = Duration::from_secs(60);

/// Sessions that were handed out and are remembered.
const MOST_HANDED: usize = 20_000;

/// Telemetry for a live run.
pub struct Correlation {
    inbox: Arc<Inbox>,
    watched: Arc<Watched>,
}

/// The sessions that are waited for, or were handed out.
#[derive(Default)]
struct Watched {
    sessions: Mutex<Sessions>,
    foreign: AtomicU64,
    joined: AtomicU64,
    swept: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Sessions {
    known: HashMap<Key, Watch>,
    /// Those that were handed out, in that order.
    handed: VecDeque<Key>,
    /// Those of them of which something arrived since.
    fresh: BTreeSet<Key>,
    /// How many records arrived of sessions that were forgotten.
    late: HashMap<Key, u64>,
}

struct Watch {
    id: Box<str>,
    /// The turns, in the order in which they began.
    turns: Vec<Turn>,
    arrived: Arc<Notify>,
    handed: bool,
}

#[derive(Clone, Copy)]
struct Turn {
    trace: Key,
    began_ns: u64,
}

impl Correlation {
    /// Telemetry of a run; nothing is waited for yet.
    pub fn new(limits: Limits) -> Self {
        let watched = Arc::new(Watched::default());
        let seen = watched.clone();
        let inbox = Inbox::without_spool(limits, move |live, home| seen.arrived(live, home));
        Self { inbox: Arc::new(inbox), watched }
    }

    /// Where requests go.
    pub fn inbox(&self) -> Arc<Inbox> {
        self.inbox.clone()
    }

    /// Whether a session is complete, and if so, since when it has been quiet; with what wakes who waits for it.
    fn look(&self, session: Key) -> Option<(Option<Instant>, Arc<Notify>)> {
        let state = self.inbox.lock();
        let sessions = self.watched.lock();
        let watch = sessions.known.get(&session).filter(|watch| !watch.handed)?;
        let traces: Vec<Key> = watch.turns.iter().map(|turn| turn.trace).collect();
        let since = state.live.home(session).filter(|_| state.live.ended(session, &traces)).map(|home| home.last);
        Some((since, watch.arrived.clone()))
    }

    /// Hands out what arrived for a session.
    fn take(&self, session: Key) -> (Vec<Turn>, Taken) {
        let mut state = self.inbox.lock();
        let taken = state.live.hand_out(session);
        let turns = self.watched.hand_out(session, &mut state.live);
        self.watched.sweep(&mut state.live);
        (turns, taken)
    }
}

impl Telemetry for Correlation {
    fn begin(&self, turn: &Begun<'_>) {
        let (session, trace) = (Key::session(turn.session), Key::trace(turn.trace));
        let mut state = self.inbox.lock();
        state.live.pin(turn.trace, turn.parent, turn.session, Instant::now(), 0);
        let mut sessions = self.watched.lock();
        let watch = sessions.known.entry(session).or_insert_with(|| Watch {
            id: turn.session.into(),
            turns: Vec::new(),
            arrived: Arc::new(Notify::new()),
            handed: false,
        });
        if watch.turns.iter().all(|t| t.trace != trace) {
            watch.turns.push(Turn { trace, began_ns: now_ns() });
        }
    }

    fn collect<'a>(&'a self, session: &'a str, quiet: Duration, deadline: Instant) -> BoxFuture<'a, Collected> {
        Box::pin(async move {
            let (began, key) = (Instant::now(), Key::session(session));
            while let Some((since, arrived)) = self.look(key) {
                let now = Instant::now();
                let until = since.map_or(deadline, |since| (since + quiet).min(deadline));
                if now >= until {
                    break;
                }
                // Woken or not, it is looked at again.
                let _ = tokio::time::timeout(until - now, arrived.notified()).await;
            }
            let (turns, taken) = self.take(key);
            Collected { listening: true, turns: split(&turns, taken), waited: began.elapsed() }
        })
    }

    fn again(&self, mine: &dyn Fn(&str) -> bool, quiet: Duration) -> Vec<(String, Collected)> {
        let mut found = Vec::new();
        {
            let mut state = self.inbox.lock();
            let mut sessions = self.watched.lock();
            let now = Instant::now();
            let Sessions { known, fresh, .. } = &mut *sessions;
            fresh.retain(|key| {
                let Some(watch) = known.get(key) else { return false };
                let is_quiet = state.live.home(*key).is_none_or(|h| now.saturating_duration_since(h.last) >= quiet);
                let ripe = is_quiet && mine(&watch.id);
                if ripe {
                    found.push((watch.id.to_string(), watch.turns.clone(), state.live.hand_out(*key)));
                }
                !ripe
            });
        }
        let split = |(id, turns, taken): (String, Vec<Turn>, Taken)| {
            self.watched.joined.fetch_add(taken.records(), Ordering::Relaxed);
            (id, Collected { listening: true, turns: split(&turns, taken), ..Collected::default() })
        };
        found.into_iter().map(split).collect()
    }

    fn late(&self, session: &str) -> u64 {
        let key = Key::session(session);
        let state = self.inbox.lock();
        let sessions = self.watched.lock();
        let waits = if sessions.fresh.contains(&key) { state.live.records_in(key) } else { 0 };
        waits + sessions.late.get(&key).copied().unwrap_or_default()
    }

    fn counts(&self) -> Counts {
        let mut counts = self.inbox.counts();
        counts.joined = self.watched.joined.load(Ordering::Relaxed);
        // What waits for nobody is foreign, too.
        let waiting = || {
            let state = self.inbox.lock();
            let sessions = self.watched.lock();
            state.live.records_of(|home| !sessions.known.contains_key(&home))
        };
        counts.foreign = self.watched.foreign.load(Ordering::Relaxed) + waiting();
        counts
    }
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session is handed out; its turns. The one that was handed out long before is forgotten.
    fn hand_out(&self, session: Key, live: &mut Live) -> Vec<Turn> {
        let mut sessions = self.lock();
        let Sessions { known, handed, fresh, late } = &mut *sessions;
        let Some(watch) = known.get_mut(&session) else { return Vec::new() };
        let turns = watch.turns.clone();
        if !std::mem::replace(&mut watch.handed, true) {
            handed.push_back(session);
        }
        if handed.len() > MOST_HANDED
            && let Some(oldest) = handed.pop_front()
        {
            known.remove(&oldest);
            let left = live.remove(oldest).records();
            if fresh.remove(&oldest) {
                *late.entry(oldest).or_default() += left;
            }
        }
        turns
    }

    /// A record arrived.
    fn arrived(&self, live: &mut Live, home: Key) {
        let mut sessions = self.lock();
        let Sessions { known, fresh, late, .. } = &mut *sessions;
        match known.get(&home) {
            Some(watch) if watch.handed => {
                fresh.insert(home);
            }
            Some(watch) => watch.arrived.notify_one(),
            None if live.times(home) > 0 => *late.entry(home).or_default() += live.remove(home).records(),
            None => {
                drop(sessions);
                self.sweep(live);
            }
        }
    }

    /// Forgets what has belonged to nobody for a while.
    fn sweep(&self, live: &mut Live) {
        let now = Instant::now();
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_some_and(|at| now.duration_since(at) < FOREIGN_FOR / 4) {
            return;
        }
        *swept = Some(now);
        let sessions = self.lock();
        let old =
            |w: &Waiting| now.saturating_duration_since(w.last) > FOREIGN_FOR && !sessions.known.contains_key(&w.home);
        let foreign: Vec<Key> = live.waiting().filter(old).map(|w| w.home).collect();
        for home in foreign {
            self.foreign.fetch_add(live.remove(home).records(), Ordering::Relaxed);
        }
    }
}

/// The traces of a session, turn by turn. One that is no turn's own follows the turn that it links to, else it is of the
/// turn that was the last to begin before it did.
fn split(turns: &[Turn], taken: Taken) -> Vec<TurnTelemetry> {
    let mut heard = vec![TurnTelemetry::default(); turns.len()];
    let of = |trace: &TakenTrace| {
        let own = |key: Key| turns.iter().position(|turn| turn.trace == key);
        own(trace.key).or_else(|| own(trace.follows?)).or_else(|| {
            let after = |start| turns.partition_point(|turn| turn.began_ns <= start);
            let turn = trace.start_ns.map_or(turns.len(), after);
            (!turns.is_empty()).then(|| turn.saturating_sub(1))
        })
    };
    // As in `Live::ended`: other traces tell that turns are over only where the agent takes no part in those it is given.
    let own = |key: Key| turns.iter().any(|turn| turn.trace == key);
    let all = |trace: &TakenTrace| trace.records + trace.handed;
    let silent = !taken.traces.iter().any(|trace| own(trace.key) && all(trace) > 0);
    let mut open = vec![false; turns.len()];
    for trace in taken.traces {
        let Some(i) = of(&trace).filter(|_| all(&trace) > 0) else { continue };
        let Some(turn) = heard.get_mut(i) else { continue };
        if silent || trace.key == turns[i].trace {
            turn.complete |= trace.ended;
            open[i] |= !trace.ended;
        }
        let before = turn.records.len();
        if trace.bring_back(&mut turn.records).is_err() {
            // Half of a turn is no turn.
            turn.records.truncate(before);
            turn.lost = true;
        }
    }
    for (turn, open) in heard.iter_mut().zip(open) {
        turn.complete &= !open && !turn.lost;
    }
    heard
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "correlate_tests.rs"]
mod tests;
