//! From text to a filter, with the position of what is wrong.

use std::ops::Range;

use super::pattern::{Form, Pattern};
use super::{Expr, FilterError, Key};
use crate::checks::matcher::regex_message;
use crate::model::Level;

/// Deepest nesting of parentheses and `not`.
const MAX_DEPTH: usize = 100;

pub(super) fn parse(text: &str) -> Result<Expr, FilterError> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    parser.space();
    if parser.rest().is_empty() {
        return Err(parser.error(0..0, "the expression is empty", "write `all()` to match everything".to_owned()));
    }
    let expr = parser.or()?;
    if parser.rest().is_empty() {
        return Ok(expr);
    }
    let span = parser.word_span();
    let help = if parser.rest().starts_with(')') {
        "there is no `(` for it".to_owned()
    } else {
        "join predicates with `and` or `or`".to_owned()
    };
    Err(parser.error(span, "the expression should end here", help))
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn error(&self, span: Range<usize>, message: impl Into<String>, help: impl Into<Option<String>>) -> FilterError {
        FilterError { input: self.text.to_owned(), span, message: message.into(), help: help.into() }
    }

    /// The span of the word, or of the one character, that comes next.
    fn word_span(&self) -> Range<usize> {
        let word = self.rest().find(|c: char| !is_word(c)).unwrap_or(self.rest().len());
        let len = if word > 0 { word } else { self.rest().chars().next().map_or(0, char::len_utf8) };
        self.at..self.at + len
    }

    /// Takes one of some operators and the space behind it. A word is taken only as a whole.
    fn operator(&mut self, names: &[&str]) -> bool {
        let rest = self.rest();
        let found = names.iter().find(|name| {
            rest.strip_prefix(**name).is_some_and(|after| !name.starts_with(is_word) || !after.starts_with(is_word))
        });
        let Some(name) = found else { return false };
        self.at += name.len();
        self.space();
        true
    }

    fn or(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.and()?];
        while self.operator(&["or", "||", "|"]) {
            parts.push(self.and()?);
        }
        Ok(single(parts, Expr::Or))
    }

    fn and(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.not()?];
        while self.operator(&["and", "&&", "&"]) {
            parts.push(self.not()?);
        }
        Ok(single(parts, Expr::And))
    }

    fn not(&mut self) -> Result<Expr, FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(self.word_span(), format!("nested deeper than {MAX_DEPTH}"), None));
        }
        let expr = if self.operator(&["not", "!"]) { Expr::Not(Box::new(self.not()?)) } else { self.primary()? };
        self.depth -= 1;
        Ok(expr)
    }

    fn primary(&mut self) -> Result<Expr, FilterError> {
        let open = self.at;
        if self.rest().starts_with('(') {
            self.at += 1;
            self.space();
            let expr = self.or()?;
            if !self.rest().starts_with(')') {
                return Err(self.unclosed(open..open + 1));
            }
            self.at += 1;
            self.space();
            return Ok(expr);
        }
        let span = self.word_span();
        let word = &self.text[span.clone()];
        if !word.starts_with(is_word) {
            return Err(self.error(span, "a predicate is missing here", format!("one of {}", predicates())));
        }
        self.at = span.end;
        self.space();
        if !self.rest().starts_with('(') {
            return Err(self.error(span.clone(), format!("`{word}` is not a predicate"), bare_help(word)));
        }
        let open = self.at;
        self.at += 1;
        self.space();
        let expr = self.predicate(word, span, open)?;
        if !self.rest().starts_with(')') {
            return Err(self.unclosed(open..open + 1));
        }
        self.at += 1;
        self.space();
        Ok(expr)
    }

    fn unclosed(&self, open: Range<usize>) -> FilterError {
        if self.rest().is_empty() {
            return self.error(open, "this `(` is never closed", "add a `)`".to_owned());
        }
        self.error(self.word_span(), "expected `)` here", None)
    }

    fn predicate(&mut self, word: &str, span: Range<usize>, open: usize) -> Result<Expr, FilterError> {
        if word == "all" || word == "none" {
            if !self.rest().starts_with(')') && !self.rest().is_empty() {
                return Err(self.error(self.word_span(), format!("`{word}()` takes no argument"), None));
            }
            return Ok(if word == "all" { Expr::All } else { Expr::None });
        }
        let Some(key) = Key::ALL.into_iter().find(|k| k.name() == word) else {
            return Err(self.error(span, format!("unknown predicate `{word}`"), unknown_help(word)));
        };
        let start = self.at;
        let pattern = self.argument(key, open)?;
        let span = start..start + self.text[start..self.at].trim_end().len();
        if key == Key::Level && !Level::ALL.iter().any(|l| pattern.matches(l.name())) {
            let near = pattern.literal().and_then(|w| nearest(w, Level::ALL.map(Level::name)));
            let help = near.map_or("the levels are span, turn, session and system".to_owned(), did_you_mean);
            return Err(self.error(span, "no level matches this", help));
        }
        Ok(Expr::Is(key, pattern))
    }

    fn argument(&mut self, key: Key, open: usize) -> Result<Pattern, FilterError> {
        let start = self.at;
        let (form, source) = match self.rest().chars().next() {
            Some('/') => {
                self.at += 1;
                (Form::Regex, self.regex(start)?)
            }
            Some('=') => {
                self.at += 1;
                (Form::Exact, self.text_argument(false, open)?)
            }
            Some('~') => {
                self.at += 1;
                (Form::Substring, self.text_argument(false, open)?)
            }
            _ => (Form::Glob, self.text_argument(true, open)?),
        };
        let span = start..self.at;
        if source.is_empty() && form != Form::Exact {
            let help = format!("write a pattern, such as `{}(*)`", key.name());
            return Err(self.error(span, "the pattern is empty", help));
        }
        Pattern::new(form, source).map_err(|e| self.error(span, regex_message(&e), None))
    }

    /// Up to the next slash that is not escaped.
    fn regex(&mut self, start: usize) -> Result<String, FilterError> {
        let mut source = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '/' => {
                    self.at += i + 1;
                    self.space();
                    return Ok(source);
                }
                '\\' => match chars.next() {
                    Some((_, '/')) => source.push('/'),
                    Some((_, other)) => source.extend(['\\', other]),
                    None => source.push('\\'),
                },
                c => source.push(c),
            }
        }
        let help = "end it with `/`; a slash within it is written `\\/`".to_owned();
        Err(self.error(start..self.text.len(), "this regular expression is never closed", help))
    }

    /// Up to the next parenthesis that is not escaped, without the space around it. A glob keeps its escapes.
    fn text_argument(&mut self, keep_escapes: bool, open: usize) -> Result<String, FilterError> {
        let mut text = String::new();
        // Trailing space counts only up to here: what was escaped stays.
        let mut solid = 0;
        let mut chars = self.rest().char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                ')' => {
                    self.at += i;
                    text.truncate(solid);
                    return Ok(text);
                }
                '\\' => {
                    let Some((_, next)) = chars.next() else { break };
                    if keep_escapes && matches!(next, '*' | '?' | '\\') {
                        text.push('\\');
                    }
                    text.push(next);
                    solid = text.len();
                }
                c => {
                    // Space before the argument is not part of it.
                    if !(text.is_empty() && c.is_whitespace()) {
                        text.push(c);
                    }
                    if !c.is_whitespace() {
                        solid = text.len();
                    }
                }
            }
        }
        Err(self.error(open..open + 1, "this `(` is never closed", "add a `)`".to_owned()))
    }
}

fn single(mut parts: Vec<Expr>, join: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            join(parts)
        }
        None => Expr::All,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

fn predicates() -> String {
    Key::ALL.map(|k| format!("`{}(...)`", k.name())).join(", ") + ", `all()`, `none()`"
}

fn bare_help(word: &str) -> String {
    let names = Key::ALL.map(Key::name).into_iter().chain(["all", "none"]);
    match names.into_iter().find(|n| *n == word) {
        Some("all" | "none") => format!("write `{word}()`"),
        Some(name) => format!("write `{name}(PATTERN)`"),
        None => format!("write what it is the name of, such as `case(~{word})` or `suite({word})`"),
    }
}

fn unknown_help(word: &str) -> String {
    let names = Key::ALL.map(Key::name).into_iter().chain(["all", "none"]);
    nearest(word, names).map_or_else(|| format!("one of {}", predicates()), did_you_mean)
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    crate::suite::nearest::nearest(word, names)
}
