//! `facts`: what the agent's replies must state.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::describe;
use crate::checks::askable::Asked;
use crate::checks::build::{Answered, Build, Example, Params};
use crate::checks::expect::{Fact, Wanted};
use crate::checks::judge::meant::Meant;
use crate::checks::judge::one_vote;
use crate::checks::judge::poll::{self, Confirm, Judges, Poll, Terms};
use crate::checks::matcher::Matcher;
use crate::checks::subject::Scope;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, ScopeCheck};
use crate::model::{Evidence, Field, Finding, Level};

/// The agent's replies state every fact: those of `values`, else those of the reference (`reference.facts`).
///
/// A plain text is looked for in each reply as a part of it, after both are normalised: case is ignored, any white
/// space is one space, typographic quotes and dashes are plain ones, and commas that group digits are left out
/// (`1,200` is `1200`). A number is looked for as its text. A matcher, such as `{ "$matches" = "..." }`, is applied to
/// each reply as it is. A list is a fact with alternatives: one of them is enough.
///
/// With `judge` a model says which facts are stated, in whatever words, and quotes where; a quote that does not occur in a
/// reply lowers the confidence to 0. The majority of the votes decides; confidence is that of `judge`.
///
/// The score is the share of the facts that are stated. Neither `values` nor a reference with facts, or no recorded
/// reply at all, is an error; a reference that lists no fact does not apply.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The facts. Without it, those of the reference.
    values: Option<Vec<OneFact>>,
    /// Whom it asks whether a fact is stated in other words: `[judge.NAME]` of `seatrial.toml`, or a list of them, which is
    /// a panel. Facts that are matchers are applied as they are. Without it, a text is looked for as it is written.
    judge: Option<Judges>,
    /// With `judge`: opinions to ask for of each judge, 1 to 25; 1 unless given.
    votes: Option<u32>,
    /// With `judge`, `"on_fail"`: ask for one opinion, and for the others only where it is a fail.
    confirm: Option<Confirm>,
}

/// A text, a matcher, or a list of alternatives.
#[derive(Debug)]
struct OneFact(Fact);

impl<'de> Deserialize<'de> for OneFact {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Self(Fact(match Matcher::deserialize(d)? {
            Matcher::Array(alternatives) => alternatives,
            Matcher::Equals(Value::Array(alternatives)) => alternatives.into_iter().map(Matcher::Equals).collect(),
            one => vec![one],
        })))
    }
}

impl JsonSchema for OneFact {
    fn schema_name() -> Cow<'static, str> {
        "Fact".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let matcher = generator.subschema_for::<Matcher>();
        schemars::json_schema!({
            "description": "A text, a matcher, or a list of alternatives of which one is enough.",
            "anyOf": [matcher, { "type": "array", "items": matcher, "minItems": 1 }]
        })
    }
}

impl Params for Facts {
    const NAME: &'static str = "facts";
    const LEVELS: &'static [Level] = &[Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: "[[session]]\nid = \"says-why\"\ncheck = \"facts\"\nvalues = [[\"cannot be cancelled\", \"not eligible\"], \"basic economy\"]\n",
            passes: r#"{"id":"a","turns":[{"reply":"A Basic Economy ticket\ncannot be  cancelled."}]}"#,
            fails: r#"{"id":"b","turns":[{"reply":"This ticket cannot be cancelled."}]}"#,
        },
        Example {
            check: "[[session]]\nid = \"says-so-somehow\"\ncheck = \"facts\"\nvalues = [\"the ticket cannot be cancelled\"]\njudge = \"default\"\n",
            passes: r#"{"id":"a","turns":[{"reply":"A cancellation is ruled out for it."}]}"#,
            fails: r#"{"id":"b","turns":[{"reply":"It is a ticket in basic economy."}]}"#,
        },
    ];
    const ANSWERS: &'static [Answered] = &[
        Answered {
            when: "| A cancellation is ruled out for it.",
            says: r#"{"facts":[{"number":1,"stated":true,"quote":"A cancellation is ruled out"}],"reason":"In other words."}"#,
        },
        Answered {
            when: "| It is a ticket in basic economy.",
            says: r#"{"facts":[{"number":1,"stated":false,"quote":""}],"reason":"Nothing about cancelling."}"#,
        },
    ];

    fn asks(parameters: &Value) -> Vec<Asked> {
        if parameters.get("judge").is_some() { poll::asks(parameters) } else { Vec::new() }
    }

    fn wants(parameters: &Value) -> Option<Wanted> {
        parameters.get("values").is_none().then_some(Wanted::Facts)
    }

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let values = self.values.map(|values| values.into_iter().map(|v| v.0).collect::<Vec<_>>());
        if values.as_ref().is_some_and(Vec::is_empty) {
            build.problem(
                &["values"],
                "`values = []` asks for nothing",
                "leave it out to use the reference's facts".to_owned(),
            );
        }
        for (i, fact) in values.iter().flatten().enumerate() {
            if fact.0.is_empty() || fact.0.iter().any(|m| text(m).is_some_and(|t| normalise(&t).is_empty())) {
                build.problem(&["values", &i.to_string()], "an empty fact is stated by every reply", None);
            }
        }
        let Some(judge) = self.judge else {
            for (key, given) in [("votes", self.votes.is_some()), ("confirm", self.confirm.is_some())] {
                if given {
                    build.problem(&[key], format!("`{key}` is of judges, and none is asked"), "add `judge`".to_owned());
                }
            }
            return build.problems.iter().all(|p| p.warning).then(|| Compiled::scope(build.level, Stated { values }));
        };
        let votes = self.votes.unwrap_or_else(one_vote);
        let terms = Terms { judge, votes, confirm: self.confirm, pass_at: 1.0, orders: 1, majority: true };
        let poll = Poll::new(build, terms)?;
        build.problems.iter().all(|p| p.warning).then(|| Compiled::Asking(Box::new(Meant { poll, values })))
    }
}

