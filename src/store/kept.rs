//! Kept sessions: those that did not pass, and a sample of the others, whole, beside the record. By them reports show
//! transcripts when the recordings are long gone.
//!
//! `sessions.jsonl.gz` holds one session a line in seatrial's own format, each packed on its own, so that it can be
//! taken out by its place and the file is nevertheless one that everything reads. `sessions.index.jsonl` says, line by
//! line in the order of the record, which event a session belongs to, where it lies, and how it differs from what was
//! expected of it.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::{Compress, Compression, FlushCompress, Status};
use serde::{Deserialize, Serialize};

use super::against::Against;
use crate::eval::event::Ordinal;
use crate::model::json;
use crate::redact::Redacted;

/// The file of sessions.
pub const SESSIONS: &str = "sessions.jsonl.gz";
/// The file that says where each is.
pub const INDEX: &str = "sessions.index.jsonl";

/// Largest packed session that is taken from a file, in bytes; a damaged index must not ask for more memory.
const MAX_BYTES: u64 = 256 << 20;

/// A session to be kept.
#[derive(Default)]
pub struct Entry {
    /// Its line, packed; empty where there was no room for it.
    pub packed: Vec<u8>,
    /// Whether it passed.
    pub passed: bool,
    /// Whether a person is to look at it: kept whatever else is.
    pub review: bool,
    /// How it differs from what was expected of it.
    pub against: Vec<Against>,
}

thread_local! {
    /// Kept for its memory: to make its tables takes longer than to pack a session with them. The fast level, because
    /// what is packed here is read once or never, and is packed in every run.
    static PACKER: RefCell<Compress> = RefCell::new(Compress::new_gzip(Compression::fast(), 15));
}

/// Where the header of gzip names the system it was made on, and what stands there for none.
const SYSTEM: (usize, u8) = (9, 255);

/// Packs bytes as one member of gzip; members one after another are a file of gzip again. The same bytes on every system.
pub fn pack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    PACKER.with_borrow_mut(|packer| {
        packer.reset();
        let mut out = Vec::with_capacity(bytes.len() / 4 + 64);
        loop {
            let rest = &bytes[packer.total_in() as usize..];
            if packer.compress_vec(rest, &mut out, FlushCompress::Finish)? == Status::StreamEnd {
                break;
            }
            out.reserve(out.capacity());
        }
        out[SYSTEM.0] = SYSTEM.1;
        Ok(out)
    })
}

/// Where a kept session lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Position of the suite in the plan.
    pub suite: u32,
    /// Where the session stood.
    pub at: Ordinal,
    /// Offset and length in the file of sessions.
    pub bytes: (u64, u64),
    /// It passed: it is part of the sample, or of what people look at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passed: bool,
    /// A person is to look at it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub review: bool,
    /// How it differs from what was expected of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<Against>,
}

/// Takes sessions that are to be kept, in the order of the record.
pub trait Keeper: Send {
    /// Keeps one.
    fn keep(&mut self, suite: u32, at: Ordinal, entry: &Redacted<Entry>) -> io::Result<()>;
}

/// Keeps none.
impl Keeper for io::Sink {
    fn keep(&mut self, _: u32, _: Ordinal, _: &Redacted<Entry>) -> io::Result<()> {
        Ok(())
    }
}

/// The files of a run's kept sessions, made when the first is kept.
pub struct Writer {
    dir: PathBuf,
    files: Option<(File, File)>,
    offset: u64,
    /// Bytes of the index so far.
    indexed: u64,
    /// What was kept before the run was continued, as far as it was not kept again.
    past: Option<Reader>,
}

impl Writer {
    /// Kept sessions of the run in the folder `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), files: None, offset: 0, indexed: 0, past: None }
    }

    /// Kept sessions of a run that is continued: those that are there stay, as long as they are the ones to be kept.
    pub fn resume(dir: &Path) -> Self {
        // Without them, or with damaged ones, all are kept again.
        Self { past: Reader::open(dir).ok().flatten(), ..Self::new(dir) }
    }

    /// Takes away what a killed run left unfinished behind the last session that is kept.
    pub fn close(&mut self) -> io::Result<()> {
        if self.past.take().is_some() && self.files.is_none() {
            self.files = Some(self.open()?);
        }
        Ok(())
    }

    /// Whether the session that was kept at this place is the next one.
    fn is_kept(&mut self, place: &Place) -> bool {
        let Some(past) = &mut self.past else { return false };
        let there = past.next.as_ref() == Some(place)
            && past.sessions.metadata().is_ok_and(|m| m.len() >= place.bytes.0 + place.bytes.1);
        let kept = there && past.advance().is_ok();
        if !kept {
            self.past = None;
        }
        kept
    }

    /// The files, from where they are good.
    fn open(&self) -> io::Result<(File, File)> {
        let open = |name: &str, length: u64| {
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(self.dir.join(name))?;
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Ok::<_, io::Error>(file)
        };
        Ok((open(SESSIONS, self.offset)?, open(INDEX, self.indexed)?))
    }
}

