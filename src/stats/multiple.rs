//! Many tests at once: p-values adjusted so that the more one asks, the harder it is to be fooled.
//!
//! Holm's hold whatever the tests have to do with each other, and bound the chance of a single false alarm: to block
//! by. Benjamini and Hochberg's bound the share of false ones among the alarms: to diagnose by.

/// Holm's adjusted p-values, in the order given: what is at most alpha is significant among all.
///
/// `None` when one is not a number from 0 to 1.
pub fn holm(p: &[f64]) -> Option<Vec<f64>> {
    let order = ascending(p)?;
    let mut adjusted = vec![0.0; p.len()];
    let mut least: f64 = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        least = least.max(p[i] * (p.len() - rank) as f64).min(1.0);
        adjusted[i] = least;
    }
    Some(adjusted)
}

/// Benjamini and Hochberg's adjusted p-values, in the order given: what is at most q is found at that rate of false
/// discoveries.
///
/// `None` when one is not a number from 0 to 1.
pub fn benjamini_hochberg(p: &[f64]) -> Option<Vec<f64>> {
    let order = ascending(p)?;
    let mut adjusted = vec![0.0; p.len()];
    let mut most: f64 = 1.0;
    for (rank, &i) in order.iter().enumerate().rev() {
        most = most.min(p[i] * p.len() as f64 / (rank + 1) as f64);
        adjusted[i] = most;
    }
    Some(adjusted)
}

fn ascending(p: &[f64]) -> Option<Vec<usize>> {
    if !p.iter().all(|p| (0.0..=1.0).contains(p)) {
        return None;
    }
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    Some(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: Option<Vec<f64>>, b: &[f64]) {
        let a = a.unwrap();
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?}");
    }

    #[test]
    fn agree_with_the_reference_numbers() {
        // statsmodels.stats.multitest.multipletests, "holm" and "fdr_bh".
        let p = [0.01, 0.04, 0.03, 0.005];
        close(holm(&p), &[0.03, 0.06, 0.06, 0.02]);
        close(benjamini_hochberg(&p), &[0.02, 0.04, 0.04, 0.02]);
    }

    #[test]
    fn what_is_no_p_value_has_no_adjustment() {
        assert_eq!((holm(&[0.1, f64::NAN]), benjamini_hochberg(&[1.1]), holm(&[-0.1])), (None, None, None));
        assert_eq!(holm(&[]), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn adjusting_keeps_the_order_and_never_lowers(p in prop::collection::vec(0.0..=1.0f64, 1..20)) {
            let (h, b) = (holm(&p).unwrap(), benjamini_hochberg(&p).unwrap());
            for i in 0..p.len() {
                prop_assert!(p[i] <= b[i] + 1e-15 && b[i] <= h[i] + 1e-12 && h[i] <= 1.0);
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || (h[i] <= h[j] && b[i] <= b[j]));
                }
            }
        }
    }
}
