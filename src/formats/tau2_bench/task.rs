//! What the simulations of a tau2-bench file share: the agent, and the tasks with what is expected of them.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::formats::wire::Id;
use crate::model::{LeftOut, Payload, Problem, RefCall, Reference, Text};

/// The shared part of a file, detached from its bytes.
#[derive(Default)]
pub(super) struct Shared {
    /// `info.agent_info.implementation`.
    pub(super) agent: Option<String>,
    /// `info.agent_info.llm`.
    pub(super) llm: Option<String>,
    /// `info.environment_info.domain_name`.
    pub(super) domain: Option<String>,
    tasks: HashMap<String, Task>,
}

/// A task.
pub(super) struct Task {
    /// What the agent is to do when it works without a user.
    pub(super) ticket: Option<String>,
    expected: Option<Expected>,
}

/// What is expected of the agent, as plain data that threads can share.
struct Expected {
    /// Names and arguments (JSON) of calls.
    tools: Option<Vec<(String, Option<String>)>>,
    facts: Option<Vec<String>>,
}

impl Task {
    /// What is expected, for one more session.
    pub(super) fn reference(&self) -> Option<Reference<'static>> {
        let expected = self.expected.as_ref()?;
        let call = |(name, args): &(String, Option<String>)| RefCall {
            name: name.clone().into(),
            args: args.clone().map(Payload::raw_json),
        };
        Some(Reference {
            tools: expected.tools.as_ref().map(|tools| tools.iter().map(call).collect()),
            facts: expected.facts.as_ref().map(|facts| facts.iter().cloned().map(Text::from).collect()),
            ..Reference::default()
        })
    }
}

#[derive(Deserialize, Default)]
struct Info {
    #[serde(default)]
    agent_info: Option<AgentInfo>,
    #[serde(default)]
    environment_info: Option<EnvironmentInfo>,
}

#[derive(Deserialize)]
struct AgentInfo {
    #[serde(default)]
    implementation: Option<String>,
    #[serde(default)]
    llm: Option<String>,
}

#[derive(Deserialize)]
struct EnvironmentInfo {
    #[serde(default)]
    domain_name: Option<String>,
}

#[derive(Deserialize)]
struct RawTask<'a> {
    #[serde(borrow)]
    id: Id<'a>,
    #[serde(default)]
    ticket: Option<String>,
    #[serde(default)]
    evaluation_criteria: Option<Criteria>,
}

#[derive(Deserialize)]
struct Criteria {
    #[serde(default)]
    actions: Option<Vec<Action>>,
    #[serde(default)]
    communicate_info: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Action {
    name: String,
    #[serde(default)]
    requestor: Option<String>,
    #[serde(default)]
    arguments: Option<Map<String, Value>>,
    #[serde(default)]
    compare_args: Option<Vec<String>>,
}

impl Shared {
    /// Reads the headers `info` and `tasks`.
    ///
    /// # Errors
    /// When a header that is there has the wrong shape: its simulations would then look as if nothing was expected.
    pub(super) fn read(info: Option<&[u8]>, tasks: Option<&[u8]>) -> Result<Self, Problem> {
        let info: Info = info.map_or(Ok(None), |bytes| header("info", bytes))?.unwrap_or_default();
        let mut shared = Shared::default();
        if let Some(agent) = info.agent_info {
            shared.agent = agent.implementation;
            shared.llm = agent.llm;
        }
        shared.domain = info.environment_info.and_then(|e| e.domain_name);
        let solo = shared.is_solo() == Some(true);
        let tasks: Option<Vec<RawTask<'_>>> = tasks.map_or(Ok(None), |bytes| header("tasks", bytes))?;
        for task in tasks.into_iter().flatten() {
            let expected = task.evaluation_criteria.map(|criteria| criteria.into_expected(solo));
            shared.tasks.insert(task.id.0.to_string(), Task { ticket: task.ticket, expected });
        }
        Ok(shared)
    }

    /// The task with an id.
    pub(super) fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.get(id)
    }

    /// Whether the agent works alone on tickets, without a simulated user; `None` when the file does not say.
    pub(super) fn is_solo(&self) -> Option<bool> {
        self.agent.as_ref().map(|a| a.contains("solo"))
    }
}

fn header<'a, T: Deserialize<'a>>(name: &str, bytes: &'a [u8]) -> Result<Option<T>, Problem> {
    serde_json::from_slice(bytes).map_err(|e| Problem::new(LeftOut::Malformed, format!("the file's `{name}`: {e}")))
}

impl Criteria {
    /// The agent's part of the expectations. The user's own actions are not the agent's to take; a task that has only
    /// such expects no call of the agent. An agent that works alone (`solo`) has the user's tools and takes their
    /// actions too.
    fn into_expected(self, solo: bool) -> Expected {
        let agents = |a: &Action| solo || a.requestor.as_deref().is_none_or(|r| r == "assistant");
        let calls = |actions: Vec<Action>| actions.into_iter().filter(agents).map(Action::into_call).collect();
        Expected { tools: self.actions.map(calls), facts: self.communicate_info }
    }
}

impl Action {
    /// The expected call: with `compare_args`, only those arguments count, and none at all when it is empty.
    fn into_call(self) -> (String, Option<String>) {
        let args = match (self.arguments, self.compare_args) {
            (_, Some(names)) if names.is_empty() => None,
            (Some(mut all), Some(names)) => {
                all.retain(|name, _| names.contains(name));
                Some(all)
            }
            (args, None) => args,
            (None, Some(_)) => None,
        };
        (self.name, args.map(|a| Value::Object(a).to_string()))
    }
}
