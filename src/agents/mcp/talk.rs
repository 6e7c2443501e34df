//! A session with an MCP server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, RequestMetaObject};
use rmcp::service::{RoleClient, RunningService, ServiceError, serve_client};
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransport, StreamableHttpClientTransportConfig};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use super::trouble::{of_opening, of_service};
use crate::agents::process::{Program, Running};
use crate::agents::template::{Env, Known};
use crate::agents::wire::{MOST, Wire, clipped};
use crate::agents::{Agent, Call, Conversation, Heard, Say, Start};
use crate::net::{Cause, Trouble};

/// How long a server may take until a session with it is open.
const OPENING: Duration = Duration::from_secs(60);

/// How long a server may take to list its tools.
const LISTING: Duration = Duration::from_secs(10);

/// Tools of a server that are known by name.
const MOST_TOOLS: usize = 1000;

/// Where a server is.
pub enum Server {
    /// A program.
    Program(Program),
    /// Reached over streamable HTTP.
    Http(Box<Wire>),
}

/// An agent of kind `mcp`.
pub struct McpAgent {
    server: Server,
    /// The names of its tools, asked for once.
    tools: OnceCell<Arc<[String]>>,
}

impl McpAgent {
    pub(super) fn new(server: Server) -> Self {
        Self { server, tools: OnceCell::new() }
    }

    /// A session that is open, with the names of the tools: those that the first session was told. They are known only so
    /// that a name that a suite misspells can be told from a tool that was not called; where the server does not list them,
    /// or not soon enough, there are none, and nobody asks again.
    async fn opened(&self, session: RunningService<RoleClient, ()>, running: Option<Running>) -> Talk {
        let tools = self.tools.get_or_init(|| listed(&session)).await.clone();
        Talk { session, tools, running }
    }

    async fn connect(&self, start: &Start<'_>) -> Result<Talk, Trouble> {
        match &self.server {
            Server::Program(program) => {
                let env = Arc::new(Env::new(&program.variables(), start.env)?);
                let context = Known::new(&["env".to_owned()].into(), start, &env).fixed();
                let (mut running, pipes) = program.start(&context, &env, &[])?;
                match serve_client((), (pipes.stdout, pipes.stdin)).await {
                    Ok(session) => Ok(self.opened(session, Some(running)).await),
                    Err(error) => {
                        let trouble = of_opening(&error);
                        Err(match trouble.cause {
                            Cause::Reset => running.ended().await,
                            _ => running.told(trouble),
                        })
                    }
                }
            }
            Server::Http(wire) => {
                let ready = wire.ready(start)?;
                let known = Known::new(wire.reads(), start, &ready.env);
                let (url, headers) = wire.opening(ready, &known.fixed())?;
                let named = headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
                let config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
                    .custom_headers(named.collect())
                    .max_json_response_size(MOST)
                    .max_sse_event_size(MOST)
                    .reinit_on_expired_session(false);
                let transport = StreamableHttpClientTransport::with_client(start.http.clone(), config);
                let session = serve_client((), transport).await;
                let session = session.map_err(|error| ready.env.scrubbed(of_opening(&error)))?;
                Ok(self.opened(session, None).await)
            }
        }
    }
}

impl Agent for McpAgent {
    fn open<'a>(&'a self, start: &'a Start<'a>) -> BoxFuture<'a, Result<Box<dyn Conversation>, Trouble>> {
        Box::pin(async move {
            match tokio::time::timeout(OPENING, self.connect(start)).await {
                Ok(talk) => talk.map(|talk| Box::new(talk) as Box<dyn Conversation>),
                Err(_) => {
                    let message = format!("no session with the MCP server within {} s", OPENING.as_secs());
                    Err(Trouble::new(Cause::Timeout, message))
                }
            }
        })
    }
}

/// One session. It is closed before its program is ended.
struct Talk {
    session: RunningService<RoleClient, ()>,
    /// The names of its tools.
    tools: Arc<[String]>,
    running: Option<Running>,
}

