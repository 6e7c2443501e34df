//! `seatrial review label`: an answer by name, for scripts and for those who know what they want to say.

use super::opened::{BRIEFLY, Opened, now, refused, submission};
use super::told;
use crate::cli::context::{Context, Failure};
use crate::ledger::{Answer, Refused, counting};
use crate::store::db::Role;

/// Arguments of `seatrial review label`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial review label sbgvszv7 pass
  seatrial review label sbgvszv7 fail --comment \"It promises a refund.\" --as ann

What is said stays: `seatrial review undo` takes it back by another row of the book. Exit codes: 0, 2 when the item is not \
there or takes no answer of yours, 5 when the store cannot be written.")]
pub struct Args {
    /// The item, or the beginning of its name.
    #[arg(value_name = "ITEM")]
    item: String,
    /// Whether the subject meets what the check asks.
    #[arg(value_name = "ANSWER", value_enum)]
    answer: Verdict,
    /// What else there is to say.
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Print one line of JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// What can be answered.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Verdict {
    /// It meets it.
    Pass,
    /// It does not.
    Fail,
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Fail => Self::Fail,
        }
    }
}

/// Answer an item.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    answer(&args.item, args.answer.into(), &args.comment, args.json, context)
}

/// Gives an answer to an item: takes it, answers it, and leaves it as it was where the answer is refused.
pub fn answer(item: &str, answer: Answer, comment: &str, json: bool, context: &Context) -> Result<u8, Failure> {
    let (opened, who) = Opened::to_say(comment, Role::Reviewer, context)?;
    let item = opened.item(item)?;
    let said = submission(answer, comment)?;
    let lease = match opened.wait(opened.store.claim_item(&item.id, &who, now(), BRIEFLY))? {
        Ok((_, lease)) => lease,
        Err(why) => {
            // Whoever answered it before has another way than to have it decided otherwise.
            let rows = opened.wait(opened.store.labels(std::slice::from_ref(&item.id)))?;
            let mine = counting(&rows).into_iter().find(|row| row.reviewer == who);
            let mine = mine.map(|row| Refused::Answered { who: who.clone(), label: row.id.clone() });
            return Err(refused(&item.id, &mine.unwrap_or(why)));
        }
    };
    match opened.wait(opened.store.submit(&lease, &said, now()))? {
        Ok((label, standing)) => told::written(&label, &standing, json, context),
        Err(why) => {
            opened.wait(opened.store.release(&lease))?;
            Err(refused(&item.id, &why))
        }
    }
}
