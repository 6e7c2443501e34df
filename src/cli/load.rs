//! The arguments that name suites and sessions, shared by the commands that load them.

use std::path::PathBuf;

use super::context::{Context, Failure};
use crate::eval::plan::Planned;
use crate::sources::discover::{self, Discovery};
use crate::suite::filter::Filter;
use crate::suite::load::{self, Env};
use crate::suite::problems::{Problem, Problems, Severity};
use crate::suite::{Subject, Suite};

/// Which suites, over which sessions.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Suites: files, or folders in which every suite is taken.
    #[arg(required = true, value_name = "SUITE")]
    pub suites: Vec<PathBuf>,
    /// Take sessions from here instead of the suites' own `paths`: files, globs, folders, or `-` for standard input.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub sessions: Vec<String>,
    /// Only what this expression selects; the run is then partial (see `seatrial explain filter`).
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Who is judged: AGENT or AGENT@VERSION. Overrides the suites' `[subject]`.
    #[arg(long, value_name = "AGENT@VERSION", value_parser = subject)]
    pub subject: Option<Subject>,
}

/// Reads `AGENT` or `AGENT@VERSION`. Neither may be empty: no session would ever match.
fn subject(text: &str) -> Result<Subject, String> {
    let (agent, version) = match text.split_once('@') {
        Some((agent, version)) => (agent, Some(version)),
        None => (text, None),
    };
    if agent.is_empty() || version.is_some_and(str::is_empty) {
        return Err("an agent, or an agent and its version as in `airline@1.4.2`".to_owned());
    }
    Ok(Subject { agent: agent.to_owned(), version: version.map(str::to_owned) })
}

impl Args {
    /// The filter, parsed.
    pub fn filter(&self) -> Result<Option<Filter>, Failure> {
        let parsed = self.filter.as_deref().map(Filter::parse).transpose();
        parsed.map_err(|e| Failure {
            code: crate::eval::exit::USAGE,
            message: format!("seatrial: --filter: {e}\n"),
            told: false,
        })
    }

    /// The recorded files of a suite. Relative paths start from the suite's folder, those given by `--sessions` from
    /// where the command was started.
    pub fn recordings(&self, suite: &Suite, context: &Context) -> Discovery {
        let base = match suite.path.parent() {
            Some(dir) if self.sessions.is_empty() => context.cwd.join(dir),
            _ => context.cwd.clone(),
        };
        discover::discover(&suite.recorded.paths, &base, &context.cwd)
    }

    /// The suites, resolved. Warnings are printed; errors are returned, all of them.
    pub fn suites(&self, context: &Context) -> Result<Vec<Suite>, Problems> {
        let vars = |name: &str| std::env::var(name).ok();
        let subject = self.subject.clone();
        let env = Env {
            detectors: &context.detectors,
            vars: &vars,
            subject,
            sessions: (!self.sessions.is_empty()).then(|| self.sessions.clone()),
        };
        let loaded = load::load(&self.suites, &env)?;
        if !loaded.warnings.is_empty() {
            context.note(&loaded.warnings.render(context.color_errors()));
        }
        Ok(loaded.suites)
    }
}

/// Every entry of `paths` must match a file: the entries that do not, as problems. So is standard input in more than
/// one suite, as it can be read only once.
pub fn unmatched(planned: &[Planned<'_>], found: &[Discovery]) -> Problems {
    let mut problems = Problems::default();
    let piped = |found: &&Discovery| found.files.iter().any(|f| f.path.as_os_str() == "-");
    if found.iter().filter(piped).count() > 1 {
        problems.add(Problem {
            file: "--sessions".to_owned(),
            span: None,
            message: "more than one suite reads standard input, which can be read only once".to_owned(),
            help: Some("name one suite, or save the sessions in a file first".to_owned()),
            severity: Severity::Error,
        });
    }
    for (planned, found) in planned.iter().zip(found) {
        for pattern in &found.unmatched {
            let (message, help) = match found.invalid.iter().find(|(invalid, _)| invalid == pattern) {
                Some((_, why)) => {
                    (format!("`{pattern}` is not a glob: {why}"), "a backslash quotes a special character")
                }
                None => (
                    format!("no file matches `{pattern}`"),
                    "every entry of `paths` (or `--sessions`) must match a file",
                ),
            };
            problems.add(Problem {
                file: planned.plan.path.clone(),
                span: None,
                message: format!("suite `{}`: {message}", planned.plan.name),
                help: Some(help.to_owned()),
                severity: Severity::Error,
            });
        }
    }
    problems
}
