//! `similar`: how much of a text is that of another.

use schemars::JsonSchema;
use serde::Deserialize;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::{LEVELS, Of, compile, diff};
use crate::checks::build::{Build, Example, Params};
use crate::checks::{Compiled, TextCheck};
use crate::model::{Finding, Level};

/// Longer texts are not diffed: the time would grow with the square of the length.
const MAX_CHARS: usize = 20_000;

/// The text is similar to another: the ratio of the characters that a diff (Myers) leaves in place, twice their number
/// over the length of both texts, is at least `min`. The ratio is the score.
///
/// Where one of the texts is longer than 20,000 characters the verdict is an error, unless the characters that occur
/// in both already show that the ratio cannot be reached.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Similar {
    /// Which text is looked at.
    of: Option<Of>,
    /// The text it should be similar to.
    to: String,
    /// The smallest ratio that passes, from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    min: f64,
}

impl Params for Similar {
    const NAME: &'static str = "similar";
    const LEVELS: &'static [Level] = LEVELS;
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[session]]
id    = "close-to-the-answer"
check = "similar"
to    = "The parcel arrives on Monday."
min   = 0.8
"#,
        passes: r#"{"id":"a","turns":[{"reply":"Your parcel arrives on Monday."}]}"#,
        fails: r#"{"id":"b","turns":[{"reply":"I do not know where it is."}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let Self { of, to, min } = self;
        if !(0.0..=1.0).contains(&min) {
            build.problem(&["min"], "a ratio lies between 0 and 1", None);
            return None;
        }
        if min == 0.0 {
            build.warn(&["min"], "every text has a ratio of at least 0: this always passes", None);
        }
        let chars: Vec<char> = to.chars().collect();
        compile(build, of, Ready { to, chars, min })
    }
}

struct Ready {
    to: String,
    chars: Vec<char>,
    min: f64,
}

impl TextCheck for Ready {
    fn check(&self, text: &str) -> Finding {
        let chars: Vec<char> = text.chars().collect();
        let longest = chars.len().max(self.chars.len());
        if longest > MAX_CHARS {
            let most = largest_ratio(&self.chars, &chars);
            return if most < self.min {
                let reason = format!("similar to at most {most:.3}, less than {}", self.min);
                Finding::fail(reason).scored(most)
            } else {
                Finding::error(format!("{longest} characters are too many to compare; the most is {MAX_CHARS}"))
            };
        }
        let ratio = ratio(&self.chars, &chars);
        Finding::of(ratio >= self.min, || {
            format!("similar to {ratio:.3}, less than {}; {}", self.min, diff::explain(&self.to, text))
        })
        .scored(ratio)
    }
}

/// Twice the number of characters left in place over the length of both; two empty texts are the same.
fn ratio(expected: &[char], actual: &[char]) -> f64 {
    let kept: usize = capture_diff_slices(Algorithm::Myers, expected, actual)
        .iter()
        .map(|op| if let DiffOp::Equal { len, .. } = op { *len } else { 0 })
        .sum();
    share(kept, expected, actual)
}

fn share(kept: usize, expected: &[char], actual: &[char]) -> f64 {
    let total = expected.len() + actual.len();
    if total == 0 { 1.0 } else { 2.0 * kept as f64 / total as f64 }
}

/// What the ratio is at most: as if every character that occurs in both could be left in place.
fn largest_ratio(expected: &[char], actual: &[char]) -> f64 {
    let (mut a, mut b) = (expected.to_vec(), actual.to_vec());
    a.sort_unstable();
    b.sort_unstable();
    let (mut i, mut j, mut common) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    share(common, expected, actual)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, finding};
    use crate::model::Status;
    use proptest::prelude::*;

    fn reply(text: &str) -> String {
        serde_json::json!({"id": "s", "turns": [{"reply": text}]}).to_string()
    }

    #[test]
    fn the_examples_hold() {
        examples::<Similar>();
    }

    #[test]
    fn the_ratio_is_the_score_and_the_reason_shows_the_difference() {
        let found = finding::<Similar>(Level::Turn, "to = 'abcd'\nmin = 0.75", &reply("bcde"));
        assert_eq!((found.status, found.score), (Status::Pass, Some(0.75)));
        let found = finding::<Similar>(Level::Turn, "to = 'abcd'\nmin = 0.76", &reply("bcde"));
        assert_eq!((found.status, found.score), (Status::Fail, Some(0.75)));
        assert!(found.reason.starts_with("similar to 0.750, less than 0.76; expected \"abcd\""), "{}", found.reason);
    }

    #[test]
    fn what_is_too_long_is_an_error_unless_it_clearly_fails() {
        let long = "ab".repeat(12_000);
        let check = "to = 'ababab'\nmin = 0.5";
        assert_eq!(finding::<Similar>(Level::Turn, check, &reply(&long)).status, Status::Fail);
        let check = format!("to = '{}'\nmin = 0.5", "ba".repeat(12_000));
        assert_eq!(finding::<Similar>(Level::Turn, &check, &reply(&long)).status, Status::Error);
    }

    #[test]
    fn a_ratio_beyond_one_is_a_problem() {
        assert!(build::<Similar>(Level::Turn, "to = 'a'\nmin = 1.5").is_err());
        assert!(build::<Similar>(Level::Turn, "to = 'a'\nmin = nan").is_err());
    }

    proptest! {
        #[test]
        fn the_bound_is_never_below_the_ratio(a in "[abc]{0,20}", b in "[abc]{0,20}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert!(ratio(&a, &b) <= largest_ratio(&a, &b));
            prop_assert_eq!(ratio(&a, &a), 1.0);
        }
    }
}
