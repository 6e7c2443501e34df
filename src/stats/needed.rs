//! How many cases a bound on a rate asks for: what makes a suite that can never pass known before it runs, and an
//! inconclusive one say what would settle it.

use super::proportion::{fractional_lower, lower};

/// Beyond this many cases the answer is that there is none.
const MOST: u64 = 1 << 40;

/// The smallest number of cases whose lower limit can reach `min` at all, namely when every case passes: the first n
/// with (1 - confidence)^(1/n) >= min.
///
/// `None` when no number is enough (`min` of 1 or more), or there is no such confidence.
pub fn to_pass_at_all(min: f64, confidence: f64) -> Option<u64> {
    if !(confidence > 0.0 && confidence < 1.0) || min >= 1.0 || min.is_nan() {
        return None;
    }
    first(1, |n| lower(n, n, confidence).is_some_and(|low| low >= min))
}

/// The most failures among `n` cases with which the lower limit still reaches `min`; `None` when not even none is few
/// enough.
pub fn failures_allowed(n: u64, min: f64, confidence: f64) -> Option<u64> {
    let reaches = |failed: u64| lower(n - failed, n, confidence).is_some_and(|low| low >= min);
    if n == 0 || !reaches(0) {
        return None;
    }
    // With every case failed the limit is 0; more failures never raise it.
    let (mut good, mut bad) = (0, n + 1);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if reaches(middle) { good = middle } else { bad = middle }
    }
    Some(good)
}

/// How many more cases would bring the lower limit up to `min` if the rate stayed as it is (`passed` of `n`, which may
/// be sums of weights or of values in [0, 1]). 0 when it is there already.
///
/// `None` when the rate itself is not above `min`: then no number of cases would.
pub fn more_at_this_rate(passed: f64, n: f64, min: f64, confidence: f64) -> Option<u64> {
    let reaches = |cases: f64| fractional_lower(passed * (cases / n), cases, confidence).is_some_and(|low| low >= min);
    if !(n > 0.0 && passed <= n && passed / n > min) {
        return None;
    }
    first(0, |more| reaches(n + more as f64))
}

/// How many more cases would be enough if every one of them passed.
///
/// `None` when no number is (`min` of 1).
pub fn more_passes(passed: u64, n: u64, min: f64, confidence: f64) -> Option<u64> {
    if min >= 1.0 || passed > n {
        return None;
    }
    first(0, |more| lower(passed + more, n + more, confidence).is_some_and(|low| low >= min))
}

/// The first number from `from` on of which `holds`, for something that goes on to hold once it does.
pub(super) fn first(from: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    if holds(from) {
        return Some(from);
    }
    let (mut below, mut step) = (from, 1);
    while !holds(below + step) {
        below += step;
        step *= 2;
        if below > MOST {
            return None;
        }
    }
    let mut above = below + step;
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        if holds(middle) { above = middle } else { below = middle }
    }
    Some(above)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_the_table_of_smallest_numbers() {
        // At alpha = delta = .05 the smallest n for k = 0, 1, 2, 3 errors (statistics page).
        for (failed, n) in [(0, 59), (1, 93), (2, 124), (3, 153)] {
            assert_eq!(failures_allowed(n, 0.95, 0.95), Some(failed));
            assert_eq!(failures_allowed(n - 1, 0.95, 0.95), u64::checked_sub(failed, 1));
        }
        assert_eq!(to_pass_at_all(0.95, 0.95), Some(59));
        assert_eq!(to_pass_at_all(0.9, 0.95), Some(29));
    }

    #[test]
    fn fifty_cases_never_show_ninety_five_percent() {
        assert!(to_pass_at_all(0.95, 0.95).unwrap() > 50);
        assert_eq!(failures_allowed(50, 0.95, 0.95), None);
        assert_eq!((to_pass_at_all(1.0, 0.95), to_pass_at_all(0.9, 1.0)), (None, None));
    }

    #[test]
    fn a_rate_at_the_bound_is_never_enough() {
        assert_eq!(more_at_this_rate(9.0, 10.0, 0.9, 0.95), None);
        assert_eq!(more_passes(9, 10, 1.0, 0.95), None);
        assert_eq!(more_at_this_rate(0.0, 0.0, 0.5, 0.95), None);
    }

    proptest! {
        #[test]
        fn so_many_are_enough_and_one_less_is_not(n in 1u64..200, share in 0.0..=1.0f64, min in 0.1..0.99f64) {
            let passed = (n as f64 * share) as u64;
            let more = more_passes(passed, n, min, 0.95).unwrap();
            prop_assert!(lower(passed + more, n + more, 0.95).unwrap() >= min);
            prop_assert!(more == 0 || lower(passed + more - 1, n + more - 1, 0.95).unwrap() < min);
            if let Some(more) = more_at_this_rate(passed as f64, n as f64, min, 0.95) {
                let at = |more: u64| { let all = (n + more) as f64; fractional_lower(passed as f64 / n as f64 * all, all, 0.95).unwrap() };
                prop_assert!(at(more) >= min - 1e-9);
                prop_assert!(more == 0 || at(more - 1) < min + 1e-9);
            }
        }
    }
}
