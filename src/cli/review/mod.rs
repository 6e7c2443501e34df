//! `seatrial review`: what waits for people, one file per subcommand. Without a subcommand it walks through the items
//! in the terminal.

mod add;
mod adjudicate;
mod case;
mod empty;
mod export;
mod import;
mod keys;
mod label;
mod list;
pub mod notify;
mod opened;
mod reading;
mod release;
mod serve;
mod show;
mod skip;
mod stats;
mod told;
mod undo;
mod user;
mod walk;
mod which;

pub(super) use opened::reviewer;

use std::path::PathBuf;

use super::context::{Context, Failure};

/// Arguments of `seatrial review`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  seatrial review                             walk through what waits, in the terminal
  seatrial review --suite support --overdue
  seatrial review list                        what waits
  seatrial review label sbgvszv7 fail --comment \"It promises a refund.\"
  seatrial review export > labels.jsonl

One key answers: p pass, f fail, s skip, u undo, r regression case, ? for the others. What the check says is shown after your answer. An item \
is yours while it is on the screen, and goes back to the queue when you leave it."
)]
pub struct Args {
    #[command(flatten)]
    which: which::Args,
    /// The folder of suites: `r` makes a regression case of the item in the file of its suite, as `review case` does.
    #[arg(long, value_name = "DIR")]
    suites: Option<PathBuf>,
    /// The name under which you answer; without it `reviewer` of the settings, else git's `user.name`.
    #[arg(long = "reviewer", visible_alias = "as", global = true, value_name = "NAME", help_heading = "Settings")]
    reviewer: Option<String>,
    /// Where the queue is: a file or `postgres://...`.
    #[arg(long, global = true, value_name = "WHERE", help_heading = "Settings")]
    store: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

impl Args {
    /// The settings among the flags, each as its key and its value.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let given = [("reviewer", &self.reviewer), ("store", &self.store)];
        given.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
    }

    /// Whether one line of JSON is wanted, also of what goes wrong.
    pub fn json(&self) -> bool {
        match &self.command {
            Some(Command::List(args)) => args.json,
            Some(Command::Show(args)) => args.json,
            Some(Command::Label(args)) => args.json,
            Some(Command::Skip(args)) => args.json,
            Some(Command::Undo(args)) => args.json,
            Some(Command::Adjudicate(args)) => args.json,
            Some(Command::Release(args)) => args.json,
            Some(Command::Import(args)) => args.json,
            Some(Command::Stats(args)) => args.json,
            _ => false,
        }
    }
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the items that wait for people, or those of another state.
    List(list::Args),
    /// Show one item: the question, the session, what was expected.
    Show(show::Args),
    /// Answer an item.
    Label(label::Args),
    /// Give an item back, with the reason.
    Skip(skip::Args),
    /// Take an answer back.
    Undo(undo::Args),
    /// Decide an item on which reviewers disagree.
    Adjudicate(adjudicate::Args),
    /// Let reviewers read a session again that is under quarantine.
    Release(release::Args),
    /// Write items and labels, for other tools and for the record.
    Export(export::Args),
    /// Take in labels that were made elsewhere.
    Import(import::Args),
    /// How far the reviewers are, and how far they agree.
    Stats(stats::Args),
    /// Send the webhooks that are due.
    Notify(notify::Args),
    /// Put the verdicts of a run that wait for people into the queue.
    Add(add::Args),
    /// Make an item a regression case of a suite.
    Case(case::Args),
    /// Serve the pages on which people review.
    Serve(serve::Args),
    /// Add, change and list the people who may review.
    User(user::Args),
}

/// Reviews.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    match &args.command {
        None => walk::run(&args.which, args.suites.as_deref(), context),
        Some(Command::List(args)) => list::run(args, context),
        Some(Command::Show(args)) => show::run(args, context),
        Some(Command::Label(args)) => label::run(args, context),
        Some(Command::Skip(args)) => skip::run(args, context),
        Some(Command::Undo(args)) => undo::run(args, context),
        Some(Command::Adjudicate(args)) => adjudicate::run(args, context),
        Some(Command::Release(args)) => release::run(args, context),
        Some(Command::Export(args)) => export::run(args, context),
        Some(Command::Import(args)) => import::run(args, context),
        Some(Command::Stats(args)) => stats::run(args, context),
        Some(Command::Notify(args)) => notify::run(args, context),
        Some(Command::Add(args)) => add::run(args, context),
        Some(Command::Case(args)) => case::run(args, context),
        Some(Command::Serve(args)) => serve::run(args, context),
        Some(Command::User(args)) => user::run(args, context),
    }
}
