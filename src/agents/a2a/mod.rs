//! `a2a`: an agent that speaks the Agent2Agent protocol, in its JSON-RPC binding.

pub mod card;
mod read;
mod talk;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Agent;
use super::kind::{AgentParams, Setup};
use super::wire::Wire;
use talk::A2aAgent;

/// An agent that speaks the Agent2Agent protocol (JSON-RPC).
///
/// A turn is a message; the context that the agent gives goes with the next one, and so does its task while it waits for
/// input. The reply is the text of the answer, of the task's artifacts, or else of its status. A task that failed makes
/// the case an error; one that was rejected or cancelled is what the agent did, as the turn's attribute `a2a.task.state`
/// says. One that is still at work is asked for until the turn's time is over.
///
/// A `url` that ends with `.json` is that of the agent's card (`/.well-known/agent-card.json`): it is fetched once, with the
/// same headers, and says where the agent is, in which version it is spoken with and whether its replies come in pieces,
/// where `protocol` and `stream` do not. An endpoint at another origin than the card's is refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct A2a {
    /// Where the agent is, or its card.
    url: String,
    /// Headers, which may use templates such as `{{ env.NAME }}`.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Whether the reply comes in pieces, as server-sent events. By default what the card says, false without one.
    stream: Option<bool>,
    /// The protocol's version. By default what the card says, 0.3 without one.
    protocol: Option<Protocol>,
}

/// A version of the protocol: they name methods, roles and states differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Protocol {
    /// `message/send`, as most agents speak it.
    #[serde(rename = "0.3")]
    V03,
    /// `SendMessage`.
    #[serde(rename = "1.0")]
    V1,
}

impl AgentParams for A2a {
    const NAME: &'static str = "a2a";
    const EXAMPLE: &'static str = r#"
[agent]
kind    = "a2a"
url     = "http://127.0.0.1:9999/"
headers = { Authorization = "Bearer {{ env.AGENT_KEY }}" }
stream  = true
"#;

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Agent>> {
        let wire = Wire::new(Method::POST, &self.url, &self.headers, setup)?;
        Some(Arc::new(A2aAgent::new(wire, card::is_card(&self.url), self.protocol, self.stream)))
    }
}
