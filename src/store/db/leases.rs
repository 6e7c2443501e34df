//! Who works on what: an item is given to no more people than are to answer it, each for a while.
//!
//! Whoever claims has the item for itself until the transaction ends, so two who claim at once never both find room for
//! the last place. A lease that ran out is no lease; nothing has to take it away.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::book::standing_of;
use super::filter::{conditions, holder};
use super::sql::{Arg, Sql};
use super::{Counts, ItemFilter, Store, StoreError, Tx, items};
use crate::ledger::{Item, ItemId, ItemStatus, Lease, Millis, Refused};

/// What came of claiming.
#[derive(Debug, Clone, PartialEq)]
pub enum Claimed {
    /// This one, for a while.
    Item(Box<Item>, Lease),
    /// None: what there is, and why it is not for this person now.
    Nothing(Counts),
}

/// How often another item is looked for after somebody else was faster; each time that was progress for somebody.
const TRIES: u32 = 64;

impl Store {
    /// Gives the next item to a reviewer for `for_ms` milliseconds: the one that the reviewer has already, else what is
    /// overdue, else the most urgent. Never one that the reviewer has answered or skipped, never beyond the number of
    /// people who are to answer.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn claim(
        &self,
        reviewer: &str,
        filter: &ItemFilter,
        now: Millis,
        for_ms: Millis,
    ) -> Result<Claimed, StoreError> {
        let mut passed_over = filter.clone();
        for _ in 0..TRIES {
            let mut tx = self.begin().await?;
            let Some(id) = tx.next(reviewer, &passed_over, now).await? else {
                tx.end().await?;
                break;
            };
            if let Ok((item, lease)) = tx.lease(&id, reviewer, now, for_ms).await? {
                tx.commit().await?;
                return Ok(Claimed::Item(Box::new(item), lease));
            }
            // Lets go of it before another is looked for: two who each had one and waited for the other's would wait for
            // ever.
            tx.end().await?;
            passed_over.not.push(id);
        }
        let mut tx = self.begin().await?;
        let counts = tx.counts(filter, reviewer, now).await?;
        tx.end().await?;
        Ok(Claimed::Nothing(counts))
    }

    /// Gives this very item to a reviewer.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn claim_item(
        &self,
        id: &ItemId,
        reviewer: &str,
        now: Millis,
        for_ms: Millis,
    ) -> Result<Result<(Item, Lease), Refused>, StoreError> {
        let mut tx = self.begin().await?;
        let leased = tx.lease(id, reviewer, now, for_ms).await?;
        tx.finish(leased).await
    }

    /// Makes a lease last longer: it ends `for_ms` milliseconds from now.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn renew(
        &self,
        lease: &Lease,
        now: Millis,
        for_ms: Millis,
    ) -> Result<Result<Lease, Refused>, StoreError> {
        let mut tx = self.begin().await?;
        let renewed = tx.renew(lease, now, for_ms).await?;
        tx.finish(renewed).await
    }

    /// Gives an item back. A lease that is not in force any more gives nothing back.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut sql = Sql::new("DELETE FROM leases WHERE item = ");
        sql.arg(lease.item.as_str()).add(" AND reviewer = ").arg(&lease.reviewer).add(" AND fence = ").arg(lease.fence);
        self.run(&sql).await.map(|_| ())
    }

    /// Who works on an item, and until when.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn holders(&self, item: &ItemId, now: Millis) -> Result<Vec<(String, Millis)>, StoreError> {
        self.all(&holders(item, now), holder).await
    }
}

fn holders(item: &ItemId, now: Millis) -> Sql {
    let mut sql = Sql::new("SELECT reviewer, until FROM leases WHERE item = ");
    sql.arg(item.as_str()).add(" AND until > ").arg(now).add(" ORDER BY reviewer");
    sql
}

fn lease_of(row: &AnyRow) -> Result<Lease, sqlx::Error> {
    Ok(Lease {
        item: ItemId(row.try_get("item")?),
        reviewer: row.try_get("reviewer")?,
        fence: row.try_get("fence")?,
        until: row.try_get("until")?,
    })
}

/// That an item does not exist.
pub(super) fn unknown(item: &ItemId) -> Refused {
    Refused::Unknown { what: format!("item {item}") }
}

impl Tx {
    async fn renew(
        &mut self,
        lease: &Lease,
        now: Millis,
        for_ms: Millis,
    ) -> Result<Result<Lease, Refused>, StoreError> {
        let Some(item) = self.locked(&lease.item, now).await? else { return Ok(Err(unknown(&lease.item))) };
        if let Err(refused) = self.in_force(lease, &item, now).await? {
            return Ok(Err(refused));
        }
        let until = now.saturating_add(for_ms).max(lease.until);
        let mut sql = Sql::new("UPDATE leases SET until = ");
        sql.arg(until).add(" WHERE item = ").arg(lease.item.as_str()).add(" AND reviewer = ").arg(&lease.reviewer);
        self.run(&sql).await?;
        Ok(Ok(Lease { until, ..lease.clone() }))
    }

