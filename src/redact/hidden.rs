//! What was taken out of a session, found again in what is said of it: a reason quotes, cuts, splits and lower-cases what
//! the check saw, and what is left of a secret then is nothing that a detector knows.
//!
//! A text is searched for stretches of [`SHORT`] bytes and more (of [`LONG`] from a long secret, whose short stretches are
//! everyday words) that occur in something taken out. Values of three to five bytes are looked for as whole words; shorter
//! ones are not.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;

use super::json;
use super::rules::marker;
use super::text::stands_alone;

/// Bytes of a secret that give it away.
const SHORT: usize = 6;
/// Bytes of a long secret that give it away.
const LONG: usize = 12;
/// What is longer than this is long, in bytes.
const LONG_FROM: usize = 64;
/// The shortest value that is looked for.
const LEAST: usize = 3;

/// What was taken out of a session.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// Each with the name of its rule.
    taken: Vec<(String, String)>,
    index: OnceCell<Index>,
}

#[derive(Debug, Default)]
struct Index {
    /// Hashes of the stretches of each length, and whose they are.
    stretches: [HashMap<u64, u32>; 2],
    /// Values that are looked for as words.
    words: Vec<(String, u32)>,
}

impl Hidden {
    pub fn new(taken: Vec<(String, String)>) -> Self {
        Self { taken, index: OnceCell::new() }
    }

    /// A text without what was taken out of the session; `None` where it holds nothing of it.
    pub fn scrub(&self, text: &str) -> Option<String> {
        if self.taken.is_empty() {
            return None;
        }
        let index = self.index.get_or_init(|| self.index());
        let folded = text.to_ascii_lowercase();
        let mut found: Vec<(Range<usize>, u32)> = Vec::new();
        for (map, length) in index.stretches.iter().zip([SHORT, LONG]) {
            if map.is_empty() {
                continue;
            }
            for (at, stretch) in folded.as_bytes().windows(length).enumerate() {
                if let Some(of) = map.get(&hash(stretch)) {
                    found.push((at..at + length, *of));
                }
            }
        }
        for (word, of) in &index.words {
            let places = folded.match_indices(word.as_str()).map(|(at, w)| at..at + w.len());
            found.extend(places.filter(|range| stands_alone(&folded, range)).map(|range| (range, *of)));
        }
        self.without(text, found)
    }

    fn without(&self, text: &str, mut found: Vec<(Range<usize>, u32)>) -> Option<String> {
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let (mut out, mut at, mut last): (String, usize, Option<(Range<usize>, u32)>) = (String::new(), 0, None);
        let mut put = |(range, of): (Range<usize>, u32), out: &mut String| {
            // Never within a character.
            let start = (0..=range.start).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
            let end = (range.end..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
            if start >= at {
                out.push_str(&text[at..start]);
            }
            out.push_str(&marker(self.taken.get(of as usize).map_or("key", |(_, by)| by)));
            at = end;
        };
        for (range, of) in found {
            match &mut last {
                Some((open, _)) if range.start <= open.end => open.end = open.end.max(range.end),
                _ => {
                    if let Some(done) = last.replace((range, of)) {
                        put(done, &mut out);
                    }
                }
            }
        }
        put(last?, &mut out);
        out.push_str(&text[at..]);
        Some(out)
    }

    fn index(&self) -> Index {
        let mut index = Index::default();
        for (i, (secret, _)) in self.taken.iter().enumerate() {
            let of = i as u32;
            index.add(secret, of);
            // As it reads once its escapes are resolved, and the values in it.
            let read = json::unquoted(secret);
            if read != *secret {
                index.add(&read, of);
            }
            if json::looks_like_json(&read) && json::is_json(&read) {
                for token in json::tokens(&read, false).tokens.iter().filter(|t| !t.key) {
                    index.add(&json::unquoted(&read[token.range.clone()]), of);
                }
            }
        }
        index
    }
}

impl Index {
    fn add(&mut self, secret: &str, of: u32) {
        let secret = secret.trim().to_ascii_lowercase();
        if secret.len() < LEAST || matches!(&*secret, "true" | "false" | "null") {
            return;
        }
        if secret.len() < SHORT {
            self.words.push((secret, of));
            return;
        }
        let (map, length) = if secret.len() > LONG_FROM { (1, LONG) } else { (0, SHORT) };
        for stretch in secret.as_bytes().windows(length) {
            self.stretches[map].entry(hash(stretch)).or_insert(of);
        }
    }
}

fn hash(stretch: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(stretch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrub(taken: &[&str], text: &str) -> String {
        let hidden = Hidden::new(taken.iter().map(|t| ((*t).to_owned(), "key".to_owned())).collect());
        hidden.scrub(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn whole_cut_split_and_folded_secrets_are_found() {
        let secret = "Tr0ub4dor-and-3";
        assert_eq!(scrub(&[secret], "said \"Tr0ub4dor-and-3\"."), "said \"[redacted:key]\".");
        assert_eq!(scrub(&[secret], "said tr0ub4dor-a…"), "said [redacted:key]…");
        assert_eq!(scrub(&[secret], "-Tr0ub4d\n+or-and-3"), "-[redacted:key]\n+[redacted:key]");
        assert_eq!(scrub(&[secret], "nothing of it"), "nothing of it");
    }

    #[test]
    fn short_values_are_whole_words() {
        assert_eq!(scrub(&["4711"], "pin 4711, not 147112"), "pin [redacted:key], not 147112");
        assert_eq!(scrub(&["7", "true"], "7 is true"), "7 is true");
    }

    #[test]
    fn the_values_of_hidden_json_are_found_alone() {
        let hidden = r#"{"name": "Zaphod B.", "pin": 4711}"#;
        assert_eq!(scrub(&[hidden], "Zaphod B. has 4711"), "[redacted:key] has [redacted:key]");
    }

    #[test]
    fn characters_stay_whole() {
        assert_eq!(scrub(&["éèéèéè"], "xéèéèéèx ü"), "x[redacted:key]x ü");
    }
}
