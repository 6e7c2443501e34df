//! How often every rule of a gate promotes a candidate that is exactly at the border of what it must refuse, and how
//! often it calls one worse that is not.

use seatrial::stats::{mcnemar, multiple, tango};

use crate::draws::CaseRates;
use crate::gates::Gate;
use crate::rows::Promise::Errs;
use crate::rows::{LEVEL, Row};

/// Every rule.
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    pass_rate(&mut rows);
    reliable(&mut rows);
    baseline(&mut rows);
    rows
}

/// `pass_rate` with `confidence`: the true rate is `min` itself.
fn pass_rate(rows: &mut Vec<Row>) {
    for (n, min) in [(29, 0.9), (59, 0.95), (100, 0.5), (100, 0.9), (300, 0.99), (1000, 0.9)] {
        let gate = pass_rate_gate(min);
        rows.push(Row::of(Errs, "pass_rate", format!("true rate = min = {min}, {n} cases"), |dice| {
            let passed = dice.count(n, min) as u64;
            gate.passes(&[n - passed, passed])
        }));
    }
    // A case passes when its four trials do: the share of such cases is what is promised.
    let share: f64 = CaseRates::ALIKE.pass_hat(4);
    for n in [30, 100] {
        let gate = pass_rate_gate(share);
        let setting = format!("4 trials a case, true rate = min = {share:.4}, {n} cases");
        rows.push(Row::of(Errs, "pass_rate", setting, |dice| {
            let mut cases = [0; 5];
            (0..n).for_each(|_| cases[dice.count(4, 0.8)] += 1);
            gate.passes(&cases)
        }));
    }
}

fn pass_rate_gate(min: f64) -> Gate {
    Gate::new(&format!("pass_rate = {{ min = {min:?}, confidence = {:?} }}", 1.0 - LEVEL))
}

/// `reliability` with `confidence`: the true mean of pass^k is `min` itself.
fn reliable(rows: &mut Vec<Row>) {
    for cases in [10, 30, 100] {
        for (name, rates) in [("alike", CaseRates::ALIKE), ("half easy, half hard", CaseRates::SPLIT)] {
            for k in [1, 2, 4] {
                let min = rates.pass_hat(k);
                let bar = format!("reliability = {{ k = {k}, min = {min:?}, confidence = {:?} }}", 1.0 - LEVEL);
                let gate = Gate::new(&format!("pass_rate = {{ min = 0.0 }}\n{bar}"));
                let setting = format!("pass^{k} of 4 trials = min = {min:.4}, {cases} cases, {name}");
                rows.push(Row::of(Errs, "reliability", setting, |dice| gate.passes(&dice.passed(cases, 4, rates))));
            }
        }
    }
}

/// `baseline`: the candidate is worse by the margin itself; and one that is as good is called worse.
fn baseline(rows: &mut Vec<Row>) {
    for n in [20, 50, 100, 400, 1000, 5000] {
        for (margin, extra) in
            [(0.0, 0.1), (0.05, 0.0), (0.05, 0.05), (0.05, 0.2), (0.05, 0.475), (0.1, 0.0), (0.1, 0.1), (0.1, 0.45)]
        {
            let rule = tango::Rule::new(n, margin, LEVEL).expect("a rule");
            let setting = format!("worse by the margin {margin}, {n} pairs, {extra} win");
            rows.push(Row::of(Errs, "non-inferiority", setting, |dice| {
                let (wins, losses) = dice.pairs(n, extra, extra + margin);
                rule.passes(wins, losses)
            }));
        }
    }
    for n in [20, 100, 400] {
        rows.push(Row::of(
            Errs,
            "mcnemar (called worse)",
            format!("no difference, {n} pairs, 0.1 win and lose"),
            |dice| {
                let (wins, losses) = dice.pairs(n, 0.1, 0.1);
                mcnemar::worse(wins, losses) <= LEVEL
            },
        ));
    }
    rows.push(Row::of(Errs, "holm (any called worse)", "5 comparisons without a difference, 200 pairs", |dice| {
        let p: Vec<f64> = (0..5)
            .map(|_| {
                let (wins, losses) = dice.pairs(200, 0.1, 0.1);
                mcnemar::worse(wins, losses)
            })
            .collect();
        multiple::holm(&p).expect("p-values").iter().any(|p| *p <= LEVEL)
    }));
}
