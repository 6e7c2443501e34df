//! A request in JSON that cannot be read as a whole, read part by part: what is ill-typed is a named problem, and what
//! stands beside it is read.
//!
//! This is the slow way, taken when the quick one ([`mod@super::json`]) has failed: every list is cut into its elements as
//! they are written, first.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{Log, Resource, Scope, Span};
use super::request::{enter, log_record, origin, span_record};
use crate::formats::telemetry::{Origin, Record, Sink};
use crate::formats::wire::{parse, parse_part};
use crate::model::{Problem, Text};

/// Deepest wrapping of one request in another.
const MAX_DEPTH: u32 = 8;

/// One request or one of its parts, with its members as they are written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members<'a> {
    #[serde(borrow, default, alias = "batches")]
    resource_spans: Option<&'a RawValue>,
    #[serde(borrow, default)]
    resource_logs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    trace: Option<&'a RawValue>,
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "instrumentationLibrarySpans")]
    scope_spans: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scope_logs: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "instrumentationLibrary")]
    scope: Option<&'a RawValue>,
    #[serde(borrow, default)]
    spans: Option<&'a RawValue>,
    #[serde(borrow, default)]
    log_records: Option<&'a RawValue>,
}

/// What is read of a part that cannot be read, to say which one it is.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, alias = "eventName")]
    name: Option<Text<'a>>,
}

/// Hands those records of a request to the sink that can be read, and a problem for everything else. `problem` is why
/// the whole cannot be read; it comes back where there is nothing that could be told apart.
pub(super) fn records<'a>(request: &'a [u8], problem: Problem, sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
    let Ok(members) = parse::<Members<'a>>(request) else { return Err(problem) };
    Reader { request, sink }.request(members, MAX_DEPTH);
    Ok(())
}

struct Reader<'s, 'a> {
    request: &'a [u8],
    sink: &'s mut dyn Sink<'a>,
}