impl Conversation for Talk {
    fn say<'a>(&'a mut self, say: &'a Say<'a>) -> BoxFuture<'a, Result<Heard, Trouble>> {
        Box::pin(async move {
            let Some((name, arguments)) = say.call else {
                let message = "a turn of an agent of kind `mcp` calls a tool: `call = { name = \"...\", args = {} }`";
                return Err(Trouble::new(Cause::Misconfigured, message));
            };
            let mut params = CallToolRequestParams::new(name.to_owned()).with_arguments(arguments.clone());
            params.meta = meta(say);
            let since = Instant::now();
            let answered = self.session.call_tool(params).await;
            let took = since.elapsed();
            let input = Value::Object(arguments.clone()).to_string();
            let call =
                Call { name: name.to_owned(), input: Some(input), took: Some(took), ended: true, ..Call::default() };
            match answered {
                Ok(result) => Ok(heard(call, &result)),
                // An answer, if not a good one.
                Err(ServiceError::McpError(error)) => {
                    let message = format!("{} ({})", clipped(&error.message), error.code.0);
                    let reply = Some(message.clone());
                    Ok(Heard { reply, calls: Some(vec![Call { error: Some(message), ..call }]), ..Heard::default() })
                }
                Err(error) => {
                    let trouble = of_service(&error);
                    Err(match (&mut self.running, trouble.cause) {
                        (Some(running), Cause::Reset) => running.ended().await,
                        (Some(running), _) => running.told(trouble),
                        (None, _) => trouble,
                    })
                }
            }
        })
    }

    fn tools(&self) -> Vec<String> {
        self.tools.to_vec()
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            let Self { session, running, .. } = *self;
            let _ = session.cancel().await;
            if let Some(running) = running {
                running.end().await;
            }
        }
        .boxed()
    }
}

/// The names of the tools that a server lists.
async fn listed(session: &RunningService<RoleClient, ()>) -> Arc<[String]> {
    let listed = tokio::time::timeout(LISTING, session.list_all_tools()).await;
    let tools = listed.ok().and_then(Result::ok).unwrap_or_default();
    tools.into_iter().take(MOST_TOOLS).map(|tool| tool.name.into_owned()).collect()
}

/// The trace that the server's spans are to be part of.
fn meta(say: &Say<'_>) -> Option<RequestMetaObject> {
    let told = [("traceparent", say.traceparent), ("baggage", say.baggage)];
    let told: Map<String, Value> =
        told.into_iter().filter(|(_, text)| !text.is_empty()).map(|(k, text)| (k.to_owned(), text.into())).collect();
    (!told.is_empty()).then(|| serde_json::from_value(Value::Object(told)).ok()).flatten()
}

/// A result as a call that is over.
fn heard(call: Call, result: &CallToolResult) -> Heard {
    let texts: Vec<&str> = result.content.iter().filter_map(|block| block.as_text()).map(|t| t.text.as_str()).collect();
    let text = (!texts.is_empty()).then(|| texts.join("\n"));
    let output = match (&result.structured_content, result.content.as_slice()) {
        (Some(value), _) => value.to_string(),
        (None, [only]) if only.as_text().is_some() => text_as_json(text.as_deref().unwrap_or_default()),
        (None, blocks) => blocks_as_json(blocks),
    };
    let failed = result.is_error == Some(true);
    let error = failed.then(|| text.clone().unwrap_or_else(|| output.clone()));
    Heard { reply: text, calls: Some(vec![Call { output: Some(output), error, ..call }]), ..Heard::default() }
}

/// A text as JSON: one that holds an object or a list is that.
fn text_as_json(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(_) | Value::Array(_)) => text.to_owned(),
        _ => Value::from(text).to_string(),
    }
}

fn blocks_as_json(blocks: &[ContentBlock]) -> String {
    serde_json::to_string(blocks).unwrap_or_default()
}
