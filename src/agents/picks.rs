//! What is picked out of a reply, or of a piece of one, by path.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::agents::wire::clipped;
use crate::agents::{Call, Heard};
use crate::checks::path::Path;
use crate::formats::chat::usage;
use crate::model::Usage;
use crate::net::{Cause, Trouble};

/// Where the calls of tools stand that an agent reports, and what is where in each.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// The list of calls. Where it is not there, nothing is known of calls; where it is empty, there were none.
    at: Path,
    /// The tool's name, within a call.
    #[serde(default = "name")]
    name: Path,
    /// The call's id.
    #[serde(default = "id")]
    id: Path,
    /// The arguments: a table, or a text that holds one as JSON.
    #[serde(default = "arguments")]
    input: Path,
    /// What the tool returned.
    #[serde(default = "output")]
    output: Path,
    /// What went wrong.
    #[serde(default = "error")]
    error: Path,
}

/// Where token counts stand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Tokens in.
    input: Option<Path>,
    /// Tokens out.
    output: Option<Path>,
}

fn name() -> Path {
    Path::key("name")
}

fn id() -> Path {
    Path::key("id")
}

fn arguments() -> Path {
    Path::key("arguments")
}

fn output() -> Path {
    Path::key("output")
}

fn error() -> Path {
    Path::key("error")
}

/// Everything that is picked out.
#[derive(Debug, Default)]
pub struct Picks {
    pub reply: Option<Path>,
    pub calls: Option<Calls>,
    pub usage: Option<Path>,
    pub tokens: Option<Tokens>,
    pub cost_usd: Option<Path>,
    pub model: Option<Path>,
    pub session: Option<Path>,
    pub ended: Option<Path>,
    pub error: Option<Path>,
    pub attributes: BTreeMap<String, Path>,
}

impl Picks {
    /// What is picked out where the agent speaks our own language: each under its own name. Attributes are not.
    pub fn plain() -> Self {
        let key = |name: &str| Some(Path::key(name));
        let calls = Calls {
            at: Path::key("calls"),
            name: name(),
            id: id(),
            input: arguments(),
            output: output(),
            error: error(),
        };
        Self {
            calls: Some(calls),
            usage: key("usage"),
            cost_usd: key("cost_usd"),
            model: key("model"),
            session: key("session"),
            ended: key("ended"),
            error: key("error"),
            ..Self::default()
        }
    }

    /// Picks out of a value what is there, over what was heard before. The reply is not part of it.
    pub fn apply(&self, value: &Value, heard: &mut Heard) -> Result<(), Trouble> {
        if let Some(found) = self.error.as_ref().and_then(|path| first(path, value)) {
            let message = format!("the agent says that it failed: {}", clipped(&text(found)));
            return Err(Trouble::new(Cause::Agent, message));
        }
        if let Some(calls) = &self.calls {
            calls.apply(value, heard)?;
        }
        if let Some(found) = self.usage.as_ref().and_then(|path| first(path, value)) {
            heard.usage = usage::of_value(found).or(heard.usage);
        }
        if let Some(tokens) = &self.tokens {
            let count = |path: &Option<Path>| path.as_ref().and_then(|p| first(p, value)).and_then(Value::as_u64);
            let found = Usage { input: count(&tokens.input), output: count(&tokens.output), ..Usage::default() };
            if found != Usage::default() {
                let before = heard.usage.unwrap_or_default();
                let both =
                    Usage { input: found.input.or(before.input), output: found.output.or(before.output), ..before };
                heard.usage = Some(both);
            }
        }
        if let Some((path, found)) = self.cost_usd.as_ref().and_then(|path| Some((path, first(path, value)?))) {
            let cost = found.as_f64().filter(|cost| cost.is_finite() && *cost >= 0.0);
            heard.cost_usd = Some(cost.ok_or_else(|| wrong(path, found, "a cost"))?);
        }
        if let Some(found) = self.model.as_ref().and_then(|path| first(path, value)) {
            heard.model = Some(text(found).into());
        }
        if let Some(found) = self.session.as_ref().and_then(|path| first(path, value)) {
            heard.session = Some(text(found));
        }
        if let Some((path, found)) = self.ended.as_ref().and_then(|path| Some((path, first(path, value)?))) {
            heard.ended = found.as_bool().ok_or_else(|| wrong(path, found, "true or false"))?;
        }
        for (name, path) in &self.attributes {
            if let Some(found) = first(path, value) {
                heard.attributes.insert(name.clone(), found.clone());
            }
        }
        Ok(())
    }
}

impl Calls {
    fn apply(&self, value: &Value, heard: &mut Heard) -> Result<(), Trouble> {
        // A path of many values names the calls themselves, one of one value their list.
        let found = self.at.select(value);
        let calls: Vec<&Value> = match found.as_slice() {
            [] | [Value::Null] => return Ok(()),
            [Value::Array(list)] => list.iter().collect(),
            many => many.to_vec(),
        };
        let all = heard.calls.get_or_insert_default();
        for call in calls {
            let name = first(&self.name, call).and_then(Value::as_str);
            let name = name.ok_or_else(|| wrong(&self.at, call, "a call with a name"))?;
            let output = first(&self.output, call);
            let error = first(&self.error, call).filter(|e| **e != Value::Bool(false));
            all.push(Call {
                name: name.to_owned(),
                id: first(&self.id, call).map(text),
                input: first(&self.input, call).map(arguments_text),
                output: output.map(Value::to_string),
                error: error.map(text),
                ended: output.is_some() || error.is_some(),
                took: None,
            });
        }
        Ok(())
    }
}

/// What a path names first, unless that is null.
pub fn first<'v>(path: &Path, value: &'v Value) -> Option<&'v Value> {
    path.select(value).into_iter().next().filter(|found| !found.is_null())
}

/// A value as text: a text is itself.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Arguments as JSON: a text that holds a JSON object is that object.
fn arguments_text(value: &Value) -> String {
    match value {
        Value::String(text) if serde_json::from_str::<serde_json::Map<String, Value>>(text).is_ok() => text.clone(),
        other => other.to_string(),
    }
}

fn wrong(path: &Path, found: &Value, wanted: &str) -> Trouble {
    let message = format!("`{path}` in the reply is {}, and not {wanted}", clipped(&found.to_string()));
    Trouble::new(Cause::Malformed, message)
}
