//! Calls in words, bounded, for reasons.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde_json::Value;

use super::plain;
use crate::checks::expect::{ExpectedArgs, ExpectedCall};
use crate::checks::matcher::{ArgsMode, Argument, Matcher};
use crate::model::json::tape::{Kind, Node};
use crate::model::{Evidence, Field, Session, Span};

use crate::checks::subject::Scope;

/// The longest arguments that are printed whole, in characters.
const ARGS: usize = 160;
/// The same for a call that is one of a list.
const LISTED_ARGS: usize = 80;
/// The most calls that are listed.
pub const CALLS: usize = 16;

/// At most `max` characters of a text, with a mark when some are left out.
pub fn clip(text: &str, max: usize) -> Cow<'_, str> {
    match end_of(text, max) {
        Some(end) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

/// Where the first `max` characters of a text end; `None` where it has no more.
fn end_of(text: &str, max: usize) -> Option<usize> {
    // Nearly always these are bytes, too.
    match text.as_bytes().get(..max) {
        Some(first) if first.is_ascii() => (text.len() > max).then_some(max),
        Some(_) => text.char_indices().nth(max).map(|(end, _)| end),
        None => None,
    }
}

/// As [`clip`] of a value as it is printed, of which no more is printed than is shown.
pub fn short(value: &impl fmt::Display, max: usize) -> String {
    let mut out = String::new();
    // An error is how printing stops.
    let _ = write!(Clipped { out: &mut out, left: max }, "{value}");
    out
}

/// Passes on a number of characters, and then stops whoever is writing.
struct Clipped<'o, W> {
    out: &'o mut W,
    left: usize,
}

impl<W: fmt::Write> fmt::Write for Clipped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match end_of(text, self.left) {
            Some(end) => {
                self.out.write_str(&text[..end])?;
                self.out.write_str("...")?;
                Err(fmt::Error)
            }
            None => {
                self.left -= text.chars().count();
                self.out.write_str(text)
            }
        }
    }
}

/// A call in words: `name({"x":1})`. The alternate form is the short one for lists.
pub struct Call<'c> {
    name: &'c str,
    args: Args<'c>,
}

/// What is said of a call's arguments.
enum Args<'c> {
    /// Nothing: they do not matter.
    Free,
    Unrecorded,
    Made(&'c str),
    Wanted(&'c ExpectedArgs),
}

/// A call that was made.
pub fn made<'c>(span: &'c Span<'_>) -> Call<'c> {
    let args = span.input.as_ref().map_or(Args::Unrecorded, |p| Args::Made(p.as_str()));
    Call { name: &span.name, args }
}

/// A call that is expected: only its name when nothing is said about its arguments.
pub fn wanted(call: &ExpectedCall, mode: ArgsMode) -> Call<'_> {
    let args = call.args.as_ref().filter(|_| mode != ArgsMode::Ignore).map_or(Args::Free, Args::Wanted);
    Call { name: &call.name, args }
}

impl Call<'_> {
    /// Without its arguments where they are not compared.
    pub fn under(self, mode: ArgsMode) -> Self {
        let args = if mode == ArgsMode::Ignore { Args::Free } else { self.args };
        Self { args, ..self }
    }
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = if f.alternate() { LISTED_ARGS } else { ARGS };
        f.write_str(&clip(self.name, ARGS))?;
        match self.args {
            Args::Free => Ok(()),
            Args::Unrecorded => f.write_str("(arguments not recorded)"),
            Args::Made(text) => {
                f.write_str("(")?;
                match end_of(text, most) {
                    Some(end) => {
                        f.write_str(&text[..end])?;
                        f.write_str("...)")
                    }
                    None => {
                        f.write_str(text)?;
                        f.write_str(")")
                    }
                }
            }
            Args::Wanted(args) => {
                f.write_str("(")?;
                // An error is how printing stops.
                let _ = write!(Clipped { out: f, left: most }, "{args}");
                f.write_str(")")
            }
        }
    }
}

/// A numbered list of calls in their alternate form, or "no calls".
pub fn list(calls: impl ExactSizeIterator<Item = impl fmt::Display>) -> String {
    let mut text = String::with_capacity(calls.len().min(CALLS) * (LISTED_ARGS + 32));
    add_list(&mut text, calls);
    text
}

/// As [`list`], behind what a text says already.
pub fn add_list(text: &mut String, calls: impl ExactSizeIterator<Item = impl fmt::Display>) {
    let total = calls.len();
    if total == 0 {
        return text.push_str("no calls");
    }
    for (i, call) in calls.take(CALLS).enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        // Writing into memory does not fail.
        let _ = write!(text, "{comma}{}. {call:#}", i + 1);
    }
    if total > CALLS {
        let _ = write!(text, ", and {} more", total - CALLS);
    }
}

