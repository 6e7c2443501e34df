//! `pass_rate` and `reliability`: a number over the cases, held against its bar; with `confidence`, the number's lower
//! limit is.
//!
//! A case counts once, however many trials it has: its trials are not independent of each other, cases are.

use std::borrow::Borrow;

use super::cases::Judged;
use super::measured::{Measured, Reached, Reading, Tolerated, WAITS, settle};
use super::rules::{listed, rule};
use super::{Decision, RuleOutcome};
use crate::checks::system::{End, words};
use crate::eval::fold::SuiteFold;
use crate::model::Status;
use crate::stats::sum::ExactSum;
use crate::stats::{needed, proportion, reliability};
use crate::suite::{PassRate, Reliability};

/// The cases that a rate is about: neither skipped nor excused.
pub(super) fn counted<'c>(cases: &'c [impl Borrow<Judged> + 'c]) -> impl Iterator<Item = &'c Judged> + Clone {
    cases.iter().map(Borrow::borrow).filter(|c| c.status != Status::Skip && !c.excused)
}

/// Cases counted at one end of what people may decide.
#[derive(Clone, Copy)]
struct Count {
    /// Weight of those that pass, and of all.
    passed: f64,
    total: f64,
    /// How many pass, and how many there are.
    n: u64,
    cases: u64,
    /// No other weighs anything.
    all: bool,
}

impl Count {
    fn of<'c>(
        cases: impl Iterator<Item = &'c Judged>,
        fold: &SuiteFold<'_>,
        counts: impl Fn(&Judged) -> Option<bool>,
    ) -> Self {
        let (mut weights, mut passing) = (ExactSum::default(), ExactSum::default());
        let mut count = Count { passed: 0.0, total: 0.0, n: 0, cases: 0, all: true };
        for (case, passes) in cases.filter_map(|case| Some((case, counts(case)?))) {
            let weight = case.weight(fold);
            weights.add(weight);
            count.cases += 1;
            if passes {
                passing.add(weight);
                count.n += 1;
            } else {
                count.all &= weight == 0.0;
            }
        }
        let exact = |sum: &ExactSum| sum.value().unwrap_or(f64::NAN);
        Count { passed: exact(&passing), total: exact(&weights), ..count }
    }

    /// Whether there is anything to measure: no case, cases that all weigh nothing, or more than a number can hold, are
    /// nothing.
    fn is_some(&self) -> bool {
        self.cases > 0 && self.total > 0.0 && self.total.is_finite()
    }

    /// What is lacking of cases that weigh alike, in words.
    fn lacks(&self, reached: &dyn Fn(Count) -> Option<Reached>) -> String {
        let with = |more: u64| {
            let passed = self.passed + more as f64 * self.total / self.cases.max(1) as f64;
            Count { passed, n: self.n + more, all: self.n + more == self.cases, ..*self }
        };
        let enough = |more: u64| reached(with(more)) == Some(Reached::Yes);
        let (mut few, mut most) = (0, self.cases.saturating_sub(self.n));
        if !enough(most) {
            return "; so few cases would not be enough if all of them passed".to_owned();
        }
        while most - few > 1 {
            let middle = few.midpoint(most);
            if enough(middle) { most = middle } else { few = middle }
        }
        format!("; {most} more of them would have to pass")
    }
}

/// The share of cases that pass.
pub(super) fn pass_rate(
    name: &str,
    bar: &PassRate,
    cases: &[impl Borrow<Judged>],
    fold: &SuiteFold<'_>,
    tolerated: Tolerated,
) -> RuleOutcome {
    let now = Count::of(counted(cases), fold, |case| Some(case.status == Status::Pass));
    let at = |end, errors| Count::of(cases.iter().map(Borrow::borrow), fold, |case| case.counts(end, errors));
    if !now.is_some() && !at(End::Best, true).is_some() {
        return rule(name, Decision::Unmeasured, format!("{name}: no case to measure it on"));
    }
    let share = if now.is_some() { now.passed / now.total } else { 0.0 };
    let mut measured = Measured::new(share, Some(bar.min), now.cases);
    let number = format!("{name} {share:.4} ({} of {} cases), at least {} wanted", now.n, now.cases, bar.min);
    let limits = match bar.confidence {
        None => None,
        Some(_) if unequal(cases.iter().map(Borrow::borrow).filter(|c| c.status != Status::Skip), fold) => {
            let why = "`confidence` counts cases, and these have different weights";
            return rule(name, Decision::Unmeasured, format!("{number}; {why}")).with(measured);
        }
        Some(confidence) => Some(Limits { sum: now.n as f64, n: now.cases, min: bar.min, confidence }),
    };
    // A bar of 1 is met when no other case weighs anything. The room for rounding is relative: weights may be tiny.
    let met = |count: &Count| count.all || (bar.min < 1.0 && count.passed >= bar.min * count.total * (1.0 - 1e-12));
    let reached = |count: Count| match &limits {
        _ if !count.is_some() => None,
        _ if !met(&count) => Some(Reached::No),
        None => Some(Reached::Yes),
        Some(limits) => Some(Limits { sum: count.n as f64, n: count.cases, ..*limits }.reached()),
    };
    let reading = |end| Reading { passed: reached(at(end, false)), at_best: reached(at(end, true)) };
    let (decision, waits) = settle(reading(End::Worst), reading(End::Best), tolerated);
    let sure = limits.filter(|_| now.is_some()).map(|limits| limits.say(decision, &mut measured)).unwrap_or_default();
    let waits = waits.map(|why| format!("; {why}")).unwrap_or_default();
    // At a bar of 1 the counts say it.
    let even = !unequal(counted(cases), fold);
    let change = match decision {
        Decision::Failed if even && bar.min < 1.0 => now.lacks(&reached),
        _ => String::new(),
    };
    rule(name, decision, format!("{number}{sure}{change}{waits}")).with(measured)
}

