//! Whether a confidence means what it says: how far it is off, and what would bring it into line.
//!
//! A [`Said`] is a confidence with whether it was right. None of these numbers is to gate on by itself; the threshold
//! with a guarantee is that of [`super::fixed_sequence`].

use serde::{Deserialize, Serialize};

use super::interval::Interval;
use super::proportion::clopper_pearson;

/// A confidence in [0, 1], and whether what it was about was right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// How sure.
    pub confidence: f64,
    /// Whether it was right.
    pub right: bool,
}

/// The Brier score: the mean squared distance of confidences from what came true. 0 is perfect; always saying one half
/// gives 0.25.
///
/// `None` without any, or when one is not in [0, 1].
pub fn brier(said: &[Said]) -> Option<f64> {
    sound(said)?;
    let off = |s: &Said| (s.confidence - f64::from(u8::from(s.right))).powi(2);
    Some(said.iter().map(off).sum::<f64>() / said.len() as f64)
}

/// What was said with confidences in (low, high], the first bin including 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Above this.
    pub low: f64,
    /// Up to this.
    pub high: f64,
    /// How many.
    pub count: u64,
    /// How many of them were right.
    pub right: u64,
    /// The mean of their confidences.
    pub confidence: f64,
}

impl Bin {
    /// The share that was right.
    pub fn share(&self) -> f64 {
        self.right as f64 / self.count as f64
    }

    /// The exact interval of that share; `None` for no such confidence.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        clopper_pearson(self.right, self.count, confidence)
    }
}

/// The reliability diagram: bins of equal width over [0, 1], without the empty ones, in ascending order.
///
/// `None` without anything said, without bins, or when a confidence is not in [0, 1].
pub fn reliability(said: &[Said], bins: u32) -> Option<Vec<Bin>> {
    sound(said)?;
    if bins == 0 {
        return None;
    }
    let edge = |i: u32| f64::from(i) / f64::from(bins);
    let mut sums = vec![(0u64, 0u64, 0.0); bins as usize];
    for s in said {
        // The first bin whose upper edge is not below: rounding must not move 0.6 out of (0.4, 0.6].
        let place = (1..bins).find(|i| s.confidence <= edge(*i) + 1e-12).unwrap_or(bins) - 1;
        let (count, right, sum) = &mut sums[place as usize];
        (*count, *right, *sum) = (*count + 1, *right + u64::from(s.right), *sum + s.confidence);
    }
    let bin = |(i, (count, right, sum)): (u32, (u64, u64, f64))| Bin {
        low: edge(i),
        high: edge(i + 1),
        count,
        right,
        confidence: sum / count as f64,
    };
    Some((0..bins).zip(sums).filter(|(_, (count, ..))| *count > 0).map(bin).collect())
}

/// The expected calibration error of a reliability diagram: how far confidence and share lie apart, weighted by the
/// counts. It depends on the bins; never gate on it.
pub fn expected_error(bins: &[Bin]) -> f64 {
    let all: u64 = bins.iter().map(|b| b.count).sum();
    bins.iter().map(|b| b.count as f64 / all as f64 * (b.confidence - b.share()).abs()).sum()
}

fn sound(said: &[Said]) -> Option<()> {
    (!said.is_empty() && said.iter().all(|s| (0.0..=1.0).contains(&s.confidence))).then_some(())
}

/// The non-decreasing sequence nearest to `values` by squares, by pooling adjacent violators; all of one weight.
pub fn isotonic(values: &[f64]) -> Vec<f64> {
    let mut blocks: Vec<(f64, usize)> = Vec::with_capacity(values.len());
    for &value in values {
        blocks.push((value, 1));
        while let [.., (a, n), (b, m)] = blocks[..] {
            if a <= b {
                break;
            }
            blocks.truncate(blocks.len() - 2);
            blocks.push(((a * n as f64 + b * m as f64) / (n + m) as f64, n + m));
        }
    }
    blocks.iter().flat_map(|(value, n)| std::iter::repeat_n(*value, *n)).collect()
}

/// Platt's sigmoid: the chance of being right is 1 / (1 + exp(a f + b)) for the value f.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Platt {
    /// The slope; below zero where more is better.
    pub a: f64,
    /// The shift.
    pub b: f64,
}

