//! The queue: items as they are stored and stand by now. `enqueue` puts them in, `filter` finds and counts them.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::filter::{ItemFilter, Page, conditions};
use super::sql::{Sql, json, json_or_none, named, small, strange};
use super::{Dialect, Store, StoreError, Tx};
use crate::ledger::{Asked, Item, ItemId, ItemKey, ItemStatus, Millis, Routed};
use crate::model::digest::Digest;
use crate::model::{Level, Severity, Status};

/// The status of an item `i` by now: whether it is leased or expired is a matter of time.
pub(super) fn status(sql: &mut Sql, now: Millis) {
    sql.add("CASE WHEN i.status NOT IN ('pending', 'needs_more', 'disputed') THEN i.status WHEN i.expires = 1 AND i.due <= ");
    sql.arg(now).add(" THEN 'expired' WHEN i.wanted > 0 AND i.wanted <= ");
    held(sql, now);
    sql.add(" THEN 'leased' ELSE i.status END");
}

/// How many work on an item `i`.
pub(super) fn held(sql: &mut Sql, now: Millis) {
    sql.add("(SELECT count(*) FROM leases e WHERE e.item = i.id AND e.until > ").arg(now).add(")");
}

/// `SELECT` of whole items `i`, up to and with `WHERE`; a condition must follow.
pub(super) fn select(now: Millis) -> Sql {
    let mut sql = Sql::new("SELECT i.*, ");
    status(&mut sql, now);
    sql.add(" AS by_now FROM items i WHERE ");
    sql
}

/// The key of a row with its columns.
pub(super) fn key(row: &AnyRow) -> Result<ItemKey, sqlx::Error> {
    let read = |text: &str| serde_json::from_value::<Digest>(text.into()).ok();
    let digest = |column: &str| named(row, column, read);
    let case_digest: Option<String> = row.try_get("case_digest")?;
    let unread = |text: String| read(&text).ok_or_else(|| strange(format!("`case_digest` is `{text}`")));
    let case_digest = case_digest.map(unread).transpose()?;
    Ok(ItemKey {
        suite: row.try_get("suite")?,
        check: row.try_get("check_id")?,
        check_digest: digest("check_digest")?,
        session: digest("session")?,
        subject: json(row, "subject")?,
        case_digest,
    })
}

/// An item of a row of [`select`].
pub(super) fn item(row: &AnyRow) -> Result<Item, sqlx::Error> {
    let verdict = |name: &str| [Status::Pass, Status::Fail].into_iter().find(|status| status.name() == name);
    let decision: Option<String> = row.try_get("decision")?;
    let decision = decision.map(|name| verdict(&name).ok_or_else(|| strange(format!("the decision is `{name}`"))));
    let severity = [Severity::Critical, Severity::Block, Severity::Warn, Severity::Info];
    let key = key(row)?;
    let asked = Asked {
        run: row.try_get("run")?,
        session_id: row.try_get("session_id")?,
        case: row.try_get("case_id")?,
        trial: row.try_get("trial")?,
        level: named(row, "level", |name| Level::ALL.into_iter().find(|level| level.name() == name))?,
        severity: named(row, "severity", |name| severity.into_iter().find(|severity| severity.name() == name))?,
        tags: json(row, "tags")?,
        routed: Routed {
            why: json(row, "why")?,
            inclusion: row.try_get("inclusion")?,
            holds: row.try_get::<i64, _>("holds")? != 0,
            case_digest: key.case_digest,
        },
        key,
        proposal: named(row, "proposal", verdict)?,
        score: row.try_get("score")?,
        confidence: row.try_get("confidence")?,
        reason: row.try_get("reason")?,
        evidence: json(row, "evidence")?,
        judge: row.try_get("judge")?,
        judge_version: row.try_get("judge_version")?,
        rubric: row.try_get("rubric")?,
        question: row.try_get("question")?,
        against: row.try_get("against")?,
        reviewers: small(row, "reviewers")?,
        due: row.try_get("due")?,
        expires: row.try_get::<i64, _>("expires")? != 0,
        priority: row.try_get("priority")?,
        redact: json_or_none(row, "redact")?,
    };
    Ok(Item {
        id: ItemId(row.try_get("id")?),
        asked,
        content: row.try_get("content")?,
        baseline: row.try_get("baseline")?,
        status: named(row, "by_now", ItemStatus::named)?,
        decision: decision.transpose()?,
        decided: json_or_none(row, "decided")?,
        open: small(row, "wanted")?,
        created: row.try_get("created")?,
        resolved: row.try_get("resolved")?,
    })
}

impl Store {
    /// An item, as it stands now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn item(&self, id: &ItemId, now: Millis) -> Result<Option<Item>, StoreError> {
        let mut sql = select(now);
        sql.add("i.id = ").arg(id.as_str());
        self.one(&sql, item).await
    }

    /// Items, the most urgent first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn items(&self, filter: &ItemFilter, page: Page, now: Millis) -> Result<Vec<Item>, StoreError> {
        let mut sql = select(now);
        sql.add("1 = 1");
        conditions(&mut sql, filter, now);
        sql.add(" ORDER BY i.rank DESC, i.id LIMIT ").arg(page.limit).add(" OFFSET ").arg(page.offset);
        self.all(&sql, item).await
    }

    /// Tells that nobody needs to know of these any more; those that are decided stay so. How many were taken out.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn cancel(&self, items: &[ItemId]) -> Result<u64, StoreError> {
        let mut sql =
            Sql::new("UPDATE items SET status = 'cancelled', wanted = 0 WHERE status <> 'resolved' AND id IN ");
        sql.list(items.iter().map(ItemId::as_str));
        self.run(&sql).await
    }
}

/// What others are told of an item: what it is about, and never what was said in a session.
pub(super) fn told(id: &ItemId, asked: &Asked, decided: Option<serde_json::Value>) -> serde_json::Value {
    let mut told = serde_json::json!({
        "item": id, "suite": asked.key.suite, "check": asked.key.check, "case": asked.case, "trial": asked.trial,
        "session": asked.key.session, "run": asked.run, "severity": asked.severity, "tags": asked.tags,
        "why": asked.routed.why, "holds": asked.routed.holds, "proposal": asked.proposal.name(), "due": asked.due,
    });
    if let Some(decided) = decided {
        told["decided"] = decided;
    }
    told
}

impl Tx {
    /// The item, for this transaction alone from here on.
    pub(super) async fn locked(&mut self, id: &ItemId, now: Millis) -> Result<Option<Item>, StoreError> {
        if self.dialect() == Dialect::Postgres {
            let mut lock = Sql::new("SELECT i.id FROM items i WHERE i.id = ");
            lock.arg(id.as_str()).add(self.dialect().lock());
            // In a statement of its own: the next one sees what those did who had it until now.
            self.one(&lock, |_| Ok(())).await?;
        }
        let mut sql = select(now);
        sql.add("i.id = ").arg(id.as_str());
        self.one(&sql, item).await
    }
}
