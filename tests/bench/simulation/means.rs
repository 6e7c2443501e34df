//! Means, alone and paired: how often they are wrong without having said that they may be.

use seatrial::stats::cluster::{self, Part};
use seatrial::stats::paired;

use crate::coverage::covers;
use crate::draws::{Dice, Spread};
use crate::rows::{CONFIDENCE, LEVEL, Row, Said};

/// Every row about means.
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    clustered(&mut rows);
    differences(&mut rows);
    gates(&mut rows);
    rows
}

/// The mean of a metric over cases with some trials each.
fn clustered(rows: &mut Vec<Row>) {
    for clusters in [5, 10, 20, 30, 100, 300] {
        for spread in Spread::ALL {
            for most in [1, 7] {
                let trials = if most == 1 { "one trial".to_owned() } else { format!("1 to {most} trials") };
                let setting = format!("mean, {}, {clusters} cases of {trials}, correlated 0.5", spread.name());
                rows.push(Row::doubted("clustered-t", setting, |dice| {
                    let parts: Vec<Part> = (0..clusters).map(|_| dice.cluster(most, 0.5, spread)).collect();
                    let found = cluster::ratio(&parts).expect("a mean");
                    Said { wrong: !covers(found.interval(CONFIDENCE), spread.mean()), doubted: found.doubt().is_some() }
                }));
            }
        }
    }
}

/// The interval of a mean of differences.
fn differences(rows: &mut Vec<Row>) {
    for n in [10, 20, 100] {
        for spread in Spread::ALL {
            rows.push(Row::doubted("paired-t", format!("mean of {n} differences, {}", spread.name()), |dice| {
                let values: Vec<f64> = (0..n).map(|_| dice.value(spread)).collect();
                let found = paired::mean_difference(&values).expect("a mean");
                Said { wrong: !covers(found.interval(CONFIDENCE), spread.mean()), doubted: found.doubt().is_some() }
            }));
        }
    }
}

/// A candidate whose mean is larger by just the margin, of a metric of which less is better: the gate passes when the
/// upper limit lies below the margin.
fn gates(rows: &mut Vec<Row>) {
    let mut add = |setting: String, margin: f64, difference: &dyn Fn(&mut Dice) -> f64, n: u32| {
        rows.push(Row::doubted("gate on a mean of differences", setting, |dice| {
            let values: Vec<f64> = (0..n).map(|_| difference(dice)).collect();
            let excess: Vec<f64> = values.iter().map(|value| value - margin).collect();
            let found = paired::mean_difference(&excess).expect("a mean");
            let below = found.upper(1.0 - LEVEL).is_some_and(|upper| upper < 0.0);
            let wrong = below && paired::least_p(u64::from(n)) <= LEVEL;
            Said { wrong, doubted: found.doubt().is_some() }
        }));
    };
    for n in [10, 20, 50, 200] {
        for spread in Spread::ALL {
            let setting = format!("{n} cases, differences {}", spread.name());
            add(setting, spread.mean(), &|dice| dice.value(spread), n);
        }
        // What a case costs in both runs is the case's own part times that of the trial; the candidate costs a fifth more.
        let cost = |dice: &mut Dice| {
            let own = (0.7 * dice.normal()).exp();
            let mut side = |trials: u32| {
                let sum: f64 = (0..trials).map(|_| (0.7 * dice.normal()).exp()).sum();
                own * sum / f64::from(trials)
            };
            1.2 * side(3) - side(1)
        };
        let mean = 0.2 * (0.245_f64 * 2.0).exp();
        add(format!("{n} cases, log-normal costs, 3 trials against 1"), mean, &cost, n);
    }
}
