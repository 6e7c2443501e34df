//! What was acknowledged, on disk: requests as they came, one after the other, and marks that say what became of them.
//!
//! A spool is a folder of segments, each a file of frames: length, kind, number, checksum, content. A frame is in the
//! file before its request is acknowledged, so that the end of the process loses nothing (the end of the machine may: frames are
//! not forced onto the disk one by one). One that was being written then is torn: its checksum says so, nobody was
//! told that it arrived, and it is cut off. A segment goes when nothing in it is waited for any more, the oldest first.
//!
//! Sessions are written to a file beside the spool. A mark says which session was written, up to which frame its records
//! are in it, and how long the file then was, so that what is written twice after the end of the process can be cut off.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use crate::assemble::live::Key;

/// A segment that is followed by another once it has this many bytes.
const SEGMENT: u64 = 32 << 20;
/// Length, kind, number, checksum.
const HEAD: usize = 4 + 1 + 8 + 4;
/// Kinds of frames besides requests.
const BEGIN: u8 = 0x10;
const WRITTEN: u8 = 0x11;
/// The file that only one process at a time has.
const LOCK: &str = "lock";

/// How a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// OTLP in protobuf.
    Protobuf,
    /// OTLP in JSON.
    Json,
}

impl Encoding {
    const fn kind(self) -> u8 {
        match self {
            Self::Protobuf => 1,
            Self::Json => 2,
        }
    }

    const fn of(kind: u8) -> Option<Self> {
        match kind {
            1 => Some(Self::Protobuf),
            2 => Some(Self::Json),
            _ => None,
        }
    }
}

/// Why the spool takes nothing.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It has as many bytes as it may have.
    #[error("the spool is full: {bytes} bytes of {limit} wait for their sessions to end")]
    Full {
        /// Bytes that it has.
        bytes: u64,
        /// Bytes that it may have.
        limit: u64,
    },
    /// The disk does not take it.
    #[error("the spool `{}` could not be written: {why}", dir.display())]
    Disk {
        /// The folder.
        dir: PathBuf,
        /// What went wrong.
        #[source]
        why: io::Error,
    },
}

/// The frames of a spool that is being written.
pub struct Spool {
    dir: PathBuf,
    file: File,
    /// The segments that are there, the current one last: number and bytes.
    segments: VecDeque<(u64, u64)>,
    /// Frames in the current segment.
    frames: u32,
    bytes: u64,
    limit: u64,
    /// Length of the file of sessions.
    written: u64,
    /// Kept for its memory.
    buffer: Vec<u8>,
    _lock: File,
}

/// Where a frame stands: larger is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    segment: u64,
    frame: u32,
}

/// What a spool holds that an earlier process left.
#[derive(Debug)]
pub struct Left {
    dir: PathBuf,
    segments: Vec<u64>,
    lock: File,
    /// Homes to forget after a frame.
    forget: BTreeMap<Spot, Vec<Key>>,
    /// How long the file of sessions was when the last session was known to be in it; `None` where no process said so.
    pub written: Option<u64>,
    /// Frames that were torn or damaged, and what is behind them in their segments.
    pub damaged: u32,
}

/// What is done with what an earlier process left.
pub enum Past<'a> {
    /// A request: how it is written, its number, itself.
    Request(Encoding, u64, &'a [u8], u64),
    /// A home whose records, so far, were written as a session.
    Written(Key),
}

impl Spot {
    /// The segment in which it stands.
    pub fn segment(self) -> u64 {
        self.segment
    }
}

