//! Which trials of which cases a system check is about.

use super::{CaseOutcome, TrialOutcome, Window};
use crate::model::Status;

/// A case's trials, as far as a check is about them.
pub struct Trials<'w> {
    /// The case.
    pub case: &'w CaseOutcome,
    /// The verdict of each trial that counts; a skipped one does not.
    pub statuses: Vec<Status>,
}

impl Trials<'_> {
    /// How many of them have this verdict.
    pub fn count(&self, status: Status) -> u64 {
        self.statuses.iter().filter(|s| **s == status).count() as u64
    }
}

/// The trials of every case that has any: of the check `of`, or of the whole case; of cases with the tag, when one is
/// given. A case to which the check never applied is not among them.
///
/// # Errors
/// When there is no such check, or no case has the tag: a name that matches nothing must not go unnoticed.
pub fn select<'w>(window: &Window<'w>, of: Option<&str>, tag: Option<&str>) -> Result<Vec<Trials<'w>>, String> {
    let check = match of {
        Some(id) => Some((window.check_index)(id).ok_or_else(|| format!("no check has the id `{id}`"))?),
        None => None,
    };
    let tagged = |case: &&CaseOutcome| tag.is_none_or(|tag| case.tags.iter().any(|t| t == tag));
    let cases: Vec<&'w CaseOutcome> = window.cases.iter().filter(tagged).collect();
    if let (Some(tag), true) = (tag, cases.is_empty()) {
        return Err(format!("no case has the tag `{tag}`"));
    }
    let trials = cases.into_iter().map(|case| {
        let verdicts = case.trials.iter().filter_map(|trial| verdict(trial, check));
        Trials { case, statuses: verdicts.filter(|s| *s != Status::Skip).collect() }
    });
    Ok(trials.filter(|t| !t.statuses.is_empty()).collect())
}

/// The verdict of one trial; `None` when the check did not apply to it.
fn verdict(trial: &TrialOutcome, check: Option<u32>) -> Option<Status> {
    let Some(check) = check else { return Some(trial.status) };
    let found = trial.checks.iter().find(|(index, _)| *index == check).map(|(_, status)| *status);
    // Nothing at all could be said of a trial that is missing or could not be read, so nor of this check.
    found.or_else(|| (trial.checks.is_empty() && trial.status == Status::Error).then_some(Status::Error))
}
