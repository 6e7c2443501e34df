//! How far back rules look, and what that makes a watch keep: whoever asks for more than is kept would never be answered,
//! so it is refused when the suite is read.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Alert, Measure};

/// The longest that rules may look back: as long as sessions are known, unless somebody says otherwise.
pub const FURTHEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// What the windows of one suite may take, in cells: about 250 bytes each.
pub const MOST_CELLS: u64 = 1_000_000;

/// Cells of a window that are there whatever rules ask for: all its sessions together.
const WHOLE: u64 = 24;

/// Cells of a number of which all values are known, by a sketch.
const SKETCH: u64 = 32;

/// What windows keep of their past for a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Want {
    /// The measure.
    pub measure: Measure,
    /// Whether percentiles are taken over several windows at once: then single ones do not tell them.
    pub merged: bool,
}

/// What the rules of a suite want of windows that are `every` long; each once.
pub fn wants(alerts: &[Alert], every: Duration) -> Vec<Want> {
    let want = |alert: &Alert| {
        let measure = alert.rule.measure().clone();
        let percentile = measure.stat.as_deref().is_some_and(|stat| stat.starts_with('p'));
        Want { merged: percentile && alert.rule.at_once(every) > every, measure }
    };
    alerts.iter().map(want).collect::<BTreeSet<_>>().into_iter().collect()
}

/// How far back the rules of a suite look from a window's end.
pub fn back(alerts: &[Alert], every: Duration) -> Duration {
    alerts.iter().map(|alert| alert.rule.back(every)).max().unwrap_or_default()
}

/// What windows of the past may take for the rules of a suite, in cells.
pub fn cells(alerts: &[Alert], every: Duration, groups: usize) -> u64 {
    let windows = back(alerts, every).as_millis().div_ceil(every.as_millis().max(1));
    let of = |want: &Want| {
        let each = if want.merged { SKETCH } else { 1 };
        // Beside those that are told apart, all others together.
        each * if want.measure.by.is_some() { groups as u64 + 1 } else { 1 }
    };
    let each: u64 = WHOLE + wants(alerts, every).iter().map(of).sum::<u64>();
    u64::try_from(windows).unwrap_or(u64::MAX).saturating_mul(each)
}
