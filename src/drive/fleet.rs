//! Many conversations at once.
//!
//! They are futures of one task: a session in flight costs a few kilobytes and no thread. Each is saved as it ends, in
//! whatever order; the order of the recording is made afterwards.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::around::Around;
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
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
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
    /// How long to wait before something is tried again for the first time ([`talk::FIRST_WAIT`]).
    pub first_wait: Duration,
    /// What may be spent: of the run, of the suite.
    pub budgets: &'f [Budget],
    /// Set from outside to end orderly.
    pub stop: &'f AtomicBool,
    /// The most that a session cost that was saved before; `None` where there is none.
    pub before: Option<Amount>,
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
    /// Sessions of which spans arrived after they had been collected.
    pub late: u64,
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

/// What is said of a session of which spans arrived too late.
const LATE: &str = "spans arrived after it had been quiet for `quiet` of [agent.telemetry], and are missing: \
                    let the agent export sooner, or give it more time there";

/// Warnings that are told.
const MOST_WARNINGS: usize = 5;

/// A session that has ended.
struct Ended {
    at: usize,
    id: String,
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
        let around = Around::begin(self).await;
        // Sessions that were driven here, and where they stand.
        let mut driven: Vec<(usize, String)> = Vec::new();
        let mut left = self.here.iter().copied();
        let mut going = FuturesUnordered::new();
        // The most that a session cost so far; `None` before any has ended.
        let mut most = self.before;
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
                        came.stopped.get_or_insert(Stopped::Capped(why));
                    }
                    Some(Ok(ended)) => {
                        driven.push((ended.at, ended.id.clone()));
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
        let interrupted = came.stopped == Some(Stopped::Interrupted);
        for why in around.end(self, interrupted.then_some(UNDO)).await {
            came.undone += 1;
            came.warnings.push(why);
        }
        if let Err(why) = self.mark_late(&driven, interrupted, saved, &mut came).await {
            came.stopped.get_or_insert(Stopped::Write(why.to_string()));
        }
        let _ = tokio::time::timeout(Duration::from_secs(10), self.live.agent.shut()).await;
        came.peak = pace.peak() as u64;
        came.took = began.elapsed();
        came
    }

    /// Marks the sessions of which spans arrived after they had been collected: what is saved of them is not all.
    async fn mark_late(
        &self,
        driven: &[(usize, String)],
        interrupted: bool,
        saved: &mut Saved<'_>,
        came: &mut Came,
    ) -> io::Result<()> {
        let Some(listen) = self.live.telemetry.as_ref().filter(|_| !driven.is_empty()) else { return Ok(()) };
        if !interrupted {
            tokio::time::sleep(listen.quiet).await;
        }
        for (at, id) in driven {
            if self.telemetry.is_late(id) {
                came.late += 1;
                saved.amend(*at, &|session| {
                    session.incomplete = true;
                    session.notes.push(LATE.into());
                })?;
            }
        }
        if came.late > 0 {
            came.warnings.push(format!("{} sessions cannot be measured: {LATE}", came.late));
        }
        Ok(())
    }

    /// What something is done for.
    fn for_what<'a>(&'a self, case: Option<(&'a Case, u32)>, session: &'a str) -> For<'a> {
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

    /// One session; `Err` says why nothing may be spent on it.
    async fn one(&self, shared: &Shared<'_>, around: &Around, at: usize, most: Amount) -> Result<Ended, String> {
        let mut held = Vec::new();
        for budget in self.budgets {
            held.push(budget.reserve(most).await.map_err(|trouble| trouble.message)?);
        }
        let Some((case, trial)) = self.case(at) else { return Err("a case that is not in the suite".to_owned()) };
        let mut talk = Talk::new();
        let id = talk.id.clone();
        let hooks = &self.live.hooks;
        let for_it = Some((case, trial));
        let ready = around.ready(self, at, &id).await;
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
        for why in around.over(self, at, &id).await {
            undone += 1;
            notes.push(why);
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
            id: id.clone(),
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
        let Ended {
            at,
            id: _,
            line,
            spent,
            played,
            heard,
            failed,
            turns,
            notes,
            retries,
            busy,
            panicked,
            undone,
            held,
        } = ended;
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
