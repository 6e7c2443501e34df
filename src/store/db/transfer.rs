//! All that is stored as lines of JSON, and back: from one database to the other, or to a file that outlives both.
//!
//! The first line says what it is, every other one is a row with its table, the last one how many rows there are; what was
//! cut short is not taken in. Tables and columns are those that the database has. People are left out: their passwords
//! and logins are nobody else's, and they are added anew.
//!
//! What is taken in comes from outside: it is held against itself ([`super::sound`]) before any of it is true.

use std::io::{self, BufRead, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::any::{AnyRow, AnyTypeInfoKind};
use sqlx::error::ErrorKind;
use sqlx::{Column, Row, ValueRef};

use super::sql::{Arg, Sql, count, strange};
use super::{Dialect, LogRow, Store, StoreError, Tx, Unsound, migrate, promotions, sound};

/// The version of the lines.
const VERSION: u32 = 1;

/// The oldest form whose rows still mean what they say: before it, an answer counted as blind of which that is not known.
const OLDEST: i64 = 4;

/// Tables that stay where they are: what is being worked on now, and who people are.
const LEFT_OUT: [&str; 7] = ["seatrial_schema", "users", "logins", "failed_logins", "leases", "drafts", "outbox"];

/// The longest line that is taken in, in bytes.
const LONGEST: u64 = 1 << 30;

/// How much is sent in one statement, in bytes of lines.
const PORTION: usize = 4 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    seatrial_store: u32,
    form: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    table: String,
    row: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    rows: u64,
}

/// Why lines were not taken in; then nothing of them was.
#[derive(Debug, thiserror::Error)]
pub enum Untaken {
    /// They cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is not what it must be.
    #[error("line {line}: {why}")]
    Line {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// It does not add up: no store would hold it.
    #[error(transparent)]
    Unsound(#[from] Unsound),
    /// The store is not empty.
    #[error("the store has something in it already; name a new one with `--store`")]
    NotEmpty,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Int,
    Real,
    Bytes,
}

/// A table, with its columns in order.
struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
}

impl Table {
    fn of(columns: Vec<(String, String, Kind)>) -> Vec<Self> {
        let mut tables: Vec<Self> = Vec::new();
        for (name, column, kind) in columns {
            if LEFT_OUT.contains(&name.as_str()) {
                continue;
            }
            match tables.last_mut().filter(|table| table.name == name) {
                Some(table) => table.columns.push((column, kind)),
                None => tables.push(Self { name, columns: vec![(column, kind)] }),
            }
        }
        tables
    }

    /// So that what names an earlier row comes after it.
    fn order(&self) -> &str {
        if self.name == "labels" { "item, seq" } else { "1, 2" }
    }
}

fn column(row: &AnyRow) -> Result<(String, String, Kind), sqlx::Error> {
    let kind: String = row.try_get("kind")?;
    let kind = kind.to_ascii_lowercase();
    let kind = match kind.as_str() {
        kind if kind.contains("int") => Kind::Int,
        kind if kind.contains("double") => Kind::Real,
        "blob" | "bytea" => Kind::Bytes,
        "text" => Kind::Text,
        other => return Err(strange(format!("a column is of type {other}"))),
    };
    Ok((row.try_get("tab")?, row.try_get("col")?, kind))
}

const fn columns(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT s.name AS tab, c.name AS col, c.type AS kind FROM sqlite_schema s JOIN pragma_table_info(s.name) c \
             WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite%' ORDER BY s.name, c.cid"
        }
        Dialect::Postgres => {
            "SELECT CAST(table_name AS TEXT) AS tab, CAST(column_name AS TEXT) AS col, CAST(data_type AS TEXT) AS kind \
             FROM information_schema.columns WHERE table_schema = 'seatrial' ORDER BY table_name, ordinal_position"
        }
    }
}

fn value(row: &AnyRow, at: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().kind();
    Ok(match kind {
        AnyTypeInfoKind::SmallInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::BigInt => {
            row.try_get::<i64, _>(at)?.into()
        }
        AnyTypeInfoKind::Real | AnyTypeInfoKind::Double => row.try_get::<f64, _>(at)?.into(),
        AnyTypeInfoKind::Text => row.try_get::<String, _>(at)?.into(),
        AnyTypeInfoKind::Blob => STANDARD.encode(row.try_get::<Vec<u8>, _>(at)?).into(),
        other => return Err(strange(format!("a value is of type {other:?}"))),
    })
}

