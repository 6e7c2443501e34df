//! Runs of records while they wait, packed: in memory as far as a budget goes, then in a temporary file. The file has no
//! name, so that nothing is left of it however the process ends.
//!
//! What agents say repeats itself (every call of a model is given the whole conversation), so that packing is several
//! times faster than a disk, and most inputs never need one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Why records could not be kept on disk, or not be read back.
#[derive(Debug, thiserror::Error)]
#[error(
    "records that wait for the rest of their session could not be kept in `{}`: {why} \
     (the setting `spill_dir` names another folder)",
    dir.display()
)]
pub struct SpillError {
    /// The folder.
    pub dir: PathBuf,
    /// What went wrong.
    #[source]
    pub why: io::Error,
}

/// Records made small.
pub struct Packed {
    bytes: Box<[u8]>,
    /// How many bytes they were.
    len: usize,
}

impl Packed {
    /// Packs a run of records.
    pub fn new(records: &[u8]) -> Self {
        Self { bytes: lz4_flex::block::compress(records).into(), len: records.len() }
    }
}

/// A run of records that was kept.
#[derive(Debug)]
pub struct Chunk {
    at: At,
    /// Bytes of its records.
    len: usize,
}

#[derive(Debug)]
enum At {
    Memory(Box<[u8]>),
    File { offset: u64, len: usize },
}

impl Chunk {
    /// Bytes of its records.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// Keeps what is packed: in memory up to a budget, then in a file, which is written at its end and read anywhere.
#[derive(Debug)]
pub struct Spill {
    dir: PathBuf,
    /// Bytes that may still be held in memory.
    room: usize,
    file: Option<File>,
    len: u64,
    /// Whether the file's position is its end.
    at_end: bool,
    /// Kept for its memory.
    buffer: Vec<u8>,
}

impl Spill {
    /// Nothing kept; no file is made before one is needed.
    pub fn new(dir: &Path, room: usize) -> Self {
        Self { dir: dir.to_owned(), room, file: None, len: 0, at_end: true, buffer: Vec::new() }
    }

    /// Keeps a packed run of records.
    pub fn keep(&mut self, packed: Packed) -> Result<Chunk, SpillError> {
        let Packed { bytes, len } = packed;
        if let Some(left) = self.room.checked_sub(bytes.len()) {
            self.room = left;
            return Ok(Chunk { at: At::Memory(bytes), len });
        }
        // Small ones that come later have no better right to what is left.
        self.room = 0;
        let offset = self.append(&bytes).map_err(|why| self.failed(why))?;
        Ok(Chunk { at: At::File { offset, len: bytes.len() }, len })
    }

    /// Unpacks a chunk into `out`, in place of what is there.
    pub fn read(&mut self, chunk: &Chunk, out: &mut Vec<u8>) -> Result<(), SpillError> {
        out.resize(chunk.len, 0);
        let packed = match &chunk.at {
            At::Memory(bytes) => &bytes[..],
            At::File { offset, len } => {
                let read = self.load(*offset, *len);
                read.map_err(|why| self.failed(why))?;
                &self.buffer[..]
            }
        };
        match lz4_flex::block::decompress_into(packed, out) {
            Ok(len) if len == chunk.len => Ok(()),
            Ok(_) => {
                Err(self.failed(io::Error::new(io::ErrorKind::InvalidData, "it is shorter than what was written")))
            }
            Err(why) => Err(self.failed(io::Error::new(io::ErrorKind::InvalidData, why))),
        }
    }

    fn failed(&self, why: io::Error) -> SpillError {
        SpillError { dir: self.dir.clone(), why }
    }

    /// Writes at the end; where that was.
    fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile_in(&self.dir)?),
        };
        if !self.at_end {
            file.seek(SeekFrom::Start(self.len))?;
        }
        // After a failure the position is anywhere.
        self.at_end = false;
        file.write_all(bytes)?;
        self.at_end = true;
        let offset = self.len;
        self.len += bytes.len() as u64;
        Ok(offset)
    }

    fn load(&mut self, offset: u64, len: usize) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        self.at_end = false;
        self.buffer.resize(len, 0);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_read_back_in_any_order_between_writes_from_memory_and_from_disk() {
        for room in [0, 12, 1 << 20] {
            let dir = tempfile::tempdir().unwrap();
            let mut spill = Spill::new(dir.path(), room);
            let three = "three ".repeat(1000);
            let mut out = Vec::new();
            let a = spill.keep(Packed::new(b"one")).unwrap();
            let b = spill.keep(Packed::new(three.as_bytes())).unwrap();
            spill.read(&a, &mut out).unwrap();
            assert_eq!(out, b"one");
            let c = spill.keep(Packed::new(b"")).unwrap();
            spill.read(&b, &mut out).unwrap();
            assert_eq!((out.len(), b.len()), (6000, 6000));
            assert_eq!(out, three.as_bytes());
            spill.read(&c, &mut out).unwrap();
            assert_eq!(out, b"");
            assert_eq!(spill.file.is_some(), room < 1 << 20);
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it has no name");
        }
    }

    #[test]
    fn what_is_packed_in_memory_is_small() {
        let mut spill = Spill::new(Path::new("no/such/folder"), 1000);
        spill.keep(Packed::new(&[7; 100_000])).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_with_the_setting_that_changes_it() {
        let error = Spill::new(Path::new("no/such/folder"), 0).keep(Packed::new(b"x")).unwrap_err().to_string();
        assert!(error.contains("`no/such/folder`") && error.contains("`spill_dir`"), "{error}");
    }
}
