//! The samples of a metric over a window, in bounded memory: all of them up to a limit, beyond it what the statistics
//! need (exact sums, a sketch for percentiles, sums by cluster for standard errors).
//!
//! Each sample belongs to a cluster, the case of its session: trials and turns of one case resemble each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cluster::{self, Part, Ratio};
use super::order::{self, Ranks};
use super::quantile::{self, Percentile};
use super::sketch::{self, Sketch};
use super::sum::{self, ExactSum};

/// Clusters that are told apart once samples are summarised. More share a slot: groups of clusters are independent of
/// each other as clusters are, so that standard errors stay right.
const SLOTS: u32 = 4096;

/// Samples of one group.
#[derive(Debug, Clone)]
pub struct Samples {
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Exact(Exact),
    Summary(Box<Summary>),
}

impl Default for Samples {
    fn default() -> Self {
        Self { body: Body::Exact(Exact::default()) }
    }
}

/// Every sample, in the order they came.
#[derive(Debug, Clone, Default)]
struct Exact {
    /// A value each; numerator and denominator in turn where the samples are pairs.
    values: Vec<f64>,
    clusters: Vec<u32>,
    pairs: bool,
}

/// What is kept of samples that are too many to keep.
#[derive(Debug, Clone, Default)]
struct Summary {
    pairs: bool,
    count: u64,
    top: ExactSum,
    bottom: ExactSum,
    /// Where the squares are taken from, near the mean, so that nothing cancels.
    origin: f64,
    off: ExactSum,
    squares: ExactSum,
    smallest: f64,
    largest: f64,
    sketch: Sketch,
    slots: Vec<Part>,
    /// Every sample so far was of a cluster that came after all others.
    alone: bool,
    last: Option<u32>,
    /// Of samples read back, whose slots are gone.
    known: Option<(Option<Ratio>, f64)>,
}

impl Samples {
    /// Adds a sample of a cluster: a value, or the two parts of a ratio.
    pub fn push(&mut self, cluster: u32, values: &[f64]) {
        match &mut self.body {
            Body::Exact(exact) => {
                exact.pairs = values.len() == 2;
                exact.values.extend_from_slice(values);
                exact.clusters.push(cluster);
            }
            Body::Summary(summary) => summary.push(cluster, values),
        }
    }

