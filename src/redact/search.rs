//! What the rules find in one text: at every level of its escapes, in its JSON, and in JSON among its words.

use std::collections::BTreeSet;
use std::ops::Range;

use super::json::{self, Tokens};
use super::rules::{ENV, KEY, PATH, Rules, marker};
use super::text::{Also, SHORTEST_ALIAS, stands_alone};
use crate::model::json::view::{self, MOST_LEVELS, View};

/// The longest key that is looked for among words, quotes included.
const LONGEST_KEY: usize = 256;

/// Something found.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    /// Where, in the text as it was written.
    pub range: Range<usize>,
    /// The rules that found it.
    pub by: Vec<String>,
    /// What stands for it, where it is no marker.
    pub stands: Option<String>,
    /// It is no string: the level of JSON at which its replacement needs quotes.
    pub quotes: Option<usize>,
}

impl Hit {
    /// What stands for it.
    pub fn stands(&self) -> String {
        self.stands.clone().unwrap_or_else(|| self.by.iter().map(|by| marker(by)).collect())
    }
}

/// A token of JSON, in the text as it was written.
pub(super) struct Place {
    pub range: Range<usize>,
    pub kind: Kind,
}

/// What a token is.
#[derive(PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Key,
    Scalar,
}

/// The tokens of JSON at each level of a text, in order.
pub(super) type Places = Vec<Vec<Place>>;

/// A stretch of a text at a level.
pub(super) type Stretch = (usize, Range<usize>);

/// A search through all levels of a text.
pub(super) struct Search<'s> {
    rules: &'s Rules,
    also: Also<'s>,
    text: &'s str,
    /// The levels below the text as it was written.
    pub views: Vec<View>,
}

impl<'s> Search<'s> {
    /// A search through a text.
    pub fn new(rules: &'s Rules, also: Also<'s>, text: &'s str) -> Self {
        let mut views: Vec<View> = Vec::new();
        while views.len() + 1 < MOST_LEVELS
            && let Some(view) = view::unescape(views.last().map_or(text, |v| &v.text))
        {
            views.push(view);
        }
        Self { rules, also, text, views }
    }

    /// The text at a level; level 0 is as it was written.
    fn level(&self, level: usize) -> &str {
        level.checked_sub(1).map_or(self.text, |i| &self.views[i].text)
    }

    /// A range of a level in the text as it was written.
    fn up(&self, level: usize, range: Range<usize>) -> Range<usize> {
        self.views[..level].iter().rev().fold(range, |range, view| view.up(&range))
    }

    /// What detectors find at a level, and ids.
    pub fn detected(&self, level: usize) -> Vec<Hit> {
        let text = self.level(level);
        let escapes = self.views.get(level).map_or(&[][..], |v| &v.escapes);
        let place = |range| self.up(level, view::whole(range, escapes));
        let mut hits = Vec::new();
        for detector in &self.rules.detectors {
            let found = detector.find_iter(text);
            let hit =
                |range| Hit { range: place(range), by: vec![detector.name().to_owned()], stands: None, quotes: None };
            hits.extend(found.map(hit));
        }
        let secret = |range| Hit { range: place(range), by: vec![ENV.to_owned()], stands: None, quotes: None };
        hits.extend(self.rules.secrets.find(text).into_iter().map(secret));
        for alias in self.also.aliases.iter().filter(|a| a.name.len() >= SHORTEST_ALIAS) {
            let found = text.match_indices(&*alias.name).map(|(at, found)| at..at + found.len());
            let stands = || Some(alias.stands.clone());
            let hit =
                |range| Hit { range: place(range), by: vec![alias.by.to_owned()], stands: stands(), quotes: None };
            hits.extend(found.filter(|range| stands_alone(text, range)).map(hit));
        }
        hits
    }