fn arg(kind: Kind, value: Option<&Value>) -> Option<Arg> {
    let value = value.filter(|value| !value.is_null());
    Some(match (kind, value) {
        (Kind::Text, None) => Arg::Text(None),
        (Kind::Int, None) => Arg::Int(None),
        (Kind::Real, None) => Arg::Real(None),
        (Kind::Bytes, None) => Arg::Bytes(None),
        (Kind::Text, Some(value)) => value.as_str()?.into(),
        (Kind::Int, Some(value)) => value.as_i64()?.into(),
        (Kind::Real, Some(value)) => value.as_f64()?.into(),
        (Kind::Bytes, Some(value)) => STANDARD.decode(value.as_str()?).ok()?.into(),
    })
}

impl Store {
    /// Writes all that is stored, as of one moment, but for people; how many rows. Sessions are in it.
    ///
    /// # Errors
    /// The store cannot be read; within, the lines cannot be written.
    pub async fn export(&self, out: &mut (dyn Write + Send)) -> Result<io::Result<u64>, StoreError> {
        let told = |error| self.told(error);
        let mut begun = self.0.pool.begin_with(self.0.dialect.one_moment()).await.map_err(told)?;
        let list = Sql::new(columns(self.0.dialect));
        let list = list.query().fetch_all(&mut *begun).await.map_err(told)?;
        let list = list.iter().map(column).collect::<Result<_, _>>().map_err(told)?;
        let mut rows = 0;
        if let Err(why) = line(out, &Head { seatrial_store: VERSION, form: migrate::KNOWN }) {
            return Ok(Err(why));
        }
        for table in Table::of(list) {
            let sql = Sql::new(&format!("SELECT * FROM {} ORDER BY {}", table.name, table.order()));
            let mut found = sql.query().fetch(&mut *begun);
            while let Some(found) = found.try_next().await.map_err(told)? {
                let values = found.columns().iter().enumerate();
                let values = values.map(|(at, column)| Ok((column.name().to_owned(), value(&found, at)?)));
                let row = values.collect::<Result<Map<_, _>, _>>().map_err(told)?;
                if let Err(why) = line(out, &Line { table: table.name.clone(), row }) {
                    return Ok(Err(why));
                }
                rows += 1;
            }
        }
        begun.rollback().await.map_err(told)?;
        Ok(line(out, &End { rows }).and_then(|()| out.flush()).map(|()| rows))
    }

    /// Takes in what [`Store::export`] wrote, all of it or nothing, into a store that is empty; how many rows. `chain` says
    /// what is wrong with a log of promotions, which means nothing here.
    ///
    /// # Errors
    /// The store cannot be written; within, the lines are not what they must be, or do not add up.
    pub async fn take_in(
        &self,
        lines: &mut (dyn BufRead + Send),
        chain: fn(Vec<LogRow>) -> Option<String>,
    ) -> Result<Result<u64, Untaken>, StoreError> {
        let mut tx = self.begin().await?;
        let taken = match tx.take_in(lines).await? {
            Ok(rows) => tx.sound(chain).await?.map(|()| rows),
            Err(why) => Err(why),
        };
        match taken {
            Ok(_) => tx.commit().await?,
            Err(_) => tx.end().await?,
        }
        Ok(taken)
    }
}

fn line(out: &mut (dyn Write + Send), value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// The next line without its end; `None` at the end of all.
fn next(lines: &mut (dyn BufRead + Send), at: u64) -> Result<Option<Vec<u8>>, Untaken> {
    let mut found = Vec::new();
    io::Read::take(&mut *lines, LONGEST).read_until(b'\n', &mut found)?;
    match found.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(found)),
        Some(_) => Err(Untaken::Line { line: at, why: "it ends within the line".to_owned() }),
    }
}

impl Tx {
    /// That what is there by now adds up.
    async fn sound(&mut self, chain: fn(Vec<LogRow>) -> Option<String>) -> Result<Result<(), Untaken>, StoreError> {
        let mut found = sound::look(self.connection()).await.map_err(|why| self.store.told(why))?;
        // A log of which a row cannot be read has been told already.
        if found.all == 0
            && let Some(why) = chain(self.all(&promotions::log(), promotions::row_of).await?)
        {
            found.add(why);
        }
        Ok(if found.all == 0 { Ok(()) } else { Err(found.into()) })
    }

