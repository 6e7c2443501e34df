//! What is wrong with a suite, where, and what to do about it: collected, sorted, and drawn with source excerpts or
//! as plain facts for machines.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::{Deserialize, Serialize};

use super::nearest::nearest;

/// Longest line that is drawn in an excerpt, in bytes; longer ones are named by line and column only.
const LONGEST_LINE: usize = 4096;
/// Most problems that are drawn; the rest are counted.
const MOST_DRAWN: usize = 1000;

/// Whether a problem stops the suite from loading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is run.
    Error,
    /// Probably not meant; the run goes on.
    Warning,
}

/// Something wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the user would name it; with `/` on every system.
    pub file: String,
    /// Byte range in the file; `None` when the file as a whole is meant.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether it stops the suite from loading.
    pub severity: Severity,
}

/// A problem as facts, for `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemLine<'p> {
    /// The file.
    pub file: &'p str,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// Whether it stops the suite from loading.
    pub severity: Severity,
    /// What is wrong.
    pub message: &'p str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<&'p str>,
}

/// Problems of any number of files, with the texts they point into.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    list: Vec<Problem>,
    sources: BTreeMap<String, Arc<str>>,
}

impl Problems {
    /// Adds one.
    pub fn add(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// Keeps the text of a file, so that problems in it can be drawn with an excerpt.
    pub fn source(&mut self, file: &str, text: Arc<str>) {
        self.sources.insert(file.to_owned(), text);
    }

    /// Hides a stretch of a file's text in excerpts: each byte of it becomes a star, so that all else stands where it did.
    pub fn hide(&mut self, file: &str, span: Range<usize>) {
        if let Some(text) = self.sources.get_mut(file) {
            let (start, end) = (boundary(text, span.start), boundary(text, span.end));
            if start < end {
                *text = [&text[..start], &"*".repeat(end - start), &text[end..]].concat().into();
            }
        }
    }

    /// Takes over the problems and texts of another collection.
    pub fn append(&mut self, other: Problems) {
        self.list.extend(other.list);
        self.sources.extend(other.sources);
    }

    /// The problems, in the order they were added or, after [`Problems::sort`], by file and position.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of them stops the suite from loading.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|p| p.severity == Severity::Error)
    }

    /// Sorts by file and position, and drops repetitions (a fragment's problems are met once per suite).
    pub fn sort(&mut self) {
        let key = |p: &Problem| (p.file.clone(), p.span.as_ref().map(|s| (s.start, s.end)), p.message.clone());
        self.list.sort_by_cached_key(key);
        self.list.dedup();
    }

    /// Line and column (in characters) of a byte offset in a file, both from 1; `None` when its text is not known.
    pub fn position(&self, file: &str, offset: usize) -> Option<(usize, usize)> {
        self.sources.get(file).map(|text| position(text, offset))
    }

    /// The problems as facts.
    pub fn lines(&self) -> Vec<ProblemLine<'_>> {
        let line = |p: &'_ Problem| {
            let at = p.span.as_ref().and_then(|s| self.position(&p.file, s.start));
            (at.map(|a| a.0), at.map(|a| a.1))
        };
        self.list
            .iter()
            .map(|p| {
                let (line, column) = line(p);
                ProblemLine {
                    file: &p.file,
                    line,
                    column,
                    severity: p.severity,
                    message: &p.message,
                    help: p.help.as_deref(),
                }
            })
            .collect()
    }

    /// Draws every problem with file, line, column, excerpt, caret and help; empty when there are none.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for problem in self.list.iter().take(MOST_DRAWN) {
            out.push_str(&self.draw(problem, &renderer));
            out.push_str("\n\n");
        }
        if self.list.len() > MOST_DRAWN {
            out.push_str(&format!("... and {} more problems\n", self.list.len() - MOST_DRAWN));
        }
        out
    }

    fn draw(&self, problem: &Problem, renderer: &Renderer) -> String {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let clean = annotate_snippets::normalize_untrusted_str;
        let title = level.primary_title(clean(&problem.message));
        let path = clean(&problem.file);
        let place = problem.span.as_ref().and_then(|span| Some((self.sources.get(&problem.file)?, span.clone())));
        let group = match place {
            None => title.element(Origin::path(path)),
            Some((text, span)) => match excerpt(text, span.clone()) {
                Some((lines, first, inner)) => title.element(
                    Snippet::source(lines).line_start(first).path(path).annotation(AnnotationKind::Primary.span(inner)),
                ),
                None => {
                    let (line, column) = position(text, span.start);
                    title.element(Origin::path(path).line(line).char_column(column))
                }
            },
        };
        match &problem.help {
            Some(help) => renderer.render(&[group.element(Level::HELP.message(clean(help)))]),
            None => renderer.render(&[group]),
        }
    }
}

