//! What a watcher is made of, how long it keeps what it knows, and why a turn may fail.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::assemble::SpillError;
use crate::evidence::Outside;
use crate::receive::inbox::Inbox;
use crate::receive::spool::SpoolError;
use crate::store::db::{Store, StoreError};
use crate::watch::alerting::Alerting;
use crate::watch::away::Away;
use crate::watch::clock::Clock;
use crate::watch::judge::{Admitting, Unasked};
use crate::watch::plan::Plan;
use crate::watch::sources::Source;
use crate::watch::system::Systems;

/// Why a turn could not be taken to its end.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Records that waited on disk.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// Models, or workers, could not be asked.
    #[error("sessions could not be judged: {0}")]
    Unasked(#[from] Unasked),
}

/// For how long something is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// A session that was over, for what comes late.
    pub late: Duration,
    /// Rows.
    pub rows: Duration,
    /// At most so many of them.
    pub most_rows: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        Self { late: Duration::from_secs(600), rows: Duration::from_secs(30 * 24 * 3600), most_rows: 5_000_000 }
    }
}

/// What watching stands on.
pub struct Setup {
    /// The suites.
    pub plan: Plan,
    /// Where telemetry waits.
    pub inbox: Arc<Inbox>,
    /// Where rows and items for people go.
    pub store: Store,
    /// Drives the store.
    pub handle: Handle,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where sessions come from.
    pub sources: Vec<Box<dyn Source>>,
    /// Answers what checks ask for.
    pub outside: Outside,
    /// Those who judge elsewhere.
    pub away: Option<Away>,
    /// Who is looked at.
    pub admitting: Box<dyn Admitting>,
    /// What alerts there are, and how they stand.
    pub alerting: Alerting,
    /// What system checks said before.
    pub systems: Systems,
    /// Threads.
    pub jobs: usize,
    /// For how long something is kept.
    pub keeping: Keeping,
    /// Set when it is to end.
    pub stop: &'static AtomicBool,
}
