//! `value`: a value in an operation's arguments or result is as expected.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Side;
use crate::checks::build::{Build, Example, Params};
use crate::checks::conform::parse;
use crate::checks::matcher::Matcher;
use crate::checks::path::Path;
use crate::checks::subject::SpanSubject;
use crate::checks::text::quote;
use crate::checks::withheld::Reads;
use crate::checks::{Compiled, SpanCheck};
use crate::model::{Evidence, Finding, Level};

/// The value at a path in what came out of an operation (or went into it) is as expected.
///
/// A JSONPath that names several values passes when there is at least one and all of them match. A path that leads
/// nowhere fails, unless `is` is `{ "$absent" = true }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValueCheck {
    /// Which side of the operation is looked at.
    #[serde(default = "output")]
    of: Side,
    /// Where the value is; `$` is the whole, also where that is a plain text.
    path: Path,
    /// What it should be.
    is: Matcher,
}

fn output() -> Side {
    Side::Output
}

impl Params for ValueCheck {
    const NAME: &'static str = "value";
    const LEVELS: &'static [Level] = &[Level::Span];
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[span]]
id    = "small-refunds-only"
on    = { kind = "tool", name = "refund" }
check = "value"
of    = "input"
path  = "payment.amount"
is    = { "$lte" = 100 }
"#,
        passes: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"refund","input":{"payment":{"amount":99.5}}}]}]}"#,
        fails: r#"{"id":"b","turns":[{"spans":[{"kind":"tool","name":"refund","input":{"payment":{"amount":250}}}]}]}
{"id":"c","turns":[{"spans":[{"kind":"tool","name":"refund","input":{"amount":99.5}}]}]}"#,
    }];

    fn build(self, _: &mut Build<'_>) -> Option<Compiled> {
        Some(Compiled::Span(Box::new(self)))
    }
}

impl SpanCheck for ValueCheck {
    fn reads(&self) -> Reads {
        Reads::only(self.of.part())
    }

    fn check(&self, subject: &SpanSubject<'_>) -> Finding {
        let (payload, place) = match self.of.of(subject) {
            Ok(found) => found,
            Err(missing) => return missing,
        };
        if let Some(value) = payload.json() {
            return self.judge(value, &place);
        }
        match parse(payload.as_str()) {
            Ok(value) => self.judge(&value, &place),
            Err(finding) if finding.score.is_some() && self.path.is_root() => {
                self.judge(&Value::String(payload.as_str().to_owned()), &place)
            }
            Err(mut finding) => {
                finding.reason = format!("the {} of `{}` is {}", self.of.name(), subject.span.name, finding.reason);
                finding.with(place)
            }
        }
    }
}

impl ValueCheck {
    fn judge(&self, value: &Value, place: &Evidence) -> Finding {
        let found = self.path.locate(value);
        if found.is_empty() {
            let reason = || format!("there is nothing at `{}`, expected {}", self.path, self.is);
            let finding = Finding::of(self.is.matches(None), reason);
            return if finding.reason.is_empty() { finding } else { finding.with(place.clone()) };
        }
        let wrong: Vec<_> = found.iter().filter(|(_, v)| !self.is.matches(Some(v))).collect();
        let Some((pointer, first)) = wrong.first() else { return Finding::pass() };
        let mut reason = format!("`{}` is {}, expected {}", self.path, show(first), self.is);
        if found.len() > 1 {
            reason = format!(
                "{} of {} values: {pointer} is {}, expected {}",
                wrong.len(),
                found.len(),
                show(first),
                self.is
            );
        }
        let score = (found.len() - wrong.len()) as f64 / found.len() as f64;
        wrong.iter().take(20).fold(Finding::fail(reason).scored(score), |finding, (pointer, _)| {
            finding.with(place.clone().at(pointer.as_str()))
        })
    }
}

/// A value for a reason: as JSON, cut to a bearable length.
fn show(value: &Value) -> String {
    match value {
        Value::String(s) => quote(s),
        other => {
            let text = other.to_string();
            match text.char_indices().nth(200) {
                None => text,
                Some((cut, _)) => format!("{}…", &text[..cut]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, finding, status};
    use crate::model::Field;
    use crate::model::Status::{Error, Fail, Pass};

    #[test]
    fn the_examples_hold() {
        examples::<ValueCheck>();
    }

    fn output(json: &str) -> String {
        format!(r#"{{"id":"s","spans":[{{"kind":"tool","name":"f","output":{json}}}]}}"#)
    }

    #[test]
    fn the_value_at_the_path_is_compared() {
        let json = r#"{"order":{"items":[{"price":1},{"price":20}],"id":"x"}}"#;
        for (check, expected) in [
            ("path = 'order.items[1].price'\nis = 20.0", Pass),
            ("path = 'order.items[1].price'\nis = '20'", Fail),
            ("path = 'order.items[2].price'\nis = 20", Fail),
            ("path = 'order.items[2].price'\nis = { '$absent' = true }", Pass),
            ("path = 'order.id'\nis = { '$absent' = true }", Fail),
            ("path = '$.order.items[*].price'\nis = { '$gte' = 1 }", Pass),
            ("path = '$.order.items[*].price'\nis = { '$gte' = 2 }", Fail),
            ("path = '$.order.items[*].weight'\nis = { '$any' = true }", Fail),
            ("path = '$.order.items[?@.price > 100]'\nis = { '$absent' = true }", Pass),
        ] {
            assert_eq!(status::<ValueCheck>(Level::Span, check, &output(json)), expected, "{check}");
        }
    }

    #[test]
    fn the_reason_shows_expected_and_actual() {
        let found = finding::<ValueCheck>(Level::Span, "path = 'a'\nis = { '$lte' = 1 }", &output(r#"{"a":2}"#));
        assert_eq!(found.reason, r#"`a` is 2, expected {"$lte":1}"#);
        assert_eq!(found.evidence, [Evidence::span(0, Field::Output).at("/a")]);
        let found = finding::<ValueCheck>(Level::Span, "path = '$[*]'\nis = 1", &output("[1,2,3,1]"));
        assert_eq!(found.reason, "2 of 4 values: /1 is 2, expected 1");
        assert_eq!((found.score, found.evidence.len()), (Some(0.5), 2));
    }

    #[test]
    fn a_text_that_is_no_json_has_a_whole_but_no_parts() {
        let text = output(r#""all done""#);
        assert_eq!(status::<ValueCheck>(Level::Span, "path = '$'\nis = 'all done'", &text), Pass);
        assert_eq!(status::<ValueCheck>(Level::Span, "path = 'a'\nis = { '$absent' = true }", &text), Fail);
        let deep = output(&format!("\"{}\"", "[".repeat(500)));
        assert_eq!(status::<ValueCheck>(Level::Span, "path = '$'\nis = 'x'", &deep), Error);
        let none = r#"{"id":"s","spans":[{"kind":"tool","name":"f"}]}"#;
        assert_eq!(status::<ValueCheck>(Level::Span, "path = 'a'\nis = { '$absent' = true }", none), Error);
    }

    #[test]
    fn a_bad_path_or_matcher_is_refused() {
        assert!(build::<ValueCheck>(Level::Span, "path = 'a..b'\nis = 1").err().unwrap().contains("not a path"));
        assert!(build::<ValueCheck>(Level::Span, "path = 'a'\nis = { '$foo' = 1 }").is_err());
        assert!(build::<ValueCheck>(Level::Span, "path = 'a'").is_err());
    }
}
