//! The pages over real connections: who gets in, what is shown to whom, and what becomes of an answer.

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

#[tokio::test]
async fn nobody_enters_a_local_server_without_its_token() {
    let site = site(local()).await;
    for path in ["/", "/item/x", "/effect", "/trail", "/item/x/session.jsonl"] {
        assert_eq!(site.get(path, "").await.status, 401, "{path}");
        assert_eq!(site.get(path, &format!("seatrial-{}=wrong", site.address.port())).await.status, 401, "{path}");
    }
    assert_eq!(site.get("/enter?token=wrong", "").await.status, 401);
    let entered = site.get("/enter?token=t0ken", "").await;
    assert_eq!((entered.status, entered.header("location")), (303, Some("/")));
    let cookie = entered.header("set-cookie").expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert_eq!(site.get("/", &entered.cookie()).await.status, 200);
}

#[tokio::test]
async fn every_answer_forbids_what_these_pages_do_not_use() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    for path in ["/", "/effect", "/login", "/nowhere", "/assets/review.js"] {
        let said = site.get(path, &cookie).await;
        let policy = said.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(said.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(said.header("referrer-policy"), Some("same-origin"));
        if !path.starts_with("/assets") {
            assert_eq!(said.header("cache-control"), Some("no-store"), "{path}");
        }
    }
}

#[tokio::test]
async fn other_names_and_other_sites_are_turned_away() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let bent = format!("GET / HTTP/1.1\r\nhost: evil.example\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n");
    assert_eq!(site.raw(&bent).await.status, 403);
    let csrf = site.get("/", &cookie).await.field("csrf");
    let body = format!("csrf={csrf}");
    let post = |origin: &str| {
        format!(
            "POST /next HTTP/1.1\r\nhost: {}\r\norigin: {origin}\r\ncookie: {cookie}\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            site.address,
            body.len()
        )
    };
    assert_eq!(site.raw(&post("http://evil.example")).await.status, 403);
    assert_eq!(site.raw(&post(&format!("http://{}", site.address))).await.status, 303);
}

#[tokio::test]
async fn a_form_without_its_token_changes_nothing() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    for csrf in ["", "forged"] {
        for path in ["/next", &format!("/item/{id}/take"), &format!("/item/{id}/answer"), "/logout"] {
            let said = site.post(path, &cookie, &[("csrf", csrf), ("answer", "pass")]).await;
            assert_eq!(said.status, 403, "{path}");
        }
    }
    assert!(site.store.holders(&id, START).await.expect("read").is_empty());
}

#[tokio::test]
async fn an_item_is_shown_blind_and_answered_once() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    assert!(place.starts_with(&format!("/item/{id}?fence=")), "{place}");
    let page = site.get(&place, &cookie).await;
    assert!(!page.body.contains("MACHINE REASON"), "what the check said is hidden");
    for hostile in ["<script>alert", "<img src=x", "\u{202e}right"] {
        assert!(!page.body.contains(hostile), "{hostile}");
    }
    assert!(page.body.contains("\\u{202e}right"), "what reorders text is shown as a mark");
    // The same form twice: one answer.
    let fields = [("answer", "fail"), ("comment", "wrong <b>tool</b>"), ("seconds", "12")];
    let said = site.answer(&cookie, &place, &fields).await;
    assert_eq!((said.status, said.header("location")), (303, Some(&*format!("/item/{id}?said=answered"))));
    let labels = site.store.labels(std::slice::from_ref(&id)).await.expect("read");
    assert_eq!(labels.len(), 1);
    assert_eq!(
        (labels[0].reviewer.as_str(), labels[0].seconds, labels[0].shown_proposal),
        ("ann", Some(12), Some(false))
    );
    assert_eq!(labels[0].comment, "wrong <b>tool</b>");
    let page = site.get(&format!("/item/{id}"), &cookie).await;
    assert!(page.body.contains("MACHINE REASON") && page.body.contains("you disagree"), "{}", page.body);
    assert!(page.body.contains("wrong &lt;b&gt;tool&lt;/b&gt;"));
}

