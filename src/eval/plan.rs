//! From a resolved suite and a filter to the plan that the record keeps.

use std::collections::HashSet;

use super::baseline::Wanted;
use super::earlier::Earlier;
use super::event::{CasePlan, CheckPlan, ColumnPlan, SuitePlan};
use super::remembered;
use crate::checks::askable::Asked;
use crate::checks::system::Column;
use crate::checks::system::past::Against;
use crate::checks::{Compiled, SystemCheck};
use crate::model::Level;
use crate::suite::filter::{Filter, FilterSubject, Tri};
use crate::suite::{BaselineBar, CheckDef, Program, Suite};

/// A suite with what the run needs of it.
pub struct Planned<'s> {
    /// The suite.
    pub suite: &'s Suite,
    /// What the record says of it.
    pub plan: SuitePlan,
    /// The columns of all its system checks, each once.
    pub columns: Vec<PlannedColumn>,
    /// What the run that it is compared with replied, where a check wants to know.
    pub earlier: Option<Earlier>,
    filter: Option<&'s Filter>,
    only: Option<&'s HashSet<String>>,
}

/// An earlier run that a suite is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierRun {
    /// The run as the suite names it.
    pub name: String,
    /// Where it is: its folder or its record.
    pub path: std::path::PathBuf,
    /// What is wanted of it.
    pub wanted: Wanted,
}

/// A column, over all sessions or over those that a check's `on` selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedColumn {
    /// The column.
    pub column: Column,
    /// The position of the check whose `on` says which sessions count; `None` when all do.
    pub on: Option<usize>,
}

impl<'s> Planned<'s> {
    /// Plans a suite; `None` when the filter takes all of it out.
    pub fn new(suite: &'s Suite, filter: Option<&'s Filter>) -> Option<Self> {
        Self::of_cases(suite, filter, None)
    }

    /// Plans a suite over some of its cases only, if `only` says which; then it is not asked what all sessions together
    /// are like.
    pub fn of_cases(suite: &'s Suite, filter: Option<&'s Filter>, only: Option<&'s HashSet<String>>) -> Option<Self> {
        if only.is_some_and(HashSet::is_empty) {
            return None;
        }
        let mut planned = Self { suite, plan: outline(suite), columns: Vec::new(), earlier: None, filter, only };
        let mut any = filter.is_none();
        for index in 0..suite.checks.len() {
            let part = only.is_some() && suite.checks[index].level == Level::System;
            let active = planned.matches(index, None) != Tri::No && !part;
            planned.plan.checks[index].inactive |= !active;
            any |= active && suite.checks[index].level != Level::System;
        }
        for index in 0..planned.plan.cases.as_ref().map_or(0, Vec::len) {
            let case = suite.cases.as_ref().map(|c| &c.list[index]);
            let kept = case.is_none_or(|c| planned.looks_at(&c.id, &suite.redactor.name(&c.id), &c.tags, Some(index)));
            if let Some(cases) = &mut planned.plan.cases {
                cases[index].filtered = !kept;
            }
        }
        if let Some(cases) = &planned.plan.cases {
            any &= cases.is_empty() || !cases.iter().all(|c| c.filtered);
        }
        for (index, check) in planned.system_checks() {
            if !planned.plan.checks[index].inactive {
                let wanted = planned.columns_of(index, check);
                let missing: Vec<_> = wanted.into_iter().filter(|c| !planned.columns.contains(c)).collect();
                planned.columns.extend(missing);
            }
        }
        for bar in suite.gate.baseline.iter().flat_map(|bar| &bar.means) {
            let column = PlannedColumn { column: remembered::column(&bar.metric), on: None };
            if !planned.columns.contains(&column) {
                planned.columns.push(column);
            }
        }
        planned.plan.columns = planned.columns.iter().map(|c| planned.column_plan(c)).collect();
        any.then_some(planned)
    }

    /// Whether a check of it wants to know what an earlier run replied.
    pub fn wants_earlier(&self) -> bool {
        let active = self.suite.checks.iter().zip(&self.plan.checks).filter(|(_, plan)| !plan.inactive);
        active.into_iter().any(|(check, _)| check.asks.contains(&Asked::Earlier))
    }

    /// What a later run must know of a column.
    pub fn column_plan(&self, column: &PlannedColumn) -> ColumnPlan {
        let on = column.on.and_then(|check| self.suite.checks.get(check)).map(|check| check.id.clone());
        ColumnPlan { column: column.column.clone(), on }
    }

    /// The earlier runs that the suite is compared with, each once: how it is named, where it is, and which columns of
    /// it are wanted.
    pub fn baselines(&self) -> Vec<EarlierRun> {
        let mut runs: Vec<EarlierRun> = self.plan.gate.baseline.iter().map(|bar| self.gate_baseline(bar)).collect();
        for against in self.system_checks().filter_map(|(_, check)| check.against()) {
            let Against::Run { name, path } = against else { continue };
            let columns = self.compared(against);
            match runs.iter_mut().find(|run| run.name == *name) {
                Some(EarlierRun { wanted: same, .. }) => {
                    let more: Vec<ColumnPlan> = columns.into_iter().filter(|c| !same.columns.contains(c)).collect();
                    same.columns.extend(more);
                }
                None => {
                    let wanted = Wanted { columns, means: Vec::new() };
                    runs.push(EarlierRun { name: name.clone(), path: path.clone(), wanted });
                }
            }
        }
        runs
    }

