//! `state`: the world after the session.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::describe;
use crate::checks::build::{Build, Example, Params};
use crate::checks::expect::Wanted;
use crate::checks::matcher::Matcher;
use crate::checks::path::{Path, push_pointer};
use crate::checks::subject::SessionSubject;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, SessionCheck};
use crate::model::{Evidence, Field, Finding, Level, Payload, json};

/// The world after the session is as expected: at `path` it `is` a value or matches a matcher, or, without them, it
/// meets the whole of the reference's `state` (paths and what is expected there).
///
/// A path that names several values (JSONPath) holds when there is at least one and all of them match; one that names
/// nothing matches only `{ "$absent" = true }`. With `only = true` nothing else may differ from the state before the
/// session. A recording without the final state, or with `only` without the initial one, is an error; so is a session
/// without a reference `state` where no `path` is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Where to look: dotted, or JSONPath when it starts with `$`.
    path: Option<Path>,
    /// What is expected there.
    is: Option<Matcher>,
    /// Nothing else may have changed. Default false.
    #[serde(default)]
    only: bool,
}

impl Params for State {
    const NAME: &'static str = "state";
    const LEVELS: &'static [Level] = &[Level::Session];
    const EXAMPLES: &'static [Example] = &[
        Example {
            check: "[[session]]\nid = \"still-active\"\ncheck = \"state\"\npath = \"reservations.EHGLP3.status\"\nis = \"active\"\n",
            passes: r#"{"id":"a","state":{"reservations":{"EHGLP3":{"status":"active"}}},"turns":[]}"#,
            fails: r#"{"id":"b","state":{"reservations":{"EHGLP3":{"status":"cancelled"}}},"turns":[]}"#,
        },
        Example {
            check: "[[session]]\nid = \"as-expected-and-nothing-else\"\ncheck = \"state\"\nonly = true\n",
            passes: r#"{"id":"a","reference":{"state":{"a.status":"cancelled"}},"initial_state":{"a":{"status":"active"},"b":1},"state":{"a":{"status":"cancelled"},"b":1},"turns":[]}"#,
            fails: r#"{"id":"b","reference":{"state":{"a.status":"cancelled"}},"initial_state":{"a":{"status":"active"},"b":1},"state":{"a":{"status":"cancelled"},"b":2},"turns":[]}"#,
        },
    ];

    fn wants(parameters: &Value) -> Option<Wanted> {
        parameters.get("path").is_none().then_some(Wanted::State)
    }

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let at = match (self.path, self.is) {
            (Some(path), Some(is)) => Some((path, is)),
            (None, None) => None,
            (Some(_), None) => {
                build.problem(&["path"], "`path` needs `is`: what is expected there", None);
                return None;
            }
            (None, Some(_)) => {
                build.problem(&["is"], "`is` needs `path`: where it is expected", None);
                return None;
            }
        };
        Some(Compiled::Session(Box::new(After { at, only: self.only })))
    }
}

struct After {
    at: Option<(Path, Matcher)>,
    only: bool,
}

impl SessionCheck for After {
    fn reads(&self) -> Reads {
        Reads::only(Parts::STATE | Parts::REFERENCE)
    }

    fn check(&self, subject: &SessionSubject<'_>) -> Finding {
        self.judge(subject).unwrap_or_else(Finding::error)
    }
}

