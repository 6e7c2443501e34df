//! Percentiles of more samples than one keeps: the DDSketch of Masson, Rim and Lee (VLDB 2019), by the crate
//! `sketches-ddsketch`. Every answer lies within [`ERROR`] of a sample of that rank, relative to it, whatever the
//! distribution; two sketches add up to the sketch of all their samples.

use sketches_ddsketch::{Config, DDSketch};

/// How far an answer may be from the sample it stands for, relative to it.
pub const ERROR: f64 = 0.005;

/// Smaller sizes count as 0.
const SMALLEST: f64 = 1e-9;

/// So many bins reach over a ratio of 10^17 of sizes.
const BINS: u32 = 4096;
const REACH: f64 = 1e17;

/// Samples, each known to within [`ERROR`].
#[derive(Clone)]
pub struct Sketch {
    inner: DDSketch,
    /// The smallest and largest size but 0.
    sizes: (f64, f64),
}

impl std::fmt::Debug for Sketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sketch of {} samples", self.inner.count())
    }
}

impl Default for Sketch {
    fn default() -> Self {
        Self { inner: DDSketch::new(config()), sizes: (f64::INFINITY, 0.0) }
    }
}

impl Sketch {
    /// Adds a finite sample `times` times.
    pub fn add(&mut self, value: f64, times: u64) {
        self.inner.add_with_count(value, times);
        if value.abs() > SMALLEST {
            self.sizes = (self.sizes.0.min(value.abs()), self.sizes.1.max(value.abs()));
        }
    }

    /// Adds all samples of another.
    pub fn merge(&mut self, other: &Self) {
        // They are all configured alike, which is the only way to fail.
        let _ = self.inner.merge(&other.inner);
        self.sizes = (self.sizes.0.min(other.sizes.0), self.sizes.1.max(other.sizes.1));
    }

    /// How many samples.
    pub fn count(&self) -> u64 {
        self.inner.count() as u64
    }

    /// The sample of a rank from 1, to within [`ERROR`]; the first and last are exact. `None` when there is no such
    /// rank, or the sizes of the samples are further apart than the bins reach.
    pub fn at_rank(&self, rank: u64) -> Option<f64> {
        let n = self.count();
        if rank == 0 || rank > n || self.sizes.1 > self.sizes.0 * REACH {
            return None;
        }
        let (min, max) = (self.inner.min()?, self.inner.max()?);
        if rank == 1 || rank == n {
            return Some(if rank == 1 { min } else { max });
        }
        // The crate takes the integer part of q (n - 1): half a rank more is safe from rounding.
        let q = (rank as f64 - 0.5) / (n - 1) as f64;
        Some(self.inner.quantile(q).ok()??.clamp(min, max))
    }

    /// What samples there are, in ascending order, and how many of each; `None` as for [`Sketch::at_rank`]. Samples of
    /// one bin stand as one.
    pub fn steps(&self) -> Option<Vec<(f64, u64)>> {
        let n = self.count();
        let last = self.at_rank(n)?;
        let at = |rank: u64| -> Option<f64> {
            // The last sample is exact; here it is its bin that is wanted.
            if rank == n { Some(bin(last)) } else { self.inner.quantile((rank as f64 - 0.5) / (n - 1) as f64).ok()? }
        };
        let (mut steps, mut rank) = (Vec::new(), 1);
        while rank <= n {
            let value = at(rank)?;
            // The last rank in the same bin, by doubling and halving.
            let (mut inside, mut step) = (rank, 1);
            while inside + step <= n && at(inside + step)? == value {
                inside += step;
                step *= 2;
            }
            while step > 0 {
                if inside + step <= n && at(inside + step)? == value {
                    inside += step;
                }
                step /= 2;
            }
            steps.push((value, inside - rank + 1));
            rank = inside + 1;
        }
        Some(steps)
    }
}

/// What every sample in the bin of a value is taken for.
fn bin(value: f64) -> f64 {
    if value.abs() > SMALLEST {
        let config = config();
        config.value(config.key(value.abs())).copysign(value)
    } else {
        0.0
    }
}

fn config() -> Config {
    Config::new(ERROR, BINS, SMALLEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|v| sketch.add(*v, 1));
        sketch
    }

    #[test]
    fn nothing_has_no_rank() {
        assert_eq!((of(&[]).at_rank(1), of(&[]).steps(), of(&[1.0]).at_rank(2)), (None, None, None));
        assert_eq!(of(&[1.0]).steps().map(|s| s.len()), Some(1));
    }

    #[test]
    fn sizes_too_far_apart_are_not_known() {
        assert_eq!(of(&[1e-8, 1.0, 1e12]).at_rank(2), None);
        assert!(of(&[0.0, 1.0, 1e12]).at_rank(2).is_some());
    }

    proptest! {
        #[test]
        fn every_rank_is_within_the_stated_error(mut values in prop::collection::vec(prop_oneof![-1e4..1e4f64, 0.001..10.0f64, Just(0.0)], 1..200)) {
            let sketch = of(&values);
            values.sort_by(f64::total_cmp);
            for (i, value) in values.iter().enumerate() {
                let near = sketch.at_rank(i as u64 + 1).unwrap();
                prop_assert!((near - value).abs() <= ERROR * value.abs() * (1.0 + 1e-9) + SMALLEST, "{near} {value}");
            }
        }

        #[test]
        fn halves_merge_to_the_whole(values in prop::collection::vec(-1e3..1e3f64, 1..100), at in 0usize..100) {
            let (left, right) = values.split_at(at.min(values.len()));
            let (mut a, b, whole) = (of(left), of(right), of(&values));
            a.merge(&b);
            prop_assert_eq!(a.count(), whole.count());
            for rank in 1..=whole.count() {
                prop_assert_eq!(a.at_rank(rank), whole.at_rank(rank));
            }
        }

        #[test]
        fn steps_hold_every_sample_once_and_make_the_same_sketch(values in prop::collection::vec(prop_oneof![-50.0..50.0f64, (0..5i32).prop_map(f64::from)], 1..150)) {
            let sketch = of(&values);
            let steps = sketch.steps().unwrap();
            prop_assert_eq!(steps.iter().map(|s| s.1).sum::<u64>(), values.len() as u64);
            prop_assert!(steps.windows(2).all(|w| w[0].0 < w[1].0));
            let mut again = Sketch::default();
            steps.iter().for_each(|(v, n)| again.add(*v, *n));
            prop_assert_eq!(again.steps().unwrap(), steps);
        }
    }
}
