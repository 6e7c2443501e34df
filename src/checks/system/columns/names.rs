//! The names that suites use: every metric with what it has values for, and what values can be grouped by.

use crate::checks::nearest::nearest;

/// What a metric measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One value per turn.
    Turn,
    /// One value per session.
    Session,
    /// A ratio of two sums over all sessions.
    Ratio,
}

/// A metric that suites can name.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it has values for.
    pub shape: Shape,
    /// What it is, for the reference.
    pub doc: &'static str,
}

/// Every metric that has a name of its own. Numeric session attributes are `attr:NAME`.
pub static METRICS: &[Metric] = &[
    Metric { name: "ttft_ms", shape: Shape::Turn, doc: "time to the first token of a turn's reply, in milliseconds" },
    Metric { name: "turn_ms", shape: Shape::Turn, doc: "duration of a turn, in milliseconds" },
    Metric { name: "session_ms", shape: Shape::Session, doc: "duration of a session, in milliseconds" },
    Metric { name: "tokens_in", shape: Shape::Session, doc: "input tokens of all model calls" },
    Metric { name: "tokens_out", shape: Shape::Session, doc: "output tokens of all model calls" },
    Metric { name: "tokens", shape: Shape::Session, doc: "input and output tokens of all model calls" },
    Metric {
        name: "cost_usd",
        shape: Shape::Session,
        doc: "cost of all model calls, recorded or by price, in US dollars",
    },
    Metric { name: "tool_calls", shape: Shape::Session, doc: "tool calls" },
    Metric { name: "tool_errors", shape: Shape::Session, doc: "tool calls that ended in an error" },
    Metric { name: "turns", shape: Shape::Session, doc: "turns" },
    Metric { name: "memory_reads", shape: Shape::Session, doc: "memory operations that read, of a trace" },
    Metric { name: "memory_writes", shape: Shape::Session, doc: "memory operations that write, of a trace" },
    Metric { name: "csat", shape: Shape::Session, doc: "the user's rating" },
    Metric { name: "tool_error_rate", shape: Shape::Ratio, doc: "tool calls that ended in an error / tool calls" },
    Metric { name: "escalation_rate", shape: Shape::Ratio, doc: "sessions handed over to a person / sessions" },
    Metric {
        name: "first_contact_resolution",
        shape: Shape::Ratio,
        doc: "sessions whose attribute `first_contact_resolution` is true / sessions",
    },
    Metric { name: "detection_rate", shape: Shape::Ratio, doc: "subjects that fail the check `of` / those measured" },
];

/// What `by` can name, besides `attr:NAME`.
pub const GROUPS: &[&str] = &["agent", "version", "model", "user", "tool", "flow", "tag", "day"];

/// The group of a session that has no value for a `by`.
pub const NONE: &str = "(none)";

/// What the metric called `name` measures.
///
/// # Errors
/// What is wrong with the name, and what to do about it.
pub fn shape(name: &str) -> Result<Shape, (String, Option<String>)> {
    if let Some(attribute) = name.strip_prefix("attr:") {
        let empty = || ("`attr:` needs the name of an attribute".to_owned(), None);
        return if attribute.is_empty() { Err(empty()) } else { Ok(Shape::Session) };
    }
    if let Some(metric) = METRICS.iter().find(|m| m.name == name) {
        return Ok(metric.shape);
    }
    let near = nearest(name, METRICS.iter().map(|m| m.name)).map(|near| format!("did you mean `{near}`? "));
    let help = format!("{}a numeric session attribute is written `attr:{name}`", near.unwrap_or_default());
    Err((format!("unknown metric `{name}`"), Some(help)))
}

/// Checks what a `by` names.
///
/// # Errors
/// What is wrong with it, and what to do about it.
pub fn group(by: &str) -> Result<(), (String, Option<String>)> {
    if GROUPS.contains(&by) || by.strip_prefix("attr:").is_some_and(|name| !name.is_empty()) {
        return Ok(());
    }
    let near = nearest(by, GROUPS.iter().copied()).map(|near| format!("did you mean `{near}`? "));
    let list = GROUPS.join("`, `");
    Err((
        format!("cannot group by `{by}`"),
        Some(format!("{}`by` is `{list}` or `attr:NAME`", near.unwrap_or_default())),
    ))
}
