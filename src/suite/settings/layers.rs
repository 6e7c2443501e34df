//! Layers of values, the file under the profile under variables under flags, and how the strongest of each key become
//! [`Settings`].

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::file::File;
use super::keys::KEYS;
use super::store::{self, StoreAt};
use super::values::{amount, cache_path, flag, integer, keep, kept_for, name, path, reports, size, when, word};
use super::{Keep, Origin, Reports, ReviewTable, Setting, Settings, SettingsProblem, When};
use crate::redact::RedactTable;

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
}

/// A value as some layer gives it.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub key: &'static str,
    pub raw: Raw,
    pub origin: Origin,
    /// What a relative path is relative to; `None` is the working directory.
    pub base: Option<PathBuf>,
    /// Where it is written, for problems.
    pub place: Option<(PathBuf, Range<usize>)>,
}

/// Values by rising strength.
pub(super) struct Layers<'l> {
    pub cwd: &'l Path,
    pub problems: &'l mut Vec<SettingsProblem>,
    pub given: Vec<Given>,
}

impl Layers<'_> {
    pub fn file(&mut self, values: Vec<Given>) {
        self.given.extend(values);
    }

    pub fn env(&mut self, env: &dyn Fn(&str) -> Option<String>) {
        for known in KEYS {
            let variable = known.variable();
            if let Some(text) = env(&variable) {
                self.text(known.name, text, Origin::Env(variable));
            }
        }
    }

    pub fn flags(&mut self, values: &[(&'static str, String)]) {
        for (name, text) in values {
            match KEYS.iter().find(|k| k.name == *name) {
                Some(known) => self.text(known.name, text.clone(), Origin::Flag(known.flag())),
                None => self.problems.push(SettingsProblem::outside(format!("unknown setting `{name}`"), None)),
            }
        }
    }

    fn text(&mut self, key: &'static str, text: String, origin: Origin) {
        self.given.push(Given { key, raw: Raw::Text(text), origin, base: None, place: None });
    }

    /// The strongest value of a key. Weaker ones must be valid too: a mistake in the file is not hidden by a flag.
    fn take<T>(&mut self, name: &'static str, default: T, read: fn(&Given, &Path) -> Option<T>) -> Setting<T> {
        let mut setting = Setting { value: default, origin: Origin::Default };
        for given in self.given.iter().filter(|g| g.key == name) {
            match read(given, self.cwd) {
                Some(value) => setting = Setting { value, origin: given.origin.clone() },
                None => self.problems.push(wrong(given)),
            }
        }
        setting
    }

    /// Where the store is: a value that is wrong may hold a password, and is not repeated.
    fn store(&mut self, default: StoreAt) -> Setting<StoreAt> {
        let mut setting = Setting { value: default, origin: Origin::Default };
        for given in self.given.iter().filter(|g| g.key == "store") {
            let Some(text) = word(given) else {
                self.problems.push(wrong(given));
                continue;
            };
            let relative = |file: &str| path(&Given { raw: Raw::Text(file.to_owned()), ..given.clone() }, self.cwd);
            match StoreAt::parse(text, given.place.is_some(), |file| relative(file).unwrap_or_default()) {
                Ok(value) => setting = Setting { value, origin: given.origin.clone() },
                Err(store::Wrong { message, help, secret }) => {
                    let (file, span) = given.place.clone().map_or((None, 0..0), |(file, span)| (Some(file), span));
                    let (message, help) = (format!("{message} ({})", given.origin), Some(help.to_owned()));
                    self.problems.push(SettingsProblem { file, span, message, help, secret });
                }
            }
        }
        setting
    }

    pub fn settings(mut self, file: Option<PathBuf>, profile: Option<Setting<String>>, said: File) -> Settings {
        // Beside the settings, wherever in the project the run is started.
        let home = file.as_deref().and_then(Path::parent).unwrap_or(self.cwd);
        let cache = home.join(".seatrial").join("cache.db");
        let cache = cache.strip_prefix(self.cwd).map_or_else(|_| cache.clone(), Path::to_owned);
        let store = store::default(home, self.cwd);
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Settings {
            file,
            profile,
            jobs: self.take("jobs", cores, |g, _| integer(g, 1, 4096).and_then(|n| n.try_into().ok())),
            out: self.take("out", PathBuf::from("reports"), path),
            keep: self.take("keep", Keep::Failed, keep),
            keep_limit: self.take("keep_limit", 500, |g, _| integer(g, 0, u64::MAX)),
            keep_sample: self.take("keep_sample", 50, |g, _| integer(g, 0, u64::MAX)),
            fail_fast: self.take("fail_fast", false, flag),
            reports: self.take("reports", Reports::ALL, reports),
            junit: self.take("junit", None, |g, cwd| path(g, cwd).map(Some)),
            html: self.take("html", None, |g, cwd| path(g, cwd).map(Some)),
            progress: self.take("progress", When::Auto, when),
            color: self.take("color", When::Auto, when),
            max_session_bytes: self.take("max_session_bytes", 64 << 20, size),
            max_depth: self.take("max_depth", 100, |g, _| integer(g, 1, 120).and_then(|n| n.try_into().ok())),
            max_expansion: self.take("max_expansion", 1000, |g, _| integer(g, 1, u64::MAX)),
            spill_dir: self.take("spill_dir", None, |g, cwd| path(g, cwd).map(Some)),
            spill_after: self.take("spill_after", 128 << 20, size),
            cache: self.take("cache", Some(cache), cache_path),
            store: self.store(store),
            keep_content: self.take("keep_content", None, kept_for),
            max_cost_usd: self.take("max_cost_usd", None, |g, _| amount(g).map(Some)),
            max_tokens: self.take("max_tokens", None, |g, _| integer(g, 0, u64::MAX).map(Some)),
            reviewer: self.take("reviewer", None, |g, _| name(g).map(Some)),
            detectors: said.detectors,
            prices: said.prices,
            models: said.models,
            targets: said.targets,
            channels: said.channels,
            warnings: said.warnings,
            redact: said.redact.unwrap_or(Setting { value: RedactTable::default(), origin: Origin::Default }),
            review: said.review.unwrap_or(Setting { value: ReviewTable::default(), origin: Origin::Default }),
        }
    }
}

fn wrong(given: &Given) -> SettingsProblem {
    let takes = KEYS.iter().find(|k| k.name == given.key).map_or("something else", |k| k.takes);
    let found = match &given.raw {
        Raw::Text(text) => format!("\"{}\"", text.chars().take(60).collect::<String>().escape_debug()),
        Raw::Integer(n) => n.to_string(),
        Raw::Float(n) => n.to_string(),
        Raw::Bool(b) => b.to_string(),
    };
    let name = match &given.origin {
        Origin::Env(name) | Origin::Flag(name) => name,
        _ => given.key,
    };
    let message = format!("`{name}` is {takes}, not {found}");
    match given.place.clone() {
        Some((file, span)) => SettingsProblem { file: Some(file), span, message, help: None, secret: false },
        None => SettingsProblem::outside(message, None),
    }
}
