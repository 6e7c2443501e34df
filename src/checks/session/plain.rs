//! Arguments of calls against those that a recording expects: plain data on both sides, of which nobody needs to build
//! values. Nearly every session that does not pass would have them built only to be told apart.

use crate::checks::matcher::ArgsMode;
use crate::model::json::tape::{Kind, Node};

/// Whether every member of the one object is in the other, recursively. Arrays keep their length.
fn partly_equal(expected: Node<'_>, actual: Node<'_>) -> bool {
    match (expected.kind(), actual.kind()) {
        (Kind::Object(mut wanted), Kind::Object(_)) => {
            wanted.all(|(name, value)| actual.member(name).is_some_and(|other| partly_equal(value, other)))
        }
        (Kind::Array(wanted), Kind::Array(made)) => {
            wanted.len() == made.len() && wanted.zip(made).all(|(wanted, made)| partly_equal(wanted, made))
        }
        _ => expected.equals(actual),
    }
}

/// Whether a call's arguments match those expected under an args mode, as `Matcher::matches_args` says it of values.
pub fn matches(expected: Node<'_>, actual: Node<'_>, mode: ArgsMode) -> bool {
    match (mode, expected.kind(), actual.kind()) {
        (ArgsMode::Ignore, ..) => true,
        (ArgsMode::Partial, ..) => partly_equal(expected, actual),
        (ArgsMode::Superset, Kind::Object(mut wanted), Kind::Object(_)) => {
            wanted.all(|(name, value)| actual.member(name).is_some_and(|other| value.equals(other)))
        }
        (ArgsMode::Subset, Kind::Object(_), Kind::Object(mut made)) => {
            made.all(|(name, value)| expected.member(name).is_some_and(|wanted| wanted.equals(value)))
        }
        _ => expected.equals(actual),
    }
}

/// Whether one argument, `None` when it is not there, is no reason for its call not to match under an args mode.
pub fn agrees(expected: Node<'_>, actual: Option<Node<'_>>, mode: ArgsMode) -> bool {
    match (mode, actual) {
        (ArgsMode::Ignore, _) | (ArgsMode::Subset, None) => true,
        (_, None) => false,
        (ArgsMode::Partial, Some(actual)) => partly_equal(expected, actual),
        (_, Some(actual)) => expected.equals(actual),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::checks::matcher::Matcher;
    use crate::checks::session::describe::Difference;
    use crate::model::json::Tape;

    /// Objects of a few names and values, which are often nearly equal.
    fn texts() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "null",
            "true",
            "1",
            "1.0",
            "-0.0",
            "0",
            "\"1\"",
            "\"a\"",
            "\"\\u0061\"",
            "9007199254740993",
            "9007199254740992.0",
            "\"a\\n\"",
        ]);
        let leaf = leaf.prop_map(str::to_owned);
        leaf.prop_recursive(3, 12, 3, |inner| {
            let member = (prop::sample::select(vec!["a", "b", "a/b", "\\u0061"]), inner.clone());
            let member = member.prop_map(|(name, value)| format!("\"{name}\": {value}"));
            prop_oneof![
                prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
                prop::collection::vec(member, 0..3).prop_map(|members| format!("{{{}}}", members.join(","))),
            ]
        })
    }

    proptest! {
        /// What is said of texts is said of the values in them.
        #[test]
        fn texts_match_and_differ_as_their_values_do(expected in texts(), actual in texts()) {
            let (Some(wanted), Some(made)) = (Tape::read(&expected), Tape::read(&actual)) else { return Ok(()) };
            let (wanted, made) = (wanted.root(&expected), made.root(&actual));
            let matcher = Matcher::Equals(serde_json::from_str(&expected).unwrap());
            let value: Value = serde_json::from_str(&actual).unwrap();
            for mode in [ArgsMode::Exact, ArgsMode::Partial, ArgsMode::Superset, ArgsMode::Subset, ArgsMode::Ignore] {
                prop_assert_eq!(matches(wanted, made, mode), matcher.matches_args(&value, mode), "{:?}", mode);
                let told = |difference: Option<Difference<'_>>| difference.map(|d| (d.to_string(), d.pointer()));
                prop_assert_eq!(
                    told(Difference::between(wanted, made, mode)),
                    told(Difference::find(&matcher, &value, mode)),
                    "{:?}", mode
                );
            }
        }
    }
}
