//! What tests of rules share: a rule from its keys, and windows that answer what is wanted.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::kind::{self, Setup};
use super::{Ask, Judgement, Measure, Number, Reading, Readings, Rule};
use crate::ledger::Millis;

/// A minute in milliseconds.
pub const MINUTE: Millis = 60_000;
/// An hour in milliseconds.
pub const HOUR: Millis = 60 * MINUTE;
/// The end of the newest window: 2026-11-27T12:00:00Z.
pub const AT: Millis = 1_795_780_800_000;

fn build(name: &str, keys: &str, budgeted: bool) -> (Option<Arc<dyn Rule>>, Vec<String>) {
    let checks = ["good".to_owned()];
    let zone = TimeZone::UTC;
    let mut setup = Setup { every: Duration::from_secs(300), checks: &checks, zone, budgeted, problems: Vec::new() };
    let table = toml::de::Deserializer::parse(keys).unwrap();
    let rule = (kind::named(name).unwrap().from_toml)(table, &mut setup).unwrap();
    let say = |p: crate::checks::build::BuildProblem| format!("{} {}", p.message, p.help.unwrap_or_default());
    (rule, setup.problems.into_iter().map(say).collect())
}

/// The rule of these keys, of a suite with windows of five minutes and the check `good`.
pub fn built(name: &str, keys: &str) -> Arc<dyn Rule> {
    let (rule, problems) = build(name, keys, true);
    rule.unwrap_or_else(|| panic!("{problems:?}"))
}

/// What is wrong with these keys.
pub fn faults(name: &str, keys: &str) -> Vec<String> {
    let (rule, problems) = build(name, keys, true);
    assert!(rule.is_none() || problems.is_empty());
    problems
}

/// The same where nothing limits what is looked at.
pub fn unbudgeted(name: &str, keys: &str) -> Vec<String> {
    build(name, keys, false).1
}

type Answer = dyn Fn(&str, Millis, Millis) -> Reading;

/// Windows.
pub struct Fake {
    answer: Box<Answer>,
    since: Millis,
    gone: Option<f64>,
}

fn rate(events: f64, n: u64) -> Reading {
    let value = events / n as f64;
    Reading::Measured(Number { value, n, counts: Some((events, n as f64)), se: None })
}

fn number(value: f64, n: u64, se: Option<f64>) -> Reading {
    Reading::Measured(Number { value, n, counts: None, se })
}

impl Fake {
    fn answering(answer: Box<Answer>) -> Self {
        Self { answer, since: Millis::MIN, gone: None }
    }

    /// The same, of which nothing is known before a moment.
    pub fn known_since(self, since: Millis) -> Self {
        Self { since, ..self }
    }

    /// The same, with this share of the budget gone.
    pub fn with_gone(self, gone: Option<f64>) -> Self {
        Self { gone, ..self }
    }

    /// Always this number, of so many sessions.
    pub fn of(value: f64, n: u64) -> Self {
        Self::answering(Box::new(move |_, _, _| number(value, n, None)))
    }

    /// Always so many events of so many.
    pub fn rate(events: f64, n: u64) -> Self {
        Self::answering(Box::new(move |_, _, _| rate(events, n)))
    }

    /// Events among sessions, by time.
    pub fn over(f: impl Fn(Millis, Millis) -> Option<(f64, u64)> + 'static) -> Self {
        Self::answering(Box::new(move |_, from, to| {
            f(from, to).map_or(Reading::Nothing, |(events, n)| rate(events, n))
        }))
    }

    /// Events among sessions, by group.
    pub fn by_group(f: impl Fn(&str) -> Option<(f64, u64)> + 'static) -> Self {
        Self::answering(Box::new(move |group, _, _| f(group).map_or(Reading::Nothing, |(events, n)| rate(events, n))))
    }

    /// A number of 100 sessions and its error, by group.
    pub fn grouped(f: impl Fn(&str) -> (f64, Option<f64>) + 'static) -> Self {
        Self::answering(Box::new(move |group, _, _| number(f(group).0, 100, f(group).1)))
    }

    /// A number of 100 sessions and its error, by time.
    pub fn numbers(f: impl Fn(Millis, Millis) -> (f64, Option<f64>) + 'static) -> Self {
        Self::some(move |from, to| Some(f(from, to)))
    }

    /// The same, where there may be none.
    pub fn some(f: impl Fn(Millis, Millis) -> Option<(f64, Option<f64>)> + 'static) -> Self {
        Self::answering(Box::new(move |_, from, to| {
            f(from, to).map_or(Reading::Nothing, |(value, se)| number(value, 100, se))
        }))
    }

    /// Nothing could be measured.
    pub fn unmeasured() -> Self {
        Self::answering(Box::new(|_, _, _| Reading::Unmeasured("no timing".to_owned())))
    }

    /// There was no session.
    pub fn empty() -> Self {
        Self::answering(Box::new(|_, _, _| Reading::Nothing))
    }

    /// What a rule says at [`AT`], where 20 sessions are enough.
    pub fn judge(&self, rule: &Arc<dyn Rule>) -> Judgement {
        rule.judge(&Ask { at: AT, group: "", least: 20, windows: self })
    }
}

impl Readings for Fake {
    fn read(&self, _: &Measure, group: &str, from: Millis, to: Millis) -> Reading {
        (self.answer)(group, from, to)
    }

    fn since(&self) -> Millis {
        self.since
    }

    fn budget_gone(&self) -> Option<f64> {
        self.gone
    }

    fn every(&self) -> Millis {
        5 * MINUTE
    }

    fn groups(&self, _: Option<&str>, _: Millis, _: Millis) -> Vec<String> {
        vec![String::new()]
    }
}
