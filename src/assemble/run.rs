//! Records as they came: their bytes, and what is known of each without reading it.

use std::ops::Range;

use super::index::Route;

/// A record of a run: where it wants to go, and where in the run's bytes its origin and what is behind it stand.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) route: Route,
    pub(super) origin: Range<usize>,
    pub(super) tail: Range<usize>,
}

/// Records one after the other ([`crate::formats::telemetry::codec`]).
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) bytes: Vec<u8>,
    pub(super) spots: Vec<Spot>,
}

impl Run {
    /// About how much memory it takes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.spots.len() * size_of::<Spot>()
    }

    /// A copy that takes no more memory than it needs.
    pub(super) fn fitted(&self) -> Self {
        Self { bytes: self.bytes[..].to_vec(), spots: self.spots[..].to_vec() }
    }

    /// The bytes of a record: its origin, and those behind it.
    pub(super) fn parts(&self, spot: &Spot) -> (&[u8], &[u8]) {
        (&self.bytes[spot.origin.clone()], &self.bytes[spot.tail.clone()])
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.spots.clear();
    }
}
