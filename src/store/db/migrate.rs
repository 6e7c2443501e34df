//! Brings a database to the form that this version knows: each migration once, all of them in one transaction, by one
//! process at a time.
//!
//! Migrations are files; adding one is a file and a line in [`MIGRATIONS`]. The same text serves both databases, but for
//! two words: `SERIAL_KEY`, a key that counts by itself, and `BYTES`, the type of bytes.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection, Executor, Row};

use super::sql::Sql;
use super::{Dialect, Trouble};

/// Every migration, in order; the first is version 1.
const MIGRATIONS: &[&str] =
    &[include_str!("migrations/0001_ledger.sql"), include_str!("migrations/0002_promotions.sql")];

/// The form that this version knows.
pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// Says that a SQLite file is a store ("stst").
const APPLICATION: i64 = 0x7374_7374;

/// The schema of PostgreSQL in which everything is, so that a database may hold other things, too.
pub(super) const SCHEMA: &str = "seatrial";

/// What those who migrate at once wait for, in PostgreSQL: any number, the same in every version.
const LOCK: i64 = 0x7365_6174_7269_616c;

/// Why a database was not brought up to date.
pub(super) enum Unmigrated {
    Sql(sqlx::Error),
    Trouble(Trouble),
}

impl From<sqlx::Error> for Unmigrated {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Brings it up to date.
pub(super) async fn migrate(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), Unmigrated> {
    // Without a lock first: most of the time there is nothing to do, and nobody is to wait for that.
    if version(connection, dialect).await? == Some(KNOWN) {
        return Ok(());
    }
    let mut begun = connection.begin_with(dialect.begin()).await?;
    if dialect == Dialect::Postgres {
        Sql::of("SELECT pg_advisory_xact_lock($1)", [LOCK.into()]).query().execute(&mut *begun).await?;
    }
    let found = version(&mut begun, dialect).await?;
    if let Some(newer) = found.filter(|found| *found > KNOWN) {
        return Err(Unmigrated::Trouble(Trouble::Newer { found: newer, known: KNOWN }));
    }
    let done = found.unwrap_or(0);
    for (text, n) in MIGRATIONS.iter().zip(1..).filter(|(_, n)| *n > done) {
        let text = words(text, dialect);
        begun.execute(sqlx::raw_sql(&text)).await?;
        let note = Sql::of("INSERT INTO seatrial_schema (version) VALUES ($1)", [Into::into(n)]);
        note.query().execute(&mut *begun).await?;
    }
    if dialect == Dialect::Sqlite {
        let pragma = format!("PRAGMA application_id = {APPLICATION}");
        begun.execute(sqlx::raw_sql(&pragma)).await?;
    }
    begun.commit().await?;
    Ok(())
}

/// A migration in the words of a database.
fn words(text: &str, dialect: Dialect) -> String {
    let (serial, bytes) = match dialect {
        Dialect::Sqlite => ("INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB"),
        Dialect::Postgres => ("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BYTEA"),
    };
    let mut made = text.replace("SERIAL_KEY", serial).replace("BYTES", bytes);
    // The table of versions comes with the first.
    if text == MIGRATIONS[0] {
        let schema = match dialect {
            Dialect::Sqlite => String::new(),
            Dialect::Postgres => format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA};\nSET search_path TO {SCHEMA};\n"),
        };
        made = format!("{schema}CREATE TABLE seatrial_schema (version BIGINT PRIMARY KEY);\n{made}");
    }
    made
}

/// The version of its form; `None` of one that is new.
async fn version(connection: &mut AnyConnection, dialect: Dialect) -> Result<Option<i64>, Unmigrated> {
    let there = match dialect {
        Dialect::Sqlite => is_ours(connection).await?,
        Dialect::Postgres => {
            let sql = format!(
                "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = '{SCHEMA}' AND tablename = 'seatrial_schema'"
            );
            number(connection, &sql).await? > 0
        }
    };
    if !there {
        return Ok(None);
    }
    Ok(Some(number(connection, "SELECT COALESCE(MAX(version), 0) FROM seatrial_schema").await?))
}

/// Whether a SQLite file is a store, and not a new one.
async fn is_ours(connection: &mut AnyConnection) -> Result<bool, Unmigrated> {
    let application = number(connection, "PRAGMA application_id").await?;
    let tables = number(connection, "SELECT count(*) FROM sqlite_schema").await?;
    match (application, tables) {
        (0, 0) => Ok(false),
        (APPLICATION, _) => Ok(true),
        (0, _) => Err(Unmigrated::Trouble(Trouble::Foreign { why: "it is a database of something else".to_owned() })),
        (other, _) => {
            let why = format!("it is a database of something else (application id {other:#x})");
            Err(Unmigrated::Trouble(Trouble::Foreign { why }))
        }
    }
}

async fn number(connection: &mut AnyConnection, sql: &str) -> Result<i64, sqlx::Error> {
    let row: AnyRow = sqlx::query(sql).fetch_one(connection).await?;
    row.try_get(0)
}
