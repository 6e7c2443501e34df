//! `seatrial.toml`: its keys with their lines, its profiles, its detectors.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use regex::Regex;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::KEYS;
use super::layers::{Given, Raw};
use super::notify::Channel;
use super::promote::Target;
use super::{CustomDetector, Origin, OwnModels, OwnPrice, ReviewTable, Setting, SettingsProblem, did_you_mean};
use crate::checks::matcher::regex_message;
use crate::redact::RedactTable;
use crate::suite::nearest::nearest;

/// The largest settings file that is read; beyond it, it is not a settings file.
const MAX_BYTES: u64 = 4 << 20;

/// The tables beside the settings.
const TABLES: &[&str] =
    &["profile", "detectors", "prices", "judge", "embedding", "redact", "review", "promote", "notify"];

/// What the file says.
#[derive(Default)]
pub(super) struct File {
    pub values: Vec<Given>,
    pub profiles: BTreeMap<String, Profile>,
    pub detectors: BTreeMap<String, CustomDetector>,
    pub prices: Vec<OwnPrice>,
    pub models: OwnModels,
    pub redact: Option<Setting<RedactTable>>,
    pub review: Option<Setting<ReviewTable>>,
    pub targets: BTreeMap<String, Target>,
    pub channels: BTreeMap<String, Channel>,
    /// What is allowed, and better not so.
    pub warnings: Vec<SettingsProblem>,
}

/// What a profile says.
#[derive(Default)]
pub(super) struct Profile {
    pub values: Vec<Given>,
    /// The profile that it begins with, and where that is written.
    pub inherits: Option<(String, Range<usize>)>,
}

impl File {
    /// What a profile says, with what it inherits before it. Profiles that inherit each other are a problem when the
    /// file is read, and end here.
    pub fn take(&mut self, name: &str) -> Vec<Given> {
        let Some(profile) = self.profiles.remove(name) else { return Vec::new() };
        let mut values = profile.inherits.map(|(base, _)| self.take(&base)).unwrap_or_default();
        values.extend(profile.values);
        values
    }
}

/// Reads a settings file. Problems are added with their position; what is sound is returned all the same.
pub(super) fn read(path: &Path, cwd: &Path, problems: &mut Vec<SettingsProblem>) -> Option<File> {
    let unreadable = |why: String| SettingsProblem {
        file: Some(path.to_owned()),
        span: 0..0,
        message: format!("the settings file cannot be read: {why}"),
        help: None,
        secret: false,
    };
    let text = match std::fs::metadata(path) {
        Ok(meta) if meta.len() > MAX_BYTES => Err(format!("it is larger than {MAX_BYTES} bytes")),
        Ok(_) => std::fs::read_to_string(path).map_err(|e| e.to_string()),
        Err(e) => Err(e.to_string()),
    };
    match text {
        Ok(text) => Some(parse(&text, path, cwd, problems)),
        Err(why) => {
            problems.push(unreadable(why));
            None
        }
    }
}

pub(super) fn parse(text: &str, path: &Path, cwd: &Path, problems: &mut Vec<SettingsProblem>) -> File {
    let (table, errors) = DeTable::parse_recoverable(text);
    let broken = !errors.is_empty();
    let mut reader = Reader { text, path, cwd, problems, file: File::default() };
    for error in errors {
        reader.problem(error.span().unwrap_or(0..0), error.message(), None);
    }
    reader.top(table.get_ref(), broken);
    reader.file
}

pub(super) struct Reader<'r> {
    text: &'r str,
    path: &'r Path,
    cwd: &'r Path,
    problems: &'r mut Vec<SettingsProblem>,
    pub(super) file: File,
}

