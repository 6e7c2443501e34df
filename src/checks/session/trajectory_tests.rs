//! A test for every sentence of the trajectory section of the suite language.

use proptest::prelude::*;

use super::*;
use crate::checks::expect::Expected;
use crate::checks::matcher::Matcher;
use crate::checks::session::testing::{self, apply, calling, compile, examples_hold, problems, run, run_turn};
use crate::model::{Session, Status};

const MODES: [&str; 5] = ["exact", "in_order", "any_order", "unordered", "subset"];

/// A session whose recording expects the reference calls: `f {"x":1}`; `f` alone says nothing about arguments.
fn session(reference: &[&str], calls: &[&str]) -> String {
    let tools: Vec<String> = reference
        .iter()
        .map(|call| match call.split_once(' ') {
            Some((name, args)) => format!(r#"{{"name":"{name}","args":{}}}"#, serde_json::to_string(args).unwrap()),
            None => format!(r#"{{"name":"{call}"}}"#),
        })
        .collect();
    let reference = format!(r#"{{"id":"s","reference":{{"tools":[{}]}},"#, tools.join(","));
    calling(calls).replacen(r#"{"id":"s","#, &reference, 1)
}

fn finding(parameters: &str, reference: &[&str], calls: &[&str]) -> Finding {
    run::<Trajectory>(parameters, &session(reference, calls))
}

fn passes(mode: &str, reference: &[&str], calls: &[&str]) -> bool {
    let finding = finding(&format!("mode = '{mode}'"), reference, calls);
    assert_ne!(finding.status, Status::Error, "{}", finding.reason);
    finding.status == Status::Pass
}

fn score(mode: &str, reference: &[&str], calls: &[&str]) -> f64 {
    finding(&format!("mode = '{mode}'"), reference, calls).score.unwrap()
}

/// Which modes pass, in the order of [`MODES`].
fn verdicts(reference: &[&str], calls: &[&str]) -> [bool; 5] {
    MODES.map(|mode| passes(mode, reference, calls))
}

#[test]
fn the_documented_examples_hold() {
    examples_hold::<Trajectory>();
}

#[test]
fn exact_wants_the_same_calls_at_the_same_positions() {
    assert!(passes("exact", &["f {}", "g {}"], &["f", "g"]));
    assert!(!passes("exact", &["f {}", "g {}"], &["g", "f"]));
    assert!(!passes("exact", &["f {}", "g {}"], &["f", "g", "g"]));
    assert!(!passes("exact", &["f {}", "g {}"], &["f"]));
}

#[test]
fn in_order_wants_a_subsequence() {
    assert!(passes("in_order", &["f {}", "g {}"], &["h", "f", "h", "g", "h"]));
    assert!(!passes("in_order", &["f {}", "g {}"], &["g", "f"]));
    assert!(!passes("in_order", &["f {}", "f {}", "g {}"], &["f", "g", "f"]));
}

#[test]
fn any_order_wants_a_call_of_its_own_for_each_and_lets_others_be() {
    assert!(passes("any_order", &["f {}", "g {}"], &["g", "h", "f"]));
    assert!(!passes("any_order", &["f {}", "f {}"], &["f", "g"]));
}

#[test]
fn any_order_finds_the_assignment_that_first_come_misses() {
    let (reference, calls) = (["f {\"x\":1}", "f {\"x\":1,\"y\":2}"], ["f {\"x\":1,\"y\":2}", "f {\"x\":1}"]);
    assert_eq!(finding("mode = 'any_order'\nargs = 'superset'", &reference, &calls).status, Status::Pass);
    assert_eq!(finding("mode = 'unordered'\nargs = 'partial'", &reference, &calls).status, Status::Pass);
}

#[test]
fn unordered_is_any_order_without_others() {
    assert!(passes("unordered", &["f {}", "g {}"], &["g", "f"]));
    assert!(!passes("unordered", &["f {}", "g {}"], &["g", "f", "h"]));
}

#[test]
fn subset_allows_no_call_beyond_the_reference() {
    assert!(passes("subset", &["f {}", "g {}"], &["g"]));
    assert!(!passes("subset", &["f {}", "g {}"], &["f", "f"]));
    assert!(!passes("subset", &["f {}"], &["h"]));
}

#[test]
fn an_empty_reference_is_an_expectation() {
    assert_eq!(verdicts(&[], &["f"]), [false, true, true, false, false]);
    assert_eq!(verdicts(&[], &[]), [true; 5]);
}

#[test]
fn an_empty_actual_passes_only_where_nothing_is_required() {
    assert_eq!(verdicts(&["f {}"], &[]), [false, false, false, false, true]);
}

#[test]
fn no_reference_at_all_is_an_error_that_says_how_to_give_one() {
    let finding = run::<Trajectory>("mode = 'any_order'", &calling(&["f"]));
    assert_eq!((finding.status, finding.score), (Status::Error, None));
    assert!(finding.reason.contains("reference.tools"), "{}", finding.reason);
    let only_answer = r#"{"id":"s","reference":{"answer":"yes"}}"#;
    assert_eq!(run::<Trajectory>("mode = 'any_order'", only_answer).status, Status::Error);
}

#[test]
fn a_turn_is_held_to_its_own_reference() {
    let line = r#"{"id":"s","reference":{"tools":[{"name":"z"}]},"turns":[
        {"reference":{"tools":[{"name":"f"}]},"spans":[{"kind":"tool","name":"f"}]},
        {"reference":{"tools":[{"name":"g"}]},"spans":[{"kind":"tool","name":"f"}]},
        {"spans":[{"kind":"tool","name":"f"}]}]}"#;
    let status = |turn| run_turn::<Trajectory>("mode = 'exact'", line, turn).status;
    assert_eq!([status(0), status(1), status(2)], [Status::Pass, Status::Fail, Status::Error]);
}

#[test]
fn scores_of_in_order_and_any_order_are_the_share_of_the_reference() {
    assert_eq!(score("in_order", &["f {}", "g {}", "h {}"], &["g", "h", "f"]), 2.0 / 3.0);
    assert_eq!(score("any_order", &["f {}", "g {}", "h {}"], &["g", "h", "k"]), 2.0 / 3.0);
    // Greedy would take f first and lose g, h behind it.
    assert_eq!(score("in_order", &["f {}", "g {}", "h {}"], &["g", "h", "f", "k"]), 2.0 / 3.0);
    assert_eq!(score("in_order", &[], &["f"]), 1.0);
    assert_eq!(score("any_order", &[], &["f"]), 1.0);
}

#[test]
fn the_score_of_subset_is_the_share_of_the_calls_made() {
    assert_eq!(score("subset", &["f {}", "g {}"], &["f", "h", "h"]), 1.0 / 3.0);
    assert_eq!(score("subset", &["f {}"], &[]), 1.0);
    assert_eq!(score("subset", &[], &["f"]), 0.0);
}

#[test]
fn the_score_of_exact_and_unordered_is_f1() {
    // Longest common subsequence g, h: 2 * 2 / (3 + 4).
    assert_eq!(score("exact", &["f {}", "g {}", "h {}"], &["g", "h", "f", "k"]), 4.0 / 7.0);
    assert_eq!(score("unordered", &["f {}", "g {}", "h {}"], &["g", "h", "f", "k"]), 6.0 / 7.0);
    for mode in ["exact", "unordered"] {
        assert_eq!(score(mode, &[], &[]), 1.0);
        assert_eq!(score(mode, &["f {}"], &[]), 0.0);
        assert_eq!(score(mode, &[], &["f"]), 0.0);
    }
}

#[test]
fn the_modes_condition_decides_unless_a_score_is_asked_for() {
    let (reference, calls) = (["f {}", "g {}"], ["f", "h"]);
    assert_eq!(finding("mode = 'any_order'", &reference, &calls).status, Status::Fail);
    assert_eq!(finding("mode = 'any_order'\nmin_score = 0.5", &reference, &calls).status, Status::Pass);
    assert_eq!(finding("mode = 'any_order'\nmin_score = 0.51", &reference, &calls).status, Status::Fail);
    // A pass by score still says what differs.
    assert!(finding("mode = 'any_order'\nmin_score = 0.5", &reference, &calls).reason.contains("first difference"));
}

#[test]
fn a_score_that_decides_nothing_or_cannot_be_reached_is_refused() {
    for min in ["0.0", "-0.5", "1.01", "nan"] {
        let found = problems::<Trajectory>(Level::Session, &format!("mode = 'exact'\nmin_score = {min}"));
        assert!(found.len() == 1 && found[0].starts_with("min_score:"), "{min}: {found:?}");
    }
}

#[test]
fn a_mode_is_required() {
    assert!(testing::build::<Trajectory>(Level::Session, "").is_err());
}

#[test]
fn args_modes_compare_as_they_say() {
    let reference = [r#"f {"a":{"x":1},"b":2}"#];
    let cases = [
        (r#"f {"a":{"x":1},"b":2}"#, [true, true, true, true, true]),
        (r#"f {"b":2.0,"a":{"x":1}}"#, [true, true, true, true, true]),
        (r#"f {"a":{"x":1},"b":2,"c":3}"#, [false, true, true, false, true]),
        (r#"f {"a":{"x":1,"y":0},"b":2}"#, [false, true, false, false, true]),
        (r#"f {"b":2}"#, [false, false, false, true, true]),
        ("f {}", [false, false, false, true, true]),
        (r#"f {"b":3}"#, [false, false, false, false, true]),
        (r#"f {"a":{"x":1},"b":"2"}"#, [false, false, false, false, true]),
    ];
    for (call, expected) in cases {
        let got = ["exact", "partial", "superset", "subset", "ignore"].map(|args| {
            finding(&format!("mode = 'exact'\nargs = '{args}'"), &reference, &[call]).status == Status::Pass
        });
        assert_eq!(got, expected, "{call}");
    }
}

#[test]
fn an_args_mode_for_one_tool_leaves_the_others() {
    let parameters = "mode = 'exact'\nargs_for = { f = 'ignore' }";
    assert_eq!(finding(parameters, &["f {\"x\":1}", "g {}"], &["f {\"x\":2}", "g"]).status, Status::Pass);
    assert_eq!(finding(parameters, &["f {\"x\":1}", "g {}"], &["f", "g {\"x\":2}"]).status, Status::Fail);
}

#[test]
fn tools_named_in_args_for_must_exist_somewhere() {
    let rule: Trajectory = toml::from_str("mode = 'exact'\nargs_for = { f = 'ignore', g = 'exact' }").unwrap();
    assert_eq!(rule.tool_names(), ["f", "g"]);
}

#[test]
fn args_subset_is_warned_of() {
    assert_eq!(problems::<Trajectory>(Level::Session, "mode = 'exact'\nargs = 'subset'").len(), 1);
    let (compiled, problems) =
        testing::build::<Trajectory>(Level::Session, "mode = 'exact'\nargs_for = { f = 'subset' }").unwrap();
    assert!(compiled.is_some() && problems[0].warning);
    assert_eq!(problems[0].path, ["args_for", "f"]);
}

#[test]
fn failed_attempts_count_unless_they_are_ignored() {
    assert_eq!(finding("mode = 'exact'", &["f {}"], &["!f", "f"]).status, Status::Fail);
    let ignoring = "mode = 'exact'\nfailed_calls = 'ignore'";
    assert_eq!(finding(ignoring, &["f {}"], &["!f", "f"]).status, Status::Pass);
    assert_eq!(finding(ignoring, &["f {}"], &["!f"]).status, Status::Fail);
}

#[test]
fn an_attempt_to_call_a_tool_that_does_not_exist_is_a_call() {
    assert!(!passes("exact", &["f {}"], &["!no_such_tool", "f"]));
}

#[test]
fn calls_are_taken_in_start_order_whatever_the_order_of_the_recording() {
    let with = |g: &str, f: &str| {
        let line = format!(
            r#"{{"id":"s","reference":{{"tools":[{{"name":"f"}},{{"name":"g"}}]}},"turns":[{{"spans":[
            {{"kind":"tool","name":"g"{g}}},{{"kind":"tool","name":"f"{f}}}]}}]}}"#
        );
        ["exact", "in_order"].map(|mode| run::<Trajectory>(&format!("mode = '{mode}'"), &line).status)
    };
    // As they ended: g, which started later, was over first.
    assert_eq!(with(r#","start_ns":20,"end_ns":30"#, r#","start_ns":10,"end_ns":40"#), [Status::Pass; 2]);
    assert_eq!(with(r#","start_ns":10"#, r#","start_ns":20"#), [Status::Fail; 2]);
    // Where a start is missing, the recorded order is all there is; equal starts keep it.
    assert_eq!(with(r#","start_ns":20"#, ""), [Status::Fail; 2]);
    assert_eq!(with(r#","start_ns":10"#, r#","start_ns":10"#), [Status::Fail; 2]);
}

#[test]
fn only_tool_spans_are_calls() {
    let line = r#"{"id":"s","reference":{"tools":[]},"turns":[{"spans":[{"kind":"other","name":"f"},{"kind":"llm","name":"f"}]}]}"#;
    assert_eq!(run::<Trajectory>("mode = 'exact'", line).status, Status::Pass);
}

#[test]
fn arguments_that_are_not_json_match_only_under_ignore_and_the_reason_says_so() {
    for broken in ["f {\"a\":1", "f "] {
        let failed = finding("mode = 'exact'\nargs = 'subset'", &["f {\"a\":1}"], &[broken]);
        assert_eq!(failed.status, Status::Fail);
        assert!(failed.reason.contains("not valid JSON"), "{}", failed.reason);
        assert_eq!(finding("mode = 'exact'\nargs = 'ignore'", &["f {\"a\":1}"], &[broken]).status, Status::Pass);
    }
    // Broken on both sides is not equal either.
    assert_eq!(finding("mode = 'exact'", &["f {\"a\":1"], &["f {\"a\":1"]).status, Status::Fail);
}

#[test]
fn a_reference_call_without_arguments_says_nothing_about_them() {
    assert!(passes("exact", &["f"], &["f {\"x\":1}"]));
    assert!(!passes("exact", &["f {}"], &["f {\"x\":1}"]));
}

#[test]
fn arguments_that_were_not_recorded_are_an_error_where_they_would_decide() {
    let with = |reference: &str, spans: &str| {
        let line = format!(r#"{{"id":"s","reference":{{"tools":[{reference}]}},"turns":[{{"spans":[{spans}]}}]}}"#);
        run::<Trajectory>("mode = 'any_order'", &line)
    };
    let bare = r#"{"kind":"tool","name":"f"}"#;
    let decides = with(r#"{"name":"f","args":{"x":1}}"#, bare);
    assert_eq!((decides.status, decides.score), (Status::Error, None));
    assert_eq!(decides.evidence, [Evidence::span(0, Field::Input)]);
    assert_eq!(with(r#"{"name":"f"}"#, bare).status, Status::Pass);
    assert_eq!(with(r#"{"name":"g","args":{}}"#, bare).status, Status::Fail);
    let other = format!(r#"{bare},{{"kind":"tool","name":"f","input":{{"x":1}}}}"#);
    assert_eq!(with(r#"{"name":"f","args":{"x":1}}"#, &other).status, Status::Pass);
    // Fails either way, but how much of it was met cannot be known.
    let fails = with(r#"{"name":"f","args":{"x":1}},{"name":"g"}"#, bare);
    assert_eq!((fails.status, fails.score), (Status::Fail, None));
}

#[test]
fn names_must_be_equal_to_the_letter() {
    assert!(!passes("exact", &["get {}"], &["Get"]));
}

#[test]
fn matchers_in_a_suites_reference_are_used() {
    let matcher: Matcher = serde_json::from_value(serde_json::json!({"id": {"$matches": "^[A-Z]{3}$"}})).unwrap();
    let call = ExpectedCall { name: "f".into(), args: Some(matcher.into()) };
    let expected = Expected { tools: Some(vec![call].into()), ..Expected::default() };
    let check = compile::<Trajectory>(Level::Session, "mode = 'exact'");
    let status = |line: &str| {
        let session: Session<'_> = serde_json::from_str(line).unwrap();
        testing::apply_expecting(&check, &session, 0, &expected, &[]).status
    };
    assert_eq!(status(&calling(&["f {\"id\":\"ABC\"}"])), Status::Pass);
    assert_eq!(status(&calling(&["f {\"id\":\"abc\"}"])), Status::Fail);
    // From a recording the same text is a value, not a matcher.
    assert!(!passes("exact", &[r#"f {"id":{"$matches":"^A"}}"#], &["f {\"id\":\"A\"}"]));
}

#[test]
fn the_reason_lists_expected_actual_and_the_first_difference() {
    let failed = finding("mode = 'exact'", &["f {}", "g {\"x\":1,\"y\":0}"], &["f", "g {\"x\":2,\"y\":0}", "h"]);
    insta::assert_snapshot!(failed.reason, @r#"expected exactly these calls: 1. f({}), 2. g({"x":1,"y":0}); actual: 1. f({}), 2. g({"x":2,"y":0}), 3. h({}); first difference: call 2: g: argument `x`: expected 1, got 2"#);
    assert_eq!(failed.evidence, [Evidence::span(1, Field::Input).at("/x"), Evidence::span(2, Field::Whole)]);

    let failed = finding("mode = 'in_order'", &["f {}", "g {}"], &["g", "f"]);
    insta::assert_snapshot!(failed.reason, @r#"expected these calls in this order, others between: 1. f({}), 2. g({}); actual: 1. g({}), 2. f({}); first difference: expected call 2, g({}), was not made after call 2; call 1 comes too early"#);

    let failed = finding("mode = 'any_order'", &["f {}", "g {\"x\":1}"], &["g {}", "f"]);
    insta::assert_snapshot!(failed.reason, @r#"expected these calls in any order, others allowed: 1. f({}), 2. g({"x":1}); actual: 1. g({}), 2. f({}); first difference: expected call 2, g({"x":1}), was not made; call 1: g: argument `x`: expected 1, it is absent"#);
    assert_eq!(failed.evidence, [Evidence::span(0, Field::Input)]);

    let failed = finding("mode = 'unordered'", &["f {}"], &["f", "h"]);
    insta::assert_snapshot!(failed.reason, @"expected these calls in any order, no others: 1. f({}); actual: 1. f({}), 2. h({}); first difference: call 2, h({}), is not expected");

    let failed = finding("mode = 'subset'", &["f {}"], &["f {\"x\":1}"]);
    insta::assert_snapshot!(failed.reason, @r#"expected no other calls than these: 1. f({}); actual: 1. f({"x":1}); first difference: call 1: f: argument `x` is not expected"#);

    let failed = finding("mode = 'exact'", &["f {}"], &[]);
    insta::assert_snapshot!(failed.reason, @"expected exactly these calls: 1. f({}); actual: no calls; first difference: expected call 1, f({}), was not made");
    assert_eq!(failed.evidence, [Evidence::session(Field::Whole)]);
}

#[test]
fn a_reason_stays_short_whatever_the_calls() {
    let long = format!("f {{\"x\":\"{}\"}}", "é".repeat(100_000));
    let calls: Vec<&str> = vec![&long; 40];
    let failed = finding("mode = 'exact'", &["f {\"x\":1}"], &calls);
    assert!(failed.reason.len() < 20_000, "{}", failed.reason.len());
    assert!(failed.reason.contains("and 24 more"));
    assert!(failed.evidence.len() <= EVIDENCE);
}

#[test]
fn a_thousand_calls_are_compared() {
    let calls: Vec<String> = (0..1000).map(|i| format!("f {{\"x\":{}}}", i % 300)).collect();
    let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
    let mut reversed = calls.clone();
    reversed.reverse();
    assert!(passes("unordered", &reversed, &calls));
    assert!(!passes("exact", &reversed, &calls));
}

#[test]
fn more_than_can_be_compared_is_an_error_and_never_a_verdict() {
    let calls: Vec<String> = (0..3000).map(|i| format!("f {{\"x\":{i}}}")).collect();
    let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
    assert_eq!(finding("mode = 'unordered'", &calls, &calls).status, Status::Error);
}

/// Calls of two tools with few arguments, so that they often match.
fn sequence() -> impl Strategy<Value = Vec<&'static str>> {
    let calls = ["f {}", "f {\"x\":1}", "f {\"x\":1,\"y\":2}", "g {}", "g {\"x\":1}"];
    prop::collection::vec(prop::sample::select(calls.to_vec()), 0..7)
}

fn check(mode: &str, args: &str, reference: &[&str], calls: &[&str]) -> (bool, f64) {
    let finding = finding(&format!("mode = '{mode}'\nargs = '{args}'"), reference, calls);
    (finding.status == Status::Pass, finding.score.unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn exact_implies_in_order_implies_any_order(r in sequence(), a in sequence(), args in prop::sample::select(vec!["exact", "partial", "subset", "ignore"])) {
        let [exact, in_order, any_order] = ["exact", "in_order", "any_order"].map(|m| check(m, args, &r, &a).0);
        prop_assert!(!exact || in_order);
        prop_assert!(!in_order || any_order);
    }

    #[test]
    fn order_means_nothing_to_the_unordered_modes(r in sequence(), a in sequence().prop_flat_map(|a| (Just(a.clone()), Just(a).prop_shuffle()))) {
        for mode in ["any_order", "unordered", "subset"] {
            prop_assert_eq!(check(mode, "superset", &r, &a.0), check(mode, "superset", &r, &a.1));
        }
    }

    #[test]
    fn unordered_is_any_order_both_ways_under_equality(r in sequence(), a in sequence()) {
        let both = check("any_order", "exact", &r, &a).0 && check("any_order", "exact", &a, &r).0;
        prop_assert_eq!(check("unordered", "exact", &r, &a).0, both);
        prop_assert_eq!(check("subset", "exact", &r, &a).0, check("any_order", "exact", &a, &r).0);
    }

    #[test]
    fn a_sequence_matches_itself(r in sequence(), args in prop::sample::select(vec!["exact", "partial", "superset", "subset", "ignore"])) {
        for mode in MODES {
            prop_assert_eq!(check(mode, args, &r, &r), (true, 1.0));
        }
    }

    #[test]
    fn a_score_is_a_share_and_a_pass_by_condition_scores_one(r in sequence(), a in sequence()) {
        for mode in MODES {
            let (ok, score) = check(mode, "partial", &r, &a);
            prop_assert!((0.0..=1.0).contains(&score));
            prop_assert_eq!(ok, score == 1.0, "{}", mode);
        }
    }

    #[test]
    fn what_a_turn_says_the_session_of_that_turn_says(r in sequence(), a in sequence()) {
        let line = session(&r, &a);
        let turn_line = {
            let mut session: Session<'_> = serde_json::from_str(&line).unwrap();
            session.turns[0].reference = session.reference.take();
            serde_json::to_string(&session).unwrap()
        };
        for mode in MODES {
            let parameters = format!("mode = '{mode}'");
            let whole = apply(&compile::<Trajectory>(Level::Session, &parameters), &serde_json::from_str(&line).unwrap(), 0);
            let turn = run_turn::<Trajectory>(&parameters, &turn_line, 0);
            prop_assert_eq!((whole.status, whole.score), (turn.status, turn.score));
        }
    }
}
