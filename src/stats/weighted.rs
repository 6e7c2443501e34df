//! Estimates from a sample in which each session had its own chance of being drawn: each counts as many times as it
//! stands for others.
//!
//! With pi the chance that a session was drawn, independently of others (Poisson sampling): the total of Horvitz and
//! Thompson is sum(x/pi) with the variance sum((1-pi) x^2/pi^2); the ratio or mean of Hajek is sum(x/pi) / sum(y/pi), and
//! its variance the same of the residuals x - R y, over the square of its denominator (C.-E. Särndal, B. Swensson and J.
//! Wretman, Model Assisted Survey Sampling, 1992, 5.7 and 7.10). What a sample is worth is Kish's (sum 1/pi)^2 / sum
//! 1/pi^2.
//!
//! Intervals are about the sessions that there were: where all were drawn, nothing is uncertain. Sums are integers, so that
//! the order in which sessions come makes no difference.

use super::interval::{Interval, alpha};
use super::proportion;
use super::special::normal_quantile;

/// How the interval of a rate is called in reports.
pub const HAJEK_WILSON: &str = "hajek-wilson";
/// How the interval of a mean or total is called in reports.
pub const HAJEK: &str = "hajek";

/// Units of the sums: what is smaller than this is rounded.
const UNIT: f64 = 1e-12;

/// The largest value that is added as it is; with squares of it a million million sessions fit.
const LARGEST: f64 = 1e6;

/// What sessions with one chance of being drawn add up to, in units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cell {
    /// The bits of the chance; chances are positive, so that bits are in their order.
    pi: u64,
    n: u64,
    x: i128,
    y: i128,
    xx: i128,
    xy: i128,
    yy: i128,
}

impl Cell {
    fn chance(&self) -> f64 {
        f64::from_bits(self.pi)
    }

    /// The two together; `None` where that is more than fits.
    fn plus(&self, other: &Self) -> Option<Self> {
        let Self { pi, n, x, y, xx, xy, yy } = other;
        Some(Self {
            pi: *pi,
            n: self.n.checked_add(*n)?,
            x: self.x.checked_add(*x)?,
            y: self.y.checked_add(*y)?,
            xx: self.xx.checked_add(*xx)?,
            xy: self.xy.checked_add(*xy)?,
            yy: self.yy.checked_add(*yy)?,
        })
    }

    /// The sum of (x - r y)^2.
    fn residuals(&self, r: f64) -> f64 {
        (float(self.xx) - 2.0 * r * float(self.xy) + r * r * float(self.yy)).max(0.0)
    }
}

fn units(x: f64) -> i128 {
    (x / UNIT).round() as i128
}

fn float(units: i128) -> f64 {
    units as f64 * UNIT
}

/// A sample of pairs: of a mean y is 1, of a rate x is 0 or 1 besides, of a ratio of sums both are what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// By chance, the smallest first: few, and with no room to spare, since there are many samples.
    cells: Vec<Cell>,
    /// Values or sums were too large, or no numbers.
    broken: bool,
}

/// An estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// The standard error of drawing: how far it may be from what all sessions would have told.
    pub se: f64,
}

impl Estimate {
    /// The interval of the normal approximation; `None` without such a confidence.
    pub fn interval(self, confidence: f64) -> Option<Interval> {
        let z = normal_quantile(1.0 - alpha(confidence)? / 2.0);
        Some(Interval { low: self.value - z * self.se, high: self.value + z * self.se })
    }
}

impl Sample {
    /// Adds a session that was drawn with the chance `pi`, in (0, 1]. Without such a chance nothing is known any more:
    /// every answer is then `None`.
    pub fn add(&mut self, pi: f64, x: f64, y: f64) {
        let sound = |v: f64| v.is_finite() && v.abs() <= LARGEST * LARGEST;
        if !(pi > 0.0 && pi <= 1.0 && sound(x) && sound(y)) {
            self.broken = true;
            return;
        }
        let (xx, xy, yy) = (units(x * x), units(x * y), units(y * y));
        self.put(&Cell { pi: pi.to_bits(), n: 1, x: units(x), y: units(y), xx, xy, yy });
    }

