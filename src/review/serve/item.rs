//! One item on one screen. Whoever reads the content of a session is written into the trail.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_DISPOSITION;
use axum::http::{HeaderValue, Response, StatusCode};
use minijinja::Value;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::frame::Frame;
use super::problem::Problem;
use super::quarantine::{Quarantine, restricted};
use super::queue::{Wanted, span};
use super::view::{self, View, severity_name, when};
use super::who::Visitor;
use super::{App, pages, secret};
use crate::ledger::{Item, ItemId, Lease, Millis, SkipReason};

/// Sessions that are longer are not put into the page, which would take a browser too long; they can be saved.
const MAX_SHOWN: usize = 16 << 20;

/// What the address of an item says beside its name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Also {
    /// The lease that the visitor holds.
    fence: Option<i64>,
    said: Option<String>,
}

/// What somebody has begun to answer.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Draft {
    /// `pass`, `fail`, `skip`, or nothing.
    pub answer: String,
    /// Why it is skipped.
    pub reason: String,
    /// The comment.
    pub comment: String,
}

impl Draft {
    /// As it is stored.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From what was stored, by this page or another.
    pub fn of(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Self { comment: text.to_owned(), ..Self::default() })
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A reason to skip, as it is offered.
#[derive(Debug, Serialize)]
struct Reason {
    name: &'static str,
    words: &'static str,
}

#[derive(Debug, Serialize)]
struct Held {
    fence: i64,
    until: String,
    /// Milliseconds that are left.
    left: Millis,
}

#[derive(Debug, Serialize)]
struct Page {
    id: String,
    check: String,
    suite: String,
    case: String,
    trial: Option<String>,
    session_id: String,
    run: String,
    level: String,
    severity: String,
    subject: String,
    tags: Vec<String>,
    question: String,
    rubric: Option<String>,
    reviewers: u32,
    status: &'static str,
    decision: Option<&'static str>,
    decided_by: Vec<String>,
    waits: String,
    due: Option<String>,
    overdue: bool,
    view: View,
    held: Option<Held>,
    draft: Draft,
    /// Names the submission of this page, so that sending it twice is sending it once.
    submission: String,
    reasons: Vec<Reason>,
    trouble: Option<String>,
    case_made: Option<Case>,
    /// Whether a regression case can be made of it here.
    makes_cases: bool,
    query: String,
    wanted: Wanted,
    /// Why the session cannot be read here.
    missing: Option<String>,
    /// Whether it was there once, so that nobody can say anything of it any more.
    purged: bool,
    /// What is said of the quarantine of the session, where it is under one or was.
    quarantine: Option<Quarantine>,
    baseline: bool,
    blocks: Vec<Value>,
}

/// What came of what was sent, where the page is the answer to it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Why it was not done.
    pub trouble: Option<String>,
    /// The status of the page.
    pub status: Option<StatusCode>,
    /// What was being sent.
    pub draft: Option<Draft>,
    /// The regression case that was made.
    pub case: Option<Case>,
}

