//! Whom a check asks, how often, and what comes of it: what all checks share that want an opinion.
//!
//! A check says what is put to the judges about a subject ([`Question`]); a [`Poll`] turns it into votes to ask for, and the
//! votes into a finding whose confidence names its method.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::answer::{self, Opinion};
use super::copied;
use super::votes::{Ask, Ballot, Count, Decided, Spend};
use crate::checks::askable::Asked;
use crate::checks::asking::{Answer, Need, Prompt, Reach, Said};
use crate::checks::build::Build;
use crate::checks::text::quote;
use crate::model::{Evidence, Finding, Why};

/// The judges that a suite names: one, or a list, which is a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judges(Vec<String>);

impl Default for Judges {
    fn default() -> Self {
        Self(vec!["default".to_owned()])
    }
}

impl<'de> Deserialize<'de> for Judges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Judges;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a judge, or a list of names")
            }

            fn visit_str<E>(self, name: &str) -> Result<Judges, E> {
                Ok(Judges(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Judges, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = names.next_element()? {
                    all.push(name);
                }
                Ok(Judges(all))
            }
        }
        deserializer.deserialize_any(Names)
    }
}

impl Serialize for Judges {
    /// As it is written.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl JsonSchema for Judges {
    fn schema_name() -> Cow<'static, str> {
        "Judges".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1, "uniqueItems": true }
            ]
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// When more than one vote is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confirm {
    /// Where the first one fails.
    OnFail,
}

/// What a check says of its poll.
pub struct Terms {
    /// Whom it asks.
    pub judge: Judges,
    /// Votes of each.
    pub votes: u32,
    /// When they are spent.
    pub confirm: Option<Confirm>,
    /// The mean score from which on it passes.
    pub pass_at: f64,
    /// In how many orders each vote is asked for.
    pub orders: u32,
    /// The majority of the votes decides, where each says of itself that it passes; else the mean score.
    pub majority: bool,
}

/// Most votes of one judge on one subject.
const MOST_VOTES: u32 = 25;
/// Most judges on a panel.
const MOST_JUDGES: usize = 15;

/// Whom a check asks, how often, and what decides.
pub struct Poll {
    members: Vec<Arc<str>>,
    ballot: Ballot,
}

/// What is put to judges about one subject.
pub trait Question {
    /// What they are asked, in an order: 0, or 1 with the two things that are compared swapped.
    fn prompt(&self, order: u32) -> Prompt;
    /// What one said; `Err` says what is wrong with it, in words that the judge can be told.
    fn read(&self, said: &Said, order: u32) -> Result<Opinion, String>;
    /// Where a quote occurs that an opinion may rest on; `None` when it occurs nowhere.
    fn find(&self, quote: &str) -> Option<Option<Evidence>>;
    /// What the judge is shown that others wrote.
    fn shown(&self) -> Vec<&str>;
}

/// Whom parameters name: the value of `judge`, or the default.
pub fn asks(parameters: &serde_json::Value) -> Vec<Asked> {
    let judges = parameters.get("judge").map_or(Ok(Judges::default()), Judges::deserialize).unwrap_or_default();
    judges.0.into_iter().map(Asked::Judge).collect()
}

impl Poll {
    /// The poll of a check; problems are reported where there is none.
    pub fn new(build: &mut Build<'_>, terms: Terms) -> Option<Self> {
        let before = build.problems.iter().filter(|p| !p.warning).count();
        if !(1..=MOST_VOTES).contains(&terms.votes) {
            build.problem(&["votes"], format!("`votes` is from 1 to {MOST_VOTES}"), None);
        }
        if !(terms.pass_at > 0.0 && terms.pass_at <= 1.0) {
            build.problem(&["pass_at"], "`pass_at` is above 0 and at most 1", None);
        }
        let mut members: Vec<Arc<str>> = Vec::new();
        for name in &terms.judge.0 {
            for member in build.judge("judge", name).map(|judge| judge.members).unwrap_or_default() {
                if members.contains(&member) {
                    build.problem(&["judge"], format!("`{member}` sits on the panel twice"), None);
                }
                members.push(member);
            }
        }
        if terms.judge.0.is_empty() {
            build.problem(&["judge"], "nobody is asked", "name a judge, or several".to_owned());
        }
        if members.len() > MOST_JUDGES {
            build.problem(&["judge"], format!("{} judges, and {MOST_JUDGES} are the most", members.len()), None);
        }
        if terms.confirm.is_some() && terms.votes == 1 && members.len() == 1 {
            let help = "give `votes`, such as `votes = 3`, or a panel".to_owned();
            build.problem(&["confirm"], "with a single vote there is nothing to confirm with", help);
        }
        if build.problems.iter().filter(|p| !p.warning).count() > before {
            return None;
        }
        let spend = if terms.confirm.is_some() { Spend::OnFail } else { Spend::All };
        let Terms { votes, orders, pass_at, majority, .. } = terms;
        let judges = members.len() as u32;
        Some(Self { ballot: Ballot { judges, votes, orders, spend, pass_at, majority }, members })
    }

