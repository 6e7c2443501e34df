//! Percentiles by nearest rank: the smallest sample such that at least that share of the samples is no larger. The
//! result is always one of the samples, and no interpolation invents a value between two.

use std::fmt;
use std::str::FromStr;

/// A percentile such as `p95` or `p99.9`, kept as an exact fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percentile {
    /// Thousandths of a percent: 95 000 for `p95`.
    milli: u32,
}

/// Percent with three decimals, as an integer.
const WHOLE: u64 = 100_000;

impl Percentile {
    /// As a share: 0.95 for `p95`.
    pub fn share(self) -> f64 {
        f64::from(self.milli) / WHOLE as f64
    }

    /// The nearest rank among `n` samples, from 1; 0 of none.
    pub fn rank(self, n: u64) -> u64 {
        let rank = (u128::from(self.milli) * u128::from(n)).div_ceil(u128::from(WHOLE));
        u64::try_from(rank).map_or(n, |rank| rank.min(n))
    }
}

impl FromStr for Percentile {
    type Err = String;

    /// Reads `p50`, `p99.9`, up to three decimals, above 0 and below 100.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a percentile such as `p95` or `p99.9`");
        let digits = text.strip_prefix('p').ok_or_else(bad)?;
        let (whole, decimals) = digits.split_once('.').map_or((digits, None), |(w, d)| (w, Some(d)));
        let decimals_ok = decimals.is_none_or(|d| (1..=3).contains(&d.len()));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if !(1..=2).contains(&whole.len()) || !decimals_ok || !all_digits(whole) || !decimals.is_none_or(all_digits) {
            return Err(bad());
        }
        let thousandths = format!("{:0<3}", decimals.unwrap_or_default());
        let milli = format!("{whole}{thousandths}").parse().map_err(|_| bad())?;
        if milli == 0 { Err(bad()) } else { Ok(Self { milli }) }
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.milli / 1000, self.milli % 1000);
        if part == 0 {
            write!(f, "p{whole}")
        } else {
            write!(f, "p{whole}.{}", format!("{part:03}").trim_end_matches('0'))
        }
    }
}

/// The percentile of some samples; `None` when there is no sample or one is not a number.
pub fn nearest_rank(samples: &[f64], percentile: Percentile) -> Option<f64> {
    if samples.is_empty() || samples.iter().any(|s| s.is_nan()) {
        return None;
    }
    let index = (percentile.rank(samples.len() as u64) as usize).clamp(1, samples.len()) - 1;
    let mut copy = samples.to_vec();
    let (_, value, _) = copy.select_nth_unstable_by(index, f64::total_cmp);
    Some(*value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p(text: &str) -> Percentile {
        text.parse().unwrap()
    }

    #[test]
    fn takes_the_sample_of_the_nearest_rank() {
        let samples = [15.0, 20.0, 35.0, 40.0, 50.0];
        let expected = [("p5", 15.0), ("p30", 20.0), ("p40", 20.0), ("p50", 35.0), ("p99.9", 50.0)];
        for (name, value) in expected {
            assert_eq!(nearest_rank(&samples, p(name)), Some(value), "{name}");
        }
    }

    #[test]
    fn rank_is_exact_where_floats_would_round() {
        // 0.07 * 100 is 7.000000000000001 in floats, whose ceiling would be rank 8.
        let samples: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(nearest_rank(&samples, p("p7")), Some(7.0));
        let samples: Vec<f64> = (1..=1000).map(f64::from).collect();
        assert_eq!(nearest_rank(&samples, p("p99.9")), Some(999.0));
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(nearest_rank(&[], p("p50")), None);
        assert_eq!(nearest_rank(&[1.0, f64::NAN], p("p50")), None);
    }

    #[test]
    fn names_are_read_and_written_alike() {
        for name in ["p1", "p50", "p99", "p99.9", "p99.95", "p0.001"] {
            assert_eq!(p(name).to_string(), name);
        }
        for bad in ["p", "p0", "p100", "95", "p-1", "p9.", "p9.1234", "p+5", "p٣", "p1e1"] {
            assert!(bad.parse::<Percentile>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn at_least_that_share_is_no_larger(samples in prop::collection::vec(-1e6..1e6f64, 1..60), milli in 1u32..100_000) {
            let percentile = Percentile { milli };
            let value = nearest_rank(&samples, percentile).unwrap();
            let no_larger = samples.iter().filter(|&&s| s <= value).count() as u64;
            let smaller = samples.iter().filter(|&&s| s < value).count() as u64;
            prop_assert!(no_larger * WHOLE >= u64::from(milli) * samples.len() as u64);
            prop_assert!(smaller * WHOLE < u64::from(milli) * samples.len() as u64);
        }
    }
}
