//! How alerts stand, what is spent of budgets, what system checks say, and which groups fail most: for the page.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::chart;
use super::page::{number, time};
use crate::alerts::book::Standing;
use crate::alerts::kind::words;
use crate::ledger::Millis;
use crate::sampling::Spending;
use crate::watch::system::Asked;
use crate::watch::window::{Fold, Window};

/// Groups that are shown of each kind.
const WORST: usize = 5;

/// Hours that the longer trends reach over.
const HOURS: Millis = 7 * 24;

const HOUR: Millis = 3_600_000;

/// An alert, for a group.
#[derive(Serialize)]
pub(super) struct Alarm {
    state: &'static str,
    alert: String,
    suite: String,
    group: String,
    since: String,
    text: String,
    note: String,
}

/// How alerts stand: what fires first.
pub(super) fn alarms(standing: &[Standing]) -> Vec<Alarm> {
    let state = |s: &Standing| match (&s.silenced, s.fires) {
        (Some(_), true) => "silenced",
        (_, true) => "fires",
        (_, false) => "may fire",
    };
    let mut alarms: Vec<&Standing> = standing.iter().collect();
    alarms.sort_by_key(|s| (Reverse(s.fires), s.since));
    let alarm = |s: &Standing| Alarm {
        state: state(s),
        alert: s.alert.clone(),
        suite: s.suite.clone(),
        group: s.group.clone(),
        since: time(s.since),
        text: s.text.clone(),
        note: match (&s.unknown, &s.silenced) {
            (Some(why), _) => format!("not known now: {why}"),
            (None, Some(why)) => format!("silenced: {why}"),
            (None, None) => String::new(),
        },
    };
    alarms.into_iter().map(alarm).collect()
}

/// What is spent, in words.
pub(super) fn spent(spending: &[Spending]) -> Vec<String> {
    let one = |limit: &Spending| {
        let (spent, most, share) = (number(limit.spent), number(limit.limit), 100.0 * limit.spent / limit.limit);
        let what = if limit.what == "usd" { "USD for models" } else { "sessions" };
        format!("{spent} of {most} {what} this {} ({share:.0}%)", limit.per)
    };
    spending.iter().map(one).collect()
}

/// What a system check said.
#[derive(Serialize)]
pub(super) struct System {
    check: String,
    status: &'static str,
    value: String,
    reason: String,
}

/// What the system checks of a suite said last: over which time, and each.
pub(super) fn systems(asked: Option<&Asked>) -> (String, Vec<System>) {
    let Some(asked) = asked else { return Default::default() };
    let one = |(check, finding): (&String, &crate::checks::system::SystemFinding)| System {
        check: check.clone(),
        status: finding.status.name(),
        value: finding.value.map(number).unwrap_or_default(),
        reason: finding.reason.clone(),
    };
    let long = std::time::Duration::from_millis((asked.to - asked.from).unsigned_abs());
    let over = format!("{} up to {}, {} sessions", words(long), time(asked.to), asked.sessions);
    (over, asked.checks.iter().map(one).collect())
}

/// Groups that fail most: what sessions are divided by, the group, how many of its sessions fail, and which share of all
/// that it stands for.
#[derive(Serialize)]
pub(super) struct Worst {
    by: String,
    group: String,
    failed: u64,
    share: String,
}

/// The groups of each kind of which most sessions fail.
pub(super) fn worst<'w>(windows: impl Iterator<Item = &'w Window>) -> Vec<Worst> {
    let mut by: BTreeMap<&str, BTreeMap<&str, Fold>> = BTreeMap::new();
    for (kind, folds) in windows.flat_map(|window| &window.groups) {
        for (name, fold) in folds {
            let all = &mut by.entry(kind).or_default().entry(name).or_default().all;
            all.merge(&fold.all);
        }
    }
    let mut worst = Vec::new();
    for (kind, folds) in by {
        let mut failing: Vec<(&str, Fold)> = folds.into_iter().filter(|(_, fold)| fold.all.fail > 0).collect();
        failing.sort_by_key(|(name, fold)| (Reverse(fold.all.fail), *name));
        failing.truncate(WORST);
        worst.extend(failing.into_iter().map(|(group, fold)| Worst {
            by: kind.to_owned(),
            group: group.to_owned(),
            failed: fold.all.fail,
            share: fold.all.pass_rate().map(|rate| format!("{:.1}%", 100.0 * (1.0 - rate.value))).unwrap_or_default(),
        }));
    }
    worst
}

/// Trends over days, hour by hour: how many sessions there were, and the share of them that passes.
pub(super) fn days<'w>(windows: impl Iterator<Item = (Millis, &'w Window)>, now: Millis) -> Option<(String, String)> {
    let newest = now.div_euclid(HOUR);
    let mut hours: BTreeMap<Millis, (f64, crate::watch::window::Check)> = BTreeMap::new();
    for (start, window) in windows {
        let hour = start.div_euclid(HOUR);
        if hour > newest - HOURS && hour <= newest {
            let (sessions, all) = hours.entry(hour).or_default();
            *sessions += window.total.stands_for();
            all.merge(&window.total.all);
        }
    }
    let first = *hours.keys().next().filter(|first| newest - **first >= 2)?;
    let each = |of: &dyn Fn(&(f64, crate::watch::window::Check)) -> Option<f64>| -> Vec<Option<f64>> {
        (first..=newest).map(|hour| hours.get(&hour).and_then(of)).collect()
    };
    let sessions = each(&|(n, _)| Some(*n));
    let passing = each(&|(_, all)| all.pass_rate().map(|rate| rate.value));
    Some((
        chart::line("sessions by the hour, over days", &sessions, None),
        chart::line("share of sessions that pass, by the hour, over days", &passing, Some((0.0, 1.0))),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Status;
    use crate::watch::row::{Body, Said};
    use crate::watch::window::Windows;

    fn windows() -> Windows {
        let mut windows = Windows::default();
        for n in 0..60_i64 {
            let flow = ["book", "cancel", "search"][usize::try_from(n % 3).unwrap()];
            let status = if n % 3 == 0 || n == 1 { Status::Fail } else { Status::Pass };
            let said = Said { status, score: None, reason: String::new(), place: None };
            let body = Body {
                groups: [("flow".to_owned(), vec![flow.to_owned()])].into(),
                checks: [("c".to_owned(), said)].into(),
                ..Body::default()
            };
            windows.add("s", n * HOUR / 10, 1.0, None, &body);
        }
        windows
    }

    #[test]
    fn the_groups_that_fail_most_come_first_and_those_that_do_not_fail_are_not_there() {
        let windows = windows();
        let told = worst(windows.of("s").map(|(_, window)| window));
        let told: Vec<_> = told.iter().map(|w| (w.group.as_str(), w.failed, w.share.as_str())).collect();
        assert_eq!(told, [("book", 20, "100.0%"), ("cancel", 1, "5.0%")]);
    }

    #[test]
    fn trends_over_days_need_hours_and_leave_out_what_was_not_measured() {
        let windows = windows();
        let (sessions, passing) = days(windows.of("s"), 8 * HOUR).unwrap();
        assert!(sessions.contains("<svg") && passing.contains("<svg"));
        assert!(days(windows.of("s").take(5), HOUR).is_none(), "an hour is no trend");
    }
}
