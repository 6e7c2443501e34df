//! An agent of kind `http` against real connections, well-behaved and not.

use std::time::Duration;

use serde_json::json;

use crate::agents::testing::{Do, Server, build, events, head, hello, ok, open, problems, reply, runs, say};
use crate::agents::{Call, Exchange, Heard};
use crate::model::Usage;
use crate::net::{Cause, Trouble};

async fn whole(step: Do, keys: &str) -> Result<Heard, Trouble> {
    let server = Server::new(vec![step]).await;
    hello(&format!("kind = 'http'\nurl = '{}/chat'\n{keys}", server.url)).await
}

#[test]
fn what_is_known_of_the_turn_is_sent_and_what_comes_back_is_picked_out() {
    runs(async {
        let replies = vec![
            ok(&json!({"reply": "hi", "conversation": 12, "done": false, "cost": 0.25, "model": "m-1", "lane": "fast",
                "usage": {"prompt_tokens": 5, "completion_tokens": 2},
                "tools": [{"tool": "find", "args": "{\"q\":1}", "output": {"n": 2}}, {"tool": "buy", "error": "sold out"},
                    {"tool": "open", "args": {"a": null}}]})),
            ok(&json!({"reply": null, "conversation": 12, "done": true, "tools": []})),
        ];
        let server = Server::new(replies).await;
        let table = format!(
            r#"
            kind = "http"
            url = "{}/chat?case={{{{ case.id|urlencode }}}}&k={{{{ env.KEY }}}}"
            headers = {{ X-Key = "Bearer {{{{ env.KEY }}}}", X-Turn = "{{{{ turn }}}}" }}
            reply = "reply"
            calls = {{ at = "tools", name = "tool", input = "args" }}
            usage = "usage"
            cost_usd = "cost"
            model = "model"
            session = "conversation"
            ended = "done"
            attributes = {{ lane = "lane" }}
            [body]
            text = "{{{{ message }}}}"
            ours = ["{{{{ session }}}}", {{ theirs = "{{{{ agent_session|default(none) }}}}" }}]
            n = "{{{{ case.n }}}}"
            history = "{{{{ history }}}}"
            messages = "{{{{ messages }}}}"
            stream = false
            "#,
            server.url
        );
        let agent = build(&table).unwrap();
        let mut talk = open(&agent).await.unwrap();
        let first = say(&mut *talk, "a \"quoted\"\nword", 0, &[]).await.unwrap();
        let before = [Exchange { user: "a".to_owned(), reply: Some("hi".to_owned()) }];
        let second = say(&mut *talk, "more", 1, &before).await.unwrap();

        let requests = server.requests();
        assert!(requests[0].starts_with("POST /chat?case=c-1&k=s3cret HTTP/1.1\r\n"), "{}", requests[0]);
        for header in [
            "x-key: Bearer s3cret\r\n",
            "x-turn: 0\r\n",
            "content-type: application/json\r\n",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
            "baggage: session.id=0b0c0d0e-0000-4000-8000-000000000001\r\n",
        ] {
            assert!(requests[0].contains(header), "{header}: {}", requests[0]);
        }
        let ours = "0b0c0d0e-0000-4000-8000-000000000001";
        assert_eq!(
            server.sent(0),
            json!({"text": "a \"quoted\"\nword", "ours": [ours, {"theirs": null}], "n": 7, "history": [],
                "messages": [{"role": "user", "content": "a \"quoted\"\nword"}], "stream": false})
        );
        assert_eq!(
            server.sent(1),
            json!({"text": "more", "ours": [ours, {"theirs": "12"}], "n": 7, "history": [{"user": "a", "reply": "hi"}],
                "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "hi"},
                    {"role": "user", "content": "more"}], "stream": false})
        );

        assert_eq!(first.reply.as_deref(), Some("hi"));
        assert_eq!(first.usage, Some(Usage { input: Some(5), output: Some(2), ..Usage::default() }));
        assert_eq!((first.cost_usd, first.model.as_deref()), (Some(0.25), Some("m-1")));
        assert_eq!((first.session.as_deref(), first.ended, first.first), (Some("12"), false, None));
        assert_eq!(first.attributes["lane"], "fast");
        let calls = first.calls.unwrap();
        assert_eq!((calls[0].input.as_deref(), calls[0].output.as_deref()), (Some("{\"q\":1}"), Some("{\"n\":2}")));
        assert_eq!(
            (calls[1].error.as_deref(), calls[1].ended, calls[1].input.as_deref()),
            (Some("sold out"), true, None)
        );
        let open = Call { name: "open".to_owned(), input: Some("{\"a\":null}".to_owned()), ..Call::default() };
        assert_eq!(calls[2], open, "a call without a result is not ended");

        assert_eq!((second.reply, second.ended), (None, true), "null says that nothing is said");
        assert_eq!((second.calls, second.usage, second.cost_usd), (Some(Vec::new()), None, None));
    });
}

