//! Checks that cannot decide from their subject alone: a check asks, somebody at the edge answers, the check decides.
//!
//! Asking and deciding are pure, so that the same answers give the same finding wherever they come from; only
//! [`Edge::answer`] reaches outside. A check is asked again with what it has until it needs nothing more, which is how
//! one spends a second question only where the first answer makes it matter.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::subject::{Scene, SessionSubject, SpanSubject, TurnSubject};
use crate::model::{Finding, Level};

/// What such a check is asked about.
#[derive(Clone, Copy)]
pub enum Subject<'s> {
    /// One operation.
    Span(SpanSubject<'s>),
    /// One user request up to the reply.
    Turn(TurnSubject<'s>),
    /// The whole session.
    Session(SessionSubject<'s>),
}

impl<'s> Subject<'s> {
    /// The session and its case.
    pub fn scene(&self) -> &'s Scene<'s> {
        match self {
            Self::Span(s) => s.scene,
            Self::Turn(t) => t.scene,
            Self::Session(s) => s.scene,
        }
    }

    /// The same subject in another view of its session; `None` where it is not there.
    pub fn within(&self, scene: &'s Scene<'s>) -> Option<Subject<'s>> {
        Some(match self {
            Self::Span(s) => {
                let span = scene.session.spans().nth(s.ordinal)?;
                Subject::Span(SpanSubject { scene, span, ordinal: s.ordinal, turn: s.turn })
            }
            Self::Turn(t) => {
                Subject::Turn(TurnSubject { scene, turn: scene.session.turns.get(t.index)?, index: t.index })
            }
            Self::Session(_) => Subject::Session(SessionSubject { scene }),
        })
    }

    /// The level it is of.
    pub const fn level(&self) -> Level {
        match self {
            Self::Span(_) => Level::Span,
            Self::Turn(_) => Level::Turn,
            Self::Session(_) => Level::Session,
        }
    }
}

/// A program of the user's own that judges subjects.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Program {
    /// The program and its arguments.
    pub run: Vec<String>,
    /// The folder it is started in.
    pub dir: PathBuf,
    /// How long it may take for one subject.
    pub timeout: Duration,
}

/// What a model is asked, in the order in which it is put to it.
///
/// The parts are apart so that an endpoint that remembers a common beginning reads it once: `system` is the same for all
/// questions of a kind, `material` for all rubrics about one subject.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Prompt {
    /// How it has to go about it.
    pub system: Cow<'static, str>,
    /// What it is about: text that others wrote, marked as such.
    pub material: String,
    /// What is asked about the material.
    pub question: String,
    /// What its answer has to look like.
    pub shape: &'static Shape,
}

impl Prompt {
    /// The material and the question as one message.
    pub fn message(&self) -> String {
        format!("{}\n\n{}", self.material, self.question)
    }
}

/// What an answer of a model has to look like: one JSON object, and nothing else.
pub struct Shape {
    /// Its name, which endpoints that enforce shapes ask for.
    pub name: &'static str,
    /// Its JSON Schema: all keys required, no others allowed.
    pub schema: fn() -> serde_json::Value,
    /// The key that holds the verdict, and the words that it may say: how likely each was is worth knowing.
    pub label: Option<(&'static str, &'static [&'static str])>,
}

/// Shapes of one name are one.
impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Shape {}

impl Hash for Shape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shape").field(&self.name).finish()
    }
}

/// Something that is asked for outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Need {
    /// The line that a program answers a line of JSON with ([`Reply::Line`]).
    Line {
        /// The program.
        program: Arc<Program>,
        /// The line, without its end.
        line: String,
    },
    /// The opinion of a model ([`Reply::Said`]).
    Vote {
        /// The judge's name: one endpoint, never a panel.
        judge: Arc<str>,
        /// What it is asked.
        prompt: Arc<Prompt>,
        /// Which of several opinions of this judge on the same, from 0.
        vote: u32,
        /// What was wrong with its first reply, when it is asked for once more.
        wrong: Option<String>,
    },
    /// Where a text lies among all texts, as a model of embeddings sees it ([`Reply::Vector`]).
    Embedding {
        /// The endpoint's name.
        endpoint: Arc<str>,
        /// The text.
        text: Arc<str>,
    },
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// A program's line.
    Line(String),
    /// What a model said.
    Said(Said),
    /// An embedding.
    Vector(Vec<f32>),
}

/// What a model said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Said {
    /// The whole reply, as it was.
    pub text: String,
    /// The model that answered, as it calls itself; empty when it does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// How likely each word of [`Shape::label`] was, among them all 1; empty where the endpoint does not offer it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub odds: BTreeMap<String, f64>,
}

/// `Err` says in words why nothing came back.
pub type Answer = Result<Reply, String>;

