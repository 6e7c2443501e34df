//! A conversation with an agent of kind `http`.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::sign::Sign;
use crate::agents::picks::{Picks, text};
use crate::agents::template::{Body, Known};
use crate::agents::wire::{self, Content, MOST, Wire};
use crate::agents::{Agent, Conversation, Heard, Say, Start};
use crate::checks::path::Path;
use crate::net::client::Http;
use crate::net::{Cause, Trouble, body, stream};

/// An agent that is asked by one request per turn.
pub struct HttpAgent(Arc<Spec>);

/// How it is asked, and where in its reply things are.
pub struct Spec {
    /// Its kind.
    pub kind: &'static str,
    /// Where requests go.
    pub wire: Wire,
    /// What they hold.
    pub body: Option<Body>,
    /// What is picked out of the reply.
    pub picks: Picks,
    /// How the reply comes.
    pub form: Form,
    /// A piece of the reply's text, within an event.
    pub piece: Option<Path>,
    /// The data of the event that ends a stream.
    pub end: Option<String>,
    /// Who signs requests.
    pub sign: Option<Sign>,
}

/// How a reply comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As a whole.
    Whole,
    /// As server-sent events.
    Events,
    /// As lines of JSON.
    Lines,
    /// As a whole or as events, as the agent likes; without paths, what it says is the reply, whatever it is.
    Either,
}

impl HttpAgent {
    pub(in crate::agents) fn new(spec: Spec) -> Self {
        Self(Arc::new(spec))
    }
}

impl Agent for HttpAgent {
    fn open<'a>(&'a self, start: &'a Start<'a>) -> BoxFuture<'a, Result<Box<dyn Conversation>, Trouble>> {
        let open = || {
            let ready = self.0.wire.ready(start)?;
            let known = Known::new(self.0.wire.reads(), start, &ready.env);
            let talk = Talk { agent: self.0.clone(), known, http: start.http.clone(), session: None };
            Ok(Box::new(talk) as Box<dyn Conversation>)
        };
        Box::pin(std::future::ready(open()))
    }
}

struct Talk {
    agent: Arc<Spec>,
    known: Known,
    http: Http,
    /// The session's id at the agent.
    session: Option<String>,
}

impl Conversation for Talk {
    fn say<'a>(&'a mut self, say: &'a Say<'a>) -> BoxFuture<'a, Result<Heard, Trouble>> {
        Box::pin(async move {
            let agent = &*self.agent;
            wire::no_tools(say, agent.kind)?;
            let ready = agent.wire.made()?;
            let context = self.known.context(say, self.session.as_deref());
            let body = agent.body.as_ref().map(|body| body.render(&context)).transpose()?;
            let defaults = match agent.form {
                Form::Events | Form::Either => wire::EVENTS,
                Form::Whole | Form::Lines => wire::JSON,
            };
            let mut request = agent.wire.request(ready, &context, say, defaults, body)?;
            if let Some(sign) = &agent.sign {
                sign.sign(&mut request).await?;
            }
            let since = Instant::now();
            let reply = wire::send(&self.http, request, &ready.env).await?;
            let events = agent.form == Form::Either && wire::content(&reply).0 == Content::Events;
            let heard = match agent.form {
                Form::Events | Form::Lines => agent.pieces(reply, since).await,
                Form::Either if events => agent.pieces(reply, since).await,
                Form::Whole | Form::Either => agent.whole(reply).await,
            };
            let mut heard = heard.map_err(|trouble| ready.env.scrubbed(trouble))?;
            if heard.session.is_some() {
                self.session.clone_from(&heard.session);
            } else {
                heard.session.clone_from(&self.session);
            }
            Ok(heard)
        })
    }
}

impl Spec {
    /// A reply that comes as a whole.
    async fn whole(&self, reply: Response) -> Result<Heard, Trouble> {
        let env = &self.wire.made()?.env;
        let (content, said) = wire::content(&reply);
        let mut heard = Heard::default();
        if reply.status() == StatusCode::NO_CONTENT {
            return Ok(heard);
        }
        if self.picks.reply.is_none() && content == Content::Plain {
            let bytes = body::whole(reply, MOST).await?;
            if bytes.is_empty() {
                return Ok(heard);
            }
            let text = String::from_utf8(bytes);
            heard.reply = Some(text.map_err(|_| Trouble::new(Cause::Malformed, "the reply is not UTF-8"))?);
            return Ok(heard);
        }
        if content == Content::Events || content == Content::Lines {
            let wanted = "whole: set `stream` in [agent]";
            return Err(wire::unexpected(reply, wanted, &said, env).await);
        }
        let value = wire::json(reply, env).await?;
        self.picks.apply(&value, &mut heard)?;
        if self.form == Form::Either && is_runtime_error(&value) {
            return Err(said_it_failed(&value.to_string()));
        }
        if self.picks.reply.is_none() && self.form == Form::Either {
            heard.reply = (!value.is_null()).then(|| text(&value));
            return Ok(heard);
        }
        let Some(path) = &self.picks.reply else {
            return Err(Trouble::new(
                Cause::Malformed,
                "the reply is JSON: set `reply` in [agent] to where its text is",
            ));
        };
        heard.reply = reply_in(path, &value).ok_or_else(|| absent(path, &value))?;
        Ok(heard)
    }

