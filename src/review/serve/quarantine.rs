//! Sessions under quarantine: who may not read them, what the page of an item says of it, and the release.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use serde::Serialize;

use super::App;
use super::answer::{LONGEST_COMMENT, to};
use super::item::{Outcome, show};
use super::problem::Problem;
use super::queue::Wanted;
use super::view::when;
use super::who::{Form, Visitor};
use crate::ledger::{Item, ItemId};
use crate::store::db::Role;

/// What is said of the quarantine of a session.
#[derive(Debug, Serialize)]
pub(super) struct Quarantine {
    /// Who released it; `None` while it is under quarantine.
    released: Option<Release>,
    /// Whether the visitor may release it.
    may_release: bool,
}

#[derive(Debug, Serialize)]
struct Release {
    who: String,
    at: String,
    /// Why, once that may be told: it may say what to answer.
    why: Option<String>,
}

impl Quarantine {
    /// Of the session of an item; `None` where it never was under quarantine. `told` says whether the visitor may know what
    /// others say of it.
    pub(super) async fn of(app: &App, visitor: &Visitor, item: &Item, told: bool) -> Result<Option<Self>, Problem> {
        let session = &item.key.session;
        if app.store.quarantined(session).await? {
            return Ok(Some(Self { released: None, may_release: visitor.role >= Role::Adjudicator }));
        }
        let release = app.store.release_of(std::slice::from_ref(session)).await?;
        let release = release.map(|seen| Release { who: seen.who, at: when(seen.at), why: seen.why.filter(|_| told) });
        Ok(release.map(|release| Self { released: Some(release), may_release: false }))
    }

    /// Why a visitor may not read the session, where they may not.
    pub(super) fn restricts(&self) -> Option<String> {
        (self.released.is_none() && !self.may_release).then(why)
    }
}

fn why() -> String {
    "This session is of high risk: only adjudicators and admins may read it, until one of them releases it.".to_owned()
}

/// Why a visitor may not read the session of an item: one under quarantine is for adjudicators alone.
pub(super) async fn restricted(app: &App, visitor: &Visitor, item: &Item) -> Result<Option<String>, Problem> {
    let may = visitor.role >= Role::Adjudicator;
    Ok((!may && app.store.quarantined(&item.key.session).await?).then(why))
}

/// `POST /item/{id}/quarantine`: an adjudicator releases the version of the session that the item is about.
pub(super) async fn release(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response<Body>, Problem> {
    form.visitor.must_be(Role::Adjudicator)?;
    let (id, wanted, now) = (ItemId(id), Wanted::of(&form), (app.clock)());
    let item = app.store.item(&id, now).await?.ok_or_else(|| Problem::unknown("item of that name"))?;
    let said = form.get("why").replace("\r\n", "\n");
    let fence = form.get("fence").parse().ok();
    let (status, trouble) = match said.trim() {
        "" => (StatusCode::UNPROCESSABLE_ENTITY, "Say why the session may be read.".to_owned()),
        why if why.chars().count() > LONGEST_COMMENT => {
            let text = format!("A reason has at most {LONGEST_COMMENT} characters; nothing was released.");
            (StatusCode::UNPROCESSABLE_ENTITY, text)
        }
        why => {
            let (who, from) = (&form.visitor.name, &form.visitor.from);
            let released = app.store.release_quarantine(&[item.key.session], (who, why), from, now).await??;
            if !released.is_empty() {
                return Ok(to(&id, fence, "freed", &wanted));
            }
            (StatusCode::CONFLICT, "The session is not under quarantine.".to_owned())
        }
    };
    let outcome = Outcome { trouble: Some(trouble), status: Some(status), ..Outcome::default() };
    show(&app, &form.visitor, &id, fence, &wanted, None, outcome).await
}
