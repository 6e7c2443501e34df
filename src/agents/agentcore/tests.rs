//! Agents of kind `agentcore` against real connections.

use serde_json::json;

use crate::agents::Heard;
use crate::agents::testing::{Do, Server, events, hello, ok, problems, reply, runs};
use crate::net::{Cause, Trouble};

const ARN: &str = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/support-abc";

async fn once(step: Do, keys: &str) -> (Result<Heard, Trouble>, String) {
    let server = Server::new(vec![step]).await;
    let table = format!("kind='agentcore'\nruntime='{ARN}'\nurl='{}/'\ntoken='{{{{ env.KEY }}}}'\n{keys}", server.url);
    let heard = hello(&table).await;
    let request = server.requests().pop().unwrap_or_default();
    (heard, request)
}

#[test]
fn the_runtime_is_asked_with_its_session_and_a_token() {
    let (heard, request) = runs(once(ok(&json!({"result": "hi"})), "qualifier = 'dev 1'\nreply = 'result'"));
    assert_eq!(heard.unwrap().reply.as_deref(), Some("hi"));
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let path = "/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aeu-west-1%3A123456789012%3Aruntime%2Fsupport-abc/invocations";
    assert!(head.starts_with(&format!("POST {path}?qualifier=dev%201 HTTP/1.1\r\n")), "{head}");
    for header in [
        "authorization: Bearer s3cret",
        "x-amzn-bedrock-agentcore-runtime-session-id: 0b0c0d0e-0000-4000-8000-000000000001",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "baggage: session.id=0b0c0d0e-0000-4000-8000-000000000001",
        "accept: text/event-stream, application/json",
    ] {
        assert!(head.lines().any(|line| line == header), "{header}: {head}");
    }
    assert_eq!(body, r#"{"prompt":"hello"}"#);
}

#[test]
fn the_reply_may_be_a_whole_or_events_and_need_not_be_found_by_a_path() {
    for (step, keys, expected) in [
        (ok(&json!("plain")), "", "plain"),
        (ok(&json!({"a": 1})), "", "{\"a\":1}"),
        (reply("200 OK", "text/plain", "text"), "", "text"),
        (events(&["\"one \"", "two"]), "", "one two"),
        (
            events(&["{\"event\":{\"delta\":\"a\"}}", "{\"other\":1}", "{\"event\":{\"delta\":\"b\"}}"]),
            "text = 'event.delta'",
            "ab",
        ),
    ] {
        let heard = runs(once(step, keys)).0.unwrap();
        assert_eq!(heard.reply.as_deref(), Some(expected));
    }
}

#[test]
fn bad_replies_are_troubles_with_names() {
    for (step, cause) in [
        (reply("429 Throttled", "application/json", "{}"), Cause::Busy),
        (reply("403 Forbidden", "application/json", "{\"message\":\"s3cret is expired\"}"), Cause::Refused),
        (reply("200 OK", "text/html", "<html>"), Cause::Malformed),
        (events(&[]), Cause::Malformed),
        (events(&["\"half\"", "{\"error\":\"broke\",\"error_type\":\"ValueError\"}"]), Cause::Agent),
    ] {
        let trouble = runs(once(step, "")).0.unwrap_err();
        assert_eq!(trouble.cause, cause, "{}", trouble.message);
        assert!(!trouble.message.contains("s3cret"));
    }
}

#[test]
fn what_is_wrong_with_the_table_is_said_where_it_stands() {
    let bad = "kind = 'agentcore'\nruntime = 'support'";
    assert_eq!(problems(bad), ["runtime: not the ARN of a runtime, and no `region` is given"]);
    let bad = format!("kind = 'agentcore'\nruntime = '{ARN}'\npayload = {{ a = '{{{{ nope }}}}' }}");
    assert_eq!(problems(&bad).len(), 1);
}
