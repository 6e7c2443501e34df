//! Labels made elsewhere into the ledger: everything is looked at before anything is written, and what came in before
//! comes in once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Read};

use super::incoming::{self, Incoming, LONGEST_LINE, Said};
use crate::ledger::{Act, Answer, Item, ItemId, ItemStatus, Label, Millis, Refused, Source, Submission, counting};
use crate::store::db::{ItemFilter, Page, Store, StoreError};

/// The most labels of one import: they are held in memory until all are looked at.
pub const MOST: usize = 1_000_000;
/// The most problems that are told one by one; all are counted.
const MOST_TOLD: usize = 100;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong.
    pub message: String,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Found {
    /// The labels, in order.
    pub labels: Vec<Incoming>,
    /// What is wrong, the first of it.
    pub wrong: Vec<Wrong>,
    /// How much is wrong in all.
    pub wrong_in_all: u64,
}

impl Found {
    fn wrong(&mut self, line: u64, message: String) {
        self.wrong_in_all += 1;
        if self.wrong.len() < MOST_TOLD {
            self.wrong.push(Wrong { line, message });
        }
    }
}

/// What an import did, or with `dry_run` would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Labels that were not there before.
    pub new: u64,
    /// Labels that were.
    pub known: u64,
    /// Items that they are of.
    pub items: u64,
    /// Of those, how many are decided now.
    pub resolved: u64,
}

/// Reads labels line by line; one that is too long is passed over and told.
///
/// # Errors
/// It cannot be read on, or there are more than [`MOST`].
pub fn read(mut from: &mut dyn BufRead) -> io::Result<Found> {
    let mut found = Found::default();
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        let most = LONGEST_LINE as u64 + 2;
        if (&mut from).take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(found);
        }
        number += 1;
        let is_cut = line.len() as u64 == most && !line.ends_with(b"\n");
        if is_cut {
            pass_over(from)?;
            found.wrong(number, format!("the line has more than {LONGEST_LINE} bytes"));
            continue;
        }
        // A mark of the encoding at the beginning says nothing.
        let text = line.strip_prefix(b"\xef\xbb\xbf".as_slice()).filter(|_| number == 1).unwrap_or(&line);
        match incoming::read(number, text.trim_ascii_end()) {
            Ok(labels) => found.labels.extend(labels),
            Err(problems) => problems.into_iter().for_each(|message| found.wrong(number, message)),
        }
        if found.labels.len() > MOST {
            return Err(io::Error::other(format!("it has more than {MOST} labels: import it in parts")));
        }
    }
}

/// Passes over the rest of a line.
fn pass_over(from: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        let (end, used) = match memchr::memchr(b'\n', buffer) {
            Some(at) => (true, at + 1),
            None => (buffer.is_empty(), buffer.len()),
        };
        from.consume(used);
        if end {
            return Ok(());
        }
    }
}

