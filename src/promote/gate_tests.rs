//! What stands against a promotion, and what does not.

use super::*;
use crate::promote::testing::{at, run, suite, version};

fn weigh(runs: &[Run], rules: &Rules) -> Vec<String> {
    Run::weigh(runs, &version(), rules, None, at(10)).into_iter().map(|r| r.reason).collect()
}

#[test]
fn a_run_of_the_version_that_passed_is_evidence() {
    assert_eq!(weigh(&[run("r1", 5, vec![suite("a", Decision::Passed)])], &Rules::default()), Vec::<String>::new());
}

#[test]
fn everything_that_stands_against_it_is_said() {
    let mut other = suite("a", Decision::Failed);
    other.subject = Some(Subject { agent: "airline".into(), version: Some("0.9".into()) });
    let mut nobody = suite("b", Decision::Held);
    nobody.subject = None;
    let rules = Rules {
        suites: vec!["a".into(), "b".into(), "c".into()],
        max_age_s: Some(2),
        artifact: true,
        ..Rules::default()
    };
    let runs = [run("r1", 5, vec![other, nobody])];
    let said = weigh(&runs, &rules).join("\n");
    for part in [
        "give it by --artifact",
        "no run is of the suite `c`",
        "suite `a` judged airline@0.9, and is no evidence of airline@1.4",
        "`a` is failed (run r1)",
        "`b` does not say whose sessions it judged",
        "`b` is held",
        "5s ago; evidence may be 2s old",
    ] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    let found = Run::weigh(&runs, &version(), &rules, None, at(10));
    assert_eq!(code(&found), exit::FAILED);
    assert!(found.iter().filter(|r| !r.can_be_overridden).count() >= 3, "{found:?}");
    assert_eq!(Outcome::of(&runs, &found), Outcome::Failed);
}

#[test]
fn the_run_that_ended_last_counts_for_a_suite() {
    let older = run("r1", 3, vec![suite("a", Decision::Passed), suite("b", Decision::Passed)]);
    let newer = run("r2", 5, vec![suite("a", Decision::Failed)]);
    for runs in [[older.clone(), newer.clone()], [newer, older]] {
        assert_eq!(weigh(&runs, &Rules::default()), ["suite `a` is failed (run r2)"]);
    }
    // Twice the same run is one.
    let twice = run("r1", 3, vec![suite("a", Decision::Failed)]);
    assert_eq!(weigh(&[twice.clone(), twice], &Rules::default()).len(), 1);
}

#[test]
fn a_suite_that_is_not_asked_for_does_not_stand_against_it() {
    let runs = [run("r1", 5, vec![suite("a", Decision::Passed), suite("b", Decision::Failed)])];
    assert!(weigh(&runs, &Rules { suites: vec!["a".into()], ..Rules::default() }).is_empty());
    assert_eq!(weigh(&runs, &Rules::default()).len(), 1);
}

#[test]
fn no_evidence_and_evidence_from_the_future_are_none() {
    assert_eq!(weigh(&[], &Rules::default()), ["the runs hold no suite"]);
    let said = weigh(&[run("r1", 1000, vec![suite("a", Decision::Passed)])], &Rules::default());
    assert!(said[0].contains("in the future"), "{said:?}");
}

#[test]
fn it_survives_its_text() {
    let gate = crate::promote::testing::gate();
    let read: Gate = serde_json::from_str(&gate.text().unwrap()).unwrap();
    assert_eq!(read, gate);
    assert_eq!(read.text().unwrap(), gate.text().unwrap());
}

#[test]
fn the_digest_of_data_does_not_depend_on_the_order() {
    let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
    assert_eq!(Data::digest(&mut [a, b]), Data::digest(&mut [b, a]));
    assert_ne!(Data::digest(&mut [a, b]), Data::digest(&mut [a, a, b]));
}

#[test]
fn a_run_whose_end_the_store_did_not_see_is_said_once_and_can_be_overridden() {
    let unseen =
        Run { attested: false, ..run("r1", 5, vec![suite("a", Decision::Passed), suite("b", Decision::Passed)]) };
    let found = Run::weigh(std::slice::from_ref(&unseen), &version(), &Rules::default(), None, at(10));
    assert_eq!((found.len(), found[0].kind, found[0].can_be_overridden), (1, Kind::NotShown, true), "{found:?}");
    let rules = Rules { suites: vec!["c".into()], ..Rules::default() };
    assert!(!weigh(&[unseen], &rules).join("").contains("did not see run"), "it is asked for no suite");
}
