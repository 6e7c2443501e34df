//! The system checks of a suite, asked once all sessions are folded: those of a suite that is at hand, or, once people have
//! decided over verdicts that they are computed from, those that a record holds the parameters of.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use crate::checks::build::{Build, Files, Kit};
use crate::checks::system::past::{Against, Past};
use crate::checks::system::{Around, Bound, Column, SystemFinding, Window};
use crate::checks::{self, Compiled, SystemCheck};
use crate::eval::baseline::{Baseline, Found};
use crate::eval::evaluate;
use crate::eval::event::{CheckPlan, ColumnPlan, SuitePlan};
use crate::eval::fold::SuiteFold;
use crate::eval::plan::Planned;
use crate::eval::prints;
use crate::model::{Level, Status};

/// A system check that is asked, with the columns that it sees.
struct Asked<'a> {
    index: usize,
    check: &'a dyn SystemCheck,
    columns: Vec<ColumnPlan>,
}

/// Asks every system check; whether one panicked.
pub fn decide(planned: &Planned<'_>, fold: &SuiteFold<'_>) -> (Vec<(u32, SystemFinding)>, bool) {
    let asked = planned.system_checks().map(|(index, check)| Asked {
        index,
        check,
        columns: planned.columns_of(index, check).iter().map(|c| planned.column_plan(c)).collect(),
    });
    ask(&planned.plan, asked.collect(), fold)
}

/// Asks the system checks again that are computed from verdicts of others, from what the record holds of them. Whether one
/// panicked.
pub fn decide_again(plan: &SuitePlan, fold: &SuiteFold<'_>) -> (Vec<(u32, SystemFinding)>, bool) {
    let checks = plan.checks.iter().enumerate().filter(|(_, c)| c.level == Level::System && !c.inactive);
    let again = checks.filter_map(|(index, check)| Some((index, check, check.parameters.as_ref()?)));
    let built: Vec<_> = again.map(|(index, check, given)| (index, check, build(check, given))).collect();
    let asked = built.iter().filter_map(|(index, plan_of, built)| {
        let check = &**built.as_ref().ok()?;
        let column = |column: Column| {
            // Over the sessions that its own `on` selects, where it has one.
            let own = ColumnPlan { column: column.clone(), on: Some(plan_of.id.clone()) };
            if plan.columns.contains(&own) { own } else { ColumnPlan { column, on: None } }
        };
        Some(Asked { index: *index, check, columns: check.columns().into_iter().map(column).collect() })
    });
    let (mut found, panicked) = ask(plan, asked.collect(), fold);
    let unbuilt = built.iter().filter_map(|(index, _, built)| Some((*index as u32, built.as_ref().err()?.clone())));
    found.extend(unbuilt.map(|(index, why)| (index, unknown(why))));
    (found, panicked)
}

