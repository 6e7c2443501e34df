//! What sessions add up to: counts, rates and numbers, each session counted as many times as it stands for others.
//!
//! Sums are integers, so that the order in which sessions come makes no difference, and what is added up anew from the
//! same rows is the same to the last bit. The estimates are those of [`crate::stats::weighted`].

use std::collections::BTreeMap;

use crate::model::Status;
use crate::stats::sketch::Sketch;
use crate::stats::weighted::Sample;
use crate::watch::row::Body;

/// Millionths.
const MICRO: f64 = 1e6;

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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// Those that pass, 1, or fail, 0.
    passes: Sample,
}

/// A share of the sessions that there were.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The share.
    pub value: f64,
    /// The ends of its interval, with 95% confidence: how far off it may be for not all having been evaluated.
    pub interval: (f64, f64),
    /// Sessions that were measured.
    pub n: u64,
}

/// What one metric came to.
#[derive(Debug, Clone, Default)]
pub struct Measure {
    /// Values.
    pub n: u64,
    /// Of each session the sum of its values, and how many they are; of a ratio its numerator and denominator. Values of
    /// one session resemble each other: what is independent are sessions.
    sample: Sample,
    /// Of each quantile, while more may come.
    sketch: Option<Box<Sketch>>,
    /// The quantiles, once nothing more is expected, in the order of [`QUANTILES`].
    quantiles: Option<[f64; 3]>,
}

fn micro(x: f64) -> u128 {
    // What is no number, or negative, is no weight.
    if x.is_finite() && x > 0.0 { (x * MICRO).round() as u128 } else { 0 }
}

impl Fold {
    /// How many sessions those that were evaluated stand for.
    pub fn stands_for(&self) -> f64 {
        self.weight as f64 / MICRO
    }

