//! What is answered to a request of telemetry, as OTLP has it over HTTP and over gRPC.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use prost::encoding;
use tonic::{Code, Status};

use super::spool::Encoding;

/// A request that was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// How much of it could not be read.
    pub unread: u64,
    /// Why, of the first of it.
    pub why: String,
}

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is larger than may be.
    TooLarge(String),
    /// It is written in a way that is not read.
    Unsupported(String),
    /// Nothing of it can be read.
    Malformed(String),
    /// It did not come whole in time.
    Timeout(String),
    /// It may come again after a while.
    Busy(String, Duration),
    /// The disk does not take it; it may come again after a while.
    Disk(String, Duration),
}

/// What requests are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Metrics.
    Metrics,
}

impl Signal {
    /// How what was rejected is called in JSON.
    const fn rejected(self) -> &'static str {
        match self {
            Self::Traces => "rejectedSpans",
            Self::Logs => "rejectedLogRecords",
            Self::Metrics => "rejectedDataPoints",
        }
    }
}

/// The media type of a request or an answer over HTTP.
pub(super) const fn media_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    }
}

impl Taken {
    /// `ExportTraceServiceResponse`, and those of the other signals: all have the same numbers.
    pub(super) fn protobuf(&self) -> Vec<u8> {
        let mut message = Vec::new();
        if self.unread > 0 {
            let mut partial = Vec::new();
            encoding::int64::encode(1, &i64::try_from(self.unread).unwrap_or(i64::MAX), &mut partial);
            encoding::string::encode(2, &self.why, &mut partial);
            encoding::bytes::encode(1, &partial, &mut message);
        }
        message
    }

    /// The answer over HTTP.
    pub(super) fn http(&self, signal: Signal, encoding: Encoding) -> Response<Body> {
        let body = match encoding {
            Encoding::Protobuf => self.protobuf(),
            Encoding::Json if self.unread == 0 => b"{}".to_vec(),
            Encoding::Json => {
                let partial =
                    serde_json::json!({ signal.rejected(): self.unread.to_string(), "errorMessage": self.why });
                serde_json::json!({ "partialSuccess": partial }).to_string().into_bytes()
            }
        };
        answer(StatusCode::OK, encoding, body)
    }
}

impl Refusal {
    /// To come again `after`.
    pub(super) fn busy(message: impl Into<String>, after: Duration) -> Self {
        Self::Busy(message.into(), after)
    }

    fn message(&self) -> &str {
        match self {
            Self::TooLarge(m) | Self::Unsupported(m) | Self::Malformed(m) | Self::Timeout(m) => m,
            Self::Busy(m, _) | Self::Disk(m, _) => m,
        }
    }

    /// When it may come again.
    const fn after(&self) -> Option<Duration> {
        match self {
            Self::Busy(_, after) | Self::Disk(_, after) => Some(*after),
            _ => None,
        }
    }

    /// The answer over HTTP: exporters send again what is told 429 or 503, and nothing else.
    pub(super) fn http(&self, encoding: Encoding) -> Response<Body> {
        let (status, code) = match self {
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidArgument),
            Self::Unsupported(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, Code::InvalidArgument),
            Self::Timeout(_) => (StatusCode::REQUEST_TIMEOUT, Code::DeadlineExceeded),
            Self::Busy(..) => (StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted),
            Self::Disk(..) => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
        };
        let body = match encoding {
            Encoding::Protobuf => rpc_status(code, self.message(), None),
            Encoding::Json => {
                serde_json::json!({ "code": code as i32, "message": self.message() }).to_string().into_bytes()
            }
        };
        let mut response = answer(status, encoding, body);
        if let Some(after) = self.after() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }

    /// The answer over gRPC: exporters send again what is unavailable, and what is exhausted when they are told when.
    pub(super) fn grpc(&self) -> Status {
        let code = match self {
            Self::TooLarge(_) | Self::Malformed(_) => Code::InvalidArgument,
            Self::Unsupported(_) => Code::Unimplemented,
            Self::Timeout(_) => Code::DeadlineExceeded,
            Self::Busy(..) => Code::ResourceExhausted,
            Self::Disk(..) => Code::Unavailable,
        };
        let details = self.after().map(|after| rpc_status(code, self.message(), Some(after)));
        Status::with_details(code, self.message(), details.unwrap_or_default().into())
    }
}

fn answer(status: StatusCode, encoding: Encoding, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type(encoding)));
    response
}

/// `google.rpc.Status`, with a `RetryInfo` where it says when to come again.
fn rpc_status(code: Code, message: &str, after: Option<Duration>) -> Vec<u8> {
    let mut status = Vec::new();
    encoding::int32::encode(1, &(code as i32), &mut status);
    encoding::string::encode(2, &message.to_owned(), &mut status);
    if let Some(after) = after {
        let (mut delay, mut info, mut any) = (Vec::new(), Vec::new(), Vec::new());
        encoding::int64::encode(1, &i64::try_from(after.as_secs()).unwrap_or(i64::MAX), &mut delay);
        encoding::bytes::encode(1, &delay, &mut info);
        encoding::string::encode(1, &"type.googleapis.com/google.rpc.RetryInfo".to_owned(), &mut any);
        encoding::bytes::encode(2, &info, &mut any);
        encoding::bytes::encode(3, &any, &mut status);
    }
    status
}
