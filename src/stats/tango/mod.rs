//! The difference of two paired pass rates by its score (T. Tango, Statistics in Medicine 17, 1998): the interval to look
//! at, and non-inferiority to decide by.
//!
//! Of `n` pairs the candidate alone passes `wins`, the baseline alone `losses`; the difference is (wins - losses) / n.
//! A limit is the difference d at which the score z(d) = (wins - losses - n d) / sqrt(n (2 q + d - d^2)) has the wanted
//! size, where q estimates the chance of a loss under d. Unlike the textbook interval it works with few or no pairs
//! that disagree. Its size under the normal distribution is an approximation, which promotes up to 5.8% in place of 5%:
//! [`margin`] therefore asks for as much as keeps the level at worst ([`worst`]).

pub mod margin;
mod worst;

pub use margin::{NonInferiority, Rule, detectable_margin, more_pairs, non_inferiority, shows};

use super::interval::{Interval, alpha};
use super::special::normal_quantile;

/// How the interval is called in reports.
pub const TANGO: &str = "tango";

/// The two-sided interval of the difference: an approximation, which covers within half a percent of what it says.
///
/// `None` when there is no pair, more disagreements than pairs, or no such confidence.
pub fn interval(wins: u64, losses: u64, n: u64, confidence: f64) -> Option<Interval> {
    let z = normal_quantile(1.0 - alpha(confidence)? / 2.0);
    let pairs = Pairs::new(wins, losses, n)?;
    Some(Interval { low: pairs.limit(z), high: pairs.limit(-z) })
}

/// Counts of pairs; not whole where they are scaled.
#[derive(Clone, Copy)]
struct Pairs {
    wins: f64,
    losses: f64,
    n: f64,
}

impl Pairs {
    fn new(wins: u64, losses: u64, n: u64) -> Option<Self> {
        let whole = Self { wins: wins as f64, losses: losses as f64, n: n as f64 };
        (n > 0 && wins.checked_add(losses)? <= n).then_some(whole)
    }

    /// As many more pairs that go as these do.
    fn with_more(self, more: u64) -> Self {
        let n = self.n + more as f64;
        Self { wins: self.wins * (n / self.n), losses: self.losses * (n / self.n), n }
    }

    fn difference(self) -> f64 {
        (self.wins - self.losses) / self.n
    }

    /// How many standard errors the observed difference lies above `d`; falls as `d` rises.
    fn score(self, d: f64) -> f64 {
        let Self { wins, losses, n } = self;
        let distance = wins - losses - n * d;
        let q = self.losses_under(d);
        let variance = n * (2.0 * q + d - d * d);
        if distance == 0.0 {
            0.0
        } else if variance <= 0.0 {
            distance.signum() * f64::INFINITY
        } else {
            distance / variance.sqrt()
        }
    }

    /// The likeliest chance of a loss when the difference is `d`: the root of 2n q^2 + B q + C.
    fn losses_under(self, d: f64) -> f64 {
        let Self { wins, losses, n } = self;
        let b = (2.0 * n - wins + losses) * d - wins - losses;
        let c = -losses * d * (1.0 - d);
        let root = (b * b - 8.0 * n * c).max(0.0).sqrt();
        // Of the two ways to write the root, the one that does not cancel.
        let q = if b > 0.0 { -2.0 * c / (root + b) } else { (root - b) / (4.0 * n) };
        q.max(0.0).max(-d)
    }

    /// The difference at which the score is `z`.
    fn limit(self, z: f64) -> f64 {
        let (mut low, mut high) = if z > 0.0 { (-1.0, self.difference()) } else { (self.difference(), 1.0) };
        for _ in 0..100 {
            let middle = low + (high - low) / 2.0;
            if middle <= low || middle >= high {
                break;
            }
            if self.score(middle) > z { low = middle } else { high = middle }
        }
        low + (high - low) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_the_reference_numbers() {
        // Confirmed by maximising the constrained trinomial likelihood numerically (scipy.optimize) in place of the
        // closed form.
        let cases = [
            (12, 2, 50, 0.061112407, 0.344708747),
            (15, 5, 100, 0.013446761, 0.192396502),
            (3, 9, 80, -0.170089281, 0.011325517),
            (30, 40, 1000, -0.026964383, 0.006557901),
        ];
        for (b, c, n, low, high) in cases {
            let i = interval(b, c, n, 0.95).unwrap();
            assert!((i.low - low).abs() < 1e-8 && (i.high - high).abs() < 1e-8, "{b} {c} {n}: {i:?}");
        }
    }

    #[test]
    fn agreement_everywhere_is_still_bounded_by_how_many_pairs_there_are() {
        // With no pair that disagrees the limit is -z^2 / (n + z^2).
        let z = 1.959963984540054_f64;
        let low = interval(0, 0, 20, 0.95).unwrap().low;
        assert!((low + z * z / (20.0 + z * z)).abs() < 1e-12, "{low}");
    }

    #[test]
    fn what_makes_no_sense_has_no_answer() {
        assert_eq!(interval(0, 0, 0, 0.95), None);
        assert_eq!(interval(3, 3, 5, 0.95), None);
        assert_eq!(interval(u64::MAX, 3, 5, 0.95), None);
        assert_eq!(interval(1, 1, 5, 1.0), None);
    }

    #[test]
    fn extremes_stay_within_minus_one_and_one() {
        for (wins, losses, n) in [(1, 0, 1), (0, 1, 1), (7, 0, 7), (0, 7, 7)] {
            let i = interval(wins, losses, n, 0.99).unwrap();
            let d = (wins as f64 - losses as f64) / n as f64;
            assert!(-1.0 <= i.low && i.high <= 1.0 && i.contains(d), "{i:?}");
        }
    }

    proptest! {
        #[test]
        fn sides_mirror_each_other(wins in 0u64..60, losses in 0u64..60, rest in 1u64..200) {
            let n = wins + losses + rest;
            let (a, b) = (interval(wins, losses, n, 0.95).unwrap(), interval(losses, wins, n, 0.95).unwrap());
            prop_assert!((a.low + b.high).abs() < 1e-9 && (a.high + b.low).abs() < 1e-9, "{a:?} {b:?}");
            prop_assert!(a.contains((wins as f64 - losses as f64) / n as f64));
        }

        #[test]
        fn turning_a_loss_into_a_tie_or_a_tie_into_a_win_never_hurts(
            wins in 0u64..40, losses in 1u64..40, rest in 1u64..100, margin in 0.0..0.5f64,
        ) {
            let n = wins + losses + rest;
            let score = |wins, losses| Pairs::new(wins, losses, n).unwrap().score(-margin);
            prop_assert!(score(wins, losses - 1) >= score(wins, losses));
            prop_assert!(score(wins + 1, losses) >= score(wins, losses));
        }
    }
}
