//! What a suite that is right resolves to.

use std::time::Duration;

use super::*;
use crate::model::Severity;
use crate::suite::{Limit, Program, Require};

const WHOLE: &str = r#"
[suite]
name = "airline"
description = "Gate"
tags = ["support"]
tools = ["book"]
trials = 4

[subject]
agent = "airline"
version = "1.4.2"

[recorded]
paths = ["../x/*.jsonl", "{{ env.SEA }}/y.json"]
format = "tau-bench"
case = "task_id"
trial = "trial"
max_age = "24h"

[defaults.within]
max_ms = 500

[[case]]
id = "one"
tags = ["refund"]
user = ["hi", "no"]
weight = 2
[case.reference]
tools = [{ name = "get", args = { id = { "$matches" = "^E" } } }]
answer = "done"
facts = ["plain", ["this", "that"], { "$matches" = "x" }]
state = { "a.b" = "active" }
[[case.check]]
level = "session"
id = "polite"
check = "says"
values = ["please"]

[[case]]
id = "two"
skip = "later"
expected_fail = { until = 2027-01-31, reason = "known" }
[[case.turn]]
user = "hi"
[[case.turn]]
[case.turn.reference]
tools = []

[[span]]
id = "args"
on = {}
check = "args"
tool = "book"
is = { a = 1 }
severity = "critical"
require = { at_least = 0.9 }
optional = true
tags = ["t"]
description = "d"
owner = "o"
link = "l"
runs_in = ["gate", "watch"]

[[turn]]
id = "fast"
check = "within"

[[turn]]
id = "faster"
check = "within"
max_ms = 5
require = "any"
severity = "warn"

[[system]]
id = "rate"
check = "measure"
metric = "tool_error_rate"
max = 0.01

[gate]
pass_rate = { min = 0.9 }
reliability = { k = 4, min = 0.6 }
max_left_out = 3
max_error_rate = 0.1
[[gate.group]]
tag = "refund"
pass_rate = { min = 1 }
"#;

#[test]
fn a_whole_suite_resolves() {
    let suite = suite(WHOLE);
    assert_eq!((suite.name.as_str(), suite.trials), ("airline", Some(4)));
    assert_eq!(suite.subject.as_ref().and_then(|s| s.version.as_deref()), Some("1.4.2"));
    assert_eq!(suite.recorded.paths, ["../x/*.jsonl", "deep/y.json"]);
    assert_eq!(suite.recorded.format, Some("tau-bench"));
    assert_eq!(suite.recorded.max_age, Some(Duration::from_secs(86_400)));
    assert_eq!(suite.gate.pass_rate.min, 0.9);
    assert_eq!(suite.gate.max_left_out, Limit::Count(3));
    assert_eq!(suite.gate.max_error_rate, Limit::Share(0.1));
    assert_eq!(suite.gate.max_missing_cases, Limit::Count(0));
    assert_eq!(suite.gate.groups.len(), 1);
    let ids: Vec<_> = suite.checks.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["args", "fast", "faster", "rate", "polite"]);
}

#[test]
fn the_keys_of_a_check_are_kept() {
    let suite = suite(WHOLE);
    let args = &suite.checks[0];
    assert_eq!((args.level, args.rule, args.severity), (Level::Span, "args", Severity::Critical));
    assert_eq!((args.require, args.optional), (Require::Share(0.9), true));
    assert_eq!((args.about.description.as_str(), args.about.owner.as_str(), args.about.link.as_str()), ("d", "o", "l"));
    assert_eq!(args.tool_names, ["book"]);
    assert!(args.location.ends_with("s.toml:49"), "{}", args.location);
    assert!(matches!(args.program, Program::Fixed(Compiled::Span(_))));
    assert_eq!(suite.checks[2].require, Require::Any);
    assert_eq!(suite.checks[4].case, Some(0));
}

#[test]
fn cases_hold_what_is_expected_and_absent_is_not_empty() {
    let suite = suite(WHOLE);
    let cases = suite.cases.unwrap();
    let one = &cases.list[cases.by_id["one"]];
    assert_eq!(one.weight, 2.0);
    assert_eq!(one.vars["user"], serde_json::json!(["hi", "no"]));
    assert_eq!(
        one.expected.facts.as_ref().map(|f| f.iter().map(|f| f.0.len()).collect::<Vec<_>>()),
        Some(vec![1, 2, 1])
    );
    assert_eq!(one.expected.answer.as_ref().map(|a| a.as_str()), Some("done"));
    let two = &cases.list[cases.by_id["two"]];
    assert_eq!(two.skip.as_deref(), Some("later"));
    assert_eq!(two.expected_fail.as_ref().map(|e| e.until.as_str()), Some("2027-01-31"));
    assert!(two.expected.is_empty());
    assert!(two.turn_expected[0].is_none());
    assert!(two.turn_expected[1].as_ref().is_some_and(|e| e.tools.as_ref().is_some_and(|t| t.is_empty())));
}

#[test]
fn without_cases_every_session_is_its_own() {
    assert!(suite(&with_head("")).cases.is_none());
}

#[test]
fn cases_come_from_a_file_and_the_suite_wins_per_key() {
    let toml = "[suite]\nname = \"s\"\ncases = \"{{ env.SEA }}/c.jsonl\"\n[[case]]\nid = \"b\"\n[case.reference]\nanswer = \"suite\"\n[[case.check]]\nlevel = \"turn\"\nid = \"x\"\ncheck = \"says\"\nvalue = \"v\"\n[[case]]\nid = \"c\"\n";
    let file = "{\"id\":\"a\"}\n{\"id\":\"b\",\"reference\":{\"answer\":\"file\",\"facts\":[\"f\"]}}\n";
    let suite = suite_of(&[("s.toml", toml), ("deep/c.jsonl", file)]);
    let cases = suite.cases.unwrap();
    let ids: Vec<_> = cases.list.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(cases.list[1].vars["reference"], serde_json::json!({"answer": "suite", "facts": ["f"]}));
    assert_eq!(suite.checks[0].case, Some(1));
    // The environment's value is nowhere in what is recorded of the suite.
    assert!(suite.files.keys().any(|name| name == "{{ env.SEA }}/c.jsonl"), "{:?}", suite.files);
    assert!(suite.files.keys().all(|name| !name.contains("deep")));
}

