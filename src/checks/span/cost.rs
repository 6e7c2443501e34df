//! `cost`: what an operation, a turn or a session cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::duration::place;
use crate::checks::build::{Build, Example, Params};
use crate::checks::prices::{Origin, Prices};
use crate::checks::subject::{Scope, SpanSubject};
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, ScopeCheck, SpanCheck};
use crate::model::{Evidence, Field, Finding, Level, NanoUsd, Session, model_calls};

/// The operation, turn or session cost no more than this.
///
/// The recorded cost of a call wins; else its tokens are priced by `[prices]` in `seatrial.toml`, and by the built-in
/// table of common models after that (`seatrial explain settings`); the reason says which it was. Cached and reasoning
/// tokens are priced apart. Over a turn or session the calls of models are summed (of a model span around another, the
/// inner one only); a session's numeric attribute `cost_usd` wins over that sum. It is an error when a call has neither
/// cost nor tokens, when no price is known of its model, or when there is no call of a model at all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// At most this many US dollars.
    #[schemars(range(min = 0.0))]
    max_usd: f64,
}

impl Params for Cost {
    const NAME: &'static str = "cost";
    const LEVELS: &'static [Level] = &[Level::Span, Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: r#"
[[span]]
id      = "cheap-calls"
on      = { kind = "llm" }
check   = "cost"
max_usd = 0.01
"#,
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"llm","name":"chat","model":"gpt-4o-mini","usage":{"input":2000,"output":80}}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"llm","name":"chat","model":"gpt-4o","usage":{"input":2000,"output":800}}]}]}"#,
        },
        Example {
            check: r#"
[[session]]
id      = "cost-of-a-session"
check   = "cost"
max_usd = 0.05
"#,
            passes: r#"{"id":"a","turns":[{"spans":[{"kind":"llm","name":"chat","cost_usd":0.02}]},{"spans":[{"kind":"llm","name":"chat","cost_usd":0.03}]}]}"#,
            fails: r#"{"id":"b","turns":[{"spans":[{"kind":"llm","name":"chat","cost_usd":0.02}]},{"spans":[{"kind":"llm","name":"chat","cost_usd":0.030000001}]}]}"#,
        },
    ];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let max = NanoUsd::from_usd(self.max_usd).filter(|max| max.0 >= 0);
        let Some(max) = max else {
            build.problem(&["max_usd"], "an amount is a number of US dollars, 0 or more", None);
            return None;
        };
        let bound = Bound { max, prices: build.kit.prices.clone() };
        let level = build.level;
        Some(if level == Level::Span { Compiled::Span(Box::new(bound)) } else { Compiled::scope(level, bound) })
    }

    fn priced(_: &Value) -> bool {
        true
    }
}

struct Bound {
    max: NanoUsd,
    prices: Arc<Prices>,
}

impl Bound {
    fn judge(&self, what: &str, cost: NanoUsd, from: &BTreeMap<Origin, u64>, place: Evidence) -> Finding {
        if cost <= self.max {
            return Finding::pass();
        }
        let (cost, max) = (dollars(cost), dollars(self.max));
        Finding::fail(format!("{what} cost {cost}, expected at most {max} ({})", sources(from))).with(place)
    }
}

/// An amount with all its decimal places and no more.
fn dollars(amount: NanoUsd) -> String {
    let text = format!("{}.{:09}", amount.0 / 1_000_000_000, amount.0 % 1_000_000_000);
    let text = text.trim_end_matches('0');
    format!("{} USD", text.strip_suffix('.').unwrap_or(text))
}

