//! What should not be sent, and what happens to it: a named answer, and everything else unharmed.

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::recorder::{Recorder, gzip, ids, request, turn};
use crate::project::Project;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

/// The recorder still takes a session, and writes nothing else.
fn still_works(project: &Project, recorder: Recorder) {
    assert_eq!(recorder.protobuf(&turn("good", 1)).status, 200);
    let (code, said) = recorder.wait();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(ids(project), ["good"]);
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let project = Project::new();
    let recorder = Recorder::start(&project, &["--idle", "100ms", "--until-sessions", "1", "--max-request", "1MiB"]);
    let status = |headers: &[(&str, &str)], body: &[u8]| {
        let answer = recorder.post("/v1/traces", headers, body);
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    };
    assert_eq!(status(&[("content-type", "text/html")], b"<html>").0, 415);
    assert_eq!(status(&[], b"").0, 415);
    assert_eq!(status(&[JSON, ("content-encoding", "br")], b"{}").0, 415);
    for garbage in ["{", "[]", "{\"a\":1}", "<html>", "\"\\ud800\""] {
        let (code, said) = status(&[JSON], garbage.as_bytes());
        assert_eq!(code, 400, "{garbage}: {said}");
        assert!(said.starts_with("{\"code\":3,\"message\":\""), "{said}");
    }
    assert_eq!(status(&[PROTOBUF], b"\x0a\xff\xff\xff\xff\x0f").0, 400);
    assert_eq!(status(&[PROTOBUF, GZIP], b"no gzip").0, 400);
    assert_eq!(status(&[PROTOBUF, GZIP], &gzip(&[0x0a; 3000])[..20]).0, 400);
    // A thousand times its size, and far more than may be.
    assert_eq!(status(&[PROTOBUF, GZIP], &gzip(&vec![0; 64 << 20])).0, 413);
    assert_eq!(status(&[PROTOBUF], &vec![0; 2 << 20]).0, 413);
    assert_eq!(recorder.post("/v1/trace", &[PROTOBUF], b"").status, 404);
    assert_eq!(recorder.post("/v1/metrics", &[PROTOBUF], b"\x0a\x00").status, 200);
    still_works(&project, recorder);
}

#[test]
fn the_same_over_grpc_has_the_codes_of_grpc() {
    let project = Project::new();
    let recorder = Recorder::start(&project, &["--idle", "100ms", "--until-sessions", "1", "--max-request", "1MiB"]);
    let named = |len: usize| request(vec![Span { name: "x".repeat(len), ..Span::default() }]);
    let nothing = recorder.grpc(named(3), false).unwrap_err();
    assert_eq!(nothing.code(), tonic::Code::InvalidArgument, "a span without ids: {nothing}");
    for packed in [false, true] {
        let large = recorder.grpc(named(2 << 20), packed).unwrap_err();
        assert_eq!(large.code(), tonic::Code::InvalidArgument, "{large}");
        assert!(large.message().contains("send smaller batches"), "{large}");
    }
    still_works(&project, recorder);
}

#[test]
fn what_of_a_request_can_be_read_is_taken_and_the_rest_is_told() {
    let project = Project::new();
    let recorder = Recorder::start(&project, &["--idle", "100ms", "--until-sessions", "1"]);
    let mut some = turn("some", 1);
    let spans = &mut some.resource_spans[0].scope_spans[0].spans;
    spans.push(Span { name: "no ids".into(), start_time_unix_nano: 1, end_time_unix_nano: 2, ..Span::default() });
    let answer = recorder.post("/v1/traces", &[JSON], &serde_json::to_vec(&some).unwrap());
    let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &said["partialSuccess"]["rejectedSpans"]), (200, &"1".into()), "{said}");
    let (code, said) = recorder.wait();
    assert_eq!(code, Some(0));
    assert!(said.contains("1 records that could not be read"), "{said}");
    assert_eq!(ids(&project), ["some"]);
}

#[test]
fn who_sends_more_than_there_is_room_for_is_told_to_come_again() {
    let project = Project::new();
    let recorder = Recorder::start(&project, &["--max-spool", "2KiB"]);
    let answers: Vec<_> = (0..20).map(|i| recorder.protobuf(&turn("s", i))).collect();
    assert_eq!(answers[0].status, 200);
    let full = answers.last().unwrap();
    assert_eq!((full.status, full.retry_after.as_deref()), (429, Some("5")), "{full:?}");
    let told = recorder.grpc(turn("s", 99), false).unwrap_err();
    assert_eq!(told.code(), tonic::Code::ResourceExhausted);
    let details = String::from_utf8_lossy(told.details()).into_owned();
    assert!(details.contains("google.rpc.RetryInfo"), "{details}");
    recorder.kill();
}

#[test]
fn a_million_spans_in_one_request_are_as_many() {
    let project = Project::new();
    let recorder = Recorder::start(&project, &["--idle", "100ms", "--until-sessions", "1"]);
    let span = |i: u64| Span {
        trace_id: vec![9; 16],
        span_id: (i + 1).to_be_bytes().to_vec(),
        parent_span_id: if i == 0 { Vec::new() } else { 1u64.to_be_bytes().to_vec() },
        start_time_unix_nano: 1 + i,
        end_time_unix_nano: 2 + i,
        ..Span::default()
    };
    let million = request((0..1_000_000).map(span).collect()).encode_to_vec();
    let answer = recorder.post("/v1/traces", &[PROTOBUF], &million);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    #[cfg(target_os = "linux")]
    assert!(recorder.peak() < 1024, "{} MiB for a request of {} bytes", recorder.peak(), million.len());
    assert_eq!(recorder.wait().0, Some(0));
    let text = std::fs::read_to_string(project.path("sessions.jsonl")).unwrap();
    assert_eq!(text.matches("\"start_ns\"").count(), 1_000_001, "its spans, and the session's own start");
}

#[test]
fn spans_without_parents_or_sessions_are_sessions_of_their_own() {
    let project = Project::new();
    let recorder = Recorder::start(&project, &["--idle", "100ms", "--until-sessions", "2"]);
    let lone = |n: u8| Span {
        trace_id: vec![n; 16],
        span_id: vec![n; 8],
        parent_span_id: Vec::new(),
        name: "work".into(),
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        ..Span::default()
    };
    assert_eq!(recorder.protobuf(&request(vec![lone(1), lone(2)])).status, 200);
    assert_eq!(recorder.wait().0, Some(0));
    assert_eq!(ids(&project), ["01".repeat(16), "02".repeat(16)]);
}
