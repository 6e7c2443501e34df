//! Agents of kind `mcp` with servers that speak the wire format: over their standard input and output, and over HTTP.

use std::time::Duration;

use serde_json::json;

use crate::agents::testing::{Do, Server, build, call, head, ok, open, problems, reply, runs, say};
use crate::net::Cause;

/// A server as a shell script: `tools` are the arms of what it does when a tool is called, by name.
#[cfg(unix)]
fn program(tools: &str) -> String {
    let script = r#"
        say() { printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$1"; }
        text() { say "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$1\"}]$2}"; }
        while read -r line; do
            id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            name=$(printf '%s' "$line" | sed -n 's/.*"name":"\([a-z]*\)".*/\1/p')
            case "$line" in
                *'"method":"initialize"'*) say '"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"stub","version":"1"}}' ;;
                *'"method":"tools/call"'*) case "$name" in TOOLS esac ;;
            esac
        done"#;
    format!("kind = 'mcp'\nrun = ['sh', '-c', '''{}''']", script.replace("TOOLS", tools))
}

#[test]
#[cfg(unix)]
fn a_turn_is_a_call_whose_output_error_and_time_are_kept() {
    runs(async {
        let tools = r#"
            plain) text "it is noon" ;;
            json) text '{\"hour\": 12}' ;;
            both) say '"result":{"content":[{"type":"text","text":"12"}],"structuredContent":{"hour":12}}' ;;
            many) say '"result":{"content":[{"type":"text","text":"a"},{"type":"image","data":"eA==","mimeType":"image/png"}]}' ;;
            fails) text "no such zone" ',"isError":true' ;;
            trace) text "$(printf '%s' "$line" | sed -n 's/.*"traceparent":"\([^"]*\)".*/\1/p')" ;;
            *) say '"error":{"code":-32602,"message":"unknown tool"}' ;;"#;
        let agent = build(&program(tools)).unwrap();
        let mut talk = open(&agent).await.unwrap();
        for (name, output, error) in [
            ("plain", Some("\"it is noon\""), None),
            ("json", Some("{\"hour\": 12}"), None),
            ("both", Some("{\"hour\":12}"), None),
            (
                "many",
                Some(
                    "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image\",\"data\":\"eA==\",\"mimeType\":\"image/png\"}]",
                ),
                None,
            ),
            ("fails", Some("\"no such zone\""), Some("no such zone")),
            ("nope", None, Some("unknown tool (-32602)")),
        ] {
            let heard = call(&mut *talk, name, &json!({"zone": "UTC"})).await.unwrap();
            let calls = heard.calls.unwrap();
            assert_eq!((calls[0].output.as_deref(), calls[0].error.as_deref()), (output, error), "{name}");
            assert_eq!((calls[0].name.as_str(), calls[0].input.as_deref()), (name, Some("{\"zone\":\"UTC\"}")));
            assert!(calls[0].ended && calls[0].took.is_some());
        }
        let trouble = say(&mut *talk, "hello", 0, &[]).await.unwrap_err();
        assert_eq!((trouble.cause, trouble.message.contains("calls a tool")), (Cause::Misconfigured, true));
        talk.close().await;
    });
}

#[test]
#[cfg(unix)]
fn a_server_that_ends_says_why() {
    runs(async {
        let agent = build(&program("*) echo out of paper >&2; exit 7 ;;")).unwrap();
        let mut talk = open(&agent).await.unwrap();
        let trouble = call(&mut *talk, "x", &json!({})).await.unwrap_err();
        assert_eq!(trouble.cause, Cause::Died, "{}", trouble.message);
        assert!(
            trouble.message.contains("exit status: 7") && trouble.message.contains("out of paper"),
            "{}",
            trouble.message
        );
        let never = build("kind = 'mcp'\nrun = ['sh', '-c', 'echo no licence >&2']").unwrap();
        let trouble = open(&never).await.err().unwrap();
        assert!(trouble.cause == Cause::Died && trouble.message.contains("no licence"), "{trouble:?}");
    });
}

fn http(url: &str) -> String {
    format!(
        "kind = 'mcp'\nurl = '{url}/mcp'\nheaders = {{ Authorization = 'Bearer {{{{ env.KEY }}}}', X-S = '{{{{ session }}}}' }}"
    )
}

fn initialized() -> Do {
    ok(&json!({"jsonrpc": "2.0", "id": 0, "result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
        "serverInfo": {"name": "stub", "version": "1"}}}))
}

