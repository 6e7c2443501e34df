//! What judges decide: rates corrected for their errors, and the confidence from which on they are left alone.

use std::collections::BTreeMap;

use seatrial::calibrate::LabelledVerdict;
use seatrial::calibrate::labelled::Answered;
use seatrial::calibrate::sample::representative;
use seatrial::model::digest::Digest;
use seatrial::stats::Interval;
use seatrial::stats::agreement::{Table, Weights};
use seatrial::stats::calibration::Said;
use seatrial::stats::confusion::Confusion;
use seatrial::stats::corrected::{Cases, Corrected, Method, correct};
use seatrial::stats::fixed_sequence::Guarantee;
use seatrial::stats::ppi;

use crate::draws::Dice;
use crate::rows::Promise::{Errs, Nothing, Within};
use crate::rows::{CONFIDENCE, LEVEL, Row};

/// A judge: how often it fails what is bad, and passes what is good.
#[derive(Clone, Copy)]
struct Judge {
    q0: f64,
    q1: f64,
}

const JUDGES: [Judge; 3] = [Judge { q0: 0.7, q1: 0.8 }, Judge { q0: 0.8, q1: 0.9 }, Judge { q0: 0.95, q1: 0.98 }];
const METHODS: [Method; 2] = [Method::RoganGladen, Method::Ppi];

/// What is drawn: cases of a true rate, some of which fail anyway, and labels of others like those that only the judge
/// decides.
#[derive(Clone, Copy)]
struct Setting {
    judge: Judge,
    /// The share of good ones among what only the judge decides.
    rate: f64,
    /// The share of cases that only the judge decides.
    open: f64,
    cases: u64,
    labels: u64,
}

impl Setting {
    fn name(&self) -> String {
        let Self { judge, rate, open, cases, labels } = self;
        let open = if *open < 1.0 { format!(", {open} of the cases left to the judge") } else { String::new() };
        format!(
            "true rate {rate}, specificity {}, sensitivity {}, {cases} cases, {labels} labels{open}",
            judge.q0, judge.q1
        )
    }

    fn truth(&self) -> f64 {
        self.open * self.rate
    }

    /// What the judge says of something, and what people do.
    fn verdict(&self, dice: &mut Dice) -> (bool, bool) {
        let good = dice.chance(self.rate);
        let says = dice.chance(if good { self.judge.q1 } else { 1.0 - self.judge.q0 });
        (says, good)
    }

    fn labels(&self, dice: &mut Dice) -> Confusion {
        (0..self.labels).map(|_| self.verdict(dice)).collect()
    }

    fn cases(&self, dice: &mut Dice) -> Cases {
        let mut cases = Cases { all: self.cases as f64, open: 0.0, passed: 0.0 };
        for _ in 0..self.cases {
            if dice.chance(self.open) {
                cases.open += 1.0;
                cases.passed += f64::from(u8::from(self.verdict(dice).0));
            }
        }
        cases
    }

    /// What the product says; `None` where it refuses.
    fn corrected(&self, method: Method, dice: &mut Dice) -> Option<Corrected> {
        let labels = self.labels(dice);
        correct(method, self.cases(dice), labels).ok()
    }
}

/// Everything that judges decide.
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    agreement(&mut rows);
    intervals(&mut rows);
    published(&mut rows);
    gates(&mut rows);
    thresholds(&mut rows);
    samples(&mut rows);
    rows
}

/// How far a judge and people agree.
fn agreement(rows: &mut Vec<Row>) {
    /// So many labels that chance plays no part.
    const ALL: f64 = 1e12;
    for judge in JUDGES {
        for (rate, labels) in [0.5, 0.8, 0.95].into_iter().flat_map(|rate| [50, 200, 1000].map(|n| (rate, n))) {
            let counts =
                |good: f64, passes: f64| vec![(ALL * good * passes) as u64, (ALL * good * (1.0 - passes)) as u64];
            let all = vec![counts(rate, judge.q1), counts(1.0 - rate, 1.0 - judge.q0)];
            let all = Table::new(all).expect("a table");
            let setting = Setting { judge, rate, open: 1.0, cases: 0, labels };
            let name = format!("true rate {rate}, specificity {}, sensitivity {}, {labels} labels", judge.q0, judge.q1);
            let kappa = all.kappa(Weights::Alike).expect("kappa").value;
            rows.push(Row::of(Within, "kappa", &name, |dice| {
                // Where all labels are of one kind nothing is said, so it is drawn again.
                let tables = std::iter::repeat_with(|| setting.labels(dice).table()).flatten();
                let found = tables.filter_map(|table| table.kappa_interval(Weights::Alike, CONFIDENCE)).next();
                covers(found, kappa)
            }));
            let ac1 = all.ac1().value;
            rows.push(Row::of(Within, "AC1", &name, |dice| {
                covers(setting.labels(dice).table().and_then(|table| table.ac1_interval(CONFIDENCE)), ac1)
            }));
        }
    }
}

