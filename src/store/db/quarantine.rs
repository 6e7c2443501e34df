//! Sessions under quarantine: some verdict over them is of high risk, and their content is for adjudicators alone, until one
//! of them releases it. A release is a row of the audit log and nothing else. It is of one version of a session, by its
//! digest: what becomes of the session later is another version, which nobody has released.

use sqlx::Row;

use super::sql::{Sql, json_or_none, named};
use super::trail::{self, RELEASED};
use super::{Seen, Store, StoreError};
use crate::ledger::{ItemId, Millis, Refused};
use crate::model::digest::Digest;
use crate::redact::{RedactPlan, Redacted};

/// What was released: a version of a session, and what people are asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// The digest of the version.
    pub session: Digest,
    /// The items that put it under quarantine.
    pub items: Vec<ItemId>,
}

/// An item that puts its session under quarantine.
struct Held {
    id: ItemId,
    session: Digest,
    redact: Option<RedactPlan>,
}

/// The condition on items `i` that put their session under quarantine which nobody has released it from.
fn held(sql: &mut Sql) {
    sql.add(" AND i.why LIKE ").arg("%\"why\":\"quarantine\"%");
    // The word itself and no value: only so the index is used.
    let released = format!("SELECT 1 FROM trail t WHERE t.session = i.session AND t.what = '{RELEASED}'");
    sql.add(" AND NOT EXISTS (").add(&released).add(")");
}

impl Store {
    /// Whether a session, by its digest before redaction, is under quarantine: some verdict over it is of high risk, nobody
    /// has released it, and its content is for adjudicators alone.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn quarantined(&self, session: &Digest) -> Result<bool, StoreError> {
        let mut sql = Sql::new("SELECT i.id FROM items i WHERE i.session = ");
        sql.arg(session.to_string());
        held(&mut sql);
        sql.add(" LIMIT 1");
        Ok(self.one(&sql, |row| row.try_get::<String, _>("id")).await?.is_some())
    }

    /// The versions of a session, by its id, of which people are asked something.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn versions(&self, session_id: &str) -> Result<Vec<Digest>, StoreError> {
        let mut sql = Sql::new("SELECT DISTINCT session FROM items WHERE session_id = ");
        sql.arg(session_id).add(" ORDER BY session");
        self.all(&sql, |row| named(row, "session", read)).await
    }

    /// Who released one of these versions from quarantine last, when and why; `None` where nobody did.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn release_of(&self, versions: &[Digest]) -> Result<Option<Seen>, StoreError> {
        let mut sql = Sql::new(&format!("{} WHERE what = '{RELEASED}' AND session IN ", trail::SELECT));
        sql.list(versions.iter().map(Digest::to_string)).add(" ORDER BY n DESC LIMIT 1");
        self.one(&sql, trail::row_of).await
    }

    /// Releases versions of a session from quarantine: from then on everybody may read them who reviews. Those that are not
    /// under quarantine are left out of what it answers. That `who` may is for the caller to know ([`Store::permits`]).
    ///
    /// # Errors
    /// The store cannot be written; then nothing was released.
    pub async fn release_quarantine(
        &self,
        versions: &[Digest],
        (who, why): (&str, &str),
        origin: &str,
        now: Millis,
    ) -> Result<Result<Vec<Released>, Refused>, StoreError> {
        let mut tx = self.begin().await?;
        let mut sql = Sql::new("SELECT i.id, i.session, i.redact FROM items i WHERE i.session IN ");
        sql.list(versions.iter().map(Digest::to_string));
        held(&mut sql);
        sql.add(" ORDER BY i.id").add(tx.dialect().lock());
        let found = tx
            .all(&sql, |row| {
                let (id, redact) = (ItemId(row.try_get("id")?), json_or_none(row, "redact")?);
                Ok(Held { id, session: named(row, "session", read)?, redact })
            })
            .await?;
        let (mut rows, mut released) = (Vec::new(), Vec::<Released>::new());
        for Held { id, session, redact } in found {
            // What people write goes through the rules of the item's suite, as a comment does.
            let why = match self.0.hiding.words(why, redact.as_ref()).map(Redacted::into_inner) {
                Ok(why) => why,
                Err(unknown) => {
                    let why = format!("the reason is not taken: {unknown}");
                    return tx.finish(Err(Refused::Forbidden { why })).await;
                }
            };
            rows.push(Seen {
                at: now,
                who: who.to_owned(),
                what: RELEASED.to_owned(),
                item: Some(id.clone()),
                session: Some(session.to_string()),
                origin: origin.to_owned(),
                why: Some(why),
            });
            match released.iter_mut().find(|known| known.session == session) {
                Some(known) => known.items.push(id),
                None => released.push(Released { session, items: vec![id] }),
            }
        }
        tx.note(&rows).await?;
        tx.finish(Ok(released)).await
    }
}

fn read(text: &str) -> Option<Digest> {
    serde_json::from_value(text.into()).ok()
}
