//! What is said of production: rates and means of samples, and how often alerts fire where nothing is wrong.

use std::fmt::Write;
use std::sync::Arc;

use seatrial::alerts::{Alert, Book, Measure, Number, Reading, Readings, Turn};
use seatrial::checks::build::Kit;
use seatrial::sampling::Threshold;
use seatrial::sampling::plan::{Class, Room, chances};
use seatrial::stats::Interval;
use seatrial::stats::weighted::Sample;
use seatrial::suite::RunsIn;
use seatrial::suite::load::{self, Env};

use crate::draws::{Dice, Spread};
use crate::rows::Promise::Within;
use crate::rows::{CONFIDENCE, Row};

/// Sessions of one window: kinds of them, each with how many there are, how often they fail, and the chance to be drawn.
type Rule = (&'static str, Vec<(usize, f64, f64)>);

/// Every way in which sessions are drawn.
fn rules() -> Vec<Rule> {
    let share = |p: f64| Threshold::of(p).chance();
    let class = |wanted, floor, kept, forecast: f64| Class { wanted, floor, kept, forecast: Some(forecast), usd: 0.01 };
    let planned =
        |classes: &[Class], room: Room| -> Vec<f64> { chances(classes, room).into_iter().map(share).collect() };
    let strata = planned(&[class(0.5, 0.0, false, 500.0), class(0.1, 0.0, false, 3500.0)], Room::default());
    let floor = planned(&[class(0.05, 80.0, false, 200.0), class(0.05, 0.0, false, 3800.0)], Room::default());
    let keep = planned(&[class(1.0, 0.0, true, 200.0), class(0.1, 0.0, false, 3800.0)], Room::default());
    let sessions = Room { sessions: Some(300.0), usd: None };
    let budget = planned(&[class(1.0, 0.0, true, 200.0), class(1.0, 0.0, false, 3800.0)], sessions);
    let money = planned(
        &[class(1.0, 100.0, false, 400.0), class(1.0, 0.0, false, 3600.0)],
        Room { sessions: None, usd: Some(4.0) },
    );
    vec![
        ("everything", vec![(4000, 0.1, 1.0)]),
        ("a share of 0.1", vec![(4000, 0.1, share(0.1))]),
        ("a share of 0.1, half fail", vec![(4000, 0.5, share(0.1))]),
        ("a share of 0.5, few fail", vec![(4000, 0.02, share(0.5))]),
        ("strata of 0.5 and 0.1", vec![(500, 0.4, strata[0]), (3500, 0.1, strata[1])]),
        ("a floor of 80 in a small stratum", vec![(200, 0.3, floor[0]), (3800, 0.2, floor[1])]),
        ("what is kept, and a share of 0.1", vec![(200, 0.6, keep[0]), (3800, 0.1, keep[1])]),
        ("a budget of 300 sessions, of which 200 are kept", vec![(200, 0.6, budget[0]), (3800, 0.2, budget[1])]),
        ("a budget of 4 dollars, with a floor", vec![(400, 0.3, money[0]), (3600, 0.1, money[1])]),
    ]
}

/// Draws sessions with values; the true mean beside the sample.
fn draw(
    classes: &[(usize, f64, f64)],
    dice: &mut Dice,
    value: &mut dyn FnMut(&mut Dice, f64) -> f64,
) -> (Sample, f64, f64) {
    let (mut sample, mut sum, mut n) = (Sample::default(), 0.0, 0);
    for (count, fails, pi) in classes {
        for _ in 0..*count {
            let x = value(dice, *fails);
            sum += x;
            n += 1;
            if dice.uniform() < *pi {
                sample.add(*pi, x, 1.0);
            }
        }
    }
    (sample, sum / f64::from(n), sum)
}

/// Rates, means and totals under every rule.
pub fn all() -> Vec<Row> {
    let covers = |interval: Option<Interval>, truth: f64| {
        interval.is_some_and(|i| i.low - 1e-12 <= truth && truth <= i.high + 1e-12)
    };
    let mut rows = Vec::new();
    for (name, classes) in rules() {
        let mut rate = |dice: &mut Dice, fails: f64| f64::from(u8::from(dice.chance(fails)));
        let (mut off, mut draws) = (0.0, 0);
        let mut row = Row::of(Within, "hajek-wilson", format!("rate, {name}"), |dice| {
            let (sample, truth, _) = draw(&classes, dice, &mut rate);
            off += sample.ratio().map_or(0.0, |rate| rate.value - truth);
            draws += 1;
            covers(sample.rate_interval(CONFIDENCE), truth)
        });
        row.remark(format!("on average off by {:+.5}", off / f64::from(draws)));
        rows.push(row);
    }
    for (name, classes) in rules().into_iter().skip(1) {
        let mut spread = |dice: &mut Dice, _: f64| dice.value(Spread::Exponential);
        rows.push(Row::of(Within, "hajek", format!("mean of exponential values, {name}"), |dice| {
            let (sample, truth, _) = draw(&classes, dice, &mut spread);
            covers(sample.ratio().and_then(|mean| mean.interval(CONFIDENCE)), truth)
        }));
        rows.push(Row::of(Within, "horvitz-thompson", format!("total of exponential values, {name}"), |dice| {
            let (sample, _, total) = draw(&classes, dice, &mut spread);
            covers(sample.total().and_then(|sum| sum.interval(CONFIDENCE)), total)
        }));
    }
    rows
}

/// Windows of five minutes.
const EVERY: i64 = 300_000;
/// Windows of a month of 30 days.
const MONTH: usize = 30 * 288;
/// Windows before it, to learn from.
const BEFORE: usize = 8 * 288;
/// Months that are simulated of each kind.
const MONTHS: u32 = 40;
/// When it begins: a Monday, 2026-11-02T00:00:00Z.
const BEGIN: i64 = 1_793_577_600_000;

/// A stream of windows in which nothing is wrong: running sums of sessions, events, values and their squares.
struct Healthy {
    sums: Vec<[f64; 4]>,
    p95: Vec<f64>,
}

impl Healthy {
    /// With about so many sessions a window, of which a share has an event; values are log-normal about 100.
    fn new(sessions: f64, events: f64, dice: &mut Dice) -> Self {
        let mut sums = vec![[0.0; 4]];
        let mut p95 = Vec::new();
        for _ in 0..BEFORE + MONTH {
            let mut sum = sums.last().copied().unwrap_or_default();
            let n = dice.poisson(sessions) as usize;
            let mut values: Vec<f64> = (0..n).map(|_| 100.0 * (0.5 * dice.normal()).exp()).collect();
            for value in &values {
                sum[0] += 1.0;
                sum[1] += f64::from(u8::from(dice.chance(events)));
                sum[2] += value;
                sum[3] += value * value;
            }
            values.sort_by(f64::total_cmp);
            p95.push(values.get((values.len() * 95).div_ceil(100).saturating_sub(1)).copied().unwrap_or(f64::NAN));
            sums.push(sum);
        }
        Self { sums, p95 }
    }

    fn between(&self, from: i64, to: i64) -> [f64; 4] {
        let index = |at: i64| usize::try_from((at - BEGIN) / EVERY).unwrap_or(0).min(self.sums.len() - 1);
        let (a, b) = (self.sums[index(from)], self.sums[index(to)]);
        [b[0] - a[0], b[1] - a[1], b[2] - a[2], b[3] - a[3]]
    }
}

/// Of the candidate, which gets one session of ten, and of the champion, which gets the others.
struct Both(Healthy, Healthy);

impl Readings for Both {
    fn read(&self, measure: &Measure, group: &str, from: i64, to: i64) -> Reading {
        if group == "2" { self.1.read(measure, group, from, to) } else { self.0.read(measure, group, from, to) }
    }

    fn since(&self) -> i64 {
        BEGIN
    }

    fn every(&self) -> i64 {
        EVERY
    }

    fn groups(&self, _: Option<&str>, _: i64, _: i64) -> Vec<String> {
        vec![String::new()]
    }
}

impl Readings for Healthy {
    fn read(&self, measure: &Measure, _: &str, from: i64, to: i64) -> Reading {
        let [n, events, sum, squares] = self.between(from, to);
        if n == 0.0 {
            return Reading::Nothing;
        }
        let number = |value, counts, se| Reading::Measured(Number { value, n: n as u64, counts, se });
        match measure.stat.as_deref() {
            None => number(events / n, Some((events, n)), None),
            Some("p95") => number(self.p95[((to - BEGIN) / EVERY) as usize - 1], None, None),
            Some("sum") => number(sum, None, Some((n * (squares / n)).sqrt())),
            Some(_) => number(sum / n, None, Some(((squares / n - (sum / n).powi(2)).max(0.0) / n).sqrt())),
        }
    }

    fn since(&self) -> i64 {
        BEGIN
    }

    fn every(&self) -> i64 {
        EVERY
    }

    fn groups(&self, _: Option<&str>, _: i64, _: i64) -> Vec<String> {
        vec![String::new()]
    }
}

/// The alert of these keys.
fn alert(keys: &str) -> Alert {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("suite.toml");
    let check = "[[session]]\nid = \"good\"\ncheck = \"contains\"\nvalue = \"x\"\n";
    let text =
        format!("[suite]\nname = \"s\"\n[recorded]\npaths = [\"x.jsonl\"]\n{check}[[alert]]\nname = \"a\"\n{keys}\n");
    std::fs::write(&path, text).expect("a file");
    let kit = Arc::new(Kit::default());
    let env = Env {
        kit: &kit,
        vars: &|_| None,
        subject: None,
        redact: &Default::default(),
        sessions: None,
        place: RunsIn::Watch,
        every: None,
    };
    let loaded = load::load(&[path], &env).map_err(|problems| problems.render(false)).expect("a suite");
    loaded.suites[0].watch.alerts[0].clone()
}

/// How often it fires in a month.
fn fired(alert: &Alert, windows: &dyn Readings) -> u32 {
    let mut book = Book::default();
    let mut fired = 0;
    for window in BEFORE + 1..=BEFORE + MONTH {
        let at = BEGIN + window as i64 * EVERY;
        let notices = book.turn("s", std::slice::from_ref(alert), at, windows);
        fired += notices.iter().flat_map(|n| &n.changes).filter(|change| change.turn == Turn::Fires).count() as u32;
    }
    fired
}

/// False alarms of each kind, in Markdown.
pub fn alarms() -> String {
    let of = |name: &str, keys: &str, setting: &str, stream: &dyn Fn(&mut Dice) -> Box<dyn Readings>| {
        let alert = alert(keys);
        let mut dice = Dice::of(&format!("alarms {name} {setting}"));
        let months: Vec<u32> = (0..MONTHS).map(|_| fired(&alert, &*stream(&mut dice))).collect();
        let all: u32 = months.iter().sum();
        let quiet = months.iter().filter(|n| **n == 0).count();
        format!("| `{name}` | {setting} | {:.2} | {quiet} of {MONTHS} |\n", f64::from(all) / f64::from(MONTHS))
    };
    let mut out =
        String::from("| kind | setting | false alarms a month | months without any |\n| --- | --- | --- | --- |\n");
    let stream = |sessions: f64, events: f64| {
        move |dice: &mut Dice| -> Box<dyn Readings> { Box::new(Healthy::new(sessions, events, dice)) }
    };
    let rate = "kind = \"threshold\"\nof = \"good\"\nmax = 0.01\n";
    let p95 = "kind = \"threshold\"\nmetric = \"turn_ms\"\nstat = \"p95\"\nmax = 300\n";
    let mean = "metric = \"turn_ms\"\nstat = \"mean\"\n";
    let canary = "kind = \"canary\"\nof = \"good\"\ncandidate = \"2\"\nchampion = \"1\"\nsince = \"2026-11-10T00:00:00Z\"\nlasts = \"30d\"\n";
    let rows: [(&str, String, &str, f64, f64); 11] = [
        ("threshold", rate.to_owned(), "rate above 0.01, is 0.005; one window", 40.0, 0.005),
        ("threshold", format!("{rate}over = \"1h\"\n"), "the same over an hour", 40.0, 0.005),
        ("threshold", format!("{rate}over = \"1h\"\nconfidence = 0.99\n"), "the same, 99% sure", 40.0, 0.005),
        ("threshold", p95.to_owned(), "p95 above 300, is 228; one window", 40.0, 0.005),
        ("threshold", format!("{p95}for = \"10m\"\n"), "the same, for 10 minutes", 40.0, 0.005),
        (
            "burn_rate",
            "kind = \"burn_rate\"\nof = \"good\"\nobjective = 0.99\n".to_owned(),
            "objective 0.99, is 0.995",
            40.0,
            0.005,
        ),
        (
            "ratio",
            "kind = \"ratio\"\nof = \"good\"\n".to_owned(),
            "3 times a rate of 0.005, over an hour against a day",
            40.0,
            0.005,
        ),
        ("ratio", format!("kind = \"ratio\"\n{mean}"), "3 times a mean, over an hour against a day", 40.0, 0.005),
        ("drift", format!("kind = \"drift\"\n{mean}"), "cusum of an hourly mean, learned from a week", 40.0, 0.005),
        (
            "drift",
            format!("kind = \"drift\"\n{mean}method = \"ewma\"\n"),
            "ewma of an hourly mean, learned from a week",
            40.0,
            0.005,
        ),
        (
            "budget",
            "kind = \"budget\"\nmax_tokens = 1500000\n".to_owned(),
            "1.5 million a day, spends 1.3",
            40.0,
            0.005,
        ),
    ];
    for (name, keys, setting, sessions, events) in &rows {
        out.push_str(&of(name, keys, setting, &stream(*sessions, *events)));
    }
    let both = |dice: &mut Dice| -> Box<dyn Readings> {
        Box::new(Both(Healthy::new(36.0, 0.05, dice), Healthy::new(4.0, 0.05, dice)))
    };
    out.push_str(&of("canary", canary, "both fail at 0.05; looked at after every window", &both));
    let means = canary.replace("of = \"good\"\n", mean);
    out.push_str(&of("canary", &means, "both have one mean; looked at after every window", &both));
    writeln!(out, "\n{MONTHS} months of windows of five minutes, about 40 sessions in each, nothing wrong in any.")
        .expect("text takes all");
    out
}