/// Rates corrected for a judge's errors.
fn intervals(rows: &mut Vec<Row>) {
    for method in METHODS {
        for rate in [0.5, 0.7, 0.8, 0.9, 0.95] {
            for judge in JUDGES {
                for (cases, labels) in [(100, 100), (200, 400), (1000, 200), (1000, 1000)] {
                    add_interval(rows, method, Setting { judge, rate, open: 1.0, cases, labels });
                }
            }
        }
        for rate in [0.6, 0.9] {
            for (cases, labels) in [(200, 200), (1000, 400)] {
                add_interval(rows, method, Setting { judge: JUDGES[1], rate, open: 0.8, cases, labels });
            }
        }
    }
}

/// A row of intervals; none where too few labels are of the rare kind in most of the draws.
fn add_interval(rows: &mut Vec<Row>, method: Method, setting: Setting) {
    let mut dice = Dice::of("is it refused");
    let answered = (0..100).filter(|_| setting.corrected(method, &mut dice).is_some()).count();
    if answered < 50 {
        return;
    }
    rows.push(Row::of(Within, method.name(), setting.name(), |dice| {
        // Of what is refused nothing is said, so it is drawn again.
        let found = std::iter::repeat_with(|| setting.corrected(method, dice)).flatten().next();
        covers(found.and_then(|f| f.interval(CONFIDENCE)), setting.truth())
    }));
}

/// The published interval of prediction-powered inference, which is not used.
fn published(rows: &mut Vec<Row>) {
    for (rate, cases, labels) in [(0.5, 1000, 200), (0.9, 1000, 50), (0.95, 1000, 50), (0.95, 1000, 200)] {
        let setting = Setting { judge: JUDGES[1], rate, open: 1.0, cases, labels };
        rows.push(Row::of(Nothing, "PPI++ as published", setting.name(), |dice| {
            let number = |yes: bool| f64::from(u8::from(yes));
            let labelled: Vec<(f64, f64)> = (0..labels)
                .map(|_| {
                    let (says, good) = setting.verdict(dice);
                    (number(good), number(says))
                })
                .collect();
            let verdicts: Vec<f64> = (0..cases).map(|_| number(setting.verdict(dice).0)).collect();
            covers(ppi::mean(&labelled, &verdicts, None).and_then(|e| e.interval(CONFIDENCE)), rate)
        }));
    }
}

/// `pass_rate` with `correct`: the true rate is `min` itself.
fn gates(rows: &mut Vec<Row>) {
    for method in METHODS {
        for rate in [0.5, 0.8, 0.9, 0.95] {
            for judge in JUDGES {
                for (cases, labels) in [(50, 100), (200, 200), (1000, 400)] {
                    add_gate(rows, method, Setting { judge, rate, open: 1.0, cases, labels });
                }
            }
        }
        add_gate(rows, method, Setting { judge: JUDGES[1], rate: 0.9, open: 0.8, cases: 200, labels: 400 });
    }
}

fn add_gate(rows: &mut Vec<Row>, method: Method, setting: Setting) {
    let name = match method {
        Method::RoganGladen => "gate, rogan_gladen (promoted)",
        Method::Ppi => "gate, ppi (promoted)",
    };
    rows.push(Row::of(Errs, name, format!("min = {}", setting.name()), |dice| {
        let low = setting.corrected(method, dice).and_then(|found| found.lower(1.0 - LEVEL));
        low.is_some_and(|low| low >= setting.truth())
    }));
}

/// How often a verdict of a confidence is wrong.
type Errors = fn(f64) -> f64;

