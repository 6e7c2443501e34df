//! `seatrial review adjudicate`: decides where reviewers differ, or could not say.

use super::label::Verdict;
use super::opened::{Opened, now, refused, submission};
use super::told;
use crate::cli::context::{Context, Failure};
use crate::store::db::Role;

/// Arguments of `seatrial review adjudicate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  seatrial review adjudicate sbgvszv7 fail --comment \"The policy of June holds.\" --as cat

An adjudicator decides alone where answers differ, two could not answer, or time ran out. Nobody decides so over an item \
that reviewers agree on or are still to answer, except with --overrule, which the book, exports and reports show for ever.

Where the store has users (`seatrial review user`) it takes the role of an adjudicator. A store without users is one \
person's: there whoever can write it adjudicates. Names are not proven in a terminal; on pages with `--auth` they are. \
Exit codes: 0; 2 when it is refused; 5 when the store cannot be written.")]
pub struct Args {
    /// The item, or the beginning of its name.
    #[arg(value_name = "ITEM")]
    item: String,
    /// Whether the subject meets what the check asks.
    #[arg(value_name = "ANSWER", value_enum)]
    answer: Verdict,
    /// Decide although reviewers do not differ, or have not all answered.
    #[arg(long)]
    overrule: bool,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Print one line of JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Decide an item on which reviewers disagree.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let (opened, who) = Opened::to_say(&args.comment, Role::Adjudicator, context)?;
    let item = opened.item(&args.item)?;
    let said = submission(args.answer.into(), &args.comment)?;
    let written = opened.wait(opened.store.adjudicate(&item.id, &who, args.overrule, &said, now()))?;
    let (row, standing) = written.map_err(|why| refused(&item.id, &why))?;
    told::written(&row, &standing, args.json, context)
}
