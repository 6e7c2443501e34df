//! `not_matches`: a regular expression is not found in the text.

use schemars::JsonSchema;
use serde::Deserialize;

use super::matches::{NotFound, regex};
use super::{LEVELS, Of, compile};
use crate::checks::Compiled;
use crate::checks::build::{Build, Example, Params};
use crate::model::Level;

/// A regular expression is not found anywhere in the text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotMatches {
    /// Which text is looked at.
    of: Option<Of>,
    /// The regular expression, in the syntax of Rust's `regex` crate; `(?m)` makes `^` and `$` match at lines, `(?s)`
    /// lets `.` match a line break.
    value: String,
    /// Capitals and small letters are the same, in every script.
    #[serde(default)]
    ignore_case: bool,
    /// White space at both ends of the text is taken away first.
    #[serde(default)]
    trim: bool,
}

impl Params for NotMatches {
    const NAME: &'static str = "not_matches";
    const LEVELS: &'static [Level] = LEVELS;
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[turn]]
id          = "no-apology-loop"
check       = "not_matches"
value       = 'as an? (ai|language) model'
ignore_case = true
"#,
        passes: r#"{"id":"a","turns":[{"reply":"Your flight leaves at 9."}]}"#,
        fails: r#"{"id":"b","turns":[{"reply":"As an AI model, I cannot say."}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let Self { of, value, ignore_case, trim } = self;
        let regex = regex(build, &value, ignore_case)?;
        compile(build, of, NotFound { regex, trim })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{examples, finding};
    use crate::model::{Evidence, Field, Status};

    #[test]
    fn the_examples_hold() {
        examples::<NotMatches>();
    }

    #[test]
    fn the_evidence_is_where_it_was_found() {
        let session = r#"{"id":"s","turns":[{"reply":"  order 12"}]}"#;
        for trim in [true, false] {
            let found = finding::<NotMatches>(Level::Turn, &format!("value = '\\d+'\ntrim = {trim}"), session);
            assert_eq!(found.status, Status::Fail);
            assert_eq!(found.evidence, [Evidence::turn(0, Field::Reply).within(8..10)]);
        }
    }
}
