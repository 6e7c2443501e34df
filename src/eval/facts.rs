//! What a session took, whatever the suite asks about: the numbers that reports draw. A number that the recording does
//! not hold is absent, as everywhere.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::checks::prices::Prices;
use crate::checks::system::{Cell, Column, columns};
use crate::model::{Session, SpanKind};

/// The facts of one session; each has the meaning of the metric of its name.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Duration, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_ms: Option<f64>,
    /// Input and output tokens of all model calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<f64>,
    /// Cost of all model calls, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<f64>,
    /// Tool calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<f64>,
    /// Tool calls that ended in an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_errors: Option<f64>,
}

static COLUMNS: LazyLock<[Column; 6]> =
    LazyLock::new(|| Facts::NAMES.map(|name| Column { metric: name.to_owned(), of: None, by: Vec::new() }));

impl Facts {
    /// Their names, which are metrics, in the order of [`Facts::values`].
    pub const NAMES: [&'static str; 6] = ["session_ms", "tokens", "cost_usd", "turns", "tool_calls", "tool_errors"];

    /// The facts of a session.
    pub fn of(session: &Session<'_>, prices: &Prices) -> Self {
        let value = |column: &Column| match columns::project(column, session, &[], prices, &|_| None) {
            Cell::Samples(samples) => samples.first().and_then(|s| s.values.first()).copied(),
            Cell::Missing(_) | Cell::Waiting(_) | Cell::Unselected => None,
        };
        // Where no model call says what it took, nobody needs to ask each of them why not: transcripts are like that.
        let mut calls = session.spans().filter(|s| s.kind == SpanKind::Llm).peekable();
        let silent = calls.peek().is_some() && calls.all(|s| s.usage.is_none() && s.cost_usd.is_none());
        let unknown = |column: &Column| match column.metric.as_str() {
            "tokens" => silent,
            "cost_usd" => silent && session.attributes.get("cost_usd").is_none(),
            _ => false,
        };
        let known = |column| if unknown(column) { None } else { value(column) };
        let [session_ms, tokens, cost_usd, turns, tool_calls, tool_errors] = COLUMNS.each_ref().map(known);
        Self { session_ms, tokens, cost_usd, turns, tool_calls, tool_errors }
    }

    /// The values, in the order of [`Facts::NAMES`].
    pub fn values(&self) -> [Option<f64>; 6] {
        [self.session_ms, self.tokens, self.cost_usd, self.turns, self.tool_calls, self.tool_errors]
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.values().iter().all(Option::is_none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(line: &str) -> Facts {
        Facts::of(&serde_json::from_str::<Session<'_>>(line).unwrap(), &Prices::default())
    }

    #[test]
    fn they_are_the_metrics_of_the_same_names() {
        for name in Facts::NAMES {
            assert!(columns::shape(name).is_ok(), "{name}");
        }
        let found = facts(
            r#"{"id":"s","start_ns":1000000,"end_ns":3500000,"turns":[{"spans":[
            {"kind":"llm","name":"chat","usage":{"input":10,"output":2},"cost_usd":0.5},
            {"kind":"tool","name":"f","status":"error"},{"kind":"tool","name":"g","status":"ok"}]}]}"#,
        );
        assert_eq!(found.values(), [Some(2.5), Some(12.0), Some(0.5), Some(1.0), Some(2.0), Some(1.0)]);
        let written = serde_json::to_value(found).unwrap();
        assert_eq!(written.as_object().unwrap().len(), Facts::NAMES.len());
        assert!(Facts::NAMES.iter().all(|name| written.get(name).is_some()));
    }

    #[test]
    fn what_is_not_recorded_is_absent_and_never_zero() {
        let found =
            facts(r#"{"id":"s","turns":[{"spans":[{"kind":"llm","name":"chat"},{"kind":"tool","name":"f"}]}]}"#);
        assert_eq!(found.values(), [None, None, None, Some(1.0), Some(1.0), None]);
        assert!(facts(r#"{"id":"s"}"#).session_ms.is_none());
    }
}
