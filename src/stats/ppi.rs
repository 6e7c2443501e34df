//! Prediction-powered inference: a mean from few labels of people and many verdicts of a judge.
//!
//! [`mean`] is the published estimator with its large-sample interval (A. Angelopoulos, J. Duchi and T. Zrnic, PPI++,
//! 2023). For labels and verdicts that are yes or no, the estimator with the best weight is the one that takes the share
//! of good ones separately among what the judge passes and what it fails, and weights the two by how much there is of
//! each now. [`super::corrected`] takes that form, because its limits can be made to hold near 0 and 1 (those of
//! [`mean`] do not: with 50 labels and a true rate of 0.95 they miss in about 10% of the draws that they promise to
//! cover; the simulation in statistics.md has the rows).

use super::interval::{Interval, alpha};
use super::special::normal_quantile;

/// An estimate with its standard error in large samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The weight that the judge's verdicts were given.
    pub lambda: f64,
    /// The mean of what people would say.
    pub value: f64,
    /// Its standard error.
    pub se: f64,
}

impl Estimate {
    /// The two-sided interval, kept to 0 and 1; `None` for no such confidence.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let reach = normal_quantile(1.0 - alpha(confidence)? / 2.0) * self.se;
        let kept = |v: f64| v.clamp(0.0, 1.0);
        Some(Interval { low: kept(self.value - reach), high: kept(self.value + reach) })
    }
}

/// Estimates the mean label: `labelled` are what a person and the judge said of the same thing, `verdicts` what the
/// judge said of others like these. Without a `lambda`, the one with the smallest variance is taken.
///
/// `None` with fewer than two labels or no other verdict, or when a value is not in [0, 1].
pub fn mean(labelled: &[(f64, f64)], verdicts: &[f64], lambda: Option<f64>) -> Option<Estimate> {
    let sound = |v: &f64| (0.0..=1.0).contains(v);
    if labelled.len() < 2
        || verdicts.is_empty()
        || !labelled.iter().all(|(y, f)| sound(y) && sound(f))
        || !verdicts.iter().all(sound)
    {
        return None;
    }
    let (n, others) = (labelled.len() as f64, verdicts.len() as f64);
    let lambda = lambda.unwrap_or_else(|| {
        let said = || labelled.iter().map(|(_, f)| *f);
        let everything = || said().chain(verdicts.iter().copied());
        let (y, f, all) = (average(labelled.iter().map(|l| l.0)), average(said()), average(everything()));
        let together = labelled.iter().map(|l| (l.0 - y) * (l.1 - f)).sum::<f64>() / n;
        let spread = everything().map(|v| (v - all).powi(2)).sum::<f64>() / (n + others - 1.0);
        if spread > 0.0 { together / ((1.0 + n / others) * spread) } else { 0.0 }
    });
    let rest = || labelled.iter().map(|(y, f)| y - lambda * f);
    let (judged, corrected) = (average(verdicts.iter().copied()), average(rest()));
    let of_verdicts = average(verdicts.iter().map(|f| (f - judged).powi(2)));
    let of_rest = average(rest().map(|r| (r - corrected).powi(2)));
    let variance = lambda * lambda * of_verdicts / others + of_rest / n;
    Some(Estimate { lambda, value: lambda * judged + corrected, se: variance.sqrt() })
}

fn average(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_reference_numbers() {
        // ppi-python 0.2 (ppi_mean_pointestimate, ppi_mean_ci), and numpy again for the error.
        let labelled: Vec<(f64, f64)> = [(38, (1.0, 1.0)), (2, (1.0, 0.0)), (3, (0.0, 1.0)), (7, (0.0, 0.0))]
            .into_iter()
            .flat_map(|(n, pair)| vec![pair; n])
            .collect();
        let verdicts: Vec<f64> = (0..1000).map(|i| f64::from(u8::from(i < 800))).collect();
        for (lambda, value, low, high) in [
            (Some(0.0), 0.8, 0.689_127_69, 0.910_872_31),
            (Some(1.0), 0.78, 0.689_077_95, 0.870_922_05),
            (None, 0.787_586_43, 0.704_043_9, 0.871_128_97),
        ] {
            let found = mean(&labelled, &verdicts, lambda).unwrap();
            let limits = found.interval(0.95).unwrap();
            for (a, b) in [(found.value, value), (limits.low, low), (limits.high, high)] {
                assert!((a - b).abs() < 1e-7, "{lambda:?}: {a} is not {b}");
            }
        }
    }

    #[test]
    fn what_cannot_be_known_is_nothing() {
        assert_eq!((mean(&[(1.0, 1.0)], &[1.0], None), mean(&[(1.0, 1.0); 3], &[], None)), (None, None));
        assert_eq!(mean(&[(1.0, 2.0); 3], &[1.0], None), None);
        let alike = mean(&[(1.0, 1.0); 3], &[1.0; 4], None).unwrap();
        assert_eq!((alike.lambda, alike.value), (0.0, 1.0));
        assert_eq!(alike.interval(0.0), None);
    }
}
