//! The distributions that everything else stands on: normal, Student's t, beta and binomial.
//!
//! The logarithm of the gamma function and the normal distribution are those of `statrs`. Its incomplete beta function
//! is not used: at version 0.19 its continued fraction ends too early for large counts (I_0.5(10^6, 10^6) comes out as
//! 0.491 instead of 0.5) and its inverse is off by up to 5e-4. The one here is held to scipy over a grid in its tests.

use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::gamma::ln_gamma;

/// The standard normal distribution function.
pub fn normal_cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// The z below which a standard normal variable lies with probability `p`; infinite at 0 and 1, NaN outside.
pub fn normal_quantile(p: f64) -> f64 {
    if (0.0..=1.0).contains(&p) { Normal::standard().inverse_cdf(p) } else { f64::NAN }
}

/// The regularised incomplete beta function I_x(a, b): the chance that a Beta(a, b) variable is at most `x`.
///
/// NaN unless a and b are positive and finite and x lies in [0, 1].
pub fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    beta_tails(x, a, b).0
}

/// I_x(a, b) and 1 - I_x(a, b), the smaller of the two without cancellation.
fn beta_tails(x: f64, a: f64, b: f64) -> (f64, f64) {
    if !(a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite() && (0.0..=1.0).contains(&x)) {
        return (f64::NAN, f64::NAN);
    }
    if x == 0.0 || x == 1.0 {
        return (x, 1.0 - x);
    }
    let weight = beta_weight(x, a, b);
    // The fraction converges fast on the left of the mode, so the right side is taken from the other end.
    if x <= (a + 1.0) / (a + b + 2.0) {
        let left = weight * fraction(x, a, b) / a;
        (left, 1.0 - left)
    } else {
        let right = weight * fraction(1.0 - x, b, a) / b;
        (1.0 - right, right)
    }
}

/// x^a (1 - x)^b / B(a, b), by Loader's saddle-point expansion (C. Loader, Fast and accurate computation of binomial
/// probabilities, 2000): differences of large logarithms would lose what matters.
fn beta_weight(x: f64, a: f64, b: f64) -> f64 {
    let n = a + b;
    let exponent =
        stirling_error(n) - stirling_error(a) - stirling_error(b) - deviance(a, n * x) - deviance(b, n * (1.0 - x));
    (a * b / (std::f64::consts::TAU * n)).sqrt() * exponent.exp()
}

/// What Stirling's formula misses: ln gamma(a) - (a - 1/2) ln a + a - ln sqrt(2 pi).
fn stirling_error(a: f64) -> f64 {
    if a < 16.0 {
        return ln_gamma(a) - (a - 0.5) * a.ln() + a - 0.5 * std::f64::consts::TAU.ln();
    }
    let square = a * a;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square) / square)
        / a
}

/// a ln(a / m) + m - a, without cancellation where a and m are close.
fn deviance(a: f64, m: f64) -> f64 {
    let v = (a - m) / (a + m);
    if v.abs() >= 0.1 {
        return a * (a / m).ln() + m - a;
    }
    let (mut sum, mut term) = ((a - m) * v, 2.0 * a * v);
    for i in 1..1000 {
        term *= v * v;
        let next = sum + term / f64::from(2 * i + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// The continued fraction of the incomplete beta function by the modified Lentz method (Numerical Recipes, 6.4). It
/// takes about sqrt(max(a, b)) steps; NaN when it does not settle.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const MOST: u32 = 10_000_000;
    let away = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..MOST {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            d = 1.0 / away(1.0 + coefficient * d);
            c = away(1.0 + coefficient / c);
            change = c * d;
            value *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            return value;
        }
    }
    f64::NAN
}

/// The x with I_x(a, b) = p: Newton's steps, kept inside a bracket that shrinks at every step.
///
/// NaN unless a and b are positive and finite and p lies in [0, 1].
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if !(a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite() && (0.0..=1.0).contains(&p)) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return p;
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let mut x = a / (a + b);
    for _ in 0..400 {
        let (left, right) = beta_tails(x, a, b);
        // The distance to p, from whichever tail is known to more digits.
        let off = if left < right { left - p } else { (1.0 - p) - right };
        if off == 0.0 || off.is_nan() {
            break;
        }
        if off > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let newton = x - off * x * (1.0 - x) / beta_weight(x, a, b);
        let next = if newton > low && newton < high { newton } else { middle(low, high) };
        if next == x || (next - x).abs() <= 1e-16 * next {
            return next;
        }
        x = next;
    }
    x
}

/// Between two bounds; by ratio where they differ by orders of magnitude, so that tiny roots are found as well.
fn middle(low: f64, high: f64) -> f64 {
    if low > 0.0 && high / low > 4.0 {
        (low * high).sqrt()
    } else if low == 0.0 && high < 1e-3 {
        high / 1024.0
    } else {
        low + (high - low) / 2.0
    }
}

