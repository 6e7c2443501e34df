//! Documents that cannot be read as a whole, read one by one: what is ill-typed is a named problem, and what stands beside
//! it is read.
//!
//! This is the slow way, taken when the quick one ([`mod@super::document`]) has failed: every list and every envelope is cut
//! into its parts as they are written, first.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::document::Documents;
use super::{MAX_WRAPPED, emit};
use crate::formats::telemetry::Sink;
use crate::formats::wire::{parse, parse_part};
use crate::model::{Problem, Text};

/// Deepest nesting of lists and envelopes that are told apart.
const MAX_DEPTH: usize = 8;

/// The members of an envelope that hold documents, as they are written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members<'a> {
    #[serde(borrow, default, alias = "logEvents", alias = "span_events")]
    events: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "raw_otel_json")]
    raw: Option<&'a RawValue>,
    #[serde(borrow, default)]
    results: Option<&'a RawValue>,
    #[serde(borrow, default)]
    evaluation_input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    session_spans: Option<&'a RawValue>,
    #[serde(borrow, default)]
    spans: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "session_id")]
    session: Option<&'a RawValue>,

    // Of a document: it is one, and no envelope.
    #[serde(borrow, default, alias = "span_id")]
    span_id: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "trace_id")]
    trace_id: Option<&'a RawValue>,
    /// To say which one it is.
    #[serde(borrow, default, alias = "eventName")]
    name: Option<&'a RawValue>,
}

/// Hands those records of an element to the sink that can be read, and a problem for everything else. `problem` is why
/// the whole cannot be read; it comes back where there is nothing that could be told apart.
pub(super) fn records<'a>(element: &'a [u8], problem: Problem, sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
    let Ok(raw) = parse::<&'a RawValue>(element) else { return Err(problem) };
    Reader { element, sink }.apart(raw, problem, None, MAX_DEPTH);
    Ok(())
}

struct Reader<'s, 'a> {
    element: &'a [u8],
    sink: &'s mut dyn Sink<'a>,
}

impl<'a> Reader<'_, 'a> {
    /// A document, a list of them or an envelope; `session` is what the envelopes around it say.
    fn documents(&mut self, raw: &'a RawValue, session: Option<&Text<'a>>, depth: usize) {
        match parse_part::<Documents<'a>>(self.element, raw.get()) {
            Ok(documents) => emit(documents, session, MAX_WRAPPED, self.sink),
            Err(problem) => self.apart(raw, problem, session, depth),
        }
    }

    /// What cannot be read as a whole because of `problem`, part by part.
    fn apart(&mut self, raw: &'a RawValue, problem: Problem, session: Option<&Text<'a>>, depth: usize) {
        let Some(below) = depth.checked_sub(1) else { return self.sink.problem(problem) };
        if let Ok(list) = serde_json::from_str::<Vec<&'a RawValue>>(raw.get()) {
            return list.into_iter().for_each(|one| self.documents(one, session, below));
        }
        let Ok(members) = serde_json::from_str::<Members<'a>>(raw.get()) else { return self.sink.problem(problem) };
        let lists = [
            members.events,
            members.raw,
            members.results,
            members.evaluation_input,
            members.session_spans,
            members.spans,
        ];
        let holds = |raw: &&RawValue| raw.get().starts_with(['[', '{']);
        let mut lists = lists.into_iter().flatten().filter(holds).peekable();
        let is_document = members.span_id.is_some() || members.trace_id.is_some();
        if is_document || lists.peek().is_none() {
            let name = members.name.and_then(|raw| serde_json::from_str::<Text<'a>>(raw.get()).ok());
            let what = name.map_or_else(|| "a document".to_owned(), |name| format!("a document ({:?})", name.as_str()));
            return self.sink.problem(Problem { message: format!("{what}: {}", problem.message), ..problem });
        }
        let own = members.session.and_then(|raw| serde_json::from_str::<Text<'a>>(raw.get()).ok());
        let session = own.as_ref().or(session);
        lists.for_each(|list| self.documents(list, session, below));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use crate::formats::RecordDecoder;
    use crate::formats::otlp::testing::Kept;
    use crate::formats::telemetry::{Record, find};

    /// The names of the records that are read, the sessions that their resources name, and the problems.
    fn read(text: &str) -> (String, String, Vec<String>) {
        let mut kept = Kept::default();
        if let Err(problem) = Reader.records(text.as_bytes(), &mut kept) {
            kept.problems.push(problem);
        }
        let name = |record: &Record<'_>| match record {
            Record::Span(span) => span.name.to_string(),
            Record::Log(log) => log.name.to_string(),
        };
        let names: Vec<String> = kept.records.iter().map(|(_, record)| name(record)).collect();
        let sessions = kept.records.iter().filter_map(|(o, _)| find(&o.resource, "session.id")?.text());
        let sessions: Vec<String> = sessions.map(|s| s.to_string()).collect();
        (names.join(" "), sessions.join(" "), kept.told())
    }

    fn span(name: &str) -> String {
        format!(r#"{{"traceId":"01","spanId":"0{}","startTimeUnixNano":1,"name":"{name}"}}"#, name.len())
    }

    const BAD: &str = r#"{"traceId":"01","spanId":"09","startTimeUnixNano":1,"name":"bad","links":7}"#;

    #[test]
    fn one_ill_typed_document_of_a_list_is_named_and_the_others_are_read() {
        let (a, bb) = (span("a"), span("bb"));
        let text = format!("[{a},{BAD},7,{bb}]");
        let (names, _, problems) = read(&text);
        assert_eq!(names, "a bb");
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("malformed: a document (\"bad\"): `links`: "), "{problems:?}");
        assert!(problems[1].contains("expected a document or a list of documents"), "{problems:?}");
    }

    #[test]
    fn what_stands_beside_it_in_an_envelope_keeps_the_session_that_the_envelope_names() {
        let (a, bb) = (span("a"), span("bb"));
        for text in [
            format!(r#"{{"session_id":"s","spans":[{a},{BAD},{bb}]}}"#),
            format!(r#"{{"evaluationInput":{{"session_id":"s","sessionSpans":[{a},{BAD},{bb}]}}}}"#),
            format!(r#"[{{"session_id":"s","results":[[{a},{BAD}],[{bb}]]}}]"#),
        ] {
            let (names, sessions, problems) = read(&text);
            assert_eq!((names.as_str(), sessions.as_str()), ("a bb", "s s"), "{text}");
            assert!(problems.len() == 1 && problems[0].contains("(\"bad\")"), "{problems:?}");
        }
    }

    #[test]
    fn what_is_no_json_and_what_holds_nothing_to_be_told_apart_stays_one_problem() {
        for text in [BAD, r#"[{"spans":[7}]"#, r#"{"resource":7}"#, "7"] {
            let (names, _, problems) = read(text);
            assert_eq!((names.as_str(), problems.len()), ("", 1), "{text}: {problems:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}{BAD}{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(read(&deep).2.len(), 1);
    }
}
