//! Days pass in an instant: sessions end, come late, never end, come again; processes are killed in between.

use std::collections::BTreeMap;

use super::super::closing::Closing;
use super::super::row::Body;
use super::super::testing::{BEGIN, Production, exported};
use super::*;
use crate::checks::subject::SessionSubject;
use crate::checks::{Compiled, SessionCheck};
use crate::model::{Finding, Level};
use crate::suite::Program;

const QUIET: u64 = 15 * 60;

#[test]
fn a_session_is_judged_once_it_has_been_quiet() {
    let production = Production::new();
    let mut watch = production.watch(Vec::new());
    watch.send(&production.turn("a", 1, "it is ok"));
    watch.send(&production.turn("b", 1, "no"));
    production.pass(QUIET - 1);
    watch.turns();
    assert!(production.told().is_empty());
    production.pass(1);
    watch.turns();
    assert_eq!(production.told(), [("a".to_owned(), 1, "pass"), ("b".to_owned(), 1, "fail")]);
    assert_eq!(watch.windows("s"), (1, 1, 0, 1));
    let recent = lock(&watch.watcher.shared.recent).clone();
    assert_eq!((recent.len(), recent[0].session.as_str(), recent[0].check.as_str()), (1, "b", "says"));
    watch.turns();
    assert_eq!(production.told().len(), 2, "and not again");
}

#[test]
fn what_comes_late_makes_a_later_version_which_supersedes_the_earlier_one() {
    let production = Production::new();
    let mut watch = production.watch(Vec::new());
    watch.send(&production.turn("a", 1, "it is ok"));
    production.pass(QUIET);
    watch.turns();
    watch.send(&production.turn("a", 2, "no"));
    production.pass(QUIET);
    watch.turns();
    assert_eq!(production.told(), [("a".to_owned(), 2, "fail")]);
    assert_eq!(watch.windows("s"), (0, 1, 0, 1), "it counts once, as all of it");
    // So it is for whoever comes next.
    drop(watch);
    let watch = production.watch(Vec::new());
    assert_eq!(watch.windows("s"), (0, 1, 0, 1));
}

#[test]
fn what_is_sent_again_changes_nothing() {
    let production = Production::new();
    let mut watch = production.watch(Vec::new());
    let turns = [production.turn("a", 1, "it is ok"), production.turn("a", 2, "still ok")];
    for _ in 0..3 {
        turns.iter().for_each(|turn| watch.send(turn));
        production.pass(QUIET);
        watch.turns();
    }
    assert_eq!(production.told(), [("a".to_owned(), 1, "pass")]);
    assert_eq!(watch.windows("s"), (1, 0, 0, 1));
    assert_eq!(watch.watcher.shared.metrics.sessions_of("s", "known"), 2);
}

#[test]
fn what_comes_after_a_session_was_let_go_of_is_counted_and_not_taken_for_all_of_it() {
    let production = Production::new();
    let mut watch = production.watch(Vec::new());
    watch.send(&production.turn("a", 1, "no"));
    production.pass(QUIET);
    watch.turns();
    production.pass(QUIET + 600);
    watch.turns();
    assert_eq!(
        watch.inbox.standing(1),
        crate::receive::homes::Standing {
            spool: watch.inbox.standing(1).spool,
            spool_limit: 64 << 20,
            ..Default::default()
        }
    );
    watch.send(&production.turn("a", 2, "it is ok"));
    production.pass(QUIET);
    watch.turns();
    assert_eq!(production.told(), [("a".to_owned(), 1, "fail")]);
    assert_eq!(watch.watcher.shared.metrics.late.get(), 1);
    // Whoever comes next knows, too.
    drop(watch);
    let mut watch = production.watch(Vec::new());
    production.pass(2 * QUIET + 600);
    watch.turns();
    assert_eq!(production.told(), [("a".to_owned(), 1, "fail")]);
}

#[test]
fn a_record_that_says_so_ends_its_session() {
    let mut production = Production::new();
    production.closings = vec![Closing { ends: vec!["session.ended".to_owned()], ..Closing::default() }];
    let mut watch = production.watch(Vec::new());
    let end = |said| exported("a", 1, "it is ok", BEGIN, &[("session.ended", said)]);
    watch.send(&end(false));
    production.pass(10);
    watch.turns();
    assert!(production.told().is_empty(), "false is no end");
    watch.send(&exported("a", 2, "ok", BEGIN, &[("session.ended", true)]));
    production.pass(2);
    watch.turns();
    assert_eq!(production.told(), [("a".to_owned(), 1, "pass")]);
}

