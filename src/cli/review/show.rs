//! `seatrial review show`: one item, as it is shown to those who answer it.

use std::io::{self, IsTerminal};

use serde_json::json;

use super::opened::{Opened, looker, now, reviewer};
use super::reading::{self, Reading};
use crate::cli::context::{Context, Failure};
use crate::eval::exit;
use crate::ledger::counting;
use crate::ledger::line::{ItemLine, Shown};
use crate::review::desk::screen::{self, Sheet};

/// Arguments of `seatrial review show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial review show sbgvszv7
  seatrial review show sbgvszv7 --full        the whole session, nothing elided
  seatrial review show sbgvszv7 --json

What the check says is shown when the item is decided, when you have answered it, or with --reveal. Who was shown it is \
written down, and an answer of theirs that comes afterwards is recorded as not blind.")]
pub struct Args {
    /// The item, or the beginning of its name.
    #[arg(value_name = "ITEM")]
    item: String,
    /// The whole session, nothing elided.
    #[arg(long)]
    full: bool,
    /// Show what the check says although you have not answered.
    #[arg(long)]
    reveal: bool,
    /// Columns to wrap to, instead of those of the terminal.
    #[arg(long, value_name = "N")]
    width: Option<u16>,
    /// Print one line of JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Show one item: the question, the session, what was expected.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let opened = Opened::new(context)?;
    let item = opened.item(&args.item)?;
    // Whoever looks is written down. To look one need not say who one is, but to be told what others are not told yet.
    let who = if args.reveal { reviewer(context)? } else { looker(context) };
    let labels = opened.wait(opened.store.labels(std::slice::from_ref(&item.id)))?;
    let answered = counting(&labels).iter().any(|label| label.reviewer == who);
    let reveal = args.reveal || answered || item.decision.is_some();
    if reveal {
        opened.revealed(std::iter::once(&item), &who)?;
    }
    let reading = Reading::of(&opened, &item, &who, now())?;
    if args.json {
        let mut line = ItemLine::of(&item, if reveal { &labels } else { &[] });
        line.shown = Some(Shown {
            question: item.question.clone(),
            rubric: item.rubric.clone(),
            against: item.against.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            session: reading.json(),
        });
        let value = if reveal { json!(line) } else { line.blind() };
        return context.print(format!("{value}\n").as_bytes(), exit::PASSED);
    }
    let columns = terminal_size::terminal_size().filter(|_| io::stdout().is_terminal());
    let columns = columns.map_or(100, |(terminal_size::Width(w), _)| w);
    let size = screen::Size { width: usize::from(args.width.unwrap_or(columns)), height: usize::MAX, color: true };
    let (session, baseline) = (reading.session(), reading.baseline());
    let progress = item.status.name();
    let sheet = Sheet { item: &item, session: reading::as_shown(&session), baseline: baseline.as_ref(), progress };
    let mut text = screen::text(&sheet, reveal, args.full, size);
    if reveal {
        labels.iter().for_each(|label| text.push_str(&format!("{}\n", reading::said(label))));
        let released = opened.wait(opened.store.release_of(&[item.key.session]))?;
        released.iter().for_each(|seen| text.push_str(&format!("{}\n", reading::released(seen))));
    }
    context.print(text.as_bytes(), exit::PASSED)
}
