//! Whether the sessions of a suite are driven ([`super::driver`]) or read.

use std::path::PathBuf;

use crate::cli::context::Context;
use crate::cli::load;
use crate::report::safe;
use crate::store::driven;
use crate::suite::problems::{Problem, Problems, Severity};
use crate::suite::{Recorded, Suite};

/// Whether sessions are driven or read.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Drive the suites' live agents, and judge the sessions as they are saved.
    #[arg(long, conflicts_with_all = ["recorded", "sessions"])]
    live: bool,
    /// Judge recorded sessions: those of the suites' `[recorded]`; where there are none, those that the newest live run
    /// saved; or those of RUN, the folder of a run.
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "RUN", conflicts_with = "sessions")]
    recorded: Option<Option<PathBuf>>,
}

/// Settles for every suite where its sessions come from: one that is driven keeps its agent, any other loses it.
pub fn choose(args: &Args, load: &load::Args, suites: &mut [Suite], context: &Context) -> Problems {
    let mut problems = Problems::default();
    for suite in suites {
        let recorded = !suite.recorded.paths.is_empty();
        let is_live = match (&args.recorded, &suite.live) {
            (None, None) if args.live => {
                let help = "give it an [agent] (`seatrial explain agent`), or leave it out of the run";
                problems.add(problem(suite, "--live, but it has no [agent]", help));
                false
            }
            (None, Some(_)) if args.live => true,
            (None, Some(_)) if recorded && load.sessions.is_empty() => {
                let help = "say --recorded to judge the recordings, or --live to drive the agent";
                problems.add(problem(suite, "it has both recordings and a live agent", help));
                false
            }
            (None, Some(_)) => load.sessions.is_empty(),
            (None, None) => false,
            (Some(run), _) => {
                if run.is_some() || !recorded {
                    take_saved(run.as_ref(), suite, context, &mut problems);
                }
                false
            }
        };
        if is_live {
            // What `[recorded]` says is about recordings that somebody else made.
            suite.recorded = Recorded { format: Some("seatrial"), ..Recorded::default() };
        } else {
            suite.live = None;
        }
    }
    problems
}

/// Makes a suite read what a live run saved of it.
fn take_saved(run: Option<&PathBuf>, suite: &mut Suite, context: &Context, problems: &mut Problems) {
    let file = driven::file_name(&suite.name);
    let out = context.cwd.join(&context.settings.out.value);
    let path = match run {
        Some(run) => Some(context.cwd.join(run).join(&file)),
        None => newest(&out, &file),
    };
    match path.filter(|path| path.is_file()) {
        Some(path) => {
            let paths = vec![path.to_string_lossy().into_owned()];
            suite.recorded = Recorded { paths, format: Some("seatrial"), ..Recorded::default() };
        }
        None => {
            let (what, help) = match run {
                Some(run) => {
                    let name = run.display().to_string();
                    let name = safe::line(&name);
                    let what = match context.cwd.join(run).is_dir() {
                        true => format!("the run `{name}` saved no sessions of it"),
                        false => format!("there is no run at `{name}`"),
                    };
                    (what, "name a run that drove it; `--recorded` alone takes the newest that saved sessions")
                }
                None => (
                    "it has no [recorded] paths, and no live run saved sessions of it".to_owned(),
                    "run it with --live first, or name recordings with --sessions",
                ),
            };
            problems.add(problem(suite, &what, help));
        }
    }
}

/// The newest of the runs that saved this file. Names of runs begin with their time.
fn newest(out: &std::path::Path, file: &str) -> Option<PathBuf> {
    let folders = std::fs::read_dir(out).ok()?.filter_map(Result::ok);
    let runs = folders.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path());
    runs.filter(|run| run.join(file).is_file()).max().map(|run| run.join(file))
}

fn problem(suite: &Suite, what: &str, help: &str) -> Problem {
    Problem {
        file: suite.path.display().to_string(),
        span: None,
        message: format!("suite `{}`: {what}", suite.name),
        help: Some(help.to_owned()),
        severity: Severity::Error,
    }
}
