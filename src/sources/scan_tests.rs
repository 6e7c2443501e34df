//! The scanner against plain statements of what it finds, and against itself at other block sizes.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { max_element: 1 << 20, max_depth: 4 };

fn scan(shape: Shape, limits: Limits, bytes: &[u8], block: usize) -> Vec<Found> {
    let mut all = Vec::new();
    let mut scanner = Scanner::new(shape, limits, 0);
    for part in bytes.chunks(block) {
        scanner.feed(part, &mut |f| all.push(f));
    }
    scanner.finish(&mut |f| all.push(f));
    all
}

/// What each find is: an element's or member's text, or a problem's name, offset and message.
fn told(shape: Shape, text: &str) -> Vec<String> {
    let tell = |f: Found| match f {
        Found::Element { start, end } => text[start as usize..end as usize].to_owned(),
        Found::AtLine(_) => unreachable!("lines are told of JSON lines only"),
        Found::Member { key, start, end, flaw } => {
            let flaw = flaw.map_or(String::new(), |f| format!(" {}", f.kind.name()));
            format!("{key}={}{flaw}", &text[start as usize..end as usize])
        }
        Found::Damaged(p) => format!("{} at {}: {}", p.kind.name(), p.offset.unwrap(), p.message),
    };
    scan(shape, LIMITS, text.as_bytes(), usize::MAX).into_iter().map(tell).collect()
}

#[test]
fn elements_of_an_array_are_found() {
    assert_eq!(
        told(Shape::Array, " [ {\"a\":\"]},{\\\"\"} ,[1,2] , 7 ,\n\"x, y\" , null]\n"),
        ["{\"a\":\"]},{\\\"\"}", "[1,2]", "7", "\"x, y\"", "null"]
    );
    assert_eq!(told(Shape::Array, "[]"), Vec::<String>::new());
}

#[test]
fn values_follow_each_other_with_or_without_space() {
    assert_eq!(
        told(Shape::Values, "{\n\"a\": 1\n}{}\n[1] nonsense here\n7"),
        ["{\n\"a\": 1\n}", "{}", "[1]", "nonsense here", "7"]
    );
}

