//! Telephone numbers.

use std::ops::Range;

use super::scan::{before, is_separator};

/// Telephone numbers in these forms, where `.` and `/` may stand for a dash:
///
/// - international: `+` and 8 to 15 digits, with or without separators;
/// - North American: `(555) 123-4567`, `555-123-4567`, `1-555-123-4567`, with separators;
/// - national with a leading 0, 9 to 12 digits, with separators: `030 1234567`, `06 12 34 56 78`, `0049 30 1234567`.
///
/// Digits in one piece without `+` are never one: they cannot be told from an order number.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        if !matches!(bytes[i], b'+' | b'(' | b'0'..=b'9') {
            i += 1;
            continue;
        }
        let stretch = Stretch::read(text, i);
        stretch.phones(text, &mut found);
        i = stretch.end().max(i + 1);
    }
    found
}

/// Groups of digits with brackets and separators between them.
struct Stretch {
    start: usize,
    plus: bool,
    groups: Vec<Group>,
}

struct Group {
    range: Range<usize>,
    /// A plain space stands before it (and possibly a bracket): a number may begin here or end there.
    spaced: bool,
    /// A dot stands before it.
    dotted: bool,
    /// It stands in brackets.
    bracketed: bool,
}

impl Stretch {
    fn read(text: &str, start: usize) -> Self {
        let bytes = text.as_bytes();
        let plus = bytes[start] == b'+';
        let mut i = start + usize::from(plus);
        let mut groups = Vec::new();
        // What stood since the last digit: at most two characters, as in `) ` or ` (`.
        let (mut gap, mut spaced, mut dotted, mut open) = (0, false, false, false);
        while let Some(c) = text[i..].chars().next() {
            if c.is_ascii_digit() {
                let end = i + bytes[i..].iter().take_while(|b| b.is_ascii_digit()).count();
                let bracketed = open && bytes.get(end) == Some(&b')');
                groups.push(Group { range: i..end, spaced, dotted, bracketed });
                i = end;
                (gap, spaced, dotted) = (0, false, false);
                continue;
            }
            match c {
                '(' if !open => open = true,
                ')' if open => open = false,
                '.' => dotted = true,
                '/' => {}
                c if is_separator(c) => spaced = gap == 0 && c.is_whitespace(),
                _ => break,
            }
            gap += 1;
            if gap > 2 {
                break;
            }
            i += c.len_utf8();
        }
        Self { start, plus, groups }
    }

    fn end(&self) -> usize {
        self.groups.last().map_or(self.start, |g| g.range.end)
    }

    /// The telephone numbers in it: stretches of groups that begin and end at its ends or at spaces.
    fn phones(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let count = self.groups.len();
        let mut first = 0;
        while first < count {
            let begins = if first == 0 { apart_before(text, self.start) } else { self.groups[first].spaced };
            let last = (first..count.min(first + 8)).rev().find(|&last| {
                let ends = match self.groups.get(last + 1) {
                    Some(next) => next.spaced,
                    None => apart_after(text, self.groups[last].range.end),
                };
                begins && ends && is_phone(text, &self.groups[first..=last], first == 0, first == 0 && self.plus)
            });
            first = match last {
                Some(last) => {
                    let digits = self.groups[first].range.start;
                    let bracket = usize::from(text[..digits].ends_with('('));
                    let start = if first == 0 { self.start } else { digits - bracket };
                    found.push(start..self.groups[last].range.end);
                    last + 1
                }
                None => first + 1,
            };
        }
    }
}

fn apart_before(text: &str, start: usize) -> bool {
    let fraction = before(text, start) == Some('.') && text[..start - 1].ends_with(|c: char| c.is_ascii_digit());
    !fraction && !before(text, start).is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '$' | ','))
}

