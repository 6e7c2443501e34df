//! The argument of a predicate: a glob, an exact name, a substring or a regular expression.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// What a name is compared with.
#[derive(Debug, Clone)]
pub struct Pattern {
    form: Form,
    /// The source with escapes taken out; of a glob and a regular expression as they are compiled.
    source: String,
    compiled: Option<Regex>,
}

/// How a pattern is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Glob,
    Exact,
    Substring,
    Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.form == other.form && self.source == other.source
    }
}

impl Pattern {
    /// Compiles a pattern. In a glob a backslash takes the next character as it is.
    pub(crate) fn new(form: Form, source: String) -> Result<Self, regex::Error> {
        let compiled = match form {
            Form::Glob => Some(RegexBuilder::new(&glob(&source)).dot_matches_new_line(true).build()?),
            Form::Regex => Some(Regex::new(&source)?),
            Form::Exact | Form::Substring => None,
        };
        Ok(Self { form, source, compiled })
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        match (&self.compiled, self.form) {
            (Some(regex), _) => regex.is_match(name),
            (None, Form::Substring) => name.contains(&self.source),
            (None, _) => name == self.source,
        }
    }

    /// The one name that the pattern can match, when there is only one.
    pub(crate) fn literal(&self) -> Option<&str> {
        let plain = match self.form {
            Form::Glob => !self.source.contains(['*', '?', '\\']),
            Form::Exact => true,
            Form::Substring | Form::Regex => false,
        };
        plain.then_some(&self.source)
    }
}

/// The regular expression of a glob, over the whole name.
fn glob(source: &str) -> String {
    let mut out = String::from("^");
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '\\' => out.push_str(&regex::escape(&chars.next().unwrap_or('\\').to_string())),
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push('$');
    out
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Regex => write!(f, "/{}/", escape_slashes(&self.source)),
            Form::Exact => write!(f, "={}", escape_text(&self.source)),
            Form::Substring => write!(f, "~{}", escape_text(&self.source)),
            Form::Glob => write!(f, "{}", escape_glob(&self.source)),
        }
    }
}

/// Slashes of a regular expression; its own escapes stay.
fn escape_slashes(source: &str) -> String {
    let mut out = String::new();
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        match c {
            '/' => out.push_str("\\/"),
            '\\' => {
                out.push('\\');
                out.extend(chars.next());
            }
            c => out.push(c),
        }
    }
    out
}

/// What would end the argument or be trimmed from it.
fn escape_text(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let escaped = |(i, c): (usize, char)| {
        let edge = (i == 0 || i == last) && c.is_whitespace();
        (edge || matches!(c, ')' | '\\')).then_some('\\').into_iter().chain([c])
    };
    text.chars().enumerate().flat_map(escaped).collect()
}

/// A glob keeps its own escapes; what would make it another form is escaped at its start.
fn escape_glob(source: &str) -> String {
    let mut out = String::new();
    let mut chars = source.chars().peekable();
    let mut first = true;
    while let Some(c) = chars.next() {
        let edge = c.is_whitespace() && (first || chars.peek().is_none());
        if c == '\\' {
            out.push(c);
            out.extend(chars.next());
        } else {
            if edge || c == ')' || (first && matches!(c, '=' | '~' | '/')) {
                out.push('\\');
            }
            out.push(c);
        }
        first = false;
    }
    out
}
