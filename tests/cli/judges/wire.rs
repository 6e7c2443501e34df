//! What is sent, byte for byte, and what is read of what each protocol answers.

use serde_json::{Value, json};

use super::stub::{Asked, Stub, body, ok, verdict};
use super::{CHECK, counts};
use crate::project::{Project, Said, replies};

/// Asks about one session; what was sent.
fn sent(stub: &Stub, settings: &str, env: &[(&str, &str)]) -> Asked {
    let session = replies("s0", "Please wait.");
    let project = Project::with(CHECK, &[&session]);
    project.file("seatrial.toml", settings.replace("URL", &stub.url));
    let mut command = project.command(&["run", "suite.toml"]);
    command.envs(env.iter().copied());
    Said::of(command).code(0);
    assert_eq!(counts(&project), [1, 0, 0]);
    stub.asked().into_iter().next().expect("a request")
}

/// A request for a person to read: its line, the headers that matter, and its body.
fn shown(asked: &Asked, headers: &[&str]) -> String {
    let headers: String = headers.iter().map(|h| format!("{h}: {}\n", asked.header(h).unwrap_or("(none)"))).collect();
    let mut body = body(asked);
    without_words(&mut body);
    format!("{}\n{headers}\n{}", asked.line, serde_json::to_string_pretty(&body).expect("JSON"))
}

/// Leaves out how the judge is told to judge, and the shape of its answer: others look after these.
fn without_words(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("You judge") => *text = "(how to judge)".to_owned(),
        Value::Object(map) if map.contains_key("additionalProperties") => *value = "(the shape of an answer)".into(),
        Value::Object(map) => map.values_mut().for_each(without_words),
        Value::Array(items) => items.iter_mut().for_each(without_words),
        _ => {}
    }
}

#[test]
fn openai() {
    let stub = Stub::says(&verdict(1.0));
    let settings = "[judge.default]\nendpoint = \"openai\"\nmodel = \"gpt-4o-mini\"\nurl = \"URL/v1\"\n\
        api_key = \"{{ env.KEY }}\"\nheaders = { x-team = \"support\" }\ntemperature = 0\nlogprobs = true\nbody = { seed = 7 }\n";
    let asked = sent(&stub, settings, &[("KEY", "sk-1")]);
    insta::assert_snapshot!(shown(&asked, &["authorization", "content-type", "x-team"]));
}

