//! One check: from its table to a compiled [`CheckDef`].

mod compiling;
mod filling;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::common::{COMMON, CommonKeys, RunsIn};
use super::defaults::{Defaults, unknown_rule};
use super::files::SuiteFiles;
use super::load::bad_id;
use super::own::{own_keys, type_check};
use super::paths::Vars;
use super::question::Question;
use super::raw::{Missing, Pos, Sink, read_rest, span_at, table_json};
use super::review::{self, Review};
use super::words;
use super::{About, Cases, CheckDef, Program, Require, digests};
use crate::checks::build::{Kit, Rule};
use crate::checks::expect::Wanted;
use crate::checks::jinja::Template;
use crate::checks::select::Selector;
use crate::checks::{Compiled, prices};
use crate::model::Level;

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
    pub kit: Arc<Kit>,
    pub files: &'m Arc<SuiteFiles>,
    pub vars: Vars<'m>,
    pub defaults: &'m Defaults<'t>,
    /// `[review]` of the suite.
    pub review: &'m Review,
    pub cases: Option<&'m Cases>,
    /// The parameters of each rule, once they were asked for.
    pub keys: RefCell<HashMap<&'static str, Rc<[String]>>>,
    /// Whether a check so far depends on the prices.
    pub priced: Cell<bool>,
    /// What the suite is loaded for.
    pub place: RunsIn,
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
            read.insert(prices::FILE.to_owned(), self.kit.prices.digest());
            self.priced.set(true);
        }
        let asks = (rule.asks)(&written);
        for asked in &asks {
            read.extend(self.kit.askable.behind(asked));
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
        if common.runs_in.as_ref().is_some_and(|r| !r.contains(&self.place)) {
            return None;
        }
        let compiled = match &program {
            Program::Fixed(compiled) => Some(compiled),
            Program::Templated(_) => None,
        };
        let checked = review::Checked {
            rule,
            level,
            compiled,
            asks: !asks.is_empty() || matches!(compiled, Some(Compiled::Asking(_))),
            at: span_at(&split.common, &check.whole, &["review".to_owned()]),
        };
        let routes = review::routes(common.review, self.review, &checked, &self.kit.detectors, sink);
        let question = (routes.is_some() || checked.asks).then(|| {
            let version = digests::check(rule, level, &written, &Value::Null, Require::All, None, &read);
            Question::of((rule.name, &common.description), &written, compiled, &asks, version)
        });
        let parameters = of_verdicts(compiled).then(|| written.clone());
        let require = common.require.map_or(Require::All, |r| r.0);
        let case_id = check.case.and_then(|i| Some(self.cases?.list.get(i)?.id.as_str()));
        Some(CheckDef {
            digest: digests::check(rule, level, &written, &on_json, require, case_id, &read),
            id: common.id,
            level,
            asks,
            wants: wanted(rule, &written, split.on.map(|_| &on_json)),
            rule: rule.name,
            severity: common.severity,
            optional: common.optional,
            tags: common.tags,
            about: About { description: common.description, owner: common.owner, link: common.link },
            on,
            require,
            review: routes,
            question,
            parameters,
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
}

/// Whether a check is computed from verdicts of others, which people may change later.
fn of_verdicts(compiled: Option<&Compiled>) -> bool {
    let Some(Compiled::System(check)) = compiled else { return false };
    let columns = check.columns();
    columns.is_empty() || columns.iter().any(|column| column.of.is_some())
}

/// Whether a check sees the outcomes of cases and no session.
fn over_cases(program: &Program) -> bool {
    matches!(program, Program::Fixed(Compiled::System(check)) if check.columns().is_empty())
}

/// What of a reference a check cannot do without: by its rule, or since its templates read it.
fn wanted(rule: &Rule, written: &Value, on: Option<&Value>) -> Option<Wanted> {
    fn read(value: &Value) -> Option<Wanted> {
        match value {
            Value::String(text) if text.contains("{{") || text.contains("{%") => Wanted::of_text(text),
            Value::Array(items) => items.iter().find_map(read),
            Value::Object(map) => map.values().find_map(read),
            _ => None,
        }
    }
    (rule.wants)(written).or_else(|| read(written)).or_else(|| on.and_then(read))
}
