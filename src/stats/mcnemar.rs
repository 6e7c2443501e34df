//! Paired outcomes that are pass or fail: the exact test of McNemar on the pairs that disagree.
//!
//! Which of two runs is better is told only by the cases on which they differ. Were neither better, each of those would
//! be a toss of a coin.

use super::special::{binomial_cdf, binomial_pmf, binomial_tail};

/// The two-sided exact p-value: how likely so lopsided a split of the disagreeing pairs is when neither side is better.
/// `wins` and `losses` count the cases that only one side passes. 1 when no pair disagrees: nothing is shown.
///
/// Below 6 disagreeing pairs it can never reach .05.
pub fn exact(wins: u64, losses: u64) -> f64 {
    (2.0 * binomial_cdf(wins.min(losses), wins + losses, 0.5)).min(1.0)
}

/// The mid-p value: the exact one less half the chance of what was seen, in each tail. Closer to its level on average,
/// without a guarantee; to look at, not to decide by.
pub fn mid_p(wins: u64, losses: u64) -> f64 {
    if wins + losses == 0 {
        return 1.0;
    }
    let seen = binomial_pmf(wins.min(losses), wins + losses, 0.5);
    // An even split is in the middle of both tails, which then share it.
    if wins == losses { 1.0 - seen / 2.0 } else { (exact(wins, losses) - seen).max(0.0) }
}

/// The one-sided exact p-value for "the candidate is worse": the chance of so many losses or more among the pairs that
/// disagree, when it is not.
pub fn worse(wins: u64, losses: u64) -> f64 {
    binomial_tail(losses, wins + losses, 0.5)
}

/// The one-sided exact p-value for "the candidate is better".
pub fn better(wins: u64, losses: u64) -> f64 {
    worse(losses, wins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_the_reference_numbers() {
        // statsmodels.stats.contingency_tables.mcnemar(exact=True)
        for (b, c, p) in [(5, 15, 0.0413895), (3, 10, 0.0922852), (1, 9, 0.0214844)] {
            assert!((exact(b, c) - p).abs() < 5e-8, "{b} {c}: {}", exact(b, c));
        }
        assert!((mid_p(5, 15) - 0.0266037).abs() < 5e-8);
    }

    #[test]
    fn five_disagreements_can_never_show_anything() {
        assert!(exact(0, 5) > 0.05);
        assert!(exact(0, 6) < 0.05);
        assert_eq!((exact(0, 0), worse(0, 0), mid_p(0, 0)), (1.0, 1.0, 1.0));
    }

    #[test]
    fn an_even_split_shows_nothing() {
        assert_eq!(exact(7, 7), 1.0);
    }

    proptest! {
        #[test]
        fn equals_counting_the_tosses(wins in 0u64..30, losses in 0u64..30) {
            let n = wins + losses;
            let choose = |k: u64| (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
            let tail: f64 = (losses..=n).map(choose).sum::<f64>() / 2f64.powi(n as i32);
            prop_assert!((worse(wins, losses) - tail).abs() < 1e-12);
        }

        #[test]
        fn sides_mirror_each_other_and_more_losses_are_worse(wins in 0u64..200, losses in 0u64..200) {
            prop_assert_eq!(exact(wins, losses), exact(losses, wins));
            prop_assert!(worse(wins, losses + 1) <= worse(wins, losses));
            prop_assert!(mid_p(wins, losses) <= exact(wins, losses) + 1e-12);
        }
    }
}
