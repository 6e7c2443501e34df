//! Tables with positions: parsing TOML with recovery, finding entries by path or span, and deserialising a table
//! so that every problem in it is found, not only the first.
//!
//! All files of a load share one space of byte positions: each [`Source`] begins at its `base`. A table that was put
//! together from several files (a check with defaults from a fragment) can so still say where each value stands.

use std::cell::OnceCell;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::problems::{Problem, Problems, Severity, choice};
use super::words;

/// A position in the shared space of all files.
pub(super) type Pos = Range<usize>;

/// A TOML file that was read.
#[derive(Debug)]
pub(super) struct Source {
    /// How the user would name it.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub text: Arc<str>,
    /// Where it begins in the shared space.
    pub base: usize,
    /// Where its lines begin, found when first asked for.
    pub lines: OnceCell<Vec<usize>>,
}

impl Source {
    fn end(&self) -> usize {
        self.base + self.text.len()
    }

    /// The line of a byte offset, from 1.
    fn line(&self, offset: usize) -> usize {
        let starts =
            self.lines.get_or_init(|| memchr::memchr_iter(b'\n', self.text.as_bytes()).map(|i| i + 1).collect());
        starts.partition_point(|start| *start <= offset) + 1
    }

    /// The folder that its paths are relative to.
    pub fn dir(&self) -> PathBuf {
        self.path.parent().map(PathBuf::from).unwrap_or_default()
    }

    /// A position that means the file as a whole: its first byte.
    pub fn start(&self) -> Pos {
        self.base..self.base
    }
}

/// Reports problems at shared positions, and holds back those that only follow from a syntax error.
pub(super) struct Sink<'s> {
    sources: &'s [Source],
    /// Shared ranges of the lines with syntax errors.
    broken: Vec<Pos>,
    /// What was reported.
    pub problems: Problems,
}

impl<'s> Sink<'s> {
    pub fn new(sources: &'s [Source]) -> Self {
        let mut problems = Problems::default();
        for source in sources {
            problems.source(&source.name, source.text.clone());
        }
        Self { sources, broken: Vec::new(), problems }
    }

    /// The source that holds a position.
    pub fn source(&self, pos: &Pos) -> Option<&'s Source> {
        let after = self.sources.partition_point(|s| s.base <= pos.start);
        self.sources.get(after.checked_sub(1)?)
    }

    /// `file:line` of a position.
    pub fn location(&self, pos: &Pos) -> String {
        let Some(source) = self.source(pos) else { return String::new() };
        format!("{}:{}", source.name, source.line(pos.start - source.base))
    }

    /// The text at a position, as it is written.
    pub fn text(&self, pos: &Pos) -> Option<&'s str> {
        let source = self.source(pos)?;
        source.text.get(pos.start - source.base..pos.end.checked_sub(source.base)?)
    }

    /// Hides what stands at a position in every excerpt.
    pub fn hide(&mut self, pos: &Pos) {
        if let Some(source) = self.source(pos) {
            self.problems.hide(&source.name, pos.start - source.base..pos.end.saturating_sub(source.base));
        }
    }

    pub fn error(&mut self, pos: &Pos, message: impl Into<String>, help: impl Into<Option<String>>) {
        if !self.broken.iter().any(|line| line.start <= pos.start && pos.start <= line.end) {
            self.push(pos, message.into(), help.into(), Severity::Error);
        }
    }

    pub fn warn(&mut self, pos: &Pos, message: impl Into<String>, help: impl Into<Option<String>>) {
        self.push(pos, message.into(), help.into(), Severity::Warning);
    }

    /// Reports that something is absent, unless syntax errors in the file may have swallowed it.
    pub fn missing(&mut self, pos: &Pos, message: impl Into<String>, help: impl Into<Option<String>>) {
        let damaged =
            self.source(pos).is_some_and(|s| self.broken.iter().any(|b| s.base <= b.start && b.start <= s.end()));
        if !damaged {
            self.error(pos, message, help);
        }
    }

    fn syntax(&mut self, pos: &Pos, message: String) {
        self.push(pos, message, None, Severity::Error);
        let Some(source) = self.source(pos) else { return };
        let at = pos.start - source.base;
        let start = source.text.get(..at).and_then(|t| t.rfind('\n')).map_or(0, |i| i + 1);
        let end = source.text.get(at..).and_then(|t| t.find('\n')).map_or(source.text.len(), |i| at + i);
        self.broken.push(source.base + start..source.base + end);
    }

    fn push(&mut self, pos: &Pos, message: String, help: Option<String>, severity: Severity) {
        let (file, span) = match self.source(pos) {
            Some(source) => (source.name.clone(), Some(pos.start - source.base..pos.end.saturating_sub(source.base))),
            None => (String::new(), None),
        };
        self.problems.add(Problem { file, span, message, help, severity });
    }
}

