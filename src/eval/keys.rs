//! Which keys were met before: exactly, and in memory that hardly grows with their number.
//!
//! The latest are in a table. When it is full they go to a temporary file, sorted, as a run; of a run only a filter stays in
//! memory, some ten bits a key, and the first key of each of its pages. A key that is new is nearly always told by the
//! filters alone, and one that is not by reading a page. Eight runs of a size become one, so that there are never many. The
//! file has no name, so that nothing is left of it however the process ends; what was merged is not written over.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::fs::File;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::scratch;

/// Most keys in the table: about 300 KB.
const RECENT: usize = 14_000;
/// Runs of one size that become one of the next.
const MERGED: usize = 8;
/// Bytes of a key in the file.
const KEY: usize = size_of::<u128>();
/// Keys that are read at once.
const PAGE: usize = 256;
/// Bits of a filter for each key, and those that a key sets: of 1,000 new keys 7 are looked for in vain.
const FILTER: (usize, u32) = (12, 6);

/// The key of a value. Two values with the same key are as likely as two ids of 128 random bits that are the same.
pub fn key(value: &impl Hash) -> u128 {
    let half = |which: u8| {
        let mut hasher = DefaultHasher::new();
        which.hash(&mut hasher);
        value.hash(&mut hasher);
        hasher.finish()
    };
    u128::from(half(0)) << 64 | u128::from(half(1))
}

/// A key is a hash already. Who makes up values whose keys fall together makes a table of bounded size slower, and no more.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |all, byte| all.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = (key >> 64) as u64 ^ key as u64;
    }
}

/// Keys met so far. They are taken for random: what they are made of must be hashed.
pub struct Keys {
    recent: HashSet<u128, BuildHasherDefault<AsItIs>>,
    room: usize,
    runs: Vec<Run>,
    /// Made when the table is full for the first time.
    file: Option<File>,
    /// Its length.
    len: u64,
    page: Vec<u8>,
}

impl Default for Keys {
    fn default() -> Self {
        Self::with_room(RECENT)
    }
}

impl Keys {
    /// None, with a table for so many.
    fn with_room(room: usize) -> Self {
        Self { recent: HashSet::default(), room: room.max(1), runs: Vec::new(), file: None, len: 0, page: Vec::new() }
    }

    /// Notes a key; whether it is new.
    ///
    /// # Errors
    /// The temporary file could not be made, written or read.
    pub fn insert(&mut self, key: u128) -> io::Result<bool> {
        if self.is_filed(key)? || !self.recent.insert(key) {
            return Ok(false);
        }
        if self.recent.len() >= self.room {
            self.settle()?;
        }
        Ok(true)
    }

    /// Whether a key was met.
    ///
    /// # Errors
    /// The temporary file could not be read.
    pub fn contains(&mut self, key: u128) -> io::Result<bool> {
        Ok(self.recent.contains(&key) || self.is_filed(key)?)
    }

