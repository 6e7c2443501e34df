//! What a corrected pass rate may count, by what people decide over all that waits for them.
//!
//! The limits of a corrected share do not only rise with what people decide for the agent: a case more that the judge fails
//! may widen them more than it lifts the middle. So the two ends do not show what lies between; every count of cases that
//! people can bring about is gone through. Where there are too many, the gate waits for them although it need not.

use std::collections::BTreeMap;
use std::ops::ControlFlow::{self, Break, Continue};

use super::Decision;
use crate::stats::corrected::{Cases, Method};

/// How one case counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counts {
    /// It is failed whatever the judge says.
    Anyway,
    /// The judge fails it.
    Failed,
    /// It is not counted: it fails as is expected for now.
    Out,
    /// The judge passes it.
    Passed,
    /// Nothing can be made of it: the judge did not judge it, or it has several trials.
    Unfit,
}

/// As what a case may count for all that is known: one way, or several where it could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct May(Vec<Counts>);

impl May {
    /// Any of these.
    pub fn of(counts: impl IntoIterator<Item = Counts>) -> Self {
        let mut counts: Vec<Counts> = counts.into_iter().collect();
        counts.sort_unstable();
        counts.dedup();
        Self(counts)
    }

    /// Nothing is known.
    pub fn anything() -> Self {
        Self::of([Counts::Anyway, Counts::Failed, Counts::Passed])
    }
}

/// The cases of a rate: how many there are of each sort, a sort being all that people may make of a case.
#[derive(Debug, Default)]
pub(super) struct Prospects {
    sorts: BTreeMap<Vec<May>, u64>,
}

/// The most counts of cases that are gone through.
const MOST: u64 = 1 << 18;

impl Prospects {
    /// Adds a case that people may make one of these; there is at least one.
    pub fn add(&mut self, mut options: Vec<May>) {
        options.sort();
        options.dedup();
        *self.sorts.entry(options).or_default() += 1;
    }

    /// How many cases there are.
    pub fn len(&self) -> u64 {
        self.sorts.values().sum()
    }

    /// What it comes to however people decide: `judge` decides over counts, and over none where one of the cases is unfit.
    /// What could not be measured has to make no difference, else it comes to unmeasured. `None` where people make one, or
    /// where it takes too long to tell.
    pub fn settle(&self, method: Method, judge: &dyn Fn(Option<Cases>) -> Decision) -> Option<Decision> {
        let waits = self.sorts.keys().any(|options| options.len() > 1);
        let errs = self.sorts.keys().flatten().any(|may| may.0.len() > 1);
        let [worst, best] = [false, true].map(|best| judge(self.extreme(method, best)));
        if worst != best && !(waits && errs) {
            return if waits { None } else { Some(Decision::Unmeasured) };
        }
        if self.ways().is_none() {
            return (!waits).then_some(Decision::Unmeasured);
        }
        let sorts: Vec<(&[May], u64)> = self.sorts.iter().map(|(options, n)| (&options[..], *n)).collect();
        let mut all = None;
        let differs = each_way(&sorts, &mut BTreeMap::new(), &mut |chosen| {
            let decision = self.whatever_erred(chosen, judge);
            if *all.get_or_insert(decision) == decision { Continue(()) } else { Break(()) }
        });
        if differs.is_break() { None } else { all }
    }

    /// The counts that give the least, or the most; none where a case is unfit in any case.
    pub fn extreme(&self, method: Method, best: bool) -> Option<Cases> {
        // By sensitivity and specificity a case that the judge fails lowers the sum, by shares it lifts it by a little.
        let order = match method {
            Method::RoganGladen => [Counts::Failed, Counts::Anyway, Counts::Out, Counts::Passed],
            Method::Ppi => [Counts::Anyway, Counts::Failed, Counts::Out, Counts::Passed],
        };
        let rank = |counts: &&Counts| order.iter().position(|c| c == *counts);
        let chosen = self.sorts.iter().map(|(options, n)| {
            let all = options.iter().flat_map(|may| &may.0);
            let fit = all.filter(|counts| **counts != Counts::Unfit);
            let end = if best { fit.max_by_key(rank) } else { fit.min_by_key(rank) };
            (end.copied().unwrap_or(Counts::Unfit), *n)
        });
        cases(chosen)
    }

