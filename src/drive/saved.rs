//! The sessions of a live run on disk: appended and flushed as each ends, in order at last.
//!
//! What is saved in the run's folder has been through the rules of redaction. Checks see sessions as they were: where the
//! two differ, they are read from a private file that is gone with the run.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::spent::{Before, Spent};
use super::wants::Want;
use crate::formats::seatrial;
use crate::model::Session;
use crate::model::digest::{self, Digest};
use crate::redact::Redactor;
use crate::store::driven::{FOLDER, file_name};
use crate::suite::Suite;

/// Longest line that is read back.
const LONGEST: u64 = 1 << 30;

/// The sessions of a suite.
pub struct Saved<'s> {
    suite: &'s Suite,
    wants: Vec<Want>,
    /// What stays.
    kept: Lines,
    /// What is judged, where that is not what stays.
    private: Option<(Lines, tempfile::TempDir)>,
    /// By position among the wants.
    there: Vec<bool>,
    /// Sessions that were saved before and cannot be judged again, because something was taken out of them.
    pub redacted: usize,
    /// Sessions that were judged before and are there only as they were written: what they are now, and what they were.
    pub judged: Vec<(Digest, Digest)>,
    /// What the sessions came to that were saved before, those among them that are driven again too.
    pub before: Before,
}

/// A session as it is judged, and as it is kept where that is not the same.
pub struct Line {
    judged: Vec<u8>,
    kept: Option<Vec<u8>>,
}

impl Line {
    /// The line of a session.
    ///
    /// # Errors
    /// A payload that claims to be JSON and is not.
    pub fn of(session: &Session<'_>, redactor: &Redactor) -> io::Result<Self> {
        let mut judged = Vec::new();
        seatrial::write(session, &mut judged)?;
        let mut kept = None;
        if redactor.is_on() {
            let mut written = Vec::new();
            seatrial::write(redactor.written(session).get(), &mut written)?;
            kept = (written != judged).then_some(written);
        }
        Ok(Self { judged, kept })
    }
}

/// Lines of a file, with where the one of each want lies.
struct Lines {
    path: PathBuf,
    file: File,
    length: u64,
    at: BTreeMap<usize, (u64, u64)>,
}

impl Lines {
    fn create(path: PathBuf) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        Ok(Self { file: options.open(&path)?, path, length: 0, at: BTreeMap::new() })
    }

    /// The same lines in a private file that is gone with the folder.
    fn apart(&self) -> io::Result<(Self, tempfile::TempDir)> {
        let dir = tempfile::Builder::new().prefix("seatrial-").tempdir()?;
        let mut apart = Self::create(dir.path().join("sessions.jsonl"))?;
        io::copy(&mut File::open(&self.path)?, &mut apart.file)?;
        (apart.length, apart.at) = (self.length, self.at.clone());
        Ok((apart, dir))
    }

    fn push(&mut self, want: usize, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        self.at.insert(want, (self.length, line.len() as u64));
        self.length += line.len() as u64;
        Ok(())
    }

    /// Reads the line of a want; whether there is one.
    fn read(&mut self, want: usize, line: &mut Vec<u8>) -> io::Result<bool> {
        let Some(&(offset, length)) = self.at.get(&want) else { return Ok(false) };
        self.file.seek(SeekFrom::Start(offset))?;
        line.clear();
        Read::by_ref(&mut self.file).take(length).read_to_end(line)?;
        Ok(true)
    }

    /// Puts the lines in order, beside the file and over it; `absent` says what stands for those that are not there.
    fn sort(&mut self, wants: usize, absent: &dyn Fn(usize) -> Option<Vec<u8>>) -> io::Result<()> {
        let fresh = self.path.with_extension("sorting");
        {
            let mut out = BufWriter::new(File::create(&fresh)?);
            let mut line = Vec::new();
            for want in 0..wants {
                match self.read(want, &mut line)? {
                    true => out.write_all(&line)?,
                    false => out.write_all(&absent(want).unwrap_or_default())?,
                }
            }
            out.flush()?;
        }
        fs::rename(&fresh, &self.path)
    }
}

