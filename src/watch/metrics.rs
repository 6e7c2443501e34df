//! What is counted, and how Prometheus is told of it: by the crate of the Prometheus project. Names follow its conventions
//! (base units, `_total`, ratios from 0 to 1). No label ever holds an id of a session or a user; groups are those of the
//! last settled window, of which there are so many at most, and all others are in `(other)`.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::plan::Plan;
use super::watcher::{Shared, lock};
use super::window::{Fold, QUANTILES};
use crate::model::Status;

/// The name and value of each label.
type Labels = Vec<(&'static str, String)>;

/// What every name begins with.
const PREFIX: &str = "seatrial_watch";

/// What is counted since the process began.
pub struct Metrics {
    registry: Registry,
    sessions: Family<Labels, Counter>,
    verdicts: Family<Labels, Counter>,
    left_out: Family<Labels, Counter>,
    closed: Family<Labels, Counter>,
    /// Panics of checks.
    pub panics: Counter,
    /// Sessions that end in the future by their own clock.
    pub future: Counter,
    /// Sessions of which something came after they had been let go of.
    pub late: Counter,
    /// Sessions that were let go of early, since the spool was half full.
    pub crowded: Counter,
    /// How often somebody set the clock.
    pub clock_jumps: Counter,
    /// Windows that were added up anew.
    pub corrections: Counter,
    /// Verdicts that went to people.
    pub items: Counter,
    /// How often a source could not be read.
    pub source_errors: Counter,
    /// Turns that could not be taken to their end.
    pub turn_errors: Counter,
    exported: Family<Labels, Counter>,
    reloads: Family<Labels, Counter>,
    judges: Family<Labels, Counter<f64, AtomicU64>>,
    quarantined: Family<Labels, Counter>,
    notices: Family<Labels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let panics = counter("check_panics", "Panics of checks; each is an error of its verdict");
        let future = counter("future_sessions", "Sessions that end in the future by their own clock");
        let late = counter("late_sessions", "Sessions of which something came after they had been let go of");
        let crowded = counter("early_releases", "Sessions let go of early, since the spool was half full");
        let clock_jumps = counter("clock_jumps", "How often the clock of the machine was set");
        let corrections = counter("window_corrections", "Windows that were added up anew from their rows");
        let items = counter("review_items", "Verdicts that went to people");
        let source_errors = counter("source_errors", "How often a source could not be read");
        let turn_errors = counter("turn_errors", "Turns that could not be taken to their end, and are taken again");
        let mut family = |name: &str, help: &str| {
            let family = Family::<Labels, Counter>::default();
            registry.register(name, help, family.clone());
            family
        };
        let sessions = family("sessions", "Sessions that were looked at, by suite and what became of them");
        let verdicts = family("verdicts", "Verdicts, by suite, check and status");
        let left_out = family("left_out", "What could not be read, by why");
        let closed = family("closed", "Sessions that were over, by why");
        let exported = family("exported_events", "Verdicts told to the backend of the user, by what came of it");
        let notices = family("notices", "Notices of alerts, by what came of an attempt to deliver them");
        let quarantined = family("quarantined_sessions", "Sessions put under quarantine, by suite and check");
        let reloads = family("reloads", "How often suites and settings were read again, by what came of it");
        let judges = Family::<Labels, Counter<f64, AtomicU64>>::default();
        registry.register("judges_usd", "What models were paid for verdicts, in US dollars, by suite", judges.clone());
        Self {
            judges,
            notices,
            quarantined,
            sessions,
            verdicts,
            left_out,
            closed,
            panics,
            future,
            late,
            crowded,
            clock_jumps,
            corrections,
            items,
            source_errors,
            turn_errors,
            exported,
            reloads,
            registry,
        }
    }
}

/// Every verdict.
const STATUSES: [Status; 5] = [Status::Pass, Status::Fail, Status::Error, Status::Held, Status::Skip];

impl Metrics {
    /// Counts sessions of a suite.
    pub fn sessions(&self, suite: &str, outcome: &str, n: u64) {
        if n > 0 {
            let labels = vec![("suite", suite.to_owned()), ("outcome", outcome.to_owned())];
            self.sessions.get_or_create(&labels).inc_by(n);
        }
    }

    /// How many sessions of a suite there were.
    pub fn sessions_of(&self, suite: &str, outcome: &str) -> u64 {
        let labels = vec![("suite", suite.to_owned()), ("outcome", outcome.to_owned())];
        self.sessions.get(&labels).map(|counter| counter.get()).unwrap_or_default()
    }

