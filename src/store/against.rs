//! What was expected of a session against what it did, line by line: kept with the session, because the expectation may
//! stand in a suite or a cases file, which a record does not hold.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::checks::expect::{Expected, ExpectedCall};
use crate::checks::matcher::Matcher;
use crate::checks::path::Path;
use crate::eval::bind::Bound;
use crate::model::{Session, Span, tool_calls};
use crate::redact::{Redact, With};

/// Texts longer than this are not compared, in bytes of both.
const MAX_BYTES: usize = 64 << 10;

/// How a line differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Expected and there.
    #[serde(rename = " ")]
    Same,
    /// Expected and not there.
    #[serde(rename = "-")]
    Expected,
    /// There and not expected.
    #[serde(rename = "+")]
    Actual,
}

/// One thing expected against what there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Against {
    /// What is compared, such as `tool calls` or `reply of turn 2`.
    pub what: String,
    /// The lines of both, in order.
    pub lines: Vec<(Change, String)>,
}

impl Redact for Against {
    fn redact(&mut self, with: &With<'_>) {
        self.lines.iter_mut().for_each(|(_, line)| with.line(line));
    }
}

/// Everything that was expected of a session and is not what there is.
pub fn of(session: &Session<'_>, bound: &Bound<'_>) -> Vec<Against> {
    let whole = |what: &str| what.to_owned();
    let mut found = differences(
        &bound.expected,
        &session.tool_calls().map(|(_, s)| s).collect::<Vec<_>>(),
        session.final_reply().map(|t| t.as_str()),
        &whole,
    );
    if let Some(expected) = &bound.expected.state {
        found.extend(state(expected, session));
    }
    for (index, expected) in bound.turn_expected.iter().enumerate() {
        let (Some(expected), Some(turn)) = (expected, session.turns.get(index)) else { continue };
        let calls: Vec<&Span<'_>> = tool_calls(turn.spans.iter().enumerate()).map(|(_, s)| s).collect();
        let of_turn = |what: &str| format!("{what} of turn {}", index + 1);
        found.extend(differences(expected, &calls, turn.reply.as_deref(), &of_turn));
    }
    found
}

fn differences(
    expected: &Expected<'_>,
    calls: &[&Span<'_>],
    reply: Option<&str>,
    name: &dyn Fn(&str) -> String,
) -> Vec<Against> {
    let mut found = Vec::new();
    if let Some(tools) = &expected.tools {
        let wanted: String = tools.iter().map(expected_call).collect();
        let actual: String = calls.iter().map(|span| actual_call(span, tools)).collect();
        found.extend(compare(name("tool calls"), &wanted, &actual));
    }
    if let (Some(answer), Some(reply)) = (&expected.answer, reply) {
        found.extend(compare(name("reply"), answer, reply));
    }
    found
}

fn expected_call(call: &ExpectedCall) -> String {
    call_lines(&call.name, call.args.as_ref().map(|args| args.shown()).as_ref())
}

/// A call as it was made; without its arguments where those expected of the tool are left open.
fn actual_call(span: &Span<'_>, expected: &[ExpectedCall]) -> String {
    let mut of_this = expected.iter().filter(|e| e.name == span.name.as_str()).peekable();
    let open = of_this.peek().is_some() && of_this.all(|e| e.args.is_none());
    match &span.input {
        Some(input) if !open => match input.json() {
            Some(value) => call_lines(&span.name, Some(value)),
            None => format!("{} {}\n", span.name, input.as_str()),
        },
        _ => call_lines(&span.name, None),
    }
}

/// A call with a line for each of its arguments, and no brackets of its own: they are alike in all calls, and a
/// difference would tie together what has nothing in common but them.
fn call_lines(name: &str, args: Option<&Value>) -> String {
    match args {
        None => format!("{name}\n"),
        Some(Value::Object(args)) => {
            let mut args: Vec<_> = args.iter().collect();
            args.sort_by_key(|(key, _)| *key);
            let lines: String = args.iter().map(|(key, value)| format!("    {key}: {}\n", sorted(value))).collect();
            format!("{name}\n{lines}")
        }
        Some(args) => format!("{name} {args}\n"),
    }
}

fn state(expected: &[(String, Matcher)], session: &Session<'_>) -> Option<Against> {
    let actual = session.state.as_ref()?.json()?;
    let (mut wanted, mut found) = (String::new(), String::new());
    for (path, matcher) in expected {
        let values = Path::parse(path).map(|parsed| parsed.select(actual)).unwrap_or_default();
        // What is not there has no line.
        for value in &values {
            // The state may be large where little of it is expected.
            if found.len() < MAX_BYTES {
                found.push_str(&format!("{path} = {}\n", pretty(value)));
            }
        }
        // What meets a matcher is no difference, however the matcher is written.
        match values[..] {
            [value] if matcher.matches(Some(value)) => wanted.push_str(&format!("{path} = {}\n", pretty(value))),
            [] if matcher.matches(None) => {}
            _ => wanted.push_str(&format!("{path} = {}\n", pretty(&matcher.shown()))),
        }
    }
    compare("state".to_owned(), &wanted, &found)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(&sorted(value)).unwrap_or_else(|_| value.to_string())
}

/// The same value with the keys of every object in order: it is no difference in which they were written.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        plain => plain.clone(),
    }
}

