//! The number behind a rule, for scripts; and how a number that may still change is decided.

use serde::{Deserialize, Serialize};

use super::{Decision, RuleOutcome};
use crate::checks::system::Bound;

/// The number behind a rule of the gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The number: a share of cases, a mean, a difference to the baseline.
    pub value: f64,
    /// What it must keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// How many cases are behind it.
    pub count: u64,
    /// Its one-sided limits at `confidence`: the lower one is held against the bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// How sure each of the limits is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The method behind the limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// How likely so bad a number is when nothing became worse; where it is against a baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_worse: Option<f64>,
    /// How many more cases would settle an inconclusive rule, were they like those of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_cases: Option<u64>,
}

impl Measured {
    /// A number without an interval.
    pub fn new(value: f64, min: Option<f64>, count: u64) -> Self {
        Self {
            value,
            bound: min.map(|min| Bound { min: Some(min), ..Bound::default() }),
            count,
            interval: None,
            confidence: None,
            method: None,
            p_worse: None,
            more_cases: None,
        }
    }
}

/// Whether a number keeps its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reached {
    /// It does not.
    No,
    /// It seems to; there are too few cases to be sure.
    Unsure,
    /// It does.
    Yes,
}

/// A number at one end of what people may decide: with everything that could not be measured taken as not passed, and as
/// passed; `None` where there is nothing left to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// Errors taken as not passed.
    pub passed: Option<Reached>,
    /// Errors taken as passed.
    pub at_best: Option<Reached>,
}

impl Reading {
    /// What it decides. Errors that the gate tolerates count as not passed.
    fn decides(self, tolerated: bool) -> Decision {
        let at_best = if tolerated { self.passed } else { self.at_best };
        match (self.passed, at_best) {
            (None, _) | (_, None) => Decision::Unmeasured,
            (Some(Reached::Yes), _) => Decision::Passed,
            (_, Some(Reached::No)) => Decision::Failed,
            (Some(Reached::Unsure), Some(Reached::Unsure)) => Decision::Inconclusive,
            _ => Decision::Unmeasured,
        }
    }
}

/// Whether the errors of a gate are tolerated, by what people may decide: one answer, or both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerated {
    may: bool,
    may_not: bool,
}

impl Tolerated {
    /// They are where all of these rules pass.
    pub fn by<'r>(limits: impl Iterator<Item = &'r RuleOutcome> + Clone) -> Self {
        let passes = |may: &[Decision]| limits.clone().all(|rule| may.contains(&rule.decision));
        Self { may: passes(&[Decision::Passed, Decision::Held]), may_not: !passes(&[Decision::Passed]) }
    }
}

/// A rule over a number that only rises with what people decide for the agent. Where it is the same at both ends it is
/// final; otherwise it waits for them. Says what it waits for, if anything.
///
/// What is unmeasured at both ends may be inconclusive between them. That is no more of a pass, and nobody is waited for.
pub(super) fn settle(worst: Reading, best: Reading, tolerated: Tolerated) -> (Decision, Option<&'static str>) {
    let ways = [tolerated.may.then_some(true), tolerated.may_not.then_some(false)];
    let mut all = ways.into_iter().flatten().flat_map(|t| [worst.decides(t), best.decides(t)]);
    let first = all.next().unwrap_or(Decision::Unmeasured);
    if all.any(|other| other != first) {
        return (Decision::Held, Some(WAITS));
    }
    let errs = first == Decision::Unmeasured && worst.passed.is_some();
    (first, errs.then_some("it depends on cases that could not be measured"))
}

/// What a held rule says that it waits for.
pub(super) const WAITS: &str = "it depends on cases that wait for a person";

/// A rule over a count that must not be too large, of which people may decide that it is between two.
pub(super) fn between(least: Decision, most: Decision) -> Decision {
    if least == most { least } else { Decision::Held }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reached::{No, Unsure, Yes};

    const TOLERATED: Tolerated = Tolerated { may: true, may_not: false };
    const COUNTED: Tolerated = Tolerated { may: false, may_not: true };
    const EITHER: Tolerated = Tolerated { may: true, may_not: true };

    fn reading(passed: Reached, at_best: Reached) -> Reading {
        Reading { passed: Some(passed), at_best: Some(at_best) }
    }

    fn settled(worst: [Reached; 2], best: [Reached; 2], tolerated: Tolerated) -> Decision {
        settle(reading(worst[0], worst[1]), reading(best[0], best[1]), tolerated).0
    }

    #[test]
    fn what_is_the_same_either_way_is_final_and_the_rest_waits() {
        for (worst, best, expected) in [
            ([Yes, Yes], [Yes, Yes], Decision::Passed),
            ([No, No], [No, No], Decision::Failed),
            ([Unsure, Unsure], [Unsure, Unsure], Decision::Inconclusive),
            ([No, Yes], [No, Yes], Decision::Unmeasured),
            ([No, No], [Yes, Yes], Decision::Held),
            ([No, No], [Unsure, Unsure], Decision::Held),
            ([No, No], [No, Yes], Decision::Held),
        ] {
            assert_eq!(settled(worst, best, COUNTED), expected, "{worst:?} {best:?}");
        }
    }

    #[test]
    fn between_two_ends_that_are_unmeasured_nothing_passes_and_nothing_fails() {
        let all = [No, Unsure, Yes];
        let readings = || all.iter().flat_map(|p| all.iter().filter(move |b| *b >= p).map(|b| (*p, *b)));
        for (worst, best) in readings().flat_map(|worst| readings().map(move |best| (worst, best))) {
            if settled([worst.0, worst.1], [best.0, best.1], COUNTED) != Decision::Unmeasured {
                continue;
            }
            let between = |(p, b): &(Reached, Reached)| worst.0 <= *p && *p <= best.0 && worst.1 <= *b && *b <= best.1;
            for (p, b) in readings().filter(between) {
                let decided = reading(p, b).decides(false);
                assert!(
                    matches!(decided, Decision::Unmeasured | Decision::Inconclusive),
                    "{worst:?} {p:?} {b:?} {best:?}"
                );
            }
        }
    }

    #[test]
    fn tolerated_errors_count_as_not_passed() {
        assert_eq!(settled([No, Yes], [No, Yes], TOLERATED), Decision::Failed);
        assert_eq!(settled([Unsure, Yes], [Unsure, Yes], TOLERATED), Decision::Inconclusive);
        assert_eq!(settled([No, Yes], [Yes, Yes], TOLERATED), Decision::Held);
    }

    #[test]
    fn where_people_decide_whether_errors_are_tolerated_both_have_to_agree() {
        assert_eq!(settled([No, Yes], [No, Yes], EITHER), Decision::Held);
        assert_eq!(settled([No, No], [No, No], EITHER), Decision::Failed);
    }

    #[test]
    fn nothing_to_count_is_unmeasured() {
        let none = Reading { passed: None, at_best: None };
        assert_eq!(settle(none, none, COUNTED), (Decision::Unmeasured, None));
        assert_eq!(settle(none, reading(Yes, Yes), COUNTED).0, Decision::Held);
    }
}
