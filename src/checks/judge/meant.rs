//! `facts` with a `judge`: what the replies state in other words.

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{self, Opinion};
use super::material::{Material, Shows, barred};
use super::poll::{Poll, Question};
use super::{told, too_long};
use crate::checks::asking::{Answer, AskingCheck, Need, Prompt, Reach, Said, Shape, Subject};
use crate::checks::expect::Fact;
use crate::checks::session::facts::{self, Sought};
use crate::checks::subject::Scope;
use crate::model::{Evidence, Field, Finding, Status};

/// The shape of an answer.
pub static SHAPE: Shape = Shape { name: "facts", schema, label: None };

fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["facts", "reason"],
        "properties": {
            "facts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["number", "stated", "quote"],
                    "properties": {
                        "number": { "type": "integer", "description": "Which fact, from 1." },
                        "stated": { "type": "boolean" },
                        "quote": {
                            "type": "string",
                            "description": "Where it is stated, copied word for word from a reply; else empty."
                        }
                    }
                }
            },
            "reason": { "type": "string", "description": "What is missing, in one to three sentences." }
        }
    })
}

const SYSTEM: &str = told!(
    "You check which of some facts an AI agent has told the user, in whatever words.",
    "Answer with one JSON object and nothing else: {\"facts\": [one for each fact, as {\"number\": which; \"stated\": true or \
     false; \"quote\": where it is stated, copied word for word from a reply of the agent without the bars, or \"\"}]; \
     \"reason\": in one to three sentences}. A fact with alternatives is stated when one of them is."
);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    facts: Vec<Stated>,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    number: usize,
    stated: bool,
    #[serde(default)]
    quote: String,
}

/// The check: facts that are texts are put to judges, matchers are applied as without one.
pub struct Meant {
    /// Whom it asks.
    pub poll: Poll,
    /// The facts; `None` for those of the reference.
    pub values: Option<Vec<Fact>>,
}

/// Facts put to judges.
struct Facts<'s> {
    material: Material<'s>,
    texts: Vec<String>,
    scope: Scope<'s>,
}

/// What is known of a subject before anybody is asked.
struct Known<'s> {
    facts: Facts<'s>,
    /// Facts that are matchers, and how many of them hold.
    matchers: (usize, usize),
}

impl Meant {
    fn known<'s>(&self, subject: &Subject<'s>) -> Result<Known<'s>, Finding> {
        let scope = match subject {
            Subject::Turn(turn) => turn.scope(),
            Subject::Session(session) => session.scope(),
            Subject::Span(_) => return Err(Finding::error("a bug in seatrial: a span states no facts")),
        };
        let Sought { facts, replies } = facts::sought(&scope, self.values.as_deref())?;
        let (texts, matchers): (Vec<&Fact>, Vec<&Fact>) =
            facts.iter().partition(|fact| fact.0.iter().all(|one| facts::text(one).is_some()));
        let mut held = 0;
        for fact in &matchers {
            held += usize::from(facts::stated(&replies, fact).map_err(Finding::error)?);
        }
        let alternatives = |fact: &&Fact| fact.0.iter().filter_map(facts::text).collect::<Vec<_>>().join("\nor: ");
        let material = Material::of(subject, Shows::All);
        too_long(material.bytes()).map_err(Finding::error)?;
        let facts = Facts { material, texts: texts.iter().map(alternatives).collect(), scope };
        Ok(Known { facts, matchers: (matchers.len(), held) })
    }
}

impl Question for Facts<'_> {
    fn prompt(&self, _: u32) -> Prompt {
        let listed: Vec<String> =
            self.texts.iter().enumerate().map(|(i, text)| format!("{}.\n{}", i + 1, barred(text))).collect();
        let replies = match self.scope.turn {
            Some(turn) => format!("the reply of the agent in turn {}", turn + 1),
            None => "the replies of the agent".to_owned(),
        };
        Prompt {
            system: SYSTEM.into(),
            material: format!("# Material\n{}", self.material.enclosed()),
            question: format!("# Facts\n{}\n# Question\nWhich of them are stated in {replies}?\n", listed.concat()),
            shape: &SHAPE,
        }
    }

    fn read(&self, said: &Said, _: u32) -> Result<Opinion, String> {
        let Listed { facts, reason } = answer::object(&said.text)?;
        let mut numbers: Vec<usize> = facts.iter().map(|fact| fact.number).collect();
        numbers.sort_unstable();
        if !numbers.iter().copied().eq(1..=self.texts.len()) {
            return Err(format!(
                "`facts` has the numbers {numbers:?}, and there are the facts 1 to {}",
                self.texts.len()
            ));
        }
        let missing: Vec<String> = facts
            .iter()
            .filter(|f| !f.stated)
            .filter_map(|f| self.texts.get(f.number - 1))
            .map(|t| format!("{t:?}"))
            .collect();
        let stated = facts.len() - missing.len();
        let reason = match &missing[..] {
            [] => reason,
            _ => format!("{} of {} facts are not stated: {}; {reason}", missing.len(), facts.len(), missing.join(", ")),
        };
        Ok(Opinion {
            score: stated as f64 / facts.len() as f64,
            reason: answer::bounded(reason),
            quotes: facts.into_iter().filter(|fact| fact.stated).map(|fact| fact.quote).collect(),
            likely: None,
        })
    }

    fn shown(&self) -> Vec<&str> {
        vec![self.material.text()]
    }

    /// Facts are stated by replies, and by nothing else.
    fn find(&self, quote: &str) -> Option<Option<Evidence>> {
        self.material.find_in(quote, |place| {
            let turn = place.filter(|place| place.field == Field::Reply).and_then(|place| place.turn);
            turn.is_some_and(|turn| self.scope.turn.is_none_or(|own| own == turn as usize))
        })
    }
}

impl AskingCheck for Meant {
    fn needs(&self, subject: &Subject<'_>, have: &[Answer]) -> Vec<Need> {
        match self.known(subject) {
            Ok(known) if !known.facts.texts.is_empty() => self.poll.needs(&known.facts, have),
            _ => Vec::new(),
        }
    }

    fn check(&self, subject: &Subject<'_>, have: &[Answer]) -> Finding {
        let Known { facts, matchers: (all, held) } = match self.known(subject) {
            Ok(known) => known,
            Err(finding) => return finding,
        };
        let texts = facts.texts.len();
        let mut finding = if texts == 0 { Finding::pass() } else { self.poll.finding(&facts, have) };
        let Some(score) = finding.score else { return finding };
        finding.score = Some((score * texts as f64 + held as f64) / (texts + all) as f64);
        if held < all {
            // That is certain, whatever a judge says of the others.
            finding.status = Status::Fail;
            finding.confidence = 1.0;
            finding.dissent = None;
            let gap = if finding.reason.is_empty() { "" } else { "; " };
            finding.reason =
                format!("{} of {all} matchers find nothing in the replies{gap}{}", all - held, finding.reason);
        }
        finding
    }

    fn reach(&self) -> Reach {
        self.poll.reach()
    }
}
