//! Means, ratios and rates of observations that come in clusters: trials of one case, turns of one session, calls of
//! one session. Observations of a cluster resemble each other, and only clusters are independent.
//!
//! A mean is a ratio of two sums over clusters, of values over how many there are; so one formula serves both. With
//! e_g the cluster's sum less the ratio times its count, the standard error is sqrt(sum e_g^2) / (sum of counts), called
//! CR0. It is too small for few clusters; intervals use it times sqrt(G / (G - 1)) (CR1) with Student's t of G - 1
//! degrees of freedom. With one observation in every cluster that is the textbook interval of a mean.

use super::interval::{Interval, alpha};
use super::proportion::fractional;
use super::special::t_quantile;
use super::sum::ExactSum;

/// How the interval of a mean or ratio is called in reports.
pub const CLUSTERED_T: &str = "clustered-t";
/// How the interval of a rate is called in reports.
pub const KORN_GRAUBARD: &str = "korn-graubard";

/// What one cluster adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Part {
    /// The sum of its values; the numerator of a ratio.
    pub top: f64,
    /// How many values; the denominator of a ratio.
    pub bottom: f64,
}

/// A mean or ratio over clusters, and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The sum of the numerators over that of the denominators.
    pub value: f64,
    /// The sum of the denominators.
    pub bottom: f64,
    /// How many clusters.
    pub clusters: u64,
    /// The standard error without a correction for few clusters (CR0).
    pub se_cr0: f64,
}

/// The ratio of two sums over clusters.
///
/// `None` when there is no cluster, a sum is not finite, or the denominators do not add up to more than 0.
pub fn ratio(parts: &[Part]) -> Option<Ratio> {
    let total = |of: fn(&Part) -> f64| {
        let mut sum = ExactSum::default();
        parts.iter().for_each(|p| sum.add(of(p)));
        sum.value()
    };
    let (top, bottom) = (total(|p| p.top)?, total(|p| p.bottom)?);
    if bottom <= 0.0 {
        return None;
    }
    let value = top / bottom;
    let mut squares = ExactSum::default();
    for part in parts {
        let off = part.top - value * part.bottom;
        squares.add(off * off);
    }
    Some(Ratio { value, bottom, clusters: parts.len() as u64, se_cr0: squares.value()?.sqrt() / bottom })
}

impl Ratio {
    /// The standard error corrected for few clusters (CR1); `None` for a single cluster, whose spread is unknown.
    pub fn se(&self) -> Option<f64> {
        let g = self.clusters as f64;
        (self.clusters > 1).then(|| self.se_cr0 * (g / (g - 1.0)).sqrt())
    }