    /// Whether a key is in the file.
    fn is_filed(&mut self, key: u128) -> io::Result<bool> {
        let Some(file) = &mut self.file else { return Ok(false) };
        let bits = Filter::bits(key);
        for run in self.runs.iter().filter(|run| run.filter.may_hold(key, &bits)) {
            if run.holds(key, file, &mut self.page)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives up all keys; the table keeps its memory.
    pub fn clear(&mut self) {
        self.recent.clear();
        self.runs.clear();
        (self.file, self.len) = (None, 0);
    }

    /// Moves the table to the file, as a run; then runs of one size become one.
    fn settle(&mut self) -> io::Result<()> {
        let mut keys: Vec<u128> = self.recent.drain().collect();
        keys.sort_unstable();
        let mut new = self.begin(keys.len() as u64, 0)?;
        for key in keys {
            self.append(&mut new, key)?;
        }
        self.finish(new)?;
        while let Some(first) = self.runs.len().checked_sub(MERGED)
            && self.runs[first].size == self.runs[self.runs.len() - 1].size
        {
            self.merge(first)?;
        }
        Ok(())
    }

    /// Makes one run of all from `first` on.
    fn merge(&mut self, first: usize) -> io::Result<()> {
        let old = self.runs.split_off(first);
        let mut new = self.begin(old.iter().map(|run| run.keys).sum(), old[0].size + 1)?;
        let mut cursors: Vec<Cursor> = old.iter().map(Cursor::of).collect();
        let mut next = BinaryHeap::new();
        for (i, cursor) in cursors.iter_mut().enumerate() {
            next.extend(self.next(cursor)?.map(|key| Reverse((key, i))));
        }
        while let Some(Reverse((key, i))) = next.pop() {
            self.append(&mut new, key)?;
            next.extend(self.next(&mut cursors[i])?.map(|key| Reverse((key, i))));
        }
        self.finish(new)
    }

    fn begin(&mut self, keys: u64, size: u32) -> io::Result<(Run, Vec<u8>)> {
        if self.file.is_none() {
            self.file = Some(scratch::file()?);
        }
        let run = Run { at: self.len, keys: 0, size, filter: Filter::of(keys), firsts: Vec::new() };
        Ok((run, Vec::with_capacity(PAGE * KEY)))
    }

    /// Adds a key to a run, which are its keys in order.
    fn append(&mut self, (run, page): &mut (Run, Vec<u8>), key: u128) -> io::Result<()> {
        if run.keys.is_multiple_of(PAGE as u64) {
            run.firsts.push(key);
            self.write(page)?;
        }
        run.keys += 1;
        run.filter.add(key);
        page.extend_from_slice(&key.to_le_bytes());
        Ok(())
    }

    fn finish(&mut self, (run, mut page): (Run, Vec<u8>)) -> io::Result<()> {
        self.write(&mut page)?;
        self.runs.push(run);
        Ok(())
    }

    fn write(&mut self, page: &mut Vec<u8>) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        file.seek(SeekFrom::Start(self.len))?;
        file.write_all(page)?;
        self.len += page.len() as u64;
        page.clear();
        Ok(())
    }

    /// The next key under a cursor.
    fn next(&mut self, cursor: &mut Cursor) -> io::Result<Option<u128>> {
        if cursor.read == cursor.page.len() {
            let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
            cursor.page.resize(cursor.left.min(PAGE as u64) as usize * KEY, 0);
            file.seek(SeekFrom::Start(cursor.at))?;
            file.read_exact(&mut cursor.page)?;
            cursor.at += cursor.page.len() as u64;
            cursor.read = 0;
        }
        let Some((bytes, _)) = cursor.page[cursor.read..].split_first_chunk::<KEY>() else { return Ok(None) };
        cursor.read += KEY;
        cursor.left -= 1;
        Ok(Some(u128::from_le_bytes(*bytes)))
    }
}

/// Keys in the file, in order.
struct Run {
    at: u64,
    keys: u64,
    /// How often what is in it was merged.
    size: u32,
    filter: Filter,
    /// The first key of each page.
    firsts: Vec<u128>,
}

impl Run {
    /// Whether a key is in it.
    fn holds(&self, key: u128, file: &mut File, page: &mut Vec<u8>) -> io::Result<bool> {
        let Some(at) = self.firsts.partition_point(|first| *first <= key).checked_sub(1) else { return Ok(false) };
        let before = (at * PAGE) as u64;
        page.resize((self.keys - before).min(PAGE as u64) as usize * KEY, 0);
        file.seek(SeekFrom::Start(self.at + before * KEY as u64))?;
        file.read_exact(page)?;
        let (keys, _) = page.as_chunks::<KEY>();
        Ok(keys.binary_search_by_key(&key, |bytes| u128::from_le_bytes(*bytes)).is_ok())
    }
}

/// Where a run is read on.
struct Cursor {
    at: u64,
    left: u64,
    page: Vec<u8>,
    /// Bytes of the page that are read.
    read: usize,
}

impl Cursor {
    fn of(run: &Run) -> Self {
        Self { at: run.at, left: run.keys, page: Vec::new(), read: 0 }
    }
}

/// A Bloom filter: what it does not know is new. All bits of a key lie in one line: a key is looked for in every run, and
/// to fetch the lines is what takes the time.
struct Filter(Vec<Line>);

/// A line of the processor's cache.
#[derive(Clone, Default)]
#[repr(align(64))]
struct Line([u64; 8]);

impl Filter {
    fn of(keys: u64) -> Self {
        Self(vec![Line::default(); (keys as usize * FILTER.0).div_ceil(512).max(1)])
    }

