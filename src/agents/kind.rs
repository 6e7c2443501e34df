//! How the parameters of an adapter become an agent to speak with, and how what is wrong with them is reported.

use std::path::Path;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use toml::de::Deserializer;

use super::Agent;
use crate::checks::build::{BuildProblem, Files};

/// What an adapter may use while it is set up, and where it reports problems.
pub struct Setup<'s> {
    /// The folder of the suite's file: commands are started there, and paths are relative to it.
    pub dir: &'s Path,
    /// Reads files named by parameters.
    pub files: &'s dyn Files,
    /// What is wrong so far; paths are within `[agent]`.
    pub problems: Vec<BuildProblem>,
}

impl Setup<'_> {
    /// Reports a problem at a path within `[agent]`.
    pub fn problem(&mut self, path: &[&str], message: impl Into<String>, help: impl Into<Option<String>>) {
        self.report(path, message.into(), help.into(), false);
    }

    /// The same, where it can be driven all the same.
    pub fn warn(&mut self, path: &[&str], message: impl Into<String>, help: impl Into<Option<String>>) {
        self.report(path, message.into(), help.into(), true);
    }

    fn report(&mut self, path: &[&str], message: String, help: Option<String>, warning: bool) {
        let path = path.iter().map(|s| (*s).to_owned()).collect();
        self.problems.push(BuildProblem { path, message, help, warning });
    }
}

/// What an adapter's parameter struct implements. Its doc comment is the adapter's documentation, its fields' doc
/// comments are the documentation of the keys.
pub trait AgentParams: DeserializeOwned + JsonSchema + 'static {
    /// The name in `kind = "..."`.
    const NAME: &'static str;
    /// An `[agent]` table, shown by `seatrial explain`.
    const EXAMPLE: &'static str;
    /// Makes the agent; templates are compiled and everything that can be known to be wrong is reported, but nothing is
    /// connected, started, or read from the environment yet. `None` after a problem was reported.
    fn build(self, setup: &mut Setup<'_>) -> Option<Arc<dyn Agent>>;
}

/// An adapter: an entry of the registry. Plain data and function pointers.
pub struct Kind {
    /// The name in `kind = "..."`.
    pub name: &'static str,
    /// An `[agent]` table.
    pub example: &'static str,
    /// The JSON Schema of its keys besides `kind`.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// The agent that a table (without `kind` and what is common to all) describes. The error is the table's; what it
    /// means is reported in the setup.
    pub from_toml: fn(Deserializer<'_>, &mut Setup<'_>) -> Result<Made, toml::de::Error>,
}

/// An agent, or `None` when problems were reported instead.
pub type Made = Option<Arc<dyn Agent>>;

/// The entry of an adapter.
pub const fn entry<P: AgentParams>() -> Kind {
    Kind {
        name: P::NAME,
        example: P::EXAMPLE,
        schema: |generator| P::json_schema(generator),
        from_toml: |table, setup| Ok(P::deserialize(table)?.build(setup)),
    }
}