impl Reply {
    /// The line of a program.
    pub fn line(&self) -> Result<&str, String> {
        if let Self::Line(line) = self { Ok(line) } else { Err(misplaced()) }
    }

    /// What a model said.
    pub fn said(&self) -> Result<&Said, String> {
        if let Self::Said(said) = self { Ok(said) } else { Err(misplaced()) }
    }

    /// An embedding.
    pub fn vector(&self) -> Result<&[f32], String> {
        if let Self::Vector(vector) = self { Ok(vector) } else { Err(misplaced()) }
    }
}

fn misplaced() -> String {
    "a bug in seatrial: the answer is one to another kind of question".to_owned()
}

/// How sure a check can be.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// The confidence that any verdict of it may have, pass or fail, from 0 to 1.
    pub confidence: f64,
    /// Why no more, as the beginning of a sentence that ends with "at most" a number; empty when it is 1.
    pub why: String,
}

/// A check that asks before it decides.
pub trait AskingCheck: Send + Sync {
    /// What it wants to know besides `have`, the answers so far in the order of what it asked for.
    fn needs(&self, subject: &Subject<'_>, have: &[Answer]) -> Vec<Need>;
    /// Judges the subject by the answers, once nothing more is needed.
    fn check(&self, subject: &Subject<'_>, have: &[Answer]) -> Finding;
    /// What it puts to judges, as it is written; `None` of one that has no rubric.
    fn rubric(&self) -> Option<&str> {
        None
    }
    /// What it is told of a subject beside its session and its case, such as what an earlier run replied: a decision over
    /// the verdict holds as long as that is the same.
    fn beside(&self, _subject: &Subject<'_>) -> Option<String> {
        None
    }
    /// How sure it can be of every verdict.
    fn reach(&self) -> Reach {
        Reach { confidence: 1.0, why: String::new() }
    }
}

/// Whoever can answer.
pub trait Edge: Sync {
    /// Answers, however long it takes; within its own limit of time.
    fn answer(&self, need: &Need) -> Answer;
    /// The same, for the check at a position of its suite.
    fn answer_for(&self, need: &Need, _check: u32) -> Answer {
        self.answer(need)
    }
}

/// An edge where nobody is.
pub struct Nobody;

impl Edge for Nobody {
    fn answer(&self, _: &Need) -> Answer {
        Err("nobody can be asked here".to_owned())
    }
}

/// Times that a check may ask; one that goes on asking is an error of its own.
const MOST_ROUNDS: usize = 8;

/// Asks until nothing more is needed, and lets the check decide.
pub fn settle(check: &dyn AskingCheck, subject: &Subject<'_>, edge: &dyn Edge) -> Finding {
    let mut have = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let needs = check.needs(subject, &have);
        if needs.is_empty() {
            return check.check(subject, &have);
        }
        have.extend(needs.iter().map(|need| edge.answer(need)));
    }
    Finding::error(format!("a bug in seatrial: the check was still asking after {MOST_ROUNDS} rounds"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::scene;
    use crate::model::Status;

    /// Asks once more wherever the last answer was "again".
    struct Insists;

    fn question() -> Need {
        let program = Program { run: Vec::new(), dir: PathBuf::new(), timeout: Duration::ZERO };
        Need::Line { program: Arc::new(program), line: String::new() }
    }

    impl AskingCheck for Insists {
        fn needs(&self, _: &Subject<'_>, have: &[Answer]) -> Vec<Need> {
            let again = have.last().is_none_or(|a| *a == Ok(Reply::Line("again".to_owned())));
            again.then(question).into_iter().collect()
        }

        fn check(&self, _: &Subject<'_>, have: &[Answer]) -> Finding {
            let lines: Vec<&str> = have.iter().map(|a| a.as_ref().unwrap().line().unwrap()).collect();
            Finding::fail(lines.join(", "))
        }
    }

    struct Says(std::sync::Mutex<Vec<&'static str>>);

    impl Edge for Says {
        fn answer(&self, _: &Need) -> Answer {
            Ok(Reply::Line(self.0.lock().unwrap().pop().unwrap_or("again").to_owned()))
        }
    }

    fn finding(answers: &[&'static str]) -> Finding {
        let edge = Says(answers.iter().rev().copied().collect::<Vec<_>>().into());
        scene(r#"{"id":"s"}"#, &[], |scene| settle(&Insists, &Subject::Session(SessionSubject { scene }), &edge))
    }

    #[test]
    fn asks_again_only_where_the_answer_makes_it_matter() {
        assert_eq!(finding(&["yes"]).reason, "yes");
        assert_eq!(finding(&["again", "yes"]).reason, "again, yes");
    }

    #[test]
    fn one_that_never_stops_asking_is_an_error() {
        assert_eq!(finding(&[]).status, Status::Error);
    }
}
