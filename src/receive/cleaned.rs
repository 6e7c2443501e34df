//! A request of telemetry as it may be written to the spool: without what the rules of redaction hide.
//!
//! A spool is there for the process that comes after one that was killed, and holds what agents said until then. What is
//! put together in memory is the request as it came; only what such a next process puts together is made of what was
//! cleaned, and says so: the rules find their own marks in it, and flag the fields in which they stand.
//!
//! Detectors and keys are looked for in every text of a request. Rules that need a whole session (`paths`, `pseudonyms`)
//! cannot be applied to a part of one: what only they hide is in the spool as it was sent, for its owner alone to read,
//! until its session is written.

use std::borrow::Cow;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::answer::Refusal;
use super::spool::Encoding;
use crate::redact::Redactor;

/// Keys of OTLP/JSON whose texts are no words: ids, times, enumerations.
const NO_WORDS: [&str; 6] = ["traceId", "spanId", "parentSpanId", "key", "kind", "severityNumber"];

/// The request as it may be written.
///
/// # Errors
/// It is not as OTLP has it, so that nobody can tell what is in it: it is refused, for it cannot be kept.
pub(super) fn cleaned<'r>(
    redactor: &Redactor,
    encoding: Encoding,
    request: &'r [u8],
) -> Result<Cow<'r, [u8]>, Refusal> {
    if !redactor.is_on() {
        return Ok(Cow::Borrowed(request));
    }
    let clean = match encoding {
        Encoding::Json => serde_json::from_slice(request).ok().and_then(|mut value| {
            clean(redactor, &mut value);
            serde_json::to_vec(&value).ok()
        }),
        Encoding::Protobuf => protobuf::<ExportTraceServiceRequest>(redactor, request)
            .or_else(|| protobuf::<ExportLogsServiceRequest>(redactor, request)),
    };
    let why = "it is damaged, and what must not be written ([redact]) cannot be taken out of it";
    clean.map(Cow::Owned).ok_or_else(|| Refusal::Malformed(why.to_owned()))
}

/// A request in protobuf, by way of JSON; `None` where it is no such request.
fn protobuf<T: Message + Default + Serialize + DeserializeOwned>(
    redactor: &Redactor,
    request: &[u8],
) -> Option<Vec<u8>> {
    let mut value = serde_json::to_value(T::decode(request).ok()?).ok()?;
    clean(redactor, &mut value);
    Some(serde_json::from_value::<T>(value).ok()?.encode_to_vec())
}

/// Takes out of every text what the rules hide.
fn clean(redactor: &Redactor, value: &mut Value) {
    match value {
        Value::String(text) => words(redactor, text),
        Value::Array(items) => items.iter_mut().for_each(|item| clean(redactor, item)),
        Value::Object(object) => fields(redactor, object),
        _ => {}
    }
}

fn fields(redactor: &Redactor, object: &mut Map<String, Value>) {
    if let Some(marker) = object.get("key").and_then(Value::as_str).and_then(|key| redactor.hidden_by_key(key)) {
        object.insert("value".to_owned(), json!({ "stringValue": marker }));
        return;
    }
    // A number that is hidden becomes a text.
    if let Some(number) = object.get("intValue") {
        let mut text = number.as_str().map_or_else(|| number.to_string(), str::to_owned);
        let before = text.clone();
        words(redactor, &mut text);
        if text != before {
            *object = Map::from_iter([("stringValue".to_owned(), Value::String(text))]);
        }
        return;
    }
    let has_words = |key: &str| !NO_WORDS.contains(&key) && !key.ends_with("UnixNano");
    object.iter_mut().filter(|(key, _)| has_words(key)).for_each(|(_, value)| clean(redactor, value));
}

fn words(redactor: &Redactor, text: &mut String) {
    *text = redactor.take_of(std::mem::take(text), None).into_inner();
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

    use super::*;
    use crate::checks::detect::Detectors;
    use crate::redact::{RedactTable, Rules};

    fn redactor() -> Redactor {
        let table = RedactTable {
            detectors: vec!["email".into(), "credit_card".into()],
            keys: vec!["password".into()],
            ..RedactTable::default()
        };
        Redactor::new(Rules::compile(&table, &Detectors::builtin(), None).unwrap())
    }

    fn request() -> ExportTraceServiceRequest {
        let attribute = |key: &str, value| KeyValue {
            key: key.into(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        };
        let text = |text: &str| Any::StringValue(text.into());
        let span = Span {
            trace_id: vec![7; 16],
            span_id: vec![8; 8],
            name: "write to a@example.com".into(),
            start_time_unix_nano: 1_700_000_000_000_000_000,
            attributes: vec![
                attribute(
                    "gen_ai.input.messages",
                    text(r#"[{"role":"user","content":"I am b@example.com","password":"hunter2"}]"#),
                ),
                attribute("password", text("hunter2")),
                attribute("card", Any::IntValue(4_111_111_111_111_111)),
                attribute("count", Any::IntValue(41)),
            ],
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
    }

    #[test]
    fn what_the_rules_hide_is_taken_out_and_the_rest_is_as_it_was() {
        let request = request();
        let json = serde_json::to_vec(&request).unwrap();
        let plain = request.encode_to_vec();
        let clean = cleaned(&redactor(), Encoding::Protobuf, &plain).unwrap();
        let read = ExportTraceServiceRequest::decode(&*clean).unwrap();
        let span = &read.resource_spans[0].scope_spans[0].spans[0];
        let before = &request.resource_spans[0].scope_spans[0].spans[0];
        assert_eq!((&span.trace_id, &span.span_id), (&before.trace_id, &before.span_id));
        assert_eq!(
            (span.start_time_unix_nano, span.name.as_str()),
            (before.start_time_unix_nano, "write to [redacted:email]")
        );
        assert_eq!(span.attributes[3], before.attributes[3]);
        for clean in [clean.to_vec(), cleaned(&redactor(), Encoding::Json, &json).unwrap().to_vec()] {
            let text = String::from_utf8_lossy(&clean);
            for secret in ["@example.com", "hunter2", "4111111111111111"] {
                assert!(!text.contains(secret), "{secret}: {text}");
            }
            assert!(
                text.contains("[redacted:email]")
                    && text.contains("[redacted:key]")
                    && text.contains("[redacted:credit_card]")
            );
        }
    }

    #[test]
    fn without_rules_it_is_written_as_it_came_and_with_them_a_damaged_one_is_refused() {
        let off = cleaned(&Redactor::default(), Encoding::Json, b"{\"half").unwrap();
        assert!(matches!(off, Cow::Borrowed(_)) || Redactor::default().is_on());
        for (encoding, damaged) in [(Encoding::Json, &b"{\"half"[..]), (Encoding::Protobuf, b"\xff\xff\xff")] {
            assert!(matches!(cleaned(&redactor(), encoding, damaged), Err(Refusal::Malformed(_))));
        }
    }
}
