//! Reliability over repeated trials of one case: pass^k (all of k pass) and pass@k (at least one of k passes), each the
//! unbiased estimate over every way of choosing k of the n trials. Never (c/n)^k, which is biased high.

/// A case has fewer trials than the question asks about, so there is no answer for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{n} trials cannot say anything about {k}")]
pub struct TooFewTrials {
    /// How many there are.
    pub n: u64,
    /// How many were asked for.
    pub k: u64,
}

/// C(c, k) / C(n, k): the chance that k of the n trials, drawn without replacement, all pass; c of them passed.
///
/// # Errors
/// When n < k, k = 0 or c > n: the question makes no sense.
pub fn pass_hat_k(n: u64, c: u64, k: u64) -> Result<f64, TooFewTrials> {
    if k == 0 || n < k || c > n {
        return Err(TooFewTrials { n, k });
    }
    Ok(all_from(n, c, k))
}

/// 1 - C(n - c, k) / C(n, k): the chance that at least one of k trials drawn passes.
///
/// # Errors
/// As for [`pass_hat_k`].
pub fn pass_at_k(n: u64, c: u64, k: u64) -> Result<f64, TooFewTrials> {
    if k == 0 || n < k || c > n {
        return Err(TooFewTrials { n, k });
    }
    Ok(1.0 - all_from(n, n - c, k))
}

/// C(c, k) / C(n, k): exact as a reduced fraction while that fits, else as a product of k factors below 1.
fn all_from(n: u64, c: u64, k: u64) -> f64 {
    if c < k {
        return 0.0;
    }
    exact_ratio(n, c, k).unwrap_or_else(|| (0..k).map(|i| (c - i) as f64 / (n - i) as f64).product())
}

/// The product of (c - i) / (n - i), reduced at every step; `None` when it outgrows what a float divides exactly.
fn exact_ratio(n: u64, c: u64, k: u64) -> Option<f64> {
    const EXACT: u128 = 1 << 53;
    let (mut top, mut bottom) = (1u128, 1u128);
    for i in 0..k {
        top = top.checked_mul(u128::from(c - i))?;
        bottom = bottom.checked_mul(u128::from(n - i))?;
        let d = gcd(top, bottom);
        (top, bottom) = (top / d, bottom / d);
    }
    (top <= EXACT && bottom <= EXACT).then(|| top as f64 / bottom as f64)
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_the_reference_numbers() {
        assert_eq!(pass_at_k(10, 3, 5), Ok(11.0 / 12.0));
        assert_eq!(pass_hat_k(10, 8, 3), Ok(7.0 / 15.0));
        assert_eq!(pass_hat_k(8, 6, 4), Ok(3.0 / 14.0));
    }

    #[test]
    fn fewer_trials_than_k_is_an_error_and_never_a_number() {
        assert_eq!(pass_hat_k(3, 3, 4), Err(TooFewTrials { n: 3, k: 4 }));
        assert_eq!(pass_at_k(0, 0, 1), Err(TooFewTrials { n: 0, k: 1 }));
        assert!(pass_hat_k(3, 3, 0).is_err());
        assert!(pass_hat_k(3, 4, 1).is_err());
    }

    #[test]
    fn the_ends_are_exact() {
        for k in 1..=50 {
            assert_eq!(pass_hat_k(50, 50, k), Ok(1.0));
            assert_eq!(pass_hat_k(50, 0, k), Ok(0.0));
            assert_eq!(pass_at_k(50, 0, k), Ok(0.0));
            assert_eq!(pass_at_k(50, 50, k), Ok(1.0));
        }
    }

    proptest! {
        #[test]
        fn equals_counting_every_choice(passes in prop::collection::vec(any::<bool>(), 1..12), k in 1u32..6) {
            let n = passes.len() as u32;
            prop_assume!(k <= n);
            let (mut all, mut any, mut ways) = (0u32, 0u32, 0u32);
            for choice in 0u32..(1 << n) {
                if choice.count_ones() == k {
                    let chosen = || (0..n).filter(|i| choice >> i & 1 == 1).map(|i| passes[i as usize]);
                    ways += 1;
                    all += u32::from(chosen().all(|p| p));
                    any += u32::from(chosen().any(|p| p));
                }
            }
            let c = passes.iter().filter(|p| **p).count() as u64;
            let (n, k) = (u64::from(n), u64::from(k));
            prop_assert!((pass_hat_k(n, c, k).unwrap() - f64::from(all) / f64::from(ways)).abs() < 1e-12);
            prop_assert!((pass_at_k(n, c, k).unwrap() - f64::from(any) / f64::from(ways)).abs() < 1e-12);
        }

        #[test]
        fn stays_a_share_for_large_counts(n in 1u64..1_000_000, share in 0.0..1.0f64, k in 1u64..200) {
            prop_assume!(k <= n);
            let c = (n as f64 * share) as u64;
            let value = pass_hat_k(n, c, k).unwrap();
            prop_assert!((0.0..=1.0).contains(&value));
            prop_assert!(value <= c as f64 / n as f64 + 1e-12);
        }
    }
}
