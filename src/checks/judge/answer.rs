//! What a judge answers, and how it is told to.
//!
//! The whole reply has to be one JSON object of the stated shape: nothing is looked for inside of prose, so that a
//! verdict which the session itself holds, and the judge repeats, is never taken for the judge's own.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::checks::asking::{Said, Shape};
use crate::checks::text::quote;

/// One opinion of a judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// How far the rubric is met, from 0 to 1.
    pub score: f64,
    /// Why, in the judge's words.
    pub reason: String,
    /// What of the material it rests on, word for word.
    pub quotes: Vec<String>,
    /// How likely the judge was to come to this verdict, where its endpoint tells.
    pub likely: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opined {
    reason: String,
    #[serde(default)]
    quotes: Vec<String>,
    verdict: Word,
    score: f64,
}

/// A verdict, as judges say it.
#[derive(Debug, Deserialize, JsonSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// The rubric is met.
    Pass,
    /// It is not.
    Fail,
}

impl Word {
    /// As it is said.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
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
pub fn read(reply: &Said) -> Result<Opinion, String> {
    let said: Opined = object(&reply.text)?;
    if !(0.0..=1.0).contains(&said.score) {
        return Err(format!("`score` is {}, and goes from 0 to 1", said.score));
    }
    let sides_with = if said.score >= 0.5 { Word::Pass } else { Word::Fail };
    if said.verdict != sides_with {
        return Err(format!("`verdict` and a `score` of {} contradict each other", said.score));
    }
    Ok(Opinion {
        score: said.score,
        reason: bounded(said.reason),
        quotes: few(said.quotes)?,
        likely: reply.odds.get(said.verdict.name()).copied(),
    })
}

/// The one JSON object that a reply is; `Err` says what is wrong with it.
pub fn object<T: DeserializeOwned>(reply: &str) -> Result<T, String> {
    let text = unfenced(reply.trim());
    serde_json::from_str(text).map_err(|why| {
        let what =
            if text.starts_with('{') { format!("not of the stated shape ({why})") } else { "not a JSON object".into() };
        format!("the reply is {what}: {}", quote(reply.trim()))
    })
}

/// A reason, of a length that can be kept.
pub fn bounded(mut reason: String) -> String {
    if reason.len() > LONGEST_REASON {
        let end = (0..=LONGEST_REASON).rev().find(|&i| reason.is_char_boundary(i)).unwrap_or(0);
        reason.truncate(end);
        // Without it, nobody could tell that a word ends here because it was cut.
        reason.push('…');
    }
    reason
}

/// Quotes, as many as can be looked up.
pub fn few(quotes: Vec<String>) -> Result<Vec<String>, String> {
    if quotes.len() > MOST_QUOTES {
        return Err(format!("{} quotes, and {MOST_QUOTES} are the most", quotes.len()));
    }
    Ok(quotes)
}

/// Without the fence that models put around JSON.
pub fn unfenced(text: &str) -> &str {
    let inside = text.strip_prefix("```json").or_else(|| text.strip_prefix("```")).and_then(|t| t.strip_suffix("```"));
    inside.map_or(text, str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Opinion, String> {
        super::read(&Said { text: text.to_owned(), ..Said::default() })
    }

    #[test]
    fn a_sound_answer_is_read() {
        let reply = r#"{"reason":"It refuses politely.","quotes":["I cannot"],"verdict":"pass","score":0.9}"#;
        let opinion = Opinion {
            score: 0.9,
            reason: "It refuses politely.".into(),
            quotes: vec!["I cannot".into()],
            likely: None,
        };
        assert_eq!(read(reply), Ok(opinion.clone()));
        assert_eq!(read(&format!("```json\n{reply}\n```\n")), Ok(opinion));
        assert_eq!(read(r#"{"reason":"","verdict":"pass","score":0.5}"#).map(|o| o.score), Ok(0.5));
    }

    #[test]
    fn how_likely_the_verdict_was_goes_with_it() {
        let text = r#"{"reason":"","quotes":[],"verdict":"fail","score":0}"#.to_owned();
        let odds = [("pass".to_owned(), 0.25), ("fail".to_owned(), 0.75)].into();
        assert_eq!(super::read(&Said { text, odds, ..Said::default() }).map(|o| o.likely), Ok(Some(0.75)));
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
            r#"{"reason":"","verdict":"fail","score":0.5}"#,
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
