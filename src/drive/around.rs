//! What is done around the sessions of a suite: once, once a case, and once a session; what was begun is undone, also
//! when the run is interrupted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::OnceCell;

use super::fleet::Fleet;
use crate::suite::agent::Each;

/// What is done around sessions.
pub struct Around {
    /// Whether what is done before all sessions was done.
    world: Result<(), String>,
    cases: HashMap<usize, OnceCell<Result<(), String>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many sessions of a case are not over.
    left: HashMap<usize, usize>,
    /// Cases, with one of their sessions, that were begun and are not undone.
    cases: BTreeMap<usize, usize>,
    /// Sessions that were begun and are not undone.
    sessions: BTreeSet<(usize, String)>,
}

impl Around {
    /// Does what is to be done before all sessions.
    pub async fn begin(fleet: &Fleet<'_>) -> Self {
        let mut left = HashMap::new();
        for want in fleet.here.iter().filter_map(|at| fleet.wants.get(*at)) {
            *left.entry(want.case).or_default() += 1;
        }
        let cases = left.keys().map(|case| (*case, OnceCell::new())).collect();
        let world = fleet.around(Each::Run, None, "", &fleet.live.hooks.setup).await;
        Self { world, cases, state: Mutex::new(State { left, ..State::default() }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what is to be done before a session, and before its case where it is the first of it.
    pub async fn ready(&self, fleet: &Fleet<'_>, at: usize, id: &str) -> Result<(), String> {
        self.world.clone()?;
        let Some((case, trial)) = fleet.case(at) else { return Ok(()) };
        let setup = &fleet.live.hooks.setup;
        if let Some((of, cell)) = fleet.wants.get(at).and_then(|want| Some((want.case, self.cases.get(&want.case)?))) {
            let done = cell.get_or_init(|| {
                self.lock().cases.insert(of, at);
                fleet.around(Each::Case, Some((case, 0)), "", setup)
            });
            done.await.clone()?;
        }
        self.lock().sessions.insert((at, id.to_owned()));
        fleet.around(Each::Session, Some((case, trial)), id, setup).await
    }

    /// Undoes it when the session is over; what went wrong.
    pub async fn over(&self, fleet: &Fleet<'_>, at: usize, id: &str) -> Vec<String> {
        let Some((want, (case, trial))) = fleet.wants.get(at).zip(fleet.case(at)) else { return Vec::new() };
        let (mut wrong, teardown) = (Vec::new(), &fleet.live.hooks.teardown);
        let session = (at, id.to_owned());
        let begun = self.lock().sessions.contains(&session);
        if begun {
            wrong.extend(fleet.around(Each::Session, Some((case, trial)), id, teardown).await.err());
            self.lock().sessions.remove(&session);
        }
        let last = {
            let mut state = self.lock();
            let left = state.left.entry(want.case).or_default();
            *left = left.saturating_sub(1);
            *left == 0 && state.cases.contains_key(&want.case)
        };
        if last {
            wrong.extend(fleet.around(Each::Case, Some((case, 0)), "", teardown).await.err());
            self.lock().cases.remove(&want.case);
        }
        wrong
    }

    /// Undoes what is left: of sessions that were dropped, of cases that did not come to their end, of the run. What is
    /// not done `within` this time is given up.
    pub async fn end(&self, fleet: &Fleet<'_>, within: Option<Duration>) -> Vec<String> {
        let teardown = &fleet.live.hooks.teardown;
        let (cases, sessions) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.cases), std::mem::take(&mut state.sessions))
        };
        let undo = async {
            let sessions = sessions.iter().map(|(at, id)| fleet.around(Each::Session, fleet.case(*at), id, teardown));
            let mut wrong: Vec<String> = join_all(sessions).await.into_iter().filter_map(Result::err).collect();
            let cases = cases.values().map(|at| {
                let case = fleet.case(*at).map(|(case, _)| (case, 0));
                fleet.around(Each::Case, case, "", teardown)
            });
            wrong.extend(join_all(cases).await.into_iter().filter_map(Result::err));
            wrong.extend(fleet.around(Each::Run, None, "", teardown).await.err());
            wrong
        };
        match within {
            None => undo.await,
            Some(limit) => tokio::time::timeout(limit, undo)
                .await
                .unwrap_or_else(|_| vec![format!("teardown: it was not done within {limit:?} of the interrupt")]),
        }
    }
}
