//! What is gained by asking a person about the least confident: how many verdicts are accepted at a threshold, and how
//! many of those are wrong.

use serde::{Deserialize, Serialize};

use super::calibration::Said;

/// Accepting everything with at least this confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The confidence.
    pub threshold: f64,
    /// How many are accepted.
    pub accepted: u64,
    /// How many of them are wrong.
    pub wrong: u64,
    /// Out of how many.
    pub of: u64,
}

impl Point {
    /// The share that is accepted.
    pub fn coverage(&self) -> f64 {
        self.accepted as f64 / self.of as f64
    }

    /// The share of the accepted that is wrong.
    pub fn risk(&self) -> f64 {
        self.wrong as f64 / self.accepted as f64
    }
}

/// The curve: a point for every confidence there is, the highest first. Confidences that are no numbers are left out of
/// none: the answer is then empty.
pub fn curve(said: &[Said]) -> Vec<Point> {
    if said.iter().any(|s| s.confidence.is_nan()) {
        return Vec::new();
    }
    let mut sorted = said.to_vec();
    sorted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let mut points: Vec<Point> = Vec::new();
    let (mut accepted, mut wrong) = (0, 0);
    for s in sorted {
        (accepted, wrong) = (accepted + 1, wrong + u64::from(!s.right));
        let point = Point { threshold: s.confidence, accepted, wrong, of: said.len() as u64 };
        match points.last_mut() {
            // Nothing can tell apart what has one confidence.
            Some(last) if last.threshold == s.confidence => *last = point,
            _ => points.push(point),
        }
    }
    points
}

/// The area under the curve: the mean risk over all coverages, as steps. 0 is perfect; without any use of the
/// confidences it is about the share of wrong verdicts. `None` for no curve.
pub fn area(points: &[Point]) -> Option<f64> {
    let mut covered = 0.0;
    let mut area = 0.0;
    for point in points {
        area += (point.coverage() - covered) * point.risk();
        covered = point.coverage();
    }
    (!points.is_empty()).then_some(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(f64, bool)]) -> Vec<Said> {
        pairs.iter().map(|&(confidence, right)| Said { confidence, right }).collect()
    }

    #[test]
    fn accepts_what_is_at_the_threshold_and_counts_equals_together() {
        let points = curve(&said(&[(0.9, true), (0.6, false), (0.9, false), (0.8, true)]));
        let plain: Vec<(f64, u64, u64)> = points.iter().map(|p| (p.threshold, p.accepted, p.wrong)).collect();
        assert_eq!(plain, [(0.9, 2, 1), (0.8, 3, 1), (0.6, 4, 2)]);
        assert_eq!((points[1].coverage(), points[2].risk()), (0.75, 0.5));
        // 0.5 * 1/2 + 0.25 * 1/3 + 0.25 * 1/2.
        assert!((area(&points).unwrap() - (0.25 + 0.25 / 3.0 + 0.125)).abs() < 1e-12);
    }

    #[test]
    fn nothing_has_no_curve() {
        assert_eq!((curve(&[]), area(&[])), (Vec::new(), None));
        assert_eq!(curve(&said(&[(f64::NAN, true)])), []);
    }
}
