//! `openai`: chat completions, as OpenAI, Azure, vLLM, Ollama, LiteLLM and many others speak them; and embeddings.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ask, Embeddings, Endpoint, Heard, Key, Protocol, Structured, Token};
use crate::model::Usage;
use crate::net::secret::Secretive;

/// Alternatives that are asked for of each token.
const ALTERNATIVES: u32 = 5;

/// See the module.
pub struct OpenAi;

impl Protocol for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn doc(&self) -> &'static str {
        "Chat completions of OpenAI and of whatever speaks like it: Azure, vLLM, Ollama, LiteLLM. `url` is the base \
         (`http://localhost:11434/v1`); one that ends in `/chat/completions`, with or without a query, is taken as it \
         is (Azure: give it with its `api-version`, and the key as `headers = { api-key = \"{{ env.AZURE_KEY }}\" }`)."
    }

    fn url(&self) -> &'static str {
        "https://api.openai.com/v1"
    }

    fn key(&self) -> Key {
        Key { variable: "OPENAI_API_KEY", header: "authorization", prefix: "Bearer " }
    }

    fn remembers(&self) -> bool {
        true
    }

    fn path(&self, _: &Endpoint) -> String {
        "/chat/completions".to_owned()
    }

    fn body(&self, endpoint: &Endpoint, ask: &Ask<'_>) -> Value {
        let mut messages = vec![json!({ "role": "system", "content": ask.system })];
        messages.extend(ask.turns.iter().map(|turn| {
            let role = if turn.own { "assistant" } else { "user" };
            json!({ "role": role, "content": turn.text() })
        }));
        let mut body = json!({ "model": endpoint.model, "messages": messages });
        // OpenAI's newer models refuse the older name, other servers may not know the newer.
        let newer = endpoint.url.as_ref().map(Secretive::written).is_none_or(|url| {
            url.contains("api.openai.com") || url.contains(".azure.com") || url.contains(".azure.us")
        });
        body[if newer { "max_completion_tokens" } else { "max_tokens" }] = endpoint.max_tokens.into();
        if let Some(temperature) = endpoint.temperature {
            body["temperature"] = temperature.into();
        }
        match (&ask.form, endpoint.structured) {
            (Some(form), Structured::Schema) => {
                let schema = json!({ "name": form.name, "strict": true, "schema": form.schema });
                body["response_format"] = json!({ "type": "json_schema", "json_schema": schema });
            }
            (Some(_), Structured::Object) => body["response_format"] = json!({ "type": "json_object" }),
            _ => {}
        }
        if ask.probabilities && endpoint.logprobs {
            body["logprobs"] = true.into();
            body["top_logprobs"] = ALTERNATIVES.into();
        }
        body
    }

    fn read(&self, endpoint: &Endpoint, reply: &[u8]) -> Result<Heard, String> {
        let reply: Completion = serde_json::from_slice(reply).map_err(|why| format!("no chat completion ({why})"))?;
        let choice = reply.choices.into_iter().next().ok_or("a chat completion without a choice")?;
        if let Some(refusal) = choice.message.refusal.filter(|r| !r.is_empty()) {
            return Err(format!("the model refused to answer: {}", crate::checks::text::quote(&refusal)));
        }
        match choice.finish_reason.as_deref() {
            Some("length") => {
                return Err(format!("the answer was cut at {} tokens (`max_tokens`)", endpoint.max_tokens));
            }
            Some("content_filter") => return Err("the answer was stopped by a content filter".to_owned()),
            _ => {}
        }
        let text = choice.message.content.ok_or("a chat completion without a text")?;
        let tokens = choice.logprobs.and_then(|l| l.content).unwrap_or_default();
        let tokens = tokens.into_iter().map(Logprob::token).collect();
        Ok(Heard { text, model: reply.model.unwrap_or_default(), usage: reply.usage.map(Counts::usage), tokens })
    }

    fn embeddings(&self) -> Option<&dyn Embeddings> {
        Some(self)
    }
}

impl Embeddings for OpenAi {
    fn path(&self) -> &'static str {
        "/embeddings"
    }

    fn body(&self, endpoint: &Endpoint, text: &str) -> Value {
        json!({ "model": endpoint.model, "input": text, "encoding_format": "float" })
    }

    fn read(&self, reply: &[u8]) -> Result<(Vec<f32>, Heard), String> {
        let reply: Embedded = serde_json::from_slice(reply).map_err(|why| format!("no embedding ({why})"))?;
        let vector = reply.data.into_iter().next().ok_or("a reply without an embedding")?.embedding;
        let length: f64 = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        if !(length.is_finite() && length > 0.0) {
            return Err("an embedding without a direction".to_owned());
        }
        let model = reply.model.unwrap_or_default();
        Ok((vector, Heard { model, usage: reply.usage.map(Counts::usage), ..Heard::default() }))
    }
}

#[derive(Deserialize)]
struct Completion {
    model: Option<String>,
    choices: Vec<Choice>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
    logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Logprobs {
    content: Option<Vec<Logprob>>,
}

#[derive(Deserialize)]
struct Logprob {
    token: String,
    logprob: f64,
    #[serde(default)]
    top_logprobs: Vec<Alternative>,
}

#[derive(Deserialize)]
struct Alternative {
    token: String,
    logprob: f64,
}

impl Logprob {
    fn token(self) -> Token {
        let mut alternatives: Vec<_> = self.top_logprobs.into_iter().map(|a| (a.token, a.logprob)).collect();
        if !alternatives.iter().any(|(text, _)| *text == self.token) {
            alternatives.push((self.token.clone(), self.logprob));
        }
        Token { text: self.token, alternatives }
    }
}

#[derive(Deserialize)]
struct Embedded {
    model: Option<String>,
    data: Vec<Datum>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Datum {
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Counts {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<Read>,
    completion_tokens_details: Option<Written>,
}

#[derive(Deserialize)]
struct Read {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Written {
    reasoning_tokens: Option<u64>,
}

impl Counts {
    fn usage(self) -> Usage {
        // Of embeddings nothing but the input is counted.
        let nothing_said = (self.total_tokens.is_some() && self.total_tokens == self.prompt_tokens).then_some(0);
        Usage {
            input: self.prompt_tokens,
            output: self.completion_tokens.or(nothing_said),
            cache_read: self.prompt_tokens_details.and_then(|d| d.cached_tokens),
            cache_write: None,
            reasoning: self.completion_tokens_details.and_then(|d| d.reasoning_tokens),
        }
    }
}