impl Keeper for Writer {
    fn keep(&mut self, suite: u32, at: Ordinal, entry: &Redacted<Entry>) -> io::Result<()> {
        let entry = entry.get();
        let bytes = (self.offset, entry.packed.len() as u64);
        let place =
            Place { suite, at, bytes, passed: entry.passed, review: entry.review, against: entry.against.clone() };
        let mut line = json::to_vec(&place)?;
        line.push(b'\n');
        self.indexed += line.len() as u64;
        if self.is_kept(&place) {
            self.offset += bytes.1;
            return Ok(());
        }
        if self.files.is_none() {
            self.indexed -= line.len() as u64;
            self.files = Some(self.open()?);
            self.indexed += line.len() as u64;
        }
        let Some((sessions, index)) = &mut self.files else { return Ok(()) };
        // First the session: what the index names is there, also after a run was killed.
        sessions.write_all(&entry.packed)?;
        self.offset += bytes.1;
        index.write_all(&line)
    }
}

/// Kept sessions, read back in the order of the record.
pub struct Reader {
    sessions: File,
    index: BufReader<File>,
    next: Option<Place>,
}

impl Reader {
    /// Those beside a record; `None` where there are none.
    pub fn open(dir: &Path) -> io::Result<Option<Self>> {
        let open = |name: &str| match File::open(dir.join(name)) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        };
        let (Some(sessions), Some(index)) = (open(SESSIONS)?, open(INDEX)?) else { return Ok(None) };
        let mut reader = Self { sessions, index: BufReader::new(index), next: None };
        reader.advance()?;
        Ok(Some(reader))
    }

    /// The place of the session that stood at `at`, if it was kept. To be asked in the order of the record.
    pub fn find(&mut self, suite: u32, at: Ordinal) -> io::Result<Option<Place>> {
        // Those at a suite's end that the record does not name: the run was killed between the two.
        while self.next.as_ref().is_some_and(|p| p.suite < suite) {
            self.advance()?;
        }
        let found = self.next.take_if(|p| (p.suite, p.at) == (suite, at));
        if found.is_some() {
            self.advance()?;
        }
        Ok(found)
    }

    /// The packed line of a session.
    pub fn packed(&mut self, place: &Place) -> io::Result<Vec<u8>> {
        let (offset, length) = place.bytes;
        if length > MAX_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{INDEX} names a session of {length} bytes"),
            ));
        }
        self.sessions.seek(SeekFrom::Start(offset))?;
        let mut packed = Vec::new();
        Read::by_ref(&mut self.sessions).take(length).read_to_end(&mut packed)?;
        if packed.len() as u64 != length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{SESSIONS} ends within a session")));
        }
        Ok(packed)
    }

    fn advance(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        self.index.read_until(b'\n', &mut line)?;
        // A killed run loses at most the line being written.
        self.next = if line.last() == Some(&b'\n') { Some(serde_json::from_slice(&line)?) } else { None };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(line: &str, passed: bool) -> Redacted<Entry> {
        Redacted::drawn(Entry { packed: pack(line.as_bytes()).unwrap(), passed, review: false, against: Vec::new() })
    }

    fn three() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(dir.path());
        for (suite, at, line) in [(0, (0, 1), "a\n"), (0, (u32::MAX, 0), "b\n"), (1, (0, 0), "c\n")] {
            writer.keep(suite, at, &entry(line, suite == 1)).unwrap();
        }
        dir
    }

    fn unpacked(bytes: &[u8]) -> String {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(bytes).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn each_is_found_by_where_it_stood_and_the_file_is_one_of_all() {
        let dir = three();
        assert_eq!(unpacked(&std::fs::read(dir.path().join(SESSIONS)).unwrap()), "a\nb\nc\n");
        let mut reader = Reader::open(dir.path()).unwrap().unwrap();
        assert!(reader.find(0, (0, 0)).unwrap().is_none());
        let place = reader.find(0, (0, 1)).unwrap().unwrap();
        assert_eq!(unpacked(&reader.packed(&place).unwrap()), "a\n");
        // One that nobody asked for, at the end of its suite, is passed over.
        let place = reader.find(1, (0, 0)).unwrap().unwrap();
        assert!(place.passed);
        assert_eq!(unpacked(&reader.packed(&place).unwrap()), "c\n");
        assert!(reader.find(1, (0, 1)).unwrap().is_none());
    }

    #[test]
    fn what_is_packed_is_unpacked_whatever_was_packed_before_it() {
        let mut noise = fastrand::Rng::with_seed(1);
        for length in [0, 1, 63, 64, 1 << 16, 3 << 20, 5] {
            let text: String = std::iter::repeat_with(|| noise.alphanumeric()).take(length).collect();
            let packed = pack(text.as_bytes()).unwrap();
            assert_eq!(packed[..4], [0x1f, 0x8b, 8, 0]);
            assert_eq!(packed[4..10], [0, 0, 0, 0, 4, 255], "neither when nor where it was made");
            assert!(unpacked(&packed) == text, "{length}");
        }
    }

    #[test]
    fn none_were_kept_where_there_is_no_file() {
        assert!(Reader::open(tempfile::tempdir().unwrap().path()).unwrap().is_none());
    }

    #[test]
    fn a_cut_file_is_an_error_and_a_cut_index_ends() {
        let dir = three();
        let path = dir.path().join(SESSIONS);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let mut reader = Reader::open(dir.path()).unwrap().unwrap();
        let place = reader.find(1, (0, 0)).unwrap().unwrap();
        assert!(reader.packed(&place).is_err());
        let path = dir.path().join(INDEX);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(Reader::open(dir.path()).unwrap().unwrap().find(1, (0, 0)).unwrap().is_none());
    }
}
