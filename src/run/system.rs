//! The system checks of a suite, asked once all sessions are folded.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::checks::SystemCheck;
use crate::checks::system::past::{Against, Past};
use crate::checks::system::{Around, Column, SystemFinding, Window};
use crate::eval::baseline::{Baseline, Found};
use crate::eval::evaluate;
use crate::eval::fold::SuiteFold;
use crate::eval::plan::{Planned, PlannedColumn};
use crate::eval::prints;
use crate::model::Status;

/// Asks every system check; whether one panicked.
pub fn decide(planned: &Planned<'_>, fold: &SuiteFold<'_>) -> (Vec<(u32, SystemFinding)>, bool) {
    let check_index = |id: &str| planned.plan.checks.iter().position(|c| c.id == id).map(|i| i as u32);
    let position = |column: &PlannedColumn| planned.columns.iter().position(|c| c == column);
    let (mut found, mut panicked) = (Vec::new(), false);
    for (index, check) in planned.system_checks() {
        let declared = planned.columns_of(index, check);
        let columns = declared.iter().filter_map(position).filter_map(|i| fold.columns.get(i)).collect();
        let around = Near { planned, fold, index, check };
        let cases = &fold.cases;
        let window = Window { columns, cases, check_index: &check_index, around: &around };
        let finding = catch_unwind(AssertUnwindSafe(|| check.decide(&window))).unwrap_or_else(|_| {
            panicked = true;
            SystemFinding::error(format!("a bug in seatrial: the check panicked: {}", evaluate::last_panic()))
        });
        found.push((index as u32, noted(finding, &around)));
    }
    (found, panicked)
}

/// With what must be known of the earlier run that the finding is against.
fn noted(mut finding: SystemFinding, around: &Near<'_, '_>) -> SystemFinding {
    let note = around.earlier().ok().and_then(|(_, earlier)| prints::overlap(around.fold, earlier).note());
    // Where nothing could be compared, the reason says it already.
    if let Some(note) = note.filter(|_| finding.status != Status::Error || finding.inconclusive) {
        let joint = if finding.reason.is_empty() { "" } else { "; " };
        finding.reason.push_str(&format!("{joint}{note}"));
    }
    finding
}

/// What the check at a position may ask for.
struct Near<'n, 's> {
    planned: &'n Planned<'s>,
    fold: &'n SuiteFold<'n>,
    index: usize,
    check: &'n dyn SystemCheck,
}

impl Around for Near<'_, '_> {
    fn check_id(&self, index: u32) -> Option<&str> {
        self.planned.plan.checks.get(index as usize).map(|c| c.id.as_str())
    }

    fn past(&self, column: &Column) -> Result<&Past, String> {
        let (name, earlier) = self.earlier()?;
        if let Some(why) = prints::overlap(self.fold, earlier).is_itself() {
            return Err(format!("the earlier run {name}: {why}"));
        }
        let on = self.planned.columns_of(self.index, self.check).into_iter().find(|c| c.column == *column);
        let wanted = on.map(|column| self.planned.column_plan(&column));
        wanted.and_then(|wanted| earlier.column(&wanted)).ok_or_else(|| {
            format!(
                "the earlier run {name} did not measure {}: run it again with this suite, then compare",
                column.metric
            )
        })
    }
}

impl Near<'_, '_> {
    /// The earlier run that the check is compared with, and how the suite names it.
    fn earlier(&self) -> Result<(&str, &Baseline), String> {
        let name = match self.check.against() {
            None => return Err("it is compared with no earlier run".to_owned()),
            Some(Against::Run { name, .. }) => name,
            Some(Against::Gate) => match &self.planned.plan.gate.baseline {
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
