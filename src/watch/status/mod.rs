//! What those see who look in from outside: `/` is a page for people, `/metrics` is for Prometheus, `/healthz` says whether
//! the process lives and `/readyz` whether it takes what is sent.
//!
//! Nothing here changes anything, and nobody is asked who they are: who may look is decided by where it listens, which is
//! this machine alone unless somebody says otherwise.

mod chart;
mod page;
mod standing;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::routing::get;
use tokio::net::TcpListener;

use super::watcher::{Shared, lock};
use crate::report::html::parts;

/// Nothing but the style of this server: no program, no frame around it, no form.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// How long connections have to end when the server does.
const GRACE: Duration = Duration::from_secs(2);

/// What requests are answered from.
struct App {
    shared: Arc<Shared>,
    /// The name under which people reach the page, beside those of this machine.
    host: Option<String>,
}

/// A server that listens and does not serve yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Server {
    /// Listens at an address; port 0 is any free one. `host` is the name under which people reach the page.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub async fn listen(address: SocketAddr, host: Option<String>, shared: Arc<Shared>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/", get(page))
            .route("/style.css", get(style))
            .route("/metrics", get(metrics))
            .route("/healthz", get(|| async { text(StatusCode::OK, "ok\n") }))
            .route("/readyz", get(ready))
            .fallback(|| async { text(StatusCode::NOT_FOUND, "there is /, /metrics, /healthz and /readyz\n") })
            .with_state(Arc::new(App { shared, host }));
        Ok(Self { listener, address, router })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` ends.
    ///
    /// # Errors
    /// That it ended by itself.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let (told, mut stopped) = tokio::sync::watch::channel(false);
        let signal = async move {
            stop.await;
            let _ = told.send(true);
        };
        let serve = axum::serve(self.listener, self.router).with_graceful_shutdown(signal);
        let late = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            ended = async { serve.await } => ended,
            // A connection that does not end is cut.
            () = late => Ok(()),
        }
    }
}

/// An answer, with what is said with every one.
fn answer(status: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, media_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn text(status: StatusCode, said: impl Into<Body>) -> Response<Body> {
    answer(status, "text/plain; charset=utf-8", said)
}

async fn page(State(app): State<Arc<App>>, headers: HeaderMap) -> Response<Body> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_ours(host, app.host.as_deref()) {
        let said = "this page is not served under that name (`--status-host` adds one)\n";
        return text(StatusCode::FORBIDDEN, said);
    }
    match page::draw(&app.shared) {
        Ok(drawn) => answer(StatusCode::OK, "text/html; charset=utf-8", drawn),
        Err(why) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("a bug in seatrial: {why:#}\n")),
    }
}

/// Whether a page may be shown under a name: another site that bends its name to this address (DNS rebinding) must not
/// read it. An address is no name.
fn is_ours(host: &str, named: Option<&str>) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok() || named.is_some_and(|named| named.eq_ignore_ascii_case(name))
}

async fn style() -> Response<Body> {
    answer(
        StatusCode::OK,
        "text/css; charset=utf-8",
        format!("{}{}", parts::STYLE[0], include_str!("assets/status.css")),
    )
}

async fn metrics(State(app): State<Arc<App>>) -> Response<Body> {
    let drawn = app.shared.metrics.text(&app.shared);
    answer(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", drawn)
}

/// `GET /readyz`: whether what is sent here is taken, and becomes verdicts.
async fn ready(State(app): State<Arc<App>>) -> Response<Body> {
    if !app.shared.ready.load(Ordering::Relaxed) {
        return text(StatusCode::SERVICE_UNAVAILABLE, "what was there before is being taken up\n");
    }
    match lock(&app.shared.troubles).get(TURN) {
        Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        None => text(StatusCode::OK, "ready\n"),
    }
}

/// Where a turn that cannot be taken is told of.
pub const TURN: &str = "turn";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_shown_under_addresses_and_names_that_are_known() {
        for host in ["localhost:9464", "127.0.0.1:9464", "[::1]:9464", "10.0.0.7", "watch.example.com:80"] {
            assert!(is_ours(host, Some("watch.example.com")), "{host}");
        }
        assert!(!is_ours("evil.example:9464", None) && !is_ours("", None));
    }
}