/// Whether the cases do not all count alike.
pub(super) fn unequal<'c>(cases: impl Iterator<Item = &'c Judged>, fold: &SuiteFold<'_>) -> bool {
    let mut weights = cases.map(|case| case.weight(fold));
    let first = weights.next().unwrap_or(1.0);
    weights.any(|weight| weight != first)
}

/// The mean of pass^k over the cases.
pub(super) fn reliable(
    name: &str,
    bar: &Reliability,
    cases: &[impl Borrow<Judged>],
    fold: &SuiteFold<'_>,
    tolerated: Tolerated,
) -> RuleOutcome {
    let k = u64::from(bar.k);
    // By end, and by whether errors are taken as passed.
    let mut rates: [[ExactSum; 2]; 2] = Default::default();
    let (mut short, mut short_for_sure, mut shown, mut n) = (Vec::new(), false, true, 0_u64);
    for case in counted(cases) {
        // Whether it counts at all depends on what people decide: no order of their decisions is shown.
        shown &= !case.may_go();
        let outcome = case.of(fold);
        let missing = u64::from(case.missing);
        let total = outcome.trials().count() as u64 + missing;
        let count = |end, status| outcome.trials().filter(|t| t.at(end) == status).count() as u64;
        let rate = |end, errors| {
            let error = if errors { count(end, Status::Error) + missing } else { 0 };
            reliability::pass_hat_k(total, count(end, Status::Pass) + error, k)
        };
        let all = [End::Worst, End::Best].map(|end| [false, true].map(|errors| rate(end, errors)));
        if all.iter().flatten().any(Result::is_err) {
            short.push(outcome.id().to_owned());
            short_for_sure |= !case.may_go();
            continue;
        }
        n += 1;
        for (sum, found) in rates.iter_mut().flatten().zip(all.into_iter().flatten()) {
            found.into_iter().for_each(|rate| sum.add(rate));
        }
    }
    if !short.is_empty() {
        let reason = format!("{name}: pass^{k} needs {k} trials; fewer in {}", listed(&short));
        return match (short_for_sure, bar.min) {
            (_, None) => rule(name, Decision::Passed, reason),
            (false, Some(_)) => rule(name, Decision::Held, format!("{reason}; {WAITS}")),
            (true, Some(_)) => rule(name, Decision::Unmeasured, reason),
        };
    }
    let sums = rates.each_ref().map(|end| end.each_ref().map(ExactSum::value));
    let (true, [[Some(low), Some(low_best)], [Some(high), Some(high_best)]]) = (n > 0, sums) else {
        let decision = if bar.min.is_some() { Decision::Unmeasured } else { Decision::Passed };
        return rule(name, decision, format!("{name}: no case to measure it on"));
    };
    let mean = low / n as f64;
    let mut measured = Measured::new(mean, bar.min, n);
    // Without a bound it only reports, whatever it could not measure.
    let Some(min) = bar.min else {
        if low < high_best {
            let most = high_best / n as f64;
            let range = format!("is between {mean:.4} and {most:.4} over {n} cases, of which not all is known");
            return rule(name, Decision::Passed, format!("{name}: pass^{k} {range}"));
        }
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
    let reading = |sum, best| Reading { passed: Some(reached(sum)), at_best: Some(reached(best)) };
    let (decision, waits) = match settle(reading(low, low_best), reading(high, high_best), tolerated) {
        settled if shown => settled,
        _ => (Decision::Held, Some(WAITS)),
    };
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
