//! The front against serde_json: what it takes, serde_json takes for the same.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::read;
use crate::model::{Payload, SpanKind, SubjectRef, Text};

/// Everything that types of recordings ask for.
#[derive(Debug, PartialEq, Deserialize)]
struct Everything<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    texts: Vec<Text<'a>>,
    #[serde(borrow, default)]
    payload: Option<Payload<'a>>,
    #[serde(borrow, default)]
    raw: Raw<'a>,
    #[serde(default)]
    kind: Option<SpanKind>,
    #[serde(default)]
    about: Option<SubjectRef>,
    #[serde(default)]
    int: Option<u64>,
    #[serde(default)]
    signed: i32,
    #[serde(default)]
    float: Option<f64>,
    #[serde(default)]
    yes: bool,
    #[serde(default)]
    pair: (u32, u64),
    #[serde(default)]
    value: Value,
    #[serde(borrow, default)]
    inner: Option<Box<Everything<'a>>>,
}

/// Raw values have no equality of their own.
#[derive(Debug, Default, Deserialize)]
struct Raw<'a>(#[serde(borrow)] Option<&'a RawValue>);

impl PartialEq for Raw<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.map(RawValue::get) == other.0.map(RawValue::get)
    }
}

/// What the front takes for this; nothing where it gives up. Fails where serde_json says something else.
fn agreed<'a, T: Deserialize<'a> + PartialEq + std::fmt::Debug>(text: &'a str) -> Option<T> {
    let front = read::<T>(text);
    if let Some(front) = &front {
        let serde = serde_json::from_str::<T>(text);
        assert_eq!(serde.as_ref().ok(), Some(front), "{text}");
    }
    front
}

#[test]
fn what_recordings_are_made_of_is_taken() {
    for text in [
        r#""""#,
        r#""plain""#,
        r#""a\nb\t\"c\" \\ \/ \b\f\r \u00e9 \ud83d\ude00 und wei\u00dfe Zeilen, länger als ein Schritt""#,
        "[]",
        " [ 1 , -2 , 3.5e-3 , 18446744073709551615 , true , false , null , { } , { \"a\" : [ \"b\" ] } ] \n",
        "1e300",
        r#"{"a":1,"a":2}"#,
    ] {
        assert!(agreed::<Value>(text).is_some(), "{text}");
    }
    let all = r#"{"text":"x\n","texts":["a","b\"c"],"payload":{"a": [1,"\u12ab"]},"raw": [ 1 , "\ud800" ],"kind":"llm","about": {"span" : 3},
        "int":7,"signed":-7,"float":1,"yes":true,"pair":[1,2],"value":{"k\n":1.5},"unknown":{"x":["\ud800",-0,1e999]},
        "inner":{"payload":"text \\ of a payload","text":null}}"#;
    let taken = agreed::<Everything<'_>>(all).expect("all of it");
    let inner = taken.inner.expect("an inner one");
    assert_eq!(inner.payload, Some(Payload::text("text \\ of a payload")));
    assert!(matches!(taken.texts[0], Text(std::borrow::Cow::Borrowed("a"))));
    assert_eq!(taken.raw.0.map(RawValue::get), Some(r#"[ 1 , "\ud800" ]"#));
}

#[test]
fn what_is_not_plainly_valid_is_left_to_serde_json() {
    for text in [
        "",
        " ",
        "nul",
        "nulls",
        "01",
        "1.",
        ".5",
        "1e",
        "-",
        "+1",
        "-0",
        "1e999",
        "18446744073709551616",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"a\nb\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "[1]]",
        "[",
        "{",
        "1 2",
        "\u{feff}1",
    ] {
        assert!(agreed::<Value>(text).is_none(), "{text}");
    }
    assert!(agreed::<Value>(&"[".repeat(100_000)).is_none());
    for refused in [
        r#"{"kind":"boat"}"#,
        r#"{"about":{"span":1,"turn":2}}"#,
        r#"{"about":{}}"#,
        r#"{"int":-1}"#,
        r#"{"int":1,"int":2}"#,
        r#"{"yes":"true"}"#,
        r#"{"payload":01}"#,
    ] {
        assert!(read::<Everything<'_>>(refused).is_none() && serde_json::from_str::<Everything<'_>>(refused).is_err());
    }
}

/// JSON, and what is nearly JSON.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\n",
        "\\u00e9",
        "\\ud83d",
        "\\ude00",
        "\"a\"",
        "\"text\":",
        "\"payload\":",
        "\"raw\":",
        "\"inner\":",
        "\"about\":",
        "\"span\":",
        "\"session\"",
        "\"texts\":[",
        "\"value\":",
        "null",
        "true",
        "0",
        "-1",
        "2.5",
        "e3",
        " ",
        "\n",
        "é",
        "a long run without anything in it",
        "\u{1}",
    ]);
    prop_oneof![
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap_or_default()),
    ]
}

/// A value that is written out and damaged at one place.
fn damaged() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~\\\\\"\n]{0,70}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 40, 6, |inner| {
        let key =
            prop_oneof![Just("text".to_owned()), Just("payload".to_owned()), Just("inner".to_owned()), any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6).prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    });
    (value, any::<prop::sample::Index>(), prop::option::of(any::<char>())).prop_map(|(value, at, other)| {
        let mut chars: Vec<char> = value.to_string().chars().collect();
        if let Some(other) = other {
            let at = at.index(chars.len());
            chars[at] = other;
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn what_the_front_takes_serde_json_takes_for_the_same(text in prop_oneof![soup(), damaged()]) {
        agreed::<Value>(&text);
        agreed::<Everything<'_>>(&text);
        agreed::<Vec<Text<'_>>>(&text);
    }

    /// Escapes wherever they fall in a step, and whatever follows the text.
    #[test]
    fn texts_full_of_escapes_are_taken(
        pieces in prop::collection::vec(prop_oneof![
            Just("\\n"), Just("\\\""), Just("\\\\"), Just("\\/"), Just("\\u00e9"), Just("\\ud83d\\ude00"), Just("é"), Just("東"),
            Just("a"), Just("abcdefg"), Just("abcdefghijklmnop"), Just("0123456789abcdef0123456789abcdef"),
        ], 0..60),
        behind in 0usize..40,
    ) {
        let text = format!("[\"{}\"{}]", pieces.concat(), " ".repeat(behind));
        prop_assert!(agreed::<Vec<Text<'_>>>(&text).is_some());
        let cut = &text[..(0..text.len() - behind - 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)];
        prop_assert!(agreed::<Vec<Text<'_>>>(cut).is_none());
    }

    #[test]
    fn every_text_is_taken(text in any::<String>()) {
        let written = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(agreed::<Text<'_>>(&written), Some(Text::from(text)));
    }
}
