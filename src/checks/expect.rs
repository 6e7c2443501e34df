//! What is expected of a session or turn, after suite, cases file and recording have been laid over each other.
//!
//! Values from a recording are plain data: a `$matches` key in them is a key, never a matcher.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde_json::Value;

use super::matcher::Matcher;
use crate::model::json::Tape;
use crate::model::json::tape::Node;
use crate::model::{Payload, Reference, Text, json};

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
    pub args: Option<ExpectedArgs>,
}

/// The arguments of an expected call: a matcher of the suite, or JSON of a recording, which is parsed when somebody first
/// needs more of it than its text.
#[derive(Debug, Clone)]
pub struct ExpectedArgs {
    recorded: Option<Box<str>>,
    tape: OnceLock<Option<Tape>>,
    matcher: OnceLock<Matcher>,
}

impl ExpectedArgs {
    /// Those that a recording expects.
    fn recorded(args: &Payload<'_>) -> Self {
        match args.is_json() {
            true => Self { recorded: Some(args.as_str().into()), tape: OnceLock::new(), matcher: OnceLock::new() },
            false => Matcher::Equals(parsed(args.as_str())).into(),
        }
    }

    /// Those of a recording, for whoever only looks at them.
    pub fn light(&self) -> Option<Node<'_>> {
        let recorded = self.recorded.as_deref()?;
        let tape = self.tape.get_or_init(|| Tape::read(recorded));
        tape.as_ref().map(|tape| tape.root(recorded))
    }

    /// Whether arguments are so plainly those expected that nothing has to be parsed. `false` says nothing.
    pub fn plainly(&self, made: &Payload<'_>) -> bool {
        self.recorded.as_deref().is_some_and(|recorded| json::plainly_alike(recorded, made.as_str()))
    }
}

impl From<Matcher> for ExpectedArgs {
    fn from(matcher: Matcher) -> Self {
        Self { recorded: None, tape: OnceLock::new(), matcher: matcher.into() }
    }
}

/// As the matcher is written.
impl fmt::Display for ExpectedArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.light() {
            Some(light) => light.fmt(f),
            None => (**self).fmt(f),
        }
    }
}

impl Deref for ExpectedArgs {
    type Target = Matcher;

    fn deref(&self) -> &Matcher {
        self.matcher.get_or_init(|| Matcher::Equals(parsed(self.recorded.as_deref().unwrap_or_default())))
    }
}

/// Arguments that are not valid JSON are an expectation nothing can meet: they become a string, which no argument object
/// equals.
fn parsed(args: &str) -> Value {
    json::read(args).unwrap_or_else(|_| Value::String(args.to_owned()))
}

/// What of a reference a check cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// The tool calls.
    Tools,
    /// The answer.
    Answer,
    /// The facts.
    Facts,
    /// The state.
    State,
    /// Anything of it.
    Any,
}

impl Wanted {
    /// As suites and recordings write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tools => "reference.tools",
            Self::Answer => "reference.answer",
            Self::Facts => "reference.facts",
            Self::State => "reference.state",
            Self::Any => "reference",
        }
    }

    /// What a text reads of `case.reference`, as templates and expressions write it.
    pub fn of_text(text: &str) -> Option<Self> {
        let after = &text[text.find("case.reference")? + "case.reference".len()..];
        // What asks whether it is there can do without.
        if ["is defined", "is undefined", "is not defined", "default("].iter().any(|words| text.contains(words)) {
            return None;
        }
        let named = [Self::Tools, Self::Answer, Self::Facts, Self::State];
        let key = |wanted: &Self| wanted.name().trim_start_matches("reference");
        Some(named.into_iter().find(|wanted| after.starts_with(key(wanted))).unwrap_or(Self::Any))
    }

    /// Whether it is there.
    pub fn is_in(self, expected: &Expected<'_>) -> bool {
        match self {
            Self::Tools => expected.tools.is_some(),
            Self::Answer => expected.answer.is_some(),
            Self::Facts => expected.facts.is_some(),
            Self::State => expected.state.is_some(),
            Self::Any => !expected.is_empty(),
        }
    }
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
    /// What a recording expects.
    pub fn recorded(reference: &'e Reference<'_>) -> Self {
        let call = |c: &crate::model::RefCall<'_>| ExpectedCall {
            name: c.name.to_string(),
            args: c.args.as_ref().map(ExpectedArgs::recorded),
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