    /// The line of a key: the upper half of it as a fraction of all lines.
    fn line(&self, key: u128) -> usize {
        (((key >> 64) * self.0.len() as u128) >> 64) as usize
    }

    /// The bits of a key in its line: nine bits of the lower half say where each is.
    fn bits(key: u128) -> Line {
        let mut line = Line::default();
        for i in 0..FILTER.1 {
            let bit = (key as u64 >> (9 * i)) as usize % 512;
            line.0[bit / 64] |= 1 << (bit % 64);
        }
        line
    }

    fn add(&mut self, key: u128) {
        let (at, bits) = (self.line(key), Self::bits(key));
        self.0[at].0.iter_mut().zip(bits.0).for_each(|(word, bits)| *word |= bits);
    }

    fn may_hold(&self, key: u128, bits: &Line) -> bool {
        // All at once: to stop at the first would be guessed wrong each time.
        let missing = self.0[self.line(key)].0.iter().zip(bits.0).fold(0, |all, (word, bits)| all | (bits & !word));
        missing == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever lies in the table, in runs and in runs of runs.
        #[test]
        fn keys_are_new_once(room in 1..6_usize, values in prop::collection::vec(0..300_u32, 0..600)) {
            let (mut keys, mut known) = (Keys::with_room(room), HashSet::new());
            for value in values {
                let key = key(&value);
                prop_assert_eq!(keys.contains(key).unwrap(), known.contains(&key));
                prop_assert_eq!(keys.insert(key).unwrap(), known.insert(key));
            }
            keys.clear();
            prop_assert!(known.into_iter().all(|key| keys.insert(key).unwrap()));
        }
    }

    #[test]
    fn many_keys_leave_two_bytes_each_in_memory_and_few_are_looked_for_in_vain() {
        let (mut keys, n) = (Keys::with_room(100), 100_000_u32);
        assert!((0..n).all(|i| keys.insert(key(&i)).unwrap()));
        assert!((0..n).step_by(97).all(|i| !keys.insert(key(&i)).unwrap()));
        let held = |run: &Run| run.filter.0.len() * size_of::<Line>() + run.firsts.len() * KEY;
        assert!(keys.runs.iter().map(held).sum::<usize>() < 2 * n as usize);
        assert!(keys.runs.len() < 4 * MERGED, "{}", keys.runs.len());
        let vain = |i: &u32| keys.runs.iter().any(|run| run.filter.may_hold(key(i), &Filter::bits(key(i))));
        let vain = (n..2 * n).filter(vain).count();
        assert!(vain < n as usize / 4, "{vain}");
    }

    #[test]
    fn what_was_kept_and_cannot_be_read_back_is_an_error_and_never_new() {
        let mut keys = Keys::with_room(4);
        assert!((0..8_u32).all(|i| keys.insert(key(&i)).unwrap()));
        // Somebody cuts the file short.
        keys.file.as_ref().unwrap().set_len(3).unwrap();
        assert_eq!(keys.contains(key(&0_u32)).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(keys.insert(key(&0_u32)).is_err());
        // What is still in the table is known.
        let mut keys = Keys::with_room(4);
        assert!((0..5_u32).all(|i| keys.insert(key(&i)).unwrap()));
        assert!(!keys.insert(key(&4_u32)).unwrap());
    }

    #[test]
    #[cfg(unix)]
    fn what_cannot_be_kept_is_an_error() {
        let mut keys = Keys::with_room(2);
        // Nothing can be written to it.
        keys.file = Some(File::open("/dev/null").unwrap());
        assert!(keys.insert(key(&1_u32)).unwrap());
        assert!(keys.insert(key(&2_u32)).is_err());
    }
}
