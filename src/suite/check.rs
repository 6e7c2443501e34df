//! One check: from its table to a compiled [`CheckDef`].

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::common::{COMMON, CommonKeys, RunsIn};
use super::defaults::{Defaults, unknown_rule};
use super::files::{FilesAt, SuiteFiles, relative};
use super::jinja::Template;
use super::load::bad_id;
use super::own::{own_keys, type_check, without};
use super::paths::{PathText, Vars, is_path_key};
use super::raw::{Missing, Pos, Sink, collect_rest, key_pos, read_rest, read_table, span_at, table_json};
use super::rendering::{Found, Names, find_templates, settle_constants, templates_of, try_cases};
use super::template::{CompileError, Filled, On, Templated, TemplatedOn};
use super::words;
use super::{About, Case, Cases, CheckDef, Program, Require, digests};
use crate::checks::Compiled;
use crate::checks::build::{Build, BuildProblem, Files, Rule};
use crate::checks::detect::Detectors;
use crate::checks::prices::Prices;
use crate::checks::select::{Selector, SelectorProblem};
use crate::model::Level;
use crate::model::digest::Digest;

/// What the price table is called among the files behind a check.
pub(super) const PRICES: &str = "[prices]";

/// A check's table.
pub(super) struct CheckTable<'t> {
    /// `None` for a check of a case that does not say, or says what is no level, which was then reported.
    pub level: Option<Level>,
    pub table: &'t DeTable<'t>,
    pub whole: Pos,
    /// The case it belongs to.
    pub case: Option<usize>,
}

/// Makes checks from tables.
pub(super) struct Maker<'m, 't> {
    pub rules: &'static [Rule],
    pub detectors: Arc<Detectors>,
    pub prices: Arc<Prices>,
    pub files: &'m Arc<SuiteFiles>,
    pub vars: Vars<'m>,
    pub defaults: &'m Defaults<'t>,
    pub cases: Option<&'m Cases>,
    /// The parameters of each rule, once they were asked for.
    pub keys: RefCell<HashMap<&'static str, Rc<[String]>>>,
    /// Whether a check so far depends on the prices.
    pub priced: Cell<bool>,
}

/// A rule with its own part of a check's table, defaults included.
struct Own<'t> {
    rule: &'static Rule,
    table: DeTable<'t>,
    /// There were keys that nobody knows; what they were meant to say is then not missing.
    unknown: bool,
}

/// A check's table, split.
struct Split<'t> {
    common: DeTable<'t>,
    own: DeTable<'t>,
    on: Option<&'t Spanned<DeValue<'t>>>,
    /// There were keys that nobody knows; what they were meant to say is then not missing.
    unknown: bool,
}

