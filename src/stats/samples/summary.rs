//! What is kept of samples that are too many: exact sums, a sketch, and sums by cluster.

use crate::stats::cluster::{self, Part, Ratio};
use crate::stats::sketch::Sketch;
use crate::stats::sum::ExactSum;

/// Clusters that are told apart once samples are summarised. More share a slot: groups of clusters are independent of
/// each other as clusters are, so that standard errors stay right.
const SLOTS: u32 = 4096;

/// What is kept of samples that are too many to keep.
#[derive(Debug, Clone, Default)]
pub(super) struct Summary {
    pub(super) pairs: bool,
    pub(super) count: u64,
    pub(super) top: ExactSum,
    pub(super) bottom: ExactSum,
    /// Where the squares are taken from, near the mean, so that nothing cancels.
    pub(super) origin: f64,
    pub(super) off: ExactSum,
    pub(super) squares: ExactSum,
    pub(super) smallest: f64,
    pub(super) largest: f64,
    pub(super) sketch: Sketch,
    pub(super) slots: Vec<Part>,
    /// Every sample so far was of a cluster that came after all others.
    pub(super) alone: bool,
    pub(super) last: Option<u32>,
    /// What samples that were read back are worth; their slots are gone.
    pub(super) known: Option<f64>,
}

impl Summary {
    pub(super) fn push(&mut self, cluster: u32, values: &[f64]) {
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

    pub(super) fn ratio(&self) -> Option<Ratio> {
        if self.known.is_some() { None } else { cluster::ratio(&self.slots) }
    }

    /// How many samples each slot has; of pairs, by their denominators.
    pub(super) fn counts(&self) -> Vec<Part> {
        self.slots.clone()
    }
}
