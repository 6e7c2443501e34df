//! A table of PostgreSQL that others write sessions to: a row a session, with an id and when it was written.
//!
//! The table is read in the order of time and id. Rows may become visible a little after rows of a later time, since
//! transactions end in another order than they begin: so the last minute is read again every time. What was handed over
//! before is known while the process lives, and by its content after that; a row that was written anew, with a new time, is
//! a new version of its session.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use sqlx::any::{AnyConnectOptions, AnyRow};
use sqlx::{AnyConnection, ConnectOptions, Connection, Executor, Row};
use tokio::runtime::Handle;

use super::{Intake, Source, message};
use crate::model::{LeftOut, Problem};
use crate::store::db::Place;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Rows that are read at a time.
const AT_ONCE: i64 = 200;

/// How long after a row of a later time another may become visible, in microseconds.
const OVERLAP: i64 = 60_000_000;

/// How often it is looked whether there is something new.
const EVERY: Duration = Duration::from_secs(1);

/// As in streams: places that nobody enters are forgotten.
const ENTERED: Duration = Duration::from_secs(3600);

/// Which table, and which of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The table, with its schema where it needs one.
    pub table: String,
    /// What tells rows apart.
    pub id: String,
    /// When a row was written: `timestamptz`, or `timestamp` in UTC.
    pub time: String,
    /// The session, as `json`, `jsonb` or text.
    pub session: String,
}

/// What can be a name here: it is put into what is asked of the server.
fn name(text: &str) -> Result<String, String> {
    let sound = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
            && part.len() < 64
    };
    match text.split('.').all(sound) && text.split('.').count() <= 2 {
        true => Ok(text.split('.').map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(".")),
        false => Err(format!("`{text}` cannot be the name of a table or a column here: letters, digits and `_`")),
    }
}

impl Columns {
    /// Takes the columns out of the query of an address; what is left of the query is the database's own.
    ///
    /// # Errors
    /// No table is named, or a name cannot be one.
    pub fn of(query: &str) -> Result<(Self, String), String> {
        let mut columns =
            Self { table: String::new(), id: "id".to_owned(), time: "time".to_owned(), session: "session".to_owned() };
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match key {
                "table" => &mut columns.table,
                "id" => &mut columns.id,
                "time" => &mut columns.time,
                "session" => &mut columns.session,
                _ => {
                    rest.push(pair);
                    continue;
                }
            };
            name(value)?;
            value.clone_into(place);
        }
        if columns.table.is_empty() {
            return Err("no table is named: postgres://host/database?table=NAME[&id=..&time=..&session=..]".to_owned());
        }
        Ok((columns, rest.join("&")))
    }

    /// What is asked: rows behind a time (microseconds) and an id.
    fn asked(&self) -> Result<String, String> {
        let [table, id, time, session] = [name(&self.table)?, name(&self.id)?, name(&self.time)?, name(&self.session)?];
        let from = "TIMESTAMPTZ 'epoch' + CAST($1 AS BIGINT) * INTERVAL '1 microsecond'";
        Ok(format!(
            "SELECT CAST({id} AS TEXT) AS id, CAST(EXTRACT(EPOCH FROM {time}) * 1000000 AS BIGINT) AS at, \
             CAST({session} AS TEXT) AS session FROM {table} WHERE {time} >= {from} \
             AND ({time}, CAST({id} AS TEXT)) > ({from}, CAST($2 AS TEXT)) \
             ORDER BY {time}, CAST({id} AS TEXT) LIMIT {AT_ONCE}"
        ))
    }
}

/// A table.
pub struct Table {
    name: String,
    url: SecretString,
    columns: Columns,
    handle: Handle,
    connection: Option<AnyConnection>,
    /// The latest time of a row that was handed over, in microseconds.
    place: i64,
    /// Where the reading stands: rows behind this time and id are next.
    at: (i64, String),
    /// Rows within the overlap that were handed over.
    seen: BTreeSet<(i64, String)>,
    /// When it is looked again.
    next: Instant,
    entered: Instant,
}

impl Table {
    /// A table of the database at `url`, read on from `places`. `shown` is the address as it may be shown.
    pub fn new(handle: Handle, url: SecretString, shown: &str, columns: Columns, places: &[Place]) -> Self {
        let place = places.first().map_or(i64::MIN, |p| p.place);
        let name = Self::called(shown, &columns);
        let now = Instant::now();
        let at = (begin(place), String::new());
        let (connection, seen) = (None, BTreeSet::new());
        Self { name, url, columns, handle, connection, place, at, seen, next: now, entered: now }
    }

