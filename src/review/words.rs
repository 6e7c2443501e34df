//! What is said to people of an item, in words.

use crate::ledger::Why;

/// Why an item goes to people. Before they have answered, nothing is said of how the judges voted.
pub fn why(why: &Why, blind: bool) -> String {
    match why {
        Why::Below { threshold } => format!("the check is less sure than {threshold}"),
        Why::Always => "every verdict of this check goes to a person".to_owned(),
        Why::Tag { tag } => format!("the tag `{tag}`"),
        Why::Severity { severity } => format!("its severity is {}", severity.name()),
        Why::Disagreement { .. } if blind => "the judges did not agree".to_owned(),
        Why::Disagreement { votes } => format!("the judges did not agree: {votes}"),
        Why::Quarantine => "a check of high risk failed in production".to_owned(),
        Why::Detector { detector } => format!("the detector `{detector}` found something"),
        Why::Audit { rate } => format!("drawn at random, as {} in 100 are", rate * 100.0),
    }
}

/// A number of things.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_the_judges_voted_is_said_after_the_answer_only() {
        let votes = Why::Disagreement { votes: "2 pass, 1 fail".into() };
        assert!(!why(&votes, true).contains("pass"));
        assert!(why(&votes, false).contains("2 pass, 1 fail"));
    }
}
