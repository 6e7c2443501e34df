//! Templates at load: found in a table, parsed with their errors located, and tried with every declared case.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::problems::did_you_mean;
use super::raw::{Pos, Sink, span_at};
use super::template::{CompileError, Filled};
use super::{Case, Cases};
use crate::checks::build::Rule;
use crate::checks::context::json_value;
use crate::checks::jinja::Template;
use crate::model::Level;

/// A string with a template in it.
pub(super) struct Found {
    pub path: Vec<String>,
    pub text: String,
    pub pos: Pos,
}

/// Which names a template may start from.
#[derive(Clone, Copy)]
pub(super) enum Names {
    /// Those of a check's subject at a level.
    Subject(Level),
    /// Those that are known before subjects are selected.
    Selector,
}

impl Names {
    fn allowed(self) -> &'static [&'static str] {
        match self {
            Self::Subject(Level::Span) => &["case", "session", "turn", "span"],
            Self::Subject(Level::Turn) => &["case", "session", "turn"],
            Self::Subject(Level::Session) | Self::Selector => &["case", "session"],
            Self::Subject(Level::System) => &[],
        }
    }
}

/// Every string of a table with a template in it.
pub(super) fn find_templates(table: &DeTable<'_>) -> Vec<Found> {
    let mut out = Vec::new();
    let mut path = Vec::new();
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        find_in(value, &mut path, &mut out);
        path.pop();
    }
    out
}

/// The templates of a rule's own table, those left out that the rule renders itself.
pub(super) fn templates_of(rule: &Rule, table: &DeTable<'_>) -> Vec<Found> {
    let mut found = find_templates(table);
    found.retain(|f| f.path.first().is_none_or(|key| !rule.renders.contains(&key.as_str())));
    found
}

fn find_in(value: &toml::Spanned<DeValue<'_>>, path: &mut Vec<String>, out: &mut Vec<Found>) {
    match value.get_ref() {
        DeValue::String(text) if Template::is_in(text) => {
            out.push(Found { path: path.clone(), text: text.to_string(), pos: value.span() });
        }
        DeValue::Table(table) => {
            for (key, value) in table {
                path.push(key.get_ref().to_string());
                find_in(value, path, out);
                path.pop();
            }
        }
        DeValue::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                path.push(i.to_string());
                find_in(item, path, out);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Puts the text of templates that use no name at all in their place, and returns the others: `{% raw %}` makes a
/// literal, at every level.
pub(super) fn settle_constants(table: &mut DeTable<'_>, found: Vec<Found>) -> Vec<Found> {
    let mut rest = Vec::new();
    for template in found {
        match (template.constant(), value_at(table, &template.path)) {
            (Some(text), Some(place)) => *place = DeValue::String(text.into()),
            _ => rest.push(template),
        }
    }
    rest
}

fn value_at<'v, 'i>(table: &'v mut DeTable<'i>, path: &[String]) -> Option<&'v mut DeValue<'i>> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get_mut(first.as_str())?.get_mut(), |value, step| match value {
        DeValue::Table(table) => table.get_mut(step.as_str()).map(|v| v.get_mut()),
        DeValue::Array(items) => items.get_mut(step.parse::<usize>().ok()?).map(|v| v.get_mut()),
        _ => None,
    })
}

