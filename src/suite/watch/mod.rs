//! `[watch]`, `[watch.sample]` and `[[alert]]` of a suite: when a session of production is over, which ones are looked at,
//! how windows are made of them, and what is told to whom.
//!
//! They are no part of what is evaluated: nothing of them is in the digest of the resolved suite but by the text of its
//! file, and no verdict depends on them.
//!
//! - [`tables`]: the keys as they are written.
//! - [`sample`]: which sessions are looked at. [`filters`]: by attributes.
//! - [`quarantine`]: sessions of high risk.
//! - [`alert`]: what is told, by the kinds of [`crate::alerts::KINDS`].

pub mod alert;
pub mod filters;
pub mod quarantine;
pub mod sample;
pub mod tables;

use std::time::Duration;

use jiff::tz::TimeZone;
use toml::de::DeValue;

pub use filters::{Filter, Operator};
pub use sample::{Budget, Keep, SampleTable, Stratum};
pub use tables::WatchTable;

use super::raw::{Missing, read_rest, span_at};
use super::resolve::{Layer, Resolver};
use super::{Subject, Suite};
use crate::alerts::Alert;
use crate::checks::system::columns;
use crate::model::duration;

/// The suite without its cases, and without what says which recordings a run takes. Whoever is judged is judged in every
/// version: which one it was is told apart in windows.
pub fn watched(mut suite: Suite) -> Suite {
    suite.cases = None;
    suite.checks.retain(|check| check.case.is_none());
    suite.trials = None;
    suite.recorded.case = None;
    suite.recorded.trial = None;
    suite.recorded.max_age = None;
    suite.watched = true;
    suite.subject = suite.subject.map(|subject| Subject { version: None, ..subject });
    suite
}

/// How production is watched with a suite.
#[derive(Debug, Clone)]
pub struct Watch {
    /// A session is over when nothing came of it for so long.
    pub idle: Duration,
    /// A session is over when it began so long ago.
    pub max_age: Duration,
    /// A session is over when it has so many spans and log records.
    pub max_spans: u64,
    /// A session is over when its records have so many bytes.
    pub max_bytes: u64,
    /// Names of events, and of attributes of any value but false, by which a record says that its session has ended.
    pub ends: Vec<String>,
    /// Where days begin at midnight.
    pub timezone: TimeZone,
    /// The length of a window.
    pub every: Duration,
    /// Over how long a time before a window's end system checks look; one window where it is not said.
    pub over: Option<Duration>,
    /// How long after a window's end sessions of it are still expected.
    pub late: Duration,
    /// What sessions are divided by.
    pub by: Vec<String>,
    /// How many groups of each division are told apart in a window; the others are `(other)`.
    pub max_groups: usize,
    /// Which sessions are looked at.
    pub sample: sample::Sample,
    /// What is told.
    pub alerts: Vec<Alert>,
    /// Sessions of high risk.
    pub quarantine: quarantine::Quarantine,
    /// Whether the suite says anything of watching.
    pub declared: bool,
}

impl Default for Watch {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            idle: HOUR / 4,
            max_age: 24 * HOUR,
            max_spans: 100_000,
            max_bytes: 64 << 20,
            ends: Vec::new(),
            timezone: TimeZone::UTC,
            every: HOUR / 12,
            over: None,
            late: HOUR / 3,
            by: ["agent", "version", "model", "tool", "flow"].map(str::to_owned).to_vec(),
            max_groups: 50,
            sample: sample::Sample::default(),
            alerts: Vec::new(),
            quarantine: quarantine::Quarantine::default(),
            declared: false,
        }
    }
}

/// The longest that a session may be quiet and still go on, as the managed service has it.
const LONGEST_IDLE: Duration = Duration::from_secs(24 * 3600);

impl Resolver<'_, '_, '_> {
    /// `[watch]` and `[[alert]]` of the suite's file; `checks` are the ids of its checks that are watched and have verdicts
    /// of their own.
    pub(super) fn watch(&mut self, own: &Layer<'_>, checks: &[String]) -> Watch {
        let instead = self.env.every;
        let mut watch = Watch { every: instead.unwrap_or(Watch::default().every), ..Watch::default() };
        if let Some(value) = own.table.get("watch")
            && let DeValue::Table(table) = value.get_ref()
        {
            let whole = value.span();
            if let Some(read) = read_rest::<WatchTable>(table, &whole, Missing::Reported, self.sink) {
                let mut problems = Vec::new();
                let known = (checks, self.env.kit.channels.as_deref());
                watch = resolve(read, instead, known, &mut problems);
                for (path, message, help) in problems {
                    self.sink.error(&span_at(table, &whole, &path), message, help);
                }
            }
        }
        watch.alerts = self.alerts(own, &watch, checks);
        watch.declared = ["watch", "alert"].iter().any(|key| own.table.contains_key(*key));
        watch
    }
}

/// A problem within a table: where, what, and what to do about it.
pub(crate) type Fault = (Vec<String>, String, Option<String>);

