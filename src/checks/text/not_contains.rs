//! `not_contains`: the text contains none of the strings, or nothing that a detector finds.

use schemars::JsonSchema;
use serde::Deserialize;

use super::needles::{Needles, Wanted};
use super::{LEVELS, Of, compile};
use crate::checks::build::{Build, Example, Params};
use crate::checks::{Compiled, TextCheck};
use crate::model::{Evidence, Field, Finding, Level, Status};

/// The text contains none of the strings given, or nothing that any of the detectors finds.
///
/// What a detector found is shown masked. The marker that redaction leaves, `[redacted:<detector>]`, counts as found.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotContains {
    /// Which text is looked at.
    of: Option<Of>,
    /// The string.
    value: Option<String>,
    /// The strings: none of them may be there.
    values: Option<Vec<String>>,
    /// Detectors: `credit_card`, `iban`, `email`, `phone`, `ssn`, `ip`, `secret`, or `custom.<name>` from the settings.
    detect: Option<Vec<String>>,
    /// Capitals and small letters are the same, in every script (Unicode simple case folding: `Ä` is `ä`, but `ß` is
    /// not `SS`).
    #[serde(default)]
    ignore_case: bool,
}

impl Params for NotContains {
    const NAME: &'static str = "not_contains";
    const LEVELS: &'static [Level] = LEVELS;
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: r#"
[[turn]]
id       = "no-card-numbers"
check    = "not_contains"
detect   = ["credit_card", "iban", "secret"]
severity = "critical"
"#,
            passes: r#"{"id":"a","turns":[{"reply":"I charged the card ending in 1111 for order 4111111111111112."}]}"#,
            fails: r#"{"id":"b","turns":[{"reply":"I charged 4111 1111 1111 1111."}]}
{"id":"c","turns":[{"reply":"I charged [redacted:credit_card]."}]}"#,
        },
        Example {
            check: r#"
[[session]]
id          = "stays-polite"
check       = "not_contains"
of          = "replies"
values      = ["stupid", "shut up"]
ignore_case = true
"#,
            passes: r#"{"id":"a","turns":[{"reply":"Gladly."},{"reply":"You are welcome."}]}"#,
            fails: r#"{"id":"b","turns":[{"reply":"Shut up."},{"reply":"You are welcome."}]}"#,
        },
    ];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let Self { of, value, values, detect, ignore_case } = self;
        let needles = Wanted { value, values, detect, ignore_case }.compile(build)?;
        compile(build, of, Ready(needles))
    }
}

struct Ready(Needles);

impl TextCheck for Ready {
    fn settles(&self) -> Option<Status> {
        Some(Status::Fail)
    }

    fn detects(&self) -> Option<(Vec<String>, Status)> {
        self.0.detectors().map(|names| (names.to_vec(), Status::Fail))
    }

    fn check(&self, text: &str) -> Finding {
        if self.0.plainly_none(text) {
            return Finding::pass();
        }
        let found: Vec<_> =
            self.0.find(text).into_iter().enumerate().filter_map(|(i, range)| Some((i, range?))).collect();
        if found.is_empty() {
            return Finding::pass();
        }
        let names: Vec<String> = found.iter().map(|(i, range)| self.0.hit(*i, &text[range.clone()])).collect();
        found.into_iter().fold(Finding::fail(format!("contains {}", names.join(", "))), |finding, (_, range)| {
            finding.with(Evidence::session(Field::Whole).within(range))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, finding};

    #[test]
    fn the_examples_hold() {
        examples::<NotContains>();
    }

    #[test]
    fn a_detected_secret_is_masked_in_the_reason() {
        let session = r#"{"id":"s","turns":[{"reply":"card 4111 1111 1111 1111, mail a.person@example.com"}]}"#;
        let found = finding::<NotContains>(Level::Turn, "detect = ['email', 'credit_card', 'ip']", session);
        assert_eq!(found.reason, "contains email a.p…com, credit_card 411…111");
        assert_eq!(found.evidence[1], Evidence::turn(0, Field::Reply).within(5..24));
    }

    #[test]
    fn match_any_is_refused_because_it_would_read_as_its_opposite() {
        assert!(build::<NotContains>(Level::Turn, "values = ['a', 'b']\nmatch = 'any'").is_err());
    }
}
