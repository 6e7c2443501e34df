//! US social security numbers.

use std::ops::Range;

use super::scan::{is_separator, runs, starts_apart};

/// Social security numbers, `123-45-6789` with dashes or spaces. Areas 000, 666 and 900 to 999, group 00 and serial
/// 0000 were never issued. Nine digits in one piece are one only right after `SSN` or `social security number`.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for run in runs(text, is_separator) {
        let range = run.groups[0].start..run.groups[run.groups.len() - 1].end;
        let lengths: Vec<usize> = run.groups.iter().map(Range::len).collect();
        let written = match lengths.as_slice() {
            [3, 2, 4] => same_separators(text, &run.groups),
            [9] => announced(&text[..range.start]),
            _ => false,
        };
        let digits: String = run.groups.iter().map(|g| &text[g.clone()]).collect();
        let word = |c: char| c.is_alphanumeric() || c == '_';
        // `12-345-67-8901` is one longer number: a separator before the first group belongs to it.
        let dashed = text[..range.start].ends_with('-') || text[range.end..].starts_with('-');
        if written
            && issued(&digits)
            && starts_apart(text, range.start)
            && !text[range.end..].starts_with(word)
            && !dashed
        {
            found.push(range);
        }
    }
    found
}

fn same_separators(text: &str, groups: &[Range<usize>]) -> bool {
    text[groups[0].end..groups[1].start] == text[groups[1].end..groups[2].start]
}

fn issued(digits: &str) -> bool {
    let (area, group, serial) = (&digits[..3], &digits[3..5], &digits[5..]);
    area != "000" && area != "666" && !area.starts_with('9') && group != "00" && serial != "0000"
}

/// Whether the text just before names the number.
fn announced(before: &str) -> bool {
    let words = before.trim_end_matches(|c: char| !c.is_alphanumeric());
    let words = words.strip_suffix("is").map_or(words, |w| w.trim_end_matches(|c: char| !c.is_alphanumeric()));
    let ends = |end: &str| {
        let tail = words.len().checked_sub(end.len()).and_then(|at| words.get(at..));
        tail.is_some_and(|t| t.eq_ignore_ascii_case(end))
    };
    ends("ssn") || ends("social security number") || ends("social security no") || ends("social security")
}

#[cfg(test)]
mod tests {
    use super::super::hits;
    use super::*;

    #[test]
    fn finds_social_security_numbers() {
        for text in ["123-45-6789", "123 45 6789", "899\u{2011}01\u{2011}0001"] {
            assert_eq!(hits(find, &format!("It is {text}.")), [text]);
        }
        assert_eq!(hits(find, "SSN: 123456789"), ["123456789"]);
        assert_eq!(hits(find, "your social security number is 123456789."), ["123456789"]);
    }

    #[test]
    fn leaves_other_numbers_alone() {
        for text in [
            "000-45-6789",
            "666-45-6789",
            "900-45-6789",
            "123-00-6789",
            "123-45-0000",
            "123-456-7890",
            "123-45 6789",
            "order 123456789",
            "1123-45-6789",
            "123-45-67890",
            "A123-45-6789",
            "12-123-45-6789",
            "-123-45-6789",
        ] {
            assert_eq!(hits(find, text), [""; 0], "{text}");
        }
    }
}
