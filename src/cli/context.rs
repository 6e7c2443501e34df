//! What every command is given: settings, working directory, clock, and the streams it prints to.

use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use anstream::{AutoStream, ColorChoice};

use crate::checks::build::Kit;
use crate::checks::detect::Detectors;
use crate::checks::prices::Prices;
use crate::eval::exit;
use crate::net::scrub::Secrets;
use crate::redact::{KEY_VARIABLE, RedactPlan, Redactor, Redactors};
use crate::report::safe;
use crate::suite::problems::{Problem, Problems, Severity};
use crate::suite::redact::Given;
use crate::suite::settings::{Flags, Settings, SettingsProblem, When, unknown_variables};

/// What every command is given.
pub struct Context {
    /// The effective settings.
    pub settings: Settings,
    /// Where the command was started.
    pub cwd: PathBuf,
    /// Results only.
    pub quiet: bool,
    /// What the settings lend to checks.
    pub kit: Arc<Kit>,
    /// What the settings say of redaction.
    pub redact: Given,
    color: ColorChoice,
    flags: Flags,
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What to print on standard error, final newline included.
    pub message: String,
    /// The line of `--json` that says it was already printed.
    pub told: bool,
}

impl Failure {
    /// A failure with a message of one line.
    pub fn new(code: u8, message: impl std::fmt::Display) -> Self {
        Self { code, message: format!("seatrial: {}\n", safe::terminal(&message.to_string())), told: false }
    }

    /// A usage error.
    pub fn usage(message: impl std::fmt::Display) -> Self {
        Self::new(exit::USAGE, message)
    }

    /// Something that could not be written.
    pub fn write(what: &str, why: &io::Error) -> Self {
        Self::new(exit::INCOMPLETE, format_args!("{what} could not be written: {why}"))
    }

    /// Prints it and returns its code. With `json`, the line of `--json` says it too.
    pub fn print(self, json: bool) -> u8 {
        eprint(&self.message);
        if json && !self.told {
            let problem = serde_json::json!({ "severity": "error", "message": Secrets::of_process().scrub(self.message.trim_end()) });
            let line = serde_json::json!({ "schema": 1, "exit_code": self.code, "problems": [problem] });
            // The exit code says it when nothing can be printed.
            let _ = io::stdout().write_all(format!("{line}\n").as_bytes());
        }
        self.code
    }
}

/// Prints to standard error, without the secrets of this process. Nothing can be done when that fails; the exit code still tells.
pub fn eprint(text: &str) {
    let _ = anstream::stderr().write_all(Secrets::of_process().scrub(text).as_bytes());
}

impl Context {
    /// Reads the settings.
    pub fn new(flags: &Flags, quiet: bool) -> Result<Self, Failure> {
        let cwd = std::env::current_dir().map_err(|e| Failure::usage(format_args!("no working directory: {e}")))?;
        let env = |name: &str| std::env::var(name).ok();
        let settings = Settings::resolve(flags, &env, &cwd).map_err(|problems| {
            let problems = settings_problems(problems, &cwd, Severity::Error);
            Failure {
                code: exit::USAGE,
                message: problems.render(color_of(When::Auto, &io::stderr()) != ColorChoice::Never),
                told: false,
            }
        })?;
        let mut context = Self { flags: flags.clone(), ..Self::with(settings, cwd, quiet) };
        context.redact.key = env(KEY_VARIABLE).filter(|key| !key.is_empty());
        let names: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
        let unknown = unknown_variables(names.iter().map(String::as_str)).into_iter().map(|problem| {
            let help = problem.help.map(|h| format!("; {h}")).unwrap_or_default();
            format!("seatrial: {}{help}\n", problem.message)
        });
        context.note(&safe::terminal(&unknown.collect::<String>()));
        Ok(context)
    }

    /// The same with the settings as they are now; the exit code when they cannot be read, which is told.
    pub fn again(&self) -> Result<Self, u8> {
        Self::new(&self.flags, self.quiet).map_err(|failure| failure.print(false))
    }

    /// For commands that only tell what is built in: they work whatever the settings say, a broken file included.
    pub fn without_file(color: Option<&str>, quiet: bool) -> Result<Self, Failure> {
        let flags = Flags { values: color.map(|c| ("color", c.to_owned())).into_iter().collect(), ..Flags::default() };
        // A folder without settings above it, and no variables.
        let nowhere = PathBuf::from("/");
        let settings = Settings::resolve(&flags, &|_| None, &nowhere);
        let cwd = std::env::current_dir().unwrap_or_default();
        settings.map(|settings| Self::with(settings, cwd, quiet)).map_err(|problems| {
            let problems = settings_problems(problems, std::path::Path::new("."), Severity::Error);
            Failure { code: exit::USAGE, message: problems.render(false), told: false }
        })
    }

