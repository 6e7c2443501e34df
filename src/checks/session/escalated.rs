//! `escalated`: whether a session was handed over to a person.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::checks::build::{Build, Example, Params};
use crate::checks::subject::SessionSubject;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, SessionCheck};
use crate::model::{Evidence, Field, Finding, Level};

/// Whether the session was handed over to a person. A recording that does not say is an error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalated {
    /// `true`: it must be handed over; `false`: it must not.
    is: bool,
}

impl Params for Escalated {
    const NAME: &'static str = "escalated";
    const LEVELS: &'static [Level] = &[Level::Session];
    const EXAMPLES: &'static [Example] = &[Example {
        check: "[[session]]\nid = \"copes-alone\"\ncheck = \"escalated\"\nis = false\n",
        passes: r#"{"id":"a","escalated":false,"turns":[]}"#,
        fails: r#"{"id":"b","escalated":true,"turns":[]}"#,
    }];

    fn build(self, _: &mut Build<'_>) -> Option<Compiled> {
        Some(Compiled::Session(Box::new(self)))
    }
}

impl SessionCheck for Escalated {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NONE)
    }

    fn check(&self, subject: &SessionSubject<'_>) -> Finding {
        match subject.scene.session.escalated {
            None => Finding::error("the recording does not say whether the session was handed over to a person"),
            Some(actual) if actual == self.is => Finding::pass(),
            Some(true) => Finding::fail("expected no hand-over; actual: it was handed over to a person")
                .with(Evidence::session(Field::Whole)),
            Some(false) => Finding::fail("expected a hand-over to a person; actual: it was not handed over")
                .with(Evidence::session(Field::Whole)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::session::testing::{examples_hold, run};
    use crate::model::Status;

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<Escalated>();
    }

    #[test]
    fn either_way_can_be_asked_for() {
        assert_eq!(run::<Escalated>("is = true", r#"{"id":"s","escalated":true}"#).status, Status::Pass);
        assert_eq!(run::<Escalated>("is = true", r#"{"id":"s","escalated":false}"#).status, Status::Fail);
    }

    #[test]
    fn a_recording_that_does_not_say_is_an_error() {
        assert_eq!(run::<Escalated>("is = false", r#"{"id":"s"}"#).status, Status::Error);
    }
}
