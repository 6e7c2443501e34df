//! Agents of kind `a2a` against real connections, in both versions of the protocol, and bad replies.

use serde_json::{Value, json};

use crate::agents::Heard;
use crate::agents::testing::{Do, SESSION, Server, build, events, hello, ok, open, reply, runs, say};
use crate::net::{Cause, Trouble};

fn table(url: &str, keys: &str) -> String {
    format!("kind = 'a2a'\nurl = '{url}/'\nheaders = {{ X-Key = '{{{{ env.KEY }}}}' }}\n{keys}")
}

async fn once(step: Do, keys: &str) -> Result<Heard, Trouble> {
    let server = Server::new(vec![step]).await;
    hello(&table(&server.url, keys)).await
}

fn result(result: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "result": result})
}

fn text(text: &str) -> Value {
    json!([{"kind": "text", "text": text}])
}

fn task(state: &str, said: Option<&str>, artifacts: &Value) -> Do {
    let mut status = json!({"state": state});
    if let Some(said) = said {
        status["message"] = json!({"kind": "message", "role": "agent", "messageId": "m", "parts": text(said)});
    }
    ok(&result(&json!({"kind": "task", "id": "t-1", "contextId": "c-1", "status": status, "artifacts": artifacts})))
}

#[test]
fn the_context_goes_with_the_next_message_and_the_task_while_it_waits_for_input() {
    runs(async {
        let made = json!([{"artifactId": "a", "parts": text("Booked.")}]);
        let message =
            json!({"kind": "message", "role": "agent", "messageId": "m", "contextId": "c-1", "parts": text("Bye")});
        let server = Server::new(vec![
            task("input-required", Some("Which day?"), &json!([])),
            task("working", Some("one moment"), &json!([])),
            task("completed", None, &made),
            ok(&result(&message)),
        ])
        .await;
        let agent = build(&table(&server.url, "")).unwrap();
        let mut talk = open(&agent).await.unwrap();
        let first = say(&mut *talk, "book", 0, &[]).await.unwrap();
        let second = say(&mut *talk, "friday", 1, &[]).await.unwrap();
        let third = say(&mut *talk, "thanks", 2, &[]).await.unwrap();

        assert_eq!(
            server.sent(0),
            json!({"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": {"kind": "message",
                "messageId": format!("{SESSION}-0"), "role": "user", "parts": text("book")}, "configuration":
                {"acceptedOutputModes": ["text/plain", "application/json"], "blocking": true}}})
        );
        let message = &server.sent(1)["params"]["message"];
        assert_eq!((&message["contextId"], &message["taskId"]), (&json!("c-1"), &json!("t-1")));
        assert_eq!(server.sent(2)["method"], "tasks/get");
        assert_eq!(server.sent(2)["params"], json!({"id": "t-1"}));
        let message = &server.sent(3)["params"]["message"];
        assert_eq!((&message["contextId"], message.get("taskId")), (&json!("c-1"), None));
        assert!(server.requests()[0].contains("x-key: s3cret\r\n"));
        assert!(server.requests()[0].contains("traceparent: 00-"));

        assert_eq!((first.reply.as_deref(), first.session.as_deref()), (Some("Which day?"), Some("c-1")));
        assert_eq!(first.attributes["a2a.task.state"], "input-required");
        assert_eq!(second.reply.as_deref(), Some("Booked."));
        assert_eq!((third.reply.as_deref(), third.calls), (Some("Bye"), None));
    });
}

