//! One session of many: what is done before it, the conversation, what is done after it, and what came of it.

use std::io;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;

use super::around::Around;
use super::fleet::{Fleet, Stopped};
use super::late::Unjoined;
use super::saved::Line;
use super::spent::Spent;
use super::tab::Tab;
use super::talk::{self, Shared, Talk};
use super::{hooks, made};
use crate::eval::evaluate::last_panic;
use crate::model::{Session, Text};
use crate::net::budget::{Amount, Reserved};

/// The kind of failure of a session that could not be set up.
pub const SETUP: &str = "setup";

/// A session that has ended.
pub(super) struct Ended<'f> {
    /// Where it stands in the recording.
    pub at: usize,
    /// How it is saved.
    pub line: io::Result<Line>,
    /// What it was before its telemetry was put into it.
    pub unjoined: Option<Unjoined>,
    /// What it came to.
    pub spent: Spent,
    /// How often the model was asked that played the user, and what that came to.
    pub played: (u64, Amount),
    /// Whether it says nothing about the agent.
    pub failed: bool,
    /// How many turns it has.
    pub turns: usize,
    /// What went wrong beside it.
    pub notes: Vec<String>,
    /// How often something was tried again.
    pub retries: u32,
    /// How often the agent was busy.
    pub busy: u32,
    /// A panic was caught.
    pub panicked: bool,
    /// What could not be undone after it.
    pub undone: u64,
    /// Held until it is known what the session cost.
    pub held: Vec<Reserved>,
    /// Noted until it is saved.
    pub tab: Tab<'f>,
}

impl Fleet<'_> {
    /// One session; `Err` says why it may not be begun.
    pub(super) async fn one<'f>(
        &'f self,
        shared: &Shared<'_>,
        around: &Around,
        at: usize,
        most: Amount,
    ) -> Result<Ended<'f>, Stopped> {
        let mut held = Vec::new();
        for budget in self.budgets {
            held.push(budget.reserve(most).await.map_err(|trouble| Stopped::Capped(trouble.message))?);
        }
        let Some((case, trial)) = self.case(at) else {
            return Err(Stopped::Capped("a case that is not in the suite".to_owned()));
        };
        let tab = self.tabs.begin(most).map_err(|why| Stopped::Write(why.to_string()))?;
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
            Ok(()) => {
                AssertUnwindSafe(talk.hold(shared, case, trial, &|amount| tab.so_far(amount))).catch_unwind().await
            }
            Err(why) => {
                talk.failure = Some(talk::Failure { kind: SETUP, message: why.clone() });
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
        let deadline = Instant::now() + self.live.telemetry_deadline();
        let quiet = self.live.telemetry.as_ref().map(|listen| listen.quiet).unwrap_or_default();
        let collected = shared.telemetry.collect(&id, quiet, deadline).await;
        let mut unjoined = Ok(None);
        if collected.listening {
            unjoined = Unjoined::of(&session, collected).map(Some);
        }
        let (line, spent) = match &unjoined {
            Ok(Some(unjoined)) => match unjoined.joined() {
                Ok(joined) => self.told(&joined),
                Err(why) => (Err(why), Spent::of(&session, &self.suite.prices)),
            },
            _ => self.told(&session),
        };
        Ok(Ended {
            at,
            line,
            unjoined: unjoined.ok().flatten(),
            spent,
            played: played.map(|played| (played.asked(), played.spent())).unwrap_or_default(),
            failed: session.failure.is_some(),
            turns: session.turns.len(),
            notes: notes.into_iter().map(|note| format!("session {id}: {note}")).collect(),
            retries,
            busy,
            panicked,
            undone,
            held,
            tab,
        })
    }

    /// A session as it is saved, and what it came to.
    fn told(&self, session: &Session<'_>) -> (io::Result<Line>, Spent) {
        (Line::of(session, &self.suite.redactor), Spent::of(session, &self.suite.prices))
    }
}
