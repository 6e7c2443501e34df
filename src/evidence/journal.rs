//! `evidence.jsonl`: every answer that a run's verdicts rest on, beside its record, one a line.
//!
//! The same run can be scored again from it without asking anybody ([`super::past`]). What is written went through the
//! rules of redaction; an answer that something was taken out of is there to be read, and not to be used again: a verdict
//! of it might be another. Where a run has limits, what questions count for stands between the answers ([`super::charge`]).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::answered::{Answered, Source};
use super::charge::{Charge, Note, Noted};
use super::question::Key;
use crate::redact::Redacted;

/// The name of the file in a run's folder.
pub const FILE_NAME: &str = "evidence.jsonl";

/// The longest line that is read.
pub const LONGEST: u64 = 16 << 20;
/// The version of the format.
pub const SCHEMA: u32 = 1;

/// The first line.
#[derive(Serialize, Deserialize)]
pub struct Header {
    /// The version of the format.
    pub evidence: u32,
    /// The seatrial that wrote it.
    pub seatrial: String,
}

/// One answer.
#[derive(Serialize, Deserialize)]
pub struct Line<T = Answered> {
    /// What was asked.
    pub key: String,
    /// The model's name in the settings.
    pub model: String,
    /// Where the answer came from.
    pub source: Source,
    /// Something was taken out of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
    /// What it counted for, where the run had limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<Charge>,
    /// The answer with what it took.
    #[serde(flatten)]
    pub answered: T,
}

/// Where a line lies in a file of evidence, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Bytes before it.
    pub at: u64,
    /// Its bytes.
    pub length: u32,
}

/// The evidence of a run while it is written.
pub struct Journal {
    file: File,
    /// Its length.
    end: u64,
}

impl Journal {
    /// Begins or continues the evidence in a run's folder.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(dir.join(FILE_NAME))?;
        let end = file.metadata()?.len();
        let mut journal = if end == 0 {
            let header = Header { evidence: SCHEMA, seatrial: env!("CARGO_PKG_VERSION").to_owned() };
            let mut journal = Self { file, end };
            journal.write(serde_json::to_vec(&header)?)?;
            return Ok(journal);
        } else {
            file.seek(SeekFrom::Start(end - 1))?;
            Self { file, end }
        };
        // A line that was cut when the run was killed ends here.
        let mut last = [0];
        journal.file.read_exact(&mut last)?;
        if last != *b"\n" {
            journal.write(Vec::new())?;
        }
        Ok(journal)
    }

    /// Writes an answer; says where.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(
        &mut self,
        key: &Key,
        model: &str,
        source: Source,
        redacted: bool,
        charge: Option<Charge>,
        answered: &Redacted<impl Serialize>,
    ) -> io::Result<Place> {
        let line = Line { key: key.to_string(), model: model.to_owned(), source, redacted, charge, answered };
        self.write(serde_json::to_vec(&line)?)
    }

    /// Notes what a question counts for that has no answer, or none yet.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note(&mut self, key: &Key, note: Note) -> io::Result<()> {
        self.write(serde_json::to_vec(&Noted { key: key.to_string(), note })?).map(|_| ())
    }

    fn write(&mut self, mut text: Vec<u8>) -> io::Result<Place> {
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        text.push(b'\n');
        self.file.write_all(&text)?;
        let at = self.end;
        self.end += text.len() as u64;
        Ok(Place { at, length })
    }
}

/// A file of evidence whose lines are read one by one, wherever they lie.
pub struct Lines(Mutex<File>);

impl Lines {
    /// Opens a file of evidence.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(File::open(path)?)))
    }

    /// The line at a place, which must be the one of a key.
    ///
    /// # Errors
    /// In words, why it cannot be read.
    pub fn read(&self, key: &Key, place: Place) -> Result<Line, String> {
        let text =
            self.bytes(place).map_err(|why| format!("an answer cannot be read back from the evidence: {why}"))?;
        let line = serde_json::from_slice::<Line>(&text).ok().filter(|line| Key::parse(&line.key) == Some(*key));
        line.ok_or_else(|| "an answer is not where it was written in the evidence: the file was changed".to_owned())
    }

    fn bytes(&self, place: Place) -> io::Result<Vec<u8>> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(place.at))?;
        let mut text = vec![0; place.length as usize];
        file.read_exact(&mut text)?;
        Ok(text)
    }
}