#[test]
fn suites_may_differ_in_when_a_session_is_over() {
    let mut production = Production::new();
    let sooner = Closing { idle: Duration::from_secs(60), ..Closing::default() };
    production.closings = vec![Closing::default(), sooner];
    let mut watch = production.watch(Vec::new());
    watch.send(&production.turn("a", 1, "it is ok"));
    production.pass(60);
    watch.turns();
    assert_eq!((production.rows("s").len(), production.rows("s1").len()), (0, 1));
    watch.send(&production.turn("a", 2, "no"));
    production.pass(QUIET);
    watch.turns();
    let versions = |suite: &str| production.rows(suite).iter().map(|row| row.version).collect::<Vec<_>>();
    assert_eq!((versions("s"), versions("s1")), (vec![1], vec![2]));
}

#[test]
fn a_session_that_never_ends_is_judged_by_its_first_day_and_takes_no_more_room() {
    let production = Production::new();
    let mut watch = production.watch(Vec::new());
    for turn in 0..700 {
        watch.send(&production.turn("a", turn, "it is ok"));
        production.pass(5 * 60);
        watch.turns();
    }
    let told = production.told();
    // Each of its traces has ended: what was said within a day can be judged, once.
    assert_eq!(told, [("a".to_owned(), 1, "pass")]);
    assert!(watch.inbox.standing(1).open <= 1 && watch.watcher.shared.metrics.late.get() >= 1);
}

#[test]
fn a_session_that_is_too_large_is_an_error_and_takes_no_more_room() {
    let mut production = Production::new();
    production.closings = vec![Closing { max_bytes: 20_000, ..Closing::default() }];
    let mut watch = production.watch(Vec::new());
    for turn in 0..300 {
        watch.send(&production.turn("a", turn, &"it is ok ".repeat(100)));
        watch.turns();
    }
    assert_eq!(production.told(), [("a".to_owned(), 1, "error")]);
    assert!(watch.inbox.standing(1).memory < 100_000);
    assert_eq!(watch.windows("s"), (0, 0, 1, 1));
}

#[test]
fn spans_from_the_future_belong_to_the_window_in_which_they_arrive() {
    let production = Production::new();
    let mut watch = production.watch(Vec::new());
    watch.send(&production.turn_at("a", 1, "it is ok", BEGIN + 365 * 86_400_000));
    production.pass(QUIET);
    watch.turns();
    let at = production.rows("s")[0].watched.at;
    assert_eq!(at, BEGIN + i64::try_from(QUIET).unwrap() * 1_000);
    assert_eq!(watch.watcher.shared.metrics.future.get(), 1);
}

#[test]
fn a_clock_that_is_set_ends_no_session_early_and_takes_nothing_out() {
    let production = Production::new();
    let mut watch = production.watch(Vec::new());
    watch.send(&production.turn("a", 1, "it is ok"));
    production.pass(QUIET);
    watch.turns();
    watch.send(&production.turn("b", 1, "it is ok"));
    let year = 365 * 86_400_000;
    for by in [year, -2 * year, year] {
        production.clock.set(by);
        watch.turns();
        assert_eq!(production.told().len(), 1, "quiet is told by an instant, not by the time of day");
    }
    assert_eq!(watch.watcher.shared.metrics.clock_jumps.get(), 3);
    assert_eq!(watch.windows("s"), (1, 0, 0, 1), "once the clock is right again, windows are what they were");
    production.pass(QUIET);
    watch.turns();
    assert_eq!(production.told().len(), 2);
}

#[test]
fn whoever_is_killed_whenever_loses_nothing_and_counts_nothing_twice() {
    let production = Production::new();
    let mut random = fastrand::Rng::with_seed(7);
    let mut sent = BTreeMap::<u64, u32>::new();
    let mut watch = production.watch(Vec::new());
    for round in 0..120 {
        for _ in 0..random.usize(..8) {
            let session = random.u64(..40);
            let turn = sent.entry(session).or_default();
            *turn += 1;
            watch.send(&production.turn(
                &format!("s{session:02}"),
                *turn,
                if session.is_multiple_of(3) { "no" } else { "ok" },
            ));
        }
        production.pass(random.u64(..120));
        if random.bool() {
            let _ = watch.watcher.turn();
        }
        if round % 5 == 0 {
            // Without any farewell.
            drop(watch);
            watch = production.watch(Vec::new());
        }
    }
    production.pass(QUIET);
    watch.turns();
    let told = production.told();
    assert_eq!(told.len(), sent.len(), "every session, once");
    let failed = sent.keys().filter(|session| session.is_multiple_of(3)).count() as u64;
    assert!(told.iter().all(|(session, _, verdict)| {
        let n: u64 = session[1..].parse().unwrap();
        *verdict == if n.is_multiple_of(3) { "fail" } else { "pass" }
    }));
    let (pass, fail, error, _) = watch.windows("s");
    assert_eq!((pass, fail, error), (sent.len() as u64 - failed, failed, 0));
}

