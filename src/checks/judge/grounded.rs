//! `grounded`: every claim of the agent is supported by what was retrieved.

use std::cell::Cell;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{self, Opinion};
use super::material::{Material, Shows};
use super::poll::{self, Confirm, Judges, Poll, Question, Terms};
use super::{one_vote, rubric, told, too_long};
use crate::checks::Compiled;
use crate::checks::askable::Asked;
use crate::checks::asking::{Answer, AskingCheck, Need, Prompt, Reach, Said, Shape, Subject};
use crate::checks::build::{Answered, Build, Example, Params};
use crate::checks::text::quote;
use crate::model::{Evidence, Field, Finding, Level, SpanKind, Status};

/// Every claim in the agent's replies is supported by what was retrieved: by the outputs of spans of kind `retrieval`, of
/// the turn and those before it.
///
/// A judge lists the claims and, for each that is supported, quotes what supports it; a quote that does not occur in what
/// was retrieved lowers the confidence to 0. The score is the mean share of claims that are supported, and the majority of
/// the votes decides. Confidence is that of `judge`. A reply that claims nothing does not count.
///
/// Where nothing was retrieved, or the output of a retrieval was not recorded, nobody can tell: that is an error, and no
/// pass.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grounded {
    /// Whom it asks: `[judge.NAME]` of `seatrial.toml`, or a list of them, which is a panel.
    #[serde(default)]
    judge: Judges,
    /// Opinions to ask for of each judge, 1 to 25.
    #[serde(default = "one_vote")]
    votes: u32,
    /// `"on_fail"`: ask for one opinion, and for the others only where it is a fail.
    confirm: Option<Confirm>,
    /// The share of claims that must be supported.
    #[serde(default = "all")]
    pass_at: f64,
}

fn all() -> f64 {
    1.0
}

impl Params for Grounded {
    const NAME: &'static str = "grounded";
    const LEVELS: &'static [Level] = &[Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[Example {
        check: "[[turn]]\nid = \"nothing-made-up\"\ncheck = \"grounded\"\nvotes = 3\n",
        passes: r#"{"id":"a","turns":[{"user":"Can I return it?","reply":"Yes, within 30 days.","spans":[{"kind":"retrieval","name":"faq","output":"Returns are free within 30 days."}]}]}"#,
        fails: r#"{"id":"b","turns":[{"user":"Can I return it?","reply":"Yes, within 60 days.","spans":[{"kind":"retrieval","name":"faq","output":"Returns are free within 30 days."}]}]}"#,
    }];
    const ANSWERS: &'static [Answered] = &[
        Answered {
            when: "| Yes, within 30 days.",
            says: r#"{"claims":[{"claim":"Returns are possible within 30 days.","supported":true,"quote":"free within 30 days"}],"reason":"The FAQ says so."}"#,
        },
        Answered {
            when: "| Yes, within 60 days.",
            says: r#"{"claims":[{"claim":"Returns are possible within 60 days.","supported":false,"quote":""}],"reason":"The FAQ says 30 days."}"#,
        },
    ];

    fn asks(parameters: &Value) -> Vec<Asked> {
        poll::asks(parameters)
    }

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let Self { judge, votes, confirm, pass_at } = self;
        let poll = Poll::new(build, Terms { judge, votes, confirm, pass_at, orders: 1, majority: true })?;
        Some(Compiled::Asking(Box::new(Asks { poll })))
    }
}

/// The shape of an answer.
pub static SHAPE: Shape = Shape { name: "claims", schema, label: None };

fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["claims", "reason"],
        "properties": {
            "claims": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["claim", "supported", "quote"],
                    "properties": {
                        "claim": { "type": "string", "description": "What is claimed, in a sentence." },
                        "supported": { "type": "boolean" },
                        "quote": {
                            "type": "string",
                            "description": "What supports it, copied word for word from a retrieval's output; else empty."
                        }
                    }
                }
            },
            "reason": { "type": "string", "description": "What is not supported and why, in one to three sentences." }
        }
    })
}

const SYSTEM: &str = told!(
    "You check whether what an AI agent says is supported by what it retrieved.",
    "Answer with one JSON object and nothing else: {\"claims\": [every claim of the replies that are named, each as {\"claim\": \
     what is claimed; \"supported\": true or false; \"quote\": what supports it, copied word for word from the output of a \
     retrieval without the bars, or \"\"}]; \"reason\": in one to three sentences}. Without any claim, the list is empty."
);

