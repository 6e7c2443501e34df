//! `matches` and `not_matches`: a regular expression is found in the text, or is not.

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{LEVELS, Of, compile, quote};
use crate::checks::build::{Build, Example, Params};
use crate::checks::matcher::regex_message;
use crate::checks::{Compiled, TextCheck};
use crate::model::{Evidence, Field, Finding, Level, Status};

/// A regular expression is found in the text. Write `^...$` to match the whole text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Matches {
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

impl Params for Matches {
    const NAME: &'static str = "matches";
    const LEVELS: &'static [Level] = LEVELS;
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[session]]
id    = "confirms-with-a-number"
check = "matches"
value = 'confirmation number is [A-Z0-9]{6}\b'
"#,
        passes: r#"{"id":"a","turns":[{"reply":"Done. Your confirmation number is EHGLP3."}]}"#,
        fails: r#"{"id":"b","turns":[{"reply":"Done. Your confirmation number is on its way."}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let Self { of, value, ignore_case, trim } = self;
        let regex = regex(build, &value, ignore_case)?;
        compile(build, of, Found { regex, trim })
    }
}

/// The regular expression of `value`, or a problem there.
pub(super) fn regex(build: &mut Build<'_>, value: &str, ignore_case: bool) -> Option<Regex> {
    match RegexBuilder::new(value).case_insensitive(ignore_case).build() {
        Ok(regex) => Some(regex),
        Err(e) => {
            let help = "to look for plain text, use `contains`".to_owned();
            build.problem(&["value"], regex_message(&e), help);
            None
        }
    }
}

/// The text without outer white space when it is not to count, and where it begins.
pub(super) fn trimmed(text: &str, trim: bool) -> (usize, &str) {
    let shorter = text.trim_start();
    if trim { (text.len() - shorter.len(), shorter.trim_end()) } else { (0, text) }
}

struct Found {
    regex: Regex,
    trim: bool,
}

impl TextCheck for Found {
    fn settles(&self) -> Option<Status> {
        Some(Status::Pass)
    }

    fn check(&self, text: &str) -> Finding {
        let (_, text) = trimmed(text, self.trim);
        Finding::of(self.regex.is_match(text), || format!("does not match `{}`: {}", self.regex, quote(text)))
    }
}

pub(super) struct NotFound {
    pub regex: Regex,
    pub trim: bool,
}

impl TextCheck for NotFound {
    fn settles(&self) -> Option<Status> {
        Some(Status::Fail)
    }

    fn check(&self, text: &str) -> Finding {
        let (offset, text) = trimmed(text, self.trim);
        match self.regex.find(text) {
            None => Finding::pass(),
            Some(found) => Finding::fail(format!("matches `{}`: {}", self.regex, quote(found.as_str())))
                .with(Evidence::session(Field::Whole).within(offset + found.start()..offset + found.end())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, status};
    use crate::model::Status::{Fail, Pass};

    #[test]
    fn the_examples_hold() {
        examples::<Matches>();
    }

    #[test]
    fn it_searches_rather_than_matching_the_whole() {
        let session = r#"{"id":"s","turns":[{"reply":" Order 12\nshipped "}]}"#;
        for (check, expected) in [
            (r"value = '\d+'", Pass),
            ("value = 'order'", Fail),
            ("value = 'order'\nignore_case = true", Pass),
            ("value = '^Order'", Fail),
            ("value = '^Order'\ntrim = true", Pass),
            ("value = '^shipped'", Fail),
            ("value = '(?m)^shipped'", Pass),
            ("value = '12.shipped'", Fail),
            ("value = '(?s)12.shipped'", Pass),
        ] {
            assert_eq!(status::<Matches>(Level::Turn, check, session), expected, "{check}");
        }
    }

    #[test]
    fn a_bad_regular_expression_is_a_problem_at_its_value() {
        let problem = build::<Matches>(Level::Turn, "value = '('").err().unwrap();
        assert!(problem.starts_with("value: bad regular expression: unclosed group"), "{problem}");
    }
}
