//! Many conversations at once.
//!
//! They are futures of one task: a session in flight costs a few kilobytes and no thread. Each is saved as it ends, in
//! whatever order; the order of the recording is made afterwards.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::around::Around;
use super::hooks::{self, For};
use super::late::{Joined, Late};
use super::one::Ended;
use super::saved::Saved;
use super::tab::Tabs;
use super::talk::Shared;
use super::user::Desks;
use super::wants::Want;
use crate::net::budget::{Amount, Budget, Reserved};
use crate::net::client::Http;
use crate::net::pace::Pace;
use crate::net::secret::Vars;
use crate::receive::Telemetry;
use crate::suite::agent::{Each, Hook, Live};
use crate::suite::{Case, Suite};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;

/// How often is looked whether the run is to end.
const LOOK: Duration = Duration::from_millis(50);

/// What is driven, and by what means.
pub struct Fleet<'f> {
    /// The suite.
    pub suite: &'f Suite,
    /// Its agent.
    pub live: &'f Live,
    /// The sessions that are wanted, by position in the recording.
    pub wants: &'f [Want],
    /// Those of them that are driven here.
    pub here: Vec<usize>,
    /// Connections.
    pub http: &'f Http,
    /// The environment, for secrets.
    pub env: Vars<'f>,
    /// The models that play users, by the name of their judge.
    pub users: &'f Desks,
    /// Takes what the agent's instrumentation tells.
    pub telemetry: &'f dyn Telemetry,
    /// How long to wait before something is tried again for the first time ([`super::talk::FIRST_WAIT`]).
    pub first_wait: Duration,
    /// What may be spent: of the run, of the suite.
    pub budgets: &'f [Budget],
    /// Set from outside to end orderly.
    pub stop: &'f AtomicBool,
    /// The most that a session cost that was saved before; `None` where there is none.
    pub before: Option<Amount>,
    /// What sessions count for that are not saved.
    pub tabs: &'f Tabs,
    /// Told how far it has come.
    pub progress: &'f dyn Fn(Reached),
}

/// How far the driving has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Sessions that ended.
    pub ended: usize,
    /// Sessions in flight.
    pub going: usize,
    /// Sessions that are driven in all.
    pub all: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Came {
    /// Sessions that ended.
    pub sessions: u64,
    /// Those of them that say nothing about the agent.
    pub failures: u64,
    /// Turns.
    pub turns: u64,
    /// How often something was tried again.
    pub retries: u64,
    /// How often the agent was busy.
    pub busy: u64,
    /// The most turns in flight at a time.
    pub peak: u64,
    /// What it cost, as far as it is known, with the models that played users.
    pub spent: Amount,
    /// How often models were asked what a user says.
    pub asked: u64,
    /// What these models cost, as far as it is known.
    pub users: Amount,
    /// How long it took.
    pub took: Duration,
    /// A panic was caught.
    pub panicked: bool,
    /// Teardowns that failed.
    pub undone: u64,
    /// Sessions that were put together again because more of their telemetry arrived.
    pub joined: u64,
    /// What went wrong beside the sessions, the first of it.
    pub warnings: Vec<String>,
    /// Why it ended before all sessions did.
    pub stopped: Option<Stopped>,
}

/// Why the driving ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// Told to.
    Interrupted,
    /// What may be spent is spent, or nobody can tell.
    Capped(String),
    /// A session could not be saved.
    Write(String),
}

/// How long what was begun may take to be undone, in all, once the run is interrupted.
const UNDO: Duration = Duration::from_secs(5);

/// Warnings that are told.
const MOST_WARNINGS: usize = 5;