impl After {
    fn judge(&self, subject: &SessionSubject<'_>) -> Result<Finding, String> {
        let session = subject.scene.session;
        let referenced;
        let expected: Vec<(&Path, &Matcher)> = match &self.at {
            Some((path, is)) => vec![(path, is)],
            None => {
                referenced = reference(subject)?;
                referenced.iter().map(|(path, is)| (path, *is)).collect()
            }
        };
        if expected.is_empty() && !self.only {
            return Ok(Finding::not_applicable("the reference's state expects nothing"));
        }
        let state = parsed(session.state.as_ref(), "final state")?;
        let initial = if self.only { Some(parsed(session.initial_state.as_ref(), "initial state")?) } else { None };
        let mut wrong = Vec::new();
        for (path, is) in &expected {
            wrong.extend(difference(path, is, state));
        }
        let met = expected.len() - wrong.len().min(expected.len());
        let mut changed = Changes::default();
        if let Some(initial) = initial {
            let paths = expected.iter().map(|(path, _)| *path);
            changed = Changes::between(initial, state, paths);
            wrong.extend(changed.found.iter().map(|(pointer, text)| (Some(pointer.clone()), text.clone())));
        }
        if wrong.is_empty() {
            return Ok(Finding::pass());
        }
        let listed: Vec<&str> = wrong.iter().take(LISTED).map(|(_, text)| text.as_str()).collect();
        let hidden = wrong.len().saturating_sub(LISTED) + changed.beyond;
        let more = if hidden == 0 { String::new() } else { format!(" and {hidden} more") };
        let of = if changed.found.is_empty() { expected.len() } else { expected.len() + 1 };
        let at = |pointer: Option<String>| match pointer {
            Some(pointer) => Evidence::session(Field::State).at(pointer),
            None => Evidence::session(Field::State),
        };
        let finding = Finding::fail(format!("{}{more}", listed.join("; "))).scored(met as f64 / of.max(1) as f64);
        Ok(Finding { evidence: wrong.into_iter().take(LISTED).map(|(pointer, _)| at(pointer)).collect(), ..finding })
    }
}

/// The most differences that are listed.
const LISTED: usize = 16;

/// The reference's state with its paths read.
fn reference<'s>(subject: &SessionSubject<'s>) -> Result<Vec<(Path, &'s Matcher)>, String> {
    let Some(state) = subject.scene.expected.state.as_deref() else {
        return Err(
            "nothing says which state is expected: give `path` and `is`, or the case `reference.state`".to_owned()
        );
    };
    let read = |(path, is): &'s (String, Matcher)| {
        let path = Path::parse(path).map_err(|why| format!("the reference's state: `{path}`: {why}"))?;
        Ok((path, is))
    };
    state.iter().map(read).collect()
}

fn parsed<'s>(payload: Option<&'s Payload<'_>>, what: &str) -> Result<&'s Value, String> {
    let payload = payload.ok_or_else(|| format!("the recording has no {what}"))?;
    payload.json().ok_or_else(|| format!("the {what} is not valid JSON"))
}

/// How what a path names differs from what is expected there, with where that is.
fn difference(path: &Path, is: &Matcher, state: &Value) -> Option<(Option<String>, String)> {
    let found = path.locate(state);
    let wanted = || describe::short(is, 160);
    if found.is_empty() {
        let text = || format!("`{}`: expected {}, it is absent", path.as_str(), wanted());
        return (!is.matches(None)).then(|| (None, text()));
    }
    let (pointer, actual) = found.into_iter().find(|(_, value)| !is.matches(Some(value)))?;
    let actual = describe::short(actual, 160);
    let place = if path.as_str().starts_with('$') { format!(" (at {pointer})") } else { String::new() };
    let text = format!("`{}`{place}: expected {}, actual {actual}", path.as_str(), wanted());
    Some((Some(pointer), text))
}

/// What differs between two states outside of the paths that may.
#[derive(Default)]
struct Changes {
    allowed: BTreeSet<String>,
    /// JSON pointers and what happened there.
    found: Vec<(String, String)>,
    /// How many more there are.
    beyond: usize,
}