    /// How many were added.
    pub fn len(&self) -> u64 {
        match &self.body {
            Body::Exact(exact) => exact.clusters.len() as u64,
            Body::Summary(summary) => summary.count,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every sample is kept.
    pub fn is_exact(&self) -> bool {
        matches!(self.body, Body::Exact(_))
    }

    /// Gives the samples up for a summary of them.
    pub fn summarise(&mut self) {
        let Body::Exact(exact) = &self.body else { return };
        let origin = sum::mean(&exact.tops().collect::<Vec<_>>()).unwrap_or_default();
        let mut summary = Summary {
            origin,
            pairs: exact.pairs,
            smallest: f64::INFINITY,
            largest: f64::NEG_INFINITY,
            alone: true,
            ..Summary::default()
        };
        exact.each().for_each(|(cluster, values)| summary.push(cluster, values));
        self.body = Body::Summary(Box::new(summary));
    }

    /// The sum of the values, or of the numerators; `None` when no float holds it.
    pub fn sum(&self) -> Option<f64> {
        match &self.body {
            Body::Exact(exact) => sum::exact(&exact.tops().collect::<Vec<_>>()),
            Body::Summary(summary) => summary.top.value(),
        }
    }

    /// The sum of the denominators; how many samples where there are none.
    pub fn bottom(&self) -> Option<f64> {
        match &self.body {
            Body::Exact(exact) if exact.pairs => sum::exact(&exact.each().map(|(_, v)| v[1]).collect::<Vec<_>>()),
            Body::Summary(summary) if summary.pairs => summary.bottom.value(),
            _ => Some(self.len() as f64),
        }
    }

    /// The mean, or the ratio of the sums, with its standard error over clusters; `None` where it is not defined.
    pub fn ratio(&self) -> Option<Ratio> {
        match &self.body {
            Body::Exact(exact) => cluster::ratio(&exact.parts()),
            Body::Summary(summary) => summary.ratio(),
        }
    }

    /// The mean (or ratio), each sum rounded once; `None` where it is not defined.
    pub fn mean(&self) -> Option<f64> {
        let bottom = self.bottom().filter(|b| *b > 0.0)?;
        Some(self.sum()? / bottom)
    }

    /// The smallest value.
    pub fn smallest(&self) -> Option<f64> {
        match &self.body {
            Body::Exact(exact) => exact.tops().min_by(f64::total_cmp),
            Body::Summary(summary) => Some(summary.smallest),
        }
    }

    /// The largest value.
    pub fn largest(&self) -> Option<f64> {
        match &self.body {
            Body::Exact(exact) => exact.tops().max_by(f64::total_cmp),
            Body::Summary(summary) => Some(summary.largest),
        }
    }

    /// The standard deviation of a sample (n - 1 in the denominator); `None` for fewer than two.
    pub fn stddev(&self) -> Option<f64> {
        match &self.body {
            Body::Exact(exact) => sum::stddev(&exact.tops().collect::<Vec<_>>()),
            Body::Summary(s) => {
                let (n, off) = (s.count as f64, s.off.value()?);
                (s.count > 1).then_some(((s.squares.value()? - off * off / n).max(0.0) / (n - 1.0)).sqrt())
            }
        }
    }

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

    /// How many independent samples these are worth at least, as if those of one cluster were all alike: the square of
    /// the count over the sum of the squared counts of the clusters (L. Kish, Survey Sampling, 1965).
    pub fn effective(&self) -> f64 {
        let worth = |parts: &[Part]| {
            let (all, squares) = parts.iter().fold((0.0, 0.0), |(n, s), p| (n + p.bottom, s + p.bottom * p.bottom));
            if squares > 0.0 { all * all / squares } else { 0.0 }
        };
        match &self.body {
            Body::Exact(exact) => worth(&exact.counts()),
            Body::Summary(summary) => match summary.known {
                Some((_, effective)) => effective,
                None if summary.alone => summary.count as f64,
                None => worth(&summary.counts()),
            },
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

    /// What a later run needs of them.
    pub fn kept(&self) -> Kept {
        match &self.body {
            Body::Exact(exact) => {
                let alone = exact.counts().len() == exact.clusters.len();
                let clusters = if alone { Vec::new() } else { exact.clusters.clone() };
                Kept { pairs: exact.pairs, values: exact.values.clone(), clusters, summary: None }
            }
            Body::Summary(summary) => Kept {
                pairs: summary.pairs,
                values: Vec::new(),
                clusters: Vec::new(),
                summary: Some(KeptSummary {
                    count: summary.count,
                    top: summary.top.value(),
                    bottom: self.bottom(),
                    stddev: self.stddev(),
                    smallest: summary.smallest,
                    largest: summary.largest,
                    effective: self.effective(),
                    ratio: summary.ratio().map(|r| (r.clusters, r.se_cr0)),
                    steps: summary.sketch.steps().unwrap_or_default(),
                }),
            },
        }
    }
}

impl Exact {
    fn each(&self) -> impl Iterator<Item = (u32, &[f64])> {
        self.clusters.iter().copied().zip(self.values.chunks_exact(if self.pairs { 2 } else { 1 }))
    }

    fn tops(&self) -> impl Iterator<Item = f64> {
        self.each().map(|(_, values)| values[0])
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts: BTreeMap<u32, Part> = BTreeMap::new();
        for (cluster, values) in self.each() {
            let part = parts.entry(cluster).or_default();
            part.top += values[0];
            part.bottom += values.get(1).copied().unwrap_or(1.0);
        }
        parts.into_values().collect()
    }

    /// How many samples each cluster has.
    fn counts(&self) -> Vec<Part> {
        let mut counts: BTreeMap<u32, Part> = BTreeMap::new();
        self.clusters.iter().for_each(|cluster| counts.entry(*cluster).or_default().bottom += 1.0);
        counts.into_values().collect()
    }
}

impl Summary {
    fn push(&mut self, cluster: u32, values: &[f64]) {
        let (top, bottom) = (values[0], values.get(1).copied().unwrap_or(1.0));
        self.count += 1;
        self.top.add(top);
        self.bottom.add(bottom);
        let off = top - self.origin;
        self.off.add(off);
        self.squares.add(off * off);
        (self.smallest, self.largest) = (self.smallest.min(top), self.largest.max(top));
        if !self.pairs {
            self.sketch.add(top, 1);
        }
        self.alone &= self.last.is_none_or(|last| cluster > last);
        self.last = self.last.max(Some(cluster));
        let slot = (cluster % SLOTS) as usize;
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, Part::default());
        }
        let part = &mut self.slots[slot];
        (part.top, part.bottom) = (part.top + top, part.bottom + bottom);
    }

    fn ratio(&self) -> Option<Ratio> {
        match self.known {
            Some((ratio, _)) => ratio,
            None => {
                let used: Vec<Part> = self.slots.iter().copied().filter(|p| p.bottom != 0.0 || p.top != 0.0).collect();
                cluster::ratio(&used)
            }
        }
    }

    /// How many samples each slot has; of pairs, by their denominators.
    fn counts(&self) -> Vec<Part> {
        self.slots.clone()
    }
}

/// Samples as a record keeps them for a comparison: all of them, or the summary.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Kept {
    /// The values are numerators and denominators in turn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pairs: bool,
    /// All values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<f64>,
    /// The cluster of each sample; none where each is one of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    clusters: Vec<u32>,
    /// In place of values that are too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    summary: Option<KeptSummary>,
}

/// A summary as a record keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KeptSummary {
    count: u64,
    top: Option<f64>,
    bottom: Option<f64>,
    stddev: Option<f64>,
    smallest: f64,
    largest: f64,
    effective: f64,
    ratio: Option<(u64, f64)>,
    steps: Vec<(f64, u64)>,
}

