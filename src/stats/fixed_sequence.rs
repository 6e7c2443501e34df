//! The lowest confidence from which on verdicts can be left to the judge, with a guarantee: fixed-sequence testing.
//!
//! A grid of thresholds that is fixed before any label is looked at is gone through downwards. At each, k of the n
//! labelled verdicts with at least that confidence are wrong, and the share that is wrong is at most
//! BetaInv(1 - delta; k + 1, n - k) with the confidence 1 - delta (Clopper and Pearson's upper limit). The first
//! threshold where this exceeds alpha ends the scan; the one before is the answer, or the highest that accepts the same
//! labels. Then
//!
//! > P(a person would disagree | the verdict is accepted) <= alpha, with a probability of at least 1 - delta,
//!
//! however many thresholds the grid has: to be wrong, the scan has to pass the first threshold that it must not pass,
//! and that test by itself errs in at most delta (A. Angelopoulos et al., Learn then Test, 2021). Where to start depends
//! on the counts alone, never on the labels, so it costs nothing.
//!
//! It holds for labels that were drawn at random among the verdicts with at least that confidence, of that judge, rubric
//! and model; what makes sure of that is the business of `calibrate`.

use serde::{Deserialize, Serialize};

use super::calibration::Said;
use super::needed::{more_at_this_rate, more_passes, to_pass_at_all};
use super::proportion::upper;

/// Thresholds lie this many to 1 apart: 1.00, 0.99, down to 0.
const GRID: u32 = 100;

/// What is promised of accepted verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Guarantee {
    /// At most this share of accepted verdicts is wrong.
    pub alpha: f64,
    /// Except with this probability.
    pub delta: f64,
}

/// One threshold that was tested.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The threshold.
    pub threshold: f64,
    /// Labelled verdicts with at least this confidence.
    pub labels: u64,
    /// How many of them are wrong.
    pub wrong: u64,
    /// At most this share of such verdicts is wrong, with the confidence 1 - delta.
    pub upper: f64,
    /// Whether that is at most alpha.
    pub holds: bool,
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    /// What was asked for.
    pub guarantee: Guarantee,
    /// The lowest threshold that holds, as all above it (of those that accept the same labels, the highest); `None` when not even the first does or there are too few labels.
    pub threshold: Option<f64>,
    /// Every threshold that was tested, downwards; the last one may not hold.
    pub steps: Vec<Step>,
    /// How many labels a threshold needs at the least, when none of them is wrong.
    pub least: u64,
    /// What would be missing for the next lower threshold (for the first, when there is none).
    pub missing: Option<Missing>,
}

/// How many labels of verdicts with at least a confidence are missing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    /// The confidence.
    pub threshold: f64,
    /// How many would do if none of them is wrong.
    pub at_best: u64,
    /// How many would do if as many are wrong as so far; `None` when then no number would.
    pub at_this_rate: Option<u64>,
}

impl Guarantee {
    /// At most `alpha` wrong, with probability 1 - `delta`; `None` unless both lie strictly between 0 and 1.
    pub fn new(alpha: f64, delta: f64) -> Option<Self> {
        let share = |v: f64| v > 0.0 && v < 1.0;
        (share(alpha) && share(delta)).then_some(Self { alpha, delta })
    }

    /// The fewest labels that can show it, when none is wrong: 59 for .05 and .05.
    pub fn least(&self) -> u64 {
        to_pass_at_all(1.0 - self.alpha, 1.0 - self.delta).unwrap_or(u64::MAX)
    }

    /// Scans the labelled verdicts. Those whose confidence is not in [0, 1] are never accepted.
    pub fn scan(self, said: &[Said]) -> Scan {
        let least = self.least();
        let mut steps: Vec<Step> = Vec::new();
        let mut threshold: Option<(f64, u64)> = None;
        let mut missing = None;
        let mut sorted: Vec<Said> = said.iter().filter(|s| s.confidence <= 1.0).copied().collect();
        sorted.sort_unstable_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let (mut labels, mut wrong) = (0u64, 0u64);
        let mut rest = sorted.iter().peekable();
        for i in (0..=GRID).rev() {
            let at = f64::from(i) / f64::from(GRID);
            // Confidences such as 6/7 are no numbers of the grid; 0.85 is, whatever its last bit.
            while let Some(next) = rest.next_if(|s| s.confidence >= at - 1e-12) {
                (labels, wrong) = (labels + 1, wrong + u64::from(!next.right));
            }
            if labels < least {
                continue;
            }
            let bound = match steps.last() {
                Some(last) if last.labels == labels => last.upper,
                _ => upper(wrong, labels, 1.0 - self.delta).unwrap_or(1.0),
            };
            let holds = bound <= self.alpha;
            steps.push(Step { threshold: at, labels, wrong, upper: bound, holds });
            if !holds {
                missing = Some(self.missing(at, labels, wrong));
                break;
            }
            // Where nothing new is accepted, nothing is known of what lies between: the higher one stays.
            threshold = threshold.filter(|(_, same)| *same == labels).or(Some((at, labels)));
        }
        if steps.is_empty() {
            let wrong = said.iter().filter(|s| !s.right).count() as u64;
            missing = Some(self.missing(0.0, said.len() as u64, wrong));
        }
        Scan { guarantee: self, threshold: threshold.map(|(at, _)| at), steps, least, missing }
    }

