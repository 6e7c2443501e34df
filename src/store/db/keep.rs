//! Keeping house: how much there is, what is kept for how long, copies.

use std::path::Path;

use sqlx::Row;

use super::sql::{Arg, Sql, count};
use super::{Dialect, Store, StoreError, Trouble, Unsound, migrate, sound};
use crate::ledger::Millis;

/// What is in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The version of its form.
    pub form: i64,
    /// Rows by table, in a fixed order.
    pub rows: Vec<(&'static str, u64)>,
    /// Bytes of it.
    pub bytes: u64,
    /// Sessions that can be read, and their bytes, packed.
    pub sessions: (u64, u64),
    /// Sessions that retention took.
    pub purged: u64,
}

/// What retention took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Sessions whose content is gone.
    pub sessions: u64,
    /// Their bytes, packed.
    pub bytes: u64,
    /// Sessions that are old enough, and which somebody still has to read.
    pub spared: u64,
}

/// The tables whose rows are counted.
const TABLES: [&str; 13] = [
    "runs",
    "verdicts",
    "items",
    "labels",
    "leases",
    "drafts",
    "contents",
    "users",
    "logins",
    "trail",
    "outbox",
    "promotion_log",
    "watched",
];

/// Sessions that were stored before a time, and are there.
const OLD: &str = "FROM contents WHERE bytes IS NOT NULL AND stored < ";

/// Whether an item that is not decided shows the session.
const WANTED: &str = "EXISTS (SELECT 1 FROM items i WHERE i.status NOT IN ('resolved', 'cancelled') \
                      AND (i.content = contents.digest OR i.baseline = contents.digest))";

impl Store {
    /// What is in it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn info(&self) -> Result<Info, StoreError> {
        let mut rows = Vec::new();
        for table in TABLES {
            let sql = Sql::new(&format!("SELECT count(*) AS n FROM {table}"));
            rows.push((table, self.one(&sql, |row| count(row, "n")).await?.unwrap_or(0)));
        }
        let bytes = match self.0.dialect {
            Dialect::Sqlite => "SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()",
            Dialect::Postgres => {
                "SELECT CAST(COALESCE(SUM(pg_total_relation_size(c.oid)), 0) AS BIGINT) AS n FROM pg_class c \
                 JOIN pg_namespace s ON s.oid = c.relnamespace WHERE s.nspname = 'seatrial' AND c.relkind = 'r'"
            }
        };
        let there = Sql::new(
            "SELECT count(*) AS n, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS size FROM contents WHERE bytes IS NOT NULL",
        );
        let purged = Sql::new("SELECT count(*) AS n FROM contents WHERE bytes IS NULL");
        Ok(Info {
            form: migrate::KNOWN,
            rows,
            bytes: self.one(&Sql::new(bytes), |row| count(row, "n")).await?.unwrap_or(0),
            sessions: self.one(&there, |row| Ok((count(row, "n")?, count(row, "size")?))).await?.unwrap_or((0, 0)),
            purged: self.one(&purged, |row| count(row, "n")).await?.unwrap_or(0),
        })
    }

    /// Takes out the content of sessions that were stored before `before`, except what somebody still has to read, unless
    /// `all`. Verdicts, items, labels and digests stay. With `dry_run`, only says what it would take out.
    ///
    /// # Errors
    /// The store cannot be written; then nothing was taken out.
    pub async fn purge(&self, before: Millis, all: bool, dry_run: bool, now: Millis) -> Result<Purged, StoreError> {
        let which = if all { String::new() } else { format!(" AND NOT {WANTED}") };
        let mut sum = Sql::new("SELECT count(*) AS n, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS size ");
        sum.add(OLD).arg(before).add(&which);
        let (sessions, bytes) =
            self.one(&sum, |row| Ok((count(row, "n")?, count(row, "size")?))).await?.unwrap_or((0, 0));
        let mut wanted = Sql::new("SELECT count(*) AS n ");
        wanted.add(OLD).arg(before).add(" AND ").add(WANTED);
        let spared = if all { 0 } else { self.one(&wanted, |row| count(row, "n")).await?.unwrap_or(0) };
        let mut take = Sql::new("UPDATE contents SET bytes = NULL, purged = ");
        take.arg(now).add(" WHERE bytes IS NOT NULL AND stored < ").arg(before).add(&which);
        // Nobody is to wait where there is nothing to do.
        if sessions > 0 && !dry_run {
            self.run(&take).await?;
        }
        Ok(Purged { sessions, bytes, spared })
    }

    /// Gives unused room back to the system, and in SQLite overwrites what was taken out.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn vacuum(&self) -> Result<(), StoreError> {
        let statements: &[&str] = match self.0.dialect {
            Dialect::Sqlite => &["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"],
            Dialect::Postgres => {
                &["VACUUM contents", "VACUUM items", "VACUUM labels", "VACUUM leases", "VACUUM verdicts", "VACUUM runs"]
            }
        };
        // Not within a transaction; in SQLite nobody of this process writes meanwhile.
        let _turn = self.0.turn.lock().await;
        for statement in statements {
            Sql::new(statement).query().fetch_all(&self.0.pool).await.map_err(|e| self.told(e))?;
        }
        Ok(())
    }

    /// Writes a copy of a SQLite store to a file that must not be there, while others go on reading and writing.
    ///
    /// # Errors
    /// It cannot be read, or the file cannot be written. It is not SQLite: a server has its own tools.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        if self.0.dialect == Dialect::Postgres {
            let why = "it is on a PostgreSQL server: save it with `pg_dump --schema=seatrial`".to_owned();
            return Err(StoreError::new(&self.0.shown, Trouble::Other { why }));
        }
        let Some(path) = to.to_str() else {
            let why = format!("the path {} is not text", to.display());
            return Err(StoreError::new(&self.0.shown, Trouble::Other { why }));
        };
        let sql = Sql::of("VACUUM INTO $1", [Arg::from(path)]);
        sql.query().execute(&self.0.pool).await.map(|_| ()).map_err(|e| self.told(e))
    }

    /// Looks through all of it for damage: of a SQLite file, and whether its rows add up ([`super::sound`]). Of a damaged file
    /// SQLite itself stops counting at 100.
    ///
    /// # Errors
    /// It cannot be read at all.
    pub async fn damage(&self) -> Result<Unsound, StoreError> {
        if self.0.dialect == Dialect::Sqlite {
            let found = self.all(&Sql::new("PRAGMA integrity_check"), |row| row.try_get::<String, _>(0)).await?;
            let mut damaged = Unsound::default();
            found.into_iter().filter(|line| line != "ok").for_each(|line| damaged.add(line));
            if !damaged.is_none() {
                return Ok(damaged);
            }
        }
        let told = |why| self.told(why);
        let mut begun = self.0.pool.begin_with(self.0.dialect.one_moment()).await.map_err(told)?;
        let unsound = sound::look(&mut begun).await.map_err(told)?;
        begun.rollback().await.map_err(told)?;
        Ok(unsound)
    }
}
