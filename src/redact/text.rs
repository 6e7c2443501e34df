//! What the rules find in one text, and the text without it.
//!
//! Every level of escapes is looked at ([`crate::model::json::view`]), and what is found at a deeper one is taken out of the text as it
//! was written. A text that is JSON stays JSON: a number becomes a string, and a key that changes keeps apart from others.

use std::collections::BTreeSet;
use std::ops::Range;

use super::json;
use super::rules::{Rules, marker};
use super::search::{Hit, Kind, Place, Search};

/// A stretch of a text that was replaced, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Where it was.
    pub from: Range<usize>,
    /// Where its replacement is.
    pub to: Range<usize>,
}

/// A text without what the rules hide.
#[derive(Debug, Default)]
pub(super) struct Rewritten {
    /// The text.
    pub text: String,
    /// What was replaced, in order.
    pub edits: Vec<Edit>,
    /// The rules that found something, markers of an earlier redaction included.
    pub by: BTreeSet<String>,
    /// What was taken out, each with the rule's name.
    pub taken: Vec<(String, String)>,
}

/// A name that is replaced by another wherever it occurs: an id and its pseudonym.
#[derive(Debug, Clone)]
pub(super) struct Alias {
    /// As it was recorded.
    pub name: String,
    /// What stands for it.
    pub stands: String,
    /// The rule's name.
    pub by: &'static str,
}

/// What is found in a text beyond what the rules say of every text.
#[derive(Default, Clone, Copy)]
pub(super) struct Also<'x> {
    /// Ids that have pseudonyms.
    pub aliases: &'x [Alias],
    /// JSON pointers into the text at which values are hidden.
    pub pointers: &'x [String],
}

/// The shortest id that is looked for in other texts, in bytes: a shorter one would be found in words.
pub(super) const SHORTEST_ALIAS: usize = 4;

/// Takes out of a text what the rules hide; `None` where they find nothing.
pub(super) fn rewrite(rules: &Rules, text: &str, also: Also<'_>) -> Option<Rewritten> {
    let search = Search::new(rules, also, text);
    let detected: Vec<Hit> = (0..=search.views.len()).flat_map(|level| search.detected(level)).collect();
    let by_place = rules.hides_keys() || !also.pointers.is_empty();
    let mut hits = Vec::new();
    let (places, prose) =
        if by_place || !detected.is_empty() { search.places(&mut hits) } else { (Vec::new(), Vec::new()) };
    if rules.hides_keys() {
        // JSON in words, such as those of a reason, be they a string of JSON themselves.
        let whole = places.is_empty().then_some((0, 0..text.len()));
        whole.into_iter().chain(prose).for_each(|(level, range)| search.among_words(level, range, &mut hits));
    }
    hits.extend(detected);
    let hits = settled(rules, text, hits, &places);
    (!hits.is_empty()).then(|| apply(text, hits))
}

/// The hits as they can be applied: in order, apart from each other, and none across the structure of JSON.
fn settled(rules: &Rules, text: &str, mut hits: Vec<Hit>, places: &[Vec<Place>]) -> Vec<Hit> {
    if hits.is_empty() {
        return hits;
    }
    // A marker is what its own rule found, and nothing to any other.
    let markers = markers(text);
    hits.retain(|hit| {
        let after = markers.partition_point(|m| m.start <= hit.range.start);
        let inside = after.checked_sub(1).and_then(|i| markers.get(i)).filter(|m| hit.range.end <= m.end);
        inside.is_none_or(|_| hit.by.iter().any(|by| text[hit.range.clone()] == marker(by)))
    });
    if !places.is_empty() {
        hits = hits.into_iter().flat_map(|hit| within_json(hit, places)).collect();
    }
    hits.sort_by_key(|hit| (hit.range.start, std::cmp::Reverse(hit.range.end)));
    let mut settled: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match settled.last_mut() {
            // Two that overlap are one, named after both.
            Some(last) if hit.range.start < last.range.end => {
                if hit.range.end > last.range.end {
                    last.range.end = hit.range.end;
                    last.stands = None;
                }
                if hit.range == last.range {
                    last.quotes = last.quotes.or(hit.quotes);
                }
                last.by.extend(hit.by.into_iter().filter(|by| !last.by.contains(by)).collect::<Vec<_>>());
            }
            _ => settled.push(hit),
        }
    }
    // Keys that change keep apart from each other by what is added to them.
    let mut added = Vec::new();
    for (level, here) in places.iter().enumerate() {
        for key in here.iter().filter(|p| p.kind == Kind::Key) {
            let from = settled.partition_point(|h| h.range.start < key.range.start);
            let mut within = settled[from..].iter().take_while(|h| h.range.end <= key.range.end);
            if within.any(|h| h.stands.is_none() && text[h.range.clone()] != h.stands()) {
                let written = text[key.range.clone()].to_owned();
                let name = (0..=level).fold(written, |name, _| json::unquoted(&name));
                let (range, stands) = (key.range.end..key.range.end, Some(rules.suffix(&name)));
                added.push(Hit { range, by: Vec::new(), stands, quotes: None });
            }
        }
    }
    settled.extend(added);
    settled.sort_by_key(|hit| (hit.range.end, hit.range.start));
    settled
}