impl Found {
    /// What it renders to, when it uses no name and is a string.
    fn constant(&self) -> Option<String> {
        let template = Template::parse(&self.text).ok().filter(|t| t.names(false).is_empty())?;
        match template.render(&minijinja::Value::from(())) {
            Ok(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Parses it; what is wrong is reported at its place.
    pub fn parse(&self, names: Names, sink: &mut Sink<'_>) -> Option<Template> {
        let template = match Template::parse(&self.text) {
            Ok(template) => template,
            Err(error) => {
                let pos = self.narrowed(error.range, sink);
                let help = "to write braces literally, put them between {% raw %} and {% endraw %}".to_owned();
                sink.error(&pos, format!("bad template: {}", error.message), help);
                return None;
            }
        };
        let allowed = names.allowed();
        for root in template.roots() {
            if allowed.contains(&root.as_str()) {
                continue;
            }
            let (message, help) = unknown_name(&root, names);
            sink.error(&self.pos, message, help);
            return None;
        }
        if allowed.is_empty() {
            let (message, help) = unknown_name("", names);
            sink.error(&self.pos, message, help);
            return None;
        }
        Some(template)
    }

    /// The part of the string that a range means, when the string is written without escapes.
    fn narrowed(&self, range: Option<std::ops::Range<usize>>, sink: &Sink<'_>) -> Pos {
        let written = sink.text(&self.pos).and_then(|t| t.get(1..t.len().checked_sub(1)?));
        match range {
            Some(range) if written == Some(self.text.as_str()) => {
                self.pos.start + 1 + range.start..self.pos.start + 1 + range.end
            }
            _ => self.pos.clone(),
        }
    }
}

fn unknown_name(root: &str, names: Names) -> (String, String) {
    let allowed = names.allowed();
    if root == "env" {
        let help =
            "`{{ env.NAME }}` may be used in paths only: [recorded] paths, cases, extends, schema_file".to_owned();
        return ("environment variables cannot be used here".to_owned(), help);
    }
    if allowed.is_empty() {
        return (
            "a system check has no case or session to fill templates from".to_owned(),
            "to write braces literally, put them between {% raw %} and {% endraw %}".to_owned(),
        );
    }
    let help = did_you_mean(root, allowed.iter().copied())
        .unwrap_or_else(|| format!("a template starts from one of: {}", allowed.join(", ")));
    let message = match root {
        "turn" | "span" | "session" => format!("`{root}` is not known here"),
        _ => format!("unknown name `{root}` in a template"),
    };
    (message, help)
}

/// Renders a table for every case it applies to and tries to make something of it, when its templates need nothing but
/// the case. What fails is reported where the template stands, once per reason, naming the first case. False when
/// anything failed.
pub(super) fn try_cases(
    filled: &Filled,
    cases: Option<&Cases>,
    applies: impl Fn(usize, &Case) -> bool,
    table: &DeTable<'_>,
    whole: &Pos,
    sink: &mut Sink<'_>,
    mut make: impl FnMut(Value) -> Result<(), CompileError>,
) -> bool {
    let Some(cases) = cases else { return true };
    if filled.slots().iter().any(|(_, t)| t.roots().iter().any(|root| root != "case")) {
        return true;
    }
    let mut faults: BTreeMap<(usize, usize, String), Failing<'_>> = BTreeMap::new();
    for (_, case) in cases.list.iter().enumerate().filter(|(i, c)| c.skip.is_none() && applies(*i, c)) {
        if filled.slots().iter().any(|(_, t)| may_come_from_recording(t, case)) {
            continue;
        }
        for (pos, message, help) in try_case(filled, case, table, whole, &mut make) {
            let fault =
                faults.entry((pos.start, pos.end, message)).or_insert(Failing { case: &case.id, more: 0, help });
            fault.more += usize::from(fault.case != case.id);
        }
    }
    let fine = faults.is_empty();
    for ((start, end, message), Failing { case, more, help }) in faults {
        let whom = match more {
            0 => format!("for case `{case}`"),
            1 => format!("for case `{case}` and one more"),
            n => format!("for case `{case}` and {n} more"),
        };
        sink.error(&(start..end), format!("{message} ({whom})"), help);
    }
    fine
}

/// The first case that fails in some way, and how many more do.
struct Failing<'c> {
    case: &'c str,
    more: usize,
    help: Option<String>,
}

fn try_case(
    filled: &Filled,
    case: &Case,
    table: &DeTable<'_>,
    whole: &Pos,
    make: &mut impl FnMut(Value) -> Result<(), CompileError>,
) -> Vec<(Pos, String, Option<String>)> {
    let context = minijinja::Value::from_pairs([("case", json_value(&case.vars))]);
    let slot_pos = |i: usize| filled.slots().get(i).map_or_else(|| whole.clone(), |(p, _)| span_at(table, whole, p));
    let values = match filled.render(&context) {
        Ok(values) => values,
        Err(error) => return vec![(slot_pos(error.slot), error.message, None)],
    };
    match make(filled.with(values)) {
        Ok(()) => Vec::new(),
        Err(CompileError::Shape(message)) => {
            // serde does not say where in JSON it was; with one template there is no doubt.
            let pos = if filled.slots().len() == 1 { slot_pos(0) } else { whole.clone() };
            vec![(pos, message, None)]
        }
        Err(CompileError::Problems(problems)) => {
            let errors = problems.into_iter().filter(|p| !p.warning);
            errors.map(|p| (span_at(table, whole, &p.path), p.message, p.help)).collect()
        }
    }
}

/// Whether a template uses a part of the reference that the case does not declare: a recording may carry it.
fn may_come_from_recording(template: &Template, case: &Case) -> bool {
    let source = template.source();
    let lacks = |key: &&str| case.vars.get("reference").and_then(|r| r.get(*key)).is_none();
    source.contains("reference") && ["tools", "answer", "facts", "state"].iter().any(|k| source.contains(k) && lacks(k))
}
