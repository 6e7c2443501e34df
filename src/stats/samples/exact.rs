//! Every sample, as long as there are not too many.

use std::collections::BTreeMap;

use crate::stats::cluster::Part;

/// Every sample, in the order they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Exact {
    /// A value each; numerator and denominator in turn where the samples are pairs.
    pub(super) values: Vec<f64>,
    pub(super) clusters: Vec<u32>,
    pub(super) pairs: bool,
}

impl Exact {
    pub(super) fn each(&self) -> impl Iterator<Item = (u32, &[f64])> {
        self.clusters.iter().copied().zip(self.values.chunks_exact(if self.pairs { 2 } else { 1 }))
    }

    pub(super) fn tops(&self) -> impl Iterator<Item = f64> {
        self.each().map(|(_, values)| values[0])
    }

    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts: BTreeMap<u32, Part> = BTreeMap::new();
        for (cluster, values) in self.each() {
            let part = parts.entry(cluster).or_default();
            part.top += values[0];
            part.bottom += values.get(1).copied().unwrap_or(1.0);
        }
        parts.into_values().collect()
    }

    /// How many samples each cluster has.
    pub(super) fn counts(&self) -> Vec<Part> {
        let mut counts: BTreeMap<u32, Part> = BTreeMap::new();
        self.clusters.iter().for_each(|cluster| counts.entry(*cluster).or_default().bottom += 1.0);
        counts.into_values().collect()
    }
}
