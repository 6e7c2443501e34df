//! `seatrial review serve`: the pages on which people answer what was held for them.
//!
//! Pages are drawn here, on the server, from templates ([`pages`]); a little program of their own adds the keyboard,
//! drafts and the heartbeat of leases, and draws sessions as the report does. Everything works offline from what is
//! compiled in ([`assets`]).
//!
//! A request goes through [`guard`] (names, origins, headers, time), then [`who`] (who sends it, and whether its form is
//! one of ours), then to what it asks for: [`queue`], [`item`], [`answer`], [`case`], [`quarantine`], [`insight`],
//! [`login`]. Whatever cannot be done is a [`problem`], told as a page. What a person may know of an item yet is decided in
//! [`view`] alone.
//!
//! Nothing is kept here that a killed server would lose: an answer is confirmed when the store has it.

pub mod access;
mod answer;
mod assets;
mod case;
pub mod effect;
mod frame;
mod guard;
mod insight;
mod item;
mod login;
mod pages;
mod patient;
mod problem;
mod quarantine;
mod queue;
pub mod secret;
mod view;
mod who;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use tokio::net::TcpListener;

use super::suites::Suites;
use crate::ledger::{Item, ItemId, Label, Millis};
use crate::store::db::{ItemFilter, Line, Seen, Store};
use access::{Access, Net};
pub use guard::Places;
use patient::{Patient, Peer};
use problem::Problem;
use queue::Wanted;
use tokio::sync::Semaphore;

/// How long connections have to end when the server does.
const GRACE: Duration = Duration::from_secs(5);

/// Most items that agreement and progress are computed over; of more the latest are.
const BOOK: u32 = 5_000;

/// A clock, in milliseconds since the epoch.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// What the pages are served with.
pub struct Setup {
    /// Where items and labels are.
    pub store: Store,
    /// Who may enter.
    pub access: Access,
    /// The address that people reach it by, such as `https://review.example.com`; `None` on this machine alone.
    pub url: Option<String>,
    /// Proxies before it, which say where visitors come from.
    pub proxies: Vec<Net>,
    /// How long somebody has an item before others may take it.
    pub lease: Duration,
    /// The suites in which people may make regression cases; `None` where they may not.
    pub suites: Option<Suites>,
    /// The clock.
    pub clock: Clock,
}

/// What every request is given.
pub(crate) struct App {
    store: Store,
    access: Access,
    places: Places,
    /// Name of the cookie. Cookies know no ports: two servers on one machine must not take each other's.
    cookie: String,
    /// What forms are bound with where nobody is signed in. It lives as long as the server.
    key: [u8; 32],
    proxies: Vec<Net>,
    lease: Millis,
    suites: Option<Arc<Suites>>,
    clock: Clock,
    /// Passwords that are looked at now.
    passwords: Semaphore,
}

impl App {
    /// What the answers so far are computed from: items of a suite and check, the latest first, and all their rows.
    async fn book(&self, wanted: &Wanted) -> Result<(Vec<Line>, Vec<Label>), Problem> {
        let items = self.store.lines(&wanted.filter()?, BOOK, (self.clock)()).await?;
        let ids: Vec<_> = items.iter().map(|item| item.id.clone()).collect();
        let labels = self.store.labels(&ids).await?;
        Ok((items, labels))
    }

    /// Writes down that somebody looked at something. Without that nobody may.
    async fn seen(
        &self,
        who: &str,
        what: &str,
        item: Option<&ItemId>,
        of: Option<&Item>,
        origin: &str,
    ) -> Result<(), Problem> {
        let seen = Seen {
            at: (self.clock)(),
            who: who.to_owned(),
            what: what.to_owned(),
            item: item.cloned(),
            session: of.map(|item| item.key.session.to_string()),
            origin: origin.to_owned(),
            why: None,
        };
        Ok(self.store.seen(&seen).await?)
    }
}

