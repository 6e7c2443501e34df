//! What goes wrong with an MCP server, by our names.

use std::error::Error;
use std::time::Duration;

use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::streamable_http_client::{HttpStatusError, StreamableHttpError};

use crate::agents::wire::clipped;
use crate::net::{Cause, Trouble};

/// Why no session could be opened.
pub fn of_opening(error: &ClientInitializeError) -> Trouble {
    let cause = match error {
        ClientInitializeError::ConnectionClosed(_) => Cause::Reset,
        ClientInitializeError::TransportError { error, .. } => return of_transport(error.error.as_ref()),
        ClientInitializeError::JsonRpcError(_) => Cause::Refused,
        _ => Cause::Malformed,
    };
    Trouble::new(cause, format!("no session with the MCP server: {}", clipped(&error.to_string())))
}

/// Why a request was not answered.
pub fn of_service(error: &ServiceError) -> Trouble {
    let cause = match error {
        ServiceError::TransportSend(error) => return of_transport(error.error.as_ref()),
        ServiceError::TransportClosed | ServiceError::Cancelled { .. } => Cause::Reset,
        ServiceError::Timeout { .. } => Cause::Timeout,
        _ => Cause::Malformed,
    };
    Trouble::new(cause, format!("the MCP server did not answer: {}", clipped(&error.to_string())))
}

/// What the transport says, which is found in what it was caused by.
fn of_transport(error: &(dyn Error + 'static)) -> Trouble {
    let mut message = error.to_string();
    let (mut cause, mut retry_after, mut inner) = (Cause::Reset, None, Some(error));
    while let Some(why) = inner {
        if let Some(error) = why.downcast_ref::<reqwest::Error>() {
            cause = if error.is_connect() { Cause::Unreachable } else { cause };
        }
        if let Some(error) = why.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
            cause = of_http(error);
            if let StreamableHttpError::Client(error) = error {
                cause = if error.is_connect() { Cause::Unreachable } else { cause };
            }
            if let StreamableHttpError::HttpStatus(status) = error {
                (cause, retry_after) = of_status(status);
            }
        } else if let Some(status) = why.downcast_ref::<HttpStatusError>() {
            (cause, retry_after) = of_status(status);
        }
        inner = why.source();
        if let Some(why) = inner {
            message = format!("{message}: {why}");
        }
    }
    Trouble { retry_after, ..Trouble::new(cause, format!("the MCP server: {}", clipped(&message))) }
}

fn of_http(error: &StreamableHttpError<reqwest::Error>) -> Cause {
    match error {
        StreamableHttpError::ResponseBodyTooLarge { .. } => Cause::TooLarge,
        StreamableHttpError::Sse(_)
        | StreamableHttpError::UnexpectedContentType(_)
        | StreamableHttpError::Deserialize(_)
        | StreamableHttpError::UnexpectedServerResponse(_)
        | StreamableHttpError::MissingSessionIdInResponse => Cause::Malformed,
        StreamableHttpError::AuthRequired(_) | StreamableHttpError::InsufficientScope(_) => Cause::Refused,
        _ => Cause::Reset,
    }
}

fn of_status(error: &HttpStatusError) -> (Cause, Option<Duration>) {
    let cause = match error.status {
        429 | 503 | 529 => Cause::Busy,
        500.. => Cause::Server,
        _ => Cause::Refused,
    };
    let seconds = error.retry_after.as_ref().and_then(|text| text.trim().parse().ok());
    (cause, seconds.map(Duration::from_secs))
}
