//! The tokens of a JSON text with their places: what may be replaced in it so that it stays JSON, and which values are
//! hidden for the key or the path at which they stand.

use std::ops::Range;

use serde::de::IgnoredAny;

/// A value or key that can be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Where it is; of a string, what stands between its quotes.
    pub range: Range<usize>,
    /// Whether it is a string, or the key of an object, which is one.
    pub quoted: bool,
    /// Whether it is the key of an object.
    pub key: bool,
}

/// A value that stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Its place, quotes or brackets included.
    pub range: Range<usize>,
    /// Whether it is a string.
    pub quoted: bool,
    /// The key as it is written, between its quotes.
    pub key: Range<usize>,
    /// The JSON pointer of the value.
    pub pointer: String,
}

/// What a JSON text holds.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Keys, strings, numbers and literals, in order.
    pub tokens: Vec<Token>,
    /// The values of objects, outer ones before those in them.
    pub members: Vec<Member>,
    /// The elements of arrays: pointer, place, and whether it is a string.
    pub elements: Vec<(String, Range<usize>, bool)>,
    pointed: bool,
}

/// Whether a text may be an object or array of JSON.
pub(super) fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// Whether a text is JSON.
pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A container that is open.
struct Open {
    start: usize,
    /// Of an array: how many elements began.
    elements: Option<usize>,
    /// Of an object: the key whose value comes next.
    key: Option<Range<usize>>,
    /// Position of its own member or element, where it is one.
    own: Own,
    pointer: String,
}

/// Where a value was entered.
#[derive(Clone, Copy)]
enum Own {
    Member(usize),
    Element(usize),
    Root,
}

/// Goes through a text that is JSON; with `pointed`, every value has its pointer, which large texts take memory for.
pub(super) fn tokens(text: &str, pointed: bool) -> Tokens {
    let bytes = text.as_bytes();
    let mut found = Tokens { pointed, ..Tokens::default() };
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at);
                let content = at + 1..end.saturating_sub(1).max(at + 1);
                let is_key = open.last().is_some_and(|o| o.elements.is_none() && o.key.is_none());
                found.tokens.push(Token { range: content.clone(), quoted: true, key: is_key });
                if is_key {
                    if let Some(object) = open.last_mut() {
                        object.key = Some(content);
                    }
                } else {
                    enter(text, &mut found, &mut open, at..end, true);
                }
                at = end;
            }
            b @ (b'{' | b'[') => {
                let (own, pointer) = enter(text, &mut found, &mut open, at..at + 1, false);
                let elements = (b == b'[').then_some(0);
                open.push(Open { start: at, elements, key: None, own, pointer });
                at += 1;
            }
            b'}' | b']' => {
                if let Some(done) = open.pop() {
                    let range = done.start..at + 1;
                    match done.own {
                        Own::Member(i) => found.members[i].range = range,
                        Own::Element(i) => found.elements[i].1 = range,
                        Own::Root => {}
                    }
                }
                at += 1;
            }
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => at += 1,
            _ => {
                let length = bytes[at..]
                    .iter()
                    .take_while(|b| !matches!(b, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'))
                    .count();
                let range = at..at + length.max(1);
                found.tokens.push(Token { range: range.clone(), quoted: false, key: false });
                enter(text, &mut found, &mut open, range.clone(), false);
                at = range.end;
            }
        }
    }
    found
}

/// Notes a value in what holds it; says where, and its pointer.
fn enter(text: &str, found: &mut Tokens, open: &mut [Open], range: Range<usize>, quoted: bool) -> (Own, String) {
    let Some(parent) = open.last_mut() else { return (Own::Root, String::new()) };
    match &mut parent.elements {
        Some(n) => {
            let pointer = if found.pointed { format!("{}/{n}", parent.pointer) } else { String::new() };
            *n += 1;
            found.elements.push((pointer.clone(), range, quoted));
            (Own::Element(found.elements.len() - 1), pointer)
        }
        None => {
            let Some(key) = parent.key.take() else { return (Own::Root, String::new()) };
            let pointed = |key: &str| format!("{}/{}", parent.pointer, segment(&unquoted(key)));
            let pointer = if found.pointed { pointed(&text[key.clone()]) } else { String::new() };
            found.members.push(Member { range, quoted, key, pointer: pointer.clone() });
            (Own::Member(found.members.len() - 1), pointer)
        }
    }
}

/// The text of a string that is written between quotes.
pub(super) fn unquoted(written: &str) -> String {
    crate::model::json::view::unescape(written).map_or_else(|| written.to_owned(), |view| view.text)
}

/// A key as it stands in a JSON pointer.
pub(super) fn segment(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The length of the string that a text begins with, quotes included; `None` where it does not end.
pub(super) fn string_length(text: &str) -> Option<usize> {
    let end = string_end(text.as_bytes(), 0);
    (end >= 2 && text.as_bytes().get(end - 1) == Some(&b'"')).then_some(end)
}

/// Where the string that begins at `start` ends, behind its closing quote.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(n) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        if bytes[at + n] == b'"' {
            return at + n + 1;
        }
        at += n + 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_found_with_its_pointer() {
        let text = r#" {"a/b": [1, "x\"y", {"c": null}], "d": {"e": -2.5e3}} "#;
        let found = tokens(text, true);
        let members: Vec<(&str, &str)> =
            found.members.iter().map(|m| (m.pointer.as_str(), &text[m.range.clone()])).collect();
        assert_eq!(
            members,
            [
                ("/a~1b", r#"[1, "x\"y", {"c": null}]"#),
                ("/a~1b/2/c", "null"),
                ("/d", r#"{"e": -2.5e3}"#),
                ("/d/e", "-2.5e3"),
            ]
        );
        let elements: Vec<(&str, &str)> =
            found.elements.iter().map(|(p, r, _)| (p.as_str(), &text[r.clone()])).collect();
        assert_eq!(elements, [("/a~1b/0", "1"), ("/a~1b/1", r#""x\"y""#), ("/a~1b/2", r#"{"c": null}"#)]);
        let keys: Vec<&str> = found.tokens.iter().filter(|t| t.key).map(|t| &text[t.range.clone()]).collect();
        assert_eq!(keys, ["a/b", "c", "d", "e"]);
    }

    #[test]
    fn an_empty_string_is_a_token() {
        let found = tokens(r#"[""]"#, true);
        assert_eq!(found.tokens, [Token { range: 2..2, quoted: true, key: false }]);
    }
}
