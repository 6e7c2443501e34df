//! Loading: from the paths a user names to resolved suites, or to every problem of every file at once.
//!
//! First all files are read, fragments included (`extends` is followed by text alone); then all are parsed into one
//! space of positions; then each suite is assembled from its fragments and itself.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::files::{display, near, read_capped};
use super::paths::{PathText, Vars};
use super::problems::{Problem, Problems, Severity};
use super::raw::{Pos, Sink, Source, parse};
use super::redact::Given;
use super::resolve::{Layer, Resolver};
use super::{RunsIn, Subject, Suite};
use crate::checks::build::{Kit, Rule};
use crate::checks::jinja::Template;

/// What a load depends on besides the files.
pub struct Env<'e> {
    /// What the settings lend to checks.
    pub kit: &'e Arc<Kit>,
    /// Environment variables, for `{{ env.X }}` in paths.
    pub vars: &'e dyn Fn(&str) -> Option<String>,
    /// Replaces `[subject]` (`--subject`).
    pub subject: Option<Subject>,
    /// What the settings say of redaction.
    pub redact: &'e Given,
    /// Replaces `[recorded] paths` (`--sessions`); taken as they are, not relative to the suite.
    pub sessions: Option<Vec<String>>,
    /// What the suites are loaded for: checks that do not run there are left out.
    pub place: RunsIn,
    /// Replaces `every` of `[watch]` (`--window`).
    pub every: Option<Duration>,
}

/// Suites that loaded without an error.
pub struct Loaded {
    /// In the order of their files.
    pub suites: Vec<Suite>,
    /// What is probably not meant.
    pub warnings: Problems,
}

/// The names that suites may use.
#[derive(Clone, Copy)]
pub(super) struct Names {
    pub rules: &'static [Rule],
    pub formats: fn() -> Vec<&'static str>,
}

/// Loads the suites at `paths`: files, and folders with every `*.toml` below them. All problems of all files are
/// returned at once, sorted by file and position.
pub fn load(paths: &[PathBuf], env: &Env<'_>) -> Result<Loaded, Problems> {
    let formats = || crate::formats::FORMATS.iter().map(|f| f.name()).collect();
    load_with(paths, env, Names { rules: crate::checks::RULES, formats })
}

pub(super) fn load_with(paths: &[PathBuf], env: &Env<'_>, names: Names) -> Result<Loaded, Problems> {
    let mut tree = Tree::default();
    for path in paths {
        tree.add(path, env.vars);
    }
    let Tree { sources, files, mut early, found, .. } = tree;
    let mut sink = Sink::new(&sources);
    let tables: Vec<DeTable<'_>> = sources.iter().map(|source| parse(source, &mut sink)).collect();
    let mut suites: Vec<(String, Pos, Suite)> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        for (pos, message, help) in &file.problems {
            sink.error(pos, message.clone(), help.clone());
        }
        if file.asked != Asked::Suite {
            continue;
        }
        let mut order = Order { files: &files, sources: &sources, layers: Vec::new(), chain: Vec::new() };
        order.visit(index, &mut sink);
        let layers: Vec<Layer<'_>> =
            order.layers.iter().map(|&i| Layer { source: &sources[i], table: &tables[i] }).collect();
        if let Some((pos, suite)) = Resolver::new(env, names, &layers, &mut sink).resolve() {
            match suites.iter().find(|(name, ..)| *name == suite.name) {
                Some((name, first, _)) => {
                    let help = format!("the first is at {}", sink.location(first));
                    sink.error(&pos, format!("there is already a suite called `{name}`"), help);
                }
                None => suites.push((suite.name.clone(), pos, suite)),
            }
        }
    }
    let nothing = !early.has_errors() && !sink.problems.has_errors() && suites.is_empty();
    if nothing {
        let place = paths.first().map(|p| display(p)).unwrap_or_default();
        let help =
            if found == 0 { "a suite is a .toml file with a [suite] table" } else { "only fragments were found" };
        early.add(whole_file(&place, "no suite here", Some(help)));
    }
    early.append(sink.problems);
    early.sort();
    if early.has_errors() {
        return Err(early);
    }
    Ok(Loaded { suites: suites.into_iter().map(|(_, _, suite)| suite).collect(), warnings: early })
}

