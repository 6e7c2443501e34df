//! The arguments that name suites and sessions, shared by the commands that load them.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::context::{Context, Failure};
use crate::eval::plan::Planned;
use crate::sources::discover::{self, Discovery};
use crate::suite::filter::Filter;
use crate::suite::load::{self, Env};
use crate::suite::problems::{Problem, Problems, Severity, did_you_mean};
use crate::suite::{RunsIn, Subject, Suite};

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
    /// The attribute of spans that names their session, before the usual ones. Overrides the suites' `[recorded]
    /// session`.
    #[arg(long, value_name = "NAME")]
    pub session_attribute: Option<String>,
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
            message: format!("seatrial: --{e}\n"),
            told: false,
        })
    }

    /// The recorded files of a suite. Relative paths start from the suite's folder, those given by `--sessions` from
    /// where the command was started.
    pub fn recordings(&self, suite: &Suite, context: &Context) -> Discovery {
        discover::discover(&suite.recorded.paths, &self.base(suite, context), &context.cwd)
    }

    /// The folder that the paths of a suite start from.
    pub fn base(&self, suite: &Suite, context: &Context) -> PathBuf {
        match suite.path.parent() {
            Some(dir) if self.sessions.is_empty() => context.cwd.join(dir),
            _ => context.cwd.clone(),
        }
    }

    /// The suites, resolved. Warnings are printed; errors are returned, all of them.
    pub fn suites(&self, context: &Context) -> Result<Vec<Suite>, Problems> {
        self.suites_for(context, RunsIn::Gate, None)
    }

    /// The same for another use of them: checks that do not run there are left out. `every` is how long windows are,
    /// whatever the suites say.
    pub fn suites_for(
        &self,
        context: &Context,
        place: RunsIn,
        every: Option<Duration>,
    ) -> Result<Vec<Suite>, Problems> {
        let recordings = recordings_as_suites(&self.suites);
        if !recordings.is_empty() {
            return Err(recordings);
        }
        context.warn_of_settings();
        let loaded = self.resolved(context, place, every)?;
        if !loaded.warnings.is_empty() {
            context.note(&loaded.warnings.render(context.color_errors()));
        }
        Ok(loaded.suites)
    }

    /// The suites as production is held against them, without a word of what is probably not meant.
    pub fn watched(&self, context: &Context) -> Result<Vec<Suite>, Problems> {
        Ok(self.resolved(context, RunsIn::Watch, None)?.suites)
    }

    fn resolved(&self, context: &Context, place: RunsIn, every: Option<Duration>) -> Result<load::Loaded, Problems> {
        let vars = |name: &str| std::env::var(name).ok();
        let subject = self.subject.clone();
        let env = Env {
            kit: &context.kit,
            vars: &vars,
            subject,
            redact: &context.redact,
            sessions: (!self.sessions.is_empty()).then(|| self.sessions.clone()),
            place,
            every,
        };
        load::load(&self.suites, &env)
    }
}

/// Recordings given where suites are expected: each line of them would be an error of TOML.
fn recordings_as_suites(paths: &[PathBuf]) -> Problems {
    let mut problems = Problems::default();
    for path in paths.iter().filter(|p| discover::is_recording(p) && p.is_file()) {
        problems.add(Problem {
            file: path.display().to_string(),
            span: None,
            message: "this is a recording by its name, not a suite".to_owned(),
            help: Some(
                "name a suite (TOML), and the recording in its `[recorded] paths` or by `--sessions`".to_owned(),
            ),
            severity: Severity::Error,
        });
    }
    problems
}

/// Where a pattern stands in the text of a suite.
fn place(text: &str, pattern: &str) -> Option<Range<usize>> {
    let from = text.find("recorded")?;
    let find = |quote: char| text[from..].find(&format!("{quote}{pattern}{quote}"));
    let start = from + find('"').or_else(|| find('\''))?;
    Some(start..start + pattern.len() + 2)
}

/// The file beside the one that a pattern names whose name is nearest.
fn beside(base: &Path, pattern: &str) -> Option<String> {
    let name = Path::new(pattern).file_name()?.to_str()?;
    let folder = base.join(pattern).parent()?.to_owned();
    let names: Vec<String> =
        fs::read_dir(folder).ok()?.take(MOST_BESIDE).filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
    let mut recordings: Vec<&str> =
        names.iter().map(String::as_str).filter(|n| discover::is_recording(Path::new(n))).collect();
    recordings.sort_unstable();
    did_you_mean(name, recordings)
}

/// Files of a folder among which the nearest is looked for.
const MOST_BESIDE: usize = 10_000;

/// Every entry of `paths` must match a file: the entries that do not, as problems. So is standard input in more than
/// one suite, as it can be read only once.
pub fn unmatched(args: &Args, context: &Context, planned: &[Planned<'_>], found: &[Discovery]) -> Problems {
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
        // Entries given by `--sessions` stand in no file.
        let written = args.sessions.is_empty().then(|| fs::read_to_string(&planned.suite.path).ok()).flatten();
        let base = args.base(planned.suite, context);
        for pattern in &found.unmatched {
            let (message, help) = match found.invalid.iter().find(|(invalid, _)| invalid == pattern) {
                Some((_, why)) => {
                    (format!("`{pattern}` is not a glob: {why}"), "a backslash quotes a special character".to_owned())
                }
                None => (
                    format!("no file matches `{pattern}`"),
                    beside(&base, pattern)
                        .unwrap_or_else(|| "every entry of `paths` (or `--sessions`) must match a file".to_owned()),
                ),
            };
            problems.add(Problem {
                file: planned.plan.path.clone(),
                span: written.as_deref().and_then(|text| place(text, pattern)),
                message: format!("suite `{}`: {message}", planned.plan.name),
                help: Some(help),
                severity: Severity::Error,
            });
        }
        if let Some(text) = written.filter(|_| !found.unmatched.is_empty()) {
            problems.source(&planned.plan.path, Arc::from(text));
        }
    }
    problems
}
