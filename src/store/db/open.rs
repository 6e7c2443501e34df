//! Finding a database, making it where there is none, and bringing it up to date.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Once};
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, ConnectOptions, Connection, Executor};
use tokio::sync::Mutex;

use super::migrate::{self, Unmigrated};
use super::{Dialect, Inner, Store, StoreError, StoreUrl, Trouble, is_busy};
use crate::net::percent;
use crate::redact::Redactors;

/// How long a process that writes is waited for, in SQLite.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long is waited for a connection.
const CONNECT: Duration = Duration::from_secs(15);
/// How long is waited each time before the log of a file is put away that others have not.
const PUT_AWAY: [Duration; 3] = [Duration::ZERO, Duration::from_millis(5), Duration::from_millis(20)];

/// Connections at most. SQLite has one writer at a time and needs few.
const fn connections(dialect: Dialect) -> u32 {
    match dialect {
        Dialect::Sqlite => 4,
        Dialect::Postgres => 10,
    }
}

/// What every connection of SQLite is told. WAL, so that readers and the writer do not wait for each other; with `FULL`
/// what was committed survives a loss of power, too.
fn pragmas(patience: Duration) -> String {
    format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;",
        patience.as_millis()
    )
}

impl Store {
    /// Opens the database, makes it where there is none, and brings it up to date.
    ///
    /// # Errors
    /// It cannot be reached or read, is none, is damaged, or of a newer version.
    pub async fn open(at: &StoreUrl) -> Result<Self, StoreError> {
        Self::open_with(at, PATIENCE).await
    }

    /// The same, with how long a process that writes is waited for.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(at: &StoreUrl, patience: Duration) -> Result<Self, StoreError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let shown = at.to_string();
        let (dialect, url, file) = match at {
            StoreUrl::File(path) => {
                let path = make(path).map_err(|why| StoreError::new(&shown, unmade(&why)))?;
                (Dialect::Sqlite, sqlite_url(&path), Some(path))
            }
            StoreUrl::Postgres(url) => (Dialect::Postgres, url.expose_secret().to_owned(), None),
        };
        let told = |error| StoreError::of(&shown, dialect, error);
        let options = AnyConnectOptions::from_str(&url).map_err(told)?.disable_statement_logging();
        // The pool would try again and again, and in the end say only that it took too long.
        let mut first = tokio::time::timeout(CONNECT, AnyConnection::connect_with(&options))
            .await
            .map_err(|_| told(sqlx::Error::PoolTimedOut))?
            .map_err(told)?;
        prepare(&mut first, dialect, patience).await.map_err(told)?;
        migrate::migrate(&mut first, dialect).await.map_err(|why| match why {
            Unmigrated::Sql(error) => told(error),
            Unmigrated::Trouble(trouble) => StoreError::new(&shown, trouble),
        })?;
        // Before the pool opens others: the last connection that closes would put the log away.
        let pool = AnyPoolOptions::new()
            .max_connections(connections(dialect))
            .acquire_timeout(CONNECT)
            .after_connect(move |connection, _| Box::pin(prepare(connection, dialect, patience)))
            .connect_lazy_with(options);
        drop(first.close().await);
        let turn = Arc::new(Mutex::new(()));
        let is = file.as_deref().and_then(identity);
        let (posting, hiding) = (false, Redactors::default());
        Ok(Self(Arc::new(Inner { pool, dialect, turn, shown, file, is, posting, hiding })))
    }

    /// The same database, where what happens to items is put into the outbox, to be told to others.
    #[must_use]
    pub fn posting(&self) -> Self {
        Self(Arc::new(Inner { posting: true, ..(*self.0).clone() }))
    }

    /// The same database, where what people write goes through these rules, too: comments and drafts, before they are stored
    /// and when they are read. What the suite of an item takes out, and the secrets of this process, are taken out in any case.
    #[must_use]
    pub fn hiding(&self, rules: Redactors) -> Self {
        Self(Arc::new(Inner { hiding: rules, ..(*self.0).clone() }))
    }
}

/// Which file a path leads to: its device and its number there.
pub(super) type Identity = (u64, u64);

/// Which file a path leads to now; `None` where there is none, and on systems that let nobody take away what is open.
pub(super) fn identity(path: &Path) -> Option<Identity> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).ok().map(|is| (is.dev(), is.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Makes a connection ready.
async fn prepare(connection: &mut AnyConnection, dialect: Dialect, patience: Duration) -> Result<(), sqlx::Error> {
    match dialect {
        Dialect::Sqlite => {
            let text = pragmas(patience);
            // Going over to WAL does not wait for others that do the same, so it is tried again.
            let mut left = 100;
            loop {
                match connection.execute(sqlx::raw_sql(&text)).await {
                    Err(sqlx::Error::Database(e)) if left > 0 && is_busy(&*e) => {
                        left -= 1;
                        tokio::time::sleep(patience.min(Duration::from_secs(1)) / 100).await;
                    }
                    done => return done.map(|_| ()),
                }
            }
        }
        Dialect::Postgres => {
            let text = format!("SET search_path TO {}; SET application_name = 'seatrial'", migrate::SCHEMA);
            connection.execute(sqlx::raw_sql(&text)).await.map(|_| ())
        }
    }
}

/// Makes the file, for its owner's eyes only: sessions of customers are in it. SQLite gives its other files the same
/// rights. Where it is, without any detour: an address would be read without its `..`.
fn make(path: &Path) -> io::Result<PathBuf> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
        ignored(folder);
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(why) if why.kind() != io::ErrorKind::AlreadyExists => Err(why),
        _ => path.canonicalize(),
    }
}

/// Puts the log of a SQLite file away where it was left. The last connection that closes does it, but of two that close
/// at the same moment each takes the other for one that goes on, and that may happen to this one as well. Where it cannot
/// be done now, since another process goes on, that one does it, or whoever opens the file next.
pub(super) async fn put_away(file: &Path) {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let Ok(options) = AnyConnectOptions::from_str(&sqlite_url(file)) else { return };
    let options = options.disable_statement_logging();
    for wait in PUT_AWAY {
        if !Path::new(&log).exists() {
            return;
        }
        tokio::time::sleep(wait).await;
        if let Ok(mut last) = AnyConnection::connect_with(&options).await {
            // The log is looked at with the first thing that is read.
            let _ = last.execute(sqlx::raw_sql("SELECT 1 FROM sqlite_schema LIMIT 1")).await;
            let _ = last.close().await;
        }
    }
}

/// Keeps databases out of the repository: sessions of customers are in them. Whatever the folder says already stands.
fn ignored(folder: &Path) {
    let path = folder.join(".gitignore");
    if folder.ends_with(".seatrial") && !path.exists() {
        // A folder that takes no other file may still hold the store; whoever commits it sees what it is.
        let _ = std::fs::write(path, "*.db\n*.db-*\n");
    }
}

fn unmade(why: &io::Error) -> Trouble {
    match why.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Trouble::Full,
        io::ErrorKind::ReadOnlyFilesystem => Trouble::ReadOnly,
        _ => Trouble::Denied { why: format!("its file cannot be made: {why}") },
    }
}

/// The address of a file. Whatever a path may hold is escaped.
fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}?mode=rw", percent::encode(path.as_os_str().as_encoded_bytes(), b"/"))
}
