//! Samples as a record keeps them for the runs to come.

use serde::{Deserialize, Serialize};

use super::summary::Summary;
use super::{Body, Samples};
use crate::stats::sketch::Sketch;
use crate::stats::sum::ExactSum;

impl Samples {
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
                    steps: summary.sketch.steps().unwrap_or_default(),
                }),
            },
        }
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
            known: Some(kept.effective),
            ..Summary::default()
        };
        Samples { body: Body::Summary(Box::new(summary)) }
    }
}