fn whole_file(file: &str, message: &str, help: Option<&str>) -> Problem {
    let (message, help) = (message.to_owned(), help.map(str::to_owned));
    Problem { file: file.to_owned(), span: None, message, help, severity: Severity::Error }
}

/// What a file is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// It is a suite to load.
    Suite,
    /// A suite or another fragment extends it.
    Fragment,
    /// It was met and is not looked at further.
    Nothing,
}

/// A problem of a file at a shared position.
type Fault = (Pos, String, Option<String>);

/// What is known of a file before suites are assembled.
struct File {
    asked: Asked,
    fragment: bool,
    /// Fragments it extends, with where that is written.
    extends: Vec<(Pos, usize)>,
    problems: Vec<Fault>,
}

/// The files of a folder that may be suites, in order: TOML, but the settings, and nothing that is hidden. `Err` is what
/// could not be walked.
pub fn files_in(folder: &Path) -> impl Iterator<Item = walkdir::Result<PathBuf>> {
    let hidden = |e: &walkdir::DirEntry| e.depth() > 0 && e.file_name().to_string_lossy().starts_with('.');
    let walk = walkdir::WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
    walk.filter_entry(move |e| !hidden(e)).filter_map(|entry| {
        let entry = match entry {
            Ok(entry) => entry,
            Err(why) => return Some(Err(why)),
        };
        let path = entry.path();
        let toml = path.extension().is_some_and(|e| e == "toml");
        let is_one = entry.file_type().is_file() && toml && path.file_name().is_some_and(|n| n != "seatrial.toml");
        is_one.then(|| Ok(path.to_owned()))
    })
}

/// Every file of a load.
#[derive(Default)]
struct Tree {
    sources: Vec<Source>,
    files: Vec<File>,
    by_path: HashMap<PathBuf, usize>,
    /// Problems of what is not a TOML text: paths that are not there, folders that cannot be walked.
    early: Problems,
    /// How many TOML files were met.
    found: usize,
}

