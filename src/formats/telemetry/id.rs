//! Trace and span ids, however they are written.
//!
//! OTLP/JSON writes hex in either case; some carriers write base64; a few write something else altogether.

use std::borrow::Cow;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine, alphabet};

use crate::model::Text;

/// Bytes of a trace id.
pub const TRACE: usize = 16;
/// Bytes of a span id.
pub const SPAN: usize = 8;

/// An id of `size` bytes in its one form: lower-case hex, from hex of either case or base64; anything else as it was
/// written. `None` for one that is empty or all zero, which names nothing.
pub fn normal<'a>(text: &Text<'a>, size: usize) -> Option<Text<'a>> {
    let bytes = text.as_bytes();
    if bytes.iter().all(|b| *b == b'0') {
        return None;
    }
    if bytes.len() == 2 * size && bytes.iter().all(u8::is_ascii_hexdigit) {
        if !bytes.iter().any(u8::is_ascii_uppercase) {
            return Some(text.clone());
        }
        return Some(text.to_ascii_lowercase().into());
    }
    // Longer ones are not worth the decoding.
    let decoded = (bytes.len() <= 3 * size).then(|| base64(text)).flatten();
    match decoded.filter(|d| d.len() == size) {
        Some(decoded) => hex(&decoded),
        None => Some(text.clone()),
    }
}

/// An id of raw bytes as lower-case hex; `None` when it is empty or all zero.
pub fn hex<'a>(bytes: &[u8]) -> Option<Text<'a>> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    if bytes.iter().all(|b| *b == 0) {
        return None;
    }
    let mut out = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    Some(Text(Cow::Owned(out)))
}

/// Padding is not asked for, and bits behind the last byte may be anything, as writers differ.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The bytes of padded or unpadded base64, of either alphabet; `None` for a text that is none.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { PLAIN };
    engine.decode(text).ok()
}

/// Bytes as padded base64.
pub fn to_base64(bytes: &[u8], out: &mut String) {
    PLAIN.encode_string(bytes, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Option<String> {
        normal(&Text::borrowed(text), SPAN).map(|t| t.to_string())
    }

    #[test]
    fn one_id_has_one_form() {
        let id = Some("00f067aa0ba902b7".to_owned());
        assert_eq!(span("00f067aa0ba902b7"), id);
        assert_eq!(span("00F067AA0BA902B7"), id);
        assert_eq!(span("APBnqgupArc="), id);
        assert_eq!(span("APBnqgupArc"), id);
        assert_eq!(hex(&[0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 2, 0xb7]).unwrap(), "00f067aa0ba902b7");
    }

    #[test]
    fn base64_goes_there_and_back() {
        for bytes in [&b""[..], b"a", b"ab", b"abc", &[0xfb, 0xff, 0xfe, 0]] {
            let mut text = String::new();
            to_base64(bytes, &mut text);
            assert_eq!(base64(&text).as_deref(), Some(bytes), "{text}");
        }
        assert_eq!(base64("-_-_").as_deref(), Some(&[0xfb, 0xff, 0xbf][..]));
        assert_eq!((base64("a"), base64("a b=")), (None, None));
    }

    #[test]
    fn an_id_of_zeros_names_nothing() {
        assert_eq!(span("0000000000000000"), None);
        assert_eq!(span(""), None);
        assert_eq!(span("AAAAAAAAAAA="), None);
        assert_eq!(hex(&[0; 8]), None);
        assert_eq!(hex(&[]), None);
    }

    #[test]
    fn another_id_stays_as_it_is() {
        assert_eq!(span("run-7").as_deref(), Some("run-7"));
        assert_eq!(span("00f067aa0ba902b"), Some("00f067aa0ba902b".into()));
    }
}
