//! Calls in words, bounded, for reasons.

use serde_json::Value;

use crate::checks::expect::ExpectedCall;
use crate::checks::matcher::{ArgsMode, Matcher};
use crate::model::{Evidence, Field, Session, Span};

use crate::checks::subject::Scope;

/// The longest arguments that are printed whole, in characters.
const ARGS: usize = 160;
/// The most calls that are listed.
const CALLS: usize = 16;

/// At most `max` characters of a text, with a mark when some are left out.
pub fn clip(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A call that was made: `name({"x":1})`.
pub fn made(span: &Span<'_>) -> String {
    let args = span.input.as_ref().map_or_else(|| "arguments not recorded".to_owned(), |p| clip(p.as_str(), ARGS));
    format!("{}({args})", clip(&span.name, ARGS))
}

/// A call that is expected: `name({"x":1})`, or `name` when nothing is said about its arguments.
pub fn wanted(call: &ExpectedCall, mode: ArgsMode) -> String {
    match &call.args {
        Some(args) if mode != ArgsMode::Ignore => {
            format!("{}({})", clip(&call.name, ARGS), clip(&args.to_string(), ARGS))
        }
        _ => clip(&call.name, ARGS),
    }
}

/// A numbered list of calls, or "no calls".
pub fn list(calls: impl ExactSizeIterator<Item = String>) -> String {
    let total = calls.len();
    if total == 0 {
        return "no calls".to_owned();
    }
    let mut text: Vec<String> = calls.take(CALLS).enumerate().map(|(i, c)| format!("{}. {c}", i + 1)).collect();
    if total > CALLS {
        text.push(format!("and {} more", total - CALLS));
    }
    text.join(", ")
}

/// The first argument in which a call differs from what is expected, and its JSON pointer.
pub fn argument_difference(expected: &Matcher, actual: &Value, mode: ArgsMode) -> Option<(String, String)> {
    let object = actual.as_object()?;
    let fields: Vec<(&str, Matcher)> = match expected {
        Matcher::Object(fields) => fields.iter().map(|(k, m)| (k.as_str(), m.clone())).collect(),
        Matcher::Equals(Value::Object(map)) => {
            map.iter().map(|(k, v)| (k.as_str(), Matcher::Equals(v.clone()))).collect()
        }
        _ => return None,
    };
    // Wrapped in an object of one key, a value is compared just as it is inside of its arguments.
    let agrees = |key: &str, matcher: &Matcher| {
        let matcher = Matcher::Object(vec![(key.to_owned(), matcher.clone())]);
        let value: Value = object.get(key).map(|v| (key.to_owned(), v.clone())).into_iter().collect();
        matcher.matches_args(&value, mode)
    };
    if let Some((key, matcher)) = fields.iter().find(|(key, matcher)| !agrees(key, matcher)) {
        let got = object.get(*key).map_or_else(|| "it is absent".to_owned(), |v| format!("got {}", short(v)));
        return Some((format!("argument `{key}`: expected {}, {got}", short(&matcher.to_value())), pointer(key)));
    }
    if !matches!(mode, ArgsMode::Exact | ArgsMode::Subset) {
        return None;
    }
    let extra = object.keys().find(|key| fields.iter().all(|(k, _)| k != key))?;
    Some((format!("argument `{}` is not expected", clip(extra, ARGS)), pointer(extra)))
}

fn short(value: &Value) -> String {
    clip(&value.to_string(), ARGS)
}

fn pointer(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
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
