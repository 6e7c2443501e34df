//! One suite, assembled from its fragments and itself.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::check::Maker;
use super::defaults::Defaults;
use super::files::SuiteFiles;
use super::load::{Env, Names, bad_id};
use super::paths::PathText;
use super::problems::{choice, did_you_mean};
use super::raw::{Missing, Pos, Sink, Source, key_pos, read_rest, span_at};
use super::words::{self, FRAGMENT, SETTINGS_TABLES, TOP};
use super::{CheckDef, Gate, Recorded, Subject, Suite, confidence, correct, digests, gate, referred};
use crate::checks::askable::Asked;
use crate::checks::prices;
use crate::model::digest::Digest;

/// `[suite]` as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuiteTable {
    /// Its name; unique in a run.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Fragments with checks, defaults and gate settings; later ones win.
    #[serde(default)]
    pub extends: Vec<String>,
    /// Tools that are known to exist, whether or not a session calls them.
    #[serde(default)]
    pub tools: Vec<String>,
    /// A file of cases: `.jsonl`, `.csv`, or an eval set of ADK (`.json`).
    pub cases: Option<String>,
    /// Sessions wanted per case.
    pub trials: Option<u32>,
}

/// `[fragment]` as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FragmentTable {
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Fragments that this one builds on.
    #[serde(default)]
    pub extends: Vec<String>,
}

/// `[recorded]` as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedTable {
    /// Files, globs and folders, relative to the suite's file. Each must match a file.
    #[serde(default)]
    pub paths: Vec<String>,
    /// The format; `auto` guesses it per file.
    pub format: Option<String>,
    /// The attribute of spans that names their session, before the usual ones.
    pub session: Option<String>,
    /// The attribute of the session, or of its spans, that names the case; its absence is then an error.
    pub case: Option<String>,
    /// The attribute of the session, or of its spans, that names the trial; its absence is then an error.
    pub trial: Option<String>,
    /// Older sessions are refused, and those whose age cannot be told (no time, or one that is more than an hour in the
    /// future): a duration such as `"24h"` or `"7d"`.
    pub max_age: Option<String>,
}

/// A file of a suite: a fragment, or, last, the suite itself.
pub(super) struct Layer<'t> {
    pub source: &'t Source,
    pub table: &'t DeTable<'t>,
}

/// Assembles one suite.
pub(super) struct Resolver<'r, 't, 's> {
    pub(super) env: &'r Env<'r>,
    names: Names,
    pub(super) layers: &'t [Layer<'t>],
    pub(super) sink: &'r mut Sink<'s>,
    pub(super) files: Arc<SuiteFiles>,
}

