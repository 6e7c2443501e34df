//! What was expected against what there is, as the page shows it: line by line, and within lines that replace each
//! other word by word.
//!
//! It is computed here, from the lines that were kept: what is kept stays plain text, and the page draws what it is
//! given.

use serde::Serialize;
use similar::{ChangeTag, DiffOp, InlineChange, InlineChangeOptions, TextDiff};

use crate::store::against::{Against, Change};

/// Longer lines that replace each other are shown whole, in bytes of all of them together: comparing words takes time
/// that grows faster than their number.
const MAX_REPLACED: usize = 8 << 10;

/// One thing expected against what there is.
#[derive(Debug, PartialEq, Serialize)]
pub struct Difference<'a> {
    what: &'a str,
    lines: Vec<Line>,
}

/// A line, in pieces: the first is as in the line that it replaces (and may be empty), the next is not, and so on in turn.
/// A line that replaces none, or one with little in common, is one piece.
#[derive(Debug, PartialEq, Serialize)]
pub struct Line(Change, Vec<String>);

impl<'a> Difference<'a> {
    /// The difference within each pair of lines of `against` that replace each other.
    pub fn of(against: &'a Against) -> Self {
        let side = |not: Change| -> String {
            against.lines.iter().filter(|(change, _)| *change != not).map(|(_, line)| format!("{line}\n")).collect()
        };
        let (expected, actual) = (side(Change::Actual), side(Change::Expected));
        let diff = TextDiff::from_lines(&expected, &actual);
        let mut lines = Vec::new();
        for op in diff.ops() {
            // No deadline: the same record must give the same page.
            if replaced(&diff, op) <= MAX_REPLACED {
                let changes = diff.iter_inline_changes_with_options_deadline(op, InlineChangeOptions::new(), None);
                lines.extend(changes.map(|change| Line::of(&change)));
            } else {
                lines.extend(diff.iter_changes(op).map(|change| Line::of(&change.into())));
            }
        }
        Self { what: &against.what, lines }
    }
}

/// Bytes of the lines that an operation replaces and puts in their place; 0 where it does only one of the two.
fn replaced(diff: &TextDiff<'_, '_, str>, op: &DiffOp) -> usize {
    match op {
        DiffOp::Replace { .. } => diff.iter_changes(op).map(|change| change.value().len()).sum(),
        _ => 0,
    }
}

impl Line {
    fn of(change: &InlineChange<'_, str>) -> Self {
        let tag = match change.tag() {
            ChangeTag::Equal => Change::Same,
            ChangeTag::Delete => Change::Expected,
            ChangeTag::Insert => Change::Actual,
        };
        let mut pieces = vec![String::new()];
        for (differs, text) in change.values() {
            let text = text.trim_end_matches('\n');
            // Every second piece differs.
            if *differs == (pieces.len() % 2 == 1) && !text.is_empty() {
                pieces.push(String::new());
            }
            if let Some(last) = pieces.last_mut() {
                last.push_str(text);
            }
        }
        // Punctuation and space alone make no line another one: it is shown whole.
        if !pieces.iter().step_by(2).any(|same| same.contains(char::is_alphanumeric)) {
            pieces = vec![pieces.concat()];
        }
        Self(tag, pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn against(lines: &[(Change, &str)]) -> Against {
        Against { what: "reply".to_owned(), lines: lines.iter().map(|(c, l)| (*c, (*l).to_owned())).collect() }
    }

    fn pieces(lines: &[(Change, &str)]) -> Vec<Vec<String>> {
        Difference::of(&against(lines)).lines.into_iter().map(|line| line.1).collect()
    }

    #[test]
    fn of_lines_that_replace_each_other_the_words_that_differ_are_marked() {
        use Change::{Actual, Expected, Same};
        let lines = [(Same, "find"), (Expected, "    to: Oslo, by rail"), (Actual, "    to: Bergen, by rail")];
        assert_eq!(
            pieces(&lines),
            [vec!["find"], vec!["    to: ", "Oslo", ", by rail"], vec!["    to: ", "Bergen", ", by rail"]]
        );
    }

    #[test]
    fn lines_with_little_in_common_and_long_ones_are_whole() {
        use Change::{Actual, Expected};
        assert_eq!(pieces(&[(Expected, "yes"), (Actual, "I would rather not")]), [["yes"], ["I would rather not"]]);
        let (a, b) = (format!("{} a", "w ".repeat(MAX_REPLACED)), format!("{} b", "w ".repeat(MAX_REPLACED)));
        assert_eq!(pieces(&[(Expected, &a), (Actual, &b)]), [[a], [b]]);
    }

    #[test]
    fn lines_that_share_only_punctuation_are_whole() {
        use Change::{Actual, Expected};
        let lines = [(Expected, "    order_id: \"A1\""), (Actual, "    query: \"hours\"")];
        assert_eq!(pieces(&lines), [[lines[0].1], [lines[1].1]]);
    }

    #[test]
    fn every_line_is_there_in_its_order() {
        use Change::{Actual, Expected, Same};
        let kept = against(&[
            (Same, "f"),
            (Expected, "a: 1"),
            (Expected, "b: 2"),
            (Actual, "a: 2"),
            (Same, ""),
            (Actual, "g"),
        ]);
        let drawn = Difference::of(&kept);
        let whole: Vec<_> = drawn.lines.into_iter().map(|Line(change, pieces)| (change, pieces.concat())).collect();
        assert_eq!(whole, kept.lines);
    }
}