fn accepted() -> Do {
    Do::Send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec())
}

/// The list of tools, asked for behind the opening.
fn listed() -> Do {
    let tool = json!({"name": "now", "inputSchema": {"type": "object"}});
    ok(&json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [tool]}}))
}

#[test]
fn a_server_is_reached_over_http_with_json_and_with_events() {
    let result = json!({"jsonrpc": "2.0", "id": 2, "result": {"content": [{"type": "text", "text": "noon"}]}});
    let event =
        Do::Send([head("text/event-stream"), format!("event: message\ndata: {result}\n\n").into_bytes()].concat());
    for answer in [ok(&result), event] {
        runs(async {
            let server = Server::new(vec![initialized(), accepted(), listed(), answer.clone()]).await;
            let agent = build(&http(&server.url)).unwrap();
            let mut talk = open(&agent).await.unwrap();
            let heard = call(&mut *talk, "now", &json!({})).await.unwrap();
            assert_eq!((heard.reply.as_deref(), talk.tools()), (Some("noon"), vec!["now".to_owned()]));
            let request = server.requests()[0].to_ascii_lowercase();
            assert!(request.contains("authorization: bearer s3cret\r\n"), "{request}");
            assert!(request.contains("x-s: 0b0c0d0e-0000-4000-8000-000000000001\r\n"), "{request}");
        });
    }
}

#[test]
fn the_tools_of_a_server_are_asked_for_once_and_need_not_be_told() {
    let noon =
        |id: u8| ok(&json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": "noon"}]}}));
    let unknown = ok(&json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no such method"}}));
    let broken = reply("500 Oops", "text/html", "<h1>");
    for (list, tools) in [(listed(), vec!["now".to_owned()]), (unknown, Vec::new()), (broken, Vec::new())] {
        runs(async {
            // The second session has no list to ask for: its call is its second request.
            let script = vec![initialized(), accepted(), list.clone(), noon(2), initialized(), accepted(), noon(1)];
            let server = Server::new(script).await;
            let agent = build(&http(&server.url)).unwrap();
            for _ in 0..2 {
                let mut talk = open(&agent).await.unwrap();
                let heard = call(&mut *talk, "now", &json!({})).await.unwrap();
                assert_eq!((heard.reply.as_deref(), talk.tools()), (Some("noon"), tools.clone()));
            }
            let asked = server.requests().iter().filter(|request| request.contains("\"tools/list\"")).count();
            assert_eq!(asked, 1);
        });
    }
}

#[test]
fn bad_servers_are_troubles_with_names() {
    let busy =
        Do::Send(b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec());
    let large = Do::Endless(head("application/json"), vec![b' '; 65536]);
    runs(async {
        for (answer, cause) in [
            (busy, Cause::Busy),
            (reply("500 Oops", "text/html", "<h1>"), Cause::Server),
            (reply("200 OK", "text/html", "<h1>"), Cause::Malformed),
            (reply("200 OK", "application/json", "{\"jsonrpc\":"), Cause::Malformed),
            (large, Cause::TooLarge),
        ] {
            let server = Server::new(vec![initialized(), accepted(), listed(), answer]).await;
            let mut talk = open(&build(&http(&server.url)).unwrap()).await.unwrap();
            let trouble = call(&mut *talk, "now", &json!({})).await.unwrap_err();
            assert_eq!(trouble.cause, cause, "{}", trouble.message);
            assert_eq!(trouble.retry_after, (cause == Cause::Busy).then(|| Duration::from_secs(7)));
        }
        let trouble = open(&build("kind = 'mcp'\nurl = 'http://127.0.0.1:9/'").unwrap()).await.err().unwrap();
        assert_eq!(trouble.cause, Cause::Unreachable, "{}", trouble.message);
    });
}

#[test]
fn what_is_wrong_with_the_table_is_said_where_it_stands() {
    assert_eq!(problems("kind = 'mcp'"), [": nothing says where the server is: `run` or `url`"]);
    assert_eq!(problems("kind = 'mcp'\nrun = ['x']\nheaders = { A = 'b' }"), ["headers: a program has no headers"]);
    let both = "url: a server is a program (`run`) or reached over HTTP (`url`), not both";
    assert_eq!(problems("kind = 'mcp'\nrun = ['x']\nurl = 'http://x/'"), [both]);
}
