//! Settings of a run: built-in defaults, `seatrial.toml`, its profile, `SEATRIAL_*` variables and flags, in that
//! order of strength, each value with where it came from.

mod choices;
mod file;
mod keys;
mod layers;
mod models;
pub mod notify;
mod prices;
pub mod promote;
mod redact;
mod review;
mod store;
mod table;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::Regex;

use crate::checks::prices::Price;
use crate::checks::select::Glob;
use crate::model::NanoUsd;
use crate::redact::{KEY_VARIABLE, RedactTable};

pub use choices::{Keep, Reports, When};
pub use keys::{KEYS, KeyDoc};
pub use models::{Behind, OwnModel, OwnModels, doc as models_doc};
pub use prices::DOC as PRICES_DOC;
pub use review::{DOC as REVIEW_DOC, ReviewTable, Webhook};
pub use store::{StoreAt, shown as store_shown};
pub use values::bytes;

/// The name of the settings file.
pub const FILE_NAME: &str = "seatrial.toml";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The settings file.
    File {
        /// The file, as it was found.
        path: String,
        /// The line of the key, from 1.
        line: usize,
        /// The profile it is written in, if any.
        profile: Option<String>,
    },
    /// An environment variable.
    Env(String),
    /// A flag, such as `--jobs`.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line, profile: None } => write!(f, "{path}:{line}"),
            Origin::File { path, line, profile: Some(name) } => write!(f, "profile.{name} ({path}:{line})"),
            Origin::Env(name) | Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// A value with where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// A detector of the user's own: `custom.NAME` in `detect`.
#[derive(Debug, Clone)]
pub struct CustomDetector {
    /// Its name, without `custom.`.
    pub name: String,
    /// What it finds.
    pub pattern: Regex,
    /// What it is for; empty when the file does not say.
    pub description: String,
    /// Where it is defined.
    pub origin: Origin,
}

/// A price of the user's own, from `[prices]`.
#[derive(Debug, Clone)]
pub struct OwnPrice {
    /// The model, or a glob over models.
    pub model: Glob,
    /// What its tokens cost.
    pub price: Price,
    /// The price in words, for the table of settings.
    pub written: String,
    /// Where it is written.
    pub origin: Origin,
}

