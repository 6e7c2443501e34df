//! Agents of kind `openai` against real connections: the wire formats as the APIs speak them, and bad replies.

use serde_json::{Value, json};

use crate::agents::testing::{Do, Server, build, events, hello, ok, open, problems, reply, runs, say};
use crate::agents::{Exchange, Heard};
use crate::net::{Cause, Trouble};

fn table(url: &str, keys: &str) -> String {
    format!("kind = 'openai'\nurl = '{url}/v1'\nmodel = 'm'\napi_key = '{{{{ env.KEY }}}}'\n{keys}")
}

async fn once(step: Do, keys: &str) -> Result<Heard, Trouble> {
    let server = Server::new(vec![step]).await;
    hello(&table(&server.url, keys)).await
}

const TOOL: &str = r#"
[[tool]]
name = "order"
description = "Looks an order up"
parameters = { type = "object", properties = { id = { type = "string" } } }
when = [{ args = { id = "404" }, error = "no such order" }, { args = { id = { "$matches" = "^A" } }, returns = { status = "shipped" } }]
"#;

fn chat(message: &Value, finish: &str) -> Do {
    ok(&json!({"id": "c", "object": "chat.completion", "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}}))
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

#[test]
fn chat_calls_the_tools_of_the_suite_until_it_replies_and_remembers_the_conversation() {
    runs(async {
        let calls =
            [call("1", "order", "{\"id\":\"404\"}"), call("2", "order", "{\"id\": \"A1\"}"), call("3", "nope", "{}")];
        let server = Server::new(vec![
            chat(&json!({"role": "assistant", "content": "let me see", "tool_calls": calls}), "tool_calls"),
            chat(&json!({"role": "assistant", "content": "it is shipped"}), "stop"),
            chat(&json!({"role": "assistant", "content": [{"type": "text", "text": "wel"}, {"type": "text", "text": "come"}]}), "stop"),
        ])
        .await;
        let keys = format!("system = 'You are {{{{ case.id }}}}.'\nparameters = {{ temperature = 0 }}\n{TOOL}");
        let agent = build(&table(&server.url, &keys)).unwrap();
        let mut talk = open(&agent).await.unwrap();
        let first = say(&mut *talk, "where is it?", 0, &[]).await.unwrap();
        let before = [Exchange { user: "where is it?".to_owned(), reply: first.reply.clone() }];
        let second = say(&mut *talk, "thanks", 1, &before).await.unwrap();

        assert!(server.requests()[0].starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
        assert!(server.requests()[0].contains("authorization: Bearer s3cret\r\n"));
        assert_eq!(
            server.sent(0),
            json!({"model": "m", "temperature": 0, "messages": [{"role": "system", "content": "You are c-1."},
                {"role": "user", "content": "where is it?"}], "tools": [{"type": "function", "function": {"name": "order",
                "description": "Looks an order up", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}}}]})
        );
        let sent = server.sent(2);
        let roles: Vec<&str> =
            sent["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["system", "user", "assistant", "tool", "tool", "tool", "assistant", "user"]);
        assert_eq!(
            sent["messages"][3],
            json!({"role": "tool", "tool_call_id": "1", "content": "{\"error\":\"no such order\"}"})
        );
        assert_eq!(sent["messages"][4]["content"], "{\"status\":\"shipped\"}");

        assert_eq!(first.reply.as_deref(), Some("it is shipped"));
        let made = first.calls.unwrap();
        assert_eq!(
            (made[0].error.as_deref(), made[1].output.as_deref()),
            (Some("no such order"), Some("{\"status\":\"shipped\"}"))
        );
        assert_eq!((made[1].input.as_deref(), made[1].ended), (Some("{\"id\": \"A1\"}"), true));
        assert_eq!(made[2].error.as_deref(), Some("there is no such tool"));
        let usage = first.usage.unwrap();
        assert_eq!((usage.input, usage.output, usage.cache_read), (Some(20), Some(4), Some(8)));
        assert_eq!(
            (first.model.as_deref(), &first.attributes["gen_ai.response.finish_reasons"]),
            (Some("m-1"), &json!(["stop"]))
        );
        assert_eq!((second.reply.as_deref(), second.calls), (Some("welcome"), Some(Vec::new())));
    });
}

#[test]
fn chat_in_pieces_is_put_together() {
    runs(async {
        let server = Server::new(vec![
            events(&[
                r#"{"model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"1","type":"function","function":{"name":"order","arguments":""}}]}}]}"#,
                r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"id\":"}}]}}]}"#,
                r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"A1\"}"}}]},"finish_reason":"tool_calls"}]}"#,
                r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":1}}"#,
                "[DONE]",
            ]),
            events(&[
                r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"ship"}}]}"#,
                r#"{"choices":[{"index":0,"delta":{"content":"ped"},"finish_reason":"stop"}]}"#,
                r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#,
                "[DONE]",
            ]),
        ])
        .await;
        let heard = hello(&table(&server.url, &format!("stream = true\n{TOOL}"))).await.unwrap();
        assert_eq!(server.sent(0)["stream_options"], json!({"include_usage": true}));
        assert_eq!(server.sent(1)["messages"][1]["tool_calls"], json!([call("1", "order", "{\"id\":\"A1\"}")]));
        assert_eq!((heard.reply.as_deref(), heard.first.is_some()), (Some("shipped"), true));
        assert_eq!((heard.usage.unwrap().input, heard.usage.unwrap().output), (Some(16), Some(3)));
        assert_eq!(heard.calls.unwrap()[0].output.as_deref(), Some("{\"status\":\"shipped\"}"));
    });
}

