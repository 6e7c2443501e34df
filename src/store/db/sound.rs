//! Whether what is stored adds up. The columns of an item repeat what its rows of the book add up to, and whoever reads them
//! believes them: so what comes in from outside is held against the rows themselves, and so is a store when somebody asks.
//!
//! Nothing is mended here: what does not add up is told. Whether labels were given by whom they name nobody can tell from
//! them; whoever takes them in vouches for that.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::book::{SELECT, label};
use super::labels::LONGEST;
use super::sql::{Sql, count, named, strange};
use super::{items, promotions, runs};
use crate::ledger::{Act, Item, ItemId, ItemStatus, Label, Millis, standing};
use crate::model::digest::Digest;

/// The most that is told one by one; all is counted.
const MOST_TOLD: usize = 20;

/// Items that are looked at together.
const PORTION: usize = 2_000;

/// The highest number of a row by itself: one that counts on from it must not end.
const HIGHEST: i64 = 1 << 53;

/// What does not add up.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct Unsound {
    /// The first of it, each in words.
    pub told: Vec<String>,
    /// How much there is in all.
    pub all: u64,
}

impl Unsound {
    /// Whether all adds up.
    pub fn is_none(&self) -> bool {
        self.all == 0
    }

    /// Adds one more.
    pub fn add(&mut self, what: String) {
        self.all += 1;
        if self.told.len() < MOST_TOLD {
            self.told.push(what);
        }
    }
}

impl std::fmt::Display for Unsound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "what is in it does not add up:")?;
        self.told.iter().try_for_each(|what| write!(f, "\n  {what}"))?;
        match self.all - self.told.len() as u64 {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// Looks at every row that is not of this moment only.
///
/// # Errors
/// The database cannot be read on.
pub(super) async fn look(connection: &mut AnyConnection) -> Result<Unsound, sqlx::Error> {
    let mut look = Look { connection, found: Unsound::default() };
    look.items().await?;
    for (table, of) in runs::READERS {
        look.each(table, of).await?;
    }
    look.each("promotion_log", |row| promotions::row_of(row).map(drop)).await?;
    look.each("promotion_evidence", evidence).await?;
    for table in ["runs", "trail"] {
        look.none(table, &format!("n < 1 OR n > {HIGHEST}"), "have a number that nothing can follow").await?;
    }
    for table in ["item_runs", "item_tags"] {
        let orphan = "NOT EXISTS (SELECT 1 FROM items i WHERE i.id = item)";
        look.none(table, orphan, "are of an item that is not there").await?;
    }
    Ok(look.found)
}

/// Evidence that is not what it is kept under would be found out when it is asked for; better before.
fn evidence(row: &AnyRow) -> Result<(), sqlx::Error> {
    let digest = named(row, "digest", |text| serde_json::from_value::<Digest>(text.into()).ok())?;
    let content: String = row.try_get("content")?;
    if Digest::of(content.as_bytes()) == digest {
        return Ok(());
    }
    Err(strange(format!("{digest} is not the digest of what is kept under it")))
}

struct Look<'c> {
    connection: &'c mut AnyConnection,
    found: Unsound,
}

impl Look<'_> {
    /// Every row of a table by itself.
    async fn each(&mut self, table: &str, of: fn(&AnyRow) -> Result<(), sqlx::Error>) -> Result<(), sqlx::Error> {
        let Self { connection, found } = self;
        let sql = Sql::new(&format!("SELECT * FROM {table}"));
        let mut rows = sql.query().fetch(&mut **connection);
        while let Some(row) = rows.try_next().await? {
            if let Err(why) = of(&row) {
                found.add(unreadable(table, &why));
            }
        }
        Ok(())
    }

    /// That no row of a table is like this.
    async fn none(&mut self, table: &str, like: &str, told: &str) -> Result<(), sqlx::Error> {
        let sql = Sql::new(&format!("SELECT count(*) AS n FROM {table} WHERE {like}"));
        let row = sql.query().fetch_one(&mut *self.connection).await?;
        match count(&row, "n")? {
            0 => {}
            n => self.found.add(format!("{n} rows of `{table}` {told}")),
        }
        Ok(())
    }

    /// Every item, with the rows of the book that are about it.
    async fn items(&mut self) -> Result<(), sqlx::Error> {
        let mut after = String::new();
        loop {
            // Of no moment: by time alone nothing is expired.
            let mut sql = items::select(Millis::MIN);
            sql.add("i.id > ").arg(&after).add(" ORDER BY i.id LIMIT ").arg(PORTION as i64);
            let rows = sql.query().fetch_all(&mut *self.connection).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.try_get("id")?;
            let mut found: BTreeMap<ItemId, (Item, ItemStatus)> = BTreeMap::new();
            for row in &rows {
                match stored(row) {
                    Ok((item, status)) => drop(found.insert(item.id.clone(), (item, status))),
                    Err(why) => {
                        let id: String = row.try_get("id")?;
                        self.found.add(format!("item {id}: {}", told(&why)));
                    }
                }
            }
            let mut book = self.book(found.keys()).await?;
            for (id, (item, status)) in &found {
                let rows = book.remove(id).unwrap_or_default();
                amiss(item, *status, &rows).into_iter().for_each(|why| self.found.add(format!("item {id}: {why}")));
            }
        }
    }

    /// The rows of some items, in order.
    async fn book(
        &mut self,
        items: impl Iterator<Item = &ItemId>,
    ) -> Result<BTreeMap<ItemId, Vec<Label>>, sqlx::Error> {
        let mut sql = Sql::new(SELECT);
        sql.add("WHERE item IN ").list(items.map(ItemId::as_str)).add(" ORDER BY item, seq");
        let mut book: BTreeMap<ItemId, Vec<Label>> = BTreeMap::new();
        for row in sql.query().fetch_all(&mut *self.connection).await? {
            match label(&row) {
                Ok(label) => book.entry(label.item.clone()).or_default().push(label),
                Err(why) => self.found.add(unreadable("labels", &why)),
            }
        }
        Ok(book)
    }
}

