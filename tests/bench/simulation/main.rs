//! Whether intervals cover as often as they say, and how often a gate promotes what it must not: by simulation, many
//! times over, with a fixed seed.
//!
//! `cargo bench --bench simulation` prints the tables; `-- --write` puts them into src/stats/statistics.md.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring program: it prints, and stops when it cannot measure"
)]

mod draws;
mod promotions;

use std::fmt::Write;

use draws::{CaseRates, Dice};
use seatrial::stats::cluster::{self, Part};
use seatrial::stats::quantile::Percentile;
use seatrial::stats::samples::Samples;
use seatrial::stats::{Interval, paired, poisson, proportion, reliability, tango};

/// Draws of every row.
pub const DRAWS: u32 = 20_000;

/// The confidence of every interval.
const CONFIDENCE: f64 = 0.95;

/// A row of a table: what was simulated, and how often what was asked for happened.
pub struct Row {
    method: &'static str,
    setting: String,
    hits: u32,
}

impl Row {
    /// Runs the draws of one row, seeded by what it is.
    pub fn of(method: &'static str, setting: impl Into<String>, mut hit: impl FnMut(&mut Dice) -> bool) -> Self {
        let setting = setting.into();
        let mut dice = Dice::of(&format!("{method} {setting}"));
        let hits = (0..DRAWS).map(|_| u32::from(hit(&mut dice))).sum();
        Self { method, setting, hits }
    }

    fn share(&self) -> f64 {
        f64::from(self.hits) / f64::from(DRAWS)
    }
}

fn main() {
    let mut rows = Vec::new();
    rates(&mut rows);
    clustered(&mut rows);
    percentiles(&mut rows);
    comparisons(&mut rows);
    let coverage = table(&rows, "covered", |share| share < CONFIDENCE);
    let promotions = promotions::all();
    let promoted = table(&promotions, "promoted", |share| share > promotions::LEVEL);
    let text = format!(
        "Intervals at {:.0}%, {DRAWS} draws a row:\n\n{coverage}\nGates at the level {:.0}%, of something that is just \
         not good enough, {DRAWS} draws a row:\n\n{promoted}",
        CONFIDENCE * 100.0,
        promotions::LEVEL * 100.0
    );
    println!("{text}");
    if std::env::args().any(|a| a == "--write") {
        write(&text);
    }
}

/// A table in Markdown. What misses its stated level by more than chance explains (three standard errors) is marked.
fn table(rows: &[Row], what: &str, misses: fn(f64) -> bool) -> String {
    let mut out = format!("| method | setting | {what} |\n| --- | --- | --- |\n");
    for row in rows {
        let share = row.share();
        let chance = 3.0 * (0.05 * 0.95 / f64::from(DRAWS)).sqrt();
        let beyond = misses(share) && misses(if share < 0.5 { share - chance } else { share + chance });
        let mark = if beyond { " (misses)" } else { "" };
        writeln!(out, "| {} | {} | {:.2}%{mark} |", row.method, row.setting, share * 100.0).expect("text takes all");
    }
    out
}

/// Puts the tables between the marks of the page.
fn write(text: &str) {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/stats/statistics.md");
    let page = std::fs::read_to_string(PAGE).expect("src/stats/statistics.md is there");
    let (before, rest) = page.split_once("<!-- simulation -->\n").expect("it has a mark");
    let (_, after) = rest.split_once("<!-- end of simulation -->").expect("and another");
    let page = format!("{before}<!-- simulation -->\n{text}\n<!-- end of simulation -->{after}");
    std::fs::write(PAGE, page).expect("src/stats/statistics.md can be written");
}

/// Rates of independent cases.
fn rates(rows: &mut Vec<Row>) {
    for n in [5, 20, 100, 1000] {
        for p in [0.01, 0.1, 0.5, 0.9, 0.99] {
            let known: Vec<_> = (0..=n).map(|k| proportion::clopper_pearson(k, n, CONFIDENCE)).collect();
            let setting = format!("rate {p}, {n} cases");
            rows.push(Row::of("clopper-pearson", &setting, |dice| covers(known[dice.count(n, p)], p)));
            if n == 20 || n == 100 {
                let known: Vec<_> = (0..=n).map(|k| proportion::wilson(k, n, CONFIDENCE)).collect();
                rows.push(Row::of("wilson (to look at)", &setting, |dice| covers(known[dice.count(n, p)], p)));
            }
        }
    }
}

