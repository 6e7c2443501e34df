//! Percentiles of samples, their intervals, and how samples are distributed.

use std::collections::BTreeMap;

use super::{Body, Samples};
use crate::stats::cluster::{self, Part};
use crate::stats::order::{self, Ranks};
use crate::stats::quantile::{self, Percentile};
use crate::stats::sketch::{self, Sketch};

impl Samples {
    /// The percentile by nearest rank, to within [`Samples::error`] of it.
    pub fn percentile(&self, percentile: Percentile) -> Option<f64> {
        match &self.body {
            Body::Exact(exact) => quantile::nearest_rank(&exact.tops().collect::<Vec<_>>(), percentile),
            Body::Summary(summary) => summary.sketch.at_rank(percentile.rank(summary.count)),
        }
    }

    /// How far a percentile may be off, relative to it.
    pub fn error(&self) -> f64 {
        if self.is_exact() { 0.0 } else { sketch::ERROR }
    }

    /// The two ends of a percentile's interval, each `None` when there are too few samples for it. Samples that stand
    /// for themselves have exact ranks; of others, as many count as would tell as much of the share below the
    /// percentile if they were independent (R. Woodruff, JASA 47, 1952).
    pub fn percentile_interval(&self, percentile: Percentile, confidence: f64) -> Option<(Option<f64>, Option<f64>)> {
        let n = self.len();
        let independent = self.independent(percentile, confidence)?;
        let Ranks { low, high } = order::ranks(independent, percentile, confidence)?;
        let scale = |rank: u64| rank as f64 / (independent + 1) as f64 * (n + 1) as f64;
        let (low, high) = if independent == n {
            (low, high)
        } else {
            (low.map(|l| (scale(l) as u64).max(1)), high.map(|h| (scale(h).ceil() as u64).min(n)))
        };
        Some((low.and_then(|rank| self.at_rank(rank)), high.and_then(|rank| self.at_rank(rank))))
    }

    fn independent(&self, percentile: Percentile, confidence: f64) -> Option<u64> {
        let exact = match &self.body {
            Body::Exact(exact) => exact,
            Body::Summary(_) => return Some(self.effective() as u64),
        };
        let value = self.percentile(percentile)?;
        let mut below: BTreeMap<u32, Part> = BTreeMap::new();
        for (cluster, values) in exact.each() {
            let part = below.entry(cluster).or_default();
            part.bottom += 1.0;
            part.top += f64::from(u8::from(values[0] <= value));
        }
        if below.len() as u64 == self.len() {
            return Some(self.len());
        }
        let ratio = cluster::ratio(&below.into_values().collect::<Vec<_>>())?;
        Some(ratio.effective(confidence)?.floor().max(1.0) as u64)
    }

    fn at_rank(&self, rank: u64) -> Option<f64> {
        match &self.body {
            Body::Exact(exact) => {
                let mut values: Vec<f64> = exact.tops().collect();
                let index = usize::try_from(rank.checked_sub(1)?).ok().filter(|i| *i < values.len())?;
                Some(*values.select_nth_unstable_by(index, f64::total_cmp).1)
            }
            Body::Summary(summary) => summary.sketch.at_rank(rank),
        }
    }

    /// What values there are, in ascending order, and how many of each; `sketched`, by the bins of a sketch, so that
    /// they can be compared with those of another sketch. `None` when there is none.
    pub fn steps(&self, sketched: bool) -> Option<Vec<(f64, u64)>> {
        match &self.body {
            Body::Exact(exact) if !sketched => {
                let mut values: Vec<f64> = exact.tops().collect();
                values.sort_by(f64::total_cmp);
                let steps = values.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64));
                Some(steps.collect::<Vec<_>>()).filter(|steps| !steps.is_empty())
            }
            Body::Exact(exact) => {
                let mut sketch = Sketch::default();
                exact.tops().for_each(|value| sketch.add(value, 1));
                sketch.steps()
            }
            Body::Summary(summary) => summary.sketch.steps(),
        }
    }
}