/// A hit as those of its parts that stand in tokens of JSON.
fn within_json(hit: Hit, places: &[Vec<Place>]) -> Vec<Hit> {
    if hit.quotes.is_some() {
        return vec![hit];
    }
    let mut parts = Vec::new();
    for (level, here) in places.iter().enumerate() {
        let from = here.partition_point(|p| p.range.end <= hit.range.start);
        for place in here[from..].iter().take_while(|p| p.range.start < hit.range.end) {
            match place.kind {
                Kind::Scalar => parts.push(Hit { range: place.range.clone(), quotes: Some(level), ..hit.clone() }),
                _ if level == 0 => {
                    let range = place.range.start.max(hit.range.start)..place.range.end.min(hit.range.end);
                    parts.push(Hit { range, ..hit.clone() });
                }
                _ => {}
            }
        }
    }
    parts
}

/// Whether no letter or digit touches a range.
pub(super) fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let before = text[..range.start].chars().next_back();
    let after = text[range.end..].chars().next();
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

/// The markers of an earlier redaction.
fn markers(text: &str) -> Vec<Range<usize>> {
    let marker = |(at, _): (usize, &str)| {
        let name = text[at + OPEN.len()..].bytes().take(100).position(|b| b == b']')?;
        Some(at..at + OPEN.len() + name + 1)
    };
    text.match_indices(OPEN).filter_map(marker).collect()
}

/// How a marker begins.
pub(super) const OPEN: &str = "[redacted:";

fn apply(text: &str, hits: Vec<Hit>) -> Rewritten {
    let mut out = Rewritten { text: String::with_capacity(text.len()), ..Rewritten::default() };
    let mut at = 0;
    for hit in hits {
        let (found, stands) = (&text[hit.range.clone()], hit.stands());
        if found != stands {
            out.text.push_str(&text[at..hit.range.start]);
            let start = out.text.len();
            // A quote within so many strings of JSON.
            let quote = hit.quotes.map(|level| format!("{}\"", "\\".repeat((1 << level) - 1))).unwrap_or_default();
            out.text.push_str(&format!("{quote}{stands}{quote}"));
            out.edits.push(Edit { from: hit.range.clone(), to: start..out.text.len() });
            at = hit.range.end;
            if let (false, Some(by)) = (found.is_empty(), hit.by.first()) {
                out.taken.push((found.to_owned(), by.clone()));
            }
        }
        out.by.extend(hit.by);
    }
    out.text.push_str(&text[at..]);
    out
}

/// A range of a text in what became of it.
pub fn translate(range: Range<usize>, edits: &[Edit]) -> Range<usize> {
    let position = |at: usize, is_end: bool| {
        let mut shift = 0isize;
        for edit in edits {
            if at <= edit.from.start && !(is_end && at == edit.from.start && edit.from.is_empty()) {
                break;
            }
            if at < edit.from.end || (is_end && at == edit.from.end) {
                return if is_end { edit.to.end } else { edit.to.start };
            }
            shift = edit.to.end as isize - edit.from.end as isize;
        }
        at.saturating_add_signed(shift)
    };
    let (start, end) = (position(range.start, false), position(range.end, true));
    start..end.max(start)
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
