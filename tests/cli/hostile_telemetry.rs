//! Telemetry as no exporter should write it: each oddity is a counted, named problem or a note of the session that has
//! it, and what stands beside it is read.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use prost::Message;
use serde_json::{Value, json};

use crate::project::{Project, Said};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const ROOT: &str = "00f067aa0ba902b7";

/// An agent's span with other fields laid over it.
fn span(id: &str, over: Value) -> Value {
    let mut span = json!({
        "traceId": TRACE, "spanId": id, "name": "invoke_agent desk", "kind": 1,
        "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000",
        "attributes": [{ "key": "gen_ai.operation.name", "value": { "stringValue": "invoke_agent" } }],
    });
    if let (Some(span), Value::Object(over)) = (span.as_object_mut(), over) {
        span.extend(over);
    }
    span
}

fn request(spans: &[Value]) -> String {
    json!({ "resourceSpans": [{ "scopeSpans": [{ "scope": { "name": "s" }, "spans": spans }] }] }).to_string()
}

/// What `import` makes of a file: the sessions, and what it said of the rest.
fn imported(content: impl AsRef<[u8]>, settings: &str) -> (Vec<Value>, Said) {
    let project = Project::new();
    project.file("t.bin", content);
    project.file("seatrial.toml", settings);
    let said = project.seatrial(&["import", "t.bin", "--format", "otlp"]);
    let sessions = said.out.lines().map(|line| serde_json::from_str(line).expect("a session")).collect();
    (sessions, said)
}

/// The only session of some spans, all of which could be read.
#[track_caller]
fn session(spans: &[Value]) -> Value {
    let (mut sessions, said) = imported(request(spans), "");
    assert_eq!((sessions.len(), said.code), (1, 0), "{}", said.err);
    sessions.remove(0)
}

fn spans_of(session: &Value) -> Vec<Value> {
    let turns = session["turns"].as_array().into_iter().flatten();
    let lists = turns.map(|t| &t["spans"]).chain([&session["spans"]]);
    lists.filter_map(Value::as_array).flatten().cloned().collect()
}

/// Counted in a run, by this kind and with these words, beside a session that is evaluated.
#[track_caller]
fn left_out(content: impl AsRef<[u8]>, settings: &str, evaluated: u64, kind: &str, words: &str) {
    let check = "[[session]]\nid = \"t\"\ncheck = \"turns\"\nmin = 1\n";
    let recorded = "[recorded]\npaths = [\"t.bin\"]\nformat = \"otlp\"\n";
    let project = Project::with(&format!("{recorded}{check}[gate]\nmax_left_out = 100\n"), &[]);
    project.file("t.bin", content);
    project.file("seatrial.toml", settings);
    let said = project.run();
    let sessions = &project.suite()["sessions"];
    assert_eq!(sessions["evaluated"], evaluated, "{sessions}\n{}", said.out);
    assert!(sessions["left_out"][kind].as_u64().is_some_and(|n| n == 1), "{kind} in {sessions}");
    assert!(said.out.contains(&format!("left out {kind}: t.bin")) && said.out.contains(words), "{}", said.out);
}

#[test]
fn ids_in_base64_and_upper_case_are_the_ids_that_they_are() {
    let forms = [
        (TRACE, ROOT),
        ("0AF7651916CD43DD8448EB211C80319C", "00F067AA0BA902B7"),
        ("CvdlGRbNQ92ESOshHIAxnA==", "APBnqgupArc="),
    ];
    for (trace, parent) in forms {
        let child = json!({ "traceId": trace, "parentSpanId": parent, "name": "x", "attributes": [] });
        let session = session(&[span(ROOT, json!({})), span("01f067aa0ba902b7", child)]);
        assert_eq!(session["id"], TRACE);
        let ids: Vec<Value> = spans_of(&session).iter().map(|s| s["id"].clone()).collect();
        assert_eq!(ids, [ROOT, "01f067aa0ba902b7"], "{session}");
        assert!(session["notes"].is_null(), "the parent was found: {session}");
    }
}

