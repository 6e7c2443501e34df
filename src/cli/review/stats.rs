//! `seatrial review stats`: how far the reviewers are, and how far they agree.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde_json::json;

use super::opened::{Opened, now};
use super::which;
use crate::cli::context::{Context, Failure};
use crate::eval::exit;
use crate::ledger::{Act, ItemStatus, Label, counting};
use crate::model::Status;
use crate::report::safe;
use crate::report::transcript::layout::width;
use crate::review::exchange::export::{self, Ended, Exported, How};
use crate::stats::proportion::clopper_pearson;

/// Arguments of `seatrial review stats`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial review stats
  seatrial review stats --suite support --json

How far judges agree with people, and which threshold that allows, is said by `seatrial calibrate`.")]
pub struct Args {
    #[command(flatten)]
    which: which::Args,
    /// Print one line of JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// What one person said.
#[derive(Debug, Default)]
struct Reviewer {
    answers: u64,
    skips: u64,
    taken_back: u64,
    /// Answers that are known to have been given without having seen what the check says.
    blind: u64,
    /// With others who answered the same item: how often they said the same, of how often.
    with_others: (u64, u64),
    /// With what was decided, of items that others helped to decide.
    with_decision: (u64, u64),
    /// With the check, of answers that were blind.
    with_check: (u64, u64),
    seconds: Vec<u32>,
}

/// How far the reviewers are, and how far they agree.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let opened = Opened::new(context)?;
    let filter = args.which.filter(context);
    let counts = opened.wait(opened.store.counts(&filter, now()))?;
    let mut people: BTreeMap<String, Reviewer> = BTreeMap::new();
    let mut take = |one: Exported| -> Result<(), Infallible> {
        add(&one, &mut people);
        Ok(())
    };
    match opened.runtime().block_on(export::each(&opened.store, &filter, How::default(), now(), &mut take)) {
        Ok(_) => {}
        Err(Ended::Store(why)) => return Err(Failure::store(&why)),
        Err(Ended::Taker(never)) => match never {},
    }
    let by_status: Vec<(&str, u64)> =
        ItemStatus::ALL.iter().map(|s| (s.name(), counts.of(*s))).filter(|(_, n)| *n > 0).collect();
    if args.json {
        let share = |(agreed, of): (u64, u64)| json!({ "agreed": agreed, "of": of, "interval": interval(agreed, of) });
        let rows: Vec<_> = people
            .iter()
            .map(|(name, r)| {
                json!({
                    "reviewer": name, "answers": r.answers, "skips": r.skips, "taken_back": r.taken_back,
                    "blind": r.blind, "with_others": share(r.with_others), "with_decision": share(r.with_decision),
                    "with_check": share(r.with_check), "median_seconds": median(&r.seconds),
                })
            })
            .collect();
        let counts: serde_json::Map<_, _> = by_status.iter().map(|(n, c)| ((*n).to_owned(), (*c).into())).collect();
        let line = json!({ "schema": 1, "exit_code": 0, "counts": counts, "reviewers": rows });
        return context.print(format!("{line}\n").as_bytes(), exit::PASSED);
    }
    let status: Vec<String> = by_status.iter().map(|(name, n)| format!("{n} {}", name.replace('_', " "))).collect();
    let mut text = match counts.total() {
        0 => "the queue is empty\n".to_owned(),
        total => format!("{total} in the queue: {}\n", status.join(", ")),
    };
    if counts.overdue > 0 {
        text.push_str(&format!("{} overdue\n", counts.overdue));
    }
    if !people.is_empty() {
        text.push('\n');
        text.push_str(&table(&people));
        text.push_str("\nagreement with its 95% interval; with the check: of answers given before it was seen\n");
    }
    context.print(text.as_bytes(), exit::PASSED)
}

/// Adds what was said of an item.
fn add(one: &Exported, people: &mut BTreeMap<String, Reviewer>) {
    for label in &one.labels {
        if matches!(label.act, Act::Undo { .. }) {
            people.entry(label.reviewer.clone()).or_default().taken_back += 1;
        }
    }
    let said: Vec<(&Label, Option<Status>)> = counting(&one.labels)
        .into_iter()
        .filter_map(|row| match row.act {
            Act::Label(answer) => Some((row, answer.status())),
            _ => None,
        })
        .collect();
    for (label, status) in &said {
        let who = people.entry(label.reviewer.clone()).or_default();
        let Some(status) = status else {
            who.skips += 1;
            continue;
        };
        who.answers += 1;
        who.seconds.extend(label.seconds);
        let others = said.iter().filter(|(other, _)| other.reviewer != label.reviewer);
        let others: Vec<Status> = others.filter_map(|(_, status)| *status).collect();
        who.with_others.0 += others.iter().filter(|other| *other == status).count() as u64;
        who.with_others.1 += others.len() as u64;
        // One who decides alone agrees with what was decided, of course.
        if let (Some(decision), false) = (one.line.decision, others.is_empty()) {
            who.with_decision.0 += u64::from(decision == *status);
            who.with_decision.1 += 1;
        }
        if label.shown_proposal == Some(false) {
            who.blind += 1;
            who.with_check.0 += u64::from(one.line.proposal == *status);
            who.with_check.1 += 1;
        }
    }
}

fn interval(agreed: u64, of: u64) -> Option<[f64; 2]> {
    clopper_pearson(agreed, of, 0.95).map(|i| [i.low, i.high])
}

fn median(seconds: &[u32]) -> Option<u32> {
    let mut sorted = seconds.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

fn table(people: &BTreeMap<String, Reviewer>) -> String {
    let titles = ["reviewer", "answers", "skips", "taken back", "with others", "with decision", "with check", "median"];
    let share = |(agreed, of): (u64, u64)| match interval(agreed, of) {
        Some([lower, upper]) => format!("{agreed}/{of} [{lower:.2}, {upper:.2}]"),
        None => "-".to_owned(),
    };
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(people.iter().map(|(name, r)| {
        [
            safe::line(name).into_owned(),
            r.answers.to_string(),
            r.skips.to_string(),
            r.taken_back.to_string(),
            share(r.with_others),
            share(r.with_decision),
            share(r.with_check),
            median(&r.seconds).map_or_else(|| "-".to_owned(), |s| format!("{s} s")),
        ]
    }));
    let widths: [usize; 8] = std::array::from_fn(|i| rows.iter().map(|row| width(&row[i])).max().unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, w)| format!("{cell}{}", " ".repeat(w - width(cell))));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
