//! How people come in and leave: by name and password, or by the token that was printed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use axum::response::{IntoResponse, Redirect};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::access::{self, Access};
use super::frame::Frame;
use super::patient::Peer;
use super::problem::Problem;
use super::who::{Form, cookie, fields, set_cookie};
use super::{App, pages, secret};
use crate::ledger::{LONGEST_NAME, Millis};
use crate::store::db::{LOGIN, Login, StoreError};

/// How long somebody stays signed in, in seconds.
const SIGNED_IN: i64 = 12 * 3600;
/// How long a browser may take to sign in, in seconds.
const SIGNING_IN: i64 = 12 * 3600;
/// How long an attempt in vain counts, in milliseconds.
const COUNTS: Millis = 15 * 60 * 1000;
/// Attempts in vain under one name from one address, and from one address under any name, after which nobody may try so
/// for a while. They are counted in the store, so that a second server or a restart gives no more of them.
const BY_BOTH: u64 = 10;
const BY_ADDRESS: u64 = 50;
/// Attempts in vain under one name from everywhere, after which it may be tried only from where the person has signed in
/// before: whoever guesses from many addresses guesses no faster, and keeps nobody out of where they work.
const BY_NAME: u64 = 100;
/// Passwords that are looked at at once: each takes 19 MiB.
pub(super) const AT_ONCE: usize = 2;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct To {
    to: String,
    token: String,
}

#[derive(Debug, Serialize)]
struct Page<'p> {
    to: &'p str,
    name: &'p str,
    trouble: Option<&'p str>,
    csrf: String,
}

/// A place of these pages to go to. Anything else would lead people elsewhere after they signed in.
fn inside(to: &str) -> &str {
    let plain = to.starts_with('/') && !to.starts_with("//") && !to.contains(['\\', '\r', '\n']);
    if plain { to } else { "/" }
}

/// `GET /enter?token=`: the address that was printed.
pub(super) async fn enter(State(app): State<Arc<App>>, Query(to): Query<To>) -> Result<Response<Body>, Problem> {
    let Access::Local { token, .. } = &app.access else { return Err(Problem::unknown("such page")) };
    if !secret::same(&to.token, token.expose_secret()) {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "This address is old",
            "The token in it is none that is in force: after a restart `seatrial review serve` prints a new one.",
        ));
    }
    let mut response = Redirect::to(inside(&to.to)).into_response();
    set(&mut response, &set_cookie(&app, &app.cookie, token.expose_secret(), SIGNED_IN))?;
    Ok(response)
}

fn set(response: &mut Response<Body>, cookie: &str) -> Result<(), Problem> {
    let value = HeaderValue::from_str(cookie).map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "A bug in seatrial", "The cookie cannot be written.")
    })?;
    response.headers_mut().append(SET_COOKIE, value);
    Ok(())
}

/// A browser in which nobody is signed in yet, by a cookie of its own. A form that was shown in it is good in it alone:
/// without that another site could sign people in as somebody else, with a form that it was shown itself.
struct Browser(String);

impl Browser {
    /// The name of its cookie.
    fn name(app: &App) -> String {
        format!("{}-login", app.cookie)
    }

    /// The browser that sends a request; `None` of one that is new here.
    fn of(app: &App, headers: &HeaderMap) -> Option<Self> {
        cookie(headers, &Self::name(app)).filter(|name| !name.is_empty()).map(Self)
    }

    /// What its forms must show.
    fn csrf(&self, app: &App) -> String {
        secret::bound(&app.key, &format!("\0login {}", self.0))
    }
}

/// `GET /login`
pub(super) async fn form(
    State(app): State<Arc<App>>,
    Query(to): Query<To>,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    if !matches!(app.access, Access::Users) {
        return Ok(Redirect::to("/").into_response());
    }
    // Two pages of the same browser are both good.
    let browser = match Browser::of(&app, &headers) {
        Some(browser) => browser,
        None => Browser(secret::token()?.into()),
    };
    let page = Page { to: inside(&to.to), name: "", trouble: None, csrf: browser.csrf(&app) };
    let mut response = pages::draw(StatusCode::OK, "login.html", &Frame::outside("Sign in"), &page);
    set(&mut response, &set_cookie(&app, &Browser::name(&app), &browser.0, SIGNING_IN))?;
    Ok(response)
}

