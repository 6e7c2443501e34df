//! What people say: a row is added to the book ([`super::book`]) with the item for itself, and the item takes on what its
//! rows add up to ([`standing`]) in the same transaction.

use sqlx::Row;

use super::leases::unknown;
use super::sql::{Sql, to_json};
use super::trail::{ANSWERS, REVEALED, saw};
use super::{Store, StoreError, Tx, items, outbox};
use crate::ledger::{
    Act, Answer, Item, ItemId, ItemStatus, Label, Lease, Millis, Refused, Source, Standing, Submission, counting,
    standing,
};
use crate::model::Status;
use crate::redact::Redacted;

/// What was written.
type Written = Result<(Label, Standing), Refused>;

impl Store {
    /// Takes the answer of a reviewer who has the item. Sent again with the same id, it is the same answer.
    ///
    /// # Errors
    /// The store cannot be written; then nothing was.
    pub async fn submit(&self, lease: &Lease, said: &Submission, now: Millis) -> Result<Written, StoreError> {
        let mut tx = self.begin().await?;
        let written = tx.submit(lease, said, now).await?;
        tx.finish(written).await
    }

    /// Takes the decision of an adjudicator: of items whose answers differ, that two could not answer, or that nobody answered
    /// in time. With `overrules` of any other, too, but of one that an adjudicator has decided or nobody needs; then the row
    /// says so. That `who` may is for the caller to know ([`Store::permits`]).
    ///
    /// # Errors
    /// The store cannot be written; then nothing was.
    pub async fn adjudicate(
        &self,
        item: &ItemId,
        who: &str,
        overrules: bool,
        said: &Submission,
        now: Millis,
    ) -> Result<Written, StoreError> {
        let mut tx = self.begin().await?;
        let written = tx.adjudicate(item, who, overrules, said, now).await?;
        tx.finish(written).await
    }

    /// Takes an answer that was given elsewhere, without a lease. It may come late, and then reopen what was decided: two
    /// answers that differ are a dispute.
    ///
    /// # Errors
    /// The store cannot be written; then nothing was.
    pub async fn import(
        &self,
        item: &ItemId,
        who: &str,
        said: &Submission,
        now: Millis,
    ) -> Result<Written, StoreError> {
        let mut tx = self.begin().await?;
        let written = tx.import(item, who, said, now).await?;
        tx.finish(written).await
    }

    /// Takes a row of the book back, by another row. Whoever undoes what somebody else wrote must be an adjudicator, which
    /// is for the caller to know: `may_undo_others`. Of what is `said`, the answer does not matter; its id names the row.
    ///
    /// # Errors
    /// The store cannot be written; then nothing was.
    pub async fn undo(
        &self,
        label: &str,
        who: &str,
        may_undo_others: bool,
        said: &Submission,
        now: Millis,
    ) -> Result<Written, StoreError> {
        let mut tx = self.begin().await?;
        let written = tx.undo(label, who, may_undo_others, said, now).await?;
        tx.finish(written).await
    }

    /// A comment on an item as it may be written.
    fn written(&self, item: &Item, comment: &str) -> Result<String, Refused> {
        let unknown = |why| Refused::Forbidden { why: format!("the comment is not taken: {why}") };
        self.0.hiding.words(comment, item.redact.as_ref()).map(Redacted::into_inner).map_err(unknown)
    }
}

/// The longest name of a person or a submission, in bytes, and the longest comment.
pub(super) const LONGEST: (usize, usize) = (256, 64 << 10);

/// What of a submission is longer than can be kept.
fn too_long(who: &str, said: &Submission) -> Option<String> {
    let (name, comment) = LONGEST;
    if who.len() > name || said.id.len() > name {
        return Some(format!("the name of a person or a label has at most {name} bytes"));
    }
    (said.comment.len() > comment).then(|| format!("a comment has at most {comment} bytes"))
}

impl Tx {
    async fn submit(&mut self, lease: &Lease, said: &Submission, now: Millis) -> Result<Written, StoreError> {
        let Some(item) = self.locked(&lease.item, now).await? else { return Ok(Err(unknown(&lease.item))) };
        if let Some(written) = self.written(&said.id, &item, &lease.reviewer).await? {
            return Ok(written);
        }
        if let Some(refused) = self.answered(&item.id, &lease.reviewer).await? {
            return Ok(Err(refused));
        }
        if let Err(refused) = self.in_force(lease, &item, now).await? {
            return Ok(Err(refused));
        }
        if item.open == 0 || item.status == ItemStatus::Expired {
            return Ok(Err(Refused::Closed { status: item.status }));
        }
        self.write(item, &lease.reviewer, Act::Label(said.answer), said, now).await
    }

