//! A conversation with an agent of kind `openai`: rounds of asking the model and answering the tools that it calls.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use reqwest::Response;
use serde_json::{Map, Value};

use super::stub::Tool;
use crate::agents::template::{Env, Known, Text};
use crate::agents::wire::{self, Wire, clipped};
use crate::agents::{Agent, Call, Conversation, Heard, Say, Start};
use crate::model::Usage;
use crate::net::client::Http;
use crate::net::{Cause, Trouble};

/// How one of the two APIs says things.
pub trait Dialect: Send + Sync {
    /// The key of the request under which the conversation is.
    fn conversation(&self) -> &'static str;
    /// A tool as it is offered.
    fn tool(&self, described: Map<String, Value>) -> Value;
    /// What the model is told before the conversation: a first item of it, or a key of the request.
    fn system(&self, text: &str) -> Result<String, (&'static str, String)>;
    /// What a tool answered, as an item of the conversation.
    fn answered(&self, id: &str, text: &str) -> String;
    /// Reads a reply that came as a whole.
    fn whole(&self, reply: &Value) -> Result<Round, Trouble>;
    /// Reads a reply that comes in pieces.
    fn pieces<'a>(
        &'a self,
        reply: Response,
        env: &'a Env,
        heard: &'a mut Heard,
        since: Instant,
    ) -> BoxFuture<'a, Result<Round, Trouble>>;
}

/// What the model says in one round.
#[derive(Debug, Default)]
pub struct Round {
    /// Its text.
    pub text: Option<String>,
    /// Calls that wait for an answer.
    pub asked: Vec<Asked>,
    /// Calls that were answered on the other side.
    pub done: Vec<Call>,
    pub usage: Option<Usage>,
    pub model: Option<String>,
    /// Why it ended.
    pub finish: Option<String>,
    /// What it said, as items of the conversation.
    pub items: Vec<String>,
}

/// A call that waits for an answer.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub id: String,
    pub name: String,
    /// JSON, or what the model takes for it.
    pub arguments: String,
}

/// An agent of kind `openai`.
pub struct OpenAiAgent(Arc<Inner>);

struct Inner {
    wire: Wire,
    dialect: &'static dyn Dialect,
    system: Option<Text>,
    /// The request up to the conversation: an object without its closing brace.
    before: String,
    stream: bool,
    tools: Vec<Tool>,
    rounds: u32,
}

impl OpenAiAgent {
    pub(super) fn new(
        wire: Wire,
        dialect: &'static dyn Dialect,
        system: Option<Text>,
        fixed: Map<String, Value>,
        stream: bool,
        tools: Vec<Tool>,
        rounds: u32,
    ) -> Self {
        let mut before = Value::Object(fixed).to_string();
        before.pop();
        Self(Arc::new(Inner { wire, dialect, system, before, stream, tools, rounds }))
    }
}

impl Agent for OpenAiAgent {
    fn open<'a>(&'a self, start: &'a Start<'a>) -> BoxFuture<'a, Result<Box<dyn Conversation>, Trouble>> {
        let open = || {
            let ready = self.0.wire.ready(start)?;
            let known = Known::new(self.0.wire.reads(), start, &ready.env);
            let talk = Talk { agent: self.0.clone(), known, http: start.http.clone(), items: Vec::new() };
            Ok(Box::new(talk) as Box<dyn Conversation>)
        };
        Box::pin(std::future::ready(open()))
    }
}

struct Talk {
    agent: Arc<Inner>,
    known: Known,
    http: Http,
    /// What was said and heard, as the API wants it.
    items: Vec<String>,
}

impl Conversation for Talk {
    fn say<'a>(&'a mut self, say: &'a Say<'a>) -> BoxFuture<'a, Result<Heard, Trouble>> {
        Box::pin(async move {
            wire::no_tools(say, "openai")?;
            let agent = self.agent.clone();
            let ready = agent.wire.made()?;
            let context = self.known.context(say, None);
            let mut key = String::new();
            // Kept only when the turn is over, so that the same may be said again.
            let mut added = Vec::new();
            if let Some(system) = &agent.system {
                match agent.dialect.system(&system.render(&context)?) {
                    Ok(item) if self.items.is_empty() => added.push(item),
                    Ok(_) => {}
                    Err((name, text)) => key = format!(",\"{name}\":{}", Value::from(text)),
                }
            }
            added.push(serde_json::json!({"role": "user", "content": say.text}).to_string());
            let (mut heard, mut tally, since) = (Heard::default(), Tally::default(), Instant::now());
            for asked in 1.. {
                let body = agent.body(&key, self.items.iter().chain(&added));
                let defaults = if agent.stream { wire::EVENTS } else { wire::JSON };
                let request = agent.wire.request(ready, &context, say, defaults, Some(body))?;
                let reply = wire::send(&self.http, request, &ready.env).await?;
                heard.first = None;
                heard.reply = None;
                let round = match (agent.stream, wire::content(&reply)) {
                    (false, _) => agent.dialect.whole(&wire::json(reply, &ready.env).await?),
                    (true, (wire::Content::Events, _)) => {
                        agent.dialect.pieces(reply, &ready.env, &mut heard, since).await
                    }
                    (true, (_, said)) => Err(wire::unexpected(reply, "stream of events", &said, &ready.env).await),
                };
                let round = round.map_err(|trouble| ready.env.scrubbed(trouble))?;
                tally.add(round.usage);
                heard.reply = round.text;
                heard.model = round.model.map(Into::into).or(heard.model);
                heard.attributes.extend(round.finish.map(finish));
                added.extend(round.items);
                if !round.done.is_empty() {
                    heard.calls.get_or_insert_default().extend(round.done);
                }
                if agent.tools.is_empty() {
                    if !round.asked.is_empty() {
                        heard.calls.get_or_insert_default().extend(round.asked.iter().map(Asked::reported));
                    }
                    break;
                }
                let calls = heard.calls.get_or_insert_default();
                if round.asked.is_empty() {
                    break;
                }
                for call in &round.asked {
                    let (call, told) = agent.answer(call)?;
                    added.push(agent.dialect.answered(call.id.as_deref().unwrap_or_default(), &told));
                    calls.push(call);
                }
                if asked == agent.rounds {
                    // A loop is what the agent does, and no failure to speak with it.
                    heard.reply = None;
                    heard.attributes.extend([finish("max_rounds".to_owned())]);
                    break;
                }
            }
            heard.usage = tally.sum();
            self.items.extend(added);
            Ok(heard)
        })
    }
}

