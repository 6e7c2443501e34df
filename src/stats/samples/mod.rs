//! The samples of a metric over a window, in bounded memory: all of them up to a limit, beyond it what the statistics
//! need (exact sums, a sketch for percentiles, sums by cluster for standard errors).
//!
//! Each sample belongs to a cluster, the case of its session: trials and turns of one case resemble each other.

mod exact;
mod kept;
mod percentiles;
mod summary;

pub use kept::Kept;

use exact::Exact;
use summary::Summary;

use super::cluster::{self, Part, Ratio};
use super::sum;

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

    /// The mean, or the ratio of the sums, with its standard error over clusters; `None` where it is not defined, and of
    /// samples read back as a summary.
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

    /// How many independent observations a ratio is worth, when it is a rate ([`Ratio::effective`]); of samples read back
    /// as a summary, as if those of one cluster were all alike.
    ///
    /// `None` where nothing is known of it, as for a single cluster.
    pub fn worth(&self, confidence: f64) -> Option<f64> {
        match &self.body {
            Body::Summary(summary) if summary.known.is_some() => summary.known,
            _ => self.ratio()?.effective(confidence),
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
                Some(effective) => effective,
                None if summary.alone => summary.count as f64,
                None => worth(&summary.counts()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