/// Whether windows of this length make a day.
pub fn divides_a_day(every: Duration) -> bool {
    let every = every.as_millis();
    (1_000..=DAY).contains(&every) && DAY.is_multiple_of(every)
}

/// A day in milliseconds.
const DAY: u128 = 86_400_000;

fn resolve(
    read: WatchTable,
    instead: Option<Duration>,
    (checks, channels): (&[String], Option<&[String]>),
    problems: &mut Vec<Fault>,
) -> Watch {
    let mut watch = Watch::default();
    let WatchTable {
        idle,
        max_age,
        max_spans,
        max_bytes,
        end,
        timezone,
        every,
        over,
        late,
        by,
        max_groups,
        sample,
        quarantine,
    } = read;
    let mut fault = |key: &str, message: String, help: &str| {
        problems.push((vec![key.to_owned()], message, (!help.is_empty()).then(|| help.to_owned())));
    };
    let mut time = |key: &str, written: Option<String>, to: &mut Duration, zero: bool| {
        let Some(text) = written else { return };
        match duration::parse(&text) {
            Ok(time) if time.is_zero() && !zero => fault(key, format!("`{key}` is more than nothing"), ""),
            Ok(time) => *to = time,
            Err(message) => fault(key, message, "write it as `\"30s\"`, `\"15m\"` or `\"24h\"`"),
        }
    };
    time("idle", idle, &mut watch.idle, false);
    time("max_age", max_age, &mut watch.max_age, false);
    time("every", every, &mut watch.every, false);
    time("late", late, &mut watch.late, true);
    if watch.idle > LONGEST_IDLE {
        fault("idle", "`idle` is at most a day: every session waits for so long before it is looked at".to_owned(), "");
    } else if watch.idle > watch.max_age {
        fault("idle", "`idle` is longer than `max_age`: no session would ever be over by it".to_owned(), "");
    }
    // Windows begin at whole multiples since the epoch, and with them days and hours.
    if !divides_a_day(watch.every) {
        fault("every", "`every` divides a day: so many windows make one".to_owned(), "such as `\"5m\"` or `\"1h\"`");
        watch.every = Watch::default().every;
    }
    watch.every = instead.unwrap_or(watch.every);
    if let Some(text) = over {
        let mut long = watch.every;
        let mut over = Vec::new();
        match duration::parse(&text) {
            Ok(time) => long = time,
            Err(message) => over.push(message),
        }
        let whole = long >= watch.every && long.as_millis().is_multiple_of(watch.every.as_millis());
        if over.is_empty() && (!whole || long.as_millis() > 7 * DAY) {
            over.push("`over` is a whole number of windows, and at most a week".to_owned());
        }
        over.into_iter().for_each(|message| fault("over", message, "such as `\"1h\"`"));
        watch.over = Some(long);
    }
    let mut count = |key: &str, written: Option<u64>, to: &mut u64, least: u64| match written {
        Some(n) if n < least => fault(key, format!("`{key}` is at least {least}"), ""),
        Some(n) => *to = n,
        None => {}
    };
    count("max_spans", max_spans, &mut watch.max_spans, 1);
    count("max_bytes", max_bytes, &mut watch.max_bytes, 1024);
    let mut groups = watch.max_groups as u64;
    count("max_groups", max_groups, &mut groups, 1);
    if groups > 10_000 {
        fault("max_groups", "`max_groups` is at most 10000".to_owned(), "what is more is counted as `(other)`");
    } else {
        watch.max_groups = groups as usize;
    }
    for (i, name) in end.iter().flatten().enumerate() {
        if name.trim().is_empty() {
            problems.push((vec!["end".to_owned(), i.to_string()], "an empty name".to_owned(), None));
        }
    }
    watch.ends = end.unwrap_or_default();
    if let Some(name) = timezone {
        match TimeZone::get(&name) {
            Ok(zone) => watch.timezone = zone,
            Err(_) => {
                let help = Some("such as `\"UTC\"` or `\"Europe/Berlin\"`".to_owned());
                problems.push((vec!["timezone".to_owned()], format!("no timezone is called `{name}`"), help));
            }
        }
    }
    if let Some(by) = by {
        for (i, name) in by.iter().enumerate() {
            let path = vec!["by".to_owned(), i.to_string()];
            match columns::group(name) {
                Err((message, help)) => problems.push((path, message, help)),
                Ok(()) if by[..i].contains(name) => problems.push((path, format!("`{name}` is here already"), None)),
                Ok(()) => {}
            }
        }
        watch.by = by;
    }
    let mut within = |table: &str, inner: Vec<Fault>| {
        problems.extend(inner.into_iter().map(|(mut path, message, help)| {
            path.insert(0, table.to_owned());
            (path, message, help)
        }));
    };
    if let Some(sample) = sample {
        let mut inner = Vec::new();
        watch.sample = sample.resolve(&mut inner);
        within("sample", inner);
    }
    if let Some(quarantine) = quarantine {
        let mut inner = Vec::new();
        watch.quarantine = quarantine.resolve(checks, channels, &mut inner);
        within("quarantine", inner);
    }
    watch
}

#[cfg(test)]
mod tests;
