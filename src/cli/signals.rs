//! What ends a command that serves until it is told to end.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, and being asked to end.
pub struct Interrupt {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
}

impl Interrupt {
    /// Listens from now on: to be called before it is said that the command serves, since whoever reads that may end it.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits until one comes.
    pub async fn wait(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// What tells a command to read its settings again.
pub struct Again {
    #[cfg(unix)]
    hangup: Signal,
}

impl Again {
    /// Listens from now on.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until it comes.
    pub async fn wait(&mut self) {
        #[cfg(unix)]
        self.hangup.recv().await;
        // Nothing says so elsewhere.
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}
