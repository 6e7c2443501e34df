//! What is larger than anybody meant it to be: one session of hundreds of megabytes, and attributes of ever new values.

use std::time::{Duration, Instant};

use crate::Numbers;
use crate::agents::{SPANS, TURNS, request, tool_calls};
use crate::watcher::{Watcher, now};

/// Bytes that a tool of the huge session answers with.
const ANSWER: usize = 1 << 20;
/// Spans of a request.
const TOGETHER: u64 = 4;

/// One session of so many megabytes, among others that are as usual.
pub fn huge(numbers: &mut Numbers) {
    let megabytes = numbers.next(500);
    let dir = tempfile::tempdir().expect("a folder");
    let watcher = Watcher::start(dir.path(), "");
    let sent = Sender::new(&watcher);
    let before = watcher.memory("VmRSS");
    let mut slowest = Duration::ZERO;
    for from in (0..megabytes).step_by(TOGETHER as usize) {
        let spans = from..(from + TOGETHER).min(megabytes);
        slowest = slowest.max(sent.deliver(tool_calls("huge", spans, now(), |_| "search".to_owned(), ANSWER)));
    }
    let usual = 100;
    for turn in 0..TURNS {
        slowest = slowest.max(sent.deliver(request(0..usual, turn, 0..SPANS, |_| now())));
    }
    let evaluated = "seatrial_watch_sessions_total{suite=\"bench\",outcome=\"evaluated\"}";
    sent.until(&watcher, evaluated, usual);
    let [size, errors, late] = [
        "seatrial_watch_closed_total{by=\"size\"}",
        "seatrial_watch_verdicts_total{suite=\"bench\",check=\"closing\",status=\"error\"}",
        "seatrial_watch_late_sessions_total",
    ]
    .map(|line| sent.metric(&watcher, line).map_or_else(|| "none".to_owned(), |n| n.to_string()));
    println!(
        "a session of {megabytes} MB: cut off by its size {size} times, errors of its check {errors}, sessions that went on \
         behind that {late}; slowest answer {:.0} ms; memory {before:.0} MB before, {:.0} MB at most; CPU {:.1} s",
        slowest.as_secs_f64() * 1e3,
        watcher.memory("VmHWM"),
        watcher.cpu(),
    );
}

/// So many distinct names of tools, in sessions of ten thousand calls.
pub fn distinct(numbers: &mut Numbers) {
    let (calls, of_request) = (10_000, 1_000);
    // Whole sessions: the last call of each says that it has ended.
    let sessions = (numbers.next(10_000_000) / calls).max(1);
    let values = sessions * calls;
    let dir = tempfile::tempdir().expect("a folder");
    let watcher = Watcher::start(dir.path(), "");
    let sent = Sender::new(&watcher);
    let name = |n: u64| format!("tool-{n}-{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let began = Instant::now();
    println!("| distinct values | memory |\n| --- | --- |");
    for session in 0..sessions {
        let (first, last) = (session * calls, (session + 1) * calls);
        for from in (first..last).step_by(of_request as usize) {
            sent.deliver(tool_calls(&format!("distinct-{session}"), from..from + of_request, now(), name, 0));
        }
        if (session + 1) % sessions.div_ceil(8).max(1) == 0 {
            println!("| {last} | {:.0} MB |", watcher.memory("VmRSS"));
        }
    }
    let exported = began.elapsed();
    sent.until(&watcher, "seatrial_watch_sessions_total{suite=\"bench\",outcome=\"evaluated\"}", sessions);
    println!(
        "{values} distinct values in {sessions} sessions: exported in {:.0} s, all judged after {:.0} s; memory at most \
         {:.0} MB; store {:.0} MB",
        exported.as_secs_f64(),
        began.elapsed().as_secs_f64(),
        watcher.memory("VmHWM"),
        std::fs::metadata(dir.path().join(".seatrial/seatrial.db")).map_or(0.0, |file| file.len() as f64 / 1e6),
    );
}

/// Sends one request after the other.
struct Sender {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    url: String,
}

impl Sender {
    fn new(watcher: &Watcher) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { runtime, client: seatrial::net::client::client().expect("a client"), url: watcher.otlp.clone() }
    }

    /// Sends it until it is taken; how long the answer took that took it.
    fn deliver(&self, body: Vec<u8>) -> Duration {
        self.runtime.block_on(async {
            loop {
                let asked = Instant::now();
                let request = self.client.post(&self.url).header("content-type", "application/x-protobuf");
                if request.body(body.clone()).send().await.expect("an answer").status().is_success() {
                    return asked.elapsed();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
    }

    fn metric(&self, watcher: &Watcher, line: &str) -> Option<u64> {
        self.runtime.block_on(watcher.metric(&self.client, line))
    }

    /// Waits until a number of the metrics is as large.
    fn until(&self, watcher: &Watcher, line: &str, wanted: u64) {
        let began = Instant::now();
        while self.metric(watcher, line) < Some(wanted) {
            assert!(began.elapsed() < Duration::from_secs(1800), "`{line}` never comes to {wanted}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
