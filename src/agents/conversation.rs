//! What is said to an agent and what is heard from it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use crate::model::Usage;
use crate::net::{Trouble, client, secret::Vars};

/// An agent that can be spoken with, by many at once.
pub trait Agent: Send + Sync {
    /// Begins a conversation. What it opens or starts ends when the conversation is closed or dropped.
    fn open<'a>(&'a self, start: &'a Start<'a>) -> BoxFuture<'a, Result<Box<dyn Conversation>, Trouble>>;
    /// Ends what outlives conversations (a pool of processes, a connection). Called once, after the last of them.
    fn shut(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// One session with an agent.
pub trait Conversation: Send {
    /// Says something and hears the reply. Whoever calls bounds the time by dropping the future: no more is said in this
    /// conversation then, except that the same may be said again where nothing was heard.
    fn say<'a>(&'a mut self, say: &'a Say<'a>) -> BoxFuture<'a, Result<Heard, Trouble>>;
    /// The names of the tools that there are, where the agent lists them; empty where it does not.
    fn tools(&self) -> Vec<String> {
        Vec::new()
    }
    /// Ends it orderly.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What a conversation begins with.
pub struct Start<'a> {
    /// The session's id, made by us: unique in the run, 36 characters.
    pub session: &'a str,
    /// The case as templates see it.
    pub case: &'a Value,
    /// The trial, from 1.
    pub trial: u32,
    /// Connections that all conversations share.
    pub http: &'a client::Http,
    /// The environment, for secrets.
    pub env: Vars<'a>,
}

/// What is said.
pub struct Say<'a> {
    /// What the user says.
    pub text: &'a str,
    /// A tool to call, for agents that are tools (`mcp`): its name and arguments.
    pub call: Option<(&'a str, &'a Map<String, Value>)>,
    /// Which turn it is, from 0.
    pub turn: usize,
    /// What was said before.
    pub history: &'a [Exchange],
    /// `traceparent` (W3C): the trace that the agent's spans are to be part of.
    pub traceparent: &'a str,
    /// `baggage` (W3C): names the session.
    pub baggage: &'a str,
}

/// One turn that is over.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What the user said.
    pub user: String,
    /// What the agent replied; `None` where it said nothing.
    pub reply: Option<String>,
}

/// What came back. What the agent does not say is `None`, never empty and never 0.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// The reply.
    pub reply: Option<String>,
    /// Calls of tools that the agent reports; `None` where it does not report any at all, which is not the same as none.
    pub calls: Option<Vec<Call>>,
    /// Tokens, as the agent reports them.
    pub usage: Option<Usage>,
    /// What it cost, as the agent reports it, USD.
    pub cost_usd: Option<f64>,
    /// The model, as the agent reports it.
    pub model: Option<Arc<str>>,
    /// From sending the request to the first piece of the reply's text, where it came in pieces.
    pub first: Option<Duration>,
    /// The agent ended the conversation.
    pub ended: bool,
    /// The session's id at the agent, where it has one of its own.
    pub session: Option<String>,
    /// What else the agent reports of the turn (attributes of the turn).
    pub attributes: Map<String, Value>,
}

/// A call of a tool that an agent reports.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Call {
    /// The tool's name.
    pub name: String,
    /// The id that pairs it with its result.
    pub id: Option<String>,
    /// Its arguments, as JSON text.
    pub input: Option<String>,
    /// What it returned, as JSON text (a plain text is a JSON string).
    pub output: Option<String>,
    /// What went wrong; `None` where nothing did or it is not said.
    pub error: Option<String>,
    /// Whether the agent says how it ended.
    pub ended: bool,
    /// How long it took, where we saw it.
    pub took: Option<Duration>,
}
