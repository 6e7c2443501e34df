//! `turns`: how many turns a session takes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::checks::build::{Build, Example, Params};
use crate::checks::subject::SessionSubject;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, SessionCheck};
use crate::model::{Evidence, Field, Finding, Level};

/// How many turns the session takes: user requests, each up to the agent's reply. At least one of the bounds is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Turns {
    /// At least this many.
    min: Option<u64>,
    /// At most this many.
    max: Option<u64>,
}

impl Params for Turns {
    const NAME: &'static str = "turns";
    const LEVELS: &'static [Level] = &[Level::Session];
    const EXAMPLES: &'static [Example] = &[Example {
        check: "[[session]]\nid = \"short\"\ncheck = \"turns\"\nmax = 2\n",
        passes: r#"{"id":"a","turns":[{"user":"Cancel it.","reply":"Done."}]}"#,
        fails: r#"{"id":"b","turns":[{"user":"Cancel it.","reply":"Which?"},{"user":"The last.","reply":"When?"},{"user":"Now!","reply":"Done."}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        match (self.min, self.max) {
            (None | Some(0), None) => build.problem(&[], "`turns` needs `min` (at least 1) or `max`", None),
            (Some(min), Some(max)) if min > max => {
                build.problem(&["min"], format!("`min` ({min}) is larger than `max` ({max})"), None);
            }
            _ => return Some(Compiled::Session(Box::new(self))),
        }
        None
    }
}

impl SessionCheck for Turns {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NONE)
    }

    fn check(&self, subject: &SessionSubject<'_>) -> Finding {
        let n = subject.scene.session.answerable_turns().count() as u64;
        if let Some(min) = self.min.filter(|min| n < *min) {
            return Finding::fail(format!("expected at least {min} turns; actual: {n}"))
                .with(Evidence::session(Field::Whole));
        }
        match self.max.filter(|max| n > *max) {
            Some(max) => Finding::fail(format!("expected at most {max} turns; actual: {n}"))
                .with(Evidence::turn(max as usize, Field::Whole)),
            None => Finding::pass(),
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
        examples_hold::<Turns>();
    }

    #[test]
    fn both_bounds_include_their_ends() {
        let session = |n: usize| format!(r#"{{"id":"s","turns":[{}]}}"#, vec!["{}"; n].join(","));
        let status = |n| run::<Turns>("min = 1\nmax = 2", &session(n)).status;
        assert_eq!([0, 1, 2, 3].map(status), [Status::Fail, Status::Pass, Status::Pass, Status::Fail]);
        let failed = run::<Turns>("max = 2", &session(4));
        assert_eq!(
            (failed.reason.as_str(), &failed.evidence[..]),
            ("expected at most 2 turns; actual: 4", &[Evidence::turn(2, Field::Whole)][..])
        );
    }

    #[test]
    fn bounds_that_contradict_or_decide_nothing_are_refused() {
        for bad in ["", "min = 0", "min = 3\nmax = 2"] {
            assert_eq!(problems::<Turns>(Level::Session, bad).len(), 1, "{bad}");
        }
    }
}