/// Means and rates of observations that come in clusters.
fn clustered(rows: &mut Vec<Row>) {
    for clusters in [5, 10, 30, 100] {
        for (name, skewed) in [("normal", false), ("log-normal", true)] {
            let setting = format!("mean, {name}, {clusters} cases of 1 to 7 trials, correlated 0.5");
            rows.push(Row::of("clustered-t", setting, |dice| {
                let parts: Vec<Part> = (0..clusters).map(|_| dice.cluster(0.5, skewed)).collect();
                let found = cluster::ratio(&parts).and_then(|r| r.interval(CONFIDENCE));
                covers(found, if skewed { 0.5_f64.exp() } else { 0.0 })
            }));
        }
    }
    for (clusters, size) in [(5, 4), (10, 10), (20, 4), (100, 20)] {
        for p in [0.01, 0.1, 0.5, 0.9] {
            let setting = format!("rate {p}, {clusters} cases of {size} calls, correlated 0.36");
            rows.push(Row::of("korn-graubard", setting, |dice| {
                let parts: Vec<Part> = (0..clusters).map(|_| dice.rate(p, size, 0.6)).collect();
                covers(cluster::ratio(&parts).and_then(|r| r.rate_interval(CONFIDENCE)), p)
            }));
        }
    }
    for cases in [5, 20, 100] {
        for (name, rates) in [("alike", CaseRates::ALIKE), ("half easy, half hard", CaseRates::SPLIT)] {
            let setting = format!("pass^2 of 4 trials, {cases} cases, {name}");
            rows.push(Row::of("pass^k over cases", setting, |dice| {
                let found = reliability::over_cases(&dice.pass_hat(cases, 4, 2, rates));
                covers(found.and_then(|f| f.interval(CONFIDENCE)), rates.pass_hat(2))
            }));
        }
    }
}

/// Percentiles, of single samples and of several a session.
fn percentiles(rows: &mut Vec<Row>) {
    for (n, name, share) in [(20, "p50", 0.5), (100, "p50", 0.5), (100, "p95", 0.95), (1000, "p99", 0.99)] {
        let percentile: Percentile = name.parse().expect("a percentile");
        let setting = format!("{name} of {n} samples, exponential");
        rows.push(Row::of("order-statistics", setting, |dice| {
            let mut samples = Samples::default();
            (0..n).for_each(|i| samples.push(i, &[dice.exponential()]));
            between(samples.percentile_interval(percentile, CONFIDENCE), -(1.0_f64 - share).ln())
        }));
    }
    for (sessions, turns, name, z) in [(10, 5, "p50", 0.0), (50, 5, "p50", 0.0), (50, 10, "p90", 1.281_551_565_5)] {
        let percentile: Percentile = name.parse().expect("a percentile");
        let setting = format!("{name} of {sessions} sessions of {turns} turns, normal, correlated 0.5");
        rows.push(Row::of("order-statistics", setting, |dice| {
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
            rows.push(Row::of("tango", setting, |dice| {
                let (wins, losses) = dice.pairs(n, win, loss);
                covers(tango::interval(wins, losses, n, CONFIDENCE), win - loss)
            }));
        }
    }
    for n in [5, 20, 100] {
        for (name, skewed) in [("normal", false), ("log-normal", true)] {
            rows.push(Row::of("paired-t", format!("mean of {n} differences, {name}"), |dice| {
                let values: Vec<f64> = (0..n).map(|_| dice.value(skewed)).collect();
                let found = paired::mean_difference(&values).and_then(|d| d.interval(CONFIDENCE));
                covers(found, if skewed { 0.5_f64.exp() } else { 0.0 })
            }));
        }
    }
    for (first, second) in [(2.0, 2.0), (12.0, 4.0), (60.0, 20.0)] {
        let setting = format!("{first} events expected against {second}, exposures alike");
        rows.push(Row::of("exact-conditional", setting, |dice| {
            let rate = |events| poisson::Rate { events, exposure: 1.0 };
            let (a, b) = (dice.poisson(first), dice.poisson(second));
            // Without any event nothing is claimed.
            a + b == 0 || covers(poisson::ratio_interval(rate(a), rate(b), CONFIDENCE), first / second)
        }));
    }
}

/// An interval that is not there covers nothing.
fn covers(interval: Option<Interval>, truth: f64) -> bool {
    interval.is_some_and(|i| i.contains(truth))
}

/// An end for which there are too few samples is open.
fn between(ends: Option<(Option<f64>, Option<f64>)>, truth: f64) -> bool {
    ends.is_some_and(|(low, high)| low.is_none_or(|l| l <= truth) && high.is_none_or(|h| truth <= h))
}
