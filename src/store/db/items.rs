//! The queue: what goes to people, put in once, found by filters, counted.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::any::AnyRow;

use super::contents;
use super::outbox;
use super::sql::{Arg, Sql, count, json, json_or_none, named, small, strange, to_json};
use super::{Dialect, Store, StoreError, Tx};
use crate::ledger::{Asked, Content, Item, ItemId, ItemKey, ItemStatus, Millis, NewItem, Routed};
use crate::model::digest::Digest;
use crate::model::{Level, Severity, Status};
use crate::redact::Redacted;

/// How much a day of waiting adds to the priority of an item, which is from 0 to 1: after ten days, even what is not
/// urgent at all comes before what is most urgent and new.
const PER_DAY: f64 = 0.1;

const DAY: f64 = 86_400_000.0;

/// Which items.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ItemFilter {
    /// Only these; all when it is empty.
    pub ids: Vec<ItemId>,
    /// Not these.
    pub not: Vec<ItemId>,
    /// Of this suite.
    pub suite: Option<String>,
    /// Of this check.
    pub check: Option<String>,
    /// That this run sent, whether first or again.
    pub run: Option<String>,
    /// Of this case.
    pub case: Option<String>,
    /// Of the session with this digest.
    pub session: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// With one of these statuses; all when it is empty.
    pub status: Vec<ItemStatus>,
    /// Of which this person has said something, ever.
    pub reviewer: Option<String>,
    /// That hold a gate, or do not.
    pub holds: Option<bool>,
    /// That should have been decided by now, and are not.
    pub overdue: bool,
}

/// Which of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many to pass over.
    pub offset: u32,
    /// How many at most.
    pub limit: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { offset: 0, limit: 100 }
    }
}

impl Page {
    /// All of them.
    pub const ALL: Self = Self { offset: 0, limit: u32::MAX };
}

/// What became of items that were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Enqueued {
    /// Those that were not there before.
    pub new: Vec<ItemId>,
    /// How many were there.
    pub known: u64,
}

/// How many items there are, and who works on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many of each status; those with none are left out.
    pub by_status: BTreeMap<ItemStatus, u64>,
    /// How many should have been decided by now, and are not.
    pub overdue: u64,
    /// Who works on one of them, and until when.
    pub leased: Vec<(String, Millis)>,
    /// Of those that want answers: how many the person who asks has answered or skipped. 0 where nobody in particular asks.
    pub answered: u64,
}

impl Counts {
    /// How many of a status.
    pub fn of(&self, status: ItemStatus) -> u64 {
        self.by_status.get(&status).copied().unwrap_or(0)
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.by_status.values().sum()
    }

    /// How many are decided, or need not be.
    pub fn done(&self) -> u64 {
        self.of(ItemStatus::Resolved) + self.of(ItemStatus::Cancelled)
    }
}

const COLUMNS: &str = "id, suite, check_id, check_digest, session, subject, run, session_id, case_id, trial, level, \
                       severity, tags, why, inclusion, holds, proposal, score, confidence, reason, evidence, judge, \
                       judge_version, rubric, question, content, baseline, against, reviewers, due, expires, priority, \
                       created, rank, status, decision, decided, wanted, resolved, fence, case_digest, redact";

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

