//! Sessions of production: every version of each, and which of them counts now. What windows say is added up from these
//! rows alone, so that whoever looked at a session twice, or was killed in between, counts it once.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::any::AnyRow;

use super::sql::{Arg, Sql, count};
use super::{Store, StoreError, Tx};
use crate::ledger::Millis;
use crate::redact::Redacted;

/// A session that was looked at for a suite.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// The suite.
    pub suite: String,
    /// The session's id, as it may be written.
    pub session: String,
    /// Ids under which it was known before more of it arrived: what they say no longer counts.
    pub replaces: Vec<String>,
    /// When it ended, or arrived where it does not say.
    pub at: Millis,
    /// Its digest.
    pub digest: String,
    /// Why it was not evaluated; `None` where it was.
    pub reason: Option<String>,
    /// How likely it was to be evaluated, from 0 to 1.
    pub inclusion: f64,
    /// What came of it, as JSON.
    pub body: String,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// It is there now, and counts.
    New {
        /// Which version of the session it is, from 1.
        version: u32,
        /// When what it supersedes ended: those windows change, too.
        superseded: Vec<Millis>,
    },
    /// The session was there, exactly so.
    Same,
}

/// The version of a session that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Which it is.
    pub version: u32,
    /// Its digest.
    pub digest: String,
}

/// A row that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchedRow {
    /// Its number: what was added later has a larger one.
    pub n: i64,
    /// Which version of the session it is, from 1.
    pub version: u32,
    /// When it was looked at.
    pub seen: Millis,
    /// The rest of it; what it replaces is not kept.
    pub watched: Watched,
}

/// How far a file was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whose file it is.
    pub source: String,
    /// The file, by something that stays when it is renamed or packed.
    pub file: String,
    /// Bytes of its content that were read.
    pub place: i64,
}

const COLUMNS: &str = "n, suite, session, version, at, seen, digest, reason, inclusion, body";

fn row_of(row: &AnyRow) -> Result<WatchedRow, sqlx::Error> {
    let version = u32::try_from(count(row, "version")?).unwrap_or(u32::MAX);
    let watched = Watched {
        suite: row.try_get("suite")?,
        session: row.try_get("session")?,
        replaces: Vec::new(),
        at: row.try_get("at")?,
        digest: row.try_get("digest")?,
        reason: row.try_get("reason")?,
        inclusion: row.try_get("inclusion")?,
        body: row.try_get("body")?,
    };
    Ok(WatchedRow { n: row.try_get("n")?, version, seen: row.try_get("seen")?, watched })
}

fn current_of(row: &AnyRow) -> Result<(String, Current, Millis), sqlx::Error> {
    let version = u32::try_from(count(row, "version")?).unwrap_or(u32::MAX);
    Ok((row.try_get("session")?, Current { version, digest: row.try_get("digest")? }, row.try_get("at")?))
}

/// The current versions of some sessions.
fn current(suite: &str, sessions: &[&str]) -> Sql {
    let mut sql = Sql::new("SELECT session, version, digest, at FROM watched WHERE suite = ");
    sql.arg(suite).add(" AND is_current = 1 AND session IN ").list(sessions.iter().copied());
    sql
}

/// Sessions that are asked for at a time.
const PORTION: usize = 5_000;

