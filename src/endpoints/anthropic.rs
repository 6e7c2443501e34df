//! `anthropic`: the Messages API. The form of an answer is enforced by a tool that the model has to call.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Ask, Endpoint, Heard, Key, Protocol, Structured};
use crate::model::Usage;

/// What the tool is called whose arguments are the answer.
const TOOL: &str = "answer";

/// See the module.
pub struct Anthropic;

impl Protocol for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn doc(&self) -> &'static str {
        "The Messages API of Anthropic. What several questions about one subject have in common is marked, so that it \
         is read once; a model charges a quarter more for what it keeps, so `prompt_cache = false` is cheaper where a \
         subject is asked about once."
    }

    fn url(&self) -> &'static str {
        "https://api.anthropic.com"
    }

    fn key(&self) -> Key {
        Key { variable: "ANTHROPIC_API_KEY", header: "x-api-key", prefix: "" }
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn marks(&self) -> bool {
        true
    }

    fn path(&self, _: &Endpoint) -> String {
        "/v1/messages".to_owned()
    }

    fn body(&self, endpoint: &Endpoint, ask: &Ask<'_>) -> Value {
        let messages: Vec<Value> = ask
            .turns
            .iter()
            .map(|turn| {
                let last = turn.parts.len().saturating_sub(1);
                let block = |(i, text): (usize, &&str)| {
                    let mut block = json!({ "type": "text", "text": text });
                    if endpoint.prompt_cache && i + 1 == last {
                        block["cache_control"] = json!({ "type": "ephemeral" });
                    }
                    block
                };
                let content: Vec<Value> = turn.parts.iter().enumerate().map(block).collect();
                json!({ "role": if turn.own { "assistant" } else { "user" }, "content": content })
            })
            .collect();
        let mut body = json!({
            "model": endpoint.model,
            "max_tokens": endpoint.max_tokens,
            "system": [{ "type": "text", "text": ask.system }],
            "messages": messages,
        });
        if let Some(temperature) = endpoint.temperature {
            body["temperature"] = temperature.into();
        }
        if let (Some(form), Structured::Schema) = (&ask.form, endpoint.structured) {
            let description = format!("Gives the answer ({}).", form.name);
            body["tools"] = json!([{ "name": TOOL, "description": description, "input_schema": form.schema }]);
            body["tool_choice"] = json!({ "type": "tool", "name": TOOL });
        }
        body
    }

    fn read(&self, endpoint: &Endpoint, reply: &[u8]) -> Result<Heard, String> {
        let reply: Message<'_> = serde_json::from_slice(reply).map_err(|why| format!("no message ({why})"))?;
        match reply.stop_reason.as_deref() {
            Some("max_tokens") => {
                return Err(format!("the answer was cut at {} tokens (`max_tokens`)", endpoint.max_tokens));
            }
            Some("refusal") => return Err("the model refused to answer".to_owned()),
            _ => {}
        }
        let mut text = String::new();
        for block in &reply.content {
            match (block.kind.as_str(), &block.text, block.input) {
                ("text", Some(said), _) => text.push_str(said),
                // The tool's arguments as they were written; what was said before is not the answer.
                ("tool_use", _, Some(input)) => {
                    text = input.get().to_owned();
                    break;
                }
                _ => {}
            }
        }
        if reply.content.is_empty() {
            return Err("a message without content".to_owned());
        }
        let usage = reply.usage.map(|u| {
            let parts = [u.input_tokens, u.cache_creation_input_tokens, u.cache_read_input_tokens];
            Usage {
                input: u.input_tokens.map(|_| parts.iter().flatten().sum()),
                output: u.output_tokens,
                cache_read: u.cache_read_input_tokens,
                cache_write: u.cache_creation_input_tokens,
                reasoning: None,
            }
        });
        Ok(Heard { text, model: reply.model.unwrap_or_default(), usage, tokens: Vec::new() })
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    model: Option<String>,
    #[serde(borrow)]
    content: Vec<Block<'a>>,
    stop_reason: Option<String>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Counts {
    /// Without what was read from the cache or written to it.
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}
