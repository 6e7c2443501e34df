//! The lexical half of the scanner: which of 64 bytes are brackets outside strings, and which lie inside a string.
//!
//! The method is simdjson's: comparisons give one bit a byte, an addition finds escaped characters, a prefix exclusive-or
//! over the quotes gives the insides of strings. SSE2, which every x86-64 has, and a scalar form elsewhere.

/// Bytes looked at in one step.
pub(super) const STEP: usize = 64;

/// One bit a byte: where the bytes that matter are, before strings are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Masks {
    quote: u64,
    backslash: u64,
    open: u64,
    close: u64,
}

/// One bit a byte: brackets outside strings, and the insides of strings (with the opening quote, without the closing).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bits {
    pub string: u64,
    pub open: u64,
    pub close: u64,
}

/// What is carried from one step to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lexer {
    /// All ones inside a string, all zeros outside.
    in_string: u64,
    /// 1 when the next byte is escaped by a backslash before it.
    escaped: u64,
}

impl Lexer {
    /// Whether the bytes so far end inside a string.
    pub fn in_string(&self) -> bool {
        self.in_string != 0
    }

    /// Takes the next step: the first 64 bytes of `bytes`, or all of them when there are fewer. The second part of the
    /// result is how many were taken; bits beyond it are 0.
    #[inline(always)]
    pub fn step(&mut self, bytes: &[u8]) -> (Bits, usize) {
        match bytes.first_chunk::<STEP>() {
            Some(chunk) => (self.bits(masks(chunk), STEP), STEP),
            None => self.short_step(bytes),
        }
    }

    #[inline(never)]
    fn short_step(&mut self, bytes: &[u8]) -> (Bits, usize) {
        let mut chunk = [b' '; STEP];
        chunk[..bytes.len()].copy_from_slice(bytes);
        let mut bits = self.bits(masks(&chunk), bytes.len());
        bits.string &= (1u64 << bytes.len()) - 1;
        (bits, bytes.len())
    }

    #[inline(always)]
    fn bits(&mut self, m: Masks, len: usize) -> Bits {
        let escaped = match m.backslash {
            0 => std::mem::take(&mut self.escaped),
            backslash if len == STEP => self.escapes(backslash),
            backslash => self.escapes_of_short_step(backslash, len),
        };
        let string = prefix_xor(m.quote & !escaped) ^ self.in_string;
        // Spaces fill a short step, so its last bit too says whether a string is open.
        self.in_string = 0u64.wrapping_sub(string >> 63);
        Bits { string, open: m.open & !string, close: m.close & !string }
    }

    /// The characters that are escaped, by simdjson's carry: a run of backslashes of odd length escapes what follows.
    #[inline(always)]
    fn escapes(&mut self, backslash: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let backslash = backslash & !self.escaped;
        let follows = (backslash << 1) | self.escaped;
        let odd_starts = backslash & !EVEN & !follows;
        let (runs_from_even, carry) = odd_starts.overflowing_add(backslash);
        self.escaped = u64::from(carry);
        (EVEN ^ (runs_from_even << 1)) & follows
    }

    #[cold]
    fn escapes_of_short_step(&mut self, backslash: u64, len: usize) -> u64 {
        let (mut escaped, mut next) = (0u64, self.escaped == 1);
        for k in 0..len {
            if next {
                escaped |= 1 << k;
                next = false;
            } else {
                next = backslash >> k & 1 == 1;
            }
        }
        self.escaped = u64::from(next);
        escaped
    }
}