#[test]
fn ids_of_zeros_cost_their_span_and_are_named() {
    let good = span(ROOT, json!({}));
    for (over, words) in [
        (json!({ "traceId": "0".repeat(32), "name": "z" }), "a span (\"z\") whose trace id is missing or all zero"),
        (json!({ "spanId": "0000000000000000", "name": "z" }), "a span (\"z\") whose span id is missing or all zero"),
        (json!({ "spanId": "AAAAAAAAAAA=", "name": "z" }), "a span (\"z\") whose span id is missing or all zero"),
    ] {
        left_out(request(&[good.clone(), span(ROOT, over)]), "", 1, "malformed", words);
    }
    // A parent of zeros is none.
    let session = session(&[span(ROOT, json!({ "parentSpanId": "0000000000000000" }))]);
    assert!(session["notes"].is_null(), "{session}");
}

#[test]
fn numbers_as_texts_and_texts_as_numbers_are_read_as_what_they_stand_for() {
    let attributes = json!([
        { "key": "gen_ai.operation.name", "value": { "stringValue": "chat" } },
        { "key": "gen_ai.usage.input_tokens", "value": { "intValue": "12" } },
        { "key": "gen_ai.usage.output_tokens", "value": { "stringValue": "7" } },
        { "key": "big", "value": { "intValue": "9007199254740993" } },
        { "key": "text", "value": { "stringValue": 12 } },
    ]);
    let over = json!({ "attributes": attributes, "startTimeUnixNano": 1_700_000_000_000_000_001_u64, "status": { "code": "2" } });
    let spans = spans_of(&session(&[span(ROOT, over)]));
    assert_eq!(spans[0]["usage"], json!({ "input": 12, "output": 7 }));
    assert_eq!((&spans[0]["start_ns"], &spans[0]["status"]), (&json!(1_700_000_000_000_000_001_u64), &json!("error")));
    assert_eq!(spans[0]["attributes"]["big"], json!(9_007_199_254_740_993_u64));
    assert_eq!(spans[0]["attributes"]["text"], "12");
}

#[test]
fn times_of_zero_are_unknown_and_those_beyond_a_double_are_exact() {
    let of = |start: Value, end: Value| {
        session(&[span(ROOT, json!({ "startTimeUnixNano": start, "endTimeUnixNano": end }))])
    };
    let unknown = of(json!("0"), json!(0));
    assert!(unknown["start_ns"].is_null() && unknown["end_ns"].is_null(), "{unknown}");
    assert_eq!(unknown["incomplete"], true);
    let far = of(json!("18446744073709551614"), json!("18446744073709551615"));
    assert_eq!((&far["start_ns"], &far["end_ns"]), (&json!(u64::MAX - 1), &json!(u64::MAX)));
}

#[test]
fn a_time_in_the_future_is_of_unknown_age_and_never_fresh() {
    let check = "[[session]]\nid = \"t\"\ncheck = \"turns\"\nmin = 1\n";
    let project = Project::with(&format!("[recorded]\npaths = [\"t.jsonl\"]\nmax_age = \"24h\"\n{check}"), &[]);
    let future = json!({ "startTimeUnixNano": "9000000000000000000", "endTimeUnixNano": "9000000001000000000" });
    project.file("t.jsonl", request(&[span(ROOT, future)]));
    let said = project.run().code(4);
    assert_eq!(project.suite()["sessions"]["left_out"]["stale"], 1, "{}", said.out);
    said.says("so its age, which `max_age` asks for, cannot be told");
}

#[test]
fn an_end_before_the_start_is_no_duration() {
    let check = "[[span]]\nid = \"t\"\ncheck = \"duration\"\nmax_ms = 100000\n";
    let project = Project::with(&format!("[recorded]\npaths = [\"t.jsonl\"]\n{check}"), &[]);
    project.file("t.jsonl", request(&[span(ROOT, json!({ "endTimeUnixNano": "1600000000000000000" }))]));
    project.run().code(4);
    assert_eq!(project.check("t")["error"], 1);
}