/// The lines of both; `None` where they are the same, or too long to compare.
fn compare(what: String, expected: &str, actual: &str) -> Option<Against> {
    if expected.trim_end() == actual.trim_end() || expected.len() + actual.len() > MAX_BYTES {
        return None;
    }
    // With or without an end of its own, the last line is the same line.
    let ended = |text: &str| if text.is_empty() { String::new() } else { format!("{}\n", text.trim_end()) };
    let (expected, actual) = (ended(expected), ended(actual));
    let diff = TextDiff::from_lines(&expected, &actual);
    let change = |tag| match tag {
        ChangeTag::Equal => Change::Same,
        ChangeTag::Delete => Change::Expected,
        ChangeTag::Insert => Change::Actual,
    };
    let lines =
        diff.iter_all_changes().map(|c| (change(c.tag()), c.value().trim_end_matches('\n').to_owned())).collect();
    Some(Against { what, lines })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{bind, testing};

    fn against(line: &str) -> Vec<Against> {
        let suite = testing::suite("[[session]]\nid = \"a\"\ncheck = \"contains\"\nvalue = \"x\"\n");
        let session: Session<'_> = serde_json::from_str(line).unwrap();
        of(&session, &bind::bind(&suite, &session).unwrap())
    }

    fn text(against: &Against) -> String {
        let sign = |c: &Change| serde_json::to_value(c).unwrap().as_str().unwrap().to_owned();
        against.lines.iter().map(|(c, l)| format!("{}{l}\n", sign(c))).collect()
    }

    #[test]
    fn calls_are_compared_argument_by_argument() {
        let found = against(
            r#"{"id":"s","reference":{"tools":[{"name":"f","args":{"b":2,"a":1}},{"name":"g"}]},
            "turns":[{"spans":[{"kind":"tool","name":"f","input":{"a":1,"b":3}},{"kind":"tool","name":"g","input":{"x":1}}]}]}"#,
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].what, "tool calls");
        assert_eq!(text(&found[0]), " f\n     a: 1\n-    b: 2\n+    b: 3\n g\n");
    }

    #[test]
    fn what_is_as_expected_is_left_out() {
        let same = r#"{"id":"s","reference":{"tools":[],"answer":"yes"},"turns":[{"reply":"yes"}]}"#;
        assert!(against(same).is_empty());
        assert!(against(r#"{"id":"s","turns":[{"reply":"yes"}]}"#).is_empty());
    }

    #[test]
    fn a_state_is_compared_where_something_is_expected_of_it() {
        let found =
            against(r#"{"id":"s","reference":{"state":{"a.b":1,"gone":2}},"state":{"a":{"b":2},"else":0},"turns":[]}"#);
        assert_eq!(text(&found[0]), "-a.b = 1\n-gone = 2\n+a.b = 2\n");
    }

    #[test]
    fn a_line_more_at_the_end_leaves_the_others_alone() {
        let found = against(
            r#"{"id":"s","reference":{"tools":[{"name":"f","args":{"a":1}}]},
            "turns":[{"spans":[{"kind":"tool","name":"f","input":{"a":1,"b":2}}]}]}"#,
        );
        assert_eq!(text(&found[0]), " f\n     a: 1\n+    b: 2\n");
    }

    #[test]
    fn turns_are_compared_with_what_is_expected_of_each() {
        let found = against(r#"{"id":"s","turns":[{"reply":"a"},{"reply":"b","reference":{"answer":"c"}}]}"#);
        assert_eq!(found[0].what, "reply of turn 2");
        assert_eq!(text(&found[0]), "-c\n+b\n");
    }
}
