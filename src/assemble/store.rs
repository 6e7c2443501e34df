//! Records while they wait: as they came up to a budget, then split by home into partitions that each fit in memory.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;

use super::index::{Index, Key, PARTITIONS};
use super::run::Run;
use super::spill::{Chunk, Packed, Spill, SpillError};
use crate::formats::telemetry::codec::{Place, put, stored};

/// Bytes of a partition that are packed at once, unless the budget has no room for as many of every partition.
const CHUNK: usize = 128 << 10;

/// How many of the runs that came before there were partitions are split with every one that comes after: nobody is kept
/// waiting for all of them.
const AT_ONCE: usize = 4;

/// All records.
pub(super) struct Store {
    dir: PathBuf,
    budget: usize,
    held: usize,
    /// Runs of records as they came.
    runs: VecDeque<Run>,
    parts: Option<Parts>,
}

/// Records split by home.
pub(super) struct Parts {
    spill: Spill,
    partitions: Vec<Partition>,
    /// Bytes of a partition that are packed at once.
    chunk: usize,
}

/// Records whose homes share a part of their hashes.
#[derive(Default)]
struct Partition {
    chunks: Vec<Chunk>,
    bytes: u64,
    /// What is not yet packed, and where in it the origin of its last record stands.
    buffer: Vec<u8>,
    origin: Range<usize>,
}

/// A run of records of one partition that is to be packed.
pub(super) struct Full {
    partition: usize,
    records: Vec<u8>,
}

/// The same, packed.
pub(super) struct Ready {
    partition: usize,
    packed: Packed,
}

impl Full {
    /// Packs the records, which takes longer than all else that is done with them: no lock should be held.
    pub(super) fn pack(self) -> Ready {
        Ready { partition: self.partition, packed: Packed::new(&self.records) }
    }
}

/// Where records wait when all have arrived.
pub(super) enum Kept {
    /// As they came.
    Runs(Vec<Run>),
    /// Split by home.
    Parts(Parts),
}

impl Store {
    pub(super) fn new(dir: PathBuf, budget: usize) -> Self {
        Self { dir, budget, held: 0, runs: VecDeque::new(), parts: None }
    }

    /// Whether nothing was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes a run of records that the index has learned of. What is returned must be packed, and [`Store::put`] back.
    pub(super) fn add(&mut self, run: &Run, index: &mut Index) -> Vec<Full> {
        let mut full = Vec::new();
        let parts = match &mut self.parts {
            Some(parts) => {
                parts.add(run, index, &mut full);
                parts
            }
            None => {
                self.held += run.size();
                self.runs.push_back(run.fitted());
                if self.held <= self.budget {
                    return full;
                }
                self.parts.insert(Parts::new(Spill::new(&self.dir, self.budget), self.budget))
            }
        };
        for run in self.runs.drain(..AT_ONCE.min(self.runs.len())) {
            parts.add(&run, index, &mut full);
        }
        full
    }

    /// Keeps what was packed.
    pub(super) fn put(&mut self, ready: Vec<Ready>) -> Result<(), SpillError> {
        match &mut self.parts {
            Some(parts) => ready.into_iter().try_for_each(|ready| parts.put(ready)),
            None => Ok(()),
        }
    }

    /// All records have arrived: brings those together whose home is now known to be another. Ends early, and of no use,
    /// when `stopped` says so.
    pub(super) fn settle(self, index: &mut Index, stopped: &dyn Fn() -> bool) -> Result<Kept, SpillError> {
        let Some(mut parts) = self.parts else { return Ok(Kept::Runs(self.runs.into())) };
        for run in self.runs {
            if stopped() {
                break;
            }
            let mut full = Vec::new();
            parts.add(&run, index, &mut full);
            full.into_iter().try_for_each(|full| parts.put(full.pack()))?;
        }
        parts.settle(index, stopped)?;
        Ok(Kept::Parts(parts))
    }
}

impl Parts {
    fn new(spill: Spill, budget: usize) -> Self {
        let partitions = (0..PARTITIONS).map(|_| Partition::default()).collect();
        Self { spill, partitions, chunk: CHUNK.min(budget / PARTITIONS) }
    }

    fn add(&mut self, run: &Run, index: &mut Index, full: &mut Vec<Full>) {
        for spot in &run.spots {
            // The index has learned of every record that has a home.
            if let Some(home) = index.place(&spot.route) {
                let partition = home.partition();
                let (origin, tail) = run.parts(spot);
                let records = self.partitions[partition].push(spot.route.place, origin, tail, self.chunk);
                full.extend(records.map(|records| Full { partition, records }));
            }
        }
    }

    fn put(&mut self, ready: Ready) -> Result<(), SpillError> {
        let chunk = self.spill.keep(ready.packed)?;
        let partition = &mut self.partitions[ready.partition];
        partition.bytes += chunk.len() as u64;
        partition.chunks.push(chunk);
        Ok(())
    }

    fn settle(&mut self, index: &Index, stopped: &dyn Fn() -> bool) -> Result<(), SpillError> {
        let mut bytes = Vec::new();
        for from in index.dirty() {
            // What moves here from another partition is where it belongs, and nothing moves from here to here.
            for i in 0..self.chunks(from) {
                if stopped() {
                    return Ok(());
                }
                self.read(from, i, &mut bytes)?;
                for (record, _) in stored(&bytes) {
                    let Some(to) = index.home(&record).map(Key::partition).filter(|to| *to != from) else { continue };
                    let records = self.partitions[to].push(record.place, record.origin, record.tail, self.chunk);
                    if let Some(records) = records {
                        self.put(Full { partition: to, records }.pack())?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Bytes of a partition, those included that have moved away.
    pub(super) fn bytes(&self, partition: usize) -> u64 {
        let partition = &self.partitions[partition];
        partition.bytes + partition.buffer.len() as u64
    }

    /// How many chunks a partition has.
    pub(super) fn chunks(&self, partition: usize) -> usize {
        let partition = &self.partitions[partition];
        partition.chunks.len() + usize::from(!partition.buffer.is_empty())
    }

    /// Reads a chunk of a partition: a run of records. The last one may not have been packed.
    pub(super) fn read(&mut self, partition: usize, chunk: usize, out: &mut Vec<u8>) -> Result<(), SpillError> {
        let partition = &self.partitions[partition];
        match partition.chunks.get(chunk) {
            Some(chunk) => self.spill.read(chunk, out),
            None => {
                out.clear();
                out.extend_from_slice(&partition.buffer);
                Ok(())
            }
        }
    }

    /// Gives back the memory of a partition that is done with.
    pub(super) fn forget(&mut self, partition: usize) {
        self.partitions[partition] = Partition::default();
    }
}

impl Partition {
    /// Appends a record; returns what has come together once it is enough to be packed.
    fn push(&mut self, place: Place, origin: &[u8], tail: &[u8], chunk: usize) -> Option<Vec<u8>> {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(chunk + chunk / 8);
        }
        let same = !self.buffer.is_empty() && self.buffer[self.origin.clone()] == *origin;
        let written = put(place, if same { &[] } else { origin }, tail, &mut self.buffer);
        if !same {
            self.origin = written;
        }
        if self.buffer.len() < chunk {
            return None;
        }
        self.origin = 0..0;
        Some(std::mem::take(&mut self.buffer))
    }
}
