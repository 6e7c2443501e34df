//! A text as it reads once its escapes are resolved, with the way back: `\u0040` is an `@` to whoever reads the JSON,
//! and in JSON within a string of JSON it is so one level deeper.

use std::ops::Range;

/// How many levels of escapes are looked through.
pub const MOST_LEVELS: usize = 5;

/// One level of a text.
pub struct View {
    /// The text at this level.
    pub text: String,
    /// Where each byte of it begins in the level above, and last, where that ends.
    above: Vec<u32>,
    /// The escapes in the level above that were resolved: nothing may be cut within one.
    pub escapes: Vec<Range<usize>>,
}

impl View {
    /// A range of this level in the level above.
    pub fn up(&self, range: &Range<usize>) -> Range<usize> {
        let at = |i: usize| self.above.get(i).or(self.above.last()).map_or(0, |p| *p as usize);
        at(range.start)..at(range.end)
    }

    /// A range of the level above that holds whole escapes, in this level.
    pub fn down(&self, range: &Range<usize>) -> Range<usize> {
        let at = |i: usize| self.above.partition_point(|p| (*p as usize) < i).min(self.text.len());
        at(range.start)..at(range.end)
    }
}

/// A text with its escapes resolved, level by level: what whoever reads the JSON in it reads. Nothing where there are none.
pub fn levels(text: &str) -> impl Iterator<Item = String> {
    let next = |text: &str| unescape(text).map(|view| view.text);
    std::iter::successors(next(text), move |text| next(text)).take(MOST_LEVELS)
}

/// The next level of a text; `None` when there is nothing to resolve.
pub fn unescape(text: &str) -> Option<View> {
    memchr::memchr(b'\\', text.as_bytes())?;
    let mut view = View { text: String::with_capacity(text.len()), above: Vec::new(), escapes: Vec::new() };
    let mut at = 0;
    while at < text.len() {
        let next = memchr::memchr(b'\\', &text.as_bytes()[at..]).map_or(text.len(), |n| at + n);
        view.above.extend((at..next).map(|i| i as u32));
        view.text.push_str(&text[at..next]);
        at = next;
        if at == text.len() {
            break;
        }
        match escape(&text[at..]) {
            Some((c, length)) => {
                view.above.extend(std::iter::repeat_n(at as u32, c.len_utf8()));
                view.text.push(c);
                view.escapes.push(at..at + length);
                at += length;
            }
            None => {
                view.above.push(at as u32);
                view.text.push('\\');
                at += 1;
            }
        }
    }
    view.above.push(text.len() as u32);
    (!view.escapes.is_empty()).then_some(view)
}

/// The escape that a text begins with: what it stands for, and its length.
fn escape(text: &str) -> Option<(char, usize)> {
    let c = match text.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(text),
        _ => return None,
    };
    Some((c, 2))
}

fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |from: usize| {
        let digits = text.get(from..from + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = unit(2)?;
    if (0xd800..0xdc00).contains(&first) && text.get(6..8) == Some("\\u") {
        let second = unit(8).filter(|s| (0xdc00..0xe000).contains(s))?;
        return Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?, 12));
    }
    // Half a pair stands for nothing.
    Some((char::from_u32(first).unwrap_or('\u{fffd}'), 6))
}

/// Widens a range so that it cuts none of the escapes, which are in order.
pub fn whole(range: Range<usize>, escapes: &[Range<usize>]) -> Range<usize> {
    let cut = |at: usize| {
        let after = escapes.partition_point(|e| e.start < at);
        escapes.get(after.checked_sub(1)?).filter(|e| at < e.end)
    };
    cut(range.start).map_or(range.start, |e| e.start)..cut(range.end).map_or(range.end, |e| e.end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_resolved_and_lead_back() {
        let text = r#"a \u0040 \"b\" \ud83d\ude00\q"#;
        let view = unescape(text).unwrap();
        assert_eq!(view.text, "a @ \"b\" 😀\\q");
        let at = view.text.find('😀').unwrap();
        assert_eq!(&text[view.up(&(at..at + 4))], r"\ud83d\ude00");
        assert_eq!(view.down(&(2..8)), 2..3);
        assert!(unescape("plain").is_none());
    }

    #[test]
    fn a_range_never_ends_within_an_escape() {
        let text = r"x\nalice\u0040b";
        let view = unescape(text).unwrap();
        assert_eq!(&text[whole(2..12, &view.escapes)], r"\nalice\u0040");
        assert_eq!(whole(3..8, &view.escapes), 3..8);
    }

    proptest! {
        #[test]
        fn what_json_writes_is_read_back(text in any::<String>()) {
            let written = serde_json::to_string(&text).unwrap();
            let inner = &written[1..written.len() - 1];
            let read = unescape(inner).map_or(inner.to_owned(), |v| v.text);
            prop_assert_eq!(read, text);
        }

        #[test]
        fn ranges_lead_back_to_whole_characters(text in "(\\\\|u|00|40|n|\"|é|[a-z]){0,30}") {
            if let Some(view) = unescape(&text) {
                let starts: Vec<usize> = view.text.char_indices().map(|(i, _)| i).chain([view.text.len()]).collect();
                for pair in starts.windows(2) {
                    prop_assert!(text.get(view.up(&(pair[0]..pair[1]))).is_some());
                }
            }
        }
    }
}
