//! The system checks of a suite, asked once all sessions are folded.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::checks::system::{SystemFinding, Window};
use crate::eval::evaluate;
use crate::eval::fold::SuiteFold;
use crate::eval::plan::{Planned, PlannedColumn};

/// Asks every system check; whether one panicked.
pub fn decide(planned: &Planned<'_>, fold: &SuiteFold<'_>) -> (Vec<(u32, SystemFinding)>, bool) {
    let check_index = |id: &str| planned.plan.checks.iter().position(|c| c.id == id).map(|i| i as u32);
    let position = |column: &PlannedColumn| planned.columns.iter().position(|c| c == column);
    let (mut found, mut panicked) = (Vec::new(), false);
    for (index, check) in planned.system_checks() {
        let declared = planned.columns_of(index, check);
        let columns = declared.iter().filter_map(position).filter_map(|i| fold.columns.get(i)).collect();
        let window = Window { columns, cases: &fold.cases, check_index: &check_index };
        let finding = catch_unwind(AssertUnwindSafe(|| check.decide(&window))).unwrap_or_else(|_| {
            panicked = true;
            SystemFinding::error(format!("a bug in seatrial: the check panicked: {}", evaluate::last_panic()))
        });
        found.push((index as u32, finding));
    }
    (found, panicked)
}
