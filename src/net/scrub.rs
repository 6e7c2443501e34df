//! The secrets that this process has filled in somewhere, found again in whatever comes back.
//!
//! Whoever is sent a secret may repeat it: whole, escaped, encoded, or cut. So every value that is taken from the
//! environment or from a file is remembered here, and what is written or told is searched for it in each of its forms.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::ops::Range;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What stands for a secret.
pub const MARKER: &str = "[secret]";

/// The shortest value that is looked for, in bytes: a shorter one would be found everywhere.
pub const SHORTEST: usize = 4;

/// Bytes of a secret that give it away, where a text was cut within it.
const CUT: usize = 6;

/// The shortest line or last word of a value that is looked for by itself, in bytes.
const SHORTEST_PART: usize = 8;

/// How often percent-encoding is resolved: what is encoded may be encoded once more.
const MOST_ENCODED: u32 = 2;

/// How much of a form is looked for where a text was cut, in bytes.
const LONGEST_CUT: usize = 4096;

/// Secrets that may stand in what others say. Cheap to clone; a clone knows what is added later.
#[derive(Clone, Default)]
pub struct Secrets(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    values: BTreeSet<String>,
    /// Made when something is looked for.
    search: Option<Arc<Search>>,
}

struct Search {
    forms: Vec<String>,
    automaton: Option<AhoCorasick>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// Those of this process: the environment is the process's, and so is what was taken from it.
    pub fn of_process() -> &'static Self {
        static ALL: LazyLock<Secrets> = LazyLock::new(Secrets::default);
        &ALL
    }

    /// Adds a value; one that is too short is not looked for.
    pub fn add(&self, value: &str) {
        let value = value.trim();
        if value.len() < SHORTEST {
            return;
        }
        let is_known = self.0.read().unwrap_or_else(PoisonError::into_inner).values.contains(value);
        if !is_known {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            known.values.insert(value.to_owned());
            known.search = None;
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values.is_empty()
    }

    fn search(&self) -> Option<Arc<Search>> {
        {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if known.values.is_empty() || known.search.is_some() {
                return known.search.clone();
            }
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let made = Arc::new(Search::new(&known.values));
        known.search = Some(made.clone());
        Some(made)
    }

    /// Where secrets stand in a text, in whatever form; in order, and apart from each other.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        self.search().map(|search| search.find(text)).unwrap_or_default()
    }

    /// A text without them.
    pub fn scrub<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = self.find(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut out, mut at) = (String::with_capacity(text.len()), 0);
        for range in found {
            out.push_str(&text[at..range.start]);
            out.push_str(MARKER);
            at = range.end;
        }
        out.push_str(&text[at..]);
        Cow::Owned(out)
    }
}

impl Search {
    fn new(values: &BTreeSet<String>) -> Self {
        let forms: Vec<String> =
            values.iter().flat_map(|v| parts(v)).flat_map(forms).collect::<BTreeSet<_>>().into_iter().collect();
        // What cannot be built for its size is looked for one by one.
        let automaton = AhoCorasickBuilder::new().ascii_case_insensitive(true).build(&forms).ok();
        Self { forms, automaton }
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = self.in_view(text, MOST_ENCODED);
        // What stands for a secret is none, be the secret called so.
        let markers: Vec<usize> = text.match_indices(MARKER).map(|(at, _)| at).collect();
        found.retain(|r| !markers.iter().any(|at| r.start >= *at && r.end <= at + MARKER.len()));
        merged(text, found)
    }

    /// What is found in a text as it is, and as it reads once its percent-encoding is resolved: encoders differ in what
    /// they leave as it is.
    fn in_view(&self, text: &str, levels: u32) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = match &self.automaton {
            Some(automaton) => automaton.find_overlapping_iter(text).map(|m| m.range()).collect(),
            None => {
                let of = |form: &String| {
                    let places = text.match_indices(form.as_str());
                    places.map(|(at, form)| at..at + form.len()).collect::<Vec<_>>()
                };
                self.forms.iter().flat_map(of).collect()
            }
        };
        self.cut(text, &mut found);
        if levels > 0
            && let Some((inner, at)) = decoded(text)
        {
            found.extend(self.in_view(&inner, levels - 1).into_iter().map(|r| at[r.start]..at[r.end]));
        }
        found
    }

    /// What is left of secrets where a text was cut: at its ends, and beside an ellipsis.
    fn cut(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let around = |c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '\\' | ')' | '(' | ']' | '}' | ',' | ';' | '\u{fffd}')
        };
        let ellipses = || ["…", "..."].into_iter().flat_map(|dots| text.match_indices(dots));
        let ends = std::iter::once(text.len()).chain(ellipses().map(|(at, _)| at));
        let begins = std::iter::once(0).chain(ellipses().map(|(at, dots)| at + dots.len()));
        for end in ends {
            let before = &text.as_bytes()[..text[..end].trim_end_matches(around).len()];
            for form in self.forms.iter().map(String::as_bytes) {
                let most = (form.len() - 1).min(before.len()).min(LONGEST_CUT);
                let held = (CUT..=most).rev().find(|n| before[before.len() - n..].eq_ignore_ascii_case(&form[..*n]));
                found.extend(held.map(|n| before.len() - n..before.len()));
            }
        }
        for begin in begins {
            let start = text.len() - text[begin..].trim_start_matches(around).len();
            let after = &text.as_bytes()[start..];
            for form in self.forms.iter().map(String::as_bytes) {
                let most = (form.len() - 1).min(after.len()).min(LONGEST_CUT);
                let held = (CUT..=most).rev().find(|n| after[..*n].eq_ignore_ascii_case(&form[form.len() - n..]));
                found.extend(held.map(|n| start..start + n));
            }
        }
    }
}

