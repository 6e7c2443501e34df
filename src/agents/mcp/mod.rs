//! `mcp`: the tools of an MCP server, called without any agent.

mod talk;
#[cfg(test)]
mod tests;
mod trouble;

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Agent;
use super::kind::{AgentParams, Setup};
use super::process::Program;
use super::wire::Wire;
use talk::{McpAgent, Server};

/// The tools of an MCP server, called without any agent: a turn is a call, as `call = { name, args }` says.
///
/// The server is a program that speaks over its standard input and output (`run`), or is reached over streamable HTTP
/// (`url`); each session has a session of its own with it. What a tool returns is the output of a span: its structured
/// content, else its content, a text that holds a JSON object or list as that. A result that `isError`, and an error
/// that the server answers with, are the span's error, and no failure of the run. The reply of the turn is the text of
/// the result. `traceparent` and `baggage` are sent in `_meta`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mcp {
    /// The program and its arguments; it runs in the suite's folder.
    run: Option<Vec<String>>,
    /// Variables of its environment beside ours, which may use `{{ env.NAME }}`.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Where the server is, instead of a program.
    url: Option<String>,
    /// Headers of its requests, which may use `{{ env.NAME }}`, `session`, `case` and `trial`.
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl AgentParams for Mcp {
    const NAME: &'static str = "mcp";
    const EXAMPLE: &'static str = r#"
[agent]
kind = "mcp"
run  = ["uvx", "mcp-server-time"]

[[case]]
id = "noon-in-oban"
[[case.turn]]
call = { name = "convert_time", args = { source_timezone = "UTC", time = "12:00", target_timezone = "Europe/London" } }
"#;

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Agent>> {
        let server = match (self.run, self.url) {
            (Some(run), None) => {
                if !self.headers.is_empty() {
                    setup.problem(&["headers"], "a program has no headers", None);
                }
                Program::new(run, &self.env, setup).map(Server::Program)
            }
            (None, Some(url)) => {
                if !self.env.is_empty() {
                    let help = "to send one, use `{{ env.NAME }}` in `headers`".to_owned();
                    setup.problem(&["env"], "a server that is reached over HTTP has its environment already", help);
                }
                Wire::new(Method::POST, &url, &self.headers, setup).map(|wire| Server::Http(Box::new(wire)))
            }
            (Some(_), Some(_)) => {
                setup.problem(&["url"], "a server is a program (`run`) or reached over HTTP (`url`), not both", None);
                None
            }
            (None, None) => {
                setup.problem(&[], "nothing says where the server is: `run` or `url`", None);
                None
            }
        };
        if setup.problems.iter().any(|problem| !problem.warning) {
            return None;
        }
        Some(Arc::new(McpAgent::new(server?)))
    }
}
