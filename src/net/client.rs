//! The HTTP client that everything shares: pooled connections, TLS by rustls, no redirects.

use std::sync::Once;
use std::time::Duration;

use super::{Cause, Trouble};

/// How long a connection may take to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The client, cheap to clone.
pub type Http = reqwest::Client;

/// A client. Requests go where they are sent and nowhere else: following a redirect would carry secrets along.
pub fn client() -> Result<Http, Trouble> {
    provide();
    reqwest::Client::builder()
        .user_agent(concat!("seatrial/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(1024)
        .tcp_nodelay(true)
        .build()
        .map_err(Trouble::from)
}

/// Names the cryptography that TLS uses, once.
fn provide() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // One that was named before is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// What a status says, where it is no success. `said` is the beginning of the reply, for people.
pub fn refusal(status: reqwest::StatusCode, headers: &reqwest::header::HeaderMap, said: &str) -> Trouble {
    let cause = match status.as_u16() {
        429 | 503 | 529 => Cause::Busy,
        500.. => Cause::Server,
        408 => Cause::Timeout,
        _ => Cause::Refused,
    };
    let mut message = format!("HTTP {status}");
    if !said.trim().is_empty() {
        message.push_str(": ");
        message.push_str(said.trim());
    }
    Trouble { retry_after: retry_after(headers), ..Trouble::new(cause, message) }
}

/// How long to wait by `Retry-After`, in whole seconds or as a date.
pub fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<Duration> {
    let text = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    at.duration_since(jiff::Timestamp::now()).try_into().ok()
}
