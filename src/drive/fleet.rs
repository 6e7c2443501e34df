//! Many conversations at once.
//!
//! They are futures of one task: a session in flight costs a few kilobytes and no thread. Each is saved as it ends, in
//! whatever order; the order of the recording is made afterwards.

use std::collections::HashMap;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::hooks::{self, For};
use super::made;
use super::saved::{Line, Saved};
use super::talk::{self, Shared, Talk};
use super::user::{Desks, Played};
use super::wants::Want;
use crate::eval::evaluate::last_panic;
use crate::eval::facts::Facts;
use crate::model::{NanoUsd, Session, Text};
use crate::net::budget::{Amount, Budget};
use crate::net::client::Http;
use crate::net::pace::Pace;
use crate::net::secret::Vars;
use crate::receive::{Telemetry, join};
use crate::suite::agent::{Each, Hook, Live};
use crate::suite::{Case, Suite};

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
    /// How long to wait before something is tried again for the first time ([`talk::FIRST_WAIT`]).
    pub first_wait: Duration,
    /// What may be spent: of the run, of the suite.
    pub budgets: &'f [Budget],
    /// Set from outside to end orderly.
    pub stop: &'f AtomicBool,
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
    /// What has to be done before any session failed.
    Setup(String),
    /// A session could not be saved.
    Write(String),
}

/// Warnings that are told.
const MOST_WARNINGS: usize = 5;

/// What is done once a case: before the first of its sessions, after the last.
struct ByCase {
    ready: HashMap<usize, OnceCell<Result<(), String>>>,
    left: Mutex<HashMap<usize, usize>>,
}

impl ByCase {
    fn of(fleet: &Fleet<'_>) -> Self {
        let mut left = HashMap::new();
        for want in fleet.here.iter().filter_map(|at| fleet.wants.get(*at)) {
            *left.entry(want.case).or_default() += 1;
        }
        Self { ready: left.keys().map(|case| (*case, OnceCell::new())).collect(), left: Mutex::new(left) }
    }

    /// Waits until the case of a session is ready.
    async fn ready(&self, fleet: &Fleet<'_>, at: usize, case: &Case) -> Result<(), String> {
        let cell = fleet.wants.get(at).and_then(|want| self.ready.get(&want.case));
        let Some(cell) = cell else { return Ok(()) };
        let done = cell.get_or_init(|| fleet.around(Each::Case, Some((case, 0)), "", &fleet.live.hooks.setup)).await;
        done.clone()
    }

    /// A session of a case is over.
    async fn over(&self, fleet: &Fleet<'_>, at: usize, case: &Case) -> Result<(), String> {
        let last = {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            let left = fleet.wants.get(at).and_then(|want| left.get_mut(&want.case));
            left.is_some_and(|left| {
                *left -= 1;
                *left == 0
            })
        };
        if last { fleet.around(Each::Case, Some((case, 0)), "", &fleet.live.hooks.teardown).await } else { Ok(()) }
    }
}

/// A session that has ended.
struct Ended {
    at: usize,
    line: io::Result<Line>,
    /// What it came to; `Err` says what of it is known, and why that is not all.
    spent: Result<Amount, (Amount, String)>,
    /// How often the model was asked that played the user, and what that came to.
    played: (u64, Amount),
    /// Whether anything was heard.
    heard: bool,
    /// Whether anything was heard.
    failed: bool,
    turns: usize,
    notes: Vec<String>,
    retries: u32,
    busy: u32,
    panicked: bool,
    /// What could not be undone after it.
    undone: u64,
    /// Held until it is known what the session cost.
    held: Vec<crate::net::budget::Reserved>,
}

