//! What sessions in flight count for, on disk before and while it is spent: a process that is killed says nothing of the
//! sessions that it had begun, and the limits of a run hold for its continuation too.
//!
//! A session is noted before anything is said to its agent, with what is held for it, then after every turn with what it
//! is known to have come to, and crossed out when it is saved: from then on its recording says what it came to. What was
//! never crossed out counts for the most that was noted of it, or that any session came to; what became of it nobody knows.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::model::NanoUsd;
use crate::net::budget::Amount;
use crate::store::driven::file_name;

/// The end of the file's name, in the place of that of the saved sessions.
const EXTENSION: &str = "tab";

/// A line: at least so much, or nothing any more.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Note {
    /// It counts for at least so much.
    Counts { cost_usd: NanoUsd, tokens: u64 },
    /// It is saved.
    Saved,
}

#[derive(Serialize, Deserialize)]
struct Line {
    /// The number of the session, in the order of beginning.
    session: u64,
    #[serde(flatten)]
    note: Note,
}

/// The sessions of a suite that are in flight, or were when an earlier part of the run ended.
pub struct Tabs {
    path: PathBuf,
    written: Mutex<Written>,
    /// What is known of those that an earlier part of the run had begun and did not save.
    lost: Vec<Amount>,
}

struct Written {
    /// None until there is something to be written.
    file: Option<File>,
    /// The number of the next session.
    next: u64,
    /// Sessions that are begun and not saved.
    going: u64,
}

impl Tabs {
    /// Those of a suite in the folder of a run.
    ///
    /// # Errors
    /// What an earlier part of the run noted cannot be read.
    pub fn open(run: &Path, suite: &str) -> io::Result<Self> {
        let path = run.join(file_name(suite)).with_extension(EXTENSION);
        let text = match fs::read_to_string(&path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let mut begun: BTreeMap<u64, Amount> = BTreeMap::new();
        let mut next = 0;
        // A line that was cut is of a session that was noted before, or of which nothing was said yet.
        for Line { session, note } in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            next = next.max(session.saturating_add(1));
            match note {
                Note::Saved => drop(begun.remove(&session)),
                Note::Counts { cost_usd: cost, tokens } => {
                    let so_far = begun.entry(session).or_default();
                    *so_far = so_far.most(Amount { cost, tokens });
                }
            }
        }
        let file = if text.is_empty() { None } else { Some(append(&path)?) };
        let tabs =
            Self { path, written: Mutex::new(Written { file, next, going: 0 }), lost: begun.into_values().collect() };
        if !text.is_empty() && !text.ends_with('\n') {
            tabs.write(&mut tabs.written(), b"\n")?;
        }
        Ok(tabs)
    }

    /// What the sessions count for that were begun before and not saved, where the most that one came to is `most`.
    pub fn lost(&self, most: Option<Amount>) -> Amount {
        let counts = |known: &Amount| known.most(most.unwrap_or_default());
        self.lost.iter().map(counts).fold(Amount::default(), Amount::plus)
    }

    /// Notes a session that is about to begin, and what is held for it.
    ///
    /// # Errors
    /// It cannot be written: nothing is to be said to the agent.
    pub fn begin(&self, held: Amount) -> io::Result<Tab<'_>> {
        let mut written = self.written();
        let tab = Tab { tabs: self, session: written.next, failed: Mutex::new(None) };
        written.next += 1;
        self.note(&mut written, tab.session, held.into())?;
        written.going += 1;
        drop(written);
        Ok(tab)
    }

    /// Ends it; where every session was saved, nothing is left to be known.
    pub fn close(self) {
        let written = self.written.into_inner().unwrap_or_else(PoisonError::into_inner);
        if self.lost.is_empty() && written.going == 0 && written.file.is_some() {
            drop(written.file);
            // One that stays says nothing more than that all were saved.
            let _ = fs::remove_file(self.path);
        }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, written: &mut Written, session: u64, note: Note) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line { session, note })?;
        line.push(b'\n');
        self.write(written, &line)
    }

    fn write(&self, written: &mut Written, line: &[u8]) -> io::Result<()> {
        let file = match &mut written.file {
            Some(file) => file,
            none => none.insert(append(&self.path)?),
        };
        file.write_all(line)
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl From<Amount> for Note {
    fn from(Amount { cost, tokens }: Amount) -> Self {
        Self::Counts { cost_usd: cost, tokens }
    }
}

/// One session in flight. One that is dropped without being saved stays noted.
pub struct Tab<'t> {
    tabs: &'t Tabs,
    session: u64,
    failed: Mutex<Option<io::Error>>,
}

