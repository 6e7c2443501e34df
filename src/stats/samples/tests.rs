//! A summary answers as the samples themselves do, to within its stated error.

use super::*;
use crate::stats::quantile::Percentile;
use crate::stats::sketch;
use proptest::prelude::*;

fn of(samples: &[(u32, f64)]) -> Samples {
    let mut all = Samples::default();
    samples.iter().for_each(|(cluster, value)| all.push(*cluster, &[*value]));
    all
}

fn summary(samples: &Samples) -> Samples {
    let mut summary = samples.clone();
    summary.summarise();
    assert!(!summary.is_exact());
    summary
}

fn p(name: &str) -> Percentile {
    name.parse().unwrap()
}

#[test]
fn nothing_has_no_statistic() {
    let none = Samples::default();
    assert!(none.is_empty() && none.is_exact());
    assert_eq!((none.mean(), none.smallest(), none.stddev(), none.percentile(p("p50"))), (None, None, None, None));
    assert_eq!((none.ratio(), none.percentile_interval(p("p50"), 0.95), none.steps(false)), (None, None, None));
}

#[test]
fn pairs_make_a_ratio_of_sums() {
    let mut pairs = Samples::default();
    for (cluster, pair) in [(0, [1.0, 10.0]), (1, [0.0, 5.0]), (2, [3.0, 12.0])] {
        pairs.push(cluster, &pair);
    }
    for samples in [&pairs, &summary(&pairs), &summary(&pairs).kept().samples(), &pairs.kept().samples()] {
        assert_eq!((samples.len(), samples.bottom(), samples.mean()), (3, Some(27.0), Some(4.0 / 27.0)));
    }
    for samples in [&summary(&pairs), &pairs.kept().samples()] {
        assert!((samples.ratio().unwrap().se_cr0 - pairs.ratio().unwrap().se_cr0).abs() < 1e-15);
    }
    assert_eq!(summary(&pairs).kept().samples().ratio(), None);
}

#[test]
fn independent_samples_have_the_interval_of_their_ranks() {
    let alone: Vec<(u32, f64)> = (1..=100).map(|i| (i, f64::from(i))).collect();
    assert_eq!(of(&alone).percentile_interval(p("p50"), 0.95), Some((Some(40.0), Some(61.0))));
    assert_eq!(of(&alone[..20]).percentile_interval(p("p95"), 0.95).unwrap().1, None);
}

#[test]
fn turns_of_one_case_tell_less_than_as_many_cases() {
    let alone: Vec<(u32, f64)> = (0..200).map(|i| (i, f64::from(i))).collect();
    let alike: Vec<(u32, f64)> = (0..200).map(|i| (i / 10, f64::from(i))).collect();
    let width = |s: &Samples| {
        let (low, high) = s.percentile_interval(p("p50"), 0.95).unwrap();
        high.unwrap() - low.unwrap()
    };
    assert!(width(&of(&alike)) > 2.0 * width(&of(&alone)));
    assert_eq!((of(&alone).effective(), of(&alike).effective()), (200.0, 20.0));
}

#[test]
fn clusters_beyond_the_slots_share_them_and_the_error_stays() {
    // SplitMix64.
    let mixed = |i: u32| {
        let z = u64::from(i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as u32
    };
    let values: Vec<(u32, f64)> = (0..20_000).map(|i| (i, f64::from(mixed(i)))).collect();
    let exact = of(&values);
    let (a, b) = (exact.ratio().unwrap(), summary(&exact).ratio().unwrap());
    assert_eq!((a.value, a.clusters, b.clusters), (b.value, 20_000, 4096));
    assert!((a.se_cr0 / b.se_cr0 - 1.0).abs() < 0.05, "{} {}", a.se_cr0, b.se_cr0);
    assert_eq!(summary(&exact).effective(), 20_000.0);
}

proptest! {
    #[test]
    fn a_summary_answers_as_the_samples_do(samples in prop::collection::vec((0u32..30, prop_oneof![-1e3..1e3f64, 1.0..2.0f64]), 2..150)) {
        let exact = of(&samples);
        let summary = summary(&exact);
        for other in [&summary, &summary.kept().samples(), &exact.kept().samples()] {
            prop_assert_eq!((other.len(), other.sum(), other.mean()), (exact.len(), exact.sum(), exact.mean()));
            prop_assert_eq!((other.smallest(), other.largest()), (exact.smallest(), exact.largest()));
            let (a, b) = (exact.stddev().unwrap(), other.stddev().unwrap());
            prop_assert!((a - b).abs() <= 1e-9 * (1.0 + a), "{} {}", a, b);
            if let Some(b) = other.ratio() {
                let a = exact.ratio().unwrap();
                prop_assert!((a.se_cr0 - b.se_cr0).abs() < 1e-9 && a.clusters == b.clusters);
            }
            for name in ["p1", "p50", "p95", "p99.9"] {
                let (a, b) = (exact.percentile(p(name)).unwrap(), other.percentile(p(name)).unwrap());
                prop_assert!((a - b).abs() <= 2.0 * sketch::ERROR * a.abs() + 1e-8, "{name} {a} {b}");
            }
        }
        prop_assert_eq!(summary.steps(true), exact.steps(true));
    }

    #[test]
    fn a_percentile_lies_in_its_interval(samples in prop::collection::vec((0u32..20, 0.0..1e3f64), 2..100)) {
        let exact = of(&samples);
        let value = exact.percentile(p("p50")).unwrap();
        if let Some((low, high)) = exact.percentile_interval(p("p50"), 0.95) {
            prop_assert!(low.is_none_or(|l| l <= value) && high.is_none_or(|h| h >= value));
        }
    }
}