    fn with(settings: Settings, cwd: PathBuf, quiet: bool) -> Self {
        let mut detectors = Detectors::builtin();
        for detector in settings.detectors.values() {
            detectors = detectors.with_custom(&detector.name, detector.pattern.clone());
        }
        let color = color_of(settings.color.value, &io::stdout());
        let own = settings.prices.iter().map(|own| (own.model.clone(), own.price));
        let prices = Arc::new(Prices::new(own.collect()));
        let channels = Some(settings.channels.keys().cloned().collect());
        let kit = Arc::new(Kit { detectors, prices, askable: settings.models.askable(), channels });
        let redact = Given { rules: settings.redact.value.clone(), key: None };
        Self { settings, cwd, quiet, kit, redact, color, flags: Flags::default() }
    }

    /// The rules of redaction that hold for every suite, to be put together with those of suites.
    pub fn redactors(&self) -> Redactors {
        Redactors::new(self.redact.rules.clone(), self.kit.detectors.clone(), self.redact.key.clone())
    }

    /// The rules of redaction that hold for every suite, and those of some suites with them.
    ///
    /// # Errors
    /// A suite, or the record of one, names what these settings do not declare.
    pub fn redactor<'p>(&self, suites: impl IntoIterator<Item = &'p RedactPlan>) -> Result<Redactor, Failure> {
        self.redactors().with(suites).map_err(Failure::usage)
    }

    /// Prints a result to standard output. A closed pipe ends the printing and changes nothing else; any other failure
    /// to print makes a success incomplete.
    pub fn print(&self, bytes: &[u8], code: u8) -> Result<u8, Failure> {
        let mut out = AutoStream::new(io::stdout().lock(), self.color);
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(code),
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(code),
            Err(_) if code != exit::PASSED => Ok(code),
            Err(e) => Err(Failure::write("standard output", &e)),
        }
    }

    /// Standard output, for results that are too long to be held in memory. Colours are taken out where they are not
    /// wanted.
    pub fn stdout(&self) -> AutoStream<io::StdoutLock<'static>> {
        AutoStream::new(io::stdout().lock(), self.color)
    }

    /// Whether results on standard output have colours.
    pub fn color(&self) -> bool {
        self.color != ColorChoice::Never
    }

    /// Whether messages on standard error have colours.
    pub fn color_errors(&self) -> bool {
        color_of(self.settings.color.value, &io::stderr()) != ColorChoice::Never
    }

    /// Prints a note to standard error, unless only results are wanted.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            eprint(text);
        }
    }
}

fn color_of(when: When, stream: &(impl IsTerminal + anstream::stream::RawStream)) -> ColorChoice {
    match when {
        When::Always => ColorChoice::Always,
        When::Never => ColorChoice::Never,
        When::Auto => AutoStream::choice(stream),
    }
}

impl Context {
    /// Tells what is allowed in the settings, and better not so.
    pub fn warn_of_settings(&self) {
        let warnings = self.settings.warnings.clone();
        if !warnings.is_empty() {
            self.note(&settings_problems(warnings, &self.cwd, Severity::Warning).render(self.color_errors()));
        }
    }
}

/// The text without what stands at the places of secrets; all else stays where it is.
fn hidden<'s>(text: String, secrets: impl Iterator<Item = &'s Range<usize>>) -> String {
    let mut bytes = text.into_bytes();
    for span in secrets {
        let end = span.end.min(bytes.len());
        let kept = |byte: u8| matches!(byte, b'"' | b'\'' | b'\n');
        bytes[span.start.min(end)..end].iter_mut().filter(|byte| !kept(**byte)).for_each(|byte| *byte = b'*');
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Problems with settings in the form of problems with suites, for one way of showing both.
fn settings_problems(found: Vec<SettingsProblem>, cwd: &std::path::Path, severity: Severity) -> Problems {
    let mut problems = Problems::default();
    let secrets: Vec<(Option<PathBuf>, Range<usize>)> =
        found.iter().filter(|p| p.secret).map(|p| (p.file.clone(), p.span.clone())).collect();
    for problem in found {
        let file = problem.file.as_ref().map(|f| {
            let name = f.strip_prefix(cwd).unwrap_or(f).display().to_string();
            if let Ok(text) = std::fs::read_to_string(f) {
                let here = secrets.iter().filter(|(file, _)| file.as_ref() == Some(f)).map(|(_, span)| span);
                problems.source(&name, Arc::from(hidden(text, here)));
            }
            name
        });
        problems.add(Problem {
            span: file.as_ref().map(|_| problem.span),
            file: file.unwrap_or_else(|| "settings".to_owned()),
            message: problem.message,
            help: problem.help,
            severity,
        });
    }
    problems.sort();
    problems
}