fn apart_after(text: &str, end: usize) -> bool {
    !text[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn is_phone(text: &str, groups: &[Group], at_start: bool, plus: bool) -> bool {
    let digits: Vec<&str> = groups.iter().map(|g| &text[g.range.clone()]).collect();
    let count: usize = digits.iter().map(|g| g.len()).sum();
    if plus {
        return (8..=15).contains(&count) && !digits[0].starts_with('0');
    }
    north_american(groups, &digits) || (at_start && national(groups, &digits, count))
}

/// Area and exchange start with 2 to 9; a `1` may stand before them.
fn north_american(groups: &[Group], digits: &[&str]) -> bool {
    let skip = usize::from(digits.len() > 2 && digits[0] == "1");
    let code = |g: &str| g.len() == 3 && g.as_bytes()[0] >= b'2';
    match &digits[skip..] {
        [area, exchange, line] => code(area) && code(exchange) && line.len() == 4,
        [area, rest] => groups[skip].bracketed && code(area) && rest.len() == 7,
        _ => false,
    }
}

/// A leading 0, or 00 and a country. Dots separate pairs only: they stand in decimal and version numbers too.
fn national(groups: &[Group], digits: &[&str], count: usize) -> bool {
    let most = if digits[0].starts_with("00") { 15 } else { 12 };
    let pairs = digits.len() == 5 && digits.iter().all(|g| g.len() == 2);
    digits[0].starts_with('0')
        && digits.len() >= 2
        && (9..=most).contains(&count)
        && digits.iter().all(|g| g.len() >= 2)
        && digits.iter().any(|g| g.bytes().any(|b| b != b'0'))
        && !looks_like_date(digits)
        && (pairs || groups.iter().skip(1).all(|g| !g.dotted))
}

/// `24.11.2026 10`, `01-02-2024 ...`: two groups of two digits and a year.
fn looks_like_date(digits: &[&str]) -> bool {
    let year = |g: &str| g.len() == 4 && (g.starts_with("19") || g.starts_with("20"));
    matches!(digits, [day, month, y, ..] if day.len() == 2 && month.len() == 2 && year(y))
        && digits[..2].iter().all(|g| *g <= "31" && *g > "00")
}

#[cfg(test)]
mod tests {
    use super::super::hits;
    use super::*;

    #[test]
    fn finds_telephone_numbers() {
        for phone in [
            "+14155552671",
            "+1 (415) 555-2671",
            "+49 30 1234567",
            "+44 20 7946 0958",
            "(415) 555-2671",
            "415-555-2671",
            "415.555.2671",
            "415 555 2671",
            "1-800-555-0199",
            "1 (800) 555-0199",
            "030 1234567",
            "030/1234567",
            "06 12 34 56 78",
            "06.12.34.56.78",
            "020 7946 0958",
            "0049 30 1234567",
            "+49\u{a0}30\u{a0}1234567",
            "415\u{2011}555\u{2011}2671",
        ] {
            assert_eq!(hits(find, &format!("Call {phone}.")), [phone]);
            assert_eq!(hits(find, &format!("({phone})")).len(), 1, "({phone})");
        }
    }

    #[test]
    fn a_number_beside_others_is_found() {
        assert_eq!(hits(find, "Call 415-555-2671 24/7"), ["415-555-2671"]);
        assert_eq!(hits(find, "room 12 (415) 555-2671"), ["(415) 555-2671"]);
        assert_eq!(hits(find, "415-555-2671, 415-555-2672"), ["415-555-2671", "415-555-2672"]);
    }

    #[test]
    fn leaves_other_numbers_alone() {
        for text in [
            "order 4155552671",
            "W-415-555-2671",
            "2024-11-24",
            "24.11.2026 10:30",
            "01-02-2024 10 30",
            "2024-05-15 15:00:00",
            "123-45-6789",
            "4111 1111 1111 1111",
            "+1234567",
            "+0123456789",
            "1.2.3.4",
            "3.14159265",
            "115-555-2671",
            "10.0.0.1",
            "0.123456789",
            "00 00 00 00 00",
            "x+14155552671",
            "$1,234,567.89",
            "12 345 678",
        ] {
            assert_eq!(hits(find, text), [""; 0], "{text}");
        }
    }
}