/// `POST /login`
pub(super) async fn login(
    State(app): State<Arc<App>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    if !matches!(app.access, Access::Users) {
        return Err(Problem::unknown("such page"));
    }
    let browser = Browser::of(&app, request.headers());
    let origin = access::origin(peer.ip(), request.headers(), &app.proxies);
    let (place, origin) = (access::place(origin), origin.to_string());
    let fields = fields(request, &app).await?;
    let get = |name: &str| fields.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
    let Some(shown) = browser.map(|b| b.csrf(&app)).filter(|shown| secret::same(get("csrf"), shown)) else {
        let text =
            "Go back, load the page again, and sign in once more. This browser must take cookies of these pages.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "This form is not one of these pages", text));
    };
    let name: String = get("name").trim().chars().take(LONGEST_NAME).collect();
    let now = (app.clock)();
    // One at a time is counted and then tried, so that many at once are not counted as one.
    let Ok(_permit) = app.passwords.acquire().await else { return Err(Problem::too_often(1)) };
    if is_too_often(&app, &name, &place, &origin, now).await? {
        return Err(Problem::too_often(60));
    }
    let user = app.store.user(&name).await?.filter(|user| !user.disabled);
    let stored = user.as_ref().map(|user| user.hash.clone()).filter(|hash| !hash.is_empty());
    let password = get("password").to_owned();
    let right =
        tokio::task::spawn_blocking(move || secret::verify(&password, stored.as_deref())).await.unwrap_or(false);
    app.store.sweep_logins(now, now - COUNTS).await?;
    let Some(user) = user.filter(|_| right) else {
        app.store.failed_login(&name, &place, now).await?;
        app.seen(&name, "login refused", None, None, &origin).await?;
        let page = Page {
            to: inside(get("to")),
            name: &name,
            trouble: Some("There is no such user, or it is not their password."),
            csrf: shown,
        };
        return Ok(pages::draw(StatusCode::UNAUTHORIZED, "login.html", &Frame::outside("Sign in"), &page));
    };
    let (token, csrf) = (secret::token()?, secret::token()?);
    let login = Login {
        token_hash: secret::digest(token.as_str()),
        name: user.name.clone(),
        csrf: csrf.as_str().to_owned(),
        created: now,
        until: now + SIGNED_IN * 1000,
    };
    app.store.add_login(&login).await?;
    app.seen(&user.name, LOGIN, None, None, &origin).await?;
    let mut response = Redirect::to(inside(get("to"))).into_response();
    set(&mut response, &set_cookie(&app, &app.cookie, token.as_str(), SIGNED_IN))?;
    set(&mut response, &set_cookie(&app, &Browser::name(&app), "", 0))?;
    Ok(response)
}

/// Whether too many attempts were in vain of late for another one.
async fn is_too_often(app: &App, name: &str, place: &str, origin: &str, now: Millis) -> Result<bool, StoreError> {
    let failed = app.store.failed_logins(name, place, now - COUNTS).await?;
    if failed.both >= BY_BOTH || failed.from >= BY_ADDRESS {
        return Ok(true);
    }
    Ok(failed.named >= BY_NAME && !app.store.has_signed_in(name, origin).await?)
}

/// `POST /logout`
pub(super) async fn logout(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response<Body>, Problem> {
    if let Some(token) = cookie(&headers, &app.cookie).filter(|_| form.visitor.leaves) {
        app.store.end_login(&secret::digest(&token)).await?;
    }
    let mut response = Redirect::to("/login").into_response();
    set(&mut response, &set_cookie(&app, &app.cookie, "", 0))?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere_after_signing_in() {
        assert_eq!(inside("/item/a?fence=1"), "/item/a?fence=1");
        for elsewhere in
            ["//evil.example", "https://evil.example", "/\\evil.example", "", "item", "/a\r\nSet-Cookie: x"]
        {
            assert_eq!(inside(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