/// A regression case, as it is shown to whoever made it.
#[derive(Debug, Serialize)]
pub struct Case {
    /// Its id.
    pub id: String,
    /// What was written: the files, by their paths.
    pub files: Vec<String>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// `GET /item/{id}`
pub(super) async fn item(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
    Query(also): Query<Also>,
) -> Result<Response<Body>, Problem> {
    show(&app, &visitor, &ItemId(id), also.fence, &wanted, also.said.as_deref(), Outcome::default()).await
}

/// Draws an item for a visitor.
pub(super) async fn show(
    app: &App,
    visitor: &Visitor,
    id: &ItemId,
    fence: Option<i64>,
    wanted: &Wanted,
    said: Option<&str>,
    outcome: Outcome,
) -> Result<Response<Body>, Problem> {
    let now = (app.clock)();
    let item = app.store.item(id, now).await?.ok_or_else(|| Problem::unknown("item of that name"))?;
    let labels = app.store.labels(std::slice::from_ref(id)).await?;
    let (lease, lost) = match fence {
        None => (None, None),
        Some(fence) => {
            let old = Lease { item: id.clone(), reviewer: visitor.name.clone(), fence, until: now };
            match app.store.renew(&old, now, app.lease).await? {
                Ok(lease) => (Some(lease), None),
                Err(refused) => (None, Some(super::sentence(&refused.to_string()))),
            }
        }
    };
    let was_told = app.store.saw(id, &visitor.name).await?;
    let view = View::of(&item, &labels, visitor.viewer(), lease.as_ref(), was_told);
    // Written down before it is sent: nobody reads what the trail does not name, and nobody is told what the check says
    // and answers as one who was not.
    app.seen(&visitor.name, "read", Some(id), Some(&item), &visitor.from).await?;
    if let Some(what) = view.tells() {
        app.seen(&visitor.name, what, Some(id), Some(&item), &visitor.from).await?;
    }
    let draft = match outcome.draft {
        Some(draft) => draft,
        None => app.store.draft(id, &visitor.name).await?.map(|text| Draft::of(&text)).unwrap_or_default(),
    };
    let text = outcome.trouble.or(lost.filter(|_| view.mine.is_none()));
    let status = outcome.status.unwrap_or(StatusCode::OK);
    let quarantine = Quarantine::of(app, visitor, &item, view.proposal.is_some()).await?;
    let restricted = quarantine.as_ref().and_then(Quarantine::restricts);
    let content = match &restricted {
        Some(why) => Err(why.clone()),
        None => content(app, item.content.as_deref()).await?,
    };
    let purged = app.store.purged(&item.content.as_deref().into_iter().collect::<Vec<_>>()).await?;
    let baseline = match &item.baseline {
        _ if restricted.is_some() => None,
        Some(digest) => self::content(app, Some(digest)).await?.ok(),
        None => None,
    };
    let page = Page {
        check: item.key.check.clone(),
        suite: item.key.suite.clone(),
        case: item.case.clone(),
        trial: item.trial.clone(),
        session_id: item.session_id.clone(),
        run: item.run.clone(),
        level: name_of(&item.level),
        severity: severity_name(item.severity),
        subject: view::subject(item.key.subject),
        tags: item.tags.clone(),
        question: item.question.clone(),
        rubric: item.rubric.clone(),
        reviewers: item.reviewers,
        status: item.status.name(),
        decision: item.decision.map(|d| d.name()),
        decided_by: item.decided.iter().flat_map(|by| by.names()).map(str::to_owned).collect(),
        waits: span(now - item.created),
        due: item.due.map(when),
        overdue: item.decision.is_none() && item.due.is_some_and(|due| due < now),
        held: lease.map(|l| Held { fence: l.fence, until: when(l.until), left: l.until - now }),
        draft,
        submission: secret::token()?.into(),
        reasons: SkipReason::ALL.map(|r| Reason { name: r.name(), words: r.words() }).into(),
        trouble: text,
        case_made: outcome.case,
        makes_cases: app.suites.is_some(),
        query: wanted.address(),
        wanted: wanted.clone(),
        missing: content.as_ref().err().cloned(),
        purged: !purged.is_empty(),
        quarantine,
        baseline: baseline.is_some(),
        blocks: blocks(app, &item, &view, content.ok().as_deref(), baseline.as_deref(), visitor),
        id: item.id.to_string(),
        view,
    };
    let title = format!("{}: {}", page.check, page.case);
    Ok(pages::draw(status, "item.html", &Frame::of(visitor, "item", &title).said(said), &page))
}

/// What the program of the page draws.
fn blocks(
    app: &App,
    item: &Item,
    view: &View,
    content: Option<&[u8]>,
    baseline: Option<&[u8]>,
    visitor: &Visitor,
) -> Vec<Value> {
    let (differences, unread) = match view::differences(item.against.as_deref()) {
        Ok(drawn) => (drawn, None),
        Err(why) => (json!([]), Some(why)),
    };
    let data = json!({
        "item": item.id.as_str(),
        "csrf": visitor.csrf,
        "lease_ms": app.lease,
        "checks": [{ "id": item.key.check }],
        "verdicts": [{ "check": 0, "findings": [view.finding(item)] }],
        "differences": differences,
        "unread": unread,
    });
    let mut blocks = vec![pages::block("review", data.to_string().as_bytes())];
    blocks.extend(content.map(|line| pages::block("session", line)));
    blocks.extend(baseline.map(|line| pages::block("baseline", line)));
    blocks
}

/// The line of a session. The inner `Err` says why it cannot be shown.
async fn content(app: &App, digest: Option<&str>) -> Result<Result<Vec<u8>, String>, Problem> {
    let Some(digest) = digest else {
        return Ok(Err("The run did not keep this session, so there is nothing to read here.".to_owned()));
    };
    let Some(line) = app.store.content(digest).await? else {
        return Ok(Err(
            "The content of this session was purged: it was kept as long as the settings say. Its verdict and \
                       digest are still here."
                .to_owned(),
        ));
    };
    Ok(if line.len() > MAX_SHOWN {
        let mib = line.len() >> 20;
        Err(format!(
            "This session is {mib} MiB long, more than a page can show. Save it to read it with `seatrial show`."
        ))
    } else if serde_json::from_slice::<&serde_json::value::RawValue>(&line).is_err() {
        Err("What was kept of this session cannot be read: it is no JSON.".to_owned())
    } else {
        Ok(line)
    })
}

fn name_of(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// `GET /item/{id}/session.jsonl`: the session to save, as it was kept.
pub(super) async fn session(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response<Body>, Problem> {
    let id = ItemId(id);
    let now = (app.clock)();
    let item = app.store.item(&id, now).await?.ok_or_else(|| Problem::unknown("item of that name"))?;
    if let Some(why) = restricted(&app, &visitor, &item).await? {
        return Err(Problem::new(StatusCode::FORBIDDEN, "Under quarantine", why));
    }
    app.seen(&visitor.name, "save", Some(&id), Some(&item), &visitor.from).await?;
    let digest = item.content.ok_or_else(|| Problem::unknown("kept session of this item"))?;
    let mut line =
        app.store.content(&digest).await?.ok_or_else(|| Problem::unknown("content of this session any more"))?;
    line.push(b'\n');
    let mut response = pages::answer(StatusCode::OK, "application/x-ndjson", line);
    // Saved, never shown: what is in it is hostile.
    let name = HeaderValue::from_static("attachment; filename=\"session.jsonl\"");
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    Ok(response)
}
