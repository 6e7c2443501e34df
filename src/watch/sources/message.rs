//! What is in a message or a row: a session of any format, or a request of telemetry.

use std::path::Path;

use super::{Intake, Whole};
use crate::formats::{Decode, FORMATS, Head, Layout};
use crate::model::{LeftOut, Problem};
use crate::receive::homes::Untaken;

/// How much of it is looked at to tell its format, in bytes.
const LOOKED_AT: usize = 64 << 10;

/// Takes what is in a message. `index` and `stem` name a session that carries no id.
///
/// # Errors
/// There is no room for it now; it has to be handed over again.
pub fn take(bytes: Vec<u8>, index: u64, stem: &str, intake: &mut Intake<'_>) -> Result<(), String> {
    let size = bytes.len().max(1);
    match decoder(&bytes) {
        Err(problem) => intake.left_out.push(Problem { message: format!("{stem}: {}", problem.message), ..problem }),
        Ok(Decode::Records(_)) => match intake.request(&bytes) {
            Ok(()) => {}
            Err(Untaken::Unusable(why)) => {
                intake.left_out.push(Problem::new(LeftOut::Malformed, format!("{stem}: {why}")));
            }
            Err(Untaken::Later(why)) => return Err(why),
        },
        Ok(decoder) => {
            let bytes = bytes.trim_ascii().to_vec();
            intake.sessions.push(Whole { bytes, decoder, index, stem: stem.into() });
        }
    }
    intake.room = intake.room.saturating_sub(size);
    Ok(())
}

/// How a message is decoded.
fn decoder(bytes: &[u8]) -> Result<Decode, Problem> {
    if bytes.trim_ascii().is_empty() {
        return Err(Problem::new(LeftOut::Empty, "there is nothing in it"));
    }
    let head = &bytes[..bytes.len().min(LOOKED_AT)];
    let head = Head { path: Path::new("-"), bytes: head, whole: head.len() == bytes.len() };
    let known = FORMATS.iter().find_map(|format| Some((format, format.sniff(&head)?)));
    let Some((format, layout)) = known else {
        return Err(Problem::new(LeftOut::UnknownFormat, "no format recognises it"));
    };
    match layout {
        Layout::Lines | Layout::Values => format.decoder(&[]),
        // A request of telemetry is one of these.
        _ => match format.decoder(&[]) {
            Ok(decoder @ Decode::Records(_)) => Ok(decoder),
            _ => Err(Problem::new(LeftOut::Malformed, "it holds many sessions; one is what a message or a row has")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_session_or_a_request_and_nothing_else() {
        let kind = |text: &str| match decoder(text.as_bytes()) {
            Ok(Decode::Sessions(_)) => "session".to_owned(),
            Ok(Decode::Records(_)) => "request".to_owned(),
            Err(problem) => problem.kind.name().to_owned(),
        };
        assert_eq!(kind(r#"{"id":"a","turns":[]}"#), "session");
        assert_eq!(kind("{\n \"id\": \"a\",\n \"turns\": []\n}\n"), "session");
        assert_eq!(kind(r#"[{"id":"a","turns":[]}]"#), "malformed");
        assert_eq!(kind(r#"{"resourceSpans":[]}"#), "request");
        assert_eq!(kind("  "), "empty");
        assert_eq!(kind("hello"), "unknown_format");
    }
}