struct Stated {
    values: Option<Vec<Fact>>,
}

impl ScopeCheck for Stated {
    fn reads(&self) -> Reads {
        Reads::only(Parts::REPLIES | if self.values.is_some() { Parts::NONE } else { Parts::REFERENCE })
    }

    fn check(&self, scope: &Scope<'_>) -> Finding {
        let Sought { facts, replies } = match sought(scope, self.values.as_deref()) {
            Ok(sought) => sought,
            Err(finding) => return finding,
        };
        let mut missing = Vec::new();
        for fact in facts {
            match stated(&replies, fact) {
                Ok(true) => {}
                Ok(false) => missing.push(fact),
                Err(why) => return Finding::error(why),
            }
        }
        let last = replies.last().map_or(0, |reply| reply.turn);
        let score = (facts.len() - missing.len()) as f64 / facts.len() as f64;
        if missing.is_empty() {
            return Finding::pass();
        }
        Finding::fail(reason(facts.len(), &missing, &replies)).scored(score).with(Evidence::turn(last, Field::Reply))
    }
}

/// What is looked for, and in what.
pub struct Sought<'f> {
    /// The facts, at least one.
    pub facts: &'f [Fact],
    /// The replies, at least one.
    pub replies: Vec<Reply<'f>>,
}

/// The facts of `values`, else of the reference, and the replies that should state them. `Err` is the finding where there
/// is nothing to look for, or in.
pub fn sought<'f>(scope: &Scope<'f>, values: Option<&'f [Fact]>) -> Result<Sought<'f>, Finding> {
    let Some(facts) = values.or_else(|| scope.expected().and_then(|e| e.facts.as_deref())) else {
        return Err(Finding::error(format!(
            "nothing says which facts {} should state: give `values`, or the case `reference.facts`",
            scope.name()
        )));
    };
    if facts.is_empty() {
        return Err(Finding::not_applicable("the reference lists no fact"));
    }
    let replies: Vec<Reply<'f>> = describe::replies(scope.scene.session, scope.turn).map(Reply::new).collect();
    if replies.is_empty() {
        return Err(Finding::error(format!("{} has no recorded reply to look for facts in", scope.name())));
    }
    Ok(Sought { facts, replies })
}

/// Whether any reply states a fact, in one of its alternatives.
pub fn stated(replies: &[Reply<'_>], fact: &Fact) -> Result<bool, String> {
    fact.0.iter().map(|m| states(replies, m)).try_fold(false, |any, found| found.map(|f| any || f))
}

fn reason(total: usize, missing: &[&Fact], replies: &[Reply<'_>]) -> String {
    let words = |fact: &Fact| {
        let alternatives: Vec<String> = fact.0.iter().take(8).map(|m| describe::short(m, 160)).collect();
        alternatives.join(" or ")
    };
    let listed: Vec<String> = missing.iter().take(8).map(|f| words(f)).collect();
    let more = if missing.len() > 8 { format!(" and {} more", missing.len() - 8) } else { String::new() };
    let last = replies.last().map(|reply| describe::clip(reply.raw, 200)).unwrap_or_default();
    format!(
        "{} of {total} facts are not stated in {}: {}{more}; the last reply: {last}",
        missing.len(),
        if replies.len() == 1 { "the reply".to_owned() } else { format!("{} replies", replies.len()) },
        listed.join(", "),
    )
}

/// A reply as it is and as plain texts are looked for in it.
pub struct Reply<'r> {
    turn: usize,
    raw: &'r str,
    value: Value,
    normal: String,
}

impl<'r> Reply<'r> {
    fn new((turn, raw): (usize, &'r str)) -> Self {
        Self { turn, raw, value: Value::String(raw.to_owned()), normal: normalise(raw) }
    }
}

/// Whether any reply states an alternative.
fn states(replies: &[Reply<'_>], alternative: &Matcher) -> Result<bool, String> {
    let Some(text) = text(alternative) else {
        return Ok(replies.iter().any(|r| alternative.matches(Some(&r.value))));
    };
    let wanted = normalise(&text);
    if wanted.is_empty() {
        return Err("the reference lists an empty fact, which every reply would state".to_owned());
    }
    Ok(replies.iter().any(|r| r.normal.contains(&wanted)))
}

/// The text of a plain value; `None` for a matcher.
pub fn text(matcher: &Matcher) -> Option<String> {
    match matcher {
        Matcher::Equals(Value::String(s)) => Some(s.clone()),
        Matcher::Equals(v @ (Value::Number(_) | Value::Bool(_))) => Some(v.to_string()),
        _ => None,
    }
}

/// Lower case, one space for any white space, plain quotes and dashes, no commas that group digits.
fn normalise(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (i, &c) in chars.iter().enumerate() {
        match c {
            c if c.is_whitespace() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            ',' if groups_digits(&chars, i) => {}
            '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2032}' | '\u{2bc}' => out.push('\''),
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2033}' => out.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => out.push('-'),
            c => out.extend(c.to_lowercase()),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Whether the comma at `i` stands between a digit and exactly three more.
fn groups_digits(chars: &[char], i: usize) -> bool {
    let digit = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(char::is_ascii_digit);
    digit(i.checked_sub(1)) && (1..=3).all(|k| digit(Some(i + k))) && !digit(Some(i + 4))
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