#[test]
fn calls_are_the_agents_own_where_the_suite_plays_no_tools() {
    let calls = json!([call("1", "order", "not json")]);
    let heard = runs(once(chat(&json!({"content": null, "tool_calls": calls}), "tool_calls"), "")).unwrap();
    let made = heard.calls.unwrap();
    assert_eq!((made[0].input.as_deref(), made[0].ended, heard.reply), (Some("\"not json\""), false, None));
    let heard = runs(once(chat(&json!({"content": "hi"}), "stop"), "")).unwrap();
    assert_eq!(heard.calls, None, "what it does on its side is not known");
}

#[test]
fn usage_that_one_round_does_not_report_is_not_known() {
    let without =
        ok(&json!({"choices": [{"message": {"content": null, "tool_calls": [call("1", "order", "{\"id\":\"A\"}")]}}]}));
    let heard = runs(async {
        let server = Server::new(vec![without, chat(&json!({"content": "x"}), "stop")]).await;
        hello(&table(&server.url, TOOL)).await.unwrap()
    });
    assert_eq!((heard.reply.as_deref(), heard.usage), (Some("x"), None));
}

#[test]
fn a_loop_of_calls_is_ended_and_shown_and_calls_that_the_suite_did_not_foresee_are_trouble() {
    let asks = |id: &str| {
        chat(
            &json!({"content": "hm", "tool_calls": [call("1", "order", &format!("{{\"id\":\"{id}\"}}"))]}),
            "tool_calls",
        )
    };
    let heard = runs(once(asks("A"), &format!("max_rounds = 3\n{TOOL}"))).unwrap();
    assert_eq!((heard.reply, heard.calls.unwrap().len()), (None, 3));
    assert_eq!(heard.attributes["gen_ai.response.finish_reasons"], json!(["max_rounds"]));
    let trouble = runs(once(asks("B"), TOOL)).unwrap_err();
    assert_eq!(trouble.cause, Cause::Misconfigured);
    assert_eq!(trouble.message, "the suite does not say what the tool `order` answers to {\"id\":\"B\"}");
}

