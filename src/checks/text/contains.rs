//! `contains`: the text contains strings, or something a detector finds.

use schemars::JsonSchema;
use serde::Deserialize;

use super::needles::{Needles, Wanted};
use super::{LEVELS, Of, compile};
use crate::checks::build::{Build, Example, Params};
use crate::checks::{Compiled, TextCheck};
use crate::model::{Evidence, Field, Finding, Level, Status};

/// The text contains a string, or several, or something that a detector finds.
///
/// The score is the share of strings or detectors that were found.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contains {
    /// Which text is looked at.
    of: Option<Of>,
    /// The string.
    value: Option<String>,
    /// The strings: all of them, unless `match = "any"`.
    values: Option<Vec<String>>,
    /// Detectors: `credit_card`, `iban`, `email`, `phone`, `ssn`, `ip`, `secret`, or `custom.<name>` from the settings.
    detect: Option<Vec<String>>,
    /// Capitals and small letters are the same, in every script (Unicode simple case folding: `Ä` is `ä`, but `ß` is
    /// not `SS`).
    #[serde(default)]
    ignore_case: bool,
    /// Whether all must be found, or any of them.
    #[serde(default, rename = "match")]
    amount: Amount,
}

/// How many of several must be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Amount {
    /// Every one.
    #[default]
    All,
    /// At least one.
    Any,
}

impl Params for Contains {
    const NAME: &'static str = "contains";
    const LEVELS: &'static [Level] = LEVELS;
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: r#"
[[turn]]
id     = "names-the-fee"
check  = "contains"
values = ["cancellation fee", "USD"]
"#,
            passes: r#"{"id":"a","turns":[{"user":"What does it cost?","reply":"The cancellation fee is 30 USD."}]}"#,
            fails: r#"{"id":"b","turns":[{"user":"What does it cost?","reply":"There is a cancellation fee."}]}"#,
        },
        Example {
            check: r#"
[[session]]
id     = "gives-a-contact"
check  = "contains"
detect = ["email", "phone"]
match  = "any"
"#,
            passes: r#"{"id":"a","turns":[{"reply":"Write to help@example.com."}]}"#,
            fails: r#"{"id":"b","turns":[{"reply":"Write to us."}]}"#,
        },
    ];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let Self { of, value, values, detect, ignore_case, amount } = self;
        let needles = Wanted { value, values, detect, ignore_case }.compile(build)?;
        compile(build, of, Ready { needles, amount })
    }
}

struct Ready {
    needles: Needles,
    amount: Amount,
}

impl TextCheck for Ready {
    fn settles(&self) -> Option<Status> {
        Some(Status::Pass)
    }

    fn detects(&self) -> Option<(Vec<String>, Status)> {
        self.needles.detectors().map(|names| (names.to_vec(), Status::Pass))
    }

    fn check(&self, text: &str) -> Finding {
        let found = self.needles.find(text);
        let missing: Vec<String> =
            (0..found.len()).filter(|i| found[*i].is_none()).map(|i| self.needles.name(i)).collect();
        let ok = match self.amount {
            Amount::All => missing.is_empty(),
            Amount::Any => missing.len() < found.len(),
        };
        let mut finding = Finding::of(ok, || match self.amount {
            Amount::All => format!("does not contain {}", missing.join(", ")),
            Amount::Any => format!("contains none of {}", missing.join(", ")),
        });
        if !ok {
            finding = finding.scored((found.len() - missing.len()) as f64 / found.len() as f64);
            for range in found.into_iter().flatten() {
                finding = finding.with(Evidence::session(Field::Whole).within(range));
            }
        }
        finding
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, finding, status};
    use crate::model::Status::{Fail, Pass};

    fn reply(text: &str) -> String {
        serde_json::json!({"id": "s", "turns": [{"reply": text}]}).to_string()
    }

    #[test]
    fn the_examples_hold() {
        examples::<Contains>();
    }

    #[test]
    fn all_must_be_found_unless_any_will_do() {
        let text = reply("one and two");
        for (check, expected) in [
            ("value = 'one'", Pass),
            ("value = 'One'", Fail),
            ("value = 'One'\nignore_case = true", Pass),
            ("values = ['one', 'two']", Pass),
            ("values = ['one', 'three']", Fail),
            ("values = ['one', 'three']\nmatch = 'any'", Pass),
            ("values = ['three', 'four']\nmatch = 'any'", Fail),
        ] {
            assert_eq!(status::<Contains>(Level::Turn, check, &text), expected, "{check}");
        }
    }

    #[test]
    fn the_reason_names_what_is_missing_and_the_score_what_was_found() {
        let found = finding::<Contains>(Level::Turn, "values = ['one', 'three', 'four', 'two']", &reply("one two"));
        assert_eq!(found.reason, "does not contain \"three\", \"four\"");
        assert_eq!(found.score, Some(0.5));
        let found = finding::<Contains>(Level::Turn, "detect = ['email']", &reply("one two"));
        assert_eq!(found.reason, "does not contain any email");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (bad, why) in [
            ("", "nothing to look for"),
            ("value = ''", "empty string"),
            ("values = []", "empty list"),
            ("detect = []", "empty list"),
            ("value = 'a'\nvalues = ['b']", "exclude each other"),
            ("detect = ['emial']", "did you mean `email`?"),
            ("detect = ['custom.order']", "there is no detector `custom.order`"),
            ("detect = ['email']\nignore_case = true", "no effect"),
            ("valu = 'a'", "unknown field `valu`"),
        ] {
            let problem = build::<Contains>(Level::Turn, bad).err().unwrap_or_default();
            assert!(problem.contains(why), "{bad}: {problem}");
        }
    }
}
