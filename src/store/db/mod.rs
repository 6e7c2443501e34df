//! The one database: runs with their verdicts, what goes to people, what they say, who they are, and what was promoted.
//!
//! SQLite by default, PostgreSQL for a team: the same SQL, the same migrations and the same tests. What differs between
//! the two is in [`Dialect`] and in `open`. Every change is one transaction, and what a caller was told is on disk.
//!
//! - `open`, `migrate`: finding, making and bringing up to date; `sql`: statements whose values are bound;
//!   `error`: what can go wrong, and what to do about it.
//! - `runs`: runs and verdicts. `items`, `contents`: the queue and the sessions to read; `enqueue` puts them in, `filter`
//!   finds and counts them. `leases`: who works on what.
//! - `book`: the append-only rows. `labels`: what people say becomes rows. `intake`: rows from elsewhere. `decisions`: what
//!   they decide. `drafts`: what is being written.
//! - `quarantine`: sessions that adjudicators alone may read, until one of them releases them.
//! - `promotions`: the log of promotions and its evidence.
//! - `watched`: sessions of production, and how far growing files were read.
//! - `users`: who may log in. `trail`: who looked at what. `outbox`: what is to be told to others.
//! - `keep`: retention, backup, numbers. `transfer`: everything as lines, and back. `sound`: whether it all adds up.
//!
//! No clock in here: callers say what time it is.

mod book;
mod contents;
mod decisions;
mod drafts;
mod enqueue;
mod error;
mod filter;
mod intake;
mod items;
mod keep;
mod labels;
mod leases;
mod lines;
mod migrate;
mod names;
mod open;
mod outbox;
mod promotions;
mod quarantine;
mod runs;
mod sound;
mod sql;
mod trail;
mod transfer;
mod url;
mod users;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, AnyPool, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

pub use decisions::Decided;
pub use enqueue::Enqueued;
pub use error::{StoreError, Trouble, is_busy};
pub use filter::{Counts, ItemFilter, Page};
pub use intake::{Brought, Keep, Taken};
pub use keep::{Info, Purged};
pub use leases::Claimed;
pub use lines::Line;
pub use outbox::{About, Outcome, Post};
pub use promotions::LogRow;
pub use quarantine::Released;
pub use runs::{CheckRow, NewRun, Run, RunFilter, RunRow, SessionRow, SuiteRow, VerdictRow};
pub use sound::Unsound;
pub use trail::{ANSWERS, RELEASED, REVEALED, Seen, TrailFilter};
pub use transfer::Untaken;
pub use url::StoreUrl;
pub use users::{Failed, LOGIN, Login, Role, User};
pub use watched::{Current, Entered, Place, Watched, WatchedRow};

use crate::ledger::Refused;
use crate::redact::Redactors;
use sql::Sql;

/// Which of the two databases it is, for the few words in which they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite, in a file.
    Sqlite,
    /// PostgreSQL, on a server.
    Postgres,
}

impl Dialect {
    /// Locks the rows that a statement reads, and passes over those that others have locked. In SQLite there is one
    /// writer at a time, and nothing to lock.
    const fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// Locks the rows that a statement reads, and waits for others that have.
    const fn lock(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }

    /// What begins a transaction that writes: in SQLite one that has the lock from the start, for a transaction that
    /// reads first and then wants to write can fail for no fault of its own.
    const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// What begins a transaction that reads, and sees one moment of all tables.
    const fn one_moment(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// The database. Cheap to clone; all clones share its connections.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    pool: AnyPool,
    dialect: Dialect,
    /// Whose turn it is to write. In SQLite there is one writer at a time, and those of one process wait for each other
    /// here, in order, rather than by asking the file again and again.
    turn: Arc<Mutex<()>>,
    /// What it is called in messages: never with a password.
    shown: String,
    file: Option<PathBuf>,
    /// Which file that is, whatever it is called.
    is: Option<open::Identity>,
    /// Whether what happens to items is put into the outbox.
    posting: bool,
    /// What is taken out of what people write, beside what the suite of an item says.
    hiding: Redactors,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.0.shown)
    }
}

impl Store {
    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// What it is called in messages: a path, or an address without its password.
    pub fn shown(&self) -> &str {
        &self.0.shown
    }

    /// Its file, of SQLite.
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// Lets go of it. What was told to be written is written with or without this.
    pub async fn close(&self) {
        self.0.pool.close().await;
        if let Some(file) = &self.0.file {
            open::put_away(file).await;
        }
    }