    /// Adds what another sample holds.
    pub fn merge(&mut self, other: &Self) {
        self.broken |= other.broken;
        other.cells.iter().for_each(|cell| self.put(cell));
    }

    fn put(&mut self, cell: &Cell) {
        match self.cells.binary_search_by_key(&cell.pi, |known| known.pi) {
            Ok(at) => match self.cells[at].plus(cell) {
                Some(both) => self.cells[at] = both,
                None => self.broken = true,
            },
            Err(at) => {
                self.cells.reserve_exact(1);
                self.cells.insert(at, *cell);
            }
        }
    }

    fn sum(&self, of: impl Fn(f64, &Cell) -> f64) -> f64 {
        self.cells.iter().map(|cell| of(cell.chance(), cell)).sum()
    }

    /// What the denominators stand for; `None` where that is 0 or unknown.
    fn bottom(&self) -> Option<f64> {
        let bottom = self.sum(|pi, cell| float(cell.y) / pi);
        (bottom > 0.0 && !self.broken).then_some(bottom)
    }

    /// How many were drawn.
    pub fn n(&self) -> u64 {
        self.cells.iter().map(|cell| cell.n).sum()
    }

    /// How many sessions they stand for.
    pub fn stands_for(&self) -> f64 {
        self.sum(|pi, cell| cell.n as f64 / pi)
    }

    /// As many sessions as it is worth, were all drawn alike (Kish); `None` for none.
    pub fn worth(&self) -> Option<f64> {
        let all = self.stands_for();
        let squares = self.sum(|pi, cell| cell.n as f64 / (pi * pi));
        (squares > 0.0 && !self.broken).then(|| all * all / squares)
    }

    /// The total of x over all sessions (Horvitz and Thompson); `None` for no session.
    pub fn total(&self) -> Option<Estimate> {
        if self.n() == 0 || self.broken {
            return None;
        }
        let value = self.sum(|pi, cell| float(cell.x) / pi);
        let variance = self.sum(|pi, cell| (1.0 - pi) * float(cell.xx) / (pi * pi));
        Some(Estimate { value, se: variance.sqrt() })
    }

    /// The mean, rate or ratio (Hajek); `None` where the denominator is 0.
    pub fn ratio(&self) -> Option<Estimate> {
        let bottom = self.bottom()?;
        let value = self.sum(|pi, cell| float(cell.x) / pi) / bottom;
        let variance = self.sum(|pi, cell| (1.0 - pi) * cell.residuals(value) / (pi * pi));
        Some(Estimate { value, se: variance.sqrt() / bottom })
    }

    /// The standard error of a mean or ratio about what it is in the long run, not in the sessions that there were: that of
    /// drawing, and that of the sessions themselves. `None` for fewer than two.
    pub fn spread(&self) -> Option<f64> {
        let n = self.n() as f64;
        let (Estimate { value, .. }, bottom) = (self.ratio()?, self.bottom()?);
        let variance = self.sum(|pi, cell| cell.residuals(value) / (pi * pi));
        (n >= 2.0).then(|| (variance * n / (n - 1.0)).sqrt() / bottom)
    }

    /// The standard error of the total about what it is in the long run, where as many sessions come as come by chance (a
    /// compound Poisson process): sqrt(sum(x^2/pi^2)). `None` for no session.
    pub fn total_spread(&self) -> Option<f64> {
        let variance = self.sum(|pi, cell| float(cell.xx) / (pi * pi));
        (self.n() > 0 && !self.broken).then(|| variance.sqrt())
    }

    /// The interval of a rate among the sessions that there were: Wilson's, over as many sessions as would have drawn it
    /// as well. Where all sessions were drawn it is the rate itself.
    ///
    /// `None` where x is not 0 or 1, for no session, or without such a confidence.
    pub fn rate_interval(&self, confidence: f64) -> Option<Interval> {
        let Estimate { value, se } = self.ratio().filter(|rate| (0.0..=1.0).contains(&rate.value))?;
        let z = normal_quantile(1.0 - alpha(confidence)? / 2.0);
        let bottom = self.bottom()?;
        let alike = self.sum(|pi, cell| (1.0 - pi) * float(cell.yy) / (pi * pi)) / (bottom * bottom);
        if alike <= 0.0 {
            return Some(Interval { low: value, high: value });
        }
        if se <= 0.0 {
            // None or all of those that stand for others: how many there may be is told by their number alone.
            let worth = 1.0 / alike;
            return Some(proportion::fractional(value * worth, worth, confidence)?.reaching(value));
        }
        let n = value * (1.0 - value) / (se * se);
        let (square, middle) = (z * z / n, f64::midpoint(0.0, z * z / n));
        let half = z * (value * (1.0 - value) / n + square / (4.0 * n)).sqrt();
        let (low, high) = ((value + middle - half) / (1.0 + square), (value + middle + half) / (1.0 + square));
        Some(Interval { low: low.max(0.0), high: high.min(1.0) }.reaching(value))
    }

