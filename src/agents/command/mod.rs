//! `command`: an agent that is a program, spoken with in lines of JSON.

mod talk;
#[cfg(unix)]
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Agent;
use super::kind::{AgentParams, Setup};
use super::process::Program;

/// An agent that is a program of your own: for each turn it reads a line of JSON and answers with one.
///
/// The line has `message`, `session`, `turn` (from 0), `trial`, `case`, `history` (a list of `user` and `reply`),
/// `traceparent` and `baggage`; the last two are also in its environment as `TRACEPARENT` and `BAGGAGE`, as they are
/// when it starts. The answer has `reply` (null: it says nothing), and what else is known: `calls` (each with `name`,
/// `id`, `arguments`, `output`, `error`), `usage`, `cost_usd`, `model`, `session`, `ended`, `attributes` (a table), or
/// `error` (the case is an error then). Lines with `text` and no `reply` before it are pieces of the reply.
///
/// What it says on its standard error is shown when something goes wrong. One that ends, answers more often than it is
/// asked, or with a line longer than 8 MiB or one that is no JSON, makes the case an error; one that is still running
/// when its session is over is ended, with all that it started itself.
///
/// A secret that it is given by `{{ env.NAME }}` is taken out of whatever is written of it. One that it merely inherits
/// from the environment is not known as a secret: name it in `env`, even under the same name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments; it runs in the suite's folder.
    run: Vec<String>,
    /// Variables of its environment beside ours, which may use `{{ env.NAME }}`.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// How many there are.
    #[serde(default)]
    process: Process,
}

/// How many processes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Process {
    /// One for each session.
    #[default]
    Session,
    /// As many as there are turns at once; each is asked for any session, one turn at a time.
    Pool,
}

impl AgentParams for Command {
    const NAME: &'static str = "command";
    const EXAMPLE: &'static str = r#"
[agent]
kind = "command"
run  = ["python3", "agent.py", "--quiet"]
env  = { MODEL_KEY = "{{ env.MODEL_KEY }}" }
"#;

    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Agent>> {
        let program = Program::new(self.run, &self.env, setup)?;
        Some(Arc::new(talk::CommandAgent::new(program, self.process == Process::Pool)))
    }
}
