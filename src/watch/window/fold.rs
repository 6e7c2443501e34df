//! What sessions add up to: counts, rates and numbers, each session counted as many times as it stands for others.
//!
//! Sums are integers (millionths), so that the order in which sessions come makes no difference, and what is added up anew
//! from the same rows is the same to the last bit.

use std::collections::BTreeMap;

use crate::model::Status;
use crate::stats::proportion;
use crate::stats::sketch::Sketch;
use crate::watch::row::Body;

/// Millionths.
const MICRO: f64 = 1e6;

/// Units of squares: of what is small, squares are smaller.
const FINE: f64 = 1e12;

/// Parts of a session in which a sketch counts, so that one that stands for one and a half others is told from two.
const PARTS: f64 = 16.0;

/// The quantiles that are kept of numbers.
pub const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

/// Metrics that are a ratio of two sums.
const RATIOS: [&str; 3] = ["tool_error_rate", "escalation_rate", "first_contact_resolution"];

/// Sessions of one window and group.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    /// Sessions that were evaluated.
    pub sessions: u64,
    /// How many sessions they stand for, in millionths.
    weight: u128,
    /// Those that could not be measured as a whole.
    pub unmeasured: u64,
    /// What sessions are all in all: as their worst verdict is.
    pub all: Check,
    /// What each check said.
    pub checks: BTreeMap<String, Check>,
    /// What each metric came to.
    pub metrics: BTreeMap<String, Measure>,
    /// Sessions that were not evaluated, by reason.
    pub unevaluated: BTreeMap<String, u64>,
}

/// What one check said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Check {
    /// Sessions by verdict.
    pub pass: u64,
    /// See [`Check::pass`].
    pub fail: u64,
    /// See [`Check::pass`].
    pub error: u64,
    /// See [`Check::pass`].
    pub held: u64,
    /// See [`Check::pass`].
    pub skip: u64,
    /// How many sessions those that passed, and those that failed, stand for, in millionths.
    passes: u128,
    fails: u128,
    /// The sum of the squares of what they stand for, in millionths.
    squares: u128,
}

/// A share, with an interval of 95% confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The share.
    pub value: f64,
    /// The ends of the interval.
    pub interval: (f64, f64),
    /// Sessions that were measured.
    pub n: u64,
}

/// What one metric came to.
#[derive(Debug, Clone, Default)]
pub struct Measure {
    /// Values.
    pub n: u64,
    /// How many they stand for; of a ratio its denominator. In millionths.
    weight: u128,
    /// Their sum; of a ratio its numerator. In millionths.
    sum: i128,
    /// Sums of squares and products of what sessions bring, by which it is told how far the number may be off: of
    /// numerators, of both, of denominators. In [`FINE`].
    squares: [i128; 3],
    /// Of each quantile, while more may come.
    sketch: Option<Box<Sketch>>,
    /// The quantiles, once nothing more is expected, in the order of [`QUANTILES`].
    quantiles: Option<[f64; 3]>,
}

fn micro(x: f64) -> u128 {
    // What is no number, or negative, is no weight.
    if x.is_finite() && x > 0.0 { (x * MICRO).round() as u128 } else { 0 }
}

fn signed(x: f64) -> i128 {
    if x.is_finite() { (x * MICRO).round() as i128 } else { 0 }
}

impl Fold {
    /// How many sessions those that were evaluated stand for.
    pub fn stands_for(&self) -> f64 {
        self.weight as f64 / MICRO
    }