impl<'s> Saved<'s> {
    /// The sessions of `suite` in the folder of a run: those that were saved before are there. `apart` keeps what is judged
    /// in a file of its own; `recorded` says which session the run has recorded at a place.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn open(
        suite: &'s Suite,
        wants: &[Want],
        run: &Path,
        apart: bool,
        recorded: &dyn Fn(usize) -> Option<(String, Digest)>,
    ) -> io::Result<Self> {
        let path = run.join(file_name(&suite.name));
        fs::create_dir_all(run.join(FOLDER))?;
        let before = path.with_extension("before");
        // A run that was killed while it took over what was there has both.
        if path.exists() && !before.exists() {
            fs::rename(&path, &before)?;
        }
        let kept = Lines::create(path)?;
        let private = if apart { Some(kept.apart()?) } else { None };
        let mut saved = Self {
            suite,
            wants: wants.to_vec(),
            kept,
            private,
            there: vec![false; wants.len()],
            redacted: 0,
            judged: Vec::new(),
            before: Before::default(),
        };
        if before.exists() {
            saved.take_over(&before, recorded)?;
            fs::remove_file(&before)?;
        }
        Ok(saved)
    }

    /// Takes over what was saved before, as far as it can be judged.
    fn take_over(&mut self, before: &Path, recorded: &dyn Fn(usize) -> Option<(String, Digest)>) -> io::Result<()> {
        let cases = self.suite.cases.as_ref();
        let places: HashMap<Want, usize> = self.wants.iter().enumerate().map(|(at, want)| (*want, at)).collect();
        let mut lines = BufReader::new(File::open(before)?);
        loop {
            let mut line = Vec::new();
            if lines.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            // The last one may have been cut when the run was killed.
            let Some(whole) = line.strip_suffix(b"\n") else { continue };
            let Ok(session) = serde_json::from_slice::<Session<'_>>(whole) else { continue };
            let case = session.case.as_ref().and_then(|case| cases?.by_id.get(case.as_str()));
            let trial = session.trial.as_ref().and_then(|trial| trial.parse().ok());
            let want = case.zip(trial).and_then(|(case, trial)| places.get(&Want { case: *case, trial }));
            let changed = !session.redacted.is_empty();
            self.before.add(Spent::of(&session, &self.suite.prices));
            match want {
                // It was judged as it was, and need not be once more.
                Some(&at) if changed && recorded(at).is_some_and(|(id, _)| id == session.id.as_str()) => {
                    let was = recorded(at).map(|(_, was)| (digest::session(&session), was));
                    self.judged.extend(was);
                    self.push(at, &line, &line)?;
                }
                // Its flags say that it is not what the checks would have seen.
                _ if changed => self.redacted += 1,
                // The last that was saved of it is what counts.
                Some(&at) => self.push(at, &line, &line)?,
                _ => {}
            }
        }
    }

    fn push(&mut self, want: usize, kept: &[u8], judged: &[u8]) -> io::Result<()> {
        if self.private.is_none() && kept != judged {
            self.private = Some(self.kept.apart()?);
        }
        if let Some((private, _)) = &mut self.private {
            private.push(want, judged)?;
        }
        self.kept.push(want, kept)?;
        self.there[want] = true;
        Ok(())
    }

    /// Whether the session of a want is there.
    pub fn has(&self, want: usize) -> bool {
        self.there.get(want).is_some_and(|there| *there)
    }

    /// How many sessions are there.
    pub fn len(&self) -> usize {
        self.there.iter().filter(|there| **there).count()
    }

    /// Whether none is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Saves a session that has ended.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, want: usize, line: &Line) -> io::Result<()> {
        self.push(want, line.kept.as_ref().unwrap_or(&line.judged), &line.judged)
    }

    /// Changes a session that was saved.
    ///
    /// # Errors
    /// It cannot be read back or written.
    pub fn amend(&mut self, want: usize, change: &dyn Fn(&mut Session<'_>)) -> io::Result<()> {
        let private = self.private.as_mut().map(|(lines, _)| lines);
        for lines in std::iter::once(&mut self.kept).chain(private) {
            let mut line = Vec::new();
            if !lines.read(want, &mut line)? {
                continue;
            }
            let mut session: Session<'_> = serde_json::from_slice(&line).map_err(io::Error::other)?;
            change(&mut session);
            let mut changed = Vec::new();
            seatrial::write(&session, &mut changed)?;
            lines.file.seek(SeekFrom::End(0))?;
            lines.push(want, &changed)?;
        }
        Ok(())
    }

    /// Puts everything in order; where the sessions that are to be judged are. What is not there because it is driven
    /// elsewhere has a line that says no more than its case and trial, so that every session stands where it would in a
    /// run that was not split.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn finish(mut self) -> io::Result<Judged> {
        self.kept.sort(self.wants.len(), &|_| None)?;
        let Some((mut lines, dir)) = self.private else { return Ok(Judged { path: self.kept.path, _private: None }) };
        let (suite, wants) = (self.suite, &self.wants);
        lines.sort(wants.len(), &|at| {
            let want = wants.get(at)?;
            let case = suite.cases.as_ref()?.list.get(want.case)?;
            let session = Session {
                id: format!("{}#{}", case.id, want.trial).into(),
                case: Some(case.id.as_str().into()),
                trial: Some(want.trial.to_string().into()),
                ..Session::default()
            };
            let mut line = Vec::new();
            seatrial::write(&session, &mut line).ok()?;
            Some(line)
        })?;
        Ok(Judged { path: lines.path, _private: Some(dir) })
    }
}

/// Where the sessions that are to be judged are, for as long as it is held.
pub struct Judged {
    /// The file.
    pub path: PathBuf,
    _private: Option<tempfile::TempDir>,
}