#[test]
fn ten_thousand_spans_without_a_root_are_one_session_that_says_so() {
    let spans: Vec<Value> =
        (1..=10_000).map(|i| span(&format!("{i:016x}"), json!({ "parentSpanId": "ffffffffffffffff" }))).collect();
    let session = session(&spans);
    assert_eq!(spans_of(&session).len(), 10_000);
    let notes = session["notes"].to_string();
    assert!(notes.contains("10000 spans") && notes.contains("parent"), "{notes}");
}

#[test]
fn parents_in_a_circle_and_a_span_that_is_its_own_are_cut_and_noted() {
    let with_parent = |id: &str, parent: &str| span(id, json!({ "parentSpanId": parent }));
    let (a, b, c) = ("000000000000000a", "000000000000000b", "000000000000000c");
    for (spans, n) in [
        (vec![with_parent(a, a)], 1),
        (vec![with_parent(a, b), with_parent(b, a)], 1),
        (vec![with_parent(a, b), with_parent(b, a), with_parent(c, c)], 2),
    ] {
        let session = session(&spans);
        assert_eq!(spans_of(&session).len(), spans.len());
        let notes = session["notes"].to_string();
        assert!(notes.contains(&format!("{n} ")) && notes.contains("ancestor"), "{notes}");
    }
}

#[test]
fn of_an_attribute_that_is_repeated_the_last_counts() {
    let attributes: Vec<Value> =
        [("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", "first"), ("gen_ai.agent.name", "last")]
            .map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } }))
            .to_vec();
    assert_eq!(session(&[span(ROOT, json!({ "attributes": attributes }))])["agent"], "last");
}

/// A request in protobuf with one agent's span of this name and attribute.
fn message(name: &str, value: &str) -> TracesData {
    let text = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    };
    let span = Span {
        trace_id: [name.as_bytes(), &[1; 16]].concat()[..16].to_vec(),
        span_id: vec![2; 8],
        name: name.to_owned(),
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_001_000_000_000,
        attributes: vec![text("gen_ai.operation.name", "invoke_agent"), text("note", value)],
        ..Span::default()
    };
    let scopes = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    TracesData { resource_spans: vec![ResourceSpans { scope_spans: scopes, ..ResourceSpans::default() }] }
}

/// Messages as the collector writes them, with a length before each.
fn framed(messages: &[TracesData]) -> Vec<u8> {
    let frame = |m: &TracesData| [(m.encoded_len() as u32).to_be_bytes().to_vec(), m.encode_to_vec()].concat();
    messages.iter().flat_map(frame).collect()
}

#[test]
fn text_that_is_not_utf_8_is_kept_as_bytes_and_counted() {
    let mut bytes = message("a", "@@@").encode_to_vec();
    let at = bytes.windows(3).position(|w| w == b"@@@").expect("the text");
    bytes[at..at + 3].copy_from_slice(b"\xff\xfe\xfd");
    left_out(&bytes, "", 1, "malformed", "a span (\"a\") with 1 texts that are not UTF-8; kept as bytes");
}

#[test]
fn a_file_that_ends_within_a_message_is_read_up_to_it() {
    let bytes = framed(&[message("a", ""), message("b", "")]);
    left_out(&bytes[..bytes.len() - 9], "", 1, "truncated", "ends within");
    let one = message("a", "").encode_to_vec();
    left_out(&one[..one.len() - 9], "", 0, "truncated", "ends within");
}

#[test]
fn a_wrong_length_costs_what_stands_behind_it_and_is_told_once() {
    let mut bytes = framed(&[message("a", ""), message("b", ""), message("c", "")]);
    let second = message("a", "").encoded_len() + 4;
    // Far beyond the end of the file.
    bytes[second] = 0x7f;
    left_out(&bytes, "", 1, "truncated", "ends within");
}