/// Student's t distribution function with `df` degrees of freedom.
pub fn t_cdf(t: f64, df: f64) -> f64 {
    let tail = if t * t < df {
        0.5 * beta_tails(t * t / (df + t * t), 0.5, df / 2.0).1
    } else {
        0.5 * beta_cdf(df / (df + t * t), df / 2.0, 0.5)
    };
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// The t below which a variable of Student's distribution with `df` degrees of freedom lies with probability `p`.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if p == 0.5 {
        return 0.0;
    }
    let tail = 2.0 * p.min(1.0 - p);
    let share = beta_quantile(tail, df / 2.0, 0.5);
    // The share df / (df + t^2), or the rest of it: whichever is small is known to more digits.
    let size = if share < 0.5 {
        (df * (1.0 - share) / share).sqrt()
    } else {
        let rest = beta_quantile(1.0 - tail, 0.5, df / 2.0);
        (df * rest / (1.0 - rest)).sqrt()
    };
    if p < 0.5 { -size } else { size }
}

/// The chance of at most `k` successes in `n` trials of chance `p`.
pub fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    beta_tails(p, k as f64 + 1.0, (n - k) as f64).1
}

/// The chance of `k` or more successes in `n` trials of chance `p`.
pub fn binomial_tail(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n { 0.0 } else { beta_cdf(p, k as f64, (n - k) as f64 + 1.0) }
}

/// The chance of exactly `k` successes in `n` trials of chance `p`.
pub fn binomial_pmf(k: u64, n: u64, p: f64) -> f64 {
    match (k, n) {
        (k, n) if k > n => 0.0,
        (0, n) => (n as f64 * (-p).ln_1p()).exp(),
        (k, n) if k == n => (n as f64 * p.ln()).exp(),
        // C(n, k) p^k q^(n-k) = p^k q^(n-k) / B(k, n-k) * n / (k (n-k)).
        _ => beta_weight(p, k as f64, (n - k) as f64) * n as f64 / (k as f64 * (n - k) as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `scipy.special.betaincinv`, `betainc`, `scipy.stats.t` and `norm` (scipy 1.17) over a grid: what, a, b, argument,
    /// value.
    const GRID: &str = include_str!("oracle/distributions.txt");

    #[test]
    fn agree_with_scipy_over_a_grid() {
        let mut met = 0;
        for line in GRID.lines().filter(|l| !l.starts_with('#')) {
            let (what, rest) = line.split_once(' ').unwrap();
            let n: Vec<f64> = rest.split(' ').map(|n| n.parse().unwrap()).collect();
            let [a, b, x, expected] = n[..] else { panic!("{line}") };
            let (value, room) = match what {
                "bppf" => (beta_quantile(x, a, b), 1e-10),
                "bcdf" => (beta_cdf(x, a, b), 1e-10),
                "tppf" => (t_quantile(x, a), 1e-9),
                "tcdf" => (t_cdf(x, a), 1e-10),
                "nppf" => (normal_quantile(x), 1e-13),
                "ncdf" => (normal_cdf(x), 1e-9),
                other => panic!("{other}"),
            };
            let off = (value - expected).abs();
            // Where scipy says 0 or a number that nothing can be told from it, so must we.
            assert!(off <= room * expected.abs() + 1e-290, "{line}: {value}");
            met += 1;
        }
        assert!(met > 1000, "{met}");
    }

    #[test]
    fn what_makes_no_sense_is_not_a_number() {
        for value in
            [beta_cdf(0.5, 0.0, 1.0), beta_cdf(1.1, 1.0, 1.0), beta_quantile(-0.1, 1.0, 1.0), t_quantile(2.0, 1.0)]
        {
            assert!(value.is_nan());
        }
        assert!(normal_quantile(1.5).is_nan());
    }

    #[test]
    fn the_ends_are_exact() {
        assert_eq!((beta_cdf(0.0, 2.0, 3.0), beta_cdf(1.0, 2.0, 3.0)), (0.0, 1.0));
        assert_eq!((beta_quantile(0.0, 2.0, 3.0), beta_quantile(1.0, 2.0, 3.0)), (0.0, 1.0));
        assert_eq!((binomial_cdf(5, 5, 0.3), binomial_tail(0, 5, 0.3), binomial_tail(6, 5, 0.3)), (1.0, 1.0, 0.0));
    }

    proptest! {
        #[test]
        fn the_quantile_undoes_the_distribution(a in 0.5..1e5f64, b in 0.5..1e5f64, p in 1e-6..0.999f64) {
            let x = beta_quantile(p, a, b);
            prop_assert!((beta_cdf(x, a, b) - p).abs() < 1e-10, "{}", beta_cdf(x, a, b));
        }

        #[test]
        fn tails_add_up_to_one(n in 1u64..400, p in 0.001..0.999f64) {
            for k in 0..=n {
                prop_assert!((binomial_cdf(k, n, p) + binomial_tail(k + 1, n, p) - 1.0).abs() < 1e-12);
            }
            let total: f64 = (0..=n).map(|k| binomial_pmf(k, n, p)).sum();
            prop_assert!((total - 1.0).abs() < 1e-11, "{total}");
        }
    }
}