#[test]
fn a_reply_in_pieces_is_put_together_and_its_first_text_is_timed() {
    runs(async {
        let apart = Duration::from_millis(60);
        let pieces = |bytes: &[&str]| bytes.iter().map(|b| b.as_bytes().to_vec()).collect::<Vec<_>>();
        let mut sse = vec![head("text/event-stream; charset=utf-8")];
        sse.extend(pieces(&[
            ": begin\n\ndata: {\"t\":\"\"}\n\n",
            "event: delta\ndata: {\"t\":\"H",
            "é\"}\n\ndata: {\"t\":\"llo\"}\r\n\r\n",
            "data: {\"usage\":{\"input_tokens\":3,\"output_tokens\":1},\"calls\":[{\"name\":\"a\"}]}\n\n",
            "data: {\"calls\":[{\"name\":\"b\"}]}\n\ndata: [DONE]\n\n",
        ]));
        let keys = "stream = 'sse'\ntext = 't'\nend = '[DONE]'\nusage = 'usage'\ncalls = { at = 'calls' }";
        let heard = whole(Do::Pieces(apart, sse), keys).await.unwrap();
        assert_eq!(heard.reply.as_deref(), Some("Héllo"));
        assert!(heard.first.unwrap() >= 2 * apart, "an empty piece says nothing");
        assert_eq!(heard.usage.unwrap().input, Some(3));
        let names: Vec<String> = heard.calls.unwrap().into_iter().map(|call| call.name).collect();
        assert_eq!(names, ["a", "b"]);

        let lines = reply("200 OK", "application/x-ndjson", "{\"t\":\"a\"}\n\n{\"t\":\"b\"}\r\n{\"reply\":\"ab!\"}");
        let heard = whole(lines, "stream = 'json-lines'\ntext = 't'\nreply = 'reply'").await.unwrap();
        assert_eq!(heard.reply.as_deref(), Some("ab!"), "the reply as a whole is what counts");
        assert!(heard.first.is_some());

        let heard = whole(events(&["one ", "two"]), "stream = 'sse'").await.unwrap();
        assert_eq!(heard.reply.as_deref(), Some("one two"));
    });
}

#[test]
fn plain_text_is_a_reply_where_no_path_is_given() {
    let heard = runs(whole(reply("200 OK", "text/plain", "well"), "method = 'GET'\nbody = '{{ message }}'")).unwrap();
    assert_eq!(heard.reply.as_deref(), Some("well"));
}

#[test]
fn a_reply_without_a_body_says_nothing() {
    let nothing = Do::Send(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_vec());
    for step in [reply("200 OK", "text/plain", ""), nothing.clone()] {
        assert_eq!(runs(whole(step, "")).unwrap().reply, None);
    }
    assert_eq!(runs(whole(nothing, "reply = 'r'")).unwrap().reply, None);
}

#[test]
fn a_stream_whose_end_is_not_known_is_warned_of() {
    let warned = |keys: &str| problems(&format!("kind = 'http'\nurl = 'http://x/'\n{keys}"));
    let [told] = &warned("stream = 'sse'\ntext = 't'")[..] else { panic!("one warning") };
    assert!(told.contains("cut off cannot be told"), "{told}");
    assert!(warned("stream = 'sse'\ntext = 't'\nend = '[DONE]'").is_empty());
    assert!(warned("stream = 'sse'\nreply = 'r'").is_empty(), "a stream that is cut off has no reply then");
    assert!(
        build("kind = 'http'\nurl = 'http://x/'\nheaders = { Authorization = 'k' }").is_ok(),
        "no more than a warning"
    );
}

