//! Which turn of a live run the spans that arrive belong to: by the trace that was sent with it, by the session that they
//! name, by a link to that trace. What belongs to none is counted, and forgotten.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::inbox::{Inbox, Limits};
use super::spool::{Left, SpoolError};
use super::telemetry::{Begun, Collected, Counts, Telemetry, TurnTelemetry};
use crate::assemble::live::{Key, Live, Taken, TakenTrace, Waiting};

/// How long what belongs to nobody is kept: a span that names its session may come after those that do not.
const FOREIGN_FOR: Duration = Duration::from_secs(60);

/// Telemetry for a live run.
pub struct Correlation {
    inbox: Arc<Inbox>,
    watched: Arc<Watched>,
    /// How long nothing must have arrived for a session whose turns have ended.
    quiet: Duration,
}

/// The sessions that are waited for.
#[derive(Default)]
struct Watched {
    sessions: Mutex<HashMap<Key, Watch>>,
    foreign: AtomicU64,
    late: AtomicU64,
    /// The sessions of which something arrived late.
    late_of: Mutex<HashSet<Key>>,
    swept: Mutex<Option<Instant>>,
}

struct Watch {
    /// The turns, in the order in which they began.
    turns: Vec<Turn>,
    arrived: Arc<Notify>,
}

#[derive(Clone, Copy)]
struct Turn {
    trace: Key,
    began_ns: u64,
}

impl Correlation {
    /// Telemetry whose spool is in a folder of this run. A session is complete once its turns have ended and nothing of
    /// it arrived for `quiet`.
    pub fn new(left: Left, limits: Limits, quiet: Duration) -> Result<Self, SpoolError> {
        let watched = Arc::new(Watched::default());
        let seen = watched.clone();
        let (inbox, _) = Inbox::open(left, 0, limits, move |live, home| seen.arrived(live, home))?;
        Ok(Self { inbox: Arc::new(inbox), watched, quiet })
    }

    /// Where requests go.
    pub fn inbox(&self) -> Arc<Inbox> {
        self.inbox.clone()
    }

    /// Whether a session is complete, and if so, since when it has been quiet; with what wakes who waits for it.
    fn look(&self, session: Key) -> Option<(Option<Instant>, Arc<Notify>)> {
        let state = self.inbox.lock();
        let sessions = self.watched.lock();
        let watch = sessions.get(&session)?;
        let traces: Vec<Key> = watch.turns.iter().map(|turn| turn.trace).collect();
        let since = state.live.home(session).filter(|_| state.live.ended(session, &traces)).map(|home| home.last);
        Some((since, watch.arrived.clone()))
    }

    /// Takes out what arrived for a session.
    fn take(&self, session: Key) -> (Vec<Turn>, Taken) {
        let mut state = self.inbox.lock();
        let turns = self.watched.lock().remove(&session).map(|watch| watch.turns).unwrap_or_default();
        let taken = state.live.remove(session);
        self.watched.sweep(&mut state.live);
        let oldest = state.live.waiting().map(|w| w.since).min();
        let oldest = oldest.unwrap_or_else(|| state.spool.segment());
        state.spool.release(oldest);
        (turns, taken)
    }
}

impl Telemetry for Correlation {
    fn begin(&self, turn: &Begun<'_>) {
        let (session, trace) = (Key::session(turn.session), Key::trace(turn.trace));
        let mut state = self.inbox.lock();
        let since = state.spool.segment();
        state.live.pin(turn.trace, turn.parent, turn.session, Instant::now(), since);
        let mut sessions = self.watched.lock();
        let watch =
            sessions.entry(session).or_insert_with(|| Watch { turns: Vec::new(), arrived: Arc::new(Notify::new()) });
        if watch.turns.iter().all(|t| t.trace != trace) {
            watch.turns.push(Turn { trace, began_ns: now_ns() });
        }
    }

    fn collect<'a>(&'a self, session: &'a str, deadline: Instant) -> BoxFuture<'a, Collected> {
        Box::pin(async move {
            let (began, key) = (Instant::now(), Key::session(session));
            while let Some((since, arrived)) = self.look(key) {
                let now = Instant::now();
                let until = since.map_or(deadline, |since| (since + self.quiet).min(deadline));
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

    fn is_late(&self, session: &str) -> bool {
        let late = self.watched.late_of.lock().unwrap_or_else(PoisonError::into_inner);
        late.contains(&Key::session(session))
    }

    fn counts(&self) -> Counts {
        let mut counts = self.inbox.counts();
        counts.late = self.watched.late.load(Ordering::Relaxed);
        // What waits for nobody is foreign, too: who it could be for has been collected, or never began.
        let waiting = || {
            let state = self.inbox.lock();
            let sessions = self.watched.lock();
            state.live.records_of(|home| !sessions.contains_key(&home))
        };
        counts.foreign = self.watched.foreign.load(Ordering::Relaxed) + waiting();
        counts
    }
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Watch>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record arrived.
    fn arrived(&self, live: &mut Live, home: Key) {
        let waits = self.lock().get(&home).map(|watch| watch.arrived.clone());
        match waits {
            Some(arrived) => arrived.notify_one(),
            None if live.times(home) > 0 => {
                self.late_of.lock().unwrap_or_else(PoisonError::into_inner).insert(home);
                self.late.fetch_add(live.remove(home).records(), Ordering::Relaxed);
            }
            None => self.sweep(live),
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
        let old = |w: &Waiting| now.saturating_duration_since(w.last) > FOREIGN_FOR && !sessions.contains_key(&w.home);
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
    let silent = !taken.traces.iter().any(|trace| own(trace.key) && trace.records > 0);
    let mut open = vec![false; turns.len()];
    for trace in taken.traces {
        let Some(i) = of(&trace).filter(|_| trace.records > 0) else { continue };
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
