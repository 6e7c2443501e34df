//! What can be seen from outside: a page, metrics, and verdicts in the backend of the user.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};

use super::process::Watch;
use crate::project::Project;
use crate::receive::demo::Demo;

#[test]
fn the_demo_agent_is_watched_and_can_be_looked_at() {
    let suite = "[[turn]]\nid = \"kind\"\ncheck = \"contains\"\nvalue = \"shipped\"\n";
    let project = Project::with(suite, &["{}"]);
    let watch = Watch::start(&project, &["--idle", "1s", "--window", "1s"]);
    assert_eq!(watch.look("/readyz").2, "ready\n");
    assert_eq!(watch.look("/healthz").2, "ok\n");
    let demo = Demo::start(&project, &watch.otlp, "http/protobuf");
    for text in ["Where is A100?", "Please cancel B200. <script>alert(1)</script>"] {
        demo.say("/chat", &json!({ "message": text }), "");
    }
    watch.until("seatrial_watch_verdicts_total{suite=\"s\",check=\"kind\",status=\"fail\"} 1");
    let (status, policy, page) = watch.look("/");
    assert_eq!(status, 200);
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    for never in ["<script", "http://", "https://", " style=", "onload"] {
        assert!(!page.contains(never), "{never}");
    }
    for part in ["demo-support", "1.0.0", "kind", "<svg", "Did not pass lately"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let (status, ..) = watch.look_as("/", Some("evil.example"));
    assert_eq!(status, 403, "a name that was bent to this address reads nothing");
    assert_eq!(watch.look("/style.css").0, 200);
    let (_, _, metrics) = watch.look("/metrics");
    assert!(metrics.ends_with("# EOF\n"));
    assert!(!metrics.contains("in-baggage"), "no id is a label: {metrics}");
}

#[test]
fn what_fires_is_spent_and_fails_most_can_be_seen() {
    let suite = format!(
        "{}[[system]]\nid = \"most-are-well\"\ncheck = \"pass_rate\"\nof = \"says\"\nmin = 0.9\n\
         [watch]\nlate = \"0s\"\nover = \"1m\"\nevery = \"1s\"\n[watch.sample]\nmax_sessions_per_day = 1000\n\
         [[alert]]\nname = \"says-no\"\nkind = \"threshold\"\nof = \"says\"\nmax = 0.5\nmin_count = 1\nby = \"agent\"\n",
        super::SUITE
    );
    let project = Project::with(&suite, &["{}"]);
    let watch = Watch::start(&project, &["--idle", "200ms"]);
    assert_eq!(watch.send(&super::turn("a", 1, "no")), 200);
    watch.until("seatrial_watch_alerts_firing{suite=\"s\",alert=\"says-no\",severity=\"warning\"} 1.0");
    watch.until("seatrial_watch_system_status{suite=\"s\",check=\"most-are-well\",status=\"fail\"} 1.0");
    watch.until("seatrial_watch_budget_spent{suite=\"s\",what=\"sessions\",per=\"day\"} 1.0");
    watch.until("seatrial_watch_window_failed_sessions{suite=\"s\",by=\"agent\",group=\"desk\"} 1.0");
    let (_, _, page) = watch.look("/");
    for part in
        ["says-no", "fires", "most-are-well", "over 1m up to", "1.000 of 1000 sessions this day", "fails most", "desk"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    watch.kill();
    // What system checks said is there for whoever comes next, and for whoever reads the file.
    let said = std::fs::read_to_string(project.path("watch/system.jsonl")).expect("a file");
    let first: Value = serde_json::from_str(said.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["checks"]["most-are-well"]["status"], &first["sessions"]), (&json!("fail"), &json!(1)));
}

/// A backend that takes one request after another; the bodies that it gets.
pub(super) fn backend(refuse: usize) -> (String, std::sync::mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, bodies) = channel();
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let mut all = Vec::new();
            let mut block = [0; 4096];
            let body = loop {
                let Ok(read) = stream.read(&mut block) else { return };
                all.extend_from_slice(&block[..read]);
                let text = String::from_utf8_lossy(&all);
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    break body.to_owned();
                }
            };
            let status = if n < refuse { "503 Service Unavailable" } else { "200 OK" };
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
            if n >= refuse && sender.send(serde_json::from_str(&body).unwrap_or_default()).is_err() {
                return;
            }
        }
    });
    (url, bodies)
}

#[test]
fn verdicts_are_told_to_the_backend_below_the_spans_that_were_evaluated() {
    let project = Project::with(super::SUITE, &["{}"]);
    let (url, bodies) = backend(0);
    let watch = Watch::start(&project, &["--idle", "200ms", "--export", &url]);
    assert_eq!(watch.send(&super::turn("a", 1, "no")), 200);
    let body = bodies.recv_timeout(Duration::from_secs(30)).expect("events");
    let event = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(event["eventName"], "gen_ai.evaluation.result");
    assert_eq!(event["spanId"], format!("{:016x}", 2));
    let value = |key: &str| {
        let attributes = event["attributes"].as_array().expect("attributes");
        attributes.iter().find(|a| a["key"] == key).map(|a| a["value"].clone()).expect("it")
    };
    assert_eq!(value("gen_ai.evaluation.name")["stringValue"], "says");
    assert_eq!(value("gen_ai.evaluation.score.label")["stringValue"], "fail");
    assert_eq!(value("gen_ai.conversation.id")["stringValue"], "a");
    watch.kill();
    // The next goes on behind it.
    let watch = Watch::start(&project, &["--idle", "200ms", "--export", &url]);
    assert_eq!(watch.send(&super::turn("b", 1, "ok")), 200);
    let body = bodies.recv_timeout(Duration::from_secs(30)).expect("events");
    assert!(body.to_string().contains("\"b\"") && !body.to_string().contains("\"a\""), "{body}");
}
