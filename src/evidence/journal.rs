//! `evidence.jsonl`: every answer that a run's verdicts rest on, beside its record, one a line.
//!
//! The same run can be scored again from it without asking anybody (`run --evidence RUN`). What is written went through
//! the rules of redaction; an answer that something was taken out of is there to be read, and not to be used again: a
//! verdict of it might be another.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::answered::{Answered, Source};
use super::question::Key;
use crate::redact::Redacted;

/// The name of the file in a run's folder.
pub const FILE_NAME: &str = "evidence.jsonl";

/// The longest line that is read.
const LONGEST: u64 = 16 << 20;
/// The version of the format.
const SCHEMA: u32 = 1;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    evidence: u32,
    seatrial: String,
}

/// One answer.
#[derive(Serialize, Deserialize)]
struct Line<T> {
    key: String,
    /// The model's name in the settings.
    model: String,
    source: Source,
    /// Something was taken out of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    redacted: bool,
    #[serde(flatten)]
    answered: T,
}

/// An answer that is written in the evidence of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// As it was.
    Whole(Answered, Source),
    /// Without what was taken out of it.
    Redacted,
}

/// The evidence of a run while it is written.
pub struct Journal(File);

impl Journal {
    /// Begins or continues the evidence in a run's folder.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(dir.join(FILE_NAME))?;
        let length = file.metadata()?.len();
        if length == 0 {
            let header = Header { evidence: SCHEMA, seatrial: env!("CARGO_PKG_VERSION").to_owned() };
            file.write_all(format!("{}\n", serde_json::to_string(&header)?).as_bytes())?;
        } else {
            // A line that was cut when the run was killed ends here.
            file.seek(SeekFrom::Start(length - 1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(Self(file))
    }

    /// Writes an answer.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(
        &mut self,
        key: &Key,
        model: &str,
        source: Source,
        redacted: bool,
        answered: &Redacted<impl Serialize>,
    ) -> io::Result<()> {
        let line = Line { key: key.to_string(), model: model.to_owned(), source, redacted, answered };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        self.0.write_all(&text)
    }
}

/// The answers in the evidence of a run, by key; `RUN` is its folder, its record, or the file itself.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read(run: &Path) -> Result<HashMap<Key, Written>, String> {
    let path = locate(run);
    let name = path.display();
    let file = File::open(&path).map_err(|e| format!("{name}: {e}"))?;
    let mut reader = BufReader::new(file);
    let mut answers = HashMap::new();
    let (mut line, mut number) = (Vec::new(), 0u64);
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(|e| format!("{name}: {e}"))?;
        if read == 0 {
            break;
        }
        number += 1;
        let text = line.trim_ascii();
        if number == 1 {
            match serde_json::from_slice::<Header>(text) {
                Ok(header) if header.evidence <= SCHEMA => continue,
                Ok(header) => {
                    return Err(format!(
                        "{name}: written by seatrial {}, which this version cannot read",
                        header.seatrial
                    ));
                }
                Err(_) => return Err(format!("{name}: its first line is not that of evidence")),
            }
        }
        // A line that was cut is no answer; that it is missing is told where it is asked for.
        let Ok(line) = serde_json::from_slice::<Line<Answered>>(text) else { continue };
        let Some(key) = Key::parse(&line.key) else { continue };
        let written = if line.redacted { Written::Redacted } else { Written::Whole(line.answered, line.source) };
        answers.insert(key, written);
    }
    if number == 0 {
        return Err(format!("{name}: it is empty"));
    }
    Ok(answers)
}

fn locate(run: &Path) -> PathBuf {
    if run.is_dir() {
        return run.join(FILE_NAME);
    }
    match run.file_name() {
        Some(name) if name == "run.jsonl" => run.with_file_name(FILE_NAME),
        _ => run.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::asking::{Reply, Said};
    use crate::redact::Redactor;

    fn answered(text: &str) -> Answered {
        Answered { reply: Reply::Said(Said { text: text.into(), ..Said::default() }), usage: None, cost: None }
    }

    #[test]
    fn what_is_written_is_read_whatever_was_cut_between() {
        let dir = tempfile::tempdir().unwrap();
        let redactor = Redactor::default();
        let put = |key: u8, redacted| {
            let mut journal = Journal::open(dir.path()).unwrap();
            let answered = answered("yes");
            journal.put(&Key([key; 32]), "judge.a", Source::Asked, redacted, &redactor.pass(&answered)).unwrap();
        };
        put(1, false);
        let path = dir.path().join(FILE_NAME);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"key\":\"ab").unwrap();
        put(2, true);
        let read = read(dir.path()).unwrap();
        assert_eq!(read[&Key([1; 32])], Written::Whole(answered("yes"), Source::Asked));
        assert_eq!(read[&Key([2; 32])], Written::Redacted);
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn what_is_no_evidence_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap_err().contains("evidence.jsonl: "));
        let path = dir.path().join(FILE_NAME);
        std::fs::write(&path, "{\"event\":\"record\"}\n").unwrap();
        assert!(read(&path).unwrap_err().contains("not that of evidence"));
        std::fs::write(&path, "{\"evidence\":9,\"seatrial\":\"7.0.0\"}\n").unwrap();
        assert!(read(&path).unwrap_err().contains("written by seatrial 7.0.0"));
    }
}
