//! One rate: the exact limits of Clopper and Pearson.

use super::interval::{Interval, alpha};
use super::special::beta_quantile;

/// How the exact method is called in reports.
pub const CLOPPER_PEARSON: &str = "clopper-pearson";

/// The exact two-sided interval for the chance behind `passed` of `n` independent trials (Clopper and Pearson, 1934).
/// It covers at least as often as it says, whatever the chance and however few the trials.
///
/// `None` when there is no trial, more passes than trials, or no such confidence.
pub fn clopper_pearson(passed: u64, n: u64, confidence: f64) -> Option<Interval> {
    fractional(passed as f64, n as f64, confidence)
}

/// The exact one-sided lower limit: the chance is at least this, with the confidence. 0 when nothing passed;
/// (1 - confidence)^(1/n) when all did.
///
/// `None` as for [`clopper_pearson`].
pub fn lower(passed: u64, n: u64, confidence: f64) -> Option<f64> {
    fractional_lower(passed as f64, n as f64, confidence)
}

/// The exact one-sided upper limit: the chance is at most this, with the confidence. 1 when all passed.
///
/// `None` as for [`clopper_pearson`].
pub fn upper(passed: u64, n: u64, confidence: f64) -> Option<f64> {
    fractional_lower((n.checked_sub(passed)?) as f64, n as f64, confidence).map(|low| 1.0 - low)
}

/// [`clopper_pearson`] for passes and trials that need not be whole: sums of values in [0, 1] (shares of a case that
/// passed, pass^k), or an effective number of trials. Such a sum spreads less than a count of the same mean (W.
/// Hoeffding, 1963), so the limits stay on the safe side; `cargo bench --bench simulation` shows by how much.
pub fn fractional(passed: f64, n: f64, confidence: f64) -> Option<Interval> {
    let one_sided = 1.0 - alpha(confidence)? / 2.0;
    let low = fractional_lower(passed, n, one_sided)?;
    let high = 1.0 - fractional_lower(n - passed, n, one_sided)?;
    Some(Interval { low, high })
}

/// [`lower`] for passes and trials that need not be whole.
pub fn fractional_lower(passed: f64, n: f64, confidence: f64) -> Option<f64> {
    let alpha = alpha(confidence)?;
    if !(n > 0.0 && n.is_finite() && passed >= 0.0 && passed <= n) {
        return None;
    }
    if passed == 0.0 {
        return Some(0.0);
    }
    Some(beta_quantile(alpha, passed, n - passed + 1.0)).filter(|low| low.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::special::{binomial_cdf, binomial_tail};
    use proptest::prelude::*;

    fn close(interval: Option<Interval>, low: f64, high: f64) {
        let i = interval.unwrap();
        assert!((i.low - low).abs() < 1e-6 && (i.high - high).abs() < 1e-6, "{i:?}");
    }

    #[test]
    fn agree_with_the_reference_numbers() {
        // statsmodels.stats.proportion.proportion_confint, method="beta".
        close(clopper_pearson(81, 263, 0.95), 0.252737, 0.367622);
        close(clopper_pearson(8, 10, 0.95), 0.443905, 0.974789);
        close(clopper_pearson(0, 10, 0.95), 0.0, 0.308497);
        close(clopper_pearson(10, 10, 0.95), 0.691503, 1.0);
    }

    #[test]
    fn all_passed_is_bounded_by_the_root_of_alpha() {
        // 50 of 50 shows no more than 94.2% at 95%.
        let low = lower(50, 50, 0.95).unwrap();
        assert!((low - 0.05f64.powf(1.0 / 50.0)).abs() < 1e-14, "{low}");
        assert_eq!((lower(0, 50, 0.95), upper(50, 50, 0.95)), (Some(0.0), Some(1.0)));
    }

    #[test]
    fn upper_limits_of_errors_among_judged_items() {
        // The UCB of statistics: BetaInv(0.95; k + 1, n - k).
        assert!((upper(5, 100, 0.95).unwrap() - 0.102253).abs() < 1e-6);
        assert!((upper(10, 200, 0.95).unwrap() - 0.083335).abs() < 1e-6);
    }

    #[test]
    fn no_trial_says_nothing() {
        assert_eq!(clopper_pearson(0, 0, 0.95), None);
        assert_eq!(clopper_pearson(3, 2, 0.95), None);
        assert_eq!((lower(1, 2, 1.0), lower(1, 2, 0.0), upper(3, 2, 0.95)), (None, None, None));
        assert_eq!((fractional(f64::NAN, 2.0, 0.95), fractional(1.0, f64::INFINITY, 0.95)), (None, None));
    }

    proptest! {
        #[test]
        fn at_a_limit_the_data_are_just_as_unlikely_as_stated(n in 1u64..500, share in 0.0..=1.0f64, confidence in 0.5..0.999f64) {
            let passed = (n as f64 * share) as u64;
            let i = clopper_pearson(passed, n, confidence).unwrap();
            let tail = (1.0 - confidence) / 2.0;
            if passed > 0 {
                prop_assert!((binomial_tail(passed, n, i.low) - tail).abs() < 1e-9);
            }
            if passed < n {
                prop_assert!((binomial_cdf(passed, n, i.high) - tail).abs() < 1e-9);
            }
            prop_assert!(i.contains(passed as f64 / n as f64));
        }

        #[test]
        fn one_more_pass_never_lowers_the_limit(n in 1u64..300, share in 0.0..1.0f64) {
            let passed = (n as f64 * share) as u64;
            prop_assert!(lower(passed + 1, n, 0.95) > lower(passed, n, 0.95));
            prop_assert!(lower(passed + 1, n + 1, 0.95) >= lower(passed, n, 0.95));
        }
    }
}
