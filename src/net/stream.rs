//! Reading a reply piece by piece: server-sent events, and lines. The whole is bounded, and so is every piece.

use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use sse_stream::SseStream;

use super::{Cause, Trouble};

/// A piece of a reply: an event's data, or a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What kind of event the sender says it is (`event:`); lines have none.
    pub kind: Option<String>,
    /// What it says.
    pub data: String,
}

/// A reply as it comes, of which no more than `most` bytes are read.
pub fn bounded(reply: reqwest::Response, most: usize) -> impl Stream<Item = Result<Bytes, Trouble>> + Send {
    let mut read = 0;
    reply.bytes_stream().map(move |piece| {
        let piece = piece?;
        read += piece.len();
        match read > most {
            true => Err(Trouble::new(Cause::TooLarge, format!("the stream is longer than {most} bytes"))),
            false => Ok(piece),
        }
    })
}

/// The server-sent events of a reply that have data.
pub fn events(reply: reqwest::Response, most: usize) -> BoxStream<'static, Result<Event, Trouble>> {
    let events = SseStream::from_bytes_stream(Box::pin(bounded(reply, most)));
    let events = events.filter_map(|event| async move {
        match event {
            Ok(event) => event.data.map(|data| Ok(Event { kind: event.event, data })),
            Err(why) => Some(Err(trouble(why))),
        }
    });
    events.boxed()
}

fn trouble(error: sse_stream::Error) -> Trouble {
    match error {
        sse_stream::Error::Body(why) => match why.downcast::<Trouble>() {
            Ok(trouble) => *trouble,
            Err(why) => Trouble::new(Cause::Reset, why.to_string()),
        },
        other => Trouble::new(Cause::Malformed, format!("not a stream of events: {other}")),
    }
}

/// The lines of a reply, empty ones left out.
pub fn lines(reply: reqwest::Response, most: usize) -> BoxStream<'static, Result<Event, Trouble>> {
    struct State<S> {
        pieces: S,
        rest: BytesMut,
        /// How much of the rest is known to have no end of a line in it.
        searched: usize,
        over: bool,
    }
    let begin = State { pieces: bounded(reply, most).boxed(), rest: BytesMut::new(), searched: 0, over: false };
    let lines = futures_util::stream::try_unfold(begin, |mut state| async move {
        loop {
            let end = memchr::memchr(b'\n', &state.rest[state.searched..]).map(|at| state.searched + at);
            let line = match end {
                Some(end) => {
                    state.searched = 0;
                    state.rest.split_to(end + 1)
                }
                None if state.over && state.rest.is_empty() => return Ok(None),
                None if state.over => std::mem::take(&mut state.rest),
                None => {
                    state.searched = state.rest.len();
                    match state.pieces.next().await {
                        Some(piece) => state.rest.extend_from_slice(&piece?),
                        None => {
                            state.over = true;
                            state.searched = 0;
                        }
                    }
                    continue;
                }
            };
            let text = std::str::from_utf8(&line)
                .map_err(|_| Trouble::new(Cause::Malformed, "a line of the reply is not UTF-8"))?;
            if !text.trim().is_empty() {
                let data = text.trim().to_owned();
                return Ok(Some((Event { kind: None, data }, state)));
            }
        }
    });
    lines.boxed()
}