/// Most claims of one answer.
const MOST_CLAIMS: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    claims: Vec<Claim>,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    claim: String,
    supported: bool,
    #[serde(default)]
    quote: String,
}

struct Asks {
    poll: Poll,
}

/// The claims of a subject, and what was retrieved for it.
struct Claims<'s> {
    material: Material<'s>,
    /// Which replies are looked at, in words.
    replies: String,
    retrievals: Vec<u32>,
    /// Claims that were listed so far.
    listed: Cell<usize>,
}

impl<'s> Claims<'s> {
    fn new(subject: &Subject<'s>) -> Result<Self, String> {
        let session = subject.scene().session;
        let (last, replies) = match subject {
            Subject::Turn(turn) => (turn.index, format!("the reply of the agent in turn {}", turn.index + 1)),
            _ => (session.turns.len(), "all replies of the agent".to_owned()),
        };
        let replied = match subject {
            Subject::Turn(turn) => turn.turn.reply.is_some(),
            _ => session.final_reply().is_some(),
        };
        if !replied {
            return Err("the recording holds no reply whose claims could be looked at".to_owned());
        }
        let until = match session.turns.get(last) {
            Some(turn) => session.first_span_of_turn(last) + turn.spans.len(),
            None => usize::MAX,
        };
        let mut retrievals = Vec::new();
        for (ordinal, span) in session.spans().enumerate().take(until).filter(|(_, s)| s.kind == SpanKind::Retrieval) {
            if span.output.is_none() && span.status != crate::model::SpanStatus::Error {
                return Err(format!("the recording holds no output of the retrieval `{}`", span.name));
            }
            retrievals.push(ordinal as u32);
        }
        if retrievals.is_empty() {
            return Err(
                "no retrieval was recorded, so nobody can tell what supports the reply: have the agent record \
                        what it retrieves as spans of kind `retrieval`, with their output"
                    .to_owned(),
            );
        }
        let material = Material::of(subject, Shows::All);
        too_long(material.bytes())?;
        Ok(Self { material, replies, retrievals, listed: Cell::new(0) })
    }
}

impl Question for Claims<'_> {
    fn prompt(&self, _: u32) -> Prompt {
        let rubric = rubric::builtin("builtin:grounded").map_or("", |b| b.text).trim();
        Prompt {
            system: SYSTEM.into(),
            material: format!("# Material\n{}", self.material.enclosed()),
            question: format!("# Rubric\n{rubric}\n\n# Question\nWhich claims does {} make?\n", self.replies),
            shape: &SHAPE,
        }
    }

    fn read(&self, said: &Said, _: u32) -> Result<Opinion, String> {
        let Listed { claims, reason } = answer::object(&said.text)?;
        if claims.len() > MOST_CLAIMS {
            return Err(format!("{} claims, and {MOST_CLAIMS} are the most", claims.len()));
        }
        self.listed.set(self.listed.get() + claims.len());
        let all = claims.len();
        let (supported, not): (Vec<Claim>, Vec<Claim>) = claims.into_iter().partition(|claim| claim.supported);
        let mut told = reason;
        if !not.is_empty() {
            let listed: Vec<String> = not.iter().take(8).map(|claim| quote(&claim.claim)).collect();
            told = format!("{} of {all} claims are not supported: {}; {told}", not.len(), listed.join(", "));
        }
        Ok(Opinion {
            score: if all == 0 { 1.0 } else { supported.len() as f64 / all as f64 },
            reason: answer::bounded(told),
            quotes: supported.into_iter().map(|claim| claim.quote).collect(),
            likely: None,
        })
    }

    fn shown(&self) -> Vec<&str> {
        vec![self.material.text()]
    }

    /// What supports a claim is what was retrieved, and nothing else.
    fn find(&self, quote: &str) -> Option<Option<Evidence>> {
        self.material.find_in(quote, |place| {
            let span = place.filter(|place| place.field == Field::Output).and_then(|place| place.span);
            span.is_some_and(|span| self.retrievals.contains(&span))
        })
    }
}

impl AskingCheck for Asks {
    fn needs(&self, subject: &Subject<'_>, have: &[Answer]) -> Vec<Need> {
        Claims::new(subject).map(|claims| self.poll.needs(&claims, have)).unwrap_or_default()
    }

