//! What comes of the answers: agreement and effort, and who looked at what.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::effect::{self, Check, Reviewer};
use super::frame::Frame;
use super::problem::Problem;
use super::queue::Wanted;
use super::view::when;
use super::who::Visitor;
use super::{App, pages};
use crate::ledger::ItemId;
use crate::store::db::{Page as Slice, Role, Seen, TrailFilter};

/// Entries of one page of the trail.
const PAGE: u32 = 200;

#[derive(Debug, Serialize)]
struct Effect {
    wanted: Wanted,
    suites: Vec<String>,
    checks: Vec<Check>,
    reviewers: Vec<Reviewer>,
    everybody: bool,
    /// Items decided, and minutes that it took, as far as times are known.
    decided: u64,
    minutes: f64,
    timed: u64,
    /// Minutes that what waits would take at that pace; `None` where no pace is known.
    left: Option<f64>,
}

/// `GET /effect`
pub(super) async fn effect(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    Query(wanted): Query<Wanted>,
) -> Result<Response<Body>, Problem> {
    let (items, labels) = app.book(&wanted).await?;
    let everybody = visitor.role >= Role::Adjudicator;
    let mut reviewers = effect::reviewers(&items, &labels);
    let minutes: f64 = reviewers.iter().map(|r| r.minutes).sum();
    reviewers.retain(|r| everybody || r.name == visitor.name);
    let timed = labels.iter().filter(|l| l.seconds.is_some()).count() as u64;
    let open: u64 = items.iter().filter(|item| item.decision.is_none()).map(|item| u64::from(item.open)).sum();
    let page = Effect {
        left: (timed > 0 && open > 0).then(|| minutes / timed as f64 * open as f64),
        checks: effect::checks(&items, &labels),
        decided: items.iter().filter(|item| item.decision.is_some()).count() as u64,
        minutes,
        timed,
        reviewers,
        everybody,
        suites: app.store.suites().await?,
        wanted,
    };
    Ok(pages::draw(StatusCode::OK, "effect.html", &Frame::of(&visitor, "effect", "Agreement and effort"), &page))
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Asked {
    who: String,
    item: String,
    page: u32,
}

#[derive(Debug, Serialize)]
struct Entry {
    at: String,
    who: String,
    what: String,
    item: Option<String>,
    session: Option<String>,
    from: String,
    why: Option<String>,
}

#[derive(Debug, Serialize)]
struct Trail {
    asked: Asked,
    entries: Vec<Entry>,
    more: bool,
}

/// `GET /trail`: who looked at what, the latest first.
pub(super) async fn trail(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
) -> Result<Response<Body>, Problem> {
    visitor.must_be(Role::Admin)?;
    let some = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
    let filter = TrailFilter { who: some(&asked.who), item: some(&asked.item).map(ItemId), ..TrailFilter::default() };
    let slice = Slice { offset: asked.page.saturating_mul(PAGE), limit: PAGE + 1 };
    let mut found = app.store.trail(&filter, slice).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let entry = |t: Seen| Entry {
        at: when(t.at),
        who: t.who,
        what: t.what,
        item: t.item.map(|id| id.to_string()),
        session: t.session,
        from: t.origin,
        why: t.why,
    };
    let page = Trail { entries: found.into_iter().map(entry).collect(), more, asked };
    Ok(pages::draw(StatusCode::OK, "trail.html", &Frame::of(&visitor, "trail", "Who looked at what"), &page))
}
