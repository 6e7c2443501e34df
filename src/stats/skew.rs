//! What a lopsided distribution does to the limits of a mean, and when so few values do not bear them.
//!
//! Where a few values are far larger than the others, a sample that happens to lack them has too low a mean and too small
//! a spread, and Student's limits end short of the truth. The limits here are the wider ones of Student's and of those
//! that P. Hall corrects by the skewness of the sample (On the removal of skewness by transformation, JRSS B 54, 1992).
//! No method is right for means of everything (R. Bahadur and L. Savage, 1956); what the correction does not reach is
//! said in words.

use std::fmt;

use super::special::{t_cdf, t_quantile};

/// Below so many values a skewed distribution is not told from an even one.
pub const FEW: u64 = 20;

/// So many values for every square of the skewness bear the limits of a mean (W. Cochran, Sampling Techniques, 1977,
/// section 2.15).
const PER_SQUARE: f64 = 25.0;

/// How values lie about their mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// How many independent values.
    pub n: u64,
    /// The third moment about the mean over the cube of the standard deviation; 0 without any spread.
    pub skewness: f64,
}

/// Why limits of a mean may hold less often than they say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Doubt {
    /// There are so few values.
    Few(u64),
    /// They are skewed, and fewer than that asks for.
    Skewed {
        /// How many there are.
        n: u64,
        /// How many would do.
        needed: u64,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Few(n) => write!(f, "{n} cases are few for a mean, {FEW} are wanted"),
            Self::Skewed { n, needed } => {
                write!(f, "a few values are far from the others, of which a mean wants {needed} cases and not {n}")
            }
        }
    }
}

impl Shape {
    /// The shape of values, given as their distances from the mean.
    pub fn of(off: impl Iterator<Item = f64> + Clone) -> Self {
        let n = off.clone().count() as u64;
        let moment = |power: i32| off.clone().map(|x| x.powi(power)).sum::<f64>() / n as f64;
        let (square, cube) = (moment(2), moment(3));
        let skewness = cube / square.powf(1.5);
        Self { n, skewness: if skewness.is_finite() { skewness } else { 0.0 } }
    }

    /// How many standard errors the limits of a mean lie below and above it, when each tail has the chance `tail` and
    /// Student's distribution `df` degrees of freedom.
    pub fn reach(&self, tail: f64, df: f64) -> (f64, f64) {
        let t = t_quantile(1.0 - tail, df);
        (t.max(self.undone(t)), t.max(-self.undone(-t)))
    }

    /// The one-sided p-value that goes with these limits, of a mean that lies `t` standard errors above what it is held
    /// against (below it, negative).
    pub fn p_above(&self, t: f64, df: f64) -> f64 {
        t_cdf(-t, df).max(t_cdf(-self.corrected(t), df))
    }

    /// Why the limits may hold less often than they say; `None` when nothing speaks against them.
    pub fn doubt(&self) -> Option<Doubt> {
        let needed = (PER_SQUARE * self.skewness * self.skewness).ceil();
        if self.n < FEW {
            Some(Doubt::Few(self.n))
        } else if (self.n as f64) < needed {
            Some(Doubt::Skewed { n: self.n, needed: needed as u64 })
        } else {
            None
        }
    }

    /// Hall's transformation, which takes the skewness out of Student's ratio:
    /// t + g t^2 / (3 sqrt n) + g^2 t^3 / (27 n) + g / (6 sqrt n).
    fn corrected(&self, t: f64) -> f64 {
        let (root, g) = ((self.n as f64).sqrt(), self.skewness);
        t + g * t * t / (3.0 * root) + (g * t).powi(2) * t / (27.0 * root * root) + g / (6.0 * root)
    }

    /// The ratio of which `corrected` makes x.
    fn undone(&self, x: f64) -> f64 {
        let (root, g) = ((self.n as f64).sqrt(), self.skewness);
        if g.abs() < 1e-6 {
            return x;
        }
        3.0 * root / g * ((1.0 + g * (x / root - g / (6.0 * root * root))).cbrt() - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy.stats.skew of [1, 2, 3, 4, 15], and Hall's formula in numpy at t = 2.
        let shape = Shape::of([1.0, 2.0, 3.0, 4.0, 15.0].map(|x| x - 5.0).into_iter());
        assert!((shape.skewness - 1.3577270894181972).abs() < 1e-14, "{}", shape.skewness);
        assert!((shape.corrected(2.0) - 3.0200308926030894).abs() < 1e-12, "{}", shape.corrected(2.0));
    }

    #[test]
    fn limits_reach_towards_the_long_tail() {
        let even = Shape { n: 50, skewness: 0.0 };
        assert_eq!(even.reach(0.025, 49.0), (t_quantile(0.975, 49.0), t_quantile(0.975, 49.0)));
        let (below, above) = Shape { skewness: 2.0, ..even }.reach(0.025, 49.0);
        assert!(above > below && below == even.reach(0.025, 49.0).0, "{below} {above}");
    }

    #[test]
    fn few_and_skewed_values_are_doubted_in_words() {
        let doubt = |n, skewness| Shape { n, skewness }.doubt().map(|d| d.to_string()).unwrap_or_default();
        assert_eq!(doubt(19, 0.0), "19 cases are few for a mean, 20 are wanted");
        assert_eq!(doubt(40, 2.0), "a few values are far from the others, of which a mean wants 100 cases and not 40");
        assert_eq!((doubt(20, 0.8).as_str(), doubt(100, -2.0).as_str()), ("", ""));
    }

    #[test]
    fn values_without_a_spread_have_no_skewness() {
        assert_eq!(Shape::of([0.0; 4].into_iter()).skewness, 0.0);
        assert_eq!(Shape::of(std::iter::empty::<f64>()).skewness, 0.0);
    }

    proptest! {
        #[test]
        fn undoing_undoes(n in 2u64..1000, skewness in -3.0..3.0f64, t in -4.0..4.0f64) {
            let shape = Shape { n, skewness };
            prop_assert!((shape.undone(shape.corrected(t)) - t).abs() < 1e-6);
        }

        #[test]
        fn limit_and_p_value_decide_alike(n in 2u64..1000, skewness in -3.0..3.0f64, t in -6.0..6.0f64, tail in 0.001..0.3f64) {
            let (shape, df) = (Shape { n, skewness }, n as f64 - 1.0);
            let p = shape.p_above(t, df);
            prop_assume!((p - tail).abs() > 1e-9);
            prop_assert_eq!(t > shape.reach(tail, df).0, p < tail);
        }
    }
}
