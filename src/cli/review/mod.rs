//! `seatrial review`: what waits for people, one file per subcommand. Without a subcommand it walks through the items
//! in the terminal.

mod add;
mod adjudicate;
mod case;
mod export;
mod import;
mod label;
mod list;
mod notify;
mod serve;
mod show;
mod skip;
mod stats;
mod undo;
mod user;

use super::context::{Context, Failure};

/// Arguments of `seatrial review`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
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
        None => Err(Failure::usage("`seatrial review` is not there yet")),
        Some(Command::List(args)) => list::run(args, context),
        Some(Command::Show(args)) => show::run(args, context),
        Some(Command::Label(args)) => label::run(args, context),
        Some(Command::Skip(args)) => skip::run(args, context),
        Some(Command::Undo(args)) => undo::run(args, context),
        Some(Command::Adjudicate(args)) => adjudicate::run(args, context),
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