    /// The run behind a bar of the gate, with what the gate and the checks against its baseline want of it.
    pub fn gate_baseline(&self, bar: &BaselineBar) -> EarlierRun {
        let wanted = Wanted { columns: self.compared(&Against::Gate), ..Wanted::of_gate(bar) };
        EarlierRun { name: bar.run.clone(), path: bar.path.clone(), wanted }
    }

    /// The columns that the checks against one run compare.
    fn compared(&self, with: &Against) -> Vec<ColumnPlan> {
        let mut columns: Vec<ColumnPlan> = Vec::new();
        for (index, check) in self.system_checks().filter(|(_, check)| check.against() == Some(with)) {
            for column in self.columns_of(index, check).iter().map(|c| self.column_plan(c)) {
                if !columns.contains(&column) {
                    columns.push(column);
                }
            }
        }
        columns
    }

    /// The active system checks with their positions.
    pub fn system_checks(&self) -> impl Iterator<Item = (usize, &'s dyn SystemCheck)> + use<'s> {
        let inactive: Vec<bool> = self.plan.checks.iter().map(|c| c.inactive).collect();
        self.suite.checks.iter().enumerate().filter_map(move |(i, c)| match &c.program {
            Program::Fixed(Compiled::System(check)) if !inactive[i] => Some((i, &**check)),
            _ => None,
        })
    }

    /// The columns that the system check at a position declares, over the sessions that it selects.
    pub fn columns_of(&self, index: usize, check: &dyn SystemCheck) -> Vec<PlannedColumn> {
        let on = (!self.suite.checks[index].on.is_everything()).then_some(index);
        check.columns().into_iter().map(|column| PlannedColumn { column, on }).collect()
    }

    /// Whether any check below system level applies to a case; `written` is its name in records.
    pub fn looks_at(&self, case: &str, written: &str, tags: &[String], index: Option<usize>) -> bool {
        let wanted = self.only.is_none_or(|only| only.contains(written));
        wanted
            && (self.filter.is_none() || {
                let below = |c: &CheckDef| c.level != Level::System && c.case.is_none_or(|x| Some(x) == index);
                (0..self.suite.checks.len()).any(|i| below(&self.suite.checks[i]) && self.applies(i, case, tags))
            })
    }

    /// What takes a case out of the run, for a message; by its name in records.
    pub fn taken_out_by(&self, case: &str) -> &'static str {
        if self.only.is_some_and(|only| !only.contains(case)) { "--rerun" } else { "--filter" }
    }

    /// Whether a check applies to a case.
    pub fn applies(&self, check: usize, case: &str, tags: &[String]) -> bool {
        !self.plan.checks[check].inactive && self.matches(check, Some((case, tags))) == Tri::Yes
    }

    fn matches(&self, check: usize, case: Option<(&str, &[String])>) -> Tri {
        let Some(filter) = self.filter else { return Tri::Yes };
        let def = &self.suite.checks[check];
        filter.matches(&FilterSubject {
            suite: &self.suite.name,
            case: case.map(|(id, _)| id),
            check: Some(&def.id),
            level: Some(def.level),
            tags: &[&self.suite.tags, &def.tags, case.map_or(&[], |(_, tags)| tags)],
            all_tags: case.is_some(),
        })
    }
}

/// The earlier run that a check compares with.
pub fn against(check: &CheckDef) -> Option<&Against> {
    match &check.program {
        Program::Fixed(Compiled::System(system)) => system.against(),
        _ => None,
    }
}

fn outline(suite: &Suite) -> SuitePlan {
    let case = |index: usize| suite.cases.as_ref().map(|c| c.list[index].id.clone());
    let check = |c: &CheckDef| CheckPlan {
        id: c.id.clone(),
        level: c.level,
        check: c.rule.to_owned(),
        severity: c.severity,
        optional: c.optional,
        tags: c.tags.clone(),
        about: c.about.clone(),
        require: c.require,
        case: c.case.and_then(case),
        tool_names: c.tool_names.clone(),
        against: against(c).map(|against| against.name().to_owned()),
        review: c.review.as_ref().map(|routes| routes.review.clone()),
        question: c.question.clone(),
        parameters: c.parameters.clone(),
        digest: c.digest,
        location: c.location.clone(),
        inactive: false,
    };
    SuitePlan {
        name: suite.name.clone(),
        path: suite.path.display().to_string().replace('\\', "/"),
        description: suite.description.clone(),
        tags: suite.tags.clone(),
        tools: suite.tools.clone(),
        subject: suite.subject.clone(),
        digest: suite.digest,
        files: suite.files.clone(),
        trials: suite.trials,
        checks: suite.checks.iter().map(check).collect(),
        cases: suite.cases.as_ref().map(|cases| {
            cases
                .list
                .iter()
                .map(|c| CasePlan {
                    id: c.id.clone(),
                    tags: c.tags.clone(),
                    weight: c.weight,
                    skip: c.skip.clone(),
                    trials: c.trials,
                    expected_fail: c.expected_fail.clone(),
                    filtered: false,
                })
                .collect()
        }),
        gate: suite.gate.clone(),
        columns: Vec::new(),
        redact: suite.redactor.plan(),
    }
}