fn response(output: &Value) -> Value {
    json!({"id": "r", "object": "response", "status": "completed", "model": "m-2", "output": output,
        "usage": {"input_tokens": 5, "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 1}}})
}

#[test]
fn responses_calls_tools_and_sends_back_what_the_model_said() {
    runs(async {
        let asks = json!([{"type": "reasoning", "id": "rs", "summary": []},
            {"type": "function_call", "id": "fc", "call_id": "c1", "name": "order", "arguments": "{\"id\":\"A1\"}"},
            {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"query": "q"}}]);
        let says =
            json!([{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "shipped"}]}]);
        let completed = json!({"type": "response.completed", "response": response(&says)});
        let server = Server::new(vec![
            events(&[&json!({"type": "response.completed", "response": response(&asks)}).to_string()]),
            events(&[
                r#"{"type":"response.created"}"#,
                r#"{"type":"response.output_text.delta","delta":"ship"}"#,
                &completed.to_string(),
            ]),
        ])
        .await;
        let keys = format!("api = 'responses'\nstream = true\nsystem = 'Be kind.'\n{TOOL}");
        let heard = hello(&table(&server.url, &keys)).await.unwrap();
        assert!(server.requests()[0].starts_with("POST /v1/responses HTTP/1.1\r\n"));
        let sent = server.sent(1);
        assert_eq!((&sent["instructions"], &sent["tools"][0]["name"]), (&json!("Be kind."), &json!("order")));
        assert_eq!(sent["input"][0], json!({"role": "user", "content": "hello"}));
        assert_eq!(sent["input"][1]["type"], "reasoning");
        assert_eq!(
            sent["input"][4],
            json!({"type": "function_call_output", "call_id": "c1", "output": "{\"status\":\"shipped\"}"})
        );
        assert_eq!((heard.reply.as_deref(), heard.first.is_some()), (Some("shipped"), true));
        let names: Vec<String> = heard.calls.unwrap().into_iter().map(|call| call.name).collect();
        assert_eq!(names, ["web_search", "order"]);
        assert_eq!(heard.usage.unwrap().reasoning, Some(2));
    });
    let whole = runs(once(
        ok(&response(&json!([{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]))),
        "api = 'responses'",
    ));
    assert_eq!(whole.unwrap().reply.as_deref(), Some("no"));
}

#[test]
fn bad_replies_are_troubles_with_names() {
    let json = |body: &str| reply("200 OK", "application/json", body);
    let (stream, responses) = ("stream = true", "api = 'responses'\nstream = true");
    let cases: Vec<(Do, &str, Cause, &str)> = vec![
        (reply("429 Slow", "application/json", "{\"error\":{\"message\":\"s3cret\"}}"), "", Cause::Busy, "[secret]"),
        (json("{\"error\":{\"message\":\"overloaded\"}}"), "", Cause::Agent, "failed: overloaded"),
        (json("{\"choices\":[]}"), "", Cause::Malformed, "no choice"),
        (json("{\"choices\":[{}]}"), "", Cause::Malformed, "no message"),
        (json("{\"choices\":[{\"message\":{\"tool_calls\":[{}]}}]}"), "", Cause::Malformed, "without a name"),
        (json("{}"), "api = 'responses'", Cause::Malformed, "no output"),
        (reply("200 OK", "text/html", "<html>"), "", Cause::Malformed, "no JSON"),
        (json("{}"), stream, Cause::Malformed, "no stream of events"),
        (events(&["{\"error\":{\"message\":\"broke\"}}"]), stream, Cause::Agent, "broke"),
        (events(&["{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}"]), stream, Cause::Reset, "middle of the reply"),
        (
            events(&["{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":99999999}]}}]}"]),
            stream,
            Cause::Malformed,
            "beyond reason",
        ),
        (events(&["{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}"]), responses, Cause::Reset, "middle"),
        (
            events(&["{\"type\":\"response.failed\",\"response\":{\"error\":{\"message\":\"bad\"}}}"]),
            responses,
            Cause::Agent,
            "bad",
        ),
    ];
    runs(async {
        for (step, keys, cause, message) in cases {
            let trouble = once(step, keys).await.expect_err(message);
            assert_eq!(trouble.cause, cause, "{}", trouble.message);
            assert!(trouble.message.contains(message), "{message}: {}", trouble.message);
        }
    });
}

#[test]
fn what_is_wrong_with_the_table_is_said_where_it_stands() {
    let bad = r#"
        kind = "openai"
        model = "m"
        system = "{{ mesage }}"
        parameters = { stream = true }
        max_rounds = 0
        [[tool]]
        name = "a"
        returns = 1
        error = "x"
        [[tool]]
        name = "a"
        [[tool]]
        name = "b"
        when = [{ args = {} }]
    "#;
    assert_eq!(
        problems(bad),
        [
            "system: unknown name `mesage` in a template; did you mean `message`?",
            "parameters.stream: `stream` is set by seatrial",
            "tool.0.error: `a` cannot both return and fail",
            "tool.1.name: a second tool `a`",
            "tool.1.name: `a` does not say what it answers: `returns`, `error` or `when`",
            "tool.2.when: each answer has either `returns` or `error`",
            "max_rounds: no turn could be had in no rounds",
        ]
    );
}