#[tokio::test]
async fn the_same_form_sent_twice_is_one_answer() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    let page = site.get(&place, &cookie).await;
    let (csrf, submission, fence) = (page.field("csrf"), page.field("submission"), fence_of(&place));
    let fields = [("csrf", csrf.as_str()), ("fence", &fence), ("submission", &submission), ("answer", "pass")];
    for _ in 0..2 {
        assert_eq!(site.post(&format!("/item/{id}/answer"), &cookie, &fields).await.status, 303);
    }
    assert_eq!(site.store.labels(&[id]).await.expect("read").len(), 1);
}

#[tokio::test]
async fn an_answer_after_the_lease_is_refused_and_its_draft_is_kept() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    let page = site.get(&place, &cookie).await;
    site.later(2 * LEASE);
    // Somebody else takes it.
    let taken = site.store.claim_item(&id, "bob", START + 2 * LEASE, LEASE).await.expect("stored");
    assert!(taken.is_ok());
    let (csrf, submission, fence) = (page.field("csrf"), page.field("submission"), fence_of(&place));
    let fields = [
        ("csrf", csrf.as_str()),
        ("fence", &fence),
        ("submission", &submission),
        ("answer", "fail"),
        ("comment", "my words"),
    ];
    let said = site.post(&format!("/item/{id}/answer"), &cookie, &fields).await;
    assert_eq!(said.status, 409);
    assert!(said.body.contains("bob has it now") && said.body.contains("Your draft is kept"), "{}", said.body);
    assert!(said.body.contains("my words"));
    assert!(site.store.labels(std::slice::from_ref(&id)).await.expect("read").is_empty());
    let kept = site.store.draft(&id, "ann").await.expect("read").expect("a draft");
    assert!(kept.contains("my words") && kept.contains("fail"), "{kept}");
    // And it is there when the item can be taken again.
    site.later(2 * LEASE);
    let csrf = site.get("/", &cookie).await.field("csrf");
    let said = site.post(&format!("/item/{id}/take"), &cookie, &[("csrf", &csrf)]).await;
    let page = site.get(said.header("location").expect("a place"), &cookie).await;
    assert!(page.body.contains("my words</textarea>"), "{}", page.body);
}

#[tokio::test]
async fn a_page_that_is_open_keeps_its_lease() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    let csrf = site.get("/", &cookie).await.field("csrf");
    let fields = [("csrf", csrf.as_str()), ("fence", &fence_of(&place))];
    for _ in 0..3 {
        site.later(LEASE * 2 / 3);
        assert_eq!(site.post(&format!("/item/{id}/renew"), &cookie, &fields).await.status, 200);
    }
    site.later(LEASE + 1);
    site.store.claim_item(&id, "bob", START + 4 * LEASE, LEASE).await.expect("stored").expect("free");
    let said = site.post(&format!("/item/{id}/renew"), &cookie, &fields).await;
    assert_eq!(said.status, 409);
    assert!(said.body.contains("\"why\""), "{}", said.body);
}

#[tokio::test]
async fn an_undone_answer_can_be_given_anew_and_is_not_blind() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    site.answer(&cookie, &place, &[("answer", "pass"), ("comment", "at first")]).await;
    let page = site.get(&format!("/item/{id}"), &cookie).await;
    let said = site
        .post(&format!("/item/{id}/undo"), &cookie, &[("csrf", &page.field("csrf")), ("label", &page.field("label"))])
        .await;
    assert_eq!(said.status, 303, "{}", said.body);
    let place = said.header("location").expect("a place").to_owned();
    let page = site.get(&place, &cookie).await;
    assert!(page.body.contains("at first</textarea>") && !page.body.contains("MACHINE REASON"));
    site.answer(&cookie, &place, &[("answer", "fail")]).await;
    let labels = site.store.labels(&[id]).await.expect("read");
    assert_eq!(labels.len(), 3, "an undo is a row, and nothing is changed");
    assert_eq!(labels.iter().map(|l| l.shown_proposal).collect::<Vec<_>>(), [Some(false), Some(true), Some(true)]);
}

