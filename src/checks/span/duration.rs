//! `duration`: how long an operation, a turn or a session took.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::checks::build::{Build, Example, Params};
use crate::checks::subject::{Scope, SpanSubject};
use crate::checks::text::length::bounds;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, ScopeCheck, SpanCheck};
use crate::model::{Evidence, Field, Finding, Level};

/// The operation, turn or session took no longer (and no less) than this, from start to end. Over a session it is the
/// time to resolution.
///
/// A turn or session without times of its own lasts from the first start to the last end of the operations in it.
/// Where start or end is not recorded, the verdict is an error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Duration {
    /// At most this many milliseconds.
    #[schemars(range(min = 0.0))]
    max_ms: Option<f64>,
    /// At least this many milliseconds.
    #[schemars(range(min = 0.0))]
    min_ms: Option<f64>,
}

impl Params for Duration {
    const NAME: &'static str = "duration";
    const LEVELS: &'static [Level] = &[Level::Span, Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: r#"
[[span]]
id     = "fast-tools"
on     = { kind = "tool" }
check  = "duration"
max_ms = 2000
"#,
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"search","start_ns":1000000000,"end_ns":2500000000}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"tool","name":"search","start_ns":1000000000,"end_ns":3500000000}]}]}"#,
        },
        Example {
            check: r#"
[[session]]
id     = "resolved-in-a-minute"
check  = "duration"
max_ms = 60_000
"#,
            passes: r#"{"id":"a","start_ns":0,"end_ns":45000000000,"turns":[]}"#,
            fails: r#"{"id":"b","start_ns":0,"end_ns":75000000000,"turns":[]}"#,
        },
    ];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        for (key, bound) in [("max_ms", self.max_ms), ("min_ms", self.min_ms)] {
            if bound.is_some_and(|b| !b.is_finite() || b < 0.0) {
                build.problem(&[key], "a duration is a number of milliseconds, 0 or more", None);
                return None;
            }
        }
        bounds(build, self.min_ms, self.max_ms)?;
        let level = build.level;
        Some(if level == Level::Span { Compiled::Span(Box::new(self)) } else { Compiled::scope(level, self) })
    }
}

impl Duration {
    fn judge(&self, what: &str, start: Option<u64>, end: Option<u64>, place: Evidence) -> Finding {
        let (start, end) = match (start, end) {
            (Some(start), Some(end)) => (start, end),
            (None, None) => return Finding::error(format!("the recording holds no times of {what}")),
            (None, _) => return Finding::error(format!("the recording does not say when {what} started")),
            (_, None) => return Finding::error(format!("the recording does not say when {what} ended")),
        };
        let Some(ns) = end.checked_sub(start) else {
            return Finding::error(format!("{what} ends before it starts"));
        };
        let ms = ns as f64 / 1e6;
        match (self.max_ms, self.min_ms) {
            (Some(max), _) if ms > max => {
                Finding::fail(format!("{what} took {ms} ms, expected at most {max}")).with(place)
            }
            (_, Some(min)) if ms < min => {
                Finding::fail(format!("{what} took {ms} ms, expected at least {min}")).with(place)
            }
            _ => Finding::pass(),
        }
    }
}

impl SpanCheck for Duration {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NONE)
    }

    fn check(&self, subject: &SpanSubject<'_>) -> Finding {
        let span = subject.span;
        let place = Evidence::span(subject.ordinal, Field::Whole);
        self.judge(&format!("`{}`", span.name), span.start_ns, span.end_ns, place)
    }
}

impl ScopeCheck for Duration {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NONE)
    }

    fn check(&self, scope: &Scope<'_>) -> Finding {
        let (start, end) = scope.times();
        self.judge(&scope.name(), start, end, place(scope))
    }
}

/// The turn or session as a whole.
pub(super) fn place(scope: &Scope<'_>) -> Evidence {
    scope.turn.map_or_else(|| Evidence::session(Field::Whole), |turn| Evidence::turn(turn, Field::Whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, finding, status};
    use crate::model::Status::{Error, Fail, Pass};

    #[test]
    fn the_examples_hold() {
        examples::<Duration>();
    }

    #[test]
    fn bounds_are_included() {
        let session = r#"{"id":"s","start_ns":0,"end_ns":1500000}"#;
        for (check, expected) in [
            ("max_ms = 1.5", Pass),
            ("max_ms = 1.4", Fail),
            ("min_ms = 1.5", Pass),
            ("min_ms = 2", Fail),
            ("max_ms = 0", Fail),
        ] {
            assert_eq!(status::<Duration>(Level::Session, check, session), expected, "{check}");
        }
        let reason = finding::<Duration>(Level::Session, "max_ms = 1", session).reason;
        assert_eq!(reason, "the session took 1.5 ms, expected at most 1");
    }

    #[test]
    fn missing_or_impossible_times_are_errors() {
        for times in ["", r#","start_ns":1"#, r#","end_ns":1"#, r#","start_ns":2,"end_ns":1"#] {
            let session = format!(r#"{{"id":"s"{times},"turns":[{{}}]}}"#);
            assert_eq!(status::<Duration>(Level::Session, "max_ms = 1000", &session), Error, "{times}");
            let span = format!(r#"{{"id":"s","spans":[{{"kind":"tool","name":"f"{times}}}]}}"#);
            assert_eq!(status::<Duration>(Level::Span, "max_ms = 1000", &span), Error, "{times}");
        }
        assert_eq!(status::<Duration>(Level::Turn, "max_ms = 1000", r#"{"id":"s","turns":[{}]}"#), Error);
    }

    #[test]
    fn a_turn_without_times_lasts_as_long_as_its_operations() {
        let session = r#"{"id":"s","turns":[{"spans":[{"kind":"tool","name":"f","start_ns":0,"end_ns":2000000},
            {"kind":"tool","name":"g","start_ns":1000000,"end_ns":9000000}]}]}"#;
        assert_eq!(status::<Duration>(Level::Turn, "max_ms = 9", session), Pass);
        assert_eq!(status::<Duration>(Level::Turn, "max_ms = 8", session), Fail);
    }

    #[test]
    fn bounds_that_cannot_be_meant_are_refused() {
        for bad in ["", "max_ms = -1", "max_ms = nan", "max_ms = inf", "max_ms = 1\nmin_ms = 2"] {
            assert!(build::<Duration>(Level::Turn, bad).is_err(), "{bad}");
        }
    }
}
