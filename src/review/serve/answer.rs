//! What people do with an item: take it, answer, skip, decide, undo, give it back; and the drafts in between.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::response::{IntoResponse, Redirect};
use serde_json::json;

use super::item::{Draft, Outcome, show};
use super::problem::Problem;
use super::queue::Wanted;
use super::view::when;
use super::who::Form;
use super::{App, secret};
use crate::ledger::{Act, Answer, ItemId, Lease, SkipReason, Source, Submission};
use crate::store::db::Role;

/// Most characters of a comment.
pub const LONGEST_COMMENT: usize = 20_000;

/// Longest time that somebody is taken to have looked at an item, in seconds: the page was left open.
const LONGEST_LOOK: u32 = 4 * 3600;

pub(super) fn to(id: &ItemId, fence: Option<i64>, said: &str, wanted: &Wanted) -> Response<Body> {
    let fence = fence.map(|f| format!("fence={f}&")).unwrap_or_default();
    Redirect::to(format!("/item/{id}?{fence}said={said}&{}", wanted.address()).trim_end_matches('&')).into_response()
}

/// `POST /item/{id}/take`
pub(super) async fn take(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response<Body>, Problem> {
    let (id, wanted) = (ItemId(id), Wanted::of(&form));
    match app.store.claim_item(&id, &form.visitor.name, (app.clock)(), app.lease).await? {
        Ok((_, lease)) => Ok(to(&id, Some(lease.fence), "taken", &wanted)),
        Err(refused) => refuse(&app, &form, &id, &Problem::from(refused)).await,
    }
}

/// `POST /item/{id}/answer`
pub(super) async fn answer(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response<Body>, Problem> {
    let (id, wanted, now) = (ItemId(id), Wanted::of(&form), (app.clock)());
    let submission = match submission(&form) {
        Ok(submission) => submission,
        Err(text) => return incomplete(&app, &form, &id, text).await,
    };
    let fence = form.get("fence").parse().unwrap_or(-1);
    let lease = Lease { item: id.clone(), reviewer: form.visitor.name.clone(), fence, until: now };
    match app.store.submit(&lease, &submission, now).await? {
        Ok(_) => {
            app.store.drop_draft(&id, &form.visitor.name).await?;
            let skipped = matches!(submission.answer, Answer::Skip { .. });
            Ok(to(&id, None, if skipped { "skipped" } else { "answered" }, &wanted))
        }
        Err(refused) => refuse(&app, &form, &id, &Problem::from(refused)).await,
    }
}

/// `POST /item/{id}/decide`: an adjudicator's decision.
pub(super) async fn decide(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response<Body>, Problem> {
    form.visitor.must_be(Role::Adjudicator)?;
    let (id, wanted) = (ItemId(id), Wanted::of(&form));
    let submission = match submission(&form) {
        Ok(submission) => submission,
        Err(text) => return incomplete(&app, &form, &id, text).await,
    };
    match app.store.adjudicate(&id, &form.visitor.name, false, &submission, (app.clock)()).await? {
        Ok(_) => {
            app.store.drop_draft(&id, &form.visitor.name).await?;
            Ok(to(&id, None, "decided", &wanted))
        }
        Err(refused) => refuse(&app, &form, &id, &Problem::from(refused)).await,
    }
}

/// `POST /item/{id}/undo`
pub(super) async fn undo(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response<Body>, Problem> {
    let (id, wanted, now) = (ItemId(id), Wanted::of(&form), (app.clock)());
    let label = form.get("label");
    // A row of another item is none that this page showed.
    let labels = app.store.labels(std::slice::from_ref(&id)).await?;
    let Some(undone) = labels.iter().find(|l| l.id == label) else { return Err(Problem::unknown("such answer")) };
    let own = Submission {
        id: secret::token()?.into(),
        answer: undone.act.answer().unwrap_or(Answer::Pass),
        comment: String::new(),
        seconds: None,
        source: Source::Web,
        shown_proposal: None,
    };
    match app.store.undo(label, &form.visitor.name, false, &own, now).await? {
        Ok(_) => {
            // What was said is the draft of what will be said instead.
            if let Act::Label(answer) = undone.act {
                let reason = answer.skip_reason().map(SkipReason::name).unwrap_or_default();
                let draft = Draft {
                    answer: answer.name().to_owned(),
                    reason: reason.to_owned(),
                    comment: undone.comment.clone(),
                };
                app.store.save_draft(&id, &form.visitor.name, &draft.text(), now).await?;
            }
            // Whoever undoes wants to answer anew.
            let claimed = app.store.claim_item(&id, &form.visitor.name, now, app.lease).await?;
            let fence = claimed.ok().map(|(_, lease)| lease.fence);
            Ok(to(&id, fence, "undone", &wanted))
        }
        Err(refused) => Err(refused.into()),
    }
}

/// `POST /item/{id}/release`: gives it back without an answer.
pub(super) async fn release(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response<Body>, Problem> {
    let (id, wanted, now) = (ItemId(id), Wanted::of(&form), (app.clock)());
    let fence = form.get("fence").parse().unwrap_or(-1);
    save(&app, &form, &id, now).await?;
    app.store.release(&Lease { item: id, reviewer: form.visitor.name.clone(), fence, until: now }).await?;
    let query = wanted.address();
    Ok(Redirect::to(format!("/?said=released&{query}").trim_end_matches('&')).into_response())
}

/// `POST /item/{id}/renew`: a page that is open keeps its lease.
pub(super) async fn renew(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response<Body>, Problem> {
    let now = (app.clock)();
    let fence = form.get("fence").parse().unwrap_or(-1);
    let old = Lease { item: ItemId(id), reviewer: form.visitor.name.clone(), fence, until: now };
    Ok(match app.store.renew(&old, now, app.lease).await? {
        Ok(lease) => Json(json!({ "until": when(lease.until), "left": lease.until - now })).into_response(),
        Err(refused) => {
            let told = super::sentence(&refused.to_string());
            (StatusCode::CONFLICT, Json(json!({ "why": told }))).into_response()
        }
    })
}

/// `POST /item/{id}/draft`: keeps what somebody has begun, whether or not the item is still theirs.
pub(super) async fn draft(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response<Body>, Problem> {
    save(&app, &form, &ItemId(id), (app.clock)()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What a form says.
fn begun(form: &Form) -> Draft {
    let comment = form.get("comment").replace("\r\n", "\n");
    Draft {
        answer: form.get("answer").to_owned(),
        reason: form.get("reason").to_owned(),
        comment: comment.chars().take(LONGEST_COMMENT).collect(),
    }
}

async fn save(app: &App, form: &Form, id: &ItemId, now: i64) -> Result<Draft, Problem> {
    let draft = begun(form);
    if draft.is_empty() {
        app.store.drop_draft(id, &form.visitor.name).await?;
    } else {
        app.store.save_draft(id, &form.visitor.name, &draft.text(), now).await?;
    }
    Ok(draft)
}

/// What is submitted. `Err` says what is missing.
fn submission(form: &Form) -> Result<Submission, String> {
    let reason = match form.get("reason") {
        _ if form.get("answer") != "skip" => None,
        name => SkipReason::named(name),
    };
    let Some(answer) = Answer::named(form.get("answer"), reason) else {
        return Err(match form.get("answer") {
            "skip" => "Say why you skip it.".to_owned(),
            _ => "Choose an answer: pass, fail or skip.".to_owned(),
        });
    };
    if form.get("comment").chars().count() > LONGEST_COMMENT {
        return Err(format!("A comment has at most {LONGEST_COMMENT} characters; this one was cut."));
    }
    let name = form.get("submission");
    if name.len() != 26 || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Err("This form was not complete; send it again.".to_owned());
    }
    Ok(Submission {
        id: name.to_owned(),
        answer,
        comment: begun(form).comment,
        seconds: form.get("seconds").parse::<u32>().ok().filter(|s| *s > 0).map(|s| s.min(LONGEST_LOOK)),
        source: Source::Web,
        // The store knows what was shown.
        shown_proposal: None,
    })
}

/// The page again, with what is missing.
async fn incomplete(app: &App, form: &Form, id: &ItemId, text: String) -> Result<Response<Body>, Problem> {
    let draft = save(app, form, id, (app.clock)()).await?;
    let status = Some(StatusCode::UNPROCESSABLE_ENTITY);
    let outcome = Outcome { trouble: Some(text), status, draft: Some(draft), case: None };
    let fence = form.get("fence").parse().ok();
    show(app, &form.visitor, id, fence, &Wanted::of(form), None, outcome).await
}

/// The page again, with why it was refused; what was written is kept, here and in the store.
async fn refuse(app: &App, form: &Form, id: &ItemId, problem: &Problem) -> Result<Response<Body>, Problem> {
    if problem.status() == StatusCode::NOT_FOUND {
        return Err(problem.clone());
    }
    let draft = match begun(form) {
        draft if draft.is_empty() => None,
        _ => Some(save(app, form, id, (app.clock)()).await?),
    };
    let kept = if draft.is_some() { " Your draft is kept." } else { "" };
    let text = format!("{}{kept}", problem.text());
    let outcome = Outcome { trouble: Some(text), status: Some(problem.status()), draft, case: None };
    show(app, &form.visitor, id, None, &Wanted::of(form), None, outcome).await
}
