//! `[case.reference]` as it is written: what is expected of a case, or of a turn of it.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value, json};

use crate::checks::expect::{Expected, ExpectedCall, Fact};
use crate::checks::matcher::Matcher;
use crate::checks::path::Path;
use crate::model::Text;

/// `[case.reference]` as it is written. Absent is not empty: `tools = []` expects that nothing is called.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceTable {
    /// The tool calls, in order.
    pub tools: Option<Vec<CallTable>>,
    /// The answer.
    pub answer: Option<String>,
    /// Facts that the answers must state: a string, a matcher, or a list of alternatives.
    pub facts: Option<Vec<FactValue>>,
    /// Paths into the final state and what is expected there.
    pub state: Option<StateTable>,
}

/// One expected tool call.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallTable {
    /// The tool's name.
    pub name: String,
    /// Its arguments; absent says nothing about them.
    pub args: Option<Matcher>,
}

/// A fact: a string, a matcher, or a list of alternatives.
#[derive(Debug, Clone)]
pub struct FactValue(pub Vec<Matcher>);

/// Paths and matchers, in the order they are written.
#[derive(Debug, Clone, Default)]
pub struct StateTable(pub Vec<(String, Matcher)>);

struct FactVisitor;

impl<'de> de::Visitor<'de> for FactVisitor {
    type Value = FactValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fact (a string, a matcher, or a list of alternatives)")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<FactValue, E> {
        fact(vec![Matcher::Equals(text.into())])
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<FactValue, A::Error> {
        let mut all = Vec::new();
        while let Some(alternative) = seq.next_element::<Matcher>()? {
            all.push(alternative);
        }
        fact(all)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<FactValue, A::Error> {
        fact(vec![Matcher::deserialize(de::value::MapAccessDeserializer::new(map))?])
    }
}

/// A fact that every answer states is a mistake: no alternatives, or an empty one.
fn fact<E: de::Error>(alternatives: Vec<Matcher>) -> Result<FactValue, E> {
    if alternatives.is_empty() {
        return Err(E::custom("a fact needs at least one alternative"));
    }
    for alternative in &alternatives {
        match alternative {
            Matcher::Equals(Value::String(text)) if text.trim().is_empty() => {
                return Err(E::custom("an empty fact is stated by every answer"));
            }
            Matcher::Equals(Value::String(_)) => {}
            Matcher::Equals(other) => {
                return Err(E::custom(format!("a fact is a string or a matcher, not {other}")));
            }
            _ => {}
        }
    }
    Ok(FactValue(alternatives))
}

impl<'de> Deserialize<'de> for FactValue {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(FactVisitor)
    }
}

impl JsonSchema for FactValue {
    fn schema_name() -> Cow<'static, str> {
        "Fact".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A string, a matcher, or a list of alternatives.",
            "type": ["string", "object", "array"]
        })
    }
}

struct StateVisitor;

impl<'de> de::Visitor<'de> for StateVisitor {
    type Value = StateTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of paths and what is expected there")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<StateTable, A::Error> {
        let mut all = Vec::new();
        while let Some(path) = map.next_key::<String>()? {
            Path::parse(&path).map_err(|why| de::Error::custom(format!("`{path}` is not a path: {why}")))?;
            all.push((path, map.next_value()?));
        }
        Ok(StateTable(all))
    }
}

impl<'de> Deserialize<'de> for StateTable {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(StateVisitor)
    }
}

impl JsonSchema for StateTable {
    fn schema_name() -> Cow<'static, str> {
        "StateTable".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let matcher = generator.subschema_for::<Matcher>();
        schemars::json_schema!({ "type": "object", "additionalProperties": matcher })
    }
}

impl ReferenceTable {
    /// Lays this reference over another: per key, it wins.
    pub(super) fn over(self, under: Self) -> Self {
        Self {
            tools: self.tools.or(under.tools),
            answer: self.answer.or(under.answer),
            facts: self.facts.or(under.facts),
            state: self.state.or(under.state),
        }
    }

    /// The reference as checks see it.
    pub(super) fn expected(&self) -> Expected<'static> {
        let call = |c: &CallTable| ExpectedCall { name: c.name.clone(), args: c.args.clone().map(Into::into) };
        Expected {
            tools: self.tools.as_ref().map(|tools| Cow::Owned(tools.iter().map(call).collect())),
            answer: self.answer.as_ref().map(|a| Text::from(a.clone())),
            facts: self.facts.as_ref().map(|facts| Cow::Owned(facts.iter().map(|f| Fact(f.0.clone())).collect())),
            state: self.state.as_ref().map(|state| Cow::Owned(state.0.clone())),
        }
    }

    /// The reference as templates see it; keys that are absent stay absent.
    pub(super) fn json(&self) -> Value {
        let mut out = Map::new();
        if let Some(tools) = &self.tools {
            let call = |c: &CallTable| match &c.args {
                Some(args) => json!({ "name": c.name, "args": args.shown() }),
                None => json!({ "name": c.name }),
            };
            out.insert("tools".into(), tools.iter().map(call).collect());
        }
        if let Some(answer) = &self.answer {
            out.insert("answer".into(), answer.as_str().into());
        }
        if let Some(facts) = &self.facts {
            let fact = |f: &FactValue| match f.0.as_slice() {
                [one] => one.shown(),
                many => many.iter().map(Matcher::shown).collect(),
            };
            out.insert("facts".into(), facts.iter().map(fact).collect());
        }
        if let Some(state) = &self.state {
            out.insert(
                "state".into(),
                state.0.iter().map(|(p, m)| (p.clone(), m.shown())).collect::<Map<_, _>>().into(),
            );
        }
        Value::Object(out)
    }
}
