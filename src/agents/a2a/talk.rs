//! A conversation with an agent of kind `a2a`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, Request, Response};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::Protocol;
use super::card::{self, Endpoint};
use super::read::{Answer, State, failed};
use crate::agents::template::Known;
use crate::agents::wire::{self, Content, MOST, Ready, Wire};
use crate::agents::{Agent, Conversation, Heard, Say, Start};
use crate::net::client::Http;
use crate::net::{Cause, Trouble, stream};

/// How long apart a task is asked for that is still at work.
const APART: Duration = Duration::from_millis(500);

/// An agent of kind `a2a`.
pub struct A2aAgent(Arc<Inner>);

struct Inner {
    wire: Wire,
    /// Whether the `url` is that of the card.
    card: bool,
    protocol: Option<Protocol>,
    stream: Option<bool>,
    found: OnceCell<Endpoint>,
}

impl A2aAgent {
    pub(super) fn new(wire: Wire, card: bool, protocol: Option<Protocol>, stream: Option<bool>) -> Self {
        Self(Arc::new(Inner { wire, card, protocol, stream, found: OnceCell::new() }))
    }
}

impl Agent for A2aAgent {
    fn open<'a>(&'a self, start: &'a Start<'a>) -> BoxFuture<'a, Result<Box<dyn Conversation>, Trouble>> {
        Box::pin(async move {
            let agent = self.0.clone();
            let ready = agent.wire.ready(start)?;
            let known = Known::new(agent.wire.reads(), start, &ready.env);
            let endpoint = agent.found.get_or_try_init(|| agent.find(ready, &known, start.http)).await?.clone();
            let session = start.session.to_owned();
            let http = start.http.clone();
            let talk = Talk { agent, endpoint, known, http, session, context: None, task: None };
            Ok(Box::new(talk) as Box<dyn Conversation>)
        })
    }
}

impl Inner {
    /// How the agent is spoken with.
    async fn find(&self, ready: &Ready, known: &Known, http: &Http) -> Result<Endpoint, Trouble> {
        if !self.card {
            let (protocol, stream) = (self.protocol.unwrap_or(Protocol::V03), self.stream.unwrap_or(false));
            return Ok(Endpoint { url: None, protocol, stream });
        }
        let (url, headers) = self.wire.opening(ready, &known.fixed())?;
        let mut request = Request::new(Method::GET, url);
        *request.headers_mut() = headers;
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        card::fetch(http, request, ready, (self.protocol, self.stream)).await
    }
}

struct Talk {
    agent: Arc<Inner>,
    endpoint: Endpoint,
    known: Known,
    http: Http,
    session: String,
    /// The context that the agent gave.
    context: Option<String>,
    /// The task that waits for input.
    task: Option<String>,
}

impl Conversation for Talk {
    fn say<'a>(&'a mut self, say: &'a Say<'a>) -> BoxFuture<'a, Result<Heard, Trouble>> {
        Box::pin(async move {
            wire::no_tools(say, "a2a")?;
            let agent = self.agent.clone();
            let ready = agent.wire.made()?;
            let (mut heard, mut answer, since) = (Heard::default(), Answer::default(), Instant::now());
            let reply = self.post(&agent, ready, say, self.endpoint.method(), &self.message(say)).await?;
            let read = match self.endpoint.stream && wire::content(&reply).0 == Content::Events {
                true => pieces(reply, ready, &mut answer, &mut heard, since).await,
                false => whole(reply, ready, &mut answer).await,
            };
            read.map_err(|trouble| ready.env.scrubbed(trouble))?;
            while answer.state == Some(State::Working) {
                let Some(task) = answer.task.clone() else { break };
                tokio::time::sleep(APART).await;
                let (method, params) = (self.endpoint.get(), json!({"id": task}));
                let reply = self.post(&agent, ready, say, method, &params).await?;
                whole(reply, ready, &mut answer).await.map_err(|trouble| ready.env.scrubbed(trouble))?;
            }
            let first = heard.first;
            let waits = answer.state == Some(State::Waits);
            self.context = answer.context.clone().or(self.context.take());
            self.task = answer.task.clone().filter(|_| waits);
            let heard = answer.heard()?;
            Ok(Heard { first, session: self.context.clone(), ..heard })
        })
    }
}

