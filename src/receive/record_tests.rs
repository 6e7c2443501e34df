//! Which sessions are complete, and what of the spool is done with.

use super::*;
use crate::receive::spool::Encoding;

fn patience(idle: u64, open: u64) -> Patience {
    Patience { idle: Duration::from_secs(idle), open: Duration::from_secs(open) }
}

fn span(session: &str, trace: u8, parent: &str) -> String {
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{trace:032x}","spanId":"{trace:016x}",
        "parentSpanId":"{parent}","name":"x","startTimeUnixNano":"5","endTimeUnixNano":"9",
        "attributes":[{{"key":"session.id","value":{{"stringValue":"{session}"}}}}]}}]}}]}}]}}"#
    )
}

fn open(dir: &Path) -> Recorder {
    let (file, spool) = (dir.join("s.jsonl"), dir.join("spool"));
    Recorder::open(&file, &spool, Limits::default(), patience(10, 60), Redactor::default()).unwrap().0
}

fn written(dir: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.join("s.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_session_whose_root_has_ended_waits_shorter_than_one_whose_has_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = open(dir.path());
    let take = |text: String| recorder.inbox.take(Encoding::Json, text.as_bytes()).unwrap();
    take(span("over", 1, ""));
    take(span("open", 2, "00000000000000ff"));
    let at = |seconds| Instant::now() + Duration::from_secs(seconds);
    for (after, sessions) in [(5, 0), (11, 1), (30, 1), (61, 2)] {
        recorder.sweep(at(after), u64::MAX).unwrap();
        assert_eq!(recorder.written().sessions, sessions, "after {after} s");
    }
    let all = written(dir.path());
    assert_eq!((&all[0]["id"], &all[1]["id"]), (&"over".into(), &"open".into()));
    assert_eq!(all[1]["incomplete"], serde_json::Value::Null, "its root may be another process's");
    assert!(all[1]["notes"].to_string().contains("1 trace whose root span did not arrive"));
    assert_eq!(recorder.close().unwrap().open, 1);
    assert!(!dir.path().join("spool").exists());
}

#[test]
fn a_session_that_was_written_is_not_written_again_and_one_that_was_not_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = open(dir.path());
    recorder.inbox.take(Encoding::Json, span("a", 1, "").as_bytes()).unwrap();
    recorder.sweep(Instant::now() + Duration::from_secs(11), u64::MAX).unwrap();
    recorder.inbox.take(Encoding::Json, span("b", 2, "").as_bytes()).unwrap();
    // The process ends after a line was written and before that was noted.
    recorder.file.write_all(b"{\"id\":\"b\"}\n").unwrap();
    drop(recorder);
    let mut next = open(dir.path());
    assert_eq!(written(dir.path()).len(), 1, "what was not noted is cut off");
    next.finish().unwrap();
    let ids: Vec<_> = written(dir.path()).into_iter().map(|s| s["id"].clone()).collect();
    assert_eq!(ids, ["a", "b"]);
}