    /// The two-sided interval by Student's t. Without any spread between clusters it has no width, as that of a mean
    /// of equal numbers.
    ///
    /// `None` for a single cluster or no such confidence.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let reach = t_quantile(1.0 - alpha(confidence)? / 2.0, self.clusters as f64 - 1.0) * self.se()?;
        Some(Interval { low: self.value - reach, high: self.value + reach })
    }

    /// The two-sided interval of a rate: a share of things that each are or are not so. Clopper-Pearson's limits for
    /// an effective number of observations, as many independent ones as would have this standard error (E. Korn and B.
    /// Graubard, Survey Methodology 24, 1998), so that it keeps to 0 and 1 and never shrinks to a point. When all are
    /// alike the spread is unknown and only the clusters count.
    ///
    /// `None` for a single cluster, a value that is no rate, or no such confidence.
    pub fn rate_interval(&self, confidence: f64) -> Option<Interval> {
        let n = self.effective(confidence)?;
        fractional((self.value * n).min(n), n, confidence)
    }

    /// As many independent observations as tell this much of a rate; between 1 and how many there are.
    ///
    /// `None` as for [`Ratio::rate_interval`].
    pub fn effective(&self, confidence: f64) -> Option<f64> {
        let (g, n, tail) = (self.clusters as f64, self.bottom, 1.0 - alpha(confidence)? / 2.0);
        if self.clusters < 2 || !(0.0..=1.0).contains(&self.value) {
            return None;
        }
        let spread = self.value * (1.0 - self.value);
        let se = self.se()?;
        if n <= g || spread == 0.0 || se == 0.0 {
            // As many clusters as observations: each stands for itself.
            return Some(g.min(n));
        }
        let design = se * se / (spread / (n - 1.0));
        let few = t_quantile(tail, n - 1.0) / t_quantile(tail, g - 1.0);
        Some((n / design * few * few).clamp(1.0, n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::proportion::clopper_pearson;
    use crate::stats::{paired, sum};
    use proptest::prelude::*;

    fn parts(values: &[(u32, f64)]) -> Vec<Part> {
        let mut parts: std::collections::BTreeMap<u32, Part> = Default::default();
        for (cluster, value) in values {
            let part = parts.entry(*cluster).or_default();
            (part.top, part.bottom) = (part.top + value, part.bottom + 1.0);
        }
        parts.into_values().collect()
    }

    #[test]
    fn agrees_with_the_reference_numbers() {
        // statsmodels OLS on a constant, cov_type="cluster" without and with the correction.
        let values = [1, 1, 0, 1, 0, 0, 1, 1, 1, 0].map(f64::from);
        let groups = [0, 0, 0, 1, 1, 1, 2, 2, 3, 3];
        let found = ratio(&parts(&groups.into_iter().zip(values).collect::<Vec<_>>())).unwrap();
        assert!((found.value - 0.6).abs() < 1e-12);
        assert!((found.se_cr0 - 0.1166190).abs() < 5e-8 && (found.se().unwrap() - 0.1346601).abs() < 5e-8);
        // With t of 3 degrees of freedom.
        let i = found.interval(0.95).unwrap();
        assert!((i.low - 0.17145157).abs() < 1e-7 && (i.high - 1.02854843).abs() < 1e-7, "{i:?}");
        // The naive error takes every trial for a case of its own.
        let naive = ratio(&parts(&(0..10).zip(values).collect::<Vec<_>>())).unwrap();
        assert!((naive.se().unwrap() - 0.1632993).abs() < 5e-8);
    }

    #[test]
    fn a_ratio_of_sums_has_its_linearised_error() {
        // numpy: sqrt(sum((y - R x)^2)) / sum(x), and times sqrt(5/4).
        let found: Vec<Part> = [(1.0, 10.0), (0.0, 5.0), (3.0, 12.0), (0.0, 4.0), (2.0, 9.0)]
            .map(|(top, bottom)| Part { top, bottom })
            .into();
        let found = ratio(&found).unwrap();
        assert!((found.value - 0.15).abs() < 1e-15);
        assert!((found.se_cr0 - 0.04355312847546087).abs() < 1e-12);
        assert!((found.se().unwrap() - 0.04869387795195614).abs() < 1e-12);
    }

    #[test]
    fn a_rate_of_independent_observations_has_the_exact_interval() {
        let alone: Vec<Part> = (0..40).map(|i| Part { top: f64::from(u8::from(i < 7)), bottom: 1.0 }).collect();
        assert_eq!(ratio(&alone).unwrap().rate_interval(0.95), clopper_pearson(7, 40, 0.95));
    }

    #[test]
    fn no_error_at_all_counts_sessions_and_not_calls() {
        let quiet = vec![Part { top: 0.0, bottom: 50.0 }; 20];
        let found = ratio(&quiet).unwrap();
        assert_eq!(found.rate_interval(0.95), clopper_pearson(0, 20, 0.95));
    }

    #[test]
    fn clusters_that_are_of_one_mind_count_once() {
        // Ten cases of ten trials, each all or nothing: as much as ten trials tell, and less for the t of few.
        let same: Vec<Part> = (0..10).map(|i| Part { top: if i < 5 { 10.0 } else { 0.0 }, bottom: 10.0 }).collect();
        let (found, alone) =
            (ratio(&same).unwrap().rate_interval(0.95).unwrap(), clopper_pearson(5, 10, 0.95).unwrap());
        assert!(found.low < alone.low && found.high > alone.high, "{found:?} {alone:?}");
    }

    #[test]
    fn what_cannot_be_known_is_nothing() {
        assert_eq!(ratio(&[]), None);
        assert_eq!(ratio(&[Part { top: 1.0, bottom: 0.0 }]), None);
        assert_eq!(ratio(&[Part { top: f64::NAN, bottom: 1.0 }]), None);
        let single = ratio(&[Part { top: 3.0, bottom: 4.0 }]).unwrap();
        assert_eq!((single.se(), single.interval(0.95), single.rate_interval(0.95)), (None, None, None));
        let more = ratio(&[Part { top: 3.0, bottom: 1.0 }, Part { top: 2.0, bottom: 1.0 }]).unwrap();
        assert!(more.rate_interval(0.95).is_none() && more.interval(1.0).is_none());
    }

    proptest! {
        #[test]
        fn a_mean_of_single_values_has_the_textbook_interval(values in prop::collection::vec(-10.0..10.0f64, 2..40)) {
            let alone: Vec<Part> = values.iter().map(|&top| Part { top, bottom: 1.0 }).collect();
            let (a, b) = (ratio(&alone).unwrap(), paired::mean_difference(&values).unwrap());
            prop_assert_eq!(a.value, sum::mean(&values).unwrap());
            prop_assert!((a.se().unwrap() - b.se).abs() < 1e-10);
            let (a, b) = (a.interval(0.9).unwrap(), b.interval(0.9).unwrap());
            prop_assert!((a.low - b.low).abs() < 1e-9 && (a.high - b.high).abs() < 1e-9);
        }

        #[test]
        fn a_rate_keeps_to_zero_and_one(parts in prop::collection::vec((0u32..8, 1u32..8), 2..30)) {
            let parts: Vec<Part> = parts.iter().map(|&(a, b)| Part { top: f64::from(a.min(b)), bottom: f64::from(b) }).collect();
            let found = ratio(&parts).unwrap();
            let i = found.rate_interval(0.95).unwrap();
            prop_assert!(0.0 <= i.low && i.high <= 1.0 && i.contains(found.value), "{i:?}");
        }
    }
}