#[test]
fn a_spool_that_fills_lets_go_of_what_is_over_and_then_refuses() {
    let mut production = Production::new();
    production.spool = 400_000;
    let mut watch = production.watch(Vec::new());
    for session in 0..150 {
        watch.send(&production.turn(&format!("a{session}"), 1, &"it is ok ".repeat(150)));
    }
    production.pass(QUIET);
    watch.turns();
    assert_eq!(production.told().len(), 150);
    assert!(watch.watcher.shared.metrics.crowded.get() > 0);
    let more = (150..2_000).map(|n| watch.inbox.put(&production.turn(&format!("a{n}"), 1, &"it is ok ".repeat(150))));
    let refused = more.filter(Result::is_err).count();
    assert!(refused > 0, "what is not over is not let go of");
}

#[test]
fn a_store_that_cannot_be_written_loses_nothing() {
    let production = Production::new();
    let mut watch = production.watch(Vec::new());
    watch.send(&production.turn("a", 1, "it is ok"));
    production.pass(QUIET);
    let (here, away) = (production.database(), production.path().join("away"));
    std::fs::rename(&here, &away).unwrap();
    assert!(watch.watcher.turn().is_err());
    std::fs::rename(&away, &here).unwrap();
    watch.turns();
    assert_eq!(production.told(), [("a".to_owned(), 1, "pass")]);
}

/// A check that has a bug.
struct Panics;

impl SessionCheck for Panics {
    fn check(&self, _: &SessionSubject<'_>) -> Finding {
        panic!("the check broke")
    }
}

#[test]
fn a_check_that_panics_is_an_error_of_its_verdict_and_nothing_else() {
    let mut production = Production::new();
    production.change = |suite| {
        let mut broken = crate::eval::testing::suite(super::super::testing::SUITE).checks.remove(0);
        broken.id = "broken".to_owned();
        broken.level = Level::Session;
        broken.program = Program::Fixed(Compiled::Session(Box::new(Panics)));
        suite.checks.push(broken);
    };
    crate::eval::evaluate::keep_panics_quiet();
    let mut watch = production.watch(Vec::new());
    watch.send(&production.turn("a", 1, "it is ok"));
    production.pass(QUIET);
    watch.turns();
    let body: Body = serde_json::from_str(&production.rows("s")[0].watched.body).unwrap();
    let told: Vec<_> = body.checks.iter().map(|(id, said)| (id.as_str(), said.status.name())).collect();
    assert_eq!(told, [("broken", "error"), ("says", "pass")]);
    assert_eq!(watch.watcher.shared.metrics.panics.get(), 1);
}

#[test]
fn a_week_of_sessions_takes_no_more_room_than_a_day() {
    let mut production = Production::new();
    production.keeping = Keeping { rows: Duration::from_secs(86_400), ..Keeping::default() };
    let mut watch = production.watch(Vec::new());
    let mut largest = [0; 7];
    for hour in 0..7 * 24 {
        for n in 0..20 {
            watch.send(&production.turn(&format!("{hour} {n}"), 1, "it is ok"));
        }
        production.pass(3_600);
        watch.turns();
        let shared = watch.watcher.shared();
        let rows = production.rows("s").len();
        largest[hour / 24] = largest[hour / 24].max(rows + lock(&shared.windows).len());
        assert!(watch.inbox.standing(1).memory < 2_000_000);
    }
    assert!(largest[6] <= largest[2], "{largest:?}");
}

#[test]
fn an_alert_is_judged_by_the_same_hour_of_last_week_whoever_was_there_then() {
    let mut production = Production::new();
    production.change = |suite| {
        let alert = "[[alert]]\nname = \"worse\"\nkind = \"ratio\"\nof = \"says\"\nagainst = \"last_week\"\n";
        suite.watch = crate::eval::testing::suite(&format!("{}{alert}", super::super::testing::SUITE)).watch;
    };
    let mut watch = production.watch(Vec::new());
    let batch = |watch: &mut super::super::testing::Watching, name: &str, failing: usize| {
        for n in 0..20 {
            watch.send(&production.turn(&format!("{name} {n}"), 1, if n < failing { "no" } else { "ok" }));
        }
        production.pass(2 * QUIET + 600);
        watch.turns();
    };
    batch(&mut watch, "then", 1);
    // Others watched on, one after the other.
    for day in 0..6 {
        production.pass(86_400);
        batch(&mut watch, &format!("day {day}"), 1);
        drop(watch);
        watch = production.watch(Vec::new());
    }
    let so_far = production.clock.millis() - BEGIN;
    production.pass(7 * 86_400 - u64::try_from(so_far).unwrap() / 1_000);
    batch(&mut watch, "now", 19);
    let alerts = lock(&watch.watcher.shared.alerts).clone();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(alerts[0].fires && alerts[0].text.contains("was 0.95 over 1h, against 0.05"), "{alerts:?}");
}
