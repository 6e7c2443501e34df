//! Telemetry as agents and collectors export it: the receiver, which puts what arrives into the inbox by itself.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::{Intake, Source};
use crate::receive::inbox::Inbox;
use crate::receive::listen::Receiver;

/// A receiver of OTLP, over HTTP and gRPC.
pub struct Otlp {
    receiver: Option<Receiver>,
}

impl Otlp {
    /// Listens at addresses; port 0 is any free one.
    ///
    /// # Errors
    /// The address that cannot be listened at, and why.
    pub async fn listen(addresses: &[SocketAddr], inbox: Arc<Inbox>) -> Result<Self, (SocketAddr, io::Error)> {
        Ok(Self { receiver: Some(Receiver::listen(addresses, inbox).await?) })
    }

    /// Where it listens, in the order of the addresses that were asked for.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.receiver.as_ref().map(Receiver::addresses).unwrap_or_default()
    }

    /// Stops listening, and lets requests that are being received end.
    pub async fn close(mut self) {
        if let Some(receiver) = self.receiver.take() {
            receiver.close().await;
        }
    }
}

impl Source for Otlp {
    fn name(&self) -> &str {
        "otlp"
    }

    fn poll(&mut self, _: &mut Intake<'_>) -> Result<bool, String> {
        Ok(false)
    }
}
