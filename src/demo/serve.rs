//! The agent behind its addresses, and the worlds of its sessions.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use opentelemetry::trace::{SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;

use super::faults::{Fault, Faults};
use super::shop::Shop;
use super::telemetry::Telemetry;
use super::turn::{Asked, Done, work};
use super::{chat, openai};

/// Sessions that are remembered.
const MOST: usize = 10_000;
/// Names what is to go wrong in one request.
const FAULT_HEADER: &str = "x-demo-fault";

/// How the agent is.
#[derive(Debug, Clone)]
pub struct Options {
    /// What goes wrong in every turn.
    pub faults: Faults,
    /// How long each thought and each call of a tool takes.
    pub pace: Duration,
    /// How long a first word takes that is long in coming.
    pub slow: Duration,
    /// The version that it says it is.
    pub version: String,
}

/// The agent.
pub struct Demo {
    options: Options,
    telemetry: Telemetry,
    worlds: Mutex<Worlds>,
}

/// The worlds of sessions, and the order in which they began.
#[derive(Default)]
struct Worlds {
    of: HashMap<String, Shop>,
    order: VecDeque<String>,
}

/// A request, heard.
pub struct Heard {
    pub(super) session: String,
    words: String,
    faults: Faults,
    context: Context,
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, options: Options, telemetry: Telemetry) -> io::Result<()> {
    let demo = Arc::new(Demo { options, telemetry, worlds: Mutex::default() });
    let router = Router::new()
        .route("/", get(|| async { "POST /chat or /v1/chat/completions; GET /state?session_id=..; POST /reset\n" }))
        .route("/chat", post(chat::chat))
        .route("/v1/chat/completions", post(openai::completions))
        .route("/state", get(chat::state))
        .route("/reset", post(chat::reset))
        .with_state(demo);
    axum::serve(listener, router).await
}

impl Demo {
    /// Understands a request: its session is the one that it names itself, else the one of its baggage.
    pub(super) fn hear(&self, headers: &HeaderMap, session: Option<String>, words: &str, what: &'static str) -> Heard {
        let within = Telemetry::context(headers);
        let session = session.or_else(|| Telemetry::session(&within)).unwrap_or_else(|| "nobody".to_owned());
        let header = headers.get(FAULT_HEADER).and_then(|v| v.to_str().ok());
        let (faults, words) = self.options.faults.and(header, words);
        let attributes = vec![KeyValue::new("session.id", session.clone())];
        let context = self.telemetry.span(&within, what.to_owned(), SpanKind::Server, attributes);
        Heard { session, words, faults, context }
    }

    /// What does not get as far as a turn: an answer that is an error, none at all, or the end.
    pub(super) async fn refuse(&self, heard: &Heard) -> Option<Response<Body>> {
        if heard.faults.has(Fault::Crash) {
            std::process::abort();
        }
        if heard.faults.has(Fault::Hang) {
            std::future::pending::<()>().await;
        }
        if heard.faults.has(Fault::ServerError) {
            return Some((StatusCode::INTERNAL_SERVER_ERROR, "<html>it broke</html>").into_response());
        }
        let busy = heard.faults.has(Fault::Busy) && {
            let mut worlds = self.lock();
            !std::mem::replace(&mut worlds.world(&heard.session).was_busy, true)
        };
        busy.then(|| (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "1")], "come again").into_response())
    }

    /// Whether the connection is to end in the middle of the answer.
    pub(super) fn resets(&self, heard: &Heard) -> bool {
        heard.faults.has(Fault::Reset)
    }

    /// Works on a turn.
    pub(super) async fn turn(&self, heard: Heard, words: Option<UnboundedSender<String>>) -> Done {
        let Options { pace, slow, version, .. } = &self.options;
        let asked = Asked {
            session: &heard.session,
            words: &heard.words,
            faults: heard.faults,
            version,
            pace: *pace,
            slow: *slow,
        };
        // A session has one turn at a time; what another does meanwhile is lost.
        let mut world = self.lock().world(&heard.session).clone();
        let done = work(&asked, &mut world, &self.telemetry, &heard.context, words.as_ref()).await;
        *self.lock().world(&heard.session) = world;
        heard.context.span().end();
        done
    }

    /// The world of a session.
    pub(super) fn state(&self, session: &str) -> Value {
        self.lock().world(session).state()
    }

    /// Makes the world of a session anew.
    pub(super) fn reset(&self, session: &str) {
        *self.lock().world(session) = Shop::default();
    }

    fn lock(&self) -> MutexGuard<'_, Worlds> {
        self.worlds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worlds {
    fn world(&mut self, session: &str) -> &mut Shop {
        if !self.of.contains_key(session) {
            self.order.push_back(session.to_owned());
            if self.order.len() > MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.of.remove(&oldest);
            }
        }
        self.of.entry(session.to_owned()).or_default()
    }
}
