//! Exact sums of floats: the result is the correctly rounded sum, whatever the order of the parts, so that threads,
//! shards and resumed runs agree to the last bit.

/// Bits a limb holds when it is normalised.
const LIMB_BITS: u32 = 32;
/// Limbs for every bit from 2^-1074 to 2^1023, and room for 2^64 summands above.
const LIMBS: usize = 68;
/// How many summands fit before a limb could overflow (each adds less than 2^32 to a limb).
const CARRY_EVERY: u32 = 1 << 30;

/// A sum kept exactly, as an integer multiple of 2^-1074. Adding is associative and commutative.
#[derive(Debug, Clone)]
pub struct ExactSum {
    /// Little-endian digits of base 2^32, each with its own sign until [`ExactSum::carry`].
    limbs: [i64; LIMBS],
    /// Additions since the last carry.
    pending: u32,
    /// A summand was infinite or not a number.
    broken: bool,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self { limbs: [0; LIMBS], pending: 0, broken: false }
    }
}

impl ExactSum {
    /// Adds a summand.
    pub fn add(&mut self, x: f64) {
        if !x.is_finite() {
            self.broken = true;
            return;
        }
        let bits = x.to_bits();
        let field = (bits >> 52) & 0x7ff;
        let fraction = bits & ((1 << 52) - 1);
        let mantissa = if field == 0 { fraction } else { fraction | (1 << 52) };
        // The value is mantissa * 2^(shift - 1074).
        let shift = field.max(1) - 1;
        let (first, offset) = ((shift / u64::from(LIMB_BITS)) as usize, shift % u64::from(LIMB_BITS));
        let mut rest = u128::from(mantissa) << offset;
        for limb in &mut self.limbs[first..first + 3] {
            let digit = (rest & 0xffff_ffff) as i64;
            *limb += if x.is_sign_negative() { -digit } else { digit };
            rest >>= LIMB_BITS;
        }
        self.pending += 1;
        if self.pending >= CARRY_EVERY {
            self.carry();
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        for (limb, more) in self.limbs.iter_mut().zip(other.limbs) {
            *limb += more;
        }
        self.broken |= other.broken;
        self.carry();
    }

    /// The sum, rounded once to the nearest float (ties to even). `None` when a summand was not finite or the sum is
    /// larger than any float.
    pub fn value(&self) -> Option<f64> {
        if self.broken {
            return None;
        }
        let mut magnitude = self.clone();
        magnitude.carry();
        let negative = magnitude.limbs[LIMBS - 1] < 0;
        if negative {
            magnitude.limbs.iter_mut().for_each(|l| *l = -*l);
            magnitude.carry();
        }
        let value = round(&magnitude.limbs)?;
        Some(if negative { -value } else { value })
    }

    /// Brings every limb but the last into `0..2^32`; the last one carries the sign.
    fn carry(&mut self) {
        let mut carry = 0;
        for limb in &mut self.limbs[..LIMBS - 1] {
            let total = *limb + carry;
            carry = total >> LIMB_BITS;
            *limb = total & 0xffff_ffff;
        }
        self.limbs[LIMBS - 1] += carry;
        self.pending = 1;
    }
}

/// Rounds a normalised, non-negative number of units of 2^-1074.
fn round(limbs: &[i64; LIMBS]) -> Option<f64> {
    let Some(top) = limbs.iter().rposition(|&l| l != 0) else { return Some(0.0) };
    let highest = top as u32 * LIMB_BITS + (63 - limbs[top].leading_zeros());
    if highest < 53 {
        // Fits the mantissa as it is: a subnormal, or a normal number of the smallest exponents.
        return Some(f64::from_bits(bits(limbs, 0, 53)));
    }
    let lowest = highest - 52;
    let mut mantissa = bits(limbs, lowest, 53);
    let half = bit(limbs, lowest - 1);
    let beyond = any_below(limbs, lowest - 1);
    if half && (beyond || mantissa & 1 == 1) {
        mantissa += 1;
    }
    // A carry out of the mantissa moves into the exponent field, which is what rounding up to a power of two means.
    let field = u64::from(lowest) + 1;
    let value = (field << 52).checked_add(mantissa - (1 << 52))?;
    Some(f64::from_bits(value)).filter(|v| v.is_finite() && field < 0x7ff)
}

fn bit(limbs: &[i64; LIMBS], at: u32) -> bool {
    (limbs[(at / LIMB_BITS) as usize] >> (at % LIMB_BITS)) & 1 == 1
}

/// Up to 64 bits from position `from` on.
fn bits(limbs: &[i64; LIMBS], from: u32, count: u32) -> u64 {
    (0..count).fold(0, |out, i| {
        let at = from + i;
        let inside = ((at / LIMB_BITS) as usize) < LIMBS;
        out | (u64::from(inside && bit(limbs, at)) << i)
    })
}

fn any_below(limbs: &[i64; LIMBS], at: u32) -> bool {
    let (whole, part) = ((at / LIMB_BITS) as usize, at % LIMB_BITS);
    limbs[..whole].iter().any(|&l| l != 0) || limbs[whole] & ((1i64 << part) - 1) != 0
}

/// The correctly rounded sum. `None` when a value is not finite or the sum is larger than any float. The sum of
/// nothing is 0.
pub fn exact(values: &[f64]) -> Option<f64> {
    let mut sum = ExactSum::default();
    values.iter().for_each(|&v| sum.add(v));
    sum.value()
}

/// The arithmetic mean; `None` when there is none.
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(exact(values)? / values.len() as f64) }
}

