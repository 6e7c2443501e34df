//! Sessions are written as they are complete, however they were sent.

use prost::Message;

use super::recorder::{Recorder, gzip, ids, sessions, turn};
use crate::project::Project;

const TYPE: &str = "content-type";

#[test]
fn every_encoding_of_otlp_becomes_a_session() {
    let project = Project::new();
    let recorder = Recorder::start(&project, &["--idle", "200ms", "--until-sessions", "6"]);
    let json = serde_json::to_vec(&turn("json", 1)).unwrap();
    let protobuf = turn("protobuf", 2).encode_to_vec();
    let packed = gzip(&turn("packed", 3).encode_to_vec());
    assert_eq!(recorder.post("/v1/traces", &[(TYPE, "application/json; charset=utf-8")], &json).body, b"{}");
    let answer = recorder.post("/v1/traces", &[(TYPE, "application/x-protobuf")], &protobuf);
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let headers = [(TYPE, "application/x-protobuf"), ("content-encoding", "gzip")];
    assert_eq!(recorder.post("/v1/traces", &headers, &packed).status, 200);
    let headers = [(TYPE, "application/json"), ("content-encoding", "gzip")];
    let packed = gzip(&serde_json::to_vec(&turn("packed-json", 4)).unwrap());
    assert_eq!(recorder.post("/v1/traces", &headers, &packed).status, 200);
    recorder.grpc(turn("grpc", 5), false).unwrap();
    recorder.grpc(turn("packed-grpc", 6), true).unwrap();
    let (code, said) = recorder.wait();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("6 sessions written\n"), "{said}");
    assert_eq!(ids(&project), ["grpc", "json", "packed", "packed-grpc", "packed-json", "protobuf"]);
    for session in sessions(&project) {
        assert_eq!((session["agent"].as_str(), session["incomplete"].as_bool()), (Some("ann"), None), "{session}");
        assert_eq!(session["turns"][0]["spans"].as_array().unwrap().len(), 2, "{session}");
    }
    assert!(!project.path("sessions.jsonl.spool").exists(), "nothing waits");
}

#[cfg(unix)]
#[test]
fn an_interrupt_writes_what_waits_and_says_what_is_missing_of_it() {
    let project = Project::new();
    let recorder = Recorder::start(&project, &[]);
    assert_eq!(recorder.protobuf(&turn("whole", 1)).status, 200);
    let mut half = turn("half", 2);
    half.resource_spans[0].scope_spans[0].spans.truncate(1);
    assert_eq!(recorder.protobuf(&half).status, 200);
    let (code, said) = recorder.interrupt();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2 sessions written; 1 of them with a trace whose root span did not arrive"), "{said}");
    let half = sessions(&project).into_iter().find(|s| s["id"] == "half").unwrap();
    assert_eq!(half["incomplete"], true, "{half}");
}

#[test]
fn turns_of_a_session_come_together_and_what_comes_too_late_says_so() {
    let project = Project::new();
    let recorder = Recorder::start(&project, &["--idle", "300ms", "--until-sessions", "2"]);
    // In one request, so that nothing can be written between them.
    let mut both = turn("s", 1);
    both.resource_spans.extend(turn("s", 2).resource_spans);
    recorder.protobuf(&both);
    while ids(&project).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    recorder.protobuf(&turn("s", 3));
    let (_, said) = recorder.wait();
    assert!(said.contains("1 of them go on a session that had been written"), "{said}");
    let all = sessions(&project);
    assert_eq!((all[0]["id"].as_str(), all[0]["turns"].as_array().unwrap().len()), (Some("s"), 2));
    assert_eq!((all[1]["id"].as_str(), &all[1]["attributes"]["seatrial.continues"]), (Some("s#2"), &"s".into()));
}

#[test]
fn what_must_not_be_written_is_not() {
    let project = Project::new();
    project.file("seatrial.toml", "[redact]\ndetectors = [\"email\"]\n");
    let recorder = Recorder::start(&project, &["--idle", "100ms", "--until-sessions", "1"]);
    recorder.protobuf(&turn("s", 1));
    assert_eq!(recorder.wait().0, Some(0));
    let text = std::fs::read_to_string(project.path("sessions.jsonl")).unwrap();
    assert!(text.contains("[redacted:email]") && !text.contains("ann@example.com"), "{text}");
}

#[test]
fn what_was_recorded_can_be_judged() {
    let project = Project::with("[[span]]\nid = \"known\"\ncheck = \"status\"\nis = \"unset\"\n", &[]);
    std::fs::remove_file(project.path("sessions.jsonl")).unwrap();
    let recorder = Recorder::start(&project, &["--idle", "100ms", "--until-sessions", "1"]);
    recorder.protobuf(&turn("s", 1));
    assert_eq!(recorder.wait().0, Some(0));
    project.run().code(0);
    assert_eq!(project.check("known")["pass"], 2, "its spans");
}
