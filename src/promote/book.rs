//! Where the log and its evidence lie, and how an entry is added: held against the log as it is at that very moment, so that
//! of two who write at once one sees what the other wrote, and is judged by it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::event::Event;
use super::keys::Secret;
use super::log::{self, Broken, Entry, Sealed};
use super::moment::Moment;
use super::state::{Refused, State};
use crate::model::digest::Digest;
use crate::store::db::{LogRow, Store};

/// How often an entry is tried again where others were faster.
const TRIES: u32 = 50;

/// A place where the log and its evidence lie.
pub trait Shelf {
    /// The whole log, in order.
    fn log(&self) -> impl Future<Output = Result<Vec<Sealed>, BookError>>;

    /// Adds entries that follow the log's end, with their evidence, all or nothing; `false` when somebody else has added
    /// some since.
    fn append(
        &self,
        entries: &[Sealed],
        evidence: &BTreeMap<Digest, String>,
    ) -> impl Future<Output = Result<bool, BookError>>;

    /// Evidence by its digest; `None` when it is not there.
    fn evidence(&self, digest: &Digest) -> impl Future<Output = Result<Option<String>, BookError>>;
}

/// Why the log could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The place of the log.
    #[error("{0}")]
    Shelf(String),
    /// The log is not to be believed; nothing is added to it.
    #[error(
        "the log of promotions cannot be believed: {0}\nhelp: `seatrial promote verify` says more; nothing is added to a broken log"
    )]
    Broken(#[from] Broken),
    /// The rules refuse it.
    #[error("{0}")]
    Refused(Refused),
    /// Others wrote all the time.
    #[error("others write to the log of promotions all the time; try again")]
    Busy,
}

/// A log with what it adds up to.
#[derive(Debug, Clone)]
pub struct Book {
    /// The log.
    pub log: Vec<Sealed>,
    /// What it adds up to.
    pub state: State,
}

impl Book {
    /// Reads a log.
    ///
    /// # Errors
    /// That it cannot be read or believed.
    pub async fn read(shelf: &impl Shelf) -> Result<Self, BookError> {
        let log = shelf.log().await?;
        let state = State::of(&log)?;
        Ok(Self { log, state })
    }

    /// The place of the next entry.
    pub fn next(&self) -> u64 {
        self.log.last().map_or(0, |last| last.seq) + 1
    }
}

/// What is to be written: by whom and what, in order.
pub type Wanted = Vec<(String, Event)>;

/// Writes what `make` wants, given the log as it is; nothing when it wants nothing. `make` is asked again when somebody else
/// was faster. What the log is then.
///
/// # Errors
/// That the rules refuse it, or the log cannot be read or written.
pub async fn write(
    shelf: &impl Shelf,
    now: &dyn Fn() -> Moment,
    key: Option<&Secret>,
    evidence: &BTreeMap<Digest, String>,
    make: &dyn Fn(&Book, Moment) -> Result<Wanted, Refused>,
) -> Result<Book, BookError> {
    for _ in 0..TRIES {
        let mut book = Book::read(shelf).await?;
        let (before, at) = (book.log.len(), now());
        for (by, event) in make(&book, at).map_err(BookError::Refused)? {
            let entry = Entry::after(&book.log, at, &by, event);
            book.state.apply(&entry).map_err(BookError::Refused)?;
            book.log.push(entry.seal(key)?);
        }
        if book.log.len() == before || shelf.append(&book.log[before..], evidence).await? {
            return Ok(book);
        }
    }
    Err(BookError::Busy)
}

/// An entry as the store has it.
fn sealed(row: LogRow) -> Result<Sealed, Broken> {
    let seq = u64::try_from(row.seq).unwrap_or(0);
    let signatures = serde_json::from_value(row.signatures);
    let signatures = signatures.map_err(|why| Broken::new(seq, format!("its signatures are none: {why}")))?;
    Ok(Sealed { seq, hash: row.hash, body: row.body, signatures })
}

/// Why a log that somebody wants to put into a store is not to be believed; `None` where it is.
pub fn unbelievable(rows: Vec<LogRow>) -> Option<String> {
    let log: Result<Vec<Sealed>, Broken> = rows.into_iter().map(sealed).collect();
    log.and_then(|log| State::of(&log)).err().map(|why| format!("promotions: {why}"))
}

impl Shelf for Store {
    async fn log(&self) -> Result<Vec<Sealed>, BookError> {
        let rows = self.promotion_log().await.map_err(|why| BookError::Shelf(why.to_string()))?;
        Ok(rows.into_iter().map(sealed).collect::<Result<_, _>>()?)
    }

