//! The pages over real connections: who gets in ([`doors`]), what is shown ([`pages`]), and what becomes of an answer
//! ([`answers`]). Here is the server that they are tested with, and who talks to it.

mod answers;
mod doors;
mod pages;

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::access::{Access, Net, Proxy};
use super::*;
use crate::ledger::testing::item as made_up;
use crate::ledger::{Answer, Content, NewItem, Source, Submission};
use crate::redact::Redacted;
use crate::store::db::Role;
use crate::store::db::StoreUrl;

/// A server with a store of its own, and a clock that stands still until it is moved.
struct Site {
    address: SocketAddr,
    store: Store,
    clock: Arc<AtomicI64>,
    _stop: tokio::sync::oneshot::Sender<()>,
    folder: Arc<tempfile::TempDir>,
}

/// An answer.
struct Said {
    status: u16,
    head: String,
    body: String,
}

impl Said {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|l| l.strip_prefix(&format!("{name}: ")))
    }

    fn cookie(&self) -> String {
        self.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned()
    }

    /// The value of a field of the page.
    fn field(&self, name: &str) -> String {
        let at =
            self.body.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name}: {}", self.body));
        self.body[at..].split('"').nth(3).expect("a value").to_owned()
    }
}

const LEASE: Millis = 60_000;
const START: Millis = 1_800_000_000_000;

async fn site(access: Access) -> Site {
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    site_in(folder, access, Arc::new(AtomicI64::new(START))).await
}

/// A server of its own, of the store in a folder.
async fn site_in(folder: Arc<tempfile::TempDir>, access: Access, clock: Arc<AtomicI64>) -> Site {
    let store = Store::open(&StoreUrl::File(folder.path().join("seatrial.db"))).await.expect("a store");
    let now = clock.clone();
    let setup = Setup {
        store: store.clone(),
        access,
        url: None,
        proxies: vec![Net::parse("127.0.0.1").expect("a network")],
        lease: Duration::from_millis(LEASE as u64),
        suites: None,
        clock: Arc::new(move || now.load(Ordering::Relaxed)),
    };
    let server = Server::listen("127.0.0.1:0".parse().expect("an address"), setup).await.expect("it listens");
    let address = server.address();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(server.serve(async move {
        let _ = stopped.await;
    }));
    Site { address, store, clock, _stop: stop, folder }
}

/// Users whom a proxy names in `x-user`; for [`Site::get`] and [`Site::post`] the header comes with a cookie.
fn named() -> Access {
    let from = vec![Net::parse("127.0.0.1").expect("a network")];
    Access::Proxy(Proxy { header: axum::http::HeaderName::from_static("x-user"), from, secret: None })
}

fn as_user(name: &str) -> String {
    format!("none=1\r\nx-user: {name}")
}

fn local() -> Access {
    Access::Local { name: "ann".to_owned(), token: "t0ken".to_owned().into() }
}

impl Site {
    async fn raw(&self, request: &str) -> Said {
        let mut stream = TcpStream::connect(self.address).await.expect("it answers");
        stream.write_all(request.as_bytes()).await.expect("it listens");
        let mut bytes = Vec::new();
        // A server that refuses a body may close before all of it is read.
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("no answer: {text}"));
        Said { status, head: head.replace("\r\n", "\n"), body: body.to_owned() }
    }

    async fn get_with(&self, path: &str, headers: &str) -> Said {
        let host = self.address;
        self.raw(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n")).await
    }

    async fn get(&self, path: &str, cookie: &str) -> Said {
        self.get_with(path, &format!("cookie: {cookie}\r\n")).await
    }

    async fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Said {
        self.post_with(path, &format!("cookie: {cookie}\r\n"), fields).await
    }

    async fn post_with(&self, path: &str, headers: &str, fields: &[(&str, &str)]) -> Said {
        let encoded =
            |(name, value): &(&str, &str)| format!("{name}={}", crate::net::percent::encode(value.as_bytes(), b""));
        let body = fields.iter().map(encoded).collect::<Vec<_>>().join("&");
        let host = self.address;
        self.raw(&format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\n{headers}connection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await
    }

    /// The cookie of the one person of a local server.
    async fn enter(&self) -> String {
        self.get("/enter?token=t0ken", "").await.cookie()
    }

    /// The cookie of a user.
    async fn login(&self, name: &str, password: &str) -> Result<String, Said> {
        let said = self.try_login(name, password, "").await;
        if said.status == 303 { Ok(said.cookie()) } else { Err(said) }
    }

    /// What is answered to somebody who signs in with a browser that is new here.
    async fn try_login(&self, name: &str, password: &str, headers: &str) -> Said {
        let form = self.get("/login", "").await;
        let fields = [("csrf", &*form.field("csrf")), ("name", name), ("password", password)];
        self.post_with("/login", &format!("cookie: {}\r\n{headers}", form.cookie()), &fields).await
    }

    async fn user(&self, name: &str, role: Role) -> String {
        let hash = secret::hash(&format!("password of {name}")).expect("a hash");
        self.store.add_user(name, &hash, role, START).await.expect("stored").expect("new");
        self.login(name, &format!("password of {name}")).await.map_err(|said| said.body).expect("let in")
    }

    async fn add(&self, items: Vec<NewItem>) -> Vec<ItemId> {
        let ids = items.iter().map(|item| item.key.id()).collect();
        self.store.enqueue(&Redacted::drawn(items), START).await.expect("stored");
        ids
    }

    /// Takes the next item; its address.
    async fn take(&self, cookie: &str) -> String {
        let csrf = self.get("/", cookie).await.field("csrf");
        let said = self.post("/next", cookie, &[("csrf", &csrf)]).await;
        assert_eq!(said.status, 303, "{}", said.body);
        said.header("location").expect("a place").to_owned()
    }

    /// Answers the item at an address, as its page would.
    async fn answer(&self, cookie: &str, place: &str, more: &[(&str, &str)]) -> Said {
        let page = self.get(place, cookie).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let (csrf, fence, submission) = (page.field("csrf"), fence_of(place), page.field("submission"));
        let mut fields = vec![("csrf", csrf.as_str()), ("fence", &fence), ("submission", &submission)];
        fields.extend(more);
        self.post(&format!("{}/answer", place.split('?').next().expect("a path")), cookie, &fields).await
    }

    fn later(&self, ms: Millis) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }
}

fn fence_of(place: &str) -> String {
    place.split("fence=").nth(1).unwrap_or_default().split('&').next().unwrap_or_default().to_owned()
}

/// A made-up item with a session that is hostile.
fn hostile(n: u32) -> NewItem {
    let line = serde_json::json!({
        "id": "s", "turns": [{ "user": "</script><script>alert(1)</script>", "reply": "a\u{202e}b <b>x</b>" }],
    });
    let mut item = made_up(n);
    item.asked.case = "<img src=x onerror=alert(1)>".to_owned();
    item.asked.question = "Is it \u{202e}right</p><script>alert(2)</script>?".to_owned();
    item.asked.reason = "MACHINE REASON".to_owned();
    item.content = Some(Content::pack(line.to_string().as_bytes()).expect("packed"));
    item
}
