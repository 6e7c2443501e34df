//! The rows of the append-only book, as they are stored: read, found, and added at the end.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::sql::{Arg, Sql, named, strange};
use super::{Store, StoreError, Trouble, Tx};
use crate::ledger::{Act, Answer, ItemId, Label, SkipReason, Source};

/// A subquery in brackets: rows by which a reviewer has answered or skipped the item `i`, as of now.
pub(super) fn standing_of(sql: &mut Sql, reviewer: &str) {
    sql.add("(SELECT 1 FROM labels l WHERE l.item = i.id AND l.act = 'label' AND l.reviewer = ").arg(reviewer);
    sql.add(" AND NOT EXISTS (SELECT 1 FROM labels u WHERE u.undoes = l.id))");
}

/// `SELECT` of whole rows, up to `WHERE`.
pub(super) const SELECT: &str = "SELECT id, item, seq, reviewer, act, answer, skip_reason, undoes, comment, at, seconds, source, \
                      shown_proposal FROM labels ";

/// A row of [`SELECT`].
pub(super) fn label(row: &AnyRow) -> Result<Label, sqlx::Error> {
    let reason: Option<String> = row.try_get("skip_reason")?;
    let reason = reason.map(|name| SkipReason::named(&name).ok_or_else(|| strange(format!("skipped for `{name}`"))));
    let reason = reason.transpose()?;
    let answer = || named(row, "answer", |name| Answer::named(name, reason));
    let act = match row.try_get::<String, _>("act")?.as_str() {
        "label" => Act::Label(answer()?),
        "adjudicate" => Act::Adjudicate(answer()?),
        "overrule" => Act::Overrule(answer()?),
        "undo" => Act::Undo { label: row.try_get("undoes")? },
        other => return Err(strange(format!("`act` is `{other}`"))),
    };
    let seconds: Option<i64> = row.try_get("seconds")?;
    Ok(Label {
        id: row.try_get("id")?,
        seq: row.try_get("seq")?,
        item: ItemId(row.try_get("item")?),
        reviewer: row.try_get("reviewer")?,
        act,
        comment: row.try_get("comment")?,
        at: row.try_get("at")?,
        seconds: seconds.map(|s| u32::try_from(s).map_err(|_| strange(format!("`seconds` is {s}")))).transpose()?,
        source: named(row, "source", Source::named)?,
        shown_proposal: row.try_get::<Option<i64>, _>("shown_proposal")?.map(|shown| shown != 0),
    })
}

impl Store {
    /// The rows of some items, by item and in order.
    ///
    /// # Errors
    /// The store cannot be read, or what the settings hide is not known here.
    pub async fn labels(&self, items: &[ItemId]) -> Result<Vec<Label>, StoreError> {
        let mut found = Vec::new();
        for some in items.chunks(10_000) {
            let mut sql = Sql::new(SELECT);
            sql.add("WHERE item IN ").list(some.iter().map(ItemId::as_str)).add(" ORDER BY item, seq");
            found.extend(self.all(&sql, label).await?);
        }
        found.sort_by(|a, b| (&a.item, a.seq).cmp(&(&b.item, b.seq)));
        // The settings may hide more than they did when it was written.
        let redactor = self.0.hiding.with(None);
        let redactor =
            redactor.map_err(|why| StoreError::new(&self.0.shown, Trouble::Other { why: why.to_string() }))?;
        if redactor.is_on() {
            for row in found.iter_mut().filter(|row| !row.comment.is_empty()) {
                row.comment = redactor.pass(&row.comment).into_inner().into_owned();
            }
        }
        Ok(found)
    }
}

impl Tx {
    /// The row of a name.
    pub(super) async fn row(&mut self, id: &str) -> Result<Option<Label>, StoreError> {
        let mut sql = Sql::new(SELECT);
        sql.add("WHERE id = ").arg(id);
        self.one(&sql, label).await
    }

    /// The rows of an item, in order.
    pub(super) async fn rows(&mut self, item: &ItemId) -> Result<Vec<Label>, StoreError> {
        let mut sql = Sql::new(SELECT);
        sql.add("WHERE item = ").arg(item.as_str()).add(" ORDER BY seq");
        self.all(&sql, label).await
    }

    /// Adds a row.
    pub(super) async fn insert(&mut self, row: &Label) -> Result<(), StoreError> {
        let answer = row.act.answer();
        let undoes = match &row.act {
            Act::Undo { label } => Some(label.as_str()),
            Act::Label(_) | Act::Adjudicate(_) | Act::Overrule(_) => None,
        };
        let mut sql = Sql::new(
            "INSERT INTO labels (id, item, seq, reviewer, act, answer, skip_reason, undoes, comment, at, seconds, source, \
             shown_proposal) VALUES ",
        );
        sql.list([
            Arg::from(&row.id),
            row.item.as_str().into(),
            row.seq.into(),
            (&row.reviewer).into(),
            row.act.name().into(),
            answer.map(Answer::name).into(),
            answer.and_then(Answer::skip_reason).map(SkipReason::name).into(),
            undoes.into(),
            (&row.comment).into(),
            row.at.into(),
            row.seconds.into(),
            row.source.name().into(),
            row.shown_proposal.map(i64::from).into(),
        ]);
        self.run(&sql).await.map(|_| ())
    }
}
