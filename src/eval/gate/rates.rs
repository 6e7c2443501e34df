//! `pass_rate` and `reliability`: a number over the cases, held against its bar; with `confidence`, the number's lower
//! limit is.
//!
//! A case counts once, however many trials it has: its trials are not independent of each other, cases are.

use std::borrow::Borrow;

use super::cases::Judged;
use super::measured::{Measured, Reached, settle};
use super::rules::{listed, rule};
use super::{Decision, RuleOutcome};
use crate::checks::system::words;
use crate::model::Status;
use crate::stats::{needed, proportion, reliability, sum};
use crate::suite::{PassRate, Reliability};

/// The cases that a rate is about: neither skipped nor excused.
pub(super) fn counted<'c, 'j: 'c>(
    cases: &'c [impl Borrow<Judged<'j>> + 'c],
) -> impl Iterator<Item = &'c Judged<'j>> + Clone {
    cases.iter().map(Borrow::borrow).filter(|c| c.status != Status::Skip && !c.excused)
}

/// The share of cases that pass.
pub(super) fn pass_rate<'c>(
    name: &str,
    bar: &PassRate,
    cases: &[impl Borrow<Judged<'c>>],
    tolerated: bool,
) -> RuleOutcome {
    let counted = counted(cases);
    let exact = |weights: Vec<f64>| sum::exact(&weights).unwrap_or(f64::NAN);
    let weight = |status: Status| exact(counted.clone().filter(|c| c.status == status).map(|c| c.weight).collect());
    let total = exact(counted.clone().map(|c| c.weight).collect());
    // No case, cases that all weigh nothing, or more than a number can hold.
    if counted.clone().next().is_none() || !(total > 0.0 && total.is_finite()) {
        return rule(name, Decision::Unmeasured, format!("{name}: no case to measure it on"));
    }
    let (passed, error, held) = (weight(Status::Pass), weight(Status::Error), weight(Status::Held));
    // A bar of 1 is met when no other case weighs anything. The room for rounding is relative: weights may be tiny.
    let met = |reached: f64, all: bool| all || (bar.min < 1.0 && reached >= bar.min * total * (1.0 - 1e-12));
    let only = |may: &[Status]| counted.clone().all(|c| c.weight == 0.0 || may.contains(&c.status));
    let cases = counted.clone().count() as u64;
    let with = |may: &[Status]| counted.clone().filter(|c| may.contains(&c.status)).count() as u64;
    let n = with(&[Status::Pass]);
    let mut measured = Measured::new(passed / total, Some(bar.min), cases);
    let number = format!("{name} {:.4} ({n} of {cases} cases), at least {} wanted", passed / total, bar.min);

    let limits = match bar.confidence {
        None => None,
        Some(_) if unequal(counted.clone()) => {
            let why = "`confidence` counts cases, and these have different weights";
            return rule(name, Decision::Unmeasured, format!("{number}; {why}")).with(measured);
        }
        Some(confidence) => Some(Limits { sum: n as f64, n: cases, min: bar.min, confidence }),
    };
    let reached = |weight: f64, may: &[Status]| match &limits {
        _ if !met(weight, only(may)) => Reached::No,
        None => Reached::Yes,
        Some(limits) => Limits { sum: with(may) as f64, ..*limits }.reached(),
    };
    let (decision, waits) = settle(
        reached(passed, &[Status::Pass]),
        reached(passed + held, &[Status::Pass, Status::Held]),
        reached(passed + held + error, &[Status::Pass, Status::Held, Status::Error]),
        tolerated,
    );
    let sure = limits.map(|limits| limits.say(decision, &mut measured)).unwrap_or_default();
    let waits = waits.map(|why| format!("; {why}")).unwrap_or_default();
    rule(name, decision, format!("{number}{sure}{waits}")).with(measured)
}

/// Whether the cases do not all count alike.
pub(super) fn unequal<'c, 'j: 'c>(mut cases: impl Iterator<Item = &'c Judged<'j>>) -> bool {
    let first = cases.next().map_or(1.0, |c| c.weight);
    cases.any(|c| c.weight != first)
}