#[test]
fn how_likely_the_verdict_was_is_read_from_what_openai_says_of_its_tokens() {
    let text = verdict(0.0);
    let at = text.find("fail").expect("the verdict");
    let token = |text: &str, likely: &[(&str, f64)]| {
        let other = |(text, p): &(&str, f64)| json!({ "token": text, "logprob": p.ln(), "bytes": null });
        json!({ "token": text, "logprob": -0.1, "bytes": null, "top_logprobs": likely.iter().map(other).collect::<Vec<_>>() })
    };
    let tokens = [token(&text[..at], &[]), token("fail", &[("fail", 0.6), ("pass", 0.4)]), token(&text[at + 4..], &[])];
    let message = json!({ "role": "assistant", "content": text, "refusal": null });
    let logprobs = json!({ "content": tokens, "refusal": null });
    let choice = json!({ "index": 0, "message": message, "logprobs": logprobs, "finish_reason": "stop" });
    let reply = json!({ "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini-2024-07-18",
        "choices": [choice], "usage": { "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15 } });
    let stub = Stub::new(move |_| ok(reply.to_string()));
    let project = super::project(&stub, 1, super::CHECK, "logprobs = true\n");
    // Of one vote, and that as likely as 0.6: (0.6 + 1) / (1 + 2).
    project.run().code(1).says("confidence 0.53 by 1 vote of `default`, weighed by log-probabilities");
}

#[test]
fn azure() {
    let stub = Stub::says(&verdict(1.0));
    let settings = "[judge.default]\nendpoint = \"openai\"\nmodel = \"gpt-4o\"\nstructured = \"object\"\n\
        url = \"URL/openai/deployments/d/chat/completions?api-version=2024-10-21\"\nheaders = { api-key = \"{{ env.KEY }}\" }\n";
    let asked = sent(&stub, settings, &[("KEY", "az-1")]);
    assert_eq!(asked.line, "POST /openai/deployments/d/chat/completions?api-version=2024-10-21");
    assert_eq!((asked.header("api-key"), asked.header("authorization")), (Some("az-1"), None));
    assert_eq!(body(&asked)["response_format"], json!({ "type": "json_object" }));
}

#[test]
fn anthropic() {
    let answer: Value = serde_json::from_str(&verdict(1.0)).expect("JSON");
    let reply = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-20250514",
        "content": [{ "type": "text", "text": "I answer." },
                    { "type": "tool_use", "id": "toolu_1", "name": "answer", "input": answer }],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": { "input_tokens": 20, "cache_creation_input_tokens": 900, "cache_read_input_tokens": 0, "output_tokens": 50 } });
    let stub = Stub::new(move |_| ok(reply.to_string()));
    let settings = "[judge.default]\nendpoint = \"anthropic\"\nmodel = \"claude-sonnet-4\"\nurl = \"URL\"\n\
        api_key = \"{{ env.KEY }}\"\n";
    let asked = sent(&stub, settings, &[("KEY", "sk-ant-1")]);
    insta::assert_snapshot!(shown(&asked, &["x-api-key", "anthropic-version", "content-type"]));
}

#[test]
fn bedrock() {
    let answer: Value = serde_json::from_str(&verdict(1.0)).expect("JSON");
    let block = json!({ "toolUse": { "toolUseId": "t", "name": "answer", "input": answer } });
    let reply = json!({ "output": { "message": { "role": "assistant", "content": [block] } }, "stopReason": "tool_use",
        "usage": { "inputTokens": 30, "outputTokens": 10, "totalTokens": 40 }, "metrics": { "latencyMs": 1 } });
    let stub = Stub::new(move |_| ok(reply.to_string()));
    let settings = "[judge.default]\nendpoint = \"bedrock\"\nmodel = \"eu.anthropic.claude-sonnet-4-20250514-v1:0\"\n\
        url = \"URL\"\nregion = \"eu-central-1\"\nprompt_cache = true\n";
    let keys =
        [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI"), ("AWS_SESSION_TOKEN", "t1")];
    let asked = sent(&stub, settings, &keys);
    insta::assert_snapshot!(shown(&asked, &["content-type", "x-amz-security-token"]));
    let signed = asked.header("authorization").expect("a signature");
    assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signed}");
    assert!(
        signed.contains("/eu-central-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date;"),
        "{signed}"
    );
    let bearer = sent(&stub, settings, &[("AWS_BEARER_TOKEN_BEDROCK", "b-1")]);
    assert!(bearer.header("authorization").is_some());
    assert_eq!(stub.asked()[1].header("authorization"), Some("Bearer b-1"));
}

#[test]
fn embeddings() {
    let stub = Stub::new(|asked| {
        // The numbers of the real endpoint, three of them; whatever else it says is of no concern.
        let vector = if body(asked)["input"] == "Please wait." { [0.6, 0.8, 0.0] } else { [0.8, 0.6, 0.0] };
        let reply = json!({ "object": "list", "model": "text-embedding-3-small",
            "data": [{ "object": "embedding", "index": 0, "embedding": vector }],
            "usage": { "prompt_tokens": 3, "total_tokens": 3 } });
        ok(reply.to_string())
    });
    let check = "[[session]]\nid = \"polite\"\ncheck = \"semantic\"\nto = \"A moment.\"\nmin = 0.9\n";
    let project = Project::with(check, &[&replies("s0", "Please wait.")]);
    let settings = format!(
        "[embedding.default]\nendpoint = \"openai\"\nmodel = \"text-embedding-3-small\"\nurl = \"{}/v1\"\n\
         api_key = \"{{{{ env.KEY }}}}\"\nheaders = {{ x-team = \"support\" }}\nbody = {{ dimensions = 3 }}\n",
        stub.url
    );
    project.file("seatrial.toml", settings);
    let mut command = project.command(&["run", "suite.toml"]);
    command.env("KEY", "sk-1");
    // The cosine of the two is 0.96.
    Said::of(command).code(0);
    assert_eq!(counts(&project), [1, 0, 0]);
    let mut asked = stub.asked();
    asked.sort_by_key(|asked| asked.body.clone());
    let shown: Vec<String> =
        asked.iter().map(|asked| shown(asked, &["authorization", "content-type", "x-team"])).collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}