/// A system check from its parameters; `Err` says why it cannot be asked again.
fn build(plan: &CheckPlan, parameters: &serde_json::Value) -> Result<Box<dyn SystemCheck>, String> {
    /// What such checks name, they do not read.
    struct Unread;
    impl Files for Unread {
        fn read(&self, path: &Path) -> Result<Arc<[u8]>, String> {
            Err(format!("`{}` is not read again", path.display()))
        }
    }
    let why = |why: String| format!("people have decided over verdicts behind it, and it cannot be asked again: {why}");
    let rule = checks::rule(&plan.check).ok_or_else(|| why(format!("there is no rule `{}`", plan.check)))?;
    let kit = Kit::default();
    let mut build = Build { level: Level::System, files: &Unread, kit: &kit, problems: Vec::new() };
    match (rule.from_json)(parameters.clone(), &mut build) {
        Ok(Some((Compiled::System(check), _))) => Ok(check),
        Ok(_) => Err(why(build.problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; "))),
        Err(wrong) => Err(why(wrong.to_string())),
    }
}

fn ask(plan: &SuitePlan, asked: Vec<Asked<'_>>, fold: &SuiteFold<'_>) -> (Vec<(u32, SystemFinding)>, bool) {
    let check_index = |id: &str| plan.checks.iter().position(|c| c.id == id).map(|i| i as u32);
    let position = |column: &ColumnPlan| plan.columns.iter().position(|c| c == column);
    let (mut found, mut panicked) = (Vec::new(), false);
    for Asked { index, check, columns: declared } in &asked {
        let columns = declared.iter().filter_map(position).filter_map(|i| fold.columns.get(i)).collect();
        let around = Near { plan, fold, columns: declared, check: *check };
        let cases = &fold.cases;
        let window = Window { columns, cases, check_index: &check_index, around: &around };
        let finding = catch_unwind(AssertUnwindSafe(|| check.decide(&window))).unwrap_or_else(|_| {
            panicked = true;
            unknown(format!("a bug in seatrial: the check panicked: {}", evaluate::last_panic()))
        });
        found.push((*index as u32, noted(finding, &around)));
    }
    (found, panicked)
}

/// Could not be asked. What it is held to is not known: it may not be taken for one that only reports.
fn unknown(why: String) -> SystemFinding {
    SystemFinding { bound: Some(Bound::default()), ..SystemFinding::error(why) }
}

/// With what must be known of the earlier run that the finding is against.
fn noted(mut finding: SystemFinding, around: &Near<'_>) -> SystemFinding {
    let note = around.earlier().ok().and_then(|(_, earlier)| prints::overlap(around.fold, earlier).note());
    // Where nothing could be compared, the reason says it already.
    if let Some(note) = note.filter(|_| finding.status != Status::Error || finding.inconclusive) {
        let joint = if finding.reason.is_empty() { "" } else { "; " };
        finding.reason.push_str(&format!("{joint}{note}"));
    }
    finding
}

/// What a check may ask for.
struct Near<'n> {
    plan: &'n SuitePlan,
    fold: &'n SuiteFold<'n>,
    columns: &'n [ColumnPlan],
    check: &'n dyn SystemCheck,
}

impl Around for Near<'_> {
    fn check_id(&self, index: u32) -> Option<&str> {
        self.plan.checks.get(index as usize).map(|c| c.id.as_str())
    }

    fn past(&self, column: &Column) -> Result<&Past, String> {
        let (name, earlier) = self.earlier()?;
        if let Some(why) = prints::overlap(self.fold, earlier).is_itself() {
            return Err(format!("the earlier run {name}: {why}"));
        }
        if let Some(why) = earlier.otherwise_priced(&column.metric, self.plan.prices()) {
            return Err(format!("the earlier run {name}: {why}"));
        }
        let wanted = self.columns.iter().find(|c| c.column == *column);
        wanted.and_then(|wanted| earlier.column(wanted)).ok_or_else(|| {
            format!(
                "the earlier run {name} did not measure {}: run it again with this suite, then compare",
                column.metric
            )
        })
    }
}

impl Near<'_> {
    /// The earlier run that the check is compared with, and how the suite names it.
    fn earlier(&self) -> Result<(&str, &Baseline), String> {
        let name = match self.check.against() {
            None => return Err("it is compared with no earlier run".to_owned()),
            Some(Against::Run { name, .. }) => name,
            Some(Against::Gate) => match &self.plan.gate.baseline {
                Some(bar) => &bar.run,
                None => return Err("the gate has no baseline: give `baseline` in [gate], or --baseline".to_owned()),
            },
        };
        match self.fold.baselines.get(name) {
            Some(Found::Baseline(baseline)) => Ok((name, baseline)),
            Some(Found::Labels(_)) => Err(format!("{name} is no run")),
            Some(Found::Missing(why) | Found::Refused(why)) => Err(format!("the earlier run {name}: {why}")),
            None => Err(format!("the earlier run {name} was not read")),
        }
    }
}