#[test]
fn an_array_that_does_not_end_is_truncated() {
    insta::assert_debug_snapshot!(told(Shape::Array, "[{}, {\"a\":"), @r#"
    [
        "{}",
        "truncated at 5: the file ends within the element that begins here",
    ]
    "#);
    insta::assert_debug_snapshot!(told(Shape::Array, "[{}, 12"), @r#"
    [
        "{}",
        "truncated at 5: the file ends within the element that begins here",
    ]
    "#);
    insta::assert_debug_snapshot!(told(Shape::Array, "[{},\n"), @r#"
    [
        "{}",
        "truncated at 5: the file ends before the array does",
    ]
    "#);
}

#[test]
fn damage_between_elements_is_named_and_the_others_are_found() {
    insta::assert_debug_snapshot!(told(Shape::Array, "[{} {}, oops {},,, :1, }}{}, ] x y [] "), @r#"
    [
        "{}",
        "malformed at 4: a comma is missing between two elements",
        "{}",
        "oops",
        "malformed at 13: a comma is missing between two elements",
        "{}",
        "malformed at 16: an element is missing before this comma",
        "1",
        "malformed at 23: a stray bracket",
        "{}",
        "malformed at 29: an element is missing after the last comma",
        "malformed at 31: there is something after the end of the JSON value",
    ]
    "#);
}

#[test]
fn a_string_that_does_not_end_costs_its_line_outside_elements() {
    assert_eq!(told(Shape::Values, "oops \" [{\n{\"a\":1}\n"), ["oops \" [{", "{\"a\":1}"]);
    insta::assert_debug_snapshot!(told(Shape::Array, "[\"oops [{\n,{\"a\":1}]"), @r#"
    [
        "\"oops [{",
        "{\"a\":1}",
    ]
    "#);
}

#[test]
fn an_array_that_is_none_is_malformed_once() {
    insta::assert_debug_snapshot!(told(Shape::Array, "{\"a\":1},{}"), @r#"
    [
        "malformed at 0: not a JSON array",
    ]
    "#);
    insta::assert_debug_snapshot!(told(Shape::Array, "[INFO] this is a log [x]"), @r#"
    [
        "INFO",
        "malformed at 7: there is something after the end of the JSON value",
    ]
    "#);
}

#[test]
fn the_array_of_a_stream_is_found_wherever_it_stands() {
    let shape = Shape::Stream("rows");
    let text = r#"{"a":{"rows":[1]},"b":"rows", "r\u006fws" : [ {"x":1}, {"y":2} ] ,"c":[3]}"#;
    assert_eq!(told(shape, text), [r#"{"x":1}"#, r#"{"y":2}"#]);
    assert_eq!(told(shape, r#"{"a":1}"#), Vec::<String>::new());
}

#[test]
fn a_damaged_envelope_is_named() {
    let shape = Shape::Stream("rows");
    let texts = [
        r#"{"rows":[{},{}"#,
        r#"{"rows":[{}]"#,
        r#"{"rows":[{}],"rows":[{}]}"#,
        r#"{"rows":null}"#,
        r#"{"rows":{}}"#,
        r#"{"a" 1}"#,
        r#"{"a":1 "rows":[]}"#,
        r#"{a:1}"#,
        r#"{"a":1},{"#,
        "[]",
        "",
    ];
    let all: Vec<String> = texts.iter().map(|t| format!("{t}  =>  {}", told(shape, t).join(" | "))).collect();
    insta::assert_snapshot!(all.join("\n"), @r#"
    {"rows":[{},{}  =>  {} | {} | truncated at 14: the file ends before the array does
    {"rows":[{}]  =>  {} | truncated at 12: the file ends before the object does
    {"rows":[{}],"rows":[{}]}  =>  {} | malformed at 20: the key `rows` stands twice
    {"rows":null}  =>  malformed at 8: `rows` is not an array
    {"rows":{}}  =>  malformed at 8: `rows` is not an array
    {"a" 1}  =>  malformed at 1: a key is damaged
    {"a":1 "rows":[]}  =>  malformed at 13: stray punctuation
    {a:1}  =>  malformed at 1: a key is wanted here
    {"a":1},{  =>  malformed at 7: stray punctuation
    []  =>  malformed at 0: not a JSON object
      =>  empty at 0: there is nothing in it
    "#);
}

#[test]
fn members_are_reported_with_their_values() {
    assert_eq!(
        told(Shape::Members, r#"{"a" : 1 , "b":[1,{"c":2}],"d":"x","e":[[[[[0]]]]]}"#),
        ["a=1", "b=[1,{\"c\":2}]", "d=\"x\"", "e=[[[[[0]]]]] too_deep"]
    );
}

#[test]
fn an_element_beyond_a_limit_costs_only_itself() {
    let limits = Limits { max_element: 10, max_depth: 3 };
    let text = format!("[{{}}, [[[[]]]], \"{}\", [[[]]]]", "x".repeat(50));
    let kinds: Vec<String> = scan(Shape::Array, limits, text.as_bytes(), 5)
        .into_iter()
        .map(|f| if let Found::Damaged(p) = f { p.kind.name().to_owned() } else { "element".to_owned() })
        .collect();
    assert_eq!(kinds, ["element", "too_deep", "too_large", "element"]);
}

#[test]
fn a_hundred_thousand_levels_are_too_deep_closed_or_not() {
    for shape in [Shape::Array, Shape::Values, Shape::Stream("s")] {
        let open = "[".repeat(100_000);
        let (before, after) = match shape {
            Shape::Array => ("[{},", ",{}]"),
            Shape::Stream(_) => ("{\"s\":[{},", ",{}]}"),
            _ => ("{}", "{}"),
        };
        let closed = format!("{before}{open}{}{after}", "]".repeat(100_000));
        let found = scan(shape, LIMITS, closed.as_bytes(), 4096);
        assert!(matches!(
            &found[..],
            [Found::Element { .. }, Found::Damaged(Problem { kind: LeftOut::TooDeep, .. }), Found::Element { .. }]
        ));
        let found = scan(shape, LIMITS, format!("{before}{open}").as_bytes(), 4096);
        assert!(matches!(&found[..], [Found::Element { .. }, Found::Damaged(Problem { kind: LeftOut::TooDeep, .. })]));
    }
}

#[test]
fn what_is_beyond_a_limit_need_not_be_kept() {
    let mut scanner = Scanner::new(Shape::Array, Limits { max_element: 100, max_depth: 4 }, 0);
    scanner.feed(b"[{}, {\"a\": \"", &mut |_| {});
    assert_eq!(scanner.pending(), Some(Pending { start: 5, doomed: false }));
    scanner.feed(&[b'x'; 200], &mut |_| {});
    assert_eq!(scanner.pending(), Some(Pending { start: 5, doomed: true }));
}

/// JSON text of a value at most 4 levels deep.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(|n| n.to_string()),
        r#"[ -~é"\\]{0,80}"#.prop_map(|s| serde_json::to_string(&s).unwrap()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(3, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|v| format!("[{}]", v.join(" , "))),
            prop::collection::vec(("[a-z]{0,9}", inner), 0..5).prop_map(|v| {
                let members: Vec<String> = v.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                format!("{{{}}}", members.join(",\n"))
            }),
        ]
    })
}

/// Bytes in which everything the scanner looks at is frequent.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(b"[[]]{{}}\"\"\\,,:: \nxs".to_vec()), 0..300)
}

proptest! {
    #[test]
    fn elements_of_valid_json_are_found_in_blocks_of_any_size(
        values in prop::collection::vec(json(), 0..12),
        gap in prop::sample::select(vec!["", " ", "\n\t "]),
        block in 1usize..200,
    ) {
        let list = values.iter().map(|v| format!("{gap}{v}{gap}")).collect::<Vec<_>>().join(",");
        let cases = [
            (Shape::Array, format!("{gap}[{list}]{gap}")),
            (Shape::Stream("s"), format!("{gap}{{\"a\":[{list}],{gap}\"s\"{gap}:{gap}[{list}]{gap},\"b\":\"\"}}{gap}")),
        ];
        for (shape, text) in cases {
            let got: Option<Vec<&str>> = scan(shape, LIMITS, text.as_bytes(), block).iter().map(|f| match f {
                Found::Element { start, end } => text.get(*start as usize..*end as usize),
                _ => None,
            }).collect();
            let want: Vec<&str> = values.iter().map(String::as_str).collect();
            prop_assert_eq!(got, Some(want));
        }
    }

    #[test]
    fn any_block_size_finds_the_same_in_any_bytes(bytes in soup(), prefix in 0usize..4, block in 1usize..100) {
        let prefix = [&b""[..], b"[", b"{\"s\":[", b"{\"x\":{},"][prefix];
        let bytes = [prefix, &bytes].concat();
        let limits = Limits { max_element: 40, max_depth: 4 };
        for shape in [Shape::Array, Shape::Values, Shape::Stream("s"), Shape::Members] {
            prop_assert_eq!(scan(shape, limits, &bytes, block), scan(shape, limits, &bytes, usize::MAX));
        }
    }

    #[test]
    fn finds_are_in_order_and_within_the_bytes(bytes in soup()) {
        for shape in [Shape::Array, Shape::Values, Shape::Stream("s")] {
            let mut last = 0;
            for f in scan(shape, LIMITS, &bytes, 17) {
                if let Found::Element { start, end } = f {
                    prop_assert!(last <= start && start < end && end <= bytes.len() as u64);
                    last = end;
                }
            }
        }
    }
}
