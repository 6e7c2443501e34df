//! The page for people: what is open, what became of sessions, what the checks say over the last hours, what is wrong.

use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use minijinja::value::Serde;
use minijinja::{Environment, Error, Value, context};
use serde::Serialize;

use super::chart;
use super::standing::{self, Alarm, System, Worst};
use crate::alerts::kind::words;
use crate::ledger::Millis;
use crate::report::html::pages;
use crate::watch::watcher::{Recent, Shared, lock};
use crate::watch::window::{Check, Fold, Window};

static PAGES: LazyLock<Environment<'static>> =
    LazyLock::new(|| pages::environment(&[("status.html", include_str!("templates/status.html"))]));

/// Windows that trends reach over.
const TREND: usize = 144;

/// Groups that are shown of each kind.
const GROUPS: usize = 8;

#[derive(Serialize)]
struct Page {
    now: String,
    ready: bool,
    open: u64,
    closed: u64,
    memory: String,
    spool: String,
    records: u64,
    refused: u64,
    troubles: Vec<(String, String)>,
    items: u64,
    alarms: Vec<Alarm>,
    suites: Vec<Suite>,
    recent: Vec<Shown>,
}

#[derive(Serialize)]
struct Suite {
    name: String,
    every: String,
    evaluated: u64,
    superseded: u64,
    unevaluated: Vec<(String, u64)>,
    sessions: u64,
    volume: String,
    checks: Vec<Row>,
    metrics: Vec<Number>,
    groups: Vec<Group>,
    spent: Vec<String>,
    over: String,
    systems: Vec<System>,
    worst: Vec<Worst>,
    days: Option<(String, String)>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    counts: Counts,
    rate: Option<String>,
    interval: Option<String>,
    trend: String,
    alarming: bool,
}

#[derive(Serialize)]
struct Counts {
    pass: u64,
    fail: u64,
    error: u64,
    held: u64,
    skip: u64,
}

#[derive(Serialize)]
struct Number {
    name: String,
    mean: String,
    quantiles: Option<[String; 3]>,
    trend: String,
}

#[derive(Serialize)]
struct Group {
    by: String,
    rows: Vec<(String, u64, String)>,
}

#[derive(Serialize)]
struct Shown {
    at: String,
    suite: String,
    session: String,
    status: &'static str,
    check: String,
    reason: String,
}

/// Draws the page.
///
/// # Errors
/// A bug: the template does not fit what it is given.
pub(super) fn draw(shared: &Shared) -> Result<String, Error> {
    let page = page(shared);
    let charts = |chart: &str| Value::from_safe_string(chart.to_owned());
    let template = PAGES.get_template("status.html")?;
    // Charts are markup of our own; everything else is made harmless by the template.
    let volumes: Vec<Value> = page.suites.iter().map(|suite| charts(&suite.volume)).collect();
    let trends: Vec<Vec<Value>> =
        page.suites.iter().map(|suite| suite.checks.iter().map(|row| charts(&row.trend)).collect()).collect();
    let numbers: Vec<Vec<Value>> =
        page.suites.iter().map(|suite| suite.metrics.iter().map(|n| charts(&n.trend)).collect()).collect();
    let of_days =
        |suite: &Suite| suite.days.as_ref().map(|(sessions, passing)| vec![charts(sessions), charts(passing)]);
    let days: Vec<Option<Vec<Value>>> = page.suites.iter().map(of_days).collect();
    template.render(context! { page => Value::from(Serde(&page)), volumes, trends, numbers, days })
}

fn page(shared: &Shared) -> Page {
    let plan = lock(&shared.plan).clone();
    let standing = shared.inbox.standing(plan.all());
    let counts = shared.inbox.counts();
    let troubles = lock(&shared.troubles).iter().map(|(place, why)| (place.clone(), why.clone())).collect();
    let recent = lock(&shared.recent).iter().rev().map(shown).collect();
    let spending = lock(&shared.spending).clone();
    let systems = lock(&shared.systems).clone();
    let alarms = standing::alarms(&lock(&shared.alerts));
    let now = shared.clock.millis();
    let windows = lock(&shared.windows);
    let suites = plan.suites.iter().map(|watching| {
        let name = &watching.suite.name;
        let every = windows.shape(name).every;
        let mut latest: Vec<(Millis, &Window)> = windows.of(name).rev().take(TREND).collect();
        latest.reverse();
        let mut suite = suite(name, &in_a_row(&latest, every), every);
        suite.evaluated = shared.metrics.sessions_of(name, "evaluated");
        suite.superseded = shared.metrics.sessions_of(name, "superseded");
        suite.spent = spending.get(name).map(|spending| standing::spent(spending)).unwrap_or_default();
        (suite.over, suite.systems) = standing::systems(systems.get(name));
        suite.worst = standing::worst(latest.iter().map(|(_, window)| *window));
        suite.days = standing::days(windows.of(name), now);
        suite
    });
    Page {
        now: time(now),
        ready: shared.ready.load(Ordering::Relaxed),
        open: standing.open,
        closed: standing.closed,
        memory: bytes(standing.memory),
        spool: format!("{} of {}", bytes(standing.spool), bytes(standing.spool_limit)),
        records: counts.records,
        refused: counts.refused,
        troubles,
        items: shared.metrics.items.get(),
        alarms,
        suites: suites.collect(),
        recent,
    }
}

