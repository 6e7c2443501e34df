//! What is found in one text, through escapes and in JSON, and where it leads back to.

use proptest::prelude::*;

use super::*;
use crate::checks::detect::Detectors;
use crate::redact::RedactTable;

fn rules(detectors: &[&str], keys: &[&str]) -> Rules {
    let strings = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    let table = RedactTable { detectors: strings(detectors), keys: strings(keys), ..RedactTable::default() };
    Rules::compile(&table, &Detectors::builtin(), None).unwrap()
}

fn of(rules: &Rules, text: &str) -> String {
    rewrite(rules, text, Also::default()).map_or_else(|| text.to_owned(), |r| r.text)
}

fn found(text: &str) -> String {
    of(&rules(&["email", "credit_card", "secret"], &["pin", "*password*"]), text)
}

#[test]
fn what_detectors_find_becomes_their_markers() {
    assert_eq!(found("Write to a.b@example.com, now"), "Write to [redacted:email], now");
    assert_eq!(found("nothing here"), "nothing here");
}

#[test]
fn escapes_hide_nothing_at_any_level() {
    for text in [
        r"at alice\u0040example.com.",
        r"at alice\\u0040example.com.",
        r"at alice\\\\u0040example.com.",
        r"line\nalice@example.com",
    ] {
        let written = found(text);
        assert!(written.contains("[redacted:email]") && !written.contains("alice"), "{written}");
    }
    assert_eq!(found(r"line\nalice@example.com"), r"line[redacted:email]", "an escape is never cut in two");
}

#[test]
fn json_stays_json() {
    for (text, expected) in [
        (r#"{"card": 4111111111111111}"#, r#"{"card": "[redacted:credit_card]"}"#),
        (r#"["x\ty alice@example.com", 1]"#, r#"["x\ty [redacted:email]", 1]"#),
        (r#"{"pin": {"a": [1, 2]}, "b": null}"#, r#"{"pin": "[redacted:key]", "b": null}"#),
        (r#"{"PIN": "12", "pin": null}"#, r#"{"PIN": "[redacted:key]", "pin": null}"#),
        (
            r#"{"args": "{\"card\": 4111111111111111, \"pin\": 12}"}"#,
            r#"{"args": "{\"card\": \"[redacted:credit_card]\", \"pin\": \"[redacted:key]\"}"}"#,
        ),
        (r#"{"api_key": "9f86d081884c7d659a2feaa0c55ad015"}"#, r#"{"api_key": "[redacted:secret]"}"#),
    ] {
        assert_eq!(found(text), expected, "{text}");
        assert!(json::is_json(&found(text)));
    }
}

#[test]
fn keys_that_are_hidden_keep_apart() {
    let written = found(r#"{"a@example.com": 1, "b@example.com": 2}"#);
    let map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&written).unwrap();
    assert_eq!(map.len(), 2, "{written}");
    assert!(map.keys().all(|key| key.starts_with("[redacted:email]~")), "{written}");
}

#[test]
fn json_among_words_is_searched_for_keys_be_it_cut() {
    assert_eq!(found(r#"got {"pin": 12, "x": 1}"#), r#"got {"pin": "[redacted:key]", "x": 1}"#);
    assert_eq!(found(r#"got {"my_password": "abc", "x": 1}"#), r#"got {"my_password": "[redacted:key]", "x": 1}"#);
    assert_eq!(found(r#"got "{\"pin\": \"ab"…"#), r#"got "{\"pin\": \"[redacted:key]"…"#);
    assert_eq!(found(r#"got {"a": 1, "pin": {"b": "c"#), r#"got {"a": 1, "pin": "[redacted:key]""#);
}

#[test]
fn two_that_overlap_are_one_named_after_both() {
    let rules = rules(&["email"], &["contact"]);
    assert_eq!(of(&rules, r#"{"contact": "a@example.com"}"#), r#"{"contact": "[redacted:key][redacted:email]"}"#);
}

#[test]
fn what_is_redacted_stays_as_it_is_and_is_still_found() {
    let rules = rules(&["email", "credit_card"], &["pin"]);
    for text in [
        "a@example.com 4111 1111 1111 1111",
        r#"{"pin": 4711, "b@example.com": ["a@example.com"]}"#,
        r#"got {"pin": 4711}"#,
    ] {
        let once = of(&rules, text);
        let again = rewrite(&rules, &once, Also::default()).unwrap();
        assert_eq!(again.text, once);
        assert!(!again.by.is_empty() && again.edits.is_empty());
    }
}

#[test]
fn ranges_lead_to_the_same_place() {
    let text = "see a@example.com or b@example.com there";
    let written = rewrite(&rules(&["email"], &[]), text, Also::default()).unwrap();
    let at = |part: &str| {
        let start = text.find(part).unwrap();
        &written.text[translate(start..start + part.len(), &written.edits)]
    };
    assert_eq!(at("see"), "see");
    assert_eq!(at("there"), "there");
    assert_eq!(at("a@example.com"), "[redacted:email]");
    assert_eq!(at("example.com or"), "[redacted:email] or");
    assert_eq!(at("or b@"), "or [redacted:email]");
}

#[test]
fn long_hostile_text_is_no_trouble() {
    let rules = rules(&["email", "secret", "credit_card"], &["pin"]);
    for unit in ["\\", "\\\\\"", "{\"pin\":", "\"pin\":", "[", "a@b.co,", "\\u0040", "{\"a@b.co\":[4111111111111111,"] {
        of(&rules, &unit.repeat(5_000));
    }
    let many = format!("[{}1]", r#"{"a@example.com": 4111111111111111, "pin": "x"},"#.repeat(500));
    assert!(json::is_json(&of(&rules, &many)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn json_of_any_shape_stays_json_and_holds_nothing_hidden(
        texts in prop::collection::vec("((a@example\\.com|4111111111111111|\"|\\\\|[a-z ]|é|\n) ){0,6}", 1..4),
        nested in 0usize..3,
    ) {
        let mut value = serde_json::json!({ "list": texts, "n": 4111111111111111u64, "pin": texts });
        for _ in 0..nested {
            value = serde_json::json!({ "args": value.to_string(), "more": [value] });
        }
        let rules = rules(&["email", "credit_card"], &["pin"]);
        let written = of(&rules, &value.to_string());
        prop_assert!(json::is_json(&written), "{}", written);
        prop_assert!(!written.contains("4111111111111111") && !written.contains("a@example.com"), "{}", written);
        prop_assert_eq!(of(&rules, &written), written);
    }

    #[test]
    fn edits_are_in_order_and_say_what_was_replaced(text in "(a@example\\.com|[a-z \\\\\"]|é){0,12}") {
        let rules = rules(&["email"], &[]);
        if let Some(written) = rewrite(&rules, &text, Also::default()) {
            let (mut from, mut to, mut rest) = (0, 0, String::new());
            for edit in &written.edits {
                prop_assert_eq!(&text[from..edit.from.start], &written.text[to..edit.to.start]);
                (from, to) = (edit.from.end, edit.to.end);
            }
            rest.push_str(&text[from..]);
            prop_assert_eq!(rest, &written.text[to..]);
        }
    }
}
