//! `rating`: what the user gave.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::checks::build::{Build, Example, Params};
use crate::checks::subject::SessionSubject;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, SessionCheck};
use crate::model::{Evidence, Field, Finding, Level};

/// The user's rating of the session (CSAT), in the recording's own unit, is at least `min`. A session that nobody
/// rated is an error; to look only at rated ones, select them with `on`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rating {
    /// At least this.
    min: f64,
}

impl Params for Rating {
    const NAME: &'static str = "rating";
    const LEVELS: &'static [Level] = &[Level::Session];
    const EXAMPLES: &'static [Example] = &[Example {
        check: "[[session]]\nid = \"content\"\ncheck = \"rating\"\nmin = 4.0\n",
        passes: r#"{"id":"a","rating":5,"turns":[]}"#,
        fails: r#"{"id":"b","rating":2,"turns":[]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if !self.min.is_finite() {
            build.problem(&["min"], "`min` is a finite number", None);
            return None;
        }
        Some(Compiled::Session(Box::new(self)))
    }
}

impl SessionCheck for Rating {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NONE)
    }

    fn check(&self, subject: &SessionSubject<'_>) -> Finding {
        match subject.scene.session.rating.filter(|r| r.is_finite()) {
            None => Finding::error("the recording has no rating of the session"),
            Some(rating) if rating >= self.min => Finding::pass(),
            Some(rating) => Finding::fail(format!("expected a rating of at least {}; actual: {rating}", self.min))
                .with(Evidence::session(Field::Whole)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::session::testing::{examples_hold, problems, run};
    use crate::model::Status;

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<Rating>();
    }

    #[test]
    fn the_bound_itself_is_enough() {
        assert_eq!(run::<Rating>("min = 4", r#"{"id":"s","rating":4}"#).status, Status::Pass);
        assert_eq!(run::<Rating>("min = 4", r#"{"id":"s","rating":3.9}"#).status, Status::Fail);
    }

    #[test]
    fn no_rating_is_an_error_and_never_zero() {
        assert_eq!(run::<Rating>("min = 0.0", r#"{"id":"s"}"#).status, Status::Error);
    }

    #[test]
    fn a_bound_that_is_no_number_is_refused() {
        assert_eq!(problems::<Rating>(Level::Session, "min = inf").len(), 1);
    }
}