    /// How many more labels would bring the limit down to alpha.
    fn missing(&self, threshold: f64, labels: u64, wrong: u64) -> Missing {
        let (min, confidence) = (1.0 - self.alpha, 1.0 - self.delta);
        let right = labels.saturating_sub(wrong);
        Missing {
            threshold,
            at_best: more_passes(right, labels, min, confidence).unwrap_or(u64::MAX),
            at_this_rate: more_at_this_rate(right as f64, labels as f64, min, confidence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const USUAL: Guarantee = Guarantee { alpha: 0.05, delta: 0.05 };

    fn said(parts: &[(usize, f64, bool)]) -> Vec<Said> {
        parts.iter().flat_map(|&(n, confidence, right)| vec![Said { confidence, right }; n]).collect()
    }

    #[test]
    fn so_many_labels_are_needed_for_so_many_errors() {
        // BetaInv(0.95; k + 1, n - k) <= 0.05 for the first time, by scipy.
        assert_eq!(USUAL.least(), 59);
        for (wrong, n) in [(0, 59), (1, 93), (2, 124), (3, 153)] {
            let with = |n: usize| USUAL.scan(&said(&[(n - wrong, 0.9, true), (wrong, 0.9, false)])).threshold;
            assert_eq!((with(n), with(n - 1)), (Some(0.9), None), "{wrong} of {n}");
        }
    }

    #[test]
    fn takes_the_lowest_threshold_before_the_first_that_does_not_hold() {
        let all = said(&[(100, 0.95, true), (60, 0.8, true), (20, 0.6, false), (500, 0.3, true)]);
        let scan = USUAL.scan(&all);
        assert_eq!(scan.threshold, Some(0.8));
        let last = scan.steps.last().unwrap();
        assert_eq!((last.threshold, last.labels, last.wrong, last.holds), (0.6, 180, 20, false));
        // What is right far below does not count: the sequence ended.
        assert!(scan.steps.iter().rev().skip(1).all(|s| s.holds));
        let missing = scan.missing.unwrap();
        assert_eq!((missing.threshold, missing.at_this_rate), (0.6, None));
        assert!(upper(20, 180 + missing.at_best, 0.95).unwrap() <= 0.05);
        assert!(upper(20, 179 + missing.at_best, 0.95).unwrap() > 0.05);
    }

    #[test]
    fn says_how_many_labels_are_missing_when_there_are_too_few() {
        let scan = USUAL.scan(&said(&[(40, 0.9, true)]));
        assert_eq!((scan.threshold, scan.steps.len()), (None, 0));
        assert_eq!(scan.missing, Some(Missing { threshold: 0.0, at_best: 19, at_this_rate: Some(19) }));
        assert_eq!(USUAL.scan(&[]).missing, Some(Missing { threshold: 0.0, at_best: 59, at_this_rate: None }));
    }

    #[test]
    fn everything_accepted_needs_nothing_more() {
        let scan = USUAL.scan(&said(&[(300, 0.5, true)]));
        assert_eq!((scan.threshold, scan.missing), (Some(0.5), None));
    }

    #[test]
    fn what_is_no_confidence_is_never_accepted() {
        let odd = [f64::NAN, 1.5, -0.5].map(|confidence| Said { confidence, right: true });
        let many: Vec<Said> = odd.iter().cycle().take(300).copied().collect();
        assert_eq!(USUAL.scan(&many).threshold, None);
        assert_eq!((Guarantee::new(0.0, 0.05), Guarantee::new(0.05, 1.0)), (None, None));
    }

    proptest! {
        #[test]
        fn one_more_error_never_lowers_the_threshold(
            items in prop::collection::vec((0u32..=20, 0u32..10), 60..300),
            flip in any::<prop::sample::Index>(),
        ) {
            let mut all: Vec<Said> = items
                .iter()
                .map(|(c, r)| Said { confidence: f64::from(*c) / 20.0, right: *r > 0 })
                .collect();
            let wide = Guarantee::new(0.2, 0.1).unwrap();
            let before = wide.scan(&all).threshold;
            let one = flip.index(all.len());
            all[one].right = false;
            let after = wide.scan(&all).threshold;
            prop_assert!(after.is_none() || before.is_some_and(|b| after.unwrap() >= b));
        }
    }
}
