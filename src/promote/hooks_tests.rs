//! What hooks are told, and what becomes of them.

use std::path::PathBuf;

use super::*;
use crate::promote::event::{BY_RULE, Event};
use crate::promote::log::Entry;
use crate::promote::testing::{at, submission};
use crate::suite::settings::Origin;
use crate::suite::settings::promote::Rules;

/// Two versions approved by rule, and the second one taken back, if wanted.
fn state(rolled_back: bool) -> State {
    let mut state = State::default();
    let mut log = Vec::new();
    let mut write = |by: &str, event: Event| {
        let entry = Entry::after(&log, at(log.len() as i64), by, event);
        state.apply(&entry).unwrap();
        log.push(entry.seal(None).unwrap());
    };
    let rules = Rules { approvals: 0, canary: Some(0.1), ..Rules::default() };
    for (seq, version) in [(1, "1.0"), (3, "1.1")] {
        write("maria", Event::Submitted { submission: submission(seq, version, rules.clone()) });
        let promotion = Id::at(seq);
        let (reason, expires) = (String::new(), None);
        write(BY_RULE, Event::Approved { promotion, reason, automatic: true, granted: true, expires });
    }
    if rolled_back {
        let (promotion, to) = (Id::at(3), Id::at(1));
        write("jan", Event::RolledBack { promotion, to, reason: "worse".into(), alert: None });
    }
    state
}

fn target(args: &[&str]) -> (Target, Hook) {
    let hook =
        Hook { what: What::Run(args.iter().map(|arg| (*arg).to_owned()).collect()), timeout: Duration::from_secs(20) };
    let target = Target {
        rules: Rules::default(),
        key: None,
        trusted_keys: Vec::new(),
        on_approve: Some(hook.clone()),
        on_rollback: Some(hook.clone()),
        dir: PathBuf::new(),
        origin: Origin::Default,
    };
    (target, hook)
}

#[test]
fn on_either_occasion_the_version_is_the_one_to_be_live() {
    let approved = state(false);
    let due: Vec<Due> = approved.due().cloned().collect();
    assert_eq!(due.len(), 1);
    let told = Told::of(&approved, &due[0]).unwrap();
    assert_eq!((told.version.as_str(), told.from.as_deref(), told.canary), ("1.1", Some("1.0"), Some(0.1)));
    assert_eq!(told.kind(), "promotion.approved");
    let back = state(true);
    let due: Vec<Due> = back.due().cloned().collect();
    let told = Told::of(&back, &due[0]).unwrap();
    assert_eq!((told.version.as_str(), told.from.as_deref(), told.canary), ("1.0", Some("1.1"), None));
    assert_eq!((told.by.as_str(), told.reason.as_str()), ("jan", "worse"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_finds_what_it_is_told_in_its_environment_and_its_failure_is_told() {
    let state = state(true);
    let due = state.due().next().unwrap().clone();
    let told = Told::of(&state, &due).unwrap();
    let edge = Edge { seconds: &|| 7, env: &|_| None };
    let script = "echo $SEATRIAL_PROMOTE_OCCASION $SEATRIAL_PROMOTE_AGENT $SEATRIAL_PROMOTE_VERSION \
                  $SEATRIAL_PROMOTE_FROM $SEATRIAL_PROMOTE_TARGET";
    let (place, hook) = target(&["sh", "-c", script]);
    let said = run(&place, &hook, &due, &told, &edge).await.unwrap();
    assert_eq!(said, "on_rollback airline 1.0 1.1 prod");
    let (place, hook) = target(&["sh", "-c", "echo no such cluster >&2; exit 3"]);
    assert!(run(&place, &hook, &due, &told, &edge).await.unwrap_err().ends_with("no such cluster"));
    let (place, hook) = target(&["./no-such-program"]);
    assert!(run(&place, &hook, &due, &told, &edge).await.unwrap_err().contains("could not be started"));
}