#[tokio::test]
async fn what_is_not_complete_is_told_and_kept() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    for (fields, told) in [
        (vec![("comment", "words")], "Choose an answer"),
        (vec![("answer", "skip"), ("comment", "words")], "Say why you skip it"),
        (vec![("answer", "maybe"), ("comment", "words")], "Choose an answer"),
    ] {
        let said = site.answer(&cookie, &place, &fields).await;
        assert_eq!(said.status, 422);
        assert!(said.body.contains(told) && said.body.contains("words</textarea>"), "{}", said.body);
    }
    assert!(site.store.labels(&[id]).await.expect("read").is_empty());
    let long = "x".repeat(who::MAX_FORM + 1);
    assert_eq!(site.answer(&cookie, &place, &[("answer", "pass"), ("comment", &long)]).await.status, 413);
}

#[tokio::test]
async fn an_empty_queue_says_why() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    assert!(site.get("/", &cookie).await.body.contains("Nothing has been sent for review yet"));
    let ids = site.add(vec![hostile(1), hostile(2)]).await;
    assert!(site.get("/?suite=other", &cookie).await.body.contains("Nothing matches this filter"));
    site.store.claim_item(&ids[0], "bob", START, LEASE).await.expect("stored").expect("free");
    site.store.claim_item(&ids[1], "eve", START, LEASE).await.expect("stored").expect("free");
    let page = site.get("/", &cookie).await;
    assert!(page.body.contains("Everything that is left is with somebody"), "{}", page.body);
    assert!(page.body.contains("bob has one until") && page.body.contains("eve has one until"));
    site.later(2 * LEASE);
    for _ in 0..2 {
        let place = site.take(&cookie).await;
        site.answer(&cookie, &place, &[("answer", "pass")]).await;
    }
    assert!(site.get("/", &cookie).await.body.contains("All done"));
}

#[tokio::test]
async fn who_has_answered_is_told_that_the_rest_waits_for_others() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let mut item = hostile(1);
    item.asked.reviewers = 2;
    site.add(vec![item]).await;
    let place = site.take(&cookie).await;
    site.answer(&cookie, &place, &[("answer", "pass")]).await;
    let nothing = site.take(&cookie).await;
    assert!(nothing.contains("nothing=1"), "{nothing}");
    let page = site.get(&nothing, &cookie).await;
    assert!(page.body.contains("Nothing is left for you"), "{}", page.body);
}

#[tokio::test]
async fn users_sign_in_by_password_and_roles_are_theirs() {
    let site = site(Access::Users).await;
    assert_eq!(site.get("/", "").await.header("location"), Some("/login"));
    assert_eq!(site.get("/item/x?a=b", "").await.header("location"), Some("/login?to=%2Fitem%2Fx%3Fa%3Db"));
    let ann = site.user("ann", Role::Reviewer).await;
    let eve = site.user("eve", Role::Admin).await;
    assert!(site.login("ann", "wrong password").await.is_err());
    assert!(site.login("nobody", "wrong password").await.is_err());
    assert_eq!(site.get("/", &ann).await.status, 200);
    let trail = site.get("/trail", &ann).await;
    assert_eq!(trail.status, 403);
    assert!(trail.body.contains("this is for admins"), "{}", trail.body);
    assert_eq!(site.get("/trail", &eve).await.status, 200);
    // What an admin takes away is gone at once.
    site.store.set_disabled("ann", true).await.expect("stored").expect("known");
    assert_eq!(site.get("/", &ann).await.status, 303);
    // Who leaves is gone, with the cookie that is still somewhere.
    let csrf = site.get("/", &eve).await.field("csrf");
    assert_eq!(site.post("/logout", &eve, &[("csrf", &csrf)]).await.status, 303);
    assert_eq!(site.get("/", &eve).await.status, 303);
}