impl Talk {
    /// The parameters of a message.
    fn message(&self, say: &Say<'_>) -> Value {
        let (kind, role, part) = match self.endpoint.protocol {
            Protocol::V03 => (Some("message"), "user", json!({"kind": "text", "text": say.text})),
            Protocol::V1 => (None, "ROLE_USER", json!({"text": say.text})),
        };
        // The same when the same is said again, so that the agent can tell.
        let id = format!("{}-{}", self.session, say.turn);
        let mut message = json!({"messageId": id, "role": role, "parts": [part]});
        let more = [("kind", kind), ("contextId", self.context.as_deref()), ("taskId", self.task.as_deref())];
        for (key, value) in more {
            if let Some(value) = value {
                message[key] = value.into();
            }
        }
        let mut configuration = json!({"acceptedOutputModes": ["text/plain", "application/json"]});
        if self.endpoint.protocol == Protocol::V03 {
            configuration["blocking"] = true.into();
        }
        json!({"message": message, "configuration": configuration})
    }

    async fn post(
        &self,
        agent: &Inner,
        ready: &Ready,
        say: &Say<'_>,
        method: &str,
        params: &Value,
    ) -> Result<Response, Trouble> {
        let body = json!({"jsonrpc": "2.0", "id": say.turn + 1, "method": method, "params": params});
        let context = self.known.context(say, self.context.as_deref());
        let defaults = if self.endpoint.stream { wire::EVENTS } else { wire::JSON };
        let mut request = agent.wire.request(ready, &context, say, defaults, Some(body.to_string().into_bytes()))?;
        if let Some(url) = &self.endpoint.url {
            request.url_mut().clone_from(url);
        }
        if self.endpoint.protocol == Protocol::V1 {
            request.headers_mut().entry("a2a-version").or_insert(HeaderValue::from_static("1.0"));
        }
        wire::send(&self.http, request, &ready.env).await
    }
}

impl Endpoint {
    const fn method(&self) -> &'static str {
        match (self.protocol, self.stream) {
            (Protocol::V03, false) => "message/send",
            (Protocol::V03, true) => "message/stream",
            (Protocol::V1, false) => "SendMessage",
            (Protocol::V1, true) => "SendStreamingMessage",
        }
    }

    const fn get(&self) -> &'static str {
        match self.protocol {
            Protocol::V03 => "tasks/get",
            Protocol::V1 => "GetTask",
        }
    }
}

/// Reads an answer that comes as a whole.
async fn whole(reply: Response, ready: &Ready, answer: &mut Answer) -> Result<(), Trouble> {
    let value = wire::json(reply, &ready.env).await?;
    answer.add(result(&value)?)?;
    Ok(())
}

/// Reads an answer that comes in pieces.
async fn pieces(
    reply: Response,
    ready: &Ready,
    answer: &mut Answer,
    heard: &mut Heard,
    since: Instant,
) -> Result<(), Trouble> {
    let mut events = stream::events(reply, MOST);
    while let Some(event) = events.next().await {
        let value = wire::parse(event?.data.as_bytes(), "an event of the stream", &ready.env)?;
        if answer.add(result(&value)?)? {
            heard.first.get_or_insert_with(|| since.elapsed());
        }
        if answer.is_over() {
            return Ok(());
        }
    }
    Err(Trouble::new(Cause::Reset, "the stream ended before the task did"))
}

/// The result of a JSON-RPC response.
fn result(value: &Value) -> Result<&Value, Trouble> {
    if let Some(error) = value.get("error").filter(|error| !error.is_null()) {
        return Err(failed(error));
    }
    let none = || {
        let begins = wire::clipped(&value.to_string());
        Trouble::new(Cause::Malformed, format!("no JSON-RPC response with a result: {begins}"))
    };
    value.get("result").filter(|result| result.is_object()).ok_or_else(none)
}
