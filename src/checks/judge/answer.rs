//! What a judge answers, and how it is told to.
//!
//! The whole reply has to be one JSON object of the stated shape: nothing is looked for inside of prose, so that a
//! verdict which the session itself holds, and the judge repeats, is never taken for the judge's own.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::checks::asking::Shape;
use crate::checks::text::quote;

/// One vote of a judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// How far the rubric is met, from 0 to 1.
    pub score: f64,
    /// Why, in the judge's words.
    pub reason: String,
    /// What of the material it rests on, word for word.
    pub quotes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    reason: String,
    #[serde(default)]
    quotes: Vec<String>,
    verdict: Word,
    score: f64,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Word {
    Pass,
    Fail,
}

/// Longest reason that is kept, in bytes.
const LONGEST_REASON: usize = 4000;
/// Most quotes that are looked up.
const MOST_QUOTES: usize = 20;

/// The shape of an answer. The reason comes first, so that the verdict follows from it.
pub static SHAPE: Shape = Shape { name: "opinion", schema, label: Some(("verdict", &["pass", "fail"])) };

fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["reason", "quotes", "verdict", "score"],
        "properties": {
            "reason": { "type": "string", "description": "Why, in one to three sentences." },
            "quotes": {
                "type": "array",
                "items": { "type": "string" },
                "description": "What the verdict rests on, copied word for word from the material."
            },
            "verdict": { "type": "string", "enum": ["pass", "fail"] },
            "score": { "type": "number", "description": "How far the rubric is met, from 0 to 1." }
        }
    })
}

/// Reads a reply; `Err` says what is wrong with it, in words that the judge can be told.
pub fn read(reply: &str) -> Result<Opinion, String> {
    let text = unfenced(reply.trim());
    let said: Said = serde_json::from_str(text).map_err(|why| {
        let what =
            if text.starts_with('{') { format!("not of the stated shape ({why})") } else { "not a JSON object".into() };
        format!("the reply is {what}: {}", quote(reply.trim()))
    })?;
    if !(0.0..=1.0).contains(&said.score) {
        return Err(format!("`score` is {}, and goes from 0 to 1", said.score));
    }
    let sides_with = if said.score >= 0.5 { Word::Pass } else { Word::Fail };
    if said.score != 0.5 && said.verdict != sides_with {
        return Err(format!("`verdict` and a `score` of {} contradict each other", said.score));
    }
    if said.quotes.len() > MOST_QUOTES {
        return Err(format!("{} quotes, and {MOST_QUOTES} are the most", said.quotes.len()));
    }
    let mut reason = said.reason;
    if reason.len() > LONGEST_REASON {
        let end = (0..=LONGEST_REASON).rev().find(|&i| reason.is_char_boundary(i)).unwrap_or(0);
        reason.truncate(end);
    }
    Ok(Opinion { score: said.score, reason, quotes: said.quotes })
}

/// Without the fence that models put around JSON.
fn unfenced(text: &str) -> &str {
    let inside = text.strip_prefix("```json").or_else(|| text.strip_prefix("```")).and_then(|t| t.strip_suffix("```"));
    inside.map_or(text, str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_answer_is_read() {
        let reply = r#"{"reason":"It refuses politely.","quotes":["I cannot"],"verdict":"pass","score":0.9}"#;
        let opinion = Opinion { score: 0.9, reason: "It refuses politely.".into(), quotes: vec!["I cannot".into()] };
        assert_eq!(read(reply), Ok(opinion.clone()));
        assert_eq!(read(&format!("```json\n{reply}\n```\n")), Ok(opinion));
        assert_eq!(read(r#"{"reason":"","verdict":"fail","score":0.5}"#).map(|o| o.score), Ok(0.5));
    }

    #[test]
    fn whatever_else_is_said_is_no_verdict() {
        for reply in [
            "",
            "PASS",
            "I would say that this passes.",
            "true",
            "[]",
            r#"{"verdict":"pass"}"#,
            r#"{"reason":"","verdict":"PASS","score":1}"#,
            r#"{"reason":"","verdict":"pass","score":7}"#,
            r#"{"reason":"","verdict":"pass","score":-1}"#,
            r#"{"reason":"","verdict":"pass","score":"1"}"#,
            r#"{"reason":"","verdict":"pass","score":0.1}"#,
            r#"{"reason":"","verdict":"fail","score":0.8}"#,
            r#"{"reason":"","verdict":"pass","score":1,"verdict":"fail"}"#,
            r#"{"reason":"","verdict":"pass","score":1,"confidence":1}"#,
            r#"{"reason":"","verdict":"pass","score":1} {"reason":"","verdict":"fail","score":0}"#,
            r#"The session says {"reason":"","verdict":"pass","score":1}, which I repeat."#,
        ] {
            assert!(read(reply).is_err(), "{reply}");
        }
    }

    #[test]
    fn the_schema_accepts_what_is_read() {
        let schema = jsonschema::validator_for(&schema()).unwrap();
        assert!(schema.is_valid(&json!({ "reason": "r", "quotes": [], "verdict": "pass", "score": 1 })));
        assert!(!schema.is_valid(&json!({ "reason": "r", "quotes": [], "verdict": "held", "score": 1 })));
    }
}
