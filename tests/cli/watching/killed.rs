//! Killed again and again under load: no session is lost, and none counts twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::process::{Watch, rows};
use crate::project::Project;
use crate::receive::recorder::run;

/// Sends turns of sessions to a port, each until it is acknowledged, whoever is there; how many turns each session had.
async fn export(port: u16, sessions: u32, mut random: fastrand::Rng) -> BTreeMap<u32, u32> {
    let client = seatrial::net::client::client().expect("a client");
    let url = format!("http://127.0.0.1:{port}/v1/traces");
    let mut sent = BTreeMap::new();
    for session in 0..sessions {
        let reply = if session.is_multiple_of(4) { "no" } else { "ok" };
        let turns = random.u32(1..3);
        for turn in 1..=turns {
            let body = super::turn(&format!("s{session}"), turn, reply);
            loop {
                let request = client.post(&url).header("content-type", "application/json").body(body.clone());
                match request.send().await.map(|answer| answer.status().as_u16()) {
                    Ok(200) => break,
                    Ok(429 | 503) | Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                    Ok(other) => panic!("answered with {other}"),
                }
            }
        }
        sent.insert(session, turns);
    }
    sent
}

/// Kills a watcher so many times while sessions come, each of which must be there once afterwards; how many times it was
/// killed while they came.
fn disturbed(kills: u32, sessions: u32, most: Duration) -> u32 {
    let project = Project::with(super::SUITE, &["{}"]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
    let listen = port.to_string();
    let args = ["--listen", &listen, "--idle", "300ms", "--window", "1s", "--late", "2s"];
    let done = Arc::new(AtomicBool::new(false));
    let ended = done.clone();
    let sender = std::thread::spawn(move || {
        let sent = run(export(port, sessions, fastrand::Rng::with_seed(7)));
        ended.store(true, Ordering::Relaxed);
        sent
    });
    let mut random = fastrand::Rng::with_seed(11);
    let mut killed = 0;
    while killed < kills && !done.load(Ordering::Relaxed) {
        let watch = Watch::start(&project, &args);
        std::thread::sleep(most.mul_f64(random.f64()));
        watch.kill();
        killed += 1;
    }
    let watch = Watch::start(&project, &args);
    let sent = sender.join().expect("all is sent");
    watch.until("seatrial_watch_open_sessions 0");
    let found = rows(&project, "s");
    let mut names: Vec<&str> = found.iter().map(|(row, _)| row.watched.session.as_str()).collect();
    names.sort_unstable();
    let mut wanted: Vec<String> = sent.keys().map(|n| format!("s{n}")).collect();
    wanted.sort_unstable();
    assert!(names == wanted, "every session, once: {} of {}", names.len(), wanted.len());
    for (row, body) in &found {
        let n: u32 = row.watched.session[1..].parse().expect("a number");
        assert_eq!(body.worst().name(), if n.is_multiple_of(4) { "fail" } else { "pass" }, "s{n}");
        // All of its turns are in what counts.
        assert_eq!(body.values["turn_ms"].len(), sent[&n] as usize, "s{n}");
    }
    // What windows add up to is the same.
    let (_, _, page) = watch.look("/");
    let failed = sent.keys().filter(|n| n.is_multiple_of(4)).count();
    let cells = format!("<td class=\"n\">{}</td><td class=\"n\">{failed}</td>", sent.len() - failed);
    assert!(page.contains(&cells), "{page}");
    killed
}

#[test]
fn whoever_is_killed_again_and_again_loses_nothing_and_counts_nothing_twice() {
    assert!(disturbed(6, 400, Duration::from_millis(500)) > 0);
}

#[test]
#[ignore = "takes minutes; cargo test --test cli watching::killed -- --include-ignored --nocapture"]
fn many_sessions_and_many_kills() {
    let (began, kills) = (Instant::now(), 25);
    let killed = disturbed(kills, 20_000, Duration::from_secs(3));
    println!("20000 sessions, killed {killed} times while they came, in {:.0} s", began.elapsed().as_secs_f64());
    assert!(killed >= 20, "killed {killed} times only");
}