#[tokio::test]
async fn passwords_cannot_be_tried_without_end() {
    let site = site(Access::Users).await;
    site.user("ann", Role::Reviewer).await;
    let mut last = 0;
    for n in 0..11 {
        last = site.try_login("ann", &format!("a wrong one {n}"), "").await.status;
    }
    assert_eq!(last, 429);
    // Not with the right one either, until some time has passed.
    assert_eq!(site.login("ann", "password of ann").await.err().map(|s| s.status), Some(429));
    site.later(16 * 60_000);
    assert!(site.login("ann", "password of ann").await.is_ok());
}

#[tokio::test]
async fn behind_a_proxy_attempts_are_counted_by_where_they_come_from() {
    let site = site(Access::Users).await;
    for n in 0..50 {
        site.store.failed_login(&format!("name {n}"), "203.0.113.9", START).await.expect("stored");
    }
    let from = |address: &'static str| site.try_login("nobody", "a wrong password", address);
    assert_eq!(from("x-forwarded-for: 203.0.113.9\r\n").await.status, 429);
    // What the visitor sends along leads nowhere, for the proxy adds to it.
    assert_eq!(from("x-forwarded-for: 198.51.100.1, 203.0.113.9\r\n").await.status, 429);
    // Nobody else is kept out for that, and what is written down says where it came from.
    assert_eq!(from("x-forwarded-for: 198.51.100.1\r\n").await.status, 401);
    let trail = site.store.trail(&Default::default(), Default::default()).await.expect("read");
    assert_eq!((trail[0].what.as_str(), trail[0].origin.as_str()), ("login refused", "198.51.100.1"));
    assert_eq!(site.store.failed_logins("nobody", "198.51.100.1", START).await.expect("read"), (1, 1));
}

#[tokio::test]
async fn a_form_to_sign_in_is_good_in_the_browser_that_it_was_shown_in_alone() {
    let site = site(Access::Users).await;
    site.user("ann", Role::Reviewer).await;
    let (one, other) = (site.get("/login", "").await, site.get("/login", "").await);
    let header = one.header("set-cookie").expect("a cookie");
    assert!(header.contains("HttpOnly") && header.contains("SameSite=Strict"), "{header}");
    assert_ne!(one.field("csrf"), other.field("csrf"));
    let csrf = one.field("csrf");
    let fields = [("csrf", csrf.as_str()), ("name", "ann"), ("password", "password of ann")];
    // Somebody else's page has no cookie of this browser, or another one.
    for cookie in ["", &other.cookie(), "made-up=1"] {
        let said = site.post("/login", cookie, &fields).await;
        assert_eq!(said.status, 403, "{cookie}");
        assert!(said.header("set-cookie").is_none());
    }
    // Two pages of one browser are both good, and the form is shown again with the same after a mistake.
    assert_eq!(site.get("/login", &one.cookie()).await.field("csrf"), csrf);
    let wrong = site.post("/login", &one.cookie(), &[fields[0], fields[1], ("password", "not it at all")]).await;
    assert_eq!((wrong.status, wrong.field("csrf")), (401, csrf.clone()));
    assert_eq!(site.post("/login", &one.cookie(), &fields).await.status, 303);
}

#[tokio::test]
async fn a_form_of_somebody_else_is_none() {
    let site = site(Access::Users).await;
    let (ann, bob) = (site.user("ann", Role::Reviewer).await, site.user("bob", Role::Reviewer).await);
    site.add(vec![hostile(1)]).await;
    let csrf = site.get("/", &ann).await.field("csrf");
    assert_eq!(site.post("/next", &bob, &[("csrf", &csrf)]).await.status, 403);
}