impl Kept {
    /// The samples again. A summary that was edited into nonsense has no statistics, never wrong ones.
    pub fn samples(&self) -> Samples {
        let Some(kept) = &self.summary else {
            let values = self.values.chunks_exact(if self.pairs { 2 } else { 1 });
            let mut samples = Samples::default();
            for (i, value) in values.enumerate() {
                let own = u32::try_from(i).unwrap_or(u32::MAX);
                samples.push(self.clusters.get(i).copied().unwrap_or(own), value);
            }
            return samples;
        };
        let total = |value: Option<f64>| {
            let mut sum = ExactSum::default();
            sum.add(value.unwrap_or(f64::NAN));
            sum
        };
        let mut sketch = Sketch::default();
        kept.steps.iter().for_each(|(value, times)| sketch.add(*value, *times));
        let ratio = kept.ratio.zip(kept.top.zip(kept.bottom)).filter(|(_, (_, bottom))| *bottom > 0.0);
        let ratio =
            ratio.map(|((clusters, se_cr0), (top, bottom))| Ratio { value: top / bottom, bottom, clusters, se_cr0 });
        let variance = kept.stddev.map(|s| s * s * (kept.count as f64 - 1.0));
        let summary = Summary {
            pairs: self.pairs,
            count: kept.count,
            top: total(kept.top),
            bottom: total(kept.bottom),
            squares: total(variance),
            smallest: kept.smallest,
            largest: kept.largest,
            sketch,
            known: Some((ratio, kept.effective)),
            ..Summary::default()
        };
        Samples { body: Body::Summary(Box::new(summary)) }
    }
}

#[cfg(test)]
#[path = "samples_tests.rs"]
mod tests;
