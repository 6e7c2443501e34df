//! `POST /chat`: a message in, the reply out, as JSON or in pieces as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use super::serve::{Demo, Heard};
use super::turn::{Done, MODEL};

/// A message.
#[derive(Debug, Deserialize)]
pub struct Message {
    message: String,
    session_id: Option<String>,
    #[serde(default)]
    stream: bool,
}

pub async fn chat(State(demo): State<Arc<Demo>>, headers: HeaderMap, Json(message): Json<Message>) -> Response<Body> {
    let events = headers.get(ACCEPT).is_some_and(|a| a.as_bytes().starts_with(b"text/event-stream"));
    let heard = demo.hear(&headers, message.session_id, &message.message, "POST /chat");
    if let Some(refused) = demo.refuse(&heard).await {
        return refused;
    }
    let session = heard.session.clone();
    if !(message.stream || events) {
        if demo.resets(&heard) {
            return broken(Bytes::from_static(b"{\"reply\":\"I wi"));
        }
        return Json(whole(&session, &demo.turn(heard, None).await)).into_response();
    }
    let piece = |text: &str| json!({ "delta": text }).to_string();
    stream(demo, heard, piece, move |done| {
        let mut last = whole(&session, done);
        last["done"] = true.into();
        vec![last.to_string()]
    })
}

fn whole(session: &str, done: &Done) -> Value {
    let calls = done.steps.iter().map(|step| {
        let mut call = json!({ "id": step.id, "tool": step.tool, "arguments": step.arguments });
        match &step.result {
            Ok(value) => call["result"] = value.clone(),
            Err(why) => call["error"] = why.as_str().into(),
        }
        call
    });
    json!({
        "reply": done.reply,
        "session_id": session,
        "tool_calls": calls.collect::<Vec<_>>(),
        "usage": { "input_tokens": done.input_tokens, "output_tokens": done.output_tokens },
        "model": MODEL,
    })
}

/// Answers with server-sent events: one a piece, then `last`.
pub(super) fn stream(
    demo: Arc<Demo>,
    heard: Heard,
    piece: impl Fn(&str) -> String + Send + Sync + 'static,
    last: impl FnOnce(&Done) -> Vec<String> + Send + 'static,
) -> Response<Body> {
    let event = |data: String| Bytes::from(format!("data: {data}\n\n"));
    if demo.resets(&heard) {
        return broken(event(piece("I will")));
    }
    let (sender, mut words) = unbounded_channel::<String>();
    let (out, pieces) = unbounded_channel::<Bytes>();
    tokio::spawn(async move {
        let turn = demo.turn(heard, Some(sender));
        let forward = async {
            while let Some(word) = words.recv().await {
                let _ = out.send(event(piece(&word)));
            }
        };
        let (done, ()) = tokio::join!(turn, forward);
        last(&done).into_iter().for_each(|data| {
            let _ = out.send(event(data));
        });
    });
    let pieces = futures_util::stream::unfold(pieces, |mut pieces| async {
        let piece = pieces.recv().await?;
        Some((Ok::<_, Infallible>(piece), pieces))
    });
    events(Body::from_stream(pieces))
}

/// An answer that ends in the middle.
fn broken(before: Bytes) -> Response<Body> {
    let end = async {
        // What came before is on its way by then.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    };
    let pieces = futures_util::stream::iter([Ok(before)]).chain(futures_util::stream::once(end));
    events(Body::from_stream(pieces))
}

fn events(body: Body) -> Response<Body> {
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// `GET /state`: the world of a session.
pub async fn state(
    State(demo): State<Arc<Demo>>,
    axum::extract::Query(of): axum::extract::Query<Session>,
) -> Response<Body> {
    Json(demo.state(&of.session_id)).into_response()
}

/// `POST /reset`: a fresh world for a session.
pub async fn reset(State(demo): State<Arc<Demo>>, Json(of): Json<Session>) -> Response<Body> {
    demo.reset(&of.session_id);
    StatusCode::NO_CONTENT.into_response()
}

/// A session by its id.
#[derive(Debug, Deserialize)]
pub struct Session {
    session_id: String,
}
