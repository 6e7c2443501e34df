//! The keys: their names, types, defaults and meaning, and how layers of them become [`Settings`].

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::File;
use super::store::{self, StoreAt};
use super::{Keep, Origin, ReviewTable, Setting, Settings, SettingsProblem, When};
use crate::checks::prices::Prices;
use crate::model::{NanoUsd, duration};
use crate::redact::RedactTable;

/// The documentation of one key.
#[derive(Debug, Clone, Copy)]
pub struct KeyDoc {
    /// The key in `seatrial.toml`. The variable is `SEATRIAL_` and the name in capitals, the flag `--` and the name
    /// with `-`.
    pub name: &'static str,
    /// What values it takes, with an article.
    pub takes: &'static str,
    /// The default, in words.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
}

impl KeyDoc {
    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("SEATRIAL_{}", self.name.to_uppercase())
    }

    /// The flag.
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }
}

pub(super) const fn key(name: &'static str, takes: &'static str, default: &'static str, doc: &'static str) -> KeyDoc {
    KeyDoc { name, takes, default, doc }
}

/// Every key, in the order in which they are printed.
pub static KEYS: &[KeyDoc] = &[
    key("jobs", "a number from 1 to 4096", "the number of cores", "Worker threads."),
    key("out", "a path", "\"reports\"", "The folder in which runs are written."),
    key("keep", "`failed`, `all` or `none`", "\"failed\"", "Which sessions are kept with the run record."),
    key("keep_limit", "a number", "500", "How many sessions are kept at most."),
    key("keep_sample", "a number", "50", "How many sessions that passed are kept, too, with `failed`: the first ones."),
    key("fail_fast", "true or false", "false", "Stop when the gate can no longer pass."),
    key("junit", "a path", "none", "Where a copy of the JUnit report is put."),
    key("html", "a path", "none", "Where a copy of the HTML report is put."),
    key("progress", "`auto`, `always` or `never`", "\"auto\"", "Whether progress is shown on standard error."),
    key("color", "`auto`, `always` or `never`", "\"auto\"", "Whether colours are used. `auto` respects NO_COLOR."),
    key("max_session_bytes", "a size such as 1048576 or `64MiB`", "\"64MiB\"", "Larger sessions are left out."),
    key("max_depth", "a number from 1 to 120", "100", "More deeply nested sessions are left out."),
    key("max_expansion", "a number of at least 1", "1000", "How many times its size a compressed file may unfold."),
    key("spill_dir", "a path", "the system's temporary folder", "Where telemetry waits that does not fit in memory."),
    key(
        "spill_after",
        "a size such as 1048576 or `64MiB`",
        "\"128MiB\"",
        "How much telemetry waits in memory for the rest of its session.",
    ),
    key(
        "cache",
        "a path or `off`",
        "`.seatrial/cache.db` beside seatrial.toml",
        "Where answers of models are kept, so that a run that changes nothing asks nothing.",
    ),
    key(
        "store",
        "a path, `postgres://...` or `off`",
        "`.seatrial/seatrial.db` beside seatrial.toml",
        "Where runs, and what people say of them, are stored: a SQLite file, or a PostgreSQL database for a team. Its \
         password is `{{ env.NAME }}`.",
    ),
    key(
        "keep_content",
        "a duration such as `90d`, or `forever`",
        "\"forever\"",
        "How long sessions are kept in the store for people to read, whether they were read or not. After that they are \
         taken out; verdicts, labels and digests stay.",
    ),
    key(
        "max_cost_usd",
        "an amount of at least 0",
        "no limit",
        "The most that the models of a run may cost; it stops before more is spent, and ends with exit code 5.",
    ),
    key("max_tokens", "a number", "no limit", "The same for tokens, read and written."),
    key(
        "reviewer",
        "a name",
        "git's `user.name`",
        "The name under which `seatrial review` gives answers and `seatrial promote` decides.",
    ),
];

/// The variables that are read.
pub(super) fn variables() -> impl Iterator<Item = String> {
    KEYS.iter().map(KeyDoc::variable).chain(["SEATRIAL_CONFIG".to_owned(), "SEATRIAL_PROFILE".to_owned()])
}

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

