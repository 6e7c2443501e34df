//! No secret is left in what is said, however it is written.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

fn scrub(secret: &str, text: &str) -> String {
    let secrets = Secrets::default();
    secrets.add(secret);
    secrets.scrub(text).into_owned()
}

#[test]
fn every_form_of_a_secret_is_found() {
    let secret = "p\"w/d é&+1";
    for form in [
        "p\"w/d é&+1",
        r#"p\"w/d é&+1"#,
        r#"p\"w\/d \u00e9&+1"#,
        r#"p\\\"w/d é&+1"#,
        "p%22w%2Fd%20%C3%A9%26%2B1",
        "p%22w%2fd%20%c3%a9%26%2b1",
        "p%22w/d%20%C3%A9%26%2B1",
        "p%22w%2Fd+%C3%A9%26%2B1",
        "p&quot;w/d é&amp;+1",
    ] {
        assert_eq!(scrub(secret, &format!("you sent <{form}>!")), "you sent <[secret]>!", "{form}");
    }
}

#[test]
fn what_is_left_of_a_secret_at_a_cut_is_found() {
    let secret = "hunter2-SECRET-value";
    assert_eq!(scrub(secret, "bad key hunter2-SEC"), "bad key [secret]");
    assert_eq!(scrub(secret, "said \"bad hunter2-…\" and ended"), "said \"bad [secret]…\" and ended");
    assert_eq!(scrub(secret, "...CRET-value is bad"), "...[secret] is bad");
    assert_eq!(scrub(secret, "a hunter2-S in the middle"), "a hunter2-S in the middle");
    assert_eq!(scrub(secret, "a hunter"), "a [secret]");
    assert_eq!(scrub(secret, "a hunt"), "a hunt");
}

#[test]
fn values_are_trimmed_and_their_last_words_and_lines_are_secrets_themselves() {
    assert_eq!(scrub(" Bearer abcdefgh \n", "key abcdefgh"), "key [secret]");
    assert_eq!(scrub("-- BEGIN --\nabcdefghij\nklmnopqrst\n", "line klmnopqrst, klmn"), "line [secret], klmn");
    assert_eq!(scrub("abc", "abc"), "abc");
    assert_eq!(scrub("HUNTER2-x", "hunter2-x"), "[secret]");
}

#[test]
fn what_stands_for_a_secret_is_none() {
    assert_eq!(scrub("secret", "a [secret], secretly"), "a [secret], [secret]ly");
}

#[test]
fn secrets_that_overlap_are_one() {
    let secrets = Secrets::default();
    secrets.add("abcdef");
    secrets.add("defghi");
    assert_eq!(secrets.scrub("xabcdefghix"), "x[secret]x");
    assert!(!format!("{secrets:?}").contains("abc"));
}

proptest! {
    #[test]
    fn a_secret_in_any_form_leaves_nothing_of_it(
        secret in "[a-zA-Z0-9\"\\\\/%+&= éß😀-]{8,40}", before in "[a-z ]{0,5}", after in "[.,!]{1,5}",
    ) {
        prop_assume!(secret.trim() == secret);
        let json = serde_json::to_string(&secret).unwrap();
        let inner = json[1..json.len() - 1].to_owned();
        let twice = serde_json::to_string(&inner).unwrap();
        let mut url = reqwest::Url::parse("http://h/").unwrap();
        url.query_pairs_mut().append_pair("k", &secret);
        let form = url.query().unwrap()[2..].to_owned();
        for written in [secret.clone(), inner, twice[1..twice.len() - 1].to_owned(), form, STANDARD.encode(&secret).trim_end_matches('=').to_owned()] {
            prop_assert_eq!(scrub(&secret, &format!("{before}{written}{after}")), format!("{before}[secret]{after}"));
        }
    }

    #[test]
    fn base64_of_a_secret_among_others_holds_nothing_of_it(secret in "[a-z0-9]{9,30}", user in "[a-z]{0,7}:", rest in "[a-z]{0,5}") {
        for encoded in [STANDARD.encode(format!("{user}{secret}{rest}")), URL_SAFE_NO_PAD.encode(format!("{user}{secret}{rest}"))] {
            let left = scrub(&secret, &encoded);
            prop_assert!(left.contains(MARKER), "{}", left);
            let kept: usize = left.split(MARKER).map(str::len).sum();
            // But for a character on each side, only what is not the secret's is left.
            prop_assert!(kept <= (user.len() + rest.len()) * 4 / 3 + 6, "{}", left);
        }
    }

    #[test]
    fn any_text_can_be_searched(secret in any::<String>(), text in any::<String>()) {
        let once = scrub(&secret, &text);
        let (secret, rest) = (secret.trim(), once.replace(MARKER, "\n"));
        prop_assert!(secret.len() < SHORTEST || MARKER.contains(secret) || !rest.contains(secret));
    }
}