impl<'t> Maker<'_, 't> {
    /// The check of a table; `None` when it is left out of a run, or wrong, which is then reported.
    pub fn make(&self, check: &CheckTable<'t>, sink: &mut Sink<'_>) -> Option<CheckDef> {
        let rule = self.rule(check, sink);
        let split = self.split(check, rule, sink);
        let common = self.common(check, &split.common, sink);
        let Some(level) = check.level else {
            if let Some(rule) = rule {
                type_check(rule, &split.own, &check.whole, sink);
            }
            return None;
        };
        let on_json = split.on.map(|v| super::raw::value_json(v.get_ref())).unwrap_or(Value::Null);
        let on = self.on(check, level, split.on, sink);
        let rule = rule?;
        let mut own = split.own;
        let dir = sink.source(&check.whole).map(|s| s.dir()).unwrap_or_default();
        let defaults_dirs = self.add_defaults(rule, &mut own);
        let written = table_json(&own);
        let paths_ok = self.fill_paths(rule, &mut own, &dir, &defaults_dirs, sink);
        if !paths_ok {
            type_check(rule, &own, &check.whole, sink);
            return None;
        }
        let files = self.files.at(dir);
        let own = Own { rule, table: own, unknown: split.unknown };
        let (program, tool_names, mut read) = self.program(check, level, &own, on.as_ref(), files, sink)?;
        if (rule.priced)(&written) {
            read.insert(PRICES.to_owned(), self.prices.digest());
            self.priced.set(true);
        }
        let (common, on) = (common?, on?);
        // These judge how cases went, not what sessions hold: a selector would be read and change nothing.
        if let Some(value) = split.on.filter(|_| over_cases(&program)) {
            let message = format!("`{}` is over all cases: it takes no `on`", rule.name);
            let help = "name a check that has the `on` in `of`, or a group of cases by `[[gate.group]]`".to_owned();
            sink.error(&value.span(), message, help);
        }
        let selected = on.fixed().map(Selector::tool_names).unwrap_or_default();
        let mut tool_names = tool_names;
        tool_names.extend(selected.into_iter().filter(|t| !tool_names.contains(t)).collect::<Vec<_>>());
        if common.runs_in.as_ref().is_some_and(|r| !r.contains(&RunsIn::Gate)) {
            return None;
        }
        let require = common.require.map_or(Require::All, |r| r.0);
        let case_id = check.case.and_then(|i| Some(self.cases?.list.get(i)?.id.as_str()));
        Some(CheckDef {
            digest: digests::check(rule, level, &written, &on_json, require, case_id, &read),
            id: common.id,
            level,
            rule: rule.name,
            severity: common.severity,
            optional: common.optional,
            tags: common.tags,
            about: About { description: common.description, owner: common.owner, link: common.link },
            on,
            require,
            case: check.case,
            program,
            tool_names,
            location: sink.location(&check.whole),
        })
    }

    /// The rule that a table names.
    fn rule(&self, check: &CheckTable<'_>, sink: &mut Sink<'_>) -> Option<&'static Rule> {
        let name = check.table.get("check")?;
        let text = name.get_ref().as_str()?;
        let Some(rule) = self.rules.iter().find(|r| r.name == text) else {
            unknown_rule(text, &name.span(), self.rules, sink);
            return None;
        };
        if let Some(level) = check.level.filter(|level| !rule.levels.contains(level)) {
            let levels = rule.levels.iter().map(|l| l.name()).collect::<Vec<_>>().join(", ");
            let message = format!("`{text}` is not a {} check", level.name());
            sink.error(&name.span(), message, format!("it works at: {levels}"));
        }
        Some(rule)
    }

    /// Splits a table into what every check has and what is the rule's own; other keys are reported.
    fn split(&self, check: &CheckTable<'t>, rule: Option<&'static Rule>, sink: &mut Sink<'_>) -> Split<'t> {
        let own_names = rule.map(|r| self.keys_of(r));
        let mut split = Split { common: DeTable::new(), own: DeTable::new(), on: None, unknown: false };
        for (key, value) in check.table {
            let name = key.get_ref().as_ref();
            match name {
                "on" => split.on = Some(value),
                "level" if check.case.is_some() => {}
                "review" => {
                    let help = "remove `review`".to_owned();
                    sink.error(&key.span(), "human review is not available in this version", help);
                }
                _ if COMMON.contains(&name) => {
                    split.common.insert(key.clone(), value.clone());
                }
                _ => match &own_names {
                    Some(own) if own.iter().any(|k| k == name) => {
                        split.own.insert(key.clone(), value.clone());
                    }
                    Some(own) => {
                        split.unknown = true;
                        self.unknown_key(name, &key.span(), rule, own, sink);
                    }
                    // Without a rule nobody can say whether the key is right.
                    None => {}
                },
            }
        }
        split
    }

    fn unknown_key(&self, key: &str, pos: &Pos, rule: Option<&Rule>, own: &[String], sink: &mut Sink<'_>) {
        let name = rule.map_or("", |r| r.name);
        let known: Vec<String> = own.iter().cloned().chain(COMMON.iter().map(|k| (*k).to_owned())).collect();
        let near = super::problems::did_you_mean(key, known.iter().map(String::as_str));
        let of_others: Vec<&str> =
            self.rules.iter().filter(|r| self.keys_of(r).iter().any(|k| k == key)).map(|r| r.name).collect();
        let takes = if own.is_empty() {
            format!("`{name}` has no parameters of its own")
        } else {
            format!("`{name}` takes {}", own.join(", "))
        };
        let help = if key == "level" {
            "the table says the level: [[span]], [[turn]], [[session]] or [[system]]".to_owned()
        } else if let Some(near) = near {
            near
        } else if !of_others.is_empty() {
            format!("it is a parameter of {}; {takes}", of_others.join(", "))
        } else if let Some(home) = words::home_of(key) {
            format!("`{key}` belongs in {home}")
        } else {
            takes
        };
        sink.error(pos, format!("unknown key `{key}` in `{name}`"), help);
    }

    fn common(&self, check: &CheckTable<'_>, table: &DeTable<'_>, sink: &mut Sink<'_>) -> Option<CommonKeys> {
        let common = {
            let absent: Vec<&str> = ["id", "check"].into_iter().filter(|key| !table.contains_key(*key)).collect();
            for key in &absent {
                sink.missing(&check.whole, format!("`{key}` is missing"), format!("add `{key} = \"...\"`"));
            }
            let missing = if absent.is_empty() { Missing::Reported } else { Missing::Tolerated };
            read_rest::<CommonKeys>(table, &check.whole, missing, sink)
        };
        let at = |key: &str| span_at(table, &check.whole, &[key.to_owned()]);
        if let Some(id) = table.get("id").and_then(|v| v.get_ref().as_str()) {
            if Template::is_in(id) {
                sink.error(&at("id"), "an id is never a template", None);
            } else if let Some(why) = bad_id(id) {
                sink.error(&at("id"), format!("the id cannot be used: {why}"), None);
            }
        }
        if let Some(level @ (Level::Session | Level::System)) = check.level
            && let Some((key, _)) = table.get_key_value("require")
        {
            let help = format!("remove it; a {} is one subject", level.name());
            sink.error(&key.span(), "`require` is for span and turn checks", help);
        }
        // As it is written: a value that is unknown was left out, and was reported.
        if matches!(table.get("runs_in").map(|v| v.get_ref()), Some(DeValue::Array(places)) if places.is_empty()) {
            sink.error(&at("runs_in"), "`runs_in` is empty", "one or both of \"gate\" and \"watch\"".to_owned());
        }
        common
    }

    /// The names of a rule's own parameters.
    fn keys_of(&self, rule: &'static Rule) -> Rc<[String]> {
        self.keys.borrow_mut().entry(rule.name).or_insert_with(|| own_keys(rule).into()).clone()
    }

    /// Adds the defaults of the rule for keys that the check lacks; the folders of those, by key.
    fn add_defaults(&self, rule: &Rule, own: &mut DeTable<'t>) -> BTreeMap<String, PathBuf> {
        let mut dirs = BTreeMap::new();
        for default in self.defaults.of(rule.name) {
            let key = default.key.get_ref().as_ref();
            if !own.contains_key(key) {
                dirs.insert(key.to_owned(), default.dir.clone());
                own.insert(default.key.clone(), default.value.clone());
            }
        }
        dirs
    }

    /// Puts environment variables into parameters that name files, and makes those that come from a fragment's
    /// defaults relative to the check's own folder. False when one is wrong.
    fn fill_paths(
        &self,
        rule: &Rule,
        own: &mut DeTable<'_>,
        dir: &Path,
        defaults: &BTreeMap<String, PathBuf>,
        sink: &mut Sink<'_>,
    ) -> bool {
        let mut ok = true;
        for (key, value) in own.iter_mut() {
            let key = key.get_ref().to_string();
            if !is_path_key(rule, &key) {
                continue;
            }
            for value in one_or_many(value) {
                let pos = value.span();
                let DeValue::String(text) = value.get_mut() else { continue };
                let from = defaults.get(&key).map_or(dir, PathBuf::as_path);
                ok &= self.fill_path(text, &pos, from, dir, sink);
            }
        }
        ok
    }

    /// Puts environment variables into one path that is written in the folder `from`, and makes it relative to `dir`.
    fn fill_path(&self, text: &mut DeString<'_>, pos: &Pos, from: &Path, dir: &Path, sink: &mut Sink<'_>) -> bool {
        let written = text.to_string();
        match PathText::new(&written).and_then(|p| p.fill(self.vars)) {
            Ok(path) => {
                let path = if from == dir { path } else { relative(&from.join(path), dir) };
                if Template::is_in(&written) {
                    self.files.name_as(dir.join(&path), &written);
                }
                *text = path.into();
                true
            }
            Err((message, help)) => {
                sink.error(pos, message, help);
                *text = String::new().into();
                false
            }
        }
    }

    /// Compiles the rule's own table: its program, the tools it is about, and digests of the files it read.
    fn program(
        &self,
        check: &CheckTable<'_>,
        level: Level,
        own: &Own<'_>,
        on: Option<&On>,
        files: FilesAt,
        sink: &mut Sink<'_>,
    ) -> Option<(Program, Vec<String>, BTreeMap<String, Digest>)> {
        let mut settled = Own { table: own.table.clone(), ..*own };
        let found = settle_constants(&mut settled.table, templates_of(own.rule, &own.table));
        let own = &settled;
        if found.is_empty() {
            let (compiled, names) = self.fixed(&check.whole, level, own, &files, sink)?;
            return Some((Program::Fixed(compiled), names, files.digests()));
        }
        type_check(own.rule, &own.table, &check.whole, sink);
        let slots = parse_templates(found, Names::Subject(level), sink)?;
        let filled = Filled::new(table_json(&own.table), slots);
        let templated = Templated::new(filled, own.rule, level, files, self.detectors.clone(), self.prices.clone());
        let mut names: Vec<String> = Vec::new();
        let applies = |i: usize, case: &Case| check.case.is_none_or(|only| only == i) && looks_at(on, case);
        let fine = try_cases(templated.filled(), self.cases, applies, &own.table, &check.whole, sink, |table| {
            let (_, tools) = templated.compile(table)?;
            names.extend(tools.into_iter().filter(|t| !names.contains(t)).collect::<Vec<_>>());
            Ok(())
        });
        let read = templated.files().digests();
        fine.then_some((Program::Templated(Box::new(templated)), names, read))
    }

    fn fixed(
        &self,
        whole: &Pos,
        level: Level,
        own: &Own<'_>,
        files: &dyn Files,
        sink: &mut Sink<'_>,
    ) -> Option<(crate::checks::Compiled, Vec<String>)> {
        let mut problems: Vec<BuildProblem> = Vec::new();
        let missing = if own.unknown { Missing::Tolerated } else { Missing::Reported };
        let (built, dropped) = collect_rest(&own.table, whole, missing, sink, |table| {
            let mut build =
                Build { level, files, detectors: &self.detectors, prices: &self.prices, problems: Vec::new() };
            let built = (own.rule.from_toml)(table, &mut build);
            problems = build.problems;
            built
        })?;
        // What a rule has to say of a table from which something was dropped may only follow from that.
        let partial = own.unknown || !dropped.is_empty();
        let follows = |p: &BuildProblem| {
            partial && (p.path.is_empty() || dropped.iter().any(|key| p.message.contains(&format!("`{key}`"))))
        };
        for problem in problems.into_iter().filter(|p| !follows(p)) {
            let pos = span_at(&own.table, whole, &problem.path);
            if problem.warning {
                sink.warn(&pos, problem.message, problem.help);
            } else {
                sink.error(&pos, problem.message, problem.help);
            }
        }
        built.filter(|_| dropped.is_empty())
    }

    fn on(
        &self,
        check: &CheckTable<'_>,
        level: Level,
        on: Option<&Spanned<DeValue<'_>>>,
        sink: &mut Sink<'_>,
    ) -> Option<On> {
        let Some(value) = on else { return Some(On::Fixed(Box::default())) };
        let whole = value.span();
        let DeValue::Table(table) = value.get_ref() else {
            let help = "such as `on = { kind = \"tool\", name = \"book_*\" }`".to_owned();
            sink.error(&whole, "`on` is a table", help);
            return None;
        };
        let mut settled = table.clone();
        let found = settle_constants(&mut settled, find_templates(table));
        let table = &settled;
        if found.is_empty() {
            let selector = read_table::<Selector>(table, &whole, Missing::Reported, sink)?;
            for problem in selector.problems(level) {
                sink.error(&key_pos(table, problem.key, &whole), problem.message, problem.help);
            }
            return Some(On::Fixed(Box::new(selector)));
        }
        let literal = without(table, &found);
        read_table::<Selector>(&literal, &whole, Missing::Tolerated, sink);
        let slots = parse_templates(found, Names::Selector, sink)?;
        let applies = |i: usize, _: &Case| check.case.is_none_or(|only| only == i);
        let on = TemplatedOn::new(Filled::new(table_json(table), slots));
        let fine = try_cases(on.filled(), self.cases, applies, table, &whole, sink, |table| {
            let selector = on.selector(table).map_err(CompileError::Shape)?;
            let problems: Vec<_> = selector.problems(level).into_iter().map(on_problem).collect();
            if problems.is_empty() { Ok(()) } else { Err(CompileError::Problems(problems)) }
        });
        fine.then(|| On::Templated(Box::new(on)))
    }
}

