//! The turn that watching takes, again and again: what is new is taken, what is over is judged and entered, what is kept
//! for long enough is let go of.
//!
//! One thread takes it; what others may see of it meanwhile is in [`Shared`]. A turn that fails is taken again: nothing is
//! let go of before what came of it is in the store.

mod closing;
mod entering;
mod setup;
mod shared;
mod systems;
mod taking;
mod windows;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

pub use setup::{Keeping, Setup, WatchError};
pub use shared::{Recent, Shared, lock};

use self::closing::over;
use self::taking::Handed;
use super::alerting::Alerting;
use super::away::Away;
use super::clock::Clock;
use super::closing::Over;
use super::judge::{Admitting, Unasked};
use super::metrics::Metrics;
use super::plan::{Plan, Watching};
use super::sources::Source;
use super::system::Systems;
use super::window::{Name, Windows};
use crate::assemble::build::Builder;
use crate::evidence::Outside;
use crate::ledger::Millis;
use crate::receive::inbox::Inbox;
use crate::store::db::Store;

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

/// Takes turns.
pub struct Watcher {
    plan: Arc<Plan>,
    inbox: Arc<Inbox>,
    store: Store,
    handle: Handle,
    clock: Arc<dyn Clock>,
    sources: Vec<Box<dyn Source>>,
    outside: Outside,
    away: Option<Away>,
    admitting: Box<dyn Admitting>,
    alerting: Alerting,
    /// Windows of which nothing more is expected, and whose alerts are not judged yet.
    settled: Vec<Name>,
    /// What system checks said.
    systems: Systems,
    /// Windows that were corrected since system checks were asked.
    corrected: Vec<Name>,
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

impl Watcher {
    /// Takes up what was there before.
    ///
    /// # Errors
    /// The store cannot be read; no threads.
    pub fn open(setup: Setup) -> Result<Self, WatchError> {
        let Setup {
            plan,
            inbox,
            store,
            handle,
            clock,
            sources,
            outside,
            away,
            admitting,
            alerting,
            systems,
            jobs,
            keeping,
            stop,
        } = setup;
        let plan = Arc::new(plan);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.max(1)).stack_size(8 << 20).build();
        let pool = pool.map_err(|why| Unasked(format!("threads could not be started: {why}")))?;
        let shared = Arc::new(Shared {
            windows: Mutex::new(Windows::new(plan.shapes())),
            metrics: Metrics::default(),
            recent: Mutex::default(),
            spending: Mutex::default(),
            systems: Mutex::new(systems.latest().clone()),
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
            away,
            admitting,
            alerting,
            settled: Vec::new(),
            systems,
            corrected: Vec::new(),
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
    pub fn reload(
        &mut self,
        plan: Plan,
        (outside, away): (Outside, Option<Away>),
        admitting: Box<dyn Admitting>,
    ) -> Result<(), WatchError> {
        self.plan = Arc::new(plan);
        self.outside = outside;
        self.away = away;
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
        self.ask_systems(false)?;
        self.alert()?;
        let spending = |watching: &Watching| {
            let name = &watching.suite.name;
            (name.clone(), self.admitting.spending(name))
        };
        *lock(&self.shared.spending) = plan.suites.iter().map(spending).collect();
        if now >= self.keep_at {
            self.keep_at = now + KEEPING;
            let before = wall.saturating_sub(i64::try_from(self.keeping.rows.as_millis()).unwrap_or(i64::MAX));
            self.handle.block_on(self.store.forget_watched(before, self.keeping.most_rows))?;
        }
        Ok(more)
    }

    /// Judges everything that waits, whether it is over or not: nothing more will come. So every window that has ended is
    /// settled without waiting for what is late: its system checks are asked, and its alerts judged. Where it is told to end
    /// before all is judged, no window is.
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
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if !more {
                break;
            }
        }
        let settled = lock(&self.shared.windows).end(self.clock.millis());
        self.settled.extend(settled);
        self.ask_systems(true)?;
        self.alert()
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
}

#[cfg(test)]
mod tests;
