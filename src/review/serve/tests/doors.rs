//! Who gets in, from where, and with which role; what is turned away.

use super::*;

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
    let failed = site.store.failed_logins("nobody", "198.51.100.1", START).await.expect("read");
    assert_eq!((failed.named, failed.from, failed.both), (1, 1, 1));
}

#[tokio::test]
async fn who_tries_in_vain_from_elsewhere_keeps_nobody_out_of_where_they_work() {
    let site = site(Access::Users).await;
    site.user("ann", Role::Reviewer).await;
    let fail = async |times: u32, from: &str| {
        for _ in 0..times {
            site.store.failed_login("ann", from, START).await.expect("stored");
        }
    };
    let from = async |address: &str| {
        let header = format!("x-forwarded-for: {address}\r\n");
        site.try_login("ann", "password of ann", &header).await.status
    };
    fail(10, "203.0.113.1").await;
    assert_eq!(from("203.0.113.1").await, 429);
    assert_eq!(from("198.51.100.1").await, 303);
    // From many addresses nobody tries without end either; but where she has signed in before, ann still can.
    for n in 2..12 {
        fail(9, &format!("203.0.113.{n}")).await;
    }
    assert_eq!(from("203.0.113.99").await, 429);
    assert_eq!(from("198.51.100.1").await, 303);
    assert!(site.login("ann", "password of ann").await.is_ok());
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
