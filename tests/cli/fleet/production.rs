//! Production, judged by workers: the same rows as when it is judged by the one who watches.

use std::time::Duration;

use seatrial::store::db::{Store, StoreUrl};

use super::workers::Worker;
use crate::nats::Nats;
use crate::postgres;
use crate::project::{GOOD, Project, replies};
use crate::receive::recorder::run;

const WATCH: [&str; 8] = ["watch", "suite.toml", "--listen", "off", "--grpc", "off", "--from", "there"];

/// What is stored of sessions: in the project's own file, or in a database.
fn told(at: &StoreUrl) -> Vec<(String, u32, String, Option<String>, String)> {
    let rows = run(async {
        let store = Store::open(at).await.expect("the store");
        let rows = store.watched_between("s", (0, i64::MAX), (i64::MIN, 0), 100_000).await.expect("rows");
        store.close().await;
        rows
    });
    let mut told: Vec<_> = rows
        .into_iter()
        .map(|row| (row.watched.session, row.version, row.watched.digest, row.watched.reason, row.watched.body))
        .collect();
    told.sort();
    told
}

fn file(project: &Project) -> StoreUrl {
    StoreUrl::File(project.path(".seatrial/seatrial.db"))
}

fn project(sessions: usize) -> Project {
    let project = Project::with(GOOD, &["{}"]);
    let session = |i: usize| {
        let mut session: serde_json::Value =
            serde_json::from_str(&replies(&format!("s{i}"), if i.is_multiple_of(7) { "bad" } else { "good" }))
                .expect("JSON");
        session["start_ns"] = 1_700_000_000_000_000_000u64.into();
        session["end_ns"] = (1_700_000_000_000_000_000u64 + i as u64).into();
        session["incomplete"] = i.is_multiple_of(5).into();
        session.to_string() + "\n"
    };
    project.file("there/sessions.jsonl", (0..sessions).map(session).collect::<String>());
    project
}

#[test]
fn sessions_that_workers_judge_become_the_rows_that_they_are_without_them() {
    let Some(nats) = Nats::start() else { return };
    let url = nats.url("watch");
    let (here, away) = (project(300), project(300));
    here.seatrial(&[&WATCH[..], &["--drain"]].concat()).code(0);
    let workers = [Worker::start(&away, &url), Worker::start(&away, &url)];
    away.seatrial(&[&WATCH[..], &["--drain", "--on", &url]].concat()).code(0);
    assert_eq!(told(&file(&away)), told(&file(&here)));
    assert_eq!(told(&file(&away)).len(), 300);
    let judged: u64 = workers
        .into_iter()
        .map(|worker| {
            let (_, said) = worker.terminate();
            let number = said.lines().find_map(|line| line.split_once(" sessions judged")?.0.parse::<u64>().ok());
            number.unwrap_or_else(|| panic!("{said}"))
        })
        .sum();
    assert_eq!(judged, 300, "each by one of them");
}

/// Worker, NATS server and database are killed in turn, and whoever watches every time, while a worker judges production:
/// each session counts once, as if nothing had happened. How many sessions were judged when each round began.
fn disturbed(sessions: usize, rounds: u32, most: Duration) -> Option<Vec<usize>> {
    let mut nats = Nats::start()?;
    let database = postgres::own()?;
    let url = nats.url("killed");
    let project = project(sessions);
    project.seatrial(&[&WATCH[..], &["--drain"]].concat()).code(0);
    let address = database.address();
    project.file("seatrial.toml", format!("store = \"{address}\"\n"));
    let mut worker = Worker::start(&project, &url);
    let (mut random, mut judged) = (fastrand::Rng::new(), Vec::new());
    for round in 0..rounds {
        let args = [&WATCH[..], &["--status", "off", "--on", &url, "--ack-wait", "300ms"]].concat();
        let mut watch = project.command(&args).stderr(std::process::Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(most.mul_f64(0.1 + 0.9 * random.f64()));
        match round % 3 {
            0 => worker.kill(),
            1 => nats.kill(),
            _ => database.stop(),
        }
        std::thread::sleep(most.mul_f64(0.3 * random.f64()));
        watch.kill().expect("killed");
        watch.wait().expect("an end");
        match round % 3 {
            0 => worker = Worker::start(&project, &url),
            1 => nats.begin(),
            _ => database.start_again(),
        }
        judged.push(told(&StoreUrl::postgres(&address)).len());
    }
    project.seatrial(&[&WATCH[..], &["--drain", "--on", &url]].concat()).code(0);
    let found = told(&StoreUrl::postgres(&address));
    assert_eq!(found.len(), sessions);
    assert!(found == told(&file(&project)), "they are not what they are without workers");
    Some(judged)
}

#[test]
fn whoever_is_killed_while_production_is_judged_every_session_counts_once() {
    disturbed(300, 9, Duration::from_millis(1200));
}

#[test]
#[ignore = "takes minutes; cargo test --test cli fleet::production -- --include-ignored --nocapture"]
fn many_sessions_and_many_kills() {
    let began = std::time::Instant::now();
    let Some(judged) = disturbed(20_000, 24, Duration::from_secs(12)) else { return };
    println!(
        "20000 sessions, {} kills in {:.0} s; judged after each: {judged:?}",
        judged.len(),
        began.elapsed().as_secs_f64()
    );
    let moved = judged.windows(2).filter(|pair| pair[1] > pair[0]).count();
    assert!(moved >= 12, "it went on between {moved} kills only");
}
