//! Comparisons that may be looked at after every session and stopped at any moment, without being wrong more often than
//! they say.
//!
//! Each is a test by betting, or a sequence of intervals of which all hold together with the confidence. Evidence is an e-value:
//! were there no difference, it would reach 1/alpha at any time with a chance of at most alpha (J. Ville, 1939).

use statrs::function::gamma::ln_gamma;

use super::special::beta_cdf;

/// How a comparison of two rates is called in reports.
pub const TWO_SAMPLE: &str = "two-sample e-process";
/// How a sequence of intervals of a mean is called in reports.
pub const CONFIDENCE_SEQUENCE: &str = "asymptotic confidence sequence";

/// Where the sequence of intervals is narrowest: at about 1/r^2 sessions, some hundreds.
pub const R: f64 = 0.1;

/// Evidence that the first of two sides is better, of pairs that disagree: `wins` that only the first passes, `losses`
/// that only the second does. The one-sided mixture 2 B(b+1, c+1) P(Beta(b+1, c+1) > 1/2) 2^(b+c).
pub fn of_pairs(wins: u64, losses: u64) -> f64 {
    let (a, b) = (wins as f64 + 1.0, losses as f64 + 1.0);
    let above = 1.0 - beta_cdf(0.5, a, b);
    let ln = ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b) + (a + b - 2.0) * std::f64::consts::LN_2;
    2.0 * above * ln.exp()
}

/// How far a mean may be from the truth at any time, of `t` sessions with the standard deviation `sigma` (I.
/// Waudby-Smith, D. Arbour, R. Sinha, E. Kennedy and A. Ramdas, Annals of Statistics 52, 2024, theorem 2.2): sigma
/// sqrt(2 (t r^2 + 1) / (t^2 r^2) ln(sqrt(t r^2 + 1) / alpha)). It holds where sessions are many.
///
/// `None` for no session, or without such a level.
pub fn radius(t: f64, sigma: f64, r: f64, alpha: f64) -> Option<f64> {
    let sound = t > 0.0 && sigma >= 0.0 && sigma.is_finite() && r > 0.0 && alpha > 0.0 && alpha < 1.0;
    let room = t * r * r + 1.0;
    sound.then(|| sigma * (2.0 * room / (t * t * r * r) * (room.sqrt() / alpha).ln()).sqrt())
}

/// What is bet before anything is known: as many events, and as many others, as the authors recommend.
const PRIOR: f64 = 0.18;

/// One side of a comparison of rates: events among sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Side {
    /// Events.
    pub events: f64,
    /// Sessions, or as many as they are worth.
    pub n: f64,
}

impl Side {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.n += other.n;
    }

    /// The rate as it is bet on.
    fn guess(self) -> f64 {
        (self.events + PRIOR) / (self.n + 2.0 * PRIOR)
    }
}

/// Evidence that the first side has a higher rate of events, block after block (R. Turner, A. Ly and P. Grünwald, Statistics
/// and Probability Letters 210, 2024): each block is bet on by the rates of the blocks before. Whatever both rates
/// are, if the first is no higher it is expected to shrink; how many sessions a block has may depend on all before.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TwoSample {
    first: Side,
    second: Side,
    /// The logarithm of the evidence.
    ln: f64,
}

impl TwoSample {
    /// Takes the next block.
    pub fn step(&mut self, first: Side, second: Side) {
        self.ln += bet((self.first.guess(), self.second.guess()), first, second);
        self.first.add(first);
        self.second.add(second);
    }

    /// The evidence: at 1/alpha the first is higher, at the level alpha.
    pub fn evidence(&self) -> f64 {
        self.ln.exp()
    }

    /// Both sides, as far as they were taken.
    pub fn sides(&self) -> (Side, Side) {
        (self.first, self.second)
    }
}

/// What a block wins on rates that are guessed, as a logarithm; nothing is bet where the first is not guessed higher.
fn bet((p, q): (f64, f64), first: Side, second: Side) -> f64 {
    let all = first.n + second.n;
    // A side without sessions says nothing of a difference.
    if p <= q || first.n <= 0.0 || second.n <= 0.0 {
        return 0.0;
    }
    let both = (first.n * p + second.n * q) / all;
    let side =
        |side: Side, p: f64| side.events * (p / both).ln() + (side.n - side.events) * ((1.0 - p) / (1.0 - both)).ln();
    side(first, p) + side(second, q)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::special::binomial_pmf;
    use proptest::prelude::*;

    #[test]
    fn pairs_are_worth_what_the_published_mixture_says() {
        for (wins, losses, e) in [(6, 0, 18.143), (7, 0, 31.875), (9, 1, 18.509), (15, 5, 6.3555)] {
            let got = of_pairs(wins, losses);
            assert!((got - e).abs() < 1e-3 * e, "{wins}-{losses}: {got}");
        }
        assert!(of_pairs(0, 6) < 1.0 && (of_pairs(0, 0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_radius_is_that_of_the_published_formula() {
        for (t, expected) in [(100.0, 0.365_639), (1000.0, 0.096_064)] {
            let got = radius(t, 1.0, R, 0.05).unwrap();
            assert!((got - expected).abs() < 1e-6, "{t}: {got}");
        }
        assert_eq!((radius(0.0, 1.0, R, 0.05), radius(10.0, 1.0, R, 1.0)), (None, None));
    }

    #[test]
    fn evidence_grows_where_there_is_a_difference_and_nothing_is_bet_on_the_other_side() {
        let (mut worse, mut better) = (TwoSample::default(), TwoSample::default());
        for _ in 0..20 {
            let (bad, good) = (Side { events: 6.0, n: 20.0 }, Side { events: 2.0, n: 20.0 });
            worse.step(bad, good);
            better.step(good, bad);
        }
        assert!(worse.evidence() > 1e4, "{}", worse.evidence());
        assert_eq!(better.evidence(), 1.0);
    }

    proptest! {
        /// The law that makes it a test: over every outcome of a block, it is expected to win nothing.
        #[test]
        fn no_block_is_expected_to_win_where_the_first_is_no_higher(
            truth in 0.01f64..0.99, less in 0.0f64..1.0, p in 0.01f64..0.99, q in 0.01f64..0.99, n in 1u64..9, m in 1u64..9
        ) {
            let (theta_a, theta_b) = (truth * less, truth);
            let mut expected = 0.0;
            for a in 0..=n {
                for b in 0..=m {
                    let first = Side { events: a as f64, n: n as f64 };
                    let second = Side { events: b as f64, n: m as f64 };
                    let chance = binomial_pmf(a, n, theta_a) * binomial_pmf(b, m, theta_b);
                    expected += chance * bet((p, q), first, second).exp();
                }
            }
            prop_assert!(expected <= 1.0 + 1e-9, "{expected}");
        }

        #[test]
        fn a_chance_between_both_wins_nothing_either(theta in 0.01f64..0.99, p in 0.01f64..0.99, q in 0.01f64..0.99) {
            let one = |event: bool| Side { events: f64::from(u8::from(event)), n: 1.0 };
            let outcomes = [(true, true), (true, false), (false, true), (false, false)];
            let chance = |event: bool| if event { theta } else { 1.0 - theta };
            let expected: f64 = outcomes.iter().map(|(a, b)| chance(*a) * chance(*b) * bet((p, q), one(*a), one(*b)).exp()).sum();
            prop_assert!(expected <= 1.0 + 1e-9, "{expected}");
        }
    }
}
