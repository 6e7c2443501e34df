//! The receiver: it listens, and hands what arrives to the inbox. HTTP and gRPC are understood at every address.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::inbox::Inbox;
use super::{grpc, http};

/// How long connections have to end when the receiver does.
const GRACE: Duration = Duration::from_secs(5);

/// A receiver that listens. It ends when it is dropped.
pub struct Receiver {
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    servers: JoinSet<io::Result<()>>,
}

impl Receiver {
    /// Listens at addresses; port 0 is any free one.
    ///
    /// # Errors
    /// The address that cannot be listened at, and why.
    pub async fn listen(addresses: &[SocketAddr], inbox: Arc<Inbox>) -> Result<Self, (SocketAddr, io::Error)> {
        let (stop, stopped) = watch::channel(false);
        let mut receiver = Self { addresses: Vec::new(), stop, servers: JoinSet::new() };
        for &address in addresses {
            let listener = TcpListener::bind(address).await.map_err(|why| (address, why))?;
            receiver.addresses.push(listener.local_addr().map_err(|why| (address, why))?);
            let serve = axum::serve(listener, router(inbox.clone())).with_graceful_shutdown(until(stopped.clone()));
            receiver.servers.spawn(async move { serve.await });
        }
        Ok(receiver)
    }

    /// Where it listens, in the order of the addresses that were asked for.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops listening and lets requests that are being received end.
    pub async fn close(mut self) {
        let _ = self.stop.send(true);
        let ended = async { while self.servers.join_next().await.is_some() {} };
        // A connection that does not end is cut.
        let _ = tokio::time::timeout(GRACE, ended).await;
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // A receiver that was dropped is stopped, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

const HELP: &str = "OTLP is received at POST /v1/traces and /v1/logs (protobuf or JSON), and by gRPC\n";

fn router(inbox: Arc<Inbox>) -> Router {
    Router::new()
        .route("/", get(|| async { HELP }))
        .route("/v1/traces", post(http::traces))
        .route("/v1/logs", post(http::logs))
        .route("/v1/metrics", post(http::metrics))
        .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", post(grpc::traces))
        .route("/opentelemetry.proto.collector.logs.v1.LogsService/Export", post(grpc::logs))
        .route("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", post(grpc::metrics))
        .fallback(|| async { (StatusCode::NOT_FOUND, HELP) })
        .with_state(inbox)
}