impl Store {
    /// The versions of sessions that count now; those that are not there are left out.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn current_watched(
        &self,
        suite: &str,
        sessions: &[&str],
    ) -> Result<BTreeMap<String, Current>, StoreError> {
        let mut found = BTreeMap::new();
        for some in sessions.chunks(PORTION) {
            let rows = self.all(&current(suite, some), current_of).await?;
            found.extend(rows.into_iter().map(|(session, current, _)| (session, current)));
        }
        Ok(found)
    }

    /// Enters sessions, each as the version that counts from now on, and how far files were read: all of it or nothing. What
    /// became of each, in their order.
    ///
    /// # Errors
    /// The store cannot be written; then nothing was entered.
    pub async fn enter_watched(
        &self,
        rows: &Redacted<Vec<Watched>>,
        places: &[Place],
        now: Millis,
    ) -> Result<Vec<Entered>, StoreError> {
        let rows = rows.get();
        if rows.is_empty() && places.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        let mut entered = vec![Entered::Same; rows.len()];
        let mut by_suite: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, row) in rows.iter().enumerate() {
            by_suite.entry(&row.suite).or_default().push(i);
        }
        for (suite, which) in by_suite {
            tx.enter(suite, rows, &which, now, &mut entered).await?;
        }
        let place = |p: &Place| vec![Arg::from(&p.source), (&p.file).into(), p.place.into(), now.into()];
        let tail = " ON CONFLICT (source, file) DO UPDATE SET place = excluded.place, stored = excluded.stored";
        for sql in
            Sql::inserts(self.0.dialect, "watch_places (source, file, place, stored)", places.iter().map(place), tail)
        {
            tx.run(&sql).await?;
        }
        tx.commit().await?;
        Ok(entered)
    }

    /// The sessions of a suite that count and ended from `from` on and before `to`, in a fixed order: at most `most` of
    /// them, behind the one with the time and number of `after`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn watched_between(
        &self,
        suite: &str,
        (from, to): (Millis, Millis),
        after: (Millis, i64),
        most: u32,
    ) -> Result<Vec<WatchedRow>, StoreError> {
        let mut sql = Sql::new(&format!("SELECT {COLUMNS} FROM watched WHERE is_current = 1 AND suite = "));
        sql.arg(suite).add(" AND at >= ").arg(from.max(after.0)).add(" AND at < ").arg(to);
        sql.add(" AND (at > ").arg(after.0).add(" OR n > ").arg(after.1).add(")");
        sql.add(" ORDER BY at, n LIMIT ").arg(most);
        self.all(&sql, row_of).await
    }

    /// Rows that were added behind the one with this number, oldest first, at most `most`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn watched_behind(&self, n: i64, most: u32) -> Result<Vec<WatchedRow>, StoreError> {
        let mut sql = Sql::new(&format!("SELECT {COLUMNS} FROM watched WHERE n > "));
        sql.arg(n).add(" ORDER BY n LIMIT ").arg(most);
        self.all(&sql, row_of).await
    }

    /// The number of the last row; 0 where there is none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn last_watched(&self) -> Result<i64, StoreError> {
        let sql = Sql::new("SELECT COALESCE(MAX(n), 0) AS n FROM watched");
        Ok(self.one(&sql, |row| row.try_get("n")).await?.unwrap_or(0))
    }

    /// How far the files of a source were read.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn places(&self, source: &str) -> Result<Vec<Place>, StoreError> {
        let mut sql = Sql::new("SELECT source, file, place FROM watch_places WHERE source = ");
        sql.arg(source);
        let of = |row: &AnyRow| {
            Ok(Place { source: row.try_get("source")?, file: row.try_get("file")?, place: row.try_get("place")? })
        };
        self.all(&sql, of).await
    }

    /// Takes rows out that were looked at before `before`, and beyond the latest `most` those that were looked at first;
    /// places in files that nobody moved since `before`, too. How many rows.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn forget_watched(&self, before: Millis, most: u64) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let mut old = Sql::new("DELETE FROM watched WHERE seen < ");
        old.arg(before);
        let mut gone = tx.run(&old).await?;
        let last = Sql::new("SELECT COALESCE(MAX(n), 0) AS n FROM watched");
        let last = tx.one(&last, |row| row.try_get::<i64, _>("n")).await?.unwrap_or(0);
        let mut many = Sql::new("DELETE FROM watched WHERE n <= ");
        many.arg(last.saturating_sub(i64::try_from(most).unwrap_or(i64::MAX)));
        gone += tx.run(&many).await?;
        let mut places = Sql::new("DELETE FROM watch_places WHERE stored < ");
        places.arg(before);
        tx.run(&places).await?;
        tx.commit().await?;
        Ok(gone)
    }
}

impl Tx {
    /// Enters the rows of one suite at these positions.
    async fn enter(
        &mut self,
        suite: &str,
        rows: &[Watched],
        which: &[usize],
        now: Millis,
        entered: &mut [Entered],
    ) -> Result<(), StoreError> {
        let names = which.iter().flat_map(|i| rows[*i].replaces.iter().chain([&rows[*i].session]));
        let names: Vec<&str> = names.map(String::as_str).collect();
        let mut known = BTreeMap::new();
        for some in names.chunks(PORTION) {
            for (session, current, at) in self.all(&current(suite, some), current_of).await? {
                known.insert(session, (current, at));
            }
        }
        let (mut new, mut gone) = (Vec::new(), Vec::new());
        for &i in which {
            let row = &rows[i];
            let before = known.get(&row.session);
            if before.is_some_and(|(current, _)| current.digest == row.digest) {
                continue;
            }
            let version = before.map_or(1, |(current, _)| current.version.saturating_add(1));
            let mut superseded: Vec<Millis> = before.map(|(_, at)| *at).into_iter().collect();
            gone.extend(before.map(|_| row.session.clone()));
            for other in row.replaces.iter().filter(|other| **other != row.session) {
                if let Some((_, at)) = known.remove(other) {
                    superseded.push(at);
                    gone.push(other.clone());
                }
            }
            // Twice in one portion: the later one counts, and is one more version.
            known.insert(row.session.clone(), (Current { version, digest: row.digest.clone() }, row.at));
            new.push((i, version));
            entered[i] = Entered::New { version, superseded };
        }
        for some in gone.chunks(PORTION) {
            let mut sql = Sql::new("UPDATE watched SET is_current = 0 WHERE is_current = 1 AND suite = ");
            sql.arg(suite).add(" AND session IN ").list(some.iter().map(String::as_str));
            self.run(&sql).await?;
        }
        let last: BTreeMap<&str, u32> = new.iter().map(|(i, version)| (rows[*i].session.as_str(), *version)).collect();
        let row = |(i, version): &(usize, u32)| {
            let row = &rows[*i];
            vec![
                Arg::from(&row.suite),
                (&row.session).into(),
                (*version).into(),
                (last.get(row.session.as_str()) == Some(version)).into(),
                row.at.into(),
                now.into(),
                (&row.digest).into(),
                row.reason.as_ref().into(),
                row.inclusion.into(),
                (&row.body).into(),
            ]
        };
        let columns = "watched (suite, session, version, is_current, at, seen, digest, reason, inclusion, body)";
        for sql in Sql::inserts(self.dialect(), columns, new.iter().map(row), "") {
            self.run(&sql).await?;
        }
        Ok(())
    }
}
