//! Facts that are stated, or are not.

use super::*;
use crate::checks::session::testing::{problems, run, run_turn};
use crate::model::Status;

fn says(values: &str, replies: &[&str]) -> Finding {
    let turns: Vec<Value> = replies.iter().map(|r| serde_json::json!({ "reply": r })).collect();
    run::<Facts>(&format!("values = {values}"), &serde_json::json!({ "id": "s", "turns": turns }).to_string())
}

#[test]
fn the_documented_examples_hold() {
    crate::checks::probe::examples::<Facts>();
}

#[test]
fn a_text_is_a_part_of_a_reply_whatever_case_space_quotes_and_dashes() {
    let cases = [
        ("you're all set", "Great - YOU\u{2019}RE\n  all\u{a0}set!"),
        ("say \"yes\"", "say \u{201c}Yes\u{201d}"),
        ("non-stop", "Non\u{2011}stop"),
        ("$1200", "It costs $1,200.50"),
        ("1,234,567", "1234567"),
        ("ÄRGER", "kein ärger"),
    ];
    for (fact, reply) in cases {
        assert_eq!(says(&format!("['''{fact}''']"), &[reply]).status, Status::Pass, "{fact} in {reply}");
    }
    for (fact, reply) in [("12", "1, 2"), ("1234", "1,2345"), ("cafe", "café"), ("12", "1,2")] {
        assert_eq!(says(&format!("['{fact}']"), &[reply]).status, Status::Fail, "{fact} in {reply}");
    }
}

#[test]
fn any_reply_may_state_it_and_all_facts_are_needed() {
    assert_eq!(says("['a', 'b']", &["has a", "has b"]).status, Status::Pass);
    let failed = says("['a', 'z', ['x', 'y']]", &["has a", "nothing"]);
    assert_eq!((failed.status, failed.score), (Status::Fail, Some(1.0 / 3.0)));
    assert_eq!(failed.reason, r#"2 of 3 facts are not stated in 2 replies: "z", "x" or "y"; the last reply: nothing"#);
    assert_eq!(failed.evidence, [Evidence::turn(1, Field::Reply)]);
}

#[test]
fn a_fact_that_runs_over_two_replies_is_not_stated() {
    assert_eq!(says("['a b']", &["a", "b"]).status, Status::Fail);
}

#[test]
fn matchers_see_the_reply_as_it_is() {
    assert_eq!(says("[{ '$matches' = '\\bX\\d+' }]", &["code X12"]).status, Status::Pass);
    assert_eq!(says("[{ '$matches' = '\\bX\\d+' }]", &["code x12"]).status, Status::Fail);
    assert_eq!(says("[[{ '$matches' = '^Z' }, 'x12']]", &["code X12"]).status, Status::Pass);
    assert_eq!(says("[42]", &["It is 42."]).status, Status::Pass);
}

#[test]
fn the_reference_says_what_to_look_for_when_the_check_does_not() {
    let line = |facts: &str| format!(r#"{{"id":"s","reference":{{{facts}}},"turns":[{{"reply":"it is Tuesday"}}]}}"#);
    assert_eq!(run::<Facts>("", &line(r#""facts":["tuesday"]"#)).status, Status::Pass);
    assert_eq!(run::<Facts>("", &line(r#""facts":["friday"]"#)).status, Status::Fail);
    assert_eq!(run::<Facts>("", &line("")).status, Status::Error);
    assert_eq!(run::<Facts>("", &line(r#""facts":[" "]"#)).status, Status::Error);
    assert!(!run::<Facts>("", &line(r#""facts":[]"#)).applies);
    assert_eq!(run::<Facts>("values = ['tuesday']", &line(r#""facts":["friday"]"#)).status, Status::Pass);
}

#[test]
fn a_turn_is_held_to_its_own_facts_and_reply() {
    let line =
        r#"{"id":"s","turns":[{"reply":"a","reference":{"facts":["a"]}},{"reply":"a","reference":{"facts":["b"]}}]}"#;
    assert_eq!(run_turn::<Facts>("", line, 0).status, Status::Pass);
    assert_eq!(run_turn::<Facts>("", line, 1).status, Status::Fail);
}

#[test]
fn no_recorded_reply_is_an_error() {
    assert_eq!(run::<Facts>("values = ['a']", r#"{"id":"s","turns":[{"user":"a"}]}"#).status, Status::Error);
}

fn meant(toml: &str, reply: &str, says: &'static str) -> Finding {
    use crate::checks::asking::{Answer, Edge, Need, Reply, Said, Subject, settle};
    struct Says(&'static str);
    impl Edge for Says {
        fn answer(&self, _: &Need) -> Answer {
            Ok(Reply::Said(Said { text: self.0.to_owned(), ..Said::default() }))
        }
    }
    let toml = format!("judge = 'default'\n{toml}");
    let Compiled::Asking(check) = crate::checks::probe::build::<Facts>(Level::Session, &toml).unwrap() else {
        panic!()
    };
    let session = serde_json::json!({ "id": "s", "turns": [{ "reply": reply, "spans":
            [{ "kind": "tool", "name": "f", "output": "in a tool" }] }] });
    crate::checks::probe::scene(&session.to_string(), &[], |scene| {
        let subject = Subject::Session(crate::checks::subject::SessionSubject { scene });
        settle(&*check, &subject, &Says(says))
    })
}

#[test]
fn a_judge_says_which_texts_are_stated_and_matchers_are_applied_as_they_are() {
    let one = r#"{"facts":[{"number":1,"stated":true,"quote":"ruled out"}],"reason":""}"#;
    let both = "values = ['not possible', { '$matches' = 'X\\d' }]";
    let found = meant(both, "It is ruled out: X1.", one);
    assert_eq!((found.status, found.score, found.confidence), (Status::Pass, Some(1.0), 2.0 / 3.0));
    let missing = meant(both, "It is ruled out.", one);
    assert_eq!((missing.status, missing.score, missing.confidence), (Status::Fail, Some(0.5), 1.0));
    assert_eq!(meant("values = ['not possible']", "x", "it is").status, Status::Error);
}

#[test]
fn a_fact_that_only_a_tool_states_is_not_told_to_the_user() {
    let by_tool = r#"{"facts":[{"number":1,"stated":true,"quote":"in a tool"}],"reason":""}"#;
    assert_eq!(meant("values = ['a']", "nothing", by_tool).confidence, 0.0);
}

#[test]
fn every_fact_has_to_be_spoken_of_once() {
    for facts in ["[]", r#"[{"number":2,"stated":true,"quote":"x"}]"#] {
        let says: &'static str = Box::leak(format!(r#"{{"facts":{facts},"reason":""}}"#).into_boxed_str());
        let found = meant("values = ['a']", "x", says);
        assert_eq!(found.status, Status::Error);
        assert!(found.reason.contains("there are the facts 1 to 1"), "{}", found.reason);
    }
}

#[test]
fn what_is_of_judges_needs_one() {
    assert_eq!(problems::<Facts>(Level::Session, "values = ['a']\nvotes = 3").len(), 1);
}

#[test]
fn facts_that_every_reply_states_are_refused() {
    assert_eq!(problems::<Facts>(Level::Session, "values = []").len(), 1);
    assert_eq!(
        problems::<Facts>(Level::Session, "values = ['a', [' ']]"),
        ["values.1: an empty fact is stated by every reply"]
    );
    assert_eq!(problems::<Facts>(Level::Session, "values = [[]]").len(), 1);
}
