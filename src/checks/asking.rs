//! Checks that cannot decide from their subject alone: a check asks, somebody at the edge answers, the check decides.
//!
//! Asking and deciding are pure, so that the same answers give the same finding wherever they come from; only
//! [`Edge::answer`] reaches outside. A check is asked again with what it has until it needs nothing more, which is how
//! one spends a second question only where the first answer makes it matter.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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

/// What a model is asked.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Prompt {
    /// How it has to go about it.
    pub system: String,
    /// What it is about.
    pub user: String,
}

/// Something that is asked for outside.
pub enum Need {
    /// The line that a program answers a line of JSON with.
    Line {
        /// The program.
        program: Arc<Program>,
        /// The line, without its end.
        line: String,
    },
    /// The reply of a model that is asked for its opinion.
    Vote {
        /// The judge's name.
        judge: Arc<str>,
        /// What it is asked.
        prompt: Arc<Prompt>,
        /// Which of several opinions on the same.
        vote: u32,
        /// What was wrong with its first reply, when it is asked for once more.
        wrong: Option<String>,
    },
}

/// What came back; `Err` says in words why nothing did.
pub type Answer = Result<String, String>;

/// A check that asks before it decides.
pub trait AskingCheck: Send + Sync {
    /// What it wants to know besides `have`, the answers so far in the order of what it asked for.
    fn needs(&self, subject: &Subject<'_>, have: &[Answer]) -> Vec<Need>;
    /// Judges the subject by the answers, once nothing more is needed.
    fn check(&self, subject: &Subject<'_>, have: &[Answer]) -> Finding;
}

/// Whoever can answer.
pub trait Edge: Sync {
    /// Answers, however long it takes; within its own limit of time.
    fn answer(&self, need: &Need) -> Answer;
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
            let again = have.last().is_none_or(|a| a.as_deref() == Ok("again"));
            again.then(question).into_iter().collect()
        }

        fn check(&self, _: &Subject<'_>, have: &[Answer]) -> Finding {
            Finding::fail(format!("{have:?}"))
        }
    }

    struct Says(std::sync::Mutex<Vec<&'static str>>);

    impl Edge for Says {
        fn answer(&self, _: &Need) -> Answer {
            Ok(self.0.lock().unwrap().pop().unwrap_or("again").to_owned())
        }
    }

    fn finding(answers: &[&'static str]) -> Finding {
        let edge = Says(answers.iter().rev().copied().collect::<Vec<_>>().into());
        scene(r#"{"id":"s"}"#, &[], |scene| settle(&Insists, &Subject::Session(SessionSubject { scene }), &edge))
    }

    #[test]
    fn asks_again_only_where_the_answer_makes_it_matter() {
        assert_eq!(finding(&["yes"]).reason, r#"[Ok("yes")]"#);
        assert_eq!(finding(&["again", "yes"]).reason, r#"[Ok("again"), Ok("yes")]"#);
    }

    #[test]
    fn one_that_never_stops_asking_is_an_error() {
        assert_eq!(finding(&[]).status, Status::Error);
    }
}
