//! The records of a partition, sorted into sessions.

use std::collections::HashMap;
use std::ops::Range;

use super::index::{Index, Key};
use super::run::Run;
use crate::formats::telemetry::codec::{Place, Stored, put, stored};

/// What is known of a session before its records are brought together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Where its first record stood.
    pub(super) first: Place,
    /// Bytes of its records.
    pub(super) bytes: u64,
}

impl Size {
    pub(super) fn add(&mut self, place: Place, tail: usize) {
        self.first = self.first.min(place);
        self.bytes += tail as u64;
    }
}

/// A size before its first record.
pub(super) const NOTHING: Size =
    Size { first: Place { file: u32::MAX, element: u64::MAX, position: u32::MAX }, bytes: 0 };

/// A session whose records are in memory, or which is too large for that.
pub(super) struct Entry {
    pub(super) size: Size,
    pub(super) content: Content,
}

pub(super) enum Content {
    /// Its records.
    Records(Range<usize>),
    /// Larger than the limit; its id, where a record tells it.
    TooLarge(Option<String>),
}

/// A record in a block.
struct Ref {
    session: usize,
    place: Place,
    block: usize,
    origin: Range<usize>,
    tail: Range<usize>,
}

/// Collects blocks of records.
pub(super) struct Gather<'i> {
    index: &'i Index,
    /// Sessions larger than this are not kept.
    max: u64,
    blocks: Vec<Box<[u8]>>,
    refs: Vec<Ref>,
    by_key: HashMap<Key, usize>,
    sessions: Vec<(Key, Size, Option<String>)>,
}

/// The records of some sessions, session by session.
pub(super) struct Gathered {
    blocks: Vec<Box<[u8]>>,
    refs: Vec<Ref>,
}

impl<'i> Gather<'i> {
    pub(super) fn new(index: &'i Index, max: u64) -> Self {
        let (blocks, refs, sessions) = (Vec::new(), Vec::new(), Vec::new());
        Self { index, max, blocks, refs, by_key: HashMap::new(), sessions }
    }

    /// Takes the records of a block whose homes `wants` says.
    pub(super) fn add(&mut self, block: Box<[u8]>, wants: impl Fn(Key) -> bool) {
        let number = self.blocks.len();
        let range = |part: &[u8]| {
            // A part of the block, unless it is empty and may lie anywhere.
            let start = if part.is_empty() { 0 } else { part.as_ptr() as usize - block.as_ptr() as usize };
            start..start + part.len()
        };
        for (record, _) in stored(&block) {
            let Some(home) = self.index.home(&record).filter(|home| wants(*home)) else { continue };
            self.note(home, record.place, number, range(record.origin), range(record.tail));
        }
        self.blocks.push(block);
    }

    /// Takes the records of a run.
    pub(super) fn add_run(&mut self, run: Run) {
        let number = self.blocks.len();
        self.refs.reserve(run.spots.len());
        for spot in run.spots {
            if let Some(home) = self.index.heads_for(&spot.route) {
                self.note(home, spot.route.place, number, spot.origin, spot.tail);
            }
        }
        self.blocks.push(run.bytes.into());
    }

    fn note(&mut self, home: Key, place: Place, block: usize, origin: Range<usize>, tail: Range<usize>) {
        let session = *self.by_key.entry(home).or_insert_with(|| {
            self.sessions.push((home, NOTHING, None));
            self.sessions.len() - 1
        });
        self.sessions[session].1.add(place, tail.len());
        self.refs.push(Ref { session, place, block, origin, tail });
    }

    /// Notes a record of a session that is known to be too large.
    pub(super) fn too_large(&mut self, home: Key, size: Size, record: &Stored<'_>) {
        let session = *self.by_key.entry(home).or_insert_with(|| {
            self.sessions.push((home, size, None));
            self.sessions.len() - 1
        });
        let name = &mut self.sessions[session].2;
        if name.is_none() {
            *name = self.index.name(home, record);
        }
    }

    /// Sorts sessions by their first records, and records by where they stood.
    pub(super) fn finish(mut self) -> (Gathered, std::vec::IntoIter<Entry>) {
        let mut order: Vec<usize> = (0..self.sessions.len()).collect();
        order.sort_unstable_by_key(|s| self.sessions[*s].1.first);
        let mut rank = vec![0; order.len()];
        order.iter().enumerate().for_each(|(r, s)| rank[*s] = r);
        self.refs.iter_mut().for_each(|r| r.session = rank[r.session]);
        self.refs.sort_unstable_by_key(|r| (r.session, r.place));
        let (mut entries, mut start) = (Vec::with_capacity(order.len()), 0);
        for (r, s) in order.into_iter().enumerate() {
            let end = start + self.refs[start..].partition_point(|x| x.session <= r);
            let (home, size, name) = &mut self.sessions[s];
            let content = if size.bytes <= self.max {
                Content::Records(start..end)
            } else {
                let records = self.refs[start..end].iter().filter_map(|r| read(&self.blocks, r));
                Content::TooLarge(
                    name.take().or_else(|| records.into_iter().find_map(|record| self.index.name(*home, &record))),
                )
            };
            entries.push(Entry { size: *size, content });
            start = end;
        }
        (Gathered { blocks: self.blocks, refs: self.refs }, entries.into_iter())
    }
}

impl Gathered {
    /// Appends the records of an entry, in order.
    pub(super) fn put(&self, records: Range<usize>, out: &mut Vec<u8>) {
        let mut last: &[u8] = &[];
        for r in &self.refs[records] {
            let block = &self.blocks[r.block];
            let (origin, tail) = (&block[r.origin.clone()], &block[r.tail.clone()]);
            let same = std::ptr::eq(origin, last) || origin == last;
            put(r.place, if same { &[] } else { origin }, tail, out);
            last = origin;
        }
    }
}

fn read<'b>(blocks: &'b [Box<[u8]>], r: &Ref) -> Option<Stored<'b>> {
    let block = &blocks[r.block];
    Stored::new(r.place, &block[r.origin.clone()], &block[r.tail.clone()])
}