#[tokio::test]
async fn differing_answers_are_decided_by_an_adjudicator_alone() {
    let site = site(Access::Users).await;
    let (ann, bob) = (site.user("ann", Role::Reviewer).await, site.user("bob", Role::Reviewer).await);
    let eve = site.user("eve", Role::Adjudicator).await;
    let mut item = hostile(1);
    item.asked.reviewers = 2;
    let id = site.add(vec![item]).await.remove(0);
    for (who, answer) in [(&ann, "pass"), (&bob, "fail")] {
        let place = site.take(who).await;
        site.answer(who, &place, &[("answer", answer), ("comment", "because")]).await;
    }
    let path = format!("/item/{id}");
    let csrf = site.get(&path, &ann).await.field("csrf");
    let submission = secret::token().expect("random");
    let decision = [("csrf", csrf.as_str()), ("submission", submission.as_str()), ("answer", "pass")];
    assert_eq!(site.post(&format!("{path}/decide"), &ann, &decision).await.status, 403);
    let page = site.get(&path, &eve).await;
    assert!(page.body.contains("ann: ") && page.body.contains("bob: "), "{}", page.body);
    assert!(!page.body.contains("MACHINE REASON"), "the check's verdict does not sway the decision");
    let fields = [("csrf", &*page.field("csrf")), ("submission", &page.field("submission")), ("answer", "fail")];
    assert_eq!(site.post(&format!("{path}/decide"), &eve, &fields).await.status, 303);
    let page = site.get(&path, &ann).await;
    assert!(page.body.contains("adjudicated") && page.body.contains("by eve"), "{}", page.body);
}

#[tokio::test]
async fn who_opens_what_is_decided_does_not_answer_blind_when_it_is_open_again() {
    let site = site(named()).await;
    for name in ["ann", "bob", "cat"] {
        site.store.add_user(name, "", Role::Reviewer, START).await.expect("stored").expect("new");
    }
    let (ann, bob, cat) = (as_user("ann"), as_user("bob"), as_user("cat"));
    let mut item = hostile(1);
    item.asked.routed.why = Vec::new();
    let id = site.add(vec![item]).await.remove(0);
    let path = format!("/item/{id}");
    let place = site.take(&ann).await;
    site.answer(&ann, &place, &[("answer", "fail")]).await;
    // In the queue nobody else is told what was decided; on its page it is.
    assert!(site.get("/", &ann).await.body.contains(">fail</span>"));
    assert!(!site.get("/", &cat).await.body.contains(">fail</span>"));
    assert!(site.get(&path, &bob).await.body.contains("MACHINE REASON"));
    let undo = async |who: &str| {
        let page = site.get(&path, who).await;
        let fields = [("csrf", &*page.field("csrf")), ("label", &page.field("label"))];
        assert_eq!(site.post(&format!("{path}/undo"), who, &fields).await.status, 303);
        let csrf = site.get("/", who).await.field("csrf");
        let fence = (0..9).map(|n| n.to_string());
        for fence in fence {
            site.post(&format!("{path}/release"), who, &[("csrf", &csrf), ("fence", &fence)]).await;
        }
    };
    undo(&ann).await;
    let place = site.take(&bob).await;
    assert!(site.get(&place, &bob).await.body.contains(">not blind</span>"), "it is told before the answer");
    site.answer(&bob, &place, &[("answer", "fail")]).await;
    undo(&bob).await;
    let place = site.take(&cat).await;
    site.answer(&cat, &place, &[("answer", "fail")]).await;
    let labels = site.store.labels(&[id]).await.expect("read");
    let given = labels.iter().filter(|l| l.act.answer().is_some());
    let given: Vec<_> = given.map(|l| (l.reviewer.as_str(), l.shown_proposal)).collect();
    assert_eq!(given, [("ann", Some(false)), ("bob", Some(true)), ("cat", Some(false))]);
}

