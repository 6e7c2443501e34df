//! The windows: added up from rows, corrected by what came late, and what alerts say of those that are settled.

use rayon::prelude::*;

use super::{AHEAD, WatchError, Watcher, lock};
use crate::ledger::Millis;
use crate::notify;
use crate::watch::row::Body;
use crate::watch::window::{Name, Window, Windows};

/// Rows that are read at a time when windows are added up.
const ROWS: u32 = 5_000;

/// Windows that are added up anew in a turn.
const ANEW: usize = 16;

/// Is told of a row: when its session ended, how likely it was to be evaluated, why it was not, and what is kept of it.
type Each<'e> = &'e mut dyn FnMut(Millis, (f64, Option<&str>, Body));

impl Watcher {
    /// Adds all windows up from rows.
    pub(super) fn take_up(&mut self) -> Result<(), WatchError> {
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
    pub(super) fn alert(&mut self) -> Result<(), WatchError> {
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

    /// Adds up the windows that changed; whether there are more of them.
    pub(super) fn add_up_anew(&self) -> Result<bool, WatchError> {
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
