//! Kinds of agents that are spoken with in a protocol of others, driven by the real binary.

use serde_json::{Value, json};

use super::agent::{Agent, Answer};
use crate::project::{Project, Said};
use crate::receive::demo::Demo;

const SUITE: &str = "[suite]\nname = \"s\"\ntrials = 2\n[[session]]\nid = \"told\"\ncheck = \"contains\"\nvalue = \"shipped\"\n\
                     [[case]]\nid = \"where\"\nuser = [\"Where is A100?\"]\n";

#[test]
fn an_endpoint_of_chat_completions_is_driven_whole_and_in_pieces() {
    for stream in [false, true] {
        let project = Project::new();
        let demo = Demo::start(&project, "off", "http/json");
        let agent =
            format!("[agent]\nkind = \"openai\"\nurl = \"{}/v1\"\nmodel = \"support\"\nstream = {stream}\n", demo.url);
        project.file("suite.toml", format!("{SUITE}{agent}"));
        project.run().code(0).says("1 of 1 suites passed");
        assert_eq!(project.check("told")["pass"], 2, "stream = {stream}");
    }
}

#[test]
fn an_agent_of_agent2agent_is_driven_and_one_that_fails_its_task_is_an_error_of_its_case() {
    for (state, code) in [("completed", 0), ("failed", 4)] {
        let agent = Agent::new(move |asked, _| {
            let said = json!([{ "kind": "text", "text": "Order A100 is shipped." }]);
            assert_eq!(asked.body["method"], "message/send");
            Answer::Json(json!({ "jsonrpc": "2.0", "id": asked.body["id"], "result": {
                "kind": "task", "id": "t", "contextId": "c", "status": { "state": state },
                "artifacts": [{ "artifactId": "a", "parts": said }],
            } }))
        });
        let project = Project::new();
        let table = format!("[agent]\nkind = \"a2a\"\nurl = \"{}\"\n", agent.url("/"));
        project.file("suite.toml", format!("{SUITE}{table}"));
        project.run().code(code);
        let check = project.check("told");
        assert_eq!(check[if code == 0 { "pass" } else { "error" }], 2, "{check}");
        let parts = &agent.asked()[0].body["params"]["message"]["parts"];
        assert_eq!(parts[0]["text"], "Where is A100?");
    }
}

/// Server-sent events, one JSON each.
fn events(all: &[Value]) -> Answer {
    let body = all.iter().map(|event| format!("data: {event}\n\n")).collect();
    Answer::Status(200, &[("content-type", "text/event-stream")], body)
}

#[test]
fn a_task_of_agent2agent_is_put_together_from_its_events() {
    let agent = Agent::new(|asked, _| {
        assert_eq!(asked.body["method"], "message/stream");
        let event = |result: Value| json!({ "jsonrpc": "2.0", "id": asked.body["id"], "result": result });
        let piece = |text: &str, append: bool| {
            event(json!({ "kind": "artifact-update", "taskId": "t", "contextId": "c", "append": append,
                "artifact": { "artifactId": "a", "parts": [{ "kind": "text", "text": text }] } }))
        };
        let done = event(json!({ "kind": "status-update", "taskId": "t", "contextId": "c", "final": true,
            "status": { "state": "completed" } }));
        // In the second session the stream ends before the task does.
        let whole = [piece("Order A100 is ", false), piece("shipped.", true), done];
        if asked.body["params"]["message"]["parts"][0]["text"] == "Cut me off" {
            events(&whole[..2])
        } else {
            events(&whole)
        }
    });
    let project = Project::new();
    let table = format!("[agent]\nkind = \"a2a\"\nurl = \"{}\"\nstream = true\n", agent.url("/"));
    project.file("suite.toml", format!("{SUITE}[[case]]\nid = \"cut\"\nuser = [\"Cut me off\"]\n{table}"));
    project.run().code(4);
    let check = project.check("told");
    assert_eq!((&check["pass"], &check["error"]), (&json!(2), &json!(2)), "{check}");
    assert!(project.report("junit.xml").contains("the stream ended before the task did"));
}

