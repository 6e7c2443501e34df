//! `loop`: the same call again and again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Number, Value};

use super::describe;
use crate::checks::build::{Build, Example, Params};
use crate::checks::subject::Scope;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, ScopeCheck};
use crate::model::{Evidence, Field, Finding, Level, Span};

/// The same call is not made again and again: no tool is called with equal arguments more than `max_repeats` times in
/// the turn or session, whether in a row or not.
///
/// Arguments are equal as JSON (1 equals 1.0, keys in any order); those that are not valid JSON are equal when their
/// texts are. Where nothing was called the check passes. When arguments were not recorded and the verdict depends on
/// them, it is an error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loop {
    /// How many times the same call may be made in all, at least 1.
    max_repeats: u64,
}

impl Params for Loop {
    const NAME: &'static str = "loop";
    const LEVELS: &'static [Level] = &[Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[Example {
        check: "[[session]]\nid = \"goes-on\"\ncheck = \"loop\"\nmax_repeats = 2\n",
        passes: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"search","input":{"page":1}},{"kind":"tool","name":"search","input":{"page":2}},{"kind":"tool","name":"search","input":{"page":3}}]}]}"#,
        fails: r#"{"id":"b","turns":[{"spans":[{"kind":"tool","name":"search","input":{"page":1}},{"kind":"tool","name":"search","input":{"page":1}},{"kind":"tool","name":"search","input":{"page":1}}]}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        if self.max_repeats == 0 {
            let help = "to forbid a tool altogether, use `calls` with `max = 0`".to_owned();
            build.problem(&["max_repeats"], "`max_repeats` is at least 1", help);
            return None;
        }
        Some(Compiled::scope(build.level, self))
    }
}

impl ScopeCheck for Loop {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NAME | Parts::INPUT)
    }

    fn check(&self, scope: &Scope<'_>) -> Finding {
        let mut by_name: BTreeMap<&str, Vec<(usize, &Span<'_>)>> = BTreeMap::new();
        for (ordinal, span) in scope.calls() {
            by_name.entry(span.name.as_str()).or_default().push((ordinal, span));
        }
        let mut doubt = None;
        for (name, calls) in by_name.into_iter().filter(|(_, calls)| calls.len() as u64 > self.max_repeats) {
            let Some(most) = most_repeated(&calls) else { continue };
            if most.len() as u64 > self.max_repeats {
                return self.failure(&most);
            }
            let unknown = calls.iter().filter(|(_, s)| s.input.is_none()).count();
            if (most.len() + unknown) as u64 > self.max_repeats {
                doubt.get_or_insert(name);
            }
        }
        match doubt {
            None => scope.hidden_calls().unwrap_or_else(Finding::pass),
            Some(name) => Finding::error(format!(
                "{} may have been called with equal arguments more than {} times, but arguments were not recorded",
                describe::clip(name, 80),
                self.max_repeats
            )),
        }
    }
}

