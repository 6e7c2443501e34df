//! The declared cases of a suite: from its cases file and its `[[case]]` tables, with the checks of each.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::Cases;
use super::case_files::{CaseFile, FileCase, read_file};
use super::cases::CaseTable;
use super::check::CheckTable;
use super::paths::PathText;
use super::problems::{Problem, Severity, choice};
use super::raw::{Missing, Pos, read_table, span_at};
use super::resolve::{Layer, Resolver, section_pos};
use crate::checks::build::Files;
use crate::model::Level;

impl<'t> Resolver<'_, 't, '_> {
    /// The declared cases, and the tables of their own checks with the case's index.
    pub(super) fn cases(
        &mut self,
        own: &Layer<'t>,
        file: Option<String>,
    ) -> (Option<Cases>, Vec<(usize, CheckTable<'t>)>) {
        let declared = file.is_some() || own.table.contains_key("case");
        let mut list: Vec<CaseTable> = Vec::new();
        if let Some(file) = file {
            self.cases_file(own, &file, &mut list);
        }
        let from_file = list.len();
        let mut checks = Vec::new();
        let mut seen: HashMap<String, Pos> = HashMap::new();
        let Some(DeValue::Array(items)) = own.table.get("case").map(|v| v.get_ref()) else {
            return (declared.then(|| resolved(list)), checks);
        };
        for item in items.iter() {
            let DeValue::Table(table) = item.get_ref() else { continue };
            let whole = item.span();
            let Some(case) = self.inline_case(table, &whole) else {
                // Its checks are still looked at, as those of no case in particular.
                self.case_checks(table, usize::MAX, &mut checks);
                continue;
            };
            let pos = span_at(table, &whole, &["id".to_owned()]);
            if let Some(first) = seen.insert(case.id.clone(), pos.clone()) {
                let help = format!("the first is at {}", self.sink.location(&first));
                self.sink.error(&pos, format!("there is already a case `{}`", case.id), help);
                continue;
            }
            let index = match list[..from_file].iter().position(|c| c.id == case.id) {
                Some(index) => {
                    let under = std::mem::take(&mut list[index]);
                    list[index] = case.over(under);
                    index
                }
                None => {
                    list.push(case);
                    list.len() - 1
                }
            };
            self.case_checks(table, index, &mut checks);
        }
        (declared.then(|| resolved(list)), checks)
    }

    fn inline_case(&mut self, table: &DeTable<'_>, whole: &Pos) -> Option<CaseTable> {
        let mut table = table.clone();
        table.remove("check");
        let case = read_table::<CaseTable>(&table, whole, Missing::Reported, self.sink)?;
        for (path, message, help) in case.faults() {
            self.sink.error(&span_at(&table, whole, &path), message, help);
        }
        Some(case)
    }

    fn case_checks(&mut self, table: &'t DeTable<'t>, case: usize, out: &mut Vec<(usize, CheckTable<'t>)>) {
        let Some(value) = table.get("check") else { return };
        let DeValue::Array(items) = value.get_ref() else {
            return self.sink.error(&value.span(), "`check` is written [[case.check]]", None);
        };
        for item in items.iter() {
            let whole = item.span();
            let DeValue::Table(check) = item.get_ref() else {
                self.sink.error(&whole, "`check` is written [[case.check]]", None);
                continue;
            };
            let levels = ["span", "turn", "session"];
            let pos = span_at(check, &whole, &["level".to_owned()]);
            // Whatever the level was meant to be, the rest of the table can be looked at.
            let level = match check.get("level").map(|l| l.get_ref()) {
                None => {
                    let help = "add `level = \"span\"`, `\"turn\"` or `\"session\"`".to_owned();
                    self.sink.missing(&whole, "`level` is missing", help);
                    None
                }
                Some(DeValue::String(name)) if name == "system" => {
                    self.sink.error(&pos, "a system check looks at all sessions, not at those of one case", None);
                    None
                }
                Some(DeValue::String(name)) => {
                    let level = Level::ALL.into_iter().find(|l| l.name() == name);
                    if level.is_none() {
                        self.sink.error(&pos, format!("unknown level `{name}`"), choice(name, levels));
                    }
                    level
                }
                Some(_) => {
                    self.sink.error(&pos, "`level` is \"span\", \"turn\" or \"session\"", None);
                    None
                }
            };
            out.push((case, CheckTable { level, table: check, whole, case: Some(case) }));
        }
    }

    fn cases_file(&mut self, own: &Layer<'_>, written: &str, list: &mut Vec<CaseTable>) {
        let pos = section_pos(own, "suite", "cases");
        let path = match PathText::new(written).and_then(|p| p.fill(self.env.vars)) {
            Ok(path) => own.source.dir().join(path),
            Err((message, help)) => return self.sink.error(&pos, message, help),
        };
        if crate::checks::jinja::Template::is_in(written) {
            self.files.name_as(path.clone(), written);
        }
        let read = self
            .files
            .at("")
            .read(&path)
            .and_then(|bytes| String::from_utf8(bytes.to_vec()).map_err(|_| format!("`{written}` is not UTF-8")));
        let text = match read {
            Ok(text) => text,
            Err(why) => return self.sink.error(&pos, why, None),
        };
        let name = super::files::display(&path);
        let file = match read_file(&name, &text) {
            Ok(file) => file,
            Err(why) => return self.sink.error(&pos, format!("`{written}`: {why}"), None),
        };
        if file.cases.is_empty() {
            self.sink.error(&pos, format!("`{written}` holds no case"), None);
        }
        let faulty = self.file_cases(&name, file, list);
        if faulty {
            self.sink.problems.source(&name, Arc::from(text));
        }
    }

    /// Takes over the cases of a file; whether there was something to report.
    fn file_cases(&mut self, file: &str, content: CaseFile, list: &mut Vec<CaseTable>) -> bool {
        let mut seen: HashSet<String> = HashSet::new();
        let mut faulty = false;
        let problems = &mut self.sink.problems;
        let mut report = |place: &Range<usize>, message: String, help: Option<String>, severity: Severity| {
            faulty = true;
            problems.add(Problem { file: file.to_owned(), span: Some(place.clone()), message, help, severity });
        };
        for (place, warning) in content.warnings {
            report(&place, warning, None, Severity::Warning);
        }
        for FileCase { place, case } in content.cases {
            match case {
                Err(why) => report(&place, why, None, Severity::Error),
                Ok(case) => {
                    for (path, message, help) in case.faults() {
                        report(&place, format!("`{}`: {message}", path.join(".")), help, Severity::Error);
                    }
                    if !seen.insert(case.id.clone()) {
                        report(&place, format!("there is already a case `{}`", case.id), None, Severity::Error);
                    } else {
                        list.push(case);
                    }
                }
            }
        }
        faulty
    }
}

fn resolved(list: Vec<CaseTable>) -> Cases {
    Cases::new(list.into_iter().map(CaseTable::resolve).collect())
}