impl Left {
    /// Looks at a folder, which is made if need be. `Err` with `WouldBlock` when another process has it.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(LOCK))?;
        lock.try_lock().map_err(|why| match why {
            fs::TryLockError::WouldBlock => io::Error::from(io::ErrorKind::WouldBlock),
            fs::TryLockError::Error(why) => why,
        })?;
        let mut segments = Vec::new();
        for entry in fs::read_dir(dir)? {
            segments.extend(entry?.file_name().to_str().and_then(number));
        }
        segments.sort_unstable();
        let (forget, written, damaged) = (BTreeMap::new(), None, 0);
        let mut left = Self { dir: dir.to_owned(), segments, lock, forget, written, damaged };
        left.marks()?;
        Ok(left)
    }

    /// Whether nothing was left.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Learns what the marks say, and cuts off what is torn.
    fn marks(&mut self) -> io::Result<()> {
        for segment in self.segments.clone() {
            let path = path(&self.dir, segment);
            let mut content = Vec::new();
            let mut frames = Frames::open(&path)?;
            while let Some((kind, _)) = frames.next(&mut content)? {
                match (kind, &content[..]) {
                    (BEGIN, content) => self.written = content.try_into().ok().map(u64::from_le_bytes),
                    (WRITTEN, content) => {
                        let Some((home, up_to, written)) = mark(content) else { continue };
                        self.forget.entry(up_to).or_default().push(home);
                        self.written = Some(written);
                    }
                    _ => {}
                }
            }
            if frames.good < frames.len {
                self.damaged += 1;
                OpenOptions::new().write(true).open(&path)?.set_len(frames.good)?;
            }
        }
        Ok(())
    }

    /// Goes through what was left, in order.
    pub fn replay<E: From<io::Error>>(&self, each: &mut dyn FnMut(Past<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut content = Vec::new();
        for &segment in &self.segments {
            let mut frames = Frames::open(&path(&self.dir, segment))?;
            let mut frame = 0;
            while let Some((kind, number)) = frames.next(&mut content)? {
                frame += 1;
                if let Some(encoding) = Encoding::of(kind) {
                    each(Past::Request(encoding, number, &content, segment))?;
                }
                for home in self.forget.get(&Spot { segment, frame }).into_iter().flatten() {
                    each(Past::Written(*home))?;
                }
            }
        }
        Ok(())
    }

    /// Goes on where the earlier process ended, in a new segment. `written` is the length of the file of sessions.
    pub fn resume(self, limit: u64, written: u64) -> Result<Spool, SpoolError> {
        let disk = |why| SpoolError::Disk { dir: self.dir.clone(), why };
        let size = |segment: &u64| {
            let bytes = fs::metadata(path(&self.dir, *segment)).map(|m| m.len());
            bytes.map(|bytes| (*segment, bytes))
        };
        let mut segments = self.segments.iter().map(size).collect::<io::Result<VecDeque<_>>>().map_err(disk)?;
        let bytes = segments.iter().map(|(_, bytes)| bytes).sum();
        let next = segments.back().map_or(0, |(number, _)| number + 1);
        let file = new_segment(&self.dir, next).map_err(disk)?;
        segments.push_back((next, 0));
        let (dir, buffer) = (self.dir, Vec::new());
        let mut spool = Spool { dir, file, segments, frames: 0, bytes, limit, written, buffer, _lock: self.lock };
        spool.frame(BEGIN, 0, &written.to_le_bytes())?;
        Ok(spool)
    }
}

impl Spool {
    /// Appends a request; where it stands. It is in the file when this returns.
    pub fn append(&mut self, encoding: Encoding, number: u64, request: &[u8]) -> Result<Spot, SpoolError> {
        let bytes = self.bytes + request.len() as u64;
        if bytes > self.limit {
            return Err(SpoolError::Full { bytes: self.bytes, limit: self.limit });
        }
        if self.segments.back().is_some_and(|(_, bytes)| *bytes >= SEGMENT) {
            self.next_segment()?;
        }
        self.frame(encoding.kind(), number, request)?;
        Ok(self.here())
    }

    /// The segment that is written to.
    pub fn segment(&self) -> u64 {
        self.here().segment
    }

    /// Where the last frame stands.
    pub fn here(&self) -> Spot {
        Spot { segment: self.segments.back().map_or(0, |(number, _)| *number), frame: self.frames }
    }

    /// Marks that the records of `home` up to a frame are a session that was written; the file of sessions now has
    /// `written` bytes.
    pub fn mark(&mut self, home: Key, up_to: Spot, written: u64) -> Result<(), SpoolError> {
        self.written = written;
        let mut content = home.to_bytes().to_vec();
        content.extend_from_slice(&up_to.segment.to_le_bytes());
        content.extend_from_slice(&up_to.frame.to_le_bytes());
        content.extend_from_slice(&written.to_le_bytes());
        self.frame(WRITTEN, 0, &content)
    }

