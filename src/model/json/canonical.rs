//! JSON in one form only (RFC 8785, JCS): what is hashed or signed must come out the same whoever writes it.

use serde_json::{Number, Value};

/// The largest integer up to which every integer is a number of its own, 2^53 - 1.
const EXACT: u64 = (1 << 53) - 1;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the integer {0} is beyond 2^53, where other readers of JSON do not tell it from its neighbours")]
pub struct TooLarge(String);

/// The canonical form: keys sorted by their UTF-16 code units, no white space, numbers as ECMAScript writes them.
///
/// # Errors
/// An integer that is no exact double.
pub fn canonical(value: &Value) -> Result<String, TooLarge> {
    let mut out = String::new();
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut String) -> Result<(), TooLarge> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => number(n, out)?,
        // Escapes of serde_json are those of the RFC: the short ones, `\u00xx` in lower case, nothing else.
        Value::String(text) => out.push_str(&Value::from(text.as_str()).to_string()),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (i, (key, value)) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn number(n: &Number, out: &mut String) -> Result<(), TooLarge> {
    let whole = n.as_u64().or_else(|| n.as_i64().map(i64::unsigned_abs));
    match (whole, n.as_f64()) {
        (Some(whole), _) if whole > EXACT => return Err(TooLarge(n.to_string())),
        (Some(_), _) => out.push_str(&n.to_string()),
        (None, Some(float)) => ecma(float, out),
        (None, None) => return Err(TooLarge(n.to_string())),
    }
    Ok(())
}

/// A finite number as `Number::toString` of ECMAScript writes it: the shortest digits that read back as it, plain between
/// 1e-7 and 1e21.
fn ecma(float: f64, out: &mut String) {
    if float == 0.0 {
        return out.push('0');
    }
    if float < 0.0 {
        out.push('-');
    }
    // The shortest digits of serde_json are the same, ties to even included, which those of Rust itself are not; only the
    // layout differs.
    let shortest = Value::from(float.abs()).to_string();
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let leading = all.len() - digits.len();
    let digits = digits.trim_end_matches('0');
    // The decimal point stands after so many digits.
    let point = i32::try_from(whole.len()).unwrap_or(0) - i32::try_from(leading).unwrap_or(0)
        + exponent.parse::<i32>().unwrap_or(0);
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    match point {
        _ if count <= point && point <= 21 => {
            out.push_str(digits);
            out.push_str(&zeros(point - count));
        }
        1..=21 => {
            let (whole, rest) = digits.split_at(usize::try_from(point).unwrap_or(0));
            out.push_str(&format!("{whole}.{rest}"));
        }
        -5..=0 => out.push_str(&format!("0.{}{digits}", zeros(-point))),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            let sign = if point > 0 { "+" } else { "-" };
            out.push_str(&format!("{first}{dot}{rest}e{sign}{}", (point - 1).abs()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn numbers_are_those_of_the_rfc() {
        // Appendix B of RFC 8785: the bits of a double, and how it is written.
        for (bits, written) in [
            (0x0000000000000000u64, "0"),
            (0x8000000000000000, "0"),
            (0x0000000000000001, "5e-324"),
            (0x8000000000000001, "-5e-324"),
            (0x7fefffffffffffff, "1.7976931348623157e+308"),
            (0xffefffffffffffff, "-1.7976931348623157e+308"),
            (0x4340000000000000, "9007199254740992"),
            (0xc340000000000000, "-9007199254740992"),
            (0x4430000000000000, "295147905179352830000"),
            (0x44b52d02c7e14af5, "9.999999999999997e+22"),
            (0x44b52d02c7e14af6, "1e+23"),
            (0x44b52d02c7e14af7, "1.0000000000000001e+23"),
            (0x444b1ae4d6e2ef4e, "999999999999999700000"),
            (0x444b1ae4d6e2ef4f, "999999999999999900000"),
            (0x444b1ae4d6e2ef50, "1e+21"),
            (0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"),
            (0x3eb0c6f7a0b5ed8d, "0.000001"),
            (0x41b3de4355555553, "333333333.3333332"),
            (0x41b3de4355555554, "333333333.33333325"),
            (0x41b3de4355555555, "333333333.3333333"),
            (0x41b3de4355555556, "333333333.3333334"),
            (0x41b3de4355555557, "333333333.33333343"),
            (0xbecbf647612f3696, "-0.0000033333333333333333"),
            (0x43143ff3c1cb0959, "1424953923781206.2"),
        ] {
            let mut out = String::new();
            ecma(f64::from_bits(bits), &mut out);
            assert_eq!(out, written, "{bits:016x}");
        }
    }

    #[test]
    fn the_example_of_the_rfc_comes_out_as_there() {
        let text = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            canonical(&value).unwrap(),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    #[test]
    fn keys_are_sorted_by_utf_16() {
        // U+1F600 is written with surrogates, which stand before U+FB33.
        let value = json!({ "\u{fb33}": 3, "\u{1f600}": 2, "\r": 0, "1": 1 });
        assert_eq!(canonical(&value).unwrap(), "{\"\\r\":0,\"1\":1,\"\u{1f600}\":2,\"\u{fb33}\":3}");
    }

    #[test]
    fn an_integer_that_others_would_round_has_no_canonical_form() {
        assert_eq!(canonical(&json!(9_007_199_254_740_991u64)).unwrap(), "9007199254740991");
        assert!(canonical(&json!({ "n": 9_007_199_254_740_993u64 })).is_err());
        assert!(canonical(&json!(i64::MIN)).is_err());
    }

    proptest! {
        #[test]
        fn every_double_reads_back_as_it_was(bits: u64) {
            let float = f64::from_bits(bits);
            prop_assume!(float.is_finite());
            let mut out = String::new();
            ecma(float, &mut out);
            prop_assert_eq!(out.parse::<f64>().unwrap(), float);
        }
    }
}