    pub(super) async fn adjudicate(
        &mut self,
        item: &ItemId,
        who: &str,
        overrules: bool,
        said: &Submission,
        now: Millis,
    ) -> Result<Written, StoreError> {
        let Some(item) = self.locked(item, now).await? else { return Ok(Err(unknown(item))) };
        if let Some(written) = self.written(&said.id, &item, who).await? {
            return Ok(written);
        }
        if item.status == ItemStatus::Cancelled {
            return Ok(Err(Refused::Closed { status: item.status }));
        }
        let rows = self.rows(&item.id).await?;
        if let Some(row) = counting(&rows).into_iter().find(|row| row.act.adjudicates()) {
            return Ok(Err(Refused::Answered { who: row.reviewer.clone(), label: row.id.clone() }));
        }
        let is_stuck = matches!(item.status, ItemStatus::Disputed | ItemStatus::Skipped | ItemStatus::Expired);
        let act = match (overrules, is_stuck) {
            // What was written elsewhere stays as it was written.
            (true, true) if said.source == Source::Import => Act::Overrule(said.answer),
            (_, true) => Act::Adjudicate(said.answer),
            (true, false) => Act::Overrule(said.answer),
            (false, false) => return Ok(Err(Refused::Undisputed { status: item.status })),
        };
        self.write(item, who, act, said, now).await
    }

    pub(super) async fn import(
        &mut self,
        item: &ItemId,
        who: &str,
        said: &Submission,
        now: Millis,
    ) -> Result<Written, StoreError> {
        let Some(item) = self.locked(item, now).await? else { return Ok(Err(unknown(item))) };
        if let Some(written) = self.written(&said.id, &item, who).await? {
            return Ok(written);
        }
        if item.status == ItemStatus::Cancelled {
            return Ok(Err(Refused::Closed { status: item.status }));
        }
        if let Some(refused) = self.answered(&item.id, who).await? {
            return Ok(Err(refused));
        }
        self.write(item, who, Act::Label(said.answer), said, now).await
    }

    pub(super) async fn undo(
        &mut self,
        label_id: &str,
        who: &str,
        may_undo_others: bool,
        said: &Submission,
        now: Millis,
    ) -> Result<Written, StoreError> {
        let gone = || Refused::Unknown { what: format!("label {label_id}") };
        let Some(found) = self.row(label_id).await? else { return Ok(Err(gone())) };
        let Some(item) = self.locked(&found.item, now).await? else { return Ok(Err(gone())) };
        if let Some(written) = self.written(&said.id, &item, who).await? {
            return Ok(written);
        }
        if found.reviewer != who && !may_undo_others {
            let why = format!("{} wrote this, and only an adjudicator may undo it for somebody else", found.reviewer);
            return Ok(Err(Refused::Forbidden { why }));
        }
        let rows = self.rows(&item.id).await?;
        let undone = rows.iter().find(|row| matches!(&row.act, Act::Undo { label } if label == label_id));
        match (&found.act, undone) {
            (Act::Undo { .. }, _) => {
                let why = "an undo is not undone: answer the item again".to_owned();
                return Ok(Err(Refused::Forbidden { why }));
            }
            (_, Some(row)) => {
                return Ok(Err(Refused::Answered { who: row.reviewer.clone(), label: row.id.clone() }));
            }
            _ => {}
        }
        self.write(item, who, Act::Undo { label: label_id.to_owned() }, said, now).await
    }

    /// That a reviewer has answered or skipped the item, if so.
    pub(super) async fn answered(&mut self, item: &ItemId, reviewer: &str) -> Result<Option<Refused>, StoreError> {
        let rows = self.rows(item).await?;
        let own = |row: &&Label| row.reviewer == reviewer && matches!(row.act, Act::Label(_));
        let found = counting(&rows).into_iter().find(own);
        Ok(found.map(|row| Refused::Answered { who: row.reviewer.clone(), label: row.id.clone() }))
    }

    /// What came of a submission that was sent before: whoever did not hear the answer sends it again.
    async fn written(&mut self, id: &str, item: &Item, who: &str) -> Result<Option<Written>, StoreError> {
        let Some(found) = self.row(id).await? else { return Ok(None) };
        if found.item != item.id || found.reviewer != who {
            return Ok(Some(Err(Refused::Forbidden { why: "this submission is somebody else's".to_owned() })));
        }
        let rows = self.rows(&item.id).await?;
        Ok(Some(Ok((found, standing(item.reviewers, &rows)))))
    }

