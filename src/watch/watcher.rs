//! The turn that watching takes, again and again: what is new is taken, what is over is judged and entered, what is kept
//! for long enough is let go of.
//!
//! One thread takes it; what others may see of it meanwhile is in [`Shared`]. A turn that fails is taken again: nothing is
//! let go of before what came of it is in the store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use tokio::runtime::Handle;

use super::alerting::Alerting;
use super::clock::Clock;
use super::closing::Over;
use super::judge::{self, Admitting, Arrived, Bench, Outcome, Unasked};
use super::metrics::Metrics;
use super::plan::{Plan, Watching};
use super::row::{self, Body};
use super::sources::{Intake, Source, Whole};
use super::window::{Name, Window, Windows};
use crate::alerts::book::Standing;
use crate::assemble::SpillError;
use crate::assemble::build::Builder;
use crate::assemble::live::{Key, Waiting};
use crate::evidence::Outside;
use crate::formats::Decoder;
use crate::ledger::Millis;
use crate::model::json::Texts;
use crate::model::{Problem, Session, Status};
use crate::notify;
use crate::receive::inbox::Inbox;
use crate::receive::spool::SpoolError;
use crate::redact::Redacted;
use crate::store::db::{Current, Entered, Place, Store, StoreError};

/// Sessions that are judged at a time.
const PORTION: usize = 256;

/// Bytes that sources hand over at a time, about.
const ROOM: usize = 16 << 20;

/// A session that ends further ahead of our clock than this is taken for one that ends now.
const AHEAD: Millis = 5 * 60_000;

/// A clock that moves by so much more or less than time passes was set.
const SET: Millis = 60_000;

/// How often old rows are taken out, and for how long after the clock was set they are not.
const KEEPING: Duration = Duration::from_secs(3600);

/// Rows that are read at a time when windows are added up.
const ROWS: u32 = 5_000;

/// Windows that are added up anew in a turn.
const ANEW: usize = 16;

/// Sessions that did not pass and are shown.
const RECENT: usize = 100;

/// Why a turn could not be taken to its end.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Records that waited on disk.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// Models could not be asked.
    #[error("models could not be asked: {0}")]
    Unasked(#[from] Unasked),
}

/// For how long something is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// A session that was over, for what comes late.
    pub late: Duration,
    /// Rows.
    pub rows: Duration,
    /// At most so many of them.
    pub most_rows: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        Self { late: Duration::from_secs(600), rows: Duration::from_secs(30 * 24 * 3600), most_rows: 5_000_000 }
    }
}

/// What watching stands on.
pub struct Setup {
    /// The suites.
    pub plan: Plan,
    /// Where telemetry waits.
    pub inbox: Arc<Inbox>,
    /// Where rows and items for people go.
    pub store: Store,
    /// Drives the store.
    pub handle: Handle,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where sessions come from.
    pub sources: Vec<Box<dyn Source>>,
    /// Answers what checks ask for.
    pub outside: Outside,
    /// Who is looked at.
    pub admitting: Box<dyn Admitting>,
    /// What alerts there are, and how they stand.
    pub alerting: Alerting,
    /// Threads.
    pub jobs: usize,
    /// For how long something is kept.
    pub keeping: Keeping,
    /// Set when it is to end.
    pub stop: &'static AtomicBool,
}

/// A session that did not pass.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Recent {
    /// When it ended.
    pub at: Millis,
    /// The suite.
    pub suite: String,
    /// The session, as it may be written.
    pub session: String,
    /// What was said of it.
    pub status: Status,
    /// Which check said so, where it was one.
    pub check: String,
    /// Why.
    pub reason: String,
}

