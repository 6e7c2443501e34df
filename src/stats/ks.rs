//! Whether two sets of samples have one distribution: the test of Kolmogorov and Smirnov. The distance is the largest
//! difference of the shares that lie below any value, from 0 to 1, whatever the unit and the shape.

use super::needed::first;

/// How the method is called in reports, by how the p-value is found.
pub const EXACT: &str = "kolmogorov-smirnov-exact";
/// As [`EXACT`], by the limiting distribution.
pub const LIMIT: &str = "kolmogorov-smirnov";

/// Products of sizes up to this have exact p-values.
const EXACT_UP_TO: u64 = 4_000_000;

/// The least and the greatest that a distance can be: the same for samples known exactly, apart for samples that are
/// known by their bins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    /// At least this.
    pub least: f64,
    /// At most this.
    pub most: f64,
}

/// The distance of two sets of samples, each as ascending values with how many there are of each. `binned` when a value
/// stands for a bin, in which samples may lie in any order.
///
/// `None` when a set is empty.
pub fn distance(a: &[(f64, u64)], b: &[(f64, u64)], binned: bool) -> Option<Distance> {
    let total = |steps: &[(f64, u64)]| steps.iter().map(|s| s.1).sum::<u64>();
    let (n, m) = (total(a), total(b));
    if n == 0 || m == 0 {
        return None;
    }
    let (mut i, mut j, mut below) = (0, 0, (0u64, 0u64));
    let mut found = Distance { least: 0.0, most: 0.0 };
    let gap = |below: (u64, u64)| {
        // Over a common denominator, so that equal shares are equal.
        let (x, y) = (u128::from(below.0) * u128::from(m), u128::from(below.1) * u128::from(n));
        x.abs_diff(y) as f64 / (u128::from(n) * u128::from(m)) as f64
    };
    while i < a.len() || j < b.len() {
        let value = match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) => x.0.min(y.0),
            (Some(x), None) => x.0,
            (None, Some(y)) => y.0,
            (None, None) => break,
        };
        let before = below;
        if a.get(i).is_some_and(|x| x.0 == value) {
            below.0 += a[i].1;
            i += 1;
        }
        if b.get(j).is_some_and(|y| y.0 == value) {
            below.1 += b[j].1;
            j += 1;
        }
        found.least = found.least.max(gap(below));
        // Inside a bin all of one set may come before any of the other.
        found.most = found.most.max(gap((below.0, before.1))).max(gap((before.0, below.1)));
    }
    found.most = if binned { found.most.max(found.least) } else { found.least };
    Some(found)
}

/// The chance of so large a distance or a larger one when `n` and `m` independent samples have one distribution, and how
/// it was found. With samples that are equal it is on the safe side.
pub fn p_value(distance: f64, n: u64, m: u64) -> (f64, &'static str) {
    if n.saturating_mul(m) <= EXACT_UP_TO {
        return (exact(distance, n.min(m), n.max(m)), EXACT);
    }
    let size = (n as f64 * m as f64 / (n as f64 + m as f64)).sqrt();
    // M. Stephens, JRSS B 32, 1970: the limit at a slightly larger argument.
    let x = (size + 0.12 + 0.11 / size) * distance;
    let series: f64 = (1..=100).map(f64::from).map(|k| (-1f64).powf(k - 1.0) * (-2.0 * k * k * x * x).exp()).sum();
    ((2.0 * series).clamp(0.0, 1.0), LIMIT)
}

/// One less the share of orders of the samples that stay closer than the distance (J. Hodges, Arkiv foer Matematik 3,
/// 1958).
fn exact(distance: f64, m: u64, n: u64) -> f64 {
    if distance <= 0.0 {
        return 1.0;
    }
    // Distances are multiples of 1 / (m n): half a step below decides without rounding.
    let product = m as f64 * n as f64;
    let bar = ((distance * product - 1e-7).floor() + 0.5) / product;
    let outside = |i: u64, j: u64| (i as f64 / m as f64 - j as f64 / n as f64).abs() > bar;
    let mut ways: Vec<f64> = (0..=n).map(|j| f64::from(u8::from(!outside(0, j)))).collect();
    for j in 1..ways.len() {
        ways[j] = if outside(0, j as u64) { 0.0 } else { ways[j - 1] };
    }
    for i in 1..=m {
        let weight = i as f64 / (i + n) as f64;
        ways[0] = if outside(i, 0) { 0.0 } else { weight * ways[0] };
        for j in 1..ways.len() {
            ways[j] = if outside(i, j as u64) { 0.0 } else { weight * ways[j] + ways[j - 1] };
        }
    }
    (1.0 - ways[ways.len() - 1]).clamp(0.0, 1.0)
}

/// How far a distance may be from that of the distributions themselves, with a confidence: each set of samples is
/// within its own band (Dvoretzky, Kiefer and Wolfowitz, with Massart's constant), each at half of the error.
///
/// `None` when a set is empty or there is no such confidence.
pub fn band(n: u64, m: u64, confidence: f64) -> Option<f64> {
    let alpha = super::interval::alpha(confidence)?;
    let one = |n: u64| ((4.0 / alpha).ln() / (2.0 * n as f64)).sqrt();
    (n > 0 && m > 0).then(|| one(n) + one(m))
}

