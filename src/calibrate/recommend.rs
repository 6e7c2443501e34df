//! The threshold that a sample of labels supports, and what is missing where it supports none.

use serde::Serialize;

use super::labelled::Answered;
use super::sample::Sample;
use crate::stats::calibration::Said;
use crate::stats::fixed_sequence::{Guarantee, Scan};

/// What is recommended for `review.below`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// The threshold as the suite has it.
    pub now: Option<f64>,
    /// The threshold with the guarantee; `None` where none can be shown.
    pub below: Option<f64>,
    /// How it was found.
    pub scan: Scan,
    /// Drawn verdicts that wait for an answer. They count as wrong: whoever answers the easy ones first would show
    /// anything.
    pub open: usize,
    /// Drawn verdicts that nobody could answer, which count as wrong as well.
    pub given_up: usize,
    /// Drawn verdicts that were decided by people who had seen what the judge says, or may have. They count as wrong, too: who
    /// has seen it agrees more often, and who is told and answers again does so because they did not.
    pub not_blind: usize,
    /// What could be shown if people agreed with the judge on all that wait; `None` where nothing waits, or nothing
    /// better.
    pub if_agreed: Option<f64>,
}

impl Recommendation {
    /// Whether the suite has to be changed.
    pub fn changes(&self) -> bool {
        self.below.is_some() && self.below != self.now
    }
}

/// Finds the lowest threshold from which on at most alpha of the verdicts are wrong.
pub fn recommend(sample: &Sample<'_>, now: Option<f64>, guarantee: Guarantee) -> Recommendation {
    let said = |open_are_right: bool| -> Vec<Said> {
        let one = |v: &&super::LabelledVerdict| Said {
            confidence: v.confidence,
            right: match v.answered {
                Answered::Said(people) => people == v.says,
                Answered::Open => open_are_right,
                Answered::GivenUp | Answered::Told | Answered::Unknown => false,
            },
        };
        sample.verdicts.iter().map(one).collect()
    };
    let scan = guarantee.scan(&said(false));
    // Nothing is asked of verdicts below a threshold of 0, which is no threshold.
    let below = scan.threshold.filter(|t| *t > 0.0);
    let open = sample.open();
    let hoped = (open > 0).then(|| guarantee.scan(&said(true)).threshold).flatten();
    let if_agreed = hoped.filter(|hoped| below.is_none_or(|below| *hoped < below));
    Recommendation { now, below, scan, open, given_up: sample.given_up(), not_blind: sample.not_blind(), if_agreed }
}

#[cfg(test)]
mod tests {
    use super::super::LabelledVerdict;
    use super::super::sample::representative;
    use super::super::testing::verdict;
    use super::*;
    use Answered::{GivenUp, Open, Said as People, Told, Unknown};

    fn of(parts: &[(u64, f64, Answered)]) -> Recommendation {
        let mut labels: Vec<LabelledVerdict> = Vec::new();
        for &(n, confidence, answered) in parts {
            for _ in 0..n {
                labels.push(verdict(labels.len() as u64, true, confidence, answered));
            }
        }
        let labels: Vec<&LabelledVerdict> = labels.iter().collect();
        recommend(&representative(&labels).unwrap(), Some(0.9), Guarantee::new(0.05, 0.05).unwrap())
    }

    #[test]
    fn the_lowest_confidence_that_people_bear_out_is_recommended() {
        let found = of(&[(60, 0.95, People(true)), (60, 0.8, People(true)), (40, 0.6, People(false))]);
        assert_eq!((found.below, found.changes(), found.if_agreed), (Some(0.8), true, None));
    }

    #[test]
    fn what_waits_for_an_answer_counts_against_the_judge() {
        let found = of(&[(59, 0.95, People(true)), (5, 0.9, Open)]);
        assert_eq!((found.below, found.open, found.if_agreed), (Some(0.95), 5, Some(0.9)));
        let skipped = of(&[(50, 0.95, People(true)), (9, 0.95, GivenUp)]);
        assert_eq!((skipped.below, skipped.given_up, skipped.if_agreed), (None, 9, None));
        let told = of(&[(50, 0.95, People(true)), (5, 0.95, Told), (4, 0.95, Unknown)]);
        assert_eq!((told.below, told.not_blind, told.if_agreed), (None, 9, None));
    }

    #[test]
    fn too_few_labels_say_how_many_are_missing() {
        let found = of(&[(40, 0.95, People(true))]);
        assert_eq!((found.below, found.changes()), (None, false));
        assert_eq!(found.scan.missing.unwrap().at_best, 19);
    }

    #[test]
    fn a_threshold_that_is_right_stays() {
        assert!(!of(&[(59, 0.9, People(true)), (40, 0.6, People(false))]).changes());
    }
}