/// The sample standard deviation (n - 1 in the denominator); `None` for fewer than two values.
pub fn stddev(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values)?;
    let mut squares = ExactSum::default();
    values.iter().for_each(|v| squares.add((v - mean) * (v - mean)));
    Some((squares.value()? / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rounds_once_at_the_end() {
        assert_eq!(exact(&[0.1; 10]), Some(1.0));
        assert_eq!(exact(&[1e100, 1.0, -1e100]), Some(1.0));
        assert_eq!(exact(&[1.0, 1e-20, -1.0]), Some(1e-20));
        assert_eq!(exact(&[]), Some(0.0));
        // Ties go to even: 2^53 + 1 lies between 2^53 and 2^53 + 2; any grain more decides.
        assert_eq!(exact(&[9007199254740992.0, 1.0]), Some(9007199254740992.0));
        assert_eq!(exact(&[9007199254740992.0, 1.0, 5e-324]), Some(9007199254740994.0));
        assert_eq!(exact(&[9007199254740992.0, 2.0, 1.0]), Some(9007199254740996.0));
    }

    #[test]
    fn the_edges_of_the_range_are_exact() {
        assert_eq!(exact(&[5e-324, 5e-324]), Some(1e-323));
        assert_eq!(exact(&[f64::MIN_POSITIVE, -5e-324]), Some(2.225073858507201e-308));
        assert_eq!(exact(&[f64::MAX, f64::MAX, -f64::MAX]), Some(f64::MAX));
        assert_eq!(exact(&[f64::MAX, f64::MAX]), None);
        assert_eq!(exact(&[f64::MAX, -f64::MAX]), Some(0.0));
    }

    #[test]
    fn a_value_that_is_no_number_makes_no_sum() {
        assert_eq!(exact(&[1.0, f64::NAN]), None);
        assert_eq!(exact(&[f64::INFINITY]), None);
    }

    #[test]
    fn mean_and_stddev_of_nothing_are_nothing() {
        assert_eq!(mean(&[]), None);
        assert_eq!(stddev(&[1.0]), None);
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
        // numpy.std([2,4,4,4,5,5,7,9], ddof=1)
        assert_eq!(stddev(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), Some(2.138089935299395));
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_bits(values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO, 0..40).prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle()))) {
            let (a, b) = values;
            prop_assert_eq!(exact(&a).map(f64::to_bits), exact(&b).map(f64::to_bits));
        }

        #[test]
        fn integers_sum_as_integers(values in prop::collection::vec(any::<i32>(), 0..100), scale in -30..30i32) {
            let unit = 2f64.powi(scale);
            let whole: i64 = values.iter().map(|&v| i64::from(v)).sum();
            let floats: Vec<f64> = values.iter().map(|&v| f64::from(v) * unit).collect();
            prop_assert_eq!(exact(&floats), Some(whole as f64 * unit));
        }

        #[test]
        fn two_halves_merge_to_the_whole(values in prop::collection::vec(-1e300..1e300f64, 0..40), at in 0usize..40) {
            let (left, right) = values.split_at(at.min(values.len()));
            let (mut a, mut b) = (ExactSum::default(), ExactSum::default());
            left.iter().for_each(|&v| a.add(v));
            right.iter().for_each(|&v| b.add(v));
            a.merge(&b);
            prop_assert_eq!(a.value(), exact(&values));
        }

        #[test]
        fn two_summands_sum_as_the_processor_does(a in prop::num::f64::ANY, b in prop::num::f64::ANY) {
            let expected = Some(a + b).filter(|s| s.is_finite() && a.is_finite() && b.is_finite());
            prop_assert_eq!(exact(&[a, b]), expected);
        }
    }
}
