//! `seatrial review skip`: one cannot say, and why.

use super::label;
use crate::cli::context::{Context, Failure};
use crate::ledger::{Answer, SkipReason};

/// Arguments of `seatrial review skip`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  seatrial review skip sbgvszv7 not-my-field --as ann

The item goes to somebody else; when two have skipped it, it rests, and stays held, until an adjudicator decides it.")]
pub struct Args {
    /// The item, or the beginning of its name.
    #[arg(value_name = "ITEM")]
    item: String,
    /// Why it cannot be answered.
    #[arg(value_name = "REASON", value_enum)]
    reason: Reason,
    /// What else there is to say.
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Print one line of JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Why an item cannot be answered.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Reason {
    /// The question or the rubric does not say.
    Ambiguous,
    /// What would decide it is not shown.
    #[value(alias = "missing_context")]
    MissingContext,
    /// You should not decide this one.
    #[value(alias = "conflict_of_interest")]
    ConflictOfInterest,
    /// You do not know enough of it.
    #[value(alias = "not_my_field")]
    NotMyField,
}

impl From<Reason> for SkipReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Ambiguous => Self::Ambiguous,
            Reason::MissingContext => Self::MissingContext,
            Reason::ConflictOfInterest => Self::ConflictOfInterest,
            Reason::NotMyField => Self::NotMyField,
        }
    }
}

/// Give an item back, with the reason.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    label::answer(&args.item, Answer::Skip { reason: args.reason.into() }, &args.comment, args.json, context)
}
