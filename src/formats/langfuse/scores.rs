//! Scores: what people and evaluators of Langfuse said of a trace or of an observation.
//!
//! They are kept as attributes, so that expressions and metrics see them. None is made the rating of the session: a score
//! of any name may be the user's, an annotator's or a model's.

use crate::formats::row::{Row, unfolded};
use crate::formats::telemetry::{Pairs, Value};
use crate::model::Text;

/// A score, and the observation that it is of; the trace as a whole where there is none.
#[derive(Debug)]
pub(super) struct Score<'a> {
    /// The observation.
    pub(super) of: Option<Text<'a>>,
    name: Text<'a>,
    value: Value<'a>,
    comment: Option<Text<'a>>,
}

impl<'a> Score<'a> {
    /// The scores in a column: a list of them as the API has it, or an object of names and values as tables have it.
    /// What has no name or no value is none.
    pub(super) fn all(column: Value<'a>) -> Vec<Self> {
        match unfolded(column) {
            Value::Array(values) => values.into_iter().filter_map(|v| Self::one(Row::of(unfolded(v))?)).collect(),
            Value::Map(pairs) => {
                let named = |(name, value)| Self { of: None, name, value: only(value), comment: None };
                pairs.into_iter().map(named).filter(|score| score.value != Value::Null).collect()
            }
            _ => Vec::new(),
        }
    }

    fn one(mut row: Row<'a>) -> Option<Self> {
        let number = row.take(&["value"]);
        let word = row.take(&["stringValue"]);
        let value = match row.text(&["dataType"]).as_deref() {
            // Langfuse stores truth as 1 and 0, and a category under a number that means nothing.
            Some("BOOLEAN") => match number.as_ref().and_then(Value::number) {
                Some(1.0) => Some(Value::Bool(true)),
                Some(0.0) => Some(Value::Bool(false)),
                _ => number.or(word),
            },
            Some("CATEGORICAL") => word.or(number),
            _ => number.or(word),
        };
        Some(Self {
            of: row.text(&["observationId"]),
            name: row.text(&["name"])?,
            value: value?,
            comment: row.text(&["comment"]),
        })
    }

    /// The score as attributes, their names behind `prefix`.
    pub(super) fn put(self, prefix: &str, attributes: &mut Pairs<'a>) {
        let name = format!("{prefix}.{}", self.name);
        if let Some(comment) = self.comment {
            attributes.push((format!("{name}.comment").into(), Value::Text(comment)));
        }
        attributes.push((name.into(), self.value));
    }
}

/// The value in a list of one; any other value as it is.
fn only(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Array(mut values) if values.len() == 1 => values.pop().unwrap_or_default(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(column: Value<'static>) -> String {
        let mut attributes = Pairs::new();
        Score::all(column).into_iter().for_each(|score| score.put("s", &mut attributes));
        Value::Map(attributes).json()
    }

    #[test]
    fn a_score_keeps_the_type_that_it_has() {
        let scores = r#"[{"name":"helpful","value":1,"stringValue":"True","dataType":"BOOLEAN"},
            {"name":"tone","value":2,"stringValue":"curt","dataType":"CATEGORICAL","comment":"twice"},
            {"name":"csat","value":4.5,"dataType":"NUMERIC"},{"name":"old","value":0}]"#;
        let json = r#"{"s.helpful":true,"s.tone.comment":"twice","s.tone":"curt","s.csat":4.5,"s.old":0}"#;
        assert_eq!(told(Value::Text(scores.into())), json);
    }

    #[test]
    fn a_table_has_names_and_values() {
        assert_eq!(
            told(Value::Text(r#"{"csat":[4],"tone":["a","b"],"none":null}"#.into())),
            r#"{"s.csat":4,"s.tone":["a","b"]}"#
        );
    }

    #[test]
    fn what_says_nothing_is_no_score() {
        let nothing = r#"[{"name":"a"},{"value":1},7,null,{"name":"","value":1},{"name":"b","value":null}]"#;
        assert_eq!(told(Value::Text(nothing.into())), "{}");
        assert_eq!(told(Value::Int(7)), "{}");
    }
}