/// Ranges in order, those that touch as one, and none within a character.
fn merged(text: &str, mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_by_key(|range| range.start);
    let mut out: Vec<Range<usize>> = Vec::new();
    for range in found {
        let start = (0..=range.start).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let end = (range.end..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
        match out.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            _ => out.push(start..end),
        }
    }
    out
}

/// A value, and what of it is a secret by itself: the word behind `Bearer`, the lines of a key.
fn parts(value: &str) -> Vec<&str> {
    let word = value.rsplit(' ').next().into_iter();
    let lines = value.lines().map(str::trim).filter(|_| value.contains('\n'));
    let inner = word.chain(lines).filter(|part| part.len() >= SHORTEST_PART && *part != value);
    std::iter::once(value).chain(inner).collect()
}

/// The forms in which a value may come back.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned()];
    let mut escaped = vec![value.to_owned()];
    // JSON, and JSON in a string of JSON.
    for _ in 0..2 {
        let next = escaped.iter().flat_map(|text| json_forms(text)).collect::<BTreeSet<_>>();
        escaped = next.into_iter().collect();
        forms.extend(escaped.iter().cloned());
    }
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    forms.extend([html.replace('"', "&quot;").replace('\'', "&#39;"), html]);
    // In forms, a blank is a plus.
    forms.push(value.replace(' ', "+"));
    forms.extend(base64_forms(value.as_bytes()));
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// A text within a string of JSON, as encoders differ: slashes, and what is not ASCII, may be escaped.
fn json_forms(text: &str) -> Vec<String> {
    let quoted = serde_json::Value::from(text).to_string();
    let plain = quoted[1..quoted.len() - 1].to_owned();
    let mut ascii = String::new();
    for c in plain.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into memory does not fail.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    vec![plain.replace('/', "\\/"), ascii.replace('/', "\\/"), plain, ascii]
}

/// A text with its percent-encoding resolved, and where each byte of it began, and last, where the text ended; `None`
/// where there is none.
fn decoded(text: &str) -> Option<(String, Vec<usize>)> {
    memchr::memchr(b'%', text.as_bytes())?;
    let hex = |at: usize| text.as_bytes().get(at).and_then(|b| char::from(*b).to_digit(16));
    let resolved = |most: u8| {
        let (mut bytes, mut places, mut at) = (Vec::with_capacity(text.len()), Vec::new(), 0);
        while let Some(&byte) = text.as_bytes().get(at) {
            let pair = (byte == b'%').then(|| hex(at + 1).zip(hex(at + 2))).flatten();
            let value = pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()).filter(|b| *b <= most);
            places.push(at);
            bytes.push(value.unwrap_or(byte));
            at += if value.is_some() { 3 } else { 1 };
        }
        places.push(text.len());
        (bytes.len() < text.len()).then_some((bytes, places))
    };
    let (bytes, places) = resolved(u8::MAX)?;
    match String::from_utf8(bytes) {
        Ok(inner) => Some((inner, places)),
        // Half a character, such as a cut leaves: what is ASCII is resolved.
        Err(_) => resolved(0x7f).and_then(|(bytes, places)| Some((String::from_utf8(bytes).ok()?, places))),
    }
}

/// Base64 of a value wherever it begins within what was encoded, without the characters that hold bits of its neighbours.
fn base64_forms(value: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    for before in 0..3 {
        let shifted = [&vec![0; before], value].concat();
        let (from, to) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&shifted);
            if let Some(own) = encoded.get(from..to).filter(|own| own.len() >= CUT) {
                out.push(own.to_owned());
            }
            // By itself, it ends with its last character.
            out.extend((before == 0).then_some(encoded));
        }
    }
    out
}

#[cfg(test)]
#[path = "scrub_tests.rs"]
mod tests;
