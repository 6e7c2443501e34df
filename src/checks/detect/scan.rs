//! What the scanners of numbers share: separators, and runs of digits in groups.

use std::ops::Range;

/// Whether a character may stand between the groups of a number: spaces and dashes, the non-breaking ones that models
/// like to write included.
pub fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\u{2010}'..='\u{2013}' | '\u{2212}')
}

/// The character before a byte position.
pub fn before(text: &str, at: usize) -> Option<char> {
    text[..at].chars().next_back()
}

/// The character at a byte position.
pub fn at(text: &str, at: usize) -> Option<char> {
    text[at..].chars().next()
}

/// Whether a number may start here: not within a word, another number or a decimal fraction.
pub fn starts_apart(text: &str, start: usize) -> bool {
    match before(text, start) {
        Some('.') => !text[..start - 1].ends_with(|c: char| c.is_ascii_digit()),
        Some(c) => !c.is_alphanumeric() && c != '_',
        None => true,
    }
}

/// Whether a number may end here: not before a letter or another digit.
pub fn ends_apart(text: &str, end: usize) -> bool {
    !at(text, end).is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Digits in groups with one separator between each.
pub struct Run {
    /// The groups' byte ranges.
    pub groups: Vec<Range<usize>>,
}

/// The longest runs of groups of ASCII digits in a text, with `separator` between the groups.
pub fn runs(text: &str, separator: fn(char) -> bool) -> Vec<Run> {
    let bytes = text.as_bytes();
    let mut runs = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        if !bytes[i].is_ascii_digit() {
            i += 1;
            continue;
        }
        let mut groups = Vec::new();
        loop {
            let end = i + bytes[i..].iter().take_while(|b| b.is_ascii_digit()).count();
            groups.push(i..end);
            i = end;
            let Some(c) = at(text, i).filter(|c| separator(*c)) else { break };
            let next = i + c.len_utf8();
            if !bytes.get(next).is_some_and(u8::is_ascii_digit) {
                break;
            }
            i = next;
        }
        runs.push(Run { groups });
    }
    runs
}
