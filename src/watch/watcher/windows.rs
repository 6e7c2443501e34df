//! The windows: added up from rows, corrected by what came late, and what alerts say of those that are settled.

use rayon::prelude::*;

use super::{AHEAD, WatchError, Watcher, lock};
use crate::ledger::Millis;
use crate::notify;
use crate::watch::row::Body;
use crate::watch::system::Known;
use crate::watch::window::{Name, Window, Windows};

/// Rows that are read at a time when windows are added up.
const ROWS: u32 = 5_000;

/// Windows that are added up anew in a turn.
const ANEW: usize = 16;

/// Is told of a row: when its session ended, and what is known of it.
pub(super) type Each<'e> = &'e mut dyn FnMut(Millis, Known<'_>);

impl Watcher {
    /// Adds all windows up from rows.
    pub(super) fn take_up(&mut self) -> Result<(), WatchError> {
        let now = self.clock.millis();
        let mut windows = Windows::at(self.plan.shapes(), now);
        let mut settled = Vec::new();
        for watching in &self.plan.clone().suites {
            let name = &watching.suite.name;
            let from = windows.start(name, now.saturating_sub(windows.shape(name).known()));
            let ever = (Millis::MIN, now.saturating_add(AHEAD));
            let first = self.handle.block_on(self.store.watched_between(name, ever, (Millis::MIN, 0), 1))?;
            first.iter().for_each(|row| windows.known_since(name, row.watched.at));
            let mut begun = Millis::MIN;
            self.rows(name, (from, now.saturating_add(AHEAD)), &mut |at, row| {
                // Rows come in their order: of those before, no more do, and only what is kept of them stays in memory.
                let start = windows.start(name, at);
                if start > std::mem::replace(&mut begun, start) {
                    settled.extend(windows.advance(now));
                }
                windows.add(name, at, row.inclusion, row.reason, &row.body);
            })?;
            // Whoever drained did not wait for what is late: such windows are settled all the same.
            let known = self.systems.until(name).max(self.alerting.book.until(name));
            known.into_iter().for_each(|until| windows.settled_until(name, until));
        }
        // Those that were judged before are known, and not judged again.
        settled.extend(windows.advance(now));
        self.settled = settled;
        *lock(&self.shared.windows) = windows;
        Ok(())
    }

    /// Judges the alerts of windows that were settled, and puts down what is to be told.
    pub(super) fn alert(&mut self) -> Result<(), WatchError> {
        if self.settled.is_empty() {
            return Ok(());
        }
        let before = self.alerting.book.clone();
        let gone = |suite: &str| {
            let spending = self.admitting.spending(suite);
            spending.iter().map(|limit| limit.spent / limit.limit).reduce(f64::max)
        };
        let notices = self.alerting.turn(&self.plan, &lock(&self.shared.windows), &self.settled, &gone);
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
    pub(super) fn rows(&self, suite: &str, range: (Millis, Millis), each: Each<'_>) -> Result<(), WatchError> {
        let mut after = (Millis::MIN, 0);
        loop {
            let rows = self.handle.block_on(self.store.watched_between(suite, range, after, ROWS))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = (last.watched.at, last.n);
            let bodies: Vec<Option<Body>> =
                self.pool.install(|| rows.par_iter().map(|row| serde_json::from_str(&row.watched.body).ok()).collect());
            for (row, body) in rows.iter().zip(bodies) {
                let row = &row.watched;
                let known = match body {
                    Some(body) => {
                        let (inclusion, reason) = (row.inclusion, row.reason.as_deref());
                        Known { session: &row.session, inclusion, reason, body }
                    }
                    // What a newer version wrote is counted, and not taken for anything.
                    None => {
                        let (reason, body) = (Some("unreadable"), Body::default());
                        Known { session: &row.session, inclusion: 1.0, reason, body }
                    }
                };
                each(row.at, known);
            }
        }
    }

    /// Adds up the windows that changed; whether there are more of them.
    pub(super) fn add_up_anew(&mut self) -> Result<bool, WatchError> {
        let stale: Vec<(Name, (Millis, Millis))> = lock(&self.shared.windows).stale();
        let more = stale.len() > ANEW;
        for (name, range) in stale.into_iter().take(ANEW) {
            let mut window = Window::default();
            self.rows(&name.0, range, &mut |_, row| window.add(row.inclusion, row.reason, &row.body))?;
            if lock(&self.shared.windows).replace(name.clone(), window) {
                self.corrected.push(name);
            }
            self.shared.metrics.corrections.inc();
        }
        Ok(more)
    }
}