    /// Adds a session that was evaluated. `inclusion` is how likely that was, `values` its numbers here.
    pub(super) fn add<'v>(
        &mut self,
        inclusion: f64,
        body: &Body,
        values: impl Iterator<Item = (&'v String, &'v Vec<f64>)>,
    ) {
        self.sessions += 1;
        self.weight += micro(1.0 / inclusion);
        self.unmeasured += u64::from(body.error.is_some());
        self.all.add(inclusion, body.worst());
        for (id, said) in &body.checks {
            match self.checks.get_mut(id) {
                Some(check) => check.add(inclusion, said.status),
                None => self.checks.entry(id.clone()).or_default().add(inclusion, said.status),
            }
        }
        for (name, values) in values {
            match self.metrics.get_mut(name) {
                Some(measure) => measure.add(name, inclusion, values),
                None => self.metrics.entry(name.clone()).or_default().add(name, inclusion, values),
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
    fn add(&mut self, inclusion: f64, status: Status) {
        match status {
            Status::Pass => self.pass += 1,
            Status::Fail => self.fail += 1,
            Status::Error => self.error += 1,
            Status::Held => self.held += 1,
            Status::Skip => self.skip += 1,
        }
        match status {
            Status::Pass => self.passes.add(inclusion, 1.0, 1.0),
            Status::Fail => self.passes.add(inclusion, 0.0, 1.0),
            Status::Error | Status::Held | Status::Skip => {}
        }
    }

    /// Adds all that another one has.
    pub fn merge(&mut self, other: &Self) {
        let Self { pass, fail, error, held, skip, passes } = other;
        self.pass += pass;
        self.fail += fail;
        self.error += error;
        self.held += held;
        self.skip += skip;
        self.passes.merge(passes);
    }

    /// How many fail of how many, as many as they are worth (Kish); `None` where nothing was measured.
    pub fn fails(&self) -> Option<(f64, f64)> {
        let (passes, worth) = self.passes.counts()?;
        Some((worth - passes, worth))
    }

    /// The share of sessions that pass, of those that pass or fail, each counted as many times as it stands for others
    /// (Hajek's estimate). Where all sessions were evaluated the share is what it is, and so is its interval. `None` where
    /// nothing was measured.
    pub fn pass_rate(&self) -> Option<Rate> {
        let value = self.passes.ratio()?.value;
        let interval = self.passes.rate_interval(0.95)?;
        Some(Rate { value, interval: (interval.low, interval.high), n: self.pass + self.fail })
    }
}

impl Measure {
    fn add(&mut self, name: &str, inclusion: f64, values: &[f64]) {
        if RATIOS.contains(&name) {
            if let [numerator, denominator] = values {
                self.n += 1;
                self.sample.add(inclusion, *numerator, *denominator);
            }
            return;
        }
        let parts = ((PARTS / inclusion.max(1e-9)).round() as u64).max(1);
        let sketch = self.sketch.get_or_insert_default();
        let (mut sum, mut count) = (0.0, 0u32);
        for value in values.iter().filter(|value| value.is_finite()) {
            sum += value;
            count += 1;
            sketch.add(*value, parts);
        }
        if count > 0 {
            self.n += u64::from(count);
            self.sample.add(inclusion, sum, f64::from(count));
        }
    }

    /// Adds all that another one has.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sample.merge(&other.sample);
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
        let Self { n, sample, sketch, quantiles } = self;
        let sketch = sketch.as_ref().filter(|_| merged).cloned();
        Self { n: *n, sample: sample.clone(), sketch, quantiles: *quantiles }
    }

    /// The mean, or of a ratio the ratio; `None` where there is nothing to divide by.
    pub fn mean(&self) -> Option<f64> {
        Some(self.sample.ratio()?.value)
    }

    /// The standard error of the mean or ratio about what it is in the long run; `None` for fewer than two sessions.
    pub fn se(&self) -> Option<f64> {
        self.sample.spread()
    }

    /// A ratio as counts: so many of so many. `None` of what is no share.
    pub fn counts(&self) -> Option<(f64, f64)> {
        self.sample.share_counts()
    }

    /// The sum over all sessions that those here stand for; `None` for no session.
    pub fn total(&self) -> Option<f64> {
        Some(self.sample.total()?.value)
    }

    /// The standard error of that sum about what it is in the long run.
    pub fn total_se(&self) -> Option<f64> {
        self.sample.total_spread()
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
        sessions.iter().for_each(|(pi, body)| fold.add(*pi, body, body.values.iter()));
        fold
    }

    #[test]
    fn a_session_counts_as_many_times_as_it_stands_for_others() {
        // y = 1, 0, 1, 1, 0 with inclusion 1, 1, .1, .1, .5: Hajek .875 (statistics.md).
        let y =
            [(1.0, Status::Pass), (1.0, Status::Fail), (0.1, Status::Pass), (0.1, Status::Pass), (0.5, Status::Fail)];
        let fold = of(&y.map(|(inclusion, status)| (inclusion, body(status, 1.0))));
        let rate = fold.checks["c"].pass_rate().unwrap();
        assert!((rate.value - 0.875).abs() < 1e-9);
        // Wilson's, by the standard error of statistics.md: .086840.
        assert!((rate.interval.0 - 0.6261).abs() < 1e-3 && (rate.interval.1 - 0.9670).abs() < 1e-3, "{rate:?}");
        assert_eq!(rate.n, 5);
        assert!((fold.stands_for() - 24.0).abs() < 1e-6);
    }

    #[test]
    fn what_was_not_measured_is_no_part_of_a_rate() {
        let fold = of(&[Status::Error, Status::Held, Status::Skip].map(|status| (1.0, body(status, 1.0))));
        let check = &fold.checks["c"];
        assert_eq!((check.error, check.held, check.skip, check.pass_rate()), (1, 1, 1, None));
        assert_eq!(Measure::default().mean(), None);
    }

    #[test]
    fn numbers_have_means_and_quantiles_and_ratios_are_of_sums() {
        let mut fold = of(&(1..=100).map(|ms| (1.0, body(Status::Pass, f64::from(ms)))).collect::<Vec<_>>());
        let before = fold.metrics["session_ms"].quantiles();
        fold.settle(&|_| false);
        let (ms, ratio) = (&fold.metrics["session_ms"], &fold.metrics["tool_error_rate"]);
        assert_eq!((ms.mean(), ms.total(), ms.quantiles()), (Some(50.5), Some(5050.0), before));
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
            let bodies: Vec<_> = sessions.iter().map(|(p, s, ms)| (*p, body(status(s), *ms))).collect();
            let whole = of(&bodies);
            let mut parts = of(&bodies[cut.min(bodies.len())..]);
            parts.merge(&of(&bodies[..cut.min(bodies.len())]));
            prop_assert_eq!(&whole.checks["c"], &parts.checks["c"]);
            prop_assert_eq!(whole.metrics["session_ms"].mean(), parts.metrics["session_ms"].mean());
            prop_assert_eq!(whole.metrics["session_ms"].quantiles(), parts.metrics["session_ms"].quantiles());
        }
    }
}
