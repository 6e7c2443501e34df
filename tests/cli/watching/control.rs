//! Suites that are read again, and an orderly end.

use super::process::{Watch, rows};
use crate::project::Project;

#[cfg(unix)]
#[test]
fn suites_are_read_again_on_a_hangup_and_bad_ones_are_refused() {
    let project = Project::with(super::SUITE, &["{}"]);
    let mut watch = Watch::start(&project, &["--idle", "300ms"]);
    let good = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    assert_eq!(watch.send(&super::turn("before", 1, "ok")), 200);
    project.file("suite.toml", format!("{good}[[turn]]\nid = \"bad\"\ncheck = \"nonsense\"\n"));
    watch.signal("-HUP");
    watch.until("seatrial_watch_reloads_total{result=\"refused\"} 1");
    assert!((0..4).any(|_| watch.line().contains("nonsense")), "it says what is wrong");
    watch.until("seatrial_watch_sessions_total{suite=\"s\",outcome=\"evaluated\"} 1");
    project.file("suite.toml", format!("{good}[[turn]]\nid = \"polite\"\ncheck = \"contains\"\nvalue = \"please\"\n"));
    watch.signal("-HUP");
    watch.until("seatrial_watch_reloads_total{result=\"taken\"} 1");
    assert_eq!(watch.send(&super::turn("after", 1, "ok")), 200);
    watch.until("seatrial_watch_sessions_total{suite=\"s\",outcome=\"evaluated\"} 2");
    let checks = |session: &str| {
        let rows = rows(&project, "s");
        let (_, body) = rows.into_iter().find(|(row, _)| row.watched.session == session).expect("it");
        body.checks.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(checks("before"), ["says"]);
    assert_eq!(checks("after"), ["polite", "says"]);
}

#[cfg(unix)]
#[test]
fn it_stops_in_order_and_what_is_going_on_waits_on_disk_for_the_next() {
    let project = Project::with(super::SUITE, &["{}"]);
    let watch = Watch::start(&project, &[]);
    assert_eq!(watch.send(&super::turn("a", 1, "ok")), 200);
    let (code, said) = watch.terminate();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 sessions that are going on wait on disk"), "{said}");
    assert!(rows(&project, "s").is_empty());
    let watch = Watch::start(&project, &["--idle", "200ms"]);
    assert!(watch.said.contains("1 request that an earlier process had received is taken up"), "{}", watch.said);
    watch.until("seatrial_watch_open_sessions 0");
    assert_eq!(rows(&project, "s").len(), 1);
}

#[test]
fn two_do_not_watch_with_the_same_state_and_nothing_to_watch_is_a_mistake() {
    let project = Project::with(super::SUITE, &["{}"]);
    let _watch = Watch::start(&project, &[]);
    let said = project.seatrial(&["watch", "suite.toml", "--listen", "0", "--grpc", "off", "--status", "off"]).code(2);
    assert!(said.err.contains("another process watches"), "{}", said.err);
    let said = project.seatrial(&["watch", "suite.toml", "--listen", "off", "--grpc", "off", "--state", "x"]).code(2);
    assert!(said.err.contains("nothing is watched"), "{}", said.err);
    let said = project.seatrial(&["watch", "gone.toml", "--state", "x"]).code(2);
    assert!(said.err.contains("gone.toml"), "{}", said.err);
}
