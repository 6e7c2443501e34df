//! Who sends a request, and what they may do.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, StatusCode};
use cookie::{Cookie, SameSite};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::access::{self, Access};
use super::patient::Peer;
use super::problem::Problem;
use super::view::Viewer;
use super::{App, secret};
use crate::store::db::Role;

/// Longest body of a form, in bytes. A comment is at most [`super::answer::LONGEST_COMMENT`].
pub const MAX_FORM: usize = 128 << 10;

/// Somebody who is let in.
#[derive(Debug, Clone, Serialize)]
pub struct Visitor {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// What their forms must show.
    pub csrf: String,
    /// Where they are.
    pub from: String,
    /// Whether they can leave.
    pub leaves: bool,
}

impl Visitor {
    /// As a viewer of items.
    pub fn viewer(&self) -> Viewer<'_> {
        Viewer { name: &self.name, adjudicates: self.role >= Role::Adjudicator }
    }

    /// Requires a role.
    ///
    /// # Errors
    /// That it is not theirs.
    pub fn must_be(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        Err(Problem::forbidden(format!(
            "this is for {}s, and you are a {} (an admin gives roles: `seatrial review user role {} {}`)",
            role.name(),
            self.role.name(),
            self.name,
            role.name()
        )))
    }
}

/// The value of the cookie with this name.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(Cookie::split_parse).filter_map(Result::ok);
    pairs.find(|pair| pair.name() == name).map(|pair| pair.value().to_owned())
}

/// A cookie for the browser: no program of a page reads it, and no other site sends it.
pub fn set_cookie(app: &App, name: &str, value: &str, seconds: i64) -> String {
    Cookie::build((name.to_owned(), value.to_owned()))
        .http_only(true)
        .secure(app.places.secure)
        .same_site(SameSite::Strict)
        .path("/")
        .max_age(cookie::time::Duration::seconds(seconds))
        .build()
        .to_string()
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let visitor = identify(app, parts).await?;
        parts.extensions.insert(visitor.clone());
        Ok(visitor)
    }
}

async fn identify(app: &App, parts: &Parts) -> Result<Visitor, Problem> {
    let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.0.ip().to_canonical());
    let from = peer.map(|peer| access::origin(peer, &parts.headers, &app.proxies));
    let from = from.map_or_else(|| "unknown".to_owned(), |from| from.to_string());
    let shown = cookie(&parts.headers, &app.cookie);
    match &app.access {
        Access::Local { name, token } => {
            let bearer = parts.headers.get(AUTHORIZATION).and_then(|h| h.to_str().ok()?.strip_prefix("Bearer "));
            let shown = shown.as_deref().or(bearer).unwrap_or_default();
            if !secret::same(shown, token.expose_secret()) {
                return Err(Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "Open the address that was printed",
                    "These pages are for whoever started them: open the address with the token that \
                     `seatrial review serve` printed. After a restart it is a new one.",
                ));
            }
            let csrf = secret::bound(&app.key, name);
            // Where there are users, serving the pages to oneself gives nobody another role.
            let role = app.store.role(name).await??;
            Ok(Visitor { name: name.clone(), role, csrf, from, leaves: false })
        }
        Access::Users => {
            let Some(shown) = shown else { return Err(Problem::sign_in(&parts.uri)) };
            let now = (app.clock)();
            // The user is looked up each time: what an admin takes away is gone at once.
            let Some((login, user)) = app.store.login(&secret::digest(&shown), now).await? else {
                return Err(Problem::sign_in(&parts.uri));
            };
            Ok(Visitor { name: user.name, role: user.role, csrf: login.csrf, from, leaves: true })
        }
        Access::Proxy(proxy) => {
            let peer = peer.ok_or_else(|| Problem::forbidden("the address of the proxy is not known"))?;
            let name = proxy.name(peer, &parts.headers).map_err(Problem::forbidden)?;
            let user = app.store.user(&name).await?.filter(|user| !user.disabled);
            let user = user.ok_or_else(|| {
                Problem::forbidden(format!(
                    "{name} may not review here (an admin lets people in: `seatrial review user add {name}`)"
                ))
            })?;
            let csrf = secret::bound(&app.key, &user.name);
            Ok(Visitor { name: user.name, role: user.role, csrf, from, leaves: false })
        }
    }
}

/// A form that somebody sent who may: the fields, by name.
#[derive(Debug, Clone)]
pub struct Form {
    /// Who sent it.
    pub visitor: Visitor,
    fields: Vec<(String, String)>,
}

impl Form {
    /// A field; empty where it was not sent.
    pub fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }
}

impl FromRequest<Arc<App>> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, app: &Arc<App>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, app).await?;
        let fields = fields(Request::from_parts(parts, body), app).await?;
        let form = Self { visitor, fields };
        if !secret::same(form.get("csrf"), &form.visitor.csrf) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "This form is not one of these pages",
                "Nothing was changed. The page may be older than the server: go back, load it again, and send it once \
                 more; what you wrote is kept as a draft.",
            ));
        }
        Ok(form)
    }
}

/// The fields of a form.
///
/// # Errors
/// That it is too large, or no form.
pub async fn fields(request: Request<Body>, app: &Arc<App>) -> Result<Vec<(String, String)>, Problem> {
    match axum::Form::<Vec<(String, String)>>::from_request(request, app).await {
        Ok(axum::Form(fields)) => Ok(fields),
        Err(why) if why.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let text = format!("At most {} KiB are taken. Nothing was changed; shorten it.", MAX_FORM >> 10);
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "This is too long", text))
        }
        Err(why) => Err(Problem::new(why.status(), "This is no form", format!("Nothing was changed: {why}."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_of_these_pages_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "other=1; seatrial-8787=abc; x=y".parse().unwrap());
        assert_eq!(cookie(&headers, "seatrial-8787").as_deref(), Some("abc"));
        assert_eq!(cookie(&headers, "seatrial-1"), None);
    }
}