    /// Removes the segments before `oldest`: nothing in them is waited for.
    pub fn release(&mut self, oldest: u64) {
        while let Some((number, bytes)) = self.segments.front().copied().filter(|(n, _)| *n < oldest) {
            if self.segments.len() == 1 || fs::remove_file(path(&self.dir, number)).is_err() {
                break;
            }
            self.bytes -= bytes;
            self.segments.pop_front();
        }
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Removes everything: nothing is waited for any more.
    pub fn remove(self) -> Result<(), SpoolError> {
        let segments = self.segments.iter().try_for_each(|(number, _)| fs::remove_file(path(&self.dir, *number)));
        let all = segments.and_then(|()| fs::remove_file(self.dir.join(LOCK))).and_then(|()| fs::remove_dir(&self.dir));
        all.map_err(|why| self.disk(why))
    }

    fn next_segment(&mut self) -> Result<(), SpoolError> {
        let next = self.segment() + 1;
        self.file = new_segment(&self.dir, next).map_err(|why| self.disk(why))?;
        self.segments.push_back((next, 0));
        self.frames = 0;
        self.frame(BEGIN, 0, &self.written.to_le_bytes())
    }

    fn frame(&mut self, kind: u8, number: u64, content: &[u8]) -> Result<(), SpoolError> {
        let too_long = |_| io::Error::from(io::ErrorKind::FileTooLarge);
        let len = u32::try_from(content.len()).map_err(too_long).map_err(|why| self.disk(why))?;
        self.buffer.clear();
        self.buffer.extend_from_slice(&len.to_le_bytes());
        self.buffer.push(kind);
        self.buffer.extend_from_slice(&number.to_le_bytes());
        self.buffer.extend_from_slice(&checksum(kind, number, content).to_le_bytes());
        self.buffer.extend_from_slice(content);
        let before = self.segments.back().map_or(0, |(_, bytes)| *bytes);
        let wrote = self.file.write_all(&self.buffer);
        if self.buffer.capacity() > 16 << 20 {
            self.buffer = Vec::new();
        }
        if let Err(why) = wrote {
            // What is half there would hide what comes behind it: it is cut off, else the segment ends with it.
            if self.file.set_len(before).is_err()
                && let Some((_, bytes)) = self.segments.back_mut()
            {
                *bytes = (*bytes).max(SEGMENT);
            }
            return Err(self.disk(why));
        }
        let bytes = (HEAD + content.len()) as u64;
        if let Some((_, of_segment)) = self.segments.back_mut() {
            *of_segment += bytes;
        }
        self.bytes += bytes;
        self.frames += 1;
        Ok(())
    }

    fn disk(&self, why: io::Error) -> SpoolError {
        SpoolError::Disk { dir: self.dir.clone(), why }
    }
}

/// What agents said is in there as they said it: for nobody else to read.
fn new_segment(dir: &Path, number: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.append(true).create_new(true).open(path(dir, number))
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.frames"))
}

fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".frames")?.parse().ok()
}

fn checksum(kind: u8, number: u64, content: &[u8]) -> u32 {
    let mut hash = Xxh3::new();
    hash.update(&[kind]);
    hash.update(&number.to_le_bytes());
    hash.update(content);
    hash.digest() as u32
}

fn mark(content: &[u8]) -> Option<(Key, Spot, u64)> {
    let (home, rest) = content.split_first_chunk::<16>()?;
    let (segment, rest) = rest.split_first_chunk::<8>()?;
    let (frame, written) = rest.split_first_chunk::<4>()?;
    let up_to = Spot { segment: u64::from_le_bytes(*segment), frame: u32::from_le_bytes(*frame) };
    Some((Key::from_bytes(*home), up_to, u64::from_le_bytes(written.try_into().ok()?)))
}

/// The frames of a segment, up to the first that is torn.
struct Frames {
    file: BufReader<File>,
    len: u64,
    /// Bytes up to the end of the last whole frame.
    good: u64,
}

