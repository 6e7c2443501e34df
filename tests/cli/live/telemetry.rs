//! Spans that an agent exports while it is driven decide checks; without them, what needs them is an error.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::agent::{Agent, Answer, Asked};
use crate::project::Project;

/// A port that nobody listens at, for now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}

/// Exports the spans of a turn: the agent, and a tool that it called.
fn export(port: u16, asked: &Asked, tool: &str) {
    let parent = asked.header("traceparent").expect("a trace");
    let parts: Vec<&str> = parent.split('-').collect();
    let attribute = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let span = |id: &str, parent: &str, name: &str, attributes: Value| {
        json!({ "traceId": parts[1], "spanId": id, "parentSpanId": parent, "name": name, "kind": 1, "status": {},
            "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000", "attributes": attributes })
    };
    let root = json!([attribute("gen_ai.operation.name", "invoke_agent"), attribute("gen_ai.agent.name", "stub")]);
    let called = json!([attribute("gen_ai.operation.name", "execute_tool"), attribute("gen_ai.tool.name", tool)]);
    let spans = json!([
        span("00000000000000a1", parts[2], "invoke_agent stub", root),
        span("00000000000000a2", "00000000000000a1", "execute_tool", called)
    ]);
    let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] }).to_string();
    let said = post(port, "content-type: application/json", body.as_bytes());
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

/// Sends a request to the receiver; its answer.
fn post(port: u16, headers: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the receiver");
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\n{headers}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("sent");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("an answer");
    said
}

fn project(agent: &Agent, port: u16) -> Project {
    let project = Project::new();
    let table = format!(
        "[agent]\nkind = \"http\"\nurl = \"{}\"\nreply = \"reply\"\n\
         telemetry = {{ listen = [\"{port}\"], quiet = \"50ms\", deadline = \"2s\" }}\n",
        agent.url("/")
    );
    let checks = "[[session]]\nid = \"looks-up\"\ncheck = \"calls\"\ntool = \"lookup\"\n\
        [[session]]\nid = \"no-refund\"\ncheck = \"calls\"\ntool = \"refund\"\nmax = 0\n";
    let cases = "[[case]]\nid = \"a\"\nuser = \"x\"\n[[case]]\nid = \"b\"\nuser = \"y\"\n";
    project
        .file("suite.toml", format!("[suite]\nname = \"s\"\ntools = [\"refund\", \"lookup\"]\n{table}{checks}{cases}"));
    project
}

#[test]
fn spans_that_arrive_while_it_is_driven_decide() {
    let port = free_port();
    let agent = Agent::new(move |asked, _| {
        export(port, asked, "lookup");
        Answer::Json(json!({ "reply": "done" }))
    });
    let project = project(&agent, port);
    let said = project.run().code(0);
    assert!(said.err.contains("4 records of telemetry received"), "{}", said.err);
    assert_eq!((&project.check("looks-up")["pass"], &project.check("no-refund")["pass"]), (&json!(2), &json!(2)));
}

#[test]
fn what_others_send_while_it_is_driven_is_counted_or_refused_and_changes_no_session() {
    let port = free_port();
    // Calls of a tool that must not be called, each in a trace of its own, and of parents that never come.
    let span = |i: u32| {
        let tool = json!({ "key": "gen_ai.tool.name", "value": { "stringValue": "refund" } });
        json!({ "traceId": format!("{:032x}", 0xf0000 + i), "spanId": "00000000000000b1", "parentSpanId": "00000000000000b0",
            "name": "execute_tool refund", "startTimeUnixNano": "1", "endTimeUnixNano": "2", "attributes": [tool] })
    };
    let spans: Vec<Value> = (0..1000).map(span).collect();
    let foreign = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] }).to_string();
    let deep = |n: usize| format!("{}{{\"intValue\":1}}{}", "{\"arrayValue\":{\"values\":[".repeat(n), "]}}".repeat(n));
    let nested = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span(2000)] }] }] }).to_string();
    let nested = nested.replace("{\"stringValue\":\"refund\"}", &deep(50_000));
    let bomb = crate::receive::recorder::gzip(&vec![0; 200 << 20]);
    let agent = Agent::new(move |asked, nth| {
        if nth == 0 {
            let json = "content-type: application/json";
            for (headers, body, status) in [
                (json, foreign.as_bytes(), "200"),
                (json, nested.as_bytes(), "400"),
                (json, b"{\"resourceSpans\": [", "400"),
                ("content-type: application/x-protobuf\r\ncontent-encoding: gzip", &bomb[..], "413"),
            ] {
                let said = post(port, headers, body);
                assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{said}");
            }
        }
        export(port, asked, "lookup");
        Answer::Json(json!({ "reply": "done" }))
    });
    let project = project(&agent, port);
    let said = project.run().code(0);
    assert!(said.err.contains("1000 belong to no session of the run"), "{}", said.err);
    assert_eq!((&project.check("looks-up")["pass"], &project.check("no-refund")["pass"]), (&json!(2), &json!(2)));
    assert_eq!(project.suite()["driven"]["foreign"], 1000);
}

