//! How likely a judge's verdict was: the log-probabilities of the tokens of its reply, where an endpoint offers them.
//!
//! The token that begins the word of the verdict is looked up; the probabilities of what might have stood in its place are
//! added up by the words that an answer may hold, and made to sum to 1 over these.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::checks::asking::Shape;

/// One token of a reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Its text.
    pub text: String,
    /// What might have stood in its place (itself among them) with the natural logarithm of its probability.
    pub alternatives: Vec<(String, f64)>,
}

/// How likely each word of the verdict was, summing to 1; empty where the tokens do not tell.
pub fn of(shape: &Shape, reply: &str, tokens: &[Token]) -> BTreeMap<String, f64> {
    let told = || {
        let (key, labels) = shape.label?;
        // The byte at which the word begins, after its quotation mark.
        let begins = value_of(reply, key)? + 1;
        let mut at = 0;
        let token = tokens.iter().find(|token| {
            at += token.text.len();
            at > begins
        })?;
        let before = token.text.get(..begins - (at - token.text.len()))?;
        let mut odds: BTreeMap<String, f64> = labels.iter().map(|label| ((*label).to_owned(), 0.0)).collect();
        for (text, logarithm) in &token.alternatives {
            let Some(word) = text.strip_prefix(before).filter(|word| !word.is_empty()) else { continue };
            let mut meant = labels.iter().filter(|label| label.starts_with(word) || word.starts_with(*label));
            // The beginning of several words says nothing of either.
            if let (Some(label), None) = (meant.next(), meant.next()) {
                *odds.entry((*label).to_owned()).or_default() += logarithm.exp();
            }
        }
        let all: f64 = odds.values().sum();
        (all.is_finite() && all > 0.0).then(|| odds.into_iter().map(|(label, p)| (label, p / all)).collect())
    };
    told().unwrap_or_default()
}

/// Where the value of a key begins in a reply that is a JSON object and nothing else.
fn value_of(reply: &str, key: &str) -> Option<usize> {
    let object: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(reply).ok()?;
    let value = object.get(key)?.get();
    (value.as_ptr() as usize).checked_sub(reply.as_ptr() as usize).filter(|_| value.starts_with('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    static SHAPE: Shape =
        Shape { name: "test", schema: || Value::Null, label: Some(("verdict", &["pass", "fail", "partial"])) };

    fn tokens(parts: &[&str], at: usize, alternatives: &[(&str, f64)]) -> (String, Vec<Token>) {
        let token = |(i, text): (usize, &&str)| Token {
            text: (*text).to_owned(),
            alternatives: match i == at {
                true => alternatives.iter().map(|(text, p)| ((*text).to_owned(), p.ln())).collect(),
                false => Vec::new(),
            },
        };
        (parts.concat(), parts.iter().enumerate().map(token).collect())
    }

    fn pass(parts: &[&str], at: usize, alternatives: &[(&str, f64)]) -> Option<f64> {
        let (reply, tokens) = tokens(parts, at, alternatives);
        of(&SHAPE, &reply, &tokens).get("pass").copied()
    }

    #[test]
    fn the_probabilities_of_the_words_sum_to_one() {
        let parts = ["{\"", "verdict", "\":", " \"", "pass", "\"}"];
        let odds = pass(&parts, 4, &[("pass", 0.6), ("fail", 0.2), ("maybe", 0.2)]);
        assert!((odds.unwrap() - 0.75).abs() < 1e-12, "{odds:?}");
    }

    #[test]
    fn a_token_may_hold_more_than_the_word_or_less() {
        let parts = ["{\"verdict", "\":\"fail\"", "}"];
        let odds = pass(&parts, 1, &[("\":\"fail\"", 0.6), ("\":\"pass\"", 0.3), ("\": \"pass\"", 0.1)]);
        assert!((odds.unwrap() - 1.0 / 3.0).abs() < 1e-12, "the last begins elsewhere: {odds:?}");
        let parts = ["{\"verdict\":\"", "f", "ail", "\"}"];
        let odds = pass(&parts, 1, &[("f", 0.5), ("pas", 0.25), ("pa", 0.25)]);
        assert!((odds.unwrap() - 1.0 / 3.0).abs() < 1e-12, "`pa` is the beginning of two: {odds:?}");
    }

    #[test]
    fn a_verdict_inside_of_the_reason_is_not_the_verdict() {
        let parts = [r#"{"reason":"\"verdict\":\"pass\"","verdict":""#, "fail", r#""}"#];
        assert_eq!(pass(&parts, 1, &[("fail", 1.0)]), Some(0.0));
        let nested = [r#"{"a":{"verdict":""#, "pass", r#""},"verdict":"fail"}"#];
        assert_eq!(pass(&nested, 1, &[("pass", 1.0)]), None);
    }

    #[test]
    fn where_tokens_do_not_tell_nothing_is_said() {
        assert_eq!(pass(&["no JSON"], 0, &[("no JSON", 1.0)]), None);
        assert_eq!(pass(&["{\"verdict\":\"", "pass", "\"}"], 0, &[("x", 1.0)]), None);
        let (reply, _) = tokens(&["{\"verdict\":\"pass\"}"], 0, &[]);
        assert_eq!(of(&SHAPE, &reply, &[]), BTreeMap::new());
        let mute = Shape { name: "mute", schema: || Value::Null, label: None };
        assert_eq!(of(&mute, &reply, &[Token { text: reply.clone(), alternatives: Vec::new() }]), BTreeMap::new());
    }
}