impl<'a> Reader<'_, 'a> {
    fn request(&mut self, members: Members<'a>, depth: u32) {
        let lists = [members.resource_spans, members.resource_logs];
        let trace = members.trace;
        self.resource(members);
        for list in lists.into_iter().flatten() {
            for part in self.list("a list of what resources made", list) {
                if let Some(members) = self.read("what a resource made", part) {
                    self.resource(members);
                }
            }
        }
        if let Some((trace, below)) = trace.zip(depth.checked_sub(1))
            && let Some(members) = self.read("a wrapped request", trace)
        {
            self.request(members, below);
        }
    }

    /// What one resource made. When it cannot be described, what it made is read all the same.
    fn resource(&mut self, members: Members<'a>) {
        let resource = members.resource.and_then(|raw| self.read::<Option<Resource<'a>>>("a resource", raw));
        let mut origin = origin(resource.flatten().unwrap_or_default());
        for list in [members.scope_spans, members.scope_logs].into_iter().flatten() {
            for part in self.list("a list of what scopes made", list) {
                if let Some(members) = self.read("what a scope made", part) {
                    self.scope(members, &mut origin);
                }
            }
        }
    }

    fn scope(&mut self, members: Members<'a>, origin: &mut Origin<'a>) {
        let scope = members.scope.and_then(|raw| self.read::<Option<Scope<'a>>>("a scope", raw));
        enter(origin, scope.flatten().unwrap_or_default(), self.sink);
        for raw in members.spans.map(|list| self.list("a list of spans", list)).unwrap_or_default() {
            match self.record::<Span<'a>>("a span", raw).map(span_record) {
                Some(Ok(record)) => self.sink.record(&Record::Span(record)),
                Some(Err(problem)) => self.sink.problem(problem),
                None => {}
            }
        }
        for raw in members.log_records.map(|list| self.list("a list of log records", list)).unwrap_or_default() {
            if let Some(log) = self.record::<Log<'a>>("a log record", raw) {
                self.sink.record(&Record::Log(log_record(log)));
            }
        }
    }

    fn list(&mut self, what: &str, raw: &'a RawValue) -> Vec<&'a RawValue> {
        self.read::<Option<Vec<&'a RawValue>>>(what, raw).flatten().unwrap_or_default()
    }

    /// A record, which is named where it cannot be read.
    fn record<T: Deserialize<'a>>(&mut self, what: &str, raw: &'a RawValue) -> Option<T> {
        let read = parse_part(self.request, raw.get());
        read.map_err(|problem| {
            let named = serde_json::from_str::<Named<'a>>(raw.get()).ok().and_then(|n| n.name);
            let what = named.map_or_else(|| what.to_owned(), |name| format!("{what} ({:?})", name.as_str()));
            self.problem(&what, problem);
        })
        .ok()
    }

    fn read<T: Deserialize<'a>>(&mut self, what: &str, raw: &'a RawValue) -> Option<T> {
        parse_part(self.request, raw.get()).map_err(|problem| self.problem(what, problem)).ok()
    }

    fn problem(&mut self, what: &str, problem: Problem) {
        self.sink.problem(Problem { message: format!("{what}: {}", problem.message), ..problem });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::kept;
    use crate::formats::telemetry::Record;

    fn read(text: &str) -> (String, Vec<String>) {
        let kept = kept(text.as_bytes());
        let name = |record: &Record<'_>| match record {
            Record::Span(span) => span.name.to_string(),
            Record::Log(log) => log.name.to_string(),
        };
        let names: Vec<String> = kept.records.iter().map(|(_, record)| name(record)).collect();
        (names.join(" "), kept.told())
    }

    fn span(name: &str) -> String {
        format!(r#"{{"traceId":"01","spanId":"0{}","name":"{name}"}}"#, name.len())
    }

    #[test]
    fn one_ill_typed_span_is_named_and_the_others_are_read() {
        let bad = r#"{"traceId":"01","spanId":"09","name":"bad","attributes":[{"key":"k","value":7}]}"#;
        let (a, bb) = (span("a"), span("bb"));
        let text = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{a},{bad},{bb}]}}]}}]}}"#);
        let (names, problems) = read(&text);
        assert_eq!(names, "a bb");
        let at = text.find("7}]").unwrap() + 1;
        let why =
            "`attributes[0].value`: invalid type: integer `7`, expected a value such as {\"stringValue\":\"...\"}";
        assert_eq!(problems, [format!("malformed: a span (\"bad\"): {why} (byte {at} of the session)")]);
    }

    #[test]
    fn what_is_ill_typed_further_up_takes_no_more_with_it_than_it_must() {
        let (a, bb) = (span("a"), span("bb"));
        let good = format!(r#"{{"scopeSpans":[{{"spans":[{a}]}}]}}"#);
        for (bad, names, what) in [
            ("7".to_owned(), "a", "what a resource made: "),
            (r#"{"scopeSpans":{}}"#.to_owned(), "a", "a list of what scopes made: "),
            (r#"{"scopeSpans":[{"spans":7}]}"#.to_owned(), "a", "a list of spans: "),
            (format!(r#"{{"resource":7,"scopeSpans":[{{"spans":[{bb}]}}]}}"#), "a bb", "a resource: "),
            (format!(r#"{{"scopeSpans":[{{"scope":5,"spans":[{bb}]}}]}}"#), "a bb", "a scope: "),
            (format!(r#"{{"scopeSpans":[null,{{"spans":[null,{bb}]}}]}}"#), "a bb", "what a scope made: "),
        ] {
            let (read, problems) = read(&format!(r#"{{"resourceSpans":[{good},{bad}]}}"#));
            assert_eq!(read, names, "{bad}");
            assert!(problems[0].starts_with(&format!("malformed: {what}")), "{bad}: {problems:?}");
        }
    }

    #[test]
    fn log_records_and_wrapped_requests_are_recovered_too() {
        let logs =
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"good"},{"eventName":"odd","body":7}]}]}]}"#;
        for text in [logs.to_owned(), format!(r#"{{"trace":{logs}}}"#)] {
            let (names, problems) = read(&text);
            assert_eq!(names, "good");
            assert!(problems.len() == 1 && problems[0].contains("a log record (\"odd\"): "), "{problems:?}");
        }
    }

    #[test]
    fn what_is_no_json_stays_one_problem() {
        for text in [r#"{"resourceSpans":[{"scopeSpans":[7}"#, r#"{"resourceSpans":7"#, r#"{"resourceSpans":7} x"#] {
            assert_eq!(read(text).1.len(), 1, "{text}");
        }
    }
}
