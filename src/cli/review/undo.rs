//! `seatrial review undo`: takes an answer back, by another row of the book.

use super::opened::{Opened, now, refused, submission};
use super::told;
use crate::cli::context::{Context, Failure};
use crate::ledger::{Answer, ItemId, counting};
use crate::review::exchange::incoming::is_item;
use crate::store::db::Role;

/// Arguments of `seatrial review undo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial review undo sbgvszv7 --as ann      takes back what ann said of the item
  seatrial review undo LABEL                  one label by its id, as `review show` lists them

The row that is taken back stays in the book, and so does the undo.")]
pub struct Args {
    /// The item, of which your answer is taken back, or the id of a label.
    #[arg(value_name = "ITEM|LABEL")]
    what: String,
    /// Take back what somebody else said: for adjudicators, where the store has users.
    #[arg(long)]
    anyone: bool,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Print one line of JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Take an answer back.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let role = if args.anyone { Role::Adjudicator } else { Role::Reviewer };
    let (opened, who) = Opened::to_say(&args.comment, role, context)?;
    let label = match opened.item(&args.what) {
        Ok(item) => {
            let rows = opened.wait(opened.store.labels(std::slice::from_ref(&item.id)))?;
            let mine = counting(&rows).into_iter().rev().find(|row| row.reviewer == who).map(|row| row.id.clone());
            mine.ok_or_else(|| {
                let id = &item.id;
                Failure::usage(format_args!(
                    "{who} has said nothing of {id} that stands\nhelp: what somebody else said is taken back by the id of \
                     its label, with --anyone; `seatrial review show {id} --reveal` lists them"
                ))
            })?
        }
        // Labels are called as items are, or as whoever brought them in called them.
        Err(none) if args.what.len() < 8 && !is_item(&args.what) => return Err(none),
        Err(_) => args.what.clone(),
    };
    // An undo answers nothing; the answer that goes along is not read.
    let said = submission(Answer::Pass, &args.comment)?;
    let undone = opened.wait(opened.store.undo(&label, &who, args.anyone, &said, now()))?;
    let (row, standing) = undone.map_err(|why| refused(&ItemId(args.what.clone()), &why))?;
    told::written(&row, &standing, args.json, context)
}