impl Reader<'_> {
    pub(super) fn problem(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        let file = Some(self.path.to_owned());
        self.problems.push(SettingsProblem { file, span, message: message.into(), help, secret: false });
    }

    /// How many problems there are, to tell whether a part of the file is sound.
    pub(super) fn problems_so_far(&self) -> usize {
        self.problems.len()
    }

    /// A secret that is written out: an error where one has to be elsewhere, else a warning.
    pub(super) fn secret(&mut self, span: Range<usize>, (message, help): (String, String), error: bool) {
        let file = Some(self.path.to_owned());
        let problem = SettingsProblem { file, span, message, help: Some(help), secret: true };
        if error { self.problems.push(problem) } else { self.file.warnings.push(problem) }
    }

    pub(super) fn origin(&self, span: &Range<usize>, profile: Option<&str>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let path = self.path.strip_prefix(self.cwd).unwrap_or(self.path);
        Origin::File {
            path: path.to_string_lossy().replace('\\', "/"),
            line: before.matches('\n').count() + 1,
            profile: profile.map(str::to_owned),
        }
    }

    /// The folder of the file.
    pub(super) fn dir(&self) -> PathBuf {
        self.path.parent().map(PathBuf::from).unwrap_or_default()
    }

    /// The table behind a key; a problem when it is something else.
    pub(super) fn table<'t, 'i>(&mut self, name: &str, value: &'t Spanned<DeValue<'i>>) -> Option<&'t DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            let found = found(value);
            self.problem(value.span(), format!("`{name}` is a table, not {found}"), None);
        }
        table
    }

    /// `broken` files are not searched for unknown keys: recovery may have misplaced them.
    fn top(&mut self, table: &DeTable<'_>, broken: bool) {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "profile" => self.profiles(value, broken),
                "detectors" => self.detectors(value),
                "prices" => self.prices(value),
                "judge" => self.judges(value),
                "embedding" => self.embeddings(value),
                "promote" => self.targets(value),
                "notify" => self.notify(value),
                // After the detectors, which it may name.
                "redact" => {}
                "review" => self.review(value),
                name => {
                    if let Some(given) = self.setting(name, key.span(), value, None, broken) {
                        self.file.values.push(given);
                    }
                }
            }
        }
        if let Some(value) = table.get("redact") {
            self.redact(value);
        }
    }

    fn profiles(&mut self, value: &Spanned<DeValue<'_>>, broken: bool) {
        for (key, value) in self.table("profile", value).into_iter().flatten() {
            let profile = key.get_ref().as_ref();
            let mut read = Profile::default();
            for (key, value) in self.table(&format!("profile.{profile}"), value).into_iter().flatten() {
                if key.get_ref() == "inherits" {
                    match value.get_ref().as_str() {
                        Some(base) => read.inherits = Some((base.to_owned(), value.span())),
                        None => {
                            let found = found(value);
                            self.problem(
                                value.span(),
                                format!("`inherits` is the name of a profile, not {found}"),
                                None,
                            );
                        }
                    }
                    continue;
                }
                read.values.extend(self.setting(key.get_ref(), key.span(), value, Some(profile), broken));
            }
            self.file.profiles.insert(profile.to_owned(), read);
        }
        self.inherited();
    }

    /// What profiles inherit must be there, and not the profile itself by a detour.
    fn inherited(&mut self) {
        let mut wrong = Vec::new();
        for (name, profile) in &self.file.profiles {
            let Some((base, span)) = &profile.inherits else { continue };
            let mut chain = vec![name.as_str()];
            let mut next = Some(base.as_str());
            while let Some(base) = next {
                if chain.contains(&base) {
                    if base == name {
                        wrong.push((span.clone(), format!("the profile `{name}` inherits itself"), None));
                    }
                    break;
                }
                chain.push(base);
                next = self.file.profiles.get(base).and_then(|p| p.inherits.as_ref()).map(|(base, _)| base.as_str());
            }
            if !self.file.profiles.contains_key(base) {
                let help = nearest(base, self.file.profiles.keys().map(String::as_str)).map(did_you_mean);
                wrong.push((span.clone(), format!("there is no profile `{base}` to inherit"), help));
            }
        }
        for (span, message, help) in wrong {
            self.problem(span, message, help);
        }
    }

    fn setting(
        &mut self,
        name: &str,
        key: Range<usize>,
        value: &Spanned<DeValue<'_>>,
        profile: Option<&str>,
        broken: bool,
    ) -> Option<Given> {
        let Some(known) = KEYS.iter().find(|k| k.name == name) else {
            if !broken {
                self.unknown(name, key, profile.is_some());
            }
            return None;
        };
        let raw = match value.get_ref() {
            DeValue::String(s) => Raw::Text(s.to_string()),
            DeValue::Boolean(b) => Raw::Bool(*b),
            DeValue::Integer(i) => match i64::from_str_radix(i.as_str(), i.radix()) {
                Ok(i) => Raw::Integer(i),
                Err(_) => {
                    self.problem(value.span(), format!("`{name}` is too large a number"), None);
                    return None;
                }
            },
            DeValue::Float(f) if f.as_str().parse::<f64>().is_ok() => {
                Raw::Float(f.as_str().parse().unwrap_or(f64::NAN))
            }
            _ => {
                let found = found(value);
                self.problem(value.span(), format!("`{name}` is {}, not {found}", known.takes), None);
                return None;
            }
        };
        let origin = self.origin(&key, profile);
        let base = self.path.parent().map(PathBuf::from);
        Some(Given { key: known.name, raw, origin, base, place: Some((self.path.to_owned(), value.span())) })
    }

    fn unknown(&mut self, name: &str, key: Range<usize>, in_profile: bool) {
        let tables: &[&str] = if in_profile { &["inherits"] } else { TABLES };
        let names = || KEYS.iter().map(|k| k.name).chain(tables.iter().copied());
        let help = if in_profile && name == "detectors" {
            "detectors are the same in every profile: write `[detectors.NAME]`".to_owned()
        } else if in_profile && name == "prices" {
            "prices are the same in every profile: write `[prices]`".to_owned()
        } else if in_profile && matches!(name, "judge" | "embedding") {
            format!("models are the same in every profile: write `[{name}.NAME]`")
        } else if in_profile && name == "review" {
            "who is told of reviews is the same in every profile: write `[review]`".to_owned()
        } else if in_profile && name == "redact" {
            "redaction is the same in every profile: write `[redact]`".to_owned()
        } else if in_profile && name == "promote" {
            "targets are the same in every profile: write `[promote.TARGET]`".to_owned()
        } else {
            match nearest(name, names()) {
                Some(near) => did_you_mean(near),
                None => format!("the settings are {}", names().collect::<Vec<_>>().join(", ")),
            }
        };
        self.problem(key, format!("unknown setting `{name}`"), Some(help));
    }

    fn detectors(&mut self, value: &Spanned<DeValue<'_>>) {
        for (key, value) in self.table("detectors", value).into_iter().flatten() {
            let name = key.get_ref().as_ref();
            let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if !name.chars().all(sound) {
                let help = "use letters, digits, `_` and `-`".to_owned();
                self.problem(key.span(), format!("`{name}` is not a name for a detector"), Some(help));
                continue;
            }
            let Some(table) = self.table(&format!("detectors.{name}"), value) else { continue };
            if let Some(detector) = self.detector(name, key.span(), table) {
                self.file.detectors.insert(name.to_owned(), detector);
            }
        }
    }

    fn detector(&mut self, name: &str, at: Range<usize>, table: &DeTable<'_>) -> Option<CustomDetector> {
        let (mut pattern, mut description) = (None, String::new());
        let mut sound = true;
        for (key, value) in table {
            let text = value.get_ref().as_str();
            match (key.get_ref().as_ref(), text) {
                ("pattern", Some(source)) => match Regex::new(source) {
                    Ok(regex) if regex.is_match("") => {
                        let help = "a detector finds something; let the pattern require a character".to_owned();
                        self.problem(value.span(), "this pattern matches the empty text", Some(help));
                        sound = false;
                    }
                    Ok(regex) => pattern = Some(regex),
                    Err(error) => {
                        self.problem(value.span(), regex_message(&error), None);
                        sound = false;
                    }
                },
                ("description", Some(text)) => description = text.to_owned(),
                (known @ ("pattern" | "description"), None) => {
                    let found = found(value);
                    self.problem(value.span(), format!("`{known}` is a string, not {found}"), None);
                    sound = false;
                }
                (other, _) => {
                    let help = nearest(other, ["pattern", "description"]).map(did_you_mean);
                    let help = help.or_else(|| Some("a detector has `pattern` and `description`".to_owned()));
                    self.problem(key.span(), format!("unknown key `{other}` in a detector"), help);
                    sound = false;
                }
            }
        }
        if pattern.is_none() && sound {
            let help = "add `pattern = '...'`, a regular expression".to_owned();
            self.problem(at.clone(), format!("the detector `{name}` has no pattern"), Some(help));
        }
        let origin = self.origin(&at, None);
        pattern.filter(|_| sound).map(|pattern| CustomDetector { name: name.to_owned(), pattern, description, origin })
    }
}

/// What kind of value was written, with its article.
pub(super) fn found(value: &Spanned<DeValue<'_>>) -> String {
    let name = value.get_ref().type_str();
    let article = if name.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {name}")
}