#[test]
fn every_bad_reply_is_a_trouble_with_a_name() {
    let json = |body: &str| reply("200 OK", "application/json", body);
    let sse = "stream = 'sse'\ntext = 't'\nend = '[DONE]'";
    let chunked = |text: &str| {
        let mut bytes =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        bytes.extend_from_slice(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes());
        bytes
    };
    let announced = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000000\r\n\r\n{";
    let endless = head("application/json");
    let plain = "reply = 'r'";
    let cases: Vec<(&str, Do, &str, Cause, &str)> = vec![
        ("500", reply("500 Oops", "text/html", "<h1>it\nbroke</h1>"), plain, Cause::Server, "<h1>it broke</h1>"),
        (
            "echo",
            reply("401 No", "text/plain", "bad key s3cret"),
            "reply='r'\nheaders={A='{{env.KEY}}'}",
            Cause::Refused,
            "bad key [secret]",
        ),
        (
            "html",
            reply("200 OK", "text/html", "<html>s3cret"),
            plain,
            Cause::Malformed,
            "text/html, and no JSON; it begins `<html>",
        ),
        ("html as json", json("<html>"), plain, Cause::Malformed, "no JSON"),
        ("half", json("{\"r\": \"a"), plain, Cause::Malformed, "begins `{\"r\": \"a`"),
        ("empty", json(""), plain, Cause::Malformed, "it is empty"),
        (
            "not UTF-8",
            Do::Send([head("application/json"), b"{\"r\":\"\xff\"}".to_vec()].concat()),
            plain,
            Cause::Malformed,
            "no JSON",
        ),
        ("no reply", json("{\"x\": 1}"), plain, Cause::Malformed, "there is no `r`"),
        ("announced", Do::Send(announced.into()), plain, Cause::TooLarge, "longer than 8388608 bytes"),
        ("endless", Do::Endless(endless, vec![b' '; 65536]), plain, Cause::TooLarge, "longer than 8388608 bytes"),
        ("says so", json("{\"r\": \"x\", \"e\": \"no\"}"), "reply='r'\nerror='e'", Cause::Agent, "failed: no"),
        ("cost", json("{\"r\": \"x\", \"c\": \"1\"}"), "reply='r'\ncost_usd='c'", Cause::Malformed, "`c` in the reply"),
        (
            "call",
            json("{\"r\": \"x\", \"c\": [{}]}"),
            "reply='r'\ncalls={at='c'}",
            Cause::Malformed,
            "a call with a name",
        ),
        ("stream", events(&["{}"]), plain, Cause::Malformed, "set `stream`"),
        ("no stream", json("{}"), sse, Cause::Malformed, "no stream of events; it begins `{}`"),
        (
            "no event",
            Do::Send([head("text/event-stream"), b"<html>\n\n".to_vec()].concat()),
            sse,
            Cause::Malformed,
            "not a stream of events",
        ),
        ("bad event", events(&["{\"t\":"]), sse, Cause::Malformed, "an event of the stream is no JSON"),
        ("cut off", events(&["{\"t\":\"a\"}"]), sse, Cause::Reset, "ended before"),
        (
            "an event of an error",
            Do::Send([head("text/event-stream"), b"data: half\n\nevent: error\ndata: broke\n\n".to_vec()].concat()),
            "stream = 'sse'",
            Cause::Agent,
            "failed: broke",
        ),
        (
            "an error for a piece",
            events(&["{\"t\":\"half\"}", "{\"error\":\"broke\"}"]),
            "stream = 'sse'\ntext = 't'",
            Cause::Agent,
            "failed: broke",
        ),
        (
            "nothing but an error",
            events(&["{\"error\":\"broke\"}"]),
            "stream = 'sse'",
            Cause::Agent,
            "failed: {\"error\":\"broke\"}",
        ),
        ("no piece but an error", events(&["{\"error\":\"broke\"}", "[DONE]"]), sse, Cause::Agent, "failed: broke"),
        (
            "an error in place of a reply",
            events(&["{\"error\":{\"message\":\"broke\"}}"]),
            "stream = 'sse'\nreply = 'r'",
            Cause::Agent,
            "{\"message\":\"broke\"}",
        ),
        (
            "a line with nothing but an error",
            reply("200 OK", "application/jsonl", "{\"error\":\"broke\"}\n"),
            "stream = 'json-lines'\ntext = 't'",
            Cause::Agent,
            "failed: broke",
        ),
        ("silent", events(&["{}", "[DONE]"]), sse, Cause::Malformed, "no text of a reply"),
        (
            "bad text",
            Do::Send([head("text/event-stream"), b"data: \xff\n\n".to_vec()].concat()),
            sse,
            Cause::Malformed,
            "utf8",
        ),
        ("chunk cut off", Do::Send(chunked("data: {\"t\":\"a\"}\n\n")), sse, Cause::Reset, "body"),
        ("reset", Do::Reset(chunked("data: {\"t\":\"a\"}\n\n")), sse, Cause::Reset, "body"),
        ("reset at once", Do::Reset(Vec::new()), plain, Cause::Reset, ""),
        (
            "body cut off",
            Do::Send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{".to_vec()),
            plain,
            Cause::Reset,
            "",
        ),
        (
            "events for ever",
            Do::Endless(head("text/event-stream"), b"data: {\"t\":\"a\"}\n\n".repeat(4096)),
            sse,
            Cause::TooLarge,
            "longer",
        ),
        (
            "a line for ever",
            Do::Endless(head("application/jsonl"), vec![b'a'; 65536]),
            "stream='json-lines'",
            Cause::TooLarge,
            "longer",
        ),
        (
            "an event for ever",
            Do::Endless(head("text/event-stream"), vec![b'a'; 65536]),
            sse,
            Cause::TooLarge,
            "longer",
        ),
    ];
    runs(async {
        for (name, step, keys, cause, message) in cases {
            let trouble = whole(step, keys).await.expect_err(name);
            assert_eq!(trouble.cause, cause, "{name}: {}", trouble.message);
            assert!(trouble.message.contains(message), "{name}: {}", trouble.message);
            assert!(trouble.message.len() < 1200 && !trouble.message.contains('\n'), "{name}: {}", trouble.message);
        }
    });
}

#[test]
fn an_agent_that_is_not_there_is_unreachable() {
    let trouble = runs(hello("kind = 'http'\nurl = 'http://127.0.0.1:9/'\nreply = 'r'")).unwrap_err();
    assert_eq!(trouble.cause, Cause::Unreachable, "{}", trouble.message);
}

#[test]
fn a_busy_agent_says_when_to_come_back() {
    let busy = "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    let trouble = runs(whole(Do::Send(busy.into()), "reply = 'r'")).unwrap_err();
    assert_eq!((trouble.cause, trouble.retry_after), (Cause::Busy, Some(Duration::from_secs(7))));
}

#[test]
fn a_hanging_agent_is_left_when_the_caller_has_waited_enough() {
    runs(async {
        let server = Server::new(vec![Do::Hang]).await;
        let table = format!("kind = 'http'\nurl = '{}'\nreply = 'r'", server.url);
        assert!(tokio::time::timeout(Duration::from_millis(200), hello(&table)).await.is_err());
    });
}

#[test]
fn a_secret_that_is_not_set_is_said_before_anything_is_sent() {
    runs(async {
        let server = Server::new(vec![Do::Hang]).await;
        let table = format!("kind='http'\nurl='{}'\nreply='r'\nheaders={{A='{{{{ env.NOPE }}}}'}}", server.url);
        let trouble = open(&build(&table).unwrap()).await.err().unwrap();
        assert_eq!(trouble.cause, Cause::Misconfigured);
        assert_eq!(trouble.message, "the environment variable `NOPE` is not set");
    });
}

#[test]
fn everything_that_is_wrong_with_the_table_is_said_where_it_stands() {
    let table = r#"
        kind = "http"
        url = "127.0.0.1:80/x"
        headers = { "a b" = "x", Ok = "{{ mesage }}" }
        body = { a = ["{{ nope }}"] }
        text = "t"
    "#;
    assert_eq!(
        problems(table),
        [
            "body.a.0: unknown name `nope` in a template; there are message, messages, history, session, agent_session, \
             case, trial, turn, env",
            "text: `text` is for a reply that comes in pieces",
            "url: not an address: relative URL without a base",
            "headers.Ok: unknown name `mesage` in a template; did you mean `message`?",
            "headers.a b: `a b` is no name of a header",
        ]
    );
    let silent = "kind = 'http'\nurl = 'http://x/'\nbody = { a = 1 }";
    assert_eq!(problems(silent), [": nothing of the request says what the user says"]);
}