    fn check(&self, subject: &Subject<'_>, have: &[Answer]) -> Finding {
        let claims = match Claims::new(subject) {
            Ok(claims) => claims,
            Err(why) => return Finding::error(why),
        };
        let finding = self.poll.finding(&claims, have);
        if finding.status == Status::Pass && claims.listed.get() == 0 {
            return Finding::not_applicable("the agent claims nothing that could be grounded");
        }
        finding
    }

    fn reach(&self) -> Reach {
        self.poll.reach()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::asking::{Edge, Reply, settle};
    use crate::checks::probe::{build, examples, scene, turns};

    struct Says(&'static str);

    impl Edge for Says {
        fn answer(&self, _: &Need) -> Answer {
            Ok(Reply::Said(Said { text: self.0.to_owned(), ..Said::default() }))
        }
    }

    fn grounded(session: &str, says: &'static str) -> Finding {
        let Compiled::Asking(check) = build::<Grounded>(Level::Turn, "").unwrap() else { panic!() };
        scene(session, &[], |scene| settle(&*check, &Subject::Turn(turns(scene).last().unwrap()), &Says(says)))
    }

    const SESSION: &str = r#"{"id":"s","turns":[{"user":"u","reply":"r","spans":[
        {"kind":"retrieval","name":"faq","output":"Open on Mondays."},{"kind":"tool","name":"f","output":"Shut."}]},
        {"user":"And?","reply":"Open on Mondays, shut on Sundays."}]}"#;

    #[test]
    fn the_documented_examples_hold() {
        examples::<Grounded>();
    }

    #[test]
    fn what_was_retrieved_in_earlier_turns_supports_a_claim_and_other_tools_do_not() {
        let supported = r#"{"claims":[{"claim":"c","supported":true,"quote":"Open on Mondays."}],"reason":""}"#;
        let finding = grounded(SESSION, supported);
        assert_eq!((finding.status, finding.confidence), (Status::Pass, 2.0 / 3.0));
        assert_eq!(finding.evidence, [Evidence::span(0, Field::Output).within(0..16)]);
        let by_tool = r#"{"claims":[{"claim":"c","supported":true,"quote":"Shut."}],"reason":""}"#;
        let finding = grounded(SESSION, by_tool);
        assert_eq!((finding.status, finding.confidence), (Status::Pass, 0.0));
        let unquoted = r#"{"claims":[{"claim":"c","supported":true,"quote":""}],"reason":""}"#;
        assert_eq!(grounded(SESSION, unquoted).confidence, 0.0);
    }

    #[test]
    fn one_claim_that_is_not_supported_fails_and_is_named() {
        let half = r#"{"claims":[{"claim":"Open on Mondays","supported":true,"quote":"Open on Mondays."},
            {"claim":"Shut on Sundays","supported":false,"quote":""}],"reason":"The FAQ is silent."}"#;
        let finding = grounded(SESSION, half);
        assert_eq!((finding.status, finding.score), (Status::Fail, Some(0.5)));
        assert!(finding.reason.starts_with("1 of 2 claims are not supported: \"Shut on Sundays\"; The FAQ is silent."));
    }

    #[test]
    fn without_a_retrieval_or_its_output_nobody_can_tell() {
        let all = r#"{"claims":[],"reason":""}"#;
        for (session, why) in [
            (r#"{"id":"s","turns":[{"user":"u","reply":"r"}]}"#, "no retrieval was recorded"),
            (
                r#"{"id":"s","turns":[{"user":"u","reply":"r","spans":[{"kind":"retrieval","name":"faq"}]}]}"#,
                "no output of the retrieval `faq`",
            ),
            (r#"{"id":"s","turns":[{"user":"u","spans":[{"kind":"retrieval","name":"f","output":"x"}]}]}"#, "no reply"),
        ] {
            let finding = grounded(session, all);
            assert_eq!(finding.status, Status::Error);
            assert!(finding.reason.contains(why), "{}", finding.reason);
        }
    }

    #[test]
    fn a_reply_that_claims_nothing_does_not_count() {
        assert!(!grounded(SESSION, r#"{"claims":[],"reason":"A greeting."}"#).applies);
    }

    #[test]
    fn a_list_that_is_none_is_an_error() {
        for says in ["{}", "no claims", r#"{"claims":[{"claim":"c"}],"reason":""}"#, r#"{"claims":1,"reason":""}"#] {
            assert_eq!(grounded(SESSION, says).status, Status::Error, "{says}");
        }
    }
}
