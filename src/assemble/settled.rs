//! Sessions one after the other, each as all its records: a bounded part at a time, in an order that depends on the input
//! alone.
//!
//! As long as records are kept as they came, sessions come in the order of their first records; once they are split by
//! home, partition by partition, and in that order within each.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::vec::IntoIter;

use super::ahead::Ahead;
use super::gather::{Content, Entry, Gather, Gathered, NOTHING, Size};
use super::index::{Index, Key, PARTITIONS};
use super::intake::Options;
use super::run::Run;
use super::spill::SpillError;
use super::store::{Kept, Parts};
use crate::formats::telemetry::codec::stored;
use crate::model::{LeftOut, Problem};

/// What was taken in, ready to be handed out.
pub struct Settled {
    source: Source,
    split: bool,
    problems: VecDeque<(u32, Problem)>,
    max_session: u64,
    batch: usize,
    current: Option<Part>,
}

/// A part of the records that is in memory, and its sessions that are still to be handed out.
type Part = (Arc<Gathered>, IntoIter<Entry>);

enum Source {
    Runs(Index, Vec<Run>),
    Parts(Ahead<Result<Part, SpillError>>),
    Nothing,
}

/// Some sessions whose first records all stood in one file, to be brought together.
pub struct Portion {
    /// Index of that file.
    pub file: u32,
    from: Option<Arc<Gathered>>,
    /// Bytes of their records.
    size: u64,
    items: Vec<Result<Range<usize>, Problem>>,
}

/// The same, each session's records one after the other.
#[derive(Debug)]
pub struct Sessions {
    /// Holds the sessions' bytes.
    pub buffer: Vec<u8>,
    /// Each session: its records ([`crate::formats::telemetry::codec`]), or why there are none.
    pub items: Vec<Result<Range<usize>, Problem>>,
}

impl Settled {
    pub(super) fn new(
        index: Index,
        kept: Kept,
        problems: VecDeque<(u32, Problem)>,
        options: &Options,
    ) -> Result<Self, SpillError> {
        let (max_session, batch, load) = (options.max_session as u64, options.batch, options.load as u64);
        let split = matches!(kept, Kept::Parts(_));
        let source = match kept {
            Kept::Runs(runs) => Source::Runs(index, runs),
            Kept::Parts(parts) => {
                let mut rest = Partitions { index, parts, next: 0, passes: VecDeque::new(), load, max_session };
                let ahead = Ahead::new("assemble", move || rest.gather().transpose());
                Source::Parts(ahead.map_err(|why| SpillError { dir: options.spill_dir.clone(), why })?)
            }
        };
        Ok(Self { source, split, problems, max_session, batch, current: None })
    }

    /// Whether the records were more than are kept as they came.
    pub fn split(&self) -> bool {
        self.split
    }

    /// The next sessions, or `None` after the last.
    pub fn next_portion(&mut self) -> Result<Option<Portion>, SpillError> {
        if let Some((file, problem)) = self.problems.pop_front() {
            return Ok(Some(Portion { file, from: None, size: 0, items: vec![Err(problem)] }));
        }
        loop {
            if let Some((from, entries)) = &mut self.current
                && entries.len() > 0
            {
                return Ok(Some(hand_out(from, entries, self.batch, self.max_session)));
            }
            self.current = None;
            self.current = match std::mem::replace(&mut self.source, Source::Nothing) {
                Source::Runs(index, runs) => {
                    let mut gather = Gather::new(&index, self.max_session);
                    runs.into_iter().for_each(|run| gather.add_run(run));
                    let (gathered, entries) = gather.finish();
                    Some((Arc::new(gathered), entries))
                }
                Source::Parts(mut ahead) => {
                    let part = ahead.next().transpose()?;
                    self.source = Source::Parts(ahead);
                    part
                }
                Source::Nothing => None,
            };
            if self.current.is_none() {
                return Ok(None);
            }
        }
    }
}

/// Records that are split by home, brought back into memory partition by partition.
struct Partitions {
    index: Index,
    parts: Parts,
    /// The next partition, and what is still to be brought in of the one before.
    next: usize,
    passes: VecDeque<HashMap<Key, Size>>,
    /// Bytes that are brought in at once.
    load: u64,
    max_session: u64,
}

impl Partitions {
    /// Brings the next part into memory.
    fn gather(&mut self) -> Result<Option<Part>, SpillError> {
        let Self { index, parts, next, passes, load, max_session } = self;
        let mut gather = Gather::new(index, *max_session);
        let finished = |gather: Gather<'_>| {
            let (gathered, entries) = gather.finish();
            Ok(Some((Arc::new(gathered), entries)))
        };
        loop {
            if let Some(pass) = passes.pop_front() {
                some(parts, *next - 1, index, &pass, *max_session, &mut gather)?;
                return finished(gather);
            }
            if let Some(done) = next.checked_sub(1) {
                parts.forget(done);
            }
            let partition = *next;
            if partition == PARTITIONS {
                return Ok(None);
            }
            *next += 1;
            if parts.bytes(partition) > *load {
                *passes = plan(parts, partition, index, *load, *max_session)?;
            } else if parts.chunks(partition) > 0 {
                for chunk in 0..parts.chunks(partition) {
                    let mut block = Vec::new();
                    parts.read(partition, chunk, &mut block)?;
                    gather.add(block.into(), |home| home.partition() == partition);
                }
                return finished(gather);
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
                sizes.entry(home).or_insert(NOTHING).add(record.place, record.tail.len());
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
fn hand_out(from: &Arc<Gathered>, entries: &mut IntoIter<Entry>, batch: usize, max: u64) -> Portion {
    let (mut items, mut file, mut size) = (Vec::new(), None, 0);
    while let Some(next) = entries.as_slice().first() {
        let other = *file.get_or_insert(next.size.first.file) != next.size.first.file;
        if other || (!items.is_empty() && size + next.size.bytes > batch as u64) {
            break;
        }
        let Some(entry) = entries.next() else { break };
        items.push(match entry.content {
            Content::Records(records) => {
                // Beside its content, a record takes its place and its length.
                size += entry.size.bytes + 32 * records.len() as u64;
                Ok(records)
            }
            Content::TooLarge(id) => Err(too_large(id.as_deref(), entry.size.bytes, max)),
        });
    }
    Portion { file: file.unwrap_or_default(), from: Some(from.clone()), size, items }
}

impl Portion {
    /// How many sessions there are, those that cannot be brought together among them.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Copies the records of each session together. `recycled` is the buffer of sessions that are done with, or empty.
    pub fn bring_together(self, recycled: Vec<u8>) -> Sessions {
        let mut buffer = recycled;
        buffer.clear();
        let size = usize::try_from(self.size).unwrap_or_default();
        if buffer.capacity() / 4 > size {
            buffer = Vec::new();
        }
        buffer.reserve(size);
        let copy = |records: Range<usize>| {
            let start = buffer.len();
            if let Some(from) = &self.from {
                from.put(records, &mut buffer);
            }
            start..buffer.len()
        };
        let items = self.items.into_iter().map({
            let mut copy = copy;
            move |item| item.map(&mut copy)
        });
        let items = items.collect();
        Sessions { buffer, items }
    }
}

fn too_large(id: Option<&str>, bytes: u64, max: u64) -> Problem {
    let name = id.map_or_else(String::new, |id| format!(" `{}`", id.chars().take(200).collect::<String>()));
    let message = format!("the records of session{name} take {bytes} bytes, more than {max} (`max_session_bytes`)");
    Problem::new(LeftOut::TooLarge, message)
}