    async fn append(&self, entries: &[Sealed], evidence: &BTreeMap<Digest, String>) -> Result<bool, BookError> {
        let row = |sealed: &Sealed| LogRow {
            seq: i64::try_from(sealed.seq).unwrap_or(i64::MAX),
            hash: sealed.hash,
            body: sealed.body.clone(),
            signatures: json!(sealed.signatures),
        };
        let rows: Vec<LogRow> = entries.iter().map(row).collect();
        let evidence: Vec<(Digest, &str)> = evidence.iter().map(|(digest, text)| (*digest, text.as_str())).collect();
        self.add_promotions(&rows, &evidence).await.map_err(|why| BookError::Shelf(why.to_string()))
    }

    async fn evidence(&self, digest: &Digest) -> Result<Option<String>, BookError> {
        self.promotion_evidence(digest).await.map_err(|why| BookError::Shelf(why.to_string()))
    }
}

/// What `promote log --export` wrote: to be read anywhere, and to be added to nowhere.
pub struct Exported(PathBuf);

/// The log in an exported folder.
const LOG: &str = "log.jsonl";

/// The most of an exported file that is read, in bytes.
const LONGEST: u64 = 256 << 20;

impl Exported {
    /// What was exported to a folder.
    pub fn at(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    fn path(dir: &Path, digest: &Digest) -> PathBuf {
        dir.join(format!("{}.json", digest.to_string().replace(':', "-")))
    }

    fn read(path: &Path) -> Result<Option<String>, BookError> {
        let told = |why: std::io::Error| BookError::Shelf(format!("{}: {why}", path.display()));
        match std::fs::metadata(path) {
            Ok(meta) if meta.len() > LONGEST => {
                Err(BookError::Shelf(format!("{}: it is larger than {LONGEST} bytes", path.display())))
            }
            Ok(_) => std::fs::read_to_string(path).map(Some).map_err(told),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(told(why)),
        }
    }

    /// Writes a log with all its evidence to a folder.
    ///
    /// # Errors
    /// That it cannot be read or written.
    pub async fn write(dir: &Path, log: &[Sealed], shelf: &impl Shelf) -> Result<(), BookError> {
        let told = |path: &Path, why: std::io::Error| BookError::Shelf(format!("{}: {why}", path.display()));
        std::fs::create_dir_all(dir).map_err(|why| told(dir, why))?;
        for entry in log::open(log)? {
            let (Event::Drafted { submission, .. } | Event::Submitted { submission }) = &entry.event else { continue };
            for digest in [&submission.gate, &submission.statement] {
                // What is not there any more is told by whoever verifies.
                if let Some(text) = shelf.evidence(digest).await? {
                    let path = Self::path(dir, digest);
                    std::fs::write(&path, text).map_err(|why| told(&path, why))?;
                }
            }
        }
        let text = log::export(log).map_err(|why| BookError::Shelf(why.to_string()))?;
        let path = dir.join(LOG);
        std::fs::write(&path, text).map_err(|why| told(&path, why))
    }
}

impl Shelf for Exported {
    async fn log(&self) -> Result<Vec<Sealed>, BookError> {
        // The log by itself, or the folder with its evidence.
        let path = if self.0.is_dir() { self.0.join(LOG) } else { self.0.clone() };
        let text = Self::read(&path)?;
        let text = text.ok_or_else(|| BookError::Shelf(format!("{}: there is no exported log", path.display())))?;
        Ok(log::import(&text)?)
    }

    async fn append(&self, _: &[Sealed], _: &BTreeMap<Digest, String>) -> Result<bool, BookError> {
        Err(BookError::Shelf("what was exported is not added to".to_owned()))
    }