/// What others may see while turns are taken.
pub struct Shared {
    /// The windows.
    pub windows: Mutex<Windows>,
    /// What is counted.
    pub metrics: Metrics,
    /// Sessions that did not pass, the latest last.
    pub recent: Mutex<Vec<Recent>>,
    /// What is wrong now, by where.
    pub troubles: Mutex<BTreeMap<String, String>>,
    /// Whether what was there before has been taken up.
    pub ready: AtomicBool,
    /// What fires, or may soon.
    pub alerts: Mutex<Vec<Standing>>,
    /// The suites that are watched.
    pub plan: Mutex<Arc<Plan>>,
    /// Where telemetry waits.
    pub inbox: Arc<Inbox>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Shared {
    /// Says that something is wrong, or no longer.
    pub fn trouble(&self, place: &str, why: Option<String>) {
        let mut troubles = lock(&self.troubles);
        match why {
            Some(why) => troubles.insert(place.to_owned(), why),
            None => troubles.remove(place),
        };
    }
}

/// A lock that outlives a panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What sources handed over and is not entered yet.
#[derive(Default)]
struct Handed {
    sessions: Vec<Whole>,
    places: Vec<Place>,
}

/// Takes turns.
pub struct Watcher {
    plan: Arc<Plan>,
    inbox: Arc<Inbox>,
    store: Store,
    handle: Handle,
    clock: Arc<dyn Clock>,
    sources: Vec<Box<dyn Source>>,
    outside: Outside,
    admitting: Box<dyn Admitting>,
    alerting: Alerting,
    /// Windows of which nothing more is expected, and whose alerts are not judged yet.
    settled: Vec<Name>,
    pool: rayon::ThreadPool,
    builder: Builder,
    keeping: Keeping,
    stop: &'static AtomicBool,
    shared: Arc<Shared>,
    handed: Handed,
    /// When the clock was looked at last, both ways.
    looked: (Instant, Millis),
    /// When old rows are taken out next.
    keep_at: Instant,
}

/// A session of telemetry that is over.
struct Closed {
    home: Waiting,
    over: Over,
    /// The suites for which it is, by their bits.
    bits: u32,
    /// Traces that have not ended.
    open: usize,
    records: u64,
    bytes: Vec<u8>,
}

/// Is told of a row: when its session ended, how likely it was to be evaluated, why it was not, and what is kept of it.
type Each<'e> = &'e mut dyn FnMut(Millis, (f64, Option<&str>, Body));

impl Watcher {
    /// Takes up what was there before.
    ///
    /// # Errors
    /// The store cannot be read; no threads.
    pub fn open(setup: Setup) -> Result<Self, WatchError> {
        let Setup { plan, inbox, store, handle, clock, sources, outside, admitting, alerting, jobs, keeping, stop } =
            setup;
        let plan = Arc::new(plan);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.max(1)).stack_size(8 << 20).build();
        let pool = pool.map_err(|why| Unasked(format!("threads could not be started: {why}")))?;
        let shared = Arc::new(Shared {
            windows: Mutex::new(Windows::new(plan.shapes())),
            metrics: Metrics::default(),
            recent: Mutex::default(),
            alerts: Mutex::new(alerting.book.standing().to_vec()),
            troubles: Mutex::default(),
            ready: AtomicBool::new(false),
            plan: Mutex::new(plan.clone()),
            inbox: inbox.clone(),
            clock: clock.clone(),
        });
        let builder = Builder { session_attribute: plan.session_attribute().cloned() };
        let looked = (clock.instant(), clock.millis());
        let mut watcher = Self {
            plan,
            inbox,
            store,
            handle,
            clock,
            sources,
            outside,
            admitting,
            alerting,
            settled: Vec::new(),
            pool,
            builder,
            keeping,
            stop,
            shared,
            handed: Handed::default(),
            keep_at: looked.0,
            looked,
        };
        watcher.take_up()?;
        watcher.shared.ready.store(true, Ordering::Relaxed);
        Ok(watcher)
    }

    /// What others may see of it.
    pub fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Goes on with other suites.
    ///
    /// # Errors
    /// The store cannot be read; then windows are as they were.
    pub fn reload(&mut self, plan: Plan, outside: Outside, admitting: Box<dyn Admitting>) -> Result<(), WatchError> {
        self.plan = Arc::new(plan);
        self.outside = outside;
        self.admitting = admitting;
        *lock(&self.shared.plan) = self.plan.clone();
        // Windows may be of another length now.
        self.take_up()
    }

