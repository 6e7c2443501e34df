//! The number behind a rule, for scripts; and how a number that may still change is decided.

use serde::{Deserialize, Serialize};

use super::Decision;
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
            bound: min.map(|min| Bound { min: Some(min), max: None }),
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

/// A rule decided where some of what it counts is not known: at worst (all of it taken as failed), once people have
/// `reviewed` what waits for them in favour of the agent, and `at_best`, where what could not be measured passed, too.
///
/// Errors that the gate tolerates count as not passed. What is the same either way is final; otherwise the rule says what
/// it waits for.
pub(super) fn settle(
    at_worst: Reached,
    reviewed: Reached,
    at_best: Reached,
    tolerated: bool,
) -> (Decision, Option<&'static str>) {
    let best = if tolerated { reviewed } else { at_best };
    match (at_worst, best) {
        (Reached::Yes, _) => (Decision::Passed, None),
        (_, Reached::No) => (Decision::Failed, None),
        (Reached::Unsure, Reached::Unsure) => (Decision::Inconclusive, None),
        // What people could decide alone waits for them.
        _ if reviewed == best => (Decision::Held, Some("it depends on cases that wait for a person")),
        _ => (Decision::Unmeasured, Some("it depends on cases that could not be measured")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reached::{No, Unsure, Yes};

    #[test]
    fn what_is_the_same_either_way_is_final_and_the_rest_says_what_it_waits_for() {
        for (reached, expected) in [
            ([Yes, Yes, Yes], Decision::Passed),
            ([No, No, No], Decision::Failed),
            ([Unsure, Unsure, Unsure], Decision::Inconclusive),
            ([No, Yes, Yes], Decision::Held),
            ([No, Unsure, Unsure], Decision::Held),
            ([Unsure, Unsure, Yes], Decision::Unmeasured),
            ([No, No, Yes], Decision::Unmeasured),
            ([No, Unsure, Yes], Decision::Unmeasured),
        ] {
            assert_eq!(settle(reached[0], reached[1], reached[2], false).0, expected, "{reached:?}");
        }
    }

    #[test]
    fn tolerated_errors_count_as_not_passed() {
        assert_eq!(settle(No, No, Yes, true).0, Decision::Failed);
        assert_eq!(settle(Unsure, Unsure, Yes, true).0, Decision::Inconclusive);
        assert_eq!(settle(No, Yes, Yes, true).0, Decision::Held);
    }
}