    /// What it comes to whatever would have become of what could not be measured.
    fn whatever_erred(&self, chosen: &BTreeMap<&May, u64>, judge: &dyn Fn(Option<Cases>) -> Decision) -> Decision {
        let sorts: Vec<(&[Counts], u64)> = chosen.iter().map(|(may, n)| (&may.0[..], *n)).collect();
        let mut all = None;
        let differs = each_way(&sorts, &mut BTreeMap::new(), &mut |counts| {
            let decision = judge(cases(counts.iter().map(|(c, n)| (**c, *n))));
            if *all.get_or_insert(decision) == decision { Continue(()) } else { Break(()) }
        });
        match all {
            Some(decision) if differs.is_continue() => decision,
            _ => Decision::Unmeasured,
        }
    }

    /// How many counts there are to go through, at most; `None` where they are too many.
    ///
    /// What people make of cases that are alike, and then what those may count that erred, is one spread of them over every
    /// way in which one of them may count.
    fn ways(&self) -> Option<u64> {
        self.sorts.iter().try_fold(1u64, |ways, (options, n)| {
            let counts = options.iter().map(|may| may.0.len()).sum();
            ways.checked_mul(spreads(*n, counts)?).filter(|ways| *ways <= MOST)
        })
    }
}

/// In how many ways so many things that are alike can be one of so many sorts.
fn spreads(n: u64, sorts: usize) -> Option<u64> {
    (1..sorts as u64).try_fold(1u64, |ways, i| Some(ways.checked_mul(n.checked_add(i)?)? / i))
}

/// Cases, counted; `None` where one is unfit.
fn cases(counts: impl Iterator<Item = (Counts, u64)>) -> Option<Cases> {
    let mut cases = Cases { all: 0.0, open: 0.0, passed: 0.0 };
    for (counts, n) in counts.filter(|(_, n)| *n > 0) {
        let n = n as f64;
        let (all, open, passed) = match counts {
            Counts::Anyway => (n, 0.0, 0.0),
            Counts::Failed => (n, n, 0.0),
            Counts::Passed => (n, n, n),
            Counts::Out => (0.0, 0.0, 0.0),
            Counts::Unfit => return None,
        };
        (cases.all, cases.open, cases.passed) = (cases.all + all, cases.open + open, cases.passed + passed);
    }
    Some(cases)
}

