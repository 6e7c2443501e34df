//! Means of paired numbers: the mean of the differences by case, by Student's t.
//!
//! The case is the unit: where a case has several trials, its value on each side is the mean of its trials, so that
//! repeats are never taken for independent observations.

use super::interval::{Interval, alpha};
use super::needed::first;
use super::special::{t_cdf, t_quantile};
use super::sum;

/// How the method is called in reports.
pub const PAIRED_T: &str = "paired-t";

/// The mean of differences, and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanDifference {
    /// How many differences.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// The standard error of the mean. 0 when all are the same; limits are then the mean itself.
    pub se: f64,
}

/// The mean of the differences, candidate less baseline, one a case.
///
/// `None` for fewer than two differences or one that is not finite: the spread is then unknown.
pub fn mean_difference(differences: &[f64]) -> Option<MeanDifference> {
    let (mean, spread) = (sum::mean(differences)?, sum::stddev(differences)?);
    let n = differences.len() as u64;
    Some(MeanDifference { n, mean, se: spread / (n as f64).sqrt() })
}

impl MeanDifference {
    /// How many more differences like these would put the one-sided upper limit at `1 - alpha` below `bar`; 0 when it is.
    ///
    /// `None` when no number would: the mean itself is not below.
    pub fn more_below(&self, bar: f64, alpha: f64) -> Option<u64> {
        let spread = self.se * (self.n as f64).sqrt();
        let holds = |more: u64| {
            let n = self.n + more;
            let like = Self { n, mean: self.mean, se: spread / (n as f64).sqrt() };
            least_p(n) <= alpha && like.upper(1.0 - alpha).is_some_and(|upper| upper < bar)
        };
        if self.mean < bar { first(0, holds) } else { None }
    }

    fn df(&self) -> f64 {
        self.n as f64 - 1.0
    }

    /// The two-sided interval; `None` when there is no such confidence.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let reach = t_quantile(1.0 - alpha(confidence)? / 2.0, self.df()) * self.se;
        Some(Interval { low: self.mean - reach, high: self.mean + reach })
    }

    /// The one-sided lower limit; `None` when there is no such confidence.
    pub fn lower(&self, confidence: f64) -> Option<f64> {
        Some(self.mean - t_quantile(1.0 - alpha(confidence)?, self.df()) * self.se)
    }

    /// The one-sided upper limit; `None` when there is no such confidence.
    pub fn upper(&self, confidence: f64) -> Option<f64> {
        Some(self.mean + t_quantile(1.0 - alpha(confidence)?, self.df()) * self.se)
    }

    /// The one-sided p-value against "the mean difference is at most `than`". With no spread at all it is 0, 1, or 1/2
    /// at `than` itself.
    pub fn p_above(&self, than: f64) -> f64 {
        let distance = self.mean - than;
        if self.se > 0.0 {
            t_cdf(-distance / self.se, self.df())
        } else if distance == 0.0 {
            0.5
        } else {
            f64::from(u8::from(distance < 0.0))
        }
    }

    /// The one-sided p-value against "the mean difference is at least `than`".
    pub fn p_below(&self, than: f64) -> f64 {
        1.0 - self.p_above(than)
    }

    /// The two-sided p-value against "the mean difference is `than`".
    pub fn p_other(&self, than: f64) -> f64 {
        let above = self.p_above(than);
        (2.0 * above.min(1.0 - above)).min(1.0)
    }
}

/// The smallest p-value that so many differences can have whatever their distribution: that of all of them on one side by
/// chance. Differences that happen to be all alike have no spread and would otherwise show anything.
pub fn least_p(n: u64) -> f64 {
    0.5f64.powi(i32::try_from(n).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIFFERENCES: [f64; 8] = [0.3, -0.1, 0.2, 0.5, 0.0, 0.4, -0.2, 0.1];

    #[test]
    fn agrees_with_scipy() {
        // scipy.stats.ttest_1samp(d, 0), its confidence_interval(0.95) and (0.9), and against -0.2, "greater".
        let found = mean_difference(&DIFFERENCES).unwrap();
        assert!((found.mean / found.se - 1.7320508075688774).abs() < 1e-12);
        assert!((found.p_other(0.0) - 0.12687036692367099).abs() < 1e-10, "{}", found.p_other(0.0));
        assert!((found.p_above(-0.2) - 0.002461902126100833).abs() < 1e-12);
        let i = found.interval(0.95).unwrap();
        assert!((i.low + 0.05478246722841165).abs() < 1e-12 && (i.high - 0.35478246722841167).abs() < 1e-12);
        assert!((found.lower(0.95).unwrap() + 0.0140753201474431).abs() < 1e-12);
        assert!((found.upper(0.95).unwrap() - 0.3140753201474431).abs() < 1e-12);
    }

    #[test]
    fn one_difference_has_no_spread() {
        assert_eq!(mean_difference(&[1.0]), None);
        assert_eq!(mean_difference(&[]), None);
        assert_eq!(mean_difference(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn equal_differences_have_a_limit_without_width() {
        let found = mean_difference(&[0.5; 4]).unwrap();
        assert_eq!(found.interval(0.95), Some(Interval { low: 0.5, high: 0.5 }));
        assert_eq!((found.p_above(0.4), found.p_above(0.5), found.p_above(0.6)), (0.0, 0.5, 1.0));
    }

    #[test]
    fn so_many_more_are_needed_and_one_less_is_not_enough() {
        let found = mean_difference(&DIFFERENCES).unwrap();
        let upper = |n: u64| {
            let like = MeanDifference { n, se: found.se * (8.0 / n as f64).sqrt(), ..found };
            like.upper(0.95).unwrap()
        };
        let more = found.more_below(0.2, 0.05).unwrap();
        assert!(more > 0 && upper(8 + more) < 0.2 && upper(8 + more - 1) >= 0.2, "{more}");
        assert_eq!((found.more_below(0.4, 0.05), found.more_below(0.1, 0.05)), (Some(0), None));
    }

    #[test]
    fn four_differences_that_are_alike_show_nothing_and_five_do() {
        assert!(least_p(4) > 0.05 && least_p(5) < 0.05 && least_p(u64::MAX) == 0.0);
        assert_eq!(mean_difference(&[0.0; 3]).unwrap().more_below(1.0, 0.05), Some(2));
    }

    proptest! {
        #[test]
        fn the_limit_and_the_p_value_decide_alike(d in prop::collection::vec(-1.0..1.0f64, 2..30), than in -0.5..0.5f64) {
            let found = mean_difference(&d).unwrap();
            prop_assume!(found.se > 1e-9 && (found.p_above(than) - 0.05).abs() > 1e-9);
            prop_assert_eq!(found.lower(0.95).unwrap() > than, found.p_above(than) < 0.05);
        }
    }
}
