//! `seatrial review list`: what waits, and where it stands.

use serde_json::json;

use super::opened::{Opened, looker, now};
use super::{empty, which};
use crate::cli::context::{Context, Failure};
use crate::eval::exit;
use crate::ledger::line::ItemLine;
use crate::ledger::{Item, ItemStatus, Millis};
use crate::report::safe;
use crate::report::transcript::layout::width;
use crate::review::words;
use crate::store::db::{ItemFilter, Page};

/// Arguments of `seatrial review list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial review list                         what waits for people, the most urgent first
  seatrial review list --suite support --overdue
  seatrial review list --status resolved --json

What a check says of an item is shown once the item is decided; whom it was shown to is written down.")]
pub struct Args {
    #[command(flatten)]
    which: which::Args,
    /// Those with these statuses: pending, leased, needs_more, disputed, resolved, skipped, expired, cancelled; `open` for
    /// the first four, `all` for any.
    #[arg(long, value_name = "STATUS,...", default_value = "open", help_heading = "Which items")]
    status: String,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Print one line of JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// List the items that wait for people, or those of another state.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let status = which::statuses(&args.status)?;
    let opened = Opened::new(context)?;
    let now = now();
    let filter = ItemFilter { status, ..args.which.filter(context) };
    let items = opened.wait(opened.store.items(&filter, Page { offset: 0, limit: args.limit }, now))?;
    let any = ItemFilter { status: Vec::new(), ..filter.clone() };
    let counts = opened.wait(opened.store.counts(&any, now))?;
    // Of those that are decided it is said what was decided.
    let decided = items.iter().filter(|item| item.decision.is_some());
    opened.revealed(decided, &looker(context))?;
    if args.json {
        let by_status: serde_json::Map<_, _> =
            ItemStatus::ALL.iter().map(|s| (s.name().to_owned(), counts.of(*s).into())).collect();
        let rows: Vec<_> = items.iter().map(row).collect();
        let line =
            json!({ "schema": 1, "exit_code": 0, "items": rows, "counts": by_status, "overdue": counts.overdue });
        return context.print(format!("{line}\n").as_bytes(), exit::PASSED);
    }
    if items.is_empty() {
        let text = empty::nothing(&counts, args.which.is_partial(), now);
        return context.print(format!("{text}\n").as_bytes(), exit::PASSED);
    }
    let mut text = table(&items, now);
    let all: u64 =
        if filter.status.is_empty() { counts.total() } else { filter.status.iter().map(|s| counts.of(*s)).sum() };
    if all > items.len() as u64 {
        text.push_str(&format!("... {} more (--limit)\n", all - items.len() as u64));
    }
    context.print(text.as_bytes(), exit::PASSED)
}

/// An item as scripts see it; not what the check says, before it is decided.
fn row(item: &Item) -> serde_json::Value {
    let line = ItemLine::of(item, &[]);
    if item.decision.is_none() {
        return line.blind();
    }
    let mut line = json!(line);
    if let Some(object) = line.as_object_mut() {
        object.remove("labels");
    }
    line
}

fn table(items: &[Item], now: Millis) -> String {
    let titles = ["item", "suite / check", "case", "status", "waits", "why"].map(str::to_owned);
    let rows: Vec<[String; 6]> = items.iter().map(|item| cells(item, now)).collect();
    let widths: [usize; 6] = std::array::from_fn(|i| {
        let most = if i == 5 { 60 } else { 40 };
        rows.iter().chain([&titles]).map(|row| width(&row[i])).max().unwrap_or(0).min(most)
    });
    let mut text = String::new();
    for row in std::iter::once(&titles).chain(&rows) {
        let mut line = String::new();
        for (cell, width_) in row.iter().zip(widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width_.saturating_sub(width(cell)) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn cells(item: &Item, now: Millis) -> [String; 6] {
    let status = match item.decision {
        Some(decision) => format!("{}: {}", item.status.name(), decision.name()),
        None => item.status.name().to_owned(),
    };
    let mut waits = empty::span(now.saturating_sub(item.created));
    if item.due.is_some_and(|due| due < now) && item.decision.is_none() {
        waits.push_str(", overdue");
    }
    let why: Vec<String> = item.routed.why.iter().map(|why| words::why(why, item.decision.is_none())).collect();
    [
        // As much of the name as is enough to find it again.
        item.id.as_str()[..8].to_owned(),
        safe::line(&format!("{} / {}", item.key.suite, item.key.check)).into_owned(),
        safe::line(&item.case).into_owned(),
        status,
        waits,
        safe::line(&why.join("; ")).into_owned(),
    ]
}
