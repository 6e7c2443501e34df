//! Records from OTLP/JSON: what a request's parts mean.

use super::json::{self, Export, Log, Resource, Scope, ScopeLogs, ScopeSpans, Span};
use super::{damaged, log_name, recover};
use crate::formats::telemetry::{EventRecord, LogRecord, Origin, Record, Sink, SpanRecord, id};
use crate::formats::wire::parse;
use crate::model::{LeftOut, Problem, Text};

/// Hands the records of a request to the sink.
pub(super) fn records<'a>(request: &'a [u8], sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
    let export: Export<'a> = match parse(request) {
        Ok(export) => export,
        Err(problem) if std::str::from_utf8(request).is_err() => return damaged::records(request, problem, sink),
        Err(problem) => return recover::records(request, problem, sink),
    };
    if !export.is_any() && request.trim_ascii() != b"{}" {
        return Err(Problem::new(LeftOut::Malformed, "no request of OTLP: it has none of its keys"));
    }
    emit(export, sink);
    Ok(())
}

pub(super) fn emit<'a>(export: Export<'a>, sink: &mut dyn Sink<'a>) {
    // The parts of an element that is itself one of those that a request lists.
    let mut origin = origin(export.resource.unwrap_or_default());
    spans(export.scope_spans.unwrap_or_default(), &mut origin, sink);
    logs(export.scope_logs.unwrap_or_default(), &mut origin, sink);
    for resource in export.resource_spans.into_iter().flatten() {
        spans(resource.scope_spans, &mut self::origin(resource.resource), sink);
    }
    for resource in export.resource_logs.into_iter().flatten() {
        logs(resource.scope_logs, &mut self::origin(resource.resource), sink);
    }
    // No deeper than brackets may be.
    if let Some(inner) = export.trace {
        emit(*inner, sink);
    }
}

fn spans<'a>(scopes: Vec<ScopeSpans<'a>>, origin: &mut Origin<'a>, sink: &mut dyn Sink<'a>) {
    for scope in scopes {
        enter(origin, scope.scope, sink);
        for span in scope.spans {
            match span_record(span) {
                Ok(record) => sink.record(&Record::Span(record)),
                Err(problem) => sink.problem(problem),
            }
        }
    }
}

fn logs<'a>(scopes: Vec<ScopeLogs<'a>>, origin: &mut Origin<'a>, sink: &mut dyn Sink<'a>) {
    for scope in scopes {
        enter(origin, scope.scope, sink);
        for log in scope.log_records {
            sink.record(&Record::Log(log_record(log)));
        }
    }
}

pub(super) fn origin(resource: Resource<'_>) -> Origin<'_> {
    Origin { resource: resource.attributes.0, ..Origin::default() }
}

pub(super) fn enter<'a>(origin: &mut Origin<'a>, scope: Scope<'a>, sink: &mut dyn Sink<'a>) {
    origin.scope = scope.name;
    origin.version = scope.version;
    sink.origin(origin);
}

pub(super) fn span_record<'a>(span: Span<'a>) -> Result<SpanRecord<'a>, Problem> {
    let named = |what: &str, text: &Text<'a>, size| {
        id::normal(text, size).ok_or_else(|| {
            let message = format!("a span ({:?}) whose {what} id is missing or all zero", span.name.as_str());
            Problem::new(LeftOut::Malformed, message)
        })
    };
    let trace = named("trace", &span.trace_id, id::TRACE)?;
    let span_id = named("span", &span.span_id, id::SPAN)?;
    let time = |t: json::Unsigned| t.0.filter(|t| *t != 0);
    let dropped = [span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count];
    let link = |l: &json::Link<'a>| Some((id::normal(&l.trace_id, id::TRACE)?, id::normal(&l.span_id, id::SPAN)?));
    let links = span.links.iter().filter_map(link).collect();
    Ok(SpanRecord {
        trace,
        id: span_id,
        parent: id::normal(&span.parent_span_id, id::SPAN),
        name: span.name,
        side: span.kind.0,
        start_ns: time(span.start_time_unix_nano),
        end_ns: time(span.end_time_unix_nano),
        status: span.status.code.0,
        status_message: span.status.message.filter(|m| !m.is_empty()),
        attributes: span.attributes.0,
        events: span
            .events
            .into_iter()
            .map(|e| EventRecord { name: e.name, time_ns: time(e.time_unix_nano), attributes: e.attributes.0 })
            .collect(),
        links,
        dropped: dropped
            .iter()
            .filter_map(|d| d.0)
            .fold(0, |sum, d| sum.saturating_add(u32::try_from(d).unwrap_or(u32::MAX))),
    })
}

