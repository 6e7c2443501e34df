//! Texts in JSON: what no string may hold as it is, escaped as serde_json escapes it.

use super::super::front::{STEP, special};

/// Appends a text as a string.
pub(super) fn text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    inner(text, out);
    out.push(b'"');
}

/// The most bytes that a step becomes, and what is copied beyond it.
const MOST: usize = 6 * STEP + STEP;

/// Appends a text as it stands within a string.
///
/// Escapes stand close together where texts quote JSON. So a step is looked at once, wherever they are in it, and what lies
/// between two of them is copied by the step, whatever of it is needed: a copy of a fixed size is no call.
pub(super) fn inner(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    if bytes.len() >= 2 * STEP {
        let mut done = out.len();
        out.resize(done + bytes.len() + MOST, 0);
        while let Some(around) = bytes[at..].first_chunk::<{ 2 * STEP }>() {
            if out.len() < done + MOST {
                out.resize(done + 2 * (bytes.len() - at) + MOST, 0);
            }
            let Some(step) = around.first_chunk::<STEP>() else { break };
            let (mut found, mut pos) = (special(step), 0);
            loop {
                out[done..done + STEP].copy_from_slice(&around[pos..pos + STEP]);
                if found == 0 {
                    done += STEP - pos;
                    break;
                }
                let next = found.trailing_zeros() as usize;
                done += next - pos;
                let (escape, length) = ESCAPES[usize::from(around[next])];
                out[done..done + escape.len()].copy_from_slice(&escape);
                done += length;
                pos = next + 1;
                found &= found - 1;
            }
            at += STEP;
        }
        out.truncate(done);
    }
    rest(&bytes[at..], out);
}

/// A short text, or the end of one.
fn rest(mut bytes: &[u8], out: &mut Vec<u8>) {
    while let Some(odd) = bytes.iter().position(|byte| ESCAPES[usize::from(*byte)].1 > 0) {
        out.extend_from_slice(&bytes[..odd]);
        let (escape, length) = ESCAPES[usize::from(bytes[odd])];
        out.extend_from_slice(&escape[..length]);
        bytes = &bytes[odd + 1..];
    }
    out.extend_from_slice(bytes);
}

/// How a byte is escaped, and how long that is; 0 where it stands as it is.
const ESCAPES: [([u8; 6], usize); 256] = {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut escapes = [([0; 6], 0); 256];
    let mut byte = 0;
    while byte < 0x20 {
        escapes[byte] = ([b'\\', b'u', b'0', b'0', HEX[byte >> 4], HEX[byte & 15]], 6);
        byte += 1;
    }
    let short = [(b'"', b'"'), (b'\\', b'\\'), (b'\n', b'n'), (b'\t', b't'), (b'\r', b'r'), (8, b'b'), (12, b'f')];
    let mut k = 0;
    while k < short.len() {
        escapes[short[k].0 as usize] = ([b'\\', short[k].1, 0, 0, 0, 0], 2);
        k += 1;
    }
    escapes
};
