//! Reading a reply no further than it is wanted.

use bytes::Bytes;
use futures_util::StreamExt;

use super::{Cause, Trouble};

/// Reads a reply whole, up to `most` bytes.
pub async fn whole(reply: reqwest::Response, most: usize) -> Result<Vec<u8>, Trouble> {
    let too_large = || Trouble::new(Cause::TooLarge, format!("the reply is longer than {most} bytes"));
    if reply.content_length().is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let mut all = Vec::new();
    let mut pieces = reply.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece: Bytes = piece?;
        if all.len() + piece.len() > most {
            return Err(too_large());
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

/// The beginning of a reply, for a message: at most `most` bytes, control characters replaced.
pub async fn beginning(reply: reqwest::Response, most: usize) -> String {
    let mut all = Vec::new();
    let mut pieces = reply.bytes_stream();
    while let Some(Ok(piece)) = pieces.next().await {
        all.extend_from_slice(&piece);
        if all.len() >= most {
            all.truncate(most);
            break;
        }
    }
    let text = String::from_utf8_lossy(&all);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