/// The conditions of a filter, each after `AND`.
pub(super) fn conditions(sql: &mut Sql, filter: &ItemFilter, now: Millis) {
    if !filter.ids.is_empty() {
        sql.add(" AND i.id IN ").list(filter.ids.iter().map(ItemId::as_str));
    }
    if !filter.not.is_empty() {
        sql.add(" AND i.id NOT IN ").list(filter.not.iter().map(ItemId::as_str));
    }
    for (column, value) in
        [("suite", &filter.suite), ("check_id", &filter.check), ("case_id", &filter.case), ("session", &filter.session)]
    {
        if let Some(value) = value {
            sql.add(" AND i.").add(column).add(" = ").arg(value);
        }
    }
    if let Some(run) = &filter.run {
        sql.add(" AND EXISTS (SELECT 1 FROM item_runs r WHERE r.item = i.id AND r.run = ").arg(run).add(")");
    }
    if let Some(tag) = &filter.tag {
        sql.add(" AND EXISTS (SELECT 1 FROM item_tags t WHERE t.item = i.id AND t.tag = ").arg(short(tag)).add(")");
    }
    if let Some(reviewer) = &filter.reviewer {
        sql.add(" AND EXISTS (SELECT 1 FROM labels l WHERE l.item = i.id AND l.reviewer = ").arg(reviewer).add(")");
    }
    if let Some(holds) = filter.holds {
        sql.add(" AND i.holds = ").arg(holds);
    }
    if filter.overdue {
        sql.add(" AND i.due <= ").arg(now).add(" AND i.status IN ('pending', 'needs_more', 'disputed')");
    }
    if !filter.status.is_empty() {
        sql.add(" AND ");
        status(sql, now);
        sql.add(" IN ").list(filter.status.iter().map(|s| s.name()));
    }
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

fn row_of(id: &ItemId, item: &NewItem, now: Millis) -> Vec<Arg> {
    let asked = &item.asked;
    let key = &asked.key;
    let priority = if asked.priority.is_finite() { asked.priority } else { 0.0 };
    // The longer ago, the higher; and which of two comes first never changes while they wait.
    let rank = priority - PER_DAY * (now as f64 / DAY);
    vec![
        id.as_str().into(),
        (&key.suite).into(),
        (&key.check).into(),
        key.check_digest.to_string().into(),
        key.session.to_string().into(),
        to_json(&key.subject).into(),
        (&asked.run).into(),
        (&asked.session_id).into(),
        (&asked.case).into(),
        asked.trial.as_ref().into(),
        asked.level.name().into(),
        asked.severity.name().into(),
        to_json(&asked.tags).into(),
        to_json(&asked.routed.why).into(),
        asked.routed.inclusion.into(),
        asked.routed.holds.into(),
        asked.proposal.name().into(),
        asked.score.into(),
        asked.confidence.into(),
        (&asked.reason).into(),
        to_json(&asked.evidence).into(),
        asked.judge.as_ref().into(),
        asked.judge_version.as_ref().into(),
        asked.rubric.as_ref().into(),
        (&asked.question).into(),
        item.content.as_ref().map(|c| &c.digest).into(),
        item.baseline.as_ref().map(|c| &c.digest).into(),
        asked.against.as_ref().into(),
        asked.reviewers.max(1).into(),
        asked.due.into(),
        asked.expires.into(),
        priority.into(),
        now.into(),
        rank.into(),
        ItemStatus::Pending.name().into(),
        Arg::Text(None),
        Arg::Text(None),
        asked.reviewers.max(1).into(),
        Arg::Int(None),
        0i64.into(),
        key.case_digest.map(|digest| digest.to_string()).into(),
        asked.redact.as_ref().map(to_json).into(),
    ]
}

/// What an item that is there learns from a run that sends it again: that a gate waits for it now, and the sessions to
/// read if they were not kept before, what is hidden of them by now, and that more people are to answer. All else stays as it was sent first, for that is
/// what people answered; and what was cancelled is wanted again.
const AGAIN: &str = " ON CONFLICT (id) DO UPDATE SET \
    holds = CASE WHEN excluded.holds > items.holds THEN excluded.holds ELSE items.holds END, \
    content = COALESCE(items.content, excluded.content), \
    baseline = COALESCE(items.baseline, excluded.baseline), \
    redact = COALESCE(excluded.redact, items.redact), \
    reviewers = CASE WHEN excluded.reviewers > items.reviewers THEN excluded.reviewers ELSE items.reviewers END, \
    wanted = CASE WHEN items.status = 'cancelled' THEN items.reviewers ELSE items.wanted END, \
    status = CASE WHEN items.status = 'cancelled' THEN 'pending' ELSE items.status END";

/// As much of a tag as is looked for: an index takes no more than some.
fn short(tag: &str) -> &str {
    tag.char_indices().nth(200).map_or(tag, |(end, _)| &tag[..end])
}

/// The sessions to keep, each once, and the statements that put items in.
fn statements<'i>(dialect: Dialect, sent: &BTreeMap<ItemId, &'i NewItem>, now: Millis) -> (Vec<&'i Content>, Vec<Sql>) {
    let sessions = sent.values().flat_map(|item| [&item.content, &item.baseline]).flatten();
    let sessions: BTreeMap<&str, &Content> = sessions.map(|content| (content.digest.as_str(), content)).collect();
    let rows = sent.iter().map(|(id, item)| row_of(id, item, now));
    let runs = sent.iter().map(|(id, item)| vec![id.as_str().into(), (&item.run).into()]);
    let tags =
        sent.iter().flat_map(|(id, item)| item.tags.iter().map(|tag| vec![id.as_str().into(), short(tag).into()]));
    let once = " ON CONFLICT DO NOTHING";
    let mut statements = Sql::inserts(dialect, &format!("items ({COLUMNS})"), rows, AGAIN);
    statements.extend(Sql::inserts(dialect, "item_runs (item, run)", runs, once));
    statements.extend(Sql::inserts(dialect, "item_tags (item, tag)", tags, once));
    (sessions.into_values().collect(), statements)
}

