//! `http`: an agent behind an HTTP endpoint of its own making.

pub(in crate::agents) mod sign;
pub(in crate::agents) mod talk;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Agent;
use super::kind::{AgentParams, Setup};
use super::picks::{Calls, Picks, Tokens};
use super::template::Body;
use super::wire::Wire;
use crate::checks::path::Path;
use talk::{Form, HttpAgent, Spec};

/// An agent behind an HTTP endpoint: a request per turn, from whose reply everything is picked out by path.
///
/// `url`, `headers` and `body` may hold templates over `message` (what the user says), `messages` (the conversation as
/// chat messages), `history` (a list of `user` and `reply`), `session` (an id of ours), `agent_session` (what
/// `session` picked out of an earlier reply), `case`, `trial`, `turn` (from 0) and `env.NAME` (an environment variable;
/// what it holds is sent and never written down). A name that is not there is an error. In a `url`, write
/// `{{ case.id|urlencode }}`. `traceparent` and `baggage` are sent as headers.
///
/// What a path does not find is not known: no calls and no list of calls are two things. A reply that is no success, of
/// another type, cut off, longer than 8 MiB, or that cannot be understood makes the case an error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where requests go.
    url: String,
    /// The method.
    #[serde(default)]
    method: Verb,
    /// Headers; `Content-Type` is JSON unless it is said here.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What is sent: a table, whose texts are templates, as JSON; a text as it renders. By default
    /// `{ message = "{{ message }}", session_id = "{{ session }}" }`, and nothing with `GET`.
    #[schemars(with = "Option<Value>")]
    body: Option<Value>,
    /// The reply's text. Null says that the agent said nothing; where it is not there, the reply is malformed. Without
    /// it the reply is plain text, or comes in pieces (`stream`).
    reply: Option<Path>,
    /// Calls of tools that the agent reports, as `{ at, name, id, input, output, error }`.
    calls: Option<Calls>,
    /// An object with token counts, in the spelling of OpenAI, Anthropic or LangChain.
    usage: Option<Path>,
    /// Token counts in any other spelling, as `{ input, output }`.
    tokens: Option<Tokens>,
    /// What the turn cost, in USD.
    cost_usd: Option<Path>,
    /// The model that replied.
    model: Option<Path>,
    /// The session's id at the agent, for `agent_session`.
    session: Option<Path>,
    /// Whether the agent ended the conversation: true or false.
    ended: Option<Path>,
    /// What went wrong, where the agent says so in a reply that is a success otherwise: the case is an error then.
    error: Option<Path>,
    /// Attributes of the turn, as name and path.
    #[serde(default)]
    attributes: BTreeMap<String, Path>,
    /// How the reply comes.
    #[serde(default)]
    stream: Stream,
    /// In a stream, a piece of the reply's text within an event. Without it, the data of an event is text.
    text: Option<Path>,
    /// In a stream, the data of the event that ends it, such as `[DONE]`: a stream that ends without it was cut off.
    end: Option<String>,
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Verb {
    #[default]
    Post,
    Put,
    Get,
}

/// How a reply comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// As a whole.
    #[default]
    None,
    /// As server-sent events.
    Sse,
    /// As lines of JSON.
    JsonLines,
}

impl AgentParams for Http {
    const NAME: &'static str = "http";
    const EXAMPLE: &'static str = r#"
[agent]
kind    = "http"
url     = "http://127.0.0.1:8080/chat"
headers = { Authorization = "Bearer {{ env.AGENT_KEY }}" }
body    = { message = "{{ message }}", session_id = "{{ session }}" }
reply   = "reply"
calls   = { at = "tool_calls", name = "tool", input = "arguments", output = "result" }
usage   = "usage"
"#;

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Agent>> {
        let method = match self.method {
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Get => Method::GET,
        };
        let written = match self.body {
            None if self.method == Verb::Get => None,
            None => Some(json!({"message": "{{ message }}", "session_id": "{{ session }}"})),
            some => some,
        };
        let body = written.and_then(|written| match Body::parse(&written) {
            Ok(body) => Some(body),
            Err((path, why)) => {
                let path: Vec<&str> = std::iter::once("body").chain(path.iter().map(String::as_str)).collect();
                setup.problem(&path, why, None);
                None
            }
        });
        if self.stream == Stream::None {
            for (key, is_there) in [("text", self.text.is_some()), ("end", self.end.is_some())] {
                if is_there {
                    let help = "say how it comes: stream = \"sse\" or \"json-lines\"".to_owned();
                    setup.problem(&[key], format!("`{key}` is for a reply that comes in pieces"), help);
                }
            }
        }
        let wire = Wire::new(method, &self.url, &self.headers, setup);
        if setup.problems.iter().any(|problem| !problem.warning) {
            return None;
        }
        let mut wire = wire?;
        if let Some(body) = &body {
            wire.also(body.reads(), body.variables());
        }
        if !["message", "messages"].iter().any(|name| wire.reads().contains(*name)) {
            let help = "put {{ message }} into `body` or `url`".to_owned();
            setup.problem(&[], "nothing of the request says what the user says", help);
            return None;
        }
        if self.stream != Stream::None && self.end.is_none() && (self.text.is_some() || self.reply.is_none()) {
            let help = "say in `end` which event ends it, such as end = \"[DONE]\"".to_owned();
            setup.warn(&["end"], "without `end`, a stream that was cut off cannot be told from a whole one", help);
        }
        let picks = Picks {
            reply: self.reply,
            calls: self.calls,
            usage: self.usage,
            tokens: self.tokens,
            cost_usd: self.cost_usd,
            model: self.model,
            session: self.session,
            ended: self.ended,
            error: self.error,
            attributes: self.attributes,
        };
        let form = match self.stream {
            Stream::None => Form::Whole,
            Stream::Sse => Form::Events,
            Stream::JsonLines => Form::Lines,
        };
        let (piece, end) = (self.text, self.end);
        Some(Arc::new(HttpAgent::new(Spec { kind: Self::NAME, wire, body, picks, form, piece, end, sign: None })))
    }
}
