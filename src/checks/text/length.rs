//! `length`: the text is not too short and not too long.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{LEVELS, Of, compile};
use crate::checks::build::{Build, Example, Params};
use crate::checks::{Compiled, TextCheck};
use crate::model::{Finding, Level};

/// The length of the text lies within bounds, both included.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// Which text is looked at.
    of: Option<Of>,
    /// At least this long.
    min: Option<u64>,
    /// At most this long.
    max: Option<u64>,
    /// What is counted.
    #[serde(default)]
    unit: Unit,
}

/// What a length counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Characters (Unicode scalar values).
    #[default]
    Chars,
    /// Words: what white space separates.
    Words,
}

impl Params for Length {
    const NAME: &'static str = "length";
    const LEVELS: &'static [Level] = LEVELS;
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[turn]]
id    = "brief"
check = "length"
max   = 10
unit  = "words"
"#,
        passes: r#"{"id":"a","turns":[{"reply":"Your flight leaves at 9."}]}"#,
        fails: r#"{"id":"b","turns":[{"reply":"I would be so very happy to help you find out when it leaves."}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let Self { of, min, max, unit } = self;
        bounds(build, min, max)?;
        compile(build, of, Ready { min, max, unit })
    }
}

/// Reports bounds that nothing or everything meets.
pub fn bounds<T: PartialOrd + Copy>(build: &mut Build<'_>, min: Option<T>, max: Option<T>) -> Option<()> {
    match (min, max) {
        (None, None) => {
            build.problem(&[], "nothing is asked for", "give `min`, `max` or both".to_owned());
            None
        }
        (Some(min), Some(max)) if min > max => {
            build.problem(&["min"], "`min` is greater than `max`: nothing can pass", None);
            None
        }
        _ => Some(()),
    }
}

struct Ready {
    min: Option<u64>,
    max: Option<u64>,
    unit: Unit,
}

impl TextCheck for Ready {
    fn check(&self, text: &str) -> Finding {
        let (length, unit) = match self.unit {
            Unit::Chars => (text.chars().count() as u64, "characters"),
            Unit::Words => (text.split_whitespace().count() as u64, "words"),
        };
        match (self.min, self.max) {
            (Some(min), _) if length < min => Finding::fail(format!("{length} {unit}, expected at least {min}")),
            (_, Some(max)) if length > max => Finding::fail(format!("{length} {unit}, expected at most {max}")),
            _ => Finding::pass(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, finding, status};
    use crate::model::Status::{Fail, Pass};

    #[test]
    fn the_examples_hold() {
        examples::<Length>();
    }

    #[test]
    fn characters_are_not_bytes_and_bounds_are_included() {
        let session = r#"{"id":"s","turns":[{"reply":"äö ü"}]}"#;
        for (check, expected) in [
            ("min = 4\nmax = 4", Pass),
            ("min = 5", Fail),
            ("max = 3", Fail),
            ("max = 2\nunit = 'words'", Pass),
            ("max = 1\nunit = 'words'", Fail),
            ("max = 0", Fail),
        ] {
            assert_eq!(status::<Length>(Level::Turn, check, session), expected, "{check}");
        }
        assert_eq!(finding::<Length>(Level::Turn, "max = 3", session).reason, "4 characters, expected at most 3");
    }

    #[test]
    fn bounds_that_nothing_or_everything_meets_are_refused() {
        for bad in ["", "min = 3\nmax = 2", "min = -1", "unit = 'words'", "max = 1\nunit = 'bytes'"] {
            assert!(build::<Length>(Level::Turn, bad).is_err(), "{bad}");
        }
    }
}
