//! The difference of two paired pass rates: the score interval of Tango (Statistics in Medicine 17, 1998), and
//! non-inferiority by its one-sided limit.
//!
//! Of `n` pairs the candidate alone passes `wins`, the baseline alone `losses`; the difference is (wins - losses) / n.
//! A limit is the difference d at which the score z(d) = (wins - losses - n d) / sqrt(n (2 q + d - d^2)) has the wanted
//! size, where q estimates the chance of a loss under d. Unlike the textbook interval it works with few or no pairs
//! that disagree.

use super::interval::{Interval, alpha};
use super::needed::first;
use super::special::{normal_cdf, normal_quantile};

/// How the method is called in reports.
pub const TANGO: &str = "tango";

/// What pairs of pass and fail say of "not worse by more than the margin".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NonInferiority {
    /// The difference of the pass rates, candidate less baseline.
    pub difference: f64,
    /// The one-sided lower limit of the difference, at 1 - alpha.
    pub lower: f64,
    /// The one-sided upper limit of the difference, at 1 - alpha.
    pub upper: f64,
    /// The score at -margin.
    pub z: f64,
    /// The one-sided p-value of the hypothesis that the candidate is worse by the margin or more.
    pub p: f64,
}

impl NonInferiority {
    /// Whether it is shown: the lower limit lies above -margin.
    pub fn holds(&self, margin: f64) -> bool {
        self.lower > -margin
    }

    /// Whether the contrary is shown: the upper limit lies below -margin.
    pub fn fails(&self, margin: f64) -> bool {
        self.upper < -margin
    }
}

/// Whether the candidate is worse by less than `margin`, at the one-sided level `level`.
///
/// `None` when there is no pair, more disagreements than pairs, a margin outside 0 to 1, or a level outside 0 to 0.5.
pub fn non_inferiority(wins: u64, losses: u64, n: u64, margin: f64, level: f64) -> Option<NonInferiority> {
    if !((0.0..1.0).contains(&margin) && level > 0.0 && level < 0.5) {
        return None;
    }
    let pairs = Pairs::new(wins as f64, losses as f64, n as f64)?;
    let z = pairs.score(-margin);
    let reach = normal_quantile(1.0 - level);
    Some(NonInferiority {
        difference: pairs.difference(),
        lower: pairs.limit(reach),
        upper: pairs.limit(-reach),
        z,
        p: normal_cdf(-z),
    })
}

/// The two-sided interval of the difference.
///
/// `None` when there is no pair, more disagreements than pairs, or no such confidence.
pub fn interval(wins: u64, losses: u64, n: u64, confidence: f64) -> Option<Interval> {
    let z = normal_quantile(1.0 - alpha(confidence)? / 2.0);
    let pairs = Pairs::new(wins as f64, losses as f64, n as f64)?;
    Some(Interval { low: pairs.limit(z), high: pairs.limit(-z) })
}

/// The one-sided lower limit of the difference at `confidence`.
///
/// `None` as for [`interval`].
pub fn lower(wins: u64, losses: u64, n: u64, confidence: f64) -> Option<f64> {
    let z = normal_quantile(1.0 - alpha(confidence)?);
    Some(Pairs::new(wins as f64, losses as f64, n as f64)?.limit(z))
}

/// How many more pairs would show non-inferiority if they went as these did. 0 when it is shown already.
///
/// `None` when the difference itself is at or below -margin, or as for [`non_inferiority`].
pub fn more_pairs(wins: u64, losses: u64, n: u64, margin: f64, level: f64) -> Option<u64> {
    let now = non_inferiority(wins, losses, n, margin, level)?;
    if now.difference <= -margin {
        return None;
    }
    let reach = normal_quantile(1.0 - level);
    first(0, |more| {
        let all = (n + more) as f64;
        let scale = all / n as f64;
        // The limit lies above -margin when the score there is beyond reach.
        Pairs::new(wins as f64 * scale, losses as f64 * scale, all).is_some_and(|p| p.score(-margin) > reach)
    })
}

/// Counts of pairs; not whole where they are scaled.
#[derive(Clone, Copy)]
struct Pairs {
    wins: f64,
    losses: f64,
    n: f64,
}

impl Pairs {
    fn new(wins: f64, losses: f64, n: f64) -> Option<Self> {
        (n > 0.0 && wins + losses <= n * (1.0 + 1e-12)).then_some(Self { wins, losses, n })
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
        let found = non_inferiority(8, 12, 400, 0.05, 0.05).unwrap();
        assert!((found.lower + 0.029918927).abs() < 1e-8, "{found:?}");
        assert!((found.z - 2.963461672).abs() < 1e-7 && (found.p - 0.001521000).abs() < 1e-8, "{found:?}");
        assert!(found.holds(0.05) && !found.fails(0.05));
    }

    #[test]
    fn agreement_everywhere_is_still_bounded_by_how_many_pairs_there_are() {
        // With no pair that disagrees the limit is -z^2 / (n + z^2).
        let z = 1.6448536269514722_f64;
        let low = lower(0, 0, 20, 0.95).unwrap();
        assert!((low + z * z / (20.0 + z * z)).abs() < 1e-12, "{low}");
        assert_eq!(more_pairs(0, 0, 20, 0.05, 0.05), Some(32));
        assert!(non_inferiority(0, 0, 52, 0.05, 0.05).unwrap().holds(0.05));
        assert!(!non_inferiority(0, 0, 51, 0.05, 0.05).unwrap().holds(0.05));
    }

    #[test]
    fn what_makes_no_sense_has_no_answer() {
        assert_eq!(interval(0, 0, 0, 0.95), None);
        assert_eq!(interval(3, 3, 5, 0.95), None);
        assert_eq!(non_inferiority(1, 1, 5, 1.0, 0.05), None);
        assert_eq!(non_inferiority(1, 1, 5, 0.1, 0.5), None);
        // Worse by just the margin: no number of such pairs shows that it is worse by less.
        assert_eq!(more_pairs(0, 5, 100, 0.05, 0.05), None);
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
        fn the_limit_and_the_p_value_decide_alike(wins in 0u64..40, losses in 0u64..40, rest in 0u64..200, margin in 0.01..0.3f64) {
            let n = (wins + losses + rest).max(1);
            let found = non_inferiority(wins, losses, n, margin, 0.05).unwrap();
            prop_assume!((found.p - 0.05).abs() > 1e-9);
            prop_assert_eq!(found.holds(margin), found.p < 0.05, "{:?}", found);
        }

        #[test]
        fn turning_a_loss_into_a_tie_never_hurts(wins in 0u64..40, losses in 1u64..40, rest in 0u64..100) {
            let n = wins + losses + rest;
            prop_assert!(lower(wins, losses - 1, n, 0.95) >= lower(wins, losses, n, 0.95));
        }

        #[test]
        fn so_many_more_pairs_are_enough(wins in 0u64..20, losses in 0u64..20, rest in 0u64..100, margin in 0.02..0.2f64) {
            let n = (wins + losses + rest).max(1);
            if let Some(more) = more_pairs(wins, losses, n, margin, 0.05) {
                let scale = (n + more) as f64 / n as f64;
                let then = Pairs::new(wins as f64 * scale, losses as f64 * scale, (n + more) as f64).unwrap();
                prop_assert!(then.limit(normal_quantile(0.95)) > -margin - 1e-9);
            }
        }
    }
}