impl Loop {
    fn failure(&self, calls: &[(usize, &Span<'_>)]) -> Finding {
        let made = calls.first().map(|(_, span)| describe::made(span).to_string()).unwrap_or_default();
        let reason = format!(
            "expected the same call at most {} times; actual: {made} is made {} times",
            self.max_repeats,
            calls.len()
        );
        let beyond = calls.iter().skip(self.max_repeats as usize).take(20);
        Finding { evidence: beyond.map(|(i, _)| Evidence::span(*i, Field::Whole)).collect(), ..Finding::fail(reason) }
    }
}

/// The largest group of calls with equal arguments; the first of several. Calls without recorded arguments are in no
/// group.
fn most_repeated<'s>(calls: &[(usize, &'s Span<'s>)]) -> Option<Vec<(usize, &'s Span<'s>)>> {
    let mut groups: BTreeMap<String, Vec<(usize, &Span<'_>)>> = BTreeMap::new();
    for (ordinal, span) in calls {
        let Some(input) = &span.input else { continue };
        let mut key = String::new();
        match input.json() {
            Some(value) => canonical(value, &mut key),
            None => key.extend(["text:", input.as_str()]),
        }
        groups.entry(key).or_default().push((*ordinal, span));
    }
    let first = |group: &Vec<(usize, &Span<'_>)>| group.first().map(|(i, _)| *i);
    let largest = groups.into_values().max_by(|a, b| a.len().cmp(&b.len()).then(first(b).cmp(&first(a))));
    // None recorded is a group of nobody: what is unknown may still decide.
    Some(largest.unwrap_or_default())
}

/// Writes a value such that equal values have equal texts. Depth is bounded by the parser that made the value.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Number(n) => number(n, out),
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for key in keys {
                let _ = write!(out, "{key:?}:");
                canonical(&map[key], out);
                out.push(',');
            }
            out.push('}');
        }
        Value::String(s) => {
            let _ = write!(out, "{s:?}");
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// 1 and 1.0 are the same text, a float that is no integer is its shortest one.
fn number(n: &Number, out: &mut String) {
    let whole = n.as_f64().filter(|f| !n.is_i64() && !n.is_u64() && f.fract() == 0.0 && f.abs() < 8.5e37);
    let _ = match whole {
        Some(f) => write!(out, "{}", f as i128),
        None => write!(out, "{n}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::session::testing::{calling, examples_hold, problems, run, run_turn};
    use crate::model::{Status, json};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<Loop>();
    }

    #[test]
    fn the_same_call_counts_in_a_row_or_not() {
        let calls = ["f {\"x\":1}", "g", "f {\"x\":1.0}", "f {\"x\":2}", "f { \"x\": 1 }"];
        assert_eq!(run::<Loop>("max_repeats = 3", &calling(&calls)).status, Status::Pass);
        let failed = run::<Loop>("max_repeats = 2", &calling(&calls));
        assert_eq!(failed.reason, r#"expected the same call at most 2 times; actual: f({"x":1}) is made 3 times"#);
        assert_eq!(failed.evidence, [Evidence::span(4, Field::Whole)]);
    }

    #[test]
    fn the_same_arguments_to_another_tool_are_another_call() {
        assert_eq!(run::<Loop>("max_repeats = 1", &calling(&["f", "g"])).status, Status::Pass);
    }

    #[test]
    fn broken_arguments_are_compared_as_text() {
        assert_eq!(run::<Loop>("max_repeats = 1", &calling(&["f {", "f {"])).status, Status::Fail);
        assert_eq!(run::<Loop>("max_repeats = 1", &calling(&["f {", "f [", "f \"{\""])).status, Status::Pass);
    }

    #[test]
    fn arguments_that_were_not_recorded_are_an_error_where_they_would_decide() {
        let line = r#"{"id":"s","turns":[{"spans":[{"kind":"tool","name":"f"},{"kind":"tool","name":"f"}]}]}"#;
        assert_eq!(run::<Loop>("max_repeats = 1", line).status, Status::Error);
        assert_eq!(run::<Loop>("max_repeats = 2", line).status, Status::Pass);
    }

    #[test]
    fn a_turn_starts_counting_anew() {
        let line = r#"{"id":"s","turns":[{"spans":[{"kind":"tool","name":"f","input":{}}]},{"spans":[{"kind":"tool","name":"f","input":{}}]}]}"#;
        assert_eq!(run_turn::<Loop>("max_repeats = 1", line, 1).status, Status::Pass);
        assert_eq!(run::<Loop>("max_repeats = 1", line).status, Status::Fail);
    }

    #[test]
    fn no_repeat_at_all_is_refused() {
        assert_eq!(problems::<Loop>(Level::Session, "max_repeats = 0").len(), 1);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            (-3i64..3).prop_map(Value::from),
            (-3i64..3).prop_map(|i| Value::from(i as f64)),
            (-3i64..3).prop_map(|i| Value::from(i as f64 / 2.0)),
            "[a\"{:,]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[ab\"]{0,2}", inner, 0..3).prop_map(|m| m.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_texts_are_equal_exactly_when_values_are(a in values(), b in values()) {
            let text = |v: &Value| { let mut out = String::new(); canonical(v, &mut out); out };
            prop_assert_eq!(text(&a) == text(&b), json::equal(&a, &b));
        }
    }
}