    /// Takes a turn; whether there is more to do at once.
    ///
    /// # Errors
    /// What could not be done; the next turn tries again.
    pub fn turn(&mut self) -> Result<bool, WatchError> {
        self.look_at_the_clock()?;
        let mut more = self.poll();
        self.enter_handed()?;
        let now = self.clock.instant();
        let plan = self.plan.clone();
        more |= self.close(&|home| over(&plan, home, now))? >= PORTION;
        self.let_go(now)?;
        more |= self.add_up_anew()?;
        let wall = self.clock.millis();
        let settled = lock(&self.shared.windows).advance(wall);
        self.settled.extend(settled);
        self.alert()?;
        if now >= self.keep_at {
            self.keep_at = now + KEEPING;
            let before = wall.saturating_sub(i64::try_from(self.keeping.rows.as_millis()).unwrap_or(i64::MAX));
            self.handle.block_on(self.store.forget_watched(before, self.keeping.most_rows))?;
        }
        Ok(more)
    }

    /// Judges everything that waits, whether it is over or not: nothing more will come.
    ///
    /// # Errors
    /// As [`Watcher::turn`].
    pub fn drain(&mut self) -> Result<(), WatchError> {
        loop {
            let mut more = self.poll();
            more |= !self.handed.sessions.is_empty();
            self.enter_handed()?;
            let all = self.plan.all();
            more |= self.close(&|home| (home.closed & all != all).then_some((Over::Said, all & !home.closed)))? > 0;
            more |= self.add_up_anew()?;
            if !more || self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    /// Notices that somebody set the clock: then windows are added up anew by the new time, and nothing is taken out for a
    /// while.
    fn look_at_the_clock(&mut self) -> Result<(), WatchError> {
        let (instant, millis) = (self.clock.instant(), self.clock.millis());
        let (before, then) = std::mem::replace(&mut self.looked, (instant, millis));
        let passed = i64::try_from(instant.saturating_duration_since(before).as_millis()).unwrap_or(i64::MAX);
        if (millis - then).abs_diff(passed) <= SET.unsigned_abs() {
            return Ok(());
        }
        self.shared.metrics.clock_jumps.inc();
        self.keep_at = instant + KEEPING;
        self.take_up()
    }

    /// Adds all windows up from rows.
    fn take_up(&mut self) -> Result<(), WatchError> {
        let now = self.clock.millis();
        let mut windows = Windows::new(self.plan.shapes());
        for watching in &self.plan.clone().suites {
            let name = &watching.suite.name;
            let keep = windows.shape(name).keep;
            self.rows(name, (now.saturating_sub(keep), now.saturating_add(AHEAD)), &mut |at, row| {
                windows.add(name, at, row.0, row.1, &row.2);
            })?;
        }
        // Those that were judged before are known, and not judged again.
        self.settled = windows.advance(now);
        *lock(&self.shared.windows) = windows;
        Ok(())
    }

    /// Judges the alerts of windows that were settled, and puts down what is to be told.
    fn alert(&mut self) -> Result<(), WatchError> {
        if self.settled.is_empty() {
            return Ok(());
        }
        let before = self.alerting.book.clone();
        let notices = self.alerting.turn(&self.plan, &lock(&self.shared.windows), &self.settled);
        let now = self.clock.millis();
        for notice in &notices {
            if let Err(why) = self.handle.block_on(notify::put(&self.store, notice, now)) {
                // Judged again in the next turn, and told under the same key.
                self.alerting.book = before;
                return Err(why.into());
            }
        }
        self.settled.clear();
        let kept = self.alerting.keep().err().map(|why| format!("the state of alerts could not be kept: {why}"));
        self.shared.trouble("alerts", kept);
        *lock(&self.shared.alerts) = self.alerting.book.standing().to_vec();
        Ok(())
    }

    /// Goes through the rows of a suite that count.
    fn rows(&self, suite: &str, range: (Millis, Millis), each: Each<'_>) -> Result<(), WatchError> {
        let mut after = (Millis::MIN, 0);
        loop {
            let rows = self.handle.block_on(self.store.watched_between(suite, range, after, ROWS))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = (last.watched.at, last.n);
            let bodies: Vec<Option<Body>> =
                self.pool.install(|| rows.par_iter().map(|row| serde_json::from_str(&row.watched.body).ok()).collect());
            for (row, body) in rows.iter().zip(bodies) {
                match body {
                    Some(body) => each(row.watched.at, (row.watched.inclusion, row.watched.reason.as_deref(), body)),
                    // What a newer version wrote is counted, and not taken for anything.
                    None => each(row.watched.at, (1.0, Some("unreadable"), Body::default())),
                }
            }
        }
    }

    /// Asks sources for what is new, unless what they handed over before is not entered yet.
    fn poll(&mut self) -> bool {
        if !self.handed.sessions.is_empty() || !self.handed.places.is_empty() {
            return false;
        }
        let inbox = self.inbox.clone();
        let mut intake = Intake::new(&inbox, ROOM);
        let mut more = false;
        for source in &mut self.sources {
            match source.poll(&mut intake) {
                Ok(has_more) => {
                    more |= has_more;
                    self.shared.trouble(source.name(), None);
                }
                Err(why) => {
                    self.shared.metrics.source_errors.inc();
                    self.shared.trouble(source.name(), Some(why));
                }
            }
        }
        intake.left_out.iter().for_each(|problem| self.left_out(problem));
        self.handed = Handed { sessions: intake.sessions, places: intake.places };
        more
    }

    fn left_out(&self, problem: &Problem) {
        self.shared.metrics.left_out(problem.kind.name());
        self.shared.trouble(&format!("left out: {}", problem.kind.name()), Some(problem.message.clone()));
    }

    /// Judges and enters the whole sessions that sources handed over, and how far they have come.
    fn enter_handed(&mut self) -> Result<(), WatchError> {
        let handed = std::mem::take(&mut self.handed);
        if handed.sessions.is_empty() && handed.places.is_empty() {
            return Ok(());
        }
        let done = self.enter_sessions(&handed.sessions, &handed.places);
        if done.is_err() {
            self.handed = handed;
        }
        done
    }

    fn enter_sessions(&mut self, sessions: &[Whole], places: &[Place]) -> Result<(), WatchError> {
        let plan = self.plan.clone();
        let now = self.clock.millis();
        let portions = sessions.chunks(PORTION).count();
        for (n, portion) in sessions.chunks(PORTION).enumerate() {
            let texts: Vec<Texts> = portion.iter().map(|_| Texts::default()).collect();
            let decoded: Vec<_> = portion
                .iter()
                .zip(&texts)
                .map(|(whole, texts)| whole.decoder.decode_in(&whole.bytes, texts, whole.index, &whole.stem))
                .collect();
            let mut arrived = Vec::new();
            for session in decoded {
                match session {
                    Ok(session) => arrived.push(self.arrived(session, now)),
                    Err(problem) => self.left_out(&problem),
                }
            }
            let mut outcomes = Vec::new();
            for watching in &plan.suites {
                outcomes.push((watching, self.judge(watching, &mut arrived.iter_mut().collect::<Vec<_>>(), now)?));
            }
            // How far a source has come counts once all that it handed over is entered.
            self.enter(outcomes, if n + 1 == portions { places } else { &[] }, now)?;
        }
        if sessions.is_empty() {
            self.enter(Vec::new(), places, now)?;
        }
        Ok(())
    }

    /// A session with when it ended.
    fn arrived<'a>(&self, session: Session<'a>, now: Millis) -> Arrived<'a> {
        let at = match row::ended(&session) {
            Some(at) if at > now.saturating_add(AHEAD) => {
                self.shared.metrics.future.inc();
                now
            }
            Some(at) => at,
            None => now,
        };
        Arrived { session, at }
    }

