//! Two runs of a suite side by side: paired by case, and by the digest of a check, so that only what was asked in the
//! same way is compared.

use std::collections::HashMap;

use super::baseline::{Baseline, PastCase};
use super::rollup;
use crate::model::Status;

/// A check that both runs have: its position then and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SameCheck {
    /// Position in the earlier run.
    pub before: usize,
    /// Position in the later run.
    pub after: usize,
}

/// A case in both runs, over as many trials as both have.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'b> {
    /// Then.
    pub before: &'b PastCase,
    /// Now.
    pub after: &'b PastCase,
}

/// The cases of two runs.
#[derive(Debug, Default)]
pub struct Paired<'b> {
    /// In both, in the order of the later run.
    pub pairs: Vec<Pair<'b>>,
    /// Only in the earlier run.
    pub gone: Vec<&'b PastCase>,
    /// Only in the later run.
    pub new: Vec<&'b PastCase>,
}

/// The checks that are the same in both runs: same id, same digest.
pub fn same_checks(before: &Baseline, after: &Baseline) -> Vec<SameCheck> {
    let then: HashMap<_, usize> = before.checks.iter().enumerate().map(|(i, c)| ((&*c.id, c.digest), i)).collect();
    let now = after.checks.iter().enumerate();
    now.filter_map(|(i, c)| Some(SameCheck { before: *then.get(&(&*c.id, c.digest))?, after: i })).collect()
}

/// Pairs the cases of two runs.
pub fn pair<'b>(before: &'b Baseline, after: &'b Baseline) -> Paired<'b> {
    let now: HashMap<&str, &PastCase> = after.cases.iter().map(|c| (&*c.id, c)).collect();
    let then: HashMap<&str, &PastCase> = before.cases.iter().map(|c| (&*c.id, c)).collect();
    let mut paired = Paired::default();
    for case in &after.cases {
        match then.get(&*case.id) {
            Some(before) => paired.pairs.push(Pair { before, after: case }),
            None => paired.new.push(case),
        }
    }
    paired.gone = before.cases.iter().filter(|c| !now.contains_key(&*c.id)).collect();
    paired
}

impl Pair<'_> {
    /// How many trials are compared: a case with more trials passes less easily, so that the first of each run are
    /// taken, as many as both have. Where one run has none at all, nothing is made easier by taking those of the other.
    pub fn trials(&self) -> usize {
        let (before, after) = (self.before.trials.len(), self.after.trials.len());
        if before.min(after) == 0 { before.max(after) } else { before.min(after) }
    }

    /// Whether one run has more trials of the case than the other.
    pub fn is_uneven(&self) -> bool {
        self.before.trials.len() != self.after.trials.len()
    }

    /// The case by some of the checks, then and now.
    pub fn statuses(&self, checks: &[SameCheck]) -> (Status, Status) {
        let n = self.trials();
        (status(self.before, n, checks.iter().map(|c| c.before)), status(self.after, n, checks.iter().map(|c| c.after)))
    }
}

/// A case by its first trials and some of the checks: it passes when all of them do. A missing trial could not be
/// measured.
fn status(case: &PastCase, trials: usize, checks: impl Iterator<Item = usize> + Clone) -> Status {
    let missing = (case.missing > 0).then_some(Status::Error);
    rollup::all(case.trials.iter().take(trials).map(|t| t.status(checks.clone())).chain(missing))
}

/// A case of one run by all its trials.
pub fn status_of(case: &PastCase, checks: impl Iterator<Item = usize> + Clone) -> Status {
    status(case, case.trials.len(), checks)
}

/// Whether trials of the case disagree by some of the checks.
pub fn is_flaky(case: &PastCase, checks: impl Iterator<Item = usize> + Clone) -> bool {
    let has = |wanted| case.trials.iter().any(|t| t.status(checks.clone()) == wanted);
    has(Status::Pass) && has(Status::Fail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::fold::SuiteFold;
    use crate::eval::testing::{add, plan};
    use crate::model::Status::{Error, Fail, Pass};

    fn check(id: &str, value: &str) -> String {
        format!("[[session]]\nid = \"{id}\"\ncheck = \"contains\"\nvalue = \"{value}\"\n")
    }

    fn of(toml: &str, trials: &[(&str, &[Status])]) -> Baseline {
        let plan = plan(toml);
        let mut fold = SuiteFold::new(&plan, 0);
        trials.iter().for_each(|(case, verdicts)| add(&mut fold, case, verdicts));
        Baseline::of(&fold, "r", &[])
    }

    #[test]
    fn only_checks_with_the_same_digest_are_compared_wherever_they_stand() {
        let before = of(&(check("a", "x") + &check("b", "y")), &[("c", &[Pass, Fail])]);
        let after = of(&(check("b", "y") + &check("a", "other")), &[("c", &[Pass, Fail])]);
        let same = same_checks(&before, &after);
        assert_eq!(same, [SameCheck { before: 1, after: 0 }]);
        assert_eq!(pair(&before, &after).pairs[0].statuses(&same), (Fail, Pass));
    }

    #[test]
    fn cases_of_one_run_only_are_told_apart() {
        let toml = check("a", "x");
        let (before, after) =
            (of(&toml, &[("c", &[Pass]), ("old", &[Pass])]), of(&toml, &[("new", &[Pass]), ("c", &[Pass])]));
        let paired = pair(&before, &after);
        let ids = |cases: &[&PastCase]| cases.iter().map(|c| c.id.clone()).collect::<Vec<_>>();
        assert_eq!((ids(&paired.gone), ids(&paired.new)), (vec!["old".to_owned()], vec!["new".to_owned()]));
        assert_eq!(paired.pairs[0].after.id, "c");
    }

    #[test]
    fn more_trials_make_a_case_no_harder_than_it_was() {
        let toml = check("a", "x");
        let before = of(&toml, &[("c", &[Pass])]);
        let after = of(&toml, &[("c", &[Pass]), ("c", &[Fail])]);
        let paired = pair(&before, &after);
        assert!(paired.pairs[0].is_uneven());
        assert_eq!(paired.pairs[0].statuses(&same_checks(&before, &after)), (Pass, Pass));
        assert!(is_flaky(paired.pairs[0].after, [0].into_iter()));
    }

    #[test]
    fn a_missing_trial_is_an_error_of_its_case() {
        let toml = format!("{}[[case]]\nid = \"c\"\n[[case]]\nid = \"d\"\n", check("a", "x"));
        let (before, after) = (of(&toml, &[("c", &[Pass]), ("d", &[Pass])]), of(&toml, &[("c", &[Pass])]));
        let same = same_checks(&before, &after);
        let statuses: Vec<_> = pair(&before, &after).pairs.iter().map(|p| p.statuses(&same)).collect();
        assert_eq!(statuses, [(Pass, Pass), (Pass, Error)]);
    }
}
