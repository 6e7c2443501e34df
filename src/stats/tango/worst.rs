//! How often a rule promotes what is worse by the margin, at worst: the exact, unconditional side of the test.
//!
//! A rule is a threshold of the score. Under "worse by just the margin" the counts are trinomial, with the chance of a
//! win left open; the chance of passing the threshold is summed over all counts, and the largest over all chances of a
//! win is what is promised (C. Hsueh, H. Liu and J. Chen, Biometrics 57, 2001; K. Sidik, Computational Statistics and
//! Data Analysis 41, 2003). A candidate that is worse by more passes less often still: with a pair lost in place of a
//! tie the score falls, so that the border is the worst case.

use std::f64::consts::FRAC_PI_2;

use super::Pairs;
use crate::stats::special::{binomial_cdf, binomial_pmf};

/// Chances of a win that are looked at before the largest of them are refined; see the test against a fine grid.
const GRID: u32 = 64;

/// The counts of `n` pairs whose score at -margin lies above a threshold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Region {
    n: u64,
    /// For every count of wins, how many counts of losses from 0 on belong to it.
    losses: Vec<u64>,
}

impl Region {
    /// Those with a score above `threshold` (of at least `threshold`, less what rounding may do, where it is given as a
    /// little less).
    pub(super) fn above(threshold: f64, n: u64, margin: f64) -> Self {
        let inside = |wins: u64, losses: u64| Pairs::new(wins, losses, n).is_some_and(|p| p.score(-margin) > threshold);
        let mut losses = Vec::with_capacity(usize::try_from(n).unwrap_or_default() + 1);
        let mut count = 0u64;
        for wins in 0..=n {
            count = count.min(n - wins + 1);
            while count > 0 && !inside(wins, count - 1) {
                count -= 1;
            }
            while count <= n - wins && inside(wins, count) {
                count += 1;
            }
            losses.push(count);
        }
        Self { n, losses }
    }

    /// The chance that counts fall into it, with these chances of a win and of a loss for every pair.
    pub(super) fn chance(&self, win: f64, loss: f64) -> f64 {
        let n = self.n as f64;
        // Of the pairs that are not won, so many are lost.
        let share = if win < 1.0 { (loss / (1.0 - win)).clamp(0.0, 1.0) } else { 0.0 };
        // Further out than eight standard errors (and the Poisson tail of a small mean) lies less than 1e-12.
        let (mean, reach) = (n * win, 8.0 * (n * win * (1.0 - win)).sqrt() + 20.0);
        let (first, last) = ((mean - reach).max(0.0) as u64, ((mean + reach) as u64).min(self.n));
        let mut wins_so = binomial_pmf(first, self.n, win);
        let mut sum = 0.0;
        let mut tail: Option<Tail> = None;
        for (wins, &count) in (first..=last).zip(&self.losses[usize::try_from(first).unwrap_or_default()..]) {
            let rest = self.n - wins;
            if count > 0 {
                let next = match tail.take() {
                    Some(tail) => tail.with(rest, count - 1, share),
                    None => Tail::of(rest, count - 1, share),
                };
                sum += wins_so * next.below;
                tail = Some(next);
            }
            if wins < self.n {
                wins_so *= rest as f64 / (wins + 1) as f64 * (win / (1.0 - win));
            }
        }
        sum.min(1.0)
    }

    /// The largest chance over all chances of a win, when the candidate is worse by just the margin. Stops as soon as
    /// one is above `enough`.
    pub(super) fn worst(&self, margin: f64, enough: f64) -> f64 {
        let most = (1.0 - margin) / 2.0;
        // Finer towards both ends, where the counts are few and the chance is a rugged function.
        let win = |t: f64| most * (FRAC_PI_2 * t).sin().powi(2);
        let at = |t: f64| self.chance(win(t), win(t) + margin);
        let step = 1.0 / f64::from(GRID);
        let mut found = Vec::with_capacity(GRID as usize + 1);
        for i in 0..=GRID {
            let t = f64::from(i) * step;
            found.push((t, at(t)));
            if found[found.len() - 1].1 > enough {
                return found[found.len() - 1].1;
            }
        }
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut worst = found[0].1;
        for &(t, chance) in &found[..2] {
            let (mut best, mut chance, mut step) = (t, chance, step);
            for _ in 0..5 {
                step /= 2.0;
                for side in [best - step, best + step] {
                    let there = if (0.0..=1.0).contains(&side) { at(side) } else { 0.0 };
                    if there > chance {
                        (best, chance) = (side, there);
                    }
                }
            }
            worst = worst.max(chance);
        }
        worst
    }
}

/// The chance of at most `k` of `n`, carried from one pair of numbers to the next: all steps add, so that nothing
/// cancels.
struct Tail {
    n: u64,
    k: u64,
    /// Of at most k.
    below: f64,
    /// Of exactly k.
    exactly: f64,
}

impl Tail {
    fn of(n: u64, k: u64, share: f64) -> Self {
        if k >= n || share >= 1.0 || share <= 0.0 {
            let below = if k >= n || share <= 0.0 { 1.0 } else { 0.0 };
            return Self { n, k, below, exactly: 0.0 };
        }
        Self { n, k, below: binomial_cdf(k, n, share), exactly: binomial_pmf(k, n, share) }
    }

    fn with(self, n: u64, k: u64, share: f64) -> Self {
        // What is too small to be carried on is taken anew, and so is what does not move by one.
        if self.exactly < 1e-250 || self.n != n + 1 || k < self.k || k >= n || share >= 1.0 {
            return Self::of(n, k, share);
        }
        let Self { k: mut at, mut below, mut exactly, .. } = self;
        exactly *= (self.n - at) as f64 / self.n as f64 / (1.0 - share);
        below += share * exactly;
        while at < k {
            exactly *= (n - at) as f64 / (at + 1) as f64 * share / (1.0 - share);
            below += exactly;
            at += 1;
        }
        Self { n, k, below: below.min(1.0), exactly }
    }
}
