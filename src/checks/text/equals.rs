//! `equals`: the text is exactly a string.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{LEVELS, Of, compile, diff};
use crate::checks::build::{Build, Example, Params};
use crate::checks::{Compiled, TextCheck};
use crate::model::{Finding, Level};

/// The text is exactly a string.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Equals {
    /// Which text is looked at.
    of: Option<Of>,
    /// The string.
    value: String,
    /// Capitals and small letters are the same: both texts are compared in Unicode lower case.
    #[serde(default)]
    ignore_case: bool,
    /// White space at both ends of both texts does not count.
    #[serde(default)]
    trim: bool,
}

impl Params for Equals {
    const NAME: &'static str = "equals";
    const LEVELS: &'static [Level] = LEVELS;
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[turn]]
id          = "answers-yes"
on          = { index = -1 }
check       = "equals"
value       = "yes"
ignore_case = true
trim        = true
"#,
        passes: r#"{"id":"a","turns":[{"reply":"One moment."},{"reply":"Yes\n"}]}"#,
        fails: r#"{"id":"b","turns":[{"reply":"Yes, of course."}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let Self { of, value, ignore_case, trim } = self;
        let mut ready = Ready { value: String::new(), ignore_case, trim };
        ready.value = ready.normal(&value);
        compile(build, of, ready)
    }
}

struct Ready {
    value: String,
    ignore_case: bool,
    trim: bool,
}

impl Ready {
    fn normal(&self, text: &str) -> String {
        let text = if self.trim { text.trim() } else { text };
        if self.ignore_case { text.to_lowercase() } else { text.to_owned() }
    }
}

impl TextCheck for Ready {
    fn check(&self, text: &str) -> Finding {
        let actual = self.normal(text);
        Finding::of(actual == self.value, || diff::explain(&self.value, &actual))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{examples, finding, status};
    use crate::model::Status::{Fail, Pass};

    #[test]
    fn the_examples_hold() {
        examples::<Equals>();
    }

    #[test]
    fn case_and_outer_space_count_unless_told_otherwise() {
        let session = r#"{"id":"s","turns":[{"reply":" ÄB c\n"}]}"#;
        for (check, expected) in [
            ("value = \" ÄB c\\n\"", Pass),
            ("value = 'ÄB c'", Fail),
            ("value = 'ÄB c'\ntrim = true", Pass),
            ("value = ' äb C'\ntrim = true\nignore_case = true", Pass),
            ("value = 'äb C'\nignore_case = true", Fail),
            ("value = ''", Fail),
        ] {
            assert_eq!(status::<Equals>(Level::Turn, check, session), expected, "{check}");
        }
    }

    #[test]
    fn the_reason_shows_the_first_difference() {
        let session = r#"{"id":"s","turns":[{"reply":"no"}]}"#;
        let reason = finding::<Equals>(Level::Session, "value = 'yes'", session).reason;
        assert!(reason.contains("expected \"yes\", got \"no\"") && reason.contains("character 1"), "{reason}");
    }
}
