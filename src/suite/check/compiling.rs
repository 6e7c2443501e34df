//! From a check's table to its program and its selector: at once where they are literal, by trying every case where they
//! hold templates.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;

use super::{CheckTable, Maker, Own};
use crate::checks::Compiled;
use crate::checks::build::{Build, BuildProblem, Files};
use crate::checks::jinja::Template;
use crate::checks::select::{Selector, SelectorProblem};
use crate::model::Level;
use crate::model::digest::Digest;
use crate::suite::files::FilesAt;
use crate::suite::own::{type_check, without};
use crate::suite::raw::{Missing, Pos, Sink, collect_rest, key_pos, read_table, span_at, table_json};
use crate::suite::rendering::{Found, Names, find_templates, settle_constants, templates_of, try_cases};
use crate::suite::template::{CompileError, Filled, On, Templated, TemplatedOn};
use crate::suite::{Case, Program};

impl Maker<'_, '_> {
    /// Compiles the rule's own table: its program, the tools it is about, and digests of the files it read.
    pub(super) fn program(
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
        let templated = Templated::new(filled, own.rule, level, files, self.kit.clone());
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
    ) -> Option<(Compiled, Vec<String>)> {
        let mut problems: Vec<BuildProblem> = Vec::new();
        let missing = if own.unknown { Missing::Tolerated } else { Missing::Reported };
        let (built, dropped) = collect_rest(&own.table, whole, missing, sink, |table| {
            let mut build = Build { level, files, kit: &self.kit, problems: Vec::new() };
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

    pub(super) fn on(
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
