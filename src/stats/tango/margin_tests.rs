//! The rule keeps its level, agrees with an enumeration that shares no code with it, and says what would settle it.

use super::*;
use proptest::prelude::*;

#[test]
fn agrees_with_an_enumeration_of_all_counts() {
    // Every count of wins and losses with its trinomial probability (scipy.special.gammaln), summed over those with such
    // a score or a larger one, the largest of 6,000 chances of a win: score and p.
    let cases = [
        (0, 0, 30, 0.1, 1.825_741_858_350_553_8, 0.042_391_158_275_216_23),
        (0, 5, 100, 0.1, 1.666_666_666_666_666_7, 0.057_576_886_487_034_656),
        (8, 12, 400, 0.05, 2.963_461_639_275_246_6, 0.001_602_429_191_148_089_8),
        (1, 0, 20, 0.05, 1.450_952_500_220_023_2, 0.093_417_982_597_009_2),
        (12, 10, 60, 0.0, 0.426_401_432_711_220_83, 0.378_564_103_019_378_02),
        (3, 1, 40, 0.2, 3.339_676_802_664_562, 0.000_517_637_154_702_027_6),
    ];
    for (wins, losses, n, margin, z, p) in cases {
        let found = non_inferiority(wins, losses, n, margin, 0.05).unwrap();
        assert!((found.z - z).abs() < 1e-9 && (found.p - p).abs() < 1e-6, "{wins} {losses} {n} {margin}: {found:?}");
    }
    // The largest score that must not pass.
    let reaches = [
        (20, 0.05, 1.708_976_542_18),
        (50, 0.1, 1.664_995_356_84),
        (100, 0.1, 1.666_666_666_67),
        (100, 0.05, 1.702_128_992_69),
        (60, 0.0, 1.692_455_842_75),
        (200, 0.05, 1.699_181_580_97),
    ];
    for (n, margin, reach) in reaches {
        let rule = Rule::new(n, margin, 0.05).unwrap();
        assert!((rule.reach - reach).abs() < 1e-8, "{n} {margin}: {rule:?}");
    }
}

#[test]
fn five_losses_of_a_hundred_are_no_longer_enough_where_the_normal_quantile_promotes_too_often() {
    // The score of 0-5 of 100 at -0.1 is 1.667, beyond 1.645: 5.76% of those that lose 10% get that far.
    let (five, four) = (non_inferiority(0, 5, 100, 0.1, 0.05).unwrap(), non_inferiority(0, 4, 100, 0.1, 0.05).unwrap());
    assert!(!five.holds(0.1) && four.holds(0.1), "{five:?} {four:?}");
    assert_eq!(five.method, TANGO_EXACT);
}

#[test]
fn thousands_of_pairs_have_numbers_too_and_beyond_the_limit_the_normal_quantile_decides() {
    let found = non_inferiority(80, 120, 4000, 0.05, 0.05).unwrap();
    assert!(found.holds(0.05) && found.method == TANGO_EXACT, "{found:?}");
    let many = non_inferiority(800, 1200, 40_000, 0.05, 0.05).unwrap();
    assert_eq!((many.method, many.holds(0.05)), (TANGO, true));
    assert!((many.p - normal_cdf(-many.z)).abs() < 1e-15);
}

#[test]
fn what_makes_no_sense_has_no_answer() {
    assert_eq!(non_inferiority(1, 1, 5, 1.0, 0.05), None);
    assert_eq!(non_inferiority(1, 1, 5, 0.1, 0.5), None);
    assert_eq!(non_inferiority(3, 3, 5, 0.1, 0.05), None);
    assert!(!shows(3, 3, 5, 0.9, 0.05) && !shows(0, 0, 0, 0.9, 0.05));
    // Worse by just the margin: no number of such pairs shows that it is worse by less.
    assert_eq!(more_pairs(0, 5, 100, 0.05, 0.05), None);
    assert_eq!((detectable_margin(0, 0.1, 0.05, 0.8), detectable_margin(9, 1.1, 0.05, 0.8)), (None, None));
}

