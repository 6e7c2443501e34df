//! What is being written, kept until it is submitted: a page that is closed, a lease that runs out lose nothing.

use sqlx::Row;

use super::sql::{Arg, Sql, json_or_none};
use super::{Store, StoreError, Trouble};
use crate::ledger::{ItemId, Millis};
use crate::redact::RedactPlan;

impl Store {
    /// Keeps a draft in the place of an earlier one, as what becomes of it would be kept: without what must not be written.
    ///
    /// # Errors
    /// The store cannot be written, or what must not be written is not known here.
    pub async fn save_draft(&self, item: &ItemId, who: &str, body: &str, now: Millis) -> Result<(), StoreError> {
        let mut plan = Sql::new("SELECT redact FROM items WHERE id = ");
        plan.arg(item.as_str());
        let plan: Option<RedactPlan> = self.one(&plan, |row| json_or_none(row, "redact")).await?.flatten();
        let kept = self.0.hiding.words(body, plan.as_ref());
        let body = kept.map_err(|why| StoreError::new(&self.0.shown, Trouble::Other { why: why.to_string() }))?;
        let body = body.into_inner();
        let mut sql = Sql::new("INSERT INTO drafts (item, reviewer, body, at) VALUES ");
        sql.list([Arg::from(item.as_str()), who.into(), (&body).into(), now.into()]);
        sql.add(" ON CONFLICT (item, reviewer) DO UPDATE SET body = excluded.body, at = excluded.at");
        self.run(&sql).await.map(|_| ())
    }

    /// A person's draft of an item.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn draft(&self, item: &ItemId, who: &str) -> Result<Option<String>, StoreError> {
        let mut sql = Sql::new("SELECT body FROM drafts WHERE item = ");
        sql.arg(item.as_str()).add(" AND reviewer = ").arg(who);
        self.one(&sql, |row| row.try_get("body")).await
    }

    /// Throws a draft away.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn drop_draft(&self, item: &ItemId, who: &str) -> Result<(), StoreError> {
        let mut sql = Sql::new("DELETE FROM drafts WHERE item = ");
        sql.arg(item.as_str()).add(" AND reviewer = ").arg(who);
        self.run(&sql).await.map(|_| ())
    }
}