    /// A rate as counts, as many as it is worth: so many of so many. `None` for none.
    pub fn counts(&self) -> Option<(f64, f64)> {
        let worth = self.worth()?;
        Some((self.ratio()?.value * worth, worth))
    }

    /// A share of sums (failed calls of all calls) as counts: so many of so many, as many as would tell it as well, were
    /// each independent of the others. `None` of what is no share.
    pub fn share_counts(&self) -> Option<(f64, f64)> {
        let share = self.ratio().map(|ratio| ratio.value).filter(|share| (0.0..=1.0).contains(share))?;
        let bottom = self.bottom()?;
        let even = bottom * bottom / self.sum(|pi, cell| float(cell.yy) / (pi * pi));
        let worth = match self.spread() {
            Some(se) if se > 1e-9 => (share * (1.0 - share) / (se * se)).min(bottom),
            _ => even,
        };
        (worth > 0.0 && worth.is_finite()).then_some((share * worth, worth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(drawn: &[(f64, f64)]) -> Sample {
        let mut sample = Sample::default();
        drawn.iter().for_each(|(pi, y)| sample.add(*pi, *y, 1.0));
        sample
    }

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() < tolerance, "{a} {b}");
    }

    /// Computed apart, from the published formulas.
    #[test]
    fn the_estimates_are_those_of_the_literature() {
        let sample = sample(&[(1.0, 1.0), (1.0, 0.0), (0.1, 1.0), (0.1, 1.0), (0.5, 0.0)]);
        let (total, rate) = (sample.total().unwrap(), sample.ratio().unwrap());
        close(total.value, 21.0, 1e-9);
        close(total.se, 13.4164, 1e-4);
        close(rate.value, 0.875, 1e-9);
        close(rate.se, 0.086_840, 1e-6);
        close(sample.worth().unwrap(), 2.7961, 1e-4);
        close(sample.stands_for(), 24.0, 1e-9);
    }

    #[test]
    fn where_all_sessions_were_drawn_nothing_is_uncertain() {
        let sample = sample(&[(1.0, 1.0), (1.0, 0.0), (1.0, 0.0), (1.0, 0.0)]);
        assert_eq!(sample.rate_interval(0.95), Some(Interval { low: 0.25, high: 0.25 }));
        assert_eq!((sample.ratio().unwrap().se, sample.worth()), (0.0, Some(4.0)));
        // What it is in the long run is: the textbook error of a mean.
        close(sample.spread().unwrap(), 0.25, 1e-9);
    }

    #[test]
    fn where_none_was_seen_there_may_be_some() {
        let none = sample(&[(0.1, 0.0); 30]).rate_interval(0.95).unwrap();
        assert!(none.low == 0.0 && none.high > 0.05, "{none:?}");
        let all = sample(&[(0.1, 1.0); 30]).rate_interval(0.95).unwrap();
        assert!(all.high == 1.0 && all.low < 0.95, "{all:?}");
    }

    #[test]
    fn what_is_no_chance_or_no_number_makes_everything_unknown() {
        for (pi, x) in [(0.0, 1.0), (1.5, 1.0), (f64::NAN, 1.0), (0.5, f64::INFINITY), (-0.1, 1.0)] {
            let mut sample = sample(&[(0.5, 1.0)]);
            sample.add(pi, x, 1.0);
            assert_eq!((sample.ratio(), sample.total(), sample.worth()), (None, None, None), "{pi} {x}");
            assert_eq!(sample.rate_interval(0.95), None);
        }
        assert_eq!((Sample::default().ratio(), Sample::default().total()), (None, None));
    }

    #[test]
    fn a_sum_that_does_not_fit_is_unknown_and_not_the_largest_that_does() {
        let mut sample = Sample::default();
        for _ in 0..1_000 {
            sample.add(1.0, 1e12, 1.0);
        }
        assert_eq!((sample.n() > 100, sample.ratio(), sample.total(), sample.total_spread()), (true, None, None, None));
    }

    #[test]
    fn a_share_of_sums_is_worth_what_its_sessions_tell_of_it() {
        let of = |pairs: &[(f64, f64)]| {
            let mut sample = Sample::default();
            pairs.iter().for_each(|(x, y)| sample.add(1.0, *x, *y));
            sample.share_counts().unwrap()
        };
        // Forty sessions with the same share: as good as forty.
        assert_eq!(of(&[(1.0, 4.0); 40]), (10.0, 40.0));
        // All failures in a few sessions: worth less than the calls that there were.
        let clustered: Vec<_> = (0..40).map(|i| (if i < 10 { 4.0 } else { 0.0 }, 4.0)).collect();
        let (fails, worth) = of(&clustered);
        assert!((fails / worth - 0.25).abs() < 1e-12 && worth < 41.0, "{fails} {worth}");
        assert_eq!(Sample::default().share_counts(), None);
    }

    proptest! {
        #[test]
        fn order_and_division_make_no_difference(
            drawn in prop::collection::vec((1u32..=8, -1e6f64..1e6), 1..40), cut in 0usize..40
        ) {
            let drawn: Vec<(f64, f64)> = drawn.into_iter().map(|(k, x)| (f64::from(k) / 8.0, x)).collect();
            let (whole, cut) = (sample(&drawn), cut.min(drawn.len()));
            let mut parts = sample(&drawn[cut..]);
            parts.merge(&sample(&drawn[..cut]));
            prop_assert_eq!(&parts, &whole);
            let turned: Vec<_> = drawn.iter().rev().copied().collect();
            prop_assert_eq!(sample(&turned), whole);
        }

        /// Over every way in which a few sessions can be drawn: the total is right on average, and its variance too.
        #[test]
        fn a_total_and_its_variance_are_unbiased(
            sessions in prop::collection::vec((1u32..=8, -100.0f64..100.0), 1..8)
        ) {
            let sessions: Vec<_> = sessions.into_iter().map(|(k, x)| (f64::from(k) / 8.0, x)).collect();
            let truth: f64 = sessions.iter().map(|(_, x)| x).sum();
            let (mut mean, mut square, mut variance) = (0.0, 0.0, 0.0);
            for drawn in 0u32..1 << sessions.len() {
                let is = |i: usize| drawn >> i & 1 == 1;
                let chance: f64 =
                    sessions.iter().enumerate().map(|(i, (pi, _))| if is(i) { *pi } else { 1.0 - pi }).product();
                let some: Vec<_> = sessions.iter().enumerate().filter(|(i, _)| is(*i)).map(|(_, s)| *s).collect();
                // Of nothing that was drawn no total is told; it stands for nothing.
                let total = sample(&some).total().unwrap_or(Estimate { value: 0.0, se: 0.0 });
                mean += chance * total.value;
                square += chance * total.value * total.value;
                variance += chance * total.se * total.se;
            }
            prop_assert!((mean - truth).abs() < 1e-6, "{} {}", mean, truth);
            let spread = square - mean * mean;
            prop_assert!((variance - spread).abs() < 1e-6 * spread.max(1.0), "{} {}", variance, spread);
        }

        #[test]
        fn a_rate_lies_in_its_interval_and_the_interval_among_rates(
            drawn in prop::collection::vec((1u32..=8, any::<bool>()), 1..60)
        ) {
            let drawn: Vec<_> = drawn.into_iter().map(|(k, x)| (f64::from(k) / 8.0, f64::from(u8::from(x)))).collect();
            let sample = sample(&drawn);
            let (rate, interval) = (sample.ratio().unwrap().value, sample.rate_interval(0.95).unwrap());
            prop_assert!(interval.low >= 0.0 && interval.high <= 1.0);
            prop_assert!(interval.low <= rate + 1e-12 && rate <= interval.high + 1e-12);
        }
    }
}
