//! Whether two texts plainly hold the same JSON, told without parsing either.

/// Brackets deeper than this are left to the parser, which has a limit of its own.
const MAX_DEPTH: usize = 100;

/// The longest number that every reader takes for what it says, in bytes.
const MAX_NUMBER: usize = 15;

/// Whether two texts are token by token the same JSON, whatever lies between the tokens. `false` says nothing: the values
/// may still be equal, and what a parser may refuse though it is alike (half a character, a number beyond all bounds,
/// nesting without end) is left to it. `valid` must be valid JSON; then `other` is too, where this is `true`.
pub fn plainly_alike(valid: &str, other: &str) -> bool {
    let (mut a, mut b) = (valid.as_bytes(), other.as_bytes());
    let (mut depth, mut number) = (0usize, 0usize);
    // White space says nothing beside a bracket, a comma or a colon; between two other bytes it parts two tokens.
    let mut beside = true;
    loop {
        let spaces = (skip_space(&mut a), skip_space(&mut b));
        let (Some((&x, rest_a)), Some((&y, rest_b))) = (a.split_first(), b.split_first()) else {
            return a.is_empty() && b.is_empty();
        };
        if x != y {
            return false;
        }
        let structural = matches!(x, b'{' | b'}' | b'[' | b']' | b',' | b':');
        if spaces != (false, false) && !beside && !structural {
            return false;
        }
        beside = structural;
        (a, b) = (rest_a, rest_b);
        number = if x == b'-' || x.is_ascii_digit() || x == b'.' { number + 1 } else { 0 };
        match x {
            b'"' => match string(a, b) {
                Some(end) => (a, b) = (&a[end..], &b[end..]),
                None => return false,
            },
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'E' => return false,
            b'e' if !matches!(a, [b',' | b'}' | b']' | b' ' | b'\n' | b'\t' | b'\r', ..] | []) => return false,
            _ => {}
        }
        if depth > MAX_DEPTH || number > MAX_NUMBER {
            return false;
        }
    }
}

/// Goes past white space; whether there was any.
fn skip_space(text: &mut &[u8]) -> bool {
    let before = text.len();
    while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = text {
        *text = rest;
    }
    text.len() < before
}

/// Where the string ends that both texts are in; `None` where they differ in it, or it holds a character by its number.
fn string(a: &[u8], b: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let byte = *a.get(at)?;
        if b.get(at) != Some(&byte) {
            return None;
        }
        at += 1;
        match byte {
            b'"' => return Some(at),
            b'\\' => {
                let escaped = *a.get(at)?;
                if escaped == b'u' || b.get(at) != Some(&escaped) {
                    return None;
                }
                at += 1;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::model::json::equal;

    #[test]
    fn what_lies_between_the_tokens_says_nothing() {
        for (a, b) in [
            ("{}", " { } "),
            (r#"{"a":1,"b":[true,null,"x y"]}"#, "{ \"a\" : 1 ,\n\"b\": [ true, null , \"x y\" ]\t}\r"),
            (r#"["\"", "\\"]"#, r#"["\"","\\"]"#),
            ("12", " 12"),
        ] {
            assert!(plainly_alike(a, b) && plainly_alike(b, a), "{a} {b}");
        }
    }

    #[test]
    fn what_differs_or_may_be_refused_is_not_plainly_alike() {
        for (a, b) in [
            ("12", "1 2"),
            ("[1]", "[1"),
            ("[1]", "[1]]"),
            (r#""a b""#, r#""ab""#),
            (r#""a""#, r#""a"#),
            (r#""\"""#, r#""\""#),
            ("true", "tr ue"),
            (r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"{"a":1}"#, ""),
            // Alike, and for a parser to say.
            ("1e999", "1e999"),
            ("[1E5]", "[1E5]"),
            (r#""\ud800""#, r#""\ud800""#),
            ("1234567890123456789012", "1234567890123456789012"),
        ] {
            assert!(!plainly_alike(a, b), "{a} {b}");
        }
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(!plainly_alike(&deep, &deep));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            (-9i32..9).prop_map(|n| Value::from(f64::from(n) / 4.0)),
            any::<f64>().prop_map(Value::from),
            "[ -~é]{0,5}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[a-c ]{0,2}", inner, 0..4).prop_map(|m| m.into_iter().collect()),
            ]
        })
    }

    proptest! {
        /// Two layouts of one value are mostly alike; and whatever a layout is damaged to, what is plainly alike is valid
        /// and equal.
        #[test]
        fn what_is_plainly_alike_is_valid_and_equal(
            value in values(), at in any::<prop::sample::Index>(), put in prop_oneof!["[ \\n1e\\-\\.\",\\]}a]?", "\\PC"],
            take in 0usize..2,
        ) {
            let (plain, laid_out) = (value.to_string(), serde_json::to_string_pretty(&value).unwrap());
            if plainly_alike(&plain, &laid_out) {
                prop_assert_eq!(&serde_json::from_str::<Value>(&laid_out).unwrap(), &value);
            }
            let mut chars: Vec<char> = laid_out.chars().collect();
            let at = at.index(chars.len());
            chars.splice(at..(at + take).min(chars.len()), put.chars());
            let damaged: String = chars.into_iter().collect();
            if plainly_alike(&plain, &damaged) {
                let read = serde_json::from_str::<Value>(&damaged);
                prop_assert!(read.is_ok_and(|read| equal(&read, &value)), "{} {}", plain, damaged);
            }
        }
    }
}
