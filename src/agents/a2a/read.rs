//! Messages, tasks and events of A2A, in both spellings: 0.3 tells them apart by `kind`, 1.0 by the key they are under.

use serde_json::Value;

use crate::agents::Heard;
use crate::agents::wire::clipped;
use crate::net::{Cause, Trouble};

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is at work.
    Working,
    /// It waits for the user.
    Waits,
    /// It is over, well.
    Completed,
    /// It is over, by the agent's or somebody's decision.
    Stopped,
    /// It failed.
    Failed,
}

/// What was heard of an answer.
#[derive(Debug, Default)]
pub struct Answer {
    pub context: Option<String>,
    pub task: Option<String>,
    pub state: Option<State>,
    /// The state as the agent names it.
    named: Option<String>,
    /// A message that is the answer.
    message: Option<String>,
    /// What is said beside the state.
    status: Option<String>,
    /// What the task made: id and text.
    artifacts: Vec<(String, String)>,
}

impl Answer {
    /// Adds a result, or an event of a stream; whether it has a piece of the reply's text.
    pub fn add(&mut self, result: &Value) -> Result<bool, Trouble> {
        let under = |key: &str, kind: &str| {
            let named = result.get("kind").and_then(Value::as_str) == Some(kind);
            result.get(key).filter(|inner| inner.is_object()).or(named.then_some(result))
        };
        // An event of 0.3 has a `status` or an `artifact`, as tasks have; it is told apart by its kind.
        if let Some(update) = under("statusUpdate", "status-update") {
            self.ids(update, "taskId");
            return self.status(update);
        }
        if let Some(update) = under("artifactUpdate", "artifact-update") {
            self.ids(update, "taskId");
            let append = update.get("append").and_then(Value::as_bool) == Some(true);
            return Ok(update.get("artifact").is_some_and(|artifact| self.artifact(artifact, append)));
        }
        if let Some(message) = under("message", "message") {
            self.ids(message, "taskId");
            self.message = text_of(message);
            return match self.message {
                Some(_) => Ok(true),
                None => Err(malformed("a message without text", message)),
            };
        }
        // tasks/get and GetTask answer with the task itself.
        let Some(task) = under("task", "task").or_else(|| result.get("status").map(|_| result)) else {
            return Err(malformed("the result is no message, no task and no update of one", result));
        };
        self.ids(task, "id");
        let mut said = false;
        for artifact in task.get("artifacts").and_then(Value::as_array).into_iter().flatten() {
            said |= self.artifact(artifact, false);
        }
        Ok(self.status(task)? | said)
    }

    /// Whether nothing more will come.
    pub fn is_over(&self) -> bool {
        self.message.is_some() || self.state.is_some_and(|state| state != State::Working)
    }

    /// What was heard, when it is over.
    pub fn heard(self) -> Result<Heard, Trouble> {
        let artifacts: Vec<String> = self.artifacts.into_iter().map(|(_, text)| text).collect();
        let made = (!artifacts.is_empty()).then(|| artifacts.join("\n"));
        if self.state == Some(State::Failed) {
            let why = self.status.or(made).unwrap_or_else(|| "it does not say why".to_owned());
            return Err(Trouble::new(Cause::Agent, format!("the agent says that its task failed: {}", clipped(&why))));
        }
        // What the agent says while it waits is a question, whatever it made before.
        let reply = match self.state {
            Some(State::Waits | State::Stopped) => self.message.or(self.status).or(made),
            _ => self.message.or(made).or(self.status),
        };
        let mut heard = Heard { reply, ..Heard::default() };
        let told = [("a2a.task.state", self.named), ("a2a.task.id", self.task)];
        heard.attributes.extend(told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
        Ok(heard)
    }

    fn ids(&mut self, value: &Value, task: &str) {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        self.context = text("contextId").or(self.context.take());
        self.task = text(task).or(self.task.take());
    }

    fn status(&mut self, value: &Value) -> Result<bool, Trouble> {
        let named = value.pointer("/status/state").and_then(Value::as_str);
        let named = named.ok_or_else(|| malformed("a task without a state", value))?;
        let plain = named.strip_prefix("TASK_STATE_").unwrap_or(named).to_ascii_lowercase().replace('_', "-");
        let state = match plain.as_str() {
            "submitted" | "working" => State::Working,
            "input-required" | "auth-required" => State::Waits,
            "completed" => State::Completed,
            "canceled" | "cancelled" | "rejected" => State::Stopped,
            "failed" => State::Failed,
            _ => return Err(malformed("a task in a state that is not known", value)),
        };
        self.named = Some(plain);
        self.state = Some(state);
        // What it says while it works is no reply.
        self.status = value.pointer("/status/message").and_then(text_of);
        Ok(state != State::Working && self.status.is_some())
    }

    fn artifact(&mut self, artifact: &Value, append: bool) -> bool {
        let id = artifact.get("artifactId").and_then(Value::as_str).unwrap_or_default();
        let Some(text) = text_of(artifact) else { return false };
        match self.artifacts.iter_mut().find(|(known, _)| known == id) {
            Some((_, before)) if append => before.push_str(&text),
            Some((_, before)) => *before = text,
            None => self.artifacts.push((id.to_owned(), text)),
        }
        true
    }
}

/// The text of a message's or an artifact's parts: texts, or data as JSON.
fn text_of(value: &Value) -> Option<String> {
    let parts = value.get("parts")?.as_array()?;
    let texts: Vec<String> = parts
        .iter()
        .filter_map(|part| match part.get("text") {
            Some(text) => text.as_str().map(str::to_owned),
            None => part.get("data").map(Value::to_string),
        })
        .collect();
    (!texts.is_empty()).then(|| texts.concat())
}

/// An error of JSON-RPC.
pub fn failed(error: &Value) -> Trouble {
    let code = error.get("code").and_then(Value::as_i64);
    // -32603 is an internal error; the others are about what was asked.
    let cause = if matches!(code, None | Some(-32603)) { Cause::Agent } else { Cause::Refused };
    let message = error.get("message").and_then(Value::as_str).map_or_else(|| error.to_string(), str::to_owned);
    let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
    Trouble::new(cause, format!("the agent answers with an error: {}{code}", clipped(&message)))
}

fn malformed(what: &str, value: &Value) -> Trouble {
    Trouble::new(Cause::Malformed, format!("{what}: {}", clipped(&value.to_string())))
}
