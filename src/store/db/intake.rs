//! Rows of the book that were written elsewhere: a whole file of them in one transaction, so that it is taken in or is not.

use super::leases::unknown;
use super::{Store, StoreError, Tx};
use crate::ledger::{Act, Answer, ItemStatus, Label, Refused, Source, Submission};

/// A row that was written elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// The row; its place among those of the item follows from the order in which rows are brought.
    pub row: Label,
    /// Whether it came with a name. One that has none is called by what it says, so that it is the same when it comes again.
    pub named: bool,
}

/// What stays of rows that are brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of them, or nothing when one is refused.
    Whole,
    /// Those that are not refused.
    Right,
    /// Nothing: it is only looked at what would be.
    Nothing,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It was there before.
    Known,
    /// It is new, and the item stands like this with it.
    New(ItemStatus),
}

impl Store {
    /// Brings rows in, each as if it were given at its time, those of an item in their order. What became of each, in the same
    /// order. Others who write wait until all are looked at. Whoever brings them in vouches for them: with `may_undo_others`
    /// also for those by which an adjudicator took back what somebody else had said.
    ///
    /// # Errors
    /// The store cannot be written; then nothing was.
    pub async fn bring_in(
        &self,
        rows: &[Brought],
        keep: Keep,
        may_undo_others: bool,
    ) -> Result<Vec<Result<Taken, Refused>>, StoreError> {
        let mut tx = self.begin().await?;
        // By item, so that two who bring in the same do not wait for each other in a circle.
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|at| &rows[*at].row.item);
        let mut taken = Vec::with_capacity(rows.len());
        for at in order {
            taken.push((at, tx.bring_in(&rows[at], may_undo_others).await?));
        }
        taken.sort_by_key(|(at, _)| *at);
        let taken: Vec<_> = taken.into_iter().map(|(_, taken)| taken).collect();
        match keep {
            Keep::Whole if taken.iter().any(Result::is_err) => tx.end().await?,
            Keep::Nothing => tx.end().await?,
            Keep::Whole | Keep::Right => tx.commit().await?,
        }
        Ok(taken)
    }
}

impl Tx {
    async fn bring_in(
        &mut self,
        brought: &Brought,
        may_undo_others: bool,
    ) -> Result<Result<Taken, Refused>, StoreError> {
        let row = &brought.row;
        if self.locked(&row.item, row.at).await?.is_none() {
            return Ok(Err(unknown(&row.item)));
        }
        if let Some(found) = self.row(&row.id).await? {
            return self.there(brought, &found).await;
        }
        let said = Submission {
            id: row.id.clone(),
            // An undo answers nothing; of its submission only what goes with it is kept.
            answer: row.act.answer().unwrap_or(Answer::Pass),
            comment: row.comment.clone(),
            seconds: row.seconds,
            source: Source::Import,
            shown_proposal: row.shown_proposal,
        };
        let (item, who, at) = (&row.item, row.reviewer.as_str(), row.at);
        let written = match &row.act {
            Act::Label(_) => self.import(item, who, &said, at).await?,
            Act::Adjudicate(_) => self.adjudicate(item, who, false, &said, at).await?,
            Act::Overrule(_) => self.adjudicate(item, who, true, &said, at).await?,
            Act::Undo { label } => {
                if self.row(label).await?.is_none_or(|undone| undone.item != *item) {
                    return Ok(Err(Refused::Unknown { what: format!("label {label} of {item} to take back") }));
                }
                self.undo(label, who, may_undo_others, &said, at).await?
            }
        };
        Ok(written.map(|(_, standing)| Taken::New(standing.status)))
    }

    /// What becomes of a row whose name is there already.
    async fn there(&mut self, brought: &Brought, found: &Label) -> Result<Result<Taken, Refused>, StoreError> {
        let row = &brought.row;
        if (&found.item, &found.reviewer, &found.act) != (&row.item, &row.reviewer, &row.act) {
            return Ok(Err(Refused::Forbidden { why: format!("there is another label {} already", row.id) }));
        }
        let rows = self.rows(&row.item).await?;
        let undone = rows.iter().any(|other| matches!(&other.act, Act::Undo { label } if *label == row.id));
        if undone && !brought.named {
            let why = format!(
                "this answer was taken back (label {}): to give it again, give the label an `id` that is new",
                row.id
            );
            return Ok(Err(Refused::Forbidden { why }));
        }
        Ok(Ok(Taken::Known))
    }
}
