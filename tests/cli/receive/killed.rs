//! The end of the process loses nothing that was acknowledged, and writes nothing twice.

use std::fs::OpenOptions;
use std::io::Write;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use super::recorder::{Recorder, ids, turn};
use crate::project::Project;

#[test]
fn what_was_acknowledged_is_written_by_the_next_process() {
    let project = Project::new();
    let recorder = Recorder::start(&project, &[]);
    for i in 0..20 {
        assert_eq!(recorder.protobuf(&turn(&format!("s{i:02}"), i)).status, 200);
    }
    recorder.grpc(turn("s20", 20), false).unwrap();
    recorder.kill();
    assert_eq!(ids(&project).len(), 0, "none was complete");
    let next = Recorder::start(&project, &["--idle", "100ms", "--until-sessions", "21"]);
    assert_eq!(next.wait().0, Some(0));
    let expected: Vec<String> = (0..21).map(|i| format!("s{i:02}")).collect();
    assert_eq!(ids(&project), expected);
}

#[test]
fn what_was_written_is_not_written_again_and_half_a_line_is_cut_off() {
    let project = Project::new();
    let recorder = Recorder::start(&project, &["--idle", "100ms"]);
    recorder.protobuf(&turn("first", 1));
    while ids(&project).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Whether it has noted yet that the session is in the file makes no difference.
    recorder.kill();
    let mut file = OpenOptions::new().append(true).open(project.path("sessions.jsonl")).unwrap();
    file.write_all(b"{\"seatrial\":1,\"id\":\"sec").unwrap();
    let next = Recorder::start(&project, &["--idle", "100ms"]);
    next.protobuf(&turn("second", 2));
    while ids(&project).len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let (code, said) = next.interrupt();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(ids(&project), ["first", "second"]);
}

#[test]
fn what_waits_on_disk_is_without_what_must_not_be_written_and_says_so_when_it_is_recovered() {
    let project = Project::new();
    project.file("seatrial.toml", "[redact]\ndetectors = [\"email\"]\n");
    let recorder = Recorder::start(&project, &[]);
    let mut request = turn("one", 1);
    let span = &mut request.resource_spans[0].scope_spans[0].spans[0];
    let said = AnyValue { value: Some(Any::StringValue("write to anna@example.org".to_owned())) };
    span.attributes.push(KeyValue { key: "note".to_owned(), value: Some(said), ..KeyValue::default() });
    assert_eq!(recorder.protobuf(&request).status, 200);
    recorder.kill();
    let mut spooled = 0;
    for file in std::fs::read_dir(project.path("sessions.jsonl.spool")).expect("the spool").flatten() {
        let bytes = std::fs::read(file.path()).expect("a segment");
        spooled += bytes.len();
        assert!(!String::from_utf8_lossy(&bytes).contains("anna@"), "{:?}", file.path());
    }
    assert!(spooled > 100);
    let next = Recorder::start(&project, &["--idle", "100ms", "--until-sessions", "1"]);
    assert_eq!(next.wait().0, Some(0));
    let text = std::fs::read_to_string(project.path("sessions.jsonl")).expect("the session");
    let session: serde_json::Value = serde_json::from_str(text.trim_end()).expect("JSON");
    assert!(
        text.contains("write to [redacted:email]") && !session["redacted"].as_object().expect("flags").is_empty(),
        "{text}"
    );
}

#[test]
fn one_process_at_a_time_records_into_a_file() {
    let project = Project::new();
    let recorder = Recorder::start(&project, &[]);
    let second = project.seatrial(&["record", "-o", "sessions.jsonl", "--http", "0", "--grpc", "off"]);
    second.code(2).complains("another process is recording into");
    recorder.kill();
}
