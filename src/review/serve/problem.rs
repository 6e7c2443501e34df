//! What is answered when something cannot be done: a page that says what, why, and what to do next.

use axum::body::Body;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use serde::Serialize;

use super::frame::Frame;
use super::pages;
use crate::ledger::Refused;
use crate::net::percent;
use crate::store::db::StoreError;

/// Something that could not be done.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    title: String,
    text: String,
    /// Where to go instead.
    to: Option<String>,
    /// After how many seconds it may be tried again.
    again: Option<u64>,
}

#[derive(Serialize)]
struct Page<'p> {
    code: u16,
    title: &'p str,
    text: &'p str,
}

impl Problem {
    /// With a title and what to do.
    pub fn new(status: StatusCode, title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { status, title: title.into(), text: text.into(), to: None, again: None }
    }

    /// Somebody may not do this.
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Not permitted", text)
    }

    /// There is no such thing.
    pub fn unknown(what: &str) -> Self {
        let text = format!("There is no {what}. It may have been left out of the store, or the address is mistyped.");
        Self::new(StatusCode::NOT_FOUND, "Nothing here", text)
    }

    /// Somebody has to say who they are first; then they are brought to where they wanted to go.
    pub fn sign_in(uri: &Uri) -> Self {
        let wanted = uri.path_and_query().map_or("/", |path| path.as_str());
        let to = match wanted {
            "/" => "/login".to_owned(),
            wanted => format!("/login?to={}", percent::encode(wanted.as_bytes(), b"")),
        };
        let text = "Your session here has ended, or has not begun.";
        Self { to: Some(to), ..Self::new(StatusCode::UNAUTHORIZED, "Sign in", text) }
    }

    /// Too much of it.
    pub fn too_often(seconds: u64) -> Self {
        let text = format!("Too many attempts. Try again in {seconds} seconds.");
        Self { again: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "Not so fast", text) }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What to tell.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<StoreError> for Problem {
    fn from(why: StoreError) -> Self {
        let text = format!("The store says: {why}. Nothing that was confirmed is lost; drafts are kept in the page.");
        Self { again: Some(5), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "The store cannot be used", text) }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let (status, title) = match &refused {
            Refused::Stale { .. } | Refused::Taken { .. } => (StatusCode::CONFLICT, "Somebody else has it"),
            Refused::Answered { .. } => (StatusCode::CONFLICT, "Already answered"),
            Refused::Closed { .. } => (StatusCode::CONFLICT, "Already closed"),
            Refused::Undisputed { .. } => (StatusCode::CONFLICT, "Nobody disagrees"),
            Refused::Purged { .. } => (StatusCode::CONFLICT, "Not there to be read"),
            Refused::Unknown { .. } => (StatusCode::NOT_FOUND, "Nothing here"),
            Refused::Forbidden { .. } => (StatusCode::FORBIDDEN, "Not permitted"),
        };
        Self::new(status, title, super::sentence(&refused.to_string()))
    }
}

impl From<getrandom::Error> for Problem {
    fn from(why: getrandom::Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "No randomness", format!("The system gives none: {why}."))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        // A browser that only looks is led on; what it wanted to change, it is told.
        let page = Page { code: self.status.as_u16(), title: &self.title, text: &self.text };
        let mut response = pages::draw(self.status, "problem.html", &Frame::outside(&self.title), &page);
        if let Some(Ok(to)) = self.to.as_deref().map(HeaderValue::from_str) {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, to);
        }
        if let Some(seconds) = self.again {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
