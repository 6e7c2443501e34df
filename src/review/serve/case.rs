//! An item becomes a regression case of its suite, by one key: the files are written on this machine, and shown.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};

use super::item::{Case, Outcome, show};
use super::problem::Problem;
use super::queue::Wanted;
use super::view::View;
use super::who::Form;
use super::{App, sentence};
use crate::ledger::ItemId;
use crate::review::regression::RegressionError;
use crate::review::suites::CaseError;

/// `POST /item/{id}/case`
pub(super) async fn case(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response<Body>, Problem> {
    let (id, wanted) = (ItemId(id), Wanted::of(&form));
    let outcome = match make(&app, &form, &id).await? {
        Ok(case) => Outcome { status: Some(StatusCode::CREATED), case: Some(case), ..Outcome::default() },
        Err((status, why)) => {
            let trouble = Some(format!("No case was made: {why}"));
            Outcome { status: Some(status), trouble, ..Outcome::default() }
        }
    };
    show(&app, &form.visitor, &id, None, &wanted, None, outcome).await
}

/// Makes the case. The inner `Err` says why none was made, and with which status that is answered.
async fn make(app: &App, form: &Form, id: &ItemId) -> Result<Result<Case, (StatusCode, String)>, Problem> {
    let now = (app.clock)();
    let refused = |why: &str| Ok(Err((StatusCode::CONFLICT, why.to_owned())));
    let item = app.store.item(id, now).await?.ok_or_else(|| Problem::unknown("item of that name"))?;
    let labels = app.store.labels(std::slice::from_ref(id)).await?;
    // What is written says what was decided: whoever makes it has answered, or all is decided.
    if View::of(&item, &labels, form.visitor.viewer(), None, false).proposal.is_none() {
        return refused("answer the item first.");
    }
    let Some(suites) = app.suites.clone() else {
        return refused("this server was started without `--suites DIR`, the folder of suites to write to.");
    };
    if let Some(why) = super::quarantine::restricted(app, &form.visitor, &item).await? {
        return refused(&why);
    }
    let content = match &item.content {
        Some(digest) => app.store.content(digest).await?,
        None => None,
    };
    let Some(session) = content else {
        return refused("the session is not in the store: it was not kept, or is kept no longer.");
    };
    app.seen(&form.visitor.name, "case", Some(id), Some(&item), &form.visitor.from).await?;
    let making = tokio::task::spawn_blocking(move || suites.make(&item, &session, now));
    let ended = making.await.map_err(|why| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "A bug in seatrial", format!("No case was made: {why}."))
    })?;
    Ok(match ended {
        Ok(made) => {
            let suite = made.made.declared.then(|| made.suite.display().to_string());
            let files = suite.into_iter().chain([made.made.recording.display().to_string()]).collect();
            Ok(Case { id: made.made.case, files, notes: made.made.notes.iter().map(|note| sentence(note)).collect() })
        }
        Err(why) => {
            let status = match &why {
                CaseError::Regression(RegressionError::Io { .. }) => StatusCode::INTERNAL_SERVER_ERROR,
                CaseError::Suite(_) | CaseError::Regression(_) => StatusCode::CONFLICT,
            };
            Err((status, format!("{}.", why.to_string().trim_end_matches('.'))))
        }
    })
}