/// Windows at equal distances: between two of them there may have been nothing.
fn in_a_row<'w>(windows: &[(Millis, &'w Window)], every: Millis) -> Vec<Option<&'w Window>> {
    let (Some((first, _)), Some((last, _))) = (windows.first(), windows.last()) else { return Vec::new() };
    let first = (*first).max(last - every * (TREND as Millis - 1));
    let slots = usize::try_from((last - first) / every + 1).unwrap_or(0).min(TREND);
    let mut row = vec![None; slots];
    for (start, window) in windows.iter().filter(|(start, _)| *start >= first) {
        if let Some(slot) = usize::try_from((start - first) / every).ok().and_then(|at| row.get_mut(at)) {
            *slot = Some(*window);
        }
    }
    row
}

fn suite(name: &str, row: &[Option<&Window>], every: Millis) -> Suite {
    let mut all = Fold::default();
    row.iter().flatten().for_each(|window| all.merge(&window.total));
    let each = |of: &dyn Fn(&Fold) -> Option<f64>| -> Vec<Option<f64>> {
        row.iter().map(|window| of(&window.as_ref()?.total)).collect()
    };
    let checks = all.checks.iter().map(|(id, check)| {
        let rate = |check: &Check| check.pass_rate();
        let trend = each(&|fold| Some(rate(fold.checks.get(id)?)?.value));
        let whole = rate(check);
        let Check { pass, fail, error, held, skip, .. } = *check;
        Row {
            id: id.clone(),
            counts: Counts { pass, fail, error, held, skip },
            rate: whole.map(|rate| format!("{:.1}%", rate.value * 100.0)),
            interval: whole.map(|r| format!("{:.1} to {:.1}%", r.interval.0 * 100.0, r.interval.1 * 100.0)),
            trend: chart::line(&format!("share that passes {id}, over time"), &trend, Some((0.0, 1.0))),
            alarming: fail + error > 0,
        }
    });
    let metrics = all.metrics.iter().filter_map(|(name, measure)| {
        let trend = each(&|fold| fold.metrics.get(name)?.mean());
        Some(Number {
            name: name.clone(),
            mean: number(measure.mean()?),
            quantiles: row
                .iter()
                .rev()
                .flatten()
                .find_map(|w| w.total.metrics.get(name)?.quantiles())
                .map(|q| q.map(number)),
            trend: chart::line(&format!("mean of {name}, over time"), &trend, None),
        })
    });
    let (checks, metrics) = (checks.collect(), metrics.collect());
    let volume = each(&|fold| Some(fold.stands_for()));
    Suite {
        name: name.to_owned(),
        every: words(std::time::Duration::from_millis(every.unsigned_abs())),
        evaluated: 0,
        superseded: 0,
        unevaluated: all.unevaluated.clone().into_iter().collect(),
        sessions: all.sessions,
        volume: chart::line("sessions over time", &volume, None),
        checks,
        metrics,
        groups: groups(row),
        spent: Vec::new(),
        over: String::new(),
        systems: Vec::new(),
        worst: Vec::new(),
        days: None,
    }
}

fn groups(row: &[Option<&Window>]) -> Vec<Group> {
    let mut by: std::collections::BTreeMap<&str, std::collections::BTreeMap<&str, Fold>> = Default::default();
    for (kind, folds) in row.iter().flatten().flat_map(|window| &window.groups) {
        for (name, fold) in folds {
            by.entry(kind).or_default().entry(name).or_default().merge(fold);
        }
    }
    let group = |(kind, folds): (&str, std::collections::BTreeMap<&str, Fold>)| {
        let mut rows: Vec<(String, u64, String)> = folds
            .iter()
            .map(|(name, fold)| {
                let (pass, fail) = fold.checks.values().fold((0, 0), |(p, f), c| (p + c.pass, f + c.fail));
                let share = if pass + fail > 0 {
                    format!("{:.1}%", 100.0 * pass as f64 / (pass + fail) as f64)
                } else {
                    String::new()
                };
                ((*name).to_owned(), fold.sessions, share)
            })
            .collect();
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        rows.truncate(GROUPS);
        Group { by: kind.to_owned(), rows }
    };
    by.into_iter().map(group).collect()
}

fn shown(recent: &Recent) -> Shown {
    Shown {
        at: time(recent.at),
        suite: recent.suite.clone(),
        session: recent.session.clone(),
        status: recent.status.name(),
        check: recent.check.clone(),
        reason: recent.reason.clone(),
    }
}

pub(super) fn time(millis: Millis) -> String {
    let at = jiff::Timestamp::from_millisecond(millis);
    at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}

fn bytes(n: u64) -> String {
    match n {
        0..1024 => format!("{n} B"),
        1024..1_048_576 => format!("{:.1} KiB", n as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", n as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", n as f64 / 1_073_741_824.0),
    }
}

/// A number with as many digits as say something.
pub(super) fn number(x: f64) -> String {
    match x.abs() {
        size if size >= 1000.0 => format!("{x:.0}"),
        size if size >= 10.0 => format!("{x:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{x:.3}"),
        _ => format!("{x:.6}"),
    }
}
