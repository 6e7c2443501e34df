//! The loader as a whole, over rules made for the tests: one folder of files in, suites or problems out.

mod checks;
mod good;
mod inherited;
mod problems;
mod templates;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::load::{Env, Loaded, Names, load_with};
use super::problems::Problems;
use super::{RunsIn, Subject, Suite};
use crate::checks::build::{Build, Example, Params, Rule, rule};
use crate::checks::matcher::Matcher;
use crate::checks::subject::{Scope, SpanSubject};
use crate::checks::system::{Column, SystemFinding, Window};
use crate::checks::{Compiled, ScopeCheck, SpanCheck, SystemCheck};
use crate::model::{Finding, Level};

/// The text says something.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Says {
    /// What.
    value: Option<String>,
    /// What, all of it.
    values: Option<Vec<String>>,
    /// Whether case matters.
    #[serde(default)]
    ignore_case: bool,
}

/// It takes no longer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Within {
    /// Milliseconds.
    max_ms: u64,
    /// Milliseconds.
    min_ms: Option<u64>,
}

/// The arguments match.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    /// The tool.
    tool: Option<String>,
    /// What the arguments are.
    is: Option<Matcher>,
    /// A file to look into.
    schema_file: Option<String>,
}

/// A number over everything.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Measure {
    /// Which number.
    metric: String,
    /// The check it is about.
    of: Option<String>,
    /// At most.
    max: Option<f64>,
}

struct Nothing;

impl SpanCheck for Nothing {
    fn check(&self, _: &SpanSubject<'_>) -> Finding {
        Finding::pass()
    }
}

impl ScopeCheck for Nothing {
    fn check(&self, _: &Scope<'_>) -> Finding {
        Finding::pass()
    }
}

impl SystemCheck for Nothing {
    fn columns(&self) -> Vec<Column> {
        Vec::new()
    }

    fn decide(&self, _: &Window<'_>) -> SystemFinding {
        unreachable!("the loader never decides")
    }
}

fn compiled(level: Level) -> Option<Compiled> {
    Some(match level {
        Level::Span => Compiled::Span(Box::new(Nothing)),
        Level::System => Compiled::System(Box::new(Nothing)),
        level => Compiled::scope(level, Nothing),
    })
}

const ONE: &[Example] = &[Example { check: "", passes: "", fails: "" }];

impl Params for Says {
    const NAME: &'static str = "says";
    const LEVELS: &'static [Level] = &[Level::Span, Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = ONE;

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if self.value.is_none() && self.values.is_none() {
            build.problem(&[], "`says` needs `value` or `values`", None);
        }
        if self.value.as_deref() == Some("") {
            build.problem(&["value"], "an empty text is in every text", None);
        }
        if self.ignore_case && self.values.as_ref().is_some_and(Vec::is_empty) {
            build.warn(&["values"], "`values` is empty", None);
        }
        compiled(build.level)
    }
}

impl Params for Within {
    const NAME: &'static str = "within";
    const LEVELS: &'static [Level] = &[Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = ONE;

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if self.min_ms.is_some_and(|min| min > self.max_ms) {
            build.problem(&["min_ms"], "`min_ms` is larger than `max_ms`", None);
        }
        compiled(build.level)
    }
}

impl Params for Args {
    const NAME: &'static str = "args";
    const LEVELS: &'static [Level] = &[Level::Span];
    const EXAMPLES: &'static [Example] = ONE;

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        assert!(self.is.is_none() || self.tool.as_deref() != Some("panic"));
        if let Some(path) = &self.schema_file {
            let bytes = build.read("schema_file", path)?;
            if serde_json::from_slice::<serde_json::Value>(&bytes).is_err() {
                build.problem(&["schema_file"], "not JSON", None);
            }
        }
        compiled(build.level)
    }

    fn tool_names(&self) -> Vec<String> {
        self.tool.iter().cloned().collect()
    }
}

impl Params for Measure {
    const NAME: &'static str = "measure";
    const LEVELS: &'static [Level] = &[Level::System];
    const EXAMPLES: &'static [Example] = ONE;

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if self.max.is_some_and(|max| max < 0.0) && self.metric.ends_with("_rate") {
            build.problem(&["max"], "a rate is never negative", None);
        }
        if self.of.as_deref() == Some("") {
            build.problem(&["of"], "`of` is empty", None);
        }
        compiled(build.level)
    }
}

static RULES: &[Rule] = &[rule::<Says>(), rule::<Within>(), rule::<Args>(), rule::<Measure>()];

/// Files in a folder of their own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load_as(&self, names: &[&str], change: impl FnOnce(&mut Env<'_>)) -> Result<Loaded, Problems> {
        let paths: Vec<PathBuf> = names.iter().map(|n| self.path(n)).collect();
        let vars = |name: &str| (name == "SEA").then(|| "deep".to_owned());
        let mut env = Env {
            kit: &std::sync::Arc::default(),
            vars: &vars,
            subject: None,
            redact: &Default::default(),
            sessions: None,
            place: RunsIn::Gate,
            every: None,
        };
        change(&mut env);
        load_with(&paths, &env, Names { rules: RULES, formats: || vec!["chat", "tau-bench"] })
    }

    fn load(&self, names: &[&str]) -> Result<Loaded, Problems> {
        self.load_as(names, |_| ())
    }

    /// The problems, drawn, with the folder's own path taken out.
    fn problems(&self, names: &[&str]) -> String {
        match self.load(names) {
            Ok(_) => "no problem".to_owned(),
            Err(problems) => self.tidy(&problems.render(false)),
        }
    }

    fn tidy(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// Loads one suite of one file; panics with its problems.
fn suite(text: &str) -> Suite {
    suite_of(&[("s.toml", text)])
}

/// Loads the one suite of several files.
fn suite_of(files: &[(&str, &str)]) -> Suite {
    let folder = Folder::new(files);
    match folder.load(&["."]) {
        Ok(mut loaded) => {
            assert_eq!(loaded.suites.len(), 1);
            loaded.suites.remove(0)
        }
        Err(problems) => panic!("{}", problems.render(false)),
    }
}

/// `line: message` of each problem of one suite, with its help in brackets.
fn faults(text: &str) -> Vec<String> {
    faults_of(&[("s.toml", text)])
}

/// `file:line: message [help]` of each problem; the file is left out when it is `s.toml`.
fn faults_of(files: &[(&str, &str)]) -> Vec<String> {
    let folder = Folder::new(files);
    match folder.load(&["."]) {
        Ok(_) => Vec::new(),
        Err(problems) => described(&folder, &problems),
    }
}

fn described(folder: &Folder, problems: &Problems) -> Vec<String> {
    let describe = |p: super::problems::ProblemLine<'_>| {
        let file = folder.tidy(p.file).replace("./", "").replace("s.toml", "");
        let line = p.line.map(|l| l.to_string()).unwrap_or_default();
        let place = if file.is_empty() { line } else { format!("{file}:{line}") };
        let help = p.help.map(|h| format!(" [{}]", folder.tidy(h).replace("./", ""))).unwrap_or_default();
        format!("{place}: {}{help}", folder.tidy(p.message).replace("./", ""))
    };
    problems.lines().into_iter().map(describe).collect()
}

/// A suite with a head, to which a test adds.
fn with_head(rest: &str) -> String {
    format!("[suite]\nname = \"s\"\n{rest}")
}

/// The subject that `--subject` would name.
fn subject(agent: &str) -> Subject {
    Subject { agent: agent.into(), version: None }
}
