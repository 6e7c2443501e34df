//! What goes wrong between us and somebody outside, by name.

use std::fmt;
use std::time::Duration;

use super::scrub::Secrets;

/// Why there is no usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Nobody is there: no such host, a refused connection, a failed handshake.
    Unreachable,
    /// The connection ended in the middle.
    Reset,
    /// No answer in time.
    Timeout,
    /// Told to come back later (429, 503).
    Busy,
    /// An answer that says that the other side failed (5xx).
    Server,
    /// The agent was heard, and what it says is that it failed: a result, and no failure on the way to it.
    Agent,
    /// An answer that says that we asked wrongly (4xx).
    Refused,
    /// An answer that cannot be understood.
    Malformed,
    /// More than is read.
    TooLarge,
    /// A process that ended.
    Died,
    /// We cannot ask: a secret that is not set, a template that does not render.
    Misconfigured,
    /// What may be spent is spent.
    Budget,
}

impl Cause {
    /// The name in recordings and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::Server => "server_error",
            Self::Agent => "agent_error",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Died => "died",
            Self::Misconfigured => "misconfigured",
            Self::Budget => "budget",
        }
    }

    /// Whether asking again may help: the failure is one of the way there, and not of what was said.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable | Self::Reset | Self::Timeout | Self::Busy | Self::Server | Self::Died)
    }
}

/// Why there is no usable answer, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Trouble {
    /// By name.
    pub cause: Cause,
    /// For people; without secrets, and bounded.
    pub message: String,
    /// When the other side said to come back.
    pub retry_after: Option<Duration>,
}

impl Trouble {
    /// A trouble with this message, in which no secret of this process stays.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let message = Secrets::of_process().scrub(&message).into_owned();
        Self { cause, message, retry_after: None }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<reqwest::Error> for Trouble {
    /// Names what the client says; the address is left out, because a query may hold a secret.
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let cause = if error.is_timeout() {
            Cause::Timeout
        } else if error.is_connect() {
            Cause::Unreachable
        } else if error.is_builder() || error.is_redirect() {
            Cause::Misconfigured
        } else if error.is_decode() && is_nonsense(&error) {
            Cause::Malformed
        } else {
            Cause::Reset
        };
        let mut message = error.to_string();
        let mut inner = std::error::Error::source(&error);
        while let Some(why) = inner {
            message = format!("{message}: {why}");
            inner = why.source();
        }
        Self::new(cause, message)
    }
}

/// Whether a body could not be decoded because of what is in it; a connection that ends in its middle is reported as a
/// failure to decode as well.
fn is_nonsense(error: &reqwest::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput};
    let mut inner = std::error::Error::source(error);
    while let Some(why) = inner {
        let io = why.downcast_ref::<std::io::Error>();
        if why.is::<serde_json::Error>() || io.is_some_and(|io| matches!(io.kind(), InvalidData | InvalidInput)) {
            return true;
        }
        inner = why.source();
    }
    false
}
