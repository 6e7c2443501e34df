//! The receiver of telemetry while a suite is driven.

use std::path::PathBuf;

use crate::receive::inbox::Limits;
use crate::receive::listen::Receiver;
use crate::receive::spool::Left;
use crate::receive::{Correlation, Counts, Telemetry};
use crate::suite::agent::Listen;

/// A receiver that listens for one suite. What it took is gone with it.
pub struct Listening {
    receiver: Receiver,
    correlation: Correlation,
    _spool: tempfile::TempDir,
}

impl Listening {
    /// Begins to listen; `memory` and `spill_dir` are those of the settings.
    ///
    /// # Errors
    /// What keeps it from listening, in words.
    pub async fn begin(listen: &Listen, memory: usize, spill_dir: PathBuf) -> Result<Self, String> {
        let spool = tempfile::Builder::new().prefix("seatrial-").tempdir_in(&spill_dir).map_err(|e| e.to_string())?;
        let left = Left::open(&spool.path().join("spool")).map_err(|why| why.to_string())?;
        let limits = Limits { memory, spill_dir, ..Limits::default() };
        let correlation = Correlation::new(left, limits, listen.quiet).map_err(|why| why.to_string())?;
        let receiver = Receiver::listen(&listen.addresses, correlation.inbox()).await.map_err(|(address, why)| {
            format!(
                "telemetry cannot be received at {address}: {why}; `listen` in [agent.telemetry] names another place"
            )
        })?;
        Ok(Self { receiver, correlation, _spool: spool })
    }

    /// Where it listens.
    pub fn addresses(&self) -> String {
        self.receiver.addresses().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// What takes the telemetry of sessions.
    pub fn telemetry(&self) -> &dyn Telemetry {
        &self.correlation
    }

    /// Ends it; what arrived.
    pub async fn end(self) -> Counts {
        self.receiver.close().await;
        self.correlation.counts()
    }
}
