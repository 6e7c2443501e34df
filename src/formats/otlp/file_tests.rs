//! Whole files of OTLP, good and bad: read, told apart, and every damage a counted problem with its place.

use std::io::Write;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;

use super::testing::{Kept, kept, pair, span, traces};
use crate::formats::Decode;
use crate::formats::telemetry::{Record, Value, find};
use crate::model::Problem;
use crate::sources::reader::Reader;
use crate::sources::{Batch, ReadOptions, RecordedFile};

/// The names of the spans of a file, and its problems as `kind at offset`.
fn read_with(bytes: &[u8], options: ReadOptions) -> (Vec<String>, Vec<String>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let files = vec![RecordedFile { path: file.path().to_owned(), name: "f".into() }];
    let mut reader = Reader::new(files, options);
    let (mut names, mut problems) = (Vec::new(), Vec::new());
    while let Some(batch) = reader.next(Vec::new()) {
        for element in &batch.elements {
            match &element.content {
                Ok(range) => take(&batch, &batch.buffer[range.clone()], element.offset, &mut names, &mut problems),
                Err(problem) => problems.push(told(problem, element.offset)),
            }
        }
    }
    (names, problems)
}

fn take(batch: &Batch, element: &[u8], offset: Option<u64>, names: &mut Vec<String>, problems: &mut Vec<String>) {
    let Some(Decode::Records(decoder)) = &batch.decoder else { panic!("no records") };
    let mut sink = Kept::default();
    let end = decoder.records(element, &mut sink).err();
    problems.extend(sink.problems.iter().chain(&end).map(|p| told(p, offset)));
    for (_, record) in &sink.records {
        if let Record::Span(span) = record {
            names.push(span.name.to_string());
        }
    }
}

fn told(problem: &Problem, offset: Option<u64>) -> String {
    format!("{} at {}", problem.kind.name(), problem.offset.or(offset).unwrap_or_default())
}

fn read(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    read_with(bytes, ReadOptions::default())
}

