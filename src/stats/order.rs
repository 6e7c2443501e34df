//! The interval of a percentile by order statistics: two of the samples themselves, whatever their distribution. The
//! number of samples below the true percentile is binomial, so their ranks follow from that alone (exact, and at least
//! as sure as stated).

use super::interval::alpha;
use super::quantile::Percentile;
use super::special::{binomial_cdf, binomial_tail};

/// How the method is called in reports.
pub const ORDER_STATISTICS: &str = "order-statistics";

/// The ranks, from 1, of the samples that bound a percentile. An end is `None` when there are too few samples for it: no
/// sample is then surely below (or above) the percentile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranks {
    /// The rank of the lower end.
    pub low: Option<u64>,
    /// The rank of the upper end.
    pub high: Option<u64>,
}

/// The ranks of the two-sided interval of a percentile over `n` independent samples.
///
/// `None` when there is no sample or no such confidence.
pub fn ranks(n: u64, percentile: Percentile, confidence: f64) -> Option<Ranks> {
    let tail = alpha(confidence)? / 2.0;
    (n > 0).then(|| Ranks { low: low(n, percentile.share(), tail), high: high(n, percentile.share(), tail) })
}

/// The largest rank l with P(Bin(n, q) <= l - 1) <= tail: too seldom do fewer than l samples lie below.
fn low(n: u64, q: f64, tail: f64) -> Option<u64> {
    // Rank 0 is no sample.
    let fits = |rank: u64| rank == 0 || binomial_cdf(rank - 1, n, q) <= tail;
    let rank = partition(n, fits);
    (rank > 0).then_some(rank)
}

/// The smallest rank u with P(Bin(n, q) >= u) <= tail: too seldom do u or more samples lie below.
fn high(n: u64, q: f64, tail: f64) -> Option<u64> {
    let too_low = |rank: u64| rank == 0 || binomial_tail(rank, n, q) > tail;
    let rank = partition(n, too_low) + 1;
    (rank <= n).then_some(rank)
}

/// The largest rank up to `n` that fits, for something that fits up to a rank and no further, and fits 0.
fn partition(n: u64, fits: impl Fn(u64) -> bool) -> u64 {
    let (mut good, mut bad) = (0, n + 1);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if fits(middle) { good = middle } else { bad = middle }
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(n: u64, percentile: &str) -> (Option<u64>, Option<u64>) {
        let ranks = ranks(n, percentile.parse().unwrap(), 0.95).unwrap();
        (ranks.low, ranks.high)
    }

    #[test]
    fn agrees_with_scipy() {
        // scipy.stats.quantile_test(range(1, n + 1), p=q).confidence_interval(0.95)
        assert_eq!(found(100, "p50"), (Some(40), Some(61)));
        assert_eq!(found(20, "p50"), (Some(6), Some(15)));
        assert_eq!(found(100, "p95"), (Some(90), Some(100)));
        assert_eq!(found(200, "p95"), (Some(184), Some(197)));
        assert_eq!(found(59, "p95"), (Some(52), None));
        assert_eq!(found(1000, "p99"), (Some(983), Some(997)));
    }

    #[test]
    fn few_samples_bound_nothing() {
        assert_eq!(found(1, "p50"), (None, None));
        assert_eq!(ranks(0, "p50".parse().unwrap(), 0.95), None);
        assert_eq!(ranks(5, "p50".parse().unwrap(), 1.0), None);
    }

    proptest! {
        #[test]
        fn covers_at_least_as_often_as_it_says(n in 1u64..400, milli in 1u32..999, confidence in 0.5..0.99f64) {
            let percentile: Percentile = format!("p{}.{}", milli / 10, milli % 10).parse().unwrap();
            let q = percentile.share();
            let ranks = ranks(n, percentile, confidence).unwrap();
            let below = ranks.low.map_or(0.0, |l| binomial_cdf(l - 1, n, q));
            let above = ranks.high.map_or(0.0, |u| binomial_tail(u, n, q));
            prop_assert!(1.0 - below - above >= confidence - 1e-12);
            // And no rank further in would do.
            let half = (1.0 - confidence) / 2.0;
            prop_assert!(ranks.low.is_none_or(|l| binomial_cdf(l, n, q) > half));
            prop_assert!(ranks.high.is_none_or(|u| binomial_tail(u - 1, n, q) > half));
        }
    }
}