/// Parses a source; every syntax error is reported, and what could be read is returned.
pub(super) fn parse<'s>(source: &'s Source, sink: &mut Sink<'_>) -> DeTable<'s> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        sink.syntax(&(source.base + span.start..source.base + span.end), error.message().replace('\n', "; "));
    }
    shift_table(table.into_inner(), source.base)
}

/// Moves a table into the shared space. Dates become strings on the way: nothing in the language needs them as such.
fn shift_table(table: DeTable<'_>, base: usize) -> DeTable<'_> {
    let mut out = DeTable::with_capacity(table.len());
    for (key, value) in table {
        let span = key.span();
        out.insert(Spanned::new(span.start + base..span.end + base, key.into_inner()), shift_value(value, base));
    }
    out
}

fn shift_value(value: Spanned<DeValue<'_>>, base: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift_table(table, base)),
        DeValue::Array(array) => {
            let mut out = DeArray::new();
            for item in array {
                out.push(shift_value(item, base));
            }
            DeValue::Array(out)
        }
        DeValue::Datetime(date) => DeValue::String(date.to_string().into()),
        other => other,
    };
    Spanned::new(span.start + base..span.end + base, value)
}

/// A table as JSON. Infinities and NaN, which JSON lacks, become their TOML text.
pub(super) fn table_json(table: &DeTable<'_>) -> Value {
    Value::Object(table.iter().map(|(k, v)| (k.get_ref().to_string(), value_json(v.get_ref()))).collect())
}

/// A value as JSON.
pub(super) fn value_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(s) => Value::String(s.to_string()),
        DeValue::Boolean(b) => Value::Bool(*b),
        DeValue::Integer(i) => {
            let (text, radix) = (i.as_str(), i.radix());
            i64::from_str_radix(text, radix)
                .map(Value::from)
                .or_else(|_| u64::from_str_radix(text, radix).map(Value::from))
                .unwrap_or_else(|_| Value::String(i.to_string()))
        }
        DeValue::Float(f) => match f.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
            Some(number) => Value::Number(number),
            None => Value::String(f.to_string()),
        },
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|v| value_json(v.get_ref())).collect()),
        DeValue::Table(table) => table_json(table),
    }
}

/// The position of the value at a path of keys and indices, or of the deepest part of the path that exists.
pub(super) fn span_at(table: &DeTable<'_>, whole: &Pos, path: &[String]) -> Pos {
    let Some((first, rest)) = path.split_first() else { return whole.clone() };
    let Some(mut value) = table.get(first.as_str()) else { return whole.clone() };
    for step in rest {
        let next = match value.get_ref() {
            DeValue::Table(t) => t.get(step.as_str()),
            DeValue::Array(a) => step.parse::<usize>().ok().and_then(|i| a.get(i)),
            _ => None,
        };
        match next {
            Some(inner) => value = inner,
            None => break,
        }
    }
    value.span()
}

/// The position of a key, or of the table when it does not have it.
pub(super) fn key_pos(table: &DeTable<'_>, key: &str, whole: &Pos) -> Pos {
    table.get_key_value(key).map_or_else(|| whole.clone(), |(k, _)| k.span())
}

fn inside(inner: &Pos, outer: &Pos) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Whether an absent key is a problem.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Yes.
    Reported,
    /// No: only part of the table is here.
    Tolerated,
}