#[tokio::test]
async fn an_adjudicator_decides_nothing_that_nobody_disputes() {
    let site = site(Access::Users).await;
    let (ann, eve) = (site.user("ann", Role::Reviewer).await, site.user("eve", Role::Adjudicator).await);
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let decide = async || {
        let csrf = site.get("/", &eve).await.field("csrf");
        let submission = secret::token().expect("random");
        let fields = [("csrf", csrf.as_str()), ("submission", submission.as_str()), ("answer", "fail")];
        site.post(&format!("/item/{id}/decide"), &eve, &fields).await
    };
    assert_eq!(decide().await.status, 409);
    let place = site.take(&ann).await;
    site.answer(&ann, &place, &[("answer", "pass")]).await;
    let refused = decide().await;
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("decides where answers differ"), "{}", refused.body);
    assert_eq!(site.store.labels(std::slice::from_ref(&id)).await.expect("read").len(), 1);
}

#[tokio::test]
async fn who_serves_pages_to_themselves_has_the_role_that_the_store_gives_them() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    assert_eq!(site.get("/trail", &cookie).await.status, 200, "a store of one person");
    site.store.add_user("eve", "", Role::Admin, START).await.expect("stored").expect("new");
    let refused = site.get("/", &cookie).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("ann is none of them"), "{}", refused.body);
    site.store.add_user("ann", "", Role::Reviewer, START).await.expect("stored").expect("new");
    assert_eq!((site.get("/", &cookie).await.status, site.get("/trail", &cookie).await.status), (200, 403));
}

#[tokio::test]
async fn two_servers_of_one_file_give_no_item_to_two_people_and_lose_no_answer() {
    let one = site(named()).await;
    let other = site_in(one.folder.clone(), named(), one.clock.clone()).await;
    let people = ["ann", "bob", "cat", "dan"];
    for name in people {
        one.store.add_user(name, "", Role::Reviewer, START).await.expect("stored").expect("new");
    }
    one.add((1..=24).map(made_up).collect()).await;
    let work = async |site: &Site, name: &str| {
        let (who, mut answered) = (as_user(name), Vec::new());
        loop {
            let place = site.take(&who).await;
            if place.contains("nothing=1") {
                return answered;
            }
            assert_eq!(site.answer(&who, &place, &[("answer", "pass")]).await.status, 303);
            answered.push(place.split('?').next().expect("a path").to_owned());
        }
    };
    let (a, b, c, d) =
        tokio::join!(work(&one, people[0]), work(&other, people[1]), work(&one, people[2]), work(&other, people[3]));
    let mut all = [a, b, c, d].concat();
    all.sort();
    all.dedup();
    let counts = other.store.counts(&ItemFilter::default(), START).await.expect("read");
    assert_eq!((all.len(), counts.of(crate::ledger::ItemStatus::Resolved)), (24, 24));
}

#[tokio::test]
async fn a_session_that_is_too_large_for_a_page_is_said_and_can_be_saved() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let mut item = hostile(1);
    let line = serde_json::json!({ "id": "s", "turns": [{ "user": "u", "reply": "x".repeat(17 << 20) }] });
    item.content = Some(Content::pack(line.to_string().as_bytes()).expect("packed"));
    item.asked.case = "c".repeat(100_000);
    let id = site.add(vec![item]).await.remove(0);
    let page = site.get(&format!("/item/{id}"), &cookie).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("17 MiB long, more than a page can show") && page.body.len() < 1 << 20);
    let saved = site.get(&format!("/item/{id}/session.jsonl"), &cookie).await;
    assert_eq!((saved.status, saved.body.len() > 17 << 20), (200, true));
}

