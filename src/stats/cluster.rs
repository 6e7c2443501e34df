//! Means, ratios and rates of observations that come in clusters: trials of one case, turns of one session, calls of
//! one session. Observations of a cluster resemble each other, and only clusters are independent.
//!
//! A mean is a ratio of two sums over clusters, of values over how many there are; so one formula serves both. With
//! e_g the cluster's sum less the ratio times its count and h_g its share of all counts, the standard error is
//! sqrt(sum e_g^2 / (1 - h_g)) / (sum of counts): CR2, which is right on average where observations are alike (R. Bell
//! and D. McCaffrey, Survey Methodology 28, 2002). Its degrees of freedom are Satterthwaite's, fewer than the clusters
//! where some are far larger than others: the smaller of those for observations that are independent within a cluster
//! and for such that are all alike, as nothing tells which. With one observation in every cluster that is the textbook
//! error of a mean. Skewed clusters widen the limits ([`super::skew`]).

use super::interval::{Interval, alpha};
use super::proportion::{CLOPPER_PEARSON, fractional};
use super::skew::{Doubt, Shape};
use super::special::t_quantile;
use super::sum::ExactSum;

/// How the interval of a mean or ratio is called in reports.
pub const CLUSTERED_T: &str = "clustered-t";
/// How the interval of a rate is called in reports.
pub const KORN_GRAUBARD: &str = "korn-graubard";

/// With fewer whole cases of the rarer kind (so or not so) the spread between cases cannot be judged from them.
const RARE: f64 = 10.0;

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
    /// How many clusters have any part in it.
    pub clusters: u64,
    /// The standard error without a correction for few clusters (CR0).
    pub se_cr0: f64,
    /// What as many clusters of one size would be worth as much: the square of the sum of the denominators over the sum
    /// of their squares (L. Kish, Survey Sampling, 1965).
    pub even: f64,
    /// `None` for a single cluster, whose spread is unknown.
    spread: Option<Spread>,
}

/// How clusters differ.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    /// The standard error corrected for few and uneven clusters (CR2).
    se: f64,
    /// Its degrees of freedom.
    df: f64,
    shape: Shape,
}

/// The ratio of two sums over clusters.
///
/// `None` when there is no cluster, a sum is not finite, or the denominators do not add up to more than 0.
pub fn ratio(parts: &[Part]) -> Option<Ratio> {
    let sum = |of: &dyn Fn(&Part) -> f64| {
        let mut sum = ExactSum::default();
        parts.iter().for_each(|p| sum.add(of(p)));
        sum.value()
    };
    let (top, bottom) = (sum(&|p| p.top)?, sum(&|p| p.bottom)?);
    if bottom <= 0.0 {
        return None;
    }
    let value = top / bottom;
    let off = |p: &Part| p.top - value * p.bottom;
    let share = |p: &Part| p.bottom / bottom;
    let used = || parts.iter().filter(|p| p.bottom != 0.0 || p.top != 0.0);
    let clusters = used().count() as u64;
    // A cluster that is everything has no others to differ from.
    let alone = clusters < 2 || used().any(|p| share(p) >= 1.0);
    let spread = if alone {
        None
    } else {
        let se = sum(&|p| off(p).powi(2) / (1.0 - share(p)))?.sqrt() / bottom;
        let df = degrees(used().map(share), |h| h).min(degrees(used().map(share), |h| h * h));
        Some(Spread { se, df: df.clamp(1.0, clusters as f64 - 1.0), shape: Shape::of(used().map(off)) })
    };
    let squares = sum(&|p| share(p).powi(2))?;
    let se_cr0 = sum(&|p| off(p).powi(2))?.sqrt() / bottom;
    Some(Ratio { value, bottom, clusters, se_cr0, even: 1.0 / squares, spread })
}