    fn told(&self, why: sqlx::Error) -> StoreError {
        StoreError::of(&self.0.shown, self.0.dialect, why)
    }

    /// That a SQLite file is still the one that was opened. SQLite would go on writing to one that has no name any more, or
    /// another one, and to a log that nobody looks for.
    fn in_place(&self) -> Result<(), StoreError> {
        let Inner { file, is, shown, .. } = &*self.0;
        let has_moved = file.as_deref().is_some_and(|file| open::identity(file) != *is);
        if has_moved { Err(StoreError::new(shown, Trouble::Moved)) } else { Ok(()) }
    }

    /// Begins to write.
    pub(in crate::store) async fn begin(&self) -> Result<Tx, StoreError> {
        let turn = match self.0.dialect {
            Dialect::Sqlite => Some(self.0.turn.clone().lock_owned().await),
            Dialect::Postgres => None,
        };
        self.in_place()?;
        let begun = self.0.pool.begin_with(self.0.dialect.begin()).await.map_err(|e| self.told(e))?;
        Ok(Tx { begun, _turn: turn, store: self.clone() })
    }

    /// Every row of a query, read by `of`.
    async fn all<T>(&self, sql: &Sql, of: fn(&AnyRow) -> Result<T, sqlx::Error>) -> Result<Vec<T>, StoreError> {
        let rows = sql.query().fetch_all(&self.0.pool).await.map_err(|e| self.told(e))?;
        rows.iter().map(of).collect::<Result<_, _>>().map_err(|e| self.told(e))
    }

    /// The first row of a query.
    async fn one<T>(&self, sql: &Sql, of: fn(&AnyRow) -> Result<T, sqlx::Error>) -> Result<Option<T>, StoreError> {
        let row = sql.query().fetch_optional(&self.0.pool).await.map_err(|e| self.told(e))?;
        row.as_ref().map(of).transpose().map_err(|e| self.told(e))
    }

    /// One statement, by itself a transaction; how many rows it changed.
    async fn run(&self, sql: &Sql) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let changed = tx.run(sql).await?;
        tx.commit().await?;
        Ok(changed)
    }
}

/// A transaction that writes. Without [`Tx::commit`] nothing of it happened.
pub(in crate::store) struct Tx {
    // Before the turn: it ends first.
    begun: Transaction<'static, Any>,
    _turn: Option<OwnedMutexGuard<()>>,
    store: Store,
}

impl Tx {
    fn connection(&mut self) -> &mut AnyConnection {
        &mut self.begun
    }

    async fn all<T>(&mut self, sql: &Sql, of: fn(&AnyRow) -> Result<T, sqlx::Error>) -> Result<Vec<T>, StoreError> {
        let rows = sql.query().fetch_all(self.connection()).await.map_err(|e| self.store.told(e))?;
        rows.iter().map(of).collect::<Result<_, _>>().map_err(|e| self.store.told(e))
    }

    async fn one<T>(&mut self, sql: &Sql, of: fn(&AnyRow) -> Result<T, sqlx::Error>) -> Result<Option<T>, StoreError> {
        let row = sql.query().fetch_optional(self.connection()).await.map_err(|e| self.store.told(e))?;
        row.as_ref().map(of).transpose().map_err(|e| self.store.told(e))
    }

    async fn run(&mut self, sql: &Sql) -> Result<u64, StoreError> {
        let done = sql.query().execute(self.connection()).await.map_err(|e| self.store.told(e))?;
        Ok(done.rows_affected())
    }

    /// Makes it all true, and on disk, where the next who opens the store finds it.
    async fn commit(self) -> Result<(), StoreError> {
        let Self { begun, _turn, store } = self;
        if let Err(moved) = store.in_place() {
            begun.rollback().await.map_err(|e| store.told(e))?;
            return Err(moved);
        }
        begun.commit().await.map_err(|e| store.told(e))
    }

    /// Makes it all true if it was done, and lets go of everything at once if it was refused: what is held until the
    /// connection is used again keeps others waiting.
    async fn finish<T>(self, done: Result<T, Refused>) -> Result<Result<T, Refused>, StoreError> {
        match done {
            Ok(_) => self.commit().await?,
            Err(_) => self.end().await?,
        }
        Ok(done)
    }

    /// Makes nothing of it true.
    async fn end(self) -> Result<(), StoreError> {
        let Self { begun, _turn, store } = self;
        begun.rollback().await.map_err(|e| store.told(e))
    }

    fn dialect(&self) -> Dialect {
        self.store.0.dialect
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