    /// Judges the homes that are over, as `which` says and for whom; how many there were.
    fn close(&mut self, which: &dyn Fn(&Waiting) -> Option<(Over, u32)>) -> Result<usize, WatchError> {
        let ripe = self.inbox.homes(PORTION, which);
        let count = ripe.len();
        if count == 0 {
            return Ok(0);
        }
        let (mut closed, mut gone): (Vec<Closed>, Vec<Key>) = (Vec::new(), Vec::new());
        for (home, (over, bits)) in ripe {
            // What is left of a session that was let go of is not all of it.
            if self.inbox.let_go_before(home.home) > 0 {
                self.shared.metrics.late.inc();
                gone.push(home.home);
                continue;
            }
            let Some(copied) = self.inbox.copy(home.home) else { continue };
            let (open, records) = (copied.open, copied.records);
            closed.push(Closed { home, over, bits, open, records, bytes: copied.bring_back()? });
        }
        self.judge_closed(&closed, &mut gone)?;
        for Closed { home, bits, records, over, .. } in &closed {
            self.shared.metrics.closed(over.name());
            if !over.cuts() {
                self.inbox.close_home(home.home, *bits, *records);
            }
        }
        self.inbox.let_go(&gone)?;
        Ok(count)
    }

    fn judge_closed(&mut self, closed: &[Closed], gone: &mut Vec<Key>) -> Result<(), WatchError> {
        let plan = self.plan.clone();
        let now = self.clock.millis();
        let builder = &self.builder;
        let decoded: Vec<_> =
            self.pool.install(|| closed.par_iter().map(|closed| builder.decode(&closed.bytes, 0, "")).collect());
        let mut arrived: Vec<(u32, Arrived<'_>)> = Vec::new();
        for (closed, session) in closed.iter().zip(decoded) {
            if closed.over.cuts() {
                gone.push(closed.home.home);
            }
            match session {
                Ok(mut session) => {
                    told(&mut session, closed);
                    arrived.push((closed.bits, self.arrived(session, now)));
                }
                // Log records without any span may still get one.
                Err(problem) => self.left_out(&problem),
            }
        }
        let mut outcomes = Vec::new();
        for watching in &plan.suites {
            let mut mine: Vec<_> =
                arrived.iter_mut().filter(|(bits, _)| bits & watching.bit != 0).map(|(_, arrived)| arrived).collect();
            outcomes.push((watching, self.judge(watching, &mut mine, now)?));
        }
        self.enter(outcomes, &[], now)
    }

    fn judge(
        &mut self,
        watching: &Watching,
        sessions: &mut [&mut Arrived<'_>],
        now: Millis,
    ) -> Result<Outcome, WatchError> {
        let bench = Bench { pool: &self.pool, outside: &self.outside, now, stop: self.stop };
        let (store, handle, suite) = (&self.store, &self.handle, &watching.suite.name);
        let known = |names: &[&str]| -> Result<BTreeMap<String, Current>, WatchError> {
            Ok(handle.block_on(store.current_watched(suite, names))?)
        };
        let judged = judge::judge(watching, sessions, &bench, &known, &mut *self.admitting);
        // Who was drawn counts, whatever becomes of it.
        let kept = self.admitting.keep().err().map(|why| format!("what was drawn could not be kept: {why}"));
        self.shared.trouble("sampling", kept);
        judged
    }

    /// Enters what came of sessions, and counts it.
    fn enter(&self, outcomes: Vec<(&Watching, Outcome)>, places: &[Place], now: Millis) -> Result<(), WatchError> {
        let metrics = &self.shared.metrics;
        let (mut looked, mut items) = (Vec::new(), Vec::new());
        for (watching, outcome) in outcomes {
            let suite = &watching.suite.name;
            metrics.panics.inc_by(outcome.panicked);
            metrics.sessions(suite, "known", outcome.known);
            items.extend(outcome.items);
            looked.extend(outcome.looked);
        }
        // First: what is entered is not looked at again, and an item that is sent again is the same.
        if !items.is_empty() {
            let sent = self.handle.block_on(self.store.enqueue(&Redacted::drawn(items), now))?;
            metrics.items.inc_by(sent.new.len() as u64);
        }
        let entered = self.handle.block_on(self.store.enter_watched(&judge::rows(&looked), places, now))?;
        let mut windows = lock(&self.shared.windows);
        let mut recent = lock(&self.shared.recent);
        for (looked, entered) in looked.iter().zip(entered) {
            let row = &looked.row;
            let Entered::New { superseded, .. } = entered else {
                metrics.sessions(&row.suite, "known", 1);
                continue;
            };
            metrics.sessions(&row.suite, row.reason.as_deref().unwrap_or("evaluated"), 1);
            metrics.sessions(&row.suite, "superseded", superseded.len() as u64);
            superseded.iter().for_each(|at| windows.changed(&row.suite, *at));
            windows.add(&row.suite, row.at, row.inclusion, row.reason.as_deref(), &looked.body);
            for (check, said) in &looked.body.checks {
                metrics.verdict(&row.suite, check, said.status);
            }
            recent.extend(shown(row, &looked.body));
        }
        let many = recent.len().saturating_sub(RECENT);
        recent.drain(..many);
        Ok(())
    }

    /// Lets go of homes that are over for everybody, when nothing more of them is expected, or when the spool has no room
    /// for them any more.
    fn let_go(&self, now: Instant) -> Result<(), WatchError> {
        let all = self.plan.all();
        let after = self.plan.longest_idle() + self.keeping.late;
        let standing = self.inbox.standing(all);
        let crowded = standing.spool > standing.spool_limit / 2;
        let ripe = self.inbox.homes(if crowded { PORTION } else { 4 * PORTION }, &|home| {
            let quiet = now.saturating_duration_since(home.last);
            (home.closed & all == all && (crowded || quiet >= after)).then_some(())
        });
        if ripe.is_empty() {
            return Ok(());
        }
        if crowded {
            self.shared.metrics.crowded.inc_by(ripe.len() as u64);
        }
        Ok(self.inbox.let_go(&ripe.iter().map(|(home, ())| home.home).collect::<Vec<_>>())?)
    }

    /// Adds up the windows that changed; whether there are more of them.
    fn add_up_anew(&self) -> Result<bool, WatchError> {
        let stale: Vec<(Name, (Millis, Millis))> = lock(&self.shared.windows).stale();
        let more = stale.len() > ANEW;
        for (name, range) in stale.into_iter().take(ANEW) {
            let mut window = Window::default();
            self.rows(&name.0, range, &mut |_, (inclusion, reason, body)| window.add(inclusion, reason, &body))?;
            lock(&self.shared.windows).replace(name, window);
            self.shared.metrics.corrections.inc();
        }
        Ok(more)
    }
}

/// Whether a home is over for suites that have not looked at it since, and why. Where it is cut off for one, it is for all.
fn over(plan: &Plan, home: &Waiting, now: Instant) -> Option<(Over, u32)> {
    let all = plan.all();
    let open = plan.suites.iter().filter(|watching| home.closed & watching.bit == 0);
    let found = open.filter_map(|watching| Some((watching.closing.over(home, now)?, watching.bit)));
    let (over, bits) = found.reduce(|a, b| (a.0.max(b.0), a.1 | b.1))?;
    Some((over, if over.cuts() { all & !home.closed } else { bits }))
}

/// Says in a session what is missing of it.
fn told(session: &mut Session<'_>, closed: &Closed) {
    let open = closed.open;
    if closed.over == Over::Size || closed.over == Over::Age && open > 0 {
        session.incomplete = true;
        session.notes.push(format!("it was cut off: {}", closed.over.name()).into());
    }
    if open > 0 {
        let traces = if open == 1 { "1 trace whose root span" } else { &format!("{open} traces whose root spans") };
        session.notes.push(format!("{traces} did not arrive").into());
    }
}

/// A session as it is shown, where it did not pass.
fn shown(row: &crate::store::db::Watched, body: &Body) -> Option<Recent> {
    let status = body.worst();
    if row.reason.is_some() || status == Status::Pass {
        return None;
    }
    let said = body.checks.iter().find(|(_, said)| said.status == status);
    let (check, reason) = match (&body.error, said) {
        (Some(error), _) => (String::new(), error.clone()),
        (None, Some((check, said))) => (check.clone(), said.reason.clone()),
        (None, None) => (String::new(), String::new()),
    };
    Some(Recent { at: row.at, suite: row.suite.clone(), session: row.session.clone(), status, check, reason })
}

#[cfg(test)]
mod tests;