impl Platt {
    /// Fits it to values with whether each was right, with Platt's smoothed targets, by Newton's steps with
    /// backtracking (H. Lin, C. Lin and R. Weng, Machine Learning 68, 2007).
    ///
    /// `None` unless some were right and some wrong and all values are finite.
    pub fn fit(pairs: &[(f64, bool)]) -> Option<Self> {
        let right = pairs.iter().filter(|(_, right)| *right).count() as f64;
        let wrong = pairs.len() as f64 - right;
        if right == 0.0 || wrong == 0.0 || !pairs.iter().all(|(f, _)| f.is_finite()) {
            return None;
        }
        let target = |r: bool| if r { (right + 1.0) / (right + 2.0) } else { 1.0 / (wrong + 2.0) };
        let loss = |p: Self| -> f64 {
            let one = |(f, r): &(f64, bool)| {
                let x = p.a * f + p.b;
                // ln(1 + e^x) without overflow, less (1 - t) x: the cross-entropy of the target.
                x.max(0.0) + (-x.abs()).exp().ln_1p() - (1.0 - target(*r)) * x
            };
            pairs.iter().map(one).sum()
        };
        let mut at = Self { a: 0.0, b: ((wrong + 1.0) / (right + 1.0)).ln() };
        let mut least = loss(at);
        for _ in 0..100 {
            let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-12, 0.0, 1e-12);
            for (f, r) in pairs {
                let p = at.chance(*f);
                let (off, weight) = (target(*r) - p, p * (1.0 - p));
                (ga, gb) = (ga + f * off, gb + off);
                (haa, hab, hbb) = (haa + f * f * weight, hab + f * weight, hbb + weight);
            }
            if ga.abs() < 1e-10 && gb.abs() < 1e-10 {
                break;
            }
            let det = haa * hbb - hab * hab;
            let (da, db) = (-(hbb * ga - hab * gb) / det, -(haa * gb - hab * ga) / det);
            let mut step = 1.0;
            let better = loop {
                let next = Self { a: at.a + step * da, b: at.b + step * db };
                let value = loss(next);
                if value < least {
                    break Some((next, value));
                }
                step /= 2.0;
                if step < 1e-10 {
                    break None;
                }
            };
            let Some((next, value)) = better else { break };
            (at, least) = (next, value);
        }
        Some(at)
    }

    /// The chance of being right.
    pub fn chance(&self, f: f64) -> f64 {
        1.0 / (1.0 + (self.a * f + self.b).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIDENCES: [f64; 10] = [0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.95];
    const RIGHT: [u8; 10] = [1, 1, 0, 1, 1, 0, 1, 0, 1, 1];

    fn said(confidences: &[f64], right: &[u8]) -> Vec<Said> {
        confidences.iter().zip(right).map(|(&confidence, r)| Said { confidence, right: *r == 1 }).collect()
    }

    #[test]
    fn brier_agrees_with_the_reference_number() {
        let found = brier(&said(&[0.1, 0.9, 0.8, 0.3], &[0, 1, 1, 0])).unwrap();
        assert!((found - 0.0375).abs() < 1e-12, "{found}");
    }

    #[test]
    fn the_expected_error_depends_on_the_bins() {
        // Counted again in numpy.
        let all = said(&CONFIDENCES, &RIGHT);
        for (bins, expected) in [(5, 0.09), (10, 0.18)] {
            let found = expected_error(&reliability(&all, bins).unwrap());
            assert!((found - expected).abs() < 1e-12, "{bins}: {found}");
        }
    }

    #[test]
    fn a_confidence_on_an_edge_belongs_to_the_bin_below() {
        let bins = reliability(&said(&[0.0, 0.2, 0.6, 1.0], &[0, 1, 1, 1]), 5).unwrap();
        let counts: Vec<(f64, u64)> = bins.iter().map(|b| (b.high, b.count)).collect();
        assert_eq!(counts, [(0.2, 2), (0.6, 1), (1.0, 1)]);
    }

    #[test]
    fn pooling_agrees_with_the_reference_numbers() {
        // sklearn.isotonic.isotonic_regression.
        assert_eq!(isotonic(&[1.0, 2.0, 1.0, 4.0, 3.0]), [1.0, 1.5, 1.5, 3.5, 3.5]);
        assert_eq!(isotonic(&[]), [0.0; 0]);
    }

    #[test]
    fn platt_agrees_with_the_reference_numbers() {
        // sklearn.calibration._SigmoidCalibration, and scipy.optimize on the same targets.
        let f = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0];
        let pairs: Vec<(f64, bool)> = f.iter().zip([0, 0, 1, 0, 1, 0, 1, 1]).map(|(f, y)| (*f, y == 1)).collect();
        let found = Platt::fit(&pairs).unwrap();
        assert!((found.a + 0.573_092_46).abs() < 1e-6 && (found.b - 0.204_572_75).abs() < 1e-6, "{found:?}");
        assert!((found.chance(0.0) - 0.449_034).abs() < 1e-5);
    }

    #[test]
    fn what_cannot_be_known_is_nothing() {
        assert_eq!((brier(&[]), reliability(&[], 10), Platt::fit(&[(1.0, true)])), (None, None, None));
        let odd = [Said { confidence: 1.1, right: true }];
        assert_eq!((brier(&odd), reliability(&odd, 10)), (None, None));
        assert_eq!(reliability(&said(&[0.5], &[1]), 0), None);
    }

    proptest! {
        #[test]
        fn pooled_values_never_fall_and_keep_their_mean(values in prop::collection::vec(-5.0..5.0f64, 1..40)) {
            let pooled = isotonic(&values);
            prop_assert_eq!(pooled.len(), values.len());
            prop_assert!(pooled.windows(2).all(|w| w[0] <= w[1] + 1e-12));
            prop_assert!((pooled.iter().sum::<f64>() - values.iter().sum::<f64>()).abs() < 1e-9);
        }

        #[test]
        fn every_one_is_in_one_bin(values in prop::collection::vec((0.0..=1.0f64, any::<bool>()), 1..60), bins in 1u32..20) {
            let all: Vec<Said> = values.iter().map(|&(confidence, right)| Said { confidence, right }).collect();
            let found = reliability(&all, bins).unwrap();
            prop_assert_eq!(found.iter().map(|b| b.count).sum::<u64>(), all.len() as u64);
            prop_assert!(found.iter().all(|b| b.low - 1e-9 <= b.confidence && b.confidence <= b.high + 1e-9));
        }
    }
}