    /// Writes a row, and what the item's rows add up to with it; the person's lease and draft have served.
    async fn write(
        &mut self,
        item: Item,
        who: &str,
        act: Act,
        said: &Submission,
        now: Millis,
    ) -> Result<Written, StoreError> {
        if let Some(why) = too_long(who, said) {
            return Ok(Err(Refused::Forbidden { why }));
        }
        if let Some(refused) = self.unreadable(&item, &act, now).await? {
            return Ok(Err(refused));
        }
        let comment = match self.store.written(&item, &said.comment) {
            Ok(comment) => comment,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut rows = self.rows(&item.id).await?;
        let shown_proposal = self.shown(&item.id, who, &act, said, &rows, now).await?;
        let row = Label {
            id: said.id.clone(),
            seq: rows.last().map_or(0, |row| row.seq) + 1,
            item: item.id.clone(),
            reviewer: who.to_owned(),
            act,
            comment,
            at: now,
            seconds: said.seconds,
            source: said.source,
            shown_proposal,
        };
        self.insert(&row).await?;
        rows.push(row.clone());
        let by_now = standing(item.reviewers, &rows);
        // Nobody needs it; what was said of it is in the book all the same.
        if item.status != ItemStatus::Cancelled {
            self.settle(&item, &by_now, now).await?;
        }
        for table in ["leases", "drafts"] {
            let mut sql = Sql::new("DELETE FROM ");
            sql.add(table).add(" WHERE item = ").arg(item.id.as_str()).add(" AND reviewer = ").arg(who);
            self.run(&sql).await?;
        }
        if self.store.0.posting && by_now.decision.is_some() && by_now.decision != item.decision {
            let decided = serde_json::json!({ "decision": by_now.decision, "by": by_now.by, "at": now });
            let body = items::told(&item.id, &item.asked, Some(decided));
            outbox::post(self, &format!("resolved:{}", row.id), "item.resolved", &body, now).await?;
        }
        Ok(Ok((row, by_now)))
    }

    /// Whether somebody had seen what the check says before this answer. The book and the trail know, whatever is said of it:
    /// nobody is blind because they say so. Of an answer from elsewhere it may be not known.
    async fn shown(
        &mut self,
        item: &ItemId,
        who: &str,
        act: &Act,
        said: &Submission,
        rows: &[Label],
        now: Millis,
    ) -> Result<Option<bool>, StoreError> {
        // Who has answered was shown everything, also when the answer was taken back.
        let answered = rows.iter().any(|row| row.reviewer == who && row.act.answer().is_some());
        // What was seen here after somebody had answered elsewhere changes nothing; between clocks here nothing is compared.
        let is_import = said.source == Source::Import;
        let until = if is_import { now } else { Millis::MAX };
        // Who decides between answers is to know them.
        let what = if act.adjudicates() { &[REVEALED][..] } else { &[REVEALED, ANSWERS] };
        let told = answered
            || said.shown_proposal == Some(true)
            || self.one(&saw(item, who, what, until), |_| Ok(())).await?.is_some();
        Ok(match (told, is_import) {
            (true, _) => Some(true),
            (false, true) => said.shown_proposal,
            (false, false) => Some(false),
        })
    }

    /// That somebody passes or fails what could not be read any more when they did.
    async fn unreadable(&mut self, item: &Item, act: &Act, at: Millis) -> Result<Option<Refused>, StoreError> {
        let (Some(digest), Some(_)) = (&item.content, act.answer().and_then(Answer::status)) else { return Ok(None) };
        let mut sql = Sql::new("SELECT purged FROM contents WHERE bytes IS NULL AND digest = ");
        sql.arg(digest);
        let purged: Option<Millis> = self.one(&sql, |row| row.try_get("purged")).await?.flatten();
        Ok(purged.filter(|purged| at >= *purged).map(|purged| Refused::Purged { purged }))
    }

    /// The item takes on what its rows add up to by now: it is wanted again, or by more people than it was.
    pub(super) async fn settle_again(&mut self, id: &ItemId, now: Millis) -> Result<(), StoreError> {
        let Some(item) = self.locked(id, now).await? else { return Ok(()) };
        let rows = self.rows(id).await?;
        self.settle(&item, &standing(item.reviewers, &rows), now).await
    }

    /// The item takes on what its rows add up to.
    async fn settle(&mut self, item: &Item, by_now: &Standing, now: Millis) -> Result<(), StoreError> {
        // When it was decided, not when somebody agreed later.
        let resolved = by_now.decision.map(|decision| match item.resolved {
            Some(before) if item.decision == Some(decision) => before,
            _ => now,
        });
        let mut sql = Sql::new("UPDATE items SET status = ");
        sql.arg(by_now.status.name());
        sql.add(", decision = ").arg(by_now.decision.map(Status::name));
        sql.add(", decided = ").arg(by_now.by.as_ref().map(to_json));
        sql.add(", wanted = ").arg(by_now.open);
        sql.add(", resolved = ").arg(resolved);
        sql.add(" WHERE id = ").arg(item.id.as_str());
        self.run(&sql).await.map(|_| ())
    }
}
