//! JSON as a reader understands it: its layout says nothing, and numbers compare as numbers.

mod alike;
mod back;
pub mod canonical;
mod front;
pub mod tape;
mod texts;
pub mod view;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

pub use alike::plainly_alike;
use front::{STEP, special};
pub use tape::Tape;
pub use texts::Texts;

/// The name under which a newtype structure asks for a value as it is: a string as its text, anything else as the bytes
/// of its JSON. Other deserialisers than [`read`]'s give it what a newtype structure is given.
pub(super) const AS_IT_IS: &str = "$seatrial::AsItIs";

/// Reads a value from JSON text, as `serde_json::from_str` does: faster where the text is plainly valid, and by it where
/// it is not.
///
/// # Errors
/// Those of serde_json.
pub fn read<'de, T: Deserialize<'de>>(text: &'de str) -> serde_json::Result<T> {
    front::read(text).map_or_else(|| serde_json::from_str(text), Ok)
}

/// As [`read`], with a place for the texts that do not stand in the JSON as they are: with escapes resolved they are
/// borrowed from it.
///
/// # Errors
/// Those of serde_json.
pub fn read_in<'de, T: Deserialize<'de>>(text: &'de str, texts: &'de Texts) -> serde_json::Result<T> {
    front::read_in(text, texts).map_or_else(|| serde_json::from_str(text), Ok)
}

/// Appends a value as JSON without white space, as `serde_json::to_writer` writes it, and faster where texts are long.
///
/// # Errors
/// Those of serde_json; what was written up to there stays.
pub fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> serde_json::Result<()> {
    back::write(value, out)
}

/// A value as JSON without white space, as `serde_json::to_vec` gives it.
///
/// # Errors
/// Those of serde_json.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(128);
    back::write(value, &mut out)?;
    Ok(out)
}

/// Appends the JSON text without the white space between its tokens. `text` must be valid JSON.
pub fn compact(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let (mut at, mut done) = (0, out.len());
    // Strings are copied by the step, whatever of it is needed.
    out.resize(done + bytes.len() + STEP, 0);
    let mut in_string = false;
    while let Some(&byte) = bytes.get(at) {
        if !in_string {
            // Tokens are short: byte by byte is faster than to look for where each of them ends.
            out[done] = byte;
            done += usize::from(!matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
            at += 1;
            in_string = byte == b'"';
            continue;
        }
        if let Some(step) = bytes[at..].first_chunk::<STEP>() {
            out[done..done + STEP].copy_from_slice(step);
            let run = special(step).trailing_zeros().min(STEP as u32) as usize;
            (at, done) = (at + run, done + run);
            if run == STEP {
                continue;
            }
        }
        // What ends a run, or one of the last bytes; with what it escapes.
        let length = if bytes[at] == b'\\' { 2 } else { 1 };
        in_string = bytes[at] != b'"';
        for byte in bytes[at..].iter().take(length) {
            out[done] = *byte;
            done += 1;
        }
        at += length;
    }
    out.truncate(done);
}

/// Whether two JSON values are equal: numbers by mathematical value (1 equals 1.0, never "1", never true; a large
/// integer never equals a float that only rounds to it), objects whatever the order of keys.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => numbers_equal(x, y),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| equal(a, b)),
        (Value::Object(x), Value::Object(y)) => {
            // Nearly always the keys stand in the same order, and nobody has to look for them.
            x.len() == y.len()
                && x.iter().zip(y).all(|((k, v), (at, here))| {
                    let found = if k == at { Some(here) } else { y.get(k) };
                    found.is_some_and(|w| equal(v, w))
                })
        }
        _ => a == b,
    }
}

/// A number's integer value, when it has one that is exact.
fn integer(n: &Number) -> Option<i128> {
    if let Some(i) = n.as_i64() {
        return Some(i128::from(i));
    }
    if let Some(u) = n.as_u64() {
        return Some(i128::from(u));
    }
    // Every float at or beyond 2^53 is integral; up to 2^126 the conversion is exact.
    n.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 8.5e37).map(|f| f as i128)
}

/// Whether two numbers are equal by mathematical value.
pub fn numbers_equal(x: &Number, y: &Number) -> bool {
    match (integer(x), integer(y)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => x.as_f64() == y.as_f64(),
        _ => false,
    }
}

/// Compares two numbers by mathematical value.
pub fn compare(x: &Number, y: &Number) -> Option<std::cmp::Ordering> {
    match (integer(x), integer(y)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => x.as_f64()?.partial_cmp(&y.as_f64()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_compare_as_numbers() {
        assert!(equal(&json!(1), &json!(1.0)));
        assert!(equal(&json!(100), &json!(1e2)));
        assert!(!equal(&json!(1), &json!("1")));
        assert!(!equal(&json!(1), &json!(true)));
        assert!(!equal(&json!(9007199254740993u64), &json!(9007199254740992.0)));
        assert!(!equal(&json!(0.3), &json!(0.30000000000000004)));
        assert!(equal(&json!(0.0), &json!(-0.0)));
    }

    #[test]
    fn compact_takes_out_the_layout_and_leaves_strings_alone() {
        let compact = |text: &str| {
            let mut out = b"<".to_vec();
            super::compact(text, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(compact("{ \"a b\" :\n[1,\t\" \\\" , \\\\\"] }"), "<{\"a b\":[1,\" \\\" , \\\\\"]}");
        assert_eq!(compact("[1,2]"), "<[1,2]");
        assert_eq!(compact("\" x \""), "<\" x \"");
        for long in [0, 1, 13, 14, 15, 16, 17, 31, 32, 33, 100] {
            let text = "x ".repeat(long);
            for text in [text.clone(), format!("{text}\\\" {text}"), format!("{text}\\\\"), format!("\\\\\\\"{text}")] {
                assert_eq!(compact(&format!("[ \"{text}\" , 1 ]")), format!("<[\"{text}\",1]"));
            }
        }
    }

    #[test]
    fn objects_compare_whatever_the_order_of_keys() {
        assert!(equal(&json!({"a": [1, {"b": 2}], "c": null}), &json!({"c": null, "a": [1.0, {"b": 2}]})));
        assert!(!equal(&json!({"a": null}), &json!({})));
    }
}