impl Fleet<'_> {
    /// Drives everything that is to be driven here.
    pub async fn drive(&self, saved: &mut Saved<'_>, late: &mut Late) -> Came {
        let began = Instant::now();
        let pace = Pace::new(self.live.load.concurrency, self.live.load.rate);
        let shared = Shared {
            live: self.live,
            http: self.http,
            env: self.env,
            pace: &pace,
            telemetry: self.telemetry,
            users: self.users,
            prices: &self.suite.prices,
            first_wait: self.first_wait,
        };
        let mut came = Came::default();
        let around = Around::begin(self).await;
        let mut left = self.here.iter().copied();
        let mut going = FuturesUnordered::new();
        // The most that a session cost so far; `None` before any has ended.
        let mut most = self.before;
        let quiet = self.live.telemetry.as_ref().map(|listen| listen.quiet).unwrap_or_default();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // What a session costs nobody knows before one has ended: the first goes alone where that matters.
            let room = if self.is_limited() && most.is_none() { 1 } else { self.live.load.concurrency };
            while came.stopped.is_none() && going.len() < room {
                let Some(at) = left.next() else { break };
                going.push(self.one(&shared, &around, at, most.unwrap_or_default()));
            }
            tokio::select! {
                ended = going.next() => match ended {
                    None => break,
                    Some(Err(why)) => {
                        came.stopped.get_or_insert(why);
                    }
                    Some(Ok(ended)) => {
                        if let Err(why) = self.take(ended, saved, late, &mut came, &mut most) {
                            came.stopped.get_or_insert(Stopped::Write(why.to_string()));
                        }
                    }
                },
                _ = look.tick() => {
                    if self.stop.load(Ordering::Relaxed) {
                        came.stopped = Some(Stopped::Interrupted);
                        break;
                    }
                    match late.join(self.telemetry, quiet, self.suite, saved) {
                        Ok(joined) => {
                            self.budgets.iter().for_each(|budget| budget.already(joined.more));
                            came.count_late(joined);
                        }
                        Err(why) => {
                            came.stopped.get_or_insert(Stopped::Write(why.to_string()));
                        }
                    }
                }
            }
            (self.progress)(Reached { ended: came.sessions as usize, going: going.len(), all: self.here.len() });
        }
        // Sessions that are dropped in the middle say nothing; what they started ends with them. What they count for is noted.
        drop(going);
        let interrupted = came.stopped == Some(Stopped::Interrupted);
        for why in around.end(self, interrupted.then_some(UNDO)).await {
            came.undone += 1;
            came.warnings.push(why);
        }
        let _ = tokio::time::timeout(Duration::from_secs(10), self.live.agent.shut()).await;
        came.peak = pace.peak() as u64;
        came.took = began.elapsed();
        came
    }

    /// What something is done for.
    pub(super) fn for_what<'a>(&'a self, case: Option<(&'a Case, u32)>, session: &'a str) -> For<'a> {
        let (vars, trial) = case.map_or((&Value::Null, 0), |(case, trial)| (&case.vars, trial));
        For { case: vars, session, trial, env: self.env, http: self.http, dir: &self.live.dir }
    }

    /// Does what is to be done this often. `Err` says what went wrong first; the rest is not done then.
    pub(super) async fn around(
        &self,
        each: Each,
        case: Option<(&Case, u32)>,
        session: &str,
        hooks: &[Hook],
    ) -> Result<(), String> {
        for hook in hooks.iter().filter(|hook| hook.each == each) {
            hooks::run(hook, self.for_what(case, session))
                .await
                .map_err(|why| format!("{}: {why}", self.name_of(hooks)))?;
        }
        Ok(())
    }

    fn name_of(&self, hooks: &[Hook]) -> &'static str {
        if std::ptr::eq(hooks, self.live.hooks.setup.as_slice()) { "setup" } else { "teardown" }
    }

    fn is_limited(&self) -> bool {
        self.budgets.iter().any(|b| b.limits().cost.is_some() || b.limits().tokens.is_some())
    }

    pub(super) fn case(&self, at: usize) -> Option<(&Case, u32)> {
        let want = self.wants.get(at)?;
        Some((self.suite.cases.as_ref()?.list.get(want.case)?, want.trial))
    }

    /// Counts and saves a session that has ended.
    fn take(
        &self,
        ended: Ended<'_>,
        saved: &mut Saved<'_>,
        late: &mut Late,
        came: &mut Came,
        most: &mut Option<Amount>,
    ) -> io::Result<()> {
        let Ended { at, spent, held, .. } = &ended;
        if spent.heard {
            let known = most.unwrap_or_default().most(spent.known);
            if most.replace(known).is_none() {
                // Now it is known what those may have come to of which nobody knew.
                let more = self.tabs.lost(Some(known)).minus(self.tabs.lost(None));
                self.budgets.iter().for_each(|budget| budget.already(more));
            }
        }
        let counts = spent.counts(held.first().map(Reserved::most).unwrap_or_default());
        let unsaid = self.budgets.iter().find_map(|budget| spent.unsaid(budget.limits()));
        came.count(&ended);
        let (at, line) = (*at, ended.line?);
        if let Some(unjoined) = &ended.unjoined {
            late.keep(at, ended.spent, unjoined)?;
        }
        ended.held.into_iter().for_each(|held| held.settle(counts));
        if let Some(why) = unsaid {
            came.stopped.get_or_insert(Stopped::Capped(why));
        }
        saved.add(at, &line)?;
        ended.tab.saved()
    }
}

impl Came {
    /// Counts sessions that were put together again.
    pub fn count_late(&mut self, joined: Joined) {
        self.joined += joined.sessions;
        self.spent = self.spent.plus(joined.more);
    }

    /// Counts a session that has ended.
    fn count(&mut self, ended: &Ended<'_>) {
        self.spent = self.spent.plus(ended.spent.known);
        self.asked += ended.played.0;
        self.users = self.users.plus(ended.played.1);
        self.sessions += 1;
        self.failures += u64::from(ended.failed);
        self.turns += ended.turns as u64;
        self.retries += u64::from(ended.retries);
        self.busy += u64::from(ended.busy);
        self.panicked |= ended.panicked;
        self.undone += ended.undone;
        let room = MOST_WARNINGS.saturating_sub(self.warnings.len());
        self.warnings.extend(ended.notes.iter().take(room).cloned());
    }
}
