//! `tokens`: how many tokens an operation, a turn or a session used.

use schemars::JsonSchema;
use serde::Deserialize;

use super::duration::place;
use crate::checks::build::{Build, Example, Params};
use crate::checks::subject::{Scope, SpanSubject};
use crate::checks::text::length::bounds;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, ScopeCheck, SpanCheck};
use crate::model::{Evidence, Field, Finding, Level, Span, model_calls};

/// The tokens used lie within bounds, both included.
///
/// Over a turn or session the calls of models are summed (of a model span around another, the inner one only); where
/// one of them has no count, or there is none at all, the verdict is an error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Which tokens are counted.
    #[serde(default)]
    of: Counted,
    /// At least this many.
    min: Option<u64>,
    /// At most this many.
    max: Option<u64>,
}

/// Which tokens are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// Input and output together.
    #[default]
    Total,
    /// Input, cached tokens included.
    Input,
    /// Output, reasoning tokens included.
    Output,
}

impl Params for Tokens {
    const NAME: &'static str = "tokens";
    const LEVELS: &'static [Level] = &[Level::Span, Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: r#"
[[span]]
id    = "short-answers"
on    = { kind = "llm" }
check = "tokens"
of    = "output"
max   = 500
"#,
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"llm","name":"chat","usage":{"input":2000,"output":80}}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"llm","name":"chat","usage":{"input":2000,"output":800}}]}]}"#,
        },
        Example {
            check: r#"
[[session]]
id    = "token-budget"
check = "tokens"
max   = 5000
"#,
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"llm","name":"chat","usage":{"input":2000,"output":80}}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"llm","name":"chat","usage":{"input":2000,"output":80}}]},{"spans":[{"kind":"llm","name":"chat","usage":{"input":3000,"output":90}}]}]}"#,
        },
    ];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        bounds(build, self.min, self.max)?;
        let level = build.level;
        Some(if level == Level::Span { Compiled::Span(Box::new(self)) } else { Compiled::scope(level, self) })
    }
}

impl Tokens {
    /// The tokens of one operation, or what is not recorded.
    fn count(&self, span: &Span<'_>) -> Result<u64, &'static str> {
        let usage = span.usage.ok_or("token counts")?;
        let input = usage.input.ok_or("count of input tokens");
        let output = usage.output.ok_or("count of output tokens");
        Ok(match self.of {
            Counted::Input => input?,
            Counted::Output => output?,
            Counted::Total => input?.saturating_add(output?),
        })
    }

    fn judge(&self, tokens: u64, place: Evidence) -> Finding {
        let kind = match self.of {
            Counted::Total => "tokens",
            Counted::Input => "input tokens",
            Counted::Output => "output tokens",
        };
        match (self.max, self.min) {
            (Some(max), _) if tokens > max => {
                Finding::fail(format!("{tokens} {kind}, expected at most {max}")).with(place)
            }
            (_, Some(min)) if tokens < min => {
                Finding::fail(format!("{tokens} {kind}, expected at least {min}")).with(place)
            }
            _ => Finding::pass(),
        }
    }
}

impl SpanCheck for Tokens {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NONE)
    }

    fn check(&self, subject: &SpanSubject<'_>) -> Finding {
        match self.count(subject.span) {
            Ok(tokens) => self.judge(tokens, Evidence::span(subject.ordinal, Field::Whole)),
            Err(missing) => Finding::error(format!("the recording holds no {missing} of `{}`", subject.span.name)),
        }
    }
}

impl ScopeCheck for Tokens {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NONE)
    }

    fn check(&self, scope: &Scope<'_>) -> Finding {
        let mut sum: Option<u64> = None;
        for (ordinal, span) in model_calls(scope.spans()) {
            match self.count(span) {
                Ok(tokens) => sum = Some(sum.map_or(tokens, |s| s.saturating_add(tokens))),
                Err(missing) => {
                    let reason = format!("the recording holds no {missing} of `{}` in {}", span.name, scope.name());
                    return Finding::error(reason).with(Evidence::span(ordinal, Field::Whole));
                }
            }
        }
        match sum {
            Some(tokens) => self.judge(tokens, place(scope)),
            None => Finding::error(format!("the recording holds no call of a model in {}", scope.name())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, finding, status};
    use crate::model::Status::{Error, Fail, Pass};

    #[test]
    fn the_examples_hold() {
        examples::<Tokens>();
    }

    const TWO: &str = r#"{"id":"s","turns":[{"spans":[{"kind":"llm","name":"chat","usage":{"input":10,"output":5}},
        {"kind":"agent","name":"outer","usage":{"input":13,"output":9}},
        {"kind":"llm","name":"chat","usage":{"input":3,"output":4}}]}]}"#;

    #[test]
    fn only_calls_of_models_are_summed() {
        for (check, expected) in [
            ("max = 22\nmin = 22", Pass),
            ("max = 21", Fail),
            ("min = 23", Fail),
            ("max = 13\nof = 'input'", Pass),
            ("max = 8\nof = 'output'", Fail),
        ] {
            assert_eq!(status::<Tokens>(Level::Session, check, TWO), expected, "{check}");
            assert_eq!(status::<Tokens>(Level::Turn, check, TWO), expected, "{check}");
        }
        assert_eq!(finding::<Tokens>(Level::Turn, "max = 21", TWO).reason, "22 tokens, expected at most 21");
    }

    #[test]
    fn a_count_that_is_missing_is_an_error() {
        for (usage, of, expected) in [
            ("", "total", Error),
            (r#","usage":{}"#, "total", Error),
            (r#","usage":{"input":1}"#, "total", Error),
            (r#","usage":{"input":1}"#, "output", Error),
            (r#","usage":{"input":1}"#, "input", Pass),
        ] {
            let session = format!(r#"{{"id":"s","turns":[{{"spans":[{{"kind":"llm","name":"chat"{usage}}}]}}]}}"#);
            for level in [Level::Span, Level::Turn, Level::Session] {
                assert_eq!(
                    status::<Tokens>(level, &format!("max = 9\nof = '{of}'"), &session),
                    expected,
                    "{usage} {of}"
                );
            }
        }
        assert_eq!(status::<Tokens>(Level::Session, "max = 9", r#"{"id":"s","turns":[{}]}"#), Error);
    }

    #[test]
    fn a_sum_never_overflows_to_a_pass() {
        let most = u64::MAX;
        let session = format!(
            r#"{{"id":"s","spans":[{{"kind":"llm","name":"a","usage":{{"input":{most},"output":1}}}},
            {{"kind":"llm","name":"a","usage":{{"input":{most},"output":9}}}}]}}"#
        );
        assert_eq!(status::<Tokens>(Level::Session, "max = 100", &session), Fail);
    }

    #[test]
    fn bounds_that_cannot_be_meant_are_refused() {
        for bad in ["", "max = -1", "max = 1.5", "min = 2\nmax = 1", "max = 1\nof = 'cached'"] {
            assert!(build::<Tokens>(Level::Span, bad).is_err(), "{bad}");
        }
    }
}