#[test]
fn an_agent_whose_spans_do_not_arrive_is_not_known_to_have_called_nothing() {
    // That it names no call in its replies does not change that.
    for more in ["", "calls = { at = \"calls\" }\n"] {
        let agent = Agent::new(|_, _| Answer::Json(json!({ "reply": "done", "calls": [] })));
        let project = project(&agent, free_port());
        let text = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
        let text = text.replace("deadline = \"2s\"", "deadline = \"200ms\"");
        project.file("suite.toml", text.replace("telemetry =", &format!("{more}telemetry =")));
        project.run().code(4).says("exporter sends to");
        assert_eq!((&project.check("looks-up")["error"], &project.check("no-refund")["error"]), (&json!(2), &json!(2)));
    }
}

#[test]
fn spans_that_arrive_after_their_session_was_saved_are_put_into_it() {
    let port = free_port();
    // The second tells of a tool of the first, whose session has been quiet for long enough and is saved.
    let first: std::sync::Mutex<Option<Asked>> = std::sync::Mutex::default();
    let agent = Agent::new(move |asked, _| {
        let mut first = first.lock().expect("alone");
        if let Some(first) = first.take() {
            export(port, &first, "refund");
        } else {
            *first = Some(asked.clone());
        }
        export(port, asked, "lookup");
        Answer::Json(json!({ "reply": "done" }))
    });
    let project = project(&agent, port);
    let text = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    project.file("suite.toml", text.replace("telemetry =", "concurrency = 1\ntelemetry ="));
    project.run().code(1).complains("1 put together again with telemetry that came late");
    assert_eq!((&project.check("no-refund")["fail"], &project.check("no-refund")["pass"]), (&json!(1), &json!(1)));
    assert_eq!(project.suite()["driven"]["joined"], 1);
    let saved = project.report("sessions/s.jsonl");
    assert_eq!((saved.lines().count(), saved.matches("\"refund\"").count()), (2, 1), "{saved}");
}

#[test]
fn spans_that_arrive_after_the_last_reply_are_in_their_session_and_those_of_a_judged_session_are_counted() {
    use crate::judges::stub::{Stub, completion, verdict};
    let port = free_port();
    let asked: Arc<Mutex<Option<Asked>>> = Arc::default();
    let told = asked.clone();
    // What it tells of its tool comes long after its reply, from a thread of its own.
    let agent = Agent::new(move |asked, _| {
        let (late, told) = (asked.clone(), told.clone());
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            export(port, &late, "refund");
            *told.lock().expect("alone") = Some(late);
        });
        export(port, asked, "lookup");
        Answer::Json(json!({ "reply": "done" }))
    });
    // While it is judged, one more comes.
    let judge = Stub::new(move |_| {
        if let Some(asked) = asked.lock().expect("alone").take() {
            export(port, &asked, "lookup");
        }
        completion(&verdict(1.0))
    });
    let project = project(&agent, port);
    let text = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    let text = text.replace("quiet = \"50ms\"", "quiet = \"2s\"");
    let check = "[[session]]\nid = \"polite\"\ncheck = \"judge\"\nrubric = \"It is polite.\"\n[[case]]\nid = \"a\"";
    let text = text.replace("[[case]]\nid = \"b\"\nuser = \"y\"\n", "").replace("[[case]]\nid = \"a\"", check);
    project.file("suite.toml", text);
    project.file(
        "seatrial.toml",
        format!("[judge.default]\nendpoint = \"openai\"\nmodel = \"m\"\nurl = \"{}/v1\"\n", judge.url),
    );
    project.run().code(1).complains("2 records of telemetry came when their sessions were being judged");
    assert_eq!(project.check("no-refund")["fail"], 1);
    assert_eq!(project.suite()["driven"]["late"], 2);
}

#[test]
fn suites_that_name_the_same_place_share_its_receiver() {
    let port = free_port();
    // The agent of the second tells of a tool that the first called.
    let first: Arc<Mutex<Option<Asked>>> = Arc::default();
    let kept = first.clone();
    let one = Agent::new(move |asked, _| {
        kept.lock().expect("alone").get_or_insert_with(|| asked.clone());
        export(port, asked, "lookup");
        Answer::Json(json!({ "reply": "done" }))
    });
    let two = Agent::new(move |asked, _| {
        if let Some(first) = first.lock().expect("alone").take() {
            export(port, &first, "refund");
        }
        export(port, asked, "lookup");
        Answer::Json(json!({ "reply": "done" }))
    });
    let (project, other) = (project(&one, port), project(&two, port));
    let text = std::fs::read_to_string(other.path("suite.toml")).expect("the suite");
    project.file("suite2.toml", text.replace("name = \"s\"", "name = \"t\""));
    project.seatrial(&["run", "suite.toml", "suite2.toml"]).code(1);
    let fails: Vec<u64> =
        (0..2).map(|i| project.summary()["suites"][i]["driven"]["joined"].as_u64().unwrap_or(0)).collect();
    assert_eq!(fails, [1, 0]);
}

#[test]
fn a_place_that_is_taken_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let agent = Agent::echo();
    let project = project(&agent, taken.local_addr().expect("an address").port());
    project.run().code(5).complains("telemetry cannot be received").complains("[agent.telemetry]");
    assert!(agent.asked().is_empty());
}