pub(super) fn log_record(log: Log<'_>) -> LogRecord<'_> {
    let mut record = LogRecord {
        trace: id::normal(&log.trace_id, id::TRACE),
        span: id::normal(&log.span_id, id::SPAN),
        time_ns: [log.time_unix_nano, log.observed_time_unix_nano].iter().filter_map(|t| t.0).find(|t| *t != 0),
        name: log.event_name,
        body: log.body.map(|b| b.0),
        attributes: log.attributes.0,
    };
    log_name(&mut record);
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::Value;

    #[derive(Default)]
    struct Collect {
        origins: Vec<String>,
        records: Vec<String>,
        problems: Vec<String>,
    }

    impl<'a> Sink<'a> for Collect {
        fn origin(&mut self, origin: &Origin<'a>) {
            self.origins.push(format!("{} {}", origin.scope, Value::Map(origin.resource.clone()).json()));
        }
        fn record(&mut self, record: &Record<'a>) {
            self.records.push(match record {
                Record::Span(s) => format!(
                    "{} {} {:?} {:?} {}",
                    s.id,
                    s.name,
                    s.start_ns,
                    s.status,
                    Value::Map(s.attributes.clone()).json()
                ),
                Record::Log(l) => format!("{} {:?} {:?}", l.name, l.span, l.body),
            });
        }
        fn problem(&mut self, problem: Problem) {
            self.problems.push(problem.message);
        }
    }

    #[test]
    fn spans_and_logs_are_read_with_their_origin() {
        let text = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"x"}}]},
          "scopeSpans":[{"scope":{"name":"s"},"spans":[
            {"traceId":"0AF7651916CD43DD8448EB211C80319C","spanId":"00F067AA0BA902B7","name":"chat","kind":3,"new":{"a":[1]},
             "startTimeUnixNano":"1544712660000000001","endTimeUnixNano":1544712661000000001,"status":{"code":2},
             "attributes":[{"key":"n","value":{"intValue":"9007199254740993"}},{"key":"e","value":{}},
               {"key":"d","value":{"doubleValue":"NaN"}},{"key":"l","value":{"arrayValue":{"values":[{"boolValue":true}]}}}]},
            {"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"0000000000000000","name":"bad"}]}]}],
          "resourceLogs":[{"scopeLogs":[{"logRecords":[{"spanId":"00f067aa0ba902b7","eventName":"gen_ai.choice",
             "body":{"kvlistValue":{"values":[{"key":"index","value":{"intValue":0}}]}}}]}]}]}"#;
        let mut sink = Collect::default();
        records(text.as_bytes(), &mut sink).unwrap();
        assert_eq!(sink.origins, [r#"s {"service.name":"x"}"#, " {}"]);
        assert_eq!(
            sink.records,
            [
                r#"00f067aa0ba902b7 chat Some(1544712660000000001) Error {"n":9007199254740993,"e":null,"d":"NaN","l":[true]}"#,
                r#"gen_ai.choice Some("00f067aa0ba902b7") Some(Map([("index", Int(0))]))"#,
            ]
        );
        assert_eq!(sink.problems, [r#"a span ("bad") whose span id is missing or all zero"#]);
    }
}