impl Fleet<'_> {
    /// Drives everything that is to be driven here.
    pub async fn drive(&self, saved: &mut Saved<'_>) -> Came {
        let began = Instant::now();
        let pace = Pace::new(self.live.load.concurrency, self.live.load.rate);
        let shared = Shared {
            live: self.live,
            http: self.http,
            env: self.env,
            pace: &pace,
            telemetry: self.telemetry,
            users: self.users,
            first_wait: self.first_wait,
        };
        let mut came = Came::default();
        if let Err(why) = self.around(Each::Run, None, "", &self.live.hooks.setup).await {
            came.stopped = Some(Stopped::Setup(why));
            return came;
        }
        let by_case = ByCase::of(self);
        let mut left = self.here.iter().copied();
        let mut going = FuturesUnordered::new();
        // The most that a session cost so far; `None` before any has ended.
        let mut most: Option<Amount> = None;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // What a session costs nobody knows before one has ended: the first goes alone where that matters.
            let room = if self.is_limited() && most.is_none() { 1 } else { self.live.load.concurrency };
            while came.stopped.is_none() && going.len() < room {
                let Some(at) = left.next() else { break };
                going.push(self.one(&shared, &by_case, at, most.unwrap_or_default()));
            }
            tokio::select! {
                ended = going.next() => match ended {
                    None => break,
                    Some(Err(why)) => {
                        came.stopped.get_or_insert(Stopped::Capped(why));
                    }
                    Some(Ok(ended)) => {
                        if let Err(why) = self.take(ended, saved, &mut came, &mut most) {
                            came.stopped.get_or_insert(Stopped::Write(why.to_string()));
                        }
                    }
                },
                _ = look.tick() => {
                    if self.stop.load(Ordering::Relaxed) {
                        came.stopped = Some(Stopped::Interrupted);
                        break;
                    }
                }
            }
            (self.progress)(Reached { ended: came.sessions as usize, going: going.len(), all: self.here.len() });
        }
        // Sessions that are dropped in the middle say nothing; what they started ends with them.
        drop(going);
        if let Err(why) = self.around(Each::Run, None, "", &self.live.hooks.teardown).await {
            came.undone += 1;
            came.warnings.push(why);
        }
        let _ = tokio::time::timeout(Duration::from_secs(10), self.live.agent.shut()).await;
        came.peak = pace.peak() as u64;
        came.took = began.elapsed();
        came
    }

    /// What something is done for.
    fn for_what<'a>(&'a self, case: Option<(&'a Case, u32)>, session: &'a str) -> For<'a> {
        let (vars, trial) = case.map_or((&Value::Null, 0), |(case, trial)| (&case.vars, trial));
        For { case: vars, session, trial, env: self.env, http: self.http, dir: &self.live.dir }
    }

    /// Does what is to be done this often. `Err` says what went wrong first; the rest is not done then.
    async fn around(
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

    fn case(&self, at: usize) -> Option<(&Case, u32)> {
        let want = self.wants.get(at)?;
        Some((self.suite.cases.as_ref()?.list.get(want.case)?, want.trial))
    }

    /// One session; `Err` says why nothing may be spent on it.
    async fn one(&self, shared: &Shared<'_>, by_case: &ByCase, at: usize, most: Amount) -> Result<Ended, String> {
        let mut held = Vec::new();
        for budget in self.budgets {
            held.push(budget.reserve(most).await.map_err(|trouble| trouble.message)?);
        }
        let Some((case, trial)) = self.case(at) else { return Err("a case that is not in the suite".to_owned()) };
        let mut talk = Talk::new();
        let id = talk.id.clone();
        let hooks = &self.live.hooks;
        let for_it = Some((case, trial));
        let mut ready = by_case.ready(self, at, case).await;
        if ready.is_ok() {
            ready = self.around(Each::Session, for_it, &id, &hooks.setup).await;
        }
        let (mut initial, mut notes) = (None, Vec::new());
        if let Some(state) = hooks.state.as_ref().filter(|state| state.initial && ready.is_ok()) {
            let asked = hooks::state(state, self.for_what(for_it, &id)).await;
            initial = asked.map_err(|why| notes.push(format!("the state before the session is not known: {why}"))).ok();
        }
        let whole = match &ready {
            Ok(()) => AssertUnwindSafe(talk.hold(shared, case, trial)).catch_unwind().await,
            Err(why) => {
                talk.failure = Some(talk::Failure { kind: "setup", message: why.clone() });
                Ok(())
            }
        };
        let panicked = whole.is_err();
        if panicked {
            let message = format!("a bug in seatrial: {}", last_panic());
            talk.failure = Some(talk::Failure { kind: "bug", message });
        }
        let (retries, busy) = (talk.retries, talk.busy);
        let played = talk.played.clone();
        let failed = talk.failure.is_some();
        let mut session = made::session(self.suite, case, trial, talk);
        session.initial_state = initial;
        if let Some(state) = hooks.state.as_ref().filter(|_| !failed) {
            let asked = hooks::state(state, self.for_what(for_it, &id)).await;
            session.state =
                asked.map_err(|why| notes.push(format!("the state after the session is not known: {why}"))).ok();
        }
        let mut undone = 0;
        for undo in [self.around(Each::Session, for_it, &id, &hooks.teardown).await, by_case.over(self, at, case).await]
        {
            if let Err(why) = undo {
                undone += 1;
                notes.push(why);
            }
        }
        session.notes = notes.iter().map(|note| Text::from(note.clone())).collect();
        let collected = shared.telemetry.collect(&id, Instant::now() + self.live.telemetry_deadline()).await;
        let mut session = session;
        if collected.listening {
            // A turn is begun once, however often it is tried.
            let begun: Vec<Option<usize>> = (0..session.turns.len()).map(Some).collect();
            join(&mut session, &collected, &begun);
        }
        Ok(Ended {
            at,
            line: Line::of(&session, &self.suite.redactor),
            spent: self.spent(&session, played.as_ref()),
            played: played.as_ref().map(|played| (played.asked(), played.spent())).unwrap_or_default(),
            heard: session.turns.iter().any(|turn| turn.end_ns.is_some()),
            failed: session.failure.is_some(),
            turns: session.turns.len(),
            notes: notes.into_iter().map(|note| format!("session {id}: {note}")).collect(),
            retries,
            busy,
            panicked,
            undone,
            held,
        })
    }

    fn take(&self, ended: Ended, saved: &mut Saved<'_>, came: &mut Came, most: &mut Option<Amount>) -> io::Result<()> {
        let Ended { at, line, spent, played, heard, failed, turns, notes, retries, busy, panicked, undone, held } =
            ended;
        let amount = *spent.as_ref().unwrap_or_else(|(known, _)| known);
        if heard {
            let so_far = most.unwrap_or_default();
            *most = Some(Amount { cost: so_far.cost.max(amount.cost), tokens: so_far.tokens.max(amount.tokens) });
        }
        held.into_iter().for_each(|held| held.settle(amount));
        came.spent = came.spent.plus(amount);
        came.asked += played.0;
        came.users = came.users.plus(played.1);
        came.sessions += 1;
        came.failures += u64::from(failed);
        came.turns += turns as u64;
        came.retries += u64::from(retries);
        came.busy += u64::from(busy);
        came.panicked |= panicked;
        came.undone += undone;
        let room = MOST_WARNINGS.saturating_sub(came.warnings.len());
        came.warnings.extend(notes.into_iter().take(room));
        if let Err((_, why)) = spent
            && heard
        {
            came.stopped.get_or_insert(Stopped::Capped(why));
        }
        saved.add(at, &line?)
    }

    /// What a session came to, with the model that played its user. `Err` where there is a limit on what is not said: what is known, and why.
    fn spent(&self, session: &Session<'_>, played: Option<&Played>) -> Result<Amount, (Amount, String)> {
        let facts = Facts::of(session, &self.suite.prices);
        let cost = facts.cost_usd.and_then(NanoUsd::from_usd);
        let amount = Amount { cost: cost.unwrap_or_default(), tokens: facts.tokens.unwrap_or_default() as u64 }
            .plus(played.map(Played::spent).unwrap_or_default());
        let unknown = |who: &str, limit: &str, what: &str| {
            let why = format!(
                "`{limit}` is set, and {who} does not say {what} (session `{}`), so nobody could keep it",
                session.id
            );
            Err((amount, why))
        };
        let limits = self.budgets.iter().map(Budget::limits);
        for limit in limits {
            if limit.cost.is_some() && cost.is_none() {
                return unknown(
                    "the agent",
                    "max_cost_usd",
                    "what it spends: neither a cost nor tokens of a model with a price",
                );
            }
            if limit.tokens.is_some() && facts.tokens.is_none() {
                return unknown("the agent", "max_tokens", "how many tokens it uses");
            }
            let (cost, tokens) = played.map_or((true, true), Played::is_known);
            if limit.cost.is_some() && !cost {
                return unknown("the simulated user", "max_cost_usd", "what it spends: no price is known of its model");
            }
            if limit.tokens.is_some() && !tokens {
                return unknown("the simulated user", "max_tokens", "how many tokens it uses");
            }
        }
        Ok(amount)
    }
}
