//! Tools that the suite plays: what each answers is said in it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::checks::matcher::{ArgsMode, Matcher, undate};

/// A tool that the suite plays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What the model is told of it.
    #[serde(default)]
    description: String,
    /// A JSON Schema of its arguments.
    #[serde(default)]
    #[schemars(with = "Map<String, Value>")]
    parameters: Map<String, Value>,
    /// What it returns.
    #[schemars(with = "Option<Value>")]
    returns: Option<Value>,
    /// The error that it answers with instead.
    error: Option<String>,
    /// Other answers to some arguments: the first that matches counts.
    #[serde(default)]
    when: Vec<When>,
}

/// An answer to some arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct When {
    /// The arguments, as matchers; arguments that are not named do not matter.
    args: Matcher,
    /// What is returned.
    #[schemars(with = "Option<Value>")]
    returns: Option<Value>,
    /// The error that is answered with instead.
    error: Option<String>,
}

/// What a tool answers: what it returns, or its error.
pub type Answer = Result<Value, String>;

impl Tool {
    /// What is wrong with it, and at which key.
    pub fn wrong(&self) -> Option<(&'static str, String)> {
        if self.name.is_empty() {
            return Some(("name", "a tool has a name".to_owned()));
        }
        let both = |returns: &Option<Value>, error: &Option<String>| returns.is_some() && error.is_some();
        if both(&self.returns, &self.error) {
            return Some(("error", format!("`{}` cannot both return and fail", self.name)));
        }
        if self.when.iter().any(|when| when.returns.is_some() == when.error.is_some()) {
            return Some(("when", "each answer has either `returns` or `error`".to_owned()));
        }
        if self.when.is_empty() && self.returns.is_none() && self.error.is_none() {
            return Some((
                "name",
                format!("`{}` does not say what it answers: `returns`, `error` or `when`", self.name),
            ));
        }
        None
    }

    /// Its name, description and parameters, as the model is told.
    pub fn described(&self) -> Map<String, Value> {
        let mut described = Map::new();
        described.insert("name".to_owned(), self.name.clone().into());
        if !self.description.is_empty() {
            described.insert("description".to_owned(), self.description.clone().into());
        }
        let parameters = match self.parameters.is_empty() {
            true => json!({"type": "object", "properties": {}}),
            false => undate(Value::Object(self.parameters.clone())),
        };
        described.insert("parameters".to_owned(), parameters);
        described
    }

    /// What it answers to arguments; `None` where the suite does not say.
    pub fn answer(&self, arguments: &Value) -> Option<Answer> {
        let found = self.when.iter().find(|when| when.args.matches_args(arguments, ArgsMode::Partial));
        let (returns, error) = match found {
            Some(when) => (&when.returns, &when.error),
            None => (&self.returns, &self.error),
        };
        match (error, returns) {
            (Some(error), _) => Some(Err(error.clone())),
            (None, Some(returns)) => Some(Ok(undate(returns.clone()))),
            (None, None) => None,
        }
    }
}
