//! The audit log: who looked at which session, and who changed what. Rows are added, and none is ever changed.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::sql::{Arg, Sql};
use super::{Page, Store, StoreError};
use crate::ledger::{ItemId, Millis};

/// One row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Millis,
    /// Who.
    pub who: String,
    /// What: `read`, `export`, `login` and such.
    pub what: String,
    /// The item, where it is about one.
    pub item: Option<ItemId>,
    /// Digest of the session, where it is about one.
    pub session: Option<String>,
    /// From where: an address, or `terminal`.
    pub origin: String,
}

/// Which rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrailFilter {
    /// By this person.
    pub who: Option<String>,
    /// About this item.
    pub item: Option<ItemId>,
    /// About this session.
    pub session: Option<String>,
    /// Of this kind.
    pub what: Option<String>,
    /// From then on.
    pub since: Option<Millis>,
}

impl Store {
    /// Adds a row.
    ///
    /// # Errors
    /// The store cannot be written; then whoever wanted to look must not.
    pub async fn seen(&self, seen: &Seen) -> Result<(), StoreError> {
        let Seen { at, who, what, item, session, origin } = seen;
        let mut sql = Sql::new("INSERT INTO trail (at, who, what, item, session, origin) VALUES ");
        let item = item.as_ref().map(ItemId::as_str);
        sql.list([Arg::from(*at), who.into(), what.into(), item.into(), session.as_ref().into(), origin.into()]);
        self.run(&sql).await.map(|_| ())
    }

    /// Rows, the newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn trail(&self, filter: &TrailFilter, page: Page) -> Result<Vec<Seen>, StoreError> {
        let mut sql = Sql::new("SELECT at, who, what, item, session, origin FROM trail WHERE 1 = 1");
        let item = filter.item.as_ref().map(|id| id.0.clone());
        for (column, value) in
            [("who", &filter.who), ("item", &item), ("session", &filter.session), ("what", &filter.what)]
        {
            if let Some(value) = value {
                sql.add(" AND ").add(column).add(" = ").arg(value);
            }
        }
        if let Some(since) = filter.since {
            sql.add(" AND at >= ").arg(since);
        }
        sql.add(" ORDER BY n DESC LIMIT ").arg(page.limit).add(" OFFSET ").arg(page.offset);
        self.all(&sql, row_of).await
    }
}

fn row_of(row: &AnyRow) -> Result<Seen, sqlx::Error> {
    Ok(Seen {
        at: row.try_get("at")?,
        who: row.try_get("who")?,
        what: row.try_get("what")?,
        item: row.try_get::<Option<String>, _>("item")?.map(ItemId),
        session: row.try_get("session")?,
        origin: row.try_get("origin")?,
    })
}
