//! `seatrial promote`: a version of an agent goes to a target by a recorded decision. One file per subcommand; without one,
//! a version is submitted.

mod at_hand;
mod back;
mod data;
mod decide;
mod desk;
mod evidence;
mod hooks;
mod keygen;
mod list;
mod log;
mod show;
mod submit;
mod verify;
mod words;

pub(super) use hooks::EXAMPLES as HOOK_EXAMPLES;

use super::context::{Context, Failure};

/// Arguments of `seatrial promote`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  seatrial promote airline@1.4 --to prod                       submit, by the evidence of reports/latest
  seatrial promote airline@1.4 --to prod --run reports/a --run reports/b --artifact image.tar
  seatrial promote approve p3 --by maria                       a person approves what is pending
  seatrial promote verify airline@1.4 --to prod --artifact image.tar
  seatrial promote rollback airline --at prod --reason 'error rate'

Targets and their rules are [promote.TARGET] in seatrial.toml (`seatrial explain promote`). Exit codes: 0 approved, 1 \
refused by the rules, 2 usage, 3 pending on people, 4 the evidence does not show it, 5 a hook failed or the log could not \
be written.")]
pub struct Args {
    #[command(flatten)]
    submit: submit::Args,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Approve what is pending.
    Approve(decide::Approve),
    /// Reject what is pending.
    Reject(decide::Reject),
    /// List promotions, and where names point.
    List(list::Args),
    /// Show one promotion with its evidence and its history.
    Show(show::Args),
    /// Take back what is live at a target: the version before is live again.
    Rollback(back::Rollback),
    /// Let a name point to an approved version.
    Alias(back::Alias),
    /// Hold an approval against what is there now; offline.
    Verify(verify::Args),
    /// Print or export the log, or its head.
    Log(log::Args),
    /// List the hooks that have not run, run them again, or print examples of hooks.
    Hooks(hooks::Args),
    /// Make a pair of keys to sign evidence and log with.
    Keygen(keygen::Args),
}

impl Args {
    /// Whether one machine-readable line is wanted.
    pub fn json(&self) -> bool {
        match &self.command {
            None => self.submit.json,
            Some(Command::Approve(args)) => args.json,
            Some(Command::Reject(args)) => args.json,
            Some(Command::List(args)) => args.json,
            Some(Command::Show(args)) => args.json,
            Some(Command::Rollback(args)) => args.json,
            Some(Command::Alias(args)) => args.json,
            Some(Command::Verify(args)) => args.json,
            Some(Command::Log(_) | Command::Hooks(_) | Command::Keygen(_)) => false,
        }
    }
}

/// Promotes.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    match &args.command {
        None => submit::run(&args.submit, context),
        Some(Command::Approve(args)) => decide::approve(args, context),
        Some(Command::Reject(args)) => decide::reject(args, context),
        Some(Command::List(args)) => list::run(args, context),
        Some(Command::Show(args)) => show::run(args, context),
        Some(Command::Rollback(args)) => back::rollback(args, context),
        Some(Command::Alias(args)) => back::alias(args, context),
        Some(Command::Verify(args)) => verify::run(args, context),
        Some(Command::Log(args)) => log::run(args, context),
        Some(Command::Hooks(args)) => hooks::run(args, context),
        Some(Command::Keygen(args)) => keygen::run(args, context),
    }
}
