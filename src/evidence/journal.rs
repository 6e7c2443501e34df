//! `evidence.jsonl`: every answer that a run's verdicts rest on, beside its record, one a line.
//!
//! The same run can be scored again from it without asking anybody ([`super::past`]). What is written went through the
//! rules of redaction; an answer that something was taken out of is there to be read, and not to be used again: a verdict
//! of it might be another. Where a run has limits, what questions count for stands between the answers ([`super::charge`]).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::answered::{Answered, Source};
use super::charge::{Charge, Note, Noted};
use super::question::Key;
use crate::redact::Redacted;

/// The name of the file in a run's folder.
pub const FILE_NAME: &str = "evidence.jsonl";

/// The name of the file of the answers before, where its length is limited.
pub const BEFORE: &str = "evidence.1.jsonl";

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
    /// Its folder.
    dir: PathBuf,
    /// How long it may become before another is begun.
    most: u64,
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
            let mut journal = Self { file, end, dir: dir.to_owned(), most: u64::MAX };
            journal.write(serde_json::to_vec(&header)?)?;
            return Ok(journal);
        } else {
            file.seek(SeekFrom::Start(end - 1))?;
            Self { file, end, dir: dir.to_owned(), most: u64::MAX }
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

    /// The same, of a limited length: when it is reached, the file becomes that of the answers before, in place of the
    /// last of these, and another is begun. Nothing is read back from it.
    pub fn at_most(self, most: u64) -> Self {
        Self { most, ..self }
    }

    fn write(&mut self, mut text: Vec<u8>) -> io::Result<Place> {
        if self.end > self.most {
            std::fs::rename(self.dir.join(FILE_NAME), self.dir.join(BEFORE))?;
            *self = Self::open(&self.dir)?.at_most(self.most);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::asking::{Reply, Said};
    use crate::redact::Redactor;

    #[test]
    fn evidence_of_a_limited_length_takes_no_more_room_than_two_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path()).unwrap().at_most(4_000);
        for n in 0..1_000 {
            let reply = Reply::Said(Said { text: format!("answer {n}"), ..Said::default() });
            let answered = Answered { reply, usage: None, cost: None };
            let written = Redactor::default().pass(&answered);
            journal.put(&Key([7; 32]), "j", Source::Asked, false, None, &written).unwrap();
        }
        let text = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        let (before, now) = (text(BEFORE), text(FILE_NAME));
        assert!(before.len() < 5_000 && now.len() < 5_000, "{} {}", before.len(), now.len());
        assert!(now.contains("answer 999") && [before, now].iter().all(|file| file.starts_with("{\"evidence\":1")));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
