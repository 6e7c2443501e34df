//! Which items: filters, pages, and how many there are of each kind.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::any::AnyRow;

use super::enqueue::short;
use super::items::status;
use super::sql::{Sql, count, named};
use super::{Store, StoreError, Tx};
use crate::ledger::{ItemId, ItemStatus, Millis};

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

impl Store {
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
}

impl Tx {
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
    super::book::standing_of(&mut answered, me);
    conditions(&mut answered, filter, now);
    [by_status, overdue, leased, answered]
}

fn counted(row: &AnyRow) -> Result<(ItemStatus, u64), sqlx::Error> {
    Ok((named(row, "by_now", ItemStatus::named)?, count(row, "n")?))
}

pub(super) fn holder(row: &AnyRow) -> Result<(String, Millis), sqlx::Error> {
    Ok((row.try_get("reviewer")?, row.try_get("until")?))
}