impl<'p> IntoIterator for &'p Problems {
    type Item = &'p Problem;
    type IntoIter = std::slice::Iter<'p, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Moves an offset back to a character boundary within the text.
fn boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Line and column of a byte offset, both from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..boundary(text, offset)];
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The first line of a span with the number of that line and the span within it; `None` when it is too long to draw.
fn excerpt(text: &str, span: Range<usize>) -> Option<(&str, usize, Range<usize>)> {
    let start = boundary(text, span.start);
    let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    if line_end - line_start > LONGEST_LINE {
        return None;
    }
    let end = boundary(text, span.end.max(span.start)).clamp(start, line_end.max(start));
    let number = text[..line_start].matches('\n').count() + 1;
    Some((&text[line_start..line_end], number, start - line_start..end - line_start))
}

/// "did you mean `x`?", or nothing near.
pub fn did_you_mean<'x>(word: &str, candidates: impl IntoIterator<Item = &'x str>) -> Option<String> {
    nearest(word, candidates).map(|n| format!("did you mean `{n}`?"))
}

/// "did you mean `x`?", or else the whole choice.
pub fn choice<'x>(word: &str, candidates: impl IntoIterator<Item = &'x str> + Clone) -> String {
    did_you_mean(word, candidates.clone())
        .unwrap_or_else(|| format!("one of: {}", candidates.into_iter().collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(file: &str, span: Option<Range<usize>>, message: &str) -> Problem {
        Problem { file: file.into(), span, message: message.into(), help: None, severity: Severity::Error }
    }

    #[test]
    fn sorts_by_file_and_position_and_drops_repetitions() {
        let mut all = Problems::default();
        all.add(problem("b", Some(1..2), "x"));
        all.add(problem("a", Some(9..10), "x"));
        all.add(problem("b", Some(1..2), "x"));
        all.add(problem("a", None, "x"));
        all.sort();
        let got: Vec<_> = all.iter().map(|p| (p.file.as_str(), p.span.clone())).collect();
        assert_eq!(got, [("a", None), ("a", Some(9..10)), ("b", Some(1..2))]);
    }

    #[test]
    fn names_line_and_column_in_characters() {
        let mut all = Problems::default();
        all.source("s.toml", "ä = 1\nöö = x\n".into());
        let offset = "ä = 1\nöö = ".len();
        all.add(problem("s.toml", Some(offset..offset + 1), "bad"));
        let lines = all.lines();
        assert_eq!((lines[0].line, lines[0].column), (Some(2), Some(6)));
    }

    #[test]
    fn a_span_outside_the_text_or_inside_a_character_is_drawn_all_the_same() {
        let mut all = Problems::default();
        all.source("s", "ä".into());
        for span in [1..1, 0..99, 50..60, 1..2] {
            all.add(problem("s", Some(span), "m"));
        }
        assert_eq!(all.render(false).matches("error: m").count(), 4);
    }

    #[test]
    fn a_very_long_line_is_named_but_not_drawn() {
        let mut all = Problems::default();
        all.source("s", format!("\n{}", "x".repeat(100_000)).into());
        all.add(problem("s", Some(50..60), "m"));
        let text = all.render(false);
        assert!(text.contains("s:2:50"), "{text}");
        assert!(text.len() < 200);
    }
}
