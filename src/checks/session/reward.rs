//! `reward`: what the recording's own harness gave.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::checks::build::{Build, Example, Params};
use crate::checks::subject::SessionSubject;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, SessionCheck};
use crate::model::{Evidence, Field, Finding, Level};

/// How far below the bound a reward may be and still be taken for it, as tau-bench does.
const TOLERANCE: f64 = 1e-6;

/// The reward that the recording's own harness gave the session is at least `min`, within 0.000001. A session without
/// a recorded reward is an error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reward {
    /// At least this. Default 1.
    #[serde(default = "one")]
    min: f64,
}

fn one() -> f64 {
    1.0
}

impl Params for Reward {
    const NAME: &'static str = "reward";
    const LEVELS: &'static [Level] = &[Level::Session];
    const EXAMPLES: &'static [Example] = &[Example {
        check: "[[session]]\nid = \"solved\"\ncheck = \"reward\"\n",
        passes: r#"{"id":"a","reward":1.0,"turns":[]}"#,
        fails: r#"{"id":"b","reward":0.0,"turns":[]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if !self.min.is_finite() {
            build.problem(&["min"], "`min` is a finite number", None);
            return None;
        }
        Some(Compiled::Session(Box::new(self)))
    }
}

impl SessionCheck for Reward {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NONE)
    }

    fn check(&self, subject: &SessionSubject<'_>) -> Finding {
        let Some(reward) = subject.scene.session.reward.filter(|r| r.is_finite()) else {
            return Finding::error("the recording has no reward");
        };
        let reason = || format!("expected a reward of at least {}; actual: {reward}", self.min);
        let finding = Finding::of(reward >= self.min - TOLERANCE, reason).scored(reward.clamp(0.0, 1.0));
        if finding.reason.is_empty() { finding } else { finding.with(Evidence::session(Field::Whole)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::session::testing::{examples_hold, problems, run};
    use crate::model::Status;

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<Reward>();
    }

    #[test]
    fn one_is_asked_for_by_default_within_a_millionth() {
        let status = |reward: &str| run::<Reward>("", &format!(r#"{{"id":"s","reward":{reward}}}"#)).status;
        let rewards = ["1", "0.9999995", "0.99", "0", "2"];
        assert_eq!(rewards.map(status), [Status::Pass, Status::Pass, Status::Fail, Status::Fail, Status::Pass]);
        let half = run::<Reward>("min = 0.4", r#"{"id":"s","reward":0.5}"#);
        assert_eq!((half.status, half.score), (Status::Pass, Some(0.5)));
    }

    #[test]
    fn no_reward_is_an_error_and_never_zero() {
        let finding = run::<Reward>("min = 0.0", r#"{"id":"s"}"#);
        assert_eq!((finding.status, finding.score), (Status::Error, None));
    }

    #[test]
    fn a_bound_that_is_no_number_is_refused() {
        assert_eq!(problems::<Reward>(Level::Session, "min = nan").len(), 1);
    }
}
