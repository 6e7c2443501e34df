//! A pass rate corrected for the errors of the judge behind it, with an interval that knows how few labels the errors
//! were learnt from.
//!
//! Cases are counted in three kinds: those that fail anyway (by a check that needs no judge), those that the judge fails
//! and those that it passes. With d the share that only the judge decides and p the share that it passes:
//!
//! - **Rogan and Gladen** (Rogan and Gladen, 1978; limits of Z. Lang and J. Reiczigel, Preventive Veterinary Medicine
//!   113, 2014, as C. Lee et al., arXiv 2511.21140, take them): theta = (p - (1 - q0) d) / (q0 + q1 - 1), with the
//!   specificity q0 and the sensitivity q1. It supposes that the judge errs as often on good and on bad cases as on those
//!   that were labelled, however many of each there are now.
//! - **Prediction-powered** ([`super::ppi`]): theta = p a + (d - p) b, with the shares a and b of good ones among what
//!   the judge passes and fails. It supposes that these are as among the labelled: that the sessions are of the same
//!   kind. It needs fewer labels of the rare kind.
//!
//! The limits count with adjusted numbers: half of z^2 more cases of either kind, one more label in every cell; so they
//! do not shrink to a point when no error was seen. Where all cases are decided by the judge (d = 1), the first is the
//! published one to the digit. Which of them cover how often stands in statistics.md.

use serde::{Deserialize, Serialize};

use super::confusion::Confusion;
use super::interval::{Interval, alpha};
use super::needed::first;
use super::special::normal_quantile;

/// How a pass rate is corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By the judge's sensitivity and specificity.
    RoganGladen,
    /// By how many are good among what the judge passes, and among what it fails.
    Ppi,
}

impl Method {
    /// Its name in suites and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoganGladen => "rogan_gladen",
            Self::Ppi => "ppi",
        }
    }
}

/// Fewer labels of either kind say too little of a judge's error rates.
pub const LEAST_OF_A_KIND: u64 = 10;
/// Fewer labels in all say too little.
pub const LEAST_LABELS: u64 = 50;

/// The cases of a run; sums of weights where cases have some.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cases {
    /// All of them; above 0.
    pub all: f64,
    /// Those that only the judge decides: nothing else failed them.
    pub open: f64,
    /// Those that the judge passes of these.
    pub passed: f64,
}

/// Why a rate cannot be corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCorrectable {
    /// There are no cases, or their counts contradict each other.
    #[error("there is no case to correct")]
    NoCases,
    /// Too few labels of what people fail or pass.
    #[error(
        "people passed {passed} and failed {failed} of the labelled verdicts; {LEAST_OF_A_KIND} of each are the least to \
         know a judge's errors by"
    )]
    TooFewOfAKind {
        /// Labels that pass.
        passed: u64,
        /// Labels that fail.
        failed: u64,
    },
    /// Too few labels.
    #[error("{labels} verdicts are labelled; {LEAST_LABELS} are the least to correct by")]
    TooFew {
        /// How many there are.
        labels: u64,
    },
    /// The judge failed none of what was labelled, and fails cases now (or the other way round).
    #[error("no verdict that the judge {} is labelled, and it {} some now", said(*.passes), said(*.passes))]
    Unseen {
        /// Whether it is those that it passes.
        passes: bool,
    },
    /// It does not tell good from bad.
    #[error(
        "the judge does not tell good from bad: its sensitivity and specificity do not show to add up to more than 1"
    )]
    NoBetterThanChance,
}

fn said(passes: bool) -> &'static str {
    if passes { "passes" } else { "fails" }
}

/// A corrected rate; its limits follow from the counts it keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corrected {
    /// The rate, kept to 0 and 1.
    pub value: f64,
    method: Method,
    cases: Cases,
    labels: Confusion,
}