#[test]
fn a_stream_is_put_together_from_its_artifacts() {
    let artifact = |said: &str, append: bool| {
        let artifact = json!({"artifactId": "a", "parts": text(said)});
        json!({"kind": "artifact-update", "taskId": "t", "contextId": "c", "append": append, "artifact": artifact})
    };
    let status = |state: &str| {
        let message = json!({"role": "agent", "messageId": "m", "parts": text("thinking")});
        json!({"kind": "status-update", "taskId": "t", "contextId": "c", "final": state == "completed",
            "status": {"state": state, "message": message}})
    };
    let all = [status("working"), artifact("Hel", false), artifact("lo", true), status("completed")];
    let all: Vec<String> = all.iter().map(|event| result(event).to_string()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let heard = runs(once(events(&all), "stream = true")).unwrap();
    assert_eq!((heard.reply.as_deref(), heard.first.is_some()), (Some("Hello"), true));
    let trouble = runs(once(events(&all[..3]), "stream = true")).unwrap_err();
    assert_eq!((trouble.cause, trouble.message.as_str()), (Cause::Reset, "the stream ended before the task did"));
}

#[test]
fn version_1_names_things_its_own_way() {
    runs(async {
        let update =
            json!({"statusUpdate": {"taskId": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}});
        let piece =
            json!({"artifactUpdate": {"taskId": "t", "artifact": {"artifactId": "a", "parts": [{"text": "Hi"}]}}});
        let done = json!({"task": {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_COMPLETED"}}});
        let all: Vec<String> = [update, piece, done].iter().map(|event| result(event).to_string()).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let server = Server::new(vec![events(&all)]).await;
        let heard = hello(&table(&server.url, "stream = true\nprotocol = '1.0'")).await.unwrap();
        assert_eq!(heard.reply.as_deref(), Some("Hi"));
        assert!(server.requests()[0].contains("a2a-version: 1.0\r\n"));
        let sent = server.sent(0);
        assert_eq!(sent["method"], "SendStreamingMessage");
        assert_eq!(
            (&sent["params"]["message"]["role"], &sent["params"]["message"]["parts"]),
            (&json!("ROLE_USER"), &json!([{"text": "hello"}]))
        );
        let message = json!({"message": {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"data": {"a": 1}}]}});
        let heard = once(ok(&result(&message)), "protocol = '1.0'").await.unwrap();
        assert_eq!(heard.reply.as_deref(), Some("{\"a\":1}"));
    });
}

#[test]
fn what_the_agent_decides_is_heard_and_what_fails_is_a_trouble_with_a_name() {
    let heard = runs(once(task("rejected", Some("Not my job."), &json!([])), "")).unwrap();
    assert_eq!(
        (heard.reply.as_deref(), &heard.attributes["a2a.task.state"]),
        (Some("Not my job."), &json!("rejected"))
    );
    let rpc = |code: i64| ok(&json!({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "no s3cret"}}));
    for (step, keys, cause, message) in [
        (task("failed", Some("out of luck"), &json!([])), "", Cause::Agent, "failed: out of luck"),
        (task("sleeping", None, &json!([])), "", Cause::Malformed, "not known"),
        (rpc(-32603), "", Cause::Agent, "no [secret] (-32603)"),
        (rpc(-32602), "", Cause::Refused, "(-32602)"),
        (ok(&json!({"jsonrpc": "2.0"})), "", Cause::Malformed, "no JSON-RPC response"),
        (ok(&result(&json!({"x": 1}))), "", Cause::Malformed, "no message, no task"),
        (ok(&result(&json!({"kind": "message", "parts": []}))), "", Cause::Malformed, "without text"),
        (reply("503 Busy", "text/plain", "later"), "", Cause::Busy, "later"),
        (reply("200 OK", "text/html", "<html>"), "", Cause::Malformed, "no JSON"),
        (events(&["{"]), "stream = true", Cause::Malformed, "an event of the stream"),
    ] {
        let trouble = runs(once(step, keys)).expect_err(message);
        assert_eq!(trouble.cause, cause, "{}", trouble.message);
        assert!(trouble.message.contains(message), "{message}: {}", trouble.message);
    }
}

#[test]
fn a_card_says_where_the_agent_is_and_how_it_is_spoken_with() {
    runs(async {
        let answer = json!({"message": {"role": "ROLE_AGENT", "messageId": "m", "parts": [{"text": "Aye."}]}});
        let card = json!({ "name": "support", "capabilities": { "streaming": false }, "supportedInterfaces":
            [{ "url": "/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0" }] });
        let server = Server::new(vec![ok(&card), ok(&result(&answer)), ok(&result(&answer))]).await;
        let keys = table(&server.url, "").replace("/'\nheaders", "/.well-known/agent-card.json'\nheaders");
        let agent = build(&keys).unwrap();
        let mut talk = open(&agent).await.unwrap();
        assert_eq!(say(&mut *talk, "hi", 0, &[]).await.unwrap().reply.as_deref(), Some("Aye."));
        // It is fetched once.
        let mut talk = open(&agent).await.unwrap();
        say(&mut *talk, "hi", 0, &[]).await.unwrap();
        let requests = server.requests();
        assert!(
            requests[0].starts_with("GET /.well-known/agent-card.json ")
                && requests[0].to_lowercase().contains("x-key: ")
        );
        assert!(requests[1].starts_with("POST /rpc ") && requests[1].contains("\"SendMessage\""), "{}", requests[1]);
        assert!(requests[1].to_lowercase().contains("a2a-version: 1.0") && requests.len() == 3);
    });
}

#[test]
fn a_card_that_leads_elsewhere_or_nowhere_is_refused() {
    runs(async {
        for (card, says) in [
            (json!({ "url": "http://elsewhere.example/rpc" }), "names an endpoint elsewhere"),
            (json!({ "name": "x" }), "names no interface of JSON-RPC"),
        ] {
            let server = Server::new(vec![ok(&card)]).await;
            let keys = table(&server.url, "").replace("/'\nheaders", "/.well-known/agent-card.json'\nheaders");
            let agent = build(&keys).unwrap();
            let Err(trouble) = open(&agent).await else { panic!("{says}") };
            assert_eq!(trouble.cause, Cause::Misconfigured);
            assert!(trouble.message.contains(says), "{trouble}");
        }
    });
}