    /// The confidence that every verdict of it can reach.
    pub fn reach(&self) -> Reach {
        let all = self.ballot.all();
        let (votes, why) = match self.ballot.spend {
            Spend::OnFail => (1, "a pass rests on one vote (`confirm = \"on_fail\"`), and 1 vote reaches".to_owned()),
            Spend::All if all == 1 => (1, "1 vote reaches".to_owned()),
            Spend::All => (all, format!("{all} votes reach")),
        };
        Reach { confidence: Ballot::best_confidence(votes), why }
    }

    /// The votes to ask for, after those that are there.
    pub fn needs(&self, question: &dyn Question, have: &[Answer]) -> Vec<Need> {
        let Count::Ask(asks) = self.count(question, have) else { return Vec::new() };
        let mut prompts: Vec<Option<Arc<Prompt>>> = vec![None; self.ballot.orders as usize];
        let need = |Ask { judge, vote, order, wrong }: Ask| {
            let prompt = prompts[order as usize].get_or_insert_with(|| Arc::new(question.prompt(order))).clone();
            Need::Vote { judge: self.members[judge as usize].clone(), prompt, vote, wrong }
        };
        asks.into_iter().map(need).collect()
    }

    /// The finding of the votes.
    pub fn finding(&self, question: &dyn Question, have: &[Answer]) -> Finding {
        match self.count(question, have) {
            Count::Decided(decided) => self.decided(&decided, question),
            Count::Failed(judge, why) => Finding::error(format!("the judge `{}`: {why}", self.members[judge as usize])),
            Count::Ask(_) => Finding::error(format!("the judge `{}` was not asked", self.members[0])),
        }
    }

    fn count(&self, question: &dyn Question, have: &[Answer]) -> Count {
        self.ballot.count(have, &|said, order| {
            let opinion = question.read(said, order)?;
            match copied::is_held(answer::unfenced(said.text.trim()), &question.shown()) {
                true => Err("the reply stands in the material: it is a copy, not an answer".to_owned()),
                false => Ok(opinion),
            }
        })
    }

    /// The reason is that of the first opinion that agrees; the quotes of all that agree must occur.
    fn decided(&self, decided: &Decided, question: &dyn Question) -> Finding {
        let mut finding = if decided.pass { Finding::pass() } else { Finding::fail(String::new()) };
        finding.score = Some(decided.score);
        finding.confidence = decided.confidence;
        let said = decided.agreeing.first().map_or("", |o| o.reason.as_str());
        finding.reason = format!("{said} ({})", self.method(decided)).trim_start().to_owned();
        for cited in decided.agreeing.iter().flat_map(|o| &o.quotes) {
            match question.find(cited) {
                Some(place) => finding.evidence.extend(place.filter(|p| !finding.evidence.contains(p))),
                None => {
                    finding.confidence = 0.0;
                    let _ = write!(finding.reason, "; what the judge quotes does not occur: {}", quote(cited));
                    break;
                }
            }
        }
        if decided.split == decided.votes {
            // It chose by position alone: that both are equal is not what it said, so a person has to.
            let votes = "the judge prefers whichever stands first, or second".to_owned();
            finding.hold(vec![Why::Disagreement { votes }]);
        } else if decided.with < decided.votes {
            finding.dissent = Some(format!("{} of {} votes agree", decided.with, decided.votes).into());
        }
        finding
    }

    /// How the score and the confidence came about.
    fn method(&self, decided: &Decided) -> String {
        let mut text = format!("score {:.2}; confidence {:.2} by ", decided.score, decided.confidence);
        let _ = match (decided.with, decided.votes) {
            (1, 1) => write!(text, "1 vote"),
            (with, votes) => write!(text, "{with} of {votes} votes"),
        };
        let members: Vec<String> = self.members.iter().map(|name| format!("`{name}`")).collect();
        let _ = write!(text, " of {}", members.join(", "));
        if self.ballot.orders > 1 {
            text.push_str(", each in both orders");
        }
        if decided.split > 0 {
            let _ = write!(text, " of which {} differ by the order", decided.split);
        }
        if decided.weighed {
            text.push_str(", weighed by log-probabilities");
        }
        text
    }
}