/// Whether a check sees the outcomes of cases and no session.
fn over_cases(program: &Program) -> bool {
    matches!(program, Program::Fixed(Compiled::System(check)) if check.columns().is_empty())
}

/// Whether a check is sure to look at the sessions of a case, as far as the case decides. A session may have tags that
/// its case does not declare, and a selector may have templates: such cases are left to the run.
fn looks_at(on: Option<&On>, case: &Case) -> bool {
    match on {
        None => true,
        Some(On::Templated(_)) => false,
        Some(On::Fixed(on)) => {
            let tagged = |want: &crate::checks::select::Glob| case.tags.iter().any(|t| want.is_match(t));
            on.case.as_ref().is_none_or(|p| p.text(Some(&case.id)))
                && on.tags.as_ref().is_none_or(|want| want.0.iter().all(tagged))
        }
    }
}

/// A value, or the values of a list.
fn one_or_many<'v, 'i>(value: &'v mut Spanned<DeValue<'i>>) -> Vec<&'v mut Spanned<DeValue<'i>>> {
    match value.get_ref() {
        DeValue::Array(_) => match value.get_mut() {
            DeValue::Array(items) => items.iter_mut().collect(),
            _ => Vec::new(),
        },
        _ => vec![value],
    }
}

/// A selector's problem as one of its table.
fn on_problem(problem: SelectorProblem) -> BuildProblem {
    let path = vec![problem.key.to_owned()];
    BuildProblem { path, message: problem.message, help: Some(problem.help), warning: false }
}

/// A table's templates, parsed; `None` when one is wrong.
fn parse_templates(found: Vec<Found>, names: Names, sink: &mut Sink<'_>) -> Option<Vec<(Vec<String>, Template)>> {
    let count = found.len();
    let slots: Vec<_> = found.into_iter().filter_map(|f| Some((f.path.clone(), f.parse(names, sink)?))).collect();
    (slots.len() == count).then_some(slots)
}
