//! A folder that grows: files that are written to, renamed, packed and taken away by somebody else.
//!
//! Files that lie in lines are read on from where they were; a file of another form is read as a whole, once nobody writes
//! to it any more. A file is known by how it begins, so that it may be rotated; where two begin with the same line they are
//! one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use walkdir::WalkDir;

use super::{Intake, Source, Whole};
use crate::assemble::intake::Options;
use crate::formats::Decode;
use crate::model::{LeftOut, Problem};
use crate::receive::homes::Untaken;
use crate::sources::assembled::Recorded;
use crate::sources::reader::Reader;
use crate::sources::tail::{self, Looked};
use crate::sources::{Batch, ReadOptions, RecordedFile};
use crate::store::db::Place;

/// Nobody writes to a file any more that has not changed for so long.
const SETTLED: Duration = Duration::from_secs(5);

/// Bytes of a file that are read at once, about.
const AT_ONCE: usize = 4 << 20;

/// The most files of a folder.
const MOST_FILES: usize = 100_000;

/// How long a file is, and when it was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    len: u64,
    written: Option<SystemTime>,
}

/// A folder that grows.
pub struct Folder {
    name: String,
    root: PathBuf,
    options: ReadOptions,
    assemble: Options,
    /// How far files were read, by what they are known by.
    places: BTreeMap<String, u64>,
    /// Files in which there was nothing more, as they were then, and whether nobody wrote to them any more.
    done: BTreeMap<PathBuf, (Stat, bool)>,
    /// A file that is being read as a whole.
    reading: Option<(String, Recorded)>,
    /// Whether files are whole however lately they were written to.
    pub settled: bool,
}

impl Folder {
    /// The files below `root`, read on from `places`. `name` is what it is called in the store ([`Folder::called`]).
    pub fn new(root: PathBuf, name: String, options: ReadOptions, assemble: Options, places: Vec<Place>) -> Self {
        let place = |p: Place| (p.file, u64::try_from(p.place).unwrap_or_default());
        let places = places.into_iter().map(place).collect();
        Self { name, root, options, assemble, places, done: BTreeMap::new(), reading: None, settled: false }
    }

    /// What the folder is called in the store.
    pub fn called(root: &Path) -> String {
        format!("folder:{}", root.display())
    }

    /// The files that may have something new, those that were written to first before others.
    fn files(&mut self) -> Result<Vec<(PathBuf, Stat)>, String> {
        fs::metadata(&self.root).map_err(|why| format!("`{}` cannot be read: {why}", self.root.display()))?;
        let hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
        let walk = WalkDir::new(&self.root).into_iter().filter_entry(|e| e.depth() == 0 || !hidden(e.file_name()));
        let mut files = Vec::new();
        for entry in walk.filter_map(Result::ok).filter(|entry| entry.file_type().is_file()).take(MOST_FILES) {
            let Ok(stat) = entry.metadata() else { continue };
            let stat = Stat { len: stat.len(), written: stat.modified().ok() };
            files.push((entry.into_path(), stat));
        }
        let there: BTreeSet<&PathBuf> = files.iter().map(|(path, _)| path).collect();
        self.done.retain(|path, _| there.contains(path));
        files.sort_by(|a, b| (a.1.written, &a.0).cmp(&(b.1.written, &b.0)));
        Ok(files)
    }

    /// Whether nobody writes to a file any more.
    fn is_settled(&self, stat: Stat) -> bool {
        let quiet = stat.written.and_then(|written| written.elapsed().ok());
        // One that was written to in the future by its clock was written to now.
        self.settled || quiet.is_some_and(|quiet| quiet >= SETTLED)
    }

