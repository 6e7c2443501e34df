//! How often intervals cover what they are about.

use std::collections::BTreeMap;

use seatrial::stats::cluster::{self, Part};
use seatrial::stats::quantile::Percentile;
use seatrial::stats::samples::Samples;
use seatrial::stats::{Interval, poisson, proportion, tango};

use crate::draws::CaseRates;
use crate::gates::Gate;
use crate::rows::Promise::Covers;
use crate::rows::{CONFIDENCE, LEVEL, Row};

/// Every interval but those of means.
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    rates(&mut rows);
    clustered(&mut rows);
    percentiles(&mut rows);
    comparisons(&mut rows);
    rows
}

/// Rates of independent cases.
fn rates(rows: &mut Vec<Row>) {
    for n in [5, 20, 100, 1000] {
        for p in [0.01, 0.1, 0.5, 0.9, 0.99] {
            let known: Vec<_> = (0..=n).map(|k| proportion::clopper_pearson(k, n, CONFIDENCE)).collect();
            let setting = format!("rate {p}, {n} cases");
            rows.push(Row::of(Covers, "clopper-pearson", &setting, |dice| covers(known[dice.count(n, p)], p)));
        }
    }
}

/// Rates of observations that come in clusters.
fn clustered(rows: &mut Vec<Row>) {
    for (clusters, size) in [(5, 4), (10, 10), (20, 4), (100, 20)] {
        for p in [0.01, 0.1, 0.5, 0.9] {
            for alike in [0.6, 1.0] {
                let setting = format!("rate {p}, {clusters} cases of {size} calls, correlated {:.2}", alike * alike);
                rows.push(Row::of(Covers, "rates of calls", setting, |dice| {
                    let parts: Vec<Part> = (0..clusters).map(|_| dice.rate(p, size, alike)).collect();
                    covers(cluster::ratio(&parts).and_then(|r| r.rate_interval(CONFIDENCE)), p)
                }));
            }
        }
    }
    for clusters in [20, 100, 300] {
        for p in [0.01, 0.1, 0.5] {
            let setting = format!("rate {p}, {clusters} cases of 1 to 40 calls, correlated 0.36");
            rows.push(Row::of(Covers, "rates of calls", setting, |dice| {
                let parts: Vec<Part> = (0..clusters).map(|_| dice.uneven_rate(p, 40, 0.6)).collect();
                covers(cluster::ratio(&parts).and_then(|r| r.rate_interval(CONFIDENCE)), p)
            }));
        }
    }
    // Two limits that each err in half of what both may.
    let one_sided = f64::midpoint(1.0, CONFIDENCE);
    let gate = Gate::new(&format!("reliability = {{ k = 2, min = 0.5, confidence = {one_sided:?} }}"));
    for cases in [5, 20, 100] {
        for (name, rates) in [("alike", CaseRates::ALIKE), ("half easy, half hard", CaseRates::SPLIT)] {
            let setting = format!("pass^2 of 4 trials, {cases} cases, {name}");
            rows.push(Row::of(Covers, "pass^k over cases", setting, |dice| {
                let measured = gate.rule("reliability", &dice.passed(cases, 4, rates)).measured;
                let limits = measured.and_then(|m| m.interval).map(|[low, high]| Interval { low, high });
                covers(limits, rates.pass_hat(2))
            }));
        }
    }
}

/// Percentiles, of single samples and of several a session.
fn percentiles(rows: &mut Vec<Row>) {
    for (n, name, share) in [(20, "p50", 0.5), (100, "p50", 0.5), (100, "p95", 0.95), (1000, "p99", 0.99)] {
        let percentile: Percentile = name.parse().expect("a percentile");
        let setting = format!("{name} of {n} samples, exponential");
        rows.push(Row::of(Covers, "order-statistics", setting, |dice| {
            let mut samples = Samples::default();
            (0..n).for_each(|i| samples.push(i, &[dice.exponential()]));
            between(samples.percentile_interval(percentile, CONFIDENCE), -(1.0_f64 - share).ln())
        }));
    }
    let z90 = 1.281_551_565_5;
    for (sessions, turns, name, z) in
        [(10, 5, "p50", 0.0), (50, 5, "p50", 0.0), (50, 10, "p90", z90), (200, 10, "p90", z90)]
    {
        let percentile: Percentile = name.parse().expect("a percentile");
        let setting = format!("{name} of {sessions} sessions of {turns} turns, normal, correlated 0.5");
        rows.push(Row::of(Covers, "order-statistics", setting, |dice| {
            let mut samples = Samples::default();
            for session in 0..sessions {
                let own = dice.normal();
                for _ in 0..turns {
                    samples.push(session, &[0.5_f64.sqrt() * (own + dice.normal())]);
                }
            }
            between(samples.percentile_interval(percentile, CONFIDENCE), z)
        }));
    }
}

/// Differences and ratios of two runs.
fn comparisons(rows: &mut Vec<Row>) {
    for n in [20, 50, 200, 1000] {
        for (win, loss) in [(0.05, 0.05), (0.1, 0.02), (0.0, 0.1), (0.3, 0.3)] {
            let setting = format!("{n} pairs, {win} win, {loss} lose");
            rows.push(Row::of(Covers, "tango (to look at)", setting, |dice| {
                let (wins, losses) = dice.pairs(n, win, loss);
                covers(tango::interval(wins, losses, n, CONFIDENCE), win - loss)
            }));
        }
    }
    // The limit is exact where the difference is the margin; here it is another one.
    for (n, margin) in [(20, 0.05), (50, 0.1), (200, 0.05), (1000, 0.05)] {
        let rule = tango::Rule::new(n, margin, LEVEL).expect("a rule");
        for (win, loss) in [(0.05, 0.05), (0.0, 0.02), (0.0, 0.15), (0.3, 0.3)] {
            let setting = format!("lower limit, margin {margin}, {n} pairs, {win} win, {loss} lose");
            let mut known = BTreeMap::new();
            rows.push(Row::of(Covers, "tango-exact", setting, |dice| {
                let (wins, losses) = dice.pairs(n, win, loss);
                let judged = known.entry((wins, losses)).or_insert_with(|| rule.judge(wins, losses));
                judged.is_some_and(|f| f.lower <= win - loss)
            }));
        }
    }
    for (first, second) in [(2.0, 2.0), (12.0, 4.0), (60.0, 20.0)] {
        let setting = format!("{first} events expected against {second}, exposures alike");
        rows.push(Row::of(Covers, "exact-conditional", setting, |dice| {
            let rate = |events: u64| poisson::Rate { events: events as f64, exposure: 1.0 };
            let (a, b) = (dice.poisson(first), dice.poisson(second));
            // Without any event nothing is claimed.
            a + b == 0 || covers(poisson::ratio_interval(rate(a), rate(b), CONFIDENCE), first / second)
        }));
    }
}

/// An interval that is not there covers nothing.
pub fn covers(interval: Option<Interval>, truth: f64) -> bool {
    interval.is_some_and(|i| i.contains(truth))
}

/// An end for which there are too few samples is open.
fn between(ends: Option<(Option<f64>, Option<f64>)>, truth: f64) -> bool {
    ends.is_some_and(|(low, high)| low.is_none_or(|l| l <= truth) && high.is_none_or(|h| truth <= h))
}
