//! Texts in XML: what an agent said ends no attribute, and holds nothing that XML forbids.

/// Bytes that are looked at at once.
const STEP: usize = 16;

/// The most bytes that a step becomes, and what is copied beyond it.
const MOST: usize = 6 * STEP + STEP;

/// Adds a text as the value of an attribute or the content of an element: escaped, and without what XML forbids or what
/// could disguise a message (bidirectional overrides), which U+FFFD replaces.
///
/// Quotes stand close together where texts quote JSON. So a step is looked at once, wherever they are in it, and what lies
/// between two of them is copied by the step, whatever of it is needed: a copy of a fixed size is no call.
pub fn escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut at = 0;
    if bytes.len() >= 2 * STEP {
        let mut done = out.len();
        out.resize(done + bytes.len() + MOST, 0);
        'steps: while let Some(around) = bytes[at..].first_chunk::<{ 2 * STEP }>() {
            if out.len() < done + MOST {
                out.resize(done + 2 * (bytes.len() - at) + MOST, 0);
            }
            let Some(step) = around.first_chunk::<STEP>() else { break };
            let (mut found, mut pos) = (odd(step), 0);
            loop {
                out[done..done + STEP].copy_from_slice(&around[pos..pos + STEP]);
                if found == 0 {
                    done += STEP - pos;
                    break;
                }
                let next = found.trailing_zeros() as usize;
                done += next - pos;
                if around[next] >= 0x80 {
                    // A character of several bytes may go on behind the step.
                    let end = character(text, at + next, out, &mut done);
                    at = end;
                    continue 'steps;
                }
                let (escape, length) = ESCAPES[usize::from(around[next])];
                out[done..done + escape.len()].copy_from_slice(&escape);
                done += usize::from(length);
                pos = next + 1;
                found &= found - 1;
            }
            at += STEP;
        }
        out.truncate(done);
    }
    rest(&text[at..], out);
}

/// Writes the character that begins at `at`, which takes several bytes; where it ends.
fn character(text: &str, at: usize, out: &mut [u8], done: &mut usize) -> usize {
    let Some(c) = text[at..].chars().next() else { return at + 1 };
    let shown = if allowed(c) { c } else { REPLACED };
    *done += shown.encode_utf8(&mut out[*done..*done + 4]).len();
    at + c.len_utf8()
}

/// A short text, or the end of one.
fn rest(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        // Runs of harmless characters are copied whole.
        let plain = rest.bytes().position(|b| ESCAPES[usize::from(b)].1 > 0).unwrap_or(rest.len());
        let (run, odd) = rest.split_at(plain);
        out.extend_from_slice(run.as_bytes());
        let mut odd = odd.chars();
        let Some(c) = odd.next() else { return };
        rest = odd.as_str();
        if c.is_ascii() {
            let (escape, length) = ESCAPES[c as usize];
            out.extend_from_slice(&escape[..usize::from(length)]);
        } else {
            let shown = if allowed(c) { c } else { REPLACED };
            out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// What stands for what must not be there.
const REPLACED: char = '\u{fffd}';

/// How a byte is written, and how long that is; 0 where it stands as it is. Of those that begin or continue a longer
/// character only that they are none of these.
const ESCAPES: [([u8; 6], u8); 256] = {
    let mut escapes = [(*b"\xef\xbf\xbd\0\0\0", 3); 256];
    let mut byte = b' ';
    while byte <= b'~' {
        escapes[byte as usize] = ([0; 6], 0);
        byte += 1;
    }
    escapes[b'<' as usize] = (*b"&lt;\0\0", 4);
    escapes[b'>' as usize] = (*b"&gt;\0\0", 4);
    escapes[b'&' as usize] = (*b"&amp;\0", 5);
    escapes[b'"' as usize] = (*b"&quot;", 6);
    escapes[b'\'' as usize] = (*b"&apos;", 6);
    // A reader turns these into spaces unless they are references.
    escapes[b'\n' as usize] = (*b"&#10;\0", 5);
    escapes[b'\t' as usize] = (*b"&#9;\0\0", 4);
    escapes
};

/// One bit a byte, the first one lowest: what does not stand as it is.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[allow(unsafe_code)] // It is what makes this worth having; nothing but the call is unsafe.
#[inline(always)]
fn odd(step: &[u8; STEP]) -> u32 {
    // SAFETY: the callee's only condition is that the processor has SSE2, which this function is only built for.
    unsafe { odd_sse2(step) }
}

/// One bit a byte, the first one lowest: what does not stand as it is.
#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
#[inline(always)]
fn odd(step: &[u8; STEP]) -> u32 {
    odd_scalar(step)
}

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[target_feature(enable = "sse2")]
#[inline]
fn odd_sse2(step: &[u8; STEP]) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    // Built from two words rather than loaded through a pointer: the same instruction, without `unsafe`.
    let (words, _) = step.as_chunks::<8>();
    let bytes = _mm_set_epi64x(i64::from_le_bytes(words[1]), i64::from_le_bytes(words[0]));
    let equal = |byte: u8| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte.cast_signed()));
    // With a sign, bytes from 0x80 on are less than a space, too.
    let low = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(b' '.cast_signed())), equal(0x7f));
    let quotes = _mm_or_si128(equal(b'"'), equal(b'\''));
    let marks = _mm_or_si128(_mm_or_si128(equal(b'<'), equal(b'>')), equal(b'&'));
    _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, quotes), marks)).cast_unsigned()
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "sse2"))))]
fn odd_scalar(step: &[u8; STEP]) -> u32 {
    let bit = |(k, byte): (usize, &u8)| u32::from(ESCAPES[usize::from(*byte)].1 > 0) << k;
    step.iter().enumerate().map(bit).fold(0, |all, bit| all | bit)
}

fn allowed(c: char) -> bool {
    matches!(c, ' '..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_by_one(text: &str) -> String {
        let shown = |c: char| match c {
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '&' => "&amp;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&apos;".to_owned(),
            '\n' => "&#10;".to_owned(),
            '\t' => "&#9;".to_owned(),
            c if allowed(c) => c.to_string(),
            _ => REPLACED.to_string(),
        };
        text.chars().map(shown).collect()
    }

    #[test]
    fn every_byte_is_told_alike_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..STEP {
                let mut step = [b'x'; STEP];
                step[place] = byte;
                assert_eq!(odd(&step), odd_scalar(&step), "{byte} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_text_is_escaped_as_its_characters_are(
            text in "([a-z ]{0,40}|[\\x00-\\x1f\\x7f]{0,8}|[<>&\"']{0,40}|[\u{80}-\u{a1}\u{202a}\u{fffe}\u{1f600}é]{0,8}|\\PC{0,8}){0,6}",
        ) {
            let mut out = b"before ".to_vec();
            escaped(&mut out, &text);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("before {}", one_by_one(&text)));
        }
    }
}
