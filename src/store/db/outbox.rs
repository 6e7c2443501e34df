//! What is to be told to others: put down in the transaction of what it tells, and sent later, at least once.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::sql::{Arg, Sql, small};
use super::{Store, StoreError, Tx};
use crate::ledger::Millis;

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Its number.
    pub n: i64,
    /// Its name, by which whoever is told knows it again.
    pub name: String,
    /// What happened: `item.new`, `item.resolved`, `item.overdue`.
    pub event: String,
    /// About what, as JSON.
    pub body: String,
    /// When it happened.
    pub created: Millis,
    /// How often it was tried.
    pub tries: u32,
}

/// What something to tell is about: whoever sends it takes only what it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Items of the review queue.
    Items,
    /// Alerts of the watch.
    Alerts,
}

/// What the events of alerts begin with.
const ALERTS: &str = "alert.";

/// What came of telling it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was told.
    Done,
    /// It is to be tried again then.
    Again {
        /// When.
        at: Millis,
        /// Why it was not told.
        why: String,
    },
    /// It is tried no more.
    GivenUp {
        /// Why.
        why: String,
    },
}

/// Puts something down, once under a name.
pub(super) async fn post(
    tx: &mut Tx,
    name: &str,
    event: &str,
    body: &serde_json::Value,
    now: Millis,
) -> Result<u64, StoreError> {
    let mut sql = Sql::new("INSERT INTO outbox (name, event, body, created, due, tries) VALUES ");
    sql.list([Arg::from(name), event.into(), body.to_string().into(), now.into(), now.into(), 0i64.into()]);
    sql.add(" ON CONFLICT (name) DO NOTHING");
    tx.run(&sql).await
}

fn row_of(row: &AnyRow) -> Result<Post, sqlx::Error> {
    Ok(Post {
        n: row.try_get("n")?,
        name: row.try_get("name")?,
        event: row.try_get("event")?,
        body: row.try_get("body")?,
        created: row.try_get("created")?,
        tries: small(row, "tries")?,
    })
}

impl Store {
    /// Puts something down to be told, once under a name; whether it was not there before.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn post(
        &self,
        name: &str,
        event: &str,
        body: &serde_json::Value,
        now: Millis,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let new = post(&mut tx, name, event, body, now).await? > 0;
        tx.commit().await?;
        Ok(new)
    }

    /// What is to be told now, at most `most` of it. Whoever gets it has `for_ms` milliseconds to say what came of it;
    /// after that, others may get it.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn due_posts(
        &self,
        about: About,
        now: Millis,
        most: u32,
        for_ms: Millis,
    ) -> Result<Vec<Post>, StoreError> {
        let mut tx = self.begin().await?;
        let mut sql = Sql::new("SELECT n, name, event, body, created, tries FROM outbox WHERE due <= ");
        sql.arg(now).add(match about {
            About::Items => " AND event NOT LIKE ",
            About::Alerts => " AND event LIKE ",
        });
        sql.arg(format!("{ALERTS}%")).add(" ORDER BY due, n LIMIT ").arg(most).add(tx.dialect().skip_locked());
        let posts = tx.all(&sql, row_of).await?;
        if !posts.is_empty() {
            let mut sql = Sql::new("UPDATE outbox SET tries = tries + 1, due = ");
            sql.arg(now.saturating_add(for_ms)).add(" WHERE n IN ").list(posts.iter().map(|post| post.n));
            tx.run(&sql).await?;
        }
        tx.commit().await?;
        Ok(posts)
    }

    /// What came of telling something.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn posted(&self, n: i64, outcome: &Outcome) -> Result<(), StoreError> {
        let (due, said) = match outcome {
            Outcome::Done => (None, "done".to_owned()),
            Outcome::Again { at, why } => (Some(*at), format!("again: {why}")),
            Outcome::GivenUp { why } => (None, format!("given up: {why}")),
        };
        let mut sql = Sql::new("UPDATE outbox SET due = ");
        sql.arg(due).add(", outcome = ").arg(said).add(" WHERE n = ").arg(n);
        self.run(&sql).await.map(|_| ())
    }
}