fn integer(given: &Given, min: u64, max: u64) -> Option<u64> {
    let n = match &given.raw {
        Raw::Integer(n) => u64::try_from(*n).ok()?,
        // Numbers are numbers in the file; only variables and flags are text.
        Raw::Text(text) if given.place.is_none() => text.trim().parse().ok()?,
        _ => return None,
    };
    (min..=max).contains(&n).then_some(n)
}

fn flag(given: &Given, _: &Path) -> Option<bool> {
    match &given.raw {
        Raw::Bool(b) => Some(*b),
        Raw::Text(text) if given.place.is_none() => match text.trim() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn word(given: &Given) -> Option<&str> {
    match &given.raw {
        Raw::Text(text) => Some(text.trim()),
        _ => None,
    }
}

fn keep(given: &Given, _: &Path) -> Option<Keep> {
    [Keep::Failed, Keep::All, Keep::None].into_iter().find(|k| word(given) == Some(k.name()))
}

fn when(given: &Given, _: &Path) -> Option<When> {
    [When::Auto, When::Always, When::Never].into_iter().find(|w| word(given) == Some(w.name()))
}

impl Keep {
    /// The name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Keep::Failed => "failed",
            Keep::All => "all",
            Keep::None => "none",
        }
    }
}

impl When {
    /// The name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            When::Auto => "auto",
            When::Always => "always",
            When::Never => "never",
        }
    }

    /// Whether to, given whether there is a terminal.
    pub const fn on(self, terminal: bool) -> bool {
        match self {
            When::Auto => terminal,
            When::Always => true,
            When::Never => false,
        }
    }
}

/// A path: of the file relative to the file, else to the working directory. Below the working directory it stays
/// short.
fn path(given: &Given, cwd: &Path) -> Option<PathBuf> {
    let text = match &given.raw {
        Raw::Text(text) if !text.is_empty() => text,
        _ => return None,
    };
    let Some(base) = &given.base else { return Some(PathBuf::from(text)) };
    let full = base.join(text);
    Some(full.strip_prefix(cwd).map_or_else(|_| full.clone(), Path::to_owned))
}

/// The longest name of a person, in characters.
pub const LONGEST_NAME: usize = 100;

/// A name of a person.
fn name(given: &Given) -> Option<String> {
    let Raw::Text(text) = &given.raw else { return None };
    let name = text.trim();
    let sound = !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.contains(char::is_control);
    sound.then(|| name.to_owned())
}

/// A path, or none at all.
fn cache_path(given: &Given, cwd: &Path) -> Option<Option<PathBuf>> {
    if word(given) == Some("off") { Some(None) } else { path(given, cwd).map(Some) }
}

/// A duration, or no end.
fn kept_for(given: &Given, _: &Path) -> Option<Option<Duration>> {
    let word = word(given)?;
    if word == "forever" { Some(None) } else { duration::parse(word).ok().map(Some) }
}

/// A duration in the largest unit in which it is whole.
fn duration_text(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let unit = units.into_iter().find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{ms}ms"), |(unit, name)| format!("{}{name}", ms / unit))
}

/// An amount of US dollars.
fn amount(given: &Given) -> Option<NanoUsd> {
    let usd = match &given.raw {
        Raw::Integer(n) => *n as f64,
        Raw::Float(n) => *n,
        Raw::Text(text) if given.place.is_none() => text.trim().parse().ok()?,
        _ => return None,
    };
    NanoUsd::from_usd(usd).filter(|amount| amount.0 >= 0)
}

/// A size in bytes: a number, or a number with a unit.
fn size(given: &Given, _: &Path) -> Option<usize> {
    match &given.raw {
        Raw::Integer(n) => usize::try_from(*n).ok().filter(|n| *n > 0),
        Raw::Text(text) => bytes(text),
        Raw::Bool(_) | Raw::Float(_) => None,
    }
}

/// Bytes as people write them, such as `64MiB`; `None` for none, and for what is no size.
pub fn bytes(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: u64 = match text[digits..].trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    let bytes = text[..digits].parse::<u64>().ok()?.checked_mul(unit)?;
    usize::try_from(bytes).ok().filter(|n| *n > 0)
}