impl Frames {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Self { len: file.metadata()?.len(), file: BufReader::with_capacity(1 << 16, file), good: 0 })
    }

    /// Reads the next frame's content; its kind and number, or `None` after the last.
    fn next(&mut self, content: &mut Vec<u8>) -> io::Result<Option<(u8, u64)>> {
        let left = self.len - self.good;
        if left < HEAD as u64 {
            return Ok(None);
        }
        let (mut len, mut kind, mut number, mut sum) = ([0; 4], [0; 1], [0; 8], [0; 4]);
        for part in [&mut len[..], &mut kind, &mut number, &mut sum] {
            self.file.read_exact(part)?;
        }
        let (len, [kind], number) = (u64::from(u32::from_le_bytes(len)), kind, u64::from_le_bytes(number));
        if len > left - HEAD as u64 {
            return Ok(None);
        }
        content.clear();
        self.file.by_ref().take(len).read_to_end(content)?;
        if content.len() as u64 != len || checksum(kind, number, content) != u32::from_le_bytes(sum) {
            return Ok(None);
        }
        self.good += HEAD as u64 + len;
        Ok(Some((kind, number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a spool holds, in words.
    fn told(dir: &Path) -> (Vec<String>, Option<u64>, u32) {
        let left = Left::open(dir).unwrap();
        let mut told = Vec::new();
        let each = &mut |past: Past<'_>| {
            told.push(match past {
                Past::Request(encoding, number, bytes, _) => {
                    format!("{encoding:?} {number} {}", String::from_utf8_lossy(bytes))
                }
                Past::Written(home) => if home == Key::session("s") { "written s" } else { "written ?" }.to_owned(),
            });
            Ok::<(), io::Error>(())
        };
        left.replay(each).unwrap();
        (told, left.written, left.damaged)
    }

    fn fresh(dir: &Path) -> Spool {
        Left::open(dir).unwrap().resume(1 << 20, 7).unwrap()
    }

    #[test]
    fn what_was_appended_is_there_after_the_end_of_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = fresh(dir.path());
        spool.append(Encoding::Protobuf, 1, b"one").unwrap();
        spool.append(Encoding::Json, 2, b"two").unwrap();
        drop(spool);
        assert_eq!(told(dir.path()), (vec!["Protobuf 1 one".into(), "Json 2 two".into()], Some(7), 0));
        let mut spool = Left::open(dir.path()).unwrap().resume(1 << 20, 9).unwrap();
        spool.append(Encoding::Json, 3, b"three").unwrap();
        drop(spool);
        let (all, written, _) = told(dir.path());
        assert_eq!((all.len(), written), (3, Some(9)));
    }

    #[test]
    fn a_mark_counts_from_the_frame_that_it_names() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = fresh(dir.path());
        let up_to = spool.append(Encoding::Json, 1, b"one").unwrap();
        spool.append(Encoding::Json, 2, b"two").unwrap();
        spool.mark(Key::session("s"), up_to, 99).unwrap();
        drop(spool);
        assert_eq!(told(dir.path()), (vec!["Json 1 one".into(), "written s".into(), "Json 2 two".into()], Some(99), 0));
    }

    #[test]
    fn a_torn_frame_is_cut_off_wherever_it_is_torn() {
        for cut in 1..(HEAD as u64 + 3) {
            let dir = tempfile::tempdir().unwrap();
            let mut spool = fresh(dir.path());
            spool.append(Encoding::Json, 1, b"one").unwrap();
            spool.append(Encoding::Json, 2, b"two").unwrap();
            drop(spool);
            let file = OpenOptions::new().write(true).open(path(dir.path(), 0)).unwrap();
            file.set_len(file.metadata().unwrap().len() - cut).unwrap();
            assert_eq!(told(dir.path()), (vec!["Json 1 one".into()], Some(7), 1), "{cut}");
            assert_eq!(told(dir.path()).2, 0, "it is gone");
        }
    }

    #[test]
    fn a_damaged_frame_is_recognised() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = fresh(dir.path());
        spool.append(Encoding::Json, 1, b"one").unwrap();
        spool.append(Encoding::Json, 2, b"two").unwrap();
        drop(spool);
        let mut bytes = fs::read(path(dir.path(), 0)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path(dir.path(), 0), bytes).unwrap();
        assert_eq!(told(dir.path()).0, ["Json 1 one"]);
    }

    #[test]
    fn it_takes_no_more_than_it_may_and_gives_back_what_is_done_with() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Left::open(dir.path()).unwrap().resume(200, 0).unwrap();
        spool.append(Encoding::Json, 1, &[b'x'; 150]).unwrap();
        assert!(matches!(spool.append(Encoding::Json, 2, &[b'x'; 50]), Err(SpoolError::Full { limit: 200, .. })));
        spool.next_segment().unwrap();
        spool.release(spool.segment());
        assert!(spool.bytes() < 100);
        spool.append(Encoding::Json, 2, &[b'x'; 50]).unwrap();
        spool.release(u64::MAX);
        assert_eq!(spool.segments.len(), 1, "the one that is written to stays");
        spool.remove().unwrap();
        assert!(!dir.path().exists());
    }

    #[test]
    fn one_process_at_a_time_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let spool = fresh(dir.path());
        assert_eq!(Left::open(dir.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(spool);
        Left::open(dir.path()).unwrap();
    }
}