impl Tab<'_> {
    /// Notes what the session is known to have come to so far. What keeps it from being written is told when it is saved.
    pub fn so_far(&self, amount: Amount) {
        if let Err(why) = self.tabs.note(&mut self.tabs.written(), self.session, amount.into()) {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        }
    }

    /// Crosses the session out, once it is saved.
    ///
    /// # Errors
    /// This, or something before it, could not be written.
    pub fn saved(self) -> io::Result<()> {
        let mut written = self.tabs.written();
        written.going -= 1;
        let noted = self.tabs.note(&mut written, self.session, Note::Saved);
        self.failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(noted, Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(cost: i64, tokens: u64) -> Amount {
        Amount { cost: NanoUsd(cost), tokens }
    }

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sessions")).unwrap();
        dir
    }

    #[test]
    fn what_was_never_saved_counts_for_the_most_that_is_known_of_it() {
        let dir = folder();
        let tabs = Tabs::open(dir.path(), "s").unwrap();
        assert_eq!(tabs.lost(None), Amount::default());
        let (first, second, third) =
            (tabs.begin(amount(0, 0)).unwrap(), tabs.begin(amount(5, 50)).unwrap(), tabs.begin(amount(5, 50)).unwrap());
        first.so_far(amount(1, 10));
        second.so_far(amount(7, 20));
        third.saved().unwrap();
        // Killed here.
        let again = Tabs::open(dir.path(), "s").unwrap();
        assert_eq!(again.lost(None), amount(1 + 7, 10 + 50));
        assert_eq!(again.lost(Some(amount(6, 60))), amount(6 + 7, 60 + 60));
        // Numbers are not given twice, and what was lost stays lost.
        again.begin(amount(9, 9)).unwrap().saved().unwrap();
        again.close();
        assert_eq!(Tabs::open(dir.path(), "s").unwrap().lost(None), amount(8, 60));
        assert_eq!(Tabs::open(dir.path(), "other").unwrap().lost(None), Amount::default());
    }

    #[test]
    fn a_line_that_was_cut_is_none_and_spoils_no_other() {
        let dir = folder();
        let path = dir.path().join("sessions/s.tab");
        Tabs::open(dir.path(), "s").unwrap().begin(amount(3, 3)).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"session\":1,\"coun")).unwrap();
        let tabs = Tabs::open(dir.path(), "s").unwrap();
        assert_eq!(tabs.lost(None), amount(3, 3));
        tabs.begin(amount(4, 4)).unwrap();
        assert_eq!(Tabs::open(dir.path(), "s").unwrap().lost(None), amount(7, 7));
    }

    #[test]
    fn nothing_is_left_of_a_run_whose_sessions_were_all_saved() {
        let dir = folder();
        let tabs = Tabs::open(dir.path(), "s").unwrap();
        tabs.begin(amount(1, 1)).unwrap().saved().unwrap();
        let path = dir.path().join("sessions/s.tab");
        assert!(path.exists());
        tabs.close();
        assert!(!path.exists());
        let tabs = Tabs::open(dir.path(), "s").unwrap();
        drop(tabs.begin(amount(1, 1)).unwrap());
        tabs.close();
        assert!(path.exists());
    }

    #[test]
    fn a_session_that_cannot_be_noted_is_not_begun() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Tabs::open(dir.path(), "s").unwrap().begin(amount(1, 1)).is_err());
    }
}
