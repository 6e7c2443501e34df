//! Which trials of which cases a system check is about.

use super::{Case, End, Prospect, Window};
use crate::model::Status;

/// A case's trials, as far as a check is about them.
pub struct Trials<'w> {
    /// The case.
    pub case: Case<'w>,
    /// Each trial that counts; a skipped one does not.
    pub each: Vec<Prospect>,
}

impl Trials<'_> {
    /// How many of them have this verdict now.
    pub fn count(&self, status: Status) -> u64 {
        self.each.iter().filter(|trial| trial.now == status).count() as u64
    }

    /// How many of them have it as people may decide.
    pub fn count_at(&self, end: End, status: Status) -> u64 {
        self.each.iter().filter(|trial| trial.at(end) == status).count() as u64
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
    let tagged = |case: &Case<'_>| tag.is_none_or(|tag| case.tags().iter().any(|t| t == tag));
    let mut cases = window.cases.iter().filter(tagged).peekable();
    if let (Some(tag), None) = (tag, cases.peek()) {
        return Err(format!("no case has the tag `{tag}`"));
    }
    let trials = cases.map(|case| {
        let prospects = case.trials().filter_map(|trial| trial.prospect(check));
        Trials { case, each: prospects.filter(|trial| trial.now != Status::Skip).collect() }
    });
    Ok(trials.filter(|t| !t.each.is_empty()).collect())
}
