//! Floor 5: the command line, one file per command. Only this floor turns errors into text and exit codes, and only
//! here do time, environment, working directory and the terminal enter, as values.

mod again;
mod baselines;
mod calibrate;
mod check;
mod context;
mod decisions;
mod demo_agent;
mod diff;
mod explain;
mod flags;
mod gate;
mod import;
mod init;
mod labels;
mod left;
mod load;
mod merge;
mod progress;
mod promote;
mod record;
mod report;
mod review;
mod run;
mod schema;
mod sessions;
mod show;
mod signals;
mod store;
mod stored;
mod watch;
mod worker;

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

pub use context::{Context, Failure};
pub use stored::Opened;

use crate::eval::{evaluate, exit};
use crate::suite::settings::Flags;

/// Sea trials for AI agents: declarative suites over recorded sessions, gated by exit code.
#[derive(Debug, Parser)]
#[command(name = "seatrial", version, about, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    /// The settings file; without it, `seatrial.toml` is looked for from here upwards.
    #[arg(long, global = true, value_name = "FILE", help_heading = GLOBAL)]
    config: Option<PathBuf>,
    /// The profile of the settings file to use.
    #[arg(long, global = true, value_name = "NAME", help_heading = GLOBAL)]
    profile: Option<String>,
    /// Colours: auto, always or never. NO_COLOR is respected.
    #[arg(long, global = true, value_name = "WHEN", help_heading = GLOBAL)]
    color: Option<String>,
    /// Print results only, no progress and no notes.
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes stands apart from what it alone takes.
const GLOBAL: &str = "Global options";

const EXAMPLES: &str = "Examples:
  seatrial init                         a suite that works, to begin with
  seatrial run suites/                  evaluate every suite, exit 0 when all gates pass
  seatrial check suites/                validate suites and show the plan, run nothing
  seatrial gate reports/latest          decide again, from the record alone
  seatrial diff reports/main reports/latest   what newly fails and newly passes
  seatrial explain trajectory           what a check does, with examples
  seatrial show sessions.jsonl abc      one session as a transcript";

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up a folder with a suite that works, settings and a file for the CI.
    Init(init::Args),
    /// Evaluate suites and decide.
    Run(Box<run::Args>),
    /// Validate suites and show the plan, without running anything.
    Check(check::Args),
    /// Decide again, from the record of a run.
    Gate(gate::Args),
    /// Show what newly fails and newly passes between two runs.
    Diff(diff::Args),
    /// Hold judges against people, and find the threshold from which on they can be left alone.
    Calibrate(calibrate::Args),
    /// Put the shards of a run together, and decide as if it had never been split.
    Merge(merge::Args),
    /// Draw the reports of a run again, from its record.
    Report(report::Args),
    /// Show a recorded session as a transcript.
    Show(show::Args),
    /// Turn recordings of any format into seatrial's own.
    Import(import::Args),
    /// Answer what waits for people: one item a screen, or by a subcommand.
    Review(review::Args),
    /// Ask that a version of an agent may go to a target; approve, verify and roll back.
    Promote(promote::Args),
    /// Receive OpenTelemetry from agents and write their sessions.
    Record(record::Args),
    /// Apply suites to production, for as long as it goes on.
    Watch(watch::Args),
    /// Judge sessions that others read: one of any number of workers.
    Worker(worker::Args),
    /// An agent to try things with: small, without any model, with faults on request.
    DemoAgent(demo_agent::Args),
    /// Look after the store: what is in it, copies, retention.
    Store(store::Args),
    /// Explain a check, a format, the filter language, the exit codes.
    Explain(explain::Args),
    /// Print the JSON Schema of suites.
    Schema(schema::Args),
    /// Print a completion script for a shell.
    #[command(after_help = "Examples:
  source <(seatrial completions bash)
  seatrial completions fish > ~/.config/fish/completions/seatrial.fish")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Runs the command line of this process. Returns the exit code.
pub fn main() -> u8 {
    evaluate::keep_panics_quiet();
    std::panic::catch_unwind(parse_and_dispatch).unwrap_or_else(|_| {
        context::eprint(&format!("seatrial: a bug in seatrial: {}\n", evaluate::last_panic()));
        exit::BUG
    })
}

fn parse_and_dispatch() -> u8 {
    match Cli::try_parse() {
        Ok(cli) => dispatch(cli),
        Err(error) => {
            let asked_for = !error.use_stderr();
            if !asked_for && std::env::args_os().any(|a| a == "--json") {
                return Failure { code: exit::USAGE, message: error.to_string(), told: false }.print(true);
            }
            match error.print() {
                Ok(()) if asked_for => exit::PASSED,
                Err(e) if asked_for && e.kind() != std::io::ErrorKind::BrokenPipe => exit::INCOMPLETE,
                Err(_) if asked_for => exit::PASSED,
                _ => exit::USAGE,
            }
        }
    }
}

fn dispatch(cli: Cli) -> u8 {
    let json = match &cli.command {
        Command::Run(args) => args.json,
        Command::Check(args) => args.json,
        Command::Gate(args) => args.json,
        Command::Diff(args) => args.json,
        Command::Calibrate(args) => args.json,
        Command::Merge(args) => args.json,
        Command::Report(args) => args.json,
        Command::Review(args) => args.json(),
        Command::Watch(args) => args.json,
        Command::Promote(args) => args.json(),
        _ => false,
    };
    let mut values = Vec::new();
    let builtin = matches!(
        cli.command,
        Command::Init(_)
            | Command::DemoAgent(_)
            | Command::Explain(_)
            | Command::Schema(_)
            | Command::Completions { .. }
    );
    let context = builtin.then(|| Context::without_file(cli.color.as_deref(), cli.quiet));
    values.extend(cli.color.map(|color| ("color", color)));
    match &cli.command {
        Command::Run(args) => values.extend(args.settings()),
        Command::Check(args) => values.extend(args.settings()),
        Command::Merge(args) => values.extend(args.settings()),
        Command::Review(args) => values.extend(args.settings()),
        Command::Store(args) => values.extend(args.settings()),
        _ => {}
    }
    let flags = Flags { config: cli.config, profile: cli.profile, values };
    let context = match context.unwrap_or_else(|| Context::new(&flags, cli.quiet)) {
        Ok(context) => context,
        Err(failure) => return failure.print(json),
    };
    let result = match cli.command {
        Command::Init(args) => init::run(&args, &context),
        Command::Run(args) => run::run(&args, &context),
        Command::Check(args) => check::run(&args, &context),
        Command::Gate(args) => gate::run(&args, &context),
        Command::Diff(args) => diff::run(&args, &context),
        Command::Calibrate(args) => calibrate::run(&args, &context),
        Command::Merge(args) => merge::run(&args, &context),
        Command::Report(args) => report::run(&args, &context),
        Command::Show(args) => show::run(&args, &context),
        Command::Import(args) => import::run(&args, &context),
        Command::Promote(args) => promote::run(&args, &context),
        Command::Record(args) => record::run(&args, &context),
        Command::Review(args) => review::run(&args, &context),
        Command::Watch(args) => watch::run(&args, &context),
        Command::Worker(args) => worker::run(&args, &context),
        Command::DemoAgent(args) => demo_agent::run(&args, &context),
        Command::Store(args) => store::run(&args, &context),
        Command::Explain(args) => explain::run(&args, &context),
        Command::Schema(args) => schema::run(&args, &context),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "seatrial", &mut script);
            context.print(&script, exit::PASSED)
        }
    };
    result.unwrap_or_else(|failure| failure.print(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_every_command_is_sound() {
        Cli::command().debug_assert();
    }
}