/// Corrects the pass rate of cases by labels.
///
/// # Errors
///
/// When there are too few labels, or the judge is no better than chance.
pub fn correct(method: Method, cases: Cases, labels: Confusion) -> Result<Corrected, NotCorrectable> {
    let Cases { all, open, passed } = cases;
    if !(all > 0.0 && all.is_finite() && (0.0..=all).contains(&open) && (0.0..=open).contains(&passed)) {
        return Err(NotCorrectable::NoCases);
    }
    if labels.total() < LEAST_LABELS {
        return Err(NotCorrectable::TooFew { labels: labels.total() });
    }
    let (p, d) = (passed / all, open / all);
    let value = match method {
        Method::RoganGladen => {
            let kinds = (labels.true_pass + labels.false_fail, labels.true_fail + labels.false_pass);
            let (Some(q1), Some(q0)) = (labels.sensitivity(), labels.specificity()) else {
                return Err(NotCorrectable::TooFewOfAKind { passed: kinds.0, failed: kinds.1 });
            };
            if kinds.0.min(kinds.1) < LEAST_OF_A_KIND {
                return Err(NotCorrectable::TooFewOfAKind { passed: kinds.0, failed: kinds.1 });
            }
            let tells = q0.value() + q1.value() - 1.0;
            if tells <= 0.0 || !shows_better_than_chance(&labels) {
                return Err(NotCorrectable::NoBetterThanChance);
            }
            (p - (1.0 - q0.value()) * d) / tells
        }
        Method::Ppi => {
            let share = |good: u64, bad: u64, of: f64, passes: bool| match good + bad {
                0 if of > 0.0 => Err(NotCorrectable::Unseen { passes }),
                0 => Ok(0.0),
                n => Ok(good as f64 / n as f64),
            };
            let a = share(labels.true_pass, labels.false_pass, p, true)?;
            let b = share(labels.false_fail, labels.true_fail, d - p, false)?;
            // No better than chance: what it passes is not better than what it fails.
            if labels.true_fail + labels.false_fail > 0 && labels.true_pass + labels.false_pass > 0 && a <= b {
                return Err(NotCorrectable::NoBetterThanChance);
            }
            p * a + (d - p) * b
        }
    };
    Ok(Corrected { value: value.clamp(0.0, d), method, cases, labels })
}

/// Whether the labels show, at 95%, that sensitivity and specificity add up to more than 1. Dividing by a sum that may
/// be nothing has no interval.
fn shows_better_than_chance(labels: &Confusion) -> bool {
    let (q0, q1) = (Adjusted::specificity(labels), Adjusted::sensitivity(labels));
    q0.share + q1.share - 1.0 > normal_quantile(0.975) * (q0.variance() + q1.variance()).sqrt()
}

impl Corrected {
    /// The two-sided interval, kept to 0 and 1; `None` for no such confidence.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let z = normal_quantile(1.0 - alpha(confidence)? / 2.0);
        let (centre, se) = match self.method {
            Method::RoganGladen => self.rogan_gladen(z),
            Method::Ppi => self.stratified(z),
        };
        let kept = |v: f64| v.clamp(0.0, 1.0);
        let limits = Interval { low: kept(centre - z * se), high: kept(centre + z * se) };
        (limits.low <= limits.high).then_some(limits)
    }

    /// The one-sided lower limit: the rate is at least this, with the confidence. `None` below a confidence of one
    /// half.
    pub fn lower(&self, confidence: f64) -> Option<f64> {
        self.interval(2.0 * confidence - 1.0).map(|i| i.low)
    }

    /// How many more cases like these would bring the lower limit up to `min`, with the labels as they are; 0 when it is
    /// there already.
    ///
    /// `None` when no number would: so few labels leave more open than that.
    pub fn more_cases(&self, min: f64, confidence: f64) -> Option<u64> {
        let Cases { all, open, passed } = self.cases;
        first(0, |more| {
            let times = 1.0 + more as f64 / all;
            let cases = Cases { all: all * times, open: open * times, passed: passed * times };
            Self { cases, ..*self }.lower(confidence).is_some_and(|low| low >= min)
        })
    }

    /// How many more labels like these would, with the cases as they are; 0 when the lower limit is there already.
    ///
    /// `None` when no number would: so few cases leave more open than that.
    pub fn more_labels(&self, min: f64, confidence: f64) -> Option<u64> {
        let all = self.labels.total();
        first(0, |more| {
            let times = |n: u64| (n as f64 * (1.0 + more as f64 / all as f64)).round() as u64;
            let Confusion { true_pass, false_pass, false_fail, true_fail } = self.labels;
            let labels = Confusion {
                true_pass: times(true_pass),
                false_pass: times(false_pass),
                false_fail: times(false_fail),
                true_fail: times(true_fail),
            };
            Self { labels, ..*self }.lower(confidence).is_some_and(|low| low >= min)
        })
    }

    /// Which method it is.
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The middle and the standard error by adjusted counts.
    fn rogan_gladen(&self, z: f64) -> (f64, f64) {
        let (q0, q1) = (Adjusted::specificity(&self.labels), Adjusted::sensitivity(&self.labels));
        let Seen { p, d, n } = self.seen(z);
        let (tells, false_pass) = (q0.share + q1.share - 1.0, 1.0 - q0.share);
        let theta = (p - false_pass * d) / tells;
        let bad = d - theta;
        let shift = 2.0 * z * z * (theta * q1.variance() - bad * q0.variance());
        let of_cases = p * q0.share.powi(2) + (d - p) * false_pass.powi(2) - (p - false_pass * d).powi(2);
        let variance = of_cases.max(0.0) / n + bad * bad * q0.variance() + theta * theta * q1.variance();
        (theta + shift, variance.sqrt() / tells)
    }

    /// The same of the shares among what the judge passes and fails.
    fn stratified(&self, z: f64) -> (f64, f64) {
        let Confusion { true_pass, false_pass, false_fail, true_fail } = self.labels;
        let (a, b) = (Adjusted::new(true_pass, false_pass), Adjusted::new(false_fail, true_fail));
        let Seen { p, d, n } = self.seen(z);
        let theta = p * a.share + (d - p) * b.share;
        let of_cases = p * a.share.powi(2) + (d - p) * b.share.powi(2) - theta * theta;
        let variance = of_cases.max(0.0) / n + p * p * a.variance() + (d - p).powi(2) * b.variance();
        (theta, variance.sqrt())
    }

    /// The shares of cases with half of z^2 more that pass and as many that fail, these as the failures there are.
    fn seen(&self, z: f64) -> Seen {
        let Cases { all, open, passed } = self.cases;
        let failed = all - passed;
        let n = all + z * z;
        let anyway = if failed > 0.0 { (all - open) / failed } else { 0.0 };
        Seen { p: (passed + z * z / 2.0) / n, d: 1.0 - (all - open + z * z / 2.0 * anyway) / n, n }
    }
}

