//! The language of `--filter`: one expression over suite, case, check, level and tag.
//!
//! Evaluation is three-valued, so that a suite can be ruled out before its cases are known: what is not known yet is
//! [`Tri::Unknown`], and only [`Tri::No`] leaves something out.

mod parse;
mod pattern;

use std::fmt;
use std::ops::{Not, Range};

use crate::model::Level;
pub use pattern::Pattern;

/// The documentation of the language, for `--help` and `seatrial explain filter`.
pub const DOC: &str = "\
A filter is an expression over suites, cases, checks, levels and tags. What it does not match is left out of the run,
and what remains is marked `partial`: it can be neither baseline nor promotion evidence.

  suite(PATTERN)   the suite's name
  case(PATTERN)    the case's id (the session's id where a suite declares no cases)
  check(PATTERN)   the check's id
  level(PATTERN)   the check's level: span, turn, session or system
  tag(PATTERN)     any tag of the suite, the case or the check
  all()  none()    everything, nothing

A pattern is a glob over the whole name, in which `*` stands for any characters (`/` and `.` included) and `?` for one.
`=name` is exact, `~part` is a substring, `/regex/` is a regular expression found anywhere in the name.
A backslash takes the next character as it is: `case(a\\)b)`.

`not` (or `!`) binds closest, then `and` (`&`, `&&`), then `or` (`|`, `||`); parentheses group. A bare word is an error.

  seatrial run suites/ --filter 'suite(airline-*) and not level(system)'
  seatrial run suites/ --filter 'tag(refund) or case(/^cancel-\\d+$/)'
  seatrial run suites/ --filter 'check(no-*) & !(suite(~draft) | tag(=slow))'
";

/// Yes, no, or not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tri {
    /// It matches, whatever is not known yet.
    Yes,
    /// It does not match, whatever is not known yet.
    No,
    /// It depends on what is not known yet.
    Unknown,
}

impl Tri {
    /// Whether the subject stays in the run: anything but a certain no.
    pub fn keeps(self) -> bool {
        self != Tri::No
    }

    fn of(yes: bool) -> Self {
        if yes { Tri::Yes } else { Tri::No }
    }
}

impl Not for Tri {
    type Output = Tri;
    fn not(self) -> Tri {
        match self {
            Tri::Yes => Tri::No,
            Tri::No => Tri::Yes,
            Tri::Unknown => Tri::Unknown,
        }
    }
}

/// What a filter is asked about. `None` is not known yet; a system check has no case, so its case stays unknown and
/// it is kept over the cases that remain.
#[derive(Debug, Clone, Copy)]
pub struct FilterSubject<'s> {
    /// The suite's name.
    pub suite: &'s str,
    /// The case's id.
    pub case: Option<&'s str>,
    /// The check's id.
    pub check: Option<&'s str>,
    /// The check's level.
    pub level: Option<Level>,
    /// The lists of tags known so far: the suite's, the case's, the check's.
    pub tags: &'s [&'s [String]],
    /// Whether these are all the tags there will be.
    pub all_tags: bool,
}

impl<'s> FilterSubject<'s> {
    /// A suite of which nothing but name and tags is known.
    pub fn suite(suite: &'s str, tags: &'s [&'s [String]]) -> Self {
        Self { suite, case: None, check: None, level: None, tags, all_tags: false }
    }
}

/// Which name a predicate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Suite,
    Case,
    Check,
    Level,
    Tag,
}

impl Key {
    pub(crate) const ALL: [Key; 5] = [Key::Suite, Key::Case, Key::Check, Key::Level, Key::Tag];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Key::Suite => "suite",
            Key::Case => "case",
            Key::Check => "check",
            Key::Level => "level",
            Key::Tag => "tag",
        }
    }
}

/// The expression. Chains of one operator are one node, so that depth is bounded by parentheses and `not` alone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    All,
    None,
    Is(Key, Pattern),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
}

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(Expr);

impl Filter {
    /// Parses an expression.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text).map(Filter)
    }

    /// Whether a subject matches, as far as it is known.
    pub fn matches(&self, subject: &FilterSubject<'_>) -> Tri {
        self.0.matches(subject)
    }
}

impl Expr {
    fn matches(&self, subject: &FilterSubject<'_>) -> Tri {
        match self {
            Expr::All => Tri::Yes,
            Expr::None => Tri::No,
            Expr::Is(key, pattern) => is(*key, pattern, subject),
            Expr::Not(inner) => !inner.matches(subject),
            Expr::And(parts) => first(parts, subject, Tri::No),
            Expr::Or(parts) => first(parts, subject, Tri::Yes),
        }
    }
}

/// `decides` when any part says so, else unknown when any part is, else the opposite.
fn first(parts: &[Expr], subject: &FilterSubject<'_>, decides: Tri) -> Tri {
    let mut result = !decides;
    for part in parts {
        match part.matches(subject) {
            answer if answer == decides => return decides,
            Tri::Unknown => result = Tri::Unknown,
            _ => {}
        }
    }
    result
}

fn is(key: Key, pattern: &Pattern, subject: &FilterSubject<'_>) -> Tri {
    let name = match key {
        Key::Suite => Some(subject.suite),
        Key::Case => subject.case,
        Key::Check => subject.check,
        Key::Level => subject.level.map(Level::name),
        Key::Tag => {
            let known = subject.tags.iter().any(|list| list.iter().any(|tag| pattern.matches(tag)));
            return if known || subject.all_tags { Tri::of(known) } else { Tri::Unknown };
        }
    };
    name.map_or(Tri::Unknown, |name| Tri::of(pattern.matches(name)))
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = |f: &mut fmt::Formatter<'_>, parts: &[Expr], operator: &str| {
            for (i, part) in parts.iter().enumerate() {
                let between = if i == 0 { "" } else { operator };
                match part {
                    Expr::And(_) | Expr::Or(_) => write!(f, "{between}({part})")?,
                    _ => write!(f, "{between}{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Expr::All => f.write_str("all()"),
            Expr::None => f.write_str("none()"),
            Expr::Is(key, pattern) => write!(f, "{}({pattern})", key.name()),
            Expr::Not(inner) if matches!(**inner, Expr::And(_) | Expr::Or(_)) => write!(f, "not ({inner})"),
            Expr::Not(inner) => write!(f, "not {inner}"),
            Expr::And(parts) => chain(f, parts, " and "),
            Expr::Or(parts) => chain(f, parts, " or "),
        }
    }
}

/// What is wrong with a filter. Its text shows the expression with a caret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// The expression.
    pub input: String,
    /// Byte range of what is wrong.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Control characters would break the line that the caret points into.
        let flat: String = self.input.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let width = |range: Range<usize>| {
            self.input
                .get(range)
                .map_or(0, |s| s.chars().map(|c| unicode_width::UnicodeWidthChar::width(c).unwrap_or(1)).sum())
        };
        writeln!(f, "filter: {}", self.message)?;
        writeln!(f, "  {flat}")?;
        write!(f, "  {}{}", " ".repeat(width(0..self.span.start)), "^".repeat(width(self.span.clone()).max(1)))?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FilterError {}

#[cfg(test)]
mod tests;
