//! `openai`: an agent that speaks OpenAI's chat completions or Responses.

mod chat;
mod responses;
mod stub;
mod talk;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Agent;
use super::kind::{AgentParams, Setup};
use super::template::Text;
use super::wire::Wire;
use crate::checks::matcher::undate;
use stub::Tool;
use talk::{Dialect, OpenAiAgent};

/// An agent that speaks OpenAI's chat completions or Responses, or a model that is made an agent by the stub tools of
/// the suite.
///
/// With `[[agent.tool]]` the tools are offered to the model, and their calls answered by the suite, round after round
/// until the model calls none. Without any, calls that the reply shows are reported as the agent's own. The whole
/// conversation is sent each turn. `url`, `headers`, `api_key` and `system` may hold templates (`seatrial explain
/// http`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenAi {
    /// Where the API is; `/chat/completions` or `/responses` is added unless it ends so (before its query).
    #[serde(default = "openai")]
    url: String,
    /// Which of OpenAI's two APIs.
    #[serde(default)]
    api: Api,
    /// The model's name.
    model: String,
    /// The key, sent as `Authorization: Bearer`, such as `{{ env.OPENAI_API_KEY }}`.
    api_key: Option<String>,
    /// Headers beside it.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What the model is told before the conversation.
    system: Option<String>,
    /// Whether the reply comes in pieces, as server-sent events.
    #[serde(default)]
    stream: bool,
    /// Further keys of the request, as the API names them: `{ temperature = 0, max_tokens = 500 }`.
    #[serde(default)]
    #[schemars(with = "Map<String, Value>")]
    parameters: Map<String, Value>,
    /// Tools that the suite plays.
    #[serde(default)]
    tool: Vec<Tool>,
    /// How often the model may call tools in one turn before the turn is ended without a reply.
    #[serde(default = "rounds")]
    max_rounds: u32,
}

/// One of OpenAI's APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Api {
    /// Chat completions.
    #[default]
    Chat,
    /// Responses.
    Responses,
}

fn openai() -> String {
    "https://api.openai.com/v1".to_owned()
}

const fn rounds() -> u32 {
    10
}

/// Keys of a request that are ours to set.
const OURS: &[&str] = &["model", "messages", "input", "instructions", "tools", "stream", "stream_options"];

impl AgentParams for OpenAi {
    const NAME: &'static str = "openai";
    const EXAMPLE: &'static str = r#"
[agent]
kind       = "openai"
url        = "http://127.0.0.1:8000/v1"
model      = "support-agent"
api_key    = "{{ env.AGENT_KEY }}"
stream     = true
parameters = { temperature = 0 }

[[agent.tool]]
name        = "get_order"
description = "Looks an order up"
parameters  = { type = "object", properties = { id = { type = "string" } }, required = ["id"] }
when        = [{ args = { id = "404" }, error = "no such order" }]
returns     = { status = "shipped" }
"#;

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Agent>> {
        let end = match self.api {
            Api::Chat => "/chat/completions",
            Api::Responses => "/responses",
        };
        let (path, query) = self.url.split_once('?').map_or((self.url.as_str(), None), |(p, q)| (p, Some(q)));
        let path = path.trim_end_matches('/');
        let mut url = if path.ends_with(end) { path.to_owned() } else { format!("{path}{end}") };
        if let Some(query) = query {
            url = format!("{url}?{query}");
        }
        let mut headers = self.headers;
        if let Some(key) = &self.api_key {
            match Text::parse(key) {
                Ok(_) => drop(headers.insert("authorization".to_owned(), format!("Bearer {key}"))),
                Err(why) => setup.problem(&["api_key"], why, None),
            }
        }
        let system = self.system.as_deref().map(Text::parse).transpose();
        let system = system.map_err(|why| setup.problem(&["system"], why, None)).ok();
        for key in OURS.iter().filter(|key| self.parameters.contains_key(**key)) {
            setup.problem(&["parameters", key], format!("`{key}` is set by seatrial"), None);
        }
        for (i, tool) in self.tool.iter().enumerate() {
            if self.tool[..i].iter().any(|t| t.name == tool.name) {
                setup.problem(&["tool", &i.to_string(), "name"], format!("a second tool `{}`", tool.name), None);
            }
            if let Some((key, why)) = tool.wrong() {
                setup.problem(&["tool", &i.to_string(), key], why, None);
            }
        }
        if self.max_rounds == 0 {
            setup.problem(&["max_rounds"], "no turn could be had in no rounds", None);
        }
        let wire = Wire::new(Method::POST, &url, &headers, setup);
        if setup.problems.iter().any(|problem| !problem.warning) {
            return None;
        }
        let (mut wire, system) = (wire?, system?);
        if let Some(system) = &system {
            wire.also(system.reads(), system.variables());
        }
        let mut fixed = Map::from_iter([("model".to_owned(), Value::from(self.model))]);
        fixed.extend(self.parameters.into_iter().map(|(key, value)| (key, undate(value))));
        let dialect: &'static dyn Dialect = match self.api {
            Api::Chat => &chat::Chat,
            Api::Responses => &responses::Responses,
        };
        if !self.tool.is_empty() {
            fixed.insert("tools".to_owned(), self.tool.iter().map(|tool| dialect.tool(tool.described())).collect());
        }
        if self.stream {
            fixed.insert("stream".to_owned(), true.into());
            if self.api == Api::Chat {
                fixed.insert("stream_options".to_owned(), json!({"include_usage": true}));
            }
        }
        Some(Arc::new(OpenAiAgent::new(wire, dialect, system, fixed, self.stream, self.tool, self.max_rounds)))
    }
}