    async fn take_in(&mut self, lines: &mut (dyn BufRead + Send)) -> Result<Result<u64, Untaken>, StoreError> {
        let tables = Table::of(self.all(&Sql::new(columns(self.dialect())), column).await?);
        for table in &tables {
            let any = Sql::new(&format!("SELECT count(*) AS n FROM {}", table.name));
            if self.one(&any, |row| count(row, "n")).await? != Some(0) {
                return Ok(Err(Untaken::NotEmpty));
            }
        }
        let mut portion = Portion::default();
        let mut rows = 0;
        for at in 1.. {
            let step = next(lines, at).and_then(|found| step(found, at, rows, &tables));
            let (table, args, bytes) = match step {
                Err(why) => return Ok(Err(why)),
                Ok(Step::Head) => continue,
                Ok(Step::End) => match next(lines, at + 1) {
                    Ok(None) => break,
                    Ok(Some(_)) => {
                        let why = "it goes on after its last line".to_owned();
                        return Ok(Err(Untaken::Line { line: at + 1, why }));
                    }
                    Err(why) => return Ok(Err(why)),
                },
                Ok(Step::Row(table, args, bytes)) => (table, args, bytes),
            };
            rows += 1;
            let is_full = portion.table != Some(table) || portion.bytes > PORTION;
            if is_full && let Err(why) = self.put(&tables, std::mem::take(&mut portion)).await? {
                return Ok(Err(why));
            }
            portion.table = Some(table);
            portion.last = at;
            portion.bytes += bytes;
            portion.rows.push(args);
        }
        if let Err(why) = self.put(&tables, portion).await? {
            return Ok(Err(why));
        }
        self.count_on(&tables).await?;
        Ok(Ok(rows))
    }

    /// Puts rows in; within, why they do not go together.
    async fn put(&mut self, tables: &[Table], portion: Portion) -> Result<Result<(), Untaken>, StoreError> {
        let Some(table) = portion.table.and_then(|at| tables.get(at)) else { return Ok(Ok(())) };
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
        let statements =
            Sql::inserts(self.dialect(), &format!("{} ({})", table.name, names.join(", ")), portion.rows, "");
        for sql in &statements {
            match sql.query().execute(self.connection()).await {
                Ok(_) => {}
                Err(sqlx::Error::Database(why)) if !matches!(why.kind(), ErrorKind::Other) => {
                    let name = &table.name;
                    let why = format!("the rows of `{name}` up to here do not go together: {}", why.message());
                    return Ok(Err(Untaken::Line { line: portion.last, why }));
                }
                Err(why) => return Err(self.store.told(why)),
            }
        }
        Ok(Ok(()))
    }

    /// Lets keys that count by themselves go on after those that were taken in. SQLite does so by itself.
    async fn count_on(&mut self, tables: &[Table]) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        for table in tables.iter().filter(|table| table.columns.iter().any(|(name, _)| name == "n")) {
            let name = &table.name;
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('seatrial.{name}', 'n'), (SELECT COALESCE(MAX(n), 0) + 1 FROM {name}), \
                 false) AS n WHERE pg_get_serial_sequence('seatrial.{name}', 'n') IS NOT NULL"
            );
            self.one(&Sql::new(&sql), |_| Ok(())).await?;
        }
        Ok(())
    }
}

/// Rows of one table that wait to be sent.
#[derive(Default)]
struct Portion {
    table: Option<usize>,
    rows: Vec<Vec<Arg>>,
    bytes: usize,
    /// The line of the last one.
    last: u64,
}

enum Step {
    Head,
    Row(usize, Vec<Arg>, usize),
    End,
}

/// What a line is.
fn step(found: Option<Vec<u8>>, at: u64, rows: u64, tables: &[Table]) -> Result<Step, Untaken> {
    let wrong = |why: String| Untaken::Line { line: at, why };
    let Some(found) = found else {
        return Err(wrong("it ends before its last line, which says how many rows there are".to_owned()));
    };
    if at == 1 {
        let head: Head = serde_json::from_slice(&found).map_err(|e| wrong(format!("not an export of a store: {e}")))?;
        if head.seatrial_store > VERSION || head.form > migrate::KNOWN {
            return Err(wrong(format!("it was written by a later seatrial (form {})", head.form)));
        }
        if head.seatrial_store < VERSION || head.form < OLDEST {
            let form = head.form;
            let why = format!(
                "it was written by an earlier seatrial (form {form}), whose rows do not say whether answers were blind: \
                 open that store with this seatrial and export it again"
            );
            return Err(wrong(why));
        }
        return Ok(Step::Head);
    }
    if let Ok(end) = serde_json::from_slice::<End>(&found) {
        if end.rows != rows {
            return Err(wrong(format!("there are {rows} rows, and should be {}", end.rows)));
        }
        return Ok(Step::End);
    }
    let line: Line = serde_json::from_slice(&found).map_err(|e| wrong(e.to_string()))?;
    let place = tables.iter().position(|table| table.name == line.table);
    let place = place.ok_or_else(|| wrong(format!("there is no table `{}`", line.table)))?;
    let known = &tables[place].columns;
    if let Some(other) = line.row.keys().find(|key| !known.iter().any(|(name, _)| name == *key)) {
        return Err(wrong(format!("`{}` has no column `{other}`", line.table)));
    }
    let args = known.iter().map(|(name, kind)| {
        arg(*kind, line.row.get(name)).ok_or_else(|| wrong(format!("`{name}` of `{}` is of another type", line.table)))
    });
    Ok(Step::Row(place, args.collect::<Result<_, _>>()?, found.len()))
}