/// Every setting in force.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The settings file in use, as a path that can be opened.
    pub file: Option<PathBuf>,
    /// The profile in use.
    pub profile: Option<Setting<String>>,
    /// Worker threads.
    pub jobs: Setting<usize>,
    /// The folder in which runs are written.
    pub out: Setting<PathBuf>,
    /// Which sessions are kept.
    pub keep: Setting<Keep>,
    /// How many sessions are kept at most.
    pub keep_limit: Setting<u64>,
    /// How many sessions that passed are kept, too, with [`Keep::Failed`].
    pub keep_sample: Setting<u64>,
    /// Stop when the gate can no longer pass.
    pub fail_fast: Setting<bool>,
    /// Which reports are drawn; see [`Settings::drawn`].
    pub reports: Setting<Reports>,
    /// Where a copy of the JUnit report is put.
    pub junit: Setting<Option<PathBuf>>,
    /// Where a copy of the HTML report is put.
    pub html: Setting<Option<PathBuf>>,
    /// Whether progress is shown.
    pub progress: Setting<When>,
    /// Whether colours are used.
    pub color: Setting<When>,
    /// Largest session in bytes, as encoded in its recording.
    pub max_session_bytes: Setting<usize>,
    /// Deepest nesting of a session.
    pub max_depth: Setting<usize>,
    /// Largest expansion of a compressed file, as a multiple of its size.
    pub max_expansion: Setting<u64>,
    /// Where telemetry waits that does not fit in memory; `None` is the system's temporary folder.
    pub spill_dir: Setting<Option<PathBuf>>,
    /// Bytes of telemetry that wait in memory for the rest of their session; more wait on disk.
    pub spill_after: Setting<usize>,
    /// Where answers of models are kept for later runs; `None` keeps none.
    pub cache: Setting<Option<PathBuf>>,
    /// Where runs, and what people say of them, are stored.
    pub store: Setting<StoreAt>,
    /// How long sessions are kept there to read; `None` for as long as the store is.
    pub keep_content: Setting<Option<Duration>>,
    /// The most that a run may cost.
    pub max_cost_usd: Setting<Option<NanoUsd>>,
    /// The most tokens that a run may take.
    pub max_tokens: Setting<Option<u64>>,
    /// Detectors of the user's own, by name.
    pub detectors: BTreeMap<String, CustomDetector>,
    /// Prices of the user's own, in the order in which they are written.
    pub prices: Vec<OwnPrice>,
    /// The models that checks may ask.
    pub models: OwnModels,
    /// The targets of promotions, by name.
    pub targets: BTreeMap<String, promote::Target>,
    /// Where alerts of the watch go, by name.
    pub channels: BTreeMap<String, notify::Channel>,
    /// What is allowed in the file, and better not so.
    pub warnings: Vec<SettingsProblem>,
    /// What is taken out of everything that is written, whatever the suite.
    pub redact: Setting<RedactTable>,
    /// Who is told what happens in the queue of reviews.
    pub review: Setting<ReviewTable>,
    /// The name under which reviews are given in the terminal.
    pub reviewer: Setting<Option<String>>,
}

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`: the settings file.
    pub config: Option<PathBuf>,
    /// `--profile`.
    pub profile: Option<String>,
    /// Other settings given: the key as in `seatrial.toml`, and the value as it was written. The flag of a key is its
    /// name with `-` for `_`.
    pub values: Vec<(&'static str, String)>,
}

/// Something wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsProblem {
    /// The file; `None` when a flag or variable is at fault, which the message then names.
    pub file: Option<PathBuf>,
    /// The byte range in the file.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// What stands there is a secret, and is not to be shown.
    pub secret: bool,
}

impl SettingsProblem {
    fn outside(message: impl Into<String>, help: impl Into<Option<String>>) -> Self {
        Self { file: None, span: 0..0, message: message.into(), help: help.into(), secret: false }
    }
}

impl Settings {
    /// Finds and reads the settings file, and lays profile, variables and flags over it. Every problem is reported at
    /// once. `env` answers for a variable; an empty value counts as not set.
    pub fn resolve(
        flags: &Flags,
        env: &dyn Fn(&str) -> Option<String>,
        cwd: &Path,
    ) -> Result<Self, Vec<SettingsProblem>> {
        let env = |name: &str| env(name).filter(|v| !v.is_empty());
        let mut problems = Vec::new();
        let path = match flags.config.clone().or_else(|| env("SEATRIAL_CONFIG").map(PathBuf::from)) {
            Some(path) => Some(cwd.join(path)),
            None => find(cwd),
        };
        let file = path.as_deref().and_then(|p| file::read(p, cwd, &mut problems));
        let profile = match (&flags.profile, env("SEATRIAL_PROFILE")) {
            (Some(name), _) => Some(Setting { value: name.clone(), origin: Origin::Flag("--profile".into()) }),
            (None, Some(name)) => Some(Setting { value: name, origin: Origin::Env("SEATRIAL_PROFILE".into()) }),
            (None, None) => None,
        };
        let mut file = file.unwrap_or_default();
        // A file that could not be parsed says nothing of which profiles it has.
        let readable = problems.is_empty();
        if let Some(profile) = profile.as_ref().filter(|p| readable && !file.profiles.contains_key(&p.value)) {
            problems.push(unknown_profile(profile, path.as_deref(), &file));
        }
        let chosen = profile.as_ref().map(|p| file.take(&p.value)).unwrap_or_default();
        let mut layers = layers::Layers { cwd, problems: &mut problems, given: Vec::new() };
        layers.file(std::mem::take(&mut file.values));
        layers.file(chosen);
        layers.env(&env);
        layers.flags(&flags.values);
        let settings = layers.settings(path, profile, file);
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// Which reports are drawn: those that are wanted, and those of which a copy is.
    pub fn drawn(&self) -> Reports {
        let Reports { junit, html } = self.reports.value;
        Reports { junit: junit || self.junit.value.is_some(), html: html || self.html.value.is_some() }
    }
}

/// The settings file for a folder: the nearest at or above it, up to the root of its repository.
pub fn find(cwd: &Path) -> Option<PathBuf> {
    for folder in cwd.ancestors() {
        let path = folder.join(FILE_NAME);
        if path.is_file() {
            return Some(path);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

/// A problem for each `SEATRIAL_*` variable that no setting reads: a misspelled one would be ignored in silence.
pub fn unknown_variables<'v>(names: impl IntoIterator<Item = &'v str>) -> Vec<SettingsProblem> {
    let own = [KEY_VARIABLE, promote::SIGNING_KEY, promote::SIGNING_KEY_FILE];
    let known: Vec<String> = keys::variables().chain(own.map(str::to_owned)).collect();
    let mut unknown: Vec<&str> = names.into_iter().filter(|n| n.starts_with("SEATRIAL_")).collect();
    unknown.retain(|name| !known.iter().any(|k| k == name));
    unknown.sort_unstable();
    let problem = |name: &str| {
        let near = super::nearest::nearest(name, known.iter().map(String::as_str));
        let help = near.map_or_else(|| format!("the variables are {}", known.join(", ")), did_you_mean);
        SettingsProblem::outside(format!("no setting reads the variable `{name}`"), help)
    };
    unknown.into_iter().map(problem).collect()
}

fn unknown_profile(profile: &Setting<String>, path: Option<&Path>, file: &file::File) -> SettingsProblem {
    let (name, origin) = (&profile.value, &profile.origin);
    let help = match path {
        None => format!("there is no {FILE_NAME} here or above; give one with --config"),
        Some(_) if file.profiles.is_empty() => format!("add a table `[profile.{name}]`"),
        Some(_) => match super::nearest::nearest(name, file.profiles.keys().map(String::as_str)) {
            Some(near) => did_you_mean(near),
            None => format!("the profiles are {}", file.profiles.keys().cloned().collect::<Vec<_>>().join(", ")),
        },
    };
    SettingsProblem::outside(format!("there is no profile `{name}` ({origin})"), help)
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

#[cfg(test)]
mod tests;