    /// What a table is called in the store.
    pub fn called(shown: &str, columns: &Columns) -> String {
        format!("table:{shown}/{}", columns.table)
    }

    async fn connect(&self) -> Result<AnyConnection, sqlx::Error> {
        sqlx::any::install_default_drivers();
        let options = AnyConnectOptions::from_str(self.url.expose_secret())?.disable_statement_logging();
        let mut connection = AnyConnection::connect_with(&options).await?;
        let text = "SET TIME ZONE 'UTC'; SET default_transaction_read_only = on; SET application_name = 'seatrial'";
        connection.execute(sqlx::raw_sql(text)).await?;
        Ok(connection)
    }

    async fn read(&mut self) -> Result<Vec<AnyRow>, String> {
        let asked = self.columns.asked()?;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await.map_err(|why| why.to_string())?,
        };
        let query = sqlx::query(&asked).bind(self.at.0).bind(self.at.1.clone());
        let rows = query.fetch_all(&mut connection).await.map_err(|why| why.to_string())?;
        // One that failed is made anew.
        self.connection = Some(connection);
        Ok(rows)
    }

    fn take(&mut self, row: &AnyRow, intake: &mut Intake<'_>) -> Result<(), String> {
        let cell = |why: sqlx::Error| why.to_string();
        let (id, at): (String, i64) = (row.try_get("id").map_err(cell)?, row.try_get("at").map_err(cell)?);
        if !self.seen.contains(&(at, id.clone())) {
            let stem = format!("{}-{id}", self.columns.table);
            match row.try_get::<Option<String>, _>("session").map_err(cell)? {
                Some(session) => message::take(session.into_bytes(), 0, &stem, intake)?,
                None => intake.left_out.push(Problem::new(LeftOut::Empty, format!("{stem}: there is nothing in it"))),
            }
            self.seen.insert((at, id.clone()));
            self.place = self.place.max(at);
        }
        self.at = (at, id);
        Ok(())
    }
}

/// Where reading begins so that nothing is missed.
fn begin(place: i64) -> i64 {
    // Before the first row that a session of an agent can be in; earlier ones are no time of the server's.
    place.saturating_sub(OVERLAP).max(0)
}

impl Source for Table {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<bool, String> {
        if Instant::now() < self.next {
            return Ok(false);
        }
        if intake.room == 0 {
            return Ok(true);
        }
        let before = self.place;
        let handle = self.handle.clone();
        let read = handle.block_on(async { tokio::time::timeout(PATIENCE, self.read()).await });
        let rows = read.map_err(|_| format!("it does not answer within {} s", PATIENCE.as_secs()))??;
        let taken = rows.iter().try_for_each(|row| self.take(row, intake));
        let more = rows.len() as i64 == AT_ONCE;
        if !more && taken.is_ok() {
            // The end; what became visible since is looked for again from a little before it.
            self.at = (begin(self.place), String::new());
            self.seen = self.seen.split_off(&self.at);
            self.next = Instant::now() + EVERY;
        }
        if self.place != before || (self.place > i64::MIN && self.entered.elapsed() >= ENTERED) {
            self.entered = Instant::now();
            intake.places.push(Place { source: self.name.clone(), file: String::new(), place: self.place });
        }
        taken.map(|()| more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_taken_out_of_the_address_and_names_cannot_be_anything() {
        let (columns, rest) = Columns::of("sslmode=require&table=app.sessions&time=ended_at").unwrap();
        assert_eq!(
            (columns.table.as_str(), columns.time.as_str(), rest.as_str()),
            ("app.sessions", "ended_at", "sslmode=require")
        );
        assert!(columns.asked().unwrap().contains("FROM \"app\".\"sessions\" WHERE \"ended_at\" >="));
        for wrong in ["", "table=", "table=a.b.c", "table=a;drop", "table=a&id=\"x\"", "table=1a"] {
            assert!(Columns::of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reading_begins_a_little_before_where_it_was() {
        assert_eq!((begin(i64::MIN), begin(5), begin(OVERLAP + 7)), (0, 0, 7));
    }
}