/// Satterthwaite's degrees of freedom of CR2, when a cluster's sum has the variance `variance` of its share `h` of all
/// observations: tr(A S)^2 / tr((A S)^2), with S the covariance of the clusters' distances from the common mean and A
/// the weights 1 / (1 - h).
fn degrees(shares: impl Iterator<Item = f64> + Clone, variance: impl Fn(f64) -> f64) -> f64 {
    let sum = |of: &dyn Fn(f64, f64, f64) -> f64| -> f64 {
        shares.clone().map(|h| of(1.0 / (1.0 - h), h, variance(h))).sum()
    };
    let all = sum(&|_, _, s| s);
    // A cluster's own variance, and what of it is due to the common mean.
    let common = |h: f64, s: f64| h * h * all - 2.0 * h * s;
    let trace = sum(&|a, h, s| a * (s + common(h, s)));
    let (hh, hs, ss) = (sum(&|a, h, _| a * h * h), sum(&|a, h, s| a * h * s), sum(&|a, _, s| a * s * s));
    let between = 2.0 * hh * ss + 2.0 * hs * hs + (all * hh).powi(2) - 4.0 * all * hh * hs;
    let within = sum(&|a, h, s| (a * (s + common(h, s))).powi(2) - (a * common(h, s)).powi(2));
    trace * trace / (between + within)
}

impl Ratio {
    /// The standard error, corrected for few clusters; `None` for a single cluster, whose spread is unknown.
    pub fn se(&self) -> Option<f64> {
        self.spread.map(|s| s.se)
    }

    /// Its degrees of freedom; `None` for a single cluster.
    pub fn df(&self) -> Option<f64> {
        self.spread.map(|s| s.df)
    }

    /// Why the interval of a mean may cover less often than it says; `None` when nothing speaks against it.
    pub fn doubt(&self) -> Option<Doubt> {
        self.spread?.shape.doubt()
    }