    /// Counts a verdict.
    pub fn verdict(&self, suite: &str, check: &str, status: Status) {
        self.verdicts.get_or_create(&verdict(suite, check, status)).inc();
    }

    /// How many verdicts of a check there were, by status in the order of [`Status`].
    pub fn verdicts_of(&self, suite: &str, check: &str) -> [u64; 5] {
        STATUSES.map(|status| self.verdicts.get(&verdict(suite, check, status)).map(|c| c.get()).unwrap_or_default())
    }

    /// Counts what models cost, in US dollars.
    pub fn spent(&self, suite: &str, usd: f64) {
        if usd > 0.0 {
            self.judges.get_or_create(&vec![("suite", suite.to_owned())]).inc_by(usd);
        }
    }

    /// Counts attempts to tell somebody.
    pub fn notices(&self, result: &str, n: u64) {
        if n > 0 {
            self.notices.get_or_create(&vec![("result", result.to_owned())]).inc_by(n);
        }
    }

    /// Counts a session that a check put under quarantine.
    pub fn quarantined(&self, suite: &str, check: &str) {
        self.quarantined.get_or_create(&vec![("suite", suite.to_owned()), ("check", check.to_owned())]).inc();
    }

    /// Counts something that could not be read.
    pub fn left_out(&self, reason: &str) {
        self.left_out.get_or_create(&vec![("reason", reason.to_owned())]).inc();
    }

    /// Counts a session that was over.
    pub fn closed(&self, by: &str) {
        self.closed.get_or_create(&vec![("by", by.to_owned())]).inc();
    }

    /// Counts verdicts that were told to the backend of the user.
    pub fn exported(&self, result: &str, n: u64) {
        self.exported.get_or_create(&vec![("result", result.to_owned())]).inc_by(n);
    }

    /// Counts that suites and settings were read again.
    pub fn reloaded(&self, result: &str) {
        self.reloads.get_or_create(&vec![("result", result.to_owned())]).inc();
    }

    /// All of it as text, in the OpenMetrics format.
    pub fn text(&self, shared: &Shared) -> String {
        let mut out = String::new();
        let now = now(shared);
        // Writing to memory does not fail.
        let written =
            text::encode_registry(&mut out, &self.registry).and_then(|()| text::encode_registry(&mut out, &now));
        let _ = written.and_then(|()| text::encode_eof(&mut out));
        out
    }
}

fn verdict(suite: &str, check: &str, status: Status) -> Labels {
    vec![("suite", suite.to_owned()), ("check", check.to_owned()), ("status", status.name().to_owned())]
}

/// What stands as it is now.
struct Now {
    registry: Registry,
}

impl Now {
    fn gauge(&mut self, name: &str, help: &str, unit: Option<Unit>, value: u64) {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        match unit {
            Some(unit) => self.registry.register_with_unit(name, help, unit, gauge),
            None => self.registry.register(name, help, gauge),
        }
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        self.registry.register(name, help, counter);
    }

    fn family(&mut self, name: &str, help: &str) -> Family<Labels, Gauge<f64, AtomicU64>> {
        let family = Family::default();
        self.registry.register(name, help, family.clone());
        family
    }
}

