//! The network between worker and server is cut: work goes on where it was as soon as there is a way again.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::killed::many;
use super::wire::{Heals, Wire};
use super::workers::Worker;
use crate::nats::Nats;
use crate::project::json;
use crate::shards;

/// A worker loses its server for so long in the middle of a run, which then ends as one that nothing happened to; how long
/// after the network was there again the run ended.
fn cut_for(time: Duration, heals: Heals) -> Option<Duration> {
    let nats = Nats::start()?;
    let wire = Wire::to(&nats.url("cut"));
    let project = many();
    let worker = Worker::start(&project, &wire.url("cut"));
    let url = nats.url("cut");
    let args = ["run", "suite.toml", "--out", "fleet", "--on", &url, "--tries", "100", "--ack-wait", "300ms"];
    let mut run = project.command(&args).stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("it starts");
    let done = |worker: &Worker| worker.metric("seatrial_worker_sessions_total");
    let began = Instant::now();
    while done(&worker) == 0 {
        assert!(began.elapsed() < Duration::from_secs(120), "the worker judges nothing");
        std::thread::sleep(Duration::from_millis(5));
    }
    wire.cut();
    std::thread::sleep(time);
    assert!(run.try_wait().expect("a state").is_none(), "nobody could have done what was left");
    let before = done(&worker);
    assert!(before < 6000, "{before} of 6000 were done when it was cut");
    wire.mend(heals);
    let began = Instant::now();
    while run.try_wait().expect("a state").is_none() {
        assert!(began.elapsed() < Duration::from_secs(240), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(run.wait().expect("an end").code(), Some(0));
    shards::same(&project, "fleet", "whole");
    assert_eq!(json(&project.path("fleet/latest/summary.json"))["suites"][0]["sessions"]["evaluated"], 6000);
    Some(began.elapsed())
}

#[test]
fn a_run_goes_on_when_the_network_between_worker_and_server_is_there_again() {
    cut_for(Duration::from_secs(2), Heals::Told);
}

#[test]
#[ignore = "takes minutes; cargo test --test cli fleet::cut -- --include-ignored --nocapture"]
fn a_network_that_is_cut_for_minutes_and_tells_nobody_that_its_connections_are_gone() {
    for heals in [Heals::Told, Heals::Silent] {
        let Some(after) = cut_for(Duration::from_secs(180), heals) else { return };
        println!("cut for 180 s, {heals:?}: the run ended {:.1} s after", after.as_secs_f64());
    }
}
