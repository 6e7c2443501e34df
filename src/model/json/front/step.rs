//! A few bytes of a string at once: where it ends, or an escape begins.

/// Bytes that are looked at at once.
pub(in crate::model::json) const STEP: usize = 16;

/// One bit a byte, the first one lowest: a quote, a backslash, or a control character, which no string may hold.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[allow(unsafe_code)] // It is what makes this worth having; nothing but the call is unsafe.
#[inline(always)]
pub(in crate::model::json) fn special(step: &[u8; STEP]) -> u32 {
    // SAFETY: the callee's only condition is that the processor has SSE2, which this function is only built for.
    unsafe { special_sse2(step) }
}

/// One bit a byte, the first one lowest: a quote, a backslash, or a control character, which no string may hold.
#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
#[inline(always)]
pub(in crate::model::json) fn special(step: &[u8; STEP]) -> u32 {
    special_scalar(step)
}

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[target_feature(enable = "sse2")]
#[inline]
fn special_sse2(step: &[u8; STEP]) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    // Built from two words rather than loaded through a pointer: the same instruction, without `unsafe`.
    let (words, _) = step.as_chunks::<8>();
    let bytes = _mm_set_epi64x(i64::from_le_bytes(words[1]), i64::from_le_bytes(words[0]));
    let equal = |byte: u8| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte.cast_signed()));
    // The smaller of a byte and 0x1f is the byte itself: it is at most 0x1f.
    let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    let found = _mm_or_si128(_mm_or_si128(equal(b'"'), equal(b'\\')), control);
    _mm_movemask_epi8(found).cast_unsigned()
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "sse2"))))]
fn special_scalar(step: &[u8; STEP]) -> u32 {
    let bit = |(k, byte): (usize, &u8)| u32::from(matches!(byte, b'"' | b'\\' | ..0x20)) << k;
    step.iter().enumerate().map(bit).fold(0, |all, bit| all | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_alike_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..STEP {
                let mut step = [b'x'; STEP];
                step[place] = byte;
                assert_eq!(special(&step), special_scalar(&step), "{byte} at {place}");
                let ends = byte < 0x20 || byte == b'"' || byte == b'\\';
                assert_eq!(special(&step), u32::from(ends) << place, "{byte} at {place}");
            }
        }
    }
}
