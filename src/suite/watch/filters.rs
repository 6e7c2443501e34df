//! Filters over attributes of a session, with the operators of Amazon Bedrock AgentCore's online evaluation.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::model::Session;

/// One filter: `{ key = "tier", operator = "Equals", value = "gold" }`. An attribute that is not there matches no filter,
/// `NotEquals` and `NotContains` among them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// The attribute of the session; `agent`, `version` and `user` are its own.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what: a string, a number, true or false.
    pub value: Value,
}

/// How an attribute is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Operator {
    /// It is the value; numbers compare as numbers.
    Equals,
    /// It is another value.
    NotEquals,
    /// It is a larger number.
    GreaterThan,
    /// It is a smaller number.
    LessThan,
    /// It is as large a number, or larger.
    GreaterThanOrEqual,
    /// It is as small a number, or smaller.
    LessThanOrEqual,
    /// It has the value as a part: of a text, or an item of a list.
    Contains,
    /// It has no such part.
    NotContains,
}

impl Filter {
    /// What is wrong with it: the key, and why.
    pub(super) fn fault(&self) -> Option<(&'static str, String)> {
        use Operator::{GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual};
        if self.key.trim().is_empty() {
            return Some(("key", "`key` is the name of an attribute".to_owned()));
        }
        if self.value.is_array() || self.value.is_object() {
            return Some(("value", "`value` is a string, a number, true or false".to_owned()));
        }
        let by_size = matches!(self.operator, GreaterThan | GreaterThanOrEqual | LessThan | LessThanOrEqual);
        (by_size && number(&self.value).is_none()).then(|| ("value", "only numbers are larger or smaller".to_owned()))
    }

    /// Whether it holds of a session.
    pub fn holds(&self, session: &Session<'_>) -> bool {
        let text = |text: Option<&str>| text.map(|text| Value::String(text.to_owned()));
        let value = match self.key.as_str() {
            "agent" => text(session.agent.as_deref()),
            "version" => text(session.version.as_deref()),
            "user" => text(session.user.as_deref()),
            name => session.attributes.get(name).map(crate::model::Payload::to_value),
        };
        value.is_some_and(|value| self.compares(&value))
    }

    fn compares(&self, value: &Value) -> bool {
        let sizes = number(value).zip(number(&self.value));
        match self.operator {
            Operator::Equals => equal(value, &self.value),
            Operator::NotEquals => !equal(value, &self.value),
            Operator::GreaterThan => sizes.is_some_and(|(a, b)| a > b),
            Operator::LessThan => sizes.is_some_and(|(a, b)| a < b),
            Operator::GreaterThanOrEqual => sizes.is_some_and(|(a, b)| a >= b),
            Operator::LessThanOrEqual => sizes.is_some_and(|(a, b)| a <= b),
            Operator::Contains => contains(value, &self.value),
            Operator::NotContains => !contains(value, &self.value),
        }
    }
}

/// A number, also one that a recording has as a text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
        _ => None,
    }
}

/// The text of a plain value.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn equal(value: &Value, wanted: &Value) -> bool {
    let by_size = match (value, wanted) {
        (Value::Number(_), _) | (_, Value::Number(_)) => number(value).zip(number(wanted)),
        _ => None,
    };
    by_size.map_or_else(|| text(value).is_some_and(|text| Some(text) == self::text(wanted)), |(a, b)| a == b)
}

fn contains(value: &Value, part: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| equal(item, part)),
        other => text(other).zip(text(part)).is_some_and(|(text, part)| text.contains(&part)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(key: &str, operator: &str, value: &str) -> bool {
        let session = r#"{"id":"s","agent":"airline","version":"1.4","attributes":{"tier":"gold","n":3,"vip":true,
            "as_text":"12.5","list":["a",2]},"turns":[]}"#;
        let session: Session<'_> = serde_json::from_str(session).unwrap();
        let filter: Filter =
            toml::from_str(&format!("key = \"{key}\"\noperator = \"{operator}\"\nvalue = {value}\n")).unwrap();
        assert_eq!(filter.fault(), None);
        filter.holds(&session)
    }

    #[test]
    fn every_operator_holds_and_does_not() {
        for (key, operator, yes, no) in [
            ("tier", "Equals", "\"gold\"", "\"Gold\""),
            ("tier", "NotEquals", "\"silver\"", "\"gold\""),
            ("n", "Equals", "3.0", "4"),
            ("n", "Equals", "\"3\"", "\"three\""),
            ("vip", "Equals", "true", "false"),
            ("n", "GreaterThan", "2", "3"),
            ("n", "LessThan", "4", "3"),
            ("n", "GreaterThanOrEqual", "3", "3.1"),
            ("n", "LessThanOrEqual", "3", "2.9"),
            ("as_text", "GreaterThan", "12", "13"),
            ("tier", "Contains", "\"ol\"", "\"x\""),
            ("list", "Contains", "2", "3"),
            ("list", "NotContains", "\"b\"", "\"a\""),
            ("agent", "Contains", "\"air\"", "\"b\""),
            ("version", "NotEquals", "\"1.5\"", "\"1.4\""),
        ] {
            assert!(holds(key, operator, yes), "{key} {operator} {yes}");
            assert!(!holds(key, operator, no), "{key} {operator} {no}");
        }
    }

    #[test]
    fn what_is_not_there_matches_nothing() {
        for operator in ["Equals", "NotEquals", "LessThan", "Contains", "NotContains"] {
            assert!(!holds("missing", operator, "1"), "{operator}");
        }
        assert!(!holds("user", "NotEquals", "\"x\""));
        assert!(!holds("tier", "LessThan", "1"), "a text is no number");
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let fault = |filter: &str| toml::from_str::<Filter>(filter).unwrap().fault().map(|f| f.0);
        assert_eq!(fault("key = \"a\"\noperator = \"LessThan\"\nvalue = \"many\"\n"), Some("value"));
        assert_eq!(fault("key = \"a\"\noperator = \"Equals\"\nvalue = [1]\n"), Some("value"));
        assert_eq!(fault("key = \" \"\noperator = \"Equals\"\nvalue = 1\n"), Some("key"));
    }
}
