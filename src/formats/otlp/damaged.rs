//! A request in JSON with bytes that are not UTF-8: the texts in which they stand are damaged, and nothing beside them.
//!
//! As in protobuf, a value that is damaged is kept as bytes, so that no check takes what is left of it for what was said;
//! a name keeps its readable part. Each is counted.

use serde::Deserialize;

use super::json::Export;
use super::request::emit;
use crate::formats::telemetry::{Origin, Pairs, Record, Sink, Value};
use crate::model::{LeftOut, Problem, Text};

/// Stands where bytes were that are not UTF-8, until the records are there. Unicode promises that it is no character, so
/// that no text of anybody's has it.
const MARK: char = '\u{fdd0}';

/// Hands the records of a request to the sink. `problem` is why it cannot be read as it is; it comes back where damage
/// lies outside of any text, or where more than that is wrong.
pub(super) fn records<'a>(request: &'a [u8], problem: Problem, sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
    let mut text = String::with_capacity(request.len() + 64);
    for chunk in request.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(MARK);
        }
    }
    // From a reader nothing is borrowed, so that what is found outlives the text.
    let mut reader = serde_json::Deserializer::from_reader(text.as_bytes());
    match Export::deserialize(&mut reader) {
        Ok(export) if reader.end().is_ok() && export.is_any() => {
            emit(export, &mut Mended { sink });
            Ok(())
        }
        _ => Err(problem),
    }
}

/// Passes records on, the damaged texts in them mended.
struct Mended<'s, 'a> {
    sink: &'s mut dyn Sink<'a>,
}

impl<'a> Sink<'a> for Mended<'_, 'a> {
    fn origin(&mut self, origin: &Origin<'a>) {
        let (mut origin, mut damaged) = (origin.clone(), 0);
        pairs(&mut origin.resource, &mut damaged);
        name(&mut origin.scope, &mut damaged);
        name(&mut origin.version, &mut damaged);
        self.tell("a resource or scope", damaged);
        self.sink.origin(&origin);
    }

    fn record(&mut self, record: &Record<'a>) {
        let (mut record, mut damaged) = (record.clone(), 0);
        let (what, lost) = match &mut record {
            Record::Span(span) => {
                let lost = span.trace.contains(MARK) || span.id.contains(MARK);
                name(&mut span.name, &mut damaged);
                span.parent.iter_mut().for_each(|parent| name(parent, &mut damaged));
                span.status_message.iter_mut().for_each(|message| name(message, &mut damaged));
                pairs(&mut span.attributes, &mut damaged);
                for event in &mut span.events {
                    name(&mut event.name, &mut damaged);
                    pairs(&mut event.attributes, &mut damaged);
                }
                (format!("a span ({:?})", span.name.as_str()), lost)
            }
            Record::Log(log) => {
                let lost = [&log.trace, &log.span].into_iter().flatten().any(|id| id.contains(MARK));
                name(&mut log.name, &mut damaged);
                log.body.iter_mut().for_each(|body| value(body, &mut damaged));
                pairs(&mut log.attributes, &mut damaged);
                (format!("a log record ({:?})", log.name.as_str()), lost)
            }
        };
        if lost {
            let message = format!("{what} whose trace or span id is not UTF-8");
            return self.sink.problem(Problem::new(LeftOut::Malformed, message));
        }
        self.tell(&what, damaged);
        self.sink.record(&record);
    }

    fn problem(&mut self, problem: Problem) {
        let message = problem.message.replace(MARK, "\u{fffd}");
        self.sink.problem(Problem { message, ..problem });
    }
}

impl Mended<'_, '_> {
    /// Says that texts of `what` were damaged, if any were.
    fn tell(&mut self, what: &str, damaged: usize) {
        if damaged > 0 {
            let message = format!("{what} with {damaged} texts that are not UTF-8; kept as bytes");
            self.sink.problem(Problem::new(LeftOut::Malformed, message));
        }
    }
}

/// What can be read of a damaged name.
fn name(text: &mut Text<'_>, damaged: &mut usize) {
    if text.contains(MARK) {
        *damaged += 1;
        *text = text.replace(MARK, "\u{fffd}").into();
    }
}

fn pairs(pairs: &mut Pairs<'_>, damaged: &mut usize) {
    for (key, found) in pairs {
        name(key, damaged);
        value(found, damaged);
    }
}

/// Makes bytes of damaged texts. Recursion is bounded by the depth of the JSON.
fn value(found: &mut Value<'_>, damaged: &mut usize) {
    match found {
        Value::Text(text) if text.contains(MARK) => {
            name(text, damaged);
            *found = Value::Bytes(text.as_bytes().to_vec().into());
        }
        Value::Array(values) => values.iter_mut().for_each(|v| value(v, damaged)),
        Value::Map(inner) => pairs(inner, damaged),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::kept;
    use crate::formats::telemetry::{Record, Value, find};

    fn span(id: &[u8], name: &[u8], said: &[u8]) -> Vec<u8> {
        let parts: [&[u8]; 7] = [
            br#"{"traceId":"01","spanId":""#,
            id,
            br#"","name":""#,
            name,
            br#"","attributes":[{"key":"said","value":{"stringValue":""#,
            said,
            br#""}}]}"#,
        ];
        parts.concat()
    }

    fn request(spans: &[Vec<u8>]) -> Vec<u8> {
        let parts: [&[u8]; 3] =
            [br#"{"resourceSpans":[{"scopeSpans":[{"spans":["#, &spans.join(&b","[..]), br#"]}]}]}"#];
        parts.concat()
    }

    #[test]
    fn a_text_that_is_not_utf8_costs_itself_and_nothing_beside_it() {
        let bytes = request(&[
            span(b"01", b"good", b"caf\xc3\xa9 \xef\xbf\xbd"),
            span(b"02", b"bad", b"caf\xe9"),
            span(b"03", b"n\xffm", b"x"),
            span(b"0\xff", b"lost", b"x"),
        ]);
        let kept = kept(&bytes);
        let told: Vec<(String, Option<&Value<'_>>)> = kept
            .records
            .iter()
            .map(|(_, record)| match record {
                Record::Span(span) => (span.name.to_string(), find(&span.attributes, "said")),
                Record::Log(_) => panic!("a log record"),
            })
            .collect();
        let text = |t: &str| Value::Text(t.to_owned().into());
        let bytes = Value::Bytes("caf\u{fffd}".as_bytes().to_vec().into());
        assert_eq!(
            told,
            [
                ("good".to_owned(), Some(&text("café \u{fffd}"))),
                ("bad".to_owned(), Some(&bytes)),
                ("n\u{fffd}m".to_owned(), Some(&text("x"))),
            ]
        );
        assert_eq!(
            kept.told(),
            [
                "malformed: a span (\"bad\") with 1 texts that are not UTF-8; kept as bytes",
                "malformed: a span (\"n\u{fffd}m\") with 1 texts that are not UTF-8; kept as bytes",
                "malformed: a span (\"lost\") whose trace or span id is not UTF-8",
            ]
        );
    }

    #[test]
    fn damage_outside_of_texts_stays_one_problem_of_the_whole() {
        for bytes in [
            &b"{\"resourceSpans\":[\xff]}"[..],
            b"{\"resourceSpans\":[]}\xff",
            b"{\"x\":\"\xff\"}",
            b"{\"resourceSpans\":\"\xff",
        ] {
            let told = kept(bytes).told();
            assert!(told.len() == 1 && told[0].contains("not UTF-8 (byte "), "{told:?}");
        }
    }
}
