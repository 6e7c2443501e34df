//! Sessions one after the other, each as all its records: a bounded part at a time, in an order that depends on the input
//! alone.
//!
//! As long as records are kept as they came, sessions come in the order of their first records; once they are split by
//! home, partition by partition, and in that order within each.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::gather::{Content, Gather, Gathered, NOTHING, Size};
use super::index::{Index, Key, PARTITIONS};
use super::intake::Options;
use super::spill::SpillError;
use super::store::{Kept, Parts};
use crate::formats::telemetry::codec::stored;
use crate::model::{LeftOut, Problem};

/// What was taken in, ready to be handed out.
pub struct Settled {
    index: Index,
    source: Source,
    problems: VecDeque<(u32, Problem)>,
    max_session: u64,
    batch: usize,
    current: Option<Gathered>,
}

enum Source {
    Blocks(Vec<Box<[u8]>>),
    Parts {
        parts: Parts,
        /// The next partition, and what is still to be brought in of the one before.
        next: usize,
        passes: VecDeque<HashMap<Key, Size>>,
        /// Bytes that are brought in at once.
        load: u64,
    },
}

/// Some sessions whose first records all stood in one file.
#[derive(Debug)]
pub struct Sessions {
    /// Index of that file.
    pub file: u32,
    /// Holds the sessions' bytes.
    pub buffer: Vec<u8>,
    /// Each session: its records ([`crate::formats::telemetry::codec`]), or why there are none.
    pub items: Vec<Result<Range<usize>, Problem>>,
}

impl Settled {
    pub(super) fn new(index: Index, kept: Kept, problems: VecDeque<(u32, Problem)>, options: &Options) -> Self {
        let source = match kept {
            Kept::Blocks(blocks) => Source::Blocks(blocks),
            Kept::Parts(parts) => Source::Parts { parts, next: 0, passes: VecDeque::new(), load: options.load as u64 },
        };
        let (max_session, batch) = (options.max_session as u64, options.batch);
        Self { index, source, problems, max_session, batch, current: None }
    }

    /// Whether the records were more than are kept as they came.
    pub fn split(&self) -> bool {
        matches!(self.source, Source::Parts { .. })
    }

    /// The next sessions, or `None` after the last. `recycled` is the buffer of sessions that are done with, or empty.
    pub fn next(&mut self, recycled: Vec<u8>) -> Result<Option<Sessions>, SpillError> {
        if let Some((file, problem)) = self.problems.pop_front() {
            return Ok(Some(Sessions { file, buffer: recycled, items: vec![Err(problem)] }));
        }
        loop {
            if let Some(current) = &mut self.current {
                if current.entries.len() > 0 {
                    return Ok(Some(hand_out(current, recycled, self.batch, self.max_session)));
                }
                self.current = None;
            }
            match self.gather()? {
                Some(gathered) => self.current = Some(gathered),
                None => return Ok(None),
            }
        }
    }

    /// Brings the next part into memory.
    fn gather(&mut self) -> Result<Option<Gathered>, SpillError> {
        let index = &self.index;
        let mut gather = Gather::new(index, self.max_session);
        let (parts, next, passes, load) = match &mut self.source {
            Source::Blocks(blocks) if blocks.is_empty() => return Ok(None),
            Source::Blocks(blocks) => {
                std::mem::take(blocks).into_iter().for_each(|block| gather.add(block, |_| true));
                return Ok(Some(gather.finish()));
            }
            Source::Parts { parts, next, passes, load } => (parts, next, passes, *load),
        };
        loop {
            if let Some(pass) = passes.pop_front() {
                some(parts, *next - 1, index, &pass, self.max_session, &mut gather)?;
                return Ok(Some(gather.finish()));
            }
            if let Some(done) = next.checked_sub(1) {
                parts.forget(done);
            }
            let partition = *next;
            if partition == PARTITIONS {
                return Ok(None);
            }
            *next += 1;
            if parts.bytes(partition) > load {
                *passes = plan(parts, partition, index, load, self.max_session)?;
            } else if parts.chunks(partition) > 0 {
                for chunk in 0..parts.chunks(partition) {
                    let mut block = Vec::new();
                    parts.read(partition, chunk, &mut block)?;
                    gather.add(block.into(), |home| home.partition() == partition);
                }
                return Ok(Some(gather.finish()));
            }
        }
    }
}

