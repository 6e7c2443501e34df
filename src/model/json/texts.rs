//! Texts that do not stand in the JSON as they are: with their escapes resolved they need a place of their own.

use std::cell::{Cell, RefCell};

/// Texts side by side, for as long as all of them are needed: a session has dozens, and to ask for memory for each, and to
/// give it back, takes longer than to resolve its escapes.
///
/// The first long text of a session is remembered: most likely it is the agent's instructions, which are often the longest
/// part of a recording, and the next session begins with the same.
#[derive(Default)]
pub struct Texts {
    place: bumpalo::Bump,
    first: RefCell<First>,
    /// No long text was met yet since the last [`Texts::clear`].
    looking: Cell<bool>,
    /// Sessions one after another that began with another text than the one before.
    missed: Cell<u32>,
}

/// The first long text of a session.
#[derive(Default)]
struct First {
    /// As it stands in the JSON, with the quote that ends it.
    raw: String,
    text: String,
}

/// What is kept for the next session, in bytes.
const KEPT: usize = 1 << 20;

/// What a long text is, in bytes.
const LONG: usize = 1 << 10;

/// After so many sessions that begin differently it is given up: to remember takes time, too.
const MISSES: u32 = 16;

impl Texts {
    /// Keeps a text, which stands in the JSON as `raw`, up to the quote that ends it.
    pub fn keep(&self, raw: &str, text: &str) -> &str {
        if self.looking.get() && raw.len() >= LONG {
            self.looking.set(false);
            self.missed.set(self.missed.get() + 1);
            let mut first = self.first.borrow_mut();
            first.raw.clear();
            first.text.clear();
            if raw.len() <= KEPT {
                first.raw.push_str(raw);
                first.text.push_str(text);
            }
        }
        self.place.alloc_str(text)
    }

    /// The text that begins some JSON, and how long it is there, if it is the one that is remembered.
    #[inline]
    pub fn again(&self, json: &str) -> Option<(usize, &str)> {
        if !self.looking.get() {
            return None;
        }
        let first = self.first.borrow();
        if first.raw.is_empty() || !json.starts_with(&first.raw) {
            return None;
        }
        self.looking.set(false);
        self.missed.set(0);
        Some((first.raw.len(), self.place.alloc_str(&first.text)))
    }

    /// Forgets them all; another session begins.
    pub fn clear(&mut self) {
        if self.place.allocated_bytes() > KEPT {
            self.place = bumpalo::Bump::new();
        }
        self.place.reset();
        self.looking.set(self.missed.get() < MISSES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::read_in;

    fn json(texts: &[&str]) -> String {
        serde_json::to_string(texts).unwrap()
    }

    #[test]
    fn what_was_read_before_makes_no_difference() {
        let mut texts = Texts::default();
        let long = |word: &str| format!("{word}\n").repeat(LONG);
        let (policy, other) = (long("policy"), long("other"));
        let longer = format!("{policy}and more");
        let huge = long(&"x".repeat(KEPT / LONG));
        for session in [
            vec!["a\nb", &policy, "c\n", &other],
            vec!["a\nb", &policy, &policy],
            vec![&policy],
            vec![&longer, &policy],
            vec![&policy, &longer],
            vec![&huge, &policy],
            vec![&huge],
            vec![""],
        ]
        .into_iter()
        .cycle()
        .take(100)
        {
            texts.clear();
            let json = json(&session);
            assert_eq!(read_in::<Vec<&str>>(&json, &texts).unwrap(), session);
        }
    }

    #[test]
    fn it_is_looked_for_as_long_as_sessions_begin_alike() {
        let mut texts = Texts::default();
        let found = |texts: &mut Texts, n: u32| {
            texts.clear();
            let json = json(&[&format!("{n}\n").repeat(LONG)]);
            let _ = read_in::<Vec<&str>>(&json, texts).unwrap();
            texts.missed.get() == 0
        };
        assert_eq!([1, 1, 2, 2, 1].map(|n| found(&mut texts, n)), [false, true, false, true, false]);
        assert!((10..10 + MISSES).all(|n| !found(&mut texts, n)));
        assert!(!found(&mut texts, 7) && !found(&mut texts, 7));
    }
}
