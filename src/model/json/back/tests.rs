//! What is written is what serde_json writes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::json::{to_vec, write};

fn same<T: Serialize + ?Sized>(value: &T) {
    let mine = to_vec(value).map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|e| e.to_string());
    assert_eq!(mine, serde_json::to_string(value).map_err(|e| e.to_string()));
}

#[derive(Serialize)]
enum Kind {
    Unit,
    One(u8),
    Two(i64, Option<&'static str>),
    Named { a: (), b: [u8; 2] },
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Wrapped(f64);

#[derive(Serialize)]
struct Inner {
    raw: Box<RawValue>,
    letter: char,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<u8>,
}

#[derive(Serialize)]
struct Outer<'o> {
    kinds: Vec<Kind>,
    unit: Unit,
    wrapped: Wrapped,
    #[serde(flatten)]
    inner: &'o Inner,
    numbers: BTreeMap<i32, &'static str>,
    nothing: BTreeMap<String, u8>,
    empty: [u8; 0],
}

#[test]
fn every_shape_of_a_value_is_written_as_serde_json_writes_it() {
    let raw = RawValue::from_string("{ \"a\" : [1.50, \"\\u00e9\"] }".to_owned()).unwrap();
    let inner = Inner { raw, letter: '"', left_out: None };
    let kinds = vec![Kind::Unit, Kind::One(1), Kind::Two(-2, Some("\n")), Kind::Named { a: (), b: [1, 2] }];
    let numbers = BTreeMap::from([(-1, "a"), (2, "b")]);
    let (nothing, empty) = (BTreeMap::new(), []);
    same(&Outer { kinds, unit: Unit, wrapped: Wrapped(1e300), inner: &inner, numbers, nothing, empty });
    for number in [0.0, -0.0, 1.0, 0.1, 1e16, 1e-7, 5e-324, f64::MAX, f64::NAN, f64::INFINITY] {
        same(&(number, number as f32));
    }
    same(&(true, i128::MIN, u64::MAX, "", (), None::<u8>));
    same(&format_args!("{}-{:?}", "\"", "\u{1}"));
}

#[test]
fn a_key_that_is_no_string_and_no_number_is_an_error() {
    assert!(to_vec(&BTreeMap::from([(vec![1], 1)])).is_err());
    assert!(to_vec(&BTreeMap::from([(None::<String>, 1)])).is_err());
}

#[test]
fn it_is_appended_to_what_is_there() {
    let mut out = b"before ".to_vec();
    write("\t", &mut out).unwrap();
    assert_eq!(out, br#"before "\t""#);
}

proptest! {
    #[test]
    fn texts_are_escaped_as_serde_json_escapes_them(
        text in "([a-z ]{0,40}|[\\x00-\\x1f\\x7f]{0,20}|[\"\\\\]{0,40}|\\PC{0,8}){0,6}",
    ) {
        same(&text);
        same(&BTreeMap::from([(text.clone(), vec![text])]));
    }

    #[test]
    fn values_are_written_as_serde_json_writes_them(text in "[\\[\\]{},:\"0-9a-e. \\-]{0,24}") {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            same(&value);
        }
    }
}
