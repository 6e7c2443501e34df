//! A simulated user: who it is, what it wants and knows, and when it has enough. A case says it in place of what the user
//! says; `[agent]` says what the users of all cases have in common.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Value, json};

use super::script::rendered;

/// Turns that a user has unless it is said.
const TURNS: u32 = 10;

/// The most turns of a user.
const MOST_TURNS: u32 = 100;

/// When a user has enough, unless it is said.
const STOP: &str = "you have what you want, or the agent has made clear that you will not get it";

/// `user = { ... }` as it is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserTable {
    /// The model that plays the user: one of the `[judge.NAME]` of `seatrial.toml`, `default` unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<String>,
    /// Who the user is, and how it speaks. A template over `case` and `trial`, as all texts here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    /// What the user wants. Required, here or in `[agent]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<String>,
    /// What the user knows, and tells when it is asked. What is not here it does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Vec<String>>,
    /// When the user has enough and ends the conversation; unless given, when it has what it wants, or will not get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
    /// The most turns, from 1 to 100; 10 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
    /// What it means when the user wants to go on after the last of them: `"error"`, the session could not be measured
    /// (unless given); `"judge"`, it is judged as far as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_limit: Option<AtLimit>,
}

/// What it means when the turns of a user are used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AtLimit {
    /// Nobody knows whether it was the agent or the user who did not come to an end.
    #[default]
    Error,
    /// It is the agent that has to come to an end in time.
    Judge,
}

/// A simulated user, resolved for a case.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// The model that plays it, by name.
    pub judge: String,
    /// Who it is; empty where that is not said.
    pub persona: String,
    /// What it wants.
    pub goal: String,
    /// What it knows.
    pub facts: Vec<String>,
    /// When it has enough.
    pub stop: String,
    /// The most turns.
    pub max_turns: u32,
    /// What it means when they are used up.
    pub at_limit: AtLimit,
}

impl UserTable {
    /// What is wrong with it: key, message.
    pub(in crate::suite) fn fault(&self) -> Option<(&'static str, String)> {
        let blank = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
        for (key, text) in [("judge", &self.judge), ("goal", &self.goal), ("stop", &self.stop)] {
            if blank(text) {
                return Some((key, format!("`{key}` of a user says nothing")));
            }
        }
        let turns = self.max_turns.filter(|turns| !(1..=MOST_TURNS).contains(turns))?;
        Some(("max_turns", format!("`max_turns` is from 1 to {MOST_TURNS}, not {turns}")))
    }

    /// The user of a case whose own table this is, over what the users of all cases have in common; `None` without a goal.
    pub fn over(&self, common: Option<&Self>) -> Option<User> {
        let none = Self::default();
        let common = common.unwrap_or(&none);
        let text = |own: &Option<String>, common: &Option<String>| own.as_ref().or(common.as_ref()).cloned();
        Some(User {
            judge: text(&self.judge, &common.judge).unwrap_or_else(|| "default".to_owned()),
            persona: text(&self.persona, &common.persona).unwrap_or_default(),
            goal: text(&self.goal, &common.goal)?,
            facts: self.facts.as_ref().or(common.facts.as_ref()).cloned().unwrap_or_default(),
            stop: text(&self.stop, &common.stop).unwrap_or_else(|| STOP.to_owned()),
            max_turns: self.max_turns.or(common.max_turns).unwrap_or(TURNS),
            at_limit: self.at_limit.or(common.at_limit).unwrap_or_default(),
        })
    }
}

impl User {
    /// Its texts, which may be templates.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        [&self.persona, &self.goal, &self.stop].into_iter().chain(&self.facts).map(String::as_str)
    }

    /// The user with its templates rendered, for a trial of a case.
    ///
    /// # Errors
    /// What a template refers to and there is not.
    pub fn render(&self, case: &Value, trial: u32) -> Result<Self, String> {
        let context = json!({ "case": case, "trial": trial });
        let text = |text: &String| match rendered(&Value::String(text.clone()), &context)? {
            Value::String(text) => Ok(text),
            other => Ok::<_, String>(other.to_string()),
        };
        let facts = self.facts.iter().map(text).collect::<Result<_, _>>()?;
        let (persona, goal, stop) = (text(&self.persona)?, text(&self.goal)?, text(&self.stop)?);
        Ok(Self { persona, goal, stop, facts, ..self.clone() })
    }
}

/// `user` of a case: what it says, or who it is.
#[derive(Debug, Clone)]
pub enum Said {
    /// Turn by turn.
    Lines(Vec<String>),
    /// A model plays it.
    Simulated(Box<UserTable>),
}

struct SaidVisitor;

impl<'de> de::Visitor<'de> for SaidVisitor {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a list of strings, or the table of a simulated user")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Said, E> {
        Ok(Said::Lines(vec![text.to_owned()]))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<Said, A::Error> {
        Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Said::Lines)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Said, A::Error> {
        UserTable::deserialize(de::value::MapAccessDeserializer::new(map)).map(|user| Said::Simulated(Box::new(user)))
    }
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(SaidVisitor)
    }
}

impl JsonSchema for Said {
    fn schema_name() -> Cow<'static, str> {
        "Said".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "array", "object"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> UserTable {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_a_case_says_of_its_user_wins_key_by_key() {
        let common = table("judge = \"actor\"\npersona = \"Curt.\"\nmax_turns = 3\nfacts = [\"a\"]");
        let own = table("goal = \"A refund for {{ case.order }}, try {{ trial }}.\"\nmax_turns = 4");
        let user = own.over(Some(&common)).unwrap();
        assert_eq!((user.judge.as_str(), user.persona.as_str(), user.max_turns), ("actor", "Curt.", 4));
        assert_eq!((user.stop.as_str(), user.at_limit, user.facts.len()), (STOP, AtLimit::Error, 1));
        let rendered = user.render(&json!({ "order": 7 }), 2).unwrap();
        assert_eq!(rendered.goal, "A refund for 7, try 2.");
        assert!(user.render(&json!({}), 1).is_err());
        assert_eq!(common.over(None), None);
        assert_eq!(own.over(None).unwrap().judge, "default");
    }

    #[test]
    fn a_user_without_a_goal_or_with_no_turns_is_no_user() {
        for (text, key) in [("goal = \" \"", "goal"), ("max_turns = 0", "max_turns"), ("max_turns = 101", "max_turns")]
        {
            assert_eq!(table(text).fault().map(|(key, _)| key), Some(key), "{text}");
        }
        assert!(toml::from_str::<UserTable>("gaol = \"x\"").is_err());
        assert_eq!(table("goal = \"x\"\nmax_turns = 100").fault(), None);
    }
}