impl Store {
    /// Sends verdicts to people. Sent again, an item is the same item: nobody is asked twice.
    ///
    /// # Errors
    /// The store cannot be written; then none was sent.
    pub async fn enqueue(&self, items: &Redacted<Vec<NewItem>>, now: Millis) -> Result<Enqueued, StoreError> {
        // In the order of their names, so that two who send the same do not wait for each other in a circle.
        let sent: BTreeMap<ItemId, &NewItem> = items.get().iter().map(|item| (item.key.id(), item)).collect();
        if sent.is_empty() {
            return Ok(Enqueued::default());
        }
        let (contents, statements) = statements(self.0.dialect, &sent, now);
        let mut tx = self.begin().await?;
        let known = tx.known(&sent).await?;
        contents::put(&mut tx, &contents, now).await?;
        for sql in &statements {
            tx.run(sql).await?;
        }
        for (id, was) in &known {
            if was.cancelled || sent.get(id).is_some_and(|new| new.reviewers > was.reviewers) {
                tx.settle_again(id, now).await?;
            }
        }
        let new: Vec<ItemId> = sent.keys().filter(|id| !known.contains_key(*id)).cloned().collect();
        if self.0.posting {
            for id in &new {
                let item = sent[id];
                outbox::post(&mut tx, &format!("new:{id}"), "item.new", &told(id, &item.asked, None), now).await?;
            }
        }
        tx.commit().await?;
        Ok(Enqueued { known: (sent.len() - new.len()) as u64, new })
    }

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

    /// How many items there are, and who works on them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn counts(&self, filter: &ItemFilter, now: Millis) -> Result<Counts, StoreError> {
        let [by_status, overdue, leased, _] = counting(filter, now, "");
        Ok(Counts {
            by_status: self.all(&by_status, counted).await?.into_iter().collect(),
            overdue: self.one(&overdue, |row| count(row, "n")).await?.unwrap_or(0),
            leased: self.all(&leased, holder).await?,
            answered: 0,
        })
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

/// The queries that [`Counts`] is made of.
fn counting(filter: &ItemFilter, now: Millis, me: &str) -> [Sql; 4] {
    let mut by_status = Sql::new("SELECT by_now, count(*) AS n FROM (SELECT ");
    status(&mut by_status, now);
    by_status.add(" AS by_now FROM items i WHERE 1 = 1");
    conditions(&mut by_status, filter, now);
    by_status.add(") s GROUP BY by_now");
    let mut overdue = Sql::new("SELECT count(*) AS n FROM items i WHERE 1 = 1");
    conditions(&mut overdue, &ItemFilter { overdue: true, ..filter.clone() }, now);
    let mut leased =
        Sql::new("SELECT e.reviewer, e.until FROM leases e JOIN items i ON i.id = e.item WHERE e.until > ");
    leased.arg(now);
    conditions(&mut leased, filter, now);
    leased.add(" ORDER BY e.until, e.reviewer LIMIT 100");
    let mut answered = Sql::new("SELECT count(*) AS n FROM items i WHERE i.wanted > 0 AND EXISTS ");
    super::labels::standing_of(&mut answered, me);
    conditions(&mut answered, filter, now);
    [by_status, overdue, leased, answered]
}

fn counted(row: &AnyRow) -> Result<(ItemStatus, u64), sqlx::Error> {
    Ok((named(row, "by_now", ItemStatus::named)?, count(row, "n")?))
}

pub(super) fn holder(row: &AnyRow) -> Result<(String, Millis), sqlx::Error> {
    Ok((row.try_get("reviewer")?, row.try_get("until")?))
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

/// An item that was there when it was sent again.
struct Known {
    /// Nobody needed it any more.
    cancelled: bool,
    /// How many were to answer.
    reviewers: u32,
}

impl Tx {
    /// Which of these are there.
    async fn known(&mut self, sent: &BTreeMap<ItemId, &NewItem>) -> Result<BTreeMap<ItemId, Known>, StoreError> {
        let ids: Vec<&str> = sent.keys().map(ItemId::as_str).collect();
        let mut known = BTreeMap::new();
        for some in ids.chunks(10_000) {
            let mut sql = Sql::new("SELECT id, status, reviewers FROM items WHERE id IN ");
            sql.list(some.iter().copied());
            let was = |row: &AnyRow| {
                let cancelled = named(row, "status", ItemStatus::named)? == ItemStatus::Cancelled;
                Ok((ItemId(row.try_get("id")?), Known { cancelled, reviewers: small(row, "reviewers")? }))
            };
            known.extend(self.all(&sql, was).await?);
        }
        Ok(known)
    }

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

    /// As [`Store::counts`], for one who looks for something to do.
    pub(super) async fn counts(&mut self, filter: &ItemFilter, me: &str, now: Millis) -> Result<Counts, StoreError> {
        let [by_status, overdue, leased, answered] = counting(filter, now, me);
        Ok(Counts {
            by_status: self.all(&by_status, counted).await?.into_iter().collect(),
            overdue: self.one(&overdue, |row| count(row, "n")).await?.unwrap_or(0),
            leased: self.all(&leased, holder).await?,
            answered: self.one(&answered, |row| count(row, "n")).await?.unwrap_or(0),
        })
    }
}
