//! `seatrial review adjudicate`: decides where reviewers differ, or could not say.

use super::label::Verdict;
use super::opened::{Opened, now, refused, reviewer, submission};
use super::told;
use crate::cli::context::{Context, Failure};

/// Arguments of `seatrial review adjudicate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  seatrial review adjudicate sbgvszv7 fail --comment \"The policy of June holds.\" --as cat

An adjudication decides alone, whatever reviewers said before. Whoever may write the store may adjudicate here; on the
pages of `seatrial review serve` it takes the role.")]
pub struct Args {
    /// The item, or the beginning of its name.
    #[arg(value_name = "ITEM")]
    item: String,
    /// Whether the subject meets what the check asks.
    #[arg(value_name = "ANSWER", value_enum)]
    answer: Verdict,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Print one line of JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Decide an item on which reviewers disagree.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let who = reviewer(context)?;
    told::check_comment(&args.comment)?;
    let opened = Opened::new(context)?;
    let item = opened.item(&args.item)?;
    let said = submission(args.answer.into(), &args.comment)?;
    let written = opened.wait(opened.store.adjudicate(&item.id, &who, &said, now()))?;
    let (row, standing) = written.map_err(|why| refused(&item.id, &why))?;
    told::written(&row, &standing, args.json, context)
}