impl Changes {
    fn between<'p>(before: &Value, after: &Value, allowed: impl Iterator<Item = &'p Path>) -> Self {
        let mut changes = Self::default();
        for path in allowed {
            changes.allowed.extend(path.locate(before).into_iter().map(|(pointer, _)| pointer));
            changes.allowed.extend(path.locate(after).into_iter().map(|(pointer, _)| pointer));
        }
        changes.compare(&mut String::new(), Some(before), Some(after));
        changes
    }

    /// Depth is bounded by the parser that made the values.
    fn compare(&mut self, at: &mut String, before: Option<&Value>, after: Option<&Value>) {
        if self.allowed.contains(at.as_str()) || before.zip(after).is_some_and(|(b, a)| json::equal(b, a)) {
            return;
        }
        let keys = match (before, after) {
            (Some(Value::Object(_)) | None, Some(Value::Object(_)) | None) => {
                let objects = [before, after].into_iter().flatten().filter_map(Value::as_object);
                objects.flat_map(|o| o.keys().cloned()).collect::<BTreeSet<_>>()
            }
            (Some(Value::Array(_)) | None, Some(Value::Array(_)) | None) => {
                let arrays = [before, after].into_iter().flatten().filter_map(Value::as_array);
                (0..arrays.map(Vec::len).max().unwrap_or(0)).map(|i| i.to_string()).collect()
            }
            _ => BTreeSet::new(),
        };
        if keys.is_empty() {
            return self.note(at, before, after);
        }
        for key in keys {
            let length = at.len();
            push_pointer(at, &key);
            self.compare(at, child(before, &key), child(after, &key));
            at.truncate(length);
        }
    }

    fn note(&mut self, at: &str, before: Option<&Value>, after: Option<&Value>) {
        if self.found.len() == LISTED {
            self.beyond += 1;
            return;
        }
        let short = |value: &Value| describe::short(value, 120);
        let what = match (before, after) {
            (Some(b), Some(a)) => format!("changed from {} to {}", short(b), short(a)),
            (None, Some(a)) => format!("is new: {}", short(a)),
            (Some(b), None) => format!("is gone: {}", short(b)),
            (None, None) => return,
        };
        self.found.push((at.to_owned(), format!("`{at}` {what}, and nothing else should change")));
    }
}