/// Bit k of the result is the exclusive-or of bits 0 to k.
#[inline(always)]
fn prefix_xor(mut x: u64) -> u64 {
    x ^= x << 1;
    x ^= x << 2;
    x ^= x << 4;
    x ^= x << 8;
    x ^= x << 16;
    x ^ (x << 32)
}

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[allow(unsafe_code)] // Twice the speed of the whole reader; nothing but the call is unsafe.
#[inline(always)]
fn masks(chunk: &[u8; STEP]) -> Masks {
    // SAFETY: the callee's only condition is that the processor has SSE2, which this function is only built for.
    unsafe { masks_sse2(chunk) }
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
#[inline(always)]
fn masks(chunk: &[u8; STEP]) -> Masks {
    masks_scalar(chunk)
}

/// Setting bit 5 turns `[` into `{` and `]` into `}`, and no other byte into either: one comparison for two brackets.
const CASE_BIT: u8 = 0x20;

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[target_feature(enable = "sse2")]
#[inline]
fn masks_sse2(chunk: &[u8; STEP]) -> Masks {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8};

    #[target_feature(enable = "sse2")]
    #[inline]
    fn equal(v: __m128i, byte: u8) -> u64 {
        u64::from(_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(byte.cast_signed()))).cast_unsigned())
    }

    let (words, _) = chunk.as_chunks::<8>();
    let mut m = Masks { quote: 0, backslash: 0, open: 0, close: 0 };
    for i in 0..STEP / 16 {
        // Built from two words rather than loaded through a pointer: the same instruction, without `unsafe`.
        let v = _mm_set_epi64x(i64::from_le_bytes(words[2 * i + 1]), i64::from_le_bytes(words[2 * i]));
        let folded = _mm_or_si128(v, _mm_set1_epi8(CASE_BIT.cast_signed()));
        m.quote |= equal(v, b'"') << (16 * i);
        m.backslash |= equal(v, b'\\') << (16 * i);
        m.open |= equal(folded, b'{') << (16 * i);
        m.close |= equal(folded, b'}') << (16 * i);
    }
    m
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "sse2"))))]
fn masks_scalar(chunk: &[u8; STEP]) -> Masks {
    let mut m = Masks { quote: 0, backslash: 0, open: 0, close: 0 };
    for (k, &byte) in chunk.iter().enumerate() {
        let folded = byte | CASE_BIT;
        m.quote |= u64::from(byte == b'"') << k;
        m.backslash |= u64::from(byte == b'\\') << k;
        m.open |= u64::from(folded == b'{') << k;
        m.close |= u64::from(folded == b'}') << k;
    }
    m
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// For each byte: inside a string (opening quote included), an opening, a closing bracket. One byte at a time.
    fn naive(bytes: &[u8]) -> Vec<(bool, bool, bool)> {
        let (mut string, mut escaped) = (false, false);
        let step = |&b: &u8| {
            if b == b'"' && !escaped {
                string = !string;
            }
            escaped = b == b'\\' && !escaped;
            (string, !string && matches!(b, b'[' | b'{'), !string && matches!(b, b']' | b'}'))
        };
        bytes.iter().map(step).collect()
    }

    fn stepped(bytes: &[u8], block: usize) -> Vec<(bool, bool, bool)> {
        let mut lexer = Lexer::default();
        let mut all = Vec::new();
        for mut rest in bytes.chunks(block) {
            while !rest.is_empty() {
                let (bits, len) = lexer.step(rest);
                let bit = |mask: u64, k: usize| mask >> k & 1 == 1;
                all.extend((0..len).map(|k| (bit(bits.string, k), bit(bits.open, k), bit(bits.close, k))));
                rest = &rest[len..];
            }
        }
        all
    }

    /// Bytes in which quotes, backslashes and brackets are frequent.
    pub fn soup() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![4 => prop::sample::select(br#"[]{}"\\\\\,: x"#.to_vec()), 1 => any::<u8>()];
        prop::collection::vec(byte, 0..700)
    }

    proptest! {
        #[test]
        fn sse2_and_scalar_masks_are_equal(chunk in prop::collection::vec(any::<u8>(), STEP), soup in soup()) {
            for bytes in [&chunk[..], &soup[..]] {
                for chunk in bytes.as_chunks::<STEP>().0 {
                    prop_assert_eq!(masks(chunk), masks_scalar(chunk));
                }
            }
        }

        #[test]
        fn steps_agree_with_one_byte_at_a_time(bytes in soup(), block in 1usize..300) {
            prop_assert_eq!(stepped(&bytes, block), naive(&bytes));
        }
    }

    #[test]
    fn every_byte_value_is_classified_alike() {
        for byte in 0..=u8::MAX {
            assert_eq!(masks(&[byte; STEP]), masks_scalar(&[byte; STEP]), "{byte}");
        }
    }

    #[test]
    fn long_runs_of_backslashes_cross_steps() {
        for run in [63, 64, 65, 127, 128, 129] {
            let text = format!("\"{}\"[", "\\".repeat(run));
            assert_eq!(stepped(text.as_bytes(), 1000), naive(text.as_bytes()), "{run}");
        }
    }
}
