//! OTLP over HTTP: bodies in protobuf or JSON, packed by gzip or not.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, Response};
use futures_util::StreamExt;

use super::answer::{Refusal, Signal, Taken, media_type};
use super::inbox::{Inbox, Room};
use super::spool::Encoding;
use super::unpack;

/// How long a request may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);
/// A request larger than this is worked on beside those who wait for connections.
const SMALL: usize = 16 << 10;

/// A request of spans.
pub(super) async fn traces(State(inbox): State<Arc<Inbox>>, request: Request<Body>) -> Response<Body> {
    export(inbox, Signal::Traces, request).await
}

/// A request of log records.
pub(super) async fn logs(State(inbox): State<Arc<Inbox>>, request: Request<Body>) -> Response<Body> {
    export(inbox, Signal::Logs, request).await
}

/// A request of metrics.
pub(super) async fn metrics(State(inbox): State<Arc<Inbox>>, request: Request<Body>) -> Response<Body> {
    export(inbox, Signal::Metrics, request).await
}

async fn export(inbox: Arc<Inbox>, signal: Signal, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    // An answer is written as its request is; one that is written in an unknown way is answered in JSON.
    let encoding = encoding(&head.headers);
    let taken = match &encoding {
        Ok(encoding) => accept(inbox.clone(), signal, *encoding, &head.headers, body).await,
        Err(refusal) => Err(refusal.clone()),
    };
    let encoding = encoding.unwrap_or(Encoding::Json);
    match taken {
        Ok(taken) => taken.http(signal, encoding),
        Err(refusal) => {
            inbox.refused();
            refusal.http(encoding)
        }
    }
}

async fn accept(
    inbox: Arc<Inbox>,
    signal: Signal,
    encoding: Encoding,
    headers: &HeaderMap,
    body: Body,
) -> Result<Taken, Refusal> {
    let packed = match headers.get(CONTENT_ENCODING).map(|v| v.as_bytes()) {
        None | Some(b"" | b"identity") => false,
        Some(b"gzip") => true,
        Some(other) => {
            let other = String::from_utf8_lossy(other);
            return Err(Refusal::Unsupported(format!("content encoding `{}`: gzip or none", shown(&other))));
        }
    };
    let mut room = Room::default();
    let body = collect(&inbox, &mut room, body).await?;
    if signal == Signal::Metrics {
        inbox.metrics();
        return Ok(Taken::default());
    }
    take(inbox, room, encoding, packed, body).await
}

/// Unpacks a request where it is packed, and takes it.
pub(super) async fn take(
    inbox: Arc<Inbox>,
    mut room: Room,
    encoding: Encoding,
    packed: bool,
    body: Vec<u8>,
) -> Result<Taken, Refusal> {
    let small = body.len() < SMALL && !packed;
    let mut work = move || {
        let unpacked = if packed { Some(unpack::gzip(&inbox, &mut room, &body)?) } else { None };
        inbox.take(encoding, unpacked.as_deref().unwrap_or(&body))
    };
    if small {
        return work();
    }
    let broken = |_| Refusal::Malformed("it could not be read, which is a bug in seatrial".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(broken)?
}

/// Reads a body, as far as it may be large and there is room.
pub(super) async fn collect(inbox: &Inbox, room: &mut Room, body: Body) -> Result<Vec<u8>, Refusal> {
    let whole = async {
        let (mut all, mut pieces, mut roomy) = (Vec::new(), body.into_data_stream(), 0);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|why| Refusal::Malformed(format!("the body ends early: {why}")))?;
            let len = all.len() + piece.len();
            if len > inbox.largest() {
                return Err(unpack::too_large(inbox.largest()));
            }
            if len > roomy {
                // Some at a time, for requests come in small pieces.
                let more = (len - roomy).max(64 << 10);
                inbox.make_room(room, more)?;
                roomy += more;
            }
            all.extend_from_slice(&piece);
        }
        Ok(all)
    };
    let late = |_| Refusal::Timeout(format!("the body did not arrive within {} s", ARRIVES_WITHIN.as_secs()));
    tokio::time::timeout(ARRIVES_WITHIN, whole).await.map_err(late)?
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let given = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    let known = [Encoding::Protobuf, Encoding::Json].into_iter().find(|e| essence.eq_ignore_ascii_case(media_type(*e)));
    known.ok_or_else(|| {
        let known = "application/x-protobuf or application/json";
        Refusal::Unsupported(format!("content type `{}`: {known}", shown(essence)))
    })
}

/// What a request says, short and without what a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