    async fn evidence(&self, digest: &Digest) -> Result<Option<String>, BookError> {
        Self::read(&Self::path(&self.0, digest))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::promote::event::Id;
    use crate::promote::state::Status;
    use crate::promote::testing::{at, submission};
    use crate::suite::settings::promote::Rules;

    /// A shelf in memory.
    #[derive(Default)]
    pub(crate) struct Memory {
        log: Mutex<Vec<Sealed>>,
        evidence: Mutex<BTreeMap<Digest, String>>,
    }

    impl Shelf for Memory {
        async fn log(&self) -> Result<Vec<Sealed>, BookError> {
            let log = self.log.lock().unwrap().clone();
            // Others get their turn between reading and writing.
            tokio::task::yield_now().await;
            Ok(log)
        }

        async fn append(&self, entries: &[Sealed], evidence: &BTreeMap<Digest, String>) -> Result<bool, BookError> {
            let mut log = self.log.lock().unwrap();
            if entries.first().is_some_and(|first| first.seq != log.len() as u64 + 1) {
                return Ok(false);
            }
            log.extend(entries.iter().cloned());
            self.evidence.lock().unwrap().extend(evidence.clone());
            Ok(true)
        }

        async fn evidence(&self, digest: &Digest) -> Result<Option<String>, BookError> {
            Ok(self.evidence.lock().unwrap().get(digest).cloned())
        }
    }

    fn submit(book: &Book, rules: &Rules) -> Wanted {
        vec![("maria".into(), Event::Submitted { submission: submission(book.next(), "1.0", rules.clone()) })]
    }

    fn approve(book: &Book, by: &str, now: Moment) -> Wanted {
        let (granted, expires) = book.state.grant(&Id::at(1), now);
        let (reason, promotion) = (String::new(), Id::at(1));
        vec![(by.into(), Event::Approved { promotion, reason, automatic: false, granted, expires })]
    }

    #[tokio::test]
    async fn of_many_who_write_at_once_each_sees_what_the_others_wrote() {
        let shelf = Memory::default();
        let rules = Rules { approvals: 20, ..Rules::default() };
        let (none, now) = (BTreeMap::new(), || at(1));
        write(&shelf, &now, None, &none, &|book, _| Ok(submit(book, &rules))).await.unwrap();
        let people: Vec<String> = (0..20).map(|i| format!("person {i}")).collect();
        let (shelf, none) = (&shelf, &none);
        let all = people.iter().map(|by| async move {
            write(shelf, &|| at(2), None, none, &|book, now| Ok(approve(book, by, now))).await
        });
        let done = futures_util::future::join_all(all).await;
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        let book = Book::read(shelf).await.unwrap();
        assert_eq!((book.log.len(), book.state.promotions[0].approvals.len()), (21, 20));
        assert_eq!(book.state.promotions[0].status, Status::Approved);
        // One more comes too late, and is told so.
        let late = write(shelf, &|| at(3), None, none, &|book, now| Ok(approve(book, "late", now))).await;
        assert!(matches!(late, Err(BookError::Refused(why)) if why.contains("approved, not pending")));
    }

    #[tokio::test]
    async fn what_is_refused_writes_nothing_not_even_what_came_before_it() {
        let shelf = Memory::default();
        let both = |book: &Book, now: Moment| {
            let mut wanted = submit(book, &Rules::default());
            wanted.extend(approve(book, "maria", now));
            Ok(wanted)
        };
        assert!(matches!(write(&shelf, &|| at(1), None, &BTreeMap::new(), &both).await, Err(BookError::Refused(_))));
        assert!(shelf.log().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn nothing_is_added_to_a_broken_log() {
        let shelf = Memory::default();
        let rules = Rules::default();
        write(&shelf, &|| at(1), None, &BTreeMap::new(), &|book, _| Ok(submit(book, &rules))).await.unwrap();
        let edited = shelf.log.lock().unwrap()[0].body.replace("maria", "marta");
        shelf.log.lock().unwrap()[0].body = edited;
        let refused = write(&shelf, &|| at(2), None, &BTreeMap::new(), &|book, _| Ok(submit(book, &rules))).await;
        assert!(matches!(refused, Err(BookError::Broken(_))));
    }

    #[tokio::test]
    async fn what_is_exported_is_read_anywhere_and_added_to_nowhere() {
        let shelf = Memory::default();
        let (gate, statement) = ("gate\n".to_owned(), "statement\n".to_owned());
        let evidence: BTreeMap<Digest, String> =
            [&gate, &statement].map(|text| (Digest::of(text.as_bytes()), text.clone())).into();
        let make = |book: &Book, _: Moment| {
            let mut submission = submission(book.next(), "1.0", Rules::default());
            (submission.gate, submission.statement) = (Digest::of(b"gate\n"), Digest::of(b"statement\n"));
            Ok(vec![("maria".to_owned(), Event::Submitted { submission })])
        };
        let book = write(&shelf, &|| at(1), None, &evidence, &make).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("deep/export");
        Exported::write(&dir, &book.log, &shelf).await.unwrap();
        let exported = Exported::at(&dir);
        assert_eq!(exported.log().await.unwrap(), book.log);
        assert_eq!(exported.evidence(&Digest::of(b"gate\n")).await.unwrap(), Some(gate));
        assert_eq!(exported.evidence(&Digest::of(b"other")).await.unwrap(), None);
        assert!(exported.append(&book.log, &evidence).await.is_err());
        assert!(Exported::at(&dir.join("nowhere")).log().await.is_err());
        assert_eq!(Exported::at(&dir.join(LOG)).log().await.unwrap(), book.log, "the log by itself");
    }
}