/// Deserialises a table. On a problem it is reported, the innermost entry that holds it is dropped and the rest tried
/// again, so that one bad value does not hide the next. `None` when anything was wrong.
pub(super) fn collect<T>(
    table: &DeTable<'_>,
    whole: &Pos,
    missing: Missing,
    sink: &mut Sink<'_>,
    read: impl FnMut(Deserializer<'_>) -> Result<T, toml::de::Error>,
) -> Option<T> {
    collect_rest(table, whole, missing, sink, read).and_then(|(value, dropped)| dropped.is_empty().then_some(value))
}

/// As [`collect`], but what is left after bad entries were dropped is returned as well, with the keys of those.
pub(super) fn collect_rest<T>(
    table: &DeTable<'_>,
    whole: &Pos,
    missing: Missing,
    sink: &mut Sink<'_>,
    mut read: impl FnMut(Deserializer<'_>) -> Result<T, toml::de::Error>,
) -> Option<(T, Vec<String>)> {
    let mut left = table.clone();
    let mut dropped: Vec<String> = Vec::new();
    loop {
        let error = match read(Deserializer::from(Spanned::new(whole.clone(), left.clone()))) {
            Ok(value) => return Some((value, dropped)),
            Err(error) => error,
        };
        let at = error.span().unwrap_or_else(|| whole.clone());
        let fault = Fault::of(error.message());
        let mut pos = at.clone();
        match &fault {
            Fault::Missing(key) => {
                // What was dropped is now missing, which is no news; nor is it where only a part is looked at.
                if missing == Missing::Reported && !dropped.contains(key) {
                    sink.missing(&at, format!("`{key}` is missing"), Some(format!("add `{key} = ...`")));
                    dropped.push(key.clone());
                }
            }
            Fault::UnknownKey { key, known } => {
                pos = find_key(&left, key, &at).unwrap_or(at.clone());
                // The key that was meant is not missing too.
                dropped.extend(super::nearest::nearest(key, known.iter().map(String::as_str)).map(str::to_owned));
                sink.error(&pos, format!("unknown key `{key}`"), Some(words::help_for_key(key, known)));
            }
            Fault::Other { message, help } => sink.error(&pos, message.clone(), help.clone()),
        }
        match drop_entry(&mut left, &pos) {
            Some(key) => dropped.push(key),
            None => return None,
        }
    }
}

/// [`collect`] for a type that deserialises itself.
pub(super) fn read_table<T: serde::de::DeserializeOwned>(
    table: &DeTable<'_>,
    whole: &Pos,
    missing: Missing,
    sink: &mut Sink<'_>,
) -> Option<T> {
    collect(table, whole, missing, sink, |d| T::deserialize(d))
}

/// As [`read_table`], but what is left after bad entries were dropped is returned too: enough to look for further
/// problems, as nothing is run after any.
pub(super) fn read_rest<T: serde::de::DeserializeOwned>(
    table: &DeTable<'_>,
    whole: &Pos,
    missing: Missing,
    sink: &mut Sink<'_>,
) -> Option<T> {
    collect_rest(table, whole, missing, sink, |d| T::deserialize(d)).map(|(value, _)| value)
}

/// What a deserialiser complained about.
enum Fault {
    Missing(String),
    UnknownKey { key: String, known: Vec<String> },
    Other { message: String, help: Option<String> },
}

impl Fault {
    /// Reads serde's fixed texts.
    fn of(message: &str) -> Self {
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let Some((&word, rest)) = quoted.split_first() else { return Self::plain(message) };
        let names = || rest.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        if message.starts_with("missing field") {
            Self::Missing(word.to_owned())
        } else if message.starts_with("unknown field") {
            Self::UnknownKey { key: word.to_owned(), known: names() }
        } else if message.starts_with("unknown variant") {
            let help = Some(choice(word, rest.iter().copied()));
            Self::Other { message: format!("unknown value `{word}`"), help }
        } else {
            Self::plain(message)
        }
    }

    fn plain(message: &str) -> Self {
        Self::Other { message: words::in_plain_words(message), help: None }
    }
}

/// A key with this name in the table (or element) that lies at a position, wherever it is nested.
fn find_key(table: &DeTable<'_>, key: &str, at: &Pos) -> Option<Pos> {
    table.iter().find_map(|(k, v)| {
        let here = k.get_ref() == key && (inside(&k.span(), at) || inside(at, &k.span()));
        if here { Some(k.span()) } else { find_key_in(v, key, at) }
    })
}

fn find_key_in(value: &Spanned<DeValue<'_>>, key: &str, at: &Pos) -> Option<Pos> {
    match value.get_ref() {
        DeValue::Table(t) if value.span() == *at && t.contains_key(key) => t.get_key_value(key).map(|(k, _)| k.span()),
        DeValue::Table(t) => find_key(t, key, at),
        DeValue::Array(a) => a.iter().find_map(|v| find_key_in(v, key, at)),
        _ => None,
    }
}

/// Removes the innermost entry that holds a position, and says its key. A table written under a header of its own
/// does not contain its entries' positions, so entries are searched before their table is.
pub(super) fn drop_entry(table: &mut DeTable<'_>, at: &Pos) -> Option<String> {
    let mut found = None;
    for (key, value) in table.iter_mut() {
        if let Some(inner) = drop_inside(value.get_mut(), at) {
            return Some(inner);
        }
        if inside(at, &key.span()) || inside(at, &value.span()) {
            found = Some(key.get_ref().to_string());
            break;
        }
    }
    let key = found?;
    table.remove(key.as_str());
    Some(key)
}

fn drop_inside(value: &mut DeValue<'_>, at: &Pos) -> Option<String> {
    match value {
        DeValue::Table(table) => drop_entry(table, at),
        DeValue::Array(array) => {
            for item in array.iter_mut() {
                if let Some(key) = drop_inside(item.get_mut(), at) {
                    return Some(key);
                }
            }
            let position = array.iter().position(|item| inside(at, &item.span()))?;
            let mut rest = DeArray::new();
            for (i, item) in std::mem::replace(array, DeArray::new()).into_iter().enumerate() {
                if i != position {
                    rest.push(item);
                }
            }
            *array = rest;
            Some(position.to_string())
        }
        _ => None,
    }
}
