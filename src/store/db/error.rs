//! What can go wrong with a database, which one it is, and what to do about it.

use std::fmt;

use super::Dialect;

/// Something went wrong with the store. Nothing that was told to be written before is lost by it.
#[derive(Debug, thiserror::Error)]
#[error("the store {store} {trouble}")]
pub struct StoreError {
    /// Which database: a path, or an address without its password.
    pub store: String,
    /// What is wrong.
    pub trouble: Trouble,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Another process has been writing for long.
    Locked,
    /// There is no room, or no leave to use more of it.
    Full,
    /// It may be read and not written.
    ReadOnly,
    /// What is in it cannot be right.
    Damaged {
        /// What was found.
        why: String,
    },
    /// It is no database, or one of something else.
    Foreign {
        /// What it is.
        why: String,
    },
    /// A later seatrial has changed its form.
    Newer {
        /// The version of its form.
        found: i64,
        /// The latest that this seatrial knows.
        known: i64,
    },
    /// It cannot be reached, or not any more.
    Gone {
        /// Why.
        why: String,
    },
    /// Its file was taken away, moved or replaced while it was in use.
    Moved,
    /// It does not let us in.
    Denied {
        /// Why.
        why: String,
    },
    /// Something else.
    Other {
        /// What the database says.
        why: String,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str(
                "is locked: another process has been writing to it for too long; wait for it to end, or stop it, and \
                 try again",
            ),
            Self::Full => f.write_str(
                "is full: there is no room left on its disk, or no leave to use more; make room, or purge sessions \
                 with `seatrial store purge`, and try again",
            ),
            Self::ReadOnly => f.write_str("cannot be written: give its file and folder to the user of this process"),
            Self::Damaged { why } => write!(
                f,
                "is damaged ({why}): keep a copy of it, put back a backup (`seatrial store backup` makes them), or save \
                 what can be read with `seatrial store export`"
            ),
            Self::Foreign { why } => write!(f, "is not a store: {why}; name another with `store` or `--store`"),
            Self::Newer { found, known } => write!(
                f,
                "has form {found}, and this seatrial knows up to {known}: use the seatrial that wrote it, or a later one"
            ),
            Self::Gone { why } => {
                write!(f, "cannot be reached: {why}; what was reported before is in it, start the server and try again")
            }
            Self::Moved => f.write_str(
                "is not where it was: its file was taken away, moved or replaced while it was in use, and nothing was \
                 written that nobody would find again; put it back, or start again with the one that is there",
            ),
            Self::Denied { why } => write!(f, "does not let us in: {why}"),
            Self::Other { why } => write!(f, "failed: {why}"),
        }
    }
}

impl StoreError {
    pub(super) fn new(store: &str, trouble: Trouble) -> Self {
        Self { store: store.to_owned(), trouble }
    }

    pub(super) fn of(store: &str, dialect: Dialect, error: sqlx::Error) -> Self {
        Self::new(store, trouble(dialect, error))
    }
}

fn trouble(dialect: Dialect, error: sqlx::Error) -> Trouble {
    match error {
        sqlx::Error::Database(error) => {
            let (code, why) = (error.code().unwrap_or_default().into_owned(), error.message().to_owned());
            match dialect {
                Dialect::Sqlite => of_sqlite(&code, why),
                Dialect::Postgres => of_postgres(&code, why),
            }
        }
        sqlx::Error::Io(why) => Trouble::Gone { why: why.to_string() },
        sqlx::Error::PoolTimedOut => Trouble::Gone { why: "no connection could be had in time".to_owned() },
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Trouble::Gone { why: "it was closed".to_owned() },
        sqlx::Error::Tls(why) => Trouble::Denied { why: why.to_string() },
        sqlx::Error::Decode(why) | sqlx::Error::ColumnDecode { source: why, .. } => {
            Trouble::Damaged { why: why.to_string() }
        }
        sqlx::Error::RowNotFound => Trouble::Damaged { why: "a row is missing".to_owned() },
        // The server went away in the middle of an answer.
        sqlx::Error::Protocol(why) => Trouble::Gone { why },
        other => Trouble::Other { why: other.to_string() },
    }
}

/// By the result codes of SQLite; the lower byte of an extended code is its kind.
fn of_sqlite(code: &str, why: String) -> Trouble {
    const IOERR: i64 = 10;
    let extended: i64 = code.parse().unwrap_or_default();
    match extended & 0xff {
        5 | 6 => Trouble::Locked,
        13 => Trouble::Full,
        8 => Trouble::ReadOnly,
        11 => Trouble::Damaged { why },
        26 => Trouble::Foreign { why },
        14 => Trouble::Denied { why: format!("{why}: look at the rights of the file and its folder") },
        // A write that the system did not take: the disk or a limit of the process.
        IOERR if [3, 4, 6, 12, 19].contains(&(extended >> 8)) => Trouble::Full,
        IOERR => Trouble::Damaged { why },
        _ => Trouble::Other { why },
    }
}

/// By the classes of SQLSTATE.
fn of_postgres(code: &str, why: String) -> Trouble {
    match (code, code.get(..2).unwrap_or_default()) {
        ("53100", _) => Trouble::Full,
        ("55P03", _) => Trouble::Locked,
        ("25006", _) => Trouble::ReadOnly,
        ("57P01" | "57P02" | "57P03" | "53300", _) | (_, "08") => Trouble::Gone { why },
        ("3D000" | "42501", _) | (_, "28") => Trouble::Denied { why },
        (_, "XX" | "58") => Trouble::Damaged { why },
        _ => Trouble::Other { why },
    }
}

/// Whether others have a SQLite file just now, in whichever of its ways: the low byte of a code is its kind.
pub fn is_busy(why: &dyn sqlx::error::DatabaseError) -> bool {
    why.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}
