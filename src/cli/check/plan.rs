//! What a suite makes of production, as data: the object `watch` of a suite in `seatrial check --json`. It says what
//! [`super::watching`] says in words, under the names of its lines.

use std::time::Duration;

use serde::Serialize;

use super::watching::wanting;
use crate::alerts::{self, Urgency};
use crate::suite::Suite;
use crate::suite::watch::{quarantine, sample};

/// The plan of watching with a suite. Times are in milliseconds; what is not limited is null.
#[derive(Debug, Serialize)]
pub(super) struct Plan<'s> {
    over: Over<'s>,
    windows: Windows<'s>,
    sampled: Sampled<'s>,
    /// The checks that are skipped where nothing is expected of a session.
    skipped: Vec<Skipped<'s>>,
    /// Sessions of high risk; null where there are none.
    quarantine: Option<Quarantine<'s>>,
    alerts: Vec<Alert<'s>>,
}

/// When a session is over, or cut off.
#[derive(Debug, Serialize)]
struct Over<'s> {
    ends: &'s [String],
    idle_ms: u64,
    max_age_ms: u64,
    max_spans: u64,
    max_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Windows<'s> {
    every_ms: u64,
    /// How long after their end they are settled.
    late_ms: u64,
    /// Over how long a time system checks look.
    over_ms: u64,
    by: &'s [String],
    max_groups: usize,
}

/// Which sessions are looked at.
#[derive(Debug, Serialize)]
struct Sampled<'s> {
    /// Of what is in no stratum.
    rate: f64,
    floor: u64,
    strata: Vec<Stratum<'s>>,
    keep: Keep<'s>,
    max_sessions_per_hour: Option<u64>,
    max_sessions_per_day: Option<u64>,
    max_usd_per_hour: Option<f64>,
    max_usd_per_day: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Stratum<'s> {
    name: &'s str,
    rate: f64,
    floor: u64,
}

/// What is looked at whatever its share.
#[derive(Debug, Serialize)]
struct Keep<'s> {
    errors: bool,
    slow_ms: Option<f64>,
    expensive_usd: Option<f64>,
    denied: bool,
    flagged: &'s [String],
}

#[derive(Debug, Serialize)]
struct Skipped<'s> {
    check: &'s str,
    /// What of a reference it cannot do without.
    wants: &'static str,
}

#[derive(Debug, Serialize)]
struct Quarantine<'s> {
    checks: &'s [String],
    tags: &'s [String],
    /// Null is everybody in `[notify]`.
    to: Option<&'s [String]>,
}

#[derive(Debug, Serialize)]
struct Alert<'s> {
    name: &'s str,
    kind: &'s str,
    severity: Urgency,
    /// What it is about, in words.
    says: String,
    by: Option<&'s str>,
    for_ms: u64,
    resolve_after_ms: u64,
    min_count: u64,
    /// Null is everybody in `[notify]`.
    to: Option<&'s [String]>,
}

impl<'s> Plan<'s> {
    /// Of a suite as it is watched.
    pub(super) fn of(suite: &'s Suite) -> Self {
        let watch = &suite.watch;
        Self {
            over: Over {
                ends: &watch.ends,
                idle_ms: ms(watch.idle),
                max_age_ms: ms(watch.max_age),
                max_spans: watch.max_spans,
                max_bytes: watch.max_bytes,
            },
            windows: Windows {
                every_ms: ms(watch.every),
                late_ms: ms(watch.late),
                over_ms: ms(watch.over.unwrap_or(watch.every)),
                by: &watch.by,
                max_groups: watch.max_groups,
            },
            sampled: sampled(&watch.sample),
            skipped: wanting(suite).map(|(check, wants)| Skipped { check, wants }).collect(),
            quarantine: watch.quarantine.is_any().then(|| quarantined(&watch.quarantine)),
            alerts: watch.alerts.iter().map(alert).collect(),
        }
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn sampled(sample: &sample::Sample) -> Sampled<'_> {
    let sample::Sample { rate, floor, strata, keep, sessions, usd } = sample;
    let sample::Keep { errors, slow_ms, expensive_usd, denied, flagged } = keep;
    Sampled {
        rate: *rate,
        floor: *floor,
        strata: strata.iter().map(|s| Stratum { name: &s.name, rate: s.rate, floor: s.floor }).collect(),
        keep: Keep { errors: *errors, slow_ms: *slow_ms, expensive_usd: *expensive_usd, denied: *denied, flagged },
        // They are whole where they are written.
        max_sessions_per_hour: sessions.per_hour.map(|n| n as u64),
        max_sessions_per_day: sessions.per_day.map(|n| n as u64),
        max_usd_per_hour: usd.per_hour,
        max_usd_per_day: usd.per_day,
    }
}

fn quarantined(quarantine: &quarantine::Quarantine) -> Quarantine<'_> {
    Quarantine { checks: &quarantine.checks, tags: &quarantine.tags, to: quarantine.to.as_deref() }
}

fn alert(alert: &alerts::Alert) -> Alert<'_> {
    Alert {
        name: &alert.name,
        kind: alert.kind,
        severity: alert.severity,
        says: alert.rule.says(),
        by: alert.rule.measure().by.as_deref(),
        for_ms: ms(alert.hold),
        resolve_after_ms: ms(alert.resolve_after),
        min_count: alert.min_count,
        to: alert.to.as_deref(),
    }
}
