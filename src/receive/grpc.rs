//! OTLP over gRPC. Its requests are those of HTTP in protobuf with five bytes before them, so that they are spooled and
//! decoded as they are, and not twice.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tonic::Status;

use super::answer::{Refusal, Signal, Taken};
use super::http::{collect, shown, take};
use super::inbox::{Inbox, Room};
use super::spool::Encoding;

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
    match accept(&inbox, signal, request).await {
        Ok(taken) => answer(&taken),
        Err(refusal) => {
            inbox.refused();
            refusal.grpc().into_http()
        }
    }
}

async fn accept(inbox: &Arc<Inbox>, signal: Signal, request: Request<Body>) -> Result<Taken, Refusal> {
    let (head, body) = request.into_parts();
    let given = head.headers.get(CONTENT_TYPE).map(|v| v.as_bytes()).unwrap_or_default();
    if !given.starts_with(b"application/grpc") {
        return Err(Refusal::Unsupported("this is a method of gRPC".to_owned()));
    }
    let mut room = Room::default();
    let mut body = collect(inbox, &mut room, body).await?;
    if signal == Signal::Metrics {
        inbox.metrics();
        return Ok(Taken::default());
    }
    let packed = message(&mut body, &head.headers)?;
    take(inbox.clone(), room, Encoding::Protobuf, packed, body).await
}

/// Leaves the one message of a body; whether it is packed.
fn message(body: &mut Vec<u8>, headers: &HeaderMap) -> Result<bool, Refusal> {
    let malformed = |what: &str| Refusal::Malformed(what.to_owned());
    let Some((&[flag, a, b, c, d], rest)) = body.split_first_chunk::<5>() else {
        return Err(malformed("a body without a message"));
    };
    if rest.len() != u32::from_be_bytes([a, b, c, d]) as usize {
        return Err(malformed("a body that is not one whole message"));
    }
    let packed = match flag {
        0 => false,
        1 => {
            let given = headers.get("grpc-encoding").and_then(|v| v.to_str().ok()).unwrap_or_default();
            if given != "gzip" {
                return Err(Refusal::Unsupported(format!("grpc-encoding `{}`: gzip or none", shown(given))));
            }
            true
        }
        _ => return Err(malformed("a message with an unknown flag")),
    };
    body.drain(..5);
    Ok(packed)
}

fn answer(taken: &Taken) -> Response<Body> {
    let message = taken.protobuf();
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or_default().to_be_bytes());
    framed.extend_from_slice(&message);
    let trailers = async {
        let mut trailers = HeaderMap::new();
        // A status without a message always fits into headers.
        let _ = Status::ok("").add_header(&mut trailers);
        Some(Ok(trailers))
    };
    let mut response = Response::new(Body::new(Full::from(framed).with_trailers(trailers)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
