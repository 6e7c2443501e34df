//! `bedrock`: Converse of Amazon Bedrock, signed with credentials of AWS or with a bearer token.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Ask, Endpoint, Heard, Key, Protocol, Structured};
use crate::model::Usage;

/// What the tool is called whose arguments are the answer.
const TOOL: &str = "answer";

/// See the module.
pub struct Bedrock;

impl Protocol for Bedrock {
    fn name(&self) -> &'static str {
        "bedrock"
    }

    fn doc(&self) -> &'static str {
        "Converse of Amazon Bedrock. `region` is that of AWS_REGION unless it is given. Requests are signed with the \
         credentials that AWS's tools find (environment, profile, instance), or carry a bearer token \
         (AWS_BEARER_TOKEN_BEDROCK, `api_key`). Models that cannot be made to call a tool need `structured = \"none\"`; \
         `prompt_cache = true` marks what questions have in common, for models that know it."
    }

    fn url(&self) -> &'static str {
        "https://bedrock-runtime.{region}.amazonaws.com"
    }

    fn key(&self) -> Key {
        Key { variable: "AWS_BEARER_TOKEN_BEDROCK", header: "authorization", prefix: "Bearer " }
    }

    fn is_signed(&self) -> bool {
        true
    }

    fn path(&self, endpoint: &Endpoint) -> String {
        let escaped: String = endpoint
            .model
            .bytes()
            .map(|b| match b {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
                _ => format!("%{b:02X}"),
            })
            .collect();
        format!("/model/{escaped}/converse")
    }

    fn body(&self, endpoint: &Endpoint, ask: &Ask<'_>) -> Value {
        let messages: Vec<Value> = ask
            .turns
            .iter()
            .map(|turn| {
                let last = turn.parts.len().saturating_sub(1);
                let mut content = Vec::new();
                for (i, text) in turn.parts.iter().enumerate() {
                    content.push(json!({ "text": text }));
                    if endpoint.prompt_cache && i + 1 == last {
                        content.push(json!({ "cachePoint": { "type": "default" } }));
                    }
                }
                json!({ "role": if turn.own { "assistant" } else { "user" }, "content": content })
            })
            .collect();
        let mut limits = json!({ "maxTokens": endpoint.max_tokens });
        if let Some(temperature) = endpoint.temperature {
            limits["temperature"] = temperature.into();
        }
        let mut body = json!({
            "system": [{ "text": ask.system }],
            "messages": messages,
            "inferenceConfig": limits,
        });
        if let (Some(form), Structured::Schema) = (&ask.form, endpoint.structured) {
            let description = format!("Gives the answer ({}).", form.name);
            let spec = json!({ "name": TOOL, "description": description, "inputSchema": { "json": form.schema } });
            body["toolConfig"] = json!({ "tools": [{ "toolSpec": spec }], "toolChoice": { "tool": { "name": TOOL } } });
        }
        body
    }

    fn read(&self, endpoint: &Endpoint, reply: &[u8]) -> Result<Heard, String> {
        let reply: Reply<'_> = serde_json::from_slice(reply).map_err(|why| format!("no reply of Converse ({why})"))?;
        match reply.stop_reason.as_deref() {
            Some("max_tokens") => {
                return Err(format!("the answer was cut at {} tokens (`max_tokens`)", endpoint.max_tokens));
            }
            Some(stopped @ ("guardrail_intervened" | "content_filtered")) => {
                return Err(format!("the answer was stopped ({stopped})"));
            }
            _ => {}
        }
        if reply.output.message.content.is_empty() {
            return Err("a reply of Converse without content".to_owned());
        }
        let mut text = String::new();
        for block in &reply.output.message.content {
            if let Some(used) = &block.tool_use {
                text = used.input.get().to_owned();
                break;
            }
            text.push_str(block.text.as_deref().unwrap_or_default());
        }
        let usage = reply.usage.map(|u| {
            let parts = [u.input_tokens, u.cache_read_input_tokens, u.cache_write_input_tokens];
            Usage {
                input: u.input_tokens.map(|_| parts.iter().flatten().sum()),
                output: u.output_tokens,
                cache_read: u.cache_read_input_tokens,
                cache_write: u.cache_write_input_tokens,
                reasoning: None,
            }
        });
        Ok(Heard { text, model: String::new(), usage, tokens: Vec::new() })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply<'a> {
    #[serde(borrow)]
    output: Output<'a>,
    stop_reason: Option<String>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Vec<Block<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    text: Option<String>,
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
}

#[derive(Deserialize)]
struct ToolUse<'a> {
    #[serde(borrow)]
    input: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    /// Without what was read from the cache or written to it.
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
}