fn child<'v>(value: Option<&'v Value>, key: &str) -> Option<&'v Value> {
    match value? {
        Value::Object(map) => map.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::session::testing::{examples_hold, problems, run};
    use crate::model::Status;
    use serde_json::json;

    fn after(toml: &str, session: Value) -> Finding {
        run::<State>(toml, &session.to_string())
    }

    #[test]
    fn the_documented_examples_hold() {
        examples_hold::<State>();
    }

    #[test]
    fn a_path_is_a_value_or_matches() {
        let session = json!({"id": "s", "state": {"a": {"n": 3, "list": [1, 2]}}});
        let status = |toml: &str| after(toml, session.clone()).status;
        assert_eq!(status("path = 'a.n'\nis = 3.0"), Status::Pass);
        assert_eq!(status("path = 'a.list[1]'\nis = 2"), Status::Pass);
        assert_eq!(status("path = '$.a.list[*]'\nis = { '$gte' = 1 }"), Status::Pass);
        assert_eq!(status("path = '$.a.list[*]'\nis = { '$gte' = 2 }"), Status::Fail);
        assert_eq!(status("path = 'a.gone'\nis = { '$absent' = true }"), Status::Pass);
        assert_eq!(status("path = 'a.gone'\nis = { '$any' = true }"), Status::Fail);
        assert_eq!(status("path = '$.a.gone[*]'\nis = 1"), Status::Fail);
    }

    #[test]
    fn the_reason_says_expected_and_actual_and_evidence_points_there() {
        let failed = after("path = 'a.n'\nis = 4", json!({"id": "s", "state": {"a": {"n": 3}}}));
        assert_eq!(failed.reason, "`a.n`: expected 4, actual 3");
        assert_eq!(failed.evidence, [Evidence::session(Field::State).at("/a/n")]);
    }

    #[test]
    fn the_whole_reference_is_compared_and_scored() {
        let reference = json!({"state": {"a": 1, "b.c": 2}});
        let status = |state: Value| after("", json!({"id": "s", "reference": reference, "state": state}));
        assert_eq!(status(json!({"a": 1, "b": {"c": 2}, "z": 0})).status, Status::Pass);
        let failed = status(json!({"a": 1, "b": {"c": 3}}));
        assert_eq!((failed.status, failed.score), (Status::Fail, Some(0.5)));
        assert_eq!(failed.reason, "`b.c`: expected 2, actual 3");
    }

    #[test]
    fn what_is_not_recorded_is_an_error() {
        let errors = [
            ("path = 'a'\nis = 1", json!({"id": "s"})),
            ("path = 'a'\nis = { '$absent' = true }", json!({"id": "s", "state": "{broken"})),
            ("", json!({"id": "s", "state": {}})),
            ("", json!({"id": "s", "state": {}, "reference": {"tools": []}})),
            ("", json!({"id": "s", "state": {}, "reference": {"state": {"a..b": 1}}})),
            ("path = 'a'\nis = 1\nonly = true", json!({"id": "s", "state": {"a": 1}})),
        ];
        for (toml, session) in errors {
            let finding = after(toml, session.clone());
            assert_eq!((finding.status, finding.score), (Status::Error, None), "{toml} {session}");
        }
    }

    #[test]
    fn only_allows_no_other_change() {
        let session = |before: Value, state: Value| json!({"id": "s", "initial_state": before, "state": state});
        let toml = "path = 'a.status'\nis = 'off'\nonly = true";
        let before = json!({"a": {"status": "on"}, "b": [1, 2], "n": 1});
        let status = |state: Value| after(toml, session(before.clone(), state));
        assert_eq!(status(json!({"n": 1.0, "a": {"status": "off"}, "b": [1, 2]})).status, Status::Pass);
        let changed = [
            (json!({"a": {"status": "off"}, "b": [1, 3], "n": 1}), "`/b/1` changed from 2 to 3"),
            (json!({"a": {"status": "off"}, "b": [1], "n": 1}), "`/b/1` is gone: 2"),
            (json!({"a": {"status": "off", "by": "x"}, "b": [1, 2], "n": 1}), "`/a/by` is new: \"x\""),
            (json!({"a": {"status": "off"}, "b": [1, 2], "n": 1, "z": {}}), "`/z` is new: {}"),
            (json!({"a": {"status": "off"}, "b": {}, "n": 1}), "`/b` changed from [1,2] to {}"),
        ];
        for (state, text) in changed {
            let failed = status(state);
            assert_eq!(failed.status, Status::Fail);
            assert!(failed.reason.starts_with(text), "{} / {text}", failed.reason);
        }
        assert_eq!(status(before.clone()).status, Status::Fail);
    }

    #[test]
    fn only_covers_what_a_path_creates_or_removes() {
        let created = json!({"id": "s", "initial_state": {}, "state": {"r": {"X": {"status": "on"}}}});
        assert_eq!(after("path = 'r.X.status'\nis = 'on'\nonly = true", created.clone()).status, Status::Pass);
        assert_eq!(after("path = 'r.X'\nis = { '$any' = true }\nonly = true", created).status, Status::Pass);
        let removed = json!({"id": "s", "initial_state": {"a": 1, "b": 2}, "state": {"b": 2}});
        assert_eq!(after("path = 'a'\nis = { '$absent' = true }\nonly = true", removed).status, Status::Pass);
    }

    #[test]
    fn a_thousand_changes_make_a_short_reason() {
        let state: Value = (0..1000).map(|i| (format!("k{i}"), json!(i))).collect();
        let session = json!({"id": "s", "initial_state": {}, "state": state, "reference": {"state": {}}});
        let failed = after("only = true", session);
        assert!(failed.reason.ends_with(" and 984 more") && failed.evidence.len() == LISTED, "{}", failed.reason);
    }

    #[test]
    fn an_empty_reference_state_says_something_only_under_only() {
        let session = json!({"id": "s", "initial_state": {"a": 1}, "state": {"a": 1}, "reference": {"state": {}}});
        assert!(!after("", session.clone()).applies);
        assert_eq!(after("only = true", session).status, Status::Pass);
    }

    #[test]
    fn path_and_is_come_together() {
        assert_eq!(problems::<State>(Level::Session, "path = 'a'").len(), 1);
        assert_eq!(problems::<State>(Level::Session, "is = 1").len(), 1);
    }
}