/// Visits every way in which each of so many things is one of its options, by how many are of each.
fn each_way<'t, T: Ord>(
    sorts: &[(&'t [T], u64)],
    chosen: &mut BTreeMap<&'t T, u64>,
    visit: &mut dyn FnMut(&BTreeMap<&'t T, u64>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let Some(((options, n), rest)) = sorts.split_first() else { return visit(chosen) };
    let Some((first, others)) = options.split_first() else { return Continue(()) };
    // The last option takes what is left.
    for k in if others.is_empty() { *n..=*n } else { 0..=*n } {
        *chosen.entry(first).or_default() += k;
        let found = if others.is_empty() {
            each_way(rest, chosen, visit)
        } else {
            let mut left = vec![(others, *n - k)];
            left.extend_from_slice(rest);
            each_way(&left, chosen, visit)
        };
        if let Some(count) = chosen.get_mut(first) {
            *count -= k;
        }
        found?;
    }
    Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Counts::{Anyway, Failed, Passed};

    fn prospects(sorts: &[(u64, &[May])]) -> Prospects {
        let mut prospects = Prospects::default();
        for (n, options) in sorts {
            (0..*n).for_each(|_| prospects.add(options.to_vec()));
        }
        prospects
    }

    /// Every count that is asked for.
    fn asked(sorts: &[(u64, &[May])]) -> Vec<[u64; 3]> {
        let seen = std::cell::RefCell::new(Vec::new());
        prospects(sorts).settle(Method::Ppi, &|cases| {
            let cases = cases.unwrap();
            seen.borrow_mut().push([cases.all, cases.open, cases.passed].map(|n| n as u64));
            Decision::Passed
        });
        let mut seen = seen.into_inner();
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    #[test]
    fn every_count_that_people_can_bring_about_is_looked_at() {
        let (passed, anyway) = (May::of([Passed]), May::of([Anyway]));
        let open = [passed.clone(), anyway.clone()];
        let found = asked(&[(3, &[passed]), (2, &open), (1, &[anyway])]);
        assert_eq!(found, [[6, 3, 3], [6, 4, 4], [6, 5, 5]]);
    }

    #[test]
    fn what_lies_between_the_ends_holds_as_well() {
        let open = [May::of([Passed]), May::of([Anyway])];
        let only = |passed: f64| {
            move |cases: Option<Cases>| {
                if cases.unwrap().passed == passed { Decision::Inconclusive } else { Decision::Passed }
            }
        };
        for middle in [0.0, 1.0, 2.0] {
            assert_eq!(prospects(&[(2, &open)]).settle(Method::Ppi, &only(middle)), None, "{middle}");
        }
        assert_eq!(prospects(&[(2, &open)]).settle(Method::Ppi, &only(7.0)), Some(Decision::Passed));
    }

    #[test]
    fn what_could_not_be_measured_is_unmeasured_where_it_matters_and_waits_where_people_settle_that() {
        let (passed, erred) = ([May::of([Passed])], [May::of([Failed, Passed])]);
        let bar = |cases: Option<Cases>| if cases.unwrap().passed >= 2.0 { Decision::Passed } else { Decision::Failed };
        let settle = |sorts: &[(u64, &[May])]| prospects(sorts).settle(Method::Ppi, &bar);
        assert_eq!(settle(&[(1, &passed), (1, &erred)]), Some(Decision::Unmeasured));
        assert_eq!(settle(&[(2, &passed), (1, &erred)]), Some(Decision::Passed));
        // Failed by a person it is failed, whatever would have been measured.
        let held = [May::of([Anyway]), May::of([Failed, Passed])];
        assert_eq!(settle(&[(1, &passed), (1, &held)]), None);
        assert_eq!(settle(&[(2, &passed), (1, &held)]), Some(Decision::Passed));
    }

    #[test]
    fn a_case_that_is_unfit_settles_nothing_and_one_that_is_out_is_not_counted() {
        let all = |cases: Option<Cases>| match cases {
            Some(cases) if cases.all >= 2.0 => Decision::Passed,
            Some(_) => Decision::Failed,
            None => Decision::Unmeasured,
        };
        let settle = |sorts: &[(u64, &[May])]| prospects(sorts).settle(Method::Ppi, &all);
        let (passed, unfit) = ([May::of([Passed])], [May::of([Counts::Unfit])]);
        let gone = |or: Counts| [May::of([Counts::Out]), May::of([or])];
        assert_eq!(settle(&[(2, &passed), (1, &unfit)]), Some(Decision::Unmeasured));
        assert_eq!(settle(&[(2, &passed), (1, &gone(Counts::Unfit))]), None);
        assert_eq!(settle(&[(2, &passed), (1, &gone(Passed))]), Some(Decision::Passed));
        assert_eq!(settle(&[(1, &passed), (1, &gone(Passed))]), None);
    }

    #[test]
    fn what_takes_too_long_to_tell_waits() {
        let open = [May::of([Passed]), May::of([Anyway]), May::of([Failed])];
        let always = |_: Option<Cases>| Decision::Passed;
        assert_eq!(prospects(&[(500, &open)]).settle(Method::Ppi, &always), Some(Decision::Passed));
        assert_eq!(prospects(&[(1000, &open)]).settle(Method::Ppi, &always), None, "it need not wait, and does");
        let erred = [May::anything()];
        assert_eq!(prospects(&[(1000, &erred)]).settle(Method::Ppi, &always), Some(Decision::Unmeasured));
    }
    #[test]
    fn as_many_ways_are_told_as_are_gone_through() {
        let one_by_one = |n: u64, options: &[May]| {
            let mut ways = 0;
            let _ = each_way(&[(options, n)], &mut BTreeMap::new(), &mut |chosen| {
                let sorts: Vec<(&[Counts], u64)> = chosen.iter().map(|(may, n)| (&may.0[..], *n)).collect();
                each_way(&sorts, &mut BTreeMap::new(), &mut |_| {
                    ways += 1;
                    Continue(())
                })
            });
            ways
        };
        let (two, three) = (May::of([Failed, Passed]), May::anything());
        for options in
            [vec![May::of([Passed])], vec![two.clone()], vec![May::of([Anyway]), two.clone()], vec![two, three]]
        {
            for n in [1, 2, 7, 20] {
                assert_eq!(prospects(&[(n, &options)]).ways(), Some(one_by_one(n, &options)), "{n} of {options:?}");
            }
            let many = options.iter().map(|may| may.0.len()).sum::<usize>() > 4;
            assert_eq!(prospects(&[(80, &options)]).ways().is_none(), many, "1,929,501 ways are too many");
        }
    }
}