fn unreadable(table: &str, why: &sqlx::Error) -> String {
    format!("a row of `{table}`: {}", told(why))
}

fn told(why: &sqlx::Error) -> String {
    match why {
        sqlx::Error::Decode(why) => why.to_string(),
        other => other.to_string(),
    }
}

/// An item, with the status that is written with it.
fn stored(row: &AnyRow) -> Result<(Item, ItemStatus), sqlx::Error> {
    Ok((items::item(row)?, named(row, "status", ItemStatus::named)?))
}

/// What of an item does not follow from its key and its rows.
fn amiss(item: &Item, status: ItemStatus, rows: &[Label]) -> Vec<String> {
    let mut wrong = Vec::new();
    let is = item.key.id();
    if is != item.id {
        wrong.push(format!("by what it is about it is called {is}"));
    }
    let (inclusion, confidence) = (item.routed.inclusion, item.confidence);
    if !(inclusion > 0.0 && inclusion <= 1.0) {
        wrong.push(format!("`inclusion` is a probability above 0 and up to 1, not {inclusion}"));
    }
    if !(0.0..=1.0).contains(&confidence) {
        wrong.push(format!("`confidence` is from 0 to 1, not {confidence}"));
    }
    for (at, row) in rows.iter().enumerate() {
        wrong.extend(misplaced(&rows[..at], row).map(|why| format!("its label {} {why}", row.id)));
    }
    let by_now = standing(item.reviewers, rows);
    let is_cancelled = status == ItemStatus::Cancelled;
    // What nobody needs is not decided any further; what was said of it is in the book all the same.
    if !is_cancelled && (status, item.open) != (by_now.status, by_now.open) {
        let (name, is) = (status.name(), by_now.status.name());
        wrong
            .push(format!("it is {name} ({} wanted), and its labels make it {is} ({} wanted)", item.open, by_now.open));
    }
    let decision = if is_cancelled { (None, None) } else { (by_now.decision, by_now.by) };
    if (item.decision, &item.decided) != (decision.0, &decision.1) || item.decision.is_some() != item.resolved.is_some()
    {
        let name = |decision: Option<crate::model::Status>| decision.map_or("not decided", |decision| decision.name());
        let (has, is) = (name(item.decision), name(decision.0));
        wrong.push(format!("it says {has}, and by its labels it is {is}"));
    }
    wrong
}

/// Why a row does not belong behind those before it.
fn misplaced(before: &[Label], row: &Label) -> Option<String> {
    let (name, comment) = LONGEST;
    let too_long = row.id.len() > name || row.reviewer.len() > name || row.comment.len() > comment;
    let is_name = |text: &str| !text.trim().is_empty() && !text.contains(char::is_control);
    if row.seq != before.len() as i64 + 1 {
        return Some(format!("is number {} of the item, and {} are before it", row.seq, before.len()));
    }
    if too_long || !is_name(&row.id) || !is_name(&row.reviewer) {
        return Some("has a name, a reviewer or a comment that no label has".to_owned());
    }
    let Act::Undo { label } = &row.act else { return None };
    let undone = before.iter().find(|earlier| earlier.id == *label);
    undone
        .is_none_or(|row| row.act.answer().is_none())
        .then(|| format!("takes {label} back, which is no answer before it"))
}
