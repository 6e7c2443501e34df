//! How many pairs a comparison with a baseline asks for, and what a given number of them can show (paired binary
//! outcomes; normal approximation, R. Connor, Biometrics 43, 1987).
//!
//! `discordant` is the share of pairs that disagree; `power` the chance of showing what is there.

use super::special::normal_quantile;

/// The power that reports suppose unless told otherwise.
pub const POWER: f64 = 0.8;

/// Pairs needed to show a difference with the two-sided level `level`:
/// (z_{level/2} sqrt(pD) + z_power sqrt(pD - d^2))^2 / d^2.
///
/// `None` when the difference is 0 or larger than the share of pairs that disagree, or a level makes no sense.
pub fn pairs_for_difference(discordant: f64, difference: f64, level: f64, power: f64) -> Option<u64> {
    whole(exact_difference(discordant, difference, level, power)?)
}

/// Pairs needed to show non-inferiority with the one-sided level `level` when the true difference is `difference`:
/// (z_level + z_power)^2 (pD - d^2) / (margin + d)^2.
///
/// `None` when the true difference is not above -margin, or larger than the share of pairs that disagree, or a level
/// makes no sense.
pub fn pairs_for_non_inferiority(discordant: f64, difference: f64, margin: f64, level: f64, power: f64) -> Option<u64> {
    let (alpha, beta) = (quantile(level)?, quantile(1.0 - power)?);
    let room = margin + difference;
    if !(discordant > 0.0 && discordant <= 1.0 && difference.abs() <= discordant && room > 0.0) {
        return None;
    }
    whole((alpha + beta).powi(2) * (discordant - difference * difference) / (room * room))
}

/// The smallest difference that `n` pairs show with the two-sided level and the power.
///
/// `None` when not even the largest possible difference (every disagreement on one side) would be shown.
pub fn detectable_difference(n: u64, discordant: f64, level: f64, power: f64) -> Option<f64> {
    let enough = |d: f64| exact_difference(discordant, d, level, power).is_some_and(|needed| needed <= n as f64);
    if !enough(discordant) {
        return None;
    }
    let (mut low, mut high) = (0.0, discordant);
    for _ in 0..100 {
        let middle = low + (high - low) / 2.0;
        if enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// The smallest margin for which `n` pairs show non-inferiority when neither side is better:
/// (z_level + z_power) sqrt(pD / n).
///
/// `None` when there is no pair or a level makes no sense.
pub fn detectable_margin(n: u64, discordant: f64, level: f64, power: f64) -> Option<f64> {
    let (alpha, beta) = (quantile(level)?, quantile(1.0 - power)?);
    (n > 0 && discordant > 0.0 && discordant <= 1.0).then(|| (alpha + beta) * (discordant / n as f64).sqrt())
}

fn exact_difference(discordant: f64, difference: f64, level: f64, power: f64) -> Option<f64> {
    let (alpha, beta) = (quantile(level / 2.0)?, quantile(1.0 - power)?);
    let d = difference.abs();
    if !(discordant > 0.0 && discordant <= 1.0 && d > 0.0 && d <= discordant) {
        return None;
    }
    Some((alpha * discordant.sqrt() + beta * (discordant - d * d).sqrt()).powi(2) / (d * d))
}

/// The upper quantile of a level strictly between 0 and 1.
fn quantile(level: f64) -> Option<f64> {
    (level > 0.0 && level < 1.0).then(|| normal_quantile(1.0 - level))
}

fn whole(n: f64) -> Option<u64> {
    (n.is_finite() && n < 1e15).then(|| n.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_the_reference_numbers() {
        // The formulas in numpy with scipy.stats.norm.ppf: 311.587, 625.547, 869.736; 247.302, 313.955.
        for (discordant, difference, n) in [(0.1, 0.05, 312), (0.2, 0.05, 626), (0.1, 0.03, 870)] {
            assert_eq!(pairs_for_difference(discordant, difference, 0.05, 0.8), Some(n));
        }
        assert_eq!(pairs_for_non_inferiority(0.1, 0.0, 0.05, 0.05, 0.8), Some(248));
        assert_eq!(pairs_for_non_inferiority(0.1, 0.0, 0.05, 0.025, 0.8), Some(314));
    }

    #[test]
    fn what_can_never_be_shown_has_no_number() {
        assert_eq!(pairs_for_difference(0.1, 0.0, 0.05, 0.8), None);
        assert_eq!(pairs_for_difference(0.1, 0.2, 0.05, 0.8), None);
        assert_eq!(pairs_for_non_inferiority(0.1, -0.05, 0.05, 0.05, 0.8), None);
        assert_eq!(detectable_difference(5, 0.1, 0.05, 0.8), None);
        assert_eq!(detectable_margin(0, 0.1, 0.05, 0.8), None);
    }

    proptest! {
        #[test]
        fn the_detectable_difference_needs_as_many_pairs_as_there_are(n in 100u64..5000, discordant in 0.05..0.5f64) {
            if let Some(d) = detectable_difference(n, discordant, 0.05, 0.8) {
                let needed = pairs_for_difference(discordant, d, 0.05, 0.8).unwrap();
                prop_assert!(needed <= n && n <= needed + 1, "{d} {needed}");
            }
            let margin = detectable_margin(n, discordant, 0.05, 0.8).unwrap();
            let needed = pairs_for_non_inferiority(discordant, 0.0, margin, 0.05, 0.8).unwrap();
            prop_assert!(needed.abs_diff(n) <= 1);
        }
    }
}