#[test]
fn so_many_more_pairs_are_enough_and_one_less_is_not() {
    for (wins, losses, n, margin) in [(0, 0, 20, 0.05), (0, 0, 4, 0.1), (0, 0, 50, 0.02)] {
        let more = more_pairs(wins, losses, n, margin, 0.05).unwrap();
        assert!(shows(wins, losses, n + more, margin, 0.05) && !shows(wins, losses, n + more - 1, margin, 0.05), "{n}");
    }
    assert_eq!(more_pairs(0, 1, 400, 0.05, 0.05), Some(0));
}

#[test]
fn the_smallest_margin_is_one_that_is_shown_that_often() {
    for (n, discordant) in [(20, 0.0), (40, 0.1), (150, 0.2)] {
        let margin = detectable_margin(n, discordant, 0.05, 0.8).unwrap();
        let power = |margin| Rule::new(n, margin, 0.05).unwrap().power(discordant / 2.0, discordant / 2.0);
        assert!(power(margin) >= 0.8 && power(margin - 0.002) < 0.8, "{n} {discordant}: {margin}");
    }
    // A single pair shows a margin of 1 - level at best.
    assert!(detectable_margin(1, 0.0, 0.05, 0.8).unwrap() > 0.94);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The promise itself: at the border, whatever the chance of a win is.
    #[test]
    fn what_is_worse_by_the_margin_passes_no_more_often_than_stated(
        n in 2u64..150, margin in 0.0..0.4f64, level in 0.01..0.2f64, share in 0.0..=1.0f64,
    ) {
        let rule = Rule::new(n, margin, level).unwrap();
        let win = share * (1.0 - margin) / 2.0;
        prop_assert!(rule.power(win, win + margin) <= level + 1e-5);
    }

    #[test]
    fn limit_p_value_and_the_short_way_decide_alike(
        wins in 0u64..40, losses in 0u64..40, rest in 0u64..150, margin in 0.01..0.3f64,
    ) {
        let n = (wins + losses + rest).max(1);
        let found = non_inferiority(wins, losses, n, margin, 0.05).unwrap();
        prop_assert!(found.lower <= found.difference && found.difference <= found.upper);
        prop_assume!((found.p - 0.05).abs() > 1e-7);
        prop_assert_eq!(found.holds(margin), found.p < 0.05, "{:?}", found);
        prop_assert_eq!(found.holds(margin), shows(wins, losses, n, margin, 0.05));
        prop_assert_eq!(found.holds(margin), Rule::new(n, margin, 0.05).unwrap().passes(wins, losses));
    }

    #[test]
    fn a_sum_of_tails_is_the_sum_of_all_its_terms(n in 1u64..60, reach in -1.0..2.5f64, margin in 0.0..0.5f64, share in 0.0..=1.0f64) {
        let region = Region::above(reach, n, margin);
        let win = share * (1.0 - margin) / 2.0;
        let (mut sum, loss) = (0.0, win + margin);
        for wins in 0..=n {
            for losses in 0..=(n - wins) {
                if Pairs::new(wins, losses, n).unwrap().score(-margin) > reach {
                    let rest = if win < 1.0 { (loss / (1.0 - win)).min(1.0) } else { 0.0 };
                    let one = |k: u64, n: u64, p: f64| {
                        let edge = if p <= 0.0 { f64::from(u8::from(k == 0)) } else { f64::from(u8::from(k == n)) };
                        if p <= 0.0 || p >= 1.0 { edge } else { crate::stats::special::binomial_pmf(k, n, p) }
                    };
                    sum += one(wins, n, win) * one(losses, n - wins, rest);
                }
            }
        }
        prop_assert!((region.chance(win, loss) - sum).abs() < 1e-10, "{} {}", region.chance(win, loss), sum);
    }
}