#[tokio::test]
async fn every_look_at_a_session_is_written_down() {
    let site = site(Access::Users).await;
    let (ann, eve) = (site.user("ann", Role::Reviewer).await, site.user("eve", Role::Admin).await);
    let id = site.add(vec![hostile(1)]).await.remove(0);
    site.get(&format!("/item/{id}"), &ann).await;
    let saved = site.get(&format!("/item/{id}/session.jsonl"), &ann).await;
    assert!(saved.header("content-disposition").is_some_and(|h| h.starts_with("attachment")));
    assert!(saved.body.contains("alert(1)"), "{}", saved.body);
    let page = site.get(&format!("/trail?item={id}"), &eve).await;
    for what in ["<td>read</td>", "<td>save</td>", "ann", "127.0.0.1"] {
        assert!(page.body.contains(what), "{what}: {}", page.body);
    }
}

#[tokio::test]
async fn a_proxy_names_users_and_nobody_else_does() {
    let header = axum::http::HeaderName::from_static("x-user");
    let proxy = |from: &str| {
        Access::Proxy(Proxy { header: header.clone(), from: vec![Net::parse(from).expect("a network")], secret: None })
    };
    let here = site(proxy("127.0.0.1")).await;
    here.store.add_user("ann", "", Role::Reviewer, START).await.expect("stored").expect("new");
    assert_eq!(here.get_with("/", "x-user: ann\r\n").await.status, 200);
    assert_eq!(here.get_with("/", "").await.status, 403);
    let unknown = here.get_with("/", "x-user: mallory\r\n").await;
    assert_eq!(unknown.status, 403);
    assert!(unknown.body.contains("mallory may not review here"), "{}", unknown.body);
    let elsewhere = site(proxy("10.0.0.1")).await;
    elsewhere.store.add_user("ann", "", Role::Admin, START).await.expect("stored").expect("new");
    assert_eq!(elsewhere.get_with("/", "x-user: ann\r\n").await.status, 403);
}

#[tokio::test]
async fn content_that_was_purged_or_never_kept_is_said_and_the_item_can_be_answered() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    site.add(vec![made_up(1)]).await;
    let place = site.take(&cookie).await;
    assert!(site.get(&place, &cookie).await.body.contains("did not keep this session"));
    assert_eq!(site.answer(&cookie, &place, &[("answer", "skip"), ("reason", "missing_context")]).await.status, 303);
}

#[tokio::test]
async fn agreement_is_shown_with_its_interval() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    site.add(vec![hostile(1), hostile(2)]).await;
    for answer in ["pass", "fail"] {
        let place = site.take(&cookie).await;
        site.answer(&cookie, &place, &[("answer", answer), ("seconds", "30")]).await;
    }
    let page = site.get("/effect", &cookie).await;
    assert!(page.body.contains("50.0%") && page.body.contains("1 of 2, 1.3% to 98.7%"), "{}", page.body);
    assert!(page.body.contains("1.0 minutes on 2 answers"), "{}", page.body);
}

#[tokio::test]
async fn a_server_without_people_to_tell_apart_is_kept_to_this_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&StoreUrl::File(folder.path().join("seatrial.db"))).await.expect("a store");
    let setup = Setup {
        store,
        access: local(),
        url: Some("https://review.example.com".to_owned()),
        proxies: Vec::new(),
        lease: Duration::from_secs(1),
        suites: None,
        clock: Arc::new(|| 0),
    };
    let refused = Server::listen("0.0.0.0:0".parse().expect("an address"), setup).await.err().expect("refused");
    assert!(matches!(refused, ServeError::Unsafe(ref why) if why.contains("--auth users")), "{refused}");
}

#[tokio::test]
async fn answers_of_others_elsewhere_count_here() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    let said = Submission {
        id: secret::token().expect("random").into(),
        answer: Answer::Pass,
        comment: String::new(),
        seconds: None,
        source: Source::Import,
        shown_proposal: Some(false),
    };
    site.store.import(&id, "bob", &said, START).await.expect("stored").expect("taken");
    let refused = site.answer(&cookie, &place, &[("answer", "fail"), ("comment", "late")]).await;
    assert_eq!(refused.status, 409);
    assert!(site.store.draft(&id, "ann").await.expect("read").is_some_and(|d| d.contains("late")));
}