    /// Adds a session that was evaluated. `weight` is how many it stands for, `values` its numbers here.
    pub(super) fn add<'v>(
        &mut self,
        weight: f64,
        body: &Body,
        values: impl Iterator<Item = (&'v String, &'v Vec<f64>)>,
    ) {
        self.sessions += 1;
        self.weight += micro(weight);
        self.unmeasured += u64::from(body.error.is_some());
        self.all.add(weight, body.worst());
        for (id, said) in &body.checks {
            match self.checks.get_mut(id) {
                Some(check) => check.add(weight, said.status),
                None => self.checks.entry(id.clone()).or_default().add(weight, said.status),
            }
        }
        for (name, values) in values {
            match self.metrics.get_mut(name) {
                Some(measure) => measure.add(name, weight, values),
                None => self.metrics.entry(name.clone()).or_default().add(name, weight, values),
            }
        }
    }

    /// Adds all that another one has.
    pub fn merge(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.weight += other.weight;
        self.unmeasured += other.unmeasured;
        self.all.merge(&other.all);
        for (id, check) in &other.checks {
            self.checks.entry(id.clone()).or_default().merge(check);
        }
        for (name, measure) in &other.metrics {
            self.metrics.entry(name.clone()).or_default().merge(measure);
        }
        for (reason, n) in &other.unevaluated {
            *self.unevaluated.entry(reason.clone()).or_default() += n;
        }
    }

    /// Lets go of what is only needed while more may come; of metrics that are `merged` all values stay known, since
    /// windows are added up to tell their percentiles.
    pub(super) fn settle(&mut self, merged: &dyn Fn(&str) -> bool) {
        self.metrics.iter_mut().for_each(|(name, measure)| measure.settle(merged(name)));
    }
}

impl Check {
    fn add(&mut self, weight: f64, status: Status) {
        match status {
            Status::Pass => self.pass += 1,
            Status::Fail => self.fail += 1,
            Status::Error => self.error += 1,
            Status::Held => self.held += 1,
            Status::Skip => self.skip += 1,
        }
        match status {
            Status::Pass => self.passes += micro(weight),
            Status::Fail => self.fails += micro(weight),
            _ => return,
        }
        self.squares += micro(weight * weight);
    }

    /// Adds all that another one has.
    pub fn merge(&mut self, other: &Self) {
        let Self { pass, fail, error, held, skip, passes, fails, squares } = other;
        self.pass += pass;
        self.fail += fail;
        self.error += error;
        self.held += held;
        self.skip += skip;
        self.passes += passes;
        self.fails += fails;
        self.squares += squares;
    }

    /// How many fail of how many, as many as they are worth (Kish); `None` where nothing was measured.
    pub fn fails(&self) -> Option<(f64, f64)> {
        let all = self.passes + self.fails;
        if all == 0 || self.squares == 0 {
            return None;
        }
        let share = self.fails as f64 / all as f64;
        let (all, squares) = (all as f64 / MICRO, self.squares as f64 / MICRO);
        let worth = (all * all / squares).max(1.0);
        Some((share * worth, worth))
    }

    /// The share of sessions that pass, of those that pass or fail, each counted as many times as it stands for others
    /// (Hajek's estimate). The interval is that of Clopper and Pearson over as many sessions as these are worth (Kish):
    /// where all were evaluated, that is their number. `None` where nothing was measured.
    pub fn pass_rate(&self) -> Option<Rate> {
        let all = self.passes + self.fails;
        if all == 0 || self.squares == 0 {
            return None;
        }
        let value = self.passes as f64 / all as f64;
        let (all, squares) = (all as f64 / MICRO, self.squares as f64 / MICRO);
        let worth = (all * all / squares).max(1.0);
        let n = self.pass + self.fail;
        let interval = proportion::fractional(value * worth, worth, 0.95)?;
        Some(Rate { value, interval: (interval.low.min(value), interval.high.max(value)), n })
    }
}

impl Measure {
    /// Adds what one session brings: its part of the numerator and of the denominator.
    fn square(&mut self, x: f64, y: f64) {
        let fine = |v: f64| if v.is_finite() { (v * FINE).round() as i128 } else { 0 };
        for (sum, part) in self.squares.iter_mut().zip([x * x, x * y, y * y]) {
            *sum = sum.saturating_add(fine(part));
        }
    }