/// Shares of cases, and how many cases they count as.
struct Seen {
    p: f64,
    d: f64,
    n: f64,
}

/// A share with one more label of either kind.
struct Adjusted {
    share: f64,
    n: f64,
}

impl Adjusted {
    fn new(hits: u64, misses: u64) -> Self {
        let n = (hits + misses) as f64 + 2.0;
        Self { share: (hits as f64 + 1.0) / n, n }
    }

    fn sensitivity(labels: &Confusion) -> Self {
        Self::new(labels.true_pass, labels.false_fail)
    }

    fn specificity(labels: &Confusion) -> Self {
        Self::new(labels.true_fail, labels.false_pass)
    }

    fn variance(&self) -> f64 {
        self.share * (1.0 - self.share) / self.n
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(all: u64, open: u64, passed: u64) -> Cases {
        Cases { all: all as f64, open: open as f64, passed: passed as f64 }
    }

    fn labels(true_pass: u64, false_pass: u64, false_fail: u64, true_fail: u64) -> Confusion {
        Confusion { true_pass, false_pass, false_fail, true_fail }
    }

    fn close(found: Corrected, value: f64, low: f64, high: f64) {
        let limits = found.interval(0.95).unwrap();
        for (a, b) in [(found.value, value), (limits.low, low), (limits.high, high)] {
            assert!((a - b).abs() < 1e-6, "{found:?}: {a} is not {b}");
        }
    }

    #[test]
    fn rogan_gladen_agrees_with_the_published_numbers() {
        // The reference of Lee et al., computed again in numpy.
        let found = correct(Method::RoganGladen, of(500, 500, 400), labels(90, 15, 10, 85)).unwrap();
        close(found, 0.866_666_667, 0.789_883_117, 0.963_302_024);
        let found = correct(Method::RoganGladen, of(1000, 1000, 720), labels(180, 40, 20, 160)).unwrap();
        close(found, 0.742_857_143, 0.682_042_062, 0.809_665_392);
    }

    #[test]
    fn what_fails_anyway_counts_as_failed_and_not_as_judged() {
        // numpy, by the formulas in the head of this file.
        let found = correct(Method::RoganGladen, of(200, 160, 120), labels(90, 15, 10, 85)).unwrap();
        close(found, 0.64, 0.545_095_293, 0.747_056_891);
        let found = correct(Method::Ppi, of(200, 160, 120), labels(90, 15, 10, 85)).unwrap();
        close(found, 0.535_338_346, 0.463_108_477, 0.599_821_339);
    }

    #[test]
    fn a_perfect_judge_leaves_the_interval_of_agresti_and_coull() {
        let found = correct(Method::RoganGladen, of(100, 100, 80), labels(500_000_000, 0, 0, 500_000_000)).unwrap();
        // statsmodels proportion_confint(80, 100, method="agresti_coull").
        close(found, 0.8, 0.710_411_584, 0.867_392_311);
    }

    fn near(found: Corrected) -> Interval {
        found.interval(0.95).unwrap()
    }

    #[test]
    fn no_error_among_the_labels_is_not_the_same_as_no_error() {
        for method in [Method::RoganGladen, Method::Ppi] {
            let few = near(correct(method, of(1000, 1000, 1000), labels(40, 0, 0, 10)).unwrap());
            let many = near(correct(method, of(1000, 1000, 1000), labels(4000, 0, 0, 1000)).unwrap());
            assert!(few.low < many.low - 0.01, "{method:?} {few:?} {many:?}");
        }
    }

    #[test]
    fn refuses_a_judge_that_is_no_better_than_chance() {
        let coin = labels(50, 50, 50, 50);
        for method in [Method::RoganGladen, Method::Ppi] {
            assert_eq!(correct(method, of(100, 100, 80), coin), Err(NotCorrectable::NoBetterThanChance));
            let worse = labels(20, 60, 60, 20);
            assert_eq!(correct(method, of(100, 100, 80), worse), Err(NotCorrectable::NoBetterThanChance));
        }
        // Better by chance alone.
        let hardly = labels(30, 14, 26, 12);
        assert_eq!(correct(Method::RoganGladen, of(100, 100, 80), hardly), Err(NotCorrectable::NoBetterThanChance));
    }

    #[test]
    fn refuses_too_few_labels() {
        let few = labels(40, 1, 1, 5);
        assert_eq!(correct(Method::Ppi, of(100, 100, 80), few), Err(NotCorrectable::TooFew { labels: 47 }));
        let skewed = labels(90, 3, 1, 5);
        let refused = Err(NotCorrectable::TooFewOfAKind { passed: 91, failed: 8 });
        assert_eq!(correct(Method::RoganGladen, of(100, 100, 80), skewed), refused);
        assert!(correct(Method::Ppi, of(100, 100, 80), skewed).is_ok());
        let one_sided = labels(90, 3, 0, 0);
        assert_eq!(correct(Method::Ppi, of(100, 100, 80), one_sided), Err(NotCorrectable::Unseen { passes: false }));
        assert!(correct(Method::Ppi, of(100, 100, 100), one_sided).is_ok());
    }

    #[test]
    fn so_many_more_cases_or_labels_reach_the_bar_and_where_none_do_that_is_said() {
        for method in [Method::RoganGladen, Method::Ppi] {
            let found = correct(method, of(200, 200, 160), labels(180, 8, 10, 60)).unwrap();
            let low = found.lower(0.95).unwrap();
            assert_eq!((found.more_cases(low, 0.95), found.more_labels(low, 0.95)), (Some(0), Some(0)), "{method:?}");
            let bar = low + 0.005;
            let more = found.more_cases(bar, 0.95).unwrap();
            let cases = |n: f64| Cases { all: n, open: n, passed: 0.8 * n };
            let with = |n: f64| correct(method, cases(n), labels(180, 8, 10, 60)).unwrap().lower(0.95).unwrap();
            assert!(with(200.0 + more as f64) >= bar && with(199.0 + more as f64) < bar, "{method:?} {more}");
            assert!(found.more_labels(bar, 0.95).is_some_and(|more| more > 0), "{method:?}");
            // Above the number itself nothing helps.
            assert_eq!(found.more_cases(found.value + 0.01, 0.95), None);
            assert_eq!(found.more_labels(found.value + 0.01, 0.95), None);
        }
    }

    #[test]
    fn refuses_counts_that_contradict_each_other() {
        let known = labels(90, 15, 10, 85);
        for cases in [of(0, 0, 0), of(10, 11, 5), of(10, 5, 6), Cases { all: f64::NAN, open: 1.0, passed: 1.0 }] {
            assert_eq!(correct(Method::RoganGladen, cases, known), Err(NotCorrectable::NoCases));
        }
        let found = correct(Method::RoganGladen, of(10, 10, 5), known).unwrap();
        assert_eq!((found.interval(1.0), found.lower(0.4)), (None, None));
    }

    proptest! {
        #[test]
        fn one_more_case_that_passes_never_lowers_the_limit(
            all in 20u64..400, share in 0.0..0.99f64, errors in (1u64..20, 1u64..20), ppi in any::<bool>(),
        ) {
            let method = if ppi { Method::Ppi } else { Method::RoganGladen };
            let known = labels(100 - errors.0, errors.1, errors.0, 100 - errors.1);
            let passed = (all as f64 * share) as u64;
            let a = correct(method, of(all, all, passed), known).unwrap();
            let b = correct(method, of(all, all, passed + 1), known).unwrap();
            prop_assert!(b.lower(0.95).unwrap() >= a.lower(0.95).unwrap() - 1e-9);
            let i = near(a);
            prop_assert!(0.0 <= i.low && i.low <= i.high && i.high <= 1.0);
        }
    }
}
