//! Where in a JSON document a byte lies, in words: `turns[0].spans[2].kind`. It explains decoding errors, so the
//! document may be damaged: what can be told up to the byte is told.

/// Longest path that is told whole; of a longer one the end is.
const LONGEST: usize = 120;

/// What encloses the byte: an object with the key read last, or an array with the position of its element.
enum Frame<'a> {
    Object { key: &'a str, awaits_key: bool },
    Array(usize),
}

/// The path to what ends just before byte `end`; empty at the document's root.
pub(super) fn path_to(document: &str, end: usize) -> String {
    let bytes = document.as_bytes();
    let bytes = &bytes[..end.min(bytes.len())];
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match (byte, frames.last_mut()) {
            (b'"', top) => {
                let Some(close) = closing_quote(bytes, at) else { break };
                if let Some(Frame::Object { key, awaits_key: awaits @ true }) = top {
                    *key = document.get(at..close).unwrap_or_default();
                    *awaits = false;
                }
                at = close + 1;
            }
            (b'{', _) => frames.push(Frame::Object { key: "", awaits_key: true }),
            (b'[', _) => frames.push(Frame::Array(0)),
            (b'}' | b']', _) => drop(frames.pop()),
            // An error may be noticed at the comma behind the value: the key stays until another is read.
            (b',', Some(Frame::Object { awaits_key, .. })) => *awaits_key = true,
            (b',', Some(Frame::Array(index))) if at < bytes.len() => *index += 1,
            _ => {}
        }
    }
    in_words(&frames)
}

/// The quote that ends the string which begins at `from`.
fn closing_quote(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

fn in_words(frames: &[Frame<'_>]) -> String {
    let mut path = String::new();
    for frame in frames {
        match frame {
            Frame::Object { key: "", .. } => {}
            Frame::Object { key, .. } if path.is_empty() => path.push_str(key),
            Frame::Object { key, .. } => path.extend([".", key]),
            Frame::Array(index) => path.push_str(&format!("[{index}]")),
        }
    }
    match path.char_indices().rev().nth(LONGEST) {
        Some((start, _)) => format!("...{}", &path[start..]),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The path to the end of the first `!` of a document.
    fn at_mark(document: &str) -> String {
        path_to(document, document.find('!').unwrap() + 1)
    }

    #[test]
    fn names_keys_and_positions() {
        assert_eq!(at_mark(r#"{"a":1,"trial":!}"#), "trial");
        assert_eq!(
            at_mark(r#"{"turns":[{"spans":[]},{"user":"x","spans":[{"kind":"tool"},{"name":!"#),
            "turns[1].spans[1].name"
        );
        assert_eq!(at_mark(r#"{"a":{"b":1}!"#), "a");
        assert_eq!(at_mark(r#"[{"a":1},{"b":2}!"#), "[1]");
        assert_eq!(at_mark("!"), "");
    }

    #[test]
    fn an_error_noticed_at_the_comma_belongs_to_the_value_before_it() {
        assert_eq!(path_to(r#"{"a":0,"b":1}"#, 7), "a");
        assert_eq!(path_to("[0,1]", 3), "[0]");
    }

    #[test]
    fn brackets_and_quotes_inside_of_strings_are_text() {
        assert_eq!(at_mark(r#"{"a":"x\"}],{[","b":!"#), "b");
        assert_eq!(at_mark(r#"{"a\"b":!"#), r#"a\"b"#);
    }

    #[test]
    fn of_a_long_path_the_end_is_told() {
        let deep = format!("{}!", r#"{"abcdefghij":"#.repeat(60));
        let path = at_mark(&deep);
        assert!(path.starts_with("...") && path.ends_with(".abcdefghij") && path.len() < 130, "{path}");
    }

    proptest! {
        #[test]
        fn anything_has_a_place(document in r#"[\[\]{},:"\\a-cé0-9]{0,60}"#, end in 0_usize..80) {
            prop_assert!(path_to(&document, end).chars().count() <= LONGEST + 4);
        }
    }
}
