//! What each matcher matches, how it is read and written.

use super::*;
use serde_json::json;

fn m(value: Value) -> Matcher {
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_plain_value_means_equality() {
    assert!(m(json!({"a": 1})).matches(Some(&json!({"a": 1.0}))));
    assert!(!m(json!({"a": 1})).matches(Some(&json!({"a": 1, "b": 2}))));
    assert!(!m(json!(1)).matches(Some(&json!("1"))));
    assert!(!m(json!(null)).matches(None));
}

#[test]
fn each_operator_does_what_it_says() {
    let cases = [
        (json!({"$matches": "^A\\d$"}), json!("A1"), json!("B1")),
        (json!({"$approx": 12.5, "tol": 0.01}), json!(12.509), json!(12.52)),
        (json!({"tol": 1, "$approx": 5}), json!(6), json!(7)),
        (json!({"$one_of": [1, {"$matches": "x"}]}), json!("axb"), json!(2)),
        (json!({"$contains": "ell"}), json!("hello"), json!("help")),
        (json!({"$contains": {"$gte": 3}}), json!([1, 3]), json!([1, 2])),
        (json!({"$partial": {"a": {"b": 1}}}), json!({"a": {"b": 1, "c": 2}, "d": 3}), json!({"a": {}})),
        (json!({"$not": 3}), json!(4), json!(3.0)),
        (json!({"$gte": 3}), json!(3), json!(2.99)),
        (json!({"$lte": 3}), json!(3), json!("3")),
        (json!({"$eq": {"$any": true}}), json!({"$any": true}), json!(1)),
        (json!({"a": {"$any": true}}), json!({"a": null}), json!({})),
        (json!({"a": {"$absent": true}, "b": 1}), json!({"b": 1}), json!({"a": 1, "b": 1})),
        (json!([{"$any": true}, 2]), json!([0, 2]), json!([0])),
    ];
    for (matcher, yes, no) in cases {
        let compiled = m(matcher.clone());
        assert!(compiled.matches(Some(&yes)), "{matcher} should match {yes}");
        assert!(!compiled.matches(Some(&no)), "{matcher} should not match {no}");
        assert!(m(compiled.to_value()).matches(Some(&yes)), "{matcher} should survive being written out");
    }
}

#[test]
fn a_malformed_matcher_is_refused() {
    for bad in [
        json!({"$match": "x"}),
        json!({"$matches": "("}),
        json!({"$any": false}),
        json!({"$gte": 1, "$lte": 2}),
        json!({"$matches": "x", "other": 1}),
    ] {
        assert!(serde_json::from_value::<Matcher>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    for bad in [
        r#"{"a": 1, "b": 1, "b": [1, {"$any": true}]}"#,
        r#"{"a": 1, "a": 1}"#,
        r#"[{"x": {"a": 1, "a": 2}}]"#,
        r#"{"$partial": {"a": {"$any": true}, "a": 1}}"#,
        r#"{"$approx": 1, "tol": 1, "tol": 2}"#,
        r#"{"tol": 1, "$approx": 1, "tol": 2}"#,
        r#"{"tol": 1, "tol": 2, "$approx": 1}"#,
        r#"{"$any": true, "$any": true}"#,
        r#"{"$eq": {"a": 1, "a": 2}}"#,
    ] {
        let refused = serde_json::from_str::<Matcher>(bad).expect_err(bad).to_string();
        assert!(refused.contains("twice") || refused.contains("one `$` key"), "{bad}: {refused}");
    }
}

#[test]
fn args_modes() {
    use ArgsMode::{Exact, Ignore, Partial, Subset, Superset};
    let reference = m(json!({"a": {"x": 1}, "b": 2}));
    let cases = [
        (json!({"a": {"x": 1}, "b": 2}), [true, true, true, true, true]),
        (json!({"a": {"x": 1}, "b": 2, "c": 3}), [false, true, true, false, true]),
        (json!({"a": {"x": 1, "y": 0}, "b": 2}), [false, true, false, false, true]),
        (json!({"b": 2}), [false, false, false, true, true]),
        (json!({}), [false, false, false, true, true]),
        (json!({"b": 3}), [false, false, false, false, true]),
    ];
    for (actual, expected) in cases {
        let got = [Exact, Partial, Superset, Subset, Ignore].map(|mode| reference.matches_args(&actual, mode));
        assert_eq!(got, expected, "{actual}");
    }
}

#[test]
fn a_literal_with_keys_of_matchers_in_it_is_written_as_one() {
    for (literal, not) in [
        (json!({ "$eq": ["gpt-*", { "$eq": "a*" }] }), json!(["gpt-*", "a*"])),
        (json!({ "model": { "$one_of": ["x", { "$eq": { "$one_of": [1] } }] } }), json!({ "model": 1 })),
        (json!([{ "$eq": { "a": [{ "$any": true }] } }]), json!([{ "a": [1] }])),
    ] {
        let (once, again) = (m(literal.clone()), m(m(literal.clone()).to_value()));
        assert_eq!(once.to_value(), again.to_value(), "{literal}");
        assert!(!once.matches(Some(&not)) && !again.matches(Some(&not)), "{literal} is no {not}");
    }
    assert_eq!(m(json!({ "a": [1, { "b": null }] })).to_value(), json!({ "a": [1, { "b": null }] }));
}