    /// The tokens of JSON at each level, in order; the values among them that are hidden for their key or pointer are
    /// added to the hits. Beside them, the strings that are no JSON, each where its escapes are resolved.
    pub fn places(&self, hits: &mut Vec<Hit>) -> (Places, Vec<Stretch>) {
        let (mut places, mut prose) = (Vec::new(), Vec::new());
        let mut regions: Vec<Range<usize>> = std::iter::once(0..self.text.len()).collect();
        for level in 0..=self.views.len() {
            let text = self.level(level);
            let (json, words): (Vec<_>, Vec<_>) = regions.into_iter().partition(|range: &Range<usize>| {
                text.get(range.clone()).is_some_and(|t| json::looks_like_json(t) && json::is_json(t))
            });
            prose.extend(words.into_iter().filter(|_| level > 0).map(|range| (level, range)));
            regions = json;
            if regions.is_empty() {
                break;
            }
            let (mut here, mut strings) = (Vec::new(), Vec::new());
            for region in &regions {
                let tokens = json::tokens(&text[region.clone()], level == 0 && !self.also.pointers.is_empty());
                self.members(level, region.start, &tokens, hits);
                for token in &tokens.tokens {
                    let range = region.start + token.range.start..region.start + token.range.end;
                    let kind = match (token.key, token.quoted) {
                        (true, _) => Kind::Key,
                        (_, true) => Kind::String,
                        _ => Kind::Scalar,
                    };
                    if kind == Kind::String && text[range.clone()].contains(['{', '[', '\\']) {
                        strings.push(range.clone());
                    }
                    here.push(Place { range: self.up(level, range), kind });
                }
            }
            places.push(here);
            // What stands in a string of JSON may be JSON again.
            let Some(next) = self.views.get(level) else { break };
            regions = strings.iter().map(|range| next.down(range)).collect();
        }
        (places, prose)
    }

    /// The values that are hidden for their key or their pointer.
    fn members(&self, level: usize, base: usize, tokens: &Tokens, hits: &mut Vec<Hit>) {
        let text = self.level(level);
        let by_pointer = |pointer: &String| level == 0 && self.also.pointers.contains(pointer);
        for member in &tokens.members {
            let key = || json::unquoted(&text[base + member.key.start..base + member.key.end]);
            if self.rules.hides_keys() && self.rules.hides_key(&key()) {
                hits.extend(self.value(level, base, &member.range, member.quoted, KEY));
            } else if by_pointer(&member.pointer) {
                hits.extend(self.value(level, base, &member.range, member.quoted, PATH));
            }
        }
        for (_, range, quoted) in tokens.elements.iter().filter(|(pointer, ..)| by_pointer(pointer)) {
            hits.extend(self.value(level, base, range, *quoted, PATH));
        }
    }

    /// The hidden members of JSON that stands among words, be it cut: in a range of a level, and below it.
    pub fn among_words(&self, level: usize, range: Range<usize>, hits: &mut Vec<Hit>) {
        let (mut range, mut keys) = (range, BTreeSet::new());
        for below in level..=self.views.len() {
            if below > level {
                range = self.views[below - 1].down(&range);
            }
            // In a string of JSON nothing may get quotes of its own.
            self.embedded(below, range.clone(), level == 0, &mut keys, hits);
        }
    }

    /// Adds the hidden members in a range of a level. `quoted`: what is no string gets quotes. `keys` are those that were
    /// met above, where their values are read better.
    fn embedded(
        &self,
        level: usize,
        range: Range<usize>,
        quoted: bool,
        keys: &mut BTreeSet<usize>,
        hits: &mut Vec<Hit>,
    ) {
        let Some(text) = self.level(level).get(..range.end) else { return };
        let mut covered = range.start;
        for open in memchr::memchr_iter(b'"', text.as_bytes()) {
            // What is hidden holds nothing more to hide, and is not read once more.
            if open < covered {
                continue;
            }
            let Some(length) = json::string_length(&text[open..]).filter(|n| *n <= LONGEST_KEY) else { continue };
            let rest = text[open + length..].trim_start();
            let Some(rest) = rest.strip_prefix(':').map(str::trim_start) else { continue };
            if !self.rules.hides_key(&json::unquoted(&text[open + 1..open + length - 1])) {
                continue;
            }
            if !keys.insert(self.up(level, open..open + 1).start) {
                continue;
            }
            let start = text.len() - rest.len();
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
            let end = match values.next() {
                Some(Ok(_)) => start + values.byte_offset(),
                // It was cut: what there is of it is hidden.
                _ => text.len(),
            };
            covered = end;
            let string = rest.starts_with('"') && text[..end].ends_with('"') && end > start + 1;
            let range = if string { start + 1..end - 1 } else { start..end };
            if !range.is_empty() && &text[range.clone()] != "null" {
                let quotes = (quoted && !string).then_some(level);
                hits.push(Hit { range: self.up(level, range), by: vec![KEY.to_owned()], stands: None, quotes });
            }
        }
    }

    /// A value that is hidden whole. That there is none is no secret.
    fn value(&self, level: usize, base: usize, range: &Range<usize>, quoted: bool, by: &str) -> Option<Hit> {
        let range = base + range.start..base + range.end;
        let (range, quotes) = if quoted { (range.start + 1..range.end - 1, None) } else { (range, Some(level)) };
        let there = quoted || &self.level(level)[range.clone()] != "null";
        there.then(|| Hit { range: self.up(level, range), by: vec![by.to_owned()], stands: None, quotes })
    }
}