/// The smallest distance that is significant at the level; `None` when not even 1 is.
pub fn critical(n: u64, m: u64, level: f64) -> Option<f64> {
    let significant = |d: f64| p_value(d, n, m).0 < level;
    if n == 0 || m == 0 || !significant(1.0) {
        return None;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..20 {
        let middle = f64::midpoint(low, high);
        if significant(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// How many more samples on the first side could show a difference, were no two of both sides alike; 0 when so many can.
///
/// `None` when no number could: there is none on the other side, or no such level.
pub fn more_to_show(n: u64, m: u64, level: f64) -> Option<u64> {
    if m == 0 || level.is_nan() || level <= 0.0 {
        return None;
    }
    first(0, |more| n + more > 0 && p_value(1.0, n + more, m).0 < level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn so_many_more_samples_can_show_a_difference_and_one_less_cannot() {
        for (n, m) in [(2, 3), (1, 1), (1, 30), (3, 2)] {
            let more = more_to_show(n, m, 0.05).unwrap();
            assert!(
                more > 0 && p_value(1.0, n + more, m).0 < 0.05 && p_value(1.0, n + more - 1, m).0 >= 0.05,
                "{n} {m}"
            );
        }
        assert_eq!(
            (more_to_show(50, 50, 0.05), more_to_show(5, 0, 0.05), more_to_show(5, 5, 0.0)),
            (Some(0), None, None)
        );
    }

    fn steps(values: &[f64]) -> Vec<(f64, u64)> {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect()
    }

    const A: [f64; 7] = [1.1, 2.3, 2.9, 3.7, 4.4, 5.0, 6.2];
    const B: [f64; 8] = [2.0, 3.1, 4.8, 5.5, 6.9, 7.3, 8.8, 9.1];

    #[test]
    fn agrees_with_scipy() {
        // scipy.stats.ks_2samp(a, b, method="exact"), and its count of paths for other sizes.
        let d = distance(&steps(&A), &steps(&B), false).unwrap().least;
        assert_eq!(d, 0.5);
        for (n, m, d, p) in [
            (7, 8, 0.5, 0.192_540_792_540_792_57),
            (10, 12, 0.5, 0.092_702_962_672_002_93),
            (40, 55, 0.3, 0.024_050_649_511_442_288),
            (100, 150, 0.2, 0.014_781_614_342_211_473),
            (300, 300, 0.1, 0.099_562_519_661_289_41),
        ] {
            assert!((p_value(d, n, m).0 - p).abs() < 1e-10, "{n} {m}: {:?}", p_value(d, n, m));
        }
        let (ties, others) = ([1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 5.0], [2.0, 2.0, 3.0, 3.0, 4.0, 5.0, 5.0, 6.0]);
        let d = distance(&steps(&ties), &steps(&others), false).unwrap().least;
        assert!((d - 0.464_285_714_285_714_3).abs() < 1e-15);
        assert!((p_value(d, 7, 8).0 - 0.313_131_313_131_313_15).abs() < 1e-10);
    }

    #[test]
    fn the_limit_takes_over_smoothly() {
        let (exact, limit) = (p_value(0.05, 2000, 2000), p_value(0.05, 2001, 2000));
        assert_eq!((exact.1, limit.1), (EXACT, LIMIT));
        assert!((exact.0 / limit.0 - 1.0).abs() < 0.05, "{exact:?} {limit:?}");
    }

    #[test]
    fn three_against_three_can_never_be_significant() {
        assert_eq!((critical(3, 3, 0.05), critical(0, 3, 0.05)), (None, None));
        let critical = critical(20, 20, 0.05).unwrap();
        assert!(critical > 0.4 && critical <= 0.45, "{critical}");
    }

    #[test]
    fn nothing_has_no_distance() {
        assert_eq!(distance(&[], &steps(&A), false), None);
        assert_eq!(band(0, 5, 0.95), None);
    }

    proptest! {
        #[test]
        fn bins_bound_the_true_distance(a in prop::collection::vec(0.0..10.0f64, 1..40), b in prop::collection::vec(0.0..10.0f64, 1..40)) {
            let bins = |values: &[f64]| steps(&values.iter().map(|v| v.floor()).collect::<Vec<_>>());
            let (exact, binned) = (distance(&steps(&a), &steps(&b), false).unwrap(), distance(&bins(&a), &bins(&b), true).unwrap());
            prop_assert!(binned.least <= exact.least + 1e-12 && exact.least <= binned.most + 1e-12);
            prop_assert_eq!(exact.least, exact.most);
        }

        #[test]
        fn larger_distances_are_less_likely(n in 1u64..40, m in 1u64..40, d in 0.0..1.0f64) {
            prop_assert!(p_value(d, n, m).0 >= p_value((d + 0.1).min(1.0), n, m).0 - 1e-12);
            prop_assert!((p_value(d, n, m).0 - p_value(d, m, n).0).abs() < 1e-9);
        }
    }
}
