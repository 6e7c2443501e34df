//! What is judged, and how what comes of it is entered: first what people are asked, then the rows, then the windows.

use std::collections::BTreeMap;

use super::{WatchError, Watcher, lock};
use crate::ledger::Millis;
use crate::notify;
use crate::redact::Redacted;
use crate::store::db::{Current, Entered, Place};
use crate::watch::judge::{self, Arrived, Bench, Outcome};
use crate::watch::plan::Watching;

impl Watcher {
    pub(super) fn judge(
        &mut self,
        watching: &Watching,
        sessions: &mut [&mut Arrived<'_>],
        now: Millis,
    ) -> Result<Outcome, WatchError> {
        let away = self.away.as_ref();
        let bench = Bench { pool: &self.pool, outside: &self.outside, now, stop: self.stop, away };
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
    pub(super) fn enter(
        &self,
        outcomes: Vec<(&Watching, Outcome)>,
        places: &[Place],
        now: Millis,
    ) -> Result<(), WatchError> {
        let metrics = &self.shared.metrics;
        let (mut looked, mut items, mut notices, mut quarantined) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (watching, outcome) in outcomes {
            let suite = &watching.suite.name;
            metrics.panics.inc_by(outcome.panicked);
            metrics.sessions(suite, "known", outcome.known);
            metrics.spent(suite, outcome.usd);
            notices.extend(outcome.notices);
            quarantined.extend(outcome.quarantined.into_iter().map(|check| (suite.clone(), check)));
            items.extend(outcome.items);
            looked.extend(outcome.looked);
        }
        // First: what is entered is not looked at again, and an item that is sent again is the same.
        if !items.is_empty() {
            let sent = self.handle.block_on(self.store.enqueue(&Redacted::drawn(items), now))?;
            metrics.items.inc_by(sent.new.len() as u64);
        }
        for notice in &notices {
            self.handle.block_on(notify::put(&self.store, notice, now))?;
        }
        for (suite, check) in &quarantined {
            metrics.quarantined(suite, check);
        }
        let entered = self.handle.block_on(self.store.enter_watched(&judge::rows(&looked), places, now))?;
        if let Some(asker) = &self.outside.asker {
            // What came of their answers is in the store.
            asker.forget();
        }
        let mut windows = lock(&self.shared.windows);
        let mut new = Vec::new();
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
            new.push((row, &looked.body));
        }
        drop(windows);
        self.shared.show(new.into_iter());
        Ok(())
    }
}
