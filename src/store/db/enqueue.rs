//! What goes to people is put in: once, however often it is sent, and what is known by then is learnt.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::any::AnyRow;

use super::items::told;
use super::sql::{Arg, Sql, named, small, to_json};
use super::{Dialect, Store, StoreError, Tx, contents, outbox};
use crate::ledger::{Content, ItemId, ItemStatus, Millis, NewItem};
use crate::redact::Redacted;

/// How much a day of waiting adds to the priority of an item, which is from 0 to 1: after ten days, even what is not
/// urgent at all comes before what is most urgent and new.
const PER_DAY: f64 = 0.1;

const DAY: f64 = 86_400_000.0;

/// What became of items that were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Enqueued {
    /// Those that were not there before.
    pub new: Vec<ItemId>,
    /// How many were there.
    pub known: u64,
}

const COLUMNS: &str = "id, suite, check_id, check_digest, session, subject, run, session_id, case_id, trial, level, \
                       severity, tags, why, inclusion, holds, proposal, score, confidence, reason, evidence, judge, \
                       judge_version, rubric, question, content, baseline, against, reviewers, due, expires, priority, \
                       created, rank, status, decision, decided, wanted, resolved, fence, case_digest, redact";

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
pub(super) fn short(tag: &str) -> &str {
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
}