    fn add(&mut self, name: &str, weight: f64, values: &[f64]) {
        if RATIOS.contains(&name) {
            if let [numerator, denominator] = values {
                self.n += 1;
                self.sum += signed(numerator * weight);
                self.weight += micro(denominator * weight);
                self.square(numerator * weight, denominator * weight);
            }
            return;
        }
        let finite = || values.iter().filter(|value| value.is_finite());
        // Values of one session resemble each other: they count as one.
        self.square(weight * finite().sum::<f64>(), weight * finite().count() as f64);
        let sketch = self.sketch.get_or_insert_default();
        for value in finite() {
            self.n += 1;
            self.sum += signed(value * weight);
            self.weight += micro(weight);
            sketch.add(*value, ((weight * PARTS).round() as u64).max(1));
        }
    }

    /// Adds all that another one has.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.weight += other.weight;
        self.squares.iter_mut().zip(other.squares).for_each(|(mine, others)| *mine = mine.saturating_add(others));
        match (&mut self.sketch, &other.sketch) {
            (Some(mine), Some(others)) => mine.merge(others),
            (mine @ None, Some(others)) if self.n == other.n => *mine = Some(others.clone()),
            // What was settled cannot be added to.
            (mine, None) if other.n > 0 => *mine = None,
            _ => {}
        }
        self.quantiles = if self.n == other.n { other.quantiles } else { None };
    }

    fn settle(&mut self, merged: bool) {
        self.quantiles = self.quantiles();
        if !merged {
            self.sketch = None;
        }
    }

    /// The same, with all its values only where they are `merged`.
    pub(super) fn only(&self, merged: bool) -> Self {
        Self { sketch: self.sketch.as_ref().filter(|_| merged).cloned(), ..*self }
    }

    /// The mean, or of a ratio the ratio; `None` where there is nothing to divide by.
    pub fn mean(&self) -> Option<f64> {
        (self.weight > 0).then(|| self.sum as f64 / self.weight as f64)
    }

    /// The standard error of the mean or ratio about what it is in the long run; sessions are what is independent.
    pub fn se(&self) -> Option<f64> {
        let (mean, bottom) = (self.mean()?, self.weight as f64 / MICRO);
        let [xx, xy, yy] = self.squares.map(|sum| sum as f64 / FINE);
        Some((xx - 2.0 * mean * xy + mean * mean * yy).max(0.0).sqrt() / bottom)
    }

    /// The standard error of the total.
    pub fn total_se(&self) -> f64 {
        (self.squares[0] as f64 / FINE).sqrt()
    }

    /// A ratio as counts: so many of so many, as many as would tell it as well, were each independent. `None` of what is no
    /// share.
    pub fn counts(&self) -> Option<(f64, f64)> {
        let share = self.mean().filter(|share| (0.0..=1.0).contains(share))?;
        let (se, bottom) = (self.se()?, self.weight as f64 / MICRO);
        let even = bottom * bottom / (self.squares[2] as f64 / FINE);
        let worth = if se > 1e-9 { (share * (1.0 - share) / (se * se)).min(bottom) } else { even };
        (worth > 0.0 && worth.is_finite()).then_some((share * worth, worth))
    }

    /// The sum over all sessions that those here stand for.
    pub fn total(&self) -> f64 {
        self.sum as f64 / MICRO
    }

    /// The quantiles in the order of [`QUANTILES`]; `None` of a ratio, and where there are no values.
    pub fn quantiles(&self) -> Option<[f64; 3]> {
        let Some(sketch) = self.sketch.as_ref().filter(|_| self.quantiles.is_none()) else { return self.quantiles };
        let n = sketch.count();
        let at = |share: f64| sketch.at_rank(((share * n as f64).ceil() as u64).clamp(1, n.max(1)));
        let [a, b, c] = QUANTILES.map(|(_, share)| at(share));
        a.zip(b).zip(c).map(|((a, b), c)| [a, b, c])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::row::Said;
    use proptest::prelude::*;

    fn said(status: Status) -> Said {
        Said { status, score: None, reason: String::new(), place: None }
    }

    fn body(status: Status, ms: f64) -> Body {
        Body {
            checks: [("c".to_owned(), said(status))].into(),
            values: [("session_ms".to_owned(), vec![ms]), ("tool_error_rate".to_owned(), vec![1.0, 4.0])].into(),
            ..Body::default()
        }
    }

    fn of(sessions: &[(f64, Body)]) -> Fold {
        let mut fold = Fold::default();
        sessions.iter().for_each(|(weight, body)| fold.add(*weight, body, body.values.iter()));
        fold
    }

    #[test]
    fn a_session_counts_as_many_times_as_it_stands_for_others() {
        // y = 1, 0, 1, 1, 0 with inclusion 1, 1, .1, .1, .5: Hajek .875 (statistics.md).
        let y =
            [(1.0, Status::Pass), (1.0, Status::Fail), (0.1, Status::Pass), (0.1, Status::Pass), (0.5, Status::Fail)];
        let fold = of(&y.map(|(inclusion, status)| (1.0 / inclusion, body(status, 1.0))));
        let rate = fold.checks["c"].pass_rate().unwrap();
        assert!((rate.value - 0.875).abs() < 1e-9);
        assert!(rate.interval.0 < 0.5 && rate.interval.1 > 0.95 && rate.n == 5);
        assert!((fold.stands_for() - 24.0).abs() < 1e-6);
    }

    #[test]
    fn what_was_not_measured_is_no_part_of_a_rate() {
        let fold = of(&[Status::Error, Status::Held, Status::Skip].map(|status| (1.0, body(status, 1.0))));
        let check = fold.checks["c"];
        assert_eq!((check.error, check.held, check.skip, check.pass_rate()), (1, 1, 1, None));
        assert_eq!(Measure::default().mean(), None);
    }

    #[test]
    fn numbers_have_means_and_quantiles_and_ratios_are_of_sums() {
        let mut fold = of(&(1..=100).map(|ms| (1.0, body(Status::Pass, f64::from(ms)))).collect::<Vec<_>>());
        let before = fold.metrics["session_ms"].quantiles();
        fold.settle(&|_| false);
        let (ms, ratio) = (&fold.metrics["session_ms"], &fold.metrics["tool_error_rate"]);
        assert_eq!((ms.mean(), ms.total(), ms.quantiles()), (Some(50.5), 5050.0, before));
        let [p50, p95, _] = ms.quantiles().unwrap();
        assert!((p50 - 50.0).abs() < 0.5 && (p95 - 95.0).abs() < 1.0, "{p50} {p95}");
        assert_eq!((ratio.mean(), ratio.quantiles()), (Some(0.25), None));
    }

    proptest! {
        #[test]
        fn the_order_and_the_way_of_adding_up_make_no_difference(
            sessions in prop::collection::vec((0.01..1.0f64, 0..3u8, 0.0..1e6f64), 1..40), cut in 0..40usize,
        ) {
            let status = |n: &u8| [Status::Pass, Status::Fail, Status::Error][usize::from(*n)];
            let bodies: Vec<_> = sessions.iter().map(|(p, s, ms)| (1.0 / p, body(status(s), *ms))).collect();
            let whole = of(&bodies);
            let mut parts = of(&bodies[cut.min(bodies.len())..]);
            parts.merge(&of(&bodies[..cut.min(bodies.len())]));
            prop_assert_eq!(whole.checks["c"], parts.checks["c"]);
            prop_assert_eq!(whole.metrics["session_ms"].mean(), parts.metrics["session_ms"].mean());
            prop_assert_eq!(whole.metrics["session_ms"].quantiles(), parts.metrics["session_ms"].quantiles());
        }
    }
}