    /// Reads one file on; whether there is more of it now.
    fn read(&mut self, path: &Path, stat: Stat, intake: &mut Intake<'_>) -> Result<bool, String> {
        let settled = self.is_settled(stat);
        let left_out = |intake: &mut Intake<'_>, problem: Problem| {
            let name = path.strip_prefix(&self.root).unwrap_or(path).display();
            intake.left_out.push(Problem { message: format!("`{name}`: {}", problem.message), ..problem });
        };
        let known = match tail::look(path, &self.options) {
            Err(problem) if !settled && problem.kind == LeftOut::Truncated => return Ok(false),
            Err(problem) => {
                if self.done.insert(path.to_owned(), (stat, true)).is_none() {
                    left_out(intake, problem);
                }
                return Ok(false);
            }
            Ok(Looked::Unknown) if !settled => return Ok(false),
            Ok(Looked::Unknown | Looked::Whole) => return self.whole(path, stat, settled),
            Ok(Looked::Lines(file, decoder)) => (file, decoder),
        };
        let place = self.places.get(&known.0).copied().unwrap_or_default();
        let most = AT_ONCE.min(intake.room);
        let grown = match tail::read_on(path, known, place, (most, settled), &self.options) {
            Ok(grown) => grown,
            Err(problem) if !settled && problem.kind == LeftOut::Truncated => return Ok(false),
            Err(problem) => {
                self.done.insert(path.to_owned(), (stat, true));
                left_out(intake, problem);
                return Ok(false);
            }
        };
        let mut reached = grown.place;
        for element in &grown.elements {
            let bytes = match &element.content {
                Ok(range) => &grown.buffer[range.clone()],
                Err(problem) => {
                    left_out(intake, problem.clone());
                    continue;
                }
            };
            if matches!(grown.decoder, Decode::Sessions(_)) {
                let (decoder, stem) = (grown.decoder.clone(), grown.stem.clone());
                intake.sessions.push(Whole { bytes: bytes.to_vec(), decoder, index: element.index, stem });
                continue;
            }
            match intake.request(bytes) {
                Ok(()) => {}
                Err(Untaken::Unusable(why)) => left_out(intake, Problem::new(LeftOut::Malformed, why)),
                Err(Untaken::Later(why)) => {
                    // It is handed over again from here.
                    reached = element.offset.unwrap_or(place);
                    self.reached(grown.file, reached, intake);
                    return Err(why);
                }
            }
        }
        intake.room = intake.room.saturating_sub(grown.buffer.len().max(1));
        let more = !grown.at_end && reached > place;
        if grown.at_end {
            self.done.insert(path.to_owned(), (stat, settled));
        }
        self.reached(grown.file, reached, intake);
        Ok(more)
    }

    fn reached(&mut self, file: String, place: u64, intake: &mut Intake<'_>) {
        if self.places.insert(file.clone(), place) != Some(place) {
            let place = i64::try_from(place).unwrap_or(i64::MAX);
            intake.places.push(Place { source: self.name.clone(), file, place });
        }
    }

    /// Begins to read a file as a whole, unless it was.
    fn whole(&mut self, path: &Path, stat: Stat, settled: bool) -> Result<bool, String> {
        if !settled {
            return Ok(false);
        }
        self.done.insert(path.to_owned(), (stat, true));
        let name = path.strip_prefix(&self.root).unwrap_or(path).display().to_string().replace('\\', "/");
        let written = stat.written.and_then(|w| w.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
        let told = format!("{name}\0{}\0{}", stat.len, written.as_nanos());
        let file = blake3::hash(told.as_bytes()).to_hex()[..32].to_owned();
        if self.places.contains_key(&file) {
            return Ok(false);
        }
        let files = vec![RecordedFile { path: path.to_owned(), name }];
        let reader = Reader::new(files, self.options);
        self.reading = Some((file, Recorded::new(reader, self.assemble.clone())));
        Ok(true)
    }

    /// Hands over more of the file that is read as a whole; whether there is more of it.
    fn go_on(&mut self, intake: &mut Intake<'_>) -> Result<bool, String> {
        let Some((file, recorded)) = &mut self.reading else { return Ok(false) };
        while intake.room > 0 {
            let batch = match recorded.next(Vec::new()) {
                Ok(Some(batch)) => batch,
                ended => {
                    let file = file.clone();
                    self.reading = None;
                    self.reached(file, 1, intake);
                    return ended.map(|_| false).map_err(|why| why.to_string());
                }
            };
            let batch = batch.whole();
            let Batch { decoder: Some(decoder), stem, buffer, elements, .. } = batch else {
                intake.left_out.extend(batch.elements.into_iter().filter_map(|element| element.content.err()));
                continue;
            };
            for element in elements {
                match element.content {
                    Ok(range) => {
                        let bytes = buffer[range].to_vec();
                        intake.room = intake.room.saturating_sub(bytes.len().max(1));
                        let (decoder, stem) = (decoder.clone(), Arc::clone(&stem));
                        intake.sessions.push(Whole { bytes, decoder, index: element.index, stem });
                    }
                    Err(problem) => intake.left_out.push(problem),
                }
            }
        }
        Ok(true)
    }
}

impl Source for Folder {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<bool, String> {
        if self.go_on(intake)? {
            return Ok(true);
        }
        for (path, stat) in self.files()? {
            let unchanged = self
                .done
                .get(&path)
                .is_some_and(|(then, settled)| *then == stat && (*settled || !self.is_settled(stat)));
            if unchanged {
                continue;
            }
            while intake.room > 0 && self.read(&path, stat, intake)? {
                if self.go_on(intake)? {
                    return Ok(true);
                }
            }
            if intake.room == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