#[test]
fn responses_calls_the_tools_of_the_suite_and_streams_its_reply() {
    let response = |output: Value| {
        json!({ "type": "response.completed", "response": { "status": "completed", "model": "m-1", "output": output,
            "usage": { "input_tokens": 7, "output_tokens": 3, "total_tokens": 10 } } })
    };
    let agent = Agent::new(move |asked, _| {
        assert_eq!(asked.line, "POST /v1/responses HTTP/1.1");
        assert_eq!(asked.header("authorization"), Some("Bearer s3cret-of-responses"));
        let answered = asked.body["input"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
        if answered["type"] == "function_call_output" {
            assert_eq!(answered["output"], "{\"status\":\"shipped\"}");
            let text = json!([{ "type": "output_text", "text": "It is shipped." }]);
            let said = json!([{ "type": "message", "role": "assistant", "content": text }]);
            return events(&[json!({ "type": "response.output_text.delta", "delta": "It is " }), response(said)]);
        }
        events(&[response(json!([{ "type": "function_call", "id": "f", "call_id": "c", "name": "order",
            "arguments": "{\"id\":\"A100\"}" }]))])
    });
    let project = Project::new();
    let table = format!(
        "[[span]]\nid = \"looked-up\"\non = {{ kind = \"tool\", name = \"order\" }}\ncheck = \"value\"\nof = \"input\"\npath = \"id\"\nis = \"A100\"\n\
         [agent]\nkind = \"openai\"\nurl = \"{}\"\napi = \"responses\"\nmodel = \"m\"\nstream = true\napi_key = \"{{{{ env.KEY }}}}\"\n\
         [[agent.tool]]\nname = \"order\"\nparameters = {{ type = \"object\" }}\nreturns = {{ status = \"shipped\" }}\n",
        agent.url("/v1")
    );
    project.file("suite.toml", format!("{SUITE}{table}"));
    let mut run = project.command(&["run", "suite.toml"]);
    run.env("KEY", "s3cret-of-responses");
    Said::of(run).code(0);
    assert_eq!((&project.check("told")["pass"], &project.check("looked-up")["pass"]), (&json!(2), &json!(2)));
    assert!(!project.events().contains("s3cret-of-responses"));
}

#[test]
fn a_runtime_of_agentcore_is_invoked_with_a_token_and_streams_its_reply() {
    let agent = Agent::new(|asked, _| {
        let path =
            "/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aeu-west-1%3A123456789012%3Aruntime%2Fsupport-abc/invocations";
        assert!(asked.line.starts_with(&format!("POST {path}")), "{}", asked.line);
        assert_eq!(asked.header("authorization"), Some("Bearer s3cret-of-agentcore"));
        assert!(asked.header("x-amzn-bedrock-agentcore-runtime-session-id").is_some_and(|id| id.len() >= 33));
        assert_eq!(asked.body, json!({ "prompt": "Where is A100?" }));
        events(&[json!("Order A100 "), json!("is shipped.")])
    });
    let project = Project::new();
    let table = format!(
        "[agent]\nkind = \"agentcore\"\nruntime = \"arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/support-abc\"\n\
         url = \"{}\"\ntoken = \"{{{{ env.TOKEN }}}}\"\n",
        agent.url("/")
    );
    project.file("suite.toml", format!("{SUITE}{table}"));
    let mut run = project.command(&["run", "suite.toml"]);
    run.env("TOKEN", "s3cret-of-agentcore");
    Said::of(run).code(0);
    assert_eq!(project.check("told")["pass"], 2);
    let ids: std::collections::BTreeSet<String> = agent
        .asked()
        .iter()
        .filter_map(|asked| asked.header("x-amzn-bedrock-agentcore-runtime-session-id").map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), 2, "each trial is a session of its own");
    assert!(!project.events().contains("s3cret-of-agentcore"));
}

#[test]
fn the_tools_of_an_mcp_server_are_tested_over_http() {
    let agent = Agent::new(|asked, _| {
        let answer =
            |result: Value| Answer::Json(json!({ "jsonrpc": "2.0", "id": asked.body["id"], "result": result }));
        match asked.body["method"].as_str() {
            Some("initialize") => answer(json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
                "serverInfo": { "name": "stub", "version": "1" } })),
            Some("tools/list") => {
                answer(json!({ "tools": [{ "name": "where", "inputSchema": { "type": "object" } }] }))
            }
            Some("tools/call") if asked.body["params"]["arguments"]["id"] == "A100" => {
                let said = json!({ "content": [{ "type": "text", "text": "shipped" }] });
                events(&[json!({ "jsonrpc": "2.0", "id": asked.body["id"], "result": said })])
            }
            Some("tools/call") => {
                answer(json!({ "isError": true, "content": [{ "type": "text", "text": "no such order" }] }))
            }
            Some(_) if asked.body.get("id").is_none() => Answer::Status(202, &[], String::new()),
            _ => Answer::Status(405, &[], String::new()),
        }
    });
    let project = Project::new();
    let suite = format!(
        "[suite]\nname = \"tools\"\n[agent]\nkind = \"mcp\"\nurl = \"{}\"\n\
         [[case]]\nid = \"known\"\n[[case.turn]]\ncall = {{ name = \"where\", args = {{ id = \"A100\" }} }}\n\
         [[case]]\nid = \"unknown\"\n[[case.turn]]\ncall = {{ name = \"where\", args = {{ id = \"B7\" }} }}\n\
         [[span]]\nid = \"told\"\non = {{ kind = \"tool\", case = \"known\" }}\ncheck = \"contains\"\nof = \"output\"\nvalue = \"shipped\"\n\
         [[span]]\nid = \"refused\"\non = {{ kind = \"tool\", case = \"unknown\" }}\ncheck = \"status\"\nis = \"error\"\n",
        agent.url("/mcp")
    );
    project.file("suite.toml", &suite);
    project.run().code(0);
    assert_eq!((&project.check("told")["pass"], &project.check("refused")["pass"]), (&json!(1), &json!(1)));
    project.file("suite.toml", suite.replace("value = \"shipped\"", "value = \"lost\""));
    project.run().code(1);
}
