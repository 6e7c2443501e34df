//! The receivers of telemetry of a live run. One listens from when the first suite that names its addresses is driven
//! until the run ends: what comes late is still taken, and what comes too late is counted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use crate::receive::inbox::Limits;
use crate::receive::listen::Receiver;
use crate::receive::{Correlation, Telemetry};

/// A receiver that listens. What it took is gone with it.
pub struct Listening {
    asked: Vec<SocketAddr>,
    addresses: String,
    /// None once it is closed.
    receiver: Mutex<Option<Receiver>>,
    correlation: Correlation,
}

impl Listening {
    /// Begins to listen; `memory` and `spill_dir` are those of the settings.
    ///
    /// # Errors
    /// What keeps it from listening, in words.
    pub async fn begin(asked: &[SocketAddr], memory: usize, spill_dir: PathBuf) -> Result<Self, String> {
        let correlation = Correlation::new(Limits { memory, spill_dir, ..Limits::default() });
        let receiver = Receiver::listen(asked, correlation.inbox()).await.map_err(|(address, why)| {
            format!(
                "telemetry cannot be received at {address}: {why}; `listen` in [agent.telemetry] names another place"
            )
        })?;
        let addresses = receiver.addresses().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Ok(Self { asked: asked.to_vec(), addresses, receiver: Mutex::new(Some(receiver)), correlation })
    }

    /// The receiver among several that listens at exactly these addresses. Port 0 is never the same place twice.
    pub fn among<'l>(all: &'l [Rc<Self>], asked: &[SocketAddr]) -> Option<&'l Rc<Self>> {
        all.iter().find(|one| one.asked == asked && asked.iter().all(|address| address.port() != 0))
    }

    /// Whether it listens at one of these addresses.
    pub fn is_at(&self, addresses: &[SocketAddr]) -> bool {
        self.asked.iter().any(|own| own.port() != 0 && addresses.contains(own))
    }

    /// Where it listens.
    pub fn addresses(&self) -> &str {
        &self.addresses
    }

    /// Ends to listen. What arrived is still there.
    pub async fn close(&self) {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(receiver) = receiver {
            receiver.close().await;
        }
    }

    /// What takes the telemetry of sessions.
    pub fn telemetry(&self) -> &dyn Telemetry {
        &self.correlation
    }
}