/// Why the model stopped, as an attribute of the turn.
fn finish(why: String) -> (String, Value) {
    ("gen_ai.response.finish_reasons".to_owned(), Value::Array(vec![why.into()]))
}

impl Inner {
    fn body<'s>(&self, key: &str, items: impl Iterator<Item = &'s String>) -> Vec<u8> {
        let mut body = format!("{}{key},\"{}\":[", self.before, self.dialect.conversation());
        for (i, item) in items.enumerate() {
            body.push_str(if i == 0 { "" } else { "," });
            body.push_str(item);
        }
        body.push_str("]}");
        body.into_bytes()
    }

    /// Answers a call: what happened, and what the model is told.
    fn answer(&self, asked: &Asked) -> Result<(Call, String), Trouble> {
        let mut call = Call { ended: true, ..asked.reported() };
        let failed = |call: Call, why: &str| {
            let told = serde_json::json!({"error": why}).to_string();
            (Call { error: Some(why.to_owned()), ..call }, told)
        };
        let Some(tool) = self.tools.iter().find(|tool| tool.name == asked.name) else {
            return Ok(failed(call, "there is no such tool"));
        };
        let arguments = if asked.arguments.trim().is_empty() { "{}" } else { &asked.arguments };
        let Ok(arguments) = serde_json::from_str::<Value>(arguments) else {
            return Ok(failed(call, "the arguments are no JSON"));
        };
        match tool.answer(&arguments) {
            Some(Ok(returned)) => {
                let text = returned.to_string();
                let told = returned.as_str().map_or_else(|| text.clone(), str::to_owned);
                call.output = Some(text);
                Ok((call, told))
            }
            Some(Err(why)) => Ok(failed(call, &why)),
            None => {
                let arguments = clipped(&arguments.to_string());
                let message = format!("the suite does not say what the tool `{}` answers to {arguments}", asked.name);
                Err(Trouble::new(Cause::Misconfigured, message))
            }
        }
    }
}

impl Asked {
    /// The call as the agent made it.
    fn reported(&self) -> Call {
        let input = match serde_json::from_str::<&serde_json::value::RawValue>(&self.arguments) {
            Ok(_) => self.arguments.clone(),
            Err(_) if self.arguments.trim().is_empty() => "{}".to_owned(),
            // What is no JSON is kept as the text that it is.
            Err(_) => Value::from(self.arguments.as_str()).to_string(),
        };
        let id = Some(self.id.clone()).filter(|id| !id.is_empty());
        Call { name: self.name.clone(), id, input: Some(input), ..Call::default() }
    }
}

/// Tokens of all rounds: known only where every round says them.
#[derive(Default)]
struct Tally {
    sum: Option<Usage>,
    missing: bool,
}

impl Tally {
    fn add(&mut self, usage: Option<Usage>) {
        let both = |a: Option<u64>, b: Option<u64>| a?.checked_add(b?);
        match (usage, self.sum) {
            (None, _) => self.missing = true,
            (Some(usage), None) => self.sum = Some(usage),
            (Some(usage), Some(sum)) => {
                self.sum = Some(Usage {
                    input: both(sum.input, usage.input),
                    output: both(sum.output, usage.output),
                    cache_read: both(sum.cache_read, usage.cache_read),
                    cache_write: both(sum.cache_write, usage.cache_write),
                    reasoning: both(sum.reasoning, usage.reasoning),
                });
            }
        }
    }

    fn sum(self) -> Option<Usage> {
        self.sum.filter(|_| !self.missing)
    }
}

/// A trouble that the API reports in a reply that is a success otherwise.
pub fn failed(error: &Value) -> Trouble {
    let message = error.get("message").and_then(Value::as_str).map_or_else(|| error.to_string(), str::to_owned);
    Trouble::new(Cause::Agent, format!("the agent says that it failed: {}", clipped(&message)))
}

/// A reply that is not what the API's are.
pub fn malformed(what: &str, reply: &Value) -> Trouble {
    Trouble::new(Cause::Malformed, format!("{what}: {}", clipped(&reply.to_string())))
}
