//! What others may see while turns are taken: the page, metrics, whoever delivers and exports.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::alerts::book::Standing;
use crate::ledger::Millis;
use crate::model::Status;
use crate::receive::inbox::Inbox;
use crate::sampling::Spending;
use crate::store::db::Watched;
use crate::watch::clock::Clock;
use crate::watch::metrics::Metrics;
use crate::watch::plan::Plan;
use crate::watch::row::Body;
use crate::watch::system::Asked;
use crate::watch::window::Windows;

/// Sessions that did not pass and are shown.
const RECENT: usize = 100;

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
    /// What is spent of the budgets of each suite.
    pub spending: Mutex<BTreeMap<String, Vec<Spending>>>,
    /// What the system checks of each suite said last.
    pub systems: Mutex<BTreeMap<String, Asked>>,
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

    /// Shows sessions that did not pass, and forgets the oldest where there are many.
    pub(super) fn show<'r>(&self, looked: impl Iterator<Item = (&'r Watched, &'r Body)>) {
        let mut recent = lock(&self.recent);
        recent.extend(looked.filter_map(|(row, body)| shown(row, body)));
        let many = recent.len().saturating_sub(RECENT);
        recent.drain(..many);
    }
}

/// A lock that outlives a panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session as it is shown, where it did not pass.
fn shown(row: &Watched, body: &Body) -> Option<Recent> {
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
