//! The log of promotions and its evidence. Rows are added, and none is ever changed; what they say is not read here.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::sql::{Arg, Sql, json, named, to_json};
use super::{Store, StoreError};
use crate::model::digest::Digest;

/// An entry of the log, as it was sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRow {
    /// Its place, from 1.
    pub seq: i64,
    /// Its hash.
    pub hash: Digest,
    /// The very text that was hashed.
    pub body: String,
    /// Who vouches for it, as JSON.
    pub signatures: serde_json::Value,
}

impl Store {
    /// The whole log, in order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn promotion_log(&self) -> Result<Vec<LogRow>, StoreError> {
        self.all(&log(), row_of).await
    }

    /// Adds entries at the end of the log, with their evidence: all of it, or nothing and `false` when the log has another
    /// end by now.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn add_promotions(&self, rows: &[LogRow], evidence: &[(Digest, &str)]) -> Result<bool, StoreError> {
        let Some(first) = rows.first() else { return Ok(true) };
        let mut tx = self.begin().await?;
        let end = Sql::new("SELECT COALESCE(MAX(seq), 0) AS seq FROM promotion_log");
        let end = tx.one(&end, |row| row.try_get::<i64, _>("seq")).await?;
        if end.is_none_or(|end| end + 1 != first.seq) {
            return Ok(false);
        }
        let row = |r: &LogRow| {
            vec![Arg::from(r.seq), r.hash.to_string().into(), (&r.body).into(), to_json(&r.signatures).into()]
        };
        // Of two who add at once, the second one waits here for the first, and then adds nothing.
        let tail = " ON CONFLICT (seq) DO NOTHING";
        let mut added = 0;
        for sql in
            Sql::inserts(self.0.dialect, "promotion_log (seq, hash, body, signatures)", rows.iter().map(row), tail)
        {
            added += tx.run(&sql).await?;
        }
        if added != rows.len() as u64 {
            return Ok(false);
        }
        let content = |(digest, content): &(Digest, &str)| vec![Arg::from(digest.to_string()), (*content).into()];
        let tail = " ON CONFLICT (digest) DO NOTHING";
        for sql in
            Sql::inserts(self.0.dialect, "promotion_evidence (digest, content)", evidence.iter().map(content), tail)
        {
            tx.run(&sql).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Evidence by its digest; `None` when it is not there.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn promotion_evidence(&self, digest: &Digest) -> Result<Option<String>, StoreError> {
        let mut sql = Sql::new("SELECT content FROM promotion_evidence WHERE digest = ");
        sql.arg(digest.to_string());
        self.one(&sql, |row| row.try_get("content")).await
    }
}

/// The whole log, in order.
pub(super) fn log() -> Sql {
    Sql::new("SELECT seq, hash, body, signatures FROM promotion_log ORDER BY seq")
}

/// An entry of a row.
pub(super) fn row_of(row: &AnyRow) -> Result<LogRow, sqlx::Error> {
    Ok(LogRow {
        seq: row.try_get("seq")?,
        hash: named(row, "hash", |text| serde_json::from_value(text.into()).ok())?,
        body: row.try_get("body")?,
        signatures: json(row, "signatures")?,
    })
}
