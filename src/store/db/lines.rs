//! What progress and agreement are computed from: items without what only a reader of one needs.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::filter::{ItemFilter, conditions};
use super::sql::{Sql, named, small};
use super::{Store, StoreError};
use crate::ledger::{ItemId, Millis};
use crate::model::Status;

/// An item in short.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its name.
    pub id: ItemId,
    /// The suite.
    pub suite: String,
    /// The check.
    pub check: String,
    /// What the check says: pass or fail.
    pub proposal: Status,
    /// How sure it is.
    pub confidence: f64,
    /// Whether a gate waits for it: an audit sample holds none.
    pub holds: bool,
    /// What people decided.
    pub decision: Option<Status>,
    /// How many answers are still wanted.
    pub open: u32,
}

impl Store {
    /// Items in short, the latest first; at most `limit`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn lines(&self, filter: &ItemFilter, limit: u32, now: Millis) -> Result<Vec<Line>, StoreError> {
        let mut sql = Sql::new(
            "SELECT id, suite, check_id, proposal, confidence, holds, decision, wanted FROM items i WHERE 1 = 1",
        );
        conditions(&mut sql, filter, now);
        sql.add(" ORDER BY created DESC, id LIMIT ").arg(limit);
        self.all(&sql, line).await
    }

    /// The suites that items are of, by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn suites(&self) -> Result<Vec<String>, StoreError> {
        self.all(&Sql::new("SELECT DISTINCT suite FROM items ORDER BY suite"), |row| row.try_get("suite")).await
    }
}

fn line(row: &AnyRow) -> Result<Line, sqlx::Error> {
    let verdict = |name: &str| [Status::Pass, Status::Fail].into_iter().find(|status| status.name() == name);
    let decided: Option<String> = row.try_get("decision")?;
    Ok(Line {
        id: ItemId(row.try_get("id")?),
        suite: row.try_get("suite")?,
        check: row.try_get("check_id")?,
        proposal: named(row, "proposal", verdict)?,
        confidence: row.try_get("confidence")?,
        holds: row.try_get::<i64, _>("holds")? != 0,
        decision: decided.map(|_| named(row, "decision", verdict)).transpose()?,
        open: small(row, "wanted")?,
    })
}