fn request(name: &str) -> TracesData {
    traces(vec![span(name)])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// Messages with a length of four bytes before each.
fn fixed(messages: &[TracesData]) -> Vec<u8> {
    let message = |m: &TracesData| [(m.encoded_len() as u32).to_be_bytes().to_vec(), m.encode_to_vec()].concat();
    messages.iter().flat_map(message).collect()
}

#[test]
fn every_form_of_a_file_is_read_plain_and_compressed() {
    let (a, b) = (request("a"), request("b"));
    let json = serde_json::to_string(&a).unwrap();
    let lines = format!("{json}\n{}\n", serde_json::to_string(&b).unwrap());
    let pretty = serde_json::to_string_pretty(&TracesData {
        resource_spans: [a.resource_spans.clone(), b.resource_spans.clone()].concat(),
    });
    let varint = [a.encode_length_delimited_to_vec(), b.encode_length_delimited_to_vec()].concat();
    let files = [
        ("a", json.into_bytes()),
        ("ab", lines.into_bytes()),
        ("ab", pretty.unwrap().into_bytes()),
        ("a", a.encode_to_vec()),
        ("ab", [a.encode_to_vec(), b.encode_to_vec()].concat()),
        ("ab", fixed(&[a, b])),
        ("ab", varint),
    ];
    for (names, bytes) in files {
        for bytes in [gzip(&bytes), zstd::encode_all(&bytes[..], 1).unwrap(), bytes] {
            let (read, problems) = read(&bytes);
            assert_eq!((read.concat().as_str(), problems.len()), (names, 0), "{problems:?}");
        }
    }
}

#[test]
fn one_large_object_is_read_part_by_part() {
    let many = TracesData { resource_spans: (0..400).flat_map(|_| request("a").resource_spans).collect() };
    let pretty = serde_json::to_string_pretty(&many).unwrap();
    assert!(pretty.len() > 200_000);
    // Far smaller than the object.
    let options = ReadOptions { max_element: 4_000, batch: 1_000, ..ReadOptions::default() };
    let (names, problems) = read_with(pretty.as_bytes(), options);
    assert_eq!((names.len(), problems), (400, vec![]));
    let both = format!("{}, \"resourceLogs\": [{{\"scopeLogs\": 7}}]}}", pretty.trim_end().strip_suffix('}').unwrap());
    let (names, problems) = read_with(both.as_bytes(), options);
    assert_eq!(names.len(), 400);
    assert!(problems.len() == 1 && problems[0].starts_with("malformed at"), "the other list is read too: {problems:?}");
}

#[test]
fn a_large_span_is_left_out_and_the_other_messages_are_read() {
    let mut large = span("large");
    large.attributes = vec![pair("k", Any::StringValue("x".repeat(100_000)))];
    let messages = [request("a"), traces(vec![large]), request("c")];
    let options = ReadOptions { max_element: 10_000, batch: 1_000, ..ReadOptions::default() };
    let lines: Vec<String> = messages.iter().map(|m| serde_json::to_string(m).unwrap()).collect();
    let one: Vec<u8> = messages.iter().flat_map(|m| m.encode_to_vec()).collect();
    for bytes in [fixed(&messages), lines.join("\n").into_bytes(), one] {
        let (names, problems) = read_with(&bytes, options);
        assert_eq!(names, ["a", "c"]);
        assert!(problems.len() == 1 && problems[0].starts_with("too_large at"), "{problems:?}");
    }
}

#[test]
fn a_truncated_file_is_read_up_to_where_it_ends() {
    let bytes = fixed(&[request("a"), request("b")]);
    let second = request("a").encoded_len() + 8;
    let (names, problems) = read(&bytes[..bytes.len() - 10]);
    assert_eq!((names, problems), (vec!["a".to_owned()], vec![format!("truncated at {second}")]));
    let one = request("a").encode_to_vec();
    assert_eq!(read(&one[..one.len() - 10]), (vec![], vec!["truncated at 0".to_owned()]));
}

#[test]
fn a_wrong_length_is_one_problem() {
    let mut bytes = fixed(&[request("a"), request("b"), request("c")]);
    let second = request("a").encoded_len() + 4;
    bytes[second + 1] = 1;
    let (names, problems) = read(&bytes);
    assert_eq!((names, problems), (vec!["a".to_owned()], vec![format!("truncated at {}", second + 4)]));
    bytes[second + 1] = 0;
    bytes[second + 3] -= 1;
    let (names, problems) = read(&bytes);
    // The message that lost its last byte is damaged; behind it no length can be believed.
    assert_eq!(names[0], "a");
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn binary_data_that_is_none_of_ours_is_a_problem_and_json_stays_json() {
    assert_eq!(read(&[0x00, 0x01, 0x02, 0x03, 0x80, 0x90]).1, ["malformed at 0"]);
    let format = crate::formats::format("otlp");
    let options = ReadOptions { format, ..ReadOptions::default() };
    assert_eq!(read_with(b"\x08\x01\x02", options).1, ["malformed at 0"]);
    assert_eq!(
        read_with(b"{\"foo\":1}\n{}\n{\"resourceSpans\":[]}\n{\"resourceMetrics\":[{}]}", options).1,
        ["malformed at 0"]
    );
}

/// The only span of a request in JSON.
fn json_span(span: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#)
}

#[test]
fn ids_in_any_form_are_one_id_and_zeros_are_a_problem() {
    let with =
        |trace: &str, id: &str| json_span(&format!(r#"{{"traceId":"{trace}","spanId":"{id}","parentSpanId":null}}"#));
    for (trace, id) in [
        ("0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"),
        ("0AF7651916CD43DD8448EB211C80319C", "00F067AA0BA902B7"),
        ("CvdlGRbNQ92ESOshHIAxnA==", "APBnqgupArc="),
    ] {
        let text = with(trace, id);
        let kept = kept(text.as_bytes());
        let [(_, Record::Span(span))] = &kept.records[..] else { panic!("{kept:?}") };
        assert_eq!((span.trace.as_str(), span.id.as_str()), ("0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"));
        assert_eq!(span.parent, None);
    }
    let text = with("00000000000000000000000000000000", "00f067aa0ba902b7");
    assert_eq!(kept(text.as_bytes()).told(), ["malformed: a span (\"\") whose trace id is missing or all zero"]);
}

#[test]
fn numbers_as_texts_and_texts_as_numbers_are_what_they_are_said_to_be() {
    let text = json_span(
        r#"{"traceId":"01","spanId":"02","kind":"SPAN_KIND_CLIENT","status":{"code":"STATUS_CODE_ERROR"},
        "startTimeUnixNano":1544712660000000001,"endTimeUnixNano":"18446744073709551615","attributes":[
        {"key":"i","value":{"intValue":"9007199254740993"}},{"key":"j","value":{"intValue":7}},{"key":"d","value":{"doubleValue":"1.5"}},
        {"key":"s","value":{"stringValue":12}},{"key":"t","value":{"stringValue":1.50}},{"key":"b","value":{"boolValue":"true"}},
        {"key":"x","value":{"intValue":"many"}},{"key":"y","value":{"bytesValue":"AQL/"}},{"key":"s","value":{"stringValue":"last"}}]}"#,
    );
    let kept = kept(text.as_bytes());
    let [(_, Record::Span(span))] = &kept.records[..] else { panic!("{kept:?}") };
    assert_eq!((span.start_ns, span.end_ns), (Some(1_544_712_660_000_000_001), Some(u64::MAX)));
    assert_eq!((span.side as u8, span.status), (3, crate::model::SpanStatus::Error));
    let got: Vec<&Value<'_>> = span.attributes.iter().map(|(_, v)| v).collect();
    let t = |s: &'static str| Value::Text(s.into());
    let want = [
        Value::Int(9_007_199_254_740_993),
        Value::Int(7),
        Value::Double(1.5),
        t("12"),
        t("1.5"),
        Value::Bool(true),
        t("many"),
        Value::Bytes(vec![1, 2, 255].into()),
        t("last"),
    ];
    assert_eq!(got, want.iter().collect::<Vec<_>>());
    assert_eq!(find(&span.attributes, "s"), Some(&t("last")), "of a repeated attribute the last counts");
}

#[test]
fn times_of_zero_are_none_and_others_are_kept_as_they_are() {
    for (written, read) in [
        ("\"0\"", None),
        ("0", None),
        ("null", None),
        ("-5", None),
        ("\"soon\"", None),
        ("9007199254740993", Some(9_007_199_254_740_993)),
        ("\"4102444800000000000\"", Some(4_102_444_800_000_000_000)),
        ("1.7e18", Some(1_700_000_000_000_000_000)),
    ] {
        let text = json_span(&format!(r#"{{"traceId":"01","spanId":"02","startTimeUnixNano":{written}}}"#));
        let kept = kept(text.as_bytes());
        let [(_, Record::Span(span))] = &kept.records[..] else { panic!("{kept:?}") };
        assert_eq!((span.start_ns, span.end_ns), (read, None), "{written}");
    }
}

#[test]
fn a_span_that_is_its_own_parent_is_still_a_record() {
    let text = json_span(r#"{"traceId":"01","spanId":"02","parentSpanId":"02"}"#);
    let kept = kept(text.as_bytes());
    let [(_, Record::Span(span))] = &kept.records[..] else { panic!("{kept:?}") };
    assert_eq!(span.parent.as_ref(), Some(&span.id), "what it means is told where the tree is made");
}

#[test]
fn other_names_of_the_lists_are_known() {
    let span = r#"{"traceId":"01","spanId":"02","name":"a"}"#;
    for text in [
        format!(
            r#"{{"batches":[{{"resource":{{}},"instrumentationLibrarySpans":[{{"instrumentationLibrary":{{"name":"s"}},"spans":[{span}]}}]}}]}}"#
        ),
        format!(r#"{{"trace":{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}}}"#),
        format!(r#"{{"resource":null,"scopeSpans":[{{"scope":null,"spans":[{span}]}}]}}"#),
    ] {
        assert_eq!(read(text.as_bytes()), (vec!["a".to_owned()], vec![]), "{text}");
    }
}

#[test]
fn every_place_of_a_sessions_id_is_documented() {
    let doc = crate::formats::format("otlp").unwrap().doc();
    for attribute in crate::assemble::session_id::ATTRIBUTES {
        assert!(doc.contains(&format!("`{attribute}`")), "{attribute}");
    }
}
