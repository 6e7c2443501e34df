//! Which of two replies is better: the agent's, or another one. Each vote is asked for in both orders.

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{self, Opinion};
use super::material::{Material, Shows, barred, enclosed};
use super::poll::Question;
use super::told;
use crate::checks::asking::{Prompt, Said, Shape, Subject};
use crate::model::{Evidence, Field};

/// The shape of an answer.
pub static SHAPE: Shape =
    Shape { name: "preference", schema, label: Some(("winner", &["first", "second", "neither"])) };

fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["reason", "quotes", "winner"],
        "properties": {
            "reason": { "type": "string", "description": "Why, in one to three sentences." },
            "quotes": {
                "type": "array",
                "items": { "type": "string" },
                "description": "What it rests on, copied word for word from the replies or the material."
            },
            "winner": {
                "type": "string",
                "enum": ["first", "second", "neither"],
                "description": "Which reply meets the rubric better; neither, if they meet it equally."
            }
        }
    })
}

const SYSTEM: &str = told!(
    "You compare two replies of AI agents by a rubric. The two replies stand each between two such lines, too.",
    "Which reply stands first says nothing about it. Answer with one JSON object and nothing else: {\"reason\": why, in one \
     to three sentences; \"quotes\": [what it rests on, copied word for word without the bars]; \"winner\": \"first\", \
     \"second\", or \"neither\" if they meet the rubric equally}."
);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Preferred {
    reason: String,
    #[serde(default)]
    quotes: Vec<String>,
    winner: Winner,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Winner {
    First,
    Second,
    Neither,
}

impl Winner {
    const fn name(self) -> &'static str {
        match self {
            Winner::First => "first",
            Winner::Second => "second",
            Winner::Neither => "neither",
        }
    }

    /// The score of the reply that stands first.
    const fn of_first(self) -> f64 {
        match self {
            Winner::First => 1.0,
            Winner::Neither => 0.5,
            Winner::Second => 0.0,
        }
    }
}

/// Two replies to the same.
pub struct Pair<'s> {
    material: Material<'s>,
    rubric: String,
    ours: &'s str,
    place: Evidence,
    theirs: String,
}

impl<'s> Pair<'s> {
    /// The reply of a subject beside another one; `Err` says why there are not two.
    pub fn new(subject: &Subject<'s>, rubric: String, theirs: String) -> Result<Self, String> {
        let session = subject.scene().session;
        let found = match subject {
            Subject::Turn(turn) => turn.turn.reply.as_deref().map(|reply| (reply, turn.index)),
            _ => session.turns.iter().enumerate().rev().find_map(|(i, turn)| Some((turn.reply.as_deref()?, i))),
        };
        let (ours, turn) = found.ok_or("the recording holds no reply to compare")?;
        let material = Material::of(subject, Shows::BeforeReply);
        Ok(Self { material, rubric, ours, place: Evidence::turn(turn, Field::Reply), theirs })
    }

    /// The number of bytes that are shown.
    pub fn bytes(&self) -> usize {
        self.material.bytes() + self.ours.len() + self.theirs.len()
    }
}

impl Question for Pair<'_> {
    fn prompt(&self, order: u32) -> Prompt {
        let (first, second) = if order == 0 { (self.ours, &*self.theirs) } else { (&*self.theirs, self.ours) };
        Prompt {
            system: SYSTEM.into(),
            material: format!("# Material\n{}", self.material.enclosed()),
            question: format!(
                "# First reply\n{}\n\n# Second reply\n{}\n\n# Rubric\n{}\n",
                enclosed("FIRST", &barred(first)),
                enclosed("SECOND", &barred(second)),
                self.rubric
            ),
            shape: &SHAPE,
        }
    }

    fn read(&self, said: &Said, order: u32) -> Result<Opinion, String> {
        let preferred: Preferred = answer::object(&said.text)?;
        let first = preferred.winner.of_first();
        Ok(Opinion {
            score: if order == 0 { first } else { 1.0 - first },
            reason: answer::bounded(preferred.reason),
            quotes: answer::few(preferred.quotes)?,
            likely: said.odds.get(preferred.winner.name()).copied(),
        })
    }

    fn shown(&self) -> Vec<&str> {
        vec![self.material.text(), self.ours, &self.theirs]
    }

    fn find(&self, quote: &str) -> Option<Option<Evidence>> {
        let quote = quote.trim();
        let ours = || self.ours.find(quote).map(|at| Some(self.place.clone().within(at..at + quote.len())));
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let within = |text: &str| squeezed(text).contains(&squeezed(quote));
        let replies = || (within(self.ours) || within(&self.theirs)).then_some(None);
        if quote.is_empty() { None } else { ours().or_else(replies).or_else(|| self.material.find(quote)) }
    }
}