/// The first argument in which a call differs from what is expected.
pub struct Difference<'d> {
    key: &'d str,
    /// `None` when the argument is not expected at all.
    expected: Option<Shown<'d>>,
    /// `None` when it is absent.
    actual: Option<Shown<'d>>,
}

/// An argument, expected or made.
enum Shown<'d> {
    Argument(Argument<'d>),
    Value(&'d Value),
    Light(Node<'d>),
}

impl<'d> Difference<'d> {
    /// Compares the arguments one by one; `None` when no single one makes the difference.
    pub fn find(expected: &'d Matcher, actual: &'d Value, mode: ArgsMode) -> Option<Self> {
        let (object, arguments) = (actual.as_object()?, expected.arguments()?);
        let differs = arguments.iter().find(|(key, wanted)| !wanted.agrees(object.get(*key), mode));
        if let Some(&(key, wanted)) = differs {
            return Some(Self {
                key,
                expected: Some(Shown::Argument(wanted)),
                actual: object.get(key).map(Shown::Value),
            });
        }
        if !matches!(mode, ArgsMode::Exact | ArgsMode::Subset) {
            return None;
        }
        let (key, actual) = object.iter().find(|(key, _)| arguments.iter().all(|(k, _)| k != key))?;
        Some(Self { key, expected: None, actual: Some(Shown::Value(actual)) })
    }

    /// The same of arguments as they were recorded, on both sides.
    pub fn between(expected: Node<'d>, actual: Node<'d>, mode: ArgsMode) -> Option<Self> {
        let (Kind::Object(mut wanted), Kind::Object(mut made)) = (expected.kind(), actual.kind()) else { return None };
        if let Some((key, value)) = wanted.find(|(key, value)| !plain::agrees(*value, actual.member(key), mode)) {
            let actual = actual.member(key).map(Shown::Light);
            return Some(Self { key, expected: Some(Shown::Light(value)), actual });
        }
        if !matches!(mode, ArgsMode::Exact | ArgsMode::Subset) {
            return None;
        }
        let (key, actual) = made.find(|(key, _)| expected.member(key).is_none())?;
        Some(Self { key, expected: None, actual: Some(Shown::Light(actual)) })
    }

    /// The JSON pointer of the argument in the call's arguments; `None` when it is absent there.
    pub fn pointer(&self) -> Option<String> {
        self.actual.as_ref().map(|_| format!("/{}", self.key.replace('~', "~0").replace('/', "~1")))
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(argument) => argument.fmt(f),
            Self::Value(value) => value.fmt(f),
            Self::Light(light) => light.fmt(f),
        }
    }
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(expected) = &self.expected else {
            return write!(f, "argument `{}` is not expected", clip(self.key, ARGS));
        };
        write!(f, "argument `{}`: expected {}, ", self.key, short(expected, ARGS))?;
        match &self.actual {
            Some(actual) => write!(f, "got {}", short(actual, ARGS)),
            None => f.write_str("it is absent"),
        }
    }
}

/// Points at a turn or session as a whole, when there is no call to point at.
pub fn scope_evidence(scope: &Scope<'_>) -> Evidence {
    scope.turn.map_or_else(|| Evidence::session(Field::Whole), |i| Evidence::turn(i, Field::Whole))
}

/// The replies in a scope with the index of their turn.
pub fn replies<'s>(session: &'s Session<'s>, turn: Option<usize>) -> impl Iterator<Item = (usize, &'s str)> {
    let turns = session.turns.iter().enumerate().filter(move |(i, _)| turn.is_none_or(|t| t == *i));
    turns.filter_map(|(i, t)| t.reply.as_ref().map(|r| (i, r.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// However a value is printed, piece by piece, it is cut as its whole text would be.
        #[test]
        fn a_value_is_cut_as_its_text_is(pieces in proptest::collection::vec("[a-z\u{e9}\u{6771}\"]{0,6}", 0..6), max in 0usize..20) {
            let value = Value::from(pieces);
            let text = value.to_string();
            proptest::prop_assert_eq!(short(&value, max), clip(&text, max));
        }
    }

    #[test]
    fn a_list_shows_less_of_each_call_than_a_call_by_itself() {
        let args = format!(r#"{{"x":"{}"}}"#, "y".repeat(400));
        let call = || Call { name: "f", args: Args::Made(&args) };
        assert_eq!(call().to_string().len(), ARGS + "f(...)".len());
        assert_eq!(list([call()].into_iter()).len(), LISTED_ARGS + "1. f(...)".len());
        assert_eq!(list([call().under(ArgsMode::Ignore)].into_iter()), "1. f");
    }
}