    /// The two-sided interval by Student's t, wider towards a long tail. Without any spread between clusters it has no
    /// width, as that of a mean of equal numbers.
    ///
    /// `None` for a single cluster or no such confidence.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let Spread { se, df, shape } = self.spread?;
        let (below, above) = shape.reach(alpha(confidence)? / 2.0, df);
        Some(Interval { low: self.value - below * se, high: self.value + above * se })
    }

    /// The two-sided interval of a rate: a share of things that each are or are not so. Clopper-Pearson's limits for
    /// the number of independent observations that they are worth ([`Ratio::effective`]), so that it keeps to 0 and 1
    /// and never shrinks to a point.
    ///
    /// `None` for a single cluster, a value that is no rate, or no such confidence.
    pub fn rate_interval(&self, confidence: f64) -> Option<Interval> {
        let n = self.effective(confidence)?;
        fractional((self.value * n).min(n), n, confidence)
    }

    /// The method of [`Ratio::rate_interval`].
    pub fn rate_method(&self) -> &'static str {
        if self.is_rare() { CLOPPER_PEARSON } else { KORN_GRAUBARD }
    }

    /// As many independent observations as tell this much of a rate; between 1 and how many there are. As many as would
    /// have this standard error (E. Korn and B. Graubard, Survey Methodology 24, 1998); but where the rarer kind makes
    /// up fewer than 10 whole cases, and where all are alike, only the cases count, as if the observations of each were
    /// one: a case that is all of the rarer kind may by chance not be among them.
    ///
    /// `None` as for [`Ratio::rate_interval`].
    pub fn effective(&self, confidence: f64) -> Option<f64> {
        let (n, tail) = (self.bottom, 1.0 - alpha(confidence)? / 2.0);
        let Spread { se, df, .. } = self.spread?;
        if !(0.0..=1.0).contains(&self.value) {
            return None;
        }
        if n <= self.clusters as f64 {
            // As many clusters as observations: each stands for itself.
            return Some(n);
        }
        if self.is_rare() || se == 0.0 {
            return Some(self.even.min(n));
        }
        let design = se * se / (self.value * (1.0 - self.value) / (n - 1.0));
        let few = t_quantile(tail, n - 1.0) / t_quantile(tail, df);
        Some((n / design * few * few).clamp(1.0, n))
    }

    fn is_rare(&self) -> bool {
        self.value.min(1.0 - self.value) * self.even < RARE
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
        assert!((found.se_cr0 - 0.1166190).abs() < 5e-8);
        // CR2 by its matrices in numpy: A = (I - H)^(-1/2) of every cluster, and Satterthwaite's tr^2 / tr of squares
        // for observations that are independent (2.861) and alike (2.618).
        assert!((found.se().unwrap() - 0.134_960_311_626_365_6).abs() < 1e-12);
        assert!((found.df().unwrap() - 2.617_514_908_912_669_5).abs() < 1e-10, "{:?}", found.df());
        // The naive error takes every trial for a case of its own.
        let naive = ratio(&parts(&(0..10).zip(values).collect::<Vec<_>>())).unwrap();
        assert!((naive.se().unwrap() - 0.1632993).abs() < 5e-8);
    }

    #[test]
    fn uneven_clusters_have_fewer_degrees_of_freedom_than_clusters() {
        let values = [2.5, 3.1, 0.4, 1.7, 9.2, 4.4, 3.3, 2.8, 6.1, 5.0, 7.5, 1.2];
        let groups = [0, 1, 1, 1, 1, 1, 2, 2, 3, 3, 3, 4];
        let found = ratio(&parts(&groups.into_iter().zip(values).collect::<Vec<_>>())).unwrap();
        assert!((found.se().unwrap() - 0.731_616_365_325_780_6).abs() < 1e-12);
        assert!((found.df().unwrap() - 1.839_069_503_207_776_2).abs() < 1e-10, "{:?}", found.df());
    }

    #[test]
    fn a_ratio_of_sums_has_its_linearised_error() {
        // numpy: sqrt(sum((y - R x)^2)) / sum(x), and with each square over 1 - x / sum(x).
        let found: Vec<Part> = [(1.0, 10.0), (0.0, 5.0), (3.0, 12.0), (0.0, 4.0), (2.0, 9.0)]
            .map(|(top, bottom)| Part { top, bottom })
            .into();
        let found = ratio(&found).unwrap();
        assert!((found.value - 0.15).abs() < 1e-15);
        assert!((found.se_cr0 - 0.04355312847546087).abs() < 1e-12);
        assert!((found.se().unwrap() - 0.049865410253851786).abs() < 1e-12);
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
        // Forty cases of ten trials, each all or nothing: as much as forty trials tell, and less for the t of few.
        let same: Vec<Part> = (0..40).map(|i| Part { top: if i < 20 { 10.0 } else { 0.0 }, bottom: 10.0 }).collect();
        let found = ratio(&same).unwrap();
        let (limits, alone) = (found.rate_interval(0.95).unwrap(), clopper_pearson(20, 40, 0.95).unwrap());
        assert!(limits.low < alone.low && limits.high > alone.high, "{limits:?} {alone:?}");
        assert_eq!(found.rate_method(), KORN_GRAUBARD);
    }

    #[test]
    fn what_is_rare_counts_by_case() {
        // One error in each of nine sessions of twenty calls, out of a hundred: a session that is all errors may be rare
        // enough not to be among them.
        let rare: Vec<Part> = (0..100).map(|i| Part { top: f64::from(u8::from(i < 9)), bottom: 20.0 }).collect();
        let found = ratio(&rare).unwrap();
        assert_eq!((found.effective(0.95), found.rate_method()), (Some(100.0), CLOPPER_PEARSON));
        let (limits, by_case) = (found.rate_interval(0.95).unwrap(), fractional(0.45, 100.0, 0.95).unwrap());
        assert!((limits.low - by_case.low).abs() < 1e-12 && (limits.high - by_case.high).abs() < 1e-12, "{limits:?}");
    }

    #[test]
    fn a_session_without_any_call_has_no_part_in_a_rate_of_calls() {
        let some = [(1.0, 4.0), (0.0, 3.0), (2.0, 5.0)].map(|(top, bottom)| Part { top, bottom });
        let more = [&some[..], &[Part::default(); 7]].concat();
        assert_eq!(ratio(&some), ratio(&more));
        assert_eq!(ratio(&[some[0], Part::default()]).unwrap().se(), None);
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
