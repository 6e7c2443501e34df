//! `agentcore`: an agent in Amazon Bedrock AgentCore Runtime.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use reqwest::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Agent;
use super::http::sign::Sign;
use super::http::talk::{Form, HttpAgent, Spec};
use super::kind::{AgentParams, Setup};
use super::picks::{Calls, Picks};
use super::template::{Body, Text};
use super::wire::Wire;
use crate::checks::path::Path;
use crate::net::percent;

/// An agent in Amazon Bedrock AgentCore Runtime, asked by InvokeAgentRuntime.
///
/// Requests carry a bearer token (`token`), or are signed (SigV4) with the credentials that AWS's own tools find in the
/// environment, profiles or the instance. The session's id is the runtime session id. The reply may come as a whole or as
/// server-sent events. `payload` and `headers` may hold templates (`seatrial explain http`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentCore {
    /// The runtime's ARN.
    runtime: String,
    /// Its endpoint, by name.
    qualifier: Option<String>,
    /// The region; that of the ARN unless it is said here.
    region: Option<String>,
    /// Where the service is, when it is not where AWS has it.
    url: Option<String>,
    /// A bearer token, such as `{{ env.AGENTCORE_TOKEN }}`.
    token: Option<String>,
    /// Headers beside ours.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What the agent is given. By default `{ prompt = "{{ message }}" }`.
    #[schemars(with = "Option<Value>")]
    payload: Option<Value>,
    /// The reply's text, in a reply that is JSON. Without it the whole is the reply.
    reply: Option<Path>,
    /// In events, a piece of the reply's text. Without it, and without `reply`, each event is a piece.
    text: Option<Path>,
    /// Calls of tools that the agent reports, as `{ at, name, id, input, output, error }`.
    calls: Option<Calls>,
    /// An object with token counts, in the spelling of OpenAI, Anthropic or LangChain.
    usage: Option<Path>,
    /// What went wrong, where the agent says so: the case is an error then.
    error: Option<Path>,
}

impl AgentParams for AgentCore {
    const NAME: &'static str = "agentcore";
    const EXAMPLE: &'static str = r#"
[agent]
kind    = "agentcore"
runtime = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/support-abc123"
token   = "{{ env.AGENTCORE_TOKEN }}"
payload = { prompt = "{{ message }}" }
reply   = "result"
"#;

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Agent>> {
        let region = self.region.clone().or_else(|| region_of(&self.runtime));
        let Some(region) = region.filter(|region| !region.is_empty()) else {
            let help = "such as \"arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/NAME\"".to_owned();
            setup.problem(&["runtime"], "not the ARN of a runtime, and no `region` is given", help);
            return None;
        };
        let mut headers = BTreeMap::from([(SESSION_ID.to_owned(), "{{ session }}".to_owned())]);
        headers.extend(self.headers);
        if let Some(token) = &self.token {
            if let Err(why) = Text::parse(token) {
                setup.problem(&["token"], why, None);
            }
            headers.insert("authorization".to_owned(), format!("Bearer {token}"));
        }
        let host = self.url.unwrap_or_else(|| format!("https://bedrock-agentcore.{region}.amazonaws.com"));
        let mut url = format!(
            "{}/runtimes/{}/invocations",
            host.trim_end_matches('/'),
            percent::encode(self.runtime.as_bytes(), b"")
        );
        if let Some(qualifier) = &self.qualifier {
            let _ = write!(url, "?qualifier={}", percent::encode(qualifier.as_bytes(), b""));
        }
        let payload = self.payload.unwrap_or_else(|| json!({"prompt": "{{ message }}"}));
        let body = Body::parse(&payload).map_err(|(path, why)| {
            let path: Vec<&str> = std::iter::once("payload").chain(path.iter().map(String::as_str)).collect();
            setup.problem(&path, why, None);
        });
        let wire = Wire::new(Method::POST, &url, &headers, setup);
        if setup.problems.iter().any(|problem| !problem.warning) {
            return None;
        }
        let (mut wire, body) = (wire?, body.ok()?);
        wire.also(body.reads(), body.variables());
        let picks =
            Picks { reply: self.reply, calls: self.calls, usage: self.usage, error: self.error, ..Picks::default() };
        let sign = self.token.is_none().then(|| Sign::new("bedrock-agentcore", region));
        Some(Arc::new(HttpAgent::new(Spec {
            kind: Self::NAME,
            wire,
            body: Some(body),
            picks,
            form: Form::Either,
            piece: self.text,
            end: None,
            sign,
        })))
    }
}

/// The header that names the session: 33 to 256 characters, of which our ids have 36.
const SESSION_ID: &str = "x-amzn-bedrock-agentcore-runtime-session-id";

/// The region of an ARN, `arn:PARTITION:SERVICE:REGION:...`.
fn region_of(arn: &str) -> Option<String> {
    let mut parts = arn.split(':');
    (parts.next() == Some("arn")).then_some(())?;
    parts.nth(2).map(str::to_owned)
}