/// Holds what was read against the ledger: labels of unknown items, and those that contradict what is there, are told and
/// taken out. Returns what is left to be written, and how many labels are there already.
///
/// # Errors
/// The store cannot be read.
pub async fn check(store: &Store, read: &mut Found, now: Millis) -> Result<u64, StoreError> {
    let ids: Vec<ItemId> = read.labels.iter().map(|l| l.item.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut ledger = Ledger::default();
    for some in ids.chunks(5000) {
        let filter = ItemFilter { ids: some.to_vec(), ..ItemFilter::default() };
        for item in store.items(&filter, Page::ALL, now).await? {
            ledger.items.insert(item.id.clone(), item);
        }
        for label in store.labels(some).await? {
            ledger.rows.entry(label.item.clone()).or_default().push(label);
        }
    }
    let (mut known, mut fresh) = (0, Vec::new());
    for label in std::mem::take(&mut read.labels) {
        match ledger.take(&label, now) {
            Ok(true) => fresh.push(label),
            Ok(false) => known += 1,
            Err(why) => read.wrong(label.line, why),
        }
    }
    read.labels = fresh;
    Ok(known)
}

/// What is in the ledger, and what it would hold with the labels so far.
#[derive(Default)]
struct Ledger {
    items: BTreeMap<ItemId, Item>,
    rows: BTreeMap<ItemId, Vec<Label>>,
}

impl Ledger {
    /// Takes a label as the store will: whether it is a new one; `Err` is why it will not be taken.
    fn take(&mut self, label: &Incoming, now: Millis) -> Result<bool, String> {
        let Some(item) = self.items.get(&label.item) else { return Err(format!("there is no item {}", label.item)) };
        let rows = self.rows.entry(label.item.clone()).or_default();
        if let Some(row) = rows.iter().find(|row| row.id == label.id) {
            let same = row.reviewer == label.reviewer && row.act == act(&label.act);
            return if same { Ok(false) } else { Err(format!("there is another label {} already", label.id)) };
        }
        if label.at.is_some_and(|at| at > now + 60_000) {
            return Err("its time is in the future".to_owned());
        }
        if item.status == ItemStatus::Cancelled {
            return Err(format!("the item {} is cancelled", label.item));
        }
        let standing = counting(rows);
        match &label.act {
            Said::Label(_) => {
                let mine = |row: &&&Label| row.reviewer == label.reviewer && matches!(row.act, Act::Label(_));
                if let Some(row) = standing.iter().find(mine) {
                    return Err(format!("{} has answered {} already (label {})", label.reviewer, label.item, row.id));
                }
            }
            Said::Adjudicate(_) => {
                if let Some(row) = standing.iter().find(|row| matches!(row.act, Act::Adjudicate(_))) {
                    return Err(format!("{} is adjudicated already (label {})", label.item, row.id));
                }
            }
            Said::Undo { label: undone } => {
                let Some(row) = rows.iter().find(|row| row.id == *undone) else {
                    return Err(format!("there is no label {undone} of {} to take back", label.item));
                };
                if rows.iter().any(|other| matches!(&other.act, Act::Undo { label } if label == undone)) {
                    return Err(format!("the label {undone} was taken back already"));
                }
                if row.reviewer != label.reviewer {
                    return Err(format!("{} wrote the label {undone}: nobody else takes it back here", row.reviewer));
                }
                if matches!(row.act, Act::Undo { .. }) {
                    return Err("an undo is not undone".to_owned());
                }
            }
        }
        rows.push(Label {
            id: label.id.clone(),
            seq: rows.len() as i64 + 1,
            item: label.item.clone(),
            reviewer: label.reviewer.clone(),
            act: act(&label.act),
            comment: String::new(),
            at: label.at.unwrap_or(now),
            seconds: label.seconds,
            source: Source::Import,
            shown_proposal: label.shown_proposal,
        });
        Ok(true)
    }
}

fn act(said: &Said) -> Act {
    match said {
        Said::Label(answer) => Act::Label(*answer),
        Said::Adjudicate(answer) => Act::Adjudicate(*answer),
        Said::Undo { label } => Act::Undo { label: label.clone() },
    }
}

/// Writes what was read and checked. Whatever ends it, doing it again goes on where it ended.
///
/// # Errors
/// The store cannot be written.
pub async fn write(store: &Store, read: &mut Found, now: Millis) -> Result<Imported, StoreError> {
    let mut done = Imported::default();
    let mut resolved: BTreeMap<ItemId, bool> = BTreeMap::new();
    for label in std::mem::take(&mut read.labels) {
        let (answer, undone) = match &label.act {
            Said::Label(answer) | Said::Adjudicate(answer) => (*answer, None),
            // An undo answers nothing; of its submission only what goes with it is kept.
            Said::Undo { label } => (Answer::Pass, Some(label)),
        };
        let said = Submission {
            id: label.id.clone(),
            answer,
            comment: label.comment.clone(),
            seconds: label.seconds,
            source: Source::Import,
            shown_proposal: label.shown_proposal,
        };
        let at = label.at.unwrap_or(now);
        let written = match (&label.act, undone) {
            (Said::Adjudicate(_), _) => store.adjudicate(&label.item, &label.reviewer, &said, at).await?,
            (_, Some(undone)) => store.undo(undone, &label.reviewer, false, &said, at).await?,
            _ => store.import(&label.item, &label.reviewer, &said, at).await?,
        };
        match written {
            Ok((_, standing)) => {
                done.new += 1;
                resolved.insert(label.item.clone(), standing.status == ItemStatus::Resolved);
            }
            // Somebody was faster.
            Err(refused) => read.wrong(label.line, told(&refused)),
        }
    }
    done.items = resolved.len() as u64;
    done.resolved = resolved.values().filter(|r| **r).count() as u64;
    Ok(done)
}

fn told(refused: &Refused) -> String {
    refused.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = "sbgvszv7zwzsdyobthwf2rcnem";

    #[test]
    fn everything_wrong_is_told_with_its_line_and_the_rest_is_read() {
        let good = format!(r#"{{"item":"{ITEM}","reviewer":"ann","answer":"pass"}}"#);
        let text = format!("\u{feff}{good}\r\n\nnot json\n{}\n{good}", " ".repeat(LONGEST_LINE + 10));
        let found = read(&mut text.as_bytes()).unwrap();
        assert_eq!(found.labels.iter().map(|l| l.line).collect::<Vec<_>>(), [1, 5]);
        assert_eq!(found.wrong.iter().map(|w| w.line).collect::<Vec<_>>(), [3, 4]);
        assert!(found.wrong[1].message.contains("bytes"), "{:?}", found.wrong);
    }

    #[test]
    fn of_many_problems_the_first_are_told_and_all_are_counted() {
        let text = "x\n".repeat(MOST_TOLD + 50);
        let found = read(&mut text.as_bytes()).unwrap();
        assert_eq!((found.wrong.len(), found.wrong_in_all), (MOST_TOLD, MOST_TOLD as u64 + 50));
    }
}