/// The threshold that `calibrate` recommends: that more is wrong above it than it promises.
fn thresholds(rows: &mut Vec<Row>) {
    let usual = Guarantee::new(0.05, LEVEL).expect("a guarantee");
    let shapes: [(&str, Errors); 4] = [
        ("5.1% wrong whatever the confidence", |_| 0.051),
        ("wrong as the confidence says", |c| 1.0 - c),
        ("more sure than right", |c| 0.02 + 0.6 * (1.0 - c)),
        ("wrong only below 0.7", |c| if c < 0.7 { 0.3 } else { 0.01 }),
    ];
    for (shape, wrong) in shapes {
        for n in [100, 300, 1000] {
            for votes in [false, true] {
                let levels = if votes { "three levels" } else { "any confidence" };
                rows.push(Row::of(Errs, "review.below (broken)", format!("{shape}, {n} labels, {levels}"), |dice| {
                    let said: Vec<Said> = (0..n)
                        .map(|_| {
                            let confidence = confidence(votes, dice.uniform());
                            Said { confidence, right: !dice.chance(wrong(confidence)) }
                        })
                        .collect();
                    usual.scan(&said).threshold.is_some_and(|t| risk(votes, t, wrong) > usual.alpha)
                }));
            }
        }
    }
}

/// The threshold from labels of which the uncertain ones were all sent to people, the others by an audit of one in ten: with
/// the sample that `calibrate` takes, and with all labels alike, which it does not do.
fn samples(rows: &mut Vec<Row>) {
    const BELOW: f64 = 0.8;
    const AUDIT: f64 = 0.1;
    let usual = Guarantee::new(0.05, LEVEL).expect("a guarantee");
    let shapes: [(&str, Errors); 3] = [
        ("wrong where it is sure", |c| if c >= BELOW { 0.12 } else { 0.02 }),
        ("5.1% wrong whatever the confidence", |_| 0.051),
        ("wrong as the confidence says", |c| 1.0 - c),
    ];
    for (shape, wrong) in shapes {
        for n in [1000, 3000] {
            for all in [false, true] {
                let (promise, name) = match all {
                    false => (Errs, "review.below, thinned (broken)"),
                    true => (Nothing, "all labels alike (broken)"),
                };
                let setting = format!("{shape}, {n} verdicts, all below {BELOW} labelled and {AUDIT} of the others");
                rows.push(Row::of(promise, name, setting, |dice| {
                    let sent: Vec<LabelledVerdict> = (0..n).filter_map(|_| sent(dice, (BELOW, AUDIT), wrong)).collect();
                    let labels: Vec<&LabelledVerdict> = sent.iter().collect();
                    let counted = match (all, representative(&labels)) {
                        (false, Ok(sample)) => sample.verdicts,
                        _ => labels,
                    };
                    let said: Vec<Said> = counted
                        .iter()
                        .map(|v| Said { confidence: v.confidence, right: v.is_right() == Some(true) })
                        .collect();
                    usual.scan(&said).threshold.is_some_and(|t| risk(false, t, wrong) > usual.alpha)
                }));
            }
        }
    }
}

/// A verdict that people were sent, and labelled; `None` of one that they were not.
fn sent(dice: &mut Dice, (below, audit): (f64, f64), wrong: Errors) -> Option<LabelledVerdict> {
    let confidence = confidence(false, dice.uniform());
    let drawn = dice.chance(audit);
    let sure = confidence >= below;
    if sure && !drawn {
        return None;
    }
    Some(LabelledVerdict {
        item: dice.uniform().to_string(),
        suite: String::new(),
        check: String::new(),
        check_digest: Digest::of(&[]),
        judge: None,
        judge_version: None,
        says: true,
        confidence,
        inclusion: if sure { audit } else { 1.0 },
        drawn_at: sure.then_some(audit),
        answered: Answered::Said(!dice.chance(wrong(confidence))),
        people: BTreeMap::new(),
        at: 0,
    })
}

/// The confidence of a verdict: the shares of five votes that agree, or anything from one half on.
fn confidence(votes: bool, u: f64) -> f64 {
    if votes { [4.0 / 7.0, 5.0 / 7.0, 6.0 / 7.0][(u * 3.0) as usize] } else { f64::midpoint(1.0, u) }
}

/// The true share that is wrong among verdicts with at least a confidence.
fn risk(votes: bool, threshold: f64, wrong: Errors) -> f64 {
    const STEPS: u32 = 3000;
    let all = (0..STEPS).map(|i| confidence(votes, (f64::from(i) + 0.5) / f64::from(STEPS)));
    let accepted: Vec<f64> = all.filter(|c| *c >= threshold - 1e-12).map(wrong).collect();
    accepted.iter().sum::<f64>() / accepted.len().max(1) as f64
}

fn covers(interval: Option<Interval>, truth: f64) -> bool {
    interval.is_some_and(|i| i.contains(truth))
}