impl<'r, 't, 's> Resolver<'r, 't, 's> {
    /// For the layers of one suite, the suite's own file last.
    pub fn new(env: &'r Env<'r>, names: Names, layers: &'t [Layer<'t>], sink: &'r mut Sink<'s>) -> Self {
        let root = layers.last().map(|l| l.source.dir()).unwrap_or_default();
        Self { env, names, layers, sink, files: SuiteFiles::new(root) }
    }

    /// The suite and where its name stands; `None` when it cannot be made, which is then reported.
    pub fn resolve(mut self) -> Option<(Pos, Suite)> {
        let own = self.layers.last()?;
        for (i, layer) in self.layers.iter().enumerate() {
            self.files.note(&layer.source.path, layer.source.text.as_bytes());
            self.top_level(layer, i + 1 == self.layers.len());
        }
        let head = self.head(own);
        let subject = self.section::<Subject>(own, "subject");
        let recorded = self.recorded(own);
        let (cases, case_checks) = self.cases(own, head.as_ref().and_then(|(h, _)| h.cases.clone()));
        let live = self.agent(own);
        if let Some(live) = &live {
            self.scripts(own, live, cases.as_ref(), own.table.contains_key("recorded"));
        }
        let mut gate = self.gate();
        let (own_rules, redactor) = self.redact();
        let review = self.review();
        let defaults = Defaults::read(self.layers, self.names.rules, self.sink);
        let entries = self.entries(case_checks);
        let maker = Maker {
            rules: self.names.rules,
            kit: self.env.kit.clone(),
            files: &self.files,
            vars: self.env.vars,
            defaults: &defaults,
            review: &review,
            cases: cases.as_ref(),
            keys: RefCell::default(),
            priced: Cell::new(false),
            place: self.env.place,
        };
        referred::check(&entries, self.env.place, self.sink);
        let watched = referred::watched(&entries);
        let checks: Vec<CheckDef> = entries.iter().filter_map(|entry| maker.make(&entry.check, self.sink)).collect();
        let mut means = gate.baseline.iter().flat_map(|bar| &bar.means);
        let priced = maker.priced.get() || means.any(|bar| bar.metric == prices::METRIC);
        let watch = self.watch(own, &watched);
        let (head, name_pos) = head?;
        correct::resolve(&mut gate, &checks, (head.trials, cases.as_ref()), own, self.sink);
        self.warn_about_trials(own, &gate, head.trials);
        confidence::check(&gate, cases.as_ref(), own, self.sink);
        let subject = self.env.subject.clone().or(subject);
        let mut suite = Suite {
            name: head.name,
            path: own.source.path.clone(),
            description: head.description,
            tags: head.tags,
            tools: head.tools,
            subject,
            recorded,
            live,
            trials: head.trials,
            cases,
            checks,
            gate,
            digest: Digest::of(&[]),
            files: self.files.digests(),
            prices: self.env.kit.prices.clone(),
            redactor,
            watch,
            watched: false,
        };
        if let Some((live, cases)) = suite.live.as_ref().zip(suite.cases.as_ref()) {
            // Another model is another user.
            let users: BTreeSet<String> = cases.list.iter().filter_map(|c| live.user_of(c)).map(|u| u.judge).collect();
            let askable = &self.env.kit.askable;
            suite.files.extend(users.into_iter().flat_map(|name| askable.behind(&Asked::Judge(name))));
        }
        if priced {
            suite.files.insert(prices::FILE.to_owned(), suite.prices.digest());
        }
        suite.digest = digests::suite(&suite, &own_rules);
        if let Some(sessions) = &self.env.sessions {
            suite.recorded.paths = sessions.clone();
            suite.recorded.base = PathBuf::new();
        }
        Some((name_pos, suite))
    }

    /// Every table at the top is one of the language, and of the right kind.
    fn top_level(&mut self, layer: &Layer<'_>, is_suite: bool) {
        let known = if is_suite { TOP } else { FRAGMENT };
        for (key, value) in layer.table {
            let (name, pos) = (key.get_ref().as_ref(), key.span());
            if known.contains(&name) {
                self.kind(name, value);
            } else if SETTINGS_TABLES.contains(&name) {
                let help = "write it in seatrial.toml".to_owned();
                self.sink.error(&pos, format!("[{name}] is of the settings"), help);
            } else if is_suite && name == "fragment" {
                let help = "a fragment's first table is [fragment], and it has no [suite]".to_owned();
                self.sink.error(&pos, "[fragment] stands only at the top of a fragment", help);
            } else if !is_suite && TOP.contains(&name) {
                self.sink.error(&pos, format!("`{name}` belongs in a suite, not in a fragment"), None);
            } else {
                let (message, help) = stray(name, value, known);
                // Without brackets around it, it may be what a broken header left behind.
                let before = pos.start.checked_sub(1).and_then(|before| self.sink.text(&(before..pos.start)));
                if before == Some("[") {
                    self.sink.error(&pos, message, help);
                } else {
                    self.sink.missing(&pos, message, help);
                }
            }
        }
        if is_suite && !layer.table.contains_key("suite") {
            let help = "a suite has a [suite] table; a fragment's first table is [fragment]".to_owned();
            self.sink.missing(&layer.source.start(), "there is no [suite] in this file", help);
        }
    }

    /// `[[span]]` is a list of tables, `[suite]` one table.
    fn kind(&mut self, name: &str, value: &toml::Spanned<DeValue<'_>>) {
        let list = matches!(name, "span" | "turn" | "session" | "system" | "case" | "alert");
        let written = if list { format!("[[{name}]]") } else { format!("[{name}]") };
        let right = match value.get_ref() {
            DeValue::Array(items) if list => items.iter().all(|i| matches!(i.get_ref(), DeValue::Table(_))),
            DeValue::Table(_) => !list,
            _ => false,
        };
        if !right {
            self.sink.error(&value.span(), format!("`{name}` is written {written}"), None);
        }
    }

    /// A table of the suite, deserialised.
    fn section<T: DeserializeOwned>(&mut self, layer: &Layer<'_>, name: &str) -> Option<T> {
        let value = layer.table.get(name)?;
        let DeValue::Table(table) = value.get_ref() else { return None };
        read_rest(table, &value.span(), Missing::Reported, self.sink)
    }

    fn head(&mut self, own: &Layer<'_>) -> Option<(SuiteTable, Pos)> {
        for layer in &self.layers[..self.layers.len() - 1] {
            self.section::<FragmentTable>(layer, "fragment");
        }
        let head = self.section::<SuiteTable>(own, "suite")?;
        let at = |key: &str| section_pos(own, "suite", key);
        if let Some(why) = bad_id(&head.name) {
            self.sink.error(&at("name"), format!("the suite's name cannot be used: {why}"), None);
        }
        if head.trials == Some(0) {
            self.sink.error(&at("trials"), "`trials` is at least 1", None);
        }
        Some((head, at("name")))
    }

    fn recorded(&mut self, own: &Layer<'_>) -> Recorded {
        let Some(read) = self.section::<RecordedTable>(own, "recorded") else {
            return Recorded::default();
        };
        let base = own.source.dir();
        let at = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(|s| (*s).to_owned()).collect();
            section_path_pos(own, "recorded", &path)
        };
        let mut recorded =
            Recorded { session: read.session, case: read.case, trial: read.trial, base, ..Recorded::default() };
        let paths = own.table.get("recorded").and_then(|t| t.get_ref().get("paths")).map(|p| p.get_ref());
        if matches!(paths, Some(DeValue::Array(items)) if items.is_empty()) {
            self.sink.error(&at(&["paths"]), "`paths` is empty", Some("name files, globs or folders".to_owned()));
        }
        for (i, text) in read.paths.iter().enumerate() {
            let pos = at(&["paths", &i.to_string()]);
            match PathText::new(text).and_then(|p| p.fill(self.env.vars)) {
                Ok(path) if path.trim().is_empty() => self.sink.error(&pos, "an empty path", None),
                Ok(path) => recorded.paths.push(path),
                Err((message, help)) => self.sink.error(&pos, message, help),
            }
        }
        recorded.written = read.paths;
        if let Some(name) = read.format.filter(|name| name != "auto") {
            let formats = (self.names.formats)();
            recorded.format = formats.iter().copied().find(|f| *f == name);
            if recorded.format.is_none() {
                let help = choice(&name, formats.iter().copied().chain(["auto"]));
                self.sink.error(&at(&["format"]), format!("unknown format `{name}`"), help);
            }
        }
        if let Some(text) = read.max_age {
            match crate::model::duration::parse(&text) {
                Ok(age) => recorded.max_age = Some(age),
                Err(message) => {
                    let help = "write it as `\"30s\"`, `\"15m\"`, `\"24h\"` or `\"7d\"`".to_owned();
                    self.sink.error(&at(&["max_age"]), message, help);
                }
            }
        }
        recorded
    }

    fn gate(&mut self) -> Gate {
        let mut gate = Gate::default();
        for layer in self.layers {
            if let Some(value) = layer.table.get("gate")
                && let DeValue::Table(table) = value.get_ref()
            {
                let place = (&*layer.source.dir(), self.env.vars);
                gate::overlay(&mut gate, table, &value.span(), place, self.sink);
            }
        }
        gate
    }

    fn warn_about_trials(&mut self, own: &Layer<'_>, gate: &Gate, trials: Option<u32>) {
        let Some((k, trials)) = gate.reliability.map(|r| r.k).zip(trials) else { return };
        if k > trials {
            let pos = section_path_pos(own, "gate", &["reliability".to_owned(), "k".to_owned()]);
            let message = format!("every case is an error: `k` is {k}, but only {trials} trials are wanted");
            self.sink.warn(&pos, message, Some("raise `trials` in [suite] or lower `k`".to_owned()));
        }
    }
}

/// What is wrong with something at the top of a file that no suite or fragment has there, and what was meant.
fn stray(name: &str, value: &toml::Spanned<DeValue<'_>>, known: &[&str]) -> (String, Option<String>) {
    if matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_)) {
        return (format!("unknown table `{name}`"), Some(choice(name, known.iter().copied())));
    }
    let home = words::home_of(name).map(|home| format!("`{name}` belongs in {home}"));
    let help = home.or_else(|| did_you_mean(name, known.iter().copied()));
    (format!("`{name}` stands outside of any table"), help)
}

/// Where a key's value of a top table stands.
pub(super) fn section_pos(layer: &Layer<'_>, section: &str, key: &str) -> Pos {
    section_path_pos(layer, section, &[key.to_owned()])
}

pub(super) fn section_path_pos(layer: &Layer<'_>, section: &str, path: &[String]) -> Pos {
    match layer.table.get(section).map(|v| (v.span(), v.get_ref())) {
        Some((whole, DeValue::Table(table))) => span_at(table, &whole, path),
        Some((whole, _)) => whole,
        None => key_pos(layer.table, section, &layer.source.start()),
    }
}