/// The mean of pass^k over the cases.
pub(super) fn reliable<'c>(
    name: &str,
    bar: &Reliability,
    cases: &[impl Borrow<Judged<'c>>],
    tolerated: bool,
) -> RuleOutcome {
    let k = u64::from(bar.k);
    let (mut low, mut reviewed, mut high) = (Vec::new(), Vec::new(), Vec::new());
    let mut short = Vec::new();
    for case in counted(cases) {
        let trials = &case.outcome.trials;
        let count = |status| trials.iter().filter(|t| t.status == status).count() as u64;
        let (total, passed, held) = (trials.len() as u64 + case.missing, count(Status::Pass), count(Status::Held));
        let error = if tolerated { 0 } else { count(Status::Error) + case.missing };
        let rate = |passed| reliability::pass_hat_k(total, passed, k);
        match (rate(passed), rate(passed + held), rate(passed + held + error)) {
            (Ok(a), Ok(b), Ok(c)) => {
                low.push(a);
                reviewed.push(b);
                high.push(c);
            }
            _ => short.push(case.outcome.id.to_string()),
        }
    }
    let n = low.len() as u64;
    if !short.is_empty() {
        let reason = format!("{name}: pass^{k} needs {k} trials; fewer in {}", listed(&short));
        return rule(name, Decision::Unmeasured, reason);
    }
    let sums = (sum::exact(&low), sum::exact(&reviewed), sum::exact(&high));
    let (true, (Some(low), Some(reviewed), Some(high))) = (n > 0, sums) else {
        return rule(name, Decision::Unmeasured, format!("{name}: no case to measure it on"));
    };
    let mean = low / n as f64;
    let mut measured = Measured::new(mean, bar.min, n);
    let Some(min) = bar.min else {
        let limits = bar.confidence.map(|confidence| Limits { sum: low, n, min: 0.0, confidence });
        let sure = limits.map(|limits| limits.say(Decision::Passed, &mut measured)).unwrap_or_default();
        let reason = format!("{name}: pass^{k} is {mean:.4} over {n} cases{sure}");
        return rule(name, Decision::Passed, reason).with(measured);
    };
    let reached = |sum: f64| match bar.confidence {
        _ if sum / (n as f64) < min - 1e-12 => Reached::No,
        None => Reached::Yes,
        Some(confidence) => Limits { sum, n, min, confidence }.reached(),
    };
    let (decision, waits) = settle(reached(low), reached(reviewed), reached(high), tolerated);
    let limits = bar.confidence.map(|confidence| Limits { sum: low, n, min, confidence });
    let sure = limits.map(|limits| limits.say(decision, &mut measured)).unwrap_or_default();
    let waits = waits.map(|why| format!("; {}", why.replace("cases", "trials"))).unwrap_or_default();
    let number = format!("{name}: pass^{k} is {mean:.4} over {n} cases, at least {min} wanted");
    rule(name, decision, format!("{number}{sure}{waits}")).with(measured)
}

/// Shares of independent cases that add up to `sum`, held against `min` with a confidence.
#[derive(Clone, Copy)]
struct Limits {
    /// Of each case 0 or 1, or a value between.
    sum: f64,
    n: u64,
    min: f64,
    confidence: f64,
}

impl Limits {
    fn lower(&self) -> Option<f64> {
        proportion::fractional_lower(self.sum, self.n as f64, self.confidence)
    }

    fn upper(&self) -> Option<f64> {
        let n = self.n as f64;
        proportion::fractional_lower((n - self.sum).max(0.0), n, self.confidence).map(|low| 1.0 - low)
    }

    /// Whether the lower limit reaches the bar, given that the number itself does.
    fn reached(&self) -> Reached {
        if self.lower().is_some_and(|low| low >= self.min) { Reached::Yes } else { Reached::Unsure }
    }

    /// The limits in words, and what would settle them; noted in `measured`.
    fn say(&self, decision: Decision, measured: &mut Measured) -> String {
        measured.confidence = Some(self.confidence);
        measured.method = Some(proportion::CLOPPER_PEARSON.to_owned());
        let (Some(low), Some(high)) = (self.lower(), self.upper()) else {
            return "; its interval could not be computed".to_owned();
        };
        measured.interval = Some([low, high]);
        let percent = percent(self.confidence);
        let mut text = format!("; {percent} sure that it is at least {low:.4} ({})", proportion::CLOPPER_PEARSON);
        if decision == Decision::Inconclusive {
            let more = needed::more_at_this_rate(self.sum, self.n as f64, self.min, self.confidence);
            measured.more_cases = more;
            text.push_str(&match more {
                Some(more) => format!("; {} like these would settle it", words::counted(more, "more case")),
                None => format!(
                    "; no number of cases like these would settle it: the share itself must exceed {}",
                    self.min
                ),
            });
        }
        text
    }
}

/// A confidence as people say it, such as 95%.
pub(super) fn percent(confidence: f64) -> String {
    format!("{}%", words::number((confidence * 1e6).round() / 1e4))
}
