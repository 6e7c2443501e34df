//! What the rows of the book decide: of the verdicts of a run, by their keys; and what people contest, or decided of another
//! version of the check.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;
use sqlx::any::AnyRow;

use super::sql::{Sql, json_or_none, named, small, strange};
use super::{Store, StoreError, items};
use crate::ledger::{Answer, DecidedBy, ItemId, ItemKey, Label, Millis, counting};
use crate::model::Status;

/// What was decided of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Pass or fail.
    pub status: Status,
    /// By whom.
    pub by: DecidedBy,
    /// When.
    pub at: Millis,
    /// How many rows of the book it rests on, undone ones included.
    pub labels: u32,
}

impl Store {
    /// What people decided of these keys; those that are not decided are not there.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn decisions(&self, keys: &[ItemKey]) -> Result<BTreeMap<ItemId, Decided>, StoreError> {
        let ids: Vec<String> = keys.iter().map(|key| key.id().0).collect();
        let mut found = BTreeMap::new();
        for some in ids.chunks(10_000) {
            let mut sql = Sql::new(
                "SELECT i.id, i.decision, i.decided, i.resolved, \
                 (SELECT count(*) FROM labels l WHERE l.item = i.id) AS labels \
                 FROM items i WHERE i.status = 'resolved' AND i.id IN ",
            );
            sql.list(some.iter().map(String::as_str));
            found.extend(self.all(&sql, decided).await?);
        }
        Ok(found)
    }

    /// Which of these keys are not decided although somebody's fail stands, and whose: the answers differ, or more are
    /// wanted, or nobody may say any more.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn contested(&self, keys: &[ItemKey]) -> Result<BTreeMap<ItemId, Vec<String>>, StoreError> {
        let ids: Vec<String> = keys.iter().map(|key| key.id().0).collect();
        let mut begun: Vec<ItemId> = Vec::new();
        for some in ids.chunks(10_000) {
            let mut sql = Sql::new(
                "SELECT i.id FROM items i WHERE i.status <> 'resolved' AND EXISTS \
                 (SELECT 1 FROM labels l WHERE l.item = i.id AND l.answer = 'fail') AND i.id IN ",
            );
            sql.list(some.iter().map(String::as_str));
            begun.extend(self.all(&sql, |row| row.try_get("id").map(ItemId)).await?);
        }
        let mut rows: BTreeMap<ItemId, Vec<Label>> = BTreeMap::new();
        for label in self.labels(&begun).await? {
            rows.entry(label.item.clone()).or_default().push(label);
        }
        let fails = |rows: &[Label]| -> Vec<String> {
            let fails = |row: &&Label| row.act.answer().and_then(Answer::status) == Some(Status::Fail);
            counting(rows).into_iter().filter(fails).map(|row| row.reviewer.clone()).collect()
        };
        let found = rows.into_iter().map(|(id, rows)| (id, fails(&rows)));
        Ok(found.filter(|(_, who)| !who.is_empty()).collect())
    }

    /// What was decided over the same subjects when the check behind it, or what is expected of the case, was another: suite,
    /// check, session and subject are those of one of these keys, and the digests are not.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn decided_otherwise(&self, keys: &[&ItemKey]) -> Result<Vec<ItemKey>, StoreError> {
        let about = |key: &ItemKey| (key.suite.clone(), key.check.clone(), key.session, format!("{:?}", key.subject));
        let asked: BTreeSet<_> = keys.iter().map(|key| about(key)).collect();
        let own: BTreeSet<ItemId> = keys.iter().map(|key| key.id()).collect();
        let sessions: BTreeSet<String> = keys.iter().map(|key| key.session.to_string()).collect();
        let sessions: Vec<String> = sessions.into_iter().collect();
        let mut found = Vec::new();
        for some in sessions.chunks(10_000) {
            let mut sql = Sql::new(
                "SELECT suite, check_id, check_digest, session, subject, case_digest FROM items \
                 WHERE status = 'resolved' AND session IN ",
            );
            sql.list(some.iter().map(String::as_str));
            found.extend(self.all(&sql, items::key).await?);
        }
        found.retain(|key| asked.contains(&about(key)) && !own.contains(&key.id()));
        Ok(found)
    }
}

fn decided(row: &AnyRow) -> Result<(ItemId, Decided), sqlx::Error> {
    let verdict = |name: &str| [Status::Pass, Status::Fail].into_iter().find(|status| status.name() == name);
    let by: Option<DecidedBy> = json_or_none(row, "decided")?;
    Ok((
        ItemId(row.try_get("id")?),
        Decided {
            status: named(row, "decision", verdict)?,
            by: by.ok_or_else(|| strange("nobody decided what is decided"))?,
            at: row.try_get("resolved")?,
            labels: small(row, "labels")?,
        },
    ))
}
