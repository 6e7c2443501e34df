//! What is expected of a session or turn, after suite, cases file and recording have been laid over each other.
//!
//! Values from a recording are plain data: a `$matches` key in them is a key, never a matcher.

use std::borrow::Cow;

use serde_json::Value;

use super::matcher::Matcher;
use crate::model::{Reference, Text, json};

/// What is expected. Per key: absent is not empty.
#[derive(Debug, Clone, Default)]
pub struct Expected<'e> {
    /// The tool calls, in order.
    pub tools: Option<Cow<'e, [ExpectedCall]>>,
    /// The answer.
    pub answer: Option<Text<'e>>,
    /// Facts that the answers must state.
    pub facts: Option<Cow<'e, [Fact]>>,
    /// Paths into the final state and what is expected there.
    pub state: Option<Cow<'e, [(String, Matcher)]>>,
}

/// One expected tool call.
#[derive(Debug, Clone)]
pub struct ExpectedCall {
    /// The tool's name.
    pub name: String,
    /// Its arguments; `None` says nothing about them.
    pub args: Option<Matcher>,
}

/// One fact: stated when any of its alternatives is.
#[derive(Debug, Clone)]
pub struct Fact(pub Vec<Matcher>);

impl Expected<'_> {
    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.tools.is_none() && self.answer.is_none() && self.facts.is_none() && self.state.is_none()
    }
}

impl<'e> Expected<'e> {
    /// What a recording expects. Arguments that are not valid JSON are an expectation nothing can meet: they become a
    /// string, which no argument object equals.
    pub fn recorded(reference: &'e Reference<'_>) -> Self {
        let call = |c: &crate::model::RefCall<'_>| ExpectedCall {
            name: c.name.to_string(),
            // Parsed here, not through the payload, whose own parse would stay with it and have to be copied.
            args: c.args.as_ref().map(|a| {
                let parsed = json::read(a.as_str());
                Matcher::Equals(parsed.unwrap_or_else(|_| Value::String(a.as_str().to_owned())))
            }),
        };
        Self {
            tools: reference.tools.as_ref().map(|t| t.iter().map(call).collect()),
            answer: reference.answer.as_ref().map(|a| Text::borrowed(a.as_str())),
            facts: reference
                .facts
                .as_ref()
                .map(|f| f.iter().map(|t| Fact(vec![Matcher::Equals(Value::String(t.to_string()))])).collect()),
            state: reference
                .state
                .as_ref()
                .and_then(|s| s.json())
                .and_then(Value::as_object)
                .map(|o| o.iter().map(|(path, value)| (path.clone(), Matcher::Equals(value.clone()))).collect()),
        }
    }

    /// Lays `over` on top: per key, it wins.
    pub fn overlaid(self, over: &'e Expected<'_>) -> Self {
        Self {
            tools: over.tools.as_deref().map(Cow::Borrowed).or(self.tools),
            answer: over.answer.as_ref().map(|a| Text::borrowed(a.as_str())).or(self.answer),
            facts: over.facts.as_deref().map(Cow::Borrowed).or(self.facts),
            state: over.state.as_deref().map(Cow::Borrowed).or(self.state),
        }
    }
}