/// Splits the sessions of a partition that is too large into passes that are not, in the order of their first records.
fn plan(
    parts: &mut Parts,
    partition: usize,
    index: &Index,
    load: u64,
    max: u64,
) -> Result<VecDeque<HashMap<Key, Size>>, SpillError> {
    let mut sizes: HashMap<Key, Size> = HashMap::new();
    let mut bytes = Vec::new();
    for chunk in 0..parts.chunks(partition) {
        parts.read(partition, chunk, &mut bytes)?;
        for (record, _) in stored(&bytes) {
            if let Some(home) = index.home(&record).filter(|home| home.partition() == partition) {
                sizes.entry(home).or_insert(NOTHING).add(&record);
            }
        }
    }
    let mut sizes: Vec<(Key, Size)> = sizes.into_iter().collect();
    sizes.sort_unstable_by_key(|(_, size)| size.first);
    let (mut passes, mut sum) = (VecDeque::new(), u64::MAX);
    for (key, size) in sizes {
        // One that is too large takes no room.
        let room = if size.bytes > max { 0 } else { size.bytes };
        if sum.saturating_add(room) > load {
            passes.push_back(HashMap::new());
            sum = 0;
        }
        sum += room;
        if let Some(pass) = passes.back_mut() {
            pass.insert(key, size);
        }
    }
    Ok(passes)
}

/// Brings some sessions of a partition into memory.
fn some(
    parts: &mut Parts,
    partition: usize,
    index: &Index,
    pass: &HashMap<Key, Size>,
    max: u64,
    gather: &mut Gather<'_>,
) -> Result<(), SpillError> {
    let mut bytes = Vec::new();
    for chunk in 0..parts.chunks(partition) {
        parts.read(partition, chunk, &mut bytes)?;
        let (mut block, mut last): (Vec<u8>, &[u8]) = (Vec::new(), &[]);
        for (record, _) in stored(&bytes) {
            let Some(home) = index.home(&record) else { continue };
            match pass.get(&home) {
                Some(size) if size.bytes > max => gather.too_large(home, *size, &record),
                Some(_) => {
                    record.put(block.is_empty() || record.origin != last, &mut block);
                    last = record.origin;
                }
                None => {}
            }
        }
        if !block.is_empty() {
            gather.add(block.into(), |_| true);
        }
    }
    Ok(())
}

/// The next sessions of what is in memory: at least one, of one file, about as many bytes as a batch has.
fn hand_out(current: &mut Gathered, recycled: Vec<u8>, batch: usize, max: u64) -> Sessions {
    let mut buffer = recycled;
    if buffer.capacity() > 4 * batch {
        buffer = Vec::new();
    }
    buffer.clear();
    let (mut items, mut file) = (Vec::new(), None);
    while let Some(next) = current.entries.as_slice().first() {
        let other = *file.get_or_insert(next.size.first.file) != next.size.first.file;
        if other || (!items.is_empty() && buffer.len() as u64 + next.size.bytes > batch as u64) {
            break;
        }
        let Some(entry) = current.entries.next() else { break };
        items.push(match entry.content {
            Content::Records(records) => {
                let start = buffer.len();
                buffer.reserve(entry.size.bytes as usize + 32 * records.len());
                current.put(records, &mut buffer);
                Ok(start..buffer.len())
            }
            Content::TooLarge(id) => Err(too_large(id.as_deref(), entry.size.bytes, max)),
        });
    }
    Sessions { file: file.unwrap_or_default(), buffer, items }
}

fn too_large(id: Option<&str>, bytes: u64, max: u64) -> Problem {
    let name = id.map_or_else(String::new, |id| format!(" `{}`", id.chars().take(200).collect::<String>()));
    let message = format!("the records of session{name} take {bytes} bytes, more than {max} (`max_session_bytes`)");
    Problem::new(LeftOut::TooLarge, message)
}
