//! Records while they wait: in memory up to a budget, then on disk, split by home into partitions that each fit in
//! memory.

use std::ops::Range;
use std::path::PathBuf;

use super::index::{Index, PARTITIONS};
use super::spill::{Chunk, SpillError, SpillFile};
use crate::formats::telemetry::codec::{Stored, stored};

/// Bytes of a partition that are written at once.
const CHUNK: usize = 128 << 10;

/// All records.
pub(super) struct Store {
    dir: PathBuf,
    budget: usize,
    held: usize,
    /// Runs of records; each begins with a whole origin.
    blocks: Vec<Box<[u8]>>,
    disk: Option<Disk>,
}

/// Records on disk.
pub(super) struct Disk {
    file: SpillFile,
    partitions: Vec<Partition>,
}

/// Records whose homes share a part of their hashes.
#[derive(Default)]
struct Partition {
    chunks: Vec<Chunk>,
    bytes: u64,
    /// What is not yet written, and where in it the origin of its last record stands.
    buffer: Vec<u8>,
    origin: Range<usize>,
}

/// Where records wait when all have arrived.
pub(super) enum Kept {
    Memory(Vec<Box<[u8]>>),
    Disk(Disk),
}

impl Store {
    pub(super) fn new(dir: PathBuf, budget: usize) -> Self {
        Self { dir, budget, held: 0, blocks: Vec::new(), disk: None }
    }

    /// Takes a run of records that the index has learned of.
    pub(super) fn add(&mut self, bytes: &[u8], index: &mut Index) -> Result<(), SpillError> {
        if let Some(disk) = &mut self.disk {
            return disk.add(bytes, index);
        }
        self.held += bytes.len();
        self.blocks.push(bytes.into());
        if self.held <= self.budget {
            return Ok(());
        }
        let disk = self.disk.insert(Disk::new(&self.dir)?);
        for block in std::mem::take(&mut self.blocks) {
            disk.add(&block, index)?;
        }
        Ok(())
    }

    /// All records have arrived: brings those together whose home is now known to be another. Ends early, and of no use,
    /// when `stopped` says so.
    pub(super) fn settle(self, index: &Index, stopped: &dyn Fn() -> bool) -> Result<Kept, SpillError> {
        let Some(mut disk) = self.disk else { return Ok(Kept::Memory(self.blocks)) };
        disk.settle(index, stopped)?;
        Ok(Kept::Disk(disk))
    }
}

impl Disk {
    fn new(dir: &std::path::Path) -> Result<Self, SpillError> {
        let partitions = (0..PARTITIONS).map(|_| Partition::default()).collect();
        Ok(Self { file: SpillFile::new(dir)?, partitions })
    }

    fn add(&mut self, bytes: &[u8], index: &mut Index) -> Result<(), SpillError> {
        for (record, _) in stored(bytes) {
            // The index has learned of every record that has a home.
            if let Some(home) = index.place(&record) {
                self.partitions[home.partition()].push(&record, &mut self.file)?;
            }
        }
        Ok(())
    }

    fn settle(&mut self, index: &Index, stopped: &dyn Fn() -> bool) -> Result<(), SpillError> {
        self.flush()?;
        let counts: Vec<usize> = self.partitions.iter().map(|p| p.chunks.len()).collect();
        let mut bytes = Vec::new();
        for from in index.dirty() {
            for i in 0..counts[from] {
                if stopped() {
                    return Ok(());
                }
                // What moved here in this loop is where it belongs.
                self.file.read(self.partitions[from].chunks[i], &mut bytes)?;
                for (record, _) in stored(&bytes) {
                    if let Some(to) = index.home(&record).map(super::index::Key::partition).filter(|to| *to != from) {
                        self.partitions[to].push(&record, &mut self.file)?;
                    }
                }
            }
        }
        self.flush()
    }

    /// Writes what is not yet written, and gives its memory back.
    fn flush(&mut self) -> Result<(), SpillError> {
        for partition in &mut self.partitions {
            partition.flush(&mut self.file)?;
            partition.buffer = Vec::new();
        }
        Ok(())
    }

    /// Bytes of a partition, those included that have moved away.
    pub(super) fn bytes(&self, partition: usize) -> u64 {
        self.partitions[partition].bytes
    }

    /// How many chunks a partition has.
    pub(super) fn chunks(&self, partition: usize) -> usize {
        self.partitions[partition].chunks.len()
    }

    /// Reads a chunk of a partition: a run of records.
    pub(super) fn read(&mut self, partition: usize, chunk: usize, out: &mut Vec<u8>) -> Result<(), SpillError> {
        self.file.read(self.partitions[partition].chunks[chunk], out)
    }
}

impl Partition {
    fn push(&mut self, record: &Stored<'_>, file: &mut SpillFile) -> Result<(), SpillError> {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(CHUNK + CHUNK / 8);
        }
        let same = !self.buffer.is_empty() && self.buffer[self.origin.clone()] == *record.origin;
        let origin = record.put(!same, &mut self.buffer);
        if !same {
            self.origin = origin;
        }
        if self.buffer.len() >= CHUNK { self.flush(file) } else { Ok(()) }
    }

    fn flush(&mut self, file: &mut SpillFile) -> Result<(), SpillError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = file.append(&self.buffer)?;
        self.bytes += chunk.len() as u64;
        self.chunks.push(chunk);
        self.origin = 0..0;
        // One that grew for a huge record is not kept.
        if self.buffer.capacity() > 2 * CHUNK {
            self.buffer = Vec::new()
        } else {
            self.buffer.clear()
        }
        Ok(())
    }
}