/// Where costs were taken from, with how many calls each where there is more than one.
fn sources(from: &BTreeMap<Origin, u64>) -> String {
    let name = |origin: &Origin| match origin {
        Origin::Recorded => "as recorded".to_owned(),
        Origin::Settings => "by [prices] in seatrial.toml".to_owned(),
        Origin::Default => format!("by the built-in prices of {}", Prices::as_of()),
    };
    let parts = from.iter().map(|(origin, calls)| match from.len() {
        1 => name(origin),
        _ => format!("{calls} of {} calls {}", from.values().sum::<u64>(), name(origin)),
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// What a session as a whole cost by its own word; `None` when it does not say.
pub(in crate::checks) fn own(session: &Session<'_>) -> Option<Result<NanoUsd, String>> {
    let value = session.attributes.get("cost_usd")?;
    let number = value.json().filter(|_| value.is_json()).and_then(Value::as_f64);
    let cost = number.and_then(NanoUsd::from_usd).filter(|cost| cost.0 >= 0);
    Some(cost.ok_or_else(|| "the attribute `cost_usd` of the session is not an amount of money".to_owned()))
}

impl SpanCheck for Bound {
    fn reads(&self) -> Reads {
        Reads::only(Parts::MODEL)
    }

    fn check(&self, subject: &SpanSubject<'_>) -> Finding {
        let place = Evidence::span(subject.ordinal, Field::Whole);
        match self.prices.cost(subject.span) {
            Ok((cost, origin)) => {
                self.judge(&format!("`{}`", subject.span.name), cost, &BTreeMap::from([(origin, 1)]), place)
            }
            Err(why) => Finding::error(why).with(place),
        }
    }
}

impl ScopeCheck for Bound {
    fn reads(&self) -> Reads {
        // The session may say itself what it cost, by an attribute.
        Reads::only(Parts::MODEL | Parts::ATTRIBUTES)
    }

    fn check(&self, scope: &Scope<'_>) -> Finding {
        if let Some(own) = own(scope.scene.session).filter(|_| scope.turn.is_none()) {
            let judge = |cost| self.judge(&scope.name(), cost, &BTreeMap::from([(Origin::Recorded, 1)]), place(scope));
            return own.map_or_else(Finding::error, judge);
        }
        let calls = model_calls(scope.spans());
        if calls.is_empty() {
            return Finding::error(format!("the recording holds no call of a model in {}", scope.name()));
        }
        let (mut sum, mut from) = (0_i64, BTreeMap::new());
        for (ordinal, span) in calls {
            match self.prices.cost(span) {
                Ok((cost, origin)) => {
                    sum = sum.saturating_add(cost.0);
                    *from.entry(origin).or_default() += 1;
                }
                Err(why) => return Finding::error(why).with(Evidence::span(ordinal, Field::Whole)),
            }
        }
        self.judge(&scope.name(), NanoUsd(sum), &from, place(scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, finding, status};
    use crate::model::Status::{Error, Fail, Pass};

    #[test]
    fn the_examples_hold() {
        examples::<Cost>();
    }

    fn session(spans: &str) -> String {
        format!(r#"{{"id":"s","turns":[{{"spans":[{spans}]}}]}}"#)
    }

    const TOKENS: &str = r#"{"kind":"llm","name":"chat","model":"gpt-4o","usage":{"input":1000,"output":100}}"#;
    const RECORDED: &str =
        r#"{"kind":"llm","name":"chat","model":"no-such","cost_usd":0.0015,"usage":{"input":1,"output":1}}"#;

    #[test]
    fn tokens_are_priced_where_no_cost_is_recorded() {
        for (max, expected) in [("0.0035", Pass), ("0.003499999", Fail)] {
            for level in [Level::Span, Level::Turn, Level::Session] {
                assert_eq!(status::<Cost>(level, &format!("max_usd = {max}"), &session(TOKENS)), expected, "{max}");
            }
        }
        let reason = finding::<Cost>(Level::Turn, "max_usd = 0.001", &session(TOKENS)).reason;
        let expected = format!(
            "turn 1 cost 0.0035 USD, expected at most 0.001 USD (by the built-in prices of {})",
            Prices::as_of()
        );
        assert_eq!(reason, expected);
    }

    #[test]
    fn a_recorded_cost_wins_and_the_reason_says_where_each_is_from() {
        let both = session(&format!("{TOKENS},{RECORDED}"));
        assert_eq!(status::<Cost>(Level::Session, "max_usd = 0.005", &both), Pass);
        let reason = finding::<Cost>(Level::Session, "max_usd = 0", &both).reason;
        let expected = format!(
            "the session cost 0.005 USD, expected at most 0 USD (1 of 2 calls as recorded, 1 of 2 calls by the built-in \
             prices of {})",
            Prices::as_of()
        );
        assert_eq!(reason, expected);
    }

    #[test]
    fn a_sessions_own_cost_wins_over_the_sum_of_its_calls_but_not_for_a_turn() {
        let own = format!(r#"{{"id":"s","turns":[{{"spans":[{RECORDED}]}}],"attributes":{{"cost_usd":0.5}}}}"#);
        assert_eq!(status::<Cost>(Level::Session, "max_usd = 0.1", &own), Fail);
        assert_eq!(status::<Cost>(Level::Turn, "max_usd = 0.1", &own), Pass);
        for bad in [r#""0.5""#, "-1", "null", "1e300"] {
            let own = own.replace("0.5", bad);
            assert_eq!(status::<Cost>(Level::Session, "max_usd = 0.1", &own), Error, "{bad}");
        }
    }

    #[test]
    fn a_model_span_around_another_is_not_paid_twice() {
        let nested = r#"{"id":"a","kind":"llm","name":"outer","cost_usd":1},{"id":"b","parent":"a","kind":"llm","name":"inner","cost_usd":1}"#;
        assert_eq!(status::<Cost>(Level::Session, "max_usd = 1", &session(nested)), Pass);
    }

    #[test]
    fn what_cannot_be_priced_is_an_error() {
        for span in [
            r#"{"kind":"llm","name":"chat"}"#,
            r#"{"kind":"llm","name":"chat","model":"gpt-4o"}"#,
            r#"{"kind":"llm","name":"chat","model":"gpt-4o","usage":{"input":1}}"#,
            r#"{"kind":"llm","name":"chat","usage":{"input":1,"output":1}}"#,
            r#"{"kind":"llm","name":"chat","model":"no-such","usage":{"input":1,"output":1}}"#,
            r#"{"kind":"llm","name":"chat","cost_usd":-0.5}"#,
        ] {
            for level in [Level::Span, Level::Turn, Level::Session] {
                assert_eq!(status::<Cost>(level, "max_usd = 100", &session(span)), Error, "{span}");
            }
        }
        assert_eq!(status::<Cost>(Level::Session, "max_usd = 100", r#"{"id":"s","turns":[{}]}"#), Error);
    }

    #[test]
    fn bounds_that_cannot_be_meant_are_refused() {
        for bad in ["", "max_usd = -1", "max_usd = nan", "max_usd = 1e300"] {
            assert!(build::<Cost>(Level::Turn, bad).is_err(), "{bad}");
        }
    }
}
