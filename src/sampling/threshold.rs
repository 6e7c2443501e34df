//! Consistent sampling by thresholds (OpenTelemetry, Probability Sampling in TraceState): with 56 bits R of a session and
//! the threshold T = (1 - p) 2^56, it is drawn where R >= T. Who draws fewer draws some of the same.

use crate::model::digest::Builder;

/// How many values R has.
const ALL: u64 = 1 << 56;
/// Hex digits that a threshold is written with, behind those that only say how small the chance is.
const PRECISION: u32 = 4;
/// Hex digits of 56 bits.
const DIGITS: u32 = 14;

/// A threshold: what lies below it is not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u64);

impl Threshold {
    /// Draws everything.
    pub const EVERYTHING: Self = Self(0);
    /// Draws nothing.
    pub const NOTHING: Self = Self(ALL);

    /// The threshold of a chance, in four hexadecimal digits of precision: that of what is written is that of what is done.
    /// A chance that is none, or below 2^-56, draws nothing.
    pub fn of(chance: f64) -> Self {
        if chance >= 1.0 {
            return Self::EVERYTHING;
        }
        let scaled = (chance * ALL as f64).round();
        if scaled.is_nan() || scaled < 1.0 {
            return Self::NOTHING;
        }
        let exact = ALL - scaled as u64;
        // Small chances begin with digits that are all f, large ones with zeros: they carry no precision.
        let more = |share: f64| (-1.0 - share.log2().floor()).max(0.0) as u32 / 4;
        let digits = (PRECISION + more(chance).max(more(1.0 - chance))).min(DIGITS);
        let shift = 4 * (DIGITS - digits);
        let rounded = if shift == 0 { exact } else { ((exact + (1 << (shift - 1))) >> shift) << shift };
        // Rounding must not make nothing of a small chance.
        Self(if rounded >= ALL { exact } else { rounded })
    }

    /// The chance of being drawn; one session that is drawn stands for one over it.
    pub fn chance(self) -> f64 {
        (ALL - self.0) as f64 / ALL as f64
    }

    /// Whether it draws the session with this R.
    pub fn draws(self, r: u64) -> bool {
        r >= self.0
    }

    /// As `th` is written: hexadecimal, without zeros at its end. `None` where nothing is drawn, which cannot be written.
    pub fn hex(self) -> Option<String> {
        if self.0 >= ALL {
            return None;
        }
        let digits = format!("{:014x}", self.0);
        let short = digits.trim_end_matches('0');
        Some(if short.is_empty() { "0".to_owned() } else { short.to_owned() })
    }

    /// Reads a `th`.
    pub fn parse(text: &str) -> Option<Self> {
        let sound = (1..=DIGITS as usize).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let digits = u64::from_str_radix(text, 16).ok().filter(|_| sound)?;
        Some(Self(digits << (4 * (DIGITS as usize - text.len()))))
    }
}

/// The 56 bits R of a session: the same for every watch, and independent of how its traces were sampled before they came
/// here, which is why they are not those of a trace id.
pub fn randomness(session: &str) -> u64 {
    let mut key = Builder::new("seatrial sample 1");
    key.part("session", session.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&key.finish().bytes[..8]);
    u64::from_be_bytes(first) >> 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn thresholds_are_written_as_opentelemetry_does() {
        for (chance, hex) in [
            (1.0, "0"),
            (0.5, "8"),
            (0.25, "c"),
            (0.1, "e666"),
            (0.01, "fd70a"),
            (0.001, "ffbe77"),
            (1.0 / 3.0, "aaab"),
        ] {
            let threshold = Threshold::of(chance);
            assert_eq!(threshold.hex().as_deref(), Some(hex), "{chance}");
            assert_eq!(Threshold::parse(hex), Some(threshold));
            assert!((threshold.chance() / chance - 1.0).abs() < 1e-3, "{chance}");
        }
        assert_eq!((Threshold::of(0.0), Threshold::NOTHING.hex()), (Threshold::NOTHING, None));
        assert_eq!(Threshold::of(f64::NAN), Threshold::NOTHING);
        assert!(Threshold::of(2f64.powi(-56)).chance() > 0.0);
    }

    #[test]
    fn what_is_no_threshold_is_not_read() {
        for bad in ["", "0x8", "E666", "g", "123456789012345", "-1", "+1"] {
            assert_eq!(Threshold::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_smaller_share_is_part_of_a_larger_one_and_both_are_as_large_as_they_say() {
        let drawn = |chance: f64| -> Vec<u32> {
            let threshold = Threshold::of(chance);
            (0..20_000).filter(|i| threshold.draws(randomness(&format!("session-{i}")))).collect()
        };
        let (few, many) = (drawn(0.05), drawn(0.2));
        assert!(few.iter().all(|i| many.contains(i)));
        // Five standard deviations.
        assert!(few.len().abs_diff(1000) < 155 && many.len().abs_diff(4000) < 285, "{} {}", few.len(), many.len());
    }

    #[test]
    fn a_session_is_drawn_by_its_id_for_ever() {
        assert_eq!(randomness("s-1"), 41_479_288_418_256_888, "other draws than those of watches that run");
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(chance in 1e-12f64..1.0) {
            let threshold = Threshold::of(chance);
            prop_assert_eq!(Threshold::parse(&threshold.hex().unwrap()), Some(threshold));
            prop_assert!((threshold.chance() / chance - 1.0).abs() < 2e-3);
        }

        #[test]
        fn a_larger_chance_draws_whatever_a_smaller_one_does(a in 0.0f64..=1.0, b in 0.0f64..=1.0, r in 0..ALL) {
            let (small, large) = (Threshold::of(a.min(b)), Threshold::of(a.max(b)));
            prop_assert!(!small.draws(r) || large.draws(r));
        }
    }
}
