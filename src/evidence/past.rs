//! The evidence of an earlier run, or of this one before it was continued: where each answer lies in its file. An answer
//! itself is read when it is wanted, so that memory does not grow with what models say.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::charge::{Noted, Sum};
use super::journal::{FILE_NAME, Header, LONGEST, Line, Lines, Place, SCHEMA};
use super::question::Key;
use crate::net::budget::{Amount, Limits};

/// The answers of an earlier run, by key.
pub struct Past {
    places: HashMap<Key, Place>,
    lines: Lines,
    sum: Sum,
}

impl Past {
    /// Looks through the evidence of `run`: its folder, its record, or the file itself.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn open(run: &Path) -> Result<Self, String> {
        let path = locate(run);
        let name = path.display();
        let wrong = |why: std::io::Error| format!("{name}: {why}");
        let mut reader = BufReader::new(File::open(&path).map_err(wrong)?);
        let lines = Lines::open(&path).map_err(wrong)?;
        let mut past = Self { places: HashMap::new(), lines, sum: Sum::default() };
        let (mut line, mut at) = (Vec::new(), 0);
        loop {
            line.clear();
            let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(wrong)? as u64;
            if read == 0 {
                break;
            }
            if at == 0 {
                match serde_json::from_slice::<Header>(&line) {
                    Ok(header) if header.evidence <= SCHEMA => {}
                    Ok(header) => {
                        let by = header.seatrial;
                        return Err(format!("{name}: written by seatrial {by}, which this version cannot read"));
                    }
                    Err(_) => return Err(format!("{name}: its first line is not that of evidence")),
                }
            } else {
                past.add(&line, at);
            }
            at += read;
        }
        if at == 0 {
            return Err(format!("{name}: it is empty"));
        }
        Ok(past)
    }

    /// Takes a line in. One that was cut is no answer; that it is missing is told where it is asked for.
    fn add(&mut self, text: &[u8], at: u64) {
        let Ok(line) = serde_json::from_slice::<Line>(text) else {
            if let Ok(Noted { key, note }) = serde_json::from_slice(text)
                && let Some(key) = Key::parse(&key)
            {
                self.sum.noted(key, note);
            }
            return;
        };
        let (Some(key), Ok(length)) = (Key::parse(&line.key), u32::try_from(text.trim_ascii_end().len())) else {
            return;
        };
        self.places.insert(key, Place { at, length });
        self.sum.answered(key, line.source, &line.answered, line.charge);
    }

    /// The line of an answer and where it lies; `None` where there is none.
    ///
    /// # Errors
    /// It is not there any more.
    pub fn find(&self, key: &Key) -> Result<Option<(Line, Place)>, String> {
        let Some(place) = self.places.get(key) else { return Ok(None) };
        Ok(Some((self.lines.read(key, *place)?, *place)))
    }

    /// What asking for them counts for under these limits; only the first to ask is told.
    ///
    /// # Errors
    /// Not every answer says what is limited, in words.
    pub fn spent(&mut self, limits: Limits) -> Result<Amount, String> {
        std::mem::take(&mut self.sum).under(limits)
    }
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
    use super::super::answered::{Answered, Source};
    use super::super::charge::{Charge, Note};
    use super::super::journal::Journal;
    use super::*;
    use crate::checks::asking::{Reply, Said};
    use crate::model::{NanoUsd, Usage};
    use crate::redact::Redactor;

    fn answered(text: &str) -> Answered {
        let usage = Some(Usage { input: Some(10), output: Some(1), ..Usage::default() });
        let reply = Reply::Said(Said { text: text.into(), ..Said::default() });
        Answered { reply, usage, cost: Some(NanoUsd(5)) }
    }

    #[test]
    fn what_is_written_is_read_whatever_was_cut_between() {
        let dir = tempfile::tempdir().unwrap();
        let redactor = Redactor::default();
        let put = |key: u8, source, redacted| {
            let mut journal = Journal::open(dir.path()).unwrap();
            let answered = answered(&format!("yes {key}"));
            journal.put(&Key([key; 32]), "judge.a", source, redacted, None, &redactor.pass(&answered)).unwrap()
        };
        let first = put(1, Source::Asked, false);
        let path = dir.path().join(FILE_NAME);
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, b"{\"key\":\"ab").unwrap();
        put(2, Source::Asked, true);
        put(3, Source::Cache, false);
        let mut journal = Journal::open(dir.path()).unwrap();
        let charge = Charge { cost_usd: Some(NanoUsd(7)), tokens: Some(70) };
        journal.note(&Key([4; 32]), Note::Held(charge)).unwrap();
        let mut past = Past::open(dir.path()).unwrap();
        let limits = Limits { cost: Some(NanoUsd(1)), tokens: Some(1) };
        // What was taken out of an answer is paid for all the same; what is from the cache is not; of what was asked and
        // not answered nobody knows.
        assert_eq!(past.spent(limits), Ok(Amount { cost: NanoUsd(10 + 7), tokens: 22 + 70 }));
        let find = |key: u8| past.find(&Key([key; 32])).unwrap().map(|(line, _)| line);
        assert_eq!(find(1).unwrap().answered, answered("yes 1"));
        assert!(find(2).unwrap().redacted && find(4).is_none());
        assert_eq!(find(3).unwrap().source, Source::Cache);
        let lines = Lines::open(&path).unwrap();
        assert_eq!(lines.read(&Key([1; 32]), first).unwrap().answered, answered("yes 1"));
        assert!(lines.read(&Key([2; 32]), first).err().unwrap().contains("the file was changed"));
        std::fs::write(&path, "").unwrap();
        assert!(past.find(&Key([1; 32])).err().unwrap().contains("cannot be read back"));
    }

    #[test]
    fn what_is_no_evidence_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |path: &Path| Past::open(path).err().unwrap();
        assert!(refused(dir.path()).contains("evidence.jsonl: "));
        let path = dir.path().join(FILE_NAME);
        std::fs::write(&path, "{\"event\":\"record\"}\n").unwrap();
        assert!(refused(&path).contains("not that of evidence"));
        std::fs::write(&path, "{\"evidence\":9,\"seatrial\":\"7.0.0\"}\n").unwrap();
        assert!(refused(&path).contains("written by seatrial 7.0.0"));
        std::fs::write(&path, "").unwrap();
        assert!(refused(&path).contains("it is empty"));
    }
}