fn size_text(bytes: usize) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes.is_multiple_of(unit) {
            return format!("{}{name}", bytes / unit);
        }
    }
    bytes.to_string()
}

/// Every setting as text, with its origin.
pub(super) fn rows(s: &Settings) -> Vec<(String, String, String)> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String, origin: &Origin| {
        rows.push((name.to_owned(), value, origin.to_string()));
    };
    if let Some(profile) = &s.profile {
        row("profile", profile.value.clone(), &profile.origin);
    }
    let shown = |path: &Option<PathBuf>| path.as_ref().map_or_else(|| "none".to_owned(), |p| p.display().to_string());
    row("jobs", s.jobs.value.to_string(), &s.jobs.origin);
    row("out", s.out.value.display().to_string(), &s.out.origin);
    row("keep", s.keep.value.name().to_owned(), &s.keep.origin);
    row("keep_limit", s.keep_limit.value.to_string(), &s.keep_limit.origin);
    row("keep_sample", s.keep_sample.value.to_string(), &s.keep_sample.origin);
    row("fail_fast", s.fail_fast.value.to_string(), &s.fail_fast.origin);
    row("junit", shown(&s.junit.value), &s.junit.origin);
    row("html", shown(&s.html.value), &s.html.origin);
    row("progress", s.progress.value.name().to_owned(), &s.progress.origin);
    row("color", s.color.value.name().to_owned(), &s.color.origin);
    row("max_session_bytes", size_text(s.max_session_bytes.value), &s.max_session_bytes.origin);
    row("max_depth", s.max_depth.value.to_string(), &s.max_depth.origin);
    row("max_expansion", s.max_expansion.value.to_string(), &s.max_expansion.origin);
    let spill_dir =
        s.spill_dir.value.as_ref().map_or_else(|| "the temporary folder".to_owned(), |p| p.display().to_string());
    row("spill_dir", spill_dir, &s.spill_dir.origin);
    row("spill_after", size_text(s.spill_after.value), &s.spill_after.origin);
    let cache = s.cache.value.as_ref().map_or_else(|| "off".to_owned(), |p| p.display().to_string());
    row("cache", cache, &s.cache.origin);
    let kept = s.keep_content.value.map_or_else(|| "forever".to_owned(), duration_text);
    row("store", s.store.value.to_string(), &s.store.origin);
    row("keep_content", kept, &s.keep_content.origin);
    let limit = |n: Option<String>| n.unwrap_or_else(|| "no limit".to_owned());
    row("max_cost_usd", limit(s.max_cost_usd.value.map(|c| c.usd().to_string())), &s.max_cost_usd.origin);
    row("max_tokens", limit(s.max_tokens.value.map(|n| n.to_string())), &s.max_tokens.origin);
    let reviewer = s.reviewer.value.clone().unwrap_or_else(|| "git's user.name".to_owned());
    row("reviewer", reviewer, &s.reviewer.origin);
    row("prices", format!("as of {}", Prices::as_of()), &Origin::Default);
    for own in &s.prices {
        row(&format!("prices.{}", own.model.as_str()), own.written.clone(), &own.origin);
    }
    for (name, detector) in &s.detectors {
        row(&format!("detectors.{name}"), detector.pattern.as_str().to_owned(), &detector.origin);
    }
    rows.extend(s.models.rows());
    rows.extend(s.targets.iter().map(|(name, t)| (format!("promote.{name}"), t.written(), t.origin.to_string())));
    let mut row = |name: &str, value: String, origin: &Origin| {
        rows.push((name.to_owned(), value, origin.to_string()));
    };
    let rules = &s.redact.value;
    let kinds = rules.pseudonyms.iter().map(|p| p.name().to_owned()).collect();
    let lists =
        [("detectors", &rules.detectors), ("keys", &rules.keys), ("paths", &rules.paths), ("pseudonyms", &kinds)];
    for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        row(&format!("redact.{key}"), list.join(", "), &s.redact.origin);
    }
    for webhook in &s.review.value.webhooks {
        row("review.webhooks", webhook.written(), &webhook.origin);
    }
    rows
}
