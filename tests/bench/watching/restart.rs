//! How soon a process is ready after one was killed that had many sessions open.

use std::time::{Duration, Instant};

use crate::Numbers;
use crate::agents::{SPANS, request};
use crate::watcher::{Watcher, now};

/// Sessions of which a turn lies in one request.
const TOGETHER: u64 = 100;

pub fn measure(numbers: &mut Numbers) {
    let sessions = numbers.next(100_000);
    let dir = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = seatrial::net::client::client().expect("a client");
    let watcher = Watcher::start(dir.path(), "");
    runtime.block_on(async {
        for from in (0..sessions).step_by(TOGETHER as usize) {
            let body = request(from..(from + TOGETHER).min(sessions), 0, 0..SPANS, |_| now());
            loop {
                let request = client.post(&watcher.otlp).header("content-type", "application/x-protobuf");
                if request.body(body.clone()).send().await.expect("an answer").status().is_success() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    let before = watcher.memory("VmRSS");
    watcher.kill();
    let began = Instant::now();
    let watcher = Watcher::start(dir.path(), "");
    let said = began.elapsed();
    runtime.block_on(async {
        while client.get(format!("{}readyz", watcher.status)).send().await.expect("an answer").status() != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let open = runtime.block_on(watcher.metric(&client, "seatrial_watch_open_sessions"));
    println!(
        "{sessions} open sessions of {SPANS} spans: killed, started again, listening after {:.2} s and ready after {:.2} s, \
         with {} of them open; memory {before:.0} MB before, {:.0} MB after",
        said.as_secs_f64(),
        began.elapsed().as_secs_f64(),
        open.map_or_else(|| "an unknown number".to_owned(), |n| n.to_string()),
        watcher.memory("VmRSS"),
    );
}