/// What stands as it is now: what waits, and the last settled window of each suite.
fn now(shared: &Shared) -> Registry {
    let mut now = Now { registry: Registry::with_prefix(PREFIX) };
    let plan = lock(&shared.plan).clone();
    let standing = shared.inbox.standing(plan.all());
    let counts = shared.inbox.counts();
    now.gauge("open_sessions", "Sessions that are going on", None, standing.open);
    now.gauge("closed_sessions", "Sessions that are over and wait for what may come late", None, standing.closed);
    now.gauge("waiting", "Memory of records that wait", Some(Unit::Bytes), standing.memory);
    now.gauge("spool", "Size of the spool", Some(Unit::Bytes), standing.spool);
    now.gauge("spool_limit", "Size that the spool may have", Some(Unit::Bytes), standing.spool_limit);
    now.gauge(
        "ready",
        "Whether what was there before has been taken up",
        None,
        shared.ready.load(Ordering::Relaxed).into(),
    );
    now.gauge("troubles", "Things that are wrong now", None, lock(&shared.troubles).len() as u64);
    now.counter("records", "Spans and log records that were received", counts.records);
    now.counter("unreadable_records", "Records that could not be read", counts.unreadable);
    now.counter("refused_requests", "Requests of telemetry that were told to come again", counts.refused);
    let sessions = now.family("window_sessions", "Sessions of the last settled window that were evaluated");
    let stands = now.family("window_represented_sessions", "Sessions that those of the last settled window stand for");
    let passes = now.family("window_pass_ratio", "Share of sessions that pass, of the last settled window");
    let means = now.family("window_mean", "Mean of a metric over the last settled window, in the unit of its name");
    let quantiles = now.family("window_quantile", "Quantile of a metric over the last settled window");
    let left = now.family("window_unevaluated_sessions", "Sessions of the last settled window that were not evaluated");
    how_it_stands(&mut now, shared, &plan);
    let failed = now.family("window_failed_sessions", "Sessions of the last settled window of which a check fails");
    let gathered = now.family("window_gathered_groups", "Groups of the last settled window that are not told apart");
    let windows = lock(&shared.windows);
    for watching in &plan.suites {
        let suite = &watching.suite.name;
        let Some((_, window)) = windows.of(suite).rev().find(|(_, window)| window.is_settled()) else { continue };
        gathered.get_or_create(&vec![("suite", suite.clone())]).set(window.gathered as f64);
        for (reason, n) in &window.total.unevaluated {
            let labels = vec![("suite", suite.clone()), ("reason", reason.clone())];
            left.get_or_create(&labels).set(*n as f64);
        }
        let all = [("", "", &window.total)];
        let groups =
            window.groups.iter().flat_map(|(by, folds)| folds.iter().map(|(n, f)| (by.as_str(), n.as_str(), f)));
        for (by, group, fold) in all.into_iter().chain(groups) {
            let labels = |more: &[(&'static str, &str)]| -> Labels {
                let own = [("suite", suite.as_str()), ("by", by), ("group", group)];
                own.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect()
            };
            let Fold { sessions: n, checks, metrics, .. } = fold;
            sessions.get_or_create(&labels(&[])).set(*n as f64);
            stands.get_or_create(&labels(&[])).set(fold.stands_for());
            failed.get_or_create(&labels(&[])).set(fold.all.fail as f64);
            for (check, rate) in checks.iter().filter_map(|(id, check)| Some((id, check.pass_rate()?))) {
                passes.get_or_create(&labels(&[("check", check)])).set(rate.value);
            }
            for (metric, measure) in metrics {
                if let Some(mean) = measure.mean() {
                    means.get_or_create(&labels(&[("metric", metric)])).set(mean);
                }
                for ((_, share), value) in QUANTILES.iter().zip(measure.quantiles().into_iter().flatten()) {
                    let labels = labels(&[("metric", metric), ("quantile", &share.to_string())]);
                    quantiles.get_or_create(&labels).set(value);
                }
            }
        }
    }
    now.registry
}

/// How alerts stand, what is spent of budgets, and what system checks said last.
fn how_it_stands(now: &mut Now, shared: &Shared, plan: &Plan) {
    let firing = now.family("alerts_firing", "Groups for which an alert fires, those that are silenced among them");
    let pending = now.family("alerts_pending", "Groups for which an alert may fire soon");
    let alerts = lock(&shared.alerts);
    for watching in &plan.suites {
        for alert in &watching.suite.watch.alerts {
            let suite = &watching.suite.name;
            let (alert, severity) = (alert.name.clone(), alert.severity.name().to_owned());
            let standing = || alerts.iter().filter(|s| s.suite == *suite && s.alert == alert);
            let labels = vec![("suite", suite.clone()), ("alert", alert.clone()), ("severity", severity)];
            firing.get_or_create(&labels).set(standing().filter(|s| s.fires).count() as f64);
            pending.get_or_create(&labels).set(standing().filter(|s| !s.fires).count() as f64);
        }
    }
    drop(alerts);
    let spent =
        now.family("budget_spent", "What is spent of a budget since its hour or day began, in sessions or US dollars");
    let limit = now.family("budget_limit", "What may be spent within the hour or day, in sessions or US dollars");
    for (suite, spending) in lock(&shared.spending).iter() {
        for one in spending {
            let labels = vec![("suite", suite.clone()), ("what", one.what.to_owned()), ("per", one.per.to_owned())];
            spent.get_or_create(&labels).set(one.spent);
            limit.get_or_create(&labels).set(one.limit);
        }
    }
    let value = now.family("system_value", "What a system check measured at the last settled window");
    let status =
        now.family("system_status", "The verdict of a system check at the last settled window: 1 of the one it is");
    for (suite, asked) in lock(&shared.systems).iter() {
        for (check, finding) in &asked.checks {
            if let Some(measured) = finding.value {
                value.get_or_create(&vec![("suite", suite.clone()), ("check", check.clone())]).set(measured);
            }
            for one in STATUSES {
                status.get_or_create(&verdict(suite, check, one)).set(f64::from(u8::from(one == finding.status)));
            }
        }
    }
}