#[test]
fn the_command_line_replaces_subject_and_sessions_but_not_the_digest() {
    let folder = Folder::new(&[("s.toml", WHOLE)]);
    let plain = folder.load(&["s.toml"]).ok().unwrap().suites.remove(0);
    let changed = folder.load_as(&["s.toml"], |env| {
        env.subject = Some(subject("other"));
        env.sessions = Some(vec!["here.jsonl".into()]);
    });
    let changed = changed.ok().unwrap().suites.remove(0);
    assert_eq!(changed.subject.map(|s| s.agent).as_deref(), Some("other"));
    assert_eq!(changed.recorded.paths, ["here.jsonl"]);
    assert_eq!(changed.recorded.base, PathBuf::new());
    assert_eq!(changed.digest, plain.digest);
}

#[test]
fn a_check_that_does_not_run_in_the_gate_is_left_out_of_a_run() {
    let text = with_head("[[turn]]\nid = \"w\"\ncheck = \"says\"\nvalue = \"x\"\nruns_in = [\"watch\"]\n");
    assert!(suite(&text).checks.is_empty());
    let folder = Folder::new(&[("s.toml", &text)]);
    let watched = folder.load_as(&["s.toml"], |env| env.place = RunsIn::Watch).ok().unwrap().suites.remove(0);
    assert_eq!(watched.checks[0].id, "w");
}

#[test]
fn digests_change_with_what_is_evaluated_and_with_nothing_else() {
    let text = |check: &str| with_head(&format!("[[span]]\nid = \"a\"\n{check}"));
    let digest = |check: &str, file: &str| {
        let suite = suite_of(&[("s.toml", &text(check)), ("f.json", file)]);
        (suite.checks[0].digest, suite.digest)
    };
    let plain = digest("check = \"args\"\nschema_file = \"f.json\"\ntool = \"t\"\n", "{}");
    let reordered = digest("tool = \"t\"\ncheck = \"args\"\nschema_file = \"f.json\"\n", "{}");
    assert_eq!(plain.0, reordered.0, "the order of keys means nothing");
    let severity = digest("check = \"args\"\nschema_file = \"f.json\"\ntool = \"t\"\nseverity = \"warn\"\n", "{}");
    assert_eq!(plain.0, severity.0, "what a failure does is not what is checked");
    assert_ne!(plain.1, severity.1);
    for (check, file) in [
        ("check = \"args\"\nschema_file = \"f.json\"\ntool = \"u\"\n", "{}"),
        ("check = \"args\"\nschema_file = \"f.json\"\ntool = \"t\"\n", "{ }"),
        ("check = \"args\"\nschema_file = \"f.json\"\ntool = \"t\"\nrequire = \"any\"\n", "{}"),
        ("check = \"args\"\nschema_file = \"f.json\"\ntool = \"t\"\non = { name = \"x\" }\n", "{}"),
    ] {
        let other = digest(check, file);
        assert_ne!(plain.0, other.0, "{check} {file}");
        assert_ne!(plain.1, other.1, "{check} {file}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever is cut out of a suite or put into it: problems, never a panic; and problems can always be drawn.
    #[test]
    fn a_damaged_suite_never_panics(start in 0..2000usize, len in 0..40usize, insert in "[\\[\\]{}=\"'#.\n%a-z0-9é]{0,6}") {
        let mut chars: Vec<char> = WHOLE.chars().collect();
        let start = start.min(chars.len());
        let end = (start + len).min(chars.len());
        chars.splice(start..end, insert.chars());
        let text: String = chars.into_iter().collect();
        let folder = Folder::new(&[("s.toml", &text)]);
        if let Err(problems) = folder.load(&["s.toml"]) {
            proptest::prop_assert!(problems.has_errors());
            proptest::prop_assert!(problems.render(false).contains("error"));
            proptest::prop_assert_eq!(problems.lines().len(), problems.len());
        }
    }
}

#[test]
fn a_folder_is_searched_and_fragments_settings_and_dot_files_are_not_suites() {
    let folder = Folder::new(&[
        ("a/s.toml", &with_head("")),
        ("a/.hidden.toml", "nonsense"),
        ("a/.dir/x.toml", "nonsense"),
        ("seatrial.toml", "nonsense"),
        ("f.toml", "[fragment]\n"),
        ("b/t.toml", "[suite]\nname = \"t\"\n"),
    ]);
    let loaded = folder.load(&["."]).ok().unwrap();
    let names: Vec<_> = loaded.suites.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["s", "t"]);
    // The same file named twice is one suite.
    assert_eq!(folder.load(&["a", "a/s.toml"]).ok().unwrap().suites.len(), 1);
}

#[test]
fn warnings_of_checks_do_not_stop_a_suite() {
    let text = with_head("[[turn]]\nid = \"w\"\ncheck = \"says\"\nignore_case = true\nvalues = []\n");
    let folder = Folder::new(&[("s.toml", &text)]);
    let loaded = folder.load(&["s.toml"]).ok().unwrap();
    assert_eq!(described(&folder, &loaded.warnings), ["7: `values` is empty"]);
    assert_eq!(loaded.suites[0].checks.len(), 1);
}
