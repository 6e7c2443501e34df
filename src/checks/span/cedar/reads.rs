//! What of the context policies look at. A value that Cedar cannot hold does no harm where no policy looks.

use cedar_policy::PolicySet;
use serde_json::Value;

/// The paths into the context whose values policies use.
pub(super) struct Reads(Vec<Vec<String>>);

impl Reads {
    /// Those of all policies of a set. A policy without a JSON form is taken to read everything.
    pub fn of(policies: &PolicySet) -> Self {
        let mut reads = Vec::new();
        for policy in policies.policies() {
            match policy.to_json() {
                Ok(json) => collect(json.get("conditions").unwrap_or(&Value::Null), &mut reads),
                Err(_) => reads.push(Vec::new()),
            }
        }
        reads.sort_unstable();
        reads.dedup();
        Self(reads)
    }

    /// Whether a policy looks at the value at a path, at something in it, or at what it is part of as a whole.
    pub fn look_at(&self, path: &[&str]) -> bool {
        let same = |read: &Vec<String>| read.iter().zip(path).all(|(a, b)| a == b);
        self.0.iter().any(same)
    }
}

/// Walks expressions in Cedar's JSON form; every use of the context is a read of the longest path that is written.
fn collect(expressions: &Value, reads: &mut Vec<Vec<String>>) {
    let mut left = vec![expressions];
    while let Some(value) = left.pop() {
        if let Some(path) = context_path(value) {
            reads.push(path);
            continue;
        }
        match value {
            Value::Object(map) => left.extend(map.values()),
            Value::Array(items) => left.extend(items),
            _ => {}
        }
    }
}

/// The path of `context.a.b` or `context.a has b`; `None` for any other expression.
fn context_path(expression: &Value) -> Option<Vec<String>> {
    let mut path = Vec::new();
    let mut at = expression;
    loop {
        let (operator, operand) = at.as_object().filter(|o| o.len() == 1)?.iter().next()?;
        match operator.as_str() {
            "Var" if operand.as_str() == Some("context") => {
                path.reverse();
                return Some(path);
            }
            "." | "has" => {
                // `has a.b` lists its attributes; the path is gathered from its end.
                match operand.get("attr")? {
                    Value::Array(steps) => {
                        for step in steps.iter().rev() {
                            path.push(step.as_str()?.to_owned());
                        }
                    }
                    step => path.push(step.as_str()?.to_owned()),
                }
                at = operand.get("left")?;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn reads(condition: &str) -> Vec<String> {
        let set = PolicySet::from_str(&format!("permit(principal, action, resource) when {{ {condition} }};")).unwrap();
        Reads::of(&set).0.iter().map(|path| path.join(".")).collect()
    }

    #[test]
    fn the_longest_path_that_is_written_is_read() {
        assert_eq!(reads("context.input.amount < 3 && context.session has tier"), ["input.amount", "session.tier"]);
        assert_eq!(reads(r#"context.input["a b"] == "x""#), ["input.a b"]);
        assert_eq!(reads("principal.limit < resource.price"), [""; 0]);
        assert_eq!(reads("context has input.order.id"), ["input.order.id"]);
        assert_eq!(reads("resource.allowed.contains(context.input.order)"), ["input.order"]);
    }

    #[test]
    fn a_context_used_as_a_whole_is_read_as_a_whole() {
        assert_eq!(reads("context == principal.context"), [""]);
        assert_eq!(reads("(if true then context.input else context.session).x == 1"), ["input", "session"]);
    }

    #[test]
    fn what_is_above_and_below_a_path_is_looked_at_with_it() {
        let set = "permit(principal, action, resource) when { context.input.order.id == 1 };";
        let reads = Reads::of(&PolicySet::from_str(set).unwrap());
        assert!(reads.look_at(&["input"]) && reads.look_at(&["input", "order"]));
        assert!(reads.look_at(&["input", "order", "id"]) && reads.look_at(&["input", "order", "id", "deeper"]));
        assert!(!reads.look_at(&["session"]) && !reads.look_at(&["input", "order", "sum"]));
    }
}
