//! `ttft`: how long the user waited for the first token of the reply.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::checks::build::{Build, Example, Params};
use crate::checks::subject::TurnSubject;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, TurnCheck};
use crate::model::{Evidence, Field, Finding, Level};

/// The first token of the turn's reply came no later than this.
///
/// The time is the turn's own, where it is recorded; else it runs from the recorded start of the turn to the first
/// token of the model call that gave the reply: the last one whose output is the reply, or the only one. Where neither
/// is recorded, the verdict is an error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ttft {
    /// At most this many milliseconds.
    #[schemars(range(min = 0.0))]
    max_ms: f64,
}

impl Params for Ttft {
    const NAME: &'static str = "ttft";
    const LEVELS: &'static [Level] = &[Level::Turn];
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[turn]]
id     = "first-token"
check  = "ttft"
max_ms = 500
"#,
        passes: r#"{"id":"a","turns":[{"ttft_ns":350000000},{"start_ns":1000000000,"spans":[{"kind":"llm","name":"chat","start_ns":1100000000,"ttft_ns":400000000}]}]}"#,
        fails: r#"{"id":"b","turns":[{"ttft_ns":650000000}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if !self.max_ms.is_finite() || self.max_ms < 0.0 {
            build.problem(&["max_ms"], "a duration is a number of milliseconds, 0 or more", None);
            return None;
        }
        Some(Compiled::Turn(Box::new(self)))
    }
}

impl TurnCheck for Ttft {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NONE)
    }

    fn check(&self, subject: &TurnSubject<'_>) -> Finding {
        let place = Evidence::turn(subject.index, Field::Whole);
        let Some(ns) = subject.turn.first_token_ns() else {
            let reason = format!(
                "the recording does not say when the first token of turn {} came: neither for the turn nor for the \
                 model call that gave its reply",
                subject.index + 1
            );
            return Finding::error(reason).with(place);
        };
        let ms = ns as f64 / 1e6;
        let reason = || format!("the first token came after {ms} ms, expected at most {}", self.max_ms);
        if ms > self.max_ms { Finding::fail(reason()).with(place) } else { Finding::pass() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, finding, status};
    use crate::model::Status::{Error, Fail, Pass};

    #[test]
    fn the_examples_hold() {
        examples::<Ttft>();
    }

    #[test]
    fn the_bound_is_included() {
        let session = r#"{"id":"s","turns":[{"ttft_ns":1500000}]}"#;
        for (check, expected) in [("max_ms = 1.5", Pass), ("max_ms = 1.4", Fail), ("max_ms = 0", Fail)] {
            assert_eq!(status::<Ttft>(Level::Turn, check, session), expected, "{check}");
        }
        let reason = finding::<Ttft>(Level::Turn, "max_ms = 1", session).reason;
        assert_eq!(reason, "the first token came after 1.5 ms, expected at most 1");
    }

    #[test]
    fn a_first_token_that_is_not_recorded_is_an_error() {
        for turn in ["", r#""start_ns":0,"end_ns":1"#, r#""spans":[{"kind":"llm","name":"c","ttft_ns":1}]"#] {
            let session = format!(r#"{{"id":"s","turns":[{{{turn}}}]}}"#);
            assert_eq!(status::<Ttft>(Level::Turn, "max_ms = 1000", &session), Error, "{turn}");
        }
    }

    #[test]
    fn bounds_that_cannot_be_meant_are_refused() {
        for bad in ["", "max_ms = -1", "max_ms = nan", "max_ms = inf", "max_ms = '500'"] {
            assert!(build::<Ttft>(Level::Turn, bad).is_err(), "{bad}");
        }
    }
}
