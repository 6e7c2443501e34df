//! Labels made elsewhere into the ledger: a file is taken in whole or not at all, and what came in before comes in once.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use super::incoming::{self, Incoming, LONGEST_LINE};
use crate::ledger::{Act, ItemId, ItemStatus, Label, Millis, Refused, Source};
use crate::store::db::{Brought, Keep, Store, StoreError, Taken};

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

/// What an import did, or would have done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Labels that were not there before.
    pub new: u64,
    /// Labels that were.
    pub known: u64,
    /// Items that they are of.
    pub items: u64,
    /// Of those, how many are decided with them.
    pub resolved: u64,
    /// Whether it was done.
    pub written: bool,
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

/// Takes what was read into the ledger, all of it in one transaction: what does not fit is told with its line, and `keep` says
/// what becomes of the rest. What is in the ledger already is counted and not written again. `adjudicates` is whether who takes
/// it in may take back what somebody else said, as rows of an adjudicator do.
///
/// # Errors
/// The store cannot be written; then nothing was.
pub async fn take_in(
    store: &Store,
    read: &mut Found,
    keep: Keep,
    adjudicates: bool,
    now: Millis,
) -> Result<Imported, StoreError> {
    let mut labels = std::mem::take(&mut read.labels);
    let in_future = |label: &Incoming| label.at.is_some_and(|at| at > now + LATE_CLOCK);
    let late: Vec<u64> = labels.iter().filter(|label| in_future(label)).map(|label| label.line).collect();
    late.iter().for_each(|line| read.wrong(*line, "its time is in the future".to_owned()));
    labels.retain(|label| !in_future(label));
    // A line that cannot be read is one that does not fit.
    let keep = if keep == Keep::Whole && read.wrong_in_all > 0 { Keep::Nothing } else { keep };

    let rows: Vec<Brought> = labels.iter().map(|label| brought(label, now)).collect();
    let mut done = Imported::default();
    let mut resolved: BTreeMap<&ItemId, bool> = BTreeMap::new();
    for ((label, row), taken) in labels.iter().zip(&rows).zip(store.bring_in(&rows, keep, adjudicates).await?) {
        match taken {
            Ok(Taken::Known) => done.known += 1,
            Ok(Taken::New(status)) => {
                done.new += 1;
                resolved.insert(&row.row.item, status == ItemStatus::Resolved);
            }
            Err(refused) => read.wrong(label.line, told(&refused, &row.row)),
        }
    }
    done.items = resolved.len() as u64;
    done.resolved = resolved.values().filter(|r| **r).count() as u64;
    done.written = keep == Keep::Right || keep == Keep::Whole && read.wrong_in_all == 0;
    read.wrong.sort_by_key(|wrong| wrong.line);
    Ok(done)
}

/// How much later than here another clock may be, in milliseconds.
const LATE_CLOCK: Millis = 60_000;

fn brought(label: &Incoming, now: Millis) -> Brought {
    let row = Label {
        id: label.id.clone(),
        seq: 0,
        item: label.item.clone(),
        reviewer: label.reviewer.clone(),
        act: label.act.clone(),
        comment: label.comment.clone(),
        at: label.at.unwrap_or(now),
        seconds: label.seconds,
        source: Source::Import,
        shown_proposal: label.shown_proposal,
    };
    Brought { row, named: label.named }
}

/// Why a label is not taken in.
fn told(refused: &Refused, row: &Label) -> String {
    let (who, item) = (&row.reviewer, &row.item);
    match (refused, &row.act) {
        (Refused::Answered { .. }, Act::Undo { label }) => format!("the label {label} was taken back already"),
        (Refused::Answered { label, .. }, Act::Label(_)) => {
            format!("{who} has answered {item} already (label {label})")
        }
        (Refused::Answered { label, .. }, _) => format!("{item} is adjudicated already (label {label})"),
        (Refused::Undisputed { .. }, _) => {
            format!("{refused}; `overrule` as its `act` decides nevertheless, and says so")
        }
        (Refused::Purged { .. }, _) => format!("{refused}; where it was read before, `at` says when"),
        (Refused::Closed { status }, _) => format!("the item {item} is {}", status.name()),
        _ => refused.to_string(),
    }
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
