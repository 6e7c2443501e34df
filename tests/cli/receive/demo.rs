//! The demo agent, a process of its own, and its spans in every encoding.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::recorder::{Recorder, run, sessions};
use crate::project::Project;

/// A demo agent that runs, and ends with the test.
pub struct Demo {
    child: Child,
    pub url: String,
}

impl Demo {
    /// Starts one on a free port that sends spans to `otlp` in the way of `protocol`.
    pub fn start(project: &Project, otlp: &str, protocol: &str) -> Self {
        let args = ["demo-agent", "--listen", "0", "--otlp", otlp, "--protocol", protocol];
        let mut child = project.command(&args).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stderr.take().expect("a pipe")).read_line(&mut line).expect("text");
        let url = line.split_whitespace().find_map(|w| w.strip_suffix("/chat;")).expect("an address").to_owned();
        Self { child, url }
    }

    /// Says something, with a header `x-demo-fault` where there is one; the status and the body.
    pub fn say(&self, path: &str, body: &Value, fault: &str) -> (u16, String) {
        run(async {
            let request = seatrial::net::client::client().expect("a client").post(format!("{}{path}", self.url));
            let request =
                request.header("traceparent", format!("00-{}-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"));
            let request = request.header("baggage", "session.id=in-baggage").header("x-demo-fault", fault);
            let reply = request.json(body).send().await.expect("an answer");
            (reply.status().as_u16(), reply.text().await.unwrap_or_else(|why| format!("cut: {why}")))
        })
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn its_spans_become_a_session_whose_turns_and_calls_are_all_there() {
    for protocol in ["http/protobuf", "http/json", "grpc"] {
        let project = Project::new();
        let recorder = Recorder::start(&project, &["--idle", "400ms", "--until-sessions", "1"]);
        let otlp = if protocol == "grpc" { recorder.grpc.clone() } else { recorder.http.clone() };
        let demo = Demo::start(&project, &otlp, protocol);
        let (_, said) = demo.say("/chat", &json!({ "message": "Please cancel B200." }), "");
        let said: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(said["reply"], "Order B200 (a compass) is cancelled.");
        assert_eq!(said["tool_calls"][1]["tool"], "cancel_order");
        let (code, told) = recorder.wait();
        assert_eq!(code, Some(0), "{protocol}: {told}");
        let session = &sessions(&project)[0];
        assert_eq!((session["id"].as_str(), session["agent"].as_str()), (Some("in-baggage"), Some("demo-support")));
        assert_eq!(session["version"], "1.0.0", "{protocol}");
        let turn = &session["turns"][0];
        assert_eq!(turn["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736", "{protocol}");
        assert_eq!((&turn["user"], &turn["reply"]), (&json!("Please cancel B200."), &said["reply"]), "{protocol}");
        let kinds: Vec<&str> = turn["spans"].as_array().unwrap().iter().map(|s| s["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["other", "agent", "llm", "tool", "llm", "tool", "llm"], "{protocol}");
        let cancel = &turn["spans"][5];
        let input: Value = serde_json::from_str(cancel["input"].as_str().unwrap()).unwrap();
        assert_eq!((&input["order_id"], &cancel["status"]), (&json!("B200"), &json!("ok")), "{cancel}");
        assert!(turn["ttft_ns"].as_u64().unwrap() > 0 && turn["spans"][2]["usage"]["input"].as_u64().unwrap() > 0);
        assert_eq!(session["incomplete"], Value::Null, "the root's parent is the caller's: {session}");
    }
}

#[test]
fn it_streams_and_speaks_as_openai_does() {
    let project = Project::new();
    let demo = Demo::start(&project, "off", "http/json");
    let (_, said) = demo.say("/chat", &json!({ "message": "Where is A100?", "stream": true }), "");
    let events: Vec<Value> =
        said.lines().filter_map(|l| l.strip_prefix("data: ")).map(|d| serde_json::from_str(d).unwrap()).collect();
    let words: String = events.iter().filter_map(|e| e["delta"].as_str()).collect();
    let last = events.last().unwrap();
    assert_eq!((words.as_str(), &last["done"]), ("Order A100 (a rope of 20 m) is shipped.", &json!(true)));
    assert_eq!(last["reply"], words);
    let asked = json!({ "model": "x", "messages": [{ "role": "user", "content": "Where is A100?" }] });
    let (_, said) = demo.say("/v1/chat/completions", &asked, "");
    let whole: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], words);
    assert!(whole["usage"]["total_tokens"].as_u64().unwrap() > 0);
    let mut streamed = asked;
    streamed["stream"] = true.into();
    let (_, said) = demo.say("/v1/chat/completions", &streamed, "");
    assert!(said.contains("\"content\":\"Order \"") && said.ends_with("data: [DONE]\n\n"), "{said}");
}

#[test]
fn it_fails_in_every_way_that_it_is_asked_to() {
    let project = Project::new();
    let demo = Demo::start(&project, "off", "http/json");
    let ask = |fault: &str| demo.say("/chat", &json!({ "message": "Where is B200?", "session_id": fault }), fault);
    assert!(ask("loop").1.matches("look_up_order").count() == 8);
    assert!(ask("wrong-tool").1.contains("cancel_order"));
    assert!(ask("tool-error").1.contains("the order service does not answer"));
    assert!(ask("pii").1.contains("4111 1111 1111 1111"));
    assert_eq!(ask("500").0, 500);
    assert_eq!((ask("busy").0, ask("busy").0), (429, 200));
    assert!(ask("reset").1.starts_with("cut: "));
    let world = |id: &str| {
        let url = format!("{}/state?session_id={id}", demo.url);
        run(async { reqwest::get(url).await.unwrap().json::<Value>().await.unwrap() })
    };
    assert_eq!(world("wrong-tool")["orders"]["B200"]["status"], "cancelled");
    assert_eq!(demo.say("/reset", &json!({ "session_id": "wrong-tool" }), "").0, 204);
    assert_eq!(world("wrong-tool")["orders"]["B200"]["status"], "processing");
}

#[test]
fn it_hangs_keeps_one_waiting_and_dies_when_it_is_asked_to() {
    let project = Project::new();
    let mut demo = Demo::start(&project, "off", "http/json");
    let url = format!("{}/chat", demo.url);
    let ask = |fault: &'static str| {
        let body = json!({ "message": "Where is B200?", "stream": true, "session_id": fault });
        let request = seatrial::net::client::client().expect("a client").post(&url);
        request.header("x-demo-fault", fault).json(&body).send()
    };
    run(async {
        let hangs = tokio::spawn(ask("hang"));
        // The first word comes late, and then all of them; whoever hangs does not keep others waiting.
        let began = Instant::now();
        let slow = ask("slow").await.expect("an answer").text().await.expect("all of it");
        assert!(slow.contains("\"done\":true"), "{slow}");
        let late = began.elapsed();
        let usual = ask("").await.expect("an answer").text().await.expect("all of it");
        assert!(usual.contains("\"done\":true") && late >= Duration::from_millis(1_500), "{late:?}");
        assert!(!hangs.is_finished());
        assert!(ask("crash").await.is_err());
        assert!(hangs.await.expect("no panic").is_err());
    });
    assert!(!demo.child.wait().expect("its end").success());
}
