//! Sessions of high risk: they go to review, adjudicators alone read them, and the owner is told at once.

use std::time::Duration;

use super::outside::backend;
use super::process::Watch;
use crate::project::{Project, Said};

const SUITE: &str = "[[turn]]\nid = \"no-pii\"\ncheck = \"not_contains\"\ndetect = [\"email\"]\n\
                     [watch.quarantine]\nchecks = [\"no-pii\"]\nto = [\"kill-switch\"]\n";

#[test]
fn a_session_of_high_risk_is_reviewed_restricted_and_told_to_whoever_can_stop_the_agent() {
    let project = Project::with(SUITE, &["{}"]);
    let (url, told) = backend(1);
    project.file("seatrial.toml", format!("[notify.kill-switch]\nkind = \"slack\"\nurl = \"{url}/stop\"\n"));
    let watch = Watch::start(&project, &["--idle", "200ms"]);
    assert_eq!(watch.send(&super::turn("harmless", 1, "it is ok")), 200);
    assert_eq!(watch.send(&super::turn("risky", 1, "Write to ann@example.com.")), 200);
    watch.until("seatrial_watch_quarantined_sessions_total{suite=\"s\",check=\"no-pii\"} 1");
    watch.until("seatrial_watch_sessions_total{suite=\"s\",outcome=\"evaluated\"} 2");
    // The first attempt failed.
    let notice = told.recv_timeout(Duration::from_secs(60)).expect("a notice").to_string();
    assert!(notice.contains("quarantine") && notice.contains("risky") && notice.contains("no-pii"), "{notice}");
    assert!(!notice.contains("ann@example.com") && !notice.contains("harmless"), "{notice}");
    watch.kill();

    for (name, role) in [("ann", "reviewer"), ("eve", "adjudicator")] {
        project.seatrial(&["review", "user", "add", name, "--role", role, "--no-password"]).code(0);
    }
    let listed = project.seatrial(&["review", "list", "--json"]).code(0).out;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let items = listed["items"].as_array().expect("items");
    assert_eq!(items.len(), 1, "{listed}");
    let item = items[0]["item"].as_str().expect("a name");
    let shown = |who: &str| {
        let mut command = project.command(&["review", "show", item]);
        command.env("SEATRIAL_REVIEWER", who);
        Said::of(command).code(0).out
    };
    let (ann, eve) = (shown("ann"), shown("eve"));
    assert!(ann.contains("under quarantine") && !ann.contains("ann@example.com"), "{ann}");
    assert!(eve.contains("ann@example.com"), "{eve}");
    let exported = project.seatrial(&["review", "export"]).code(0).out;
    assert!(!exported.contains("Write to"), "{exported}");
}

#[test]
fn what_could_never_be_put_there_is_refused() {
    let project = Project::with(&SUITE.replace("checks = [\"no-pii\"]", "checks = [\"no-pi\"]"), &["{}"]);
    let said = project.seatrial(&["check", "suite.toml"]).code(2);
    for part in [
        "no check of this suite that is watched is called `no-pi`",
        "did you mean `no-pii`?",
        "nobody is called `kill-switch`",
    ] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
}

#[cfg(unix)]
#[test]
fn whoever_is_named_when_settings_are_read_again_is_told_from_then_on() {
    let project = Project::with(super::SUITE, &["{}"]);
    let watch = Watch::start(&project, &["--idle", "200ms"]);
    let (url, told) = backend(0);
    project.file("seatrial.toml", format!("[notify.kill-switch]\nkind = \"slack\"\nurl = \"{url}/stop\"\n"));
    let head = "[suite]\nname = \"s\"\n[recorded]\npaths = [\"sessions.jsonl\"]\n";
    project.file("suite.toml", format!("{head}{SUITE}"));
    watch.signal("-HUP");
    watch.until("seatrial_watch_reloads_total{result=\"taken\"} 1");
    assert_eq!(watch.send(&super::turn("risky", 1, "Write to ann@example.com.")), 200);
    let notice = told.recv_timeout(Duration::from_secs(60)).expect("a notice").to_string();
    assert!(notice.contains("risky"), "{notice}");
    watch.until("seatrial_watch_notices_total{result=\"sent\"} 1");
}