    /// A reply that comes in pieces.
    async fn pieces(&self, reply: Response, since: Instant) -> Result<Heard, Trouble> {
        let env = &self.wire.made()?.env;
        let (content, said) = wire::content(&reply);
        let mut events = match (self.form, content) {
            (Form::Events | Form::Either, Content::Events) => stream::events(reply, MOST),
            (Form::Lines, Content::Lines | Content::Json | Content::Plain) => stream::lines(reply, MOST),
            (Form::Lines, _) => return Err(wire::unexpected(reply, "lines of JSON", &said, env).await),
            _ => return Err(wire::unexpected(reply, "stream of events", &said, env).await),
        };
        let mut heard = Heard::default();
        let (mut ended, mut whole) = (false, None);
        while let Some(event) = events.next().await {
            let event = event?;
            if self.end.as_ref().is_some_and(|end| event.data.trim() == end) {
                ended = true;
                break;
            }
            if event.kind.as_deref() == Some("error") {
                return Err(said_it_failed(&event.data));
            }
            if self.form == Form::Either
                && let Ok(value) = serde_json::from_str::<Value>(&event.data)
                && is_runtime_error(&value)
            {
                return Err(said_it_failed(&event.data));
            }
            let plain = self.piece.is_none() && self.picks.reply.is_none();
            if self.form == Form::Events && plain && is_bare_error(&event.data) {
                return Err(said_it_failed(&event.data));
            }
            if self.form != Form::Lines && plain {
                let said = match self.form {
                    // Frameworks write what an agent yields as JSON, a text in quotes.
                    Form::Either => serde_json::from_str(&event.data).unwrap_or(event.data),
                    _ => event.data,
                };
                wire::piece(&mut heard, &said, since);
                continue;
            }
            let value = wire::parse(event.data.as_bytes(), "an event of the stream", env)?;
            let mut said = false;
            for found in self.piece.iter().flat_map(|path| path.select(&value)) {
                said = true;
                match found {
                    Value::String(text) => wire::piece(&mut heard, text, since),
                    Value::Null => {}
                    other => wire::piece(&mut heard, &other.to_string(), since),
                }
            }
            let told = self.picks.reply.as_ref().and_then(|path| reply_in(path, &value));
            self.picks.apply(&value, &mut heard)?;
            let error = value.get("error").filter(|error| !matches!(error, Value::Null | Value::Bool(false)));
            if let Some(error) = error.filter(|_| !said && told.is_none() && self.picks.error.is_none()) {
                return Err(said_it_failed(&text(error)));
            }
            whole = told.or(whole);
        }
        if self.end.is_some() && !ended {
            let message = "the stream ended before the event that ends it (`end`)";
            return Err(Trouble::new(Cause::Reset, message));
        }
        match whole {
            Some(whole) => heard.reply = whole,
            None if heard.reply.is_some() => {}
            None => return Err(Trouble::new(Cause::Malformed, "the stream ended and had no text of a reply in it")),
        }
        Ok(heard)
    }
}

/// Whether this is what the runtime's SDK says in place of the rest, where what the agent yields broke off.
fn is_runtime_error(value: &Value) -> bool {
    ["error", "error_type"].iter().all(|key| value.get(key).is_some_and(|said| !said.is_null()))
}

/// Whether this is an object that has nothing in it but an error: what servers say in place of the rest of a stream.
fn is_bare_error(data: &str) -> bool {
    let said = serde_json::from_str::<Value>(data).ok();
    let object = said.as_ref().and_then(Value::as_object).filter(|object| object.len() == 1);
    let error = object.and_then(|object| object.get("error"));
    error.is_some_and(|error| !matches!(error, Value::Null | Value::Bool(false)))
}

fn said_it_failed(what: &str) -> Trouble {
    Trouble::new(Cause::Agent, format!("the agent says that it failed: {}", wire::clipped(what)))
}

/// The reply at a path: `None` where there is none, `Some(None)` where the agent says that it says nothing.
fn reply_in(path: &Path, value: &Value) -> Option<Option<String>> {
    match path.select(value).as_slice() {
        [] => None,
        [Value::Null] => Some(None),
        [one] => Some(Some(text(one))),
        many => Some(Some(many.iter().map(|piece| text(piece)).collect())),
    }
}

fn absent(path: &Path, value: &Value) -> Trouble {
    let begins = wire::clipped(&value.to_string());
    Trouble::new(Cause::Malformed, format!("there is no `{path}` (`reply` in [agent]) in the reply: {begins}"))
}