/// Why the pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// They must not be, this way.
    #[error("{0}")]
    Unsafe(String),
    /// The address is wrong.
    #[error("`--url`: {0}")]
    Url(String),
    /// The address cannot be listened at.
    #[error("{address} cannot be listened at: {why} (`--listen` chooses another)")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why.
        why: io::Error,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Random(#[from] getrandom::Error),
    /// It stopped by itself.
    #[error("the server ended: {0}")]
    Ended(io::Error),
}

/// A server that listens and does not serve yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Server {
    /// Listens at an address; port 0 is any free one.
    ///
    /// # Errors
    /// Why it cannot, or must not.
    pub async fn listen(address: SocketAddr, setup: Setup) -> Result<Self, ServeError> {
        if let Some(why) = access::unsafe_at(&setup.access, address, setup.url.as_deref()) {
            return Err(ServeError::Unsafe(why));
        }
        let listener = TcpListener::bind(address).await.map_err(|why| ServeError::Listen { address, why })?;
        let address = listener.local_addr().map_err(|why| ServeError::Listen { address, why })?;
        let places = match &setup.url {
            Some(url) => Places::under(url, address.port()).map_err(ServeError::Url)?,
            None => Places::local(address.port()),
        };
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        // A browser takes such a cookie from this host alone, and by https.
        let prefix = if places.secure { "__Host-" } else { "" };
        let app = App {
            store: setup.store,
            access: setup.access,
            cookie: format!("{prefix}seatrial-{}", address.port()),
            places,
            key,
            proxies: setup.proxies,
            lease: i64::try_from(setup.lease.as_millis()).unwrap_or(i64::MAX),
            suites: setup.suites.map(Arc::new),
            clock: setup.clock,
            passwords: Semaphore::new(login::AT_ONCE),
        };
        Ok(Self { listener, address, router: router(Arc::new(app)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` ends; then requests that are being answered have a few seconds to end.
    ///
    /// # Errors
    /// That it ended by itself.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
        let (told, mut stopped) = tokio::sync::watch::channel(false);
        let signal = async move {
            stop.await;
            let _ = told.send(true);
        };
        let service = self.router.into_make_service_with_connect_info::<Peer>();
        let serve = axum::serve(Patient::new(self.listener), service).with_graceful_shutdown(signal);
        let late = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            ended = async { serve.await } => ended.map_err(ServeError::Ended),
            // A connection that does not end is cut.
            () = late => Ok(()),
        }
    }
}

fn router(app: Arc<App>) -> Router {
    let checked = axum::middleware::from_fn_with_state(app.clone(), guard::guard);
    Router::new()
        .route("/", get(queue::queue))
        .route("/next", post(queue::next))
        .route("/item/{id}", get(item::item))
        .route("/item/{id}/session.jsonl", get(item::session))
        .route("/item/{id}/take", post(answer::take))
        .route("/item/{id}/answer", post(answer::answer))
        .route("/item/{id}/decide", post(answer::decide))
        .route("/item/{id}/undo", post(answer::undo))
        .route("/item/{id}/release", post(answer::release))
        .route("/item/{id}/renew", post(answer::renew))
        .route("/item/{id}/draft", post(answer::draft))
        .route("/item/{id}/case", post(case::case))
        .route("/item/{id}/quarantine", post(quarantine::release))
        .route("/effect", get(insight::effect))
        .route("/trail", get(insight::trail))
        .route("/enter", get(login::enter))
        .route("/login", get(login::form).post(login::login))
        .route("/logout", post(login::logout))
        .route("/health", get(health))
        .route("/assets/{name}", get(assets::asset))
        .fallback(|| async { Problem::unknown("such page") })
        .layer(DefaultBodyLimit::max(who::MAX_FORM))
        .layer(checked)
        .with_state(app)
}

/// `GET /health`: for who watches the server; it says nothing of what is in the store.
async fn health(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    app.store.counts(&ItemFilter::default(), (app.clock)()).await?;
    Ok("ok\n")
}

/// A message as a sentence of its own.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

#[cfg(test)]
mod tests;