impl Tree {
    /// Adds what the user named.
    fn add(&mut self, path: &Path, vars: Vars<'_>) {
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => self.add_folder(path, vars),
            Ok(_) => self.add_suite(path, true, vars),
            Err(_) => {
                let help = near(path).map(|near| format!("did you mean `{near}`?"));
                self.early.add(whole_file(&display(path), "there is no such file or folder", help.as_deref()));
            }
        }
    }

    fn add_folder(&mut self, folder: &Path, vars: Vars<'_>) {
        for found in files_in(folder) {
            match found {
                Ok(path) => self.add_suite(&path, false, vars),
                Err(error) => {
                    let place = error.path().unwrap_or(folder);
                    let message = match error.loop_ancestor() {
                        Some(_) => "a symbolic link that leads back to a folder above it".to_owned(),
                        None => format!("cannot be read: {error}"),
                    };
                    self.early.add(whole_file(&display(place), &message, None));
                }
            }
        }
    }

    fn add_suite(&mut self, path: &Path, named: bool, vars: Vars<'_>) {
        self.found += 1;
        let index = match self.read(path) {
            Ok(index) => index,
            Err(why) => {
                self.early.add(whole_file(&display(path), &format!("cannot be read: {why}"), None));
                return;
            }
        };
        if !self.files[index].fragment {
            self.files[index].asked = Asked::Suite;
        } else if named {
            let start = self.sources[index].start();
            let help = "run the suites that extend it, or the folder they are in".to_owned();
            self.files[index].problems.push((start, "a fragment is not a suite".to_owned(), Some(help)));
        }
        self.follow(index, vars);
    }

    /// Reads a file, once.
    fn read(&mut self, path: &Path) -> Result<usize, String> {
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Some(&known) = self.by_path.get(&real) {
            return Ok(known);
        }
        let bytes = read_capped(path)?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            format!("not UTF-8 at byte {at}")
        })?;
        let base = self.sources.last().map_or(0, |s| s.base + s.text.len() + 1);
        self.sources.push(Source {
            name: display(path),
            path: path.to_owned(),
            text: Arc::from(text),
            base,
            lines: OnceCell::new(),
        });
        let index = self.files.len();
        let source = &self.sources[index];
        let table = parse(source, &mut Sink::new(&[]));
        let fragment = table.iter().next().is_some_and(|(key, _)| key.get_ref() == "fragment");
        self.files.push(File { asked: Asked::Nothing, fragment, extends: Vec::new(), problems: Vec::new() });
        self.by_path.insert(real, index);
        Ok(index)
    }

    /// Reads what a file extends, and what that extends in turn.
    fn follow(&mut self, first: usize, vars: Vars<'_>) {
        let mut left = vec![first];
        while let Some(index) = left.pop() {
            if !self.files[index].extends.is_empty() {
                continue;
            }
            for (pos, text) in self.entries(index) {
                let dir = self.sources[index].dir();
                let target = match PathText::new(&text).and_then(|t| t.fill(vars)) {
                    Ok(target) => dir.join(target),
                    Err((message, help)) => {
                        self.files[index].problems.push((pos, message, help));
                        continue;
                    }
                };
                match self.read(&target) {
                    Ok(next) => {
                        if self.files[next].asked == Asked::Nothing && self.files[next].fragment {
                            self.files[next].asked = Asked::Fragment;
                        }
                        self.files[index].extends.push((pos, next));
                        left.push(next);
                    }
                    Err(why) => {
                        let near = near(&target).filter(|_| !Template::is_in(&text));
                        let help = near.map(|near| format!("did you mean `{near}`?"));
                        self.files[index].problems.push((pos, format!("cannot extend `{text}`: {why}"), help));
                    }
                }
            }
        }
    }

    /// The strings in `extends`; anything else is reported when the table is read.
    fn entries(&self, index: usize) -> Vec<(Pos, String)> {
        let table = parse(&self.sources[index], &mut Sink::new(&[]));
        let head = if self.files[index].fragment { "fragment" } else { "suite" };
        let Some(DeValue::Table(head)) = table.get(head).map(|v| v.get_ref()) else { return Vec::new() };
        let Some(DeValue::Array(items)) = head.get("extends").map(|v| v.get_ref()) else { return Vec::new() };
        let text = |item: &toml::Spanned<DeValue<'_>>| Some((item.span(), item.get_ref().as_str()?.to_owned()));
        items.iter().filter_map(text).collect()
    }
}

/// Puts a suite's fragments in order: what a file extends comes before it, each file once.
struct Order<'t> {
    files: &'t [File],
    sources: &'t [Source],
    layers: Vec<usize>,
    chain: Vec<usize>,
}

impl Order<'_> {
    fn visit(&mut self, index: usize, sink: &mut Sink<'_>) {
        self.chain.push(index);
        for (pos, next) in &self.files[index].extends {
            let name = &self.sources[*next].name;
            if self.chain.contains(next) {
                let start = self.chain.iter().position(|i| i == next).unwrap_or(0);
                let chain = self.chain[start..].iter().chain([next]);
                let names: Vec<_> = chain.map(|&i| format!("`{}`", self.sources[i].name)).collect();
                sink.error(pos, format!("`extends` goes in a circle: {}", names.join(" extends ")), None);
            } else if !self.files[*next].fragment {
                let help = "what several suites share goes into a file whose first table is [fragment]".to_owned();
                sink.error(pos, format!("`{name}` is not a fragment"), help);
            } else if !self.layers.contains(next) {
                self.visit(*next, sink);
            }
        }
        self.chain.pop();
        self.layers.push(index);
    }
}

/// What is wrong with an id or name; `None` when nothing is.
pub(super) fn bad_id(id: &str) -> Option<String> {
    const LONGEST: usize = 200;
    if id.trim().is_empty() {
        return Some("it is empty".to_owned());
    }
    if id.len() > LONGEST {
        return Some(format!("it is longer than {LONGEST} bytes"));
    }
    id.chars().any(char::is_control).then(|| "it holds control characters".to_owned())
}
