//! What a person who decides over a check's verdicts has to know of it: the question, the rubric, and whom it asked.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checks::Compiled;
use crate::checks::askable::Asked;
use crate::model::digest::Digest;

/// A check as a question to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What it asks, in words: its description, else its rule and parameters.
    pub text: String,
    /// The rubric, as it is put to judges but for what is rendered into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rubric: Option<String>,
    /// The judges that it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<String>,
    /// Digest of their configuration and of what they are asked, rubric and votes included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Digest>,
}

/// The longest parameter that is written out, in characters.
const LONGEST: usize = 200;

impl Question {
    /// That of a check. `version` is the digest of everything that its verdicts depend on.
    pub(super) fn of(
        (rule, description): (&str, &str),
        parameters: &Value,
        compiled: Option<&Compiled>,
        asks: &[Asked],
        version: Digest,
    ) -> Self {
        let rubric = match compiled {
            Some(Compiled::Asking(check)) => check.rubric().map(str::to_owned),
            _ => parameters.get("rubric").and_then(Value::as_str).map(str::to_owned),
        };
        let judges: Vec<&str> = asks
            .iter()
            .filter_map(|asked| match asked {
                Asked::Judge(name) => Some(name.as_str()),
                Asked::Embedding(_) | Asked::Earlier => None,
            })
            .collect();
        let text = match description.trim() {
            "" => in_words(rule, parameters, rubric.is_some()),
            description => description.to_owned(),
        };
        Self {
            text,
            rubric,
            judge: (!judges.is_empty()).then(|| judges.join(", ")),
            version: (!asks.is_empty()).then_some(version),
        }
    }
}

/// A rule with its parameters: `contains: value = "refund"`. A rubric is shown by itself.
fn in_words(rule: &str, parameters: &Value, with_rubric: bool) -> String {
    let keys = parameters.as_object().into_iter().flatten();
    let told = keys.filter(|(key, _)| !(with_rubric && *key == "rubric")).map(|(key, value)| {
        let text = value.to_string();
        let cut: String = text.chars().take(LONGEST).collect();
        let more = if cut.len() < text.len() { " ..." } else { "" };
        format!("{key} = {cut}{more}")
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { rule.to_owned() } else { format!("{rule}: {}", told.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn question(description: &str, parameters: &Value, asks: &[Asked]) -> Question {
        Question::of(("judge", description), parameters, None, asks, Digest::of(b"x"))
    }

    #[test]
    fn a_check_is_asked_about_as_its_author_describes_it_else_by_its_parameters() {
        let parameters = json!({ "rubric": "The reply is polite.", "votes": 3 });
        let asks = [Asked::Judge("strict".into()), Asked::Judge("mild".into())];
        let found = question("", &parameters, &asks);
        assert_eq!((found.text.as_str(), found.rubric.as_deref()), ("judge: votes = 3", Some("The reply is polite.")));
        assert_eq!((found.judge.as_deref(), found.version), (Some("strict, mild"), Some(Digest::of(b"x"))));
        assert_eq!(question("Was it polite?", &parameters, &asks).text, "Was it polite?");
    }

    #[test]
    fn a_long_parameter_is_cut_and_a_check_that_asks_nobody_has_no_version() {
        let found = question("", &json!({ "value": "x".repeat(500) }), &[]);
        assert!(found.text.ends_with("x ...") && found.text.len() < 250, "{}", found.text);
        assert_eq!((found.judge, found.version), (None, None));
    }
}