#[test]
fn a_damaged_span_costs_itself() {
    let good = message("a", "").encode_to_vec();
    let mut bad = message("b", "@@@").encode_to_vec();
    let at = bad.windows(3).position(|w| w == b"@@@").expect("the text");
    // The length of the text reaches beyond its value.
    bad[at - 1] = 0x7f;
    left_out([good, bad].concat(), "", 1, "truncated", "a span (\"b\")");
}

/// A file with a hole of so many zeros between two parts, which takes no room.
#[cfg(target_os = "linux")]
fn with_hole(project: &Project, name: &str, before: &[u8], hole: u64, after: &[u8]) {
    use std::io::{Seek, SeekFrom, Write};
    let mut file = std::fs::File::create(project.path(name)).expect("a file");
    file.write_all(before).expect("written");
    file.seek(SeekFrom::Current(hole.cast_signed())).expect("sought");
    file.write_all(after).expect("written");
}

/// The most memory that a process ever had, in bytes.
#[cfg(target_os = "linux")]
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("its peak");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("a number") << 10
}

/// In either form a span of 200 MB is left out, and is never in memory as a whole.
#[cfg(target_os = "linux")]
#[test]
fn a_huge_span_is_left_out_in_bounded_memory() {
    const HUGE: u64 = 200 << 20;
    let good = request(&[span(ROOT, json!({}))]) + "\n";
    let lines = request(&[span(ROOT, json!({ "name": "@@" }))]) + "\n" + &good;
    let (before, after) = lines.split_once("@@").expect("the name");
    // A beginning that looks like text.
    let before = format!("{before}{}", "x".repeat(100_000));
    // The frame of a message whose one span has an attribute of so many bytes.
    let field = |tag: u8, body: &[u8]| [&[tag][..], &varint(body.len() as u64 + HUGE), body].concat();
    let value = field(0x12, &field(0x0a, &[b'y'; 100_000]));
    let ids = [&[0x0a, 16][..], &[1; 16], &[0x12, 8], &[2; 8]].concat();
    let record = [ids, field(0x4a, &[&[0x0a, 1, b'k'][..], &value].concat())].concat();
    let head = field(0x0a, &field(0x12, &field(0x12, &record)));
    let size = u32::try_from(head.len() as u64 + HUGE).expect("a length");
    let frame = [&size.to_be_bytes()[..], &head].concat();
    let rest = framed(&[message("a", "")]);
    for (before, hole, after) in [(before.as_bytes(), HUGE, after.as_bytes()), (&frame[..], HUGE, &rest[..])] {
        let check = "[[session]]\nid = \"t\"\ncheck = \"turns\"\nmin = 1\n[gate]\nmax_left_out = 1\n";
        let recorded = "[recorded]\npaths = [\"huge\", \"pipe\"]\nformat = \"otlp\"\n";
        let project = Project::with(&format!("{recorded}{check}"), &[]);
        project.file("seatrial.toml", "max_session_bytes = \"1MiB\"\n");
        with_hole(&project, "huge", before, hole, after);
        let pipe = project.path("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
        let mut command = project.command(&["run", "suite.toml", "--jobs", "1"]);
        let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("runs");
        // Open when the run has come to it, with the other file behind it.
        let mut writer = std::fs::OpenOptions::new().write(true).open(&pipe).expect("the pipe");
        let peak = peak(child.id());
        let last = json!({ "traceId": "1".repeat(32) });
        std::io::Write::write_all(&mut writer, request(&[span(ROOT, last)]).as_bytes()).expect("written");
        drop(writer);
        assert_eq!(child.wait().expect("ends").code(), Some(0), "{}", project.report("run.jsonl"));
        let sessions = &project.suite()["sessions"];
        assert_eq!(
            (&sessions["left_out"]["too_large"], &sessions["evaluated"]),
            (&json!(1), &json!(2)),
            "{}",
            project.report("run.jsonl")
        );
        assert!(peak < 100 << 20, "{} MB with {hole} between", peak >> 20);
    }
}

#[cfg(target_os = "linux")]
fn varint(mut n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while n > 0x7f {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}