    /// The item to try next.
    async fn next(&mut self, reviewer: &str, filter: &ItemFilter, now: Millis) -> Result<Option<ItemId>, StoreError> {
        let id = |row: &AnyRow| row.try_get("id").map(ItemId);
        let mut own = Sql::new("SELECT i.id FROM leases o JOIN items i ON i.id = o.item WHERE o.reviewer = ");
        own.arg(reviewer).add(" AND o.until > ").arg(now).add(" AND i.wanted > 0");
        conditions(&mut own, filter, now);
        own.add(" ORDER BY o.until, i.id LIMIT 1");
        if let Some(own) = self.one(&own, id).await? {
            return Ok(Some(own));
        }
        // First among those that nobody has for itself at this moment. Should there be none, among all, and `lease` waits
        // for who has it: nobody is to hear that there is nothing to do because somebody else has just asked. Without a
        // lock, because PostgreSQL looks again at a row that it had to wait for, but at who holds it as of before.
        let locks = [self.dialect().skip_locked(), ""];
        let locks = if locks[0] == locks[1] { &locks[..1] } else { &locks[..] };
        for (lock, overdue) in locks.iter().flat_map(|lock| [(lock, true), (lock, false)]) {
            let mut sql = Sql::new("SELECT i.id FROM items i WHERE i.wanted > 0");
            if overdue {
                sql.add(" AND i.due <= ").arg(now).add(" AND i.expires = 0");
            } else {
                sql.add(" AND (i.expires = 0 OR i.due IS NULL OR i.due > ").arg(now).add(")");
            }
            sql.add(" AND i.wanted > ");
            items::held(&mut sql, now);
            sql.add(" AND NOT EXISTS ");
            standing_of(&mut sql, reviewer);
            conditions(&mut sql, filter, now);
            let order = if overdue { "i.due, i.id" } else { "i.rank DESC, i.id" };
            sql.add(" ORDER BY ").add(order).add(" LIMIT 1").add(lock);
            if let Some(found) = self.one(&sql, id).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Gives an item to a reviewer if there is room; one that the reviewer has already stays the same lease, and lasts
    /// longer.
    async fn lease(
        &mut self,
        id: &ItemId,
        reviewer: &str,
        now: Millis,
        for_ms: Millis,
    ) -> Result<Result<(Item, Lease), Refused>, StoreError> {
        let Some(item) = self.locked(id, now).await? else { return Ok(Err(unknown(id))) };
        if item.open == 0 || item.status == ItemStatus::Expired {
            return Ok(Err(Refused::Closed { status: item.status }));
        }
        if let Some(refused) = self.answered(&item.id, reviewer).await? {
            return Ok(Err(refused));
        }
        let until = now.saturating_add(for_ms);
        let mut own = Sql::new("SELECT item, reviewer, fence, until FROM leases WHERE item = ");
        own.arg(id.as_str()).add(" AND reviewer = ").arg(reviewer).add(" AND until > ").arg(now);
        if let Some(own) = self.one(&own, lease_of).await? {
            let until = until.max(own.until);
            let mut longer = Sql::new("UPDATE leases SET until = ");
            longer.arg(until).add(" WHERE item = ").arg(id.as_str()).add(" AND reviewer = ").arg(reviewer);
            self.run(&longer).await?;
            return Ok(Ok((item, Lease { until, ..own })));
        }
        let holders = self.all(&holders(id, now), holder).await?;
        if holders.len() as u64 >= u64::from(item.open) {
            return Ok(Err(Refused::Taken { holders }));
        }
        let mut rise = Sql::new("UPDATE items SET fence = fence + 1 WHERE id = ");
        rise.arg(id.as_str()).add(" RETURNING fence");
        let Some(fence) = self.one(&rise, |row| row.try_get::<i64, _>("fence")).await? else {
            return Ok(Err(unknown(id)));
        };
        let mut sql = Sql::new("INSERT INTO leases (item, reviewer, fence, until) VALUES ");
        sql.list([id.as_str().into(), reviewer.into(), fence.into(), Arg::from(until)]);
        sql.add(" ON CONFLICT (item, reviewer) DO UPDATE SET fence = excluded.fence, until = excluded.until");
        self.run(&sql).await?;
        let lease = Lease { item: id.clone(), reviewer: reviewer.to_owned(), fence, until };
        // With this lease, there may be no room for others.
        Ok(self.again(id, now).await?.map(|item| (item, lease)).ok_or_else(|| unknown(id)))
    }

    /// The item as it stands after what this transaction did to it.
    pub(super) async fn again(&mut self, id: &ItemId, now: Millis) -> Result<Option<Item>, StoreError> {
        let mut sql = items::select(now);
        sql.add("i.id = ").arg(id.as_str());
        self.one(&sql, items::item).await
    }

    /// Whether a lease is in force.
    pub(super) async fn in_force(
        &mut self,
        lease: &Lease,
        item: &Item,
        now: Millis,
    ) -> Result<Result<(), Refused>, StoreError> {
        let mut sql = Sql::new("SELECT item, reviewer, fence, until FROM leases WHERE item = ");
        sql.arg(lease.item.as_str()).add(" AND reviewer = ").arg(&lease.reviewer).add(" AND until > ").arg(now);
        let found = self.one(&sql, lease_of).await?;
        if found.is_some_and(|found| found.fence == lease.fence) {
            return Ok(Ok(()));
        }
        let holders = self.all(&holders(&lease.item, now), holder).await?;
        Ok(Err(Refused::Stale { status: item.status, holders }))
    }
}
