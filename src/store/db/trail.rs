//! The audit log: who looked at which session, and who changed what. Rows are added, and none is ever changed.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::sql::{Arg, Sql};
use super::{Page, Store, StoreError, Tx};
use crate::ledger::{Item, ItemId, Millis};

/// In the audit log: that somebody was shown what the check says of an item, with whatever was said and decided of it.
/// Who answers afterwards does not answer blind.
pub const REVEALED: &str = "reveal";

/// In the audit log: that somebody was shown what others answered, and not what the check says. That is for an adjudicator
/// to know; a reviewer who knows it does not answer blind.
pub const ANSWERS: &str = "answers";

/// In the audit log: that somebody released a session from quarantine, with the reason.
pub const RELEASED: &str = "release";

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
    /// Why, in the words of whoever did it, where they are asked for.
    pub why: Option<String>,
}

impl Seen {
    /// That somebody at a terminal looks at an item.
    pub fn at_terminal(item: &Item, who: &str, what: &str, at: Millis) -> Self {
        Self {
            at,
            who: who.to_owned(),
            what: what.to_owned(),
            item: Some(item.id.clone()),
            session: Some(item.key.session.to_string()),
            origin: "terminal".to_owned(),
            why: None,
        }
    }
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
        self.seen_all(std::slice::from_ref(seen)).await
    }

    /// Adds rows, all of them or none.
    ///
    /// # Errors
    /// The store cannot be written; then whoever wanted to look must not.
    pub async fn seen_all(&self, seen: &[Seen]) -> Result<(), StoreError> {
        if seen.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        tx.note(seen).await?;
        tx.commit().await
    }

    /// Whether somebody was shown what the check or others say of an item, as the log has it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn saw(&self, item: &ItemId, who: &str) -> Result<bool, StoreError> {
        Ok(self.one(&saw(item, who, &[REVEALED, ANSWERS], Millis::MAX), |_| Ok(())).await?.is_some())
    }

    /// Rows, the newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn trail(&self, filter: &TrailFilter, page: Page) -> Result<Vec<Seen>, StoreError> {
        let mut sql = Sql::new(&format!("{SELECT} WHERE 1 = 1"));
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

impl Tx {
    /// Adds rows.
    pub(super) async fn note(&mut self, seen: &[Seen]) -> Result<(), StoreError> {
        let row = |Seen { at, who, what, item, session, origin, why }: &Seen| -> Vec<Arg> {
            let (item, why) = (item.as_ref().map(ItemId::as_str), why.as_ref());
            vec![(*at).into(), who.into(), what.into(), item.into(), session.as_ref().into(), origin.into(), why.into()]
        };
        let into = "trail (at, who, what, item, session, origin, why)";
        for sql in Sql::inserts(self.dialect(), into, seen.iter().map(row), "") {
            self.run(&sql).await?;
        }
        Ok(())
    }
}

/// What [`row_of`] reads, up to the condition.
pub(super) const SELECT: &str = "SELECT at, who, what, item, session, origin, why FROM trail";

/// A row, if somebody was shown one of these things of an item until then.
pub(super) fn saw(item: &ItemId, who: &str, what: &[&str], until: Millis) -> Sql {
    let mut sql = Sql::new("SELECT n FROM trail WHERE item = ");
    sql.arg(item.as_str()).add(" AND who = ").arg(who).add(" AND at <= ").arg(until).add(" AND what IN ");
    sql.list(what.iter().copied()).add(" LIMIT 1");
    sql
}

pub(super) fn row_of(row: &AnyRow) -> Result<Seen, sqlx::Error> {
    Ok(Seen {
        at: row.try_get("at")?,
        who: row.try_get("who")?,
        what: row.try_get("what")?,
        item: row.try_get::<Option<String>, _>("item")?.map(ItemId),
        session: row.try_get("session")?,
        origin: row.try_get("origin")?,
        why: row.try_get("why")?,
    })
}
